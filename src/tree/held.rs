//! What is kept of a content node that a front end holds, in as little room as it takes.
//!
//! A front end may hold millions of nodes, and every byte of one counts as often. A [`Node`] as it is spoken of has room for
//! the largest of each part; here the parts share theirs, and what few nodes have lies elsewhere.

use super::table::{Node, What};
use super::types::NodeId;
use crate::id::ChunkId;
use crate::manifest::{Attributes, Content, ContentRoot, Timestamp};
use std::sync::Arc;

/// A [`Node`] in 64 bytes; equal when the nodes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// Of a file's content, of a directory's root page; all zeros where there is none.
    id: [u8; ChunkId::LEN],
    /// A file's size, or the number of the directory above.
    number: u64,
    secs: i64,
    rare: Option<Box<Rare>>,
    nanos: u32,
    mode: u16,
    form: Form,
}

/// What a node is, and how its content is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Empty,
    Chunk,
    List { depth: u8 },
    Directory,
    Symlink,
}

/// What few nodes have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rare {
    xattrs: Option<ChunkId>,
    target: Arc<[u8]>,
}

impl Packed {
    /// Packs a node.
    pub(super) fn of(node: &Node) -> Packed {
        let Attributes { mode, mtime, xattrs } = node.attributes;
        let none = [0; ChunkId::LEN];
        let (id, number, form) = match &node.what {
            What::File(Content { size, root }) => match root {
                ContentRoot::Empty => (none, *size, Form::Empty),
                ContentRoot::Chunk(id) => (id.0, *size, Form::Chunk),
                ContentRoot::List { id, depth } => (id.0, *size, Form::List { depth: *depth }),
            },
            What::Directory { id, parent } => (id.0, parent.0, Form::Directory),
            What::Symlink(_) => (none, 0, Form::Symlink),
        };
        let rare = match &node.what {
            What::Symlink(target) => Some(Rare { xattrs, target: target.clone() }),
            _ => xattrs.map(|_| Rare { xattrs, ..Rare::default() }),
        };
        Packed { id, number, secs: mtime.secs, rare: rare.map(Box::new), nanos: mtime.nanos, mode, form }
    }

    /// Returns the node that was packed.
    pub(super) fn node(&self) -> Node {
        let rare = self.rare.as_deref();
        let id = ChunkId(self.id);
        let file = |root| What::File(Content { size: self.number, root });
        let what = match self.form {
            Form::Empty => file(ContentRoot::Empty),
            Form::Chunk => file(ContentRoot::Chunk(id)),
            Form::List { depth } => file(ContentRoot::List { id, depth }),
            Form::Directory => What::Directory { id, parent: NodeId(self.number) },
            Form::Symlink => What::Symlink(rare.expect("symlinks are packed with their targets").target.clone()),
        };
        let mtime = Timestamp { secs: self.secs, nanos: self.nanos };
        Node { attributes: Attributes { mode: self.mode, mtime, xattrs: rare.and_then(|rare| rare.xattrs) }, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_node_takes_a_cache_line_and_comes_back_as_it_was() {
        assert_eq!(size_of::<Packed>(), 64);
        let id = ChunkId::of(b"content");
        let whats = [
            What::File(Content::EMPTY),
            What::File(Content { size: 7, root: ContentRoot::Chunk(id) }),
            What::File(Content { size: u64::MAX >> 1, root: ContentRoot::List { id, depth: 3 } }),
            What::Directory { id, parent: NodeId::ROOT },
            What::Symlink(b"../target".as_slice().into()),
        ];
        for what in whats {
            for xattrs in [None, Some(ChunkId::of(b"attributes"))] {
                let attributes = Attributes { mode: 0o7755, mtime: Timestamp { secs: -5, nanos: 999_999_999 }, xattrs };
                let node = Node { attributes, what: what.clone() };
                assert_eq!(Packed::of(&node).node(), node);
                let later = Attributes { mtime: Timestamp { secs: -4, ..attributes.mtime }, ..attributes };
                assert_ne!(Packed::of(&node), Packed::of(&Node { attributes: later, what: what.clone() }));
            }
        }
    }
}
