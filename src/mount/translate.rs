//! Between the tree's types and fuser's.

use crate::manifest::Timestamp;
use crate::tree::{Access, Attr, Caller, Kind, Lifetime, NodeId, TimeChange, XattrMode};
use fuser::{FileAttr, FileType, INodeNo, OpenAccMode, OpenFlags, TimeOrNow};
use std::time::SystemTime;

/// The unit that `stat` gives for files that are written: `cp` then writes so much at once, in one request each.
const WRITE_BLOCK: u32 = 1 << 20;
const READ_BLOCK: u32 = 4096;

/// Who owns every node: the user that mounted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// User id.
    pub(super) uid: u32,
    /// Group id.
    pub(super) gid: u32,
}

impl Owner {
    /// Returns `attr` as the kernel takes it.
    pub(super) fn file_attr(self, attr: &Attr) -> FileAttr {
        let mtime = attr.mtime.into();
        FileAttr {
            ino: INodeNo(attr.node.0),
            size: attr.size,
            // Never 0 for a file with bytes: `tar -S` would archive a hole.
            blocks: attr.size.div_ceil(512),
            atime: mtime,
            mtime,
            ctime: mtime,
            crtime: mtime,
            kind: file_type(attr.kind),
            perm: attr.mode,
            nlink: 1,
            uid: self.uid,
            gid: self.gid,
            rdev: 0,
            blksize: if attr.writable { WRITE_BLOCK } else { READ_BLOCK },
            flags: 0,
        }
    }

    /// Returns attributes that say no more than that `node` is a directory, where the kernel looks at no more.
    pub(super) fn bare_attr(self, node: NodeId) -> FileAttr {
        self.file_attr(&Attr {
            node,
            kind: Kind::Directory,
            size: 0,
            mode: 0o755,
            mtime: Timestamp::default(),
            lifetime: Lifetime::Never,
            writable: false,
        })
    }
}

/// Returns the kind as the kernel names it.
pub(super) fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::RegularFile,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
    }
}

/// Returns the node that the kernel names.
pub(super) fn node(number: INodeNo) -> NodeId {
    NodeId(number.0)
}

/// Returns the permission bits of a mode.
pub(super) fn permissions(mode: u32) -> u16 {
    (mode & 0o7777) as u16
}

/// Returns what a file is opened for, by somebody.
pub(super) fn access(flags: OpenFlags) -> Access {
    let mode = flags.acc_mode();
    Access {
        read: mode != OpenAccMode::O_WRONLY,
        write: mode != OpenAccMode::O_RDONLY,
        truncate: flags.0 & libc::O_TRUNC != 0,
        caller: Caller::UNKNOWN,
    }
}

/// Returns the new time.
pub(super) fn time_change(time: TimeOrNow) -> TimeChange {
    match time {
        TimeOrNow::Now => TimeChange::Now,
        TimeOrNow::SpecificTime(time) => TimeChange::At(time_of_kernel(time)),
    }
}

/// Returns the time that the kernel gave.
///
/// For the kernel nanoseconds count upwards before 1970, too; fuser 0.18 lets them count downwards from the epoch.
fn time_of_kernel(time: SystemTime) -> Timestamp {
    match SystemTime::UNIX_EPOCH.duration_since(time) {
        Ok(before) => Timestamp { secs: -(before.as_secs() as i64), nanos: before.subsec_nanos() },
        Err(_) => Timestamp::from(time),
    }
}

/// Returns when an extended attribute is set; `None` for a way that the tree does not have.
pub(super) fn xattr_mode(flags: i32) -> Option<XattrMode> {
    match flags {
        0 => Some(XattrMode::Any),
        libc::XATTR_CREATE => Some(XattrMode::Create),
        libc::XATTR_REPLACE => Some(XattrMode::Replace),
        _ => None,
    }
}

/// The xattr by which tools set an access list, also when it says no more than the mode.
pub(super) const ACCESS_LIST: &[u8] = b"system.posix_acl_access";

/// Returns the permission bits that an access list stands for; `None` if it cannot be understood.
///
/// `cp -a` sets the list and then no mode, so a list that is dropped must leave its mode behind. The layout is that of
/// `linux/posix_acl_xattr.h`: a version in 4 bytes, then entries of a tag and bits in 2 bytes each and an id in 4.
pub(super) fn mode_of_access_list(list: &[u8]) -> Option<u16> {
    const VERSION: [u8; 4] = 2u32.to_le_bytes();
    const OWNER: u16 = 0x01;
    const GROUP: u16 = 0x04;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;
    let (entries, rest) = list.strip_prefix(&VERSION)?.as_chunks::<8>();
    let bits = |wanted: u16| {
        let of_tag = |entry: &&[u8; 8]| u16::from_le_bytes([entry[0], entry[1]]) == wanted;
        entries.iter().find(of_tag).map(|entry| u16::from_le_bytes([entry[2], entry[3]]) & 0o7)
    };
    // Where there is a mask, the group's bits of the mode are the mask's.
    let group = bits(MASK).or(bits(GROUP))?;
    rest.is_empty().then_some(bits(OWNER)? << 6 | group << 3 | bits(OTHER)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_lists_leave_their_mode_behind() {
        let list = |entries: &[(u16, u16)]| {
            let mut list = 2u32.to_le_bytes().to_vec();
            for (tag, bits) in entries {
                list.extend([tag.to_le_bytes(), bits.to_le_bytes(), [0xff; 2], [0xff; 2]].concat());
            }
            list
        };
        assert_eq!(mode_of_access_list(&list(&[(1, 7), (4, 5), (0x20, 4)])), Some(0o754));
        assert_eq!(mode_of_access_list(&list(&[(1, 6), (2, 7), (4, 0), (0x10, 4), (0x20, 0)])), Some(0o640));
        assert_eq!(mode_of_access_list(&list(&[(1, 6)])), None);
        assert_eq!(mode_of_access_list(b"xx"), None);
    }
}
