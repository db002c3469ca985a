//! What a program read first of a build, in its order: files by their paths, and pieces of them.
//!
//! ```text
//! VALUE                              MEANING
//! number                             how many files
//! for each: number, bytes            its path, names joined by `/`, in the order of the first reads
//! number                             how many runs
//! for each: number, number, number   the file's index, the run's first piece, how many pieces
//! ```
//!
//! Numbers are written as in the other nodes. It stands in the catalogue alone and names nothing by its content, so it holds
//! for other builds as well.

use super::wire::{Cursor, put_bytes, put_number};
use crate::error::Result;

/// What is read is told in pieces of this length: that of a usual chunk.
pub const PIECE_LEN: u64 = 32 << 10;

/// The most files that a start names.
pub const MAX_START_FILES: usize = 4096;

/// The most pieces that it names: of two GiB.
pub const MAX_START_PIECES: usize = 64 << 10;

/// Pieces of a file that were read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceRun {
    /// The index of the file.
    pub file: u32,
    /// The first piece, counted from the start of the file.
    pub first: u32,
    /// How many pieces, at least one.
    pub count: u32,
}

/// What a program read first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// The paths of the files, in the order in which each was read first.
    pub files: Vec<Box<[u8]>>,
    /// What was read of them, in order.
    pub runs: Vec<PieceRun>,
}

impl Start {
    /// Returns how many pieces it names.
    pub fn piece_count(&self) -> usize {
        self.runs.iter().map(|run| run.count as usize).sum()
    }

    /// Returns its first `count` runs, with the files that they are of.
    #[must_use]
    pub fn shortened(&self, count: usize) -> Start {
        let runs = self.runs[..count.min(self.runs.len())].to_vec();
        let file_count = runs.iter().map(|run| run.file as usize + 1).max().unwrap_or(0);
        Start { files: self.files[..file_count].to_vec(), runs }
    }

    /// Returns it as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.files.len() as u64);
        self.files.iter().for_each(|path| put_bytes(&mut out, path));
        put_number(&mut out, self.runs.len() as u64);
        for run in &self.runs {
            [run.file, run.first, run.count].into_iter().for_each(|number| put_number(&mut out, number.into()));
        }
        out
    }

    /// Returns what `bytes` say.
    ///
    /// # Errors
    /// `Corrupt` if they are none of [`Start::encode`], or name more than a start may.
    pub fn decode(bytes: &[u8]) -> Result<Start> {
        let mut cursor = Cursor::new(bytes, "start");
        let file_count = cursor.count(MAX_START_FILES, 1)?;
        let files: Vec<Box<[u8]>> = (0..file_count).map(|_| Ok(cursor.bytes()?.into())).collect::<Result<_>>()?;
        let run_count = cursor.count(MAX_START_PIECES, 3)?;
        let mut pieces = 0;
        let mut runs = Vec::with_capacity(run_count);
        for _ in 0..run_count {
            let (file, first, count) = (cursor.number()?, cursor.number()?, cursor.number()?);
            pieces += count.min(MAX_START_PIECES as u64 + 1) as usize;
            let numbers = (u32::try_from(file), u32::try_from(first), u32::try_from(count));
            let (Ok(file), Ok(first), Ok(count @ 1..)) = numbers else { return Err(cursor.corrupt("has a bad run")) };
            if file as usize >= file_count || first.checked_add(count).is_none() || pieces > MAX_START_PIECES {
                return Err(cursor.corrupt("has a run outside its files"));
            }
            runs.push(PieceRun { file, first, count });
        }
        cursor.finish()?;
        Ok(Start { files, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        let files = [&b"bin/game"[..], b"data/level 1.pak", b"caf\xe9"].map(Box::from).to_vec();
        let run = |file, first, count| PieceRun { file, first, count };
        Start { files, runs: vec![run(0, 0, 3), run(1, 700, 1), run(0, 9, 2), run(2, 0, 1)] }
    }

    #[test]
    fn a_start_comes_back_as_it_was_and_whatever_is_none_is_refused() {
        let bytes = start().encode();
        assert_eq!(Start::decode(&bytes).unwrap(), start());
        assert_eq!(start().piece_count(), 7);
        assert_eq!(Start::decode(&Start::default().encode()).unwrap(), Start::default());
        for len in 0..bytes.len() {
            assert!(Start::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        let with = |file, first, count| {
            let mut start = start();
            start.runs.push(PieceRun { file, first, count });
            Start::decode(&start.encode())
        };
        assert!(with(2, 5, 1).is_ok());
        assert!(with(3, 0, 1).is_err() && with(0, 0, 0).is_err() && with(0, u32::MAX, 1).is_err());
        assert!(with(0, 0, MAX_START_PIECES as u32).is_err());
    }

    #[test]
    fn the_first_runs_take_their_files_along() {
        let short = start().shortened(3);
        assert_eq!((short.files.len(), short.runs.len()), (2, 3));
        assert_eq!(start().shortened(9), start());
        assert_eq!(start().shortened(0), Start::default());
    }
}
