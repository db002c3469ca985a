//! A stored file that is being changed: its stored bytes, and the ranges that the spool file has instead.
//!
//! So a game of 20 GB can be opened, and four bytes of it changed, at the cost of the blocks around them. The spool file
//! is as long as the file itself and has holes where the stored bytes count.

use crate::manifest::Content;
use rangemap::RangeSet;
use std::ops::Range;

/// Writes take whole blocks of this many bytes into the spool, so that many small ones become few ranges.
const BLOCK_LEN: u64 = 128 << 10;

/// A file whose bytes are partly in the store and partly in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patched {
    /// The stored bytes.
    pub(super) content: Content,
    /// So many of the first stored bytes count: to here the file was cut, or copied, at some time.
    pub(super) kept_len: u64,
    /// Size of the file in bytes.
    pub(super) len: u64,
    /// The ranges that are in the spool file.
    own: RangeSet<u64>,
    /// Sum of their lengths.
    own_len: u64,
    /// There is a spool file; without one, all the bytes are stored ones.
    pub(super) has_file: bool,
}

/// Where the bytes of a part of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the spool file.
    Spool,
    /// In the store.
    Stored,
    /// Nowhere: they are zeros.
    Zero,
}

/// A range of a file whose bytes are in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) range: Range<u64>,
    pub(super) place: Place,
}

impl Patched {
    /// Starts with the first `len` of the stored bytes.
    pub(super) fn new(content: Content, len: u64) -> Patched {
        Patched { content, kept_len: len, len, own: RangeSet::new(), own_len: 0, has_file: false }
    }

    /// Returns the parts that make up `range` as far as the file goes, in order.
    pub(super) fn parts(&self, range: Range<u64>) -> Vec<Part> {
        let range = range.start..range.end.min(self.len);
        let mut parts = Vec::new();
        let mut at = range.start;
        let mut add = |range: Range<u64>, place| {
            if !range.is_empty() {
                parts.push(Part { range, place });
            }
        };
        for own in self.own.overlapping(&range) {
            let own = own.start.max(at)..own.end.min(range.end);
            self.add_unowned(at..own.start, &mut add);
            at = own.end;
            add(own, Place::Spool);
        }
        self.add_unowned(at..range.end, &mut add);
        parts
    }

    fn add_unowned(&self, range: Range<u64>, add: &mut impl FnMut(Range<u64>, Place)) {
        let stored_end = self.kept_len.clamp(range.start, range.end.max(range.start));
        add(range.start..stored_end, Place::Stored);
        add(stored_end..range.end, Place::Zero);
    }

    /// Returns the range that a write of `range` takes into the spool: whole blocks, as far as the file goes.
    pub(super) fn blocks_around(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start / BLOCK_LEN * BLOCK_LEN;
        let end = range.end.checked_next_multiple_of(BLOCK_LEN).unwrap_or(range.end);
        start..end.min(self.len.max(range.end))
    }

    /// Tells whether all of `range` is in the spool.
    pub(super) fn owns(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.own.gaps(range).next().is_none()
    }

    /// Takes note that `range` is in the spool, which may extend the file.
    pub(super) fn own(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        self.own_len += self.own.gaps(&range).map(|gap| gap.end - gap.start).sum::<u64>();
        self.len = self.len.max(range.end);
        self.own.insert(range);
    }

    /// Returns the ranges that are in the spool.
    pub(super) fn owned(&self) -> impl Iterator<Item = &Range<u64>> {
        self.own.iter()
    }

    /// Returns how many bytes are in the spool.
    pub(super) fn own_len(&self) -> u64 {
        self.own_len
    }

    /// Makes the file no longer than `len`: what is stored behind it never counts again.
    pub(super) fn cut(&mut self, len: u64) {
        self.kept_len = self.kept_len.min(len);
        self.len = self.len.min(len);
        if len < u64::MAX {
            let behind = len..u64::MAX;
            let cut_off = self.own.overlapping(&behind).map(|own| own.end - own.start.max(len));
            self.own_len -= cut_off.sum::<u64>();
            self.own.remove(behind);
        }
    }

    /// Tells whether the file is just the first `len` stored bytes.
    pub(super) fn is_start(&self, len: u64) -> bool {
        !self.has_file && self.kept_len == len && self.len == len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ChunkId;
    use crate::manifest::ContentRoot;

    fn patched(len: u64) -> Patched {
        Patched::new(Content { size: len, root: ContentRoot::Chunk(ChunkId::of(b"x")) }, len)
    }

    fn places(patched: &Patched, range: Range<u64>) -> Vec<(Range<u64>, Place)> {
        patched.parts(range).into_iter().map(|part| (part.range, part.place)).collect()
    }

    #[test]
    fn parts_cover_the_file_in_order() {
        let mut file = patched(100);
        file.own(10..20);
        file.own(90..100);
        assert_eq!(file.own_len(), 20);
        file.len = 130;
        let expected = [
            (5..10, Place::Stored),
            (10..20, Place::Spool),
            (20..90, Place::Stored),
            (90..100, Place::Spool),
            (100..130, Place::Zero),
        ];
        assert_eq!(places(&file, 5..500), expected);
        assert_eq!(places(&file, 12..15), [(12..15, Place::Spool)]);
        assert_eq!(places(&file, 500..600), []);
    }

    #[test]
    fn what_was_cut_off_is_zeros_when_the_file_grows_again() {
        let mut file = patched(100);
        file.own(40..80);
        file.cut(50);
        assert_eq!(file.own_len(), 10);
        file.len = 120;
        assert_eq!(places(&file, 0..120), [(0..40, Place::Stored), (40..50, Place::Spool), (50..120, Place::Zero)]);
    }

    #[test]
    fn writes_take_blocks_but_not_past_the_end() {
        let file = patched(3 * BLOCK_LEN + 10);
        assert_eq!(file.blocks_around(&(BLOCK_LEN + 5..BLOCK_LEN + 6)), BLOCK_LEN..2 * BLOCK_LEN);
        assert_eq!(file.blocks_around(&(3 * BLOCK_LEN + 1..3 * BLOCK_LEN + 2)), 3 * BLOCK_LEN..3 * BLOCK_LEN + 10);
        assert_eq!(file.blocks_around(&(9 * BLOCK_LEN + 1..9 * BLOCK_LEN + 2)), 9 * BLOCK_LEN..9 * BLOCK_LEN + 2);
    }
}
