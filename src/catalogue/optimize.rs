//! What `optimize` asks of the catalogue: all chunks in turn, what it has tried, and packs that are to go.

use super::rows::place_of_row;
use super::{Catalogue, ChunkPlace};
use crate::error::Result;
use crate::id::{ChunkKey, PackId};
use rusqlite::{OptionalExtension, params};

/// Rows that are read in one transaction, so that none lasts long.
const PAGE_ROWS: i64 = 4096;

impl Catalogue {
    /// Makes the tables in which `optimize` remembers, unless they are there.
    pub fn prepare_optimize(&self) -> Result<()> {
        self.write(|connection| {
            connection.execute_batch(include_str!("optimize.sql")).map_err(|error| self.failure(error))
        })
    }

    /// Calls `visit` with every chunk that is known from beginning to end of the walk, in the order of the keys.
    pub fn for_each_chunk(&self, visit: &mut dyn FnMut(ChunkKey, &ChunkPlace) -> Result<()>) -> Result<()> {
        let mut last = Vec::new();
        loop {
            let page: Vec<(Vec<u8>, ChunkPlace)> = self.read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT pack, offset, stored, plain, bases, id FROM chunk WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?;
                statement.query_map(params![last, PAGE_ROWS], |row| Ok((row.get(5)?, place_of_row(row)?)))?.collect()
            })?;
            for (id, place) in &page {
                if let Some(&key) = ChunkKey::list(id).first() {
                    visit(key, place)?;
                }
            }
            match page.into_iter().next_back() {
                Some((id, _)) => last = id,
                None => return Ok(()),
            }
        }
    }

    /// Tells whether a smaller form of the chunk was looked for at least so hard.
    pub fn is_tried(&self, key: ChunkKey, effort: u8) -> Result<bool> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT effort FROM tried WHERE id = ?1")?;
            let tried: Option<u8> = statement.query_row([&key.0[..]], |row| row.get(0)).optional()?;
            Ok(tried.is_some_and(|tried| tried >= effort))
        })
    }

    /// Remembers that smaller forms of `keys` were looked for.
    pub fn add_tried(&self, keys: &[ChunkKey], effort: u8) -> Result<()> {
        self.write(|connection| {
            let insert = || -> rusqlite::Result<()> {
                let mut statement =
                    connection.prepare_cached("INSERT OR REPLACE INTO tried (id, effort) VALUES (?1, ?2)")?;
                keys.iter().try_for_each(|key| statement.execute(params![&key.0[..], effort]).map(drop))
            };
            insert().map_err(|error| self.failure(error))
        })
    }

    /// Takes packs out that no chunk lies in any more; their files may then be removed.
    pub fn retire_packs(&self, packs: &[(i64, PackId)]) -> Result<()> {
        self.write(|connection| {
            let retire = || -> rusqlite::Result<()> {
                let mut add = connection.prepare_cached("INSERT OR IGNORE INTO retired (id) VALUES (?1)")?;
                let mut remove = connection.prepare_cached("DELETE FROM pack WHERE number = ?1")?;
                for (number, id) in packs {
                    add.execute([&id.0[..]])?;
                    remove.execute([number])?;
                }
                Ok(())
            };
            retire().map_err(|error| self.failure(error))
        })
    }

    /// Returns the packs that were taken out and whose files may still be there.
    pub fn retired_packs(&self) -> Result<Vec<PackId>> {
        let ids: Vec<Vec<u8>> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT id FROM retired")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })?;
        ids.iter().map(|id| PackId::from_slice(id)).collect()
    }

    /// Forgets a pack that was taken out and whose file is gone.
    pub fn forget_retired(&self, id: PackId) -> Result<()> {
        self.write(|connection| {
            let mut statement =
                connection.prepare_cached("DELETE FROM retired WHERE id = ?1").map_err(|error| self.failure(error))?;
            statement.execute([&id.0[..]]).map(drop).map_err(|error| self.failure(error))
        })
    }
}
