-- What `optimize` remembers, made when it first runs; all of it only saves work.

-- Chunks for which a smaller form was looked for, and how hard.
CREATE TABLE IF NOT EXISTS tried (
    id      BLOB PRIMARY KEY,           -- the first 16 bytes of the ChunkId
    effort  INTEGER NOT NULL            -- 1 idle, 2 squeeze
) WITHOUT ROWID;

-- Packs that no chunk lies in any more: their files are to be removed.
CREATE TABLE IF NOT EXISTS retired (
    id      BLOB PRIMARY KEY            -- 16 bytes, the pack's file name
) WITHOUT ROWID;
