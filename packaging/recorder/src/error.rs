//! What a function of the library answers when it cannot do what it was asked.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

/// The codes of `gamevault_rec.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// A pointer that must lead somewhere is NULL.
    Null = -1,
    /// The session has ended.
    Ended = -2,
    /// There is no room now; what was handed over is dropped.
    Full = -3,
    /// An argument is not of the kind that it must be.
    Invalid = -4,
    /// There is no such file.
    NotFound = -5,
    /// The disk refused.
    Io = -6,
    /// A fault of the library.
    Internal = -7,
}

/// A code, and a sentence for a person.
#[derive(Debug, Clone)]
pub struct Error {
    /// The code.
    pub code: Code,
    /// The sentence.
    pub message: Cow<'static, str>,
}

/// What may fail so.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Makes an error without allocating, for the functions that games call in each frame.
    pub const fn fixed(code: Code, message: &'static str) -> Error {
        Error { code, message: Cow::Borrowed(message) }
    }

    /// Makes an error.
    pub fn new(code: Code, message: String) -> Error {
        Error { code, message: Cow::Owned(message) }
    }

    /// Tells that `doing` something with `path` failed.
    pub fn io(doing: &str, path: &Path, error: impl Display) -> Error {
        Error::new(Code::Io, format!("cannot {doing} {}: {error}", path.display()))
    }
}
