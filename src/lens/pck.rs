//! Packs of Godot, alone or behind a program (`core/io/file_access_pack.cpp` of Godot 3.2, 4.3 and 4.5).
//!
//! ```text
//! OFFSET SIZE MEANING                                           one file of the directory
//!  0     4    GDPC                                              SIZE MEANING
//!  4     4    version: 1 Godot 3, 2 Godot 4, 3 from 4.5 on      4    length of its path
//!  8     12   version of the engine                                  path
//!  20    4    flags                                 (2, 3)      8    offset
//!  24    8    what offsets of files count from      (2, 3)      8    bytes
//!  32    8    offset of the directory               (3)         16   MD5
//!  20    64   reserved, then the directory          (1)         4    flags (2, 3)
//!  32    64   reserved, then the directory          (2)
//! ```
//! The directory starts with the count of files, 4 bytes. Behind a program stand the pack, its length (8 bytes), `GDPC`.

use super::input::{Cursor, Fields, Input};
use super::parts::{Coding, Found};
use super::{Flaw, Parsed};

const MAGIC: [u8; 4] = *b"GDPC";

/// The shortest header.
const HEADER_LEN: usize = 20;
const RESERVED_LEN: u64 = 64;

/// Length and magic behind a pack that follows a program.
const TRAILER_LEN: u64 = 12;

const PACK_HAS_ENCRYPTED_DIRECTORY: u32 = 1;
const PACK_COUNTS_FROM_ITSELF: u32 = 2;
/// The files stand beside the pack, which has only the directory.
const PACK_IS_SPARSE: u32 = 4;
const FILE_IS_ENCRYPTED: u32 = 1;
/// The pack takes the file away from one that was loaded before.
const FILE_IS_REMOVED: u32 = 2;

/// Where a pack starts behind a program, at least.
const PROGRAM_ALIGNMENT: u64 = 8;

/// Where files start in a pack, at least: Godot 3 takes 16, later ones 32.
const FILE_ALIGNMENT: u64 = 16;

/// Paths beyond which a directory is not read.
const MAX_PATH_LEN: u32 = 16 << 10;

/// What the directory says about one file.
struct Entry<'a> {
    path: &'a [u8],
    offset: u64,
    len: u64,
    is_encrypted: bool,
}

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    check_at(input, 0, input.len())
}

/// Finds the files of a pack that is alone.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    find_parts_at(input, 0, found)
}

/// Finds the files of the pack behind a program, if there is one.
pub(super) fn find_parts_behind_program(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    match behind_program(input)? {
        Some((start, _)) => find_parts_at(input, start, found),
        None => Ok(()),
    }
}

fn find_parts_at(input: &Input<'_>, start: u64, found: &mut Found) -> Parsed<()> {
    for_each_entry(input, start, &mut |entry| {
        let coding = if entry.is_encrypted { Coding::Opaque } else { Coding::Stored };
        found.part(entry.path, entry.offset, entry.len, coding)
    })?;
    Ok(())
}

/// Checks the pack behind a program that ends at `program_end`, if there is one.
pub(super) fn check_behind_program(input: &Input<'_>, program_end: u64) -> Parsed<()> {
    if let Some((start, end)) = behind_program(input)? {
        return check_at(input, start, end);
    }
    for start in [program_end, program_end.next_multiple_of(PROGRAM_ALIGNMENT)] {
        if starts_at(input, start)? {
            return Err(Flaw::Torn(format!("the pack at {start} has no trailer before the end at {}", input.len())));
        }
    }
    Ok(())
}

/// Returns where the pack that the trailer speaks of starts, and where it ends.
fn behind_program(input: &Input<'_>) -> Parsed<Option<(u64, u64)>> {
    let Some(end) = input.len().checked_sub(TRAILER_LEN) else { return Ok(None) };
    let trailer: [u8; TRAILER_LEN as usize] = input.array("the trailer", end)?;
    // A program may end in GDPC by chance; then there is none where the length says.
    if trailer[8..] == MAGIC
        && let Some(start) = end.checked_sub(Fields::little(&trailer).u64(0))
        && starts_at(input, start)?
    {
        return Ok(Some((start, end)));
    }
    Ok(None)
}

fn starts_at(input: &Input<'_>, start: u64) -> Parsed<bool> {
    Ok(input.holds(start, MAGIC.len() as u64) && input.array::<4>("the pack", start)? == MAGIC)
}

fn check_at(input: &Input<'_>, start: u64, end: u64) -> Parsed<()> {
    let (mut index, mut last_end) = (0, start);
    let directory_end = for_each_entry(input, start, &mut |entry| {
        index += 1;
        let entry_end = entry.offset.saturating_add(entry.len);
        last_end = last_end.max(entry_end);
        match entry_end <= end {
            true => Ok(()),
            false => Err(Flaw::Torn(format!("file {index} of the pack ends at {entry_end}, the pack at {end}"))),
        }
    })?;
    // Godot fills a pack up to the next place where a file could start: one that ends before was cut in these zeros.
    let has_filling = end > last_end.max(directory_end);
    match has_filling && !(end - start).is_multiple_of(FILE_ALIGNMENT) {
        true => Err(Flaw::Unknown),
        false => Ok(()),
    }
}

/// Reads the directory of the pack at `start` and returns where it ends; offsets of entries count from the start of the
/// input.
fn for_each_entry(input: &Input<'_>, start: u64, visit: &mut dyn FnMut(Entry<'_>) -> Parsed<()>) -> Parsed<u64> {
    let mut cursor = input.cursor(start);
    let version = Fields::little(cursor.take("the header of the pack", HEADER_LEN)?).u32(4);
    let (mut flags, mut base) = (0, 0);
    match version {
        1 => cursor.skip(RESERVED_LEN),
        2 | 3 => {
            let fields = Fields::little(cursor.take("the header of the pack", 12)?);
            (flags, base) = (fields.u32(0), fields.u64(4));
            if version == 3 || flags & PACK_COUNTS_FROM_ITSELF != 0 {
                base = base.saturating_add(start);
            }
            if version == 2 {
                cursor.skip(RESERVED_LEN);
            } else {
                let offset = Fields::little(cursor.take("the header of the pack", 8)?).u64(0);
                cursor = input.cursor(start.saturating_add(offset));
            }
        }
        _ => return Err(Flaw::Unknown),
    }
    let file_count = Fields::little(cursor.take("the directory of the pack", 4)?).u32(0);
    if flags & PACK_HAS_ENCRYPTED_DIRECTORY != 0 {
        return Err(Flaw::Unknown);
    }
    for _ in 0..file_count {
        let entry = read_entry(&mut cursor, version)?;
        let is_elsewhere = flags & PACK_IS_SPARSE != 0 || entry.flags & FILE_IS_REMOVED != 0;
        if !is_elsewhere {
            visit(Entry {
                path: entry.path,
                offset: entry.offset.saturating_add(base),
                len: entry.len,
                is_encrypted: entry.flags & FILE_IS_ENCRYPTED != 0,
            })?;
        }
    }
    Ok(cursor.at())
}

/// An entry as it stands in the directory.
struct RawEntry<'a> {
    path: &'a [u8],
    offset: u64,
    len: u64,
    flags: u32,
}

fn read_entry<'a>(cursor: &'a mut Cursor<'_>, version: u32) -> Parsed<RawEntry<'a>> {
    const WHAT: &str = "the directory of the pack";
    let path_len = Fields::little(cursor.take(WHAT, 4)?).u32(0);
    if path_len > MAX_PATH_LEN {
        return Err(Flaw::Unknown);
    }
    let has_flags = version >= 2;
    let bytes = cursor.take(WHAT, path_len as usize + if has_flags { 36 } else { 32 })?;
    let (path, fields) = bytes.split_at(path_len as usize);
    // Paths are filled up with zeros.
    let path = &path[..path.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)];
    let fields = Fields::little(fields);
    let flags = if has_flags { fields.u32(32) } else { 0 };
    Ok(RawEntry { path, offset: fields.u64(0), len: fields.u64(8), flags })
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_packs_are_torn() {
        assert_cuts_are_torn(Format::GodotPck, "a.pck", sample!("godot42.pck"), 3);
        assert_cuts_are_torn(Format::GodotPck, "a.pck", sample!("godot45.pck"), 3);
        // The last file ends at 327, the rest of the pack is filling.
        let bytes = sample!("godot3.pck");
        assert_eq!(verdict("a.pck", bytes), Verdict::Whole(Format::GodotPck));
        for len in 4..327 {
            assert!(matches!(verdict("a.pck", &bytes[..len]), Verdict::Torn { .. }), "{len}");
        }
        assert!((328..336).all(|len| verdict("a.pck", &bytes[..len]) == Verdict::Unknown));
        assert_eq!(reason("a.pck", &bytes[..300]), "file 2 of the pack ends at 327, the pack at 300");
    }

    #[test]
    fn a_pack_behind_a_program_is_checked() {
        let (bytes, program_len) = (sample!("game.elf"), sample!("program.elf").len());
        assert_eq!(verdict("game", bytes), Verdict::Whole(Format::Elf));
        // As far as the magic of the pack the file is a program that is whole.
        for len in (64..program_len).chain(program_len + 4..bytes.len()) {
            assert!(matches!(verdict("game", &bytes[..len]), Verdict::Torn { .. }), "{len}");
        }
        let mut shorter = bytes.to_vec();
        shorter.drain(program_len + 400..program_len + 416);
        assert!(matches!(verdict("game", &shorter), Verdict::Torn { .. }));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let mut encrypted = sample!("godot42.pck").to_vec();
        encrypted[20] |= 1;
        let mut newer = sample!("godot42.pck").to_vec();
        newer[4] = 9;
        assert_eq!([verdict("a.pck", &encrypted), verdict("a.pck", &newer)], [Verdict::Unknown, Verdict::Unknown]);
    }
}
