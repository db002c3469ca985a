//! What changed between two builds.
//!
//! [`diff`] walks two manifests (`walk`), joins what is gone and what is new to moves (`renames`), counts the bytes that
//! are really others (`bytes`), and names the class of each file (`classes`). What is inside a file that changed is told
//! by [`detail`], and which third-party plugins have another version by `plugins`; both read files and so are asked for
//! apart. `docs/changes.md` says what the numbers mean.

mod bytes;
mod classes;
pub mod detail;
mod file_bytes;
mod groups;
mod plugins;
mod renames;
mod sums;
mod walk;

pub use classes::Class;
pub use groups::{Group, by_weight, groups};
pub use plugins::{PluginChange, plugin_changes};
pub use sums::{Sum, by_class, by_folder, by_kind};
pub use walk::find;
pub(crate) use walk::{change_between, diff_directories};

use crate::catalogue::Build;
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::{Content, Entry, EntryKind};
use detail::Detail;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// What happened to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is only in the newer build.
    Added,
    /// It is only in the older build.
    Removed,
    /// Its content, or a link's target, is another one.
    Modified,
    /// It has another name in the same folder; its content may differ a little.
    Renamed,
    /// It is in another folder; its content may differ a little.
    Moved,
    /// Its content was that of another path, which was changed, moved, or has become several.
    Copied,
    /// Its content is the same; mode or xattrs differ.
    Attributes,
    /// Only its time differs.
    Touched,
    /// It is another kind of thing: a file became a folder, and the like.
    TypeChanged,
}

impl ChangeKind {
    /// All kinds, in the order in which they are told.
    pub const ALL: [ChangeKind; 9] = [
        ChangeKind::Added,
        ChangeKind::Removed,
        ChangeKind::Modified,
        ChangeKind::Renamed,
        ChangeKind::Moved,
        ChangeKind::Copied,
        ChangeKind::TypeChanged,
        ChangeKind::Attributes,
        ChangeKind::Touched,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Modified => "modified",
            ChangeKind::Renamed => "renamed",
            ChangeKind::Moved => "moved",
            ChangeKind::Copied => "copied",
            ChangeKind::Attributes => "attributes",
            ChangeKind::Touched => "touched",
            ChangeKind::TypeChanged => "type changed",
        }
    }
}

/// One difference between two builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The path, `/`-separated; a folder's ends with `/`. Bytes that are not UTF-8 stand as `\xNN`.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The path in the older build, of what was renamed, moved or copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Size of the file in the older build, in bytes; absent for what was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_size: Option<u64>,
    /// Size of the file in the newer build, in bytes; absent for what is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_size: Option<u64>,
}

/// One difference between two builds, with what it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path, and what happened to it.
    #[serde(flatten)]
    pub change: Change,
    /// What sort of asset it is.
    pub class: Class,
    /// Bytes of the newer file that no file of the older build among the changes had; what several have counts for the first.
    pub changed_bytes: u64,
    /// What these bytes take in packs.
    pub stored_bytes: u64,
    /// The entry in the older build.
    #[serde(skip)]
    pub old: Option<Entry>,
    /// The entry in the newer build.
    #[serde(skip)]
    pub new: Option<Entry>,
}

impl Difference {
    /// Returns by how many bytes the newer build is larger for it. What was copied left its source where it is.
    pub fn growth(&self) -> i64 {
        let old = if self.change.kind == ChangeKind::Copied { 0 } else { self.change.old_size.unwrap_or(0) };
        // Sizes of files are below 2^63.
        self.change.new_size.unwrap_or(0) as i64 - old as i64
    }

    /// Tells whether it is a folder that came, went or got another mode: what is in it has changes of its own.
    pub fn is_folder(&self) -> bool {
        self.change.path.ends_with('/')
    }

    /// Returns the contents of the file before and after; `None` unless it is a file in both, with other content.
    pub fn contents(&self) -> Option<(Content, Content)> {
        let (old, new) = (content_of(self.old.as_ref())?, content_of(self.new.as_ref())?);
        (old != new).then_some((old, new))
    }
}

/// All differences between two builds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The changes, in the order of their paths.
    pub changes: Vec<Difference>,
}

impl Diff {
    /// Returns how many changes are of `kind`.
    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes.iter().filter(|difference| difference.change.kind == kind).count()
    }

    /// Tells whether the builds are the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// All that can be told of what changed between two builds.
#[derive(Debug, Clone, Serialize)]
pub struct Changes {
    /// The older build, or that of the two which was named first.
    #[serde(skip)]
    pub old: Build,
    /// The other build.
    #[serde(skip)]
    pub new: Build,
    /// The changes.
    #[serde(flatten)]
    pub diff: Diff,
    /// What changed inside of files, by index among the changes.
    #[serde(serialize_with = "as_list")]
    pub details: BTreeMap<usize, Detail>,
    /// Plugins with another version.
    pub plugins: Vec<PluginChange>,
    /// Commits that the newer build has and the older one has not, newest first, one line each.
    pub commits: Vec<String>,
}

/// Details with the paths that they are of: JSON has no maps of numbers.
fn as_list<S: Serializer>(details: &BTreeMap<usize, Detail>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Item<'a> {
        index: usize,
        #[serde(flatten)]
        detail: &'a Detail,
    }
    serializer.collect_seq(details.iter().map(|(&index, detail)| Item { index, detail }))
}

/// Compares two builds; with `paths`, only those files and folders.
///
/// # Errors
/// `NotFound` if a path is in neither build; `Corrupt` if a manifest is damaged.
pub fn diff(reader: &Reader, old: &Build, new: &Build, paths: &[String]) -> Result<Diff> {
    let mut changes = walk::differences(reader, old, new, paths)?;
    renames::join(reader, &mut changes)?;
    bytes::measure(reader, &mut changes)?;
    Ok(Diff { changes })
}

fn content_of(entry: Option<&Entry>) -> Option<Content> {
    match &entry?.kind {
        EntryKind::File(content) => Some(*content),
        EntryKind::Directory(_) | EntryKind::Symlink(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sessions keep `changes.json` of before there were moves.
    #[test]
    fn changes_of_before_are_still_read() {
        let text = r#"{"path":"a","kind":"type_changed","old_size":5}"#;
        let change: Change = serde_json::from_str(text).unwrap();
        assert_eq!((change.kind, change.from, change.old_size), (ChangeKind::TypeChanged, None, Some(5)));
    }
}
