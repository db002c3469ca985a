//! What Windows is told of changes that nobody made through the mount: builds and milestones of other processes.

use super::super::names::show;
use super::path;
use super::volume::Volume;
use crate::error::Result;
use crate::tree::{Event, Kind, Looking, NodeId};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};

const CHANGED_FOLDERS: u32 = 0x2;
const CHANGED_WRITE_TIME: u32 = 0x10;
const ADDED: u32 = 1;
const REMOVED: u32 = 2;
const MODIFIED: u32 = 3;

/// A change, in the words of Windows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) path: Vec<u16>,
    pub(super) filter: u32,
    pub(super) action: u32,
}

/// The names of the topmost folders, as Windows knows them.
#[derive(Default)]
pub(super) struct Seen {
    names: Mutex<HashMap<NodeId, Names>>,
}

/// The path of a folder, and what is in it.
type Names = (Vec<u16>, BTreeSet<Vec<u8>>);

impl Volume {
    /// Takes note of what is in the topmost folders, of which [`Volume::notices`] tells the changes.
    ///
    /// # Errors
    /// Those of the tree.
    pub(super) fn watch_names(&self) -> Result<()> {
        let mut folders = Vec::new();
        self.tree.list(NodeId::ROOT, 0, Looking::Uncounted, &mut |entry| {
            if entry.attr.kind == Kind::Directory {
                folders.push((entry.attr.node, entry.name.to_vec()));
            }
            true
        })?;
        for (folder, name) in folders {
            let mut path = Vec::new();
            path::push(&mut path, &show(&name));
            let names = self.names_in(folder)?;
            self.seen.names.lock().insert(folder, (path, names));
        }
        Ok(())
    }

    /// Returns what Windows is told of an event; nothing of what is below the topmost folders, as it has asked for that itself.
    pub(super) fn notices(&self, event: &Event) -> Vec<Notice> {
        let (folder, changed) = match event {
            Event::Name { directory, name } => (*directory, Some(name)),
            Event::Node(node) => (*node, None),
        };
        let mut seen = self.seen.names.lock();
        let Some((path, known)) = seen.get_mut(&folder) else { return Vec::new() };
        // What cannot be listed now is told of the next time.
        let Ok(names) = self.names_in(folder) else { return Vec::new() };
        let notice = |name: &[u8], filter, action| {
            let mut path = path.clone();
            path::push(&mut path, &show(name));
            Notice { path, filter, action }
        };
        let modified = changed.filter(|name| known.contains(*name) && names.contains(*name));
        let mut notices: Vec<Notice> =
            modified.map(|name| notice(name, CHANGED_WRITE_TIME, MODIFIED)).into_iter().collect();
        notices.extend(known.difference(&names).map(|name| notice(name, CHANGED_FOLDERS, REMOVED)));
        notices.extend(names.difference(known).map(|name| notice(name, CHANGED_FOLDERS, ADDED)));
        *known = names;
        notices
    }

    fn names_in(&self, folder: NodeId) -> Result<BTreeSet<Vec<u8>>> {
        let mut names = BTreeSet::new();
        self.tree.list(folder, 0, Looking::Uncounted, &mut |entry| {
            names.insert(entry.name.to_vec());
            true
        })?;
        Ok(names)
    }
}
