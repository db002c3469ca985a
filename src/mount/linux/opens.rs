//! Who has files of sessions open to write, in a mount that is not told of opening and closing.
//!
//! Such a mount answers the first OPEN with ENOSYS: opening a file of a build then costs nothing, and the kernel is as
//! silent about files of sessions. Their tree wants to hear of open, flush and close; so the first write by a process is
//! made an open, and a thread asks `/proc` whether the process still has the file, and how it ended if it did. Before a
//! session becomes a build everybody's files are looked at, also those that nothing was written to yet.

use super::holders::{Holders, Standing};
use super::processes::Processes;
use crate::error::Result;
use crate::tree::{Access, Caller, Closing, Ending, Handle, NameAt, NodeId, Tree};
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How soon it is asked again whether files are still open; the pause doubles while none is closed.
const MIN_PAUSE: Duration = Duration::from_millis(40);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How often the files of all processes are looked at, because one that wrote has ended and others may have inherited them.
const PAUSE_OF_ALL: Duration = Duration::from_millis(400);

/// How long a file counts as open after a process began to write it: an open that empties the file is made known before the
/// process has its descriptor.
const OPENING_TIME: Duration = Duration::from_millis(50);

/// How long a commit waits for a process that is just ending.
const END_PATIENCE: Duration = Duration::from_millis(500);

/// The files of sessions that are open, as far as it is known.
pub(in crate::mount) struct Opens {
    tree: Arc<Tree>,
    processes: Arc<Processes>,
    holders: Holders,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    /// Who writes to a file.
    written: HashMap<NodeId, Vec<Writer>>,
    /// Files without a name, which live until the kernel forgets them.
    nameless: HashMap<NodeId, Handle>,
    all_seen: Option<Instant>,
    stop: bool,
}

#[derive(Clone, Copy)]
struct Writer {
    caller: Caller,
    handle: Handle,
    since: Instant,
}

/// The thread that looks after them; it ends when this is dropped.
pub(in crate::mount) struct OpensThread {
    opens: Arc<Opens>,
    thread: Option<JoinHandle<()>>,
}

impl Opens {
    /// Starts with none, for the mount on `path`; `None` where the system does not tell how a process ended: then only a flush
    /// at each close tells of a copy that was cut off.
    pub(in crate::mount) fn unasked(tree: &Arc<Tree>, processes: &Arc<Processes>, path: &Path) -> Option<Arc<Opens>> {
        let counts = tree.clone();
        let holders = Holders::new(path, move |node| counts.counts_writers(node));
        let processes_tell = processes.ends_are_told();
        let (tree, processes) = (tree.clone(), processes.clone());
        let opens = || Opens { tree, processes, holders, state: Mutex::default(), woken: Condvar::new() };
        processes_tell.then(|| Arc::new(opens()))
    }

    /// Starts the thread.
    pub(in crate::mount) fn start(self: &Arc<Opens>) -> std::io::Result<OpensThread> {
        let opens = self.clone();
        let run = move || opens.run();
        let thread = std::thread::Builder::new().name("mount-opens".into()).spawn(run)?;
        Ok(OpensThread { opens: self.clone(), thread: Some(thread) })
    }

    /// Takes note that the thread `tid` is about to change the bytes of `node`.
    ///
    /// # Errors
    /// As [`Tree::open`] to write.
    pub(in crate::mount) fn writes(&self, node: NodeId, tid: u32) -> Result<()> {
        if !self.tree.counts_writers(node) {
            return Ok(());
        }
        // What the kernel writes by itself was mapped by somebody who is known, or will be found.
        let caller = if tid == 0 { Caller::UNKNOWN } else { self.processes.caller(tid) };
        match self.is_known(node, caller.process) {
            true => Ok(()),
            false => self.open(node, caller),
        }
    }

    /// Takes note of a file that was made and opened by `caller`.
    pub(in crate::mount) fn made(&self, node: NodeId, handle: Handle, caller: Caller) {
        if self.tree.counts_writers(node) {
            self.add(node, Writer { caller, handle, since: Instant::now() });
        }
    }

    /// Keeps the file called `at` from going with its name, until the kernel forgets it.
    ///
    /// # Errors
    /// Those of the tree.
    pub(in crate::mount) fn keep_nameless(&self, at: NameAt<'_>) -> Result<()> {
        if let Some((node, handle)) = self.tree.hold(at)?
            && self.state.lock().nameless.insert(node, handle).is_some()
        {
            // It is held already, from a removal that failed.
            self.tree.close(node, handle);
        }
        Ok(())
    }

    /// Takes note that the kernel has forgotten a node.
    pub(in crate::mount) fn forgotten(&self, node: NodeId) {
        let held = self.state.lock().nameless.remove(&node);
        if let Some(handle) = held {
            self.tree.close(node, handle);
        }
    }

    /// Brings what is known up to date, before a session becomes a build.
    pub(in crate::mount) fn settle(&self) {
        let deadline = Instant::now() + END_PATIENCE;
        while self.look(true, Duration::ZERO) == Looked::Unsure && Instant::now() < deadline {
            std::thread::sleep(MIN_PAUSE / 8);
        }
    }

    /// Brings it up to date what those who wrote have closed, before an entry is moved that must not be open.
    pub(in crate::mount) fn settle_writers(&self) {
        self.look(false, Duration::ZERO);
    }

    /// Tells whether a process is known to have a file open to write.
    fn is_known(&self, node: NodeId, process: u32) -> bool {
        let state = self.state.lock();
        state.written.get(&node).is_some_and(|writers| writers.iter().any(|one| one.caller.process == process))
    }

    fn open(&self, node: NodeId, caller: Caller) -> Result<()> {
        let opened = self.tree.open(node, Access { caller, ..Access::WRITE })?;
        self.add(node, Writer { caller, handle: opened.handle, since: Instant::now() });
        Ok(())
    }

    fn add(&self, node: NodeId, writer: Writer) {
        let mut state = self.state.lock();
        if state.written.is_empty() {
            self.woken.notify_all();
        }
        state.written.entry(node).or_default().push(writer);
    }

    fn run(&self) {
        let mut pause = MIN_PAUSE;
        loop {
            let mut state = self.state.lock();
            if state.written.is_empty() && !state.stop {
                self.woken.wait(&mut state);
                pause = MIN_PAUSE;
            }
            if !state.stop {
                self.woken.wait_for(&mut state, pause);
            }
            if state.stop {
                return;
            }
            drop(state);
            pause = match self.look(false, OPENING_TIME) {
                Looked::Closed | Looked::Unsure => MIN_PAUSE,
                Looked::Same => (pause * 2).min(MAX_PAUSE),
            };
        }
    }

    /// Closes what nobody has open any more, but not what was opened within `opening_time`; looks at `everybody`, or at those
    /// who are known to have written.
    fn look(&self, everybody: bool, opening_time: Duration) -> Looked {
        let written: Vec<(NodeId, Writer)> = {
            let state = self.state.lock();
            state
                .written
                .iter()
                .flat_map(|(&node, writers)| writers.iter().map(move |&writer| (node, writer)))
                .collect()
        };
        let writers: HashSet<u32> = written.iter().map(|(_, writer)| writer.caller.process).collect();
        let standings: HashMap<u32, Standing> =
            writers.into_iter().map(|process| (process, self.standing(process, &written))).collect();
        let mut closing: Vec<(NodeId, Writer, Closing)> = Vec::new();
        let mut is_unsure = false;
        let mut may_be_inherited = false;
        for (node, writer) in written {
            let closed = match &standings[&writer.caller.process] {
                Standing::Runs(open) if open.contains(&node) => continue,
                Standing::Runs(_) if writer.since.elapsed() < opening_time => {
                    is_unsure = true;
                    continue;
                }
                Standing::Runs(_) => Closing::Proper,
                Standing::Ends => {
                    is_unsure = true;
                    continue;
                }
                Standing::Ended => {
                    may_be_inherited = true;
                    self.end_of(writer.caller)
                }
            };
            closing.push((node, writer, closed));
        }
        let wants_all = everybody || may_be_inherited;
        if wants_all && !everybody && self.state.lock().all_seen.is_some_and(|seen| seen.elapsed() < PAUSE_OF_ALL) {
            // Those that nobody can have inherited are closed now, the rest with the next look at all.
            closing.retain(|(_, writer, _)| matches!(standings[&writer.caller.process], Standing::Runs(_)));
            is_unsure = true;
        } else if wants_all {
            self.find_others();
        }
        let has_closed = !closing.is_empty();
        for (node, writer, closed) in closing {
            self.close(node, writer, closed);
        }
        match (is_unsure, has_closed) {
            (true, _) => Looked::Unsure,
            (_, true) => Looked::Closed,
            _ => Looked::Same,
        }
    }

    fn standing(&self, process: u32, written: &[(NodeId, Writer)]) -> Standing {
        if process == 0 {
            // Nobody to ask: whoever has it open is found by looking at all.
            return Standing::Ended;
        }
        let nodes = written.iter().filter(|(_, writer)| writer.caller.process == process).map(|&(node, _)| node);
        match self.holders.standing(process, nodes) {
            // How it ended is told in a moment.
            Standing::Ended if self.processes.ending(process).is_none() => Standing::Ends,
            standing => standing,
        }
    }

    /// Returns how a process that has ended closed its files.
    fn end_of(&self, caller: Caller) -> Closing {
        match self.processes.ending(caller.process) {
            Some(Ending::Killed) => Closing::Killed(caller),
            _ => Closing::Proper,
        }
    }

    /// Looks at the files of all processes, and makes those open that are open to write and not known to be.
    fn find_others(&self) {
        self.state.lock().all_seen = Some(Instant::now());
        for (process, node) in self.holders.everybody() {
            if !self.is_known(node, process) {
                // A committed session's file may stay open; it can only not be written.
                if let Err(error) = self.open(node, self.processes.caller(process)) {
                    tracing::debug!(%error, process, "a file that is open to write is not counted");
                }
            }
        }
    }

    fn close(&self, node: NodeId, writer: Writer, closing: Closing) {
        let mut state = self.state.lock();
        let Some(writers) = state.written.get_mut(&node) else { return };
        let Some(index) = writers.iter().position(|one| one.caller.process == writer.caller.process) else { return };
        writers.swap_remove(index);
        if writers.is_empty() {
            state.written.remove(&node);
        }
        drop(state);
        if let Err(error) = self.tree.flush(node, writer.handle, closing) {
            tracing::warn!(%error, node = node.0, "what was written could not be taken");
        }
        self.tree.close(node, writer.handle);
    }
}

/// What a look has found.
#[derive(PartialEq, Eq)]
enum Looked {
    /// Some files were closed.
    Closed,
    /// Nothing has changed.
    Same,
    /// Somebody who wrote is just ending.
    Unsure,
}

impl Drop for OpensThread {
    fn drop(&mut self) {
        self.opens.state.lock().stop = true;
        self.opens.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        // The next mount must not take for torn what was closed before this one ended.
        self.opens.settle();
    }
}
