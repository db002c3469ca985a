//! The SQLite database of a vault: an index over the packs, shared by all processes that use the vault.
//!
//! It runs in WAL mode; each thread that reads takes a connection from a pool, and changes go through one connection a
//! process. All SQL of the crate is here. Everything in it but the tables `seen` and `start` and
//! what was refused can be rebuilt from packs.

mod doomed;
pub mod feedback;
mod forgotten;
mod milestones;
mod optimize;
mod playtests;
mod records;
mod refused;
mod rows;
mod seen;
mod starts;

pub use forgotten::ForgottenBuild;
pub use milestones::{Certificate, EarlierBuild, Milestone};
pub use playtests::{NumberedPlaytest, PlayEnding, Playtest};
pub use records::{Build, BuildInfo, Ci, Completeness, LeftOut, Record, Superseded, Vcs};
pub use refused::Refused;
pub use rows::{ChunkPlace, EncodingTotals, NewChunk, NewPack, PackTime, Publish, Totals as CatalogueTotals};
pub use seen::{SeenFile, folder_key};
pub use starts::EndOfStart;

use crate::error::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format of the catalogue; another one is rebuilt from packs.
pub const CATALOGUE_VERSION: i64 = 3;

/// The format before there were playtests; it becomes the present one when it is opened.
const WITHOUT_PLAYTESTS: i64 = 1;

/// Tables that came later, made where they are missing.
const LATER_TABLES: &str =
    concat!(include_str!("forgotten.sql"), include_str!("doomed.sql"), include_str!("feedback/tables.sql"));

/// How long a process waits for another one's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// A vault's catalogue.
pub struct Catalogue {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Catalogue {
    /// Makes the empty file at `path` a catalogue; the file's owner and permissions stay.
    ///
    /// # Errors
    /// `Io`, `NoSpace` or `Denied` from the system, also if the file is missing or not empty.
    pub fn create(path: &Path) -> Result<Catalogue> {
        let connection = connect(path)?;
        connection
            .execute_batch(&format!(
                "BEGIN; {} {} {} PRAGMA user_version = {CATALOGUE_VERSION}; COMMIT;",
                include_str!("schema.sql"),
                include_str!("playtests.sql"),
                LATER_TABLES
            ))
            .map_err(|error| failure(path, error))?;
        Ok(Catalogue { path: path.into(), writer: Mutex::new(connection), readers: Mutex::default() })
    }

    /// Opens the catalogue at `path`.
    ///
    /// # Errors
    /// `NotFound` if it is missing, `Corrupt` if it is damaged or of another version: both are healed by a repair.
    pub fn open(path: &Path) -> Result<Catalogue> {
        let hint = "run `gamevault repair`: it rebuilds the catalogue from the packs";
        if !path.exists() {
            return Err(Error::not_found(format!("the catalogue {} is missing", path.display())).with_hint(hint));
        }
        let connection = connect(path)?;
        let version_of = |connection: &Connection| {
            connection
                .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
                .map_err(|error| failure(path, error))
        };
        let mut version = version_of(&connection)?;
        if version == WITHOUT_PLAYTESTS {
            // Another process may do the same at the same time: the second finds the table there.
            let add = format!(
                "BEGIN IMMEDIATE; {} PRAGMA user_version = {CATALOGUE_VERSION}; COMMIT;",
                include_str!("playtests.sql")
            );
            connection.execute_batch(&add).map_err(|error| failure(path, error))?;
            version = version_of(&connection)?;
        }
        if version != CATALOGUE_VERSION {
            let message = format!("the catalogue {} has version {version}, not {CATALOGUE_VERSION}", path.display());
            return Err(Error::corrupt(message).with_hint(hint));
        }
        connection.execute_batch(LATER_TABLES).map_err(|error| failure(path, error))?;
        Ok(Catalogue { path: path.into(), writer: Mutex::new(connection), readers: Mutex::default() })
    }

    /// Returns a number that differs whenever another connection has changed the catalogue.
    ///
    /// It is only comparable to earlier answers of the same `Catalogue`, and costs a few microseconds.
    pub fn data_version(&self) -> Result<i64> {
        // The writer's own changes do not count for itself, so one fixed connection that never writes answers.
        let mut readers = self.readers.lock();
        if readers.is_empty() {
            readers.push(connect(&self.path)?);
        }
        readers[0]
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| failure(&self.path, error))
    }

    /// Returns a number that differs whenever another process has changed the catalogue; `None` while this one changes it.
    ///
    /// It is only comparable to earlier answers of the same `Catalogue`, and costs a few microseconds.
    pub fn foreign_version(&self) -> Result<Option<i64>> {
        // All changes of this process are made by the one connection, and do not count for itself.
        let Some(writer) = self.writer.try_lock() else { return Ok(None) };
        let version = writer.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map(Some).map_err(|error| failure(&self.path, error))
    }

    /// Moves what the write-ahead log holds into the database file and empties the log, as far as readers let it.
    pub fn checkpoint(&self) -> Result<()> {
        let connection = self.writer.lock();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|error| failure(&self.path, error))
    }

    /// Checks the database file itself; returns what SQLite finds wrong.
    pub fn integrity_problems(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
            let lines =
                statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(lines.into_iter().filter(|line| line != "ok").collect())
        })
    }

    /// Runs `query` on a pooled connection; no lock is held while it runs.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        // Connection 0 stays for `data_version`.
        let pooled = {
            let mut readers = self.readers.lock();
            if readers.len() > 1 { readers.pop() } else { None }
        };
        let connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let result = query(&connection).map_err(|error| failure(&self.path, error));
        let mut readers = self.readers.lock();
        if readers.is_empty() {
            readers.push(connect(&self.path)?);
        }
        readers.push(connection);
        result
    }

    /// Runs `change` in one transaction, which is committed when it succeeds and undone when it fails.
    fn write<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut connection = self.writer.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failure(&self.path, error))?;
        let value = change(&transaction)?;
        transaction.commit().map_err(|error| failure(&self.path, error))?;
        Ok(value)
    }

    fn failure(&self, error: rusqlite::Error) -> Error {
        failure(&self.path, error)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let setup = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        // FULL: a published build must survive a power cut, and publishing is rare.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8192; PRAGMA mmap_size = 67108864;",
        )?;
        Ok(connection)
    };
    setup().map_err(|error| failure(path, error))
}

fn failure(path: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    let kind = match error.sqlite_error_code() {
        Some(Code::DiskFull) => ErrorKind::NoSpace,
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => ErrorKind::Busy,
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => ErrorKind::Corrupt,
        Some(Code::PermissionDenied | Code::CannotOpen) => ErrorKind::Denied,
        Some(Code::ReadOnly) => ErrorKind::ReadOnly,
        _ => ErrorKind::Io,
    };
    let wrapped = Error::new(kind, format!("catalogue {}: {error}", path.display()));
    let wrapped = match kind {
        ErrorKind::Corrupt => wrapped.with_hint("run `gamevault repair`: it rebuilds the catalogue from the packs"),
        ErrorKind::NoSpace => wrapped.with_hint("free some space on that disk and run the command again"),
        ErrorKind::Busy => wrapped.with_hint("another process is writing to the vault; try again when it is done"),
        _ => wrapped,
    };
    wrapped.with_source(error)
}
