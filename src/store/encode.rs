//! How a new chunk is stored: in which encoding, and as a difference to which other chunks.
//!
//! Candidates for bases are what stood at the same place in the earlier version of the file, and chunks that share
//! super-features. The smallest form wins, with a bonus for forms that need no base.

use super::{Class, Put, Store};
use crate::codec::byte_delta::ByteDelta;
use crate::codec::features::super_features;
use crate::codec::filter::Place;
use crate::codec::prefix::Prefix;
use crate::codec::{Encoder, Encoding, ZSTD_LEVEL};
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use std::cell::RefCell;

/// Chunks shorter than this are not compared with others: what a base costs in the catalogue would eat the gain.
const MIN_DELTA_LEN: usize = 256;

/// Bytes that a base costs beside the difference: its key in the pack, in the footer and in the catalogue.
pub(super) const BASE_COST: usize = 3 * ChunkKey::LEN;

/// A difference below this share of the chunk is good enough to look no further.
const GOOD_SHARE: usize = 16;

/// Where byte differences take more than this share of the chunk, a zstd prefix is tried, too: on machine code it is
/// seven times larger, elsewhere often a little smaller.
const SECOND_CODEC_SHARE: usize = 25;

/// The most similar chunks that are tried.
pub(super) const MAX_SIMILAR: usize = 2;

/// Why a chunk is stored without a base, as [`Store::count`] takes it: what resembles it gives nothing smaller,
const NOT_SMALLER: &str = "delta-not-smaller";
/// or would make the chain of bases longer than [`super::MAX_DEPTH`] or [`super::MAX_BASE_BYTES`],
const CHAIN_TOO_LONG: &str = "delta-chain-too-long";
/// or cannot be decoded.
const BASE_UNREADABLE: &str = "delta-base-unreadable";

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
    /// What is known of where they come from.
    pub place: Option<Place>,
    /// The type of the file, by which small ones have a dictionary; empty if it has none.
    pub kind: &'a [u8],
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

/// Makes differences; keeps its working memory.
pub(super) struct Differ {
    prefix: Prefix,
    differences: ByteDelta,
    stored: Vec<u8>,
}

impl Differ {
    pub(super) fn new(level: i32) -> Differ {
        Differ { prefix: Prefix::new(level), differences: ByteDelta::new(level), stored: Vec::new() }
    }

    /// Calls `act` with the differ of this thread.
    pub(super) fn with<T>(act: impl FnOnce(&mut Differ) -> T) -> T {
        thread_local! {
            static DIFFER: RefCell<Differ> = RefCell::new(Differ::new(ZSTD_LEVEL));
        }
        DIFFER.with(|differ| act(&mut differ.borrow_mut()))
    }

    /// Returns `plain` as a difference to `base`; `None` if it would not be smaller than it is.
    pub(super) fn smallest(&mut self, base: &[u8], plain: &[u8]) -> Option<(Encoding, &[u8])> {
        let mut found = None;
        let mut limit = plain.len();
        if let Some(stored) = self.differences.encode(base, plain, limit) {
            limit = stored.len();
            self.stored.clear();
            self.stored.extend_from_slice(stored);
            found = Some(Encoding::Differences);
        }
        if limit > plain.len() / SECOND_CODEC_SHARE
            && let Some(stored) = self.prefix.encode(base, plain, limit)
        {
            self.stored.clear();
            self.stored.extend_from_slice(stored);
            found = Some(Encoding::Prefix);
        }
        found.map(|encoding| (encoding, &self.stored[..]))
    }
}

/// Returns how many bytes `plain` takes as a difference to `base`; its own length if that is not less.
pub fn difference_len(base: &[u8], plain: &[u8]) -> usize {
    Differ::with(|differ| differ.smallest(base, plain).map_or(plain.len(), |(_, stored)| stored.len()))
}

/// The smallest difference so far.
#[derive(Default)]
pub(super) struct Best {
    found: Option<(Encoding, Vec<ChunkKey>)>,
    stored: Vec<u8>,
    /// What counts if the chunk is stored without a base after all.
    refused: Option<&'static str>,
}

impl Store {
    /// Calls `take` with the smallest form of a chunk that is not stored yet.
    pub(super) fn encode(&self, chunk: &Chunk<'_>, take: &mut dyn FnMut(Encoded<'_>) -> Result<Put>) -> Result<Put> {
        thread_local! {
            static ENCODER: RefCell<Encoder> = RefCell::default();
        }
        let plain = chunk.plain;
        let mut best = Best::default();
        let mut features = None;
        if chunk.class == Class::Data && plain.len() >= MIN_DELTA_LEN {
            self.try_earlier(chunk, &mut best)?;
            features = super_features(plain);
            if let Some(features) = &features
                && best.share(plain.len()) < GOOD_SHARE
            {
                self.try_similar(chunk, features, &mut best)?;
            }
        }
        let is_good = best.share(plain.len()) >= GOOD_SHARE;
        let made = if is_good { None } else { self.with_dictionary(chunk, plain.len())? };
        let put = ENCODER.with(|encoder| {
            let mut encoder = encoder.borrow_mut();
            // What is this small already is not made smaller without a base.
            let (own_encoding, own) = if is_good { (Encoding::Raw, plain) } else { encoder.encode(plain, chunk.place) };
            match &best.found {
                // A base must be decoded for ever, so it has to pay.
                Some((encoding, bases)) if best.stored.len() + bases.len() * BASE_COST < own.len() / 10 * 9 => {
                    take(Encoded { encoding: *encoding, bases, stored: &best.stored })
                }
                _ => {
                    if let Some(reason) = best.refused {
                        self.count(reason, plain.len() as u64);
                    }
                    match &made {
                        Some((key, made)) if made.len() + BASE_COST < own.len() => {
                            take(Encoded { encoding: Encoding::Dictionary, bases: &[*key], stored: made })
                        }
                        _ => take(Encoded { encoding: own_encoding, bases: &[], stored: own }),
                    }
                }
            }
        })?;
        if let Some(features) = &features {
            self.similar.insert(features, chunk.id.key());
        }
        Ok(put)
    }

    /// Returns how many bytes `plain` takes as a difference to what `bases` hold; its own length if that is not less, or
    /// one of them cannot be read.
    pub fn difference_len(&self, bases: &[ChunkKey], plain: &[u8]) -> usize {
        self.sound_concat(bases).map_or(plain.len(), |base| difference_len(&base, plain))
    }

    fn try_earlier(&self, chunk: &Chunk<'_>, best: &mut Best) -> Result<()> {
        let Earlier { chunks, main } = chunk.earlier;
        let bases: Vec<ChunkKey> = chunks.iter().map(ChunkId::key).collect();
        let Some(main) = bases.get(main).copied() else { return Ok(()) };
        for bases in self.within_bounds(bases, main, best)? {
            self.try_bases(chunk.plain, bases, best)?;
        }
        Ok(())
    }

    fn try_similar(&self, chunk: &Chunk<'_>, features: &[u64; 3], best: &mut Best) -> Result<()> {
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
            for bases in self.within_bounds(vec![key], key, best)? {
                self.try_bases(chunk.plain, bases, best)?;
            }
        }
        Ok(())
    }

    /// Returns choices of bases that do not make the chain too long: all of `bases`; or else the `main` one, or what that is at
    /// last a difference to, and what all of them are; none if all are too long.
    ///
    /// The main one is nearer, and the others have what it lacks: only trying tells which is smaller.
    pub(super) fn within_bounds(
        &self,
        bases: Vec<ChunkKey>,
        main: ChunkKey,
        best: &mut Best,
    ) -> Result<Vec<Vec<ChunkKey>>> {
        let Some((chain, roots)) = self.chain(&bases)? else {
            best.refuse(BASE_UNREADABLE);
            return Ok(Vec::new());
        };
        if !chain.is_too_long() {
            return Ok(vec![bases]);
        }
        let mut choices = Vec::new();
        if let Some((chain, roots_of_main)) = self.chain(&[main])? {
            choices.push(if chain.is_too_long() { roots_of_main } else { vec![main] });
        }
        if !choices.contains(&roots) {
            choices.push(roots);
        }
        let mut fitting = Vec::new();
        for choice in choices {
            if self.chain(&choice)?.is_some_and(|(chain, _)| !chain.is_too_long()) {
                fitting.push(choice);
            }
        }
        if fitting.is_empty() {
            best.refuse(CHAIN_TOO_LONG);
        }
        Ok(fitting)
    }

    /// Encodes `plain` as a difference to `bases`, and keeps it if it is the smallest so far.
    fn try_bases(&self, plain: &[u8], bases: Vec<ChunkKey>, best: &mut Best) -> Result<()> {
        // A base that cannot be read is no base; whoever reads its own files is told.
        let Ok(base) = self.sound_concat(&bases) else {
            best.refuse(BASE_UNREADABLE);
            return Ok(());
        };
        best.refuse(NOT_SMALLER);
        Differ::with(|differ| {
            if let Some((encoding, stored)) = differ.smallest(&base, plain)
                && (best.found.is_none() || stored.len() < best.stored.len())
            {
                best.keep(encoding, bases, stored);
            }
        });
        Ok(())
    }
}

impl Best {
    /// Returns how many times smaller than the chunk the difference is; 0 without one.
    fn share(&self, plain_len: usize) -> usize {
        match self.found {
            Some(_) => plain_len / self.stored.len().max(1),
            None => 0,
        }
    }

    /// Remembers why a candidate gives no difference; that nothing is smaller counts when nothing else was wrong.
    fn refuse(&mut self, reason: &'static str) {
        if self.refused.is_none_or(|refused| refused == NOT_SMALLER) {
            self.refused = Some(reason);
        }
    }

    fn keep(&mut self, encoding: Encoding, bases: Vec<ChunkKey>, stored: &[u8]) {
        self.found = Some((encoding, bases));
        self.stored.clear();
        self.stored.extend_from_slice(stored);
    }
}
