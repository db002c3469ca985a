//! The versions of one path over builds: where each came from, and which builds have it.
//!
//! Only the directory pages on the path are read, each once: builds whose root, or a folder on the way, is one that was
//! looked into before cost a lookup in memory. Where the path is missing in the build before, the two builds are compared
//! as a whole, once, to find where its content came from.

use super::Vault;
use crate::catalogue::Build;
use crate::compare::{self, ChangeKind};
use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::{BuildNumber, ChunkId};
use crate::manifest::{Attributes, Content, EntryKind, Timestamp};
use serde::Serialize;
use std::collections::HashMap;
use std::rc::Rc;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThingKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
}

impl ThingKind {
    pub(super) fn of(kind: &EntryKind) -> ThingKind {
        match kind {
            EntryKind::File(_) => ThingKind::File,
            EntryKind::Directory(_) => ThingKind::Folder,
            EntryKind::Symlink(_) => ThingKind::Link,
        }
    }
}

/// How a version came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionChange {
    /// No build before has the path.
    Added,
    /// Its content, a link's target, or something below a folder is another one.
    Modified,
    /// Only mode or xattrs differ.
    Attributes,
    /// It became another kind of thing.
    TypeChanged,
    /// It has the content of something that is gone since, and had another path.
    Renamed,
    /// The builds of this version do not have it.
    Removed,
    /// It had been removed before.
    BackAgain,
}

/// One version of a path: neighbouring builds in which it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathVersion {
    /// The path in these builds, names joined by `/`; empty for the root.
    pub path: String,
    /// How it came about.
    pub change: VersionChange,
    /// The first of its builds.
    pub first: BuildNumber,
    /// The last of its builds.
    pub last: BuildNumber,
    /// When the first of its builds was published.
    pub created: Timestamp,
    /// What it is; absent where it is removed, as all that follows here but `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ThingKind>,
    /// Size of the file, or of all files below the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its own time of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Its path before it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where its content is since it was removed, if it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The first build with the same content, when the file was another one in between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<BuildNumber>,
    /// What changed below a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<BelowCounts>,
}

/// How many files and links changed below a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BelowCounts {
    /// Those that are new.
    pub added: u64,
    /// Those that are gone.
    pub removed: u64,
    /// Those with other content, mode or xattrs.
    pub modified: u64,
}

impl Vault {
    /// Returns the versions of the file or folder at `path` in `builds`, which stand in the order of their numbers.
    ///
    /// Renames are followed back by content, between neighbouring builds of one platform. What differs in times alone is
    /// one version.
    ///
    /// # Errors
    /// `NotFound` if no build has the path; `Corrupt` if a manifest is damaged.
    pub fn path_history(&self, builds: &[Build], path: &str) -> Result<Vec<PathVersion>> {
        let trail = Trail { reader: self.reader(), builds };
        let steps = trail.steps(path)?;
        if steps.iter().all(Option::is_none) {
            let count = builds.len();
            return Err(Error::not_found(format!("{path} is in none of {count} builds"))
                .with_hint("`gamevault find GLOB` tells which paths there are"));
        }
        trail.versions(&steps)
    }
}

/// What one build has at the path.
struct Step {
    path: Rc<str>,
    thing: Thing,
}

/// An entry without its name, which a root has not.
#[derive(Clone)]
struct Thing {
    kind: EntryKind,
    attributes: Attributes,
}

/// Looks one path up in many roots.
struct Lookup<'a> {
    reader: &'a Reader,
    path: Rc<str>,
    /// What each directory leads to, by how many names of the path lie above it.
    known: HashMap<(usize, ChunkId), Option<Thing>>,
}

impl<'a> Lookup<'a> {
    fn new(reader: &'a Reader, path: &str) -> Lookup<'a> {
        let path = names(path).collect::<Vec<_>>().join("/").into();
        Lookup { reader, path, known: HashMap::new() }
    }

    fn in_build(&mut self, build: &Build) -> Result<Option<Thing>> {
        let path = self.path.clone();
        let parts: Vec<&str> = names(&path).collect();
        if parts.is_empty() {
            return Ok(Some(Thing { kind: EntryKind::Directory(build.root), attributes: build.attributes }));
        }
        let (mut directory, mut passed) = (build.root.id, Vec::new());
        let mut found = None;
        for (level, part) in parts.iter().enumerate() {
            if let Some(known) = self.known.get(&(level, directory)) {
                found = known.clone();
                break;
            }
            passed.push((level, directory));
            let entry = self.reader.lookup(directory, part.as_bytes())?.map(|(_, entry)| entry);
            match entry {
                Some(entry) if level + 1 == parts.len() => {
                    found = Some(Thing { kind: entry.kind, attributes: entry.attributes });
                }
                Some(entry) => match entry.kind {
                    EntryKind::Directory(below) => directory = below.id,
                    EntryKind::File(_) | EntryKind::Symlink(_) => break,
                },
                None => break,
            }
        }
        self.known.extend(passed.into_iter().map(|key| (key, found.clone())));
        Ok(found)
    }
}

/// The builds that are walked along.
struct Trail<'a> {
    reader: &'a Reader,
    builds: &'a [Build],
}

impl Trail<'_> {
    /// Returns what each build has, from the newest back, so that a rename leads to the path before it.
    fn steps(&self, path: &str) -> Result<Vec<Option<Step>>> {
        let mut lookup = Lookup::new(self.reader, path);
        let mut steps: Vec<Option<Step>> = Vec::with_capacity(self.builds.len());
        for (index, build) in self.builds.iter().enumerate().rev() {
            let mut thing = lookup.in_build(build)?;
            if thing.is_none()
                && let Some(Some(after)) = steps.last()
                && let Some(source) = self.moved(index, after, ChangeKind::Removed)?
            {
                let mut earlier = Lookup::new(self.reader, &source);
                thing = earlier.in_build(build)?;
                // A name that is not UTF-8 leads nowhere.
                if thing.is_some() {
                    lookup = earlier;
                }
            }
            steps.push(thing.map(|thing| Step { path: lookup.path.clone(), thing }));
        }
        steps.reverse();
        Ok(steps)
    }

    /// Returns what else had (`Removed`) or has (`Added`) the content of `step`, on one side of the border between the
    /// build at `index` and the next one alone.
    fn moved(&self, index: usize, step: &Step, side: ChangeKind) -> Result<Option<String>> {
        let (old, new) = (&self.builds[index], &self.builds[index + 1]);
        let is_known_by_content = match &step.thing.kind {
            EntryKind::File(content) => content.size > 0,
            EntryKind::Directory(below) => below.totals.bytes > 0,
            EntryKind::Symlink(_) => false,
        };
        // Builds of two platforms are two games, of which none became the other.
        if !is_known_by_content || old.info.platform != new.info.platform {
            return Ok(None);
        }
        let changes = compare::diff_directories(self.reader, old.root.id, new.root.id)?;
        let mut candidates: Vec<&str> = changes
            .iter()
            .filter(|difference| difference.change.kind == side)
            .filter(|difference| {
                let entry = if side == ChangeKind::Removed { &difference.old } else { &difference.new };
                entry.as_ref().is_some_and(|entry| entry.kind == step.thing.kind)
            })
            .map(|difference| difference.change.path.trim_end_matches('/'))
            .collect();
        // Of several with the content, the one that kept its name was moved.
        let name = names(&step.path).last();
        candidates.sort_unstable_by_key(|path| (names(path).last() != name, *path));
        Ok(candidates.first().map(|&path| path.to_owned()))
    }

    fn versions(&self, steps: &[Option<Step>]) -> Result<Vec<PathVersion>> {
        let mut versions: Vec<PathVersion> = Vec::new();
        let mut contents: HashMap<Content, BuildNumber> = HashMap::new();
        let mut before: Option<&Step> = None;
        for (index, (build, step)) in self.builds.iter().zip(steps).enumerate() {
            let step = step.as_ref();
            let mut below = None;
            let change = match (before, step) {
                (None, None) => None,
                (Some(_), None) => Some(VersionChange::Removed),
                (None, Some(_)) if versions.is_empty() => Some(VersionChange::Added),
                (None, Some(_)) => Some(VersionChange::BackAgain),
                (Some(old), Some(new)) if old.path != new.path => Some(VersionChange::Renamed),
                (Some(old), Some(new)) => {
                    below = self.below(&old.thing, &new.thing)?;
                    below.map(|_| VersionChange::Modified).or_else(|| change_of(&old.thing, &new.thing))
                }
            };
            let Some(change) = change else {
                if let Some(version) = versions.last_mut() {
                    version.last = build.number;
                }
                before = step;
                continue;
            };
            let mut version = new_version(build, change, step.or(before).map_or("", |step| &step.path), step);
            version.below = below;
            match (change, before) {
                (VersionChange::Renamed, Some(before)) => version.from = Some(before.path.to_string()),
                (VersionChange::Removed, Some(before)) => {
                    version.to = self.moved(index - 1, before, ChangeKind::Added)?
                }
                _ => {}
            }
            if let Some(Step { thing: Thing { kind: EntryKind::File(content), .. }, .. }) = step {
                let first = *contents.entry(*content).or_insert(build.number);
                let returned = matches!(change, VersionChange::Modified | VersionChange::BackAgain);
                version.same_as = (returned && first < build.number).then_some(first);
            }
            versions.push(version);
            before = step;
        }
        Ok(versions)
    }

    /// Counts what changed below a folder; `None` when nothing did, or nothing but times.
    fn below(&self, old: &Thing, new: &Thing) -> Result<Option<BelowCounts>> {
        let (EntryKind::Directory(old), EntryKind::Directory(new)) = (&old.kind, &new.kind) else { return Ok(None) };
        let changes = compare::diff_directories(self.reader, old.id, new.id)?;
        let mut counts = BelowCounts::default();
        let mut changed = false;
        for change in changes.iter().map(|difference| &difference.change) {
            if change.kind == ChangeKind::Touched {
                continue;
            }
            changed = true;
            let count = match change.kind {
                // A folder that comes, goes or gets another mode changes its parent, but counts no file.
                _ if change.path.ends_with('/') => continue,
                ChangeKind::Added => &mut counts.added,
                ChangeKind::Removed => &mut counts.removed,
                _ => &mut counts.modified,
            };
            *count += 1;
        }
        Ok(changed.then_some(counts))
    }
}

fn change_of(old: &Thing, new: &Thing) -> Option<VersionChange> {
    match compare::change_between((&old.kind, &old.attributes), (&new.kind, &new.attributes))? {
        ChangeKind::Modified => Some(VersionChange::Modified),
        ChangeKind::Attributes => Some(VersionChange::Attributes),
        ChangeKind::TypeChanged => Some(VersionChange::TypeChanged),
        // Times alone make no version, and what comes and goes has no other side to be compared with.
        _ => None,
    }
}

fn new_version(build: &Build, change: VersionChange, path: &str, step: Option<&Step>) -> PathVersion {
    let thing = step.map(|step| &step.thing);
    PathVersion {
        path: path.to_owned(),
        change,
        first: build.number,
        last: build.number,
        created: build.created,
        kind: thing.map(|thing| ThingKind::of(&thing.kind)),
        size: thing.and_then(|thing| size_of(&thing.kind)),
        modified: thing.map(|thing| thing.attributes.mtime),
        from: None,
        to: None,
        same_as: None,
        below: None,
    }
}

/// Returns the bytes of a file, or of all files below a folder.
pub(super) fn size_of(kind: &EntryKind) -> Option<u64> {
    match kind {
        EntryKind::File(content) => Some(content.size),
        EntryKind::Directory(directory) => Some(directory.totals.bytes),
        EntryKind::Symlink(_) => None,
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}
