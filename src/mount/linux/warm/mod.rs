//! Reading ahead of programs by what they read the last time.
//!
//! A program that begins to read a build is met (`look`), what it reads first is recorded (`recording`) for a minute, and kept
//! in the vault when it ends. When a program of the same name begins to read the same build or a later one, what it read the
//! last time is decoded ahead of it (`play`). Requests only take note here; one thread ends recordings, others decode, below
//! the priority of all else. Programs that go over everything are not told of.

mod look;
mod passed;
mod play;
mod recording;

use super::super::activity::WarmUpActivity;
use super::super::helpers::Helpers;
use super::nice::be_nice;
use super::pidfd::PidFd;
use crate::catalogue::Build;
use crate::error::Result;
use crate::id::ChunkKey;
use crate::manifest::PIECE_LEN;
use crate::tree::{NodeId, Tree};
use crate::vault::Vault;
use look::Met;
use parking_lot::{Condvar, Mutex};
use passed::Passed;
use play::Play;
use recording::Recording;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a program is recorded: what it reads later is no start any more.
const RECORDED_TIME: Duration = Duration::from_secs(60);

/// How often it is looked at whether recorded programs have ended.
const TICK: Duration = Duration::from_millis(500);

/// A start that saves fewer reads than this is not kept.
const LEAST_PIECES: usize = 16;

/// A recording that has less than this part of what was known came of a start whose files the kernel had already.
const WHOLE_PART: (usize, usize) = (3, 4);

/// Programs that are recorded and read ahead of at once.
const MAX_FOLLOWED: usize = 8;

/// Threads that decode for one program.
const DECODERS: usize = 2;

/// How these give way: enough that a game that computes is not held up, little enough that whoever waits for what they are at
/// gets it soon.
const DECODER_NICENESS: i32 = 5;

/// How the thread that ends recordings gives way.
const KEEPER_NICENESS: i32 = 19;

/// The reads of a thread that are remembered before it is looked at, and after how many of them it is no longer tried.
const MAX_EARLY_READS: usize = 8;
const MAX_LOOKED_READS: u32 = 64;

/// Threads that are remembered; the tables are begun anew beyond it.
const MAX_THREADS: usize = 1024;

/// Reads ahead of programs for one mount.
pub(in crate::mount) struct WarmUp {
    vault: Arc<Vault>,
    tree: Arc<Tree>,
    /// The mount point.
    path: PathBuf,
    passed: Passed,
    state: Mutex<State>,
    /// There is somebody to be recorded, or it is the end.
    woken: Condvar,
    decoders: Arc<Helpers>,
    counts: Arc<Counts>,
}

/// What is told of it.
#[derive(Default)]
struct Counts {
    recorded: AtomicU64,
    warmed: AtomicU64,
    diverged: AtomicU64,
    chunks: AtomicU64,
    ready: AtomicU64,
    late: AtomicU64,
    strange: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Threads of which it is not known where they read.
    newcomers: HashMap<u32, Newcomer>,
    /// The processes of the others.
    process_of: HashMap<u32, u32>,
    readers: HashMap<u32, Reader>,
    /// The starts of those that have become other programs.
    over: Vec<Over>,
    stop: bool,
}

#[derive(Default)]
struct Newcomer {
    reads: u32,
    early: Vec<(ChunkKey, Range<u32>)>,
}

/// A process that reads a build.
struct Reader {
    /// The file of its program.
    file: PathBuf,
    build: Arc<Build>,
    /// Tells its end; `None` where the system cannot.
    process: Option<PidFd>,
    since: Instant,
    /// Until its start is over.
    following: Option<Following>,
}

/// What is done for a process that starts.
struct Following {
    recording: Recording,
    play: Arc<Play>,
}

/// How a process stands that reads.
enum Standing {
    Starts,
    HasStarted,
    /// Its number is another one's, or it runs another program.
    IsAnother,
}

/// A start that is over.
struct Over {
    program: String,
    build: Arc<Build>,
    following: Following,
}

impl WarmUp {
    /// Prepares for the mount on `path`; `None` on a system that does not tell who reads.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub(in crate::mount) fn new(vault: Arc<Vault>, tree: Arc<Tree>, path: &Path) -> Result<Option<Arc<WarmUp>>> {
        vault.prepare_starts()?;
        Ok(Some(Arc::new(WarmUp {
            vault,
            tree,
            path: path.to_owned(),
            passed: Passed::new(),
            state: Mutex::default(),
            woken: Condvar::new(),
            decoders: Arc::default(),
            counts: Arc::default(),
        })))
    }

    /// Starts the thread that ends recordings.
    pub(in crate::mount) fn start(self: &Arc<WarmUp>) -> std::io::Result<Keeper> {
        let (ended, has_ended) = channel();
        let warm_up = self.clone();
        let run = move || {
            be_nice(KEEPER_NICENESS);
            warm_up.keep();
            drop((warm_up, ended));
        };
        std::thread::Builder::new().name("mount-warm-up".into()).spawn(run)?;
        Ok(Keeper { warm_up: self.clone(), has_ended })
    }

    /// Takes note that thread `tid` is about to read `range` of a node; it must not go over everything.
    pub(in crate::mount) fn note(self: &Arc<WarmUp>, tid: u32, node: NodeId, range: Range<u64>) {
        if tid == 0 || self.passed.holds(tid) {
            return;
        }
        let Some(content) = self.tree.stored_content(node) else { return };
        let range = range.start..range.end.min(content.size);
        let Some(file) = content.key().filter(|_| !range.is_empty()) else { return };
        // Pieces beyond 128 TiB are all taken for one.
        let piece = |at: u64| u32::try_from(at / PIECE_LEN).unwrap_or(u32::MAX - 1);
        let pieces = piece(range.start)..piece(range.end - 1) + 1;

        let mut state = self.state.lock();
        match state.read(tid, file, pieces.clone(), &self.counts) {
            Some(Standing::Starts) => return,
            Some(Standing::HasStarted) => return self.passed.add(tid),
            Some(Standing::IsAnother) | None => {}
        }
        if state.newcomers.len() >= MAX_THREADS {
            state.newcomers.clear();
        }
        let newcomer = state.newcomers.entry(tid).or_default();
        newcomer.reads += 1;
        if newcomer.early.len() < MAX_EARLY_READS {
            newcomer.early.push((file, pieces));
        }
        // Not at the first: many read once, and one that becomes a program of the mount is still another one then.
        let reads = newcomer.reads;
        if reads > MAX_LOOKED_READS {
            state.newcomers.remove(&tid);
            drop(state);
            return self.passed.add(tid);
        }
        drop(state);
        if reads > 1 && reads.is_power_of_two() {
            self.meet(tid, node);
        }
    }

    /// Returns what was done so far.
    pub(in crate::mount) fn activity(&self) -> WarmUpActivity {
        let Counts { recorded, warmed, diverged, chunks, ready, late, strange } = &*self.counts;
        let recording = self.state.lock().followed() as u64;
        let [recorded, warmed, diverged, chunks, ready, late, strange] =
            [recorded, warmed, diverged, chunks, ready, late, strange].map(|count| count.load(Relaxed));
        WarmUpActivity { recording, recorded, warmed, diverged, chunks, ready, late, strange }
    }

    /// Finds out whose thread it is that waits for bytes of `node`, and follows the process.
    fn meet(self: &Arc<WarmUp>, tid: u32, node: NodeId) {
        let Some(Met { process, file, at: Some(at) }) = look::look(tid, node, &self.path) else { return };
        let known = self.state.lock().readers.contains_key(&process);
        // Asked without the lock: it may have to ask the catalogue.
        let build = match known {
            true => None,
            false => match self.tree.build_below(&at.folder, &at.name) {
                Ok(Some(build)) => Some(Arc::new(build)),
                Ok(None) => return self.pass(tid),
                Err(error) => {
                    tracing::debug!(%error, "what a program reads is not recorded");
                    return self.pass(tid);
                }
            },
        };
        let mut state = self.state.lock();
        let early = state.newcomers.remove(&tid).map_or_else(Vec::new, |newcomer| newcomer.early);
        if let Some(build) = build {
            if state.followed() >= MAX_FOLLOWED || state.stop {
                return self.passed.add(tid);
            }
            let room = self.vault.reader().room_ahead() / (state.followed() as u64 + 1);
            let play = Arc::new(Play::new(room));
            self.play(&play, look::program_of(&file), &build);
            let following = Some(Following { recording: Recording::default(), play });
            let (process_file, since) = (PidFd::open(process).ok(), Instant::now());
            state.make_room();
            state.readers.insert(process, Reader { file, build, process: process_file, since, following });
            self.woken.notify_all();
        }
        state.process_of.insert(tid, process);
        for (file, pieces) in early {
            state.read(tid, file, pieces, &self.counts);
        }
    }

    fn pass(&self, tid: u32) {
        self.state.lock().newcomers.remove(&tid);
        self.passed.add(tid);
    }

    /// Lets threads find and decode what `program` read of `build` the last time.
    fn play(&self, play: &Arc<Play>, program: String, build: &Arc<Build>) {
        let task = || (self.vault.clone(), play.clone(), self.counts.clone());
        let ((vault, found, counts), build) = (task(), build.clone());
        self.decoders.run(move || {
            be_nice(DECODER_NICENESS);
            found.find(&vault, &program, &build, &counts);
        });
        for _ in 1..DECODERS {
            let (vault, play, counts) = task();
            self.decoders.run(move || {
                be_nice(DECODER_NICENESS);
                play.decode(&vault, &counts);
            });
        }
    }

    /// Ends recordings when their time has come, until the mount ends.
    fn keep(&self) {
        loop {
            let mut state = self.state.lock();
            if !state.stop {
                match state.followed() == 0 && state.over.is_empty() {
                    true => self.woken.wait(&mut state),
                    false => _ = self.woken.wait_for(&mut state, TICK),
                }
            }
            let (over, stop) = (state.take_over(), state.stop);
            drop(state);
            for over in over {
                let program = over.program.clone();
                if let Err(error) = self.end(over) {
                    tracing::warn!(%error, program, "what a program read first was not kept");
                }
            }
            if stop {
                return;
            }
        }
    }

    /// Keeps what was recorded, if it is of use.
    fn end(&self, over: Over) -> Result<()> {
        let Over { program, build, following: Following { recording, play } } = over;
        let ended = play.end();
        let (part, of) = WHOLE_PART;
        let is_whole = recording.piece_count() * of >= ended.known_pieces * part;
        let mut start = None;
        if is_whole && recording.piece_count() >= LEAST_PIECES {
            let paths = self.vault.reader().paths_of(build.root.id, &recording.files())?;
            start = Some(recording.start(&paths)).filter(|start| start.piece_count() >= LEAST_PIECES);
        }
        if start.is_none() && ended.used.is_none() {
            return Ok(());
        }
        self.vault.end_start(&program, start.as_ref().map(|start| (build.number, start)), ended.used)?;
        if let Some(start) = start {
            self.counts.recorded.fetch_add(1, Relaxed);
            let (files, pieces) = (start.files.len(), start.piece_count());
            tracing::info!(program, build = %build.id, files, pieces, "recorded what a program read first");
        }
        Ok(())
    }
}

impl State {
    /// Takes note of a read by a thread whose process is known, and returns how that stands.
    fn read(&mut self, tid: u32, file: ChunkKey, pieces: Range<u32>, counts: &Counts) -> Option<Standing> {
        let process = *self.process_of.get(&tid)?;
        let standing = self.readers.get_mut(&process).map_or(Standing::IsAnother, |reader| {
            let is_new = reader.following.as_ref().is_none_or(|following| !following.recording.knows(file));
            // Looked at when it comes to something new, which few reads do.
            if is_new && (reader.has_ended() || look::file_of(tid).is_none_or(|file| file != reader.file)) {
                return Standing::IsAnother;
            }
            let Some(Following { recording, play }) = &mut reader.following else { return Standing::HasStarted };
            let new = recording.add(file, pieces);
            if !new.is_empty() {
                play.note(file, &new, counts);
            }
            Standing::Starts
        });
        if let Standing::IsAnother = standing {
            self.process_of.remove(&tid);
            let over = self.readers.remove(&process).and_then(|mut reader| reader.take_over());
            self.over.extend(over);
        }
        Some(standing)
    }

    /// Returns how many processes are followed.
    fn followed(&self) -> usize {
        self.readers.values().filter(|reader| reader.following.is_some()).count()
    }

    /// Forgets processes that have ended, when there are many.
    fn make_room(&mut self) {
        if self.readers.len() + self.process_of.len() < MAX_THREADS {
            return;
        }
        self.readers.retain(|_, reader| reader.following.is_some() || !reader.has_ended());
        if self.readers.len() >= MAX_THREADS {
            self.readers.retain(|_, reader| reader.following.is_some());
        }
        let readers = &self.readers;
        self.process_of.retain(|_, process| readers.contains_key(process));
        if self.process_of.len() >= MAX_THREADS {
            self.process_of.clear();
        }
    }

    /// Takes the starts that are over.
    fn take_over(&mut self) -> Vec<Over> {
        let stop = self.stop;
        let is_over = |reader: &Reader| {
            let is_full = reader.following.as_ref().is_some_and(|following| following.recording.is_full());
            stop || is_full || reader.since.elapsed() >= RECORDED_TIME || reader.has_ended()
        };
        let mut over = std::mem::take(&mut self.over);
        let ended = self.readers.values_mut().filter(|reader| reader.following.is_some() && is_over(reader));
        over.extend(ended.filter_map(Reader::take_over));
        over
    }
}

impl Reader {
    fn take_over(&mut self) -> Option<Over> {
        let following = self.following.take()?;
        Some(Over { program: look::program_of(&self.file), build: self.build.clone(), following })
    }

    fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.ending().is_some())
    }
}

/// The running thread; when this is dropped, it keeps what is recorded and ends.
pub(in crate::mount) struct Keeper {
    warm_up: Arc<WarmUp>,
    has_ended: Receiver<()>,
}

impl Keeper {
    /// Ends all work, but leaves it alone when it takes longer than `patience`, as on a disk that does not answer.
    pub(in crate::mount) fn end(self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.warm_up.state.lock().stop = true;
        self.warm_up.woken.notify_all();
        // It says nothing, but lets its end of the channel go.
        if self.has_ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("what programs read first is still being kept");
        }
        self.warm_up.decoders.settle(deadline);
    }
}
