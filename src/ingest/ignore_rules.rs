//! Which files of a folder stay out of a snapshot: `.gamevaultignore` files and patterns given by hand.
//!
//! The syntax is that of `.gitignore`, and so is the meaning: a file in a folder rules over all below it, the deepest
//! one that says anything decides, and nothing below an ignored folder is looked at.

use crate::disk::host;
use crate::error::{Error, Result};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::path::Path;
use std::sync::Arc;

/// The file in which people write what stays out.
pub const IGNORE_FILE: &str = ".gamevaultignore";

/// Bytes of an ignore file beyond which it is not read; lines that are, and bytes of each: every pattern takes time and memory.
const MAX_LEN: u64 = 1 << 20;
const MAX_LINES: usize = 4_000;
const MAX_LINE_LEN: usize = 4_096;

/// The rules that hold in one folder, those of the folders above included.
#[derive(Clone, Default)]
pub struct IgnoreRules {
    /// The outermost first.
    matchers: Vec<Arc<Gitignore>>,
}

impl IgnoreRules {
    /// Makes the rules of `root` from patterns given by hand.
    ///
    /// # Errors
    /// `Invalid` with the pattern that cannot be read.
    pub(super) fn new(root: &Path, patterns: &[String]) -> Result<IgnoreRules> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| Error::invalid(format!("ignore pattern: {error}")))?;
        }
        let matcher = builder.build().map_err(|error| Error::invalid(format!("ignore pattern: {error}")))?;
        Ok(IgnoreRules { matchers: vec![Arc::new(matcher)] })
    }

    /// Returns the rules of `folder`, which has an ignore file; one that cannot be read becomes a warning.
    pub(super) fn with_file_of(&self, folder: &Path, warnings: &mut Vec<String>) -> IgnoreRules {
        let path = folder.join(IGNORE_FILE);
        // A pipe would be waited for, and a device may have no end.
        let read = match path.is_file() {
            true => host::read_small(&path, MAX_LEN).map_err(|error| error.to_string()),
            false => Err("it is no file".to_owned()),
        };
        match read {
            Ok(bytes) => self.with_lines(folder, &bytes, warnings),
            Err(why) => {
                warnings.push(format!("{} is left out: {why}", path.display()));
                self.clone()
            }
        }
    }

    /// Returns the rules of `folder`, whose ignore file has these bytes; a line that cannot be read becomes a warning.
    #[must_use]
    pub fn with_lines(&self, folder: &Path, bytes: &[u8], warnings: &mut Vec<String>) -> IgnoreRules {
        let mut builder = GitignoreBuilder::new(folder);
        let text = String::from_utf8_lossy(bytes);
        for (number, line) in text.strip_prefix('\u{feff}').unwrap_or(&text).lines().enumerate() {
            if number == MAX_LINES {
                warnings.push(format!("{IGNORE_FILE}: what follows line {MAX_LINES} is left out"));
                break;
            }
            if line.len() > MAX_LINE_LEN {
                warnings.push(format!("line {} of {IGNORE_FILE} is left out: it is longer than a path", number + 1));
            } else if let Err(error) = builder.add_line(Some(folder.join(IGNORE_FILE)), line) {
                warnings.push(format!("a line of {IGNORE_FILE} is left out: {error}"));
            }
        }
        let mut rules = self.clone();
        match builder.build() {
            Ok(matcher) => rules.matchers.push(Arc::new(matcher)),
            Err(error) => warnings.push(format!("{} is left out: {error}", folder.join(IGNORE_FILE).display())),
        }
        rules
    }

    /// Tells whether `path` stays out; `None` if no rule says anything.
    pub fn ignores(&self, path: &Path, is_dir: bool) -> Option<bool> {
        self.matchers.iter().rev().find_map(|matcher| match matcher.matched(path, is_dir) {
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
            Match::None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_file_that_says_anything_decides() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("sub");
        std::fs::create_dir(&sub).unwrap();
        std::fs::write(dir.path().join(IGNORE_FILE), "*.log\n/Library/\n# comment\n").unwrap();
        std::fs::write(sub.join(IGNORE_FILE), "!keep.log\n").unwrap();
        let mut warnings = Vec::new();
        let top = IgnoreRules::new(dir.path(), &["*.tmp".into()]).unwrap().with_file_of(dir.path(), &mut warnings);
        let below = top.with_file_of(&sub, &mut warnings);
        assert_eq!(top.ignores(&dir.path().join("a.log"), false), Some(true));
        assert_eq!(top.ignores(&dir.path().join("a.tmp"), false), Some(true));
        assert_eq!(top.ignores(&dir.path().join("Library"), true), Some(true));
        assert_eq!(top.ignores(&dir.path().join("Library"), false), None);
        assert_eq!(below.ignores(&sub.join("a.log"), false), Some(true));
        assert_eq!(below.ignores(&sub.join("keep.log"), false), Some(false));
        assert!(warnings.is_empty());
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = IgnoreRules::new(Path::new("/"), &["a{".into()]).err().expect("an open brace is no pattern");
        assert!(error.message().contains("a{"), "{error}");
    }
}
