-- Builds that were forgotten and can be recalled, made when a catalogue without it is opened.
CREATE TABLE IF NOT EXISTS forgotten (
    number  INTEGER PRIMARY KEY,
    folded  TEXT NOT NULL,              -- the id in lower case
    secs    INTEGER NOT NULL,           -- when it was forgotten, in seconds since 1970
    record  TEXT NOT NULL               -- JSON, as it was in the table of builds
);
