-- What packs keep of feedback, made when a catalogue without it is opened.
CREATE TABLE IF NOT EXISTS feedback_batch (
    number  INTEGER PRIMARY KEY,        -- the order of the import
    record  TEXT NOT NULL               -- JSON, as in its pack
);
CREATE TABLE IF NOT EXISTS deployment (
    serial  INTEGER PRIMARY KEY,
    record  TEXT NOT NULL               -- JSON, as in its pack
);
