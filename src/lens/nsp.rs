//! Packages of the Switch, and the partitions inside its images (switchbrew: NCA, section PFS0; XCI, section HFS0).
//!
//! ```text
//! OFFSET SIZE MEANING                                 entry: OFFSET SIZE MEANING
//!   0     4    PFS0 or HFS0                                  0     8    offset behind the names
//!   4     4    entries, 24 or 64 bytes each                  8     8    bytes
//!   8     4    bytes of the names                            16    4    offset of the name in the names
//!  12     4    reserved, then entries, names, files          20    4    reserved, or bytes that are hashed (HFS0)
//!                                                            24    40   reserved, SHA-256                  (HFS0)
//! ```

use super::input::{Fields, Input};
use super::parts::{Coding, Found, MAX_PARTS};
use super::{Flaw, Parsed};

const HEADER_LEN: usize = 16;
const PFS_ENTRY_LEN: usize = 24;
const HFS_ENTRY_LEN: usize = 64;

/// Names beyond which a package is not read: real ones have some hundred files.
const MAX_NAMES_LEN: u32 = 1 << 20;

/// The longest name of a file.
const MAX_NAME_LEN: usize = 1 << 10;

/// What the directory says about one file.
struct Entry {
    name_at: usize,
    offset: u64,
    len: u64,
}

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    for_each_entry(input, &mut |_, _| Ok(()))
}

/// Finds the files of a package.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    for_each_entry(input, &mut |entry, names| {
        let name = names.get(entry.name_at..).ok_or(Flaw::Unknown)?;
        let len = name.iter().take(MAX_NAME_LEN).position(|&byte| byte == 0).ok_or(Flaw::Unknown)?;
        found.part(&name[..len], entry.offset, entry.len, Coding::Stored)
    })
}

/// Visits the files, all of which are inside, with the names of them all.
fn for_each_entry(input: &Input<'_>, visit: &mut dyn FnMut(Entry, &[u8]) -> Parsed<()>) -> Parsed<()> {
    let header: [u8; HEADER_LEN] = input.array("the header", 0)?;
    let fields = Fields::little(&header);
    let (count, names_len) = (fields.u32(4), fields.u32(8));
    if count as usize > MAX_PARTS || names_len > MAX_NAMES_LEN {
        return Err(Flaw::Unknown);
    }
    let entry_len = if header.starts_with(b"HFS0") { HFS_ENTRY_LEN } else { PFS_ENTRY_LEN };
    let names_at = HEADER_LEN as u64 + u64::from(count) * entry_len as u64;
    input.must_hold("the directory", names_at, names_len.into())?;
    let mut names = vec![0; names_len as usize];
    input.read_into(names_at, &mut names)?;
    let files_at = names_at + u64::from(names_len);
    let mut cursor = input.cursor(HEADER_LEN as u64);
    for index in 0..count {
        let fields = Fields::little(cursor.take("the directory", entry_len)?);
        let offset = files_at.saturating_add(fields.u64(0));
        let entry = Entry { name_at: fields.u32(16) as usize, offset, len: fields.u64(8) };
        if entry.len > 0 {
            input.must_hold(&format!("file {index}"), offset, entry.len)?;
            visit(entry, &names)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MAX_PARTS;
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict, parts};

    #[test]
    fn cut_packages_are_torn() {
        for bytes in [sample!("game.nsp"), sample!("secure.hfs0")] {
            assert_cuts_are_torn(Format::Nsp, "a", bytes, 4);
        }
        assert_eq!(reason("a.nsp", &sample!("game.nsp")[..700]), "file 1 ends at 736, the file at 700");
        assert_eq!(reason("a.nsp", &sample!("game.nsp")[..80]), "the directory ends at 96, the file at 80");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for (at, value) in [(4, MAX_PARTS as u32 + 1), (8, (1 << 20) + 1)] {
            let mut bytes = sample!("game.nsp").to_vec();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert_eq!(verdict("a.nsp", &bytes), Verdict::Unknown);
        }
    }

    /// Without its name a package is whole, but its parts have none.
    #[test]
    fn names_outside_the_names_give_no_parts() {
        for name_at in [32u32, u32::MAX] {
            let mut bytes = sample!("game.nsp").to_vec();
            bytes[32..36].copy_from_slice(&name_at.to_le_bytes());
            assert_eq!(parts(&bytes[..], bytes.len() as u64, b"a.nsp").unwrap(), None);
        }
    }
}
