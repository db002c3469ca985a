//! What one process has read first, by content: paths are found when it is over, by a walk through the build.
//!
//! Only pieces that it had not read before are told apart, in a table of bounded size that is gone after a minute.

use crate::id::ChunkKey;
use crate::manifest::{MAX_START_FILES, MAX_START_PIECES, PieceRun, Start};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// A start in the making.
#[derive(Default)]
pub(super) struct Recording {
    /// The contents of the files, in the order of their first reads, and where each stands in it.
    files: Vec<ChunkKey>,
    index_of: HashMap<ChunkKey, u32>,
    /// Files and pieces that were read.
    seen: HashSet<(u32, u32)>,
    runs: Vec<PieceRun>,
}

impl Recording {
    /// Tells whether the file was read before.
    pub(super) fn knows(&self, file: ChunkKey) -> bool {
        self.index_of.contains_key(&file)
    }

    /// Tells whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.files.len() >= MAX_START_FILES || self.seen.len() >= MAX_START_PIECES
    }

    /// Returns how many pieces were read.
    pub(super) fn piece_count(&self) -> usize {
        self.seen.len()
    }

    /// Returns the contents that were read.
    pub(super) fn files(&self) -> HashSet<ChunkKey> {
        self.files.iter().copied().collect()
    }

    /// Takes note of a read; returns which of its pieces are new.
    pub(super) fn add(&mut self, file: ChunkKey, pieces: Range<u32>) -> Vec<u32> {
        let mut new = Vec::new();
        for piece in pieces {
            if self.is_full() {
                break;
            }
            let index = *self.index_of.entry(file).or_insert_with(|| {
                self.files.push(file);
                self.files.len() as u32 - 1
            });
            if !self.seen.insert((index, piece)) {
                continue;
            }
            new.push(piece);
            match self.runs.last_mut().filter(|run| run.file == index && run.first + run.count == piece) {
                Some(run) => run.count += 1,
                None => self.runs.push(PieceRun { file: index, first: piece, count: 1 }),
            }
        }
        new
    }

    /// Returns what was read as paths; what has none is left out.
    pub(super) fn start(&self, paths: &HashMap<ChunkKey, Box<[u8]>>) -> Start {
        let mut start = Start::default();
        let mut index_of = vec![None; self.files.len()];
        for (file, index) in self.files.iter().zip(&mut index_of) {
            if let Some(path) = paths.get(file) {
                *index = Some(start.files.len() as u32);
                start.files.push(path.clone());
            }
        }
        let of_path = |run: &PieceRun| Some(PieceRun { file: index_of[run.file as usize]?, ..*run });
        start.runs = self.runs.iter().filter_map(of_path).collect();
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ChunkId;

    fn key(name: &str) -> ChunkKey {
        ChunkId::of(name.as_bytes()).key()
    }

    #[test]
    fn reads_are_told_once_in_their_order() {
        let mut recording = Recording::default();
        assert_eq!(recording.add(key("a"), 0..4), [0, 1, 2, 3]);
        assert_eq!(recording.add(key("a"), 2..6), [4, 5]);
        assert_eq!(recording.add(key("b"), 7..8), [7]);
        assert_eq!(recording.add(key("elsewhere"), 0..1), [0]);
        assert_eq!(recording.add(key("a"), 0..9), [6, 7, 8]);
        assert!(recording.add(key("b"), 7..8).is_empty() && recording.knows(key("b")) && !recording.knows(key("c")));
        let paths = HashMap::from([(key("a"), b"x/a".as_slice().into()), (key("b"), b"b".as_slice().into())]);
        let start = recording.start(&paths);
        assert_eq!(start.files, [Box::from(b"x/a".as_slice()), Box::from(b"b".as_slice())]);
        let runs: Vec<_> = start.runs.iter().map(|run| (run.file, run.first, run.count)).collect();
        assert_eq!(runs, [(0, 0, 6), (1, 7, 1), (0, 6, 3)]);
        assert_eq!((start.piece_count(), recording.piece_count()), (10, 11));
    }

    #[test]
    fn a_recording_is_bounded() {
        let mut recording = Recording::default();
        let before = MAX_START_PIECES as u32 - 2;
        assert_eq!(recording.add(key("large"), 0..before).len(), before as usize);
        assert_eq!(recording.add(key("large"), 0..u32::MAX).len(), 2);
        assert!(recording.is_full() && recording.add(key("other"), 0..1).is_empty() && !recording.knows(key("other")));
        let mut recording = Recording::default();
        (0..2 * MAX_START_FILES).for_each(|n| drop(recording.add(key(&n.to_string()), 0..1)));
        assert_eq!(recording.files().len(), MAX_START_FILES);
    }
}
