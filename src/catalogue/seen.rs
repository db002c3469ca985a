//! Files that earlier snapshots have read, so that the next one need not.

use super::Catalogue;
use crate::disk::host::StatKey;
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use crate::manifest::{Content, ContentRoot};
use crate::name::FileName;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Rows that are looked at in one transaction.
const PAGE_ROWS: i64 = 4096;

/// A file as a snapshot found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFile {
    /// The folder, see [`folder_key`].
    pub folder: [u8; 16],
    /// The file's name in it.
    pub name: FileName,
    /// What must be equal for the content to be unchanged.
    pub key: StatKey,
    /// Where the content is in the store.
    pub root: ContentRoot,
}

/// The key of a row, and the top node of its content.
struct SeenRow {
    folder: Vec<u8>,
    name: Vec<u8>,
    root: Option<Vec<u8>>,
}

/// Returns the key of a folder from the bytes of its absolute path.
pub fn folder_key(path: &[u8]) -> [u8; 16] {
    blake3::hash(path).as_bytes()[..16].try_into().expect("16 of 32 bytes")
}

impl Catalogue {
    /// Returns what is known of the files of one folder: by name, the key they had and the content.
    pub fn seen_in(&self, folder: &[u8; 16]) -> Result<HashMap<Vec<u8>, (StatKey, Content)>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT name, size, mtime, ctime, inode, depth, root FROM seen WHERE folder = ?1")?;
            let rows = statement.query_map([&folder[..]], |row| {
                let key = StatKey {
                    size: row.get::<_, i64>(1)? as u64,
                    mtime_ns: row.get(2)?,
                    ctime_ns: row.get(3)?,
                    inode: row.get::<_, i64>(4)? as u64,
                };
                let id = row.get::<_, Option<Vec<u8>>>(6)?.and_then(|id| ChunkId::from_slice(&id).ok());
                let root = match (row.get::<_, i64>(5)?, id) {
                    (0, Some(id)) => ContentRoot::Chunk(id),
                    (depth @ 1..=255, Some(id)) => ContentRoot::List { id, depth: depth as u8 },
                    _ => ContentRoot::Empty,
                };
                Ok((row.get::<_, Vec<u8>>(0)?, (key, Content { size: key.size, root })))
            })?;
            rows.collect()
        })
    }

    /// Forgets files of one folder that are no longer there.
    pub fn forget_seen(&self, folder: &[u8; 16], names: &[Vec<u8>]) -> Result<()> {
        self.write(|connection| {
            let forget = || -> rusqlite::Result<()> {
                let mut statement = connection.prepare_cached("DELETE FROM seen WHERE folder = ?1 AND name = ?2")?;
                names.iter().try_for_each(|name| statement.execute(params![&folder[..], name]).map(|_| ()))
            };
            forget().map_err(|error| self.failure(error))
        })
    }

    /// Forgets all files whose content `is_kept` does not know by its top node; they are read again by the next snapshot.
    pub fn forget_seen_without(&self, is_kept: &dyn Fn(ChunkKey) -> bool) -> Result<()> {
        let (mut folder, mut name) = (Vec::new(), Vec::new());
        loop {
            let page: Vec<SeenRow> = self.read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT folder, name, root FROM seen WHERE (folder, name) > (?1, ?2) ORDER BY folder, name LIMIT ?3",
                )?;
                let row = |row: &rusqlite::Row<'_>| {
                    Ok(SeenRow { folder: row.get(0)?, name: row.get(1)?, root: row.get(2)? })
                };
                statement.query_map(params![folder, name, PAGE_ROWS], row)?.collect()
            })?;
            let Some(last) = page.last() else { return Ok(()) };
            (folder, name) = (last.folder.clone(), last.name.clone());
            let is_gone = |row: &&SeenRow| {
                let root = row.root.as_ref().and_then(|root| ChunkId::from_slice(root).ok());
                root.is_some_and(|root| !is_kept(root.key()))
            };
            let gone: Vec<_> = page.iter().filter(is_gone).collect();
            self.write(|connection| {
                let forget = || -> rusqlite::Result<()> {
                    let mut statement =
                        connection.prepare_cached("DELETE FROM seen WHERE folder = ?1 AND name = ?2")?;
                    gone.iter().try_for_each(|row| statement.execute(params![row.folder, row.name]).map(drop))
                };
                forget().map_err(|error| self.failure(error))
            })?;
        }
    }

    pub(super) fn insert_seen(&self, connection: &Connection, seen: &[SeenFile]) -> Result<()> {
        let insert = || -> rusqlite::Result<()> {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO seen (folder, name, size, mtime, ctime, inode, depth, root)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for file in seen {
                let (depth, root) = match &file.root {
                    ContentRoot::Empty => (-1, None),
                    ContentRoot::Chunk(id) => (0, Some(&id.0[..])),
                    ContentRoot::List { id, depth } => (i64::from(*depth), Some(&id.0[..])),
                };
                let key = &file.key;
                statement.execute(params![
                    &file.folder[..],
                    file.name.as_bytes(),
                    key.size as i64,
                    key.mtime_ns,
                    key.ctime_ns,
                    key.inode as i64,
                    depth,
                    root
                ])?;
            }
            Ok(())
        };
        insert().map_err(|error| self.failure(error))
    }
}
