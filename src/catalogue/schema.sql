-- The catalogue, version 3: where chunks are, what builds and milestones there are, what snapshots have seen; playtests
-- stand in playtests.sql.
-- All of it but `seen` and some counters can be rebuilt from packs; `seen` only saves work.

CREATE TABLE pack (
    number  INTEGER PRIMARY KEY,
    id      BLOB NOT NULL UNIQUE,       -- 16 bytes, the pack's file name
    bytes   INTEGER NOT NULL            -- length of the file
);

CREATE TABLE chunk (
    id      BLOB PRIMARY KEY,           -- the first 16 bytes of the ChunkId
    pack    INTEGER NOT NULL,
    offset  INTEGER NOT NULL,           -- of the stored bytes in the pack
    stored  INTEGER NOT NULL,           -- length of the stored bytes
    plain   INTEGER NOT NULL,           -- length of the plain bytes × 16 + encoding
    bases   BLOB                        -- the first 16 bytes of the ChunkIds of its bases; NULL without any
) WITHOUT ROWID;

CREATE TABLE build (
    number  INTEGER PRIMARY KEY,
    folded  TEXT NOT NULL UNIQUE,       -- the id in lower case
    record  TEXT NOT NULL               -- JSON, as in its pack; of a superseded build, with its later id and who took it
);

CREATE TABLE milestone (
    folded  TEXT PRIMARY KEY,           -- the name in lower case
    serial  INTEGER NOT NULL UNIQUE,    -- grows with every change of any milestone
    record  TEXT NOT NULL               -- JSON, as in its pack
) WITHOUT ROWID;

CREATE TABLE counter (
    name    TEXT PRIMARY KEY,           -- 'build', 'milestone', 'pack', 'pack time': the highest number given out;
                                        -- 'refused:REASON', 'refused-bytes:REASON': see refused.rs, begun anew by a
                                        -- repair
    value   INTEGER NOT NULL
) WITHOUT ROWID;

-- Files as the last snapshot of their folder found them: while the key is equal, the content is.
CREATE TABLE seen (
    folder  BLOB NOT NULL,              -- the first 16 bytes of the BLAKE3 of the folder's absolute path
    name    BLOB NOT NULL,
    size    INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,           -- nanoseconds
    ctime   INTEGER NOT NULL,           -- nanoseconds
    inode   INTEGER NOT NULL,
    depth   INTEGER NOT NULL,           -- of the content's list; 0 one chunk, -1 empty
    root    BLOB,                       -- 32 bytes, the top node of the content
    PRIMARY KEY (folder, name)
) WITHOUT ROWID;

-- Dictionaries that were learned for small files of a type; without them new ones are.
CREATE TABLE dictionary (
    kind    BLOB PRIMARY KEY,           -- the extension of their names in lower case
    id      BLOB NOT NULL               -- 32 bytes, the chunk
) WITHOUT ROWID;
