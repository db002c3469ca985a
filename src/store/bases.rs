//! The chunks that others are stored as differences to.

use super::Store;
use crate::error::{Error, Result};
use crate::id::ChunkKey;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest chain of chunks each of which is a difference to the next.
pub const MAX_DEPTH: usize = 8;

/// The most bytes of other chunks that are decoded for one chunk.
pub const MAX_BASE_BYTES: u64 = 1 << 20;

/// The most bytes of bases that are believed when a chunk is read; beyond it a vault is damaged, or a trap.
const MAX_BASE_BYTES_READ: u64 = 64 << 20;

/// What must be decoded before a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    /// How many chunks stand one upon the other, with the chunk itself.
    pub(super) depth: usize,
    /// Plain bytes of all bases, each counted once.
    pub(super) base_bytes: u64,
}

impl Chain {
    pub(super) fn is_too_long(&self) -> bool {
        self.depth > MAX_DEPTH || self.base_bytes > MAX_BASE_BYTES
    }
}

/// A chunk as a link of a chain.
struct Link {
    plain_len: u64,
    bases: Box<[ChunkKey]>,
    depth: usize,
}

impl Store {
    /// Returns what `bases` hold, one after the other.
    ///
    /// # Errors
    /// `Corrupt` if one of them cannot be decoded, or they lead to themselves.
    pub fn base_plain(&self, bases: &[ChunkKey]) -> Result<Vec<u8>> {
        let mut budget = MAX_BASE_BYTES_READ;
        self.concat(bases, MAX_DEPTH, &mut budget)
    }

    fn concat(&self, bases: &[ChunkKey], depth: usize, budget: &mut u64) -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        for &base in bases {
            plain.extend_from_slice(&self.base(base, depth, budget)?);
        }
        Ok(plain)
    }

    fn base(&self, key: ChunkKey, depth: usize, budget: &mut u64) -> Result<Arc<[u8]>> {
        // Not by a placeholder that others wait for: bases of a damaged catalogue may lead in a circle.
        if let Some(plain) = self.cache.get(&key).or_else(|| self.bases.get(&key)) {
            return Ok(plain);
        }
        let damaged = |why: &str| Error::corrupt(format!("its base {key} {why}"));
        let below = depth.checked_sub(1).ok_or_else(|| damaged("lies too deep"))?;
        let plain = match self.writer.pending(key) {
            Some(pending) => {
                let base = self.concat(&pending.entry.bases, below, budget)?;
                self.writer.read_pending(&pending, &base)?
            }
            None => {
                let place =
                    self.catalogue.chunk(key)?.ok_or_else(|| damaged("is in no pack that the catalogue knows"))?;
                *budget = budget
                    .checked_sub(place.plain_len.into())
                    .ok_or_else(|| damaged("is one of more than can be right"))?;
                let base = self.concat(&place.bases, below, budget)?;
                self.reader.read_unchecked(&place, &base)?
            }
        };
        let plain: Arc<[u8]> = plain.into();
        self.bases.insert(key, plain.clone());
        Ok(plain)
    }

    /// Returns what must be decoded before a chunk that is a difference to `bases`, and those of them that are none
    /// themselves; `None` if one is not stored.
    pub(super) fn chain(&self, bases: &[ChunkKey]) -> Result<Option<(Chain, Vec<ChunkKey>)>> {
        let mut links = HashMap::new();
        let mut depth = 0;
        for &base in bases {
            match self.add_link(base, MAX_DEPTH + 1, &mut links)? {
                Some(below) => depth = depth.max(below),
                None => return Ok(None),
            }
        }
        let base_bytes = links.values().map(|link| link.plain_len).sum();
        let roots = links.iter().filter(|(_, link)| link.bases.is_empty()).map(|(key, _)| *key).collect();
        Ok(Some((Chain { depth: depth + 1, base_bytes }, roots)))
    }

    fn add_link(&self, key: ChunkKey, most: usize, links: &mut HashMap<ChunkKey, Link>) -> Result<Option<usize>> {
        if let Some(link) = links.get(&key) {
            return Ok(Some(link.depth));
        }
        let Some(below) = most.checked_sub(1) else { return Ok(None) };
        let (plain_len, bases) = match self.writer.pending(key) {
            Some(pending) => (pending.entry.plain_len, pending.entry.bases),
            None => match self.catalogue.chunk(key)? {
                Some(place) => (place.plain_len, place.bases),
                None => return Ok(None),
            },
        };
        let mut depth = 0;
        for &base in &bases {
            match self.add_link(base, below, links)? {
                Some(of_base) => depth = depth.max(of_base + 1),
                None => return Ok(None),
            }
        }
        links.insert(key, Link { plain_len: plain_len.into(), bases, depth });
        Ok(Some(depth))
    }
}
