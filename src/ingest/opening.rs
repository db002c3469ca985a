//! Compressed bytes that changed are opened and stored as differences of what they say, where that pays.

use super::earlier::{Anchors, EarlierVersion, Text};
use super::plan::{BlockPlace, Bundle, run_of};
use crate::codec::opened::{self, BaseText, Hint, Lz4Block, Opener, Piece, Reading, Refusal};
use crate::content::Extent;
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use crate::store::{OpenedForm, Store, difference_len};
use std::ops::Range;

/// Text around the place of a piece that is taken with it: what moved less is found.
const SLACK: u64 = 64 << 10;

/// The same for runs of blocks, whose places are known well: more would need the runs beside them, too.
const RUN_SLACK: u64 = 1 << 10;

/// A piece that will be stored opened.
pub(super) struct OpenedPiece {
    /// Where it ends in the stream.
    pub(super) end: usize,
    pub(super) id: ChunkId,
    pub(super) form: OpenedForm,
}

/// How a stream was stored before: its chunks, and how its text is had from them.
pub(super) struct Before {
    extents: Vec<Extent>,
    /// Bytes before the stream in the first chunk.
    lead_len: usize,
}

impl Before {
    /// Returns the chunks of `range` in the earlier version; `None` if there is a hole, or more than the range.
    pub(super) fn new(version: &EarlierVersion<'_>, range: &Range<u64>) -> Result<Option<Before>> {
        let mut extents: Vec<Extent> = Vec::new();
        version.reader.for_each_extent(&version.content, range.start, range.end - range.start, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        let Some(first) = extents.first() else { return Ok(None) };
        let lead_len = (range.start - first.offset) as usize;
        let is_whole = extents.iter().all(|extent| extent.id.is_some());
        Ok(is_whole.then_some(Before { extents, lead_len }))
    }

    /// Returns where the chunks end if `bytes` are cut as they were, with their ids.
    pub(super) fn same_cuts<'a>(&'a self, bytes: &'a [u8]) -> Option<impl Iterator<Item = (usize, ChunkId)> + 'a> {
        let start = self.extents[0].offset;
        let len = self.extents.last()?.end() - start;
        (self.lead_len == 0 && len == bytes.len() as u64).then(|| {
            self.extents.iter().map(move |extent| ((extent.end() - start) as usize, extent.id.expect("no hole")))
        })
    }

    fn keys(&self) -> Vec<ChunkKey> {
        self.extents.iter().filter_map(|extent| extent.id).map(|id| id.key()).collect()
    }
}

/// Opens a whole stream, given how it was before; `closed_len` is what it would take otherwise.
///
/// # Errors
/// Those of the store; the inner one says why the stream stays closed.
pub(super) fn open_stream(
    store: &Store,
    bytes: &[u8],
    opener: Opener<'_>,
    before: &Before,
    closed_len: usize,
) -> Result<std::result::Result<Vec<OpenedPiece>, Refusal>> {
    let keys = before.keys();
    let mut opened_count = 0;
    for key in &keys {
        opened_count += usize::from(store.is_opened(*key)? == Some(true));
    }
    let mut closed_len = closed_len;
    let texts = match opened_count {
        0 => {
            // Often only a header changed: then the difference of the bytes is small already.
            closed_len = closed_len.min(store.difference_len(&keys, bytes));
            closed_text(store, opener, before, &keys)
        }
        count if count == keys.len() => opened_texts(store, &keys)?,
        _ => return Ok(Err(Refusal::NotThisFormat)),
    };
    let Some(texts) = texts else { return Ok(Err(Refusal::NotThisFormat)) };
    // To read a stream takes a tenth of the time that it takes to find out how it was written.
    match opened::plain(opener, bytes) {
        Ok(plain) => {
            if let Err(refusal) = opened::weigh(&[], closed_len, difference_len(&texts.text, &plain)) {
                return Ok(Err(refusal));
            }
        }
        Err(refusal) => return Ok(Err(refusal)),
    }
    let pieces = match opened::open(opener, bytes, &mut Hint::default()) {
        Ok(pieces) => pieces,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut opened = Vec::new();
    let mut text_end = 0u64;
    for piece in &pieces {
        let around = text_end.saturating_sub(SLACK)..text_end + piece.plain.len() as u64 + SLACK;
        text_end += piece.plain.len() as u64;
        let Some((base, bases, text)) = texts.around(around) else { return Ok(Err(Refusal::NotThisFormat)) };
        let Some(form) = store.opened_form(piece, &base, bases, text)? else { return Ok(Err(Refusal::TooLarge)) };
        opened.push(OpenedPiece { end: piece.stored.end, id: ChunkId::of(&bytes[piece.stored.clone()]), form });
    }
    Ok(weigh(&pieces, opened, closed_len))
}

fn weigh(
    pieces: &[Piece],
    opened: Vec<OpenedPiece>,
    closed_len: usize,
) -> std::result::Result<Vec<OpenedPiece>, Refusal> {
    let opened_len = opened.iter().map(|piece| piece.form.stored_len()).sum();
    opened::weigh(pieces, closed_len, opened_len).map(|()| opened)
}

/// What a stream said before, and which chunks say which part of it.
struct Texts {
    text: Vec<u8>,
    /// Where the text of each base starts, of bases that are opened themselves.
    starts: Option<Vec<u64>>,
    reading: Reading,
    keys: Vec<ChunkKey>,
}

impl Texts {
    /// Returns the text in `around` as far as there is one, and how it is had.
    fn around(&self, around: Range<u64>) -> Option<(BaseText, Vec<ChunkKey>, &[u8])> {
        let end = around.end.min(self.text.len() as u64);
        let start = around.start.min(end);
        let Some(starts) = &self.starts else {
            let window = start as usize..end as usize;
            let text = &self.text[window.clone()];
            return Some((BaseText { reading: self.reading.clone(), window }, self.keys.clone(), text));
        };
        let first = starts.partition_point(|&at| at <= start).saturating_sub(1);
        let last = starts.partition_point(|&at| at < end).max(first + 1);
        let bases = self.keys.get(first..last)?.to_vec();
        let window = (start - starts[first]) as usize..(end - starts[first]) as usize;
        let reading = Reading::Each(vec![Vec::new(); bases.len()]);
        Some((BaseText { reading, window }, bases, &self.text[start as usize..end as usize]))
    }
}

fn closed_text(store: &Store, opener: Opener<'_>, before: &Before, keys: &[ChunkKey]) -> Option<Texts> {
    let reading = match opener {
        Opener::Deflate => Reading::Deflate { lead_len: before.lead_len },
        Opener::Gzip if before.lead_len == 0 => Reading::Gzip,
        Opener::Png if before.lead_len == 0 => Reading::Png,
        _ => return None,
    };
    // What cannot be read now is no base; verify tells why.
    let text = store.text_of(&reading, keys).ok()?;
    Some(Texts { text, starts: None, reading, keys: keys.to_vec() })
}

fn opened_texts(store: &Store, keys: &[ChunkKey]) -> Result<Option<Texts>> {
    let mut text = Vec::new();
    let mut starts = Vec::new();
    for key in keys {
        starts.push(text.len() as u64);
        let Ok(one) = store.text_of(&Reading::Each(vec![Vec::new()]), &[*key]) else { return Ok(None) };
        text.extend(one);
    }
    Ok(Some(Texts { text, starts: Some(starts), reading: Reading::Each(Vec::new()), keys: keys.to_vec() }))
}

/// Where the runs of a bundle were in the earlier version of its text.
pub(super) struct BundleAligner<'a> {
    bundle: &'a Bundle,
    was: &'a Bundle,
    version: EarlierVersion<'a>,
    track: &'a mut Track,
}

/// How far the runs of a bundle were followed.
#[derive(Default)]
pub(super) struct Track {
    anchors: Anchors,
    shift: i64,
}

/// The chunks that say what stood around a run before.
pub(super) struct RunBase {
    bases: Vec<ChunkKey>,
    reading: Vec<Vec<Lz4Block>>,
    window: Range<usize>,
}

impl<'a> BundleAligner<'a> {
    pub(super) fn new(
        bundle: &'a Bundle,
        was: &'a Bundle,
        version: EarlierVersion<'a>,
        track: &'a mut Track,
    ) -> BundleAligner<'a> {
        BundleAligner { bundle, was, version, track }
    }

    /// Returns what stood around the text of `run`, whose stored bytes are `bytes`; takes runs in order.
    pub(super) fn align(&mut self, store: &Store, run: &Range<usize>, bytes: &[u8]) -> Result<Option<RunBase>> {
        let blocks = &self.bundle.blocks[run.clone()];
        let text = blocks[0].text_offset..blocks[blocks.len() - 1].text_end();
        if let Some(shift) = self.bundle.shift_of_node(text.clone(), self.was) {
            self.track.shift = shift;
        }
        let list: Vec<Lz4Block> = blocks.iter().map(|place| place.block).collect();
        let Ok(plain) = opened::plain(Opener::Lz4 { blocks: &list }, bytes) else { return Ok(None) };
        let was = BundleText { store, version: self.version, blocks: &self.was.blocks };
        if let Some(shift) = self.track.anchors.shift_of(&was, &plain, text.start, self.track.shift)? {
            self.track.shift = shift;
        }
        let moved = |at: u64| (at as i64).saturating_add(self.track.shift).max(0) as u64;
        self.base(moved(text.start).saturating_sub(RUN_SLACK)..moved(text.end) + RUN_SLACK)
    }

    /// Returns the chunks that hold the blocks of `text` in the earlier version.
    fn base(&self, text: Range<u64>) -> Result<Option<RunBase>> {
        let all = &self.was.blocks;
        let text_end = all.last().map_or(0, BlockPlace::text_end);
        let text = text.start.min(text_end)..text.end.min(text_end);
        let first = all.partition_point(|place| place.text_end() <= text.start);
        let last = all.partition_point(|place| place.text_offset < text.end);
        if first >= last {
            return Ok(None);
        }
        let (start, end) = (all[first].offset, all[last - 1].end());
        let mut extents = Vec::new();
        self.version.reader.for_each_extent(&self.version.content, start, end - start, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        let (mut bases, mut reading, mut text_start) = (Vec::new(), Vec::new(), None);
        for extent in extents {
            // A chunk that is no run of whole blocks has some that are stored as they are.
            let (Some(id), Some(run)) = (extent.id, run_of(all, &extent)) else { return Ok(None) };
            let blocks = &all[run];
            text_start.get_or_insert(blocks[0].text_offset);
            reading.push(blocks.iter().map(|place| place.block).collect());
            bases.push(id.key());
        }
        let Some(text_start) = text_start else { return Ok(None) };
        let window = (text.start - text_start) as usize..(text.end - text_start) as usize;
        Ok(Some(RunBase { bases, reading, window }))
    }
}

/// Opens a run of blocks as a difference to what `base` says.
///
/// # Errors
/// Those of the store; the inner one says why the run stays closed.
pub(super) fn open_run(
    store: &Store,
    blocks: &[BlockPlace],
    bytes: &[u8],
    base: RunBase,
    hint: &mut Hint,
) -> Result<std::result::Result<OpenedForm, Refusal>> {
    let list: Vec<Lz4Block> = blocks.iter().map(|place| place.block).collect();
    let pieces = match opened::open(Opener::Lz4 { blocks: &list }, bytes, hint) {
        Ok(pieces) => pieces,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let RunBase { bases, reading, window } = base;
    let base = BaseText { reading: Reading::Each(reading), window: window.clone() };
    let Ok(text) = store.text_of(&base.reading, &bases) else { return Ok(Err(Refusal::NotThisFormat)) };
    let Some(text) = text.get(window) else { return Ok(Err(Refusal::NotThisFormat)) };
    let Some(form) = store.opened_form(&pieces[0], &base, bases, text)? else { return Ok(Err(Refusal::TooLarge)) };
    let opened = vec![OpenedPiece { end: bytes.len(), id: ChunkId::of(bytes), form }];
    Ok(weigh(&pieces, opened, bytes.len()).map(|mut opened| opened.remove(0).form))
}

/// The text of an earlier bundle. Of runs that are opened it is at hand: nothing is compressed again to read it.
struct BundleText<'a> {
    store: &'a Store,
    version: EarlierVersion<'a>,
    blocks: &'a [BlockPlace],
}

impl BundleText<'_> {
    /// Returns the text of the chunk that has the block at `index`, and where it starts; `None` if that is no whole run.
    fn around(&self, index: usize) -> Result<Option<(u64, Vec<u8>)>> {
        let Some(extent) = self.version.reader.extent_at(&self.version.content, self.blocks[index].offset)? else {
            return Ok(None);
        };
        let (Some(id), Some(run)) = (extent.id, run_of(self.blocks, &extent)) else { return Ok(None) };
        let blocks = self.blocks[run.clone()].iter().map(|place| place.block).collect();
        let text = self.store.text_of(&Reading::Each(vec![blocks]), &[id.key()])?;
        Ok(Some((self.blocks[run.start].text_offset, text)))
    }
}

impl Text for BundleText<'_> {
    fn len(&self) -> u64 {
        self.blocks.last().map_or(0, BlockPlace::text_end)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() && offset + (filled as u64) < self.len() {
            let at = offset + filled as u64;
            let index = self.blocks.partition_point(|place| place.text_end() <= at);
            let rest = &mut buf[filled..];
            filled += match self.around(index)? {
                Some((start, text)) => {
                    let found = text.get((at - start) as usize..).unwrap_or_default();
                    let len = found.len().min(rest.len());
                    rest[..len].copy_from_slice(&found[..len]);
                    len
                }
                // Blocks that are not read hold no anchors.
                None => {
                    let len = ((self.blocks[index].text_end() - at) as usize).min(rest.len());
                    rest[..len].fill(0);
                    len
                }
            };
        }
        Ok(filled)
    }
}
