//! Bytes out: the files and directories of manifests, read through the store.
//!
//! [`Reader`] goes down from a root, node by node, and keeps the nodes it decoded. It never reads a manifest or a file
//! whole.

mod directory;
mod file;

pub use directory::Listing;
pub use file::Extent;

use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::{List, Page, XattrSet};
use crate::store::Store;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Decoded directory pages kept; one has about 128 entries, some 20 KB.
const MAX_PAGES: usize = 1024;

/// Decoded content lists kept; one has about 256 items, some 12 KB.
const MAX_LISTS: usize = 512;

/// Reads manifests and the content of files; one serves all threads.
pub struct Reader {
    store: Arc<Store>,
    pages: Cache<ChunkId, Arc<Page>>,
    lists: Cache<ChunkId, Arc<List>>,
}

impl Reader {
    /// Reads what `store` holds.
    pub fn new(store: Arc<Store>) -> Reader {
        Reader { store, pages: Cache::new(MAX_PAGES), lists: Cache::new(MAX_LISTS) }
    }

    /// Returns the store that is read.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Forgets all that is kept decoded, here and in the store, as if the vault had just been opened.
    pub fn clear_caches(&self) {
        self.pages.clear();
        self.lists.clear();
        self.store.clear_caches();
    }

    /// Returns a set of extended attributes.
    ///
    /// # Errors
    /// `Corrupt` if the chunk is damaged or is no xattr set.
    pub fn xattrs(&self, id: ChunkId) -> Result<Arc<XattrSet>> {
        XattrSet::decode(&self.store.get(id)?).map(Arc::new)
    }

    /// Returns one page of a directory.
    // Nodes are kept decoded here, so they go past the store's cache of plain bytes.
    pub(crate) fn page(&self, id: ChunkId) -> Result<Arc<Page>> {
        self.pages.get_or_insert_with(&id, || Page::decode(&self.store.get_uncached(id)?).map(Arc::new))
    }

    /// Returns one node of a file's list.
    pub(crate) fn content_list(&self, id: ChunkId) -> Result<Arc<List>> {
        self.lists.get_or_insert_with(&id, || List::decode(&self.store.get_uncached(id)?).map(Arc::new))
    }
}
