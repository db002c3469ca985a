//! What the index counts with each change: how many records there are of what, in each build.

use super::writer::{SEVERAL, SymbolKind, Tally, symbol_number};
use super::{FeedbackIndex, FeedbackKind, Outcome};
use crate::error::Result;
use crate::id::BuildNumber;
use rusqlite::params;

/// How many records of a kind there are of a build and a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindCount {
    /// The build; `None` if none is known, or several are.
    pub build: Option<BuildNumber>,
    /// The kind.
    pub kind: FeedbackKind,
    /// The platform, if it is known.
    pub platform: Option<String>,
    /// How many.
    pub count: u64,
}

/// How many records about something there are of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCount {
    /// The build; `None` if none is known, or several are.
    pub build: Option<BuildNumber>,
    /// The level; `None` where records say none.
    pub name: Option<String>,
    /// How many.
    pub count: u64,
}

/// How many crashes of a signature there are in two builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureCount {
    /// The signature.
    pub signature: String,
    /// In the older build.
    pub old: u64,
    /// In the newer one.
    pub new: u64,
    /// A build before the older one had it.
    pub is_older: bool,
}

impl FeedbackIndex {
    /// Returns how many records there are of each kind, build and platform.
    ///
    /// # Errors
    /// Those of the database.
    pub fn kind_counts(&self) -> Result<Vec<KindCount>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.a, s.text, t.build, t.count FROM tally t LEFT JOIN symbol s ON s.number = t.b
                 WHERE t.what = ?1 ORDER BY t.build, t.a, t.b",
            )?;
            let rows = statement.query_map([Tally::Kind as i64], |row| {
                let kind: u8 = row.get(0)?;
                let kind = FeedbackKind::ALL.get(usize::from(kind)).copied().unwrap_or_default();
                Ok(KindCount {
                    build: build_of(row.get(2)?),
                    kind,
                    platform: row.get(1)?,
                    count: count_of(row.get(3)?),
                })
            })?;
            rows.collect()
        })
    }

    /// Returns how many crashes there are of each signature that two builds have, `old` being the older one.
    ///
    /// # Errors
    /// Those of the database.
    pub fn signature_counts(&self, old: BuildNumber, new: BuildNumber) -> Result<Vec<SignatureCount>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.text, sum(iif(t.build = ?2, t.count, 0)), sum(iif(t.build = ?3, t.count, 0)),
                     EXISTS (SELECT 1 FROM tally e
                             WHERE e.what = t.what AND e.a = t.a AND e.b = t.b AND e.build > 0 AND e.build < ?2)
                 FROM tally t JOIN symbol s ON s.number = t.a
                 WHERE t.what = ?1 AND t.build IN (?2, ?3) GROUP BY t.a ORDER BY s.text",
            )?;
            let values = params![Tally::Signature as i64, old.0 as i64, new.0 as i64];
            let rows = statement.query_map(values, |row| {
                Ok(SignatureCount {
                    signature: row.get(0)?,
                    old: count_of(row.get(1)?),
                    new: count_of(row.get(2)?),
                    is_older: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Returns the tags that most records have, at most `most`, with how many these are.
    ///
    /// # Errors
    /// Those of the database.
    pub fn frequent_tags(&self, most: usize) -> Result<Vec<(String, u64)>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.text, sum(t.count) AS records FROM tally t JOIN symbol s ON s.number = t.a
                 WHERE t.what = ?1 GROUP BY t.a ORDER BY records DESC, s.text LIMIT ?2",
            )?;
            let rows = statement
                .query_map(params![Tally::Tag as i64, most as i64], |row| Ok((row.get(0)?, count_of(row.get(1)?))))?;
            rows.collect()
        })
    }

    /// Returns how many records with a tag there are of each build, of all kinds together.
    ///
    /// # Errors
    /// Those of the database.
    pub fn tag_counts(&self, tag: &str) -> Result<Vec<(Option<BuildNumber>, u64)>> {
        self.read(|connection| {
            let Some(number) = symbol_number(connection, SymbolKind::Tag, tag)? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(
                "SELECT build, sum(count) FROM tally WHERE what = ?1 AND a = ?2 GROUP BY build ORDER BY build",
            )?;
            let rows = statement.query_map(params![Tally::Tag as i64, number], |row| {
                Ok((build_of(row.get(0)?), count_of(row.get(1)?)))
            })?;
            rows.collect()
        })
    }

    /// Returns how often something ended so in each level and build.
    ///
    /// # Errors
    /// Those of the database.
    pub fn outcome_counts(&self, outcome: Outcome) -> Result<Vec<NamedCount>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.text, t.build, t.count FROM tally t LEFT JOIN symbol s ON s.number = t.b
                 WHERE t.what = ?1 AND t.a = ?2 ORDER BY t.build, s.text",
            )?;
            let rows = statement.query_map(params![Tally::Outcome as i64, outcome as i64], |row| {
                Ok(NamedCount { name: row.get(0)?, build: build_of(row.get(1)?), count: count_of(row.get(2)?) })
            })?;
            rows.collect()
        })
    }
}

fn build_of(build: i64) -> Option<BuildNumber> {
    (build != 0 && build != SEVERAL).then_some(BuildNumber(build as u64))
}

/// A tally below zero would be damage; it counts for nothing.
fn count_of(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
