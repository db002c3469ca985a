//! What macOS's FUSE can do, and its numbers.

use crate::tree::{Allocation, RenameMode};
use fuser::{FopenFlags, InitFlags, RenameFlags};

/// How open files may be treated: the further ones are Linux's own.
pub(in crate::mount) const OPEN_FLAGS: FopenFlags = FopenFlags::FOPEN_DIRECT_IO.union(FopenFlags::FOPEN_KEEP_CACHE);

/// Whether the kernel takes a node number of 0 for a name that is not there, and remembers it.
pub(in crate::mount) const KEEPS_ABSENCE: bool = false;

/// How many files there may be, and may be still: a volume that has room for none counts as full.
pub(in crate::mount) const FREE_NODES: u64 = 1 << 32;

/// `RENAME_SWAP` and `RENAME_EXCL` of `sys/stdio.h`.
const SWAP: u32 = 2;
const EXCLUSIVE: u32 = 4;

/// Returns what is asked of the kernel: nothing, since the numbers of what Linux can do mean other things here.
pub(in crate::mount) fn wanted(_by_open: bool) -> impl Iterator<Item = InitFlags> {
    std::iter::empty()
}

/// Returns how a rename treats the new name; `None` for a way that the tree does not have.
pub(in crate::mount) fn rename_mode(flags: RenameFlags) -> Option<RenameMode> {
    match flags.bits() {
        0 => Some(RenameMode::Replace),
        SWAP => Some(RenameMode::Exchange),
        EXCLUSIVE => Some(RenameMode::NoReplace),
        _ => None,
    }
}

/// Returns what `F_PREALLOCATE` asks for, which never makes a file longer.
pub(in crate::mount) fn allocation(_mode: i32) -> Option<Allocation> {
    Some(Allocation::Reserve { keep_size: true })
}
