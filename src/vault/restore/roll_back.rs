//! A folder becomes what a build is, in its place, and can be set back.
//!
//! First a build is made of what the folder holds, which costs what is new in it. The two manifests are compared, and only
//! what differs is written or removed. What a snapshot leaves out, such as the caches of engines, stays as it is. Setting
//! the folder back is the same again, to the build that was made first.

use super::{FinishedFolders, Job, Restore, RestoreReport};
use crate::catalogue::{Build, BuildInfo, Completeness};
use crate::disk::host::{self, LongPath};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Entry, EntryKind};
use crate::progress::Progress;
use crate::vault::{SnapshotOptions, Vault};
use crossbeam_channel::Sender;
use std::cmp::Ordering;
use std::path::Path;

/// The key of the metadata of a build that was made before a folder was rolled back: the folder's path.
const FOLDER_KEY: &str = "rolled-back";

/// How a folder is rolled back.
#[derive(Debug, Clone, Default)]
pub struct RollBackOptions {
    /// Ignore patterns beside those in `.gamevaultignore` files, in gitignore syntax: what they name is left alone.
    pub ignore: Vec<String>,
}

/// What rolling a folder back did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RollBackReport {
    /// The build that the folder is now.
    pub build: Build,
    /// The build that was made of what the folder held.
    pub before: Build,
    /// Files, links and folders that were removed.
    pub removed: u64,
    /// Entries of which only mode, time or xattrs were set.
    pub attributes: u64,
    /// What was written.
    pub written: RestoreReport,
}

impl Vault {
    /// Makes the folder `dest` what `build` is, writing and removing only what differs, after making a build of what it
    /// holds.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder; `Incomplete` if files change while the folder is read: then nothing was touched;
    /// those of a snapshot and of [`Vault::restore`]: then the build that was made has everything.
    pub fn roll_back(
        &self,
        build: &Build,
        dest: &Path,
        options: &RollBackOptions,
        progress: &Progress,
    ) -> Result<RollBackReport> {
        let dest = std::path::absolute(dest).map_err(|error| Error::io("find", dest, error))?;
        let before = self.keep_before(build, &dest, options, progress)?;
        let (mut removed, mut attributes) = (0, 0);
        let written = self.write_folder(true, progress, |restore, jobs, finished| {
            let mut turn = Turn { restore, jobs, finished, removed: &mut removed, attributes: &mut attributes };
            let top = LongPath::new(&dest);
            turn.directories(before.root.id, build.root.id, &top)?;
            turn.finished.insert(0, (top, build.attributes));
            Ok(())
        });
        let written = written.map_err(|error| {
            let hint =
                format!("the folder is in between; `gamevault restore {} DIR --in-place` sets it back", before.id);
            if error.hint().is_some() { error } else { error.with_hint(hint) }
        })?;
        Ok(RollBackReport { build: build.clone(), before, removed, attributes, written })
    }

    /// Returns the build that was made when the folder `dest` was rolled back the last time.
    ///
    /// # Errors
    /// `NotFound` if it never was.
    pub fn build_before_roll_back(&self, dest: &Path) -> Result<Build> {
        let dest = std::path::absolute(dest).map_err(|error| Error::io("find", dest, error))?;
        let path = dest.to_string_lossy();
        let is_before = |build: &Build| build.info.meta.get(FOLDER_KEY).is_some_and(|folder| *folder == path);
        self.builds()?.into_iter().rev().find(is_before).ok_or_else(|| {
            Error::not_found(format!("{} was not rolled back by `gamevault restore --in-place`", dest.display()))
                .with_hint("restore the build that you want: `gamevault builds` lists them all")
        })
    }

    fn keep_before(&self, build: &Build, dest: &Path, options: &RollBackOptions, progress: &Progress) -> Result<Build> {
        let path = dest.to_string_lossy().into_owned();
        let info = BuildInfo {
            message: Some(format!("what {path} held before it was rolled back to {}", build.id)),
            source: Some(path.clone()),
            meta: [(FOLDER_KEY.to_owned(), path)].into(),
            ..BuildInfo::default()
        };
        let ignore = options.ignore.clone();
        let before =
            self.snapshot(dest, &SnapshotOptions { info, ignore, ..SnapshotOptions::default() }, progress)?.build;
        if before.completeness == Completeness::Incomplete {
            let named = before.changed_while_read.first().map_or("files", String::as_str);
            let message = format!("{} is being changed ({named}), so it is not rolled back", dest.display());
            return Err(Error::new(ErrorKind::Busy, message).with_hint("stop what writes there, then try again"));
        }
        Ok(before)
    }
}

/// One folder being rolled back.
struct Turn<'a> {
    restore: &'a Restore<'a>,
    jobs: &'a Sender<Job>,
    finished: &'a mut FinishedFolders,
    removed: &'a mut u64,
    attributes: &'a mut u64,
}

impl Turn<'_> {
    fn directories(&mut self, was: ChunkId, is: ChunkId, at: &LongPath) -> Result<()> {
        // A list of its own instead of recursion: trees may be deeper than a stack.
        let mut open = vec![(was, is, at.clone())];
        while let Some((was, is, at)) = open.pop() {
            self.restore.progress.check()?;
            if was == is {
                continue;
            }
            let (was, is) = (self.entries(was)?, self.entries(is)?);
            let (mut was, mut is) = (was.iter().peekable(), is.iter().peekable());
            loop {
                let order = match (was.peek(), is.peek()) {
                    (None, None) => break,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(was), Some(is)) => was.name.cmp(&is.name),
                };
                let was = if order.is_le() { was.next() } else { None };
                let is = if order.is_ge() { is.next() } else { None };
                open.extend(self.entry(was, is, &at)?);
            }
        }
        Ok(())
    }

    /// Makes one entry what it is to be; returns two folders of one name that are to be compared.
    fn entry(
        &mut self,
        was: Option<&Entry>,
        is: Option<&Entry>,
        at: &LongPath,
    ) -> Result<Option<(ChunkId, ChunkId, LongPath)>> {
        match (was, is) {
            (None, None) => {}
            (Some(was), None) => self.remove(was, at)?,
            (None, Some(is)) => self.restore.entry(is, at, self.jobs, self.finished)?,
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => match (&was.kind, &is.kind) {
                (EntryKind::Directory(old), EntryKind::Directory(new)) => {
                    let path = self.child(is, at);
                    self.finished.push((path.clone(), is.attributes));
                    return Ok(Some((old.id, new.id, path)));
                }
                (EntryKind::File(old), EntryKind::File(new)) if old == new => {
                    self.restore.set_attributes(&self.child(is, at), &is.attributes)?;
                    *self.attributes += 1;
                }
                (EntryKind::File(_), EntryKind::File(_)) => self.restore.entry(is, at, self.jobs, self.finished)?,
                _ => {
                    self.remove(was, at)?;
                    self.restore.entry(is, at, self.jobs, self.finished)?;
                }
            },
        }
        Ok(None)
    }

    /// Removes an entry; a folder with what the build has in it, and itself unless something else is left.
    fn remove(&mut self, entry: &Entry, at: &LongPath) -> Result<()> {
        let path = self.child(entry, at);
        let EntryKind::Directory(directory) = &entry.kind else {
            let removed = host::remove_file(path.as_path());
            *self.removed += 1;
            return removed.or_else(|error| gone(&path, error));
        };
        let mut folders = vec![(directory.id, path.clone())];
        let mut empty = Vec::new();
        while let Some((id, path)) = folders.pop() {
            for entry in self.entries(id)? {
                match &entry.kind {
                    EntryKind::Directory(below) => folders.push((below.id, self.child(&entry, &path))),
                    _ => self.remove(&entry, &path)?,
                }
            }
            empty.push(path);
        }
        for path in empty.iter().rev() {
            match std::fs::remove_dir(path.as_path()) {
                Ok(()) => *self.removed += 1,
                // What no snapshot sees is in it, and stays.
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
                Err(error) => gone(path, error)?,
            }
        }
        Ok(())
    }

    fn child(&self, entry: &Entry, at: &LongPath) -> LongPath {
        at.child(host::join_name(at.as_path(), &entry.name).file_name().expect("a name was joined"))
    }

    fn entries(&self, directory: ChunkId) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.restore.reader.for_each_entry(directory, &mut |entry| {
            entries.push(entry.clone());
            Ok(())
        })?;
        Ok(entries)
    }
}

/// What was gone before it was removed is as it should be.
fn gone(path: &LongPath, error: std::io::Error) -> Result<()> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(Error::io("remove", path.as_path(), error)),
    }
}
