//! Making damaged packs whole again.

use super::super::writer::{create_pack_file, pack_path};
use super::{Head, hash_blocks, no_code, parity_path, read_group};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
use parking_lot::Mutex;
use reed_solomon_simd::ReedSolomonDecoder;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a pack is left alone that could not be healed, or needed no healing, when readers complain of it.
const PAUSE: Duration = Duration::from_secs(60);

/// What became of a pack that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Healed {
    /// Nothing is wrong with it.
    Sound,
    /// So many of its blocks were made again.
    Blocks(u64),
    /// It has no recovery data that can be used.
    Unprotected,
}

/// Heals packs, one at a time.
pub(in crate::store) struct Healer {
    disk: Arc<dyn Disk>,
    /// When packs were last looked at because of a reader.
    tried: Mutex<HashMap<PackId, Instant>>,
}

impl Healer {
    pub(in crate::store) fn new(disk: Arc<dyn Disk>) -> Healer {
        Healer { disk, tried: Mutex::default() }
    }

    /// Heals a pack that a reader found damaged; tells whether it is worth reading once more.
    pub(in crate::store) fn heal_for_reader(&self, id: PackId) -> bool {
        let mut tried = self.tried.lock();
        if tried.get(&id).is_some_and(|last| last.elapsed() < PAUSE) {
            return false;
        }
        let healed = heal(&*self.disk, id);
        tried.retain(|_, last| last.elapsed() < PAUSE);
        tried.insert(id, Instant::now());
        match healed {
            Ok(Healed::Blocks(blocks)) => {
                tracing::warn!(pack = %id, blocks, "a damaged pack was healed");
                true
            }
            // Somebody else has healed it since it was opened.
            Ok(Healed::Sound) => true,
            Ok(Healed::Unprotected) => false,
            Err(error) => {
                tracing::error!(pack = %id, %error, "a damaged pack could not be healed");
                false
            }
        }
    }
}

/// Compares a pack with its recovery data, and makes the blocks again that are damaged.
///
/// # Errors
/// `Corrupt` if more is damaged than can be made again; `NoSpace` or `Io` from the disk.
pub(in crate::store) fn heal(disk: &dyn Disk, id: PackId) -> Result<Healed> {
    let head = disk.open(&parity_path(id)).and_then(|file| Ok((Head::read(&*file, id)?, file)));
    let pack = match disk.open(&pack_path(id)) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some(file?),
    };
    let (head, parity) = match head {
        Ok(head) => head,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => {
            return Ok(Healed::Unprotected);
        }
        Err(error) => return Err(error),
    };
    let bad = match &pack {
        Some(pack) => damaged_blocks(&**pack, &head)?,
        None => (0..head.layout.blocks()).collect(),
    };
    let is_long = |pack: &Arc<dyn DiskFile>| Ok::<_, Error>(pack.len()? != head.layout.pack_len);
    if bad.is_empty() && !pack.as_ref().map(is_long).transpose()?.unwrap_or(true) {
        return Ok(Healed::Sound);
    }
    let healed = match &pack {
        None => restore_anew(disk, id, None, &*parity, &head),
        Some(pack) => restore_in_place(disk, id, &*parity, &head).or_else(|error| match error.kind() {
            // More is damaged than can be made again: elsewhere it could not, either.
            ErrorKind::Corrupt => Err(error),
            _ => restore_anew(disk, id, Some(&**pack), &*parity, &head),
        }),
    };
    healed.map(|()| Healed::Blocks(bad.len() as u64)).map_err(|error| error.context(format!("pack {id}")))
}

/// Returns the blocks of a pack that are not as they were written.
fn damaged_blocks(pack: &dyn DiskFile, head: &Head) -> Result<Vec<u64>> {
    let mut bad = Vec::new();
    let mut blocks = Vec::new();
    for number in 0..head.layout.groups() {
        read_group(pack, &head.layout, number, &mut blocks)?;
        let wanted = head.layout.group(number);
        let wrong = wanted.zip(hash_blocks(&blocks, &head.layout));
        bad.extend(wrong.filter(|(block, hash)| head.hashes[*block as usize] != *hash).map(|(block, _)| block));
    }
    Ok(bad)
}

/// Writes the damaged blocks of a pack as they were, each in its place: readers that have it open see them at once. Whatever ends it,
/// what is left is as damaged as before.
fn restore_in_place(disk: &dyn Disk, id: PackId, parity: &dyn DiskFile, head: &Head) -> Result<()> {
    let layout = &head.layout;
    let pack = disk.open_writable(&pack_path(id))?;
    let mut blocks = Vec::new();
    for number in 0..layout.groups() {
        read_group(&*pack, layout, number, &mut blocks)?;
        let found = hash_blocks(&blocks, layout);
        restore_group(&mut blocks, parity, head, number)?;
        let start = layout.group(number).start;
        for ((block, bytes), found) in (start..).zip(blocks.chunks(layout.block_len as usize)).zip(found) {
            if head.hashes[block as usize] != found {
                let at = block * layout.block_len;
                let len = bytes.len().min((layout.pack_len - at) as usize);
                pack.write_all_at(&bytes[..len], at)?;
            }
        }
    }
    pack.set_len(layout.pack_len)?;
    pack.sync()
}

/// Writes a pack with all its blocks as they were to a new file, and gives that its name: where it is missing, or cannot be written.
fn restore_anew(
    disk: &dyn Disk,
    id: PackId,
    pack: Option<&dyn DiskFile>,
    parity: &dyn DiskFile,
    head: &Head,
) -> Result<()> {
    let layout = &head.layout;
    let (_, path, file) = create_pack_file(disk)?;
    let write = || {
        let mut blocks = Vec::new();
        for number in 0..layout.groups() {
            match pack {
                Some(pack) => read_group(pack, layout, number, &mut blocks)?,
                None => {
                    blocks.clear();
                    blocks.resize(layout.group(number).count() * layout.block_len as usize, 0);
                }
            }
            restore_group(&mut blocks, parity, head, number)?;
            let start = layout.group(number).start * layout.block_len;
            let len = blocks.len().min((layout.pack_len - start) as usize);
            file.write_all_at(&blocks[..len], start)?;
        }
        file.sync()?;
        let target = pack_path(id);
        let folder = target.parent().expect("packs lie in folders");
        disk.create_dir(folder)?;
        disk.rename(&path, &target)?;
        disk.sync_dir(folder)
    };
    write().inspect_err(|_| drop(disk.remove(&path)))
}

/// Makes the blocks of a group again that are damaged.
fn restore_group(blocks: &mut [u8], parity: &dyn DiskFile, head: &Head, number: u64) -> Result<()> {
    let layout = &head.layout;
    let group = layout.group(number);
    let hashes = &head.hashes[group.start as usize..group.end as usize];
    let is_sound: Vec<bool> =
        hash_blocks(blocks, layout).iter().zip(hashes).map(|(found, wanted)| found == wanted).collect();
    if is_sound.iter().all(|sound| *sound) {
        return Ok(());
    }
    let block_len = layout.block_len as usize;
    let recovery_count = layout.recovery_of(number) as usize;
    let first = layout.recovery_before(number) as usize;
    let recovery_hashes = &head.recovery_hashes[first..first + recovery_count];
    let mut recovery = vec![0; recovery_count * block_len];
    let at = layout.recovery_at(number);
    let mut read = 0;
    while read < recovery.len() {
        match parity.read_at(&mut recovery[read..], at + read as u64)? {
            0 => break,
            len => read += len,
        }
    }
    let usable: Vec<(usize, &[u8])> = recovery
        .chunks(block_len)
        .zip(hash_blocks(&recovery, layout))
        .zip(recovery_hashes)
        .enumerate()
        .filter(|(_, ((_, found), wanted))| found == *wanted)
        .map(|(index, ((block, _), _))| (index, block))
        .collect();
    let lost = is_sound.iter().filter(|sound| !**sound).count();
    let restored: Vec<(usize, Vec<u8>)> = if recovery_count == is_sound.len() {
        // Copies.
        usable.iter().filter(|(index, _)| !is_sound[*index]).map(|(index, block)| (*index, block.to_vec())).collect()
    } else if usable.len() >= lost {
        let mut decoder = ReedSolomonDecoder::new(is_sound.len(), recovery_count, block_len).map_err(no_code)?;
        for (index, block) in blocks.chunks(block_len).enumerate().filter(|(index, _)| is_sound[*index]) {
            decoder.add_original_shard(index, block).map_err(no_code)?;
        }
        for (index, block) in usable {
            decoder.add_recovery_shard(index, block).map_err(no_code)?;
        }
        let made = decoder.decode().map_err(no_code)?;
        made.restored_original_iter().map(|(index, block)| (index, block.to_vec())).collect()
    } else {
        Vec::new()
    };
    for (index, block) in restored {
        blocks[index * block_len..][..block_len].copy_from_slice(&block);
    }
    // Whatever the code has made, it counts when it is what was written.
    let left = hash_blocks(blocks, layout).iter().zip(hashes).filter(|(found, wanted)| found != wanted).count();
    match left {
        0 => Ok(()),
        left => Err(Error::corrupt(format!(
            "{left} blocks of {block_len} bytes are damaged, and {recovery_count} recovery blocks do not bring them back"
        ))
        .with_hint("`gamevault verify --read-data` tells which builds and files they touch")),
    }
}
