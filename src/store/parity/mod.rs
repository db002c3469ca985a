//! Recovery data of packs: written when a pack is sealed, used when it is damaged.
//!
#![doc = include_str!("parity.md")]

mod heal;
mod layout;

pub use heal::Healed;
pub(super) use heal::{Healer, heal};
pub use layout::MAX_PERCENT;

use super::writer::PACKS_DIR;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
use layout::{HASH_LEN, HEADER_LEN, Layout};
use reed_solomon_simd::ReedSolomonEncoder;
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_128;

type Hash = [u8; HASH_LEN];

/// Returns where the recovery data of a pack lies in the vault.
pub(super) fn parity_path(id: PackId) -> PathBuf {
    let name = id.to_string();
    Path::new(PACKS_DIR).join(&name[..2]).join(format!("{name}.par"))
}

/// Writes the recovery data of a sealed pack, in place of what there is of it.
///
/// It is not synced: what a power cut takes of it is made anew.
pub(super) fn protect(disk: &dyn Disk, id: PackId, pack: &dyn DiskFile, percent: u8) -> Result<()> {
    let path = parity_path(id);
    match disk.remove(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(&path)?;
    let layout = Layout::new(pack.len()?, percent);
    let (mut hashes, mut recovery_hashes) = (Vec::new(), Vec::new());
    let mut blocks = Vec::new();
    for number in 0..layout.groups() {
        read_group(pack, &layout, number, &mut blocks)?;
        hashes.extend(hash_blocks(&blocks, &layout));
        let recovery = recovery_of(&blocks, &layout, number)?;
        recovery_hashes.extend(hash_blocks(&recovery, &layout));
        file.write_all_at(&recovery, layout.recovery_at(number))?;
    }
    let mut head = layout.header(id).to_vec();
    head.extend(hashes.iter().flatten());
    head.extend(recovery_hashes.iter().flatten());
    let hash = blake3::hash(&head);
    head.extend(hash.as_bytes());
    // Last: without a head the rest is nothing.
    file.write_all_at(&head, 0)
}

/// The hashes of a pack's blocks and of its recovery blocks.
struct Head {
    layout: Layout,
    hashes: Vec<Hash>,
    recovery_hashes: Vec<Hash>,
}

impl Head {
    fn read(file: &dyn DiskFile, id: PackId) -> Result<Head> {
        let cut = |_| Error::corrupt("its recovery data is cut off");
        let mut header = [0; HEADER_LEN];
        file.read_exact_at(&mut header, 0).map_err(cut)?;
        let layout = Layout::parse(&header, id)?;
        let mut head = vec![0; layout.head_len()];
        file.read_exact_at(&mut head, 0).map_err(cut)?;
        let (head, hash) = head.split_at(head.len() - blake3::OUT_LEN);
        if *blake3::hash(head).as_bytes() != hash {
            return Err(Error::corrupt("its recovery data is damaged"));
        }
        let mut hashes: Vec<Hash> = head[HEADER_LEN..].as_chunks().0.to_vec();
        let recovery_hashes = hashes.split_off(layout.blocks() as usize);
        Ok(Head { layout, hashes, recovery_hashes })
    }
}

/// Reads the blocks of a group; zeros stand where the pack has no bytes.
fn read_group(pack: &dyn DiskFile, layout: &Layout, number: u64, blocks: &mut Vec<u8>) -> Result<()> {
    let group = layout.group(number);
    blocks.clear();
    blocks.resize(((group.end - group.start) * layout.block_len) as usize, 0);
    let start = group.start * layout.block_len;
    let end = (layout.pack_len.min(group.end * layout.block_len) - start) as usize;
    let mut read = 0;
    while read < end {
        match pack.read_at(&mut blocks[read..end], start + read as u64)? {
            0 => break,
            len => read += len,
        }
    }
    Ok(())
}

fn hash_blocks(blocks: &[u8], layout: &Layout) -> Vec<Hash> {
    // A fast one: it only tells where damage is. What is read in the end is checked against its chunk's id.
    let hash = |block| XxHash3_128::oneshot(block).to_le_bytes();
    blocks.chunks(layout.block_len as usize).map(hash).collect()
}

/// Returns the recovery blocks of a group.
fn recovery_of(blocks: &[u8], layout: &Layout, number: u64) -> Result<Vec<u8>> {
    let (count, recovery) = (layout.group(number).count(), layout.recovery_of(number) as usize);
    if count == recovery {
        return Ok(blocks.to_vec());
    }
    let block_len = layout.block_len as usize;
    let mut encoder = ReedSolomonEncoder::new(count, recovery, block_len).map_err(no_code)?;
    for block in blocks.chunks(block_len) {
        encoder.add_original_shard(block).map_err(no_code)?;
    }
    let made = encoder.encode().map_err(no_code)?;
    Ok(made.recovery_iter().flatten().copied().collect())
}

/// The code refuses numbers that no layout has.
fn no_code(error: reed_solomon_simd::Error) -> Error {
    Error::corrupt(format!("its recovery data cannot be used: {error}"))
}
