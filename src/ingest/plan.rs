//! What is known of a file before it is cut: where its entries lie, what they are, and where they were before.
//!
//! A container is cut at its entries, each as if it were a file of its own: entries that did not change are then found
//! again wherever they stand, in other containers and beside them.

use super::cutter::{ALONE_LEN, Cutter, MIN_CHUNK_LEN};
use super::earlier::EarlierVersion;
use super::pipeline::ByteSource;
use crate::codec::filter::Place;
use crate::codec::opened::Lz4Block;
use crate::content::Extent;
use crate::error::Result;
use crate::lens::shape::Shape;
use crate::lens::{self, Coding, Format, Node, Part, Parts, ReadAt};
use std::collections::HashMap;
use std::ops::Range;

/// Bytes of an entry by which its shape is told.
const HEAD_LEN: usize = 4 << 10;

/// The most bytes of a compressed entry that are looked into.
const MAX_STREAM_LEN: u64 = 4 << 20;

/// Runs that are stored at once.
const BATCH_RUNS: usize = 32;

/// A file as its lens sees it.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) cutter: Cutter,
    parts: Vec<PlannedPart>,
    streams: Vec<Stream>,
    next_stream: usize,
    /// Of a bundle: the files inside its text, here and before.
    pub(super) bundle: Option<Bundle>,
    pub(super) earlier_bundle: Option<Bundle>,
}

/// An entry that has chunks of its own.
struct PlannedPart {
    range: Range<u64>,
    shape: Option<Shape>,
    /// Where it started before.
    was_at: Option<u64>,
}

/// A bundle of Unity: one text in blocks.
pub struct Bundle {
    pub(super) blocks: Vec<BlockPlace>,
    pub(super) nodes: Vec<Node>,
}

/// A block, in the file and in the text.
#[derive(Clone, Copy)]
pub struct BlockPlace {
    pub(super) offset: u64,
    pub(super) text_offset: u64,
    pub(super) block: Lz4Block,
}

impl BlockPlace {
    pub(super) fn end(&self) -> u64 {
        self.offset + u64::from(self.block.stored_len)
    }

    pub(super) fn text_end(&self) -> u64 {
        self.text_offset + u64::from(self.block.plain_len)
    }
}

/// Compressed bytes that are stored otherwise than by cutting them.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) range: Range<u64>,
    pub(super) kind: StreamKind,
}

#[derive(Clone)]
pub(super) enum StreamKind {
    /// A deflate stream, and where it was before.
    Deflate { was: Range<u64> },
    /// A gzip file that is not new.
    Gzip { was: Range<u64> },
    /// A PNG picture that is not new.
    Png { was: Range<u64> },
    /// Runs of blocks of a bundle, each a range of indexes.
    Blocks { runs: Vec<Range<usize>> },
}

impl Plan {
    /// Looks at the first `len` bytes of `source`, which is called `name`.
    ///
    /// # Errors
    /// Those of `source`.
    pub(super) fn new<S: ByteSource + ?Sized>(
        source: &S,
        len: u64,
        name: &[u8],
        earlier: Option<&EarlierVersion<'_>>,
    ) -> Result<Plan> {
        let bytes = Bytes(source);
        // What is one chunk anyway is not taken apart.
        let parts = if len > MIN_CHUNK_LEN as u64 { lens::parts(&bytes, len, name)? } else { None };
        let Some(parts) = parts else { return Plan::of_whole(&bytes, len, name, earlier) };
        // Without it, or with one that cannot be read, entries are only cut.
        let was = earlier.and_then(|version| lens::parts(version, version.content.size, name).ok().flatten());
        match parts.format {
            Format::UnityFs => Ok(Plan::of_bundle(parts, len, was)),
            _ => Plan::of_entries(&bytes, parts, len, was),
        }
    }

    fn of_whole(bytes: &dyn ReadAt, len: u64, name: &[u8], earlier: Option<&EarlierVersion<'_>>) -> Result<Plan> {
        let head = head(bytes, 0..len)?;
        let mut plan = Plan::default();
        if let Some(version) = earlier
            && len <= MAX_STREAM_LEN
            && version.content.size <= MAX_STREAM_LEN
        {
            let was = 0..version.content.size;
            let kind = match head[..] {
                [0x1f, 0x8b, 8, ..] => Some(StreamKind::Gzip { was }),
                [0x89, b'P', b'N', b'G', ..] if len <= MAX_PNG_LEN => Some(StreamKind::Png { was }),
                _ => None,
            };
            plan.streams.extend(kind.map(|kind| Stream { range: 0..len, kind }));
        }
        let shape = lens::shape::shape(&head, name);
        plan.parts.push(PlannedPart { range: 0..len, shape, was_at: None });
        Ok(plan)
    }

    fn of_entries(bytes: &dyn ReadAt, parts: Parts, len: u64, was: Option<Parts>) -> Result<Plan> {
        let was: HashMap<&[u8], &Part> =
            was.iter().flat_map(|was| &was.parts).map(|part| (&*part.name, part)).collect();
        let mut plan = Plan { cutter: Cutter::new(&parts.parts, len), ..Plan::default() };
        for part in parts.parts.iter().filter(|part| part.len >= ALONE_LEN) {
            let range = part.offset..part.offset + part.len;
            let before = was.get(&*part.name);
            if let (Coding::Deflate { .. }, Some(Part { coding: Coding::Deflate { .. }, offset, len, .. })) =
                (part.coding, before)
                && part.len.max(*len) <= MAX_STREAM_LEN
            {
                let kind = StreamKind::Deflate { was: *offset..offset + len };
                plan.streams.push(Stream { range: range.clone(), kind });
            }
            let shape = match part.coding {
                Coding::Stored => lens::shape::shape(&head(bytes, range.clone())?, &part.name),
                _ => None,
            };
            plan.parts.push(PlannedPart { range, shape, was_at: before.map(|before| before.offset) });
        }
        Ok(plan)
    }

    fn of_bundle(parts: Parts, len: u64, was: Option<Parts>) -> Plan {
        let mut plan = Plan { cutter: Cutter::new(&parts.parts, len), ..Plan::default() };
        let bundle = Bundle::new(parts);
        let mut batch: Vec<Range<usize>> = Vec::new();
        for run in bundle.runs(&plan.cutter) {
            // Runs that lie side by side are read at once.
            let follows = batch.last().is_some_and(|last| last.end == run.start && batch.len() < BATCH_RUNS);
            if !follows {
                plan.streams.extend(bundle.stream(&std::mem::take(&mut batch)));
            }
            batch.push(run);
        }
        plan.streams.extend(bundle.stream(&batch));
        plan.earlier_bundle = was.filter(|was| was.format == Format::UnityFs).map(Bundle::new);
        plan.bundle = Some(bundle);
        plan
    }

    /// Returns the next stream that lies inside `range`; each is returned once, in order.
    pub(super) fn next_stream(&mut self, range: Range<u64>) -> Option<Stream> {
        while let Some(stream) = self.streams.get(self.next_stream) {
            if stream.range.start >= range.end {
                return None;
            }
            self.next_stream += 1;
            if stream.range.start >= range.start && stream.range.end <= range.end {
                return Some(stream.clone());
            }
        }
        None
    }

    fn part_at(&self, offset: u64) -> Option<&PlannedPart> {
        let after = self.parts.partition_point(|part| part.range.start <= offset);
        self.parts[..after].last().filter(|part| part.range.end > offset)
    }

    /// Returns what is known of the bytes at `offset`.
    pub(super) fn place(&self, offset: u64) -> Option<Place> {
        let part = self.part_at(offset)?;
        Some(Place { shape: part.shape?, offset: offset - part.range.start })
    }

    /// Returns by how much bytes were further on, for the first chunk of an entry.
    pub(super) fn shift_at(&self, offset: u64) -> Option<i64> {
        let part = self.part_at(offset).filter(|part| part.range.start == offset)?;
        Some(part.was_at? as i64 - offset as i64)
    }
}

/// The most bytes of a PNG picture that is opened while it is stored. To find out how one was written takes a second for
/// four megabytes: with 256 KiB a new version of SuperTuxKart took seven times as long and less than 1 % less room.
const MAX_PNG_LEN: u64 = 16 << 10;

impl Bundle {
    /// Returns the bundle that a stored file is; `None` if it is none, or cannot be read.
    pub fn of_stored(version: &EarlierVersion<'_>, name: &[u8]) -> Option<Bundle> {
        let parts = lens::parts(version, version.content.size, name).ok()??;
        (parts.format == Format::UnityFs).then(|| Bundle::new(parts))
    }

    /// Returns the blocks that a chunk of the file is made of; `None` if it is no run of whole ones.
    pub fn run_of(&self, extent: &Extent) -> Option<Vec<Lz4Block>> {
        let run = run_of(&self.blocks, extent)?;
        Some(self.blocks[run].iter().map(|place| place.block).collect())
    }

    fn new(parts: Parts) -> Bundle {
        let mut text_offset = 0;
        let mut blocks = Vec::with_capacity(parts.parts.len());
        for part in &parts.parts {
            let (plain_len, is_compressed) = match part.coding {
                Coding::Lz4 { plain_len } => (plain_len, true),
                _ => (part.len as u32, false),
            };
            let block = Lz4Block { stored_len: part.len as u32, plain_len, is_compressed };
            blocks.push(BlockPlace { offset: part.offset, text_offset, block });
            text_offset += u64::from(plain_len);
        }
        Bundle { blocks, nodes: parts.nodes }
    }

    /// Returns the runs of blocks that are one chunk each.
    fn runs(&self, cutter: &Cutter) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut first = 0;
        for end in cutter.chunk_ends() {
            let last = self.blocks.partition_point(|place| place.end() <= end);
            // Blocks that are stored as they are end no chunk, and are cut like everything.
            while first < last && !self.blocks[first].block.is_compressed {
                first += 1;
            }
            let is_run = self.blocks[first..last.max(first)].windows(2).all(|pair| pair[0].end() == pair[1].offset)
                && self.blocks[first..last.max(first)].iter().all(|place| place.block.is_compressed);
            if first < last && is_run && self.blocks[last - 1].end() == end {
                runs.push(first..last);
            }
            first = last.max(first);
        }
        runs
    }

    fn stream(&self, runs: &[Range<usize>]) -> Option<Stream> {
        let (first, last) = (runs.first()?, runs.last()?);
        let range = self.blocks[first.start].offset..self.blocks[last.end - 1].end();
        Some(Stream { range, kind: StreamKind::Blocks { runs: runs.to_vec() } })
    }

    /// Returns by how much the node that starts in `text` was further on.
    pub(super) fn shift_of_node(&self, text: Range<u64>, was: &Bundle) -> Option<i64> {
        let node = self.nodes.iter().find(|node| text.contains(&node.plain_offset))?;
        let before = was.nodes.iter().find(|before| before.name == node.name)?;
        Some(before.plain_offset as i64 - node.plain_offset as i64)
    }
}

/// Returns the blocks that `extent` is made of; `None` if it is no run of whole ones.
pub(super) fn run_of(blocks: &[BlockPlace], extent: &Extent) -> Option<Range<usize>> {
    let from = blocks.partition_point(|place| place.offset < extent.offset);
    let to = blocks.partition_point(|place| place.end() <= extent.end());
    let run = blocks.get(from..to)?;
    let is_whole = run.first()?.offset == extent.offset && run.last()?.end() == extent.end();
    is_whole.then_some(from..to)
}

/// A source as the lenses read it.
struct Bytes<'a, S: ?Sized>(&'a S);

impl<S: ByteSource + ?Sized> ReadAt for Bytes<'_, S> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.0.read_at(buf, offset)
    }
}

fn head(bytes: &dyn ReadAt, range: Range<u64>) -> Result<Vec<u8>> {
    let mut head = vec![0; HEAD_LEN.min((range.end - range.start) as usize)];
    let mut filled = 0;
    while filled < head.len() {
        match bytes.read_at(&mut head[filled..], range.start + filled as u64)? {
            0 => break,
            len => filled += len,
        }
    }
    head.truncate(filled);
    Ok(head)
}
