//! Chunks that are stored anew in a smaller form, when there is time for it.
//!
//! What a chunk is stored as a difference to stays as it is, but for chunks that nothing is stored as a difference to:
//! they may get a base. So as long as bases are only taken from chunks that get none themselves, no chain leads back to
//! its start, and none grows but by what [`MAX_IDLE_DEPTH`] allows.

use super::encode::{BASE_COST, Best, Differ, Encoded, MAX_SIMILAR};
use super::opened::own_form;
use super::pack::{EntryKind, PackEntry};
use super::{Class, MAX_DEPTH, Store};
use crate::catalogue::ChunkPlace;
use crate::codec::features::super_features;
use crate::codec::opened::{self, Hint, Opener};
use crate::codec::{Encoder, Encoding};
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};

/// The longest chain that a chunk gets when it is stored anew. Another process may store a difference to it meanwhile
/// that counts on a shorter one; with half of what is allowed the two together are still read.
const MAX_IDLE_DEPTH: usize = MAX_DEPTH / 2;

/// A form that saves less than one part in so many is not worth moving the chunk.
const MIN_GAIN_SHARE: usize = 33;

/// How much time is spent on a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// zstd level 9.
    Idle,
    /// zstd level 19: some ten times slower for another few percent.
    Squeeze,
}

impl Effort {
    fn level(self) -> i32 {
        match self {
            Effort::Idle => 9,
            Effort::Squeeze => 19,
        }
    }
}

/// A chunk that may be stored anew.
pub struct Candidate<'a> {
    /// The hash of `plain`.
    pub id: ChunkId,
    /// The bytes.
    pub plain: &'a [u8],
    /// Where it is.
    pub place: &'a ChunkPlace,
    /// Its own form is tried at the higher level.
    pub tries_own: bool,
    /// The chunks that it may become a difference to; empty when others are differences to it.
    pub bases: &'a [ChunkId],
    /// The index of the one of them that has most of its place.
    pub main: usize,
    /// What the chunk is a whole stream or run of, when it is worth opening.
    pub opener: Option<Opener<'a>>,
    /// Tells which similar chunks may be its base; `None` when others are differences to it.
    pub may_be_base: Option<&'a dyn Fn(ChunkKey) -> bool>,
}

/// In what a chunk gained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// It stands for itself as before, at a higher level.
    Own,
    /// It is a difference to the same chunks as before, at a higher level.
    Finer,
    /// It has become a difference to others.
    Difference,
    /// What it says is stored instead of how it says it.
    Opened,
}

/// Looks for smaller forms; keeps its working memory, so one serves a thread for all its chunks.
pub struct Recoder {
    encoder: Encoder,
    differ: Differ,
    best: Option<(Gain, Encoding, Vec<ChunkKey>)>,
    stored: Vec<u8>,
    /// How the last run of blocks was written.
    hint: Hint,
}

impl Recoder {
    /// Returns one that spends so much.
    pub fn new(effort: Effort) -> Recoder {
        let level = effort.level();
        Recoder {
            encoder: Encoder::new(level),
            differ: Differ::new(level),
            best: None,
            stored: Vec::new(),
            hint: Hint::default(),
        }
    }

    /// Opens the chunk if that is smaller than `limit`; returns the new limit.
    fn try_opening(&mut self, candidate: &Candidate<'_>, limit: usize) -> usize {
        let Some(opener) = candidate.opener else { return limit };
        let Ok(pieces) = opened::open(opener, candidate.plain, &mut self.hint) else { return limit };
        let [piece] = &pieces[..] else { return limit };
        // It has to be made again by whoever reads it, so it has to pay.
        let most = limit / 10 * 9;
        let stored = own_form(piece, &mut self.encoder);
        if piece.stored != (0..candidate.plain.len()) || stored.len() >= most {
            return limit;
        }
        self.stored = stored;
        self.best = Some((Gain::Opened, Encoding::Opened, Vec::new()));
        self.stored.len()
    }

    /// Takes the difference of `plain` to `base` if it is smaller than `limit`; returns the new limit.
    fn try_base(&mut self, base: &[u8], keys: Vec<ChunkKey>, plain: &[u8], gain: Gain, limit: usize) -> usize {
        let cost = keys.len() * BASE_COST;
        match self.differ.smallest(base, plain) {
            Some((encoding, stored)) if stored.len() + cost < limit => {
                self.stored.clear();
                self.stored.extend_from_slice(stored);
                self.best = Some((gain, encoding, keys));
                self.stored.len() + cost
            }
            _ => limit,
        }
    }
}

impl Store {
    /// Looks for a form of a chunk, which must not be opened, that is smaller by a few percent; returns what is gained, and
    /// how many bytes.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn find_smaller(&self, candidate: &Candidate<'_>, recoder: &mut Recoder) -> Result<Option<(Gain, u64)>> {
        let Candidate { plain, place, .. } = candidate;
        recoder.best = None;
        let was = place.stored_len as usize + place.bases.len() * BASE_COST;
        let mut limit = was - was / MIN_GAIN_SHARE;
        if !place.bases.is_empty() {
            // A base that cannot be read is told of by whoever reads the file.
            if let Ok(base) = self.concat(&place.bases, &mut super::decode::Reach::WHOLE.clone()) {
                limit = recoder.try_base(&base, place.bases.to_vec(), plain, Gain::Finer, limit);
            }
        } else if candidate.tries_own {
            let (encoding, stored) = recoder.encoder.encode(plain, None);
            if stored.len() < limit {
                limit = stored.len();
                recoder.stored.clear();
                recoder.stored.extend_from_slice(stored);
                recoder.best = Some((Gain::Own, encoding, Vec::new()));
            }
        }
        limit = self.try_new_bases(candidate, recoder, limit)?;
        limit = recoder.try_opening(candidate, limit);
        Ok(recoder.best.as_ref().map(|(gain, ..)| (*gain, (was - limit) as u64)))
    }

    fn try_new_bases(&self, candidate: &Candidate<'_>, recoder: &mut Recoder, mut limit: usize) -> Result<usize> {
        let Some(may_be_base) = candidate.may_be_base else { return Ok(limit) };
        let around: Vec<ChunkKey> = candidate.bases.iter().map(ChunkId::key).collect();
        let mut choices = Vec::new();
        if let Some(&main) = around.get(candidate.main) {
            choices.push((around.clone(), main));
        }
        if let Some(features) = super_features(candidate.plain) {
            let similar = self.similar.find(&features);
            for start in similar.into_iter().take(MAX_SIMILAR) {
                let found = self.catalogue.chunk_like(start)?.filter(|key| !around.contains(key));
                choices.extend(found.map(|key| (vec![key], key)));
            }
        }
        let mut fitting = Vec::new();
        for (bases, main) in choices {
            fitting.extend(self.within_bounds(bases, main, &mut Best::default())?);
        }
        for bases in fitting {
            let is_short = self.chain(&bases)?.is_some_and(|(chain, _)| chain.depth <= MAX_IDLE_DEPTH);
            let is_new = *bases != *candidate.place.bases;
            if !is_short || !is_new || !bases.iter().all(|&key| may_be_base(key)) {
                continue;
            }
            if let Ok(base) = self.concat(&bases, &mut super::decode::Reach::WHOLE.clone()) {
                // As at ingest: a base must be decoded for ever, so the first one has to pay.
                let most = if candidate.place.bases.is_empty() { limit / 10 * 9 } else { limit };
                let len = recoder.try_base(&base, bases, candidate.plain, Gain::Difference, most);
                limit = if len < most { len } else { limit };
            }
        }
        Ok(limit)
    }

    /// Stores a chunk in the form that [`Store::find_smaller`] has found, which becomes its place when it is sealed.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk: then the chunk stays where it is.
    pub fn put_found(&self, candidate: &Candidate<'_>, recoder: &Recoder) -> Result<()> {
        let (_, encoding, bases) = recoder.best.as_ref().expect("a smaller form was found");
        let encoded = Encoded { encoding: *encoding, bases, stored: &recoder.stored };
        self.append_anew(candidate.id, candidate.place.plain_len, &encoded)
    }

    /// Stores a chunk anew as it is stored at `place`, so that its pack can be removed.
    ///
    /// # Errors
    /// Those of reading it, and as [`Store::put_found`].
    pub fn put_moved(&self, id: ChunkId, place: ChunkPlace) -> Result<()> {
        let plain_len = place.plain_len;
        let stored = self.reader.read(place)?;
        let encoded = Encoded { encoding: stored.encoding, bases: &stored.bases, stored: &stored.bytes };
        self.append_anew(id, plain_len, &encoded)
    }

    /// Stores a chunk anew by itself, in place of where it is damaged.
    ///
    /// # Errors
    /// As [`Store::put_found`].
    pub fn put_again(&self, id: ChunkId, plain: &[u8]) -> Result<()> {
        let mut encoder = Encoder::default();
        let (encoding, stored) = encoder.encode(plain, None);
        self.append_anew(id, plain.len() as u32, &Encoded { encoding, bases: &[], stored })
    }

    /// Syncs what has been stored anew, without sealing its pack: so little is left to do when it is sealed.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk.
    pub fn sync_anew(&self) -> Result<()> {
        self.writer.sync_anew()
    }

    fn append_anew(&self, id: ChunkId, plain_len: u32, encoded: &Encoded<'_>) -> Result<()> {
        let entry = PackEntry {
            kind: EntryKind::Anew,
            encoding: encoded.encoding,
            offset: 0,
            stored_len: encoded.stored.len() as u32,
            plain_len,
            id,
            bases: encoded.bases.into(),
        };
        self.writer.append(entry, encoded.stored, Class::Data).map(drop)
    }
}
