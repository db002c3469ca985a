//! Archives of tar, by the headers that stand before their files (`pax` of POSIX.1-2024, `tar.h` of GNU tar 1.35).
//!
//! ```text
//! OFFSET SIZE MEANING
//!   0    100  path
//! 124    12   bytes, in octal; from the highest bit of the first byte on in binary (GNU)
//! 148    8    sum of the bytes of the header, this field taken as spaces
//! 156    1    kind
//! 257    5    ustar
//! 262    3    0 and 00 as POSIX writes it, " " and " 0" as GNU does
//! 345    155  what stands before the path and a slash   (POSIX)
//! ```
//! Headers and files fill blocks of 512 bytes. A block of zeros is the end; what stands behind it is not read. Before the
//! header of a file there may be others with a text each, for what has no room in it: its path (kind `L`), or records of
//! POSIX (kind `x`), which are `length key=value` with a line feed. Sparse files, multiple volumes and archives of before
//! 1988, which have no magic, are not read.

use super::input::Input;
use super::parts::{Coding, Found, MAX_PARTS};
use super::{Flaw, Parsed};
use std::ops::Range;

/// Bytes of a header, and of what everything in an archive is a multiple of.
pub(super) const BLOCK_LEN: usize = 512;

const PATH: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const SUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..262;
const POSIX: Range<usize> = 257..263;
const PREFIX: Range<usize> = 345..500;

/// Texts before a header beyond which an archive is not read: extended attributes have at most 64 KiB.
const MAX_TEXT_LEN: u64 = 128 << 10;

const HEADER: &str = "the header of an entry";

/// What a header, and those before it, say about one file.
struct Entry<'a> {
    /// In two pieces, the first of which may be empty.
    path: [&'a [u8]; 2],
    offset: u64,
    len: u64,
}

/// Where the headers end.
#[derive(PartialEq, Eq)]
enum End {
    /// At a block of zeros.
    Marked,
    /// With the file.
    Unmarked,
}

/// What was said about the next file before its header.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    len: Option<u64>,
    is_pending: bool,
}

/// Tells whether a file starts with the header of an archive.
///
/// The magic stands so deep that the sum is needed: other formats may have it there as the text of an entry.
pub(super) fn starts_with_header(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|block: &[u8; BLOCK_LEN]| is_header(block))
}

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    match for_each_entry(input, &mut |_| Ok(()))? {
        End::Marked => Ok(()),
        // Old tools leave the mark out, and a cut may fall between two files.
        End::Unmarked => Err(Flaw::Unknown),
    }
}

/// Finds the files of an archive.
pub(super) fn find_parts(input: &Input<'_>, found: &mut Found) -> Parsed<()> {
    for_each_entry(input, &mut |entry| {
        let path = match entry.path {
            [b"", path] => path.to_vec(),
            pieces => pieces.join(&b'/'),
        };
        found.part(&path, entry.offset, entry.len, Coding::Stored)
    })?;
    Ok(())
}

/// Visits the entries that have bytes; all of them are inside.
fn for_each_entry(input: &Input<'_>, visit: &mut dyn FnMut(Entry<'_>) -> Parsed<()>) -> Parsed<End> {
    let mut cursor = input.cursor(0);
    let mut extension = Extension::default();
    for index in 0..MAX_PARTS {
        if cursor.at() == input.len() && !extension.is_pending {
            return Ok(End::Unmarked);
        }
        let block: [u8; BLOCK_LEN] = cursor.take(HEADER, BLOCK_LEN)?.try_into().expect("a block was asked for");
        if block == [0; BLOCK_LEN] && !extension.is_pending {
            return Ok(End::Marked);
        }
        if !is_header(&block) {
            return Err(Flaw::Unknown);
        }
        let (kind, mut len, offset) = (block[KIND], number(&block[SIZE])?, cursor.at());
        let is_of_next = matches!(kind, b'x' | b'g' | b'L' | b'K');
        if !is_of_next {
            len = extension.len.unwrap_or(len);
        }
        input.must_hold(&format!("entry {index}"), offset, len)?;
        if is_of_next {
            if len > MAX_TEXT_LEN {
                return Err(Flaw::Unknown);
            }
            extension.read(kind, cursor.take("the text of an entry", len as usize)?)?;
        } else {
            match kind {
                b'0' | b'\0' | b'7' => {}
                // Links, devices, and folders. Where these have a size, tools do not agree whether bytes follow.
                b'1'..=b'6' if len == 0 => {}
                _ => return Err(Flaw::Unknown),
            }
            if len > 0 {
                let path = extension.path.as_deref().map_or_else(|| path_of(&block), |path| [b"", path]);
                visit(Entry { path, offset, len })?;
            }
            extension = Extension::default();
            cursor.skip(len);
        }
        let padding_len = len.wrapping_neg() % BLOCK_LEN as u64;
        if !input.holds(cursor.at(), padding_len) {
            return Err(Flaw::Unknown);
        }
        cursor.skip(padding_len);
    }
    Err(Flaw::Unknown)
}

impl Extension {
    /// Takes note of what `text`, of a header of `kind`, says about the next file.
    fn read(&mut self, kind: u8, text: &[u8]) -> Parsed<()> {
        match kind {
            b'L' => self.path = Some(until_zero(text).to_vec()),
            b'x' => records(text)?.into_iter().try_for_each(|(key, value)| self.record(key, value))?,
            // What holds for all files that follow cannot be their path or length.
            b'g' => {
                let is_odd = records(text)?.iter().any(|(key, _)| matches!(*key, b"path" | b"size"));
                return if is_odd { Err(Flaw::Unknown) } else { Ok(()) };
            }
            // The target of a link.
            _ => {}
        }
        self.is_pending = true;
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Parsed<()> {
        match key {
            b"path" if !value.is_empty() => self.path = Some(value.to_vec()),
            b"size" => self.len = Some(decimal(value)?),
            _ if key.starts_with(b"GNU.sparse.") => return Err(Flaw::Unknown),
            _ => {}
        }
        Ok(())
    }
}

/// Returns the keys and values of records of POSIX: `length key=value` and a line feed, the length that of it all.
fn records(mut text: &[u8]) -> Parsed<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().take(20).position(|&byte| byte == b' ').ok_or(Flaw::Unknown)?;
        let len = usize::try_from(decimal(&text[..space])?).map_err(|_| Flaw::Unknown)?;
        let record = text.get(space + 1..len).and_then(|record| record.strip_suffix(b"\n")).ok_or(Flaw::Unknown)?;
        let equals = record.iter().position(|&byte| byte == b'=').ok_or(Flaw::Unknown)?;
        records.push((&record[..equals], &record[equals + 1..]));
        text = &text[len..];
    }
    Ok(records)
}

fn is_header(block: &[u8; BLOCK_LEN]) -> bool {
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let expected = sum(&block[..SUM.start]) + sum(&[b' '; 8]) + sum(&block[SUM.end..]);
    block[MAGIC] == *b"ustar" && matches!(number(&block[SUM]), Ok(sum) if sum == expected)
}

/// Returns the path in a header, in two pieces.
fn path_of(block: &[u8; BLOCK_LEN]) -> [&[u8]; 2] {
    // GNU keeps times where POSIX keeps the start of the path.
    let prefix = if block[POSIX] == *b"ustar\0" { until_zero(&block[PREFIX]) } else { b"" };
    [prefix, until_zero(&block[PATH])]
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Reads a number of a header.
fn number(field: &[u8]) -> Parsed<u64> {
    if field[0] & 0x80 == 0 {
        let digits = field.split(|byte| matches!(byte, 0 | b' ')).find(|piece| !piece.is_empty()).unwrap_or_default();
        return digits.iter().try_fold(0, |number, &digit| match digit {
            // Twelve digits, the most there are, have 36 bits.
            b'0'..=b'7' => Ok(number << 3 | u64::from(digit - b'0')),
            _ => Err(Flaw::Unknown),
        });
    }
    let (high, low) = field.split_last_chunk().ok_or(Flaw::Unknown)?;
    match high {
        [0x80, zeros @ ..] if zeros.iter().all(|&byte| byte == 0) => Ok(u64::from_be_bytes(*low)),
        _ => Err(Flaw::Unknown),
    }
}

fn decimal(digits: &[u8]) -> Parsed<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = str::from_utf8(digits).ok().filter(|_| is_number).and_then(|digits| digits.parse().ok());
    number.ok_or(Flaw::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict, parts};

    /// Sets the sum of the header at `at` after a change.
    fn sign(bytes: &mut [u8], at: usize) {
        bytes[at..][SUM].fill(b' ');
        let sum: u64 = bytes[at..at + BLOCK_LEN].iter().map(|&byte| u64::from(byte)).sum();
        bytes[at..][SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    /// Returns an archive of one entry without its end.
    fn entry(kind: u8, size: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut archive = vec![0; BLOCK_LEN];
        archive[..5].copy_from_slice(b"a.bin");
        archive[SIZE][..size.len()].copy_from_slice(size);
        archive[KIND] = kind;
        archive[257..265].copy_from_slice(b"ustar\x0000");
        sign(&mut archive, 0);
        archive.extend(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK_LEN), 0);
        archive
    }

    fn record(text: &str) -> Vec<u8> {
        entry(b'x', format!("{:o}", text.len()).as_bytes(), text.as_bytes())
    }

    const END: [u8; 1024] = [0; 1024];

    /// Returns the path, place and length of each part of the archive, which is whole.
    fn found(pieces: &[&[u8]]) -> Option<Vec<(String, u64, u64)>> {
        let bytes = [&pieces.concat(), &END[..]].concat();
        let parts = parts(&bytes[..], bytes.len() as u64, b"a.tar").unwrap()?;
        assert_eq!(verdict("a", &bytes), Verdict::Whole(Format::Tar));
        let place = |part: &crate::lens::Part| (String::from_utf8_lossy(&part.name).into(), part.offset, part.len);
        Some(parts.parts.iter().map(place).collect())
    }

    fn is_unknown(pieces: &[&[u8]]) -> bool {
        let bytes = [&pieces.concat(), &END[..]].concat();
        let has_parts = parts(&bytes[..], bytes.len() as u64, b"a.tar").unwrap().is_some();
        !has_parts && verdict("a.tar", &bytes) == Verdict::Unknown
    }

    #[test]
    fn cut_archives_are_torn() {
        for bytes in [sample!("gnu.tar"), sample!("pax.tar")] {
            assert_eq!(verdict("a", bytes), Verdict::Whole(Format::Tar));
            let end = bytes.chunks(BLOCK_LEN).position(|block| block == [0; BLOCK_LEN]).unwrap() * BLOCK_LEN;
            for len in BLOCK_LEN..bytes.len() {
                match verdict("a", &bytes[..len]) {
                    Verdict::Torn { .. } => assert!(len < end + BLOCK_LEN, "{len}"),
                    // A cut between two entries, or in what fills the last block of a file.
                    Verdict::Unknown => assert!(len <= end, "{len}"),
                    verdict => assert!(verdict == Verdict::Whole(Format::Tar) && len >= end + BLOCK_LEN, "{len}"),
                }
            }
        }
        let bytes = entry(b'0', b"1000", &[7; 512]);
        assert_eq!(verdict("a.tar", &bytes), Verdict::Unknown);
        assert_eq!(reason("a.tar", &bytes[..1000]), "entry 0 ends at 1024, the file at 1000");
        assert_eq!(
            reason("a.tar", &[&bytes[..], b"b.bin"].concat()),
            format!("{HEADER} ends at 1536, the file at 1029")
        );
        assert_eq!(reason("a.tar", &record("9 size=1\n")), format!("{HEADER} ends at 1536, the file at 1024"));
    }

    #[test]
    fn lengths_are_octal_binary_or_of_a_record() {
        let place = |offset, len| Some(vec![("a.bin".to_owned(), offset, len)]);
        let binary = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1];
        assert_eq!(found(&[&entry(b'0', b"00000001001\0", &[7; 513])]), place(512, 513));
        assert_eq!(found(&[&entry(b'0', b"       1001 ", &[7; 513])]), place(512, 513));
        assert_eq!(found(&[&entry(0, &binary, &[7; 513])]), place(512, 513));
        assert_eq!(found(&[&record("12 size=513\n"), &entry(b'0', b"0", &[7; 513])]), place(1536, 513));
        assert!(is_unknown(&[&entry(b'0', &[0xff; 12], &[])]));
        assert!(is_unknown(&[&entry(b'0', b"9", &[7; 9])]));
        for text in ["12 size=5130\n", "11 size=-1\n", "9 size=\n", "99 size=513\n", "0 size=1\n", "size=513\n"] {
            assert!(is_unknown(&[&record(text), &entry(b'0', b"1001", &[7; 513])]), "{text}");
        }
    }

    /// A record holds for one file.
    #[test]
    fn paths_are_joined_and_taken_from_records() {
        let mut deep = entry(b'0', b"1", b"x");
        deep[PREFIX][..7].copy_from_slice(b"folder/");
        deep[PREFIX][6] = 0;
        sign(&mut deep, 0);
        let long = entry(b'L', b"6", b"l.bin\0");
        let other = entry(b'0', b"1", b"x");
        let pieces = [&deep[..], &long, &other, &record("14 path=r.bin\n"), &other, &other];
        let found: Vec<String> = found(&pieces).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(found, ["folder/a.bin", "l.bin", "r.bin", "a.bin"]);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let file = entry(b'0', b"1", b"x");
        assert!(found(&[&file]).is_some());
        // Sparse files, further volumes, links that may have bytes, and kinds of one vendor.
        for kind in *b"SMDV15AZ" {
            assert!(is_unknown(&[&file, &entry(kind, b"1", b"x")]), "{kind}");
        }
        assert!(is_unknown(&[&record("22 GNU.sparse.major=1\n"), &file]));
        assert!(is_unknown(&[&entry(b'g', b"11", b"9 size=1\n"), &file]));
        assert!(is_unknown(&[&file, &record("9 size=1\n")]));
        assert!(is_unknown(&[&entry(b'L', b"400001", &[b'a'; 131_073]), &file]));
        let mut unsigned = file.clone();
        unsigned[0] ^= 1;
        assert!(is_unknown(&[&unsigned]) && is_unknown(&[&file, &unsigned]));
    }

    /// A magic of another format is the start of a path here.
    #[test]
    fn archives_are_known_by_their_magic_alone() {
        for start in ["MZ.ex", "RIFF/", "PACKs", "OggSs", "glTF/"] {
            let mut bytes = entry(b'0', b"1", b"x");
            bytes[..5].copy_from_slice(start.as_bytes());
            sign(&mut bytes, 0);
            assert_eq!(found(&[&bytes]).unwrap()[0].0, start);
        }
    }
}
