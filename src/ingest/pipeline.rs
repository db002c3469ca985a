//! One file in: cut at content-defined boundaries, hashed, stored, listed.
//!
//! A file is read in segments. The chunks of a large segment are hashed and encoded by all cores, those of a small one
//! where they are; the memory in use is one segment a reading thread, whatever the size of the file.

use super::cutter::MIN_CHUNK_LEN;
use super::earlier::{Aligner, Around, EarlierVersion, NewChunk};
use super::opening::{Before, BundleAligner, OpenedPiece, Track, open_run, open_stream};
use super::plan::{Plan, Stream, StreamKind};
use crate::codec::opened::{Hint, Opener};
use crate::disk::{DiskFile, host};
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::lens::ReadAt;
use crate::manifest::{Content, ListBuilder, ListItem};
use crate::progress::Progress;
use crate::store::{Chunk, Class, Earlier, Put, Store, Ticket};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::cell::RefCell;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes read and cut at once.
const SEGMENT_LEN: usize = 4 << 20;

/// Chunks from which on handing a segment to all cores pays: below, files side by side keep the cores busy, and waking
/// threads for a few chunks costs more than hashing them.
const PARALLEL_CHUNKS: usize = 32;

/// Extensions longer than this are parts of names.
const MAX_KIND_LEN: usize = 12;

/// Bytes that can be read at any place: a file of the host, or one of the spool.
pub trait ByteSource: Sync {
    /// Reads up to `buf.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize>;

    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole follows.
    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>>;
}

impl ByteSource for dyn DiskFile + '_ {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        DiskFile::read_at(self, buf, offset)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        DiskFile::next_data(self, offset)
    }
}

impl ReadAt for dyn ByteSource + '_ {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        ByteSource::read_at(self, buf, offset)
    }
}

/// A file of the host, with its path for messages.
pub struct HostFile<'a> {
    file: &'a File,
    path: &'a Path,
    has_failed: AtomicBool,
}

impl<'a> HostFile<'a> {
    /// Reads `file`, which was opened at `path`.
    pub fn new(file: &'a File, path: &'a Path) -> HostFile<'a> {
        HostFile { file, path, has_failed: AtomicBool::new(false) }
    }

    /// Tells whether the file itself could not be read: then an error is about the source, else about the store.
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    fn fail(&self, error: std::io::Error) -> Error {
        self.has_failed.store(true, Relaxed);
        Error::io("read", self.path, error)
    }
}

impl ByteSource for HostFile<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match host::read_at(self.file, buf, offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => return result.map_err(|error| self.fail(error)),
            }
        }
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        host::next_data(self.file, offset).map_err(|error| self.fail(error))
    }
}

/// A file in the store.
#[derive(Debug, Clone, Copy)]
pub struct Ingested {
    /// Its content.
    pub content: Content,
    /// When all of it is durable.
    pub ticket: Ticket,
    /// Bytes that its new chunks took.
    pub stored_bytes: u64,
}

/// What is known of a file besides its bytes.
#[derive(Clone, Copy, Default)]
pub struct What<'a> {
    /// Its name, without folders.
    pub name: &'a [u8],
    /// The version of it that is stored already.
    pub earlier: Option<EarlierVersion<'a>>,
}

/// Stores up to `len` bytes of `source`, fewer if it ends before; looks for holes if it `is_sparse`.
///
/// # Errors
/// Those of the source and of the store; `Interrupted` when `progress` says so.
pub fn ingest_bytes<S: ByteSource + ?Sized>(
    store: &Store,
    source: &S,
    len: u64,
    is_sparse: bool,
    what: &What<'_>,
    progress: &Progress,
) -> Result<Ingested> {
    GrowingFile::default().finish(store, source, len, is_sparse, what, progress)
}

/// A file that is stored while it is still written: its head is in the store before its end is known.
///
/// Chunks end where the content says, so the pieces in which a file is fed show nowhere.
#[derive(Debug, Clone, Default)]
pub struct GrowingFile {
    list: ListBuilder,
    stored_len: u64,
    ticket: Ticket,
    stored_bytes: u64,
}

impl GrowingFile {
    /// Stores what is certain of the bytes of `source` before `end`: whole chunks, and holes that data follows.
    ///
    /// # Errors
    /// As [`ingest_bytes`]; then the file cannot be gone on with.
    pub fn feed<S: ByteSource + ?Sized>(
        &mut self,
        store: &Store,
        source: &S,
        end: u64,
        what: &What<'_>,
        progress: &Progress,
    ) -> Result<()> {
        self.take(store, source, Piece { end, is_last: false, is_sparse: true }, what, progress)
    }

    /// Stores the rest of a file of `len` bytes, and returns the whole.
    ///
    /// # Errors
    /// As [`ingest_bytes`].
    pub fn finish<S: ByteSource + ?Sized>(
        mut self,
        store: &Store,
        source: &S,
        len: u64,
        is_sparse: bool,
        what: &What<'_>,
        progress: &Progress,
    ) -> Result<Ingested> {
        self.take(store, source, Piece { end: len, is_last: true, is_sparse }, what, progress)?;
        self.ended(store)
    }

    /// Returns what is stored so far as the content of a file of its own.
    ///
    /// # Errors
    /// Those of the store.
    pub fn so_far(&self, store: &Store) -> Result<Ingested> {
        self.clone().ended(store)
    }

    fn ended(self, store: &Store) -> Result<Ingested> {
        let (mut ticket, mut stored_bytes) = (self.ticket, self.stored_bytes);
        let content = self.list.finish(&mut |node| put_node(store, node, &mut ticket, &mut stored_bytes))?;
        Ok(Ingested { content, ticket, stored_bytes })
    }

    fn take<S: ByteSource + ?Sized>(
        &mut self,
        store: &Store,
        source: &S,
        piece: Piece,
        what: &What<'_>,
        progress: &Progress,
    ) -> Result<()> {
        // Without an earlier version that can be read, chunks have fewer candidates for bases, and nothing is lost.
        let aligner = what.earlier.and_then(|version| Aligner::new(version).ok());
        let is_all = piece.is_last && self.stored_len == 0;
        let plan = match is_all {
            true => Plan::new(source, piece.end, what.name, what.earlier.as_ref())?,
            // A head that was stored before the end was known was cut without a plan, and so is the rest.
            false => Plan::default(),
        };
        let kind = if is_all && piece.end < MIN_CHUNK_LEN as u64 { kind_of(what.name) } else { Vec::new() };
        thread_local! {
            // Two segments' worth at most, reused from file to file: allocating it anew would cost a page fault a page.
            static SEGMENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        SEGMENT.with(|segment| {
            let end = piece.end;
            let mut segment = segment.borrow_mut();
            let mut ingest = FileIngest {
                store,
                progress,
                file: self,
                segment: &mut segment,
                earlier: what.earlier,
                aligner,
                plan,
                kind,
                track: Track::default(),
            };
            while ingest.file.stored_len < end {
                let at = ingest.file.stored_len;
                let (start, stop) = match piece.is_sparse {
                    false => (at, end),
                    true => source.next_data(at)?.map_or((end, end), |(start, stop)| (start.min(end), stop.min(end))),
                };
                if start == end && !piece.is_last {
                    // What is a hole now may yet be written.
                    break;
                }
                ingest.hole(start - at)?;
                if !ingest.range(source, start..stop, piece.is_last || stop < end)? {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// So much of a file is stored at once.
struct Piece {
    end: u64,
    /// Nothing follows.
    is_last: bool,
    /// Holes are looked for.
    is_sparse: bool,
}

struct FileIngest<'a> {
    store: &'a Store,
    progress: &'a Progress,
    file: &'a mut GrowingFile,
    segment: &'a mut Vec<u8>,
    earlier: Option<EarlierVersion<'a>>,
    aligner: Option<Aligner<'a>>,
    plan: Plan,
    /// The extension of the file's name in lower case, of one that is a single chunk.
    kind: Vec<u8>,
    /// Of a bundle that is not new.
    track: Track,
}

/// A chunk that was cut: where it ends in its segment, and its id.
type Cut = (usize, ChunkId);

impl FileIngest<'_> {
    fn hole(&mut self, len: u64) -> Result<()> {
        self.push(ListItem { len, id: None })
    }

    /// Stores the bytes of `range`; `false` if there were fewer.
    fn range<S: ByteSource + ?Sized>(&mut self, source: &S, range: Range<u64>, ends: bool) -> Result<bool> {
        let mut at = range.start;
        while let Some(stream) = self.plan.next_stream(at..range.end) {
            let before = stream.range.start - at;
            if self.data(source, at, stream.range.start, true)? < before {
                return Ok(false);
            }
            at = stream.range.end;
            let len = stream.range.end - stream.range.start;
            let mut bytes = vec![0; len as usize];
            if read_fully(source, stream.range.start, &mut bytes)? < bytes.len() {
                // It became shorter: what is left of it is cut like everything.
                return self.data(source, stream.range.start, stream.range.end, true).map(|_| false);
            }
            self.progress.check()?;
            self.stream(&bytes, &stream)?;
            self.progress.add_bytes(len);
        }
        Ok(self.data(source, at, range.end, ends)? == range.end - at)
    }

    /// Stores the bytes of a stream.
    fn stream(&mut self, bytes: &[u8], stream: &Stream) -> Result<()> {
        let (was, opener) = match &stream.kind {
            StreamKind::Blocks { runs } => return self.runs(bytes, runs),
            StreamKind::Deflate { was } => (was, Opener::Deflate),
            StreamKind::Gzip { was } => (was, Opener::Gzip),
            StreamKind::Png { was } => (was, Opener::Png),
        };
        // What cannot be read of the earlier version is no base.
        let before = self.earlier.and_then(|version| Before::new(&version, was).ok().flatten());
        if let Some(before) = &before
            && let Some(cuts) = before.same_cuts(bytes)
        {
            let cuts: Vec<Cut> = cuts.collect();
            let mut start = 0;
            let is_same = cuts.iter().all(|&(end, id)| {
                let plain = &bytes[start..end];
                start = end;
                ChunkId::of(plain) == id
            });
            if is_same {
                return self.put_all(bytes, &cuts);
            }
        }
        let cuts = self.cuts(bytes, true);
        if let Some(before) = before {
            let mut closed_len = 0;
            let mut start = 0;
            for &(end, id) in &cuts {
                closed_len += if self.store.contains(id)? { 0 } else { end - start };
                start = end;
            }
            if closed_len > 0 {
                match open_stream(self.store, bytes, opener, &before, closed_len)? {
                    Ok(pieces) => return self.put_opened(bytes, pieces),
                    Err(refusal) => self.store.count(refusal.code(), closed_len as u64),
                }
            }
        }
        self.put_all(bytes, &cuts)
    }

    fn put_opened(&mut self, bytes: &[u8], pieces: Vec<OpenedPiece>) -> Result<()> {
        let mut start = 0;
        for OpenedPiece { end, id, form } in pieces {
            let plain = &bytes[start..end];
            let put = self.store.put_opened(&chunk(id, plain, &Around::default()), &form)?;
            self.take_put(put, (end - start) as u64)?;
            start = end;
        }
        Ok(())
    }

    /// Stores runs of blocks of a bundle, one chunk each.
    fn runs(&mut self, bytes: &[u8], runs: &[Range<usize>]) -> Result<()> {
        let Some(bundle) = self.plan.bundle.take() else { unreachable!("only bundles have runs") };
        let was = self.plan.earlier_bundle.take();
        let start = bundle.blocks[runs[0].start].offset;
        let slices: Vec<&[u8]> = runs
            .iter()
            .map(|run| {
                let end = bundle.blocks[run.end - 1].end() - start;
                &bytes[(bundle.blocks[run.start].offset - start) as usize..end as usize]
            })
            .collect();
        let ids: Vec<ChunkId> = slices.par_iter().map(|plain| ChunkId::of(plain)).collect();
        let mut bases = Vec::new();
        let mut aligner = match (&was, self.earlier) {
            (Some(was), Some(version)) => Some(BundleAligner::new(&bundle, was, version, &mut self.track)),
            _ => None,
        };
        for (index, run) in runs.iter().enumerate() {
            let base = match &mut aligner {
                Some(aligner) if !self.store.contains(ids[index])? => {
                    aligner.align(self.store, run, slices[index]).ok().flatten()
                }
                _ => None,
            };
            bases.push(base);
        }
        let store = self.store;
        // What worked for one run is tried first for the others.
        let hint = Mutex::new(Hint::default());
        let forms = bases.into_par_iter().enumerate().map(|(index, base)| {
            let blocks = &bundle.blocks[runs[index].clone()];
            let nothing = Around::default();
            let closed = chunk(ids[index], slices[index], &nothing);
            if let Some(base) = base {
                let mut own_hint = *hint.lock();
                let opened = open_run(store, blocks, slices[index], base, &mut own_hint)?;
                *hint.lock() = own_hint;
                match opened {
                    Ok(form) => return store.put_opened(&closed, &form),
                    Err(refusal) => store.count(refusal.code(), slices[index].len() as u64),
                }
            }
            store.put_chunk(&closed)
        });
        let puts: Vec<Put> = forms.collect::<Result<_>>()?;
        for (put, plain) in puts.into_iter().zip(&slices) {
            self.take_put(put, plain.len() as u64)?;
        }
        (self.plan.bundle, self.plan.earlier_bundle) = (Some(bundle), was);
        Ok(())
    }

    /// Stores the bytes from `start` to `end`; returns how many there were, less the last chunk unless the data `ends`.
    fn data<S: ByteSource + ?Sized>(&mut self, source: &S, start: u64, end: u64, ends: bool) -> Result<u64> {
        let mut at = start;
        let mut filled = 0;
        loop {
            self.progress.check()?;
            let want = (SEGMENT_LEN - filled.min(SEGMENT_LEN)).min((end - at) as usize);
            if self.segment.len() < filled + want {
                self.segment.resize(filled + want, 0);
            }
            let got = read_fully(source, at, &mut self.segment[filled..filled + want])?;
            at += got as u64;
            filled += got;
            let is_last = got < want || at == end;
            let segment = std::mem::take(self.segment);
            let cuts = self.cuts(&segment[..filled], is_last && (ends || got < want));
            let used = cuts.last().map_or(0, |&(end, _)| end);
            let put = self.put_all(&segment, &cuts);
            *self.segment = segment;
            put?;
            self.progress.add_bytes(used as u64);
            self.segment.copy_within(used..filled, 0);
            filled -= used;
            if is_last {
                return Ok(at - filled as u64 - start);
            }
        }
    }

    /// Cuts bytes that follow what is stored, and hashes the chunks; the last one waits for more bytes unless it
    /// `is_last`.
    fn cuts(&mut self, bytes: &[u8], is_last: bool) -> Vec<Cut> {
        let ends = self.plan.cutter.cut(bytes, self.file.stored_len, is_last);
        let id = |index: usize| {
            let start = if index == 0 { 0 } else { ends[index - 1] };
            (ends[index], ChunkId::of(&bytes[start..ends[index]]))
        };
        match ends.len() >= PARALLEL_CHUNKS {
            false => (0..ends.len()).map(id).collect(),
            true => (0..ends.len()).into_par_iter().map(id).collect(),
        }
    }

    fn put_all(&mut self, bytes: &[u8], cuts: &[Cut]) -> Result<()> {
        let plain = |index: usize| &bytes[if index == 0 { 0 } else { cuts[index - 1].0 }..cuts[index].0];
        let offset = |index: usize| self.file.stored_len + (cuts[index].0 - plain(index).len()) as u64;
        let around = self.aligner.as_mut().map_or_else(Vec::new, |aligner| {
            let chunks = (0..cuts.len()).map(|index| {
                let shift = self.plan.shift_at(offset(index));
                NewChunk { offset: offset(index), plain: plain(index), id: cuts[index].1, shift }
            });
            // As without an earlier version.
            aligner.align(&chunks.collect::<Vec<_>>()).unwrap_or_default()
        });
        let (store, plan, kind) = (self.store, &self.plan, &self.kind[..]);
        let put = |index: usize| {
            let none = Around::default();
            let around = around.get(index).unwrap_or(&none);
            let known = chunk(cuts[index].1, plain(index), around);
            store.put_chunk(&Chunk { place: plan.place(offset(index)), kind, ..known })
        };
        let puts: Vec<Put> = match cuts.len() >= PARALLEL_CHUNKS {
            false => (0..cuts.len()).map(put).collect::<Result<_>>()?,
            true => (0..cuts.len()).into_par_iter().map(put).collect::<Result<_>>()?,
        };
        let mut start = 0;
        for (put, &(end, _)) in puts.into_iter().zip(cuts) {
            self.take_put(put, (end - start) as u64)?;
            start = end;
        }
        Ok(())
    }

    fn take_put(&mut self, put: Put, len: u64) -> Result<()> {
        self.file.ticket = self.file.ticket.join(put.ticket);
        self.file.stored_bytes += put.stored_len;
        self.push(ListItem { len, id: Some(put.id) })
    }

    fn push(&mut self, item: ListItem) -> Result<()> {
        let store = self.store;
        let GrowingFile { list, stored_len, ticket, stored_bytes } = &mut *self.file;
        *stored_len += item.len;
        list.push(item, &mut |node| put_node(store, node, ticket, stored_bytes))
    }
}

fn chunk<'a>(id: ChunkId, plain: &'a [u8], around: &'a Around) -> Chunk<'a> {
    let earlier = Earlier { chunks: &around.chunks, main: around.main };
    Chunk { id, plain, class: Class::Data, earlier, place: None, kind: b"" }
}

/// Returns the extension of a name in lower case; nothing where there is none, or none that tells a type.
fn kind_of(name: &[u8]) -> Vec<u8> {
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) if name.len() - dot <= MAX_KIND_LEN => name[dot + 1..].to_ascii_lowercase(),
        _ => Vec::new(),
    }
}

/// Fills `buf` from `offset` on, as far as there are bytes; returns how many.
fn read_fully<S: ByteSource + ?Sized>(source: &S, offset: u64, buf: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match source.read_at(&mut buf[filled..], offset + filled as u64)? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(filled)
}

/// Stores a node of a manifest and adds it to the sums.
pub(super) fn put_node(
    store: &Store,
    node: &[u8],
    ticket: &mut Ticket,
    stored_bytes: &mut u64,
) -> Result<crate::id::ChunkId> {
    let put = store.put(node, Class::Tree)?;
    *ticket = ticket.join(put.ticket);
    *stored_bytes += put.stored_len;
    Ok(put.id)
}
