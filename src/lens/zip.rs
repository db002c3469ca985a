//! Zip archives, by their central directory (PKWARE APPNOTE 6.3).
//!
//! ```text
//! end of central directory          zip64 locator            zip64 end                 directory entry
//! OFFSET SIZE MEANING               OFFSET SIZE MEANING      OFFSET SIZE MEANING       OFFSET SIZE MEANING
//!  0     4    PK 05 06               0     4    PK 06 07      0     4    PK 06 06       0     4    PK 01 02
//!                                                                                      8     2    flags: 1 encrypted
//!                                                                                      10    2    0 stored, 8 deflate, …
//!  4     2    this volume            4     4    volume of it  4     8    its length     20    4    stored bytes
//!  6     2    volume of directory    8     8    offset of it  16    4    this volume    24    4    plain bytes
//!  8     2    entries here           16    4    volumes       20    4    its volume     28    2    length of name
//!  10    2    entries                                         24    8    entries here   30    2    length of extra
//!  12    4    bytes of directory                              32    8    entries        32    2    length of comment
//!  16    4    offset of directory                             40    8    bytes          42    4    offset of local header
//!  20    2    length of comment                               48    8    offset         46         name, extra, comment
//! ```
//! The local header before the bytes of an entry has 30 bytes, from byte 26 on the lengths of name and extra (2 bytes
//! each), then these. A number of all ones stands in the zip64 record, or in the extra field with id 1.

use super::input::{Cursor, Fields, Input};
use super::parts::{Coding, Found};
use super::{Flaw, Parsed, has_extension};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const SIGNATURE: [u8; 4] = *b"PK\x05\x05";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";

const LOCAL_HEADER_LEN: u64 = 30;
const ENTRY_LEN: usize = 46;
const END_LEN: usize = 22;
const END_64_LEN: u64 = 56;
const LOCATOR_64_LEN: u64 = 20;

/// How far before the end of a file the end record can be: its comment has a length of 16 bits.
const MAX_TAIL_LEN: usize = END_LEN + u16::MAX as usize;

/// End records that are tried: one that is not the archive's own may stand in a comment, or in an archive inside this one.
const MAX_CANDIDATES: usize = 16;

/// Local headers that are so near to the next one are read many at once.
const NEAR: u64 = 4 << 10;

/// Flags of entries whose bytes are encrypted, or whose sizes are not told.
const IS_HIDDEN: u16 = 1 | 1 << 6 | 1 << 13;

/// Entries beyond which an archive is not read.
const MAX_ENTRIES: u64 = 4 << 20;

/// Names that say that a file is to be a zip archive: only then is one without an end torn.
const NAMES: [&str; 36] = [
    "zip",
    "apk",
    "apks",
    "apkm",
    "xapk",
    "aab",
    "aar",
    "obb",
    "jar",
    "war",
    "ear",
    "ipa",
    "love",
    "pk3",
    "pk4",
    "docx",
    "docm",
    "xlsx",
    "xlsm",
    "pptx",
    "odt",
    "ods",
    "odp",
    "odg",
    "epub",
    "whl",
    "nupkg",
    "vsix",
    "appx",
    "msix",
    "appxbundle",
    "msixbundle",
    "usdz",
    "3mf",
    "kra",
    "mcpack",
];

/// Where the central directory is.
struct Directory {
    start: u64,
    len: u64,
    entry_count: u64,
}

/// What the central directory says about one entry.
struct Entry<'a> {
    name: &'a [u8],
    header_offset: u64,
    stored_len: u64,
    coding: Coding,
}

pub(super) fn check(input: &Input<'_>, name: &[u8]) -> Parsed<()> {
    let directory = find_directory(input, has_extension(name, &NAMES))?;
    let mut entry_count = 0;
    for_each_entry(input, &directory, &mut |entry| {
        entry_count += 1;
        let end = entry.header_offset.saturating_add(LOCAL_HEADER_LEN);
        match end <= directory.start {
            true => Ok(()),
            false => Err(Flaw::Torn(format!(
                "the header of entry {entry_count} ends at {end}, behind the start of the directory at {}",
                directory.start
            ))),
        }
    })?;
    // Old writers count modulo 2^16.
    match (directory.entry_count ^ entry_count) & 0xffff {
        0 => Ok(()),
        _ => Err(Flaw::Unknown),
    }
}

/// Finds the bytes of the entries: behind the local headers, whose lengths are their own.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    // An archive by its first bytes, under whatever name.
    let directory = find_directory(input, false)?;
    for_each_entry(input, &directory, &mut |entry| {
        found.part(entry.name, entry.header_offset, entry.stored_len, entry.coding)
    })?;
    let parts = found.sorted();
    let mut cursor = input.cursor(0);
    for index in 0..parts.len() {
        let next = parts.get(index + 1).map_or(directory.start, |part| part.offset);
        let part = &mut parts[index];
        let is_near = next.saturating_sub(part.offset) < NEAR;
        part.offset = data_offset(input, &mut cursor, part.offset, is_near)?;
        if part.offset.checked_add(part.len).is_none_or(|end| end > directory.start) {
            return Err(Flaw::Unknown);
        }
    }
    Ok(())
}

/// Returns where the bytes behind the local header at `offset` start.
fn data_offset(input: &Input<'_>, cursor: &mut Cursor<'_>, offset: u64, is_near: bool) -> Parsed<u64> {
    let alone: [u8; LOCAL_HEADER_LEN as usize];
    let bytes = match is_near {
        true => {
            cursor.go_to(offset);
            cursor.peek("a local header", LOCAL_HEADER_LEN as usize)?
        }
        false => {
            alone = input.array("a local header", offset)?;
            &alone
        }
    };
    let fields = Fields::little(bytes);
    match bytes.starts_with(&LOCAL) {
        true => Ok(offset + LOCAL_HEADER_LEN + u64::from(fields.u16(26)) + u64::from(fields.u16(28))),
        false => Err(Flaw::Unknown),
    }
}

/// Finds the directory by the last end record that fits the file.
fn find_directory(input: &Input<'_>, is_named_zip: bool) -> Parsed<Directory> {
    let (tail, tail_start) = input.tail(MAX_TAIL_LEN)?;
    let ends = (0..=tail.len().saturating_sub(END_LEN)).rev().filter(|&at| tail[at..].starts_with(&END));
    let has_room = |at: &usize| at + END_LEN <= tail.len();
    for at in ends.filter(has_room).take(MAX_CANDIDATES) {
        let fields = Fields::little(&tail[at..at + END_LEN]);
        let rest = tail.len() - at - END_LEN;
        let comment_len = usize::from(fields.u16(20));
        if comment_len > rest {
            continue;
        }
        if let Some(directory) = read_end(input, &fields, tail_start + at as u64, comment_len == rest)? {
            return Ok(directory);
        }
    }
    match is_named_zip {
        true => {
            Err(Flaw::Torn(format!("there is no end record in the last {} bytes, up to {}", tail.len(), input.len())))
        }
        false => Err(Flaw::Unknown),
    }
}

/// Reads the end record at `at`; `None` if it is of another archive. One that `ends_the_file` is of this one.
fn read_end(input: &Input<'_>, fields: &Fields<'_>, at: u64, ends_the_file: bool) -> Parsed<Option<Directory>> {
    let is_split = |volume: u16| volume != 0 && volume != u16::MAX;
    if is_split(fields.u16(4)) || is_split(fields.u16(6)) {
        return Err(Flaw::Unknown);
    }
    let (mut entry_count, mut len) = (u64::from(fields.u16(10)), u64::from(fields.u32(12)));
    let (mut offset, mut end) = (u64::from(fields.u32(16)), at);
    let may_be_large =
        entry_count == u64::from(u16::MAX) || len == u64::from(u32::MAX) || offset == u64::from(u32::MAX);
    if may_be_large && let Some((record, record_at)) = read_end_64(input, at)? {
        let record = Fields::little(&record);
        (entry_count, len, offset, end) = (record.u64(32), record.u64(40), record.u64(48), record_at);
    }
    let fits = offset.checked_add(len).is_some_and(|directory_end| directory_end <= end);
    if !fits {
        let reason = format!(
            "the end record at {at} names a directory of {len} bytes at {offset}, and only {end} bytes stand before it"
        );
        return if ends_the_file { Err(Flaw::Torn(reason)) } else { Ok(None) };
    }
    // The record of an archive inside a torn one counts from a start of its own.
    let is_ours = len == 0 || input.array::<4>("the directory", offset)? == ENTRY;
    Ok(is_ours.then_some(Directory { start: offset, len, entry_count }))
}

/// Returns the zip64 record that belongs to the end record at `end_at`, and where it is.
fn read_end_64(input: &Input<'_>, end_at: u64) -> Parsed<Option<([u8; END_64_LEN as usize], u64)>> {
    let Some(locator_at) = end_at.checked_sub(LOCATOR_64_LEN) else { return Ok(None) };
    let locator: [u8; LOCATOR_64_LEN as usize] = input.array("the zip64 locator", locator_at)?;
    if !locator.starts_with(&LOCATOR_64) {
        return Ok(None);
    }
    let at = Fields::little(&locator).u64(8);
    if at.checked_add(END_64_LEN).is_some_and(|end| end <= locator_at) {
        let record = input.array("the zip64 end record", at)?;
        if record.starts_with(&END_64) {
            return Ok(Some((record, at)));
        }
    }
    Err(Flaw::Torn(format!("the zip64 end record that the locator at {locator_at} speaks of is missing")))
}

fn for_each_entry(
    input: &Input<'_>,
    directory: &Directory,
    visit: &mut dyn FnMut(Entry<'_>) -> Parsed<()>,
) -> Parsed<()> {
    let end = directory.start.saturating_add(directory.len);
    let mut cursor = input.cursor(directory.start);
    let mut entry_count = 0;
    while cursor.at() < end {
        let at = cursor.at();
        entry_count += 1;
        if entry_count > MAX_ENTRIES {
            return Err(Flaw::Unknown);
        }
        if cursor.peek("the directory", 4)? == SIGNATURE {
            return Ok(());
        }
        let bytes = cursor.take("a directory entry", ENTRY_LEN)?;
        if !bytes.starts_with(&ENTRY) {
            return Err(Flaw::Torn(format!("at {at}, inside the directory, no entry starts")));
        }
        let fields = Fields::little(bytes);
        let (flags, method) = (fields.u16(8), fields.u16(10));
        let numbers = [fields.u32(24), fields.u32(20), fields.u32(42)];
        let (name_len, extra_len, comment_len) = (fields.u16(28), fields.u16(30), fields.u16(32));
        let name_and_extra = cursor.take("a directory entry", usize::from(name_len) + usize::from(extra_len))?;
        let (name, extra) = name_and_extra.split_at(name_len.into());
        let number = |index: usize| match numbers[index] {
            // In this order; only those that are all ones.
            u32::MAX => large_number(extra, numbers[..index].iter().filter(|&&number| number == u32::MAX).count()),
            number => Ok(number.into()),
        };
        let [plain_len, stored_len, header_offset] = [number(0), number(1), number(2)];
        let (plain_len, stored_len) = (plain_len?, stored_len?);
        let coding = match method {
            _ if flags & IS_HIDDEN != 0 => Coding::Opaque,
            0 if stored_len == plain_len => Coding::Stored,
            8 => Coding::Deflate { plain_len },
            _ => Coding::Opaque,
        };
        visit(Entry { name, header_offset: header_offset?, stored_len, coding })?;
        cursor.skip(comment_len.into());
    }
    Ok(())
}

/// Returns number `index` of the zip64 extra field.
fn large_number(mut extra: &[u8], index: usize) -> Parsed<u64> {
    while let Some((head, rest)) = extra.split_at_checked(4) {
        let fields = Fields::little(head);
        let Some((body, after)) = rest.split_at_checked(fields.u16(2).into()) else { break };
        if fields.u16(0) == 1 && body.len() >= index * 8 + 8 {
            return Ok(Fields::little(body).u64(index * 8));
        }
        extra = after;
    }
    Err(Flaw::Unknown)
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_archives_are_torn() {
        for (name, bytes) in [
            ("python.zip", sample!("python.zip")),
            ("info.apk", sample!("info.apk")),
            ("large.zip", sample!("large.zip")),
            ("nested.jar", sample!("nested.jar")),
        ] {
            assert_cuts_are_torn(Format::Zip, name, bytes, 4);
        }
    }

    /// A zip that no name announces may be anything: without an end nothing is said about it.
    #[test]
    fn names_decide_where_the_end_is_missing() {
        let bytes = sample!("python.zip");
        assert_eq!(verdict("assets.bin", bytes), Verdict::Whole(Format::Zip));
        for name in ["assets.bin", "zip", "python.zip.001", "python.z01"] {
            assert_eq!(verdict(name, &bytes[..bytes.len() - 1]), Verdict::Unknown, "{name}");
        }
        assert_eq!(reason("a.ZIP", &bytes[..900]), "there is no end record in the last 900 bytes, up to 900");
    }

    #[test]
    fn bytes_behind_an_archive_do_not_count() {
        let bytes = sample!("large.zip");
        let padded = [bytes, &[0; 30][..]].concat();
        assert_eq!(verdict("a.zip", &padded), Verdict::Whole(Format::Zip));
        // A script with an archive behind it is no archive by its start.
        assert_eq!(verdict("a.zip", &[b"#!/usr/bin/python3\n", bytes].concat()), Verdict::Unknown);
    }

    /// The end record of the archive inside once stood for that of a torn one.
    #[test]
    fn an_archive_inside_a_torn_one_is_not_its_end() {
        let bytes = sample!("nested.jar");
        let inner_end = bytes.windows(4).position(|window| window == super::END).unwrap() + super::END_LEN + 31;
        for len in inner_end - 2..inner_end + 30 {
            let torn = reason("a.jar", &bytes[..len]);
            assert!(torn.contains("end record"), "{torn}");
        }
    }

    #[test]
    fn bytes_missing_in_the_middle_are_seen() {
        let bytes = sample!("python.zip");
        let shorter = [&bytes[..300], &bytes[400..]].concat();
        let torn = reason("a.zip", &shorter);
        assert!(torn.contains("names a directory of") && torn.contains("stand before it"), "{torn}");
        let mut zeros = bytes.to_vec();
        let at = bytes.windows(4).rposition(|window| window == super::ENTRY).unwrap();
        zeros[at..at + 46].fill(0);
        assert_eq!(reason("a.zip", &zeros), format!("at {at}, inside the directory, no entry starts"));
    }
}
