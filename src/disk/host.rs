//! People's own trees on this system: listing, reading, writing, and what differs between systems.
//!
//! Everything that names a system (`cfg(unix)`, `cfg(windows)`) below the mount stands in the leaf files here. `unix` and
//! `windows` offer the same functions; where a system lacks a thing (modes on Windows), it is given a fixed meaning.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(any(windows, test))]
mod windows_names;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{
    FOLDS_NAMES, SYMLINKS_NEED_A_RIGHT, create_private_dir, file_name_of, join_name, make_symlink, next_data,
    open_to_read, path_bytes, read_at, read_link, read_xattrs, remove_file, replace_file, set_mode, set_mtime,
    set_xattr, stat_of, stat_of_file,
};
pub(super) use system::{owner_only, punch_hole, space, sync_dir, try_lock, write_all_at};

use crate::manifest::Timestamp;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Path lengths from which on a path goes through an open folder: Linux takes 4,096 bytes a call, names have 255.
const MAX_PATH_LEN: usize = 3072;

/// Returns all bytes of a file that has at most `most`.
///
/// # Errors
/// Those of the system; `FileTooLarge` if it has more.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// What a host says of one entry without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: HostKind,
    /// Permission bits, 0o7777 at most. Windows: 0o644 or 0o755, without the write bits when read-only.
    pub mode: u16,
    /// Time of the last change of content.
    pub mtime: Timestamp,
    /// What must be equal for the content to be unchanged.
    pub key: StatKey,
    /// Bytes on disk; less than `key.size` in a sparse file.
    pub allocated: u64,
}

/// Size, times and number of a file: while they are equal, so is its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatKey {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970, wrapped to 64 bits.
    pub mtime_ns: i64,
    /// Time of the last change of the inode, likewise; Windows: creation time.
    pub ctime_ns: i64,
    /// Number of the file in its file system, mixed with the file system's own.
    pub inode: u64,
}

/// The kinds of entries a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (or a junction).
    Symlink,
    /// A fifo, socket or device: never stored.
    Special,
}

/// A path of any depth.
///
/// Systems limit the length of the path that one call takes, not the depth of trees. Where a path grows too long it goes
/// on from an open handle of the folder, which stays open as long as any path below it is in use.
#[derive(Debug, Clone)]
pub struct LongPath {
    path: PathBuf,
    folder: Option<Arc<File>>,
}

impl LongPath {
    /// Takes a path that the system accepts.
    pub fn new(path: &Path) -> LongPath {
        LongPath { path: path.into(), folder: None }
    }

    /// Returns the path to call the system with, while `self` lives.
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the folder `name` below this one.
    pub fn child(&self, name: &OsStr) -> LongPath {
        let path = self.path.join(name);
        if path.as_os_str().len() < MAX_PATH_LEN {
            return self.with_path(path);
        }
        match system::path_through_handle(&path) {
            Some((path, folder)) => LongPath { path, folder: Some(Arc::new(folder)) },
            None => self.with_path(path),
        }
    }

    /// Returns `path`, which lies in this folder.
    pub fn with_path(&self, path: PathBuf) -> LongPath {
        LongPath { path, folder: self.folder.clone() }
    }
}
