//! Builds that were forgotten: out of every list, and back again when they are recalled.

use super::rows::{parse, to_json};
use super::{Build, Catalogue, Publish};
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::manifest::Timestamp;
use crate::name::RefName;
use rusqlite::params;

/// A build that was forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct ForgottenBuild {
    /// The build.
    pub build: Build,
    /// When, in seconds since 1970.
    pub forgotten_secs: i64,
}

impl Catalogue {
    /// Returns the builds that are forgotten, by number.
    pub fn forgotten(&self) -> Result<Vec<ForgottenBuild>> {
        let rows: Vec<(i64, String)> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT secs, record FROM forgotten ORDER BY number")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let forgotten =
            |(forgotten_secs, record): (i64, String)| Ok(ForgottenBuild { build: parse(&record)?, forgotten_secs });
        rows.into_iter().map(forgotten).collect()
    }
}

impl Publish<'_> {
    /// Returns the serial that the next forgetting or recalling of a build gets.
    pub fn next_forget_serial(&self) -> Result<u64> {
        Ok(self.counter("forget")? + 1)
    }

    /// Returns the newest forgotten build with `id`, case folded.
    pub fn forgotten_by_id(&self, id: &RefName) -> Result<Option<Build>> {
        self.one("SELECT record FROM forgotten WHERE folded = ?1 ORDER BY number DESC LIMIT 1", &[&id.folded()])
    }

    /// Gives a forgotten build, that another one took the id of, its new id; one that is not forgotten stays as it is.
    pub(super) fn rename_forgotten(&self, build: &Build) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE forgotten SET folded = ?2, record = ?3 WHERE number = ?1",
            params![build.number.0 as i64, build.id.folded(), to_json(build)],
        )
    }

    pub(super) fn forget(&self, number: BuildNumber, serial: u64, time: Timestamp) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO forgotten (number, folded, secs, record)
             SELECT number, folded, ?2, record FROM build WHERE number = ?1",
            params![number.0 as i64, time.secs],
        )?;
        self.execute("DELETE FROM build WHERE number = ?1", params![number.0 as i64])?;
        self.raise("forget", serial)
    }

    /// Brings a forgotten build back.
    pub(super) fn recall(&self, number: BuildNumber, serial: u64) -> Result<()> {
        let failure = |error| self.failure(error);
        let sql = "SELECT record FROM forgotten WHERE number = ?1";
        if let Some(build) = self.one::<Build>(sql, &[&(number.0 as i64)])? {
            if let Some(taken) = self.build_by_id(&build.id)? {
                let message = format!(
                    "build {} cannot be recalled: {} is the id of build {} now",
                    number, taken.id, taken.number
                );
                return Err(Error::new(ErrorKind::Exists, message).with_hint("forget that one first"));
            }
            self.execute(
                "INSERT INTO build (number, folded, record) VALUES (?1, ?2, ?3)",
                params![number.0 as i64, build.id.folded(), to_json(&build)],
            )
            .map_err(failure)?;
            self.execute("DELETE FROM forgotten WHERE number = ?1", params![number.0 as i64]).map_err(failure)?;
        }
        self.raise("forget", serial).map_err(failure)
    }
}
