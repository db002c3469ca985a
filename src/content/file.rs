//! The bytes of one file: which chunks and holes cover a range.

use super::nodes::Nodes;
use super::{Reader, Reading};
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot, ListItem};

/// Chunks that are held at once for one read.
const MAX_TOGETHER: usize = 64;

/// One chunk or hole of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts in the file.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// The chunk; `None` for a hole.
    pub id: Option<ChunkId>,
}

impl Extent {
    /// Returns where it ends in the file.
    pub fn end(&self) -> u64 {
        self.offset + self.len
    }
}

impl Nodes {
    /// Returns the chunk or hole that covers byte `offset` of a file; `None` past its end.
    ///
    /// # Errors
    /// `Corrupt` if a list is damaged or does not fit its file.
    pub(super) fn extent_at(&self, content: &Content, offset: u64) -> Result<Option<Extent>> {
        if offset >= content.size {
            return Ok(None);
        }
        let (mut id, depth) = match content.root {
            ContentRoot::Empty => return Err(Error::corrupt("a file has a size and no content")),
            ContentRoot::Chunk(id) => return Ok(Some(Extent { offset: 0, len: content.size, id: Some(id) })),
            ContentRoot::List { id, depth } => (id, depth),
        };
        let mut start = 0;
        for level in (1..=depth).rev() {
            let list = self.list(id)?;
            let (index, item_start) = list
                .find(offset - start)
                .filter(|_| list.depth == level)
                .ok_or_else(|| Error::corrupt(format!("content list {id} does not fit its file")))?;
            start += item_start;
            let ListItem { len, id: below } = list.items()[index];
            match below {
                Some(below) if level > 1 => id = below,
                id => return Ok(Some(Extent { offset: start, len, id })),
            }
        }
        Err(Error::corrupt(format!("content list {id} has no depth")))
    }

    /// Calls `visit` for the chunks and holes that cover `len` bytes at `offset`, in order.
    ///
    /// # Errors
    /// Those of [`Nodes::extent_at`] and of `visit`.
    pub(super) fn for_each_extent(
        &self,
        content: &Content,
        offset: u64,
        len: u64,
        visit: &mut dyn FnMut(Extent) -> Result<()>,
    ) -> Result<()> {
        let end = offset.saturating_add(len).min(content.size);
        let mut at = offset;
        while at < end {
            let extent = self.extent_at(content, at)?.expect("the offset is inside the file");
            at = extent.end();
            visit(extent)?;
        }
        Ok(())
    }
}

impl Reader {
    /// Returns the chunk or hole that covers byte `offset` of a file; `None` past its end.
    ///
    /// # Errors
    /// `Corrupt` if a list is damaged or does not fit its file.
    pub fn extent_at(&self, content: &Content, offset: u64) -> Result<Option<Extent>> {
        self.nodes.extent_at(content, offset)
    }

    /// Calls `visit` for the chunks and holes that cover `len` bytes at `offset`, in order.
    ///
    /// # Errors
    /// Those of [`Reader::extent_at`] and of `visit`.
    pub fn for_each_extent(
        &self,
        content: &Content,
        offset: u64,
        len: u64,
        visit: &mut dyn FnMut(Extent) -> Result<()>,
    ) -> Result<()> {
        self.nodes.for_each_extent(content, offset, len, visit)
    }

    /// Reads up to `buf.len()` bytes of a file at `offset`; returns how many: fewer only at the end of the file.
    ///
    /// Holes read as zeros. Nothing is read ahead.
    ///
    /// # Errors
    /// `Corrupt` if a chunk on the way is damaged: then nothing of `buf` counts.
    pub fn read_at(&self, content: &Content, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.read(content, offset, buf, Reading::OF_ONE)
    }

    /// Reads like [`Reader::read_at`], for a reader of whom more is known.
    ///
    /// # Errors
    /// As [`Reader::read_at`].
    pub fn read(&self, content: &Content, offset: u64, buf: &mut [u8], reading: Reading) -> Result<usize> {
        let end = content.size.min(offset.saturating_add(buf.len() as u64));
        let Some(len) = end.checked_sub(offset).filter(|&len| len > 0) else { return Ok(0) };
        let is_passing = !reading.ahead || self.ahead.note(&self.nodes, content, offset..end);
        let mut extents = Vec::new();
        self.for_each_extent(content, offset, len, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        // In parts, so that memory does not grow with what is asked for.
        for part in extents.chunks(MAX_TOGETHER) {
            let ids: Vec<ChunkId> = part.iter().filter_map(|extent| extent.id).collect();
            let store = &self.nodes.store;
            let chunks: Vec<_> = match reading.keeps {
                true => store.get_all(&ids, is_passing)?,
                false => ids.iter().map(|&id| store.get_passing(id)).collect::<Result<_>>()?,
            };
            let mut chunks = chunks.into_iter();
            for extent in part {
                let (from, to) = (extent.offset.max(offset), extent.end().min(end));
                let target = &mut buf[(from - offset) as usize..(to - offset) as usize];
                let Some(id) = extent.id else {
                    target.fill(0);
                    continue;
                };
                let plain = chunks.next().expect("there is one for each id");
                if plain.len() as u64 != extent.len {
                    return Err(Error::corrupt(format!("chunk {id} is not as long as its file says")));
                }
                let skip = (from - extent.offset) as usize;
                target.copy_from_slice(&plain[skip..skip + target.len()]);
            }
        }
        Ok(len as usize)
    }

    /// Reads like [`Reader::read_at`] what is read quickly; in the place of chunks that would have to be made again, because
    /// they are stored opened, stand zeros.
    ///
    /// # Errors
    /// As [`Reader::read_at`].
    pub fn read_closed_at(&self, content: &Content, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let len = (buf.len() as u64).min(content.size.saturating_sub(offset));
        let mut extents = Vec::new();
        self.for_each_extent(content, offset, len, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        for extent in extents {
            let range = extent.offset.max(offset)..extent.end().min(offset + len);
            let target = &mut buf[(range.start - offset) as usize..(range.end - offset) as usize];
            match extent.id.map(|id| self.nodes.store.is_opened(id.key())).transpose()?.flatten() {
                Some(true) => target.fill(0),
                _ => drop(self.read_at(content, range.start, target)?),
            }
        }
        Ok(len as usize)
    }

    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole, or nothing, follows.
    ///
    /// # Errors
    /// As [`Reader::extent_at`].
    pub fn next_data(&self, content: &Content, offset: u64) -> Result<Option<(u64, u64)>> {
        let mut found: Option<(u64, u64)> = None;
        let mut at = offset;
        while let Some(extent) = self.extent_at(content, at)? {
            match (extent.id, &mut found) {
                (Some(_), None) => found = Some((at, extent.end())),
                (Some(_), Some((_, end))) => *end = extent.end(),
                (None, None) => {}
                (None, Some(_)) => break,
            }
            at = extent.end();
        }
        Ok(found)
    }
}
