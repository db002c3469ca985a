//! The exit codes that scripts rely on, and which kind of error gives which.

use gamevault::error::ErrorKind;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All was done.
    Ok = 0,
    /// Something failed that has no code of its own.
    Failed = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// What was named does not exist.
    NotFound = 3,
    /// What was to be made exists, or collides with what does.
    Conflict = 4,
    /// The source changed while it was read.
    Incomplete = 5,
    /// Stored bytes are damaged.
    Integrity = 6,
    /// Somebody else uses it.
    Busy = 7,
    /// The disk is full.
    NoSpace = 8,
    /// `diff --exit-code` found differences.
    Differences = 9,
    /// `snapshot --fail-if-unchanged` found nothing new.
    Unchanged = 10,
    /// The user stopped the work.
    Interrupted = 130,
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::NotFound => Exit::NotFound,
            ErrorKind::Exists => Exit::Conflict,
            ErrorKind::Invalid => Exit::Usage,
            ErrorKind::ReadOnly => Exit::Failed,
            ErrorKind::NotPermitted => Exit::Failed,
            ErrorKind::Denied => Exit::Failed,
            ErrorKind::Busy => Exit::Busy,
            ErrorKind::NoSpace => Exit::NoSpace,
            ErrorKind::Corrupt => Exit::Integrity,
            ErrorKind::Incomplete => Exit::Incomplete,
            ErrorKind::Interrupted => Exit::Interrupted,
            ErrorKind::NotDirectory => Exit::Failed,
            ErrorKind::IsDirectory => Exit::Failed,
            ErrorKind::NotEmpty => Exit::Conflict,
            ErrorKind::NameTooLong => Exit::Usage,
            ErrorKind::TooLarge => Exit::Failed,
            ErrorKind::NoAttribute => Exit::NotFound,
            ErrorKind::Unsupported | ErrorKind::Stale => Exit::Failed,
            ErrorKind::Io => Exit::Failed,
        }
    }
}

impl Exit {
    /// Returns the exit whose code is `code`, as another process of this program ended with it.
    pub fn from_code(code: i32) -> Exit {
        const ALL: [Exit; 12] = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Conflict,
            Exit::Incomplete,
            Exit::Integrity,
            Exit::Busy,
            Exit::NoSpace,
            Exit::Differences,
            Exit::Unchanged,
            Exit::Interrupted,
        ];
        ALL.into_iter().find(|&exit| exit as i32 == code).unwrap_or(Exit::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_interface() {
        assert_eq!(Exit::from(ErrorKind::NotFound) as u8, 3);
        assert_eq!(Exit::from(ErrorKind::Interrupted) as u8, 130);
        assert_eq!(Exit::from_code(7), Exit::Busy);
        assert_eq!(Exit::from_code(77), Exit::Failed);
    }
}
