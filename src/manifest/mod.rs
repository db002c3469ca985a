//! The immutable description of one tree: names, kinds, sizes, modes, times, content.
//!
//! A manifest is a tree of nodes (directory pages, content lists, xattr sets), each stored as one chunk. This module
//! turns values into the bytes of nodes and back; it does no I/O. Writing a node is a callback of the caller, reading
//! one is done by [`crate::content`].
//!
#![doc = include_str!("format.md")]

mod directory;
mod list;
mod start;
mod wire;
mod xattrs;

pub use directory::{Page, PageRef, encode_directory};
pub use list::{List, ListBuilder, ListItem};
pub use start::{MAX_START_FILES, MAX_START_PIECES, PIECE_LEN, PieceRun, Start};
pub use xattrs::{MAX_XATTR_SET_LEN, XattrSet};

use crate::id::{ChunkId, ChunkKey};
use crate::name::FileName;
use serde::{Deserialize, Serialize};

/// The most levels of index pages or lists above the lowest; a file of 2^63 bytes needs six.
pub const MAX_DEPTH: u8 = 8;

/// The most entries that a directory may claim to have below it; sums of such numbers do not overflow.
const MAX_TOTAL_ENTRIES: u64 = 1 << 48;

/// The most bytes that a file may have: systems count offsets up to 2^63.
const MAX_FILE_LEN: u64 = i64::MAX as u64;

/// A point in time: seconds since 1970-01-01 UTC and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC; negative before.
    pub secs: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// Returns the system's time.
    pub fn now() -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

impl From<std::time::SystemTime> for Timestamp {
    fn from(time: std::time::SystemTime) -> Timestamp {
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => Timestamp { secs: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                match before.subsec_nanos() {
                    0 => Timestamp { secs: -(before.as_secs() as i64), nanos: 0 },
                    nanos => Timestamp { secs: -(before.as_secs() as i64) - 1, nanos: 1_000_000_000 - nanos },
                }
            }
        }
    }
}

impl From<Timestamp> for std::time::SystemTime {
    fn from(time: Timestamp) -> std::time::SystemTime {
        let nanos = std::time::Duration::from_nanos(time.nanos.into());
        let whole = std::time::Duration::from_secs(time.secs.unsigned_abs());
        let base = match time.secs >= 0 {
            true => std::time::UNIX_EPOCH.checked_add(whole),
            false => std::time::UNIX_EPOCH.checked_sub(whole),
        };
        base.and_then(|base| base.checked_add(nanos)).unwrap_or(std::time::UNIX_EPOCH)
    }
}

/// What an entry has besides its name and its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attributes {
    /// Permission bits, 0o7777 at most.
    pub mode: u16,
    /// Time of the last change of content.
    pub mtime: Timestamp,
    /// The chunk that holds the [`XattrSet`], when there are extended attributes.
    pub xattrs: Option<ChunkId>,
}

/// The bytes of one file: its size and where its content starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Content {
    /// Size in bytes.
    pub size: u64,
    /// The node at the top of the content.
    pub root: ContentRoot,
}

impl Content {
    /// The content of an empty file.
    pub const EMPTY: Content = Content { size: 0, root: ContentRoot::Empty };

    /// Returns the short name of the node at its top; `None` for an empty file.
    pub fn key(&self) -> Option<ChunkKey> {
        match &self.root {
            ContentRoot::Empty => None,
            ContentRoot::Chunk(id) | ContentRoot::List { id, .. } => Some(id.key()),
        }
    }
}

/// The top node of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentRoot {
    /// The file has no bytes.
    Empty,
    /// The file is one chunk.
    Chunk(ChunkId),
    /// The file is a list of `depth` levels, whose top node is `id`.
    List {
        /// The top [`List`].
        id: ChunkId,
        /// Levels of lists, at least 1.
        depth: u8,
    },
}

/// How much lies below a directory or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Entries of every kind.
    pub entries: u64,
    /// Regular files among them.
    pub files: u64,
    /// Sum of the files' sizes in bytes.
    pub bytes: u64,
}

impl Totals {
    /// Counts `entry` and all below it.
    pub fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        match &entry.kind {
            EntryKind::File(content) => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(content.size);
            }
            EntryKind::Directory(directory) => self.add_totals(&directory.totals),
            EntryKind::Symlink(_) => {}
        }
    }

    /// Adds the counts of `other`.
    pub fn add_totals(&mut self, other: &Totals) {
        self.entries = self.entries.saturating_add(other.entries);
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A stored directory: its root page and what lies below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Directory {
    /// The root [`Page`].
    pub id: ChunkId,
    /// What lies below, the directory itself not counted.
    pub totals: Totals,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: FileName,
    /// Mode, time, xattrs.
    pub attributes: Attributes,
    /// What it is, and where its bytes are.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File(Content),
    /// A directory.
    Directory(Directory),
    /// A symbolic link with its target's bytes as they were.
    Symlink(Box<[u8]>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    #[test]
    fn times_before_1970_keep_their_nanoseconds() {
        // Windows counts in units of 100 ns.
        for time in
            [UNIX_EPOCH - Duration::new(5, 300), UNIX_EPOCH - Duration::new(5, 0), UNIX_EPOCH + Duration::new(7, 900)]
        {
            assert_eq!(SystemTime::from(Timestamp::from(time)), time);
        }
        assert_eq!(Timestamp::from(UNIX_EPOCH - Duration::from_nanos(100)), Timestamp { secs: -1, nanos: 999_999_900 });
    }
}
