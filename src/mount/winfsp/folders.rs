//! Under which names the entries of folders are shown, kept for folders whose names are known to be the same.
//!
//! A build's folder never changes, and a session's changes through this mount alone, which says so here. All other folders
//! are lists of ids, which are unique whatever their case: a name is looked up as it is, and looked for only when it is not
//! there.

use super::super::names::{Listed, read};
use super::node::Node;
use crate::error::Result;
use crate::tree::{Looking, NodeId, Tree};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;

/// So many names are kept at most, some 100 bytes each; then all are forgotten.
const MAX_NAMES: usize = 500_000;

/// The names of one folder, once somebody has asked.
type Slot = Arc<RwLock<Option<Listed>>>;

/// The names of the folders that were looked into.
#[derive(Default)]
pub(super) struct Folders {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    slots: HashMap<NodeId, Slot>,
    names: usize,
}

impl Folders {
    /// Returns the name of the entry of `folder` that is shown as `shown`, in any case; `None` when there is none.
    pub(super) fn find(&self, tree: &Tree, folder: &Arc<Node>, shown: &[u16]) -> Result<Option<Box<[u8]>>> {
        let as_is = || {
            let name = read(shown);
            Ok(folder.child(&name)?.map(|_| name.into()))
        };
        if is_known(tree, folder) {
            let listed = self.with(tree, folder, |listed| listed.name(shown).map(Into::into))?;
            // Hidden folders are reached by name, and never listed.
            return if listed.is_some() { Ok(listed) } else { as_is() };
        }
        match as_is()? {
            None => Ok(list(tree, folder)?.name(shown).map(Into::into)),
            found => Ok(found),
        }
    }

    /// Calls `look` with the names of `folder`.
    pub(super) fn with<T>(&self, tree: &Tree, folder: &Node, look: impl FnOnce(&Listed) -> T) -> Result<T> {
        if !is_known(tree, folder) {
            return Ok(look(&list(tree, folder)?));
        }
        let slot = self.kept.lock().slots.entry(folder.id()).or_default().clone();
        if let Some(listed) = &*slot.read() {
            return Ok(look(listed));
        }
        let mut known = slot.write();
        if known.is_none() {
            let listed = list(tree, folder)?;
            let mut kept = self.kept.lock();
            kept.names += listed.len();
            if kept.names > MAX_NAMES {
                kept.slots.retain(|&node, _| node == folder.id());
                kept.names = listed.len();
            }
            *known = Some(listed);
        }
        Ok(look(known.as_ref().expect("it was listed just now")))
    }

    /// Takes note of a new name in a folder.
    pub(super) fn add(&self, folder: NodeId, name: &[u8]) {
        if let Some(slot) = self.slot(folder)
            && let Some(listed) = &mut *slot.write()
        {
            listed.add(name);
        }
    }

    /// Takes note that a name is gone from a folder.
    pub(super) fn remove(&self, folder: NodeId, name: &[u8]) {
        if let Some(slot) = self.slot(folder) {
            let mut known = slot.write();
            if known.as_mut().is_some_and(|listed| !listed.remove(name)) {
                *known = None;
            }
        }
    }

    /// Takes note that the names of a folder may be others now.
    pub(super) fn forget(&self, folder: NodeId) {
        if let Some(slot) = self.slot(folder) {
            *slot.write() = None;
        }
    }

    fn slot(&self, folder: NodeId) -> Option<Slot> {
        self.kept.lock().slots.get(&folder).cloned()
    }
}

/// Tells whether all changes of the names in `folder` are known here.
fn is_known(tree: &Tree, folder: &Node) -> bool {
    folder.attr.writable || tree.never_changes(folder.id())
}

fn list(tree: &Tree, folder: &Node) -> Result<Listed> {
    let mut names = Vec::new();
    tree.list(folder.id(), 0, Looking::Uncounted, &mut |entry| {
        names.push(entry.name.into());
        true
    })?;
    Ok(Listed::new(names))
}
