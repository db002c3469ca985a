//! Which paths differ between two builds.
//!
//! Two manifests are compared from their roots down. A folder or a page that is the same node in both is skipped, so
//! the cost follows the number of changes, not the size of the builds.

use super::{Change, ChangeKind, Class, Difference, content_of};
use crate::catalogue::Build;
use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Attributes, Entry, EntryKind};
use std::cmp::Ordering;
use std::collections::HashSet;

/// Returns what differs, in the order of the paths; with `paths`, only those files and folders.
///
/// # Errors
/// `NotFound` if a path is in neither build; `Corrupt` if a manifest is damaged.
pub(super) fn differences(reader: &Reader, old: &Build, new: &Build, paths: &[String]) -> Result<Vec<Difference>> {
    let mut comparison = Comparison { reader, changes: Vec::new() };
    if paths.is_empty() {
        comparison.directories("", Some(old.root.id), Some(new.root.id))?;
    }
    for path in paths {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some((_, folders)) = parts.split_last() else {
            comparison.directories("", Some(old.root.id), Some(new.root.id))?;
            continue;
        };
        let prefix: String = folders.iter().map(|folder| format!("{folder}/")).collect();
        let was = find(reader, old.root.id, &parts)?;
        let is = find(reader, new.root.id, &parts)?;
        if was.is_none() && is.is_none() {
            return Err(Error::not_found(format!("{path} is neither in build {} nor in {}", old.id, new.id)));
        }
        comparison.entries(&prefix, was.as_ref(), is.as_ref())?;
    }
    let mut changes = comparison.changes;
    changes.sort_by(|a, b| a.change.path.cmp(&b.change.path));
    // Paths that were asked for may lie in each other.
    changes.dedup_by(|a, b| a.change.path == b.change.path);
    Ok(changes)
}

/// Returns the entry that the names in `parts` lead to from the directory `root`.
///
/// # Errors
/// `Corrupt` if a manifest is damaged.
pub fn find(reader: &Reader, root: ChunkId, parts: &[&str]) -> Result<Option<Entry>> {
    let mut directory = root;
    let mut found = None;
    for (index, part) in parts.iter().enumerate() {
        let Some((_, entry)) = reader.lookup(directory, part.as_bytes())? else { return Ok(None) };
        match (&entry.kind, index + 1 < parts.len()) {
            (EntryKind::Directory(below), _) => directory = below.id,
            (_, true) => return Ok(None),
            _ => {}
        }
        found = Some(entry);
    }
    Ok(found)
}

/// Returns what differs between two directories, paths relative to them, in no order.
///
/// # Errors
/// `Corrupt` if a manifest is damaged.
pub(crate) fn diff_directories(reader: &Reader, old: ChunkId, new: ChunkId) -> Result<Vec<Difference>> {
    let mut comparison = Comparison { reader, changes: Vec::new() };
    comparison.directories("", Some(old), Some(new))?;
    Ok(comparison.changes)
}

/// Tells what happened to a thing between two builds, what is below it left out; `None` if it is the same.
pub(crate) fn change_between(old: (&EntryKind, &Attributes), new: (&EntryKind, &Attributes)) -> Option<ChangeKind> {
    let same_content = match (old.0, new.0) {
        (EntryKind::File(old), EntryKind::File(new)) => old == new,
        (EntryKind::Symlink(old), EntryKind::Symlink(new)) => old == new,
        // What differs below is told by its own path.
        (EntryKind::Directory(_), EntryKind::Directory(_)) => true,
        _ => return Some(ChangeKind::TypeChanged),
    };
    let (was, is) = (old.1, new.1);
    match same_content {
        false => Some(ChangeKind::Modified),
        true if was.mode != is.mode || was.xattrs != is.xattrs => Some(ChangeKind::Attributes),
        // The time of a folder changes with whatever happens in it, and says nothing more.
        true if was.mtime != is.mtime && !matches!(new.0, EntryKind::Directory(_)) => Some(ChangeKind::Touched),
        true => None,
    }
}

struct Comparison<'a> {
    reader: &'a Reader,
    changes: Vec<Difference>,
}

impl Comparison<'_> {
    fn directories(&mut self, prefix: &str, old: Option<ChunkId>, new: Option<ChunkId>) -> Result<()> {
        if old == new {
            return Ok(());
        }
        let (old, new) = self.different_entries(old, new)?;
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.name.cmp(&is.name),
            };
            let was = if order.is_le() { old.next() } else { None };
            let is = if order.is_ge() { new.next() } else { None };
            self.entries(prefix, was, is)?;
        }
    }

    /// Returns the entries of both directories that do not stand in a page which both have.
    fn different_entries(&self, old: Option<ChunkId>, new: Option<ChunkId>) -> Result<(Vec<Entry>, Vec<Entry>)> {
        let leaves = |id: Option<ChunkId>| id.map_or(Ok(Vec::new()), |id| self.reader.leaves(id));
        let (old, new) = (leaves(old)?, leaves(new)?);
        let (in_old, in_new) =
            (old.iter().copied().collect::<HashSet<_>>(), new.iter().copied().collect::<HashSet<_>>());
        let collect = |pages: &[ChunkId], other: &HashSet<ChunkId>| {
            let mut entries = Vec::new();
            for &page in pages.iter().filter(|page| !other.contains(page)) {
                self.reader.for_each_entry(page, &mut |entry| {
                    entries.push(entry.clone());
                    Ok(())
                })?;
            }
            Ok(entries)
        };
        Ok((collect(&old, &in_new)?, collect(&new, &in_old)?))
    }

    fn entries(&mut self, prefix: &str, old: Option<&Entry>, new: Option<&Entry>) -> Result<()> {
        let kind = match (old, new) {
            (None, None) => return Ok(()),
            (Some(_), None) => Some(ChangeKind::Removed),
            (None, Some(_)) => Some(ChangeKind::Added),
            (Some(old), Some(new)) => change_between((&old.kind, &old.attributes), (&new.kind, &new.attributes)),
        };
        let name = old.or(new).map(|entry| entry.name.to_string()).unwrap_or_default();
        let (was_folder, is_folder) = (folder_of(old), folder_of(new));
        let path = format!("{prefix}{name}");
        if let Some(kind) = kind {
            let is_folder_path = is_folder.is_some() || (new.is_none() && was_folder.is_some());
            let path = if is_folder_path { format!("{path}/") } else { path.clone() };
            let class = Class::of(&path);
            let change = Change { path, kind, from: None, old_size: size_of(old), new_size: size_of(new) };
            let (old, new) = (old.cloned(), new.cloned());
            self.changes.push(Difference { change, class, changed_bytes: 0, stored_bytes: 0, old, new });
        }
        if was_folder.is_some() || is_folder.is_some() {
            self.directories(&format!("{path}/"), was_folder, is_folder)?;
        }
        Ok(())
    }
}

fn folder_of(entry: Option<&Entry>) -> Option<ChunkId> {
    match &entry?.kind {
        EntryKind::Directory(directory) => Some(directory.id),
        EntryKind::File(_) | EntryKind::Symlink(_) => None,
    }
}

fn size_of(entry: Option<&Entry>) -> Option<u64> {
    content_of(entry).map(|content| content.size)
}
