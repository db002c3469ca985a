//! Between the tree's types and fuser's.

use crate::manifest::Timestamp;
use crate::tree::{Access, Allocation, Attr, Kind, Lifetime, NodeId, RenameMode, TimeChange};
use fuser::{FileAttr, FileType, INodeNo, OpenAccMode, OpenFlags, RenameFlags, TimeOrNow};

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

/// Returns what a file is opened for.
pub(super) fn access(flags: OpenFlags) -> Access {
    let mode = flags.acc_mode();
    Access {
        read: mode != OpenAccMode::O_WRONLY,
        write: mode != OpenAccMode::O_RDONLY,
        truncate: flags.0 & libc::O_TRUNC != 0,
    }
}

/// Returns the new time.
pub(super) fn time_change(time: TimeOrNow) -> TimeChange {
    match time {
        TimeOrNow::Now => TimeChange::Now,
        TimeOrNow::SpecificTime(time) => TimeChange::At(Timestamp::from(time)),
    }
}

/// Returns how a rename treats the new name; `None` for a way that the tree does not have.
pub(super) fn rename_mode(flags: RenameFlags) -> Option<RenameMode> {
    match flags {
        RenameFlags::RENAME_NOREPLACE => Some(RenameMode::NoReplace),
        RenameFlags::RENAME_EXCHANGE => Some(RenameMode::Exchange),
        flags if flags.is_empty() => Some(RenameMode::Replace),
        _ => None,
    }
}

/// Returns what `fallocate` asks for; `None` for a mode that the tree does not have.
pub(super) fn allocation(mode: i32) -> Option<Allocation> {
    const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    const ZERO_KEEP: i32 = libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE;
    match mode {
        0 => Some(Allocation::Reserve { keep_size: false }),
        libc::FALLOC_FL_KEEP_SIZE => Some(Allocation::Reserve { keep_size: true }),
        PUNCH => Some(Allocation::Punch),
        libc::FALLOC_FL_ZERO_RANGE => Some(Allocation::Zero { keep_size: false }),
        ZERO_KEEP => Some(Allocation::Zero { keep_size: true }),
        _ => None,
    }
}
