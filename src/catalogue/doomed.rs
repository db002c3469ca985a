//! Chunks that are to go: what `gc` asks of the catalogue, and what saves a chunk from it.
//!
//! The counter `epoch` says how often chunks were doomed; see `store/epoch.rs` for what it is for.

use super::rows::{SELECT_PLACE, place_of_row};
use super::{Catalogue, Publish};
use crate::error::Result;
use crate::id::{BuildNumber, ChunkId, ChunkKey};
use rusqlite::{Connection, OptionalExtension, params};

/// The counter of the epoch.
const EPOCH: &str = "epoch";

/// Rows that are read or changed in one transaction, so that none lasts long.
const PAGE_ROWS: usize = 4096;

impl Catalogue {
    /// Returns the epoch.
    pub fn epoch(&self) -> Result<u64> {
        let epoch: Option<i64> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM counter WHERE name = ?1")?;
            statement.query_row([EPOCH], |row| row.get(0)).optional()
        })?;
        Ok(epoch.map_or(0, |epoch| epoch as u64))
    }

    /// Tells whether any chunk is to go.
    pub fn has_doomed(&self) -> Result<bool> {
        self.read(|connection| {
            connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM doomed)")?.query_row([], |row| row.get(0))
        })
    }

    /// Tells whether a chunk is to go.
    pub fn is_doomed(&self, key: ChunkKey) -> Result<bool> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT 1 FROM doomed WHERE id = ?1")?;
            statement.exists([&key.0[..]])
        })
    }

    /// Tells whether there is a chunk that stays; one that was to go stays from now on, with all that it is a difference to.
    pub fn keeps(&self, key: ChunkKey) -> Result<bool> {
        let (is_there, is_doomed): (bool, bool) = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM chunk WHERE id = ?1), EXISTS (SELECT 1 FROM doomed WHERE id = ?1)",
            )?;
            statement.query_row([&key.0[..]], |row| Ok((row.get(0)?, row.get(1)?)))
        })?;
        match is_there && is_doomed {
            true => self.write(|connection| spare_with_bases(connection, key).map_err(|error| self.failure(error))),
            false => Ok(is_there),
        }
    }

    /// Dooms chunks.
    pub fn doom(&self, keys: &[ChunkKey]) -> Result<()> {
        self.for_each_row("INSERT OR IGNORE INTO doomed (id) VALUES (?1)", keys)
    }

    /// Takes chunks out of those that are to go.
    pub fn spare(&self, keys: &[ChunkKey]) -> Result<()> {
        self.for_each_row("DELETE FROM doomed WHERE id = ?1", keys)
    }

    /// Returns the first chunks after `last` that are to go, in the order of their keys; none behind the last.
    pub fn doomed_after(&self, last: Option<ChunkKey>) -> Result<Vec<ChunkKey>> {
        let last = last.map_or(Vec::new(), |key| key.0.to_vec());
        let ids: Vec<Vec<u8>> = self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM doomed WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            statement.query_map(params![last, PAGE_ROWS as i64], |row| row.get(0))?.collect()
        })?;
        Ok(ids.iter().filter_map(|id| ChunkKey::list(id).first().copied()).collect())
    }

    /// Takes those of `keys` out that still are to go, and returns how many that were.
    pub fn sweep(&self, keys: &[ChunkKey]) -> Result<u64> {
        self.write(|connection| {
            let sweep = || -> rusqlite::Result<u64> {
                let mut take = connection.prepare_cached("DELETE FROM doomed WHERE id = ?1")?;
                let mut remove = connection.prepare_cached("DELETE FROM chunk WHERE id = ?1")?;
                let mut swept = 0;
                for key in keys {
                    if take.execute([&key.0[..]])? > 0 {
                        swept += remove.execute([&key.0[..]])? as u64;
                    }
                }
                Ok(swept)
            };
            sweep().map_err(|error| self.failure(error))
        })
    }

    /// Takes chunks out.
    pub fn remove_chunks(&self, keys: &[ChunkKey]) -> Result<()> {
        self.for_each_row("DELETE FROM chunk WHERE id = ?1", keys)
    }

    /// Takes out all chunks that are differences to one that is not there, and those that are differences to them.
    pub fn remove_baseless(&self) -> Result<()> {
        loop {
            let mut baseless = Vec::new();
            self.for_each_chunk(&mut |key, place| {
                for &base in &place.bases {
                    if self.chunk(base)?.is_none() {
                        baseless.push(key);
                        break;
                    }
                }
                Ok(())
            })?;
            if baseless.is_empty() {
                return Ok(());
            }
            self.remove_chunks(&baseless)?;
        }
    }

    /// Returns the dictionaries for small files.
    pub fn dictionaries(&self) -> Result<Vec<ChunkId>> {
        let ids: Vec<Vec<u8>> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM dictionary")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        Ok(ids.iter().filter_map(|id| ChunkId::from_slice(id).ok()).collect())
    }

    fn for_each_row(&self, sql: &str, keys: &[ChunkKey]) -> Result<()> {
        keys.chunks(PAGE_ROWS).try_for_each(|page| {
            self.write(|connection| {
                let change = || -> rusqlite::Result<()> {
                    let mut statement = connection.prepare_cached(sql)?;
                    page.iter().try_for_each(|key| statement.execute([&key.0[..]]).map(drop))
                };
                change().map_err(|error| self.failure(error))
            })
        })
    }
}

impl Publish<'_> {
    /// Begins the next epoch.
    pub fn begin_epoch(&self) -> Result<()> {
        self.raise(EPOCH, self.counter(EPOCH)? + 1).map_err(|error| self.failure(error))
    }

    /// Takes a forgotten build out for good.
    pub(super) fn remove_forgotten(&self, number: BuildNumber, serial: u64) -> rusqlite::Result<()> {
        self.execute("DELETE FROM forgotten WHERE number = ?1", params![number.0 as i64])?;
        self.raise("forget", serial)
    }
}

/// Spares a chunk and all that it is a difference to; tells whether it is there.
fn spare_with_bases(connection: &Connection, key: ChunkKey) -> rusqlite::Result<bool> {
    let mut spare = connection.prepare_cached("DELETE FROM doomed WHERE id = ?1")?;
    let mut select = connection.prepare_cached(SELECT_PLACE)?;
    let mut is_there = false;
    let mut open = vec![key];
    while let Some(next) = open.pop() {
        let place = select.query_row([&next.0[..]], place_of_row).optional()?;
        is_there |= next == key && place.is_some();
        // What is not to go needs nothing that is.
        if spare.execute([&next.0[..]])? > 0 {
            open.extend(place.iter().flat_map(|place| place.bases.iter().copied()));
        }
    }
    Ok(is_there)
}
