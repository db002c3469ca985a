//! What Windows is told of a file: attributes, sizes and times in its units.

use crate::manifest::Timestamp;
use crate::tree::{Attr, Kind};

/// Windows counts space in units of so many bytes.
pub(super) const ALLOCATION_UNIT: u64 = 4096;

const READ_ONLY: u32 = 0x1;
const DIRECTORY: u32 = 0x10;
/// The indexer of Windows is to stay away: it would read every build once.
const NOT_CONTENT_INDEXED: u32 = 0x2000;
/// A file that is nothing out of the ordinary.
pub(super) const NORMAL: u32 = 0x80;
/// No attributes are given.
const NO_ATTRIBUTES: u32 = u32::MAX;

/// The mode's bits for writing.
const WRITE_BITS: u16 = 0o222;
const OWNER_WRITES: u16 = 0o200;

/// 1970 in the time of Windows, which counts units of 100 ns since 1601.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;
const UNITS_PER_SECOND: i64 = 10_000_000;
const NANOS_PER_UNIT: u32 = 100;

/// What is told of one file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mount) struct FileInfo {
    pub(super) attributes: u32,
    pub(super) size: u64,
    /// The one time that is known: of the last write. The others are given the same.
    pub(super) time: u64,
    /// The node, which is the same number for the same file.
    pub(super) index: u64,
}

impl FileInfo {
    /// Returns what is told of a node; of a link that is not followed, that it is a file.
    pub(super) fn of(attr: &Attr) -> FileInfo {
        let (kind, size) = match attr.kind {
            Kind::Directory => (DIRECTORY, 0),
            Kind::File | Kind::Symlink => (0, attr.size),
        };
        let read_only = if attr.kind == Kind::File && attr.mode & WRITE_BITS == 0 { READ_ONLY } else { 0 };
        let attributes = kind | read_only | NOT_CONTENT_INDEXED;
        FileInfo { attributes, size, time: file_time(attr.mtime), index: attr.node.0 }
    }

    /// Returns the bytes of space that the file is said to take.
    pub(super) fn allocation(&self) -> u64 {
        self.size.div_ceil(ALLOCATION_UNIT).saturating_mul(ALLOCATION_UNIT)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }
}

/// Returns a time as Windows counts it, at least 1: a time of 0 is none.
pub(super) fn file_time(time: Timestamp) -> u64 {
    let units = time.secs.saturating_mul(UNITS_PER_SECOND).saturating_add(i64::from(time.nanos / NANOS_PER_UNIT));
    units.saturating_add(UNIX_EPOCH).max(1).unsigned_abs()
}

/// Returns the time that Windows has given; `None` for none, which leaves the time as it is.
pub(super) fn timestamp(time: u64) -> Option<Timestamp> {
    // -1 and -2 switch the system's own changes off and on again, for as long as the file is open.
    let units = i64::try_from(time).ok().filter(|&time| time > 0)? - UNIX_EPOCH;
    let nanos = units.rem_euclid(UNITS_PER_SECOND) as u32 * NANOS_PER_UNIT;
    Some(Timestamp { secs: units.div_euclid(UNITS_PER_SECOND), nanos })
}

/// Returns the mode of a new file with these attributes.
pub(super) fn mode_of_new(attributes: u32) -> u16 {
    if attributes & READ_ONLY != 0 { 0o444 } else { 0o644 }
}

/// Returns the mode that a file with `mode` has once it has these attributes; `None` when it is the same.
pub(super) fn changed_mode(attr: &Attr, attributes: u32) -> Option<u16> {
    // The attribute of a folder says nothing of whether it can be written.
    if attributes == NO_ATTRIBUTES || attributes == 0 || attr.kind != Kind::File {
        return None;
    }
    match (attributes & READ_ONLY != 0, attr.mode & WRITE_BITS == 0) {
        (true, false) => Some(attr.mode & !WRITE_BITS),
        (false, true) => Some(attr.mode | OWNER_WRITES),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Lifetime, NodeId};

    fn attr(kind: Kind, mode: u16) -> Attr {
        let mtime = Timestamp { secs: 1_600_000_000, nanos: 123_456_789 };
        Attr { node: NodeId(7), kind, size: 4097, mode, mtime, lifetime: Lifetime::Forever, writable: false }
    }

    #[test]
    fn times_are_converted_both_ways() {
        for (secs, nanos, time) in [
            (0, 0, 116_444_736_000_000_000),
            (1_600_000_000, 123_456_700, 132_444_736_001_234_567),
            (-11_644_473_600, 100, 1),
            (-1, 999_999_900, 116_444_735_999_999_999),
            (315_532_800, 0, 119_600_064_000_000_000),
        ] {
            let at = Timestamp { secs, nanos };
            assert_eq!((file_time(at), timestamp(time)), (time, Some(at)));
        }
        assert_eq!(file_time(Timestamp { secs: i64::MIN, nanos: 0 }), 1);
        assert_eq!(file_time(Timestamp { secs: i64::MAX, nanos: 0 }), i64::MAX as u64);
        assert_eq!((timestamp(0), timestamp(u64::MAX), timestamp(u64::MAX - 1)), (None, None, None));
    }

    #[test]
    fn a_file_is_told_in_the_words_of_windows() {
        let file = FileInfo::of(&attr(Kind::File, 0o755));
        assert_eq!((file.size, file.allocation(), file.index, file.is_directory()), (4097, 8192, 7, false));
        assert_eq!(file.attributes & (READ_ONLY | DIRECTORY), 0);
        assert_eq!(FileInfo::of(&attr(Kind::File, 0o555)).attributes & READ_ONLY, READ_ONLY);
        let folder = FileInfo::of(&attr(Kind::Directory, 0o555));
        assert_eq!((folder.is_directory(), folder.size, folder.attributes & READ_ONLY), (true, 0, 0));
        assert!(!FileInfo::of(&attr(Kind::Symlink, 0o777)).is_directory());
    }

    #[test]
    fn the_read_only_attribute_is_the_bits_for_writing() {
        assert_eq!((mode_of_new(READ_ONLY), mode_of_new(0x20)), (0o444, 0o644));
        assert_eq!(changed_mode(&attr(Kind::File, 0o775), READ_ONLY), Some(0o555));
        assert_eq!(changed_mode(&attr(Kind::File, 0o555), 0x80), Some(0o755));
        for (mode, attributes) in [(0o644, 0x80), (0o444, READ_ONLY), (0o444, 0), (0o444, NO_ATTRIBUTES)] {
            assert_eq!(changed_mode(&attr(Kind::File, mode), attributes), None);
        }
        assert_eq!(changed_mode(&attr(Kind::Directory, 0o755), READ_ONLY), None);
    }
}
