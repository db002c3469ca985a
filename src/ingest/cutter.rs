//! Where a file is cut: at the seams of a container, and between them where the content says.
//!
//! Every entry of some length is cut as if it were a file, so that it is the same chunks wherever in whatever container it
//! stands, and loose. Shorter ones are put together with their headers, in groups that end where the hash of a name says:
//! entries that move, come or go change their own group and no other. The blocks of a bundle are grouped in the same way,
//! so that a chunk is a run of whole ones. A file that is no container is one stretch.

use crate::lens::{Coding, Part};
use fastcdc::v2020::{FastCDC, Normalization};

/// Lengths of chunks. Smaller ones find more repeats between builds, larger ones cost less index and decode faster.
pub(super) const MIN_CHUNK_LEN: usize = 16 << 10;
const AVERAGE_CHUNK_LEN: usize = 64 << 10;
pub(super) const MAX_CHUNK_LEN: usize = 256 << 10;

/// Bytes from which on an entry, or what lies between two, is cut by itself: shorter ones would be chunks that cost more
/// to list than they save.
pub(super) const ALONE_LEN: u64 = 4 << 10;

/// Where a file is cut whatever its content says.
#[derive(Default)]
pub(super) struct Cutter {
    /// Side by side from the start of the file; what follows the last is a stretch to be cut by content.
    stretches: Vec<Stretch>,
    /// The stretch where the last cut was.
    current: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    end: u64,
    /// It is one chunk, and not cut by content.
    is_chunk: bool,
}

impl Cutter {
    /// Cuts a container of `len` bytes at `parts`.
    pub(super) fn new(parts: &[Part], len: u64) -> Cutter {
        Cutter { stretches: stretches(parts, len), current: 0 }
    }

    /// Returns where the stretches that are one chunk each end.
    pub(super) fn chunk_ends(&self) -> impl Iterator<Item = u64> {
        self.stretches.iter().filter(|stretch| stretch.is_chunk).map(|stretch| stretch.end)
    }

    /// Returns where the chunks of `segment` end, which stands at `start` in the file. What follows the last end waits for
    /// more bytes, unless the segment `is_last`.
    ///
    /// Asked for segments from the start of the file to its end.
    pub(super) fn cut(&mut self, segment: &[u8], start: u64, is_last: bool) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < segment.len() {
            let offset = start + at as u64;
            while self.stretches.get(self.current).is_some_and(|stretch| stretch.end <= offset) {
                self.current += 1;
            }
            let stretch = self.stretches.get(self.current).copied();
            let Stretch { end, is_chunk } = stretch.unwrap_or(Stretch { end: u64::MAX, is_chunk: false });
            let piece = &segment[at..];
            let piece = &piece[..piece.len().min((end - offset).try_into().unwrap_or(usize::MAX))];
            let is_whole = is_last || offset + piece.len() as u64 == end;
            match is_chunk {
                true if is_whole => ends.push(at + piece.len()),
                true => {}
                false => ends.extend(cut_by_content(piece, is_whole).map(|end| at + end)),
            }
            at += piece.len();
        }
        ends
    }
}

/// Returns where the chunks of `piece` end; the last one is left out unless the piece `is_whole`.
fn cut_by_content(piece: &[u8], is_whole: bool) -> impl Iterator<Item = usize> {
    let cutter = FastCDC::with_level(piece, MIN_CHUNK_LEN, AVERAGE_CHUNK_LEN, MAX_CHUNK_LEN, Normalization::Level2);
    // The last chunk of a piece that goes on ends where the piece does, not where its content says.
    let len = piece.len();
    cutter.map(|chunk| chunk.offset + chunk.length).filter(move |&end| is_whole || end < len)
}

/// Returns the stretches of a container of `len` bytes.
fn stretches(parts: &[Part], len: u64) -> Vec<Stretch> {
    let mut grouping = Grouping::default();
    for part in parts {
        grouping.between(part.offset);
        grouping.part(part);
    }
    grouping.between(len);
    grouping.end_group();
    grouping.stretches
}

/// Puts together what is short.
#[derive(Default)]
struct Grouping {
    stretches: Vec<Stretch>,
    /// Where what was looked at ends; from the last stretch to there is a group that is not ended yet.
    at: u64,
    /// The group is a run of blocks: nothing else joins it, so that it can be opened by itself.
    is_run: bool,
}

impl Grouping {
    fn start(&self) -> u64 {
        self.stretches.last().map_or(0, |stretch| stretch.end)
    }

    fn end_group(&mut self) {
        if self.at > self.start() {
            self.stretches.push(Stretch { end: self.at, is_chunk: true });
        }
    }

    /// Ends the group, and lets the bytes up to `end` be cut by content.
    fn alone(&mut self, end: u64) {
        self.end_group();
        self.at = end;
        self.stretches.push(Stretch { end, is_chunk: false });
    }

    /// Takes what lies before the next part: a header stays with its entry, if that is short.
    fn between(&mut self, end: u64) {
        self.be_run(self.is_run && end == self.at);
        if end - self.at >= ALONE_LEN {
            self.alone(end);
        } else {
            self.grow(end);
        }
    }

    /// Ends the group if it is a run of blocks and the next thing is none, or the other way round.
    fn be_run(&mut self, is_run: bool) {
        if self.is_run != is_run {
            self.end_group();
            self.is_run = is_run;
        }
    }

    fn part(&mut self, part: &Part) {
        let end = part.offset + part.len;
        let is_block = matches!(part.coding, Coding::Lz4 { .. });
        self.be_run(is_block);
        let is_alone = if is_block { part.len > MAX_CHUNK_LEN as u64 } else { part.len >= ALONE_LEN };
        if is_alone {
            self.alone(end);
            return self.join_blocks(part);
        }
        self.grow(end);
        let is_large_enough = self.at - self.start() >= MIN_CHUNK_LEN as u64;
        if is_large_enough && ends_a_group(part) {
            self.end_group();
        }
    }

    /// Makes a block that is as it was one stretch with the one before it: in a bundle that is not compressed they end
    /// after so many bytes each, whatever these say.
    fn join_blocks(&mut self, part: &Part) {
        if let [.., before, block] = &self.stretches[..]
            && part.name.is_empty()
            && before.end == part.offset
            && !before.is_chunk
        {
            let end = block.end;
            self.stretches.pop();
            self.stretches.last_mut().expect("there were two").end = end;
        }
    }

    fn grow(&mut self, end: u64) {
        if end - self.start() > MAX_CHUNK_LEN as u64 {
            self.end_group();
        }
        self.at = end;
    }
}

/// Tells whether a group ends behind `part`, so that groups come to the average length of chunks.
fn ends_a_group(part: &Part) -> bool {
    let hash = match part.coding {
        // Blocks have no names; how well one was compressed says enough about its content.
        Coding::Lz4 { .. } => blake3::hash(&part.len.to_le_bytes()),
        _ => blake3::hash(&part.name),
    };
    let [low, high, ..] = *hash.as_bytes();
    let share = u64::from(u16::from_le_bytes([low, high]));
    share * (AVERAGE_CHUNK_LEN as u64) < part.len << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, offset: u64, len: u64, coding: Coding) -> Part {
        Part { name: name.as_bytes().into(), offset, len, coding }
    }

    /// Returns where the stretches end, and whether each is one chunk.
    fn ends(parts: &[Part], len: u64) -> Vec<(u64, bool)> {
        stretches(parts, len).iter().map(|stretch| (stretch.end, stretch.is_chunk)).collect()
    }

    #[test]
    fn long_entries_are_cut_by_themselves() {
        let parts =
            [part("a", 50, 100_000, Coding::Stored), part("b", 100_100, 9_000, Coding::Deflate { plain_len: 1 })];
        let found = ends(&parts, 120_000);
        assert_eq!(found, [(50, true), (100_050, false), (100_100, true), (109_100, false), (120_000, false)]);
    }

    /// Ten thousand entries of 300 bytes once were twenty thousand chunks.
    #[test]
    fn short_entries_are_grouped_and_groups_stay_when_others_move() {
        let entry = |index: u64| part(&format!("{index}.txt"), 0, 300, Coding::Stored);
        let lay = |order: &[u64]| {
            let mut parts: Vec<Part> = order.iter().map(|&index| entry(index)).collect();
            for (place, part) in parts.iter_mut().enumerate() {
                part.offset = place as u64 * 350 + 50;
            }
            let len = parts.len() as u64 * 350;
            stretches(&parts, len).into_iter().map(|stretch| (len - stretch.end, stretch.is_chunk)).collect::<Vec<_>>()
        };
        let order: Vec<u64> = (0..10_000).collect();
        let groups = lay(&order);
        assert!((20..200).contains(&groups.len()) && groups.iter().all(|(_, is_chunk)| *is_chunk), "{}", groups.len());
        // One more entry at the start: but for the first groups, all end at the same place from the end.
        let shifted = lay(&[&[77_777][..], &order].concat());
        let same = groups.iter().filter(|group| shifted.contains(group)).count();
        assert!(same * 10 >= groups.len() * 8, "{same} of {} groups are the same", groups.len());
    }

    #[test]
    fn blocks_are_cut_in_runs_of_whole_ones() {
        let blocks: Vec<Part> =
            (0..300).map(|index| part("", 100 + index * 40_000, 40_000, Coding::Lz4 { plain_len: 1 << 17 })).collect();
        let found = ends(&blocks, 100 + 300 * 40_000);
        let mut start = 0;
        for (end, is_chunk) in found {
            assert!(is_chunk && (end - 100) % 40_000 == 0 && end - start <= MAX_CHUNK_LEN as u64);
            start = end;
        }
        assert_eq!(start, 100 + 300 * 40_000);
    }

    /// Blocks of 128 KiB of a bundle that is not compressed: a byte put in would move what is in every one behind it.
    #[test]
    fn plain_blocks_are_one_stretch() {
        let blocks: Vec<Part> = (0..9).map(|index| part("", 100 + (index << 17), 1 << 17, Coding::Stored)).collect();
        assert_eq!(ends(&blocks, 100 + (9 << 17)), [(100, true), (100 + (9 << 17), false)]);
    }

    #[test]
    fn cuts_do_not_depend_on_segments() {
        let mut state = 1u64;
        let bytes: Vec<u8> = (0..3_000_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 57) as u8
            })
            .collect();
        let cut = |bytes: &[u8], is_last| Cutter::default().cut(bytes, 0, is_last);
        let whole = cut(&bytes, true);
        let (mut parts, mut start) = (Vec::new(), 0);
        while start < bytes.len() {
            let end = (start + 700_000).min(bytes.len());
            let ends = cut(&bytes[start..end], end == bytes.len());
            parts.extend(ends.iter().map(|&at| start + at));
            start += ends.last().expect("a segment has several chunks");
        }
        assert_eq!(parts, whole);
        assert!(whole.windows(2).all(|pair| pair[1] - pair[0] <= MAX_CHUNK_LEN));
    }
}
