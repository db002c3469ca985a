//! Packs of id Software's games, by the place of their directory: PAK of Quake and WAD of Doom.
//!
//! ```text
//! PAK: OFFSET SIZE MEANING               WAD: OFFSET SIZE MEANING
//!       0     4    PACK                        0     4    IWAD or PWAD
//!       4     4    offset of directory         4     4    entries, 16 bytes each
//!       8     4    its bytes, 64 an entry      8     4    offset of directory
//! entry: 56 path, 4 offset, 4 bytes        entry: 4 offset, 4 bytes, 8 name
//! ```

use super::input::{Fields, Input};
use super::parts::{Coding, Found, MAX_PARTS};
use super::{Flaw, Parsed};
use std::ops::Range;

const HEADER_LEN: usize = 12;
const PAK_ENTRY_LEN: usize = 64;
const WAD_ENTRY_LEN: usize = 16;

/// Where a directory is, and how its entries look.
struct Directory {
    offset: u64,
    count: u64,
    entry_len: usize,
    /// Where in an entry the offset and length of its file stand.
    place_at: usize,
    /// Where in an entry its name stands.
    name: Range<usize>,
}

/// What the directory says about one file.
struct Entry<'a> {
    name: &'a [u8],
    offset: u64,
    len: u64,
}

pub(super) fn check_pak(input: &Input<'_>) -> Parsed<()> {
    check_entries(input, &pak_directory(input)?)
}

pub(super) fn check_wad(input: &Input<'_>) -> Parsed<()> {
    check_entries(input, &wad_directory(input)?)
}

/// Finds the files of a PAK.
pub(super) fn find_pak_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    find_parts(input, &pak_directory(input)?, found)
}

/// Finds the lumps of a WAD.
pub(super) fn find_wad_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    find_parts(input, &wad_directory(input)?, found)
}

fn pak_directory(input: &Input<'_>) -> Parsed<Directory> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    let (offset, len) = (u64::from(fields.u32(4)), u64::from(fields.u32(8)));
    match len.is_multiple_of(PAK_ENTRY_LEN as u64) {
        true => Ok(Directory {
            offset,
            count: len / PAK_ENTRY_LEN as u64,
            entry_len: PAK_ENTRY_LEN,
            place_at: 56,
            name: 0..56,
        }),
        false => Err(Flaw::Unknown),
    }
}

fn wad_directory(input: &Input<'_>) -> Parsed<Directory> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    let (offset, count) = (u64::from(fields.u32(8)), u64::from(fields.u32(4)));
    Ok(Directory { offset, count, entry_len: WAD_ENTRY_LEN, place_at: 0, name: 8..16 })
}

/// Checks that every file is inside.
fn check_entries(input: &Input<'_>, directory: &Directory) -> Parsed<()> {
    let mut index = 0;
    for_each_entry(input, directory, &mut |entry| {
        index += 1;
        input.must_hold(&format!("file {}", index - 1), entry.offset, entry.len)
    })
}

fn find_parts(input: &Input<'_>, directory: &Directory, found: &mut Found) -> Parsed<()> {
    if directory.count > MAX_PARTS as u64 {
        return Err(Flaw::Unknown);
    }
    for_each_entry(input, directory, &mut |entry| found.part(entry.name, entry.offset, entry.len, Coding::Stored))
}

/// Visits the files that have bytes: markers have none, and any offset.
fn for_each_entry(
    input: &Input<'_>,
    directory: &Directory,
    visit: &mut dyn FnMut(Entry<'_>) -> Parsed<()>,
) -> Parsed<()> {
    let Directory { offset, count, entry_len, place_at, ref name } = *directory;
    input.must_hold("the directory", offset, count * entry_len as u64)?;
    let mut cursor = input.cursor(offset);
    for _ in 0..count {
        let bytes = cursor.take("the directory", entry_len)?;
        let fields = Fields::little(bytes);
        let (offset, len) = (fields.u32(place_at).into(), fields.u32(place_at + 4).into());
        let name = bytes[name.clone()].split(|&byte| byte == 0).next().unwrap_or_default();
        if len > 0 {
            visit(Entry { name, offset, len })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_packs_are_torn() {
        assert_cuts_are_torn(Format::QuakePak, "pak0.pak", sample!("quake.pak"), 4);
        assert_cuts_are_torn(Format::DoomWad, "doom.wad", sample!("doom.wad"), 4);
        assert_eq!(reason("doom.wad", &sample!("doom.wad")[..400]), "the directory ends at 428, the file at 400");
        assert_eq!(verdict("a.pack", sample!("quake.pak")), Verdict::Unknown);
    }
}
