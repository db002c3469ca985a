//! Chunk in, id out; id in, chunk out.
//!
//! [`Store::put`] takes plain bytes, finds out whether they are there already, encodes them and appends them to an open
//! pack. [`Store::get`] finds a chunk, decodes it and checks it against its id before anyone sees it.

mod anew;
mod chain;
mod counters;
mod decode;
mod dictionaries;
mod encode;
mod epoch;
mod hangs;
mod kept;
mod opened;
mod pack;
mod parity;
mod read_counters;
mod reader;
mod recreated;
mod removal;
mod similar;
mod sizes;
mod together;
mod writer;

pub(crate) use similar::TABLE as SIMILAR;
pub(crate) use writer::create_pack_folders;

pub use anew::{Candidate, Effort, Gain, Recoder};
pub use chain::{MAX_BASE_BYTES, MAX_DEPTH};
pub use encode::{Chunk, Earlier, difference_len};
pub use epoch::Writing;
pub use hangs::get_or_fetch;
pub use kept::Plain;
pub use opened::{MAX_CLOSED_BYTES, OpenedForm};
pub use pack::{EntryKind, PackEntry, PackIndex, check_entry_header, entry_len, read_entry, read_index, read_time};
pub use parity::{Healed, MAX_PERCENT};
pub use read_counters::ReadCounts;
pub use recreated::is_cache;
pub use sizes::CacheSizes;

use crate::catalogue::{Catalogue, NewPack, PackTime, Record};
use crate::codec::{Encoder, Encoding};
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChunkId, PackId};
use counters::Counters;
use decode::Stored;
use dictionaries::Dictionaries;
use encode::Encoded;
use kept::{ChunkCache, chunk_cache};
use parity::Healer;
use read_counters::ReadCounters;
use reader::PackReader;
use recreated::Recreated;
use similar::Similar;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use writer::{OPEN_DIR, OPEN_LOCK, Writer};

/// Recovery blocks for a hundred blocks of a pack, unless the vault's settings say something else.
pub const RECOVERY_PERCENT: u8 = 3;

/// Which packs a chunk goes to, so that listing a build reads few places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Bytes of files.
    Data,
    /// Nodes of manifests.
    Tree,
}

/// Tells when chunks that were put survive a crash: once the packs that they are in are sealed.
///
/// The default stands for chunks that are durable already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket(Option<(u64, u64)>);

impl Ticket {
    fn pack(number: u64) -> Ticket {
        Ticket(Some((number, number)))
    }

    /// Returns the ticket of both.
    pub fn join(self, other: Ticket) -> Ticket {
        match (self.0, other.0) {
            (Some((a, b)), Some((c, d))) => Ticket(Some((a.min(c), b.max(d)))),
            (one, None) | (None, one) => Ticket(one),
        }
    }

    fn packs(self) -> Option<RangeInclusive<u64>> {
        self.0.map(|(first, last)| first..=last)
    }
}

/// What became of a chunk that was put.
#[derive(Debug, Clone, Copy)]
pub struct Put {
    /// Its id.
    pub id: ChunkId,
    /// When it is durable.
    pub ticket: Ticket,
    /// Bytes that it took in a pack; 0 when it was there already.
    pub stored_len: u64,
}

/// All chunks of a vault, for all threads of a process.
pub struct Store {
    disk: Arc<dyn Disk>,
    catalogue: Arc<Catalogue>,
    reader: PackReader,
    writer: Writer,
    counters: Arc<Counters>,
    /// How many in this process may store.
    writers: Arc<AtomicUsize>,
    /// Recovery blocks for a hundred blocks of a pack; 0 for none.
    recovery: Arc<AtomicU8>,
    similar: Similar,
    dictionaries: Dictionaries,
    recreated: Recreated,
    reads: Arc<ReadCounters>,
    cache: ChunkCache,
    /// Bases, which nobody has checked against an id: what is decoded from them is checked.
    bases: ChunkCache,
    /// What opened bases say, as little checked.
    texts: ChunkCache,
}

impl Store {
    /// Uses the packs on `disk` that `catalogue` knows.
    pub fn new(disk: Arc<dyn Disk>, catalogue: Arc<Catalogue>, sizes: &CacheSizes) -> Store {
        let counters = Arc::new(Counters::default());
        let reads = Arc::new(ReadCounters::default());
        let recovery = Arc::new(AtomicU8::new(RECOVERY_PERCENT));
        Store {
            reader: PackReader::new(
                disk.clone(),
                catalogue.clone(),
                reads.clone(),
                Arc::new(Healer::new(disk.clone())),
            ),
            writer: Writer::new(disk.clone(), catalogue.clone(), counters.clone(), recovery.clone()),
            counters,
            writers: Arc::default(),
            recovery,
            similar: Similar::new(disk.clone()),
            dictionaries: Dictionaries::new(),
            recreated: Recreated::new(disk.clone(), catalogue.clone(), sizes.recreated_bytes),
            cache: chunk_cache(sizes.chunk_bytes, reads.clone()),
            bases: chunk_cache(sizes.base_bytes, reads.clone()),
            texts: chunk_cache(sizes.text_bytes, reads.clone()),
            reads,
            disk,
            catalogue,
        }
    }

    /// Returns the vault's files.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Returns the vault's catalogue.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Writes so many recovery blocks for a hundred blocks of each pack from now on; 0 for none.
    pub fn set_recovery(&self, percent: u8) {
        self.recovery.store(percent.min(MAX_PERCENT), Relaxed);
    }

    /// Compares a pack with its recovery data, and makes again what is damaged.
    ///
    /// # Errors
    /// `Corrupt` if more is damaged than can be made again; `NoSpace` or `Io` from the disk.
    pub fn heal(&self, id: PackId) -> Result<Healed> {
        let healed = parity::heal(&*self.disk, id)?;
        if matches!(healed, Healed::Blocks(_)) {
            self.reader.close(id);
            self.clear_caches();
        }
        Ok(healed)
    }

    /// Reads and decodes all that is in a pack.
    ///
    /// # Errors
    /// `Corrupt` if something of it is damaged, or a base of it; `Io` from the system.
    pub fn read_pack(&self, id: PackId) -> Result<()> {
        let index = self.pack_index(id)?;
        if let Some(damage) = index.damage {
            return Err(damage);
        }
        let file = self.disk.open(&writer::pack_path(id))?;
        for entry in &index.entries {
            check_entry_header(&*file, entry).map_err(|error| error.context(format!("pack {id}")))?;
            // What `gc` took out may lack its bases, and nobody reads it.
            let is_needed = !entry.kind.is_chunk() || self.catalogue.chunk(entry.id.key())?.is_some();
            if is_needed {
                self.read_entry(&*file, entry).map_err(|error| error.context(format!("pack {id}")))?;
            }
        }
        Ok(())
    }

    /// Writes recovery data for a pack that is known to be sound, unless there is to be none.
    ///
    /// # Errors
    /// Those of opening the pack.
    pub fn protect(&self, id: PackId) -> Result<()> {
        self.writer.protect(id, &*self.disk.open(&writer::pack_path(id))?);
        Ok(())
    }

    /// Forgets the chunks that are kept decoded: the next reads decode theirs again.
    pub fn clear_caches(&self) {
        self.cache.clear();
        self.bases.clear();
        self.texts.clear();
    }

    /// Returns what reading has cost since the store was opened.
    pub fn read_counts(&self) -> ReadCounts {
        self.reads.counts()
    }

    /// Returns the chunk's plain bytes, checked against `id`; also of chunks that are not sealed yet.
    ///
    /// Serves from the cache when it can. Threads that ask for the same chunk at once decode it once.
    ///
    /// # Errors
    /// `Corrupt` if the catalogue has no such chunk, or the stored bytes do not decode to it.
    pub fn get(&self, id: ChunkId) -> Result<Plain> {
        self.wait_for(id, false)
    }

    /// Returns the chunk's plain bytes like [`Store::get`], and leaves the cache as it is.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_passing(&self, id: ChunkId) -> Result<Plain> {
        self.cache.peek(&id.key()).map_or_else(|| Ok(Plain::new(self.get_uncached(id)?, false)), Ok)
    }

    /// Returns the chunk's plain bytes like [`Store::get`], past the cache: for readers that come only once.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_uncached(&self, id: ChunkId) -> Result<Vec<u8>> {
        self.kept(id, self.stored_chunk(id)?)
    }

    /// Returns the chunk's plain bytes as the packs have them, whatever is kept elsewhere.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn get_from_packs(&self, id: ChunkId) -> Result<Vec<u8>> {
        self.checked(id, self.stored_chunk(id)?)
    }

    fn stored_chunk(&self, id: ChunkId) -> Result<Stored> {
        self.stored(id.key())?.ok_or_else(|| {
            Error::corrupt(format!("chunk {id} is in no pack that the catalogue knows"))
                .with_hint("run `gamevault repair`; if it stays missing, `gamevault verify` names the files")
        })
    }

    /// Calls `visit` with the plain bytes of each of `ids`, in their order, past the cache; looks them up together.
    ///
    /// # Errors
    /// As [`Store::get`], and those of `visit`.
    pub fn get_each(&self, ids: &[ChunkId], visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        for (&id, place) in ids.iter().zip(self.catalogue.chunks(ids)?) {
            // What is not sealed yet has no place; it may get one between the two looks.
            let plain = match place {
                Some(place) => self.kept(id, self.read_at(id.key(), place)?)?,
                None => self.get_uncached(id)?,
            };
            visit(&plain)?;
        }
        Ok(())
    }

    /// Tells whether the chunk is stored, durable or not.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn contains(&self, id: ChunkId) -> Result<bool> {
        Ok(self.writer.pending(id.key()).is_some() || self.catalogue.chunk(id.key())?.is_some())
    }

    /// Looks three super-features up as storing a chunk does, and returns the starts of the keys that are found.
    #[doc(hidden)]
    pub fn similar_starts(&self, features: &[u64; 3]) -> Vec<[u8; 4]> {
        self.similar.find(features)
    }

    /// Stores bytes of which nothing more is known, unless they are there.
    ///
    /// # Errors
    /// As [`Store::put_chunk`].
    pub fn put(&self, plain: &[u8], class: Class) -> Result<Put> {
        self.put_chunk(&Chunk {
            id: ChunkId::of(plain),
            plain,
            class,
            earlier: Earlier::default(),
            place: None,
            kind: b"",
        })
    }

    /// Stores a chunk unless it is there.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk: then the chunks of the open pack are lost, and their tickets say so.
    pub fn put_chunk(&self, chunk: &Chunk<'_>) -> Result<Put> {
        match self.known(chunk.id)? {
            Some(put) => Ok(put),
            None => self.encode(chunk, &mut |encoded| self.append(chunk, &encoded)),
        }
    }

    /// Stores a piece of a compressed stream as [`Store::opened_form`] made it, unless it is there.
    ///
    /// # Errors
    /// As [`Store::put_chunk`].
    pub fn put_opened(&self, chunk: &Chunk<'_>, form: &OpenedForm) -> Result<Put> {
        let encoded = Encoded { encoding: Encoding::Opened, bases: &form.bases, stored: &form.stored };
        self.known(chunk.id)?.map_or_else(|| self.append(chunk, &encoded), Ok)
    }

    /// Returns what is to be said of a chunk that is there.
    fn known(&self, id: ChunkId) -> Result<Option<Put>> {
        // In this order: a chunk that is sealed between the two looks is found by the second.
        if let Some(pending) = self.writer.pending(id.key())
            // What is stored anew is durable where it was.
            && pending.entry.kind == EntryKind::Chunk
        {
            return Ok(Some(Put { id, ticket: Ticket::pack(pending.ticket), stored_len: 0 }));
        }
        Ok(self.catalogue.keeps(id.key())?.then(|| Put { id, ticket: Ticket::default(), stored_len: 0 }))
    }

    fn append(&self, chunk: &Chunk<'_>, encoded: &Encoded<'_>) -> Result<Put> {
        let entry = PackEntry {
            kind: EntryKind::Chunk,
            encoding: encoded.encoding,
            offset: 0,
            stored_len: encoded.stored.len() as u32,
            plain_len: chunk.plain.len() as u32,
            id: chunk.id,
            bases: encoded.bases.into(),
        };
        let (ticket, stored_len) = self.writer.append(entry, encoded.stored, chunk.class)?;
        Ok(Put { id: chunk.id, ticket, stored_len })
    }

    /// Tells whether all that the ticket stands for is sealed and registered.
    ///
    /// # Errors
    /// `Io` if one of its packs could not be written.
    pub fn is_durable(&self, ticket: Ticket) -> Result<bool> {
        self.writer.is_durable(ticket)
    }

    /// Seals all open packs: everything put before is durable after, or its ticket says that it is lost.
    ///
    /// # Errors
    /// `NoSpace` or `Io` if a pack could not be sealed.
    pub fn flush(&self) -> Result<()> {
        self.writer.flush()?;
        // Only what was counted while no pack was open is left.
        self.counters.hand_over(|refused| match refused {
            [] => Ok(()),
            refused => self.catalogue.count_refused(refused),
        })
    }

    /// Counts that `bytes` plain bytes were refused a smaller form for `reason`, a name in kebab case.
    ///
    /// It reaches the catalogue with the next pack that is sealed, and is lost with the process before that.
    pub fn count(&self, reason: &'static str, bytes: u64) {
        self.counters.add(reason, 1, bytes);
    }

    /// Writes `records` to a pack of their own, sealed at `sealed`, which the caller registers in the transaction that
    /// gave that time and publishes.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk.
    pub fn write_records(&self, records: &[Record], sealed: PackTime) -> Result<NewPack> {
        let (id, path, file) = writer::create_pack_file(&*self.disk)?;
        let mut bytes = vec![0; pack::HEADER_LEN];
        let mut entries = Vec::new();
        let mut encoder = Encoder::default();
        for record in records {
            let plain = serde_json::to_vec(record).expect("records have string keys and finite numbers");
            let (encoding, stored) = encoder.encode(&plain, None);
            let entry = PackEntry {
                kind: EntryKind::Record,
                encoding,
                offset: (bytes.len() + pack::ENTRY_HEADER_LEN) as u32,
                stored_len: stored.len() as u32,
                plain_len: plain.len() as u32,
                id: ChunkId::of(&plain),
                bases: Box::default(),
            };
            bytes.extend(pack::entry_header(&entry));
            bytes.extend_from_slice(stored);
            entries.push(entry);
        }
        file.write_all_at(&bytes, 0)?;
        let len = writer::seal_file(&*self.disk, &*file, &path, (id, sealed), &entries, bytes.len() as u64)?;
        self.writer.protect(id, &*file);
        Ok(writer::new_pack(id, len, sealed, &entries))
    }

    /// Returns the names and paths of all sealed packs on the disk, known to the catalogue or not, with their lengths.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn packs_on_disk(disk: &dyn Disk) -> Result<Vec<(PackId, PathBuf, u64)>> {
        let mut packs = Vec::new();
        for (folder, len) in disk.list(Path::new("packs"))? {
            if len.is_some() || folder.len() != 2 {
                continue;
            }
            let folder = Path::new("packs").join(folder);
            for (name, len) in disk.list(&folder)? {
                if let (Some(id), Some(len)) = (name.strip_suffix(".pack").and_then(PackId::parse), len) {
                    packs.push((id, folder.join(name), len));
                }
            }
        }
        Ok(packs)
    }

    /// Removes what killed processes left among the open packs, and makes their folder where it is missing; returns how
    /// many files that were.
    ///
    /// A pack that another process is writing is locked and stays.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn clear_left_over(disk: &dyn Disk) -> Result<usize> {
        let mut removed = 0;
        // Tools that copy files alone leave empty folders out.
        disk.create_dir(Path::new(OPEN_DIR))?;
        let gate = disk.open_writable(Path::new(OPEN_LOCK)).or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                create_pack_folders(disk)?;
                disk.open_writable(Path::new(OPEN_LOCK))
            }
            _ => Err(error),
        })?;
        if !gate.try_lock(true)? {
            return Ok(0);
        }
        for (name, len) in disk.list(Path::new(OPEN_DIR))? {
            let path = Path::new(OPEN_DIR).join(name);
            // It may have been sealed or removed since it was listed.
            let Ok(file) = disk.open_writable(&path) else { continue };
            if len.is_some() && file.try_lock(true)? && disk.remove(&path).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }
}
