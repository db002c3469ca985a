-- Chunks that nothing needed when `gc` looked, made when a catalogue without it is opened. They go once nobody is left who
-- may have taken them for stored before; until then whoever stores one again takes it out.
CREATE TABLE IF NOT EXISTS doomed (
    id      BLOB PRIMARY KEY            -- the first 16 bytes of the ChunkId
) WITHOUT ROWID;
