//! The content of builds, as nodes: directories, files and symlinks of manifests, read through the vault's reader.
//!
//! Any folder shows a build by giving the attributes of its root with [`root_attr`]; everything below is here.

use super::Tree;
use super::number::{Place, Slot};
use super::table::{Node, What};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, Looking, NodeId};
use crate::catalogue::Build;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Attributes, Content, Entry, EntryKind, XattrSet};
use std::sync::Arc;

/// The size that directories are given, as on most file systems.
pub(super) const DIRECTORY_SIZE: u64 = 4096;

/// The root of a tree of content.
#[derive(Clone, Copy)]
pub(super) struct Root {
    /// Its root directory.
    pub(super) id: ChunkId,
    /// Mode, time and xattrs.
    pub(super) attributes: Attributes,
}

impl Root {
    /// The root of a build.
    pub(super) fn of_build(build: &Build) -> Root {
        Root { id: build.root.id, attributes: build.attributes }
    }
}

/// Returns the attributes of `root`, as shown in `parent` under `slot`.
pub(super) fn root_attr(tree: &Tree, slot: Slot, root: Root, parent: NodeId, looking: Looking) -> Attr {
    let what = What::Directory { id: root.id, parent };
    tree.told(Place::Content { slot, ordinal: 0 }, &Node { attributes: root.attributes, what }, looking)
}

/// Returns the attributes of a node that the front end holds.
pub(super) fn attr(tree: &Tree, node: NodeId) -> Result<Attr> {
    Ok(attr_of(node, &tree.nodes.get(node)?))
}

/// Returns the attributes of `number`, which is `node`.
pub(super) fn attr_of(number: NodeId, node: &Node) -> Attr {
    let (kind, size) = match &node.what {
        What::File(content) => (Kind::File, content.size),
        What::Directory { .. } => (Kind::Directory, DIRECTORY_SIZE),
        What::Symlink(target) => (Kind::Symlink, target.len() as u64),
    };
    Attr {
        node: number,
        kind,
        size,
        mode: node.attributes.mode,
        mtime: node.attributes.mtime,
        lifetime: Lifetime::Forever,
        writable: false,
    }
}

/// Returns what `name` stands for in the content directory `directory`.
pub(super) fn lookup(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Attr>> {
    let What::Directory { id, .. } = tree.nodes.get(directory)?.what else { return Err(not_a_directory()) };
    let Some((ordinal, entry)) = tree.vault.reader().lookup(id, name)? else { return Ok(None) };
    Ok(Some(told_entry(tree, directory, ordinal, &entry, Looking::Counted)))
}

/// Gives the entries of the content directory `directory` after `after` to `sink`; cookies are relative ordinals.
pub(super) fn list(tree: &Tree, directory: NodeId, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
    let What::Directory { id, .. } = tree.nodes.get(directory)?.what else { return Err(not_a_directory()) };
    let mut from = after.saturating_add(1);
    while let Some(listing) = tree.vault.reader().list(id, from)? {
        for (ordinal, entry) in listing.iter() {
            let attr = told_entry(tree, directory, ordinal, entry, looking);
            if !sink(DirEntry { name: entry.name.as_bytes(), attr, cookie: ordinal }) {
                tree.untold(attr.node, looking);
                return Ok(());
            }
        }
        from = listing.next();
    }
    Ok(())
}

/// Returns the directory above a content directory.
pub(super) fn parent(tree: &Tree, directory: NodeId) -> Result<NodeId> {
    match tree.nodes.get(directory)?.what {
        What::Directory { parent, .. } => Ok(parent),
        _ => Err(not_a_directory()),
    }
}

/// Returns the target of a symlink.
pub(super) fn read_link(tree: &Tree, node: NodeId) -> Result<Arc<[u8]>> {
    match tree.nodes.get(node)?.what {
        What::Symlink(target) => Ok(target),
        _ => Err(Error::invalid("only a symlink has a target")),
    }
}

/// Returns the content of a regular file.
pub(super) fn file(tree: &Tree, node: NodeId) -> Result<Content> {
    match tree.nodes.get(node)?.what {
        What::File(content) => Ok(content),
        What::Directory { .. } => Err(Error::new(ErrorKind::IsDirectory, "a directory has no bytes to read")),
        What::Symlink(_) => Err(Error::invalid("a symlink has no bytes to read")),
    }
}

/// Returns the extended attributes of a node.
pub(super) fn xattrs(tree: &Tree, node: NodeId) -> Result<Arc<XattrSet>> {
    match tree.nodes.get(node)?.attributes.xattrs {
        Some(id) => tree.vault.reader().xattrs(id),
        None => Ok(Arc::default()),
    }
}

fn told_entry(tree: &Tree, directory: NodeId, ordinal: u64, entry: &Entry, looking: Looking) -> Attr {
    let Place::Content { slot, ordinal: base } = Place::of(directory) else {
        unreachable!("only content directories are listed here")
    };
    // Ordinals are unique below a root; 32 bits number four thousand million entries.
    let place = Place::Content { slot, ordinal: base.wrapping_add(ordinal as u32) };
    let (place, what) = match &entry.kind {
        EntryKind::File(content) => (Place::File, What::File(*content)),
        EntryKind::Directory(below) => (place, What::Directory { id: below.id, parent: directory }),
        EntryKind::Symlink(target) => (place, What::Symlink(target.as_ref().into())),
    };
    tree.told(place, &Node { attributes: entry.attributes, what }, looking)
}

fn not_a_directory() -> Error {
    Error::new(ErrorKind::NotDirectory, "the node is not a directory")
}
