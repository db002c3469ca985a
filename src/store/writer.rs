//! Packs that are being written: chunks go in, sealed and registered packs come out.
//!
//! A process has at most one open pack of each [`Class`]. All its writers share them, so that small sessions do not
//! leave small packs. A chunk in an open pack is *pending*: it can be read and is not stored twice, but only sealing
//! makes it durable, and a [`Ticket`] tells when that has happened.

use super::counters::Counters;
use super::decode::Stored;
use super::pack::{self, EntryKind, PackEntry};
use super::parity;
use super::{Class, Ticket};
use crate::catalogue::{Catalogue, NewChunk, NewPack, PackTime};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::id::{ChunkKey, PackId};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Length at which a pack is sealed: small enough that a crash loses little work, large enough for few files.
const PACK_LEN: u64 = 64 << 20;

/// Entries at which it is sealed, too: those of an open pack are kept in memory.
const MAX_ENTRIES: usize = 1 << 16;

/// Bytes collected before they are written to the open pack.
const WRITE_LEN: usize = 1 << 20;

/// The open pack of what is stored anew; the others have the numbers of their [`Class`].
const ANEW: usize = 2;

/// The folder of all packs.
pub(super) const PACKS_DIR: &str = "packs";

/// The folder of open packs.
pub(super) const OPEN_DIR: &str = "packs/open";

/// Held shared while an open pack is created, exclusively while left over ones are cleared.
pub(super) const OPEN_LOCK: &str = "packs/lock";

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    catalogue: Arc<Catalogue>,
    counters: Arc<Counters>,
    /// See [`super::Store`].
    recovery: Arc<AtomicU8>,
    /// The open packs of data, of trees, and of what is stored anew.
    open: [Mutex<Option<OpenPack>>; 3],
    /// In the order of their keys, so that one is found by the start of its key.
    pending: Mutex<BTreeMap<ChunkKey, Pending>>,
    tickets: Mutex<Tickets>,
    sealed: Condvar,
}

/// A chunk in an open pack.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) entry: PackEntry,
    pub(super) ticket: u64,
    pub(super) file: Arc<dyn DiskFile>,
    slot: usize,
}

#[derive(Default)]
struct Tickets {
    last: u64,
    unsealed: BTreeSet<u64>,
    lost: BTreeSet<u64>,
}

struct OpenPack {
    id: PackId,
    ticket: u64,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    entries: Vec<PackEntry>,
    /// Bytes that are not in the file yet.
    buffer: Vec<u8>,
    /// Length of the file with the buffer.
    len: u64,
    /// Packs that were not sealed when a chunk of theirs became a base here: lost with one of them, this one is lost.
    needs: BTreeSet<u64>,
}

impl OpenPack {
    fn append(&mut self, mut entry: PackEntry, stored: &[u8]) -> Result<PackEntry> {
        entry.offset = self.len as u32 + entry.header_len() as u32;
        self.buffer.extend(pack::entry_header(&entry));
        self.buffer.extend_from_slice(stored);
        self.len += (entry.header_len() + stored.len()) as u64;
        self.entries.push(entry.clone());
        if self.buffer.len() >= WRITE_LEN {
            self.write_buffer()?;
        }
        Ok(entry)
    }

    fn write_buffer(&mut self) -> Result<()> {
        self.file.write_all_at(&self.buffer, self.len - self.buffer.len() as u64)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        catalogue: Arc<Catalogue>,
        counters: Arc<Counters>,
        recovery: Arc<AtomicU8>,
    ) -> Writer {
        Writer {
            disk,
            catalogue,
            counters,
            recovery,
            open: [Mutex::default(), Mutex::default(), Mutex::default()],
            pending: Mutex::default(),
            tickets: Mutex::default(),
            sealed: Condvar::new(),
        }
    }

    pub(super) fn pending(&self, key: ChunkKey) -> Option<Pending> {
        self.pending.lock().get(&key).cloned()
    }

    /// Returns a pending chunk whose key starts with `start`.
    pub(super) fn pending_like(&self, start: [u8; 4]) -> Option<ChunkKey> {
        let mut first = [0; ChunkKey::LEN];
        first[..4].copy_from_slice(&start);
        self.pending.lock().range(ChunkKey(first)..).next().map(|(key, _)| *key).filter(|key| key.0.starts_with(&start))
    }

    /// Returns the stored bytes of a pending chunk.
    pub(super) fn read_pending(&self, pending: &Pending) -> Result<Stored> {
        if let Some(open) = self.open[pending.slot].lock().as_mut()
            && open.ticket == pending.ticket
        {
            open.write_buffer()?;
        }
        let entry = &pending.entry;
        Ok(Stored {
            encoding: entry.encoding,
            bytes: pack::read_stored(&*pending.file, entry.span())?.into(),
            plain_len: entry.plain_len as usize,
            bases: entry.bases.clone(),
            place: None,
        })
    }

    /// Appends a chunk to the open pack of its class; seals the pack when it is full.
    pub(super) fn append(&self, entry: PackEntry, stored: &[u8], class: Class) -> Result<(Ticket, u64)> {
        let key = entry.id.key();
        let number = if entry.kind == EntryKind::Anew { ANEW } else { class as usize };
        let mut slot = self.open[number].lock();
        if let Some(pending) = self.pending(key)
            && entry.kind != EntryKind::Anew
        {
            // Another thread stored the same chunk meanwhile.
            return Ok((Ticket::pack(pending.ticket), 0));
        }
        if slot.is_none() {
            *slot = Some(self.open_pack()?);
        }
        let open = slot.as_mut().expect("opened above");
        let (ticket, file) = (open.ticket, open.file.clone());
        for base in &entry.bases {
            match self.pending(*base) {
                // What is stored anew is stored already.
                Some(pending) if pending.slot == Class::Data as usize && pending.ticket != ticket => {
                    open.needs.insert(pending.ticket);
                }
                Some(_) => {}
                None if self.catalogue.chunk(*base)?.is_none() => return Err(lost_chunks()),
                None => {}
            }
        }
        match open.append(entry, stored) {
            Ok(entry) => {
                self.pending.lock().insert(key, Pending { entry, ticket, file, slot: number });
            }
            Err(error) => {
                // What the pack holds is lost with it: a write that failed once must not be followed by a seal.
                let lost = slot.take().expect("opened above");
                self.lose(&lost);
                return Err(error);
            }
        }
        if open.len >= PACK_LEN || open.entries.len() >= MAX_ENTRIES {
            let full = slot.take().expect("opened above");
            drop(slot);
            self.seal(full)?;
            if number == Class::Data as usize {
                // The lists of the files in it, too: a file can be relied on when both are durable, and a pack of lists
                // would fill only after hundreds of gigabytes.
                let lists = self.open[Class::Tree as usize].lock().take();
                lists.map_or(Ok(()), |lists| self.seal(lists))?;
            }
        }
        Ok((Ticket::pack(ticket), stored.len() as u64))
    }

    fn open_pack(&self) -> Result<OpenPack> {
        let (id, path, file) = create_pack_file(&*self.disk)?;
        let mut tickets = self.tickets.lock();
        tickets.last += 1;
        let ticket = tickets.last;
        tickets.unsealed.insert(ticket);
        // The header says when the pack was sealed.
        let buffer = vec![0; pack::HEADER_LEN];
        Ok(OpenPack {
            id,
            ticket,
            file,
            path,
            entries: Vec::new(),
            len: buffer.len() as u64,
            buffer,
            needs: BTreeSet::new(),
        })
    }

    fn seal(&self, mut open: OpenPack) -> Result<()> {
        let result = (|| {
            open.write_buffer()?;
            self.wait_for(&open.needs)?;
            // Most of it, before anybody has to wait for the transaction.
            open.file.sync()?;
            // Counts ride in a transaction that is made anyway: one of their own would cost a sync.
            self.counters.hand_over(|refused| {
                self.catalogue.publish(|publish| {
                    let (id, sealed) = (open.id, publish.next_pack_time()?);
                    let bytes = seal_file(&*self.disk, &*open.file, &open.path, (id, sealed), &open.entries, open.len)?;
                    publish.add_pack(&new_pack(id, bytes, sealed, &open.entries))?;
                    publish.add_refused(refused)
                })
            })
        })();
        if let Err(error) = result {
            self.lose(&open);
            return Err(error);
        }
        // Registered first, forgotten here after: at every moment the chunk is found in one of the two.
        self.forget_pending(&open);
        self.tickets.lock().unsealed.remove(&open.ticket);
        self.sealed.notify_all();
        // Nobody waits for it, and the transaction is over.
        self.protect(open.id, &*open.file);
        Ok(())
    }

    /// Writes recovery data for a sealed pack, unless there is to be none. The pack is whole without it: a failure is no failure.
    pub(super) fn protect(&self, id: PackId, file: &dyn DiskFile) {
        let percent = self.recovery.load(Relaxed);
        if percent > 0
            && let Err(error) = parity::protect(&*self.disk, id, file, percent)
        {
            tracing::warn!(pack = %id, %error, "a pack has no recovery data yet");
            let _ = self.disk.remove(&parity::parity_path(id));
        }
    }

    /// Waits until other threads have sealed the packs that hold bases.
    fn wait_for(&self, needs: &BTreeSet<u64>) -> Result<()> {
        let mut tickets = self.tickets.lock();
        while needs.iter().any(|ticket| tickets.unsealed.contains(ticket)) {
            self.sealed.wait(&mut tickets);
        }
        match needs.iter().any(|ticket| tickets.lost.contains(ticket)) {
            true => Err(lost_chunks()),
            false => Ok(()),
        }
    }

    fn lose(&self, open: &OpenPack) {
        tracing::error!(pack = %open.id, chunks = open.entries.len(), "a pack could not be written");
        self.forget_pending(open);
        // The file may be gone or the disk dead already; what is left over is cleared at the next open.
        let _ = self.disk.remove(&open.path);
        let mut tickets = self.tickets.lock();
        tickets.unsealed.remove(&open.ticket);
        tickets.lost.insert(open.ticket);
        self.sealed.notify_all();
    }

    fn forget_pending(&self, open: &OpenPack) {
        let mut pending = self.pending.lock();
        for entry in &open.entries {
            let key = entry.id.key();
            if pending.get(&key).is_some_and(|pending| pending.ticket == open.ticket) {
                pending.remove(&key);
            }
        }
    }

    /// Syncs the open pack of what is stored anew.
    pub(super) fn sync_anew(&self) -> Result<()> {
        let file = match self.open[ANEW].lock().as_mut() {
            Some(open) => {
                open.write_buffer()?;
                open.file.clone()
            }
            None => return Ok(()),
        };
        file.sync()
    }

    /// Seals the open packs, and waits for those that other threads are sealing.
    pub(super) fn flush(&self) -> Result<()> {
        let last = self.tickets.lock().last;
        for slot in &self.open {
            let open = slot.lock().take();
            open.map_or(Ok(()), |open| self.seal(open))?;
        }
        let mut tickets = self.tickets.lock();
        while tickets.unsealed.range(..=last).next().is_some() {
            self.sealed.wait(&mut tickets);
        }
        Ok(())
    }

    pub(super) fn is_durable(&self, ticket: Ticket) -> Result<bool> {
        let Some(range) = ticket.packs() else { return Ok(true) };
        let tickets = self.tickets.lock();
        if tickets.lost.range(range.clone()).next().is_some() {
            return Err(lost_chunks());
        }
        Ok(tickets.unsealed.range(range).next().is_none())
    }
}

fn lost_chunks() -> Error {
    Error::new(crate::error::ErrorKind::Io, "a pack could not be written, its chunks are lost")
        .with_hint("copy the files again")
}

/// Creates the file of a new pack among the open ones and locks it.
pub(super) fn create_pack_file(disk: &dyn Disk) -> Result<(PackId, PathBuf, Arc<dyn DiskFile>)> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| {
        Error::new(crate::error::ErrorKind::Io, format!("the system gives no random numbers: {error}"))
    })?;
    let id = PackId(id);
    let path = Path::new(OPEN_DIR).join(id.to_string());
    // Between its creation and its lock the file looks left over: keep those who clear such files out meanwhile.
    let gate = disk.open_writable(Path::new(OPEN_LOCK))?;
    while !gate.try_lock(false)? {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let file = disk.create(&path)?;
    file.try_lock(true)?;
    Ok((id, path, file))
}

/// Makes the folders and files that packs need in a new vault.
pub(crate) fn create_pack_folders(disk: &dyn Disk) -> Result<()> {
    disk.create_dir(Path::new(OPEN_DIR))?;
    disk.replace(Path::new(OPEN_LOCK), b"")
}

/// Writes header, footer and trailer, syncs, and moves the file to its place; returns its length.
pub(super) fn seal_file(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    path: &Path,
    (id, sealed): (PackId, PackTime),
    entries: &[PackEntry],
    end: u64,
) -> Result<u64> {
    let header = pack::header(id, sealed);
    let footer = pack::footer(&header, entries, end);
    file.write_all_at(&header, 0)?;
    file.write_all_at(&footer, end)?;
    file.sync()?;
    let target = pack_path(id);
    let folder = target.parent().expect("packs lie in folders");
    disk.create_dir(folder)?;
    disk.rename(path, &target)?;
    // Sync the directory too: without it a crash can lose the rename that sealed the pack.
    disk.sync_dir(folder)?;
    // And the one above, which has a new name when the folder is new.
    disk.sync_dir(Path::new(PACKS_DIR))?;
    Ok(end + footer.len() as u64)
}

/// Returns where a sealed pack lies in the vault.
pub(super) fn pack_path(id: PackId) -> PathBuf {
    let name = id.to_string();
    Path::new(PACKS_DIR).join(&name[..2]).join(format!("{name}.pack"))
}

pub(super) fn new_pack(id: PackId, bytes: u64, sealed: PackTime, entries: &[PackEntry]) -> NewPack {
    let chunks = entries.iter().filter(|entry| entry.kind.is_chunk()).map(|entry| NewChunk {
        id: entry.id,
        offset: entry.offset,
        stored_len: entry.stored_len,
        plain_len: entry.plain_len,
        encoding: entry.encoding as u8,
        bases: entry.bases.clone(),
        is_anew: entry.kind == EntryKind::Anew,
    });
    NewPack { id, bytes, sealed, chunks: chunks.collect() }
}
