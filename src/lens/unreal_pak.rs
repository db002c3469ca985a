//! Paks of Unreal, by their footer (the versions of `FPakInfo`, as repak and ue4pak read them).
//!
//! ```text
//! SIZE MEANING
//! 16   id of the key             (from version 7 on)
//! 1    is the index encrypted?   (from 4 on)
//! 4    0x5A6F12E1
//! 4    version
//! 8    offset of the index
//! 8    bytes of the index
//! 20   SHA-1 of the index
//! 1    is the index frozen?      (9)
//! 128  names of 4 compressions   (8 as Unreal 4.22 wrote it)
//! 160  names of 5 compressions   (8 from 4.23 on, and later versions)
//! ```
//! The index up to version 9: where the pak is mounted (a text), the count of files (4), of each its path (a text) and its
//! entry, which stands before its bytes once more. A text is its length (4) and so many bytes with a zero at the end; a
//! length below zero counts units of UTF-16.
//!
//! ```text
//! SIZE MEANING
//! 8    offset of the entry
//! 8    stored bytes
//! 8    plain bytes
//! 4    compression: 0 none
//! 8    time                         (1)
//! 20   SHA-1
//! 4    count of blocks              (3 and later, where compressed)
//!      of each: 8 its start, 8 its end
//! 1    is it encrypted?             (3 and later)
//! 4    plain bytes of a block       (3 and later)
//! ```
//! Later indexes, which are packed tighter, are not read.
//!
//! Nothing at the start tells a pak: without footer it is torn only if it starts like the entry of a file, and nothing at
//! its end looks like a footer that somebody has changed.

use super::input::{Cursor, Fields, Input};
use super::parts::{Coding, Found, MAX_PARTS};
use super::{Flaw, Parsed};

const MAGIC: u32 = 0x5a6f_12e1;

/// How far before the end the magic is, and in which versions. 12 is the newest that was seen.
const PLACES: [(usize, &[u32]); 4] = [(44, &[1, 2, 3, 4, 5, 6, 7]), (172, &[8]), (204, &[8, 10, 11, 12]), (205, &[9])];

/// Bytes at the end in which a changed footer is looked for.
const TAIL_LEN: usize = 512;

/// Bytes of magic, version, offset, and length.
const FOOTER_LEN: usize = 24;

/// The first bytes of an entry: offset 0, bytes stored, bytes plain, compression, SHA-1.
const ENTRY_LEN: usize = 48;

/// No file in a pak is as large.
const MAX_FILE_LEN: u64 = 1 << 44;

const INDEX: &str = "the index";

/// Paths beyond which an index is not read.
const MAX_TEXT_LEN: u32 = 16 << 10;

/// Blocks of a file beyond which an index is not read: those of 64 GiB.
const MAX_BLOCKS: u32 = 1 << 20;

/// The versions whose index is read; in the first 8 an entry was shorter.
const VERSIONS_READ: [u32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const PLACE_OF_SHORT_ENTRIES: usize = 172;

/// What the footer says.
struct Footer {
    at: u64,
    place: usize,
    version: u32,
    index_offset: u64,
    index_len: u64,
    is_index_encrypted: bool,
}

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let (tail, tail_start) = input.tail(TAIL_LEN)?;
    if let Some(footer) = find_footer(&tail, tail_start) {
        let end = footer.index_offset.saturating_add(footer.index_len);
        return match end <= footer.at {
            true => Ok(()),
            false => Err(Flaw::Torn(format!("the index ends at {end}, behind the footer at {}", footer.at))),
        };
    }
    match starts_like_a_pak(input)? && !ends_in_some_footer(&tail, tail_start) {
        true => Err(Flaw::Torn(format!("there is no footer before the end at {}", input.len()))),
        false => Err(Flaw::Unknown),
    }
}

/// Finds the files of a pak, behind the entries that stand before their bytes.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    let (tail, tail_start) = input.tail(TAIL_LEN)?;
    let footer = find_footer(&tail, tail_start).ok_or(Flaw::Unknown)?;
    let end = footer.index_offset.checked_add(footer.index_len).filter(|&end| end <= footer.at);
    let is_read = VERSIONS_READ.contains(&footer.version) && footer.place != PLACE_OF_SHORT_ENTRIES;
    let (Some(end), true, false) = (end, is_read, footer.is_index_encrypted) else { return Err(Flaw::Unknown) };
    let mut cursor = input.cursor(footer.index_offset);
    take_text(&mut cursor)?;
    let count = Fields::little(cursor.take(INDEX, 4)?).u32(0);
    if count as usize > MAX_PARTS {
        return Err(Flaw::Unknown);
    }
    for _ in 0..count {
        let path = take_text(&mut cursor)?;
        let entry = take_entry(&mut cursor, footer.version)?;
        let offset = entry.offset.saturating_add(entry.len);
        let is_before_index = offset.checked_add(entry.stored_len).is_some_and(|end| end <= footer.index_offset);
        if cursor.at() > end || !is_before_index {
            return Err(Flaw::Unknown);
        }
        found.part(&path, offset, entry.stored_len, entry.coding)?;
    }
    Ok(())
}

/// What the index says about one file.
struct Entry {
    offset: u64,
    /// The bytes of the entry itself.
    len: u64,
    stored_len: u64,
    coding: Coding,
}

fn take_text(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    let len = Fields::little(cursor.take(INDEX, 4)?).u32(0) as i32;
    let units = len.unsigned_abs();
    if units > MAX_TEXT_LEN {
        return Err(Flaw::Unknown);
    }
    let bytes = cursor.take(INDEX, units as usize * if len < 0 { 2 } else { 1 })?;
    let end_len = (if len < 0 { 2 } else { 1 }).min(bytes.len());
    Ok(bytes[..bytes.len() - end_len].to_vec())
}

fn take_entry(cursor: &mut Cursor<'_>, version: u32) -> Parsed<Entry> {
    let start = cursor.at();
    let fields = Fields::little(cursor.take(INDEX, 28)?);
    let (offset, stored_len, plain_len, compression) = (fields.u64(0), fields.u64(8), fields.u64(16), fields.u32(24));
    cursor.skip(if version == 1 { 28 } else { 20 });
    let mut is_encrypted = false;
    if version >= 3 {
        if compression != 0 {
            let count = Fields::little(cursor.take(INDEX, 4)?).u32(0);
            if count > MAX_BLOCKS {
                return Err(Flaw::Unknown);
            }
            cursor.skip(u64::from(count) * 16);
        }
        is_encrypted = cursor.take(INDEX, 5)?[0] != 0;
    }
    let is_stored = compression == 0 && !is_encrypted && stored_len == plain_len;
    let coding = if is_stored { Coding::Stored } else { Coding::Opaque };
    Ok(Entry { offset, len: cursor.at() - start, stored_len, coding })
}

fn find_footer(tail: &[u8], tail_start: u64) -> Option<Footer> {
    for (place, versions) in PLACES {
        let Some(at) = tail.len().checked_sub(place) else { continue };
        let fields = Fields::little(&tail[at..at + FOOTER_LEN]);
        if fields.u32(0) != MAGIC || !versions.contains(&fields.u32(4)) {
            continue;
        }
        return Some(Footer {
            at: tail_start + at as u64,
            place,
            version: fields.u32(4),
            index_offset: fields.u64(8),
            index_len: fields.u64(16),
            is_index_encrypted: fields.u32(4) >= 4 && at > 0 && tail[at - 1] != 0,
        });
    }
    None
}

/// Tells whether the file starts with the entry of a file.
fn starts_like_a_pak(input: &Input<'_>) -> Parsed<bool> {
    if !input.holds(0, ENTRY_LEN as u64) {
        return Ok(false);
    }
    let head: [u8; ENTRY_LEN] = input.array("the first entry", 0)?;
    let fields = Fields::little(&head);
    let (offset, stored, plain, compression) = (fields.u64(0), fields.u64(8), fields.u64(16), fields.u32(24));
    let are_lens = (1..MAX_FILE_LEN).contains(&stored) && (1..MAX_FILE_LEN).contains(&plain);
    let is_encoding = match compression {
        0 => stored == plain,
        // Bits of the old kind, or the number of a name.
        1..=8 => true,
        _ => false,
    };
    // In version 1 a time stands before the hash.
    let different = head[28..].iter().collect::<std::collections::BTreeSet<_>>().len();
    Ok(offset == 0 && are_lens && is_encoding && different >= 10)
}

/// Tells whether the file ends in the place of an index that ends right before it: a footer with a magic of its own.
fn ends_in_some_footer(tail: &[u8], tail_start: u64) -> bool {
    let is_magic = tail.windows(4).any(|bytes| Fields::little(bytes).u32(0) == MAGIC);
    is_magic
        || tail.windows(16).enumerate().any(|(at, bytes)| {
            let fields = Fields::little(bytes);
            let end = fields.u64(0).checked_add(fields.u64(8));
            let is_near = |end: u64| (tail_start..=tail_start + at as u64).contains(&end);
            fields.u64(0) > 0 && fields.u64(8) > 0 && end.is_some_and(is_near)
        })
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    const PAKS: [&[u8]; 5] = [
        sample!("unreal-v3.pak"),
        sample!("unreal-v7.pak"),
        sample!("unreal-v8a.pak"),
        sample!("unreal-v9.pak"),
        sample!("unreal-v11.pak"),
    ];

    #[test]
    fn paks_without_footer_are_torn() {
        for bytes in PAKS {
            assert_eq!(verdict("a.pak", bytes), Verdict::Whole(Format::UnrealPak));
            for len in 0..bytes.len() {
                match verdict("a.pak", &bytes[..len]) {
                    Verdict::Torn { .. } => assert!(len >= 48, "{len}"),
                    // Part of a footer may be one that somebody has changed.
                    verdict => assert!(verdict == Verdict::Unknown && !(48..=500).contains(&len), "{len}"),
                }
            }
        }
        assert_eq!(reason("a.pak", &PAKS[0][..300]), "there is no footer before the end at 300");
    }

    #[test]
    fn an_index_behind_the_footer_is_torn() {
        let shorter = [&PAKS[4][..100], &PAKS[4][200..]].concat();
        assert!(reason("a.pak", &shorter).contains("behind the footer at 438"));
    }

    /// Chromium, Quake and many games have files of this name; a game may have a magic of its own.
    #[test]
    fn other_paks_are_unknown() {
        let mut changed = PAKS[4].to_vec();
        let at = changed.len() - 204;
        changed[at..at + 4].fill(0x55);
        let chromium = [&[5, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0][..], &[7; 300]].concat();
        for bytes in [&changed[..], &chromium, &[0; 400]] {
            assert_eq!(verdict("a.pak", bytes), Verdict::Unknown);
        }
        assert_eq!(verdict("a.bin", PAKS[0]), Verdict::Unknown);
    }
}
