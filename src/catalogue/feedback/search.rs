//! Finds records: by words, and by everything else that is known of them.

use super::writer::{Facet, SEVERAL, SymbolKind, builds_of, method_of, read_json, symbol_number, week_of};
use super::{FeedbackIndex, FeedbackKind, FeedbackRecord, FeedbackSource, Link, Outcome, RecordId};
use crate::error::{Error, Result};
use crate::id::BuildNumber;
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

/// Builds that are looked up in the inverted index one by one; the rows of more are looked at instead.
const MAX_BUILD_TERMS: usize = 64;

/// Weeks that are looked up in the inverted index; a longer time leaves too little out.
const MAX_WEEK_TERMS: usize = 60;

/// Which records are wanted: all that fit everything that is set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeedbackQuery {
    /// Words that all must be there; `"a phrase"`, `begin*`, `-without`, and `or` between two of them.
    pub text: Option<String>,
    /// Any of these builds, also of records that may be about several; an empty list asks for those about none.
    pub builds: Option<Vec<BuildNumber>>,
    /// Records that may be about several builds are left out.
    pub only_sure: bool,
    /// Any of these kinds; all, when it is empty.
    pub kinds: Vec<FeedbackKind>,
    /// On this platform.
    pub platform: Option<String>,
    /// With all of these tags.
    pub tags: Vec<String>,
    /// In this level.
    pub level: Option<String>,
    /// Of this player.
    pub player: Option<String>,
    /// Of crashes with this signature.
    pub signature: Option<String>,
    /// Of events with this name.
    pub event: Option<String>,
    /// Of this play.
    pub session: Option<String>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// At most so many; all, when it is not set.
    pub limit: Option<usize>,
    /// The oldest import first, instead of the newest.
    pub oldest_first: bool,
    /// After the record with this number, in the order that is asked for.
    pub after: Option<u64>,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its number in this index.
    pub number: u64,
    /// Its id.
    pub id: RecordId,
    /// What it says.
    pub record: FeedbackRecord,
    /// Which builds it is about.
    pub link: Link,
    /// Where its attachments are.
    pub source: FeedbackSource,
}

/// A query as the database takes it.
struct Plan {
    /// The expression of the inverted index; empty without one.
    terms: String,
    conditions: String,
    values: Vec<Value>,
}

impl FeedbackIndex {
    /// Returns the records that `query` asks for, in the order of their import.
    ///
    /// # Errors
    /// `Invalid` if its text cannot be understood; those of the database.
    pub fn search(&self, query: &FeedbackQuery) -> Result<Vec<Found>> {
        let mut all = Vec::new();
        self.for_each(query, &mut |found| {
            all.push(found);
            Ok(())
        })?;
        Ok(all)
    }

    /// Calls `visit` for each record that `query` asks for, in the order of their import.
    ///
    /// # Errors
    /// Those of [`FeedbackIndex::search`] and of `visit`.
    pub fn for_each(&self, query: &FeedbackQuery, visit: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let mut visited = Ok(());
        self.read(|connection| {
            let Some(plan) = plan(connection, query)? else { return Ok(()) };
            let (direction, beyond) = if query.oldest_first { ("ASC", ">") } else { ("DESC", "<") };
            let mut conditions = plan.conditions;
            let mut values = plan.values;
            let from = match plan.terms.is_empty() {
                true => "record r",
                false => {
                    values.insert(0, plan.terms.into());
                    "words JOIN record r ON r.number = words.rowid"
                }
            };
            let number = if from == "record r" { "r.number" } else { "words.rowid" };
            if let Some(after) = query.after {
                conditions.push_str(&format!(" AND {number} {beyond} ?"));
                values.push((after as i64).into());
            }
            let matches = if from == "record r" { "1" } else { "words MATCH ?" };
            let limit = query.limit.map_or(-1, |limit| limit as i64);
            let sql = format!(
                "SELECT r.number, r.id, r.build, r.method, r.json, r.source FROM {from} WHERE {matches}{conditions}
                 ORDER BY {number} {direction} LIMIT {limit}"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(values))?;
            while visited.is_ok()
                && let Some(row) = rows.next()?
            {
                visited = found(connection, row).and_then(|found| found.and_then(&mut *visit));
            }
            Ok(())
        })
        .map_err(|error| understood(error, query))?;
        visited
    }

    /// Returns how many records `query` asks for, without its limit.
    ///
    /// # Errors
    /// As [`FeedbackIndex::search`].
    pub fn count(&self, query: &FeedbackQuery) -> Result<u64> {
        self.read(|connection| {
            let Some(plan) = plan(connection, query)? else { return Ok(0) };
            let sql = match (plan.terms.is_empty(), plan.conditions.is_empty()) {
                (true, _) => format!("SELECT count(*) FROM record r WHERE 1{}", plan.conditions),
                (false, true) => "SELECT count(*) FROM words WHERE words MATCH ?".into(),
                (false, false) => format!(
                    "SELECT count(*) FROM words JOIN record r ON r.number = words.rowid WHERE words MATCH ?{}",
                    plan.conditions
                ),
            };
            let mut values = plan.values;
            if !plan.terms.is_empty() {
                values.insert(0, plan.terms.into());
            }
            let count: i64 = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?;
            Ok(count as u64)
        })
        .map_err(|error| understood(error, query))
    }

    /// Returns how many records `query` asks for, of each build that is known for sure, by number; without its limit.
    ///
    /// # Errors
    /// As [`FeedbackIndex::search`].
    pub fn count_by_build(&self, query: &FeedbackQuery) -> Result<Vec<(BuildNumber, u64)>> {
        self.read(|connection| {
            let Some(plan) = plan(connection, query)? else { return Ok(Vec::new()) };
            let mut values = plan.values;
            let from = match plan.terms.is_empty() {
                true => "record r WHERE 1",
                false => {
                    values.insert(0, plan.terms.into());
                    "words JOIN record r ON r.number = words.rowid WHERE words MATCH ?"
                }
            };
            let sql = format!(
                "SELECT r.build, count(*) FROM {from}{} AND r.build > 0 GROUP BY r.build ORDER BY r.build",
                plan.conditions
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), |row| {
                Ok((BuildNumber(row.get::<_, i64>(0)? as u64), row.get::<_, i64>(1)? as u64))
            })?;
            rows.collect()
        })
        .map_err(|error| understood(error, query))
    }

    /// Returns the record with the number `number`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn record(&self, number: u64) -> Result<Option<Found>> {
        self.one("SELECT number, id, build, method, json, source FROM record WHERE number = ?1", (number as i64).into())
    }

    /// Returns the record with the id `id`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn record_by_id(&self, id: RecordId) -> Result<Option<Found>> {
        self.one("SELECT number, id, build, method, json, source FROM record WHERE id = ?1", id.0.to_vec().into())
    }

    /// Returns the ids that begin with the bytes `start`, at most `most`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn ids_from(&self, start: &[u8], most: usize) -> Result<Vec<RecordId>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM record WHERE id >= ?1 ORDER BY id LIMIT ?2")?;
            let ids: Vec<Vec<u8>> = statement
                .query_map(rusqlite::params![start, most as i64], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let fitting = ids.into_iter().take_while(|id| id.starts_with(start));
            Ok(fitting.filter_map(|id| id.try_into().ok().map(RecordId)).collect())
        })
    }

    /// Returns how many records there are about each build that is known, with any of `kinds`; the unlinked ones under 0.
    ///
    /// # Errors
    /// Those of the database.
    pub fn counts_by_build(&self, kinds: &[FeedbackKind]) -> Result<Vec<(BuildNumber, u64)>> {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind as i64).to_string()).collect();
        self.read(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT build, sum(count) FROM tally WHERE what = 1 AND a IN ({}) AND build >= 0 GROUP BY build",
                kinds.join(", ")
            ))?;
            let rows = statement
                .query_map([], |row| Ok((BuildNumber(row.get::<_, i64>(0)? as u64), row.get::<_, i64>(1)? as u64)))?;
            rows.collect()
        })
    }

    fn one(&self, sql: &str, value: Value) -> Result<Option<Found>> {
        let found: Option<Result<Found>> = self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let row = statement.query_row([value], |row| found_row(connection, row)).optional()?;
            Ok(row)
        })?;
        found.transpose()
    }
}

fn found(connection: &Connection, row: &Row<'_>) -> Result<Result<Found>> {
    found_row(connection, row).map_err(|error| Error::corrupt(format!("the index over feedback: {error}")))
}

fn found_row(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Result<Found>> {
    let number: i64 = row.get(0)?;
    let id: [u8; 16] = row.get(1)?;
    let link = Link { builds: builds_of(connection, number, row.get(2)?)?, method: method_of(row, 3)? };
    let json = row.get_ref(4)?.as_str()?;
    let source = FeedbackSource::of(row.get(5)?);
    Ok(read_json(json).map(|record| Found { number: number as u64, id: RecordId(id), record, link, source }))
}

/// A text that the inverted index cannot understand is the user's, not damage.
fn understood(error: Error, query: &FeedbackQuery) -> Error {
    match &query.text {
        Some(text) if error.to_string().contains("fts5: ") => {
            Error::invalid(format!("the words \"{text}\" cannot be searched for"))
                .with_hint("give words, \"a phrase\", begin*, -without, or")
                .with_source(error)
        }
        _ => error,
    }
}

/// Returns how `query` is answered; `None` if it asks for what no record has.
fn plan(connection: &Connection, query: &FeedbackQuery) -> rusqlite::Result<Option<Plan>> {
    let mut terms: Vec<String> = Vec::new();
    let mut plan = Plan { terms: String::new(), conditions: String::new(), values: Vec::new() };
    let facets = |tokens: Vec<String>| format!("facets : ({})", tokens.join(" OR "));
    let symbols = [
        (SymbolKind::Platform, Facet::PLATFORM, &query.platform),
        (SymbolKind::Level, Facet::LEVEL, &query.level),
        (SymbolKind::Player, Facet::PLAYER, &query.player),
        (SymbolKind::Signature, Facet::SIGNATURE, &query.signature),
        (SymbolKind::Event, Facet::EVENT, &query.event),
        (SymbolKind::Session, Facet::SESSION, &query.session),
    ];
    let named = symbols.into_iter().filter_map(|(kind, letter, text)| Some((kind, letter, text.as_ref()?)));
    let tags = query.tags.iter().map(|tag| (SymbolKind::Tag, Facet::TAG, tag));
    for (kind, letter, text) in named.chain(tags) {
        let Some(number) = symbol_number(connection, kind, text)? else { return Ok(None) };
        terms.push(facets(vec![format!("{letter}{number}")]));
    }
    if let Some(outcome) = query.outcome {
        terms.push(facets(vec![format!("{}{}", Facet::OUTCOME, outcome as i64)]));
    }
    if !query.kinds.is_empty() {
        terms.push(facets(query.kinds.iter().map(|kind| format!("{}{}", Facet::KIND, *kind as i64)).collect()));
    }
    match query.builds.as_deref() {
        None => {}
        Some([]) => terms.push(facets(vec![format!("{}0", Facet::BUILD)])),
        Some(builds) if builds.len() <= MAX_BUILD_TERMS => {
            let letters: &[char] = if query.only_sure { &[Facet::BUILD] } else { &[Facet::BUILD, Facet::CANDIDATE] };
            let each = builds.iter().flat_map(|build| letters.iter().map(move |letter| format!("{letter}{build}")));
            terms.push(facets(each.collect()));
        }
        Some(builds) => {
            let list = builds.iter().map(|build| build.to_string()).collect::<Vec<_>>().join(",");
            let several = match query.only_sure {
                true => String::new(),
                false => format!(
                    " OR r.build = {SEVERAL} AND EXISTS (SELECT 1 FROM candidate c WHERE c.record = r.number
                      AND c.build IN ({list}))"
                ),
            };
            plan.conditions.push_str(&format!(" AND (r.build IN ({list}){several})"));
        }
    }
    if let (Some(since), Some(until)) = (query.since, query.until) {
        let weeks = week_of(since.as_second())..=week_of(until.as_second());
        if weeks.clone().take(MAX_WEEK_TERMS + 1).count() <= MAX_WEEK_TERMS {
            terms.push(facets(weeks.map(|week| format!("{}{week}", Facet::WEEK)).collect()));
        }
    }
    if let Some(since) = query.since {
        plan.conditions.push_str(" AND r.time >= ?");
        plan.values.push(since.as_second().into());
    }
    if let Some(until) = query.until {
        plan.conditions.push_str(" AND r.time < ?");
        plan.values.push(until.as_second().into());
    }
    let mut without = Vec::new();
    if let Some(words) = query.text.as_deref().map(words_of) {
        if !words.with.is_empty() {
            terms.push(format!("text : ({})", words.with));
        }
        without = words.without;
        if terms.is_empty() && !without.is_empty() {
            // Something must be there that others are taken from: every record has a kind.
            let kinds = (0..FeedbackKind::ALL.len()).map(|kind| format!("{}{kind}", Facet::KIND));
            terms.push(facets(kinds.collect()));
        }
    }
    plan.terms = terms.join(" AND ");
    for word in without {
        plan.terms = format!("({}) NOT (text : {word})", plan.terms);
    }
    Ok(Some(plan))
}

/// Words of a query as the inverted index wants them.
struct Words {
    with: String,
    without: Vec<String>,
}

fn words_of(text: &str) -> Words {
    let mut words = Words { with: String::new(), without: Vec::new() };
    let mut joint = " AND ";
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let negative = rest.len() > 1 && rest.starts_with('-');
        if negative {
            rest = &rest[1..];
        }
        let (word, is_phrase, after) = match rest.strip_prefix('"') {
            Some(phrase) => {
                let (phrase, after) = phrase.split_once('"').unwrap_or((phrase, ""));
                (phrase, true, after)
            }
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
                (&rest[..end], false, &rest[end..])
            }
        };
        rest = after.trim_start();
        if !is_phrase && !negative && word.eq_ignore_ascii_case("or") && !words.with.is_empty() {
            joint = " OR ";
            continue;
        }
        let begins = !is_phrase && word.ends_with('*');
        let bare = word.trim_end_matches('*');
        // A word of signs alone has no token: nothing would be found with it.
        if !bare.chars().any(char::is_alphanumeric) {
            continue;
        }
        let quoted = format!("\"{bare}\"{}", if begins { " *" } else { "" });
        if negative {
            words.without.push(quoted);
        } else {
            if !words.with.is_empty() {
                words.with.push_str(joint);
            }
            words.with.push_str(&quoted);
            joint = " AND ";
        }
    }
    words
}
