//! How often chunks were refused a smaller form, and why. It says where bytes went and changes nothing, so it lives in
//! the catalogue alone: a repair begins it anew.

use super::Catalogue;
use crate::error::Result;
use rusqlite::{Connection, params};

/// Before the reason, in the names of the counters.
const COUNT: &str = "refused:";
const BYTES: &str = "refused-bytes:";

/// How often one reason kept something from a smaller form.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// The reason, in kebab case.
    pub reason: String,
    /// How many times.
    pub count: u64,
    /// Plain bytes of what was refused.
    pub bytes: u64,
}

impl Catalogue {
    /// Adds to the counters, in one transaction.
    pub fn count_refused(&self, refused: &[Refused]) -> Result<()> {
        self.write(|connection| self.add_refused(connection, refused))
    }

    pub(super) fn add_refused(&self, connection: &Connection, refused: &[Refused]) -> Result<()> {
        let add = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare_cached(
                "INSERT INTO counter (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            )?;
            for Refused { reason, count, bytes } in refused {
                statement.execute(params![format!("{COUNT}{reason}"), *count as i64])?;
                statement.execute(params![format!("{BYTES}{reason}"), *bytes as i64])?;
            }
            Ok(())
        };
        add().map_err(|error| self.failure(error))
    }

    /// Returns what was refused since the catalogue was made, most bytes first.
    pub fn refused(&self) -> Result<Vec<Refused>> {
        let rows: Vec<(String, i64, i64)> = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT substr(times.name, length(?1) + 1), times.value, coalesce(bytes.value, 0)
                 FROM counter AS times
                 LEFT JOIN counter AS bytes ON bytes.name = ?2 || substr(times.name, length(?1) + 1)
                 WHERE substr(times.name, 1, length(?1)) = ?1 ORDER BY 3 DESC, 1",
            )?;
            statement.query_map([COUNT, BYTES], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
        })?;
        let rows = rows.into_iter();
        Ok(rows.map(|(reason, count, bytes)| Refused { reason, count: count as u64, bytes: bytes as u64 }).collect())
    }
}
