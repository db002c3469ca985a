//! ELF programs and libraries, by their sections, or by their segments where sections were taken out (`elf.h`).
//!
//! ```text
//! header, offsets                          section, offsets          segment, offsets
//! 32 BIT  64 BIT  MEANING                  32 BIT  64 BIT  MEANING   32 BIT  64 BIT  MEANING
//! 4       4       class: 1 is 32 bit       4       4       kind      4       8       offset
//! 5       5       order: 1 is little       16      24      offset    16      32      bytes in the file
//! 28      32      offset of segments       20      32      bytes
//! 32      40      offset of sections
//! 42      54      bytes of a segment entry, count, bytes of a section entry, count: 2 bytes each
//! ```

use super::input::{Fields, Input, Order};
use super::{Flaw, Parsed};

/// A section without bytes in the file.
const NO_BITS: u32 = 8;

/// Sections beyond which a program is not read.
const MAX_SECTIONS: u64 = 1 << 20;

/// Where the fields of a class stand.
struct Layout {
    header_len: usize,
    segments: usize,
    sections: usize,
    /// Length and count of segment entries, then of section entries.
    sizes: usize,
    section: Part,
    segment: Part,
    has_wide_numbers: bool,
}

/// Where a section or a segment says which bytes are its own.
struct Part {
    entry_len: usize,
    offset: usize,
    len: usize,
}

const BITS_32: Layout = Layout {
    header_len: 52,
    segments: 28,
    sections: 32,
    sizes: 42,
    section: Part { entry_len: 40, offset: 16, len: 20 },
    segment: Part { entry_len: 32, offset: 4, len: 16 },
    has_wide_numbers: false,
};

const BITS_64: Layout = Layout {
    header_len: 64,
    segments: 32,
    sections: 40,
    sizes: 54,
    section: Part { entry_len: 64, offset: 24, len: 32 },
    segment: Part { entry_len: 56, offset: 8, len: 32 },
    has_wide_numbers: true,
};

impl Layout {
    fn number(&self, fields: &Fields<'_>, at: usize) -> u64 {
        match self.has_wide_numbers {
            true => fields.u64(at),
            false => fields.u32(at).into(),
        }
    }
}

/// A table of sections or segments.
struct Table {
    offset: u64,
    count: u64,
}

/// Returns where the last of its parts ends.
pub(super) fn check(input: &Input<'_>) -> Parsed<u64> {
    let mut cursor = input.cursor(0);
    let ident = cursor.peek("the header", 16)?;
    let layout = match ident[4] {
        1 => BITS_32,
        2 => BITS_64,
        _ => return Err(Flaw::Unknown),
    };
    let order = match ident[5] {
        1 => Order::Little,
        2 => Order::Big,
        _ => return Err(Flaw::Unknown),
    };
    let fields = Fields::new(cursor.peek("the header", layout.header_len)?, order);
    let [segment_len, segment_count, section_len, section_count] = [0, 2, 4, 6].map(|at| fields.u16(layout.sizes + at));
    let segments = Table { offset: layout.number(&fields, layout.segments), count: segment_count.into() };
    let sections = Table { offset: layout.number(&fields, layout.sections), count: section_count.into() };
    if sections.offset != 0 {
        // Files of debug symbols keep the segments of the program that they were taken from.
        let entry_len = usize::from(section_len);
        return match entry_len == layout.section.entry_len {
            true => check_sections(input, &layout, sections, order),
            false => Err(Flaw::Unknown),
        };
    }
    match segments.count > 0 && usize::from(segment_len) == layout.segment.entry_len {
        true => check_segments(input, &layout, &segments, order),
        false => Err(Flaw::Unknown),
    }
}

fn check_sections(input: &Input<'_>, layout: &Layout, mut table: Table, order: Order) -> Parsed<u64> {
    let entry_len = layout.section.entry_len;
    let mut cursor = input.cursor(table.offset);
    if table.count == 0 {
        // More than 16 bits can say: the first section has the count.
        let first = Fields::new(cursor.peek("the table of sections", entry_len)?, order);
        table.count = layout.number(&first, layout.section.len);
    }
    if table.count > MAX_SECTIONS {
        return Err(Flaw::Unknown);
    }
    let table_len = table.count * entry_len as u64;
    input.must_hold("the table of sections", table.offset, table_len)?;
    let mut end = table.offset + table_len;
    for index in 0..table.count {
        let fields = Fields::new(cursor.take("the table of sections", entry_len)?, order);
        // The first section is none.
        if index > 0 && fields.u32(4) != NO_BITS {
            let (offset, len) = part(layout, &layout.section, &fields);
            input.must_hold(&format!("section {index}"), offset, len)?;
            end = end.max(offset + len);
        }
    }
    Ok(end)
}

fn check_segments(input: &Input<'_>, layout: &Layout, table: &Table, order: Order) -> Parsed<u64> {
    let mut cursor = input.cursor(table.offset);
    let mut end = 0;
    for index in 0..table.count {
        let fields = Fields::new(cursor.take("the table of segments", layout.segment.entry_len)?, order);
        let (offset, len) = part(layout, &layout.segment, &fields);
        input.must_hold(&format!("segment {index}"), offset, len)?;
        end = end.max(offset + len);
    }
    Ok(end)
}

fn part(layout: &Layout, part: &Part, fields: &Fields<'_>) -> (u64, u64) {
    (layout.number(fields, part.offset), layout.number(fields, part.len))
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_programs_are_torn() {
        assert_cuts_are_torn(Format::Elf, "game", sample!("program.elf"), 4);
        assert_cuts_are_torn(Format::Elf, "object.o", sample!("object.elf"), 4);
    }

    #[test]
    fn segments_count_where_sections_were_taken_out() {
        let mut bytes = sample!("program.elf").to_vec();
        // Offset of sections, their count, and the index of their names.
        bytes[40..48].fill(0);
        bytes[60..64].fill(0);
        assert_eq!(verdict("game", &bytes), Verdict::Whole(Format::Elf));
        assert!(reason("game", &bytes[..200]).contains("segment"), "{}", reason("game", &bytes[..200]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_program_is_whole() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(verdict("test", &bytes), Verdict::Whole(Format::Elf));
        assert!(reason("test", &bytes[..bytes.len() - 1]).contains("section"));
    }
}
