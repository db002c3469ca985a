//! A build, or parts of it, becomes a folder of the host again.

mod apart;
mod roll_back;

pub use roll_back::{RollBackOptions, RollBackReport};

use super::Vault;
use crate::catalogue::Build;
use crate::content::Reader;
use crate::disk::host::{self, HostKind, LongPath, Stat};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Attributes, Content, Entry, EntryKind};
use crate::name::{FileName, show};
use crate::progress::Progress;
use apart::Taken;
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Files waiting to be written.
const QUEUE_LEN: usize = 256;

/// Bytes that are written at once: chunk by chunk the system would keep, and sync, far smaller pieces.
const WRITE_LEN: usize = 1 << 20;

/// How a restore is made.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Only these files and folders of the build, `/`-separated; all of it when empty.
    pub paths: Vec<String>,
    /// Replace files that are in the way. Files that are not in the build stay.
    pub overwrite: bool,
}

/// A tree that is written.
pub(super) struct Restored {
    /// Its kind and its name.
    pub(super) what: String,
    /// Its root directory.
    pub(super) root: ChunkId,
    /// Mode, time and xattrs of the root.
    pub(super) attributes: Attributes,
}

/// What a restore did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RestoreReport {
    /// Files written.
    pub files: u64,
    /// Folders made or filled.
    pub directories: u64,
    /// Links made.
    pub symlinks: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

impl Vault {
    /// Writes `build` to the folder `dest`, byte for byte, with modes, times, links and xattrs.
    ///
    /// Every byte is checked before it is written. A file appears under its name when it is whole.
    ///
    /// # Errors
    /// `NotEmpty` or `Exists` if something is in the way and must not be overwritten, `NotFound` if a path is not in
    /// the build, `Corrupt` if stored bytes are damaged, `NoSpace` or `Io` from the disk.
    pub fn restore(
        &self,
        build: &Build,
        dest: &Path,
        options: &RestoreOptions,
        progress: &Progress,
    ) -> Result<RestoreReport> {
        let tree = Restored { what: format!("build {}", build.id), root: build.root.id, attributes: build.attributes };
        self.restore_tree(&tree, dest, options, progress)
    }

    /// Writes a tree to the folder `dest`; as [`Vault::restore`].
    pub(super) fn restore_tree(
        &self,
        tree: &Restored,
        dest: &Path,
        options: &RestoreOptions,
        progress: &Progress,
    ) -> Result<RestoreReport> {
        let dest = std::path::absolute(dest).map_err(|error| Error::io("find", dest, error))?;
        let wanted = Wanted::resolve(self.reader(), tree, &options.paths)?;
        check_dest(&dest, options.overwrite)?;
        std::fs::create_dir_all(&dest).map_err(|error| Error::io("create the folder", &dest, error))?;
        self.write_folder(options.overwrite, progress, |restore, jobs, finished| {
            restore.walk(&wanted, &dest, jobs, finished)
        })
    }

    /// Writes what `walk` finds, with as many threads as the machine has.
    fn write_folder(
        &self,
        overwrite: bool,
        progress: &Progress,
        walk: impl FnOnce(&Restore<'_>, &Sender<Job>, &mut FinishedFolders) -> Result<()>,
    ) -> Result<RestoreReport> {
        let restore = Restore {
            reader: self.reader(),
            vault: self,
            progress,
            overwrite,
            folders: Mutex::default(),
            report: Mutex::default(),
        };
        std::thread::scope(|scope| {
            let (jobs, queue) = bounded::<Job>(QUEUE_LEN);
            let workers: Vec<_> = (0..std::thread::available_parallelism().map_or(2, usize::from))
                .map(|_| {
                    let queue = queue.clone();
                    scope.spawn(|| restore.work(queue))
                })
                .collect();
            drop(queue);
            let mut finished_folders = Vec::new();
            let walked = walk(&restore, &jobs, &mut finished_folders);
            drop(jobs);
            // A worker's failure closes the queue; its error is the cause, the walk's the consequence.
            let worked = workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"));
            worked.and(walked)?;
            // Last, and the deepest first: writing into a folder changes its time, and may need its write bit.
            finished_folders.iter().rev().try_for_each(|(path, attributes)| restore.set_attributes(path, attributes))
        })?;
        Ok(restore.report.into_inner())
    }
}

fn check_dest(dest: &Path, overwrite: bool) -> Result<()> {
    let mut entries = match std::fs::read_dir(dest) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("restore to", dest, error)),
    };
    if !overwrite && entries.next().is_some() {
        return Err(Error::new(ErrorKind::NotEmpty, format!("{} is not empty", dest.display()))
            .with_hint("choose a new folder, or replace what is there with --overwrite"));
    }
    Ok(())
}

/// What is to be written: the root's own attributes when it is the whole build, and entries with their folders.
struct Wanted {
    root: Option<Attributes>,
    /// Folders from the root down to the entry, the entry itself last.
    chains: Vec<Vec<Entry>>,
    directory: ChunkId,
}

impl Wanted {
    fn resolve(reader: &Reader, tree: &Restored, paths: &[String]) -> Result<Wanted> {
        let mut chains = Vec::new();
        for path in paths {
            let mut chain = Vec::new();
            let mut directory = Some(tree.root);
            for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
                let found = match directory {
                    Some(id) => reader.lookup(id, part.as_bytes())?,
                    None => None,
                };
                let Some((_, entry)) = found else {
                    return Err(Error::not_found(format!("{path} is not in {}", tree.what)));
                };
                directory = match &entry.kind {
                    EntryKind::Directory(below) => Some(below.id),
                    _ => None,
                };
                chain.push(entry);
            }
            if chain.is_empty() {
                // The root was named: that is everything.
                return Ok(Wanted { root: Some(tree.attributes), chains: Vec::new(), directory: tree.root });
            }
            chains.push(chain);
        }
        let root = chains.is_empty().then_some(tree.attributes);
        Ok(Wanted { root, chains, directory: tree.root })
    }
}

struct Job {
    path: LongPath,
    attributes: Attributes,
    content: Content,
}

struct Restore<'a> {
    reader: &'a Reader,
    vault: &'a Vault,
    progress: &'a Progress,
    overwrite: bool,
    /// The folders that were made or filled: where names that differ by case are one, another entry is not to take the
    /// place of such a folder, or what is still to be written into it would go where a link leads.
    folders: Mutex<HashSet<FolderKey>>,
    report: Mutex<RestoreReport>,
}

type FinishedFolders = Vec<(LongPath, Attributes)>;

impl Restore<'_> {
    fn walk(&self, wanted: &Wanted, dest: &Path, jobs: &Sender<Job>, finished: &mut FinishedFolders) -> Result<()> {
        let top = LongPath::new(dest);
        if let Some(attributes) = wanted.root {
            finished.push((top.clone(), attributes));
            return self.directory(wanted.directory, &top, jobs, finished);
        }
        for chain in &wanted.chains {
            let mut at = top.clone();
            let (last, folders) = chain.split_last().expect("an empty path means the whole build");
            for folder in folders {
                at = self.make_folder(&at, folder, finished)?;
            }
            self.entry(last, &at, jobs, finished)?;
        }
        Ok(())
    }

    fn directory(&self, id: ChunkId, at: &LongPath, jobs: &Sender<Job>, finished: &mut FinishedFolders) -> Result<()> {
        // A list of its own instead of recursion: trees may be deeper than a stack.
        let mut open = vec![(id, at.clone())];
        while let Some((id, at)) = open.pop() {
            self.progress.check()?;
            let mut below = Vec::new();
            let mut taken = Taken::new(host::FOLDS_NAMES);
            self.reader.for_each_entry(id, &mut |entry| {
                let other = taken.other_name(&entry.name).map(|other| self.renamed(entry, other));
                let entry = other.as_ref().unwrap_or(entry);
                match &entry.kind {
                    EntryKind::Directory(directory) => {
                        below.push((directory.id, self.make_folder(&at, entry, finished)?));
                        Ok(())
                    }
                    _ => self.leaf(entry, &at, jobs),
                }
            })?;
            open.extend(below.into_iter().rev());
        }
        Ok(())
    }

    fn entry(&self, entry: &Entry, at: &LongPath, jobs: &Sender<Job>, finished: &mut FinishedFolders) -> Result<()> {
        match &entry.kind {
            EntryKind::Directory(directory) => {
                let path = self.make_folder(at, entry, finished)?;
                self.directory(directory.id, &path, jobs, finished)
            }
            _ => self.leaf(entry, at, jobs),
        }
    }

    fn make_folder(&self, at: &LongPath, entry: &Entry, finished: &mut FinishedFolders) -> Result<LongPath> {
        let path = self.path_of(at, &entry.name);
        match host::stat_of(&path) {
            Ok(stat) if stat.kind == HostKind::Directory => {}
            // A link in the way is never followed: what is restored stays in its folder.
            Ok(_) => {
                self.clear(&path)?;
                make_private_folder(&path)?;
            }
            Err(_) => make_private_folder(&path)?,
        }
        let stat = host::stat_of(&path).map_err(|error| Error::io("look at", &path, error))?;
        self.folders.lock().insert(folder_key(&stat, &path));
        let folder = at.child(path.file_name().expect("a name was joined"));
        finished.push((folder.clone(), entry.attributes));
        self.report.lock().directories += 1;
        Ok(folder)
    }

    /// Returns the entry under another name, and warns.
    fn renamed(&self, entry: &Entry, name: FileName) -> Entry {
        let warning =
            format!("{} is written as {name}: this system takes it for another file of its folder", entry.name);
        self.report.lock().warnings.push(warning);
        Entry { name, ..entry.clone() }
    }

    /// Returns where the entry `name` of the folder `at` goes; warns when the system cannot have the name.
    fn path_of(&self, at: &LongPath, name: &FileName) -> PathBuf {
        let path = host::join_name(at.as_path(), name);
        let written = path.file_name().expect("a name was joined");
        if written.as_encoded_bytes() != name.as_bytes() {
            let warning = format!("{name} is written as {}: this system cannot have the name", written.display());
            self.report.lock().warnings.push(warning);
        }
        path
    }

    fn leaf(&self, entry: &Entry, at: &LongPath, jobs: &Sender<Job>) -> Result<()> {
        let path = self.path_of(at, &entry.name);
        match &entry.kind {
            EntryKind::File(content) => {
                self.progress.add_total(1, content.size);
                let path = at.with_path(path);
                let job = Job { path, attributes: entry.attributes, content: *content };
                // The queue is closed when a worker failed; that error is reported.
                jobs.send(job).map_err(|_| Error::new(ErrorKind::Interrupted, "a worker stopped"))
            }
            EntryKind::Symlink(target) => self.symlink(&entry.name, target, &at.with_path(path), &entry.attributes),
            EntryKind::Directory(_) => unreachable!("folders are made by make_folder"),
        }
    }

    fn symlink(&self, name: &FileName, target: &[u8], path: &LongPath, attributes: &Attributes) -> Result<()> {
        if host::stat_of(path.as_path()).is_ok() {
            self.clear(path.as_path())?;
        }
        // Where not everybody may have links, what cannot be had of one does not stop the rest.
        let tell = |problem: &str, action: &str, error: io::Error| {
            if !host::SYMLINKS_NEED_A_RIGHT {
                return Err(Error::io(action, path.as_path(), error));
            }
            self.report.lock().warnings.push(format!("the link {name} -> {} {problem}: {error}", show(target)));
            Ok(())
        };
        if let Err(error) = host::make_symlink(target, path.as_path()) {
            return tell("is left out", "create the link", error);
        }
        self.report.lock().symlinks += 1;
        host::set_mtime(path.as_path(), attributes.mtime)
            .or_else(|error| tell("has another time", "set the time of", error))
    }

    /// Removes what is in the way, if that is allowed.
    fn clear(&self, path: &Path) -> Result<()> {
        if !self.overwrite {
            return Err(in_the_way(path));
        }
        match host::stat_of(path) {
            Ok(stat) if stat.kind == HostKind::Directory && self.folders.lock().contains(&folder_key(&stat, path)) => {
                return Err(Error::new(
                    ErrorKind::Exists,
                    format!("{} is the name of two entries here", path.display()),
                )
                .with_hint("restore to a file system that tells names apart by case, or parts of the build alone"));
            }
            Ok(stat) if stat.kind == HostKind::Directory => std::fs::remove_dir_all(path),
            Ok(_) => host::remove_file(path),
            Err(error) => Err(error),
        }
        .map_err(|error| Error::io("remove", path, error))
    }

    fn work(&self, queue: Receiver<Job>) -> Result<()> {
        let mut buffer = Vec::with_capacity(WRITE_LEN);
        for job in queue {
            self.progress.check()?;
            self.file(&job, &mut buffer)?;
            self.progress.add_files(1);
            let mut report = self.report.lock();
            report.files += 1;
            report.bytes += job.content.size;
        }
        Ok(())
    }

    fn file(&self, job: &Job, buffer: &mut Vec<u8>) -> Result<()> {
        let path = job.path.as_path();
        let fail = |error| Error::io("write", path, error);
        let taken = host::stat_of(path).ok();
        if taken.is_some() && !self.overwrite {
            return Err(in_the_way(path));
        }
        let temp = temp_path(path);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temp).map_err(fail)?;
        let written = self.write_content(&mut file, path, &job.content, buffer);
        drop(file);
        let placed = written.and_then(|()| {
            self.set_attributes(&job.path.with_path(temp.clone()), &job.attributes)?;
            if taken.is_some_and(|stat| stat.kind == HostKind::Directory) {
                self.clear(path)?;
            }
            host::replace_file(&temp, path).map_err(fail)
        });
        if placed.is_err() {
            let _ = host::remove_file(&temp);
        }
        placed.map_err(|error| match error.kind() {
            ErrorKind::Corrupt => error.context(path.display()),
            _ => error,
        })
    }

    fn write_content(&self, file: &mut File, path: &Path, content: &Content, buffer: &mut Vec<u8>) -> Result<()> {
        let fail = |error| Error::io("write", path, error);
        let mut run = Vec::new();
        let mut run_len = 0;
        let mut ends_in_hole = false;
        self.reader.for_each_extent(content, 0, content.size, &mut |extent| {
            self.progress.check()?;
            ends_in_hole = extent.id.is_none();
            if ends_in_hole || run_len + extent.len > WRITE_LEN as u64 {
                self.write_run(file, path, &mut run, buffer)?;
                run_len = 0;
            }
            match extent.id {
                Some(id) => {
                    run.push((id, extent.len));
                    run_len += extent.len;
                }
                None => {
                    let offset = std::io::SeekFrom::Start(extent.end());
                    std::io::Seek::seek(file, offset).map_err(fail)?;
                    self.progress.add_bytes(extent.len);
                }
            }
            Ok(())
        })?;
        self.write_run(file, path, &mut run, buffer)?;
        if ends_in_hole { file.set_len(content.size).map_err(fail) } else { Ok(()) }
    }

    /// Writes chunks that follow each other, and empties the run.
    fn write_run(
        &self,
        file: &mut File,
        path: &Path,
        run: &mut Vec<(ChunkId, u64)>,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        buffer.clear();
        let (ids, lens): (Vec<ChunkId>, Vec<u64>) = run.drain(..).unzip();
        let mut lens = lens.into_iter();
        self.vault.store().get_each(&ids, &mut |plain| {
            if lens.next() != Some(plain.len() as u64) {
                return Err(Error::corrupt("a chunk is not as long as its file says"));
            }
            buffer.extend_from_slice(plain);
            Ok(())
        })?;
        file.write_all(buffer).map_err(|error| Error::io("write", path, error))?;
        self.progress.add_bytes(buffer.len() as u64);
        Ok(())
    }

    fn set_attributes(&self, path: &LongPath, attributes: &Attributes) -> Result<()> {
        let path = path.as_path();
        if let Some(id) = attributes.xattrs {
            for (name, value) in &self.reader.xattrs(id)?.0 {
                if let Err(error) = host::set_xattr(path, name, value) {
                    let warning = format!("{}: the xattr {} is left out: {error}", path.display(), show(name));
                    self.report.lock().warnings.push(warning);
                }
            }
        }
        host::set_mode(path, attributes.mode).map_err(|error| Error::io("set the mode of", path, error))?;
        host::set_mtime(path, attributes.mtime).map_err(|error| Error::io("set the time of", path, error))
    }
}

/// A folder's number, or its folded path where folders have none.
type FolderKey = (u64, String);

fn folder_key(stat: &Stat, path: &Path) -> FolderKey {
    let number = stat.key.inode;
    (number, if number == 0 { path.to_string_lossy().to_lowercase() } else { String::new() })
}

fn in_the_way(path: &Path) -> Error {
    Error::new(ErrorKind::Exists, format!("{} is in the way", path.display()))
        .with_hint("choose a new folder, or replace what is there with --overwrite")
}

fn make_private_folder(path: &Path) -> Result<()> {
    // Nobody else looks in before it has its own mode.
    host::create_private_dir(path).map_err(|error| Error::io("create the folder", path, error))
}

/// Returns a name beside `path` that no build has by chance; shortened where the name is as long as names can be.
fn temp_path(path: &Path) -> PathBuf {
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    path.with_file_name(format!(".gamevault-{}-{}", std::process::id(), &hash[..24]))
}
