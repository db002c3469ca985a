//! The database that finds and counts records, shared by all processes that use the vault.
//!
//! It holds nothing that is not also in packs, so it may be lost: whoever opens it puts in what is missing. One process at a
//! time writes to it, in one transaction for each import.

use super::writer::IndexWriter;
use crate::catalogue::failure;
use crate::error::{Error, Result};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format of the index; another one is made anew.
const INDEX_VERSION: i64 = 3;

/// How long a process waits for another one's import: a million records take half a minute.
const BUSY_TIMEOUT: Duration = Duration::from_secs(600);

/// What the index holds of one import or playtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedbackSource {
    /// The import with this order.
    Batch(u64),
    /// The playtest with this number in the catalogue.
    Playtest(u64),
}

impl FeedbackSource {
    pub(super) fn number(self) -> i64 {
        match self {
            FeedbackSource::Batch(order) => order as i64 * 2,
            FeedbackSource::Playtest(number) => number as i64 * 2 + 1,
        }
    }

    pub(super) fn of(number: i64) -> FeedbackSource {
        match number % 2 {
            0 => FeedbackSource::Batch(number as u64 / 2),
            _ => FeedbackSource::Playtest(number as u64 / 2),
        }
    }
}

/// The index over feedback.
pub struct FeedbackIndex {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl FeedbackIndex {
    /// Opens the index in the file `path`, which may be empty.
    ///
    /// # Errors
    /// `Corrupt` if it is damaged or of another version: it is lost then, and an empty file in its place is made an index
    /// again; `Io`, `NoSpace` or `Denied` from the system, also if the file is missing, `Busy` while another process keeps it.
    pub fn open(path: &Path) -> Result<FeedbackIndex> {
        let connection = prepare(path, connect(path)?)?;
        Ok(FeedbackIndex { path: path.into(), writer: Mutex::new(connection), readers: Mutex::default() })
    }

    /// Returns what is in the index, with its revision.
    pub fn sources(&self) -> Result<BTreeMap<FeedbackSource, u32>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number, revision FROM source")?;
            let rows = statement.query_map([], |row| Ok((FeedbackSource::of(row.get(0)?), row.get(1)?)))?;
            rows.collect()
        })
    }

    /// Returns a number that grows with every change of the index.
    pub fn generation(&self) -> Result<u64> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number FROM generation")?;
            statement.query_row([], |row| row.get::<_, i64>(0)).map(|number| number as u64)
        })
    }

    /// Runs `change` in one transaction, which is committed when it succeeds and undone when it fails.
    ///
    /// # Errors
    /// Those of `change` and of the database.
    pub fn write<T>(&self, change: impl FnOnce(&mut IndexWriter<'_>) -> Result<T>) -> Result<T> {
        let (value, connection) = self.transact(change, true)?;
        // What a big import left in the log would be read at each question; readers of others may keep it for now.
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|error| failure(&self.path, error))?;
        Ok(value)
    }

    /// Runs `change` as [`FeedbackIndex::write`] does, and undoes it.
    ///
    /// # Errors
    /// Those of `change` and of the database.
    pub fn rehearse<T>(&self, change: impl FnOnce(&mut IndexWriter<'_>) -> Result<T>) -> Result<T> {
        Ok(self.transact(change, false)?.0)
    }

    fn transact<T>(
        &self,
        change: impl FnOnce(&mut IndexWriter<'_>) -> Result<T>,
        is_kept: bool,
    ) -> Result<(T, MutexGuard<'_, Connection>)> {
        let mut connection = self.writer.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failure(&self.path, error))?;
        let mut writer = IndexWriter::new(&transaction, &self.path);
        let value = change(&mut writer)?;
        writer.finish()?;
        let end = if is_kept { transaction.commit() } else { transaction.rollback() };
        end.map_err(|error| failure(&self.path, error))?;
        Ok((value, connection))
    }

    /// Makes sure that nothing of what was taken out is left in the file: its words stay in the inverted index until they are
    /// merged, and free pages keep what they held. Takes about as long as an import of all that stays.
    ///
    /// # Errors
    /// Those of the database.
    pub fn scrub(&self) -> Result<()> {
        let connection = self.writer.lock();
        connection
            .execute_batch("INSERT INTO words (words) VALUES ('optimize'); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(|error| failure(&self.path, error))
    }

    /// Runs `query` on a pooled connection; no lock is held while it runs.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let pooled = self.readers.lock().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let result = query(&connection).map_err(|error| failure(&self.path, error));
        self.readers.lock().push(connection);
        result
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let setup = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        // NORMAL: after a power cut the last import may be missing here, and is put in again from its pack.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -32768; PRAGMA mmap_size = 67108864;",
        )?;
        Ok(connection)
    };
    setup().map_err(|error| failure(path, error))
}

fn prepare(path: &Path, connection: Connection) -> Result<Connection> {
    let version = |connection: &Connection| {
        connection
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .map_err(|error| failure(path, error))
    };
    if version(&connection)? == 0 {
        // Another process may do the same at the same time: the second finds it done.
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| failure(path, error))?;
        let make = match version(&connection)? {
            0 => format!("{} PRAGMA user_version = {INDEX_VERSION}; COMMIT;", include_str!("index.sql")),
            _ => "COMMIT;".into(),
        };
        connection.execute_batch(&make).map_err(|error| failure(path, error))?;
    }
    match version(&connection)? {
        INDEX_VERSION => Ok(connection),
        other => Err(Error::corrupt(format!("{} has version {other}, not {INDEX_VERSION}", path.display()))),
    }
}
