//! From error kinds to `errno`: the one table.

use crate::error::ErrorKind;
use fuser::Errno;

/// Returns what the kernel is told for an error of `kind`.
pub(super) fn errno(kind: ErrorKind) -> Errno {
    match kind {
        ErrorKind::NotFound => Errno::ENOENT,
        ErrorKind::Exists => Errno::EEXIST,
        ErrorKind::Invalid => Errno::EINVAL,
        ErrorKind::ReadOnly => Errno::EROFS,
        ErrorKind::NotPermitted => Errno::EPERM,
        ErrorKind::Denied => Errno::EACCES,
        ErrorKind::Busy => Errno::EBUSY,
        ErrorKind::NoSpace => Errno::ENOSPC,
        ErrorKind::Corrupt | ErrorKind::Incomplete | ErrorKind::Io => Errno::EIO,
        ErrorKind::Interrupted => Errno::EINTR,
        ErrorKind::NotDirectory => Errno::ENOTDIR,
        ErrorKind::IsDirectory => Errno::EISDIR,
        ErrorKind::NotEmpty => Errno::ENOTEMPTY,
        ErrorKind::NameTooLong => Errno::ENAMETOOLONG,
        ErrorKind::TooLarge => Errno::EFBIG,
        ErrorKind::NoAttribute => Errno::NO_XATTR,
        ErrorKind::Unsupported => Errno::EOPNOTSUPP,
        // The kernel looks the path up again, and meets what is there now.
        ErrorKind::Stale => Errno::ESTALE,
    }
}
