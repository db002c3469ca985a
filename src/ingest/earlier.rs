//! What stood at the same place in the earlier version of a file: the best bases for its new chunks.
//!
//! Chunks that both versions have show how far the bytes between them have moved. Where there are none, *anchors* do:
//! places that content picks, which both versions have in common wherever their bytes are.

use crate::content::Reader;
use crate::error::Result;
use crate::id::ChunkId;
use crate::lens::ReadAt;
use crate::manifest::Content;
use std::collections::HashMap;
use std::ops::Range;

/// Chunks of the earlier version that are known by their ids: those of the first 10 GB or so.
const MAX_KNOWN_CHUNKS: usize = 1 << 17;

/// The most chunks around a place; more cost more to decode than they save.
const MAX_AROUND: usize = 3;

/// How far bytes are looked for from where they should be.
const REACH: u64 = 512 << 10;

/// Anchors that must agree on where bytes were, at least, and as a part of all; fewer agree by chance where content
/// repeats. So many are enough in any case.
const MIN_VOTES: u32 = 2;
const MIN_VOTE_SHARE: u32 = 6;
const ENOUGH_VOTES: u32 = 16;

/// Bits that are zero at an anchor: one in 512 places is one.
const ANCHOR_BITS: u32 = 9;

/// Bytes that an anchor depends on.
const ANCHOR_LEN: usize = 64;

/// Anchors of the earlier version that are kept.
const MAX_ANCHORS: usize = 1 << 17;

/// The version of a file that a vault has already.
#[derive(Clone, Copy)]
pub struct EarlierVersion<'a> {
    /// Reads it.
    pub reader: &'a Reader,
    /// What it is.
    pub content: Content,
}

impl ReadAt for EarlierVersion<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.reader.read_at(&self.content, offset, buf)
    }
}

/// Bytes in which places are looked for.
pub(super) trait Text {
    fn len(&self) -> u64;

    /// Reads up to `buf.len()` bytes at `offset`; less only at the end.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;
}

impl Text for EarlierVersion<'_> {
    fn len(&self) -> u64 {
        self.content.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.reader.read_closed_at(&self.content, offset, buf)
    }
}

/// The chunks of the earlier version around the place of one new chunk, in their order.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The chunks.
    pub chunks: Vec<ChunkId>,
    /// The one that has most of the place.
    pub main: usize,
}

/// One chunk of the new version.
pub struct NewChunk<'a> {
    /// Where it starts in the file.
    pub offset: u64,
    /// Its bytes.
    pub plain: &'a [u8],
    /// Their hash.
    pub id: ChunkId,
    /// How much further on it was, where that is known.
    pub shift: Option<i64>,
}

/// Finds the places of new chunks in the earlier version; takes them in order.
pub struct Aligner<'a> {
    version: EarlierVersion<'a>,
    known: HashMap<ChunkId, u64>,
    /// Where bytes were, less where they are.
    shift: i64,
    anchors: Anchors,
}

impl<'a> Aligner<'a> {
    /// Looks at the chunks of the earlier version.
    ///
    /// # Errors
    /// `Corrupt` if the lists of the earlier version cannot be read.
    pub fn new(version: EarlierVersion<'a>) -> Result<Aligner<'a>> {
        let mut known = HashMap::new();
        let mut offset = 0;
        while known.len() < MAX_KNOWN_CHUNKS
            && let Some(extent) = version.reader.extent_at(&version.content, offset)?
        {
            if let Some(id) = extent.id {
                known.entry(id).or_insert(extent.offset);
            }
            offset = extent.end();
        }
        Ok(Aligner { version, known, shift: 0, anchors: Anchors::default() })
    }

    /// Returns what was around the place of each of `chunks`, which follow one another; nothing for those that the earlier
    /// version has, too.
    ///
    /// # Errors
    /// `Corrupt` if the earlier version cannot be read.
    pub fn align(&mut self, chunks: &[NewChunk<'_>]) -> Result<Vec<Around>> {
        let mut all = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            self.shift = chunk.shift.unwrap_or(self.shift);
            if let Some(&was) = self.known.get(&chunk.id) {
                // A chunk that stands in many places says nothing about where the others are.
                let stays = self.version.reader.extent_at(&self.version.content, was_at(chunk.offset, self.shift))?;
                if stays.is_none_or(|extent| extent.id != Some(chunk.id)) {
                    self.shift = was as i64 - chunk.offset as i64;
                }
                all.push(Around::default());
                continue;
            }
            if let Some(shift) = self.anchors.shift_of(&self.version, chunk.plain, chunk.offset, self.shift)? {
                self.shift = shift;
            }
            all.push(self.around(chunk.offset, chunk.plain.len() as u64)?);
        }
        Ok(all)
    }

    fn around(&self, offset: u64, len: u64) -> Result<Around> {
        let start = was_at(offset, self.shift);
        let end = (offset as i64 + len as i64 + self.shift).max(0) as u64;
        let mut found = Vec::new();
        self.version.reader.for_each_extent(&self.version.content, start, end - start, &mut |extent| {
            let overlap = extent.end().min(end) - extent.offset.max(start);
            if let Some(id) = extent.id {
                found.push((id, overlap));
            }
            Ok(())
        })?;
        // A base of which little is needed costs as much to decode as any other.
        let is_little = |overlap: u64| overlap < len / 16;
        while found.len() > 1 {
            let (first, last) = (found[0].1, found[found.len() - 1].1);
            match found.len() > MAX_AROUND || is_little(first.min(last)) {
                true if first < last => drop(found.remove(0)),
                true => drop(found.pop()),
                false => break,
            }
        }
        let main = (0..found.len()).max_by_key(|&index| found[index].1).unwrap_or(0);
        Ok(Around { chunks: found.into_iter().map(|(id, _)| id).collect(), main })
    }
}

fn was_at(offset: u64, shift: i64) -> u64 {
    (offset as i64 + shift).max(0) as u64
}

/// The anchors of a part of a text.
#[derive(Default)]
pub(super) struct Anchors {
    places: HashMap<u64, u64>,
    range: Range<u64>,
}

impl Anchors {
    /// Returns how much further on most of the bytes `plain`, which are at `offset`, stand in `text`; `shift` is where
    /// they should be. `None` if nothing of them is found.
    pub(super) fn shift_of(&mut self, text: &dyn Text, plain: &[u8], offset: u64, shift: i64) -> Result<Option<i64>> {
        let start = was_at(offset, shift);
        self.cover(text, start.saturating_sub(REACH)..start.saturating_add(plain.len() as u64 + REACH))?;
        let mut votes: HashMap<i64, u32> = HashMap::new();
        let mut own = 0;
        for (at, hash) in anchors_of(plain) {
            own += 1;
            if let Some(&was) = self.places.get(&hash) {
                *votes.entry(was as i64 - (offset + at as u64) as i64).or_default() += 1;
            }
        }
        // Among equals the one that has changed least.
        let best = votes.into_iter().max_by_key(|(found, count)| (*count, -(found - shift).abs()));
        let is_sure = |count: u32| count >= ENOUGH_VOTES || (count >= MIN_VOTES && count * MIN_VOTE_SHARE >= own);
        Ok(best.filter(|(_, count)| is_sure(*count)).map(|(shift, _)| shift))
    }

    /// Reads on until all of `wanted` is known, as far as the text goes.
    fn cover(&mut self, text: &dyn Text, wanted: Range<u64>) -> Result<()> {
        let end = wanted.end.min(text.len());
        if wanted.start < self.range.start || wanted.start > self.range.end {
            self.places.clear();
            self.range = wanted.start..wanted.start;
        }
        let mut buf = vec![0; REACH as usize];
        while self.range.end < end {
            // Anchors near the start of a piece depend on bytes before it.
            let from = self.range.end.saturating_sub(ANCHOR_LEN as u64);
            let len = text.read_at(from, &mut buf)?;
            for (at, hash) in anchors_of(&buf[..len]) {
                self.places.insert(hash, from + at as u64);
            }
            self.range.end = from + len as u64;
            if len < buf.len() {
                break;
            }
        }
        if self.places.len() > MAX_ANCHORS {
            self.places.retain(|_, at| *at >= wanted.start);
            self.range.start = wanted.start;
        }
        Ok(())
    }
}

/// Returns the anchors in `bytes` and where they end.
fn anchors_of(bytes: &[u8]) -> impl Iterator<Item = (usize, u64)> {
    let mut hash = 0u64;
    bytes.iter().enumerate().filter_map(move |(at, &byte)| {
        hash = (hash << 1).wrapping_add(GEAR[usize::from(byte)]);
        (at >= ANCHOR_LEN && hash >> (u64::BITS - ANCHOR_BITS) == 0).then_some((at, hash))
    })
}

/// A random number for each byte (splitmix64 from 1).
const GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut state = 1u64;
    let mut index = 0;
    while index < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[index] = mixed ^ (mixed >> 31);
        index += 1;
    }
    table
};
