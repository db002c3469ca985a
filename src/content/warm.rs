//! Reading ahead of a program that is known: where its files are in a build, and their pieces, decoded before it asks.

use super::Reader;
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use crate::manifest::{Content, EntryKind};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

impl Reader {
    /// Returns the content of the file at `path`, names joined by `/`, below the directory `root`; `None` if there is none.
    ///
    /// # Errors
    /// `Corrupt` if a page is damaged.
    pub fn file_at(&self, root: ChunkId, path: &[u8]) -> Result<Option<Content>> {
        let mut directory = root;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            match self.lookup(directory, name)?.map(|(_, entry)| entry.kind) {
                Some(EntryKind::Directory(below)) if names.peek().is_some() => directory = below.id,
                Some(EntryKind::File(content)) if names.peek().is_none() => return Ok(Some(content)),
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns a path below `root` of each content whose key is in `wanted`, as far as there is one.
    ///
    /// Looks into one directory after the other until all are found.
    ///
    /// # Errors
    /// `Corrupt` if a page is damaged.
    pub fn paths_of(&self, root: ChunkId, wanted: &HashSet<ChunkKey>) -> Result<HashMap<ChunkKey, Box<[u8]>>> {
        let mut found = HashMap::new();
        let mut open = vec![(root, Vec::new())];
        while let Some((directory, path)) = open.pop() {
            if found.len() == wanted.len() {
                break;
            }
            self.for_each_entry(directory, &mut |entry| {
                let below = || [&path[..], entry.name.as_bytes()].concat();
                match &entry.kind {
                    EntryKind::File(content) => {
                        if let Some(key) = content.key().filter(|key| wanted.contains(key)) {
                            found.entry(key).or_insert_with(|| below().into());
                        }
                    }
                    EntryKind::Directory(directory) => open.push((directory.id, [below(), b"/".into()].concat())),
                    EntryKind::Symlink(_) => {}
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Decodes the chunks of these ranges of files into the cache, unless they are there; returns how many it decoded.
    ///
    /// What fails is left to the one who asks for it: he is told.
    pub fn decode_ahead(&self, ranges: &[(Content, Range<u64>)]) -> u64 {
        let mut ids = Vec::new();
        for (content, range) in ranges {
            let listed = self.for_each_extent(content, range.start, range.end - range.start, &mut |extent| {
                ids.extend(extent.id);
                Ok(())
            });
            if let Err(error) = listed {
                tracing::debug!(%error, "a file cannot be read ahead");
            }
        }
        // A chunk may be of several ranges, and of several files.
        ids.sort_unstable();
        ids.dedup();
        self.store().read_ahead(&ids)
    }

    /// Returns how many bytes may wait in the cache for those for whom they were decoded ahead.
    pub fn room_ahead(&self) -> u64 {
        self.ahead.room()
    }
}
