//! Changes to the index: records come in, get another link, and go, and the tallies with them.

use super::index::FeedbackSource;
use super::{FeedbackKind, FeedbackRecord, Link, LinkMethod, Outcome, RecordId};
use crate::catalogue::failure;
use crate::error::{Error, Result};
use crate::id::BuildNumber;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

/// What a record of several possible builds has in place of one.
pub(super) const SEVERAL: i64 = -1;

/// The most symbols of a kind that are remembered; the others are looked up again.
const MAX_SYMBOLS: usize = 100_000;

/// Which sort of text a symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// A platform.
    Platform = 1,
    /// A player.
    Player = 2,
    /// A level.
    Level = 3,
    /// What crashes have in common.
    Signature = 4,
    /// A tag.
    Tag = 5,
    /// The name of an event.
    Event = 6,
    /// A play, by its source's id.
    Session = 7,
}

/// What is counted for each build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tally {
    /// a = kind, b = platform.
    Kind = 1,
    /// a = tag, b = kind.
    Tag = 2,
    /// a = signature.
    Signature = 3,
    /// a = outcome, b = level.
    Outcome = 4,
    /// a = level, b = kind.
    Level = 5,
}

/// What became of a record that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Added,
    /// It was there and said something else.
    Updated,
    /// It was there as it is.
    Unchanged,
}

/// Changes the index in one transaction.
pub struct IndexWriter<'a> {
    connection: &'a Connection,
    path: &'a Path,
    /// By kind; a lookup needs no copy of the text.
    symbols: HashMap<SymbolKind, HashMap<String, i64>>,
    tallies: HashMap<(i64, i64, i64, i64), i64>,
    text: String,
    facets: String,
}

/// A record as its row has it.
struct Kept {
    number: i64,
    source: i64,
    json: String,
    link: Link,
}

impl<'a> IndexWriter<'a> {
    pub(super) fn new(connection: &'a Connection, path: &'a Path) -> IndexWriter<'a> {
        IndexWriter {
            connection,
            path,
            symbols: HashMap::new(),
            tallies: HashMap::new(),
            text: String::new(),
            facets: String::new(),
        }
    }

    /// Notes that all of `source` is in the index; what it held of an earlier revision is taken out first, see `remove_source`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn note_source(&mut self, source: FeedbackSource, revision: u32) -> Result<()> {
        self.run(|connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO source (number, revision) VALUES (?1, ?2)")?
                .execute(params![source.number(), revision])
        })
        .map(drop)
    }

    /// Takes out `source` with all its records.
    ///
    /// # Errors
    /// Those of the database.
    pub fn remove_source(&mut self, source: FeedbackSource) -> Result<()> {
        let ids: Vec<Vec<u8>> = self.run(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM record WHERE source = ?1")?;
            statement.query_map([source.number()], |row| row.get(0))?.collect()
        })?;
        for id in ids {
            let id =
                id.try_into().map_err(|_| Error::corrupt("the index over feedback has an id of a wrong length"))?;
            self.remove(RecordId(id))?;
        }
        self.run(|connection| connection.execute("DELETE FROM source WHERE number = ?1", [source.number()])).map(drop)
    }

    /// Puts in a record; one that is there from a later source stays.
    ///
    /// # Errors
    /// Those of the database.
    pub fn put(
        &mut self,
        source: FeedbackSource,
        id: RecordId,
        record: &FeedbackRecord,
        json: &str,
        link: &Link,
    ) -> Result<Put> {
        // Most records are new: asking first would go down the tree of ids twice.
        if self.insert(None, source.number(), id, record, json, link)? {
            return Ok(Put::Added);
        }
        let Some(kept) = self.kept(id)? else {
            return Err(Error::corrupt("the index over feedback has an id twice"));
        };
        if kept.json == json || kept.source > source.number() || says_less_of_its_build(record, &kept.json)? {
            return Ok(Put::Unchanged);
        }
        self.take_out(&kept, id)?;
        self.insert(Some(kept.number), source.number(), id, record, json, link)?;
        Ok(Put::Updated)
    }

    /// Gives a record another link; one that is not there stays away. Tells whether the link is another one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn relink(&mut self, id: RecordId, link: &Link) -> Result<bool> {
        let Some(kept) = self.kept(id)? else { return Ok(false) };
        if kept.link == *link {
            return Ok(false);
        }
        let record = read_json(&kept.json)?;
        self.take_out(&kept, id)?;
        self.insert(Some(kept.number), kept.source, id, &record, &kept.json, link)
    }

    /// Takes out a record; one that is not there is no error.
    ///
    /// # Errors
    /// Those of the database.
    pub fn remove(&mut self, id: RecordId) -> Result<()> {
        match self.kept(id)? {
            Some(kept) => self.take_out(&kept, id),
            None => Ok(()),
        }
    }

    /// Writes down what was counted.
    pub(super) fn finish(&mut self) -> Result<()> {
        let mut tallies: Vec<_> = std::mem::take(&mut self.tallies).into_iter().collect();
        // In the order of the table, so that each of its pages is written once.
        tallies.sort_unstable();
        self.run(|connection| {
            let mut add = connection.prepare_cached(
                "INSERT INTO tally (what, a, b, build, count) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?;
            for ((what, a, b, build), count) in tallies.into_iter().filter(|(_, count)| *count != 0) {
                add.execute(params![what, a, b, build, count])?;
            }
            connection.execute("DELETE FROM tally WHERE count = 0", [])?;
            connection.execute("UPDATE generation SET number = number + 1", [])
        })
        .map(drop)
    }

    /// Puts in a record, unless one of its id is there; tells whether it was not.
    fn insert(
        &mut self,
        number: Option<i64>,
        source: i64,
        id: RecordId,
        record: &FeedbackRecord,
        json: &str,
        link: &Link,
    ) -> Result<bool> {
        let symbols = self.symbols_of(record)?;
        let connection = self.connection;
        let insert = || -> rusqlite::Result<Option<i64>> {
            let mut statement = connection.prepare_cached(
                "INSERT INTO record (number, source, kind, time, build, method, platform, player, level, signature,
                                     outcome, id, json)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (id) DO NOTHING",
            )?;
            let inserted = statement.execute(params![
                number,
                source,
                record.kind as i64,
                record.time.map(|time| time.as_second()),
                build_of(link),
                link.method.map(|method| method as i64),
                symbols.platform,
                symbols.player,
                symbols.level,
                symbols.signature,
                record.outcome.map(|outcome| outcome as i64),
                &id.0[..],
                json
            ])?;
            if inserted == 0 {
                return Ok(None);
            }
            let number = connection.last_insert_rowid();
            if link.builds.len() > 1 {
                let mut add = connection.prepare_cached("INSERT INTO candidate (record, build) VALUES (?1, ?2)")?;
                for build in &link.builds {
                    add.execute(params![number, build.0 as i64])?;
                }
            }
            Ok(Some(number))
        };
        let Some(number) = insert().map_err(|error| failure(self.path, error))? else { return Ok(false) };
        self.count(record, &symbols, link, 1)?;
        write_text(&mut self.text, record);
        write_facets(&mut self.facets, record, &symbols, link);
        self.run(|connection| {
            connection.prepare_cached("INSERT INTO words (rowid, text, facets) VALUES (?1, ?2, ?3)")?.execute(params![
                number,
                self.text,
                self.facets
            ])
        })
        .map(|_| true)
    }

    fn take_out(&mut self, kept: &Kept, id: RecordId) -> Result<()> {
        let record = read_json(&kept.json)?;
        let symbols = self.symbols_of(&record)?;
        self.count(&record, &symbols, &kept.link, -1)?;
        self.run(|connection| {
            connection.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([kept.number])?;
            connection.prepare_cached("DELETE FROM candidate WHERE record = ?1")?.execute([kept.number])?;
            connection.prepare_cached("DELETE FROM record WHERE id = ?1")?.execute([&id.0[..]])
        })
        .map(drop)
    }

    fn kept(&self, id: RecordId) -> Result<Option<Kept>> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT number, source, json, build, method FROM record WHERE id = ?1")?;
            let Some((mut kept, build)) = statement
                .query_row([&id.0[..]], |row| {
                    let link = Link { builds: Vec::new(), method: method_of(row, 4)? };
                    Ok((Kept { number: row.get(0)?, source: row.get(1)?, json: row.get(2)?, link }, row.get(3)?))
                })
                .optional()?
            else {
                return Ok(None);
            };
            kept.link.builds = builds_of(connection, kept.number, build)?;
            Ok(Some(kept))
        })
    }

    fn symbols_of(&mut self, record: &FeedbackRecord) -> Result<Symbols> {
        let mut one = |kind, text: &Option<String>| match text {
            Some(text) => self.symbol(kind, text),
            None => Ok(0),
        };
        Ok(Symbols {
            platform: one(SymbolKind::Platform, &record.platform)?,
            player: one(SymbolKind::Player, &record.player)?,
            level: one(SymbolKind::Level, &record.place.level)?,
            signature: one(SymbolKind::Signature, &record.signature)?,
            event: one(SymbolKind::Event, &record.event)?,
            session: one(SymbolKind::Session, &record.session)?,
            tags: record.tags.iter().map(|tag| self.symbol(SymbolKind::Tag, tag)).collect::<Result<_>>()?,
        })
    }

    fn symbol(&mut self, kind: SymbolKind, text: &str) -> Result<i64> {
        if let Some(&number) = self.symbols.get(&kind).and_then(|known| known.get(text)) {
            return Ok(number);
        }
        let number = self.run(|connection| {
            let known = symbol_number(connection, kind, text)?;
            match known {
                Some(number) => Ok(number),
                None => connection
                    .prepare_cached("INSERT INTO symbol (kind, text) VALUES (?1, ?2)")?
                    .insert(params![kind as i64, text]),
            }
        })?;
        let known = self.symbols.entry(kind).or_default();
        if known.len() >= MAX_SYMBOLS {
            known.clear();
        }
        known.insert(text.to_owned(), number);
        Ok(number)
    }

    fn count(&mut self, record: &FeedbackRecord, symbols: &Symbols, link: &Link, by: i64) -> Result<()> {
        let build = build_of(link);
        let kind = record.kind as i64;
        let mut count =
            |what: Tally, a: i64, b: i64| *self.tallies.entry((what as i64, a, b, build)).or_default() += by;
        count(Tally::Kind, kind, symbols.platform);
        for &tag in &symbols.tags {
            count(Tally::Tag, tag, kind);
        }
        if symbols.signature != 0 {
            count(Tally::Signature, symbols.signature, 0);
        }
        if let Some(outcome) = record.outcome {
            count(Tally::Outcome, outcome as i64, symbols.level);
        }
        if symbols.level != 0 {
            count(Tally::Level, symbols.level, kind);
        }
        Ok(())
    }

    pub(super) fn run<T>(&self, change: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        change(self.connection).map_err(|error| failure(self.path, error))
    }
}

/// The symbols of one record; 0 where it says nothing.
struct Symbols {
    platform: i64,
    player: i64,
    level: i64,
    signature: i64,
    event: i64,
    session: i64,
    tags: Vec<i64>,
}

/// Returns the number of a symbol, if any record has it.
pub(super) fn symbol_number(connection: &Connection, kind: SymbolKind, text: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM symbol WHERE kind = ?1 AND text = ?2")?;
    statement.query_row(params![kind as i64, text], |row| row.get(0)).optional()
}

/// Returns the builds of a record whose row has `build`.
pub(super) fn builds_of(connection: &Connection, record: i64, build: i64) -> rusqlite::Result<Vec<BuildNumber>> {
    match build {
        0 => Ok(Vec::new()),
        SEVERAL => {
            let mut statement =
                connection.prepare_cached("SELECT build FROM candidate WHERE record = ?1 ORDER BY build")?;
            statement.query_map([record], |row| Ok(BuildNumber(row.get::<_, i64>(0)? as u64)))?.collect()
        }
        build => Ok(vec![BuildNumber(build as u64)]),
    }
}

/// Reads the method of a link from a column.
pub(super) fn method_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<LinkMethod>> {
    let number: Option<u8> = row.get(column)?;
    Ok(number.and_then(|number| LinkMethod::ALL.get(usize::from(number)).copied()))
}

fn build_of(link: &Link) -> i64 {
    match link.builds[..] {
        [] => 0,
        [build] => build.0 as i64,
        _ => SEVERAL,
    }
}

/// Reads a record that the index holds.
///
/// # Errors
/// `Corrupt` if it is none.
pub(super) fn read_json(json: &str) -> Result<FeedbackRecord> {
    serde_json::from_str(json)
        .map_err(|error| Error::corrupt(format!("a record in the index over feedback: {error}")).with_source(error))
}

/// Tells whether a record is what is kept, but for the build that the user gave for that.
fn says_less_of_its_build(record: &FeedbackRecord, kept: &str) -> Result<bool> {
    if record.clues.given.is_some() {
        return Ok(false);
    }
    let mut kept = read_json(kept)?;
    Ok(kept.clues.given.take().is_some() && kept == *record)
}

/// Writes the words by which a record is found.
fn write_text(text: &mut String, record: &FeedbackRecord) {
    text.clear();
    let single = [&record.title, &record.event, &record.progress, &record.place.level, &record.signature];
    for said in single.into_iter().flatten().chain([&record.text]).chain(&record.tags).chain(record.fields.values()) {
        text.push_str(said);
        text.push('\n');
    }
}

/// Writes the tokens of all else by which a record is found: a letter for what, and a number for which.
fn write_facets(facets: &mut String, record: &FeedbackRecord, symbols: &Symbols, link: &Link) {
    facets.clear();
    let mut add = |letter: char, number: i64| {
        write!(facets, "{letter}{number} ").expect("a string takes everything");
    };
    add(Facet::KIND, record.kind as i64);
    match link.builds[..] {
        [] => add(Facet::BUILD, 0),
        [build] => add(Facet::BUILD, build.0 as i64),
        _ => link.builds.iter().for_each(|build| add(Facet::CANDIDATE, build.0 as i64)),
    }
    let ones = [
        (Facet::PLATFORM, symbols.platform),
        (Facet::PLAYER, symbols.player),
        (Facet::LEVEL, symbols.level),
        (Facet::SIGNATURE, symbols.signature),
        (Facet::EVENT, symbols.event),
        (Facet::SESSION, symbols.session),
    ];
    for (letter, number) in ones.into_iter().filter(|(_, number)| *number != 0) {
        add(letter, number);
    }
    for &tag in &symbols.tags {
        add(Facet::TAG, tag);
    }
    if let Some(outcome) = record.outcome {
        add(Facet::OUTCOME, outcome as i64);
    }
    if let Some(time) = record.time {
        add(Facet::WEEK, week_of(time.as_second()));
    }
}

/// Returns the number of the week in which a time is, in seconds since 1970; the first week has the number 10,000, so that none
/// is below zero.
pub(super) fn week_of(second: i64) -> i64 {
    second.div_euclid(7 * 86_400).saturating_add(10_000).max(0)
}

/// The letters of tokens in the column `facets`.
pub(super) struct Facet;

impl Facet {
    /// The build; 0 for none.
    pub(super) const BUILD: char = 'b';
    /// One of several builds.
    pub(super) const CANDIDATE: char = 'c';
    /// The kind.
    pub(super) const KIND: char = 'k';
    /// The platform.
    pub(super) const PLATFORM: char = 'p';
    /// The player.
    pub(super) const PLAYER: char = 'u';
    /// The level.
    pub(super) const LEVEL: char = 'l';
    /// The crash's signature.
    pub(super) const SIGNATURE: char = 's';
    /// A tag.
    pub(super) const TAG: char = 't';
    /// The name of the event.
    pub(super) const EVENT: char = 'e';
    /// The play.
    pub(super) const SESSION: char = 'n';
    /// How it ended.
    pub(super) const OUTCOME: char = 'o';
    /// The week of its time, see [`week_of`].
    pub(super) const WEEK: char = 'w';
}

const _: () = {
    // Rows hold places in these lists.
    let mut place = 0;
    while place < FeedbackKind::ALL.len() {
        assert!(FeedbackKind::ALL[place] as usize == place);
        place += 1;
    }
    let mut place = 0;
    while place < Outcome::ALL.len() {
        assert!(Outcome::ALL[place] as usize == place);
        place += 1;
    }
    let mut place = 0;
    while place < LinkMethod::ALL.len() {
        assert!(LinkMethod::ALL[place] as usize == place);
        place += 1;
    }
};
