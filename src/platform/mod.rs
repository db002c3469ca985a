//! What is set for each target platform: the configuration of a project as each of its targets sees it.
//!
//! [`Layout`] finds the projects in a tree of files and the files that hold their settings; [`Layout::effective`] lays
//! these over each other as the engine does, for one target, and remembers of every value the file, line and layer it
//! comes from. [`Matrix`] compares the targets, [`show`] writes what people and diff tools read.
//!
//! The tree is read through [`Source`], so nothing here knows where it lies. What is read may be anything: files, lengths
//! and depths are bounded, and what cannot be understood is a warning beside the rest, never an error.

mod cache;
mod engine;
mod formats;
mod layout;
mod matrix;
pub mod show;
mod targets;

pub use cache::Cache;
pub use formats::{Entry, Flat, Format, settings};
pub use layout::Layout;
pub use matrix::{Contrast, Matrix, Row};
pub use targets::{Family, Target};

use crate::error::Result;
use crate::id::ChunkId;
use std::sync::Arc;

/// The longest file that is read as settings.
pub const MAX_FILE_LEN: u64 = 4 << 20;

/// The most files of settings in one tree.
pub const MAX_FILES: usize = 20_000;

/// The most settings of one file.
pub const MAX_SETTINGS: usize = 100_000;

/// How deep settings may stand in each other.
pub const MAX_DEPTH: usize = 64;

/// A tree of files: a build's, or a test's.
pub trait Source: Sync {
    /// Returns what stands in the directory at `path`, the empty one being the root; nothing if there is no such
    /// directory. Links and names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// Those of reading the tree.
    fn list(&self, path: &str) -> Result<Vec<Item>>;

    /// Returns the bytes of the file at `path`, which was listed.
    ///
    /// # Errors
    /// Those of reading the tree.
    fn read(&self, path: &str) -> Result<Vec<u8>>;
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What a file holds; `None` for a directory.
    pub file: Option<FileId>,
}

/// The content of a file, by which it is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Equal for files with equal bytes.
    pub id: ChunkId,
    /// Length in bytes.
    pub size: u64,
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The path of the file in the tree.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The layer that the file, or its part, belongs to: `project`, `platform`, `preset`, …
    pub layer: Arc<str>,
}

/// A value, with the place that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The text as the engine takes it.
    pub text: Arc<str>,
    /// Where it stands.
    pub origin: Origin,
}

/// What is set under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The whole key: file or category, section, name.
    pub key: Arc<str>,
    /// One value; of a list all, in their order.
    pub values: Vec<Value>,
}

impl Setting {
    /// Tells whether `other` has the same values, wherever they come from.
    pub fn is_same_value(&self, other: &Setting) -> bool {
        self.values.iter().map(|value| &value.text).eq(other.values.iter().map(|value| &value.text))
    }

    /// Returns the values as one line of text, with what is secret in them masked.
    pub fn shown(&self) -> String {
        let texts: Vec<_> = self.values.iter().map(|value| crate::secret::shown(&self.key, &value.text)).collect();
        texts.join(" | ")
    }
}

/// All that is set for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The target.
    pub target: Target,
    /// The settings in the order of their keys.
    pub settings: Vec<Setting>,
    /// The paths of the files that were laid over each other, lowest first.
    pub files: Vec<Arc<str>>,
    /// What could not be read, and why.
    pub warnings: Vec<String>,
}

impl Effective {
    /// Returns what is set under `key`.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        let index = self.settings.binary_search_by(|setting| (*setting.key).cmp(key)).ok()?;
        Some(&self.settings[index])
    }

    /// Returns the settings that `key` means: the whole key, or the end of it after a `/`, in any case.
    pub fn matching<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Setting> {
        self.settings.iter().filter(move |setting| names(&setting.key, key))
    }
}

/// Tells whether `asked` means the setting `key`: the whole of it, or its end after a `/`, in any case.
pub fn names(key: &str, asked: &str) -> bool {
    let Some(start) = key.len().checked_sub(asked.len()) else { return false };
    let is_end = key.as_bytes()[start..].eq_ignore_ascii_case(asked.as_bytes());
    is_end && !asked.is_empty() && (start == 0 || key.as_bytes()[start - 1] == b'/')
}
