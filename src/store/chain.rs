//! What must be decoded before a chunk, and how much of that is too much.

use super::Store;
use crate::codec::Encoding;
use crate::error::Result;
use crate::id::ChunkKey;
use std::collections::HashMap;

/// The longest chain of chunks each of which is a difference to the next.
pub const MAX_DEPTH: usize = 8;

/// The most bytes of other chunks that are decoded for one chunk.
pub const MAX_BASE_BYTES: u64 = 1 << 20;

/// What must be decoded before a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    /// How many chunks stand one upon the other, with the chunk itself.
    pub(super) depth: usize,
    /// Plain bytes of all bases, each counted once.
    pub(super) base_bytes: u64,
    /// Some are opened, and so are slow to decode.
    pub(super) has_opened: bool,
}

impl Chain {
    pub(super) fn is_too_long(&self) -> bool {
        self.depth > MAX_DEPTH || self.base_bytes > MAX_BASE_BYTES || self.has_opened
    }
}

/// A chunk as a link of a chain.
struct Link {
    plain_len: u64,
    bases: Box<[ChunkKey]>,
    depth: usize,
    is_opened: bool,
}

impl Store {
    /// Returns what must be decoded before a chunk that is a difference to `bases`, and those of them that are none
    /// themselves; `None` if one is not stored, or is to go.
    pub(super) fn chain(&self, bases: &[ChunkKey]) -> Result<Option<(Chain, Vec<ChunkKey>)>> {
        let mut links = HashMap::new();
        let mut depth = 0;
        for &base in bases {
            // What is to go is nobody's base any more. What is not needs nothing that is.
            if self.catalogue.is_doomed(base)? {
                return Ok(None);
            }
            match self.add_link(base, MAX_DEPTH + 1, &mut links)? {
                Some(below) => depth = depth.max(below),
                None => return Ok(None),
            }
        }
        let base_bytes = links.values().map(|link| link.plain_len).sum();
        let roots = links.iter().filter(|(_, link)| link.bases.is_empty()).map(|(key, _)| *key).collect();
        let has_opened = links.values().any(|link| link.is_opened);
        Ok(Some((Chain { depth: depth + 1, base_bytes, has_opened }, roots)))
    }

    fn add_link(&self, key: ChunkKey, most: usize, links: &mut HashMap<ChunkKey, Link>) -> Result<Option<usize>> {
        if let Some(link) = links.get(&key) {
            return Ok(Some(link.depth));
        }
        let Some(below) = most.checked_sub(1) else { return Ok(None) };
        let (plain_len, encoding, bases) = match self.writer.pending(key) {
            Some(pending) => (pending.entry.plain_len, pending.entry.encoding as u8, pending.entry.bases),
            None => match self.catalogue.chunk(key)? {
                Some(place) => (place.plain_len, place.encoding, place.bases),
                None => return Ok(None),
            },
        };
        let is_opened = encoding == Encoding::Opened as u8;
        let mut depth = 0;
        for &base in &bases {
            match self.add_link(base, below, links)? {
                Some(of_base) => depth = depth.max(of_base + 1),
                None => return Ok(None),
            }
        }
        links.insert(key, Link { plain_len: plain_len.into(), bases, depth, is_opened });
        Ok(Some(depth))
    }
}
