//! Which chunks resemble a new one: a table on disk from super-features to the starts of chunks' keys.
//!
//! A table of fixed buckets, read and written in place, so that it takes no memory however large the vault is. It only
//! saves bytes: it is not synced, its entries are checked by whoever uses them, and a damaged or lost one is begun anew.
//!
//! ```text
//! bucket: 8 slots                 slot
//! OFFSET SIZE MEANING             OFFSET SIZE MEANING
//! 0      8    first slot          0      4    bits 8 to 40 of the super-feature, whose first bits are the bucket's number
//! 8      8    second, …           4      4    first bytes of the chunk's key; both zero: the slot is free
//! ```

use crate::disk::{Disk, DiskFile};
use crate::error::{ErrorKind, Result};
use crate::id::ChunkKey;
use parking_lot::RwLock;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The table's file in the vault, and the one that takes its place when it grows.
pub(crate) const TABLE: &str = "similar";
const GROWN: &str = "similar.grown";

const SLOT_LEN: usize = 8;
const BUCKET_SLOTS: usize = 8;
const BUCKET_LEN: usize = SLOT_LEN * BUCKET_SLOTS;

/// Bits of the number of buckets: of a new table, 16 KiB; and at most, 4 GiB, enough for 10 TB of distinct bytes.
const FIRST_BITS: u32 = 8;
const MAX_BITS: u32 = 26;

/// Buckets that are looked at to tell how full a table is.
const SAMPLED_BUCKETS: u64 = 256;

/// Buckets that are copied at once when the table grows.
const COPIED_BUCKETS: usize = 1 << 14;

/// The first bytes of a chunk's key: two of a million chunks share them once in four thousand vaults.
pub(super) type KeyStart = [u8; 4];

pub(super) struct Similar {
    disk: Arc<dyn Disk>,
    table: RwLock<Option<Table>>,
}

struct Table {
    file: Arc<dyn DiskFile>,
    bits: u32,
    /// Slots in use, estimated when the table was opened.
    used: AtomicU64,
}

type Bucket = [u8; BUCKET_LEN];

impl Similar {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Similar {
        Similar { disk, table: RwLock::default() }
    }

    /// Returns the starts of the keys of chunks that share a super-feature, each once; most shared first.
    pub(super) fn find(&self, features: &[u64; 3]) -> Vec<KeyStart> {
        self.use_table(|table| {
            let mut found: Vec<(KeyStart, usize)> = Vec::new();
            for &feature in features {
                let bucket = table.bucket(feature)?;
                if let Some(at) = slot_of(&bucket, feature) {
                    let start = key_start(&bucket, at);
                    match found.iter_mut().find(|(known, _)| *known == start) {
                        Some((_, count)) => *count += 1,
                        None => found.push((start, 1)),
                    }
                }
            }
            found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            Ok(found.into_iter().map(|(start, _)| start).collect())
        })
        .unwrap_or_default()
    }

    /// Remembers a chunk; it takes the place of older ones with the same super-features.
    pub(super) fn insert(&self, features: &[u64; 3], key: ChunkKey) {
        let is_full = self.use_table(|table| {
            for &feature in features {
                table.insert(feature, key)?;
            }
            Ok(table.is_full())
        });
        if is_full == Some(true) {
            let mut slot = self.table.write();
            if let Some(table) = slot.take_if(|table| table.is_full()) {
                *slot = Some(table.grow(&*self.disk));
            }
        }
    }

    /// Calls `act` with the table, opened first; `None` where that fails: then chunks are stored without its help.
    fn use_table<T>(&self, act: impl Fn(&Table) -> Result<T>) -> Option<T> {
        if self.table.read().is_none() {
            let mut table = self.table.write();
            if table.is_none() {
                *table = Table::open(&*self.disk).inspect_err(no_table).ok();
            }
        }
        act(self.table.read().as_ref()?).inspect_err(no_table).ok()
    }
}

fn no_table(error: &crate::error::Error) {
    tracing::debug!(%error, "the table of similar chunks cannot be used");
}

impl Table {
    fn open(disk: &dyn Disk) -> Result<Table> {
        let file = match disk.open_writable(Path::new(TABLE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => disk.create(Path::new(TABLE))?,
            result => result?,
        };
        let buckets = file.len()? / BUCKET_LEN as u64;
        let bits = buckets.checked_ilog2().unwrap_or(0);
        let is_sound = (FIRST_BITS..=MAX_BITS).contains(&bits) && file.len()? == table_len(bits);
        let bits = if is_sound { bits } else { FIRST_BITS };
        if !is_sound {
            file.set_len(0)?;
            file.set_len(table_len(bits))?;
        }
        let table = Table { file, bits, used: AtomicU64::new(0) };
        let step = ((1u64 << bits) / SAMPLED_BUCKETS).max(1);
        let mut used = 0;
        for number in (0..1u64 << bits).step_by(step as usize) {
            used += slots(&table.read(number)?).filter(|slot| *slot != [0; SLOT_LEN]).count() as u64;
        }
        table.used.store(used * step, Relaxed);
        Ok(table)
    }

    fn read(&self, number: u64) -> Result<Bucket> {
        let mut bucket = [0; BUCKET_LEN];
        self.file.read_exact_at(&mut bucket, number * BUCKET_LEN as u64)?;
        Ok(bucket)
    }

    fn number(&self, feature: u64) -> u64 {
        feature >> (64 - self.bits)
    }

    fn bucket(&self, feature: u64) -> Result<Bucket> {
        self.read(self.number(feature))
    }

    fn insert(&self, feature: u64, key: ChunkKey) -> Result<()> {
        let bucket = self.bucket(feature)?;
        let free = || slots(&bucket).position(|slot| slot == [0; SLOT_LEN]);
        let at = slot_of(&bucket, feature).or_else(|| {
            self.used.fetch_add(1, Relaxed);
            free()
        });
        // In a full bucket any entry may be the one that is not asked for again.
        let at = at.unwrap_or(usize::from(key.0[15]) % BUCKET_SLOTS);
        let mut slot = [0; SLOT_LEN];
        slot[..4].copy_from_slice(&tag(feature).to_le_bytes());
        slot[4..].copy_from_slice(&key.0[..4]);
        self.file.write_all_at(&slot, self.number(feature) * BUCKET_LEN as u64 + (at * SLOT_LEN) as u64)
    }

    fn is_full(&self) -> bool {
        let slot_count = (BUCKET_SLOTS as u64) << self.bits;
        self.bits < MAX_BITS && self.used.load(Relaxed) > slot_count / 4 * 3
    }

    /// Becomes a table of twice the size with the same entries, or stays and is not asked again for long when that fails.
    /// Others who have the old one open go on with it in vain.
    fn grow(self, disk: &dyn Disk) -> Table {
        let grown = match self.grown(disk) {
            Ok(grown) => grown,
            Err(error) => {
                tracing::debug!(%error, "the table of similar chunks could not grow");
                self.used.store(0, Relaxed);
                return self;
            }
        };
        // Some systems replace no file that is open.
        drop(self);
        if let Err(error) = disk.rename(Path::new(GROWN), Path::new(TABLE)) {
            tracing::debug!(%error, "the grown table of similar chunks serves this process alone");
        }
        grown
    }

    fn grown(&self, disk: &dyn Disk) -> Result<Table> {
        let file = disk.create(Path::new(GROWN)).or_else(|_| {
            disk.remove(Path::new(GROWN))?;
            disk.create(Path::new(GROWN))
        })?;
        let bits = self.bits + 1;
        file.set_len(table_len(bits))?;
        let mut used = 0;
        let mut buf = vec![0; COPIED_BUCKETS * BUCKET_LEN];
        let mut at = 0;
        while at < table_len(self.bits) {
            let len = (buf.len() as u64).min(table_len(self.bits) - at) as usize;
            self.file.read_exact_at(&mut buf[..len], at)?;
            let mut split = Vec::with_capacity(2 * len);
            for bucket in buf[..len].chunks_exact(BUCKET_LEN) {
                for half in 0..2 {
                    let of_half = |slot: &&[u8]| **slot != [0; SLOT_LEN] && tag_in(slot) >> (40 - bits) & 1 == half;
                    let start = split.len();
                    bucket.chunks_exact(SLOT_LEN).filter(of_half).for_each(|slot| split.extend_from_slice(slot));
                    used += ((split.len() - start) / SLOT_LEN) as u64;
                    split.resize(start + BUCKET_LEN, 0);
                }
            }
            file.write_all_at(&split, at * 2)?;
            at += len as u64;
        }
        Ok(Table { file, bits, used: AtomicU64::new(used) })
    }
}

fn table_len(bits: u32) -> u64 {
    (BUCKET_LEN as u64) << bits
}

fn slots(bucket: &Bucket) -> impl Iterator<Item = &[u8]> {
    bucket.chunks_exact(SLOT_LEN)
}

/// Returns what a slot keeps of a super-feature: with the number of any bucket its first 40 bits.
fn tag(feature: u64) -> u32 {
    (feature >> 24) as u32
}

fn tag_in(slot: &[u8]) -> u32 {
    u32::from_le_bytes(slot[..4].try_into().expect("4 of 8 bytes"))
}

fn slot_of(bucket: &Bucket, wanted: u64) -> Option<usize> {
    slots(bucket).position(|slot| slot != [0; SLOT_LEN] && tag_in(slot) == tag(wanted))
}

fn key_start(bucket: &Bucket, at: usize) -> KeyStart {
    bucket[at * SLOT_LEN + 4..][..4].try_into().expect("4 of 64 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::LocalDisk;

    fn key(n: u32) -> ChunkKey {
        let mut key = [0; ChunkKey::LEN];
        key[..4].copy_from_slice(&n.to_be_bytes());
        key[15] = n as u8;
        ChunkKey(key)
    }

    fn features(n: u32) -> [u64; 3] {
        [1, 2, 3].map(|part: u64| (u64::from(n) << 2 | part).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn entries_survive_growth_and_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(dir.path()));
        let similar = Similar::new(disk.clone());
        const COUNT: u32 = 20_000;
        for n in 1..=COUNT {
            similar.insert(&features(n), key(n));
        }
        let bits = similar.table.read().as_ref().unwrap().bits;
        assert!(bits > FIRST_BITS, "the table has grown");
        for similar in [similar, Similar::new(disk)] {
            let found = (1..=COUNT).filter(|&n| similar.find(&features(n)).first() == Some(&n.to_be_bytes())).count();
            assert!(found as u32 > COUNT / 100 * 99, "{found} of {COUNT} are found");
            assert!(similar.find(&[5 << 40, 6 << 40, 7 << 40]).is_empty());
        }
    }

    #[test]
    fn the_newest_of_equal_chunks_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let similar = Similar::new(Arc::new(LocalDisk::new(dir.path())));
        similar.insert(&features(1), key(1));
        similar.insert(&features(1), key(2));
        assert_eq!(similar.find(&features(1)), [2u32.to_be_bytes()]);
    }

    #[test]
    fn a_damaged_table_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(TABLE), b"not a table").unwrap();
        let similar = Similar::new(Arc::new(LocalDisk::new(dir.path())));
        assert!(similar.find(&features(1)).is_empty());
        similar.insert(&features(1), key(1));
        assert_eq!(similar.find(&features(1)), [1u32.to_be_bytes()]);
    }
}
