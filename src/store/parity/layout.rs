//! How a pack is cut into blocks and groups, and where their hashes and recovery blocks stand.

use crate::error::{Error, Result};
use crate::id::PackId;
use std::ops::Range;

const MARK: &[u8; 8] = b"GVPARITY";
const VERSION: u16 = 1;
pub(super) const HEADER_LEN: usize = 64;

/// The length of a hash of a block.
pub(super) const HASH_LEN: usize = 16;

/// The length of a block, but of packs that are shorter than one.
const BLOCK_LEN: u64 = 24 << 10;

/// Blocks of shorter packs have a multiple of this length.
const BLOCK_STEP: u64 = 64;

/// The most blocks of a group: so much is in memory at once, 3 MiB. What a code costs grows with the recovery blocks of a group.
const GROUP_BLOCKS: u64 = 128;

/// The fewest recovery blocks of a group: 64 KiB that are lost somewhere touch four blocks.
const MIN_RECOVERY: u64 = 4;

/// The most recovery blocks for a hundred blocks.
pub const MAX_PERCENT: u8 = 50;

/// The longest pack that is believed.
const MAX_PACK_LEN: u64 = 1 << 32;

/// The numbers that say where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) pack_len: u64,
    pub(super) block_len: u64,
    /// Recovery blocks for a hundred blocks.
    percent: u16,
}

impl Layout {
    pub(super) fn new(pack_len: u64, percent: u8) -> Layout {
        let block_len = BLOCK_LEN.min(pack_len.next_multiple_of(BLOCK_STEP)).max(BLOCK_STEP);
        Layout { pack_len, block_len, percent: percent.into() }
    }

    pub(super) fn blocks(&self) -> u64 {
        self.pack_len.div_ceil(self.block_len)
    }

    pub(super) fn groups(&self) -> u64 {
        self.blocks().div_ceil(GROUP_BLOCKS)
    }

    /// Returns the blocks of a group.
    pub(super) fn group(&self, number: u64) -> Range<u64> {
        number * GROUP_BLOCKS..self.blocks().min((number + 1) * GROUP_BLOCKS)
    }

    /// Returns how many recovery blocks a group has.
    pub(super) fn recovery_of(&self, number: u64) -> u64 {
        let blocks = self.group(number).count() as u64;
        self.recovery().min(blocks)
    }

    fn recovery(&self) -> u64 {
        (self.blocks().min(GROUP_BLOCKS) * u64::from(self.percent)).div_ceil(100).max(MIN_RECOVERY)
    }

    /// Returns how many recovery blocks stand before those of a group; of the group behind the last, how many there are.
    pub(super) fn recovery_before(&self, number: u64) -> u64 {
        (0..number).map(|group| self.recovery_of(group)).sum()
    }

    /// Returns the length of header and hashes.
    pub(super) fn head_len(&self) -> usize {
        let hashes = self.blocks() + self.recovery_before(self.groups());
        HEADER_LEN + hashes as usize * HASH_LEN + blake3::OUT_LEN
    }

    /// Returns where the recovery blocks of a group stand in the file.
    pub(super) fn recovery_at(&self, number: u64) -> u64 {
        self.head_len() as u64 + self.recovery_before(number) * self.block_len
    }

    pub(super) fn header(&self, id: PackId) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MARK);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.percent.to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.block_len as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.pack_len.to_le_bytes());
        bytes[24..28].copy_from_slice(&(self.groups() as u32).to_le_bytes());
        bytes[28..32].copy_from_slice(&(self.recovery() as u32).to_le_bytes());
        bytes[32..48].copy_from_slice(&id.0);
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// `Corrupt` if it is not the one that this pack has.
    pub(super) fn parse(header: &[u8; HEADER_LEN], id: PackId) -> Result<Layout> {
        let pack_len = u64::from_le_bytes(header[16..24].try_into().expect("8 of 64 bytes"));
        let layout = Layout::new(pack_len.min(MAX_PACK_LEN), header[10]);
        // All other numbers follow from these two.
        match layout.header(id) == *header && layout.percent <= u16::from(MAX_PERCENT) {
            true => Ok(layout),
            false => Err(Error::corrupt("its recovery data is of another form, or damaged")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_has_enough_for_64_kib_and_large_ones_take_3_percent() {
        for len in [1, 31, 64, 65, 5_000, 24 << 10, (24 << 10) + 1, 100_000, 1 << 20, 8 << 20, (8 << 20) + 1, 64 << 20]
        {
            let layout = Layout::new(len, 3);
            assert_eq!(Layout::parse(&layout.header(PackId([7; 16])), PackId([7; 16])).unwrap(), layout);
            let mut covered = 0;
            for number in 0..layout.groups() {
                let group = layout.group(number);
                assert_eq!(group.start, covered);
                covered = group.end;
                // The first and the last of them in part.
                let touched = ((64u64 << 10) - 2) / layout.block_len + 2;
                assert!(layout.recovery_of(number) >= touched.min(group.end - group.start), "{len}");
            }
            assert_eq!(covered, layout.blocks());
            if len >= 8 << 20 {
                let end = layout.recovery_at(layout.groups());
                assert!(end * 1000 / len <= 36, "{len}: {end}");
            }
        }
        assert!(Layout::parse(&Layout::new(5, 3).header(PackId([7; 16])), PackId([8; 16])).is_err());
    }
}
