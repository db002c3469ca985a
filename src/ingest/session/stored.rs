//! Files of a session that are stored, and of which only this process knows: neither a build nor the journal names their content.

use super::op::NodeNumber;
use crate::ingest::Ingested;
use crate::store::Writing;
use std::collections::HashMap;
use std::sync::Arc;

/// Files that are stored but may not be durable yet, and what keeps their chunks as long as there are some.
#[derive(Default)]
pub(super) struct StoredFiles {
    files: HashMap<NodeNumber, Ingested>,
    writing: Option<Arc<Writing>>,
}

impl StoredFiles {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn contains(&self, node: NodeNumber) -> bool {
        self.files.contains_key(&node)
    }

    pub(super) fn get(&self, node: NodeNumber) -> Option<&Ingested> {
        self.files.get(&node)
    }

    /// Adds a file that was stored under `writing`; what was there keeps its own, which is older.
    pub(super) fn insert(&mut self, node: NodeNumber, stored: Ingested, writing: &Arc<Writing>) {
        self.files.insert(node, stored);
        self.writing.get_or_insert_with(|| writing.clone());
    }

    pub(super) fn remove(&mut self, node: NodeNumber) {
        self.files.remove(&node);
        self.let_go();
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Ingested) -> bool) {
        self.files.retain(|_, stored| keep(stored));
        self.let_go();
    }

    /// Returns all of them, as they are now.
    pub(super) fn all(&self) -> Vec<(NodeNumber, Ingested)> {
        self.files.iter().map(|(&node, &stored)| (node, stored)).collect()
    }

    fn let_go(&mut self) {
        if self.files.is_empty() {
            self.writing = None;
        }
    }
}
