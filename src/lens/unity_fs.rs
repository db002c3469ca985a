//! Bundles of Unity, by the length in their header (as UnityPy and AssetStudio read it).
//!
//! ```text
//! SIZE MEANING, big-endian
//! 8    UnityFS and a zero
//! 4    version of the format
//!      version of the player, version of the engine: texts that end in a zero
//! 8    bytes of the whole bundle
//! 4    bytes of the list of blocks, as stored
//! 4    the same, plain
//! 4    flags
//!
//! The list of blocks, as its flags say stored plain, LZMA or LZ4, behind the header (a multiple of 16 from version 7 on),
//! or at the end of the bundle:
//! 16   hash
//! 4    count of blocks
//!      of each: 4 plain bytes, 4 stored bytes, 2 flags
//! 4    count of files
//!      of each: 8 its place in the text of all blocks, 8 its bytes, 4 flags, its path that ends in a zero
//! ```
//! The blocks stand behind header and list; where the flags say so at a multiple of 16.

use super::input::{Fields, Input, Order};
use super::parts::{Coding, Found, MAX_PARTS};
use super::{Flaw, Parsed};

const MAGIC_LEN: usize = 8;
const VERSION_LEN: usize = 4;

/// Bytes within which both texts end.
const MAX_TEXTS_LEN: u64 = 256;

/// The list of blocks stands at the end of the bundle.
const LIST_IS_AT_END: u32 = 0x80;

/// The blocks start at a multiple of [`ALIGNMENT`].
const BLOCKS_ARE_ALIGNED: u32 = 0x200;

/// Bits of the flags of list and blocks that tell the compression.
const COMPRESSION: u32 = 0x3f;
const NOT_COMPRESSED: u32 = 0;
const LZ4: u32 = 2;
const LZ4_HIGH: u32 = 3;

const ALIGNMENT: u64 = 16;

/// The first version whose header is filled up to [`ALIGNMENT`].
const FIRST_ALIGNED_VERSION: u32 = 7;

const HASH_LEN: usize = 16;
const BLOCK_LEN: usize = 10;
const NODE_LEN: usize = 20;

/// Bytes of a list beyond which a bundle is not read; blocks are of 128 KiB, and take 10 bytes each.
const MAX_LIST_LEN: u64 = 64 << 20;

/// How much more LZ4 can say than it takes.
const MAX_LZ4_RATIO: u64 = 255;

/// What the header says.
struct Header {
    version: u32,
    /// Where it ends, without filling.
    end: u64,
    len: u64,
    list_len: u64,
    plain_list_len: u64,
    flags: u32,
}

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let Header { end, len, list_len, flags, .. } = read_header(input)?;
    input.must_hold("the bundle", 0, len)?;
    let list_fits = match flags & LIST_IS_AT_END != 0 {
        true => end.saturating_add(list_len) <= len,
        false => input.holds(end, list_len),
    };
    // More than the header says may be two bundles in one file, or none of ours.
    match len == input.len() && list_fits {
        true => Ok(()),
        false => Err(Flaw::Unknown),
    }
}

fn read_header(input: &Input<'_>) -> Parsed<Header> {
    let mut cursor = input.cursor(0);
    let version = Fields::new(cursor.take("the header", MAGIC_LEN + VERSION_LEN)?, Order::Big).u32(MAGIC_LEN);
    let texts_start = cursor.at();
    let mut zeros = 0;
    while zeros < 2 {
        if cursor.at() - texts_start >= MAX_TEXTS_LEN {
            return Err(Flaw::Unknown);
        }
        zeros += usize::from(cursor.take("the header", 1)? == [0]);
    }
    let fields = Fields::new(cursor.take("the header", 20)?, Order::Big);
    let (len, list_len, plain_list_len) = (fields.u64(0), fields.u32(8).into(), fields.u32(12).into());
    let flags = fields.u32(16);
    // Some games hide their bundles behind headers that mean nothing.
    match (3..=64).contains(&version) && len > 0 && len <= i64::MAX as u64 {
        true => Ok(Header { version, end: cursor.at(), len, list_len, plain_list_len, flags }),
        false => Err(Flaw::Unknown),
    }
}

/// Finds the blocks, and the files in the text that they make.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    let header = read_header(input)?;
    if header.len != input.len() {
        return Err(Flaw::Unknown);
    }
    let align = |at: u64, is_aligned: bool| if is_aligned { at.next_multiple_of(ALIGNMENT) } else { at };
    let header_end = align(header.end, header.version >= FIRST_ALIGNED_VERSION);
    let is_at_end = header.flags & LIST_IS_AT_END != 0;
    let (list_at, before_blocks, end) = match (is_at_end, header.len.checked_sub(header.list_len)) {
        (true, Some(list_at)) => (list_at, header_end, list_at),
        (true, None) => return Err(Flaw::Unknown),
        (false, _) => (header_end, header_end.saturating_add(header.list_len), header.len),
    };
    let list = read_list(input, &header, list_at)?;
    let mut list = List { bytes: &list };
    list.take(HASH_LEN)?;
    let mut at = align(before_blocks, header.flags & BLOCKS_ARE_ALIGNED != 0);
    let mut plain_at = 0u64;
    for _ in 0..list.count(BLOCK_LEN)? {
        let fields = Fields::new(list.take(BLOCK_LEN)?, Order::Big);
        let (plain_len, stored_len) = (fields.u32(0), fields.u32(4));
        let coding = match u32::from(fields.u16(8)) & COMPRESSION {
            NOT_COMPRESSED if plain_len == stored_len => Coding::Stored,
            LZ4 | LZ4_HIGH => Coding::Lz4 { plain_len },
            _ => Coding::Opaque,
        };
        found.part(b"", at, stored_len.into(), coding)?;
        at += u64::from(stored_len);
        plain_at += u64::from(plain_len);
    }
    for _ in 0..list.count(NODE_LEN)? {
        let fields = Fields::new(list.take(NODE_LEN)?, Order::Big);
        let (plain_offset, len) = (fields.u64(0), fields.u64(8));
        if plain_offset.checked_add(len).is_none_or(|end| end > plain_at) {
            return Err(Flaw::Unknown);
        }
        found.node(list.text()?, plain_offset, len)?;
    }
    match at == end {
        true => Ok(()),
        false => Err(Flaw::Unknown),
    }
}

/// Returns the plain list of blocks and files.
fn read_list(input: &Input<'_>, header: &Header, at: u64) -> Parsed<Vec<u8>> {
    let Header { list_len, plain_list_len, flags, .. } = *header;
    let is_possible = plain_list_len <= MAX_LZ4_RATIO * list_len;
    if list_len.max(plain_list_len) > MAX_LIST_LEN || !is_possible {
        return Err(Flaw::Unknown);
    }
    input.must_hold("the list of blocks", at, list_len)?;
    let mut stored = vec![0; list_len as usize];
    input.read_into(at, &mut stored)?;
    match flags & COMPRESSION {
        NOT_COMPRESSED => Ok(stored),
        LZ4 | LZ4_HIGH => {
            let mut plain = vec![0; plain_list_len as usize];
            match lz4::block::decompress_to_buffer(&stored, Some(plain_list_len as i32), &mut plain) {
                Ok(len) if len == plain.len() => Ok(plain),
                _ => Err(Flaw::Unknown),
            }
        }
        _ => Err(Flaw::Unknown),
    }
}

/// The rest of the list of blocks and files.
struct List<'a> {
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    fn take(&mut self, len: usize) -> Parsed<&'a [u8]> {
        let (bytes, rest) = self.bytes.split_at_checked(len).ok_or(Flaw::Unknown)?;
        self.bytes = rest;
        Ok(bytes)
    }

    /// Takes how many items follow, of at least `item_len` bytes each.
    fn count(&mut self, item_len: usize) -> Parsed<usize> {
        let count = Fields::new(self.take(4)?, Order::Big).u32(0) as usize;
        match count <= MAX_PARTS && count <= self.bytes.len() / item_len {
            true => Ok(count),
            false => Err(Flaw::Unknown),
        }
    }

    /// Takes a text that ends in a zero.
    fn text(&mut self) -> Parsed<&'a [u8]> {
        let len = self.bytes.iter().position(|&byte| byte == 0).ok_or(Flaw::Unknown)?;
        Ok(&self.take(len + 1)?[..len])
    }
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_bundles_are_torn() {
        let bytes = sample!("bundle.unity3d");
        assert_cuts_are_torn(Format::UnityFs, "level1", bytes, 8);
        assert_eq!(reason("level1", &bytes[..400]), "the bundle ends at 508, the file at 400");
    }

    #[test]
    fn more_than_the_header_says_is_unknown() {
        let longer = [sample!("bundle.unity3d"), &[0][..]].concat();
        assert_eq!(verdict("level1", &longer), Verdict::Unknown);
    }
}
