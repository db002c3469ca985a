//! The files of a vault, and the trees of the host that go in and come out.
//!
//! [`Disk`] is all that the rest of the crate does to a vault's files: paths are relative to the vault, every change
//! that must survive a crash is synced by name. Tests replace it by one that fails. [`host`] reads and writes people's
//! own trees, and holds what differs between systems. SQLite alone opens its files by itself.

pub mod host;
mod local;

pub use local::LocalDisk;

/// An open file as the system knows it: for what the system is to read by itself.
pub use std::fs::File as SystemFile;

use crate::error::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Room on the disk that holds a vault, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// Room that the user may still fill.
    pub available: u64,
}

/// The files of one vault; every path is relative to the vault's directory.
pub trait Disk: Send + Sync {
    /// Returns the absolute path of `path`, for messages and for SQLite.
    fn absolute(&self, path: &Path) -> PathBuf;

    /// Creates a file that must not exist, readable by its owner alone, and opens it to read and write.
    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>>;

    /// Opens a file to read.
    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>>;

    /// Opens a file for the system to read by itself.
    fn open_by_system(&self, path: &Path) -> Result<SystemFile>;

    /// Opens a file to read and write.
    fn open_writable(&self, path: &Path) -> Result<Arc<dyn DiskFile>>;

    /// Replaces the file `path` by `bytes`, whole and synced, or leaves it as it was.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()>;

    /// Renames a file or directory over whatever is at `to`; survives a crash only after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Gives a file a second name, which must be free.
    fn link(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Removes a directory with everything in it; one that is not there is no error.
    fn remove_dir_all(&self, path: &Path) -> Result<()>;

    /// Creates a directory, and those above it, where they are missing.
    fn create_dir(&self, path: &Path) -> Result<()>;

    /// Makes the names in a directory survive a crash.
    fn sync_dir(&self, path: &Path) -> Result<()>;

    /// Returns the names in a directory with each file's length, `None` for a directory; sorted by name.
    fn list(&self, path: &Path) -> Result<Vec<(String, Option<u64>)>>;

    /// Returns the room on the disk.
    fn space(&self) -> Result<Space>;
}

/// One open file of a vault. Reads and writes name their place, so that threads share it without a lock.
pub trait DiskFile: Send + Sync {
    /// Reads exactly `buf.len()` bytes at `offset`.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()>;

    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes all of `bytes` at `offset`, extending the file where needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Cuts or extends the file to `len` bytes; new bytes read as zeros.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Returns the file's length in bytes.
    fn len(&self) -> Result<u64>;

    /// Tells whether the file has no bytes.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole follows.
    ///
    /// A system without holes answers the rest of the file.
    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>>;

    /// Makes the range read as zeros and frees its space where the system can.
    fn punch_hole(&self, offset: u64, len: u64) -> Result<()>;

    /// Makes the file's bytes and length survive a crash.
    fn sync(&self) -> Result<()>;

    /// Takes the file's lock for as long as it is open: shared or exclusive; `false` when somebody holds it otherwise.
    fn try_lock(&self, exclusive: bool) -> Result<bool>;
}
