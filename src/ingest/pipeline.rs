//! One file in: cut at content-defined boundaries, hashed, stored, listed.
//!
//! A file is read in segments. The chunks of a large segment are hashed and encoded by all cores, those of a small one
//! where they are; the memory in use is one segment a reading thread, whatever the size of the file.

use super::cutter::Cutter;
use super::earlier::{Aligner, Around, EarlierVersion, NewChunk};
use crate::disk::{DiskFile, host};
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::lens::ReadAt;
use crate::manifest::{Content, ListBuilder, ListItem};
use crate::progress::Progress;
use crate::store::{Chunk, Class, Earlier, Put, Store, Ticket};
use rayon::prelude::*;
use std::cell::RefCell;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes read and cut at once.
const SEGMENT_LEN: usize = 4 << 20;

/// Chunks from which on handing a segment to all cores pays: below, files side by side keep the cores busy, and waking
/// threads for a few chunks costs more than hashing them.
const PARALLEL_CHUNKS: usize = 32;

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
        // The end of a container says where its parts are: a file whose head is stored already is cut by content alone.
        let is_all = piece.is_last && self.stored_len == 0;
        let cutter = if is_all { Cutter::of(source, piece.end, what.name)? } else { Cutter::default() };
        thread_local! {
            // Two segments' worth at most, reused from file to file: allocating it anew would cost a page fault a page.
            static SEGMENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        SEGMENT.with(|segment| {
            let end = piece.end;
            let mut ingest =
                FileIngest { store, progress, file: self, segment: &mut segment.borrow_mut(), cutter, aligner };
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
                let read = ingest.data(source, start, stop, piece.is_last || stop < end)?;
                if read < stop - start {
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
    cutter: Cutter,
    aligner: Option<Aligner<'a>>,
}

impl FileIngest<'_> {
    fn hole(&mut self, len: u64) -> Result<()> {
        self.push(ListItem { len, id: None })
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
            let mut got = 0;
            while got < want {
                match source.read_at(&mut self.segment[filled + got..filled + want], at + got as u64)? {
                    0 => break,
                    len => got += len,
                }
            }
            at += got as u64;
            filled += got;
            let is_last = got < want || at == end;
            let segment_start = at - filled as u64;
            let chunk_ends = self.cutter.cut(&self.segment[..filled], segment_start, is_last && (ends || got < want));
            let used = chunk_ends.last().copied().unwrap_or(0);
            self.put_all(&chunk_ends)?;
            self.progress.add_bytes(used as u64);
            self.segment.copy_within(used..filled, 0);
            filled -= used;
            if is_last {
                return Ok(at - filled as u64 - start);
            }
        }
    }

    fn put_all(&mut self, ends: &[usize]) -> Result<()> {
        let (store, segment) = (self.store, &self.segment[..]);
        let plain = |index: usize| &segment[index.checked_sub(1).map_or(0, |before| ends[before])..ends[index]];
        let in_parallel = ends.len() >= PARALLEL_CHUNKS;
        let ids: Vec<ChunkId> = match in_parallel {
            false => (0..ends.len()).map(|index| ChunkId::of(plain(index))).collect(),
            true => (0..ends.len()).into_par_iter().map(|index| ChunkId::of(plain(index))).collect(),
        };
        let around = self.aligner.as_mut().map_or_else(Vec::new, |aligner| {
            let chunks = (0..ends.len()).map(|index| {
                let plain = plain(index);
                NewChunk { offset: self.file.stored_len + (ends[index] - plain.len()) as u64, plain, id: ids[index] }
            });
            // As without an earlier version.
            aligner.align(&chunks.collect::<Vec<_>>()).unwrap_or_default()
        });
        let put = |index: usize| {
            let none = Around::default();
            let Around { chunks, main } = around.get(index).unwrap_or(&none);
            let earlier = Earlier { chunks, main: *main };
            store.put_chunk(&Chunk { id: ids[index], plain: plain(index), class: Class::Data, earlier })
        };
        let puts: Vec<Put> = match in_parallel {
            false => (0..ends.len()).map(put).collect::<Result<_>>()?,
            true => (0..ends.len()).into_par_iter().map(put).collect::<Result<_>>()?,
        };
        let mut start = 0;
        for (put, &end) in puts.iter().zip(ends) {
            self.file.ticket = self.file.ticket.join(put.ticket);
            self.file.stored_bytes += put.stored_len;
            self.push(ListItem { len: (end - start) as u64, id: Some(put.id) })?;
            start = end;
        }
        Ok(())
    }

    fn push(&mut self, item: ListItem) -> Result<()> {
        let store = self.store;
        let GrowingFile { list, stored_len, ticket, stored_bytes } = &mut *self.file;
        *stored_len += item.len;
        list.push(item, &mut |node| put_node(store, node, ticket, stored_bytes))
    }
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
