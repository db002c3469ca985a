//! The one error type of the library.
//!
//! An [`Error`] says what object, where, and what is wrong; it may carry a hint that says the way out. Front ends
//! decide by [`ErrorKind`], a closed set that each of them matches without a wildcard.

use std::fmt;
use std::io;
use std::path::Path;

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure an [`Error`] is; front ends map it to exit codes, `errno` or NTSTATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The named object does not exist.
    NotFound,
    /// The object exists already, or a name collides with one that does.
    Exists,
    /// The input is not acceptable: a bad name, a bad option, a bad format.
    Invalid,
    /// The place cannot be written.
    ReadOnly,
    /// The operation is never allowed on this object.
    NotPermitted,
    /// The system or the vault refused access.
    Denied,
    /// Somebody else uses the object; trying later may succeed.
    Busy,
    /// The disk or the quota is full.
    NoSpace,
    /// Stored bytes are damaged.
    Corrupt,
    /// The source changed while it was read, or is otherwise incomplete.
    Incomplete,
    /// The work was stopped on request; it can be resumed.
    Interrupted,
    /// A directory was expected.
    NotDirectory,
    /// A directory was found where something else was expected.
    IsDirectory,
    /// A directory is not empty.
    NotEmpty,
    /// A name has more bytes than the limit.
    NameTooLong,
    /// A size is beyond what can be stored.
    TooLarge,
    /// The object has no such extended attribute.
    NoAttribute,
    /// The operation is not supported here.
    Unsupported,
    /// What the number stood for is gone or has moved; its name, looked up again, tells more.
    Stale,
    /// The system failed to read or write.
    Io,
}

impl ErrorKind {
    /// Returns the stable name of the kind, as printed in JSON (`not_found`, `no_space`, …).
    pub fn code(self) -> &'static str {
        match self {
            ErrorKind::NotFound => "not_found",
            ErrorKind::Exists => "exists",
            ErrorKind::Invalid => "invalid",
            ErrorKind::ReadOnly => "read_only",
            ErrorKind::NotPermitted => "not_permitted",
            ErrorKind::Denied => "denied",
            ErrorKind::Busy => "busy",
            ErrorKind::NoSpace => "no_space",
            ErrorKind::Corrupt => "corrupt",
            ErrorKind::Incomplete => "incomplete",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::NotDirectory => "not_directory",
            ErrorKind::IsDirectory => "is_directory",
            ErrorKind::NotEmpty => "not_empty",
            ErrorKind::NameTooLong => "name_too_long",
            ErrorKind::TooLarge => "too_large",
            ErrorKind::NoAttribute => "no_attribute",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Stale => "stale",
            ErrorKind::Io => "io",
        }
    }
}

/// A failure: its kind, the object and place in words, perhaps a hint and the error that caused it.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of `kind`; `message` names the object, the place and the fact.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { inner: Box::new(Inner { kind, message: message.into(), hint: None, source: None }) }
    }

    /// Makes a [`ErrorKind::NotFound`] error.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::NotFound, message)
    }

    /// Makes a [`ErrorKind::Invalid`] error.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, message)
    }

    /// Makes a [`ErrorKind::Corrupt`] error.
    pub fn corrupt(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, message)
    }

    /// Makes an error from a failed system call: "`action` `path`: reason", its kind taken from the I/O error.
    pub fn io(action: &str, path: impl AsRef<Path>, source: io::Error) -> Error {
        let kind = kind_of_io(&source);
        let error = Error::new(kind, format!("cannot {action} {}: {source}", path.as_ref().display()));
        let error = match kind {
            ErrorKind::NoSpace => error.with_hint("free some space on that disk and run the command again"),
            ErrorKind::Denied => error.with_hint("check the owner and the permissions of that path"),
            _ => error,
        };
        error.with_source(source)
    }

    /// Adds the way out, one sentence for the user.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this one.
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.inner.source = Some(Box::new(source));
        self
    }

    /// Puts the object being worked on in front of the message: "`context`: message".
    pub fn context(mut self, context: impl fmt::Display) -> Error {
        self.inner.message = format!("{context}: {}", self.inner.message);
        self
    }

    /// Returns what kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the message alone, without hint and cause.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the way out, when one is known.
    pub fn hint(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::AlreadyExists => ErrorKind::Exists,
        Io::PermissionDenied => ErrorKind::Denied,
        Io::StorageFull | Io::QuotaExceeded => ErrorKind::NoSpace,
        Io::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        Io::NotADirectory => ErrorKind::NotDirectory,
        Io::IsADirectory => ErrorKind::IsDirectory,
        Io::DirectoryNotEmpty => ErrorKind::NotEmpty,
        Io::InvalidFilename => ErrorKind::NameTooLong,
        Io::FileTooLarge => ErrorKind::TooLarge,
        Io::ResourceBusy | Io::WouldBlock => ErrorKind::Busy,
        Io::InvalidInput => ErrorKind::Invalid,
        Io::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_keep_their_kind_and_name_the_path() {
        let error = Error::io("write", "/vault/packs/1", io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(error.message().contains("/vault/packs/1"));
        assert!(error.hint().is_some());
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn context_goes_in_front() {
        assert_eq!(Error::invalid("bad").context("build 4").message(), "build 4: bad");
    }
}
