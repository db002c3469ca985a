//! Bytes out: the files and directories of manifests, read through the store.
use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::{Content, Entry, XattrSet};
use crate::store::Store;
use std::sync::Arc;

/// Reads manifests and file content; shared by all threads.
pub struct Reader {}

/// Some consecutive entries of a directory.
pub struct Listing {}

impl Listing {
    /// The entries in order. Each with its ordinal relative to the directory: unique among everything below the directory,
    /// growing with the name; the first entry of a directory has 1, the next one more than all below the first.
    /// (ordinal of an entry in the whole tree = ordinal of its directory + this).
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> { std::iter::empty() }
}

impl Reader {
    /// new
    pub fn new(_store: Arc<Store>) -> Reader { todo!() }
    /// Reads up to `buf.len()` bytes of a file at `offset`; returns how many, less only at the end of the file. Holes read as zeros.
    pub fn read_at(&self, _content: &Content, _offset: u64, _buf: &mut [u8]) -> Result<usize> { todo!() }
    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole (or nothing) follows. For SEEK_DATA/SEEK_HOLE.
    pub fn next_data(&self, _content: &Content, _offset: u64) -> Result<Option<(u64, u64)>> { todo!() }
    /// Returns the entry `name` of the directory whose root page is `directory`, with its relative ordinal; None if there is none.
    pub fn lookup(&self, _directory: ChunkId, _name: &[u8]) -> Result<Option<(u64, Entry)>> { todo!() }
    /// Returns the entries from the first one with a relative ordinal >= `from` on (one page of them, up to 512); None at the end.
    /// The next call's `from` is the last returned ordinal + 1.
    pub fn list(&self, _directory: ChunkId, _from: u64) -> Result<Option<Listing>> { todo!() }
    /// xattrs
    pub fn xattrs(&self, _id: ChunkId) -> Result<Arc<XattrSet>> { todo!() }
}
