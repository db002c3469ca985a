//! How a new chunk is stored: in which encoding, and as a difference to which other chunks.
//!
//! Candidates for bases are what stood at the same place in the earlier version of the file, and chunks that share
//! super-features. The smallest form wins, with a bonus for forms that need no base.

use super::{Class, Put, Store};
use crate::codec::byte_delta::ByteDelta;
use crate::codec::features::super_features;
use crate::codec::prefix::Prefix;
use crate::codec::{Encoder, Encoding, ZSTD_LEVEL};
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use std::cell::RefCell;

/// Chunks shorter than this are not compared with others: what a base costs in the catalogue would eat the gain.
const MIN_DELTA_LEN: usize = 256;

/// Bytes that a base costs beside the difference: its key in the pack, in the footer and in the catalogue.
const BASE_COST: usize = 3 * ChunkKey::LEN;

/// A difference below this share of the chunk is good enough to look no further.
const GOOD_SHARE: usize = 16;

/// Where byte differences take more than this share of the chunk, a zstd prefix is tried, too: on machine code it is
/// seven times larger, elsewhere often a little smaller.
const SECOND_CODEC_SHARE: usize = 25;

/// The most similar chunks that are tried.
const MAX_SIMILAR: usize = 2;

/// Bytes to be stored under their id.
pub struct Chunk<'a> {
    /// The hash of `plain`.
    pub id: ChunkId,
    /// The bytes.
    pub plain: &'a [u8],
    /// Which packs they go to.
    pub class: Class,
    /// What stood there before.
    pub earlier: Earlier<'a>,
}

/// The chunks that stood around the same place in an earlier version of a file, in their order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Earlier<'a> {
    /// The chunks; together no more than `MAX_BASE_BYTES`, else they are of no use.
    pub chunks: &'a [ChunkId],
    /// The index of the one that has most of the place.
    pub main: usize,
}

/// A chunk as it goes to a pack.
pub(super) struct Encoded<'a> {
    pub(super) encoding: Encoding,
    pub(super) bases: &'a [ChunkKey],
    pub(super) stored: &'a [u8],
}

/// Working memory of a thread.
struct Workshop {
    encoder: Encoder,
    prefix: Prefix,
    differences: ByteDelta,
    best: Best,
}

impl Default for Workshop {
    fn default() -> Workshop {
        let (encoder, prefix) = (Encoder::default(), Prefix::new(ZSTD_LEVEL));
        Workshop { encoder, prefix, differences: ByteDelta::new(ZSTD_LEVEL), best: Best::default() }
    }
}

/// The smallest difference so far.
#[derive(Default)]
struct Best {
    found: Option<(Encoding, Vec<ChunkKey>)>,
    stored: Vec<u8>,
}

impl Store {
    /// Calls `take` with the smallest form of a chunk that is not stored yet.
    pub(super) fn encode(&self, chunk: &Chunk<'_>, take: &mut dyn FnMut(Encoded<'_>) -> Result<Put>) -> Result<Put> {
        thread_local! {
            static WORKSHOP: RefCell<Workshop> = RefCell::default();
        }
        WORKSHOP.with(|workshop| {
            let Workshop { encoder, prefix, differences, best } = &mut *workshop.borrow_mut();
            let plain = chunk.plain;
            best.found = None;
            best.stored.clear();
            let mut features = None;
            if chunk.class == Class::Data && plain.len() >= MIN_DELTA_LEN {
                self.try_earlier(chunk, prefix, differences, best)?;
                // Half of each is enough for the table.
                features = super_features(plain).map(|features| features.map(|feature| (feature >> 32) as u32));
                if let Some(features) = &features
                    && best.share(plain.len()) < GOOD_SHARE
                {
                    self.try_similar(chunk, features, prefix, differences, best)?;
                }
            }
            let put = match &best.found {
                // What is this small already is not made smaller without a base.
                Some((encoding, bases)) if best.share(plain.len()) >= GOOD_SHARE => {
                    take(Encoded { encoding: *encoding, bases, stored: &best.stored })?
                }
                found => {
                    let (own_encoding, own) = encoder.encode(plain);
                    match found {
                        // A base must be decoded for ever, so it has to pay.
                        Some((encoding, bases)) if best.stored.len() + bases.len() * BASE_COST < own.len() / 10 * 9 => {
                            take(Encoded { encoding: *encoding, bases, stored: &best.stored })?
                        }
                        _ => take(Encoded { encoding: own_encoding, bases: &[], stored: own })?,
                    }
                }
            };
            if let Some(features) = &features {
                self.similar.insert(features, chunk.id.key());
            }
            Ok(put)
        })
    }

    fn try_earlier(
        &self,
        chunk: &Chunk<'_>,
        prefix: &mut Prefix,
        differences: &mut ByteDelta,
        best: &mut Best,
    ) -> Result<()> {
        let Earlier { chunks, main } = chunk.earlier;
        let bases: Vec<ChunkKey> = chunks.iter().map(ChunkId::key).collect();
        let Some(main) = bases.get(main).copied() else { return Ok(()) };
        if let Some(bases) = self.within_bounds(bases, main)? {
            self.try_bases(chunk.plain, bases, prefix, differences, best)?;
        }
        Ok(())
    }

    fn try_similar(
        &self,
        chunk: &Chunk<'_>,
        features: &[u32; 3],
        prefix: &mut Prefix,
        differences: &mut ByteDelta,
        best: &mut Best,
    ) -> Result<()> {
        let mut tried = 0;
        for start in self.similar.find(features) {
            let found = match self.writer.pending_like(start) {
                Some(key) => Some(key),
                None => self.catalogue.chunk_like(start)?,
            };
            let Some(key) = found else { continue };
            let is_known = chunk.earlier.chunks.iter().any(|id| id.key() == key);
            if is_known || tried == MAX_SIMILAR {
                continue;
            }
            tried += 1;
            if let Some(bases) = self.within_bounds(vec![key], key)? {
                self.try_bases(chunk.plain, bases, prefix, differences, best)?;
            }
        }
        Ok(())
    }

    /// Returns bases that do not make the chain too long: all of `bases`, or the `main` one, or what that is at last a
    /// difference to; `None` if there are none.
    fn within_bounds(&self, bases: Vec<ChunkKey>, main: ChunkKey) -> Result<Option<Vec<ChunkKey>>> {
        let mut wanted = bases;
        for next in [Some(vec![main]), None] {
            let Some((chain, roots)) = self.chain(&wanted)? else { return Ok(None) };
            if !chain.is_too_long() {
                return Ok(Some(wanted));
            }
            wanted = next.unwrap_or(roots);
        }
        let fits = self.chain(&wanted)?.is_some_and(|(chain, _)| !chain.is_too_long());
        Ok(fits.then_some(wanted))
    }

    /// Encodes `plain` as a difference to `bases`, and keeps it if it is the smallest so far.
    fn try_bases(
        &self,
        plain: &[u8],
        bases: Vec<ChunkKey>,
        prefix: &mut Prefix,
        differences: &mut ByteDelta,
        best: &mut Best,
    ) -> Result<()> {
        // A base that cannot be read is no base; whoever reads its own files is told.
        let Ok(base) = self.base_plain(&bases) else { return Ok(()) };
        if let Some(stored) = differences.encode(&base, plain, best.limit(plain.len())) {
            best.keep(Encoding::Differences, &bases, stored);
        }
        if best.share(plain.len()) < SECOND_CODEC_SHARE
            && let Some(stored) = prefix.encode(&base, plain, best.limit(plain.len()))
        {
            best.keep(Encoding::Prefix, &bases, stored);
        }
        Ok(())
    }
}

impl Best {
    /// Returns how many bytes a difference must stay below to be kept.
    fn limit(&self, plain_len: usize) -> usize {
        match self.found {
            Some(_) => self.stored.len(),
            None => plain_len,
        }
    }

    /// Returns how many times smaller than the chunk the difference is; 0 without one.
    fn share(&self, plain_len: usize) -> usize {
        match self.found {
            Some(_) => plain_len / self.stored.len().max(1),
            None => 0,
        }
    }

    fn keep(&mut self, encoding: Encoding, bases: &[ChunkKey], stored: &[u8]) {
        self.found = Some((encoding, bases.to_vec()));
        self.stored.clear();
        self.stored.extend_from_slice(stored);
    }
}
