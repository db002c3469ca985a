//! What each chunk is needed for.

use super::super::chunk_marks::ChunkMarks;
use super::Vault;
use crate::catalogue::Build;
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use crate::manifest::{Content, ContentRoot, EntryKind};
use crate::progress::Progress;
use std::collections::HashSet;

/// The newest build or a milestone needs it, or looks into it.
const HOT: u8 = 1;

/// An older build or a playtest needs it.
const OLD: u8 = 2;

/// Others are stored as differences to it.
const IS_BASE: u8 = 4;

/// It was looked at in this run.
const DONE: u8 = 8;

/// What is known of all chunks that there were when it was read.
pub(super) struct Marks {
    chunks: ChunkMarks,
    /// All builds by number.
    pub(super) builds: Vec<Build>,
}

impl Marks {
    pub(super) fn read(vault: &Vault, progress: &Progress) -> Result<Marks> {
        let builds = vault.builds()?;
        let catalogue = vault.store().catalogue();
        let mut marks = Marks { chunks: ChunkMarks::read(vault, progress)?, builds };
        catalogue.for_each_chunk(&mut |_, place| {
            place.bases.iter().for_each(|&base| marks.set(base, IS_BASE));
            progress.check()
        })?;
        let named: HashSet<_> = vault.milestones()?.into_iter().map(|milestone| milestone.build).collect();
        let newest = marks.builds.last().map(|build| build.number);
        let (hot, old): (Vec<&Build>, Vec<&Build>) =
            marks.builds.iter().partition(|build| Some(build.number) == newest || named.contains(&build.number));
        let hot: Vec<ChunkId> = hot.iter().map(|build| build.root.id).collect();
        let mut old: Vec<ChunkId> = old.iter().map(|build| build.root.id).collect();
        old.extend(vault.playtests()?.iter().map(|playtest| playtest.root.id));
        old.extend(vault.feedback_batches()?.iter().map(|batch| batch.root.id));
        marks.walk(vault, progress, &hot, HOT)?;
        marks.walk(vault, progress, &old, OLD)?;
        Ok(marks)
    }

    /// Marks all that lies below `roots`; what has the mark has been looked into.
    fn walk(&mut self, vault: &Vault, progress: &Progress, roots: &[ChunkId], mark: u8) -> Result<()> {
        let mut open = roots.to_vec();
        while let Some(directory) = open.pop() {
            progress.check()?;
            if !self.set_first(directory.key(), mark) {
                continue;
            }
            vault.reader().for_each_entry(directory, &mut |entry| {
                progress.check()?;
                match &entry.kind {
                    EntryKind::Directory(below) => open.push(below.id),
                    EntryKind::File(content) => self.mark_content(vault, progress, content, mark)?,
                    EntryKind::Symlink(_) => {}
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn mark_content(&mut self, vault: &Vault, progress: &Progress, content: &Content, mark: u8) -> Result<()> {
        match content.root {
            ContentRoot::Empty => Ok(()),
            ContentRoot::Chunk(id) => {
                self.set(id.key(), mark);
                Ok(())
            }
            ContentRoot::List { id, .. } if !self.set_first(id.key(), mark) => Ok(()),
            ContentRoot::List { .. } => vault.reader().for_each_extent(content, 0, content.size, &mut |extent| {
                extent.id.into_iter().for_each(|id| self.set(id.key(), mark));
                progress.check()
            }),
        }
    }

    fn get(&self, key: ChunkKey) -> u8 {
        self.chunks.get(key).unwrap_or(0)
    }

    fn set(&mut self, key: ChunkKey, mark: u8) {
        self.set_first(key, mark);
    }

    /// Returns whether the chunk did not have the mark.
    fn set_first(&mut self, key: ChunkKey, mark: u8) -> bool {
        // What came since is hot, and left alone.
        self.chunks.set(key, mark).unwrap_or(false)
    }

    /// Tells whether the chunk is idle and comes up for the first time.
    pub(super) fn take_idle(&mut self, key: ChunkKey) -> bool {
        let is_idle = self.get(key) & (OLD | HOT) == OLD;
        is_idle && self.set_first(key, DONE)
    }

    /// Tells whether the directory comes up for the first time.
    pub(super) fn take_directory(&mut self, key: ChunkKey) -> bool {
        self.set_first(key, DONE)
    }

    /// Tells whether others are stored as differences to the chunk.
    pub(super) fn is_base(&self, key: ChunkKey) -> bool {
        self.get(key) & IS_BASE != 0
    }

    /// Tells whether the chunk gets no new base itself in this run, and so may become one. What is only kept as a base does
    /// not get more that need it.
    pub(super) fn may_be_base(&self, key: ChunkKey) -> bool {
        let mark = self.get(key);
        mark & HOT != 0 || mark & (OLD | IS_BASE) == OLD | IS_BASE
    }
}
