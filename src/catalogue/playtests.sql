-- Playtests, which version 1 of the catalogue did not have. They can be rebuilt from packs, but for their numbers.

CREATE TABLE IF NOT EXISTS playtest (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,  -- in this catalogue; nodes of a mount are numbered by it
    folded  TEXT NOT NULL UNIQUE,               -- the id in lower case
    record  TEXT NOT NULL                       -- JSON, as in its pack
);
