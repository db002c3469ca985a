//! The folder of the copies: which there are, when each was last used, and what room they may take.
//!
//! `cache/hot` holds whole copies (`.copy`), the time of the last use of each (`.used`), and what is being made (`.new`,
//! locked by who makes it). Several processes use it at once: a copy gets its name when it is whole, and whoever evicts
//! one leaves those that have it open alone. Nothing is synced: copies are checked by each process before it uses them.

use super::name::{COPY, content_of, name_of};
use crate::disk::host::{self, StatKey};
use crate::disk::{Disk, DiskFile, Space, SystemFile};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Content, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const DIR: &str = "cache/hot";
const USED: &str = ".used";
const NEW: &str = ".new";

/// Without a word in the config the copies take this part of the free room, but no more than that.
const FREE_SHARE: u64 = 10;
const DEFAULT_BYTES: u64 = 8 << 30;

/// What is always left free: this part of the disk, but no more than that.
const RESERVE_SHARE: u64 = 20;
const MAX_RESERVE: u64 = 4 << 30;

/// How long it holds what is known of the copies that other processes make.
const LIST_LIFETIME: Duration = Duration::from_secs(10);

/// Digits of a time of use, in nanoseconds since 1970.
const USED_LEN: usize = 20;

pub(super) struct Folder {
    disk: Arc<dyn Disk>,
    /// The most bytes, when the config says so.
    limit: Option<u64>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The whole copies, with the times of their last use.
    copies: HashMap<Content, u64>,
    /// What is being made by this process.
    making: Vec<Content>,
    listed: Option<Instant>,
}

impl Known {
    fn bytes(&self) -> u64 {
        self.copies.keys().chain(&self.making).map(|content| content.size).sum()
    }
}

/// A copy that is being made; it is gone when this is dropped before it is whole.
pub(super) struct NewCopy<'a> {
    /// Where its bytes go.
    pub(super) file: Arc<dyn DiskFile>,
    folder: &'a Folder,
    content: Content,
    path: PathBuf,
    by_system: SystemFile,
}

impl Folder {
    pub(super) fn new(disk: Arc<dyn Disk>, limit: Option<u64>) -> Folder {
        Folder { disk, limit, known: Mutex::default() }
    }

    /// Makes the folder, clears what killed processes left in it, and returns the copies, last used first.
    pub(super) fn start(&self) -> Result<Vec<Content>> {
        self.disk.create_dir(Path::new(DIR))?;
        let names = self.disk.list(Path::new(DIR))?;
        for (name, _) in &names {
            let path = Path::new(DIR).join(name);
            let is_left_over = match name.strip_suffix(USED) {
                Some(copy) => !names.iter().any(|(other, _)| other.strip_suffix(COPY) == Some(copy)),
                // Another process may be done with it, or have cleared it, at any time.
                None => name.ends_with(NEW) && self.disk.open_writable(&path).is_ok_and(|file| is_unlocked(&*file)),
            };
            if is_left_over {
                let _ = self.disk.remove(&path);
            }
        }
        let mut known = self.known.lock();
        self.list(&mut known)?;
        self.fit(&mut known, 0, true)?;
        let mut copies: Vec<(u64, Content)> = known.copies.iter().map(|(&content, &used)| (used, content)).collect();
        copies.sort_by_key(|&(used, _)| std::cmp::Reverse(used));
        Ok(copies.into_iter().map(|(_, content)| content).collect())
    }

    /// Opens a whole copy, and returns by what it is known again.
    pub(super) fn open(&self, content: &Content) -> Result<(SystemFile, StatKey)> {
        let path = place(content, COPY);
        let file = self.disk.open_by_system(&path)?;
        let key = self.key(&file, &path)?;
        Ok((file, key))
    }

    /// Opens a whole copy to check it.
    pub(super) fn open_to_check(&self, content: &Content) -> Result<Arc<dyn DiskFile>> {
        self.disk.open(&place(content, COPY))
    }

    /// Removes a copy; who has it open goes on reading it.
    pub(super) fn remove(&self, content: &Content) {
        self.known.lock().copies.remove(content);
        self.remove_files(content);
    }

    /// Takes note that a copy is used now, so that it is among the last to go, also after a remount.
    pub(super) fn note_use(&self, content: &Content) -> Result<()> {
        let now = nanoseconds(Timestamp::now());
        if let Some(used) = self.known.lock().copies.get_mut(content) {
            *used = now;
        }
        let path = place(content, USED);
        let file = self.disk.open_writable(&path).or_else(|_| self.disk.create(&path))?;
        file.write_all_at(format!("{now:0USED_LEN$}").as_bytes(), 0)
    }

    /// Begins a copy, for which copies that were not used for longer go where `may_evict`; `None` when there is no room.
    pub(super) fn begin(&self, content: &Content, may_evict: bool) -> Result<Option<NewCopy<'_>>> {
        let mut known = self.known.lock();
        if known.listed.is_none_or(|listed| listed.elapsed() > LIST_LIFETIME) {
            self.list(&mut known)?;
        }
        if !self.fit(&mut known, content.size, may_evict)? {
            return Ok(None);
        }
        known.making.push(*content);
        drop(known);
        let begun = self.create(content);
        if begun.is_err() {
            self.made(content);
        }
        begun.map(Some)
    }

    fn create(&self, content: &Content) -> Result<NewCopy<'_>> {
        let mut number = [0; 8];
        getrandom::fill(&mut number)
            .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
        let path = place(content, &format!(".{:016x}{NEW}", u64::from_be_bytes(number)));
        let file = self.disk.create(&path)?;
        let ready = || {
            if !file.try_lock(true)? {
                // Another process takes it for left over, in the moment before it is locked.
                let path = self.disk.absolute(&path);
                return Err(Error::new(ErrorKind::Busy, format!("{} is locked", path.display())));
            }
            self.disk.open_by_system(&path)
        };
        match ready() {
            Ok(by_system) => Ok(NewCopy { file, folder: self, content: *content, path, by_system }),
            Err(error) => {
                let _ = self.disk.remove(&path);
                Err(error)
            }
        }
    }

    /// Tells whether the disk has more room than is always left free.
    pub(super) fn has_room(&self) -> Result<bool> {
        self.disk.space().map(|space| space.available >= reserve(space))
    }

    /// Makes room for `len` bytes more; `false`, with nothing done, when that is not to be had.
    fn fit(&self, known: &mut Known, len: u64, may_evict: bool) -> Result<bool> {
        let space = self.disk.space()?;
        let held = known.bytes();
        let limit = self.limit.unwrap_or_else(|| ((space.available + held) / FREE_SHARE).min(DEFAULT_BYTES));
        let excess = (held + len).saturating_sub(limit).max((len + reserve(space)).saturating_sub(space.available));
        if excess == 0 {
            return Ok(true);
        }
        if !may_evict || len > limit {
            return Ok(false);
        }
        let mut oldest: Vec<(u64, Content)> = known.copies.iter().map(|(&content, &used)| (used, content)).collect();
        oldest.sort_by_key(|&(used, _)| used);
        let (mut going, mut freed) = (Vec::new(), 0);
        for (_, content) in oldest {
            if freed >= excess {
                break;
            }
            freed += content.size;
            going.push(content);
        }
        // Nothing goes in vain; but with no copy to come it is a limit that shrank, and every byte counts.
        if len > 0 && freed < excess {
            return Ok(false);
        }
        for content in &going {
            known.copies.remove(content);
            self.remove_files(content);
        }
        // A copy that somebody has open keeps its room.
        let space = self.disk.space()?;
        Ok(space.available >= len + reserve(space))
    }

    fn list(&self, known: &mut Known) -> Result<()> {
        let before = std::mem::take(&mut known.copies);
        for (name, _) in self.disk.list(Path::new(DIR))? {
            let Some(content) = content_of(&name) else { continue };
            let used = before.get(&content).copied().unwrap_or_else(|| self.last_use(&content));
            known.copies.insert(content, used);
        }
        known.listed = Some(Instant::now());
        Ok(())
    }

    /// Returns when a copy was last used; what does not say so was used before all others.
    fn last_use(&self, content: &Content) -> u64 {
        let mut digits = [0; USED_LEN];
        let read = self.disk.open(&place(content, USED)).and_then(|file| file.read_exact_at(&mut digits, 0));
        read.ok().and_then(|()| std::str::from_utf8(&digits).ok()?.parse().ok()).unwrap_or(0)
    }

    fn remove_files(&self, content: &Content) {
        for end in [COPY, USED] {
            // Another process may have been faster.
            let _ = self.disk.remove(&place(content, end));
        }
    }

    fn made(&self, content: &Content) {
        let mut known = self.known.lock();
        if let Some(index) = known.making.iter().position(|making| making == content) {
            known.making.swap_remove(index);
        }
    }

    fn key(&self, file: &SystemFile, path: &Path) -> Result<StatKey> {
        let stat = host::stat_of_file(file).map_err(|error| Error::io("look at", self.disk.absolute(path), error))?;
        Ok(stat.key)
    }
}

impl NewCopy<'_> {
    /// Gives the copy its name, now that it is whole, and returns by what it is known again.
    pub(super) fn finish(self) -> Result<StatKey> {
        let path = place(&self.content, COPY);
        self.folder.disk.rename(&self.path, &path)?;
        self.folder.known.lock().copies.insert(self.content, nanoseconds(Timestamp::now()));
        // The file that was written, not the one that has the name now: then another process may have been faster.
        self.folder.key(&self.by_system, &path)
    }
}

impl Drop for NewCopy<'_> {
    fn drop(&mut self) {
        self.folder.made(&self.content);
        // Gone already when the copy was finished.
        let _ = self.folder.disk.remove(&self.path);
    }
}

fn place(content: &Content, end: &str) -> PathBuf {
    Path::new(DIR).join(name_of(content) + end)
}

fn is_unlocked(file: &dyn DiskFile) -> bool {
    file.try_lock(true).unwrap_or(false)
}

fn reserve(space: Space) -> u64 {
    (space.total / RESERVE_SHARE).min(MAX_RESERVE)
}

fn nanoseconds(time: Timestamp) -> u64 {
    u64::try_from(time.secs).unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(u64::from(time.nanos))
}
