//! A folder of the host becomes a manifest.
//!
//! One thread walks the folder in the order of names and decides what must be read; as many threads as there are cores
//! read, and fill the directories (`tree_builder`). A file whose size, times and inode are those of the last
//! snapshot is not read. What was read is remembered as soon as its chunks are durable, so that a snapshot which is
//! stopped or killed goes on where it was.

use super::earlier::EarlierVersion;
use super::ignore_rules::{IGNORE_FILE, IgnoreRules};
use super::ingest_xattrs;
use super::odd_names::OddNames;
use super::pipeline::{HostFile, Ingested, What, ingest_bytes};
use super::seen_content::keeps_content;
use super::tree_builder::{FinishedTree, Folder, TreeBuilder};
use crate::catalogue::{LeftOut, SeenFile, folder_key};
use crate::content::Reader;
use crate::disk::host::{self, HostKind, LongPath, Stat, StatKey};
use crate::engines::{Class, InProject};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Attributes, Content, Directory, Entry, EntryKind, Timestamp};
use crate::name::FileName;
use crate::progress::Progress;
use crate::store::{Store, Ticket};
use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files waiting to be read.
const QUEUE_LEN: usize = 256;

/// How often a file that changes while it is read is tried.
const MAX_TRIES: u32 = 3;

/// Files that were read are remembered about this often.
const REMEMBER_INTERVAL: Duration = Duration::from_secs(1);

/// Warnings of one kind that are told one by one; the rest is counted.
const MAX_WARNINGS: usize = 20;

/// Entries of engine projects that are left out and named one by one; the rest is counted.
const MAX_LEFT_OUT: usize = 100;

/// A file changed this shortly before it was read may change again within the same tick of its clock.
const TICK: i64 = 20_000_000;

/// The same for file systems that keep whole seconds only; FAT keeps every second one.
const COARSE_TICK: i64 = 2_000_000_000;

/// What is to be read, and how.
pub struct Source<'a> {
    /// The folder; absolute.
    pub path: &'a Path,
    /// Folders that are never entered: the vault itself and its mounts.
    pub excluded: &'a [PathBuf],
    /// Ignore patterns given by hand.
    pub ignore: &'a [String],
    /// Keep what engines make again in their projects; what no build needs stays out all the same.
    pub keep_caches: bool,
    /// Read every file, though it looks unchanged.
    pub read_all: bool,
    /// The build that came before: its files are what new ones are compared with.
    pub earlier: EarlierTree<'a>,
}

/// A stored tree, with which one that is being stored has files in common.
#[derive(Clone, Copy)]
pub struct EarlierTree<'a> {
    /// Reads it.
    pub reader: &'a Reader,
    /// Its root directory; `None` if there is no such tree.
    pub root: Option<ChunkId>,
}

impl EarlierTree<'_> {
    /// Returns what `directory` has under `name`; what cannot be read is not there.
    fn entry(&self, directory: Option<ChunkId>, name: &FileName) -> Option<EntryKind> {
        let found = self.reader.lookup(directory?, name.as_bytes()).ok()??;
        Some(found.1.kind)
    }

    fn file(&self, directory: Option<ChunkId>, name: &FileName) -> Option<Content> {
        match self.entry(directory, name)? {
            EntryKind::File(content) => Some(content),
            _ => None,
        }
    }
}

/// A folder in the store.
#[derive(Debug)]
pub struct IngestedTree {
    /// The root directory.
    pub root: Directory,
    /// Mode, time and xattrs of the folder itself.
    pub attributes: Attributes,
    /// Stands for all chunks that are new.
    pub ticket: Ticket,
    /// Bytes that new chunks took.
    pub stored_bytes: u64,
    /// Files that were not read because nothing about them had changed.
    pub files_unchanged: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Files that kept changing while they were read, or could not be read.
    pub incomplete: Vec<String>,
    /// The first of the entries that were left out of engine projects.
    pub left_out: Vec<LeftOut>,
    /// All of them; a directory counts as one.
    pub left_out_count: u64,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

/// Stores the folder `source`.
///
/// # Errors
/// `NotFound` or `NotDirectory` for the folder itself, `NoSpace` or `Io` from the store, `Interrupted` when `progress`
/// says so. After each of them what was read stays in the store, and the next call goes on from there.
pub fn ingest_directory(store: &Store, source: &Source<'_>, progress: &Progress) -> Result<IngestedTree> {
    let tree = TreeBuilder::new(store);
    let reader = source.earlier.reader;
    let shared = Shared { store, reader, tree: &tree, progress, notes: Mutex::default(), seen: SeenLog::default() };
    let walked = std::thread::scope(|scope| {
        let (jobs, queue) = bounded::<Job>(QUEUE_LEN);
        let workers: Vec<_> = (0..worker_count())
            .map(|_| {
                let queue = queue.clone();
                scope.spawn(|| shared.work(queue))
            })
            .collect();
        drop(queue);
        let mut walk = Walk { shared: &shared, source, jobs };
        let walked = walk.root();
        drop(walk);
        // A worker's failure closes the queue; its error is the cause, the walk's the consequence.
        let worked = workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"));
        worked.and(walked)
    });
    let flushed = store.flush();
    shared.seen.remember(store, true)?;
    walked?;
    flushed?;
    let Shared { notes, .. } = shared;
    let (finished, ticket, stored_bytes) = tree.finish();
    let FinishedTree { root, attributes } = finished.expect("a walk without error fills every folder");
    let mut notes = notes.into_inner();
    notes.count_the_rest();
    Ok(IngestedTree {
        root,
        attributes,
        ticket,
        stored_bytes,
        files_unchanged: notes.files_unchanged,
        bytes_read: notes.bytes_read,
        incomplete: notes.incomplete,
        left_out: notes.left_out,
        left_out_count: notes.left_out_count,
        warnings: notes.warnings,
    })
}

fn worker_count() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// One file to be read.
struct Job {
    path: Arc<LongPath>,
    /// For messages and for the user.
    shown: String,
    name: FileName,
    folder: Arc<Folder>,
    slot: usize,
    folder_key: [u8; 16],
    /// What is stored of the file.
    earlier: Option<Content>,
}

/// Why a file was not read.
enum Failure {
    /// It is about this one file, which is left out and named.
    Source(Error),
    /// It is about the store, or the user wants to stop: the snapshot ends.
    Snapshot(Error),
}

struct Shared<'a> {
    store: &'a Store,
    reader: &'a Reader,
    tree: &'a TreeBuilder<'a>,
    progress: &'a Progress,
    notes: Mutex<Notes>,
    seen: SeenLog,
}

#[derive(Default)]
struct Notes {
    files_unchanged: u64,
    bytes_read: u64,
    incomplete: Vec<String>,
    left_out: Vec<LeftOut>,
    left_out_count: u64,
    warnings: Vec<String>,
    /// Warnings by kind, to tell only the first of many.
    counts: HashMap<&'static str, usize>,
}

impl Notes {
    fn warn(&mut self, kind: &'static str, warning: String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    fn leave_out(&mut self, entry: LeftOut) {
        self.left_out_count += 1;
        if self.left_out.len() < MAX_LEFT_OUT {
            self.left_out.push(entry);
        }
    }

    fn count_the_rest(&mut self) {
        for (kind, &count) in self.counts.iter().filter(|&(_, &count)| count > MAX_WARNINGS) {
            self.warnings.push(format!("{} more: {kind}", count - MAX_WARNINGS));
        }
    }
}

/// Files that were read, until their chunks are durable and the catalogue knows them.
#[derive(Default)]
struct SeenLog {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    files: Vec<(Ticket, SeenFile)>,
    /// When the catalogue was told last.
    told: Option<Instant>,
}

impl SeenLog {
    fn push(&self, store: &Store, ticket: Ticket, file: SeenFile) -> Result<()> {
        let is_due = {
            let mut waiting = self.waiting.lock();
            waiting.files.push((ticket, file));
            let is_due = waiting.told.get_or_insert_with(Instant::now).elapsed() >= REMEMBER_INTERVAL;
            if is_due {
                waiting.told = Some(Instant::now());
            }
            is_due
        };
        if is_due { self.remember(store, false) } else { Ok(()) }
    }

    /// Tells the catalogue of the files that are durable; at the end those whose chunks were lost are dropped.
    fn remember(&self, store: &Store, at_end: bool) -> Result<()> {
        let mut durable = Vec::new();
        let mut waiting = Vec::new();
        for (ticket, file) in std::mem::take(&mut self.waiting.lock().files) {
            match store.is_durable(ticket) {
                Ok(true) => durable.push(file),
                Ok(false) if !at_end => waiting.push((ticket, file)),
                _ => {}
            }
        }
        self.waiting.lock().files.extend(waiting);
        if durable.is_empty() {
            return Ok(());
        }
        store.catalogue().register(&[], &durable, &[])
    }
}

impl Shared<'_> {
    fn work(&self, queue: Receiver<Job>) -> Result<()> {
        for job in queue {
            self.progress.check()?;
            let entry = self.read(&job)?;
            self.progress.add_files(1);
            self.tree.fill(job.folder, job.slot, entry)?;
        }
        Ok(())
    }

    /// Reads a file until it stays the same meanwhile; one that never does is kept as it was read last, and named.
    fn read(&self, job: &Job) -> Result<Option<Entry>> {
        for try_number in 1.. {
            let (ingested, before, after) = match self.read_once(job) {
                Ok(read) => read,
                Err(Failure::Source(error)) => {
                    self.note_unreadable(&job.shown, &error);
                    return Ok(None);
                }
                Err(Failure::Snapshot(error)) => return Err(error),
            };
            let is_at_rest = before.key == after.key && ingested.content.size == after.key.size;
            if !is_at_rest && try_number < MAX_TRIES {
                continue;
            }
            self.tree.count(ingested.ticket, ingested.stored_bytes);
            self.notes.lock().bytes_read += ingested.content.size;
            if !is_at_rest {
                self.note_changed(&job.shown);
            } else if !is_racy(&before.key) {
                let root = ingested.content.root;
                let file = SeenFile { folder: job.folder_key, name: job.name.clone(), key: before.key, root };
                self.seen.push(self.store, ingested.ticket, file)?;
            }
            let attributes = self.attributes(&job.path, &job.shown, &before)?;
            let kind = EntryKind::File(ingested.content);
            return Ok(Some(Entry { name: job.name.clone(), attributes, kind }));
        }
        unreachable!("the last try returns")
    }

    fn read_once(&self, job: &Job) -> std::result::Result<(Ingested, Stat, Stat), Failure> {
        let path = job.path.as_path();
        let fail = |error| Failure::Source(Error::io("read", &job.shown, error));
        let file = host::open_to_read(path).map_err(fail)?;
        let before = host::stat_of_file(&file).map_err(fail)?;
        if before.kind != HostKind::File {
            return Err(Failure::Source(Error::not_found(format!("{} is no file any more", job.shown))));
        }
        let source = HostFile::new(&file, Path::new(&job.shown));
        let is_sparse = before.allocated < before.key.size;
        let earlier = job.earlier.map(|content| EarlierVersion { reader: self.reader, content });
        let what = What { name: job.name.as_bytes(), earlier };
        let ingested =
            ingest_bytes(self.store, &source, before.key.size, is_sparse, &what, self.progress).map_err(|error| {
                match source.has_failed() {
                    true => Failure::Source(error),
                    false => Failure::Snapshot(error),
                }
            })?;
        let after = host::stat_of_file(&file).map_err(fail)?;
        Ok((ingested, before, after))
    }

    fn attributes(&self, path: &LongPath, shown: &str, stat: &Stat) -> Result<Attributes> {
        let xattrs = self.xattrs(path.as_path(), shown)?;
        Ok(Attributes { mode: stat.mode, mtime: stat.mtime, xattrs })
    }

    fn xattrs(&self, path: &Path, shown: &str) -> Result<Option<ChunkId>> {
        match host::read_xattrs(path) {
            Ok(set) => {
                let (id, ticket) = ingest_xattrs(self.store, &set)?;
                self.tree.count(ticket, 0);
                Ok(id)
            }
            Err(error) => {
                self.notes
                    .lock()
                    .warn("xattrs that cannot be read", format!("{shown}: its xattrs are left out: {error}"));
                Ok(None)
            }
        }
    }

    fn note_unreadable(&self, shown: &str, error: &Error) {
        let mut notes = self.notes.lock();
        notes.warn("files that cannot be read", format!("{shown} is left out: {error}"));
        notes.incomplete.push(shown.to_owned());
    }

    fn note_changed(&self, shown: &str) {
        let mut notes = self.notes.lock();
        notes.warn("files that changed while they were read", format!("{shown} changed while it was read"));
        notes.incomplete.push(shown.to_owned());
    }
}

fn is_racy(key: &StatKey) -> bool {
    let now = Timestamp::now();
    let now = now.secs.wrapping_mul(1_000_000_000).wrapping_add(now.nanos.into());
    let has_fractions = key.mtime_ns % 1_000_000_000 != 0 || key.ctime_ns % 1_000_000_000 != 0;
    let tick = if has_fractions { TICK } else { COARSE_TICK };
    let newest = key.mtime_ns.max(key.ctime_ns);
    newest > now.saturating_sub(tick) && newest <= now
}

struct Walk<'a> {
    shared: &'a Shared<'a>,
    source: &'a Source<'a>,
    jobs: Sender<Job>,
}

/// A folder that the walk has still to enter.
struct Visit {
    path: Arc<LongPath>,
    shown: String,
    folder: Arc<Folder>,
    rules: IgnoreRules,
    /// The innermost project that the folder is in.
    project: Option<InProject>,
    /// The folder in the tree that came before.
    earlier: Option<ChunkId>,
}

impl Walk<'_> {
    fn root(&mut self) -> Result<()> {
        let path = self.source.path;
        let stat = host::stat_of(path).map_err(|error| Error::io("read", path, error))?;
        if stat.kind != HostKind::Directory {
            return Err(Error::new(ErrorKind::NotDirectory, format!("{} is not a folder", path.display())));
        }
        let long = Arc::new(LongPath::new(path));
        let attributes = self.shared.attributes(&long, "the folder", &stat)?;
        let rules = IgnoreRules::new(path, self.source.ignore)?;
        let folder = Folder::root(attributes);
        let earlier = self.source.earlier.root;
        let root = Visit { path: long, shown: String::new(), folder, rules, project: None, earlier };
        let mut open = vec![root];
        while let Some(visit) = open.pop() {
            let first = open.len();
            self.enter(visit, &mut open)?;
            // Folders are entered in the order of their names.
            open[first..].reverse();
        }
        Ok(())
    }

    /// Lists one folder: adds what is known at once, sends files to the workers, appends subfolders to `open`.
    fn enter(&mut self, visit: Visit, open: &mut Vec<Visit>) -> Result<()> {
        self.shared.progress.check()?;
        let names = match list_names(visit.path.as_path()) {
            Ok(names) => names,
            Err(error) if !visit.shown.is_empty() => {
                self.shared.note_unreadable(&visit.shown, &Error::io("list", &visit.shown, error));
                Vec::new()
            }
            Err(error) => return Err(Error::io("list", self.source.path, error)),
        };
        let mut rules = visit.rules.clone();
        if names.iter().any(|(name, _)| name.as_bytes() == IGNORE_FILE.as_bytes()) {
            rules = rules.with_file_of(visit.path.as_path(), &mut self.shared.notes.lock().warnings);
        }
        let has_file = |path: &str| visit.path.as_path().join(path).is_file();
        let project = InProject::enter(names.iter().map(|(name, _)| name.as_bytes()), has_file, visit.project.clone());
        let key = folder_key(&host::path_bytes(&self.source.path.join(&visit.shown)));
        // Asked first: if none is about to go now, whoever dooms some later waits for this snapshot.
        let asks_for_all = self.shared.store.catalogue().has_doomed()?;
        let mut seen = match self.source.read_all {
            true => HashMap::new(),
            false => self.shared.store.catalogue().seen_in(&key)?,
        };
        let has_odd = !OddNames::among(names.iter().map(|(name, _)| name.as_bytes())).is_none();
        let mut kept = Vec::new();
        for (name, os_name) in names {
            let path = visit.path.as_path().join(&os_name);
            let shown = match visit.shown.is_empty() {
                true => name.to_string(),
                false => format!("{}/{name}", visit.shown),
            };
            let mut was = seen.remove(name.as_bytes());
            if let (true, Some((_, content))) = (asks_for_all, &was)
                && !keeps_content(self.shared.store, content)?
            {
                was = None;
            }
            let stat = match host::stat_of(&path) {
                Ok(stat) => stat,
                Err(error) => {
                    self.shared.note_unreadable(&shown, &Error::io("look at", &shown, error));
                    continue;
                }
            };
            if self.is_left_out(&rules, project.as_ref(), &path, &shown, &name, &stat) {
                continue;
            }
            kept.extend(has_odd.then(|| name.clone()));
            match stat.kind {
                HostKind::File => self.file(&visit, path, shown, name, &stat, was, key)?,
                HostKind::Directory => {
                    let long = Arc::new(visit.path.child(&os_name));
                    let attributes = self.shared.attributes(&long, &shown, &stat)?;
                    let project = project.as_ref().map(|project| project.below(name.as_bytes()));
                    let earlier = match self.source.earlier.entry(visit.earlier, &name) {
                        Some(EntryKind::Directory(below)) => Some(below.id),
                        _ => None,
                    };
                    let folder = Folder::below(&visit.folder, name, attributes);
                    open.push(Visit { path: long, shown, folder, rules: rules.clone(), project, earlier });
                }
                HostKind::Symlink => self.symlink(&visit, &path, &shown, name, &stat)?,
                HostKind::Special => {
                    let warning = format!("{shown} is left out: it is a fifo, a socket or a device");
                    self.shared.notes.lock().warn("fifos, sockets and devices", warning);
                }
            }
        }
        for (kind, sentence) in OddNames::among(kept.iter().map(FileName::as_bytes)).sentences(&visit.shown) {
            self.shared.notes.lock().warn(kind, sentence);
        }
        if !seen.is_empty() {
            let gone: Vec<Vec<u8>> = seen.into_keys().collect();
            self.shared.store.catalogue().forget_seen(&key, &gone)?;
        }
        self.shared.tree.close(visit.folder)
    }

    fn is_left_out(
        &self,
        rules: &IgnoreRules,
        project: Option<&InProject>,
        path: &Path,
        shown: &str,
        name: &FileName,
        stat: &Stat,
    ) -> bool {
        let is_dir = stat.kind == HostKind::Directory;
        if is_dir && (name.as_bytes() == b".gamevault" || self.source.excluded.iter().any(|out| out == path)) {
            return true;
        }
        // What people say themselves goes before what is known of engines.
        rules
            .ignores(path, is_dir)
            .unwrap_or_else(|| project.is_some_and(|project| self.leaves_out(project, shown, name, stat)))
    }

    /// Tells whether an entry of a project stays out because of what it is, and notes it.
    fn leaves_out(&self, place: &InProject, shown: &str, name: &FileName, stat: &Stat) -> bool {
        // A link of the name of a cache leads to one on another disk.
        let class = place.class(name.as_bytes(), stat.kind != HostKind::File);
        let is_out = match class {
            Class::Source => false,
            Class::Cache => !self.source.keep_caches,
            Class::Never => true,
        };
        if is_out {
            let slash = if stat.kind == HostKind::Directory { "/" } else { "" };
            self.shared.notes.lock().leave_out(LeftOut {
                path: format!("{shown}{slash}"),
                engine: place.engine().to_owned(),
                class: class.code().to_owned(),
            });
        }
        is_out
    }

    #[allow(clippy::too_many_arguments)]
    fn file(
        &self,
        visit: &Visit,
        path: PathBuf,
        shown: String,
        name: FileName,
        stat: &Stat,
        was: Option<(StatKey, Content)>,
        folder_key: [u8; 16],
    ) -> Result<()> {
        self.shared.progress.add_total(1, stat.key.size);
        if let Some((key, content)) = was
            && key == stat.key
        {
            let attributes =
                Attributes { mode: stat.mode, mtime: stat.mtime, xattrs: self.shared.xattrs(&path, &shown)? };
            visit.folder.add(Entry { name, attributes, kind: EntryKind::File(content) });
            self.shared.notes.lock().files_unchanged += 1;
            self.shared.progress.add_files(1);
            self.shared.progress.add_bytes(content.size);
            return Ok(());
        }
        let earlier = was.map(|(_, content)| content).or_else(|| self.source.earlier.file(visit.earlier, &name));
        let slot = visit.folder.reserve();
        let path = Arc::new(visit.path.with_path(path));
        let job = Job { path, shown, name, folder: visit.folder.clone(), slot, folder_key, earlier };
        // The queue is closed when a worker failed; that error is reported.
        self.jobs.send(job).map_err(|_| Error::new(ErrorKind::Interrupted, "a worker stopped"))
    }

    fn symlink(&self, visit: &Visit, path: &Path, shown: &str, name: FileName, stat: &Stat) -> Result<()> {
        let target = match host::read_link(path) {
            Ok(target) => target,
            Err(error) => {
                self.shared.note_unreadable(shown, &Error::io("read the link", shown, error));
                return Ok(());
            }
        };
        if let Some(why) = why_suspicious(&target, shown, path) {
            let target = crate::name::show(&target);
            self.shared.notes.lock().warn("links that may not work elsewhere", format!("{shown} -> {target}: {why}"));
        }
        let attributes = Attributes { mode: stat.mode, mtime: stat.mtime, xattrs: None };
        visit.folder.add(Entry { name, attributes, kind: EntryKind::Symlink(target.into()) });
        Ok(())
    }
}

/// Says why a link will not work where the build is mounted or restored; `None` for a sound one.
fn why_suspicious(target: &[u8], shown: &str, path: &Path) -> Option<&'static str> {
    if target.starts_with(b"/") {
        return Some("the link is absolute");
    }
    let mut depth = shown.split('/').count() as i64 - 1;
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b".." => depth -= 1,
            b"" | b"." => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return Some("the link leaves the snapshot");
        }
    }
    (!path.exists()).then_some("the link leads nowhere")
}

/// Returns the names of what stands in the folder `path`, or of the file itself; none if it cannot be read.
pub fn names_at_top(path: &Path) -> Vec<FileName> {
    match list_names(path) {
        Ok(names) => names.into_iter().map(|(name, _)| name).collect(),
        Err(_) => path.file_name().and_then(|name| host::file_name_of(name).ok()).into_iter().collect(),
    }
}

/// Returns the names in a folder in the order of manifests, each with the system's own form.
fn list_names(path: &Path) -> std::io::Result<Vec<(FileName, OsString)>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let os_name = entry?.file_name();
        if let Ok(name) = host::file_name_of(&os_name) {
            names.push((name, os_name));
        }
    }
    names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// Stores one file of the host as a tree that holds it alone.
///
/// # Errors
/// As [`ingest_directory`]; a file that cannot be read is an error here.
pub fn ingest_single_file(
    store: &Store,
    path: &Path,
    earlier: &EarlierTree<'_>,
    progress: &Progress,
) -> Result<(IngestedTree, String)> {
    let name = path.file_name().ok_or_else(|| Error::invalid(format!("{} names no file", path.display())))?;
    let name = host::file_name_of(name)?;
    let shown = name.to_string();
    let tree = TreeBuilder::new(store);
    let reader = earlier.reader;
    let shared = Shared { store, reader, tree: &tree, progress, notes: Mutex::default(), seen: SeenLog::default() };
    let stat = host::stat_of(path).map_err(|error| Error::io("read", path, error))?;
    progress.add_total(1, stat.key.size);
    let folder = Folder::root(Attributes { mode: 0o755, mtime: stat.mtime, xattrs: None });
    let job = Job {
        path: Arc::new(LongPath::new(path)),
        shown: shown.clone(),
        earlier: earlier.file(earlier.root, &name),
        name,
        slot: folder.reserve(),
        folder: folder.clone(),
        folder_key: folder_key(&host::path_bytes(path.parent().unwrap_or(path))),
    };
    let entry = shared.read(&job)?;
    let Some(entry) = entry else {
        return Err(Error::new(ErrorKind::Incomplete, shared.notes.into_inner().warnings.join("; ")));
    };
    tree.fill(folder.clone(), job.slot, Some(entry))?;
    tree.close(folder)?;
    store.flush()?;
    shared.seen.remember(store, true)?;
    let notes = shared.notes.into_inner();
    let (finished, ticket, stored_bytes) = tree.finish();
    let FinishedTree { root, attributes } = finished.expect("the only file was filled in");
    let ingested = IngestedTree {
        root,
        attributes,
        ticket,
        stored_bytes,
        files_unchanged: 0,
        bytes_read: notes.bytes_read,
        incomplete: notes.incomplete,
        left_out: Vec::new(),
        left_out_count: 0,
        warnings: notes.warnings,
    };
    Ok((ingested, shown))
}
