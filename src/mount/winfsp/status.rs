//! From error kinds to NTSTATUS: the one table.

use crate::error::{Error, ErrorKind};

/// What Windows is told when a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mount) struct Status(pub(super) u32);

impl Status {
    pub(super) const END_OF_FILE: Status = Status(0xc000_0011);
    pub(super) const INVALID_PARAMETER: Status = Status(0xc000_000d);
    pub(super) const ACCESS_DENIED: Status = Status(0xc000_0022);
    pub(super) const NAME_INVALID: Status = Status(0xc000_0033);
    pub(super) const NAME_NOT_FOUND: Status = Status(0xc000_0034);
    pub(super) const NAME_COLLISION: Status = Status(0xc000_0035);
    pub(super) const PATH_NOT_FOUND: Status = Status(0xc000_003a);
    pub(super) const CRC_ERROR: Status = Status(0xc000_003f);
    pub(super) const SHARING_VIOLATION: Status = Status(0xc000_0043);
    pub(super) const NO_EAS_ON_FILE: Status = Status(0xc000_0052);
    pub(super) const DISK_FULL: Status = Status(0xc000_007f);
    pub(super) const FILE_INVALID: Status = Status(0xc000_0098);
    pub(super) const MEDIA_WRITE_PROTECTED: Status = Status(0xc000_00a2);
    pub(super) const FILE_IS_A_DIRECTORY: Status = Status(0xc000_00ba);
    pub(super) const NOT_SUPPORTED: Status = Status(0xc000_00bb);
    pub(super) const DIRECTORY_NOT_EMPTY: Status = Status(0xc000_0101);
    pub(super) const NOT_A_DIRECTORY: Status = Status(0xc000_0103);
    pub(super) const NAME_TOO_LONG: Status = Status(0xc000_0106);
    pub(super) const CANCELLED: Status = Status(0xc000_0120);
    pub(super) const IO_DEVICE_ERROR: Status = Status(0xc000_0185);
    pub(super) const FILE_TOO_LARGE: Status = Status(0xc000_0904);
    pub(super) const DEVICE_BUSY: Status = Status(0x8000_0011);

    /// Returns what it is for a name that is made: what is not acceptable, or used by somebody, is another thing then.
    pub(super) fn of_new_name(self) -> Status {
        match self {
            Status::INVALID_PARAMETER => Status::NAME_INVALID,
            Status::SHARING_VIOLATION => Status::DEVICE_BUSY,
            status => status,
        }
    }

    /// Returns what it is for a name that a session is renamed to.
    pub(super) fn of_renaming(self) -> Status {
        match self {
            Status::INVALID_PARAMETER => Status::NAME_INVALID,
            status => status,
        }
    }
}

impl From<ErrorKind> for Status {
    fn from(kind: ErrorKind) -> Status {
        match kind {
            ErrorKind::NotFound => Status::NAME_NOT_FOUND,
            ErrorKind::Exists => Status::NAME_COLLISION,
            ErrorKind::Invalid => Status::INVALID_PARAMETER,
            ErrorKind::ReadOnly => Status::MEDIA_WRITE_PROTECTED,
            ErrorKind::NotPermitted | ErrorKind::Denied => Status::ACCESS_DENIED,
            ErrorKind::Busy => Status::SHARING_VIOLATION,
            ErrorKind::NoSpace => Status::DISK_FULL,
            // Of what Windows knows it alone says that bytes are damaged and no check of the disk will help.
            ErrorKind::Corrupt => Status::CRC_ERROR,
            ErrorKind::Incomplete | ErrorKind::Io => Status::IO_DEVICE_ERROR,
            ErrorKind::Interrupted => Status::CANCELLED,
            ErrorKind::NotDirectory => Status::NOT_A_DIRECTORY,
            ErrorKind::IsDirectory => Status::FILE_IS_A_DIRECTORY,
            ErrorKind::NotEmpty => Status::DIRECTORY_NOT_EMPTY,
            ErrorKind::NameTooLong => Status::NAME_TOO_LONG,
            ErrorKind::TooLarge => Status::FILE_TOO_LARGE,
            ErrorKind::NoAttribute => Status::NO_EAS_ON_FILE,
            ErrorKind::Unsupported => Status::NOT_SUPPORTED,
            // What was open is not what its name stands for any more.
            ErrorKind::Stale => Status::FILE_INVALID,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let status = Status::from(error.kind());
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::Incomplete | ErrorKind::NoSpace => {
                tracing::warn!(%error, "a request failed");
            }
            _ => tracing::debug!(%error, "a request was refused"),
        }
        status
    }
}
