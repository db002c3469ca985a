//! The tree as Windows asks for it: by path, and by what it has opened.

use super::folders::Folders;
use super::info::FileInfo;
use super::node::Node;
use super::notice::Seen;
use super::path::{self, Path};
use super::status::Status;
use crate::disk::Space;
use crate::error::Result;
use crate::manifest::Timestamp;
use crate::tree::{Kind, NodeId, Tree};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a request comes to: a value, or what Windows is told instead.
pub(in crate::mount) type Answer<T> = std::result::Result<T, Status>;

/// A tree, as WinFsp sees it.
pub(in crate::mount) struct Volume {
    pub(super) tree: Arc<Tree>,
    pub(super) folders: Folders,
    /// The time that a program has given to a file that it has open: what the system writes after that, out of its cache,
    /// leaves the time as it is.
    pub(super) stamps: Mutex<HashMap<NodeId, Timestamp>>,
    /// What Windows knows of the lists that other processes change.
    pub(super) seen: Seen,
}

/// What a path leads to.
pub(super) struct Found {
    /// The folder that has the entry, and its name there; none for the root.
    pub(super) place: Option<Place>,
    /// The entry itself, which may be a link.
    pub(super) entry: Arc<Node>,
    /// What is shown of it: the target of a link that is followed.
    pub(super) node: Arc<Node>,
    /// The folders that the path came through, the root first, and this one if it is a folder.
    pub(super) walked: Vec<NodeId>,
    /// The path, as listings show it.
    pub(super) path: Vec<u16>,
}

/// A name in a folder.
pub(super) struct Place {
    pub(super) folder: Arc<Node>,
    pub(super) name: Box<[u8]>,
}

impl Found {
    pub(super) fn info(&self) -> FileInfo {
        FileInfo::of(&self.node.attr)
    }

    /// Returns what the tree must be told to remove: a link is no folder, whatever it leads to.
    pub(super) fn entry_kind(&self) -> Kind {
        self.entry.attr.kind
    }
}

impl Volume {
    /// Shows `tree`.
    pub(in crate::mount) fn new(tree: Arc<Tree>) -> Volume {
        Volume { tree, folders: Folders::default(), stamps: Mutex::default(), seen: Seen::default() }
    }

    /// Returns the room on the vault's disk.
    pub(super) fn space(&self) -> Answer<Space> {
        Ok(self.tree.space()?)
    }

    /// Returns the attributes of what a path leads to; Windows asks before it opens anything.
    pub(super) fn attributes(&self, path: &[u16]) -> Answer<u32> {
        let path = Path::new(path);
        let found = self.find(&path)?;
        match path.is_stream {
            // Streams are taken and dropped: there is none to open.
            true => Err(Status::NAME_NOT_FOUND),
            false => Ok(found.info().attributes),
        }
    }

    /// Returns what the names of a path lead to.
    pub(super) fn find(&self, path: &Path<'_>) -> Answer<Found> {
        match path.split_last() {
            None => {
                let root = Node::root(&self.tree)?;
                let walked = vec![root.id()];
                Ok(Found { place: None, entry: root.clone(), node: root, walked, path: Vec::new() })
            }
            Some((above, name)) => self.find_in(self.folder(above)?, name)?.ok_or(Status::NAME_NOT_FOUND),
        }
    }

    /// Returns the folder that the names lead to.
    pub(super) fn folder(&self, names: &[&[u16]]) -> Answer<Found> {
        let mut at = self.find(&Path { names: Vec::new(), is_stream: false })?;
        for name in names {
            at = self.find_in(at, name)?.filter(|found| found.node.is_directory()).ok_or(Status::PATH_NOT_FOUND)?;
        }
        Ok(at)
    }

    /// Returns what a name stands for in a folder that was found.
    pub(super) fn find_in(&self, above: Found, shown: &[u16]) -> Answer<Option<Found>> {
        let Found { node: folder, mut walked, mut path, .. } = above;
        let Some(name) = self.folders.find(&self.tree, &folder, shown)? else { return Ok(None) };
        let Some(entry) = folder.child(&name)? else { return Ok(None) };
        let node = entry.clone().shown(&walked)?;
        if node.is_directory() {
            walked.push(node.id());
        }
        path::push(&mut path, &self.shown(&folder, &name)?);
        Ok(Some(Found { place: Some(Place { folder, name }), entry, node, walked, path }))
    }

    /// Returns how a name is shown, also one that is not listed.
    fn shown(&self, folder: &Node, name: &[u8]) -> Result<String> {
        let tree = &self.tree;
        if !folder.attr.writable && !tree.never_changes(folder.id()) {
            // A list of ids, which are shown as they are; to go through it for each would cost.
            return Ok(super::super::names::show(name));
        }
        let listed = self.folders.with(tree, folder, |listed| listed.shown(name).map(String::from))?;
        Ok(listed.unwrap_or_else(|| super::super::names::show(name)))
    }
}
