//! The root of the tree: the list of top-level folders, and what each of them must answer.
//!
//! A new folder is one file beside this one and one line in [`folders`].

use super::Tree;
use super::builds::Builds;
use super::changes::Changes;
use super::feedback::Feedback;
use super::made::Draft;
use super::milestones::Milestones;
use super::number::Place;
use super::platforms::Platforms;
use super::snapshot::Snapshot;
use super::types::{Access, Attr, DirEntry, DirSink, Kind, Lifetime, Looking, NodeId, Opened};
use super::workspaces::Workspaces;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Timestamp;

/// The index of `/builds` in [`folders`].
pub(super) const BUILDS: usize = 0;
/// The index of `/milestones`.
pub(super) const MILESTONES: usize = 1;
/// The index of `/.snapshot`.
pub(super) const SNAPSHOT: usize = 2;
/// The index of `/workspaces`.
pub(super) const WORKSPACES: usize = 3;
/// The index of `/feedback`.
pub(super) const FEEDBACK: usize = 4;
/// The index of `/changes`.
pub(super) const CHANGES: usize = 5;

/// The index of `/platforms`.
pub(super) const PLATFORMS: usize = 6;

/// Returns the top-level folders, in the order of their index.
pub(super) fn folders() -> Vec<Box<dyn Folder>> {
    vec![
        Box::new(Builds),
        Box::new(Milestones),
        Box::new(Snapshot),
        Box::new(Workspaces),
        Box::new(Feedback),
        Box::new(Changes),
        Box::new(Platforms::default()),
    ]
}

/// A top-level folder. What it does not override is refused, because most places cannot be written.
pub(super) trait Folder: Send + Sync {
    /// Its name in the root.
    fn name(&self) -> &'static str;

    /// Returns what `name` stands for in it.
    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>>;

    /// Gives its entries after `after` to `sink`.
    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()>;

    /// Makes a directory in it.
    fn make_directory(&self, _tree: &Tree, _name: &[u8], _mode: u16) -> Result<Attr> {
        Err(read_only(self.name()))
    }

    /// Makes a file in it, and opens it when `access` is given.
    fn make_file(&self, _tree: &Tree, _name: &[u8], _mode: u16, _access: Option<Access>) -> Result<(Attr, Opened)> {
        Err(read_only(self.name()))
    }

    /// Makes a symlink in it.
    fn make_symlink(&self, _tree: &Tree, _name: &[u8], _target: &[u8]) -> Result<Attr> {
        Err(read_only(self.name()))
    }

    /// Returns the content of a made folder, the same each time; see [`super::made`].
    fn make(&self, _tree: &Tree, of: &str) -> Result<Draft> {
        Err(Error::not_found(format!("{} has no folder that is made of {of}", self.name())))
    }

    /// Removes an entry: a directory when `kind` says so, else anything that is none.
    fn remove(&self, _tree: &Tree, _name: &[u8], _kind: Kind) -> Result<()> {
        Err(read_only(self.name()))
    }
}

/// Returns the error for a change in a place that cannot be written.
pub(super) fn read_only(place: &str) -> Error {
    Error::new(ErrorKind::ReadOnly, format!("{place} cannot be changed"))
}

/// Returns what `name` stands for in the root.
pub(super) fn lookup(tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
    let index = tree.folders.iter().position(|folder| folder.name().as_bytes() == name);
    index.map(|index| folder_attr(tree, index)).transpose()
}

/// Gives the folders after `after` to `sink`; cookies are indexes plus one.
pub(super) fn list(tree: &Tree, after: u64, sink: DirSink<'_>) -> Result<()> {
    for index in (after as usize)..tree.folders.len() {
        let attr = folder_attr(tree, index)?;
        if !sink(DirEntry { name: tree.folders[index].name().as_bytes(), attr, cookie: index as u64 + 1 }) {
            break;
        }
    }
    Ok(())
}

/// Returns the attributes of the root.
pub(super) fn attr(tree: &Tree) -> Result<Attr> {
    Ok(plain_directory(NodeId::ROOT, newest(tree)?))
}

/// Returns the attributes of the folder with `index`; its time changes with its names.
pub(super) fn folder_attr(tree: &Tree, index: usize) -> Result<Attr> {
    let newest = newest(tree)?;
    let changed = match index {
        SNAPSHOT | WORKSPACES => super::snapshot::names_changed(tree, index),
        FEEDBACK => tree.view()?.last_played(),
        _ => None,
    };
    Ok(plain_directory(Place::Folder(index).node(), changed.map_or(newest, |changed| changed.max(newest))))
}

/// Refuses an entry in the root with the error that tools expect.
pub(super) fn refuse(name: &[u8]) -> Error {
    if name.starts_with(b".Trash") {
        // With any other error file managers fall back to deleting for good.
        return Error::new(ErrorKind::Denied, "a vault has no trash");
    }
    read_only("the root of the vault")
}

/// Returns the attributes of a directory of the tree's own, whose names change.
pub(super) fn plain_directory(node: NodeId, mtime: Timestamp) -> Attr {
    Attr {
        node,
        kind: Kind::Directory,
        size: super::content::DIRECTORY_SIZE,
        mode: 0o755,
        mtime,
        lifetime: Lifetime::Short,
        writable: false,
    }
}

/// Returns a time that changes with the lists and is the same after a remount, but for a vault in which nothing is yet.
fn newest(tree: &Tree) -> Result<Timestamp> {
    Ok(tree.view()?.newest().unwrap_or(tree.started))
}
