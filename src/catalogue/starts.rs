//! What programs read first of builds. It only saves time, so it lives in the catalogue alone: a repair forgets it.

use super::Catalogue;
use crate::error::Result;
use crate::id::BuildNumber;
use rusqlite::{Connection, params};

/// What is written down when the recording of a start ends.
#[derive(Debug, Clone, Copy)]
pub struct EndOfStart<'a> {
    /// The name of the program's file.
    pub program: &'a str,
    /// The build that it read, and what it read, when that is to be kept.
    pub kept: Option<(BuildNumber, &'a [u8])>,
    /// The build by whose start was read ahead.
    pub used: Option<BuildNumber>,
}

impl Catalogue {
    /// Makes the table of starts, unless it is there.
    pub fn prepare_starts(&self) -> Result<()> {
        self.write(|connection| {
            connection.execute_batch(include_str!("starts.sql")).map_err(|error| self.failure(error))
        })
    }

    /// Returns the newest `most` starts of `program` up to `build`, newest build first.
    pub fn starts(&self, program: &str, build: BuildNumber, most: usize) -> Result<Vec<(BuildNumber, Vec<u8>)>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT build, reads FROM start WHERE program = ?1 AND build <= ?2 ORDER BY build DESC LIMIT ?3",
            )?;
            let rows = statement.query_map(params![program, build.0 as i64, most as i64], |row| {
                Ok((BuildNumber(row.get::<_, i64>(0)? as u64), row.get(1)?))
            })?;
            rows.collect()
        })
    }

    /// Writes down the end of a start, and forgets what is more than `most`: of what was used least often the oldest.
    pub fn end_start(&self, end: EndOfStart<'_>, most: usize) -> Result<()> {
        self.write(|connection| self.end_start_by(connection, end, most).map_err(|error| self.failure(error)))
    }

    fn end_start_by(&self, connection: &Connection, end: EndOfStart<'_>, most: usize) -> rusqlite::Result<()> {
        const NEXT_AGE: &str = "(SELECT coalesce(max(age), 0) + 1 FROM start)";
        if let Some(used) = end.used {
            let count = format!("UPDATE start SET uses = uses + 1, age = {NEXT_AGE} WHERE build = ?1 AND program = ?2");
            connection.prepare_cached(&count)?.execute(params![used.0 as i64, end.program])?;
        }
        if let Some((build, reads)) = end.kept {
            let insert = format!(
                "INSERT INTO start (build, program, uses, age, reads) VALUES (?1, ?2, 0, {NEXT_AGE}, ?3)
                 ON CONFLICT (build, program) DO UPDATE SET reads = excluded.reads, age = excluded.age"
            );
            connection.prepare_cached(&insert)?.execute(params![build.0 as i64, end.program, reads])?;
            // What just came was not used yet, and must not go for that.
            let trim = "DELETE FROM start WHERE (build, program) IN (
                    SELECT build, program FROM start WHERE NOT (build = ?1 AND program = ?2) ORDER BY uses, age
                    LIMIT max(0, (SELECT count(*) FROM start) - ?3))";
            connection.prepare_cached(trim)?.execute(params![build.0 as i64, end.program, most as i64])?;
        }
        Ok(())
    }
}
