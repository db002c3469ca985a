//! The node table: what the tree remembers of content nodes that a front end holds.
//!
//! A front end that was told of a node may come back with its number alone, until it forgets it. Each telling counts as
//! one lookup; the entry goes when all of them are forgotten.

use super::held::Packed;
use super::number::{Place, file_number};
use super::types::NodeId;
use crate::error::{Error, Result};
use crate::id::{ChunkId, mix};
use crate::manifest::{Attributes, Content};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

const SHARD_COUNT: u64 = 16;

/// A content node: what the manifest says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Mode, time, xattrs.
    pub(super) attributes: Attributes,
    /// What it is.
    pub(super) what: What,
}

/// What a content node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A regular file.
    File(Content),
    /// A directory.
    Directory {
        /// Its root page.
        id: ChunkId,
        /// The directory above it.
        parent: NodeId,
    },
    /// A symlink with its target.
    Symlink(Arc<[u8]>),
}

#[derive(Debug)]
struct Held {
    lookups: u64,
    node: Packed,
}

/// Held nodes by their numbers.
type Shard = HashMap<u64, Held, BuildHasherDefault<NumberHasher>>;

/// Spreads the numbers of nodes, which nobody can choose: files are numbered by a hash, directories by an ordinal.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn write_u64(&mut self, number: u64) {
        self.0 = mix(number);
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("a key is one number")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The table; its shards are locked one at a time, for a few instructions.
#[derive(Debug, Default)]
pub(super) struct NodeTable {
    shards: [Mutex<Shard>; SHARD_COUNT as usize],
}

impl NodeTable {
    fn shard(&self, number: NodeId) -> &Mutex<Shard> {
        // Files are numbered by a hash, directories by an ordinal: either way the low bits spread.
        &self.shards[(number.0 % SHARD_COUNT) as usize]
    }

    /// Returns what is known of a node.
    ///
    /// # Errors
    /// `NotFound` if the front end does not hold it.
    pub(super) fn get(&self, number: NodeId) -> Result<Node> {
        let shard = self.shard(number).lock();
        let held = shard.get(&number.0).ok_or_else(|| Error::not_found(format!("node {:#x} is not held", number.0)))?;
        Ok(held.node.node())
    }

    /// Counts one lookup of `node` at `place` and returns its number.
    pub(super) fn remember(&self, place: Place, node: &Node) -> NodeId {
        self.visit(place, node, |shard, number, node| {
            shard.entry(number.0).or_insert(Held { lookups: 0, node }).lookups += 1;
        })
    }

    /// Returns the number that [`NodeTable::remember`] would give, without counting a lookup.
    pub(super) fn number(&self, place: Place, node: &Node) -> NodeId {
        self.visit(place, node, |_, _, _| {})
    }

    /// Takes back `count` lookups.
    pub(super) fn forget(&self, number: NodeId, count: u64) {
        let mut shard = self.shard(number).lock();
        if let Some(held) = shard.get_mut(&number.0) {
            held.lookups = held.lookups.saturating_sub(count);
            if held.lookups == 0 {
                shard.remove(&number.0);
            }
        }
    }

    /// Returns how many nodes are held.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn visit(&self, place: Place, node: &Node, visit: impl FnOnce(&mut Shard, NodeId, Packed)) -> NodeId {
        let packed = Packed::of(node);
        let mut salt = 0;
        loop {
            let number = match (&node.what, place) {
                (What::File(content), Place::File) => file_number(content, &node.attributes, salt),
                _ => place.node(),
            };
            let mut shard = self.shard(number).lock();
            // Two different files with one hash must not share a page cache: the later one gets another number.
            let collides = place == Place::File && shard.get(&number.0).is_some_and(|held| held.node != packed);
            if !collides {
                visit(&mut shard, number, packed);
                return number;
            }
            salt += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Timestamp;

    fn file(mode: u16) -> Node {
        let attributes = Attributes { mode, mtime: Timestamp::default(), xattrs: None };
        Node { attributes, what: What::File(Content::EMPTY) }
    }

    #[test]
    fn nodes_stay_until_every_lookup_is_forgotten() {
        let table = NodeTable::default();
        let number = table.remember(Place::File, &file(0o644));
        assert_eq!(table.remember(Place::File, &file(0o644)), number);
        assert_ne!(table.remember(Place::File, &file(0o600)), number);
        table.forget(number, 1);
        assert_eq!(table.get(number).unwrap(), file(0o644));
        table.forget(number, 1);
        assert!(table.get(number).is_err());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn colliding_files_get_numbers_of_their_own() {
        let table = NodeTable::default();
        let number = table.number(Place::File, &file(0o644));
        let other = Held { lookups: 1, node: Packed::of(&file(0o755)) };
        table.shard(number).lock().insert(number.0, other);
        let moved = table.remember(Place::File, &file(0o644));
        assert_ne!(moved, number);
        assert_eq!(table.get(moved).unwrap(), file(0o644));
    }
}
