//! A few bits for each chunk of a vault: 17 bytes a chunk, whatever they mean.

use super::Vault;
use crate::error::Result;
use crate::id::ChunkKey;
use crate::progress::Progress;

/// Marks of all chunks that there were when it was made; of others nothing is known.
pub(super) struct ChunkMarks {
    keys: Vec<ChunkKey>,
    marks: Vec<u8>,
}

impl ChunkMarks {
    /// Takes note of all chunks, without a mark.
    pub(super) fn read(vault: &Vault, progress: &Progress) -> Result<ChunkMarks> {
        let mut keys = Vec::new();
        vault.store().catalogue().for_each_chunk(&mut |key, _| {
            keys.push(key);
            progress.check()
        })?;
        let marks = vec![0; keys.len()];
        Ok(ChunkMarks { keys, marks })
    }

    /// Returns the marks of a chunk; `None` if it came later.
    pub(super) fn get(&self, key: ChunkKey) -> Option<u8> {
        self.index(key).map(|index| self.marks[index])
    }

    /// Gives a chunk a mark; tells whether it did not have it, `None` if it came later.
    pub(super) fn set(&mut self, key: ChunkKey, mark: u8) -> Option<bool> {
        let index = self.index(key)?;
        let is_first = self.marks[index] & mark == 0;
        self.marks[index] |= mark;
        Some(is_first)
    }

    /// Returns the chunks without any of the marks, in the order of their keys.
    pub(super) fn without(&self, mark: u8) -> impl Iterator<Item = ChunkKey> {
        self.keys.iter().zip(&self.marks).filter(move |(_, marks)| **marks & mark == 0).map(|(key, _)| *key)
    }

    fn index(&self, key: ChunkKey) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }
}
