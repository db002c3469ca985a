//! Packs of id Software's games, by the place of their directory: PAK of Quake and WAD of Doom.
//!
//! ```text
//! PAK: OFFSET SIZE MEANING               WAD: OFFSET SIZE MEANING
//!       0     4    PACK                        0     4    IWAD or PWAD
//!       4     4    offset of directory         4     4    entries, 16 bytes each
//!       8     4    its bytes, 64 an entry      8     4    offset of directory
//! ```

use super::input::{Fields, Input};
use super::{Flaw, Parsed};

const HEADER_LEN: usize = 12;
const PAK_ENTRY_LEN: u64 = 64;
const WAD_ENTRY_LEN: u64 = 16;

pub(super) fn check_pak(input: &Input<'_>) -> Parsed<()> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    let (offset, len) = (u64::from(fields.u32(4)), u64::from(fields.u32(8)));
    if !len.is_multiple_of(PAK_ENTRY_LEN) {
        return Err(Flaw::Unknown);
    }
    check_entries(input, offset, len / PAK_ENTRY_LEN, PAK_ENTRY_LEN, 56)
}

pub(super) fn check_wad(input: &Input<'_>) -> Parsed<()> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    check_entries(input, fields.u32(8).into(), fields.u32(4).into(), WAD_ENTRY_LEN, 0)
}

/// Checks the entries at `offset`; each has offset and length of its file `place_at` bytes from its start.
fn check_entries(input: &Input<'_>, offset: u64, count: u64, entry_len: u64, place_at: usize) -> Parsed<()> {
    input.must_hold("the directory", offset, count * entry_len)?;
    let mut cursor = input.cursor(offset);
    for index in 0..count {
        let fields = Fields::little(cursor.take("the directory", entry_len as usize)?);
        let (offset, len) = (u64::from(fields.u32(place_at)), u64::from(fields.u32(place_at + 4)));
        // Markers have no bytes, and any offset.
        if len > 0 {
            input.must_hold(&format!("file {index}"), offset, len)?;
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
