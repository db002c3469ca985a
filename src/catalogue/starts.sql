-- What programs read first of builds, made by the first mount; all of it only saves time.
CREATE TABLE IF NOT EXISTS start (
    build   INTEGER NOT NULL,           -- its number
    program TEXT NOT NULL,              -- the name of the program's file
    uses    INTEGER NOT NULL,           -- how often it was read ahead by
    age     INTEGER NOT NULL,           -- grows with each change of a row: the least is the oldest
    reads   BLOB NOT NULL,              -- see vault/starts.rs
    PRIMARY KEY (build, program)
) WITHOUT ROWID;
