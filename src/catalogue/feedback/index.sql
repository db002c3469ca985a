-- The index over feedback, a database of its own: it grows with players, not with builds, and is made anew from the
-- imports and playtests that the catalogue knows when it is lost.

-- What has been put in here.
CREATE TABLE source (
    number      INTEGER PRIMARY KEY,        -- an import's order × 2, a playtest's number × 2 + 1
    revision    INTEGER NOT NULL
);

-- Counts the changes.
CREATE TABLE generation (
    number      INTEGER NOT NULL
);
INSERT INTO generation (number) VALUES (0);

-- Texts that many records share.
CREATE TABLE symbol (
    number      INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL,           -- which sort of text: SymbolKind
    text        TEXT NOT NULL,
    UNIQUE (kind, text)
);

-- Numbers of symbols are 0 where a record says nothing.
CREATE TABLE record (
    number      INTEGER PRIMARY KEY,
    source      INTEGER NOT NULL,
    kind        INTEGER NOT NULL,           -- place in FeedbackKind::ALL
    time        INTEGER,                    -- seconds since 1970
    build       INTEGER NOT NULL,           -- its number; 0 none, -1 several, see candidate
    method      INTEGER,                    -- place in LinkMethod::ALL
    platform    INTEGER NOT NULL,
    player      INTEGER NOT NULL,
    level       INTEGER NOT NULL,
    signature   INTEGER NOT NULL,
    outcome     INTEGER,                    -- place in Outcome::ALL
    id          BLOB NOT NULL UNIQUE,       -- 16 bytes, RecordId
    json        TEXT NOT NULL               -- the FeedbackRecord
);

-- The builds of records that may be about several.
CREATE TABLE candidate (
    record      INTEGER NOT NULL,
    build       INTEGER NOT NULL,
    PRIMARY KEY (record, build)
) WITHOUT ROWID;

-- How many records there are of what, in each build; kept with every change, so that no question counts them again.
CREATE TABLE tally (
    what        INTEGER NOT NULL,           -- Tally
    a           INTEGER NOT NULL,
    b           INTEGER NOT NULL,
    build       INTEGER NOT NULL,           -- 0 none, -1 several
    count       INTEGER NOT NULL,
    PRIMARY KEY (what, a, b, build)
) WITHOUT ROWID;

-- The words of each record, and by what else it is found: b42 the build, k3 the kind, and so on (Facet). One inverted index
-- answers every combination of them.
CREATE VIRTUAL TABLE words USING fts5(text, facets, content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2');
-- Words gather in memory before they are merged: with the usual 1 MiB an import takes a fifth longer.
INSERT INTO words (words, rank) VALUES ('hashsize', 33554432);

-- What of a build records may name: stamps, engine guids, fingerprints, debug ids. Each build is looked through once.
CREATE TABLE mark (
    kind        INTEGER NOT NULL,           -- MarkKind
    value       TEXT NOT NULL,
    build       INTEGER NOT NULL,
    PRIMARY KEY (kind, value, build)
) WITHOUT ROWID;
CREATE TABLE marked (
    build       INTEGER PRIMARY KEY
);
