//! Programs and libraries of Windows, by their sections, symbols and certificates (Microsoft's PE Format).
//!
//! ```text
//! OFFSET SIZE MEANING                       section of 40 bytes, offsets
//!  60    4    offset of what follows        OFFSET SIZE MEANING
//!  0     4    PE and two zeros               8     4    bytes in memory
//!  6     2    sections                       16    4    bytes in the file
//!  12    4    offset of symbols              20    4    offset
//!  16    4    symbols, 18 bytes each
//!  20    2    bytes of the optional header
//!  24    2    0x10B, or 0x20B for 64 bit; the certificates' offset and length at 128 or 144 of this header
//! ```
//! What stands behind all of these, as the data of an installer, has no length that could be checked.

use super::input::{Fields, Input};
use super::{Flaw, Parsed};

/// Where the offset of the PE header stands.
const HEADER_AT: u64 = 60;
const HEADER_LEN: u64 = 24;
const SECTION_LEN: usize = 40;
const SYMBOL_LEN: u64 = 18;

/// How far behind the sections symbols are believed to start.
const MAX_SYMBOLS_GAP: u64 = 4096;

/// The optional header, up to the certificates: where their entry stands for 32 and for 64 bits.
const CERTIFICATES_32: u64 = 128;
const CERTIFICATES_64: u64 = 144;

/// Returns where the sections end.
pub(super) fn check(input: &Input<'_>) -> Parsed<u64> {
    // A program of DOS may be shorter than this, or have anything where the offset is.
    if !input.holds(HEADER_AT, 4) {
        return Err(Flaw::Unknown);
    }
    let header_at = u64::from(Fields::little(&input.array::<4>("the header", HEADER_AT)?).u32(0));
    if !input.holds(header_at, HEADER_LEN) {
        return Err(Flaw::Unknown);
    }
    let header: [u8; HEADER_LEN as usize] = input.array("the PE header", header_at)?;
    if !header.starts_with(b"PE\0\0") {
        return Err(Flaw::Unknown);
    }
    let fields = Fields::little(&header);
    let optional_len = u64::from(fields.u16(20));
    let optional_at = header_at + HEADER_LEN;
    let sections_end = check_sections(input, optional_at + optional_len, fields.u16(6))?;
    check_symbols(input, fields.u32(12).into(), fields.u32(16).into(), sections_end)?;
    check_certificates(input, optional_at, optional_len)?;
    match sections_end <= input.len() {
        true => Ok(sections_end),
        // Some linkers leave the padding of the last section out of the file.
        false => Err(Flaw::Unknown),
    }
}

/// Returns where the last section ends, with its padding, which need not be inside.
fn check_sections(input: &Input<'_>, table_at: u64, count: u16) -> Parsed<u64> {
    let mut cursor = input.cursor(table_at);
    let mut sections_end = 0;
    for index in 0..count {
        let fields = Fields::little(cursor.take("the table of sections", SECTION_LEN)?);
        let (memory_len, len, offset) = (fields.u32(8), u64::from(fields.u32(16)), u64::from(fields.u32(20)));
        if offset == 0 || len == 0 {
            continue;
        }
        input.must_hold(&format!("section {index}"), offset, len.min(memory_len.into()))?;
        sections_end = sections_end.max(offset + len);
    }
    Ok(sections_end)
}

/// Checks the symbols that GNU and old linkers write behind the sections, and the texts behind them.
fn check_symbols(input: &Input<'_>, offset: u64, count: u64, sections_end: u64) -> Parsed<()> {
    // Programs that were stripped badly have a number here that means nothing.
    if count == 0 || !(sections_end..sections_end + MAX_SYMBOLS_GAP).contains(&offset) {
        return Ok(());
    }
    let texts_at = offset + count * SYMBOL_LEN;
    let texts_len = Fields::little(&input.array::<4>("the table of symbols", texts_at)?).u32(0);
    input.must_hold("the table of symbols", texts_at, texts_len.into())
}

fn check_certificates(input: &Input<'_>, optional_at: u64, optional_len: u64) -> Parsed<()> {
    if optional_len < 2 {
        return Ok(());
    }
    let entry = match Fields::little(&input.array::<2>("the optional header", optional_at)?).u16(0) {
        0x10b => CERTIFICATES_32,
        0x20b => CERTIFICATES_64,
        _ => return Ok(()),
    };
    if entry + 8 > optional_len {
        return Ok(());
    }
    let place: [u8; 8] = input.array("the optional header", optional_at + entry)?;
    let fields = Fields::little(&place);
    input.must_hold("the certificates", fields.u32(0).into(), fields.u32(4).into())
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_programs_are_torn() {
        for bytes in [sample!("symbols.exe"), sample!("signed.exe")] {
            assert_eq!(verdict("game.exe", bytes), Verdict::Whole(Format::Pe));
            for len in 0..bytes.len() {
                match verdict("game.exe", &bytes[..len]) {
                    Verdict::Torn { .. } => {}
                    // The offset of the PE header, and the header itself, may be another system's.
                    verdict => assert!(verdict == Verdict::Unknown && len < 200, "{verdict:?} at {len}"),
                }
            }
        }
        assert!(reason("game.exe", &sample!("signed.exe")[..5000]).starts_with("the certificates end"));
        assert!(reason("game.exe", &sample!("symbols.exe")[..6000]).starts_with("the table of symbols ends"));
    }

    #[test]
    fn programs_of_dos_are_unknown() {
        assert_eq!(verdict("game.exe", &[&b"MZ"[..], &[0; 300]].concat()), Verdict::Unknown);
        assert_eq!(verdict("game.exe", b"MZ"), Verdict::Unknown);
    }
}
