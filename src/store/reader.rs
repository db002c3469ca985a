//! Chunks that are read: the catalogue says where, the pack's bytes are decoded and checked.

use super::decode::Stored;
use super::hangs::{self, Hangs, Read};
use super::parity::Healer;
use super::read_counters::ReadCounters;
use super::writer::pack_path;
use crate::catalogue::{Catalogue, ChunkPlace};
use crate::codec::{Encoding, MAX_PLAIN_LEN};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
use quick_cache::sync::Cache;
use std::cell::Cell;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Packs held open at once; a system's usual limit is 1,024 files a process.
const MAX_OPEN_PACKS: usize = 256;

/// The most bytes of a pack that are read at once: their chunks are waited for together.
pub(super) const MAX_RUN_BYTES: u64 = 512 << 10;

/// Bytes between chunks that are read and thrown away rather than read around: a read costs as much as copying a few pages.
pub(super) const MAX_RUN_GAP: u64 = 4 << 10;

/// Bytes of a pack, a part of those that were read at once.
pub(super) struct Slice {
    read: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.read[self.range.clone()]
    }
}

impl From<Vec<u8>> for Slice {
    fn from(bytes: Vec<u8>) -> Slice {
        Slice { range: 0..bytes.len(), read: Arc::new(bytes) }
    }
}

pub(super) struct PackReader {
    disk: Arc<dyn Disk>,
    catalogue: Arc<Catalogue>,
    counters: Arc<ReadCounters>,
    files: Cache<i64, (PackId, Arc<dyn DiskFile>)>,
    hangs: Hangs,
    healer: Arc<Healer>,
}

impl PackReader {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        catalogue: Arc<Catalogue>,
        counters: Arc<ReadCounters>,
        healer: Arc<Healer>,
    ) -> PackReader {
        let (files, hangs) = (Cache::new(MAX_OPEN_PACKS), Hangs::new(hangs::PATIENCE));
        PackReader { disk, catalogue, counters, files, hangs, healer }
    }

    /// Returns the stored bytes of the chunk that lies at `place`; heals its pack if that is cut off or missing.
    pub(super) fn read(&self, place: ChunkPlace) -> Result<Stored> {
        match self.read_once(place.clone()) {
            Err(error) if error.kind() == ErrorKind::Corrupt => match self.heal(place.pack) {
                true => self.read_once(place),
                false => Err(error),
            },
            read => read,
        }
    }

    /// Heals a pack that cannot be read as it was written; tells whether it is worth reading once more.
    pub(super) fn heal(&self, number: i64) -> bool {
        let Ok(id) = self.catalogue.pack_id(number) else { return false };
        let is_healed = self.healer.heal_for_reader(id);
        if is_healed {
            self.close(id);
        }
        is_healed
    }

    fn read_once(&self, place: ChunkPlace) -> Result<Stored> {
        let _read = self.begin(place.pack)?;
        let (pack, file) = self.file(place.pack)?;
        let in_pack = |error: Error| error.context(format!("pack {pack}"));
        let read = self.read_bytes(&*file, place.offset.into(), place.stored_len as usize).map_err(in_pack)?;
        let range = 0..place.stored_len as usize;
        stored(pack, place, Slice { read, range })
    }

    /// Returns the stored bytes of chunks of one pack that lie at `places`, sorted and near each other, by one read.
    ///
    /// Where that fails, each is to be read by itself: then it is found out which.
    pub(super) fn read_run(&self, places: Vec<ChunkPlace>) -> Vec<Result<Stored>> {
        let [first, .., last] = &places[..] else { return places.into_iter().map(|place| self.read(place)).collect() };
        let start = u64::from(first.offset);
        let len = last.end().saturating_sub(start);
        let read = || -> Result<(PackId, Arc<Vec<u8>>)> {
            let _read = self.begin(first.pack)?;
            let (pack, file) = self.file(first.pack)?;
            Ok((pack, self.read_bytes(&*file, start, len as usize)?))
        };
        let run = if len <= MAX_RUN_BYTES { read() } else { Err(Error::corrupt("chunks of a pack overlap")) };
        let Ok((pack, bytes)) = run else { return places.into_iter().map(|place| self.read(place)).collect() };
        let part = |place: ChunkPlace| {
            let from = u64::from(place.offset) - start;
            let range = from as usize..(place.end() - start) as usize;
            if range.end > len as usize {
                return self.read(place);
            }
            stored(pack, place, Slice { read: bytes.clone(), range })
        };
        places.into_iter().map(part).collect()
    }

    /// Begins a read of a pack, unless it does not answer.
    fn begin(&self, number: i64) -> Result<Read<'_>> {
        self.hangs.begin(number).or_else(|quiet| Err(hangs::does_not_answer(self.catalogue.pack_id(number)?, quiet)))
    }

    /// Reads `len` bytes at `offset` into a buffer that may be longer.
    fn read_bytes(&self, file: &dyn DiskFile, offset: u64, len: usize) -> Result<Arc<Vec<u8>>> {
        // No encoding makes a chunk longer; a damaged catalogue may say 4 GB.
        if len > MAX_PLAIN_LEN {
            return Err(Error::corrupt(format!("{len} stored bytes are more than any chunk has")));
        }
        thread_local! {
            // Only working memory, used again when nothing of the last read is held: fresh memory costs as much as reading.
            static BUFFER: Cell<Arc<Vec<u8>>> = Cell::default();
        }
        let mut read = BUFFER.take();
        if Arc::get_mut(&mut read).is_none() {
            read = Arc::default();
        }
        let bytes = Arc::get_mut(&mut read).expect("nobody else has it");
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        file.read_exact_at(&mut bytes[..len], offset)?;
        self.counters.reads.add(1);
        self.counters.read_bytes.add(len as u64);
        if len as u64 <= MAX_RUN_BYTES {
            BUFFER.set(read.clone());
        }
        Ok(read)
    }

    /// Closes a pack whose file is to go: on Windows its name stays for as long as anybody has it open.
    pub(super) fn close(&self, pack: PackId) {
        self.files.retain(|_, (id, _)| *id != pack);
    }

    fn file(&self, number: i64) -> Result<(PackId, Arc<dyn DiskFile>)> {
        if let Some(file) = self.files.get(&number) {
            return Ok(file);
        }
        // Not by a placeholder that others wait for: opening may hang, and opening twice does no harm.
        let file = self.open(number)?;
        self.files.insert(number, file.clone());
        Ok(file)
    }

    fn open(&self, number: i64) -> Result<(PackId, Arc<dyn DiskFile>)> {
        let id = self.catalogue.pack_id(number)?;
        let file = self.disk.open(&pack_path(id)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::corrupt(format!("pack {id} is missing: {}", error.message()))
                .with_hint("put the file back, or run `gamevault verify` to see what it held"),
            _ => error,
        })?;
        Ok((id, file))
    }
}

fn stored(pack: PackId, place: ChunkPlace, bytes: Slice) -> Result<Stored> {
    let encoding = Encoding::from_number(place.encoding).map_err(|error| error.context(format!("pack {pack}")))?;
    let plain_len = place.plain_len as usize;
    Ok(Stored { encoding, bytes, plain_len, bases: place.bases, place: Some((pack, place.offset)) })
}
