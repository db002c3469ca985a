//! The nodes of manifests, decoded and kept: directory pages and content lists.

use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::{List, Page};
use crate::store::{CacheSizes, Store, get_or_fetch};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Reads nodes; shared by readers and by those who read ahead for them.
pub(super) struct Nodes {
    pub(super) store: Arc<Store>,
    pages: Cache<ChunkId, Arc<Page>>,
    lists: Cache<ChunkId, Arc<List>>,
}

impl Nodes {
    pub(super) fn new(store: Arc<Store>, sizes: &CacheSizes) -> Nodes {
        Nodes { store, pages: Cache::new(sizes.pages), lists: Cache::new(sizes.lists) }
    }

    pub(super) fn clear_caches(&self) {
        self.pages.clear();
        self.lists.clear();
        self.store.clear_caches();
    }

    /// Returns one page of a directory.
    // Nodes are kept decoded here, so they go past the store's cache of plain bytes.
    pub(super) fn page(&self, id: ChunkId) -> Result<Arc<Page>> {
        get_or_fetch(&self.pages, id, || Page::decode(&self.store.get_uncached(id)?).map(Arc::new))
    }

    /// Returns one node of a file's list.
    pub(super) fn list(&self, id: ChunkId) -> Result<Arc<List>> {
        get_or_fetch(&self.lists, id, || List::decode(&self.store.get_uncached(id)?).map(Arc::new))
    }
}
