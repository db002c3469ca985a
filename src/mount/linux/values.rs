//! What Linux's FUSE can do, and its numbers.

use crate::tree::{Allocation, RenameMode};
use fuser::{FopenFlags, InitFlags, RenameFlags};

/// How open files may be treated.
pub(in crate::mount) const OPEN_FLAGS: FopenFlags = FopenFlags::all();

/// Whether the kernel takes a node number of 0 for a name that is not there, and remembers it.
pub(in crate::mount) const KEEPS_ABSENCE: bool = true;

/// How many files there may be, and may be still; 0 says that there is no bound.
pub(in crate::mount) const FREE_NODES: u64 = 0;

/// What is asked of the kernel, as far as it can.
const WANTED: [InitFlags; 6] = [
    // Always, not by the kernel's guess (READDIRPLUS_AUTO): that takes only the first part of a folder with attributes when
    // names are read first and looked at afterwards, and asks for each of the rest. For 50,000 files in one folder listed so
    // 570 requests instead of 50,180, and half the time; a `find` for names alone takes 0.2 s more.
    InitFlags::FUSE_DO_READDIRPLUS,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_CACHE_SYMLINKS,
    // Without it the kernel asks for `security.capability` before every write.
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_ASYNC_DIO,
    // Files are written past the page cache, and must still be mappable.
    InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP,
];

/// What is asked for beside it by a mount that answers OPEN: opening with O_TRUNC is one request instead of two.
const WANTED_WITH_OPEN: InitFlags = InitFlags::FUSE_ATOMIC_O_TRUNC;

/// What is asked for beside it by a mount that does not: nothing else tells the kernel at an open that a generated file, or
/// a list of names, is not as it was.
const WANTED_WITHOUT_OPEN: InitFlags = InitFlags::FUSE_AUTO_INVAL_DATA;

/// Returns what is asked of the kernel, each for itself; `by_open` says that the mount answers OPEN.
pub(in crate::mount) fn wanted(by_open: bool) -> impl Iterator<Item = InitFlags> {
    WANTED.into_iter().chain([if by_open { WANTED_WITH_OPEN } else { WANTED_WITHOUT_OPEN }])
}

/// Returns how a rename treats the new name; `None` for a way that the tree does not have.
pub(in crate::mount) fn rename_mode(flags: RenameFlags) -> Option<RenameMode> {
    match flags {
        RenameFlags::RENAME_NOREPLACE => Some(RenameMode::NoReplace),
        RenameFlags::RENAME_EXCHANGE => Some(RenameMode::Exchange),
        flags if flags.is_empty() => Some(RenameMode::Replace),
        _ => None,
    }
}

/// Returns what `fallocate` asks for; `None` for a mode that the tree does not have.
pub(in crate::mount) fn allocation(mode: i32) -> Option<Allocation> {
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
