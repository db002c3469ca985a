//! The names that people give: file names inside a tree, and the ids of builds, milestones and sessions.
//!
//! Both are checked once, when they are made, so that code which holds one need not look again.

pub(crate) mod fold;

pub(crate) use fold::fold;

use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// The most bytes a file name may have: 255 UTF-16 units of Windows take up to 765 bytes of UTF-8.
pub const MAX_FILE_NAME_LEN: usize = 765;

/// The most characters a [`RefName`] may have.
pub const MAX_REF_NAME_LEN: usize = 64;

/// One component of a path inside a tree: any bytes but `/` and NUL, not empty, not `.` or `..`.
///
/// It need not be UTF-8. Names sort by their bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Box<[u8]>);

impl FileName {
    /// Checks `bytes` and makes a file name of them.
    ///
    /// # Errors
    /// `NameTooLong` beyond [`MAX_FILE_NAME_LEN`] bytes; `Invalid` for anything else a path component cannot be.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<FileName> {
        let bytes = bytes.into();
        if bytes.len() > MAX_FILE_NAME_LEN {
            return Err(Error::new(
                ErrorKind::NameTooLong,
                format!("the file name \"{}…\" has {} bytes", show(&bytes[..40]), bytes.len()),
            ));
        }
        if bytes.is_empty() || &*bytes == b"." || &*bytes == b".." || bytes.iter().any(|&b| b == b'/' || b == 0) {
            return Err(Error::invalid(format!("\"{}\" cannot be a file name", show(&bytes))));
        }
        Ok(FileName(bytes))
    }

    /// Returns the name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for FileName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show(&self.0))
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", show(&self.0))
    }
}

/// Returns `bytes` for people: UTF-8 as it is, every other byte as `\xNN`.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The id of a build, or the name of a milestone, session or workspace.
///
/// One to 64 characters of `[A-Za-z0-9._+-]`, not `.` or `..`, no dot at the end, and no name that Windows reserves,
/// so that it can stand in a path on every system. Two names are the same when they are equal but for case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

impl RefName {
    /// Checks `text` and makes a name of it.
    ///
    /// # Errors
    /// `Invalid` with the rule that `text` breaks.
    pub fn new(text: impl Into<String>) -> Result<RefName> {
        let text = text.into();
        let refuse = |why: &str| {
            let hint = "use 1 to 64 letters, digits, dots, underscores, plus or minus signs";
            Err(Error::invalid(format!("\"{text}\" cannot be a name: {why}")).with_hint(hint))
        };
        if text.is_empty() || text.len() > MAX_REF_NAME_LEN {
            return refuse("it must have 1 to 64 characters");
        }
        if let Some(odd) = text.chars().find(|&c| !(c.is_ascii_alphanumeric() || "._+-".contains(c))) {
            return refuse(&format!("it holds the character {odd:?}"));
        }
        if text.starts_with('-') {
            return refuse("it starts with a minus sign and would be taken for an option");
        }
        if text.ends_with('.') {
            return refuse("it ends with a dot, which Windows drops");
        }
        // The newest build is always called `latest`.
        if text == ".gamevault" || text.eq_ignore_ascii_case("latest") || is_reserved_on_windows(&text) {
            return refuse("the name is reserved");
        }
        Ok(RefName(text))
    }

    /// Returns the name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form in which two equal names are the same string.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// Characters that no name on Windows has, beside those below the space.
const FORBIDDEN_ON_WINDOWS: &[u8] = b"<>:\"/\\|?*";

/// Tells whether Windows cannot have the byte at `at` of the file name `name`, in that place.
pub(crate) fn is_forbidden_on_windows(name: &[u8], at: usize) -> bool {
    let byte = name[at];
    let is_last = at + 1 == name.len();
    let is_reserved = || std::str::from_utf8(name).is_ok_and(is_reserved_on_windows);
    byte < b' '
        || FORBIDDEN_ON_WINDOWS.contains(&byte)
        || (is_last && matches!(byte, b'.' | b' '))
        || (at == 0 && is_reserved())
}

/// Tells whether Windows takes `text` for a device, whatever follows its first dot.
pub(crate) fn is_reserved_on_windows(text: &str) -> bool {
    let stem = text.split('.').next().unwrap_or(text);
    if !(3..=4).contains(&stem.len()) {
        return false;
    }
    let stem = stem.to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

impl TryFrom<String> for RefName {
    type Error = Error;

    fn try_from(text: String) -> Result<RefName> {
        RefName::new(text)
    }
}

impl std::str::FromStr for RefName {
    type Err = Error;

    fn from_str(text: &str) -> Result<RefName> {
        RefName::new(text)
    }
}

impl From<RefName> for String {
    fn from(name: RefName) -> String {
        name.0
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Returns `text` as a file name that every system takes: no separators, no control characters, nothing reserved, and at most
/// [`MAX_REF_NAME_LEN`] characters, of which a short extension is kept.
pub fn safe(text: &str) -> String {
    let is_unsafe = |letter: char| letter.is_control() || "/\\:*?\"<>|".contains(letter);
    let text: String = text.trim().chars().map(|letter| if is_unsafe(letter) { '_' } else { letter }).collect();
    let text = text.trim_matches(['.', ' ']);
    let extension = text.rsplit_once('.').map(|(_, extension)| extension).filter(|extension| extension.len() <= 8);
    let (stem, extension) = match extension {
        Some(extension) => (&text[..text.len() - extension.len() - 1], format!(".{extension}")),
        None => (text, String::new()),
    };
    let room = MAX_REF_NAME_LEN - extension.chars().count();
    let stem: String = stem.chars().take(room).collect();
    // Where it was cut there may be what Windows leaves out at the end of a name.
    let mut safe = stem.trim_end_matches(['.', ' ']).to_owned() + &extension;
    if safe.is_empty() || is_reserved_on_windows(&safe) {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_names_lead_nowhere_else() {
        for (name, expected) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..", "_"),
            ("", "_"),
            ("con.txt", "_con.txt"),
            ("a:b", "a_b"),
            (&format!("{}. more than fits", "x".repeat(MAX_REF_NAME_LEN - 2)), &"x".repeat(MAX_REF_NAME_LEN - 2)),
            ("save 1.sav", "save 1.sav"),
            ("C:\\x", "C__x"),
        ] {
            assert_eq!(safe(name), expected, "{name}");
        }
        let long = safe(&format!("{}.png", "é".repeat(1000)));
        assert!(long.chars().count() == 64 && long.ends_with("é.png"), "{long}");
    }

    #[test]
    fn file_names_take_any_bytes_but_separators() {
        assert!(FileName::new(*b"caf\xe9").is_ok());
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert_eq!(FileName::new(bad).unwrap_err().kind(), ErrorKind::Invalid);
        }
        assert_eq!(FileName::new(vec![b'x'; 766]).unwrap_err().kind(), ErrorKind::NameTooLong);
    }

    #[test]
    fn names_that_are_not_utf8_are_shown_with_escapes() {
        assert_eq!(show(b"caf\xe9!"), "caf\\xe9!");
    }

    #[test]
    fn ref_names_stand_in_a_path_on_every_system() {
        for good in ["1", "0.7.3", "alpha+demo", "a_b-c", "Console"] {
            assert!(RefName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "é", "a/b", "-x", "con", "NUL.txt", "com1", "x.", ".gamevault", "Latest"] {
            assert!(RefName::new(bad).is_err(), "{bad}");
        }
        assert!(RefName::new("x".repeat(65)).is_err());
    }

    #[test]
    fn equal_names_fold_to_one() {
        assert_eq!(RefName::new("Alpha").unwrap().folded(), RefName::new("ALPHA").unwrap().folded());
    }
}
