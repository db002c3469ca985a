//! What tells a whole file from a cut one: when it was written, closed and given its time, and by whom.
//!
//! Every mark is in the journal before what it says can be relied on: the one that a file is being written before its bytes
//! change, the others when they are set. So a restart knows which files were in the middle of something.

use super::containers::Containers;
use super::finish::FinishRules;
use super::op::{Mark, NodeNumber, Op};
use super::pace::Pace;
use super::writers::{Caller, Ending, Writers};
use super::{ROOT, Session, State};
use crate::error::Result;
use crate::id::BuildNumber;
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What a session remembers of how it came about, to know when it is whole.
pub(super) struct Finish {
    pub(super) pace: Pace,
    /// Grows with every change.
    pub(super) epoch: u64,
    /// It was judged since the last change.
    pub(super) is_judged: bool,
    /// Since it was opened or judged, something came in.
    pub(super) has_grown: bool,
    /// What the last judgement found wrong, or waits for.
    pub(super) reasons: Vec<String>,
    /// Files whose writer was killed, and which one.
    pub(super) torn: BTreeMap<NodeNumber, String>,
    /// Files with a failed write that the journal does not know of, because the disk was full.
    pub(super) untold_failures: BTreeSet<NodeNumber>,
    pub(super) writers: Writers,
    pub(super) containers: Containers,
    /// The build that the session has become by itself.
    pub(super) own: Option<BuildNumber>,
}

impl Finish {
    pub(super) fn new() -> Finish {
        Finish {
            pace: Pace::new(Instant::now()),
            epoch: 0,
            is_judged: false,
            has_grown: false,
            reasons: Vec::new(),
            torn: BTreeMap::new(),
            untold_failures: BTreeSet::new(),
            writers: Writers::default(),
            containers: Containers::default(),
            own: None,
        }
    }

    /// Takes note of a change; `true` when it is the first one since a judgement.
    pub(super) fn changed(&mut self, is_growth: bool) -> bool {
        self.pace.changed(Instant::now(), !self.is_judged);
        self.epoch += 1;
        self.has_grown |= is_growth;
        std::mem::take(&mut self.is_judged)
    }

    /// Takes note of a judgement.
    pub(super) fn judged(&mut self, reasons: Vec<String>) {
        self.is_judged = true;
        self.has_grown = false;
        self.reasons = reasons;
    }
}

/// Wakes the thread that lets sessions become builds.
pub(super) struct Finisher {
    pub(super) rules: FinishRules,
    alarm: Mutex<Alarm>,
    woken: Condvar,
}

#[derive(Default)]
struct Alarm {
    is_rung: bool,
    stop: bool,
}

impl Finisher {
    pub(super) fn new(rules: FinishRules) -> Finisher {
        Finisher { rules, alarm: Mutex::default(), woken: Condvar::new() }
    }

    /// Says that a session is to be looked at again.
    pub(super) fn ring(&self) {
        self.alarm.lock().is_rung = true;
        self.woken.notify_all();
    }

    /// Tells the thread to end.
    pub(super) fn stop(&self) {
        self.alarm.lock().stop = true;
        self.woken.notify_all();
    }

    /// Waits until something is to be looked at, at most `timeout` when there is one; `false` at the end.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut alarm = self.alarm.lock();
        if !alarm.stop && !alarm.is_rung {
            match timeout {
                Some(timeout) => drop(self.woken.wait_for(&mut alarm, timeout)),
                None => self.woken.wait(&mut alarm),
            }
        }
        alarm.is_rung = false;
        !alarm.stop
    }
}

impl Session {
    /// Takes note of who has opened a file to write it.
    pub fn written_by(&self, node: NodeNumber, caller: Caller) {
        if caller == Caller::UNKNOWN {
            return;
        }
        let mut state = self.state.lock();
        if let Some(open) = state.open.get_mut(&node) {
            open.sets_times = caller.sets_times();
        }
        if state.finish.writers.opened(caller, node) {
            state.tell_of_writers();
        }
    }

    /// Takes note that somebody has closed a file that was open to write; a copy of the handle may still be open.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub fn flush(&self, node: NodeNumber) -> Result<()> {
        let mut state = self.state.lock();
        state.nodes.get(node)?;
        state.stop_writing(node);
        Ok(())
    }

    /// Takes note that `caller` was killed while it had a file open to write; a file that it had finished is whole.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub fn cut_off(&self, node: NodeNumber, caller: Caller) -> Result<()> {
        let mut state = self.state.lock();
        match state.nodes.get(node)?.mark {
            Mark::Open | Mark::Closed | Mark::Due => state.tear(node, false, format!("{caller} was killed")),
            Mark::Neutral | Mark::Finished => {}
        }
        Ok(())
    }

    /// Takes note of the end of a process, which may have written to the session.
    pub fn process_ended(&self, process: u32, ending: Ending) {
        let mut state = self.state.lock();
        let Some(last) = state.finish.writers.last_file(process) else { return };
        let before = (state.finish.writers.complaint(), state.finish.writers.remembrance());
        let last = super::status::path_of(&state, last);
        state.finish.writers.ended(process, ending, &last);
        if (state.finish.writers.complaint(), state.finish.writers.remembrance()) == before {
            return;
        }
        state.tell_of_writers();
        // What is wrong may be so no more, or what seemed right is wrong.
        state.finish.is_judged = false;
        drop(state);
        self.finisher.ring();
    }
}

impl State {
    /// Writes down what a restart must know of those who write. A copy is in doubt from its first file on until its end is
    /// told, so that it cannot be forgotten by a process that is killed together with it.
    fn tell_of_writers(&mut self) {
        let why = self.finish.writers.remembrance();
        if let Err(error) = self.journal.append(&Op::Torn { node: ROOT, failed: false, why }) {
            tracing::warn!(%error, "who writes to a session was not written down");
        }
    }

    /// Takes note that the bytes of a file are about to change, from its start on when `anew`.
    pub(super) fn start_writing(&mut self, node: NodeNumber, anew: bool) -> Result<()> {
        if anew && self.finish.torn.contains_key(&node) {
            self.change(Op::Torn { node, failed: false, why: None })?;
            self.finish.torn.remove(&node);
        }
        self.finish.containers.changed(node);
        if self.nodes.get(node)?.mark != Mark::Open {
            self.change(Op::Change { node, mode: None, mtime: None, mark: Some(Mark::Open) })?;
        }
        Ok(())
    }

    /// Takes note that a file was closed by who wrote it, and writes its time down.
    pub(super) fn stop_writing(&mut self, node: NodeNumber) {
        if self.finish.untold_failures.remove(&node)
            && let Some(why) = self.failures.get(&node).cloned()
        {
            self.tear(node, true, why);
        }
        let Some(open) = self.open.get_mut(&node) else { return };
        let (has_time, closed) =
            (std::mem::take(&mut open.time_unwritten), if open.sets_times { Mark::Due } else { Mark::Closed });
        let Ok(found) = self.nodes.get(node) else { return };
        let (mtime, mark) = (has_time.then_some(found.mtime), (found.mark == Mark::Open).then_some(closed));
        if mtime.is_none() && mark.is_none() {
            return;
        }
        if let Err(error) = self.change(Op::Change { node, mode: None, mtime, mark }) {
            tracing::warn!(%error, "the time of a file was not written down");
        }
    }

    /// Returns the mark of a node that was given a time by whoever wrote it.
    pub(super) fn mark_when_timed(&self, node: NodeNumber) -> Option<Mark> {
        let mark = self.nodes.get(node).ok()?.mark;
        (mark != Mark::Neutral).then_some(Mark::Finished)
    }

    /// Takes note that a file is not whole: a write `failed`, or its writer was killed.
    pub(super) fn tear(&mut self, node: NodeNumber, failed: bool, why: String) {
        let op = Op::Torn { node, failed, why: Some(why.clone()) };
        match failed {
            true => self.failures.insert(node, why),
            false => self.finish.torn.insert(node, why),
        };
        // What is known holds even if it cannot be written down. A full disk is tried again when the file is closed; if that
        // is in vain, too, the journal says that the file was never closed.
        if let Err(error) = self.change(op) {
            tracing::warn!(%error, node, "it was not written down that a file is not whole");
            if failed {
                self.finish.untold_failures.insert(node);
            }
        }
    }

    /// Takes back that a write of a file had failed, because the file was emptied.
    pub(super) fn forget_failure(&mut self, node: NodeNumber) -> Result<()> {
        match self.failures.remove(&node) {
            Some(_) => self.change(Op::Torn { node, failed: true, why: None }).map(drop),
            None => Ok(()),
        }
    }

    /// Makes a session that has become a build by itself open again.
    pub(super) fn reopen(&mut self, build: BuildNumber) -> Result<()> {
        self.journal.append(&Op::Reopened { build: build.0 })?;
        self.phase = super::SessionState::Open;
        Ok(())
    }

    /// Takes up what a journal says of torn files, once all its nodes are known.
    pub(super) fn remember_torn(&mut self, torn: Vec<(NodeNumber, bool, String)>) {
        let files = self.nodes.iter().filter(|(_, node)| node.mark != Mark::Neutral).count() as u64;
        for (node, failed, why) in torn {
            match (node, failed) {
                (ROOT, _) => self.finish.writers.remember(why, files),
                (node, _) if self.nodes.get(node).is_err() => {}
                (node, true) => drop(self.failures.insert(node, why)),
                (node, false) => drop(self.finish.torn.insert(node, why)),
            }
        }
    }
}
