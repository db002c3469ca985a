//! The ring in the memory of the game: any thread puts records, one thread takes them out.
//!
//! A thread that puts reserves room by moving `head`, copies its bytes, and writes the record's first word last. It makes no
//! system call, waits for nobody and allocates nothing. `head` and `tail` are not in the file: who recovers a ring
//! finds the records by their first words, also behind one that was never finished.

use crate::ring::{
    ALIVE, CAPACITY, CHECKPOINTS, Checkpoint, DROPPED, EXIT, Exit, FREED, HEADER_LEN, Kind, MAGIC, MAX_BODY_LEN,
    MAX_NAME_LEN, RECORD_HEADER_LEN, RecordHeader,
};
use memmap2::MmapMut;
use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// In `head`: nothing may be put any more.
const CLOSED: u64 = 1 << 63;

/// The smallest page of the systems that games run on.
const PAGE_LEN: usize = 4096;

/// What is made ready before it is used: a third of a second of 1,000 events a second.
#[cfg(target_os = "linux")]
const AHEAD_LEN: usize = 48 << 10;

/// Why a record was not put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Ended,
    Full,
}

/// The side of those who put.
pub struct Ring {
    /// The mapped file.
    base: *mut u8,
    capacity: u64,
    /// Where the next record begins, or'ed with `CLOSED`.
    head: Line,
    /// All before is free.
    tail: Line,
    dropped: Line,
}

/// A number that shares its line of the processor's cache with no other: all threads write `head`, one writes `tail`.
#[repr(align(128))]
struct Line(AtomicU64);

// SAFETY: `base` leads to memory that stays mapped as long as anybody may touch it (see `RingReader::unmap`); the words
// there that two threads use are used as atomics, the other bytes by one thread at a time, as `head`, `tail` and the
// records' first words tell.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// Makes the ring in `file`, which is empty, and maps it.
    ///
    /// # Errors
    /// Those of the disk; a full one among them, since all room is written once: a page that finds none when it is
    /// touched would end the game by a signal.
    pub fn create(file: &mut File, capacity: u64) -> io::Result<(Arc<Ring>, RingReader)> {
        assert!(capacity.is_power_of_two() && capacity as usize >= 2 * (MAX_BODY_LEN + MAX_NAME_LEN), "room for two");
        let zeros = vec![0; 64 << 10];
        let mut left = HEADER_LEN + capacity as usize;
        while left > 0 {
            let len = left.min(zeros.len());
            file.write_all(&zeros[..len])?;
            left -= len;
        }
        // SAFETY: the file is in a folder that was made for this session, and locked; whoever writes there regardless spoils
        // bytes that are checked before they are used, and no reference to plain bytes of the map is ever made.
        let mut map = unsafe { MmapMut::map_mut(&*file)? };
        // Now rather than in a frame: a page that is written first costs a fault of several microseconds.
        map.iter_mut().step_by(PAGE_LEN).for_each(|byte| *byte = 0);
        let line = |value| Line(AtomicU64::new(value));
        let ring = Ring { base: map.as_mut_ptr(), capacity, head: line(0), tail: line(0), dropped: line(0) };
        ring.set(CAPACITY, capacity);
        let ring = Arc::new(ring);
        let reader = RingReader { ring: ring.clone(), map: ManuallyDrop::new(map), next: 0 };
        reader.write_checkpoint(&Checkpoint::default());
        // Last, so that a ring with these bytes is whole.
        ring.set(0, MAGIC);
        Ok((ring, reader))
    }

    /// Puts a record; a longer name or body than the largest is cut.
    pub fn put(&self, kind: Kind, nanos: u64, name: &[u8], body: &[u8]) -> Result<(), Refusal> {
        let is_cut = name.len() > MAX_NAME_LEN || body.len() > MAX_BODY_LEN;
        let name = &name[..name.len().min(MAX_NAME_LEN)];
        let body = &body[..body.len().min(MAX_BODY_LEN)];
        let header = RecordHeader::new(kind, is_cut, nanos, name, body);
        let position = self.reserve(header.record_len())?;
        // SAFETY: these bytes are reserved for this thread, and mapped since the reader does not unmap before the
        // record's first word is written.
        unsafe {
            self.store_word(position + 8, nanos);
            self.store_word(position + 16, header.word(name, body));
            self.copy_in(position + RECORD_HEADER_LEN as u64, name);
            self.copy_in(position + (RECORD_HEADER_LEN + name.len()) as u64, body);
            self.word_at(position).store((position + 1).to_le(), Ordering::Release);
        }
        Ok(())
    }

    /// Lets nothing be put any more; returns whether it was open.
    pub fn close(&self) -> bool {
        self.head.0.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }

    pub fn is_closed(&self) -> bool {
        self.head.0.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Counts something that was lost.
    pub fn count_dropped(&self) {
        self.dropped.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.0.load(Ordering::Relaxed)
    }

    fn reserve(&self, len: u64) -> Result<u64, Refusal> {
        let mut head = self.head.0.load(Ordering::Relaxed);
        loop {
            if head & CLOSED != 0 {
                return Err(Refusal::Ended);
            }
            // An old `head` may lie before `tail`; the exchange below fails then.
            if (head + len).saturating_sub(self.tail.0.load(Ordering::Acquire)) > self.capacity {
                self.count_dropped();
                return Err(Refusal::Full);
            }
            match self.head.0.compare_exchange_weak(head, head + len, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Ok(head),
                Err(now) => head = now,
            }
        }
    }

    /// Sets a word of the header.
    fn set(&self, offset: u64, value: u64) {
        // SAFETY: the header is mapped while the reader is there, which alone calls this, but for `create`.
        unsafe { (*self.base.add(offset as usize).cast::<AtomicU64>()).store(value.to_le(), Ordering::Release) }
    }

    /// # Safety
    /// The record at `position`, a multiple of 8, must be mapped.
    unsafe fn word_at(&self, position: u64) -> &AtomicU64 {
        // SAFETY: the place lies in the mapped file, and is a multiple of 8 as the map's beginning is.
        unsafe { &*self.at(position).cast::<AtomicU64>() }
    }

    /// # Safety
    /// As `copy_in`; `position` is a multiple of 8.
    unsafe fn store_word(&self, position: u64, value: u64) {
        // SAFETY: as the caller promises; a multiple of 8 does not go over the end.
        unsafe { self.at(position).cast::<u64>().write(value.to_le()) }
    }

    /// # Safety
    /// The bytes must be mapped, and reserved for the caller.
    unsafe fn copy_in(&self, position: u64, bytes: &[u8]) {
        let before_end = ((self.capacity - position % self.capacity) as usize).min(bytes.len());
        let (first, second) = bytes.split_at(before_end);
        // SAFETY: `first` ends where the file does, `second` begins where the records do.
        unsafe {
            self.at(position).copy_from_nonoverlapping(first.as_ptr(), first.len());
            self.at(position + first.len() as u64).copy_from_nonoverlapping(second.as_ptr(), second.len());
        }
    }

    fn at(&self, position: u64) -> *mut u8 {
        let place = HEADER_LEN + (position & (self.capacity - 1)) as usize;
        // SAFETY: less than the length of the file.
        unsafe { self.base.add(place) }
    }
}

/// The side of the one thread that takes records out.
pub struct RingReader {
    ring: Arc<Ring>,
    /// Unmapped by `unmap` alone: when the thread ends in any other way, others may still put.
    map: ManuallyDrop<MmapMut>,
    /// Where the next record begins that was not taken.
    next: u64,
}

impl RingReader {
    /// Takes the next record, its name and body into `content`; `None` when there is none yet.
    pub fn take(&mut self, content: &mut Vec<u8>) -> Option<RecordHeader> {
        let ring = &self.ring;
        // SAFETY: the map is there; the word is an atomic for all.
        let first = unsafe { ring.word_at(self.next).load(Ordering::Acquire) };
        if u64::from_le(first) != self.next + 1 {
            return None;
        }
        // SAFETY: the first word says that the record is whole; nobody writes it before it is released.
        unsafe {
            let word = |offset| u64::from_le(ring.at(self.next + offset).cast::<u64>().read());
            let (header, _) = RecordHeader::from_words(word(8), word(16));
            content.clear();
            let start = self.next + RECORD_HEADER_LEN as u64;
            let before_end = ((ring.capacity - start % ring.capacity) as usize).min(header.content_len());
            content.extend_from_slice(std::slice::from_raw_parts(ring.at(start), before_end));
            let rest = header.content_len() - before_end;
            content.extend_from_slice(std::slice::from_raw_parts(ring.at(start + before_end as u64), rest));
            self.next += header.record_len();
            Some(header)
        }
    }

    /// Returns the position up to which records were taken.
    pub fn taken(&self) -> u64 {
        self.next
    }

    /// Writes down that all before `checkpoint.tail` is in the files, and frees its room.
    pub fn release(&mut self, checkpoint: &Checkpoint) {
        assert!(checkpoint.tail <= self.next, "only what was taken is in the files");
        self.write_checkpoint(checkpoint);
        let ring = &self.ring;
        let tail = ring.tail.0.load(Ordering::Relaxed);
        let len = (checkpoint.tail - tail) as usize;
        let before_end = ((ring.capacity - tail % ring.capacity) as usize).min(len);
        // SAFETY: these records were taken, and nobody may write them before `tail` moves.
        unsafe {
            ring.at(tail).write_bytes(0, before_end);
            ring.at(tail + before_end as u64).write_bytes(0, len - before_end);
        }
        ring.set(FREED, checkpoint.tail);
        ring.tail.0.store(checkpoint.tail, Ordering::Release);
    }

    /// Makes the next pages ready to be written. The system writes the ring's pages to the disk from time to time, and who
    /// writes one next waits for the filesystem: rather this thread than the game's.
    #[cfg(target_os = "linux")]
    pub fn prepare(&self) {
        let place = HEADER_LEN + (self.next % self.ring.capacity) as usize;
        let len = AHEAD_LEN.min(self.map.len() - place);
        for (place, len) in [(place, len), (HEADER_LEN, AHEAD_LEN - len)] {
            // Linux has it since 5.14; before, the game waits.
            let _ = self.map.advise_range(memmap2::Advice::PopulateWrite, place, len);
        }
    }

    /// Does nothing: only Linux can be asked for it.
    #[cfg(not(target_os = "linux"))]
    pub fn prepare(&self) {}

    /// Writes down that the game was alive, and how much was dropped.
    pub fn note_alive(&self, nanos: u64) {
        self.ring.set(ALIVE, nanos);
        self.ring.set(DROPPED, self.ring.dropped());
    }

    /// Writes down how the game says that it ended.
    pub fn note_exit(&self, exit: Exit) {
        self.ring.set(EXIT, exit as u64);
    }

    /// Returns whether all that was put is taken.
    pub fn is_drained(&self) -> bool {
        self.next == self.ring.head.0.load(Ordering::Acquire) & !CLOSED
    }

    /// Waits until no thread is putting any more, and unmaps the file; what was not released stays in it.
    ///
    /// The ring must be closed. A thread that reserved room before writes its record in well under a microsecond, unless
    /// the system lets it wait for a core.
    pub fn unmap(mut self) {
        assert!(self.ring.is_closed(), "nobody may begin to put");
        let mut content = Vec::new();
        while !self.is_drained() {
            if self.take(&mut content).is_none() {
                std::thread::yield_now();
            }
        }
        ManuallyDrop::into_inner(self.map);
    }

    fn write_checkpoint(&self, checkpoint: &Checkpoint) {
        let offset = CHECKPOINTS[(checkpoint.number % 2) as usize];
        for (place, word) in checkpoint.words().into_iter().enumerate() {
            self.ring.set(offset + 8 * place as u64, word);
        }
    }
}
