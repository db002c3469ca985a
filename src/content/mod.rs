//! Bytes out: the files and directories of manifests, read through the store.
//!
//! [`Reader`] goes down from a root, node by node, and keeps the nodes it decoded. It never reads a manifest or a file
//! whole.

mod ahead;
mod directory;
mod file;
mod file_bytes;
mod nodes;
mod pool;
mod warm;

pub use directory::Listing;
pub use file::Extent;
pub use file_bytes::FileBytes;

use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::{List, Page, XattrSet};
use crate::store::{CacheSizes, Store};
use ahead::Ahead;
use nodes::Nodes;
use std::sync::Arc;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What follows may be read before it is asked for.
    pub ahead: bool,
    /// What is read is kept for the next reader.
    pub keeps: bool,
}

impl Reading {
    /// Of one who uses the file, and reads on.
    pub const USING: Reading = Reading { ahead: true, keeps: true };
    /// Of one piece, by somebody who knows what he reads next.
    pub const OF_ONE: Reading = Reading { ahead: false, keeps: true };
    /// Of one who goes over everything, such as an indexer: he takes what is there, and leaves nothing.
    pub const CRAWLING: Reading = Reading { ahead: false, keeps: false };
}

/// Reads manifests and the content of files; one serves all threads.
pub struct Reader {
    nodes: Arc<Nodes>,
    ahead: Ahead,
}

impl Reader {
    /// Reads what `store` holds, which has caches of the same sizes.
    pub fn new(store: Arc<Store>, sizes: &CacheSizes) -> Reader {
        Reader { nodes: Arc::new(Nodes::new(store, sizes)), ahead: Ahead::new(sizes.chunk_bytes) }
    }

    /// Returns the store that is read.
    pub fn store(&self) -> &Store {
        &self.nodes.store
    }

    /// Forgets all that is kept decoded, here and in the store, as if the vault had just been opened.
    pub fn clear_caches(&self) {
        self.nodes.clear_caches();
    }

    /// Returns a set of extended attributes.
    ///
    /// # Errors
    /// `Corrupt` if the chunk is damaged or is no xattr set.
    pub fn xattrs(&self, id: ChunkId) -> Result<Arc<XattrSet>> {
        XattrSet::decode(&self.nodes.store.get(id)?).map(Arc::new)
    }

    /// Returns one page of a directory.
    pub(crate) fn page(&self, id: ChunkId) -> Result<Arc<Page>> {
        self.nodes.page(id)
    }

    /// Returns one node of a file's list.
    pub(crate) fn content_list(&self, id: ChunkId) -> Result<Arc<List>> {
        self.nodes.list(id)
    }
}
