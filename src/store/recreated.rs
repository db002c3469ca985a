//! Opened chunks that were made again, kept on disk: making one again takes as long as reading a thousand others.
//!
//! Two folders of files named by chunk: the younger one grows to half of the bound, then takes the place of the older one.
//! What is read from the older one moves to the younger, so what is used stays. Nothing is synced, everything is checked
//! when it is read, and losing it costs only time.

use crate::catalogue::Catalogue;
use crate::disk::Disk;
use crate::error::Result;
use crate::id::ChunkId;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folders in the vault.
const CACHE_DIR: &str = "cache";
const YOUNGER: &str = "cache/younger";
const OLDER: &str = "cache/older";

/// The cache may take this part of what the packs take, at least so much, within the bound that it is given.
const PACK_SHARE: u64 = 50;
const MIN_BYTES: u64 = 64 << 20;

pub(super) struct Recreated {
    disk: Arc<dyn Disk>,
    catalogue: Arc<Catalogue>,
    /// The most that both folders together may take.
    most: u64,
    younger: Mutex<Option<Younger>>,
}

/// How full the younger folder is.
struct Younger {
    bytes: u64,
    most: u64,
}

impl Recreated {
    pub(super) fn new(disk: Arc<dyn Disk>, catalogue: Arc<Catalogue>, most: u64) -> Recreated {
        Recreated { disk, catalogue, most, younger: Mutex::default() }
    }

    /// Returns the bytes of a chunk if they are here.
    pub(super) fn get(&self, id: ChunkId) -> Option<Vec<u8>> {
        if self.most == 0 {
            return None;
        }
        if let Some(plain) = self.read(YOUNGER, id) {
            return Some(plain);
        }
        let plain = self.read(OLDER, id)?;
        if self.disk.rename(&place(OLDER, id), &place(YOUNGER, id)).is_ok() {
            self.grow(plain.len() as u64);
        }
        Some(plain)
    }

    fn read(&self, folder: &str, id: ChunkId) -> Option<Vec<u8>> {
        let file = self.disk.open(&place(folder, id)).ok()?;
        let mut plain = vec![0; usize::try_from(file.len().ok()?).ok()?];
        file.read_exact_at(&mut plain, 0).ok()?;
        // A torn file is as good as none.
        (ChunkId::of(&plain) == id).then_some(plain)
    }

    /// Keeps the bytes of a chunk; what goes wrong only keeps it slow.
    pub(super) fn put(&self, id: ChunkId, plain: &[u8]) {
        if self.most == 0 {
            return;
        }
        if let Err(error) = self.write(id, plain) {
            tracing::debug!(%error, chunk = %id, "an opened chunk is not kept");
            return;
        }
        self.grow(plain.len() as u64);
    }

    fn write(&self, id: ChunkId, plain: &[u8]) -> Result<()> {
        self.disk.create_dir(Path::new(YOUNGER))?;
        let path = place(YOUNGER, id);
        let file = self.disk.create(&path).or_else(|_| {
            // One that is torn.
            self.disk.remove(&path)?;
            self.disk.create(&path)
        })?;
        file.write_all_at(plain, 0)
    }

    /// Takes note of `bytes` more, and lets the younger folder become the older one when it is full.
    fn grow(&self, bytes: u64) {
        let mut younger = self.younger.lock();
        let state = younger.get_or_insert_with(|| self.measure());
        state.bytes += bytes;
        if state.bytes <= state.most {
            return;
        }
        state.bytes = 0;
        // Another process may do the same at the same time: then one more file is lost than need be.
        let _ = self.disk.remove_dir_all(Path::new(OLDER));
        let _ = self.disk.rename(Path::new(YOUNGER), Path::new(OLDER));
    }

    fn measure(&self) -> Younger {
        let listed = self.disk.list(Path::new(YOUNGER)).unwrap_or_default();
        let bytes = listed.iter().filter_map(|(_, len)| *len).sum();
        let pack_bytes: u64 = self.catalogue.packs().map_or(0, |packs| packs.iter().map(|(.., len)| len).sum());
        Younger { bytes, most: (pack_bytes / PACK_SHARE).max(MIN_BYTES).min(self.most) / 2 }
    }
}

/// Tells whether a folder of the vault is this cache.
pub fn is_cache(name: &str) -> bool {
    name == CACHE_DIR
}

fn place(folder: &str, id: ChunkId) -> PathBuf {
    Path::new(folder).join(id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::LocalDisk;

    fn cache() -> (tempfile::TempDir, Recreated) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalogue.db");
        std::fs::write(&path, b"").unwrap();
        let catalogue = Arc::new(Catalogue::create(&path).unwrap());
        let disk = Arc::new(LocalDisk::new(dir.path()));
        (dir, Recreated::new(disk, catalogue, u64::MAX))
    }

    #[test]
    fn chunks_come_back_and_torn_ones_do_not() {
        let (dir, cache) = cache();
        let plain = vec![7; 100_000];
        let id = ChunkId::of(&plain);
        assert_eq!(cache.get(id), None);
        cache.put(id, &plain);
        assert_eq!(cache.get(id).as_deref(), Some(&plain[..]));
        std::fs::write(dir.path().join(place(YOUNGER, id)), &plain[..5000]).unwrap();
        assert_eq!(cache.get(id), None);
        cache.put(id, &plain);
        assert_eq!(cache.get(id), Some(plain));
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let (dir, cache) = cache();
        let chunk = |n: u32| n.to_le_bytes().repeat(256 << 10);
        let used = ChunkId::of(&chunk(0));
        cache.put(used, &chunk(0));
        let count = (MIN_BYTES >> 20) as u32 * 3;
        for n in 1..count {
            cache.put(ChunkId::of(&chunk(n)), &chunk(n));
            assert!(cache.get(used).is_some(), "after {n}");
        }
        assert_eq!(cache.get(ChunkId::of(&chunk(1))), None);
        let files: u64 = [YOUNGER, OLDER]
            .iter()
            .map(|folder| std::fs::read_dir(dir.path().join(folder)).map_or(0, |files| files.count() as u64))
            .sum();
        assert!(files << 20 <= MIN_BYTES + (2 << 20), "{files} MiB are kept");
    }
}
