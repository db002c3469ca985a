//! What Windows is told of changes that nobody made through the mount: builds and milestones of other processes.

use super::path;
use super::volume::Volume;
use crate::tree::{Event, Looking, NodeId};

const CHANGED_FOLDERS: u32 = 0x2;
const CHANGED_WRITE_TIME: u32 = 0x10;
const ADDED: u32 = 1;
const REMOVED: u32 = 2;
const MODIFIED: u32 = 3;

/// The name that always leads to the newest build.
const LATEST: &[u8] = b"latest";

/// A change, in the words of Windows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) path: Vec<u16>,
    pub(super) filter: u32,
    pub(super) action: u32,
}

impl Volume {
    /// Returns what Windows is told of an event; nothing of what it has asked for itself, which is all below the topmost
    /// folders.
    pub(super) fn notice(&self, event: &Event) -> Option<Notice> {
        let Event::Name { directory, name } = event else { return None };
        let mut path = Vec::new();
        self.tree
            .list(NodeId::ROOT, 0, Looking::Uncounted, &mut |entry| {
                if entry.attr.node == *directory {
                    path::push(&mut path, &super::super::names::show(entry.name));
                }
                path.is_empty()
            })
            .ok()?;
        if path.is_empty() {
            return None;
        }
        path::push(&mut path, &super::super::names::show(name));
        let (filter, action) = match self.attributes(&path) {
            Ok(_) if name == LATEST => (CHANGED_WRITE_TIME, MODIFIED),
            Ok(_) => (CHANGED_FOLDERS, ADDED),
            Err(_) => (CHANGED_FOLDERS, REMOVED),
        };
        Some(Notice { path, filter, action })
    }
}
