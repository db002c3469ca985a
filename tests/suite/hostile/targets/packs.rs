//! Packs, and their recovery data.

use super::memory_disk::{MemoryDisk, MemoryFile};
use super::{Checker, Outcome, Target};
use gamevault::codec::MAX_PLAIN_LEN;
use gamevault::id::{ChunkId, PackId};
use gamevault::store::{CacheSizes, Class, Healed, Store, check_entry_header, read_entry, read_index};
use gamevault::{ErrorKind, Vault};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

pub const PACKS: Target = Target { name: "packs", memory: (64, 2 * MAX_PLAIN_LEN), start: packs };
pub const RECOVERY: Target = Target { name: "recovery", memory: (64, 8 << 20), start: recovery };

/// Bytes of a pack's trailer; its hash stands before the mark at its end.
const TRAILER_LEN: usize = 64;
const HASH_AT_END: usize = 40;

/// A pack, its id, its recovery data, and the chunks in it.
pub struct SamplePack {
    pub id: PackId,
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    recovery: Vec<u8>,
    pub chunks: HashMap<ChunkId, Vec<u8>>,
}

/// Returns a pack with chunks of several kinds.
pub fn sample_pack() -> SamplePack {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::init(&dir.path().join("vault")).unwrap();
    let store = vault.store();
    let mut chunks = HashMap::new();
    for n in 0..12u8 {
        let plain = [vec![n; 40 * usize::from(n)], vec![n, 1, 2, 3]].concat();
        store.put(&plain, Class::Data).unwrap();
        chunks.insert(ChunkId::of(&plain), plain);
    }
    store.flush().unwrap();
    let (id, path, _) = Store::packs_on_disk(&**store.disk()).unwrap().remove(0);
    store.protect(id).unwrap();
    let read = |path: &PathBuf| std::fs::read(store.disk().absolute(path)).unwrap();
    SamplePack { id, bytes: read(&path), recovery: read(&path.with_extension("par")), path, chunks }
}

fn packs() -> Checker {
    let SamplePack { id, bytes, chunks, .. } = sample_pack();
    let sound = read_index(&MemoryFile::new(bytes.clone()), id).unwrap().entries;
    let samples = [0, 1].map(|seal| [vec![seal], bytes.clone()].concat());
    Checker::new(samples.to_vec(), move |input| {
        let Some((&seal, bytes)) = input.split_first() else { return Outcome::Refused };
        let mut bytes = bytes.to_vec();
        let is_sealed = seal & 1 == 1 && seal_again(&mut bytes);
        let file = MemoryFile::new(bytes);
        let Ok(index) = read_index(&file, id) else { return Outcome::Refused };
        let is_believed = index.damage.is_none();
        assert!(is_sealed || !is_believed || index.entries == sound, "a footer that was changed is believed");
        for entry in &index.entries {
            let _ = check_entry_header(&file, entry);
            if let Ok(plain) = read_entry(&file, entry, &[]) {
                assert_eq!(ChunkId::of(&plain), entry.id, "a wrong chunk is accepted");
                assert!(is_sealed || chunks.get(&entry.id) == Some(&plain), "a chunk that nobody stored is accepted");
            }
        }
        if is_believed { Outcome::Decoded } else { Outcome::Refused }
    })
}

/// Makes the checksum of a footer fit to what it says; tells whether there is one where the trailer says.
fn seal_again(pack: &mut [u8]) -> bool {
    let len = pack.len();
    let Some(trailer) = len.checked_sub(TRAILER_LEN) else { return false };
    let start = u64::from_le_bytes(pack[trailer..trailer + 8].try_into().unwrap()) as usize;
    if start < 32 || start > trailer {
        return false;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&pack[..32]).update(&pack[start..len - HASH_AT_END]);
    pack[len - HASH_AT_END..len - 8].copy_from_slice(hasher.finalize().as_bytes());
    true
}

/// The first byte says: 1 the recovery data's head is sealed again, 2 the pack is damaged, 4 it is cut off, 8 it is missing.
fn recovery() -> Checker {
    let SamplePack { id, path, bytes: pack, recovery, .. } = sample_pack();
    let dir = tempfile::tempdir().unwrap();
    let catalogue = super::empty_catalogue(dir.path());
    let samples = (0..16).map(|how| [vec![how], recovery.clone()].concat()).collect();
    let sound = (pack.clone(), recovery);
    Checker::new(samples, move |input| {
        let Some((&how, bytes)) = input.split_first() else { return Outcome::Refused };
        let mut bytes = bytes.to_vec();
        if how & 1 == 1 {
            seal_head_again(&mut bytes);
        }
        let mut damaged = pack.clone();
        if how & 2 == 2 {
            damaged[pack.len() / 2..pack.len() / 2 + 20].fill(0x55);
        }
        if how & 4 == 4 {
            damaged.truncate(pack.len() / 3);
        }
        let disk = Arc::new(MemoryDisk::new(dir.path()));
        disk.put("packs/lock", Vec::new());
        let is_changed = damaged != pack;
        if how & 8 == 0 {
            disk.put(&path, damaged);
        }
        let is_sound = bytes == sound.1;
        disk.put(path.with_extension("par"), bytes);
        let store = Store::new(disk.clone(), catalogue.clone(), &CacheSizes::OFF);
        match store.heal(id) {
            Ok(Healed::Blocks(_)) => {
                let is_whole = disk.bytes(&path) == Some(sound.0.clone());
                assert!(is_whole || how & 1 == 1, "a pack was healed to another one");
                Outcome::Decoded
            }
            Ok(Healed::Sound) => {
                assert!(!is_changed || how & 1 == 1, "damage is not seen");
                Outcome::Decoded
            }
            Ok(Healed::Unprotected) => Outcome::Refused,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(!is_sound || how & 8 == 8 || pack.len() > 1 << 16, "what can be healed is not: {error}");
                Outcome::Refused
            }
        }
    })
}

/// Makes the checksum of a head fit: it stands behind as many hashes as the header has blocks and recovery blocks.
fn seal_head_again(bytes: &mut [u8]) {
    let number = |at: usize, len: usize| {
        let mut wide = [0; 8];
        wide[..len].copy_from_slice(bytes.get(at..at + len).unwrap_or(&[0; 8][..len]));
        u64::from_le_bytes(wide)
    };
    let (block_len, pack_len, recovery) = (number(12, 4).max(1), number(16, 8), number(28, 4));
    let blocks = pack_len.div_ceil(block_len);
    let groups = blocks.div_ceil(128);
    let Some(hashes) = groups.checked_mul(recovery).and_then(|all| all.min(blocks).checked_add(blocks)) else { return };
    let Some(end) = hashes.checked_mul(16).and_then(|len| len.checked_add(64)) else { return };
    if end.saturating_add(32) <= bytes.len() as u64 {
        let hash = blake3::hash(&bytes[..end as usize]);
        bytes[end as usize..end as usize + 32].copy_from_slice(hash.as_bytes());
    }
}
