//! Storing closed files while nobody writes, so that little is left to do at the commit and the spool stays small.
//!
//! One thread takes the files of all sessions in the order in which they were closed. It waits while changes stream in:
//! a copy must not be slowed by storing what it copies. Only when the spool has grown large does it go on beside the copy.

use super::nodes::Bytes;
use super::op::NodeNumber;
use super::registry::Registered;
use super::{Session, SessionState};
use crate::disk::DiskFile;
use crate::error::Result;
use crate::ingest::{ByteSource, Ingested, ingest_bytes};
use crate::progress::Progress;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long nothing must have changed before files are stored; pauses within a copy are shorter by a factor of ten.
const QUIET: Duration = Duration::from_millis(400);

/// Bytes in the spool from which on storing no longer waits for quiet.
const SPOOL_LIMIT: u64 = 4 << 30;

/// How long after the last change what was stored is made durable, and its spool files are dropped.
const SEAL_AFTER: Duration = Duration::from_secs(20);

/// What the sessions do, as the background sees it.
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds from the start to the last change.
    last_change: AtomicU64,
    spool_bytes: AtomicU64,
    state: Mutex<Waiting>,
    woken: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Something changed since the thread last looked.
    has_work: bool,
    stop: bool,
}

impl Activity {
    /// Starts with nothing.
    pub(super) fn new() -> Activity {
        Activity {
            start: Instant::now(),
            last_change: AtomicU64::new(0),
            spool_bytes: AtomicU64::new(0),
            state: Mutex::default(),
            woken: Condvar::new(),
        }
    }

    /// Takes note of a change.
    pub(super) fn touched(&self) {
        self.last_change.store(self.start.elapsed().as_millis() as u64, Relaxed);
        let mut state = self.state.lock();
        if !state.has_work {
            state.has_work = true;
            self.woken.notify_all();
        }
    }

    /// Takes note of a spool file that grew, shrank, appeared or went away.
    pub(super) fn spool_changed(&self, old_len: u64, new_len: u64) {
        // Wraps around zero for a moment at worst.
        self.spool_bytes.fetch_add(new_len.wrapping_sub(old_len), Relaxed);
    }

    /// Returns how long nothing has changed.
    pub(super) fn quiet_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_change.load(Relaxed));
        self.start.elapsed().saturating_sub(last)
    }

    fn may_store(&self) -> bool {
        self.quiet_for() >= QUIET || self.spool_bytes.load(Relaxed) > SPOOL_LIMIT
    }

    /// Tells the thread to end, and everything that waits for quiet.
    pub(super) fn stop(&self) {
        self.state.lock().stop = true;
        self.woken.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.state.lock().stop
    }

    /// Waits for a change, at most `timeout` when there is one; `false` at the end.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        if !state.stop && !state.has_work {
            match timeout {
                Some(timeout) => drop(self.woken.wait_for(&mut state, timeout)),
                None => self.woken.wait(&mut state),
            }
        }
        state.has_work = false;
        !state.stop
    }

    /// Waits until storing may go on; `false` at the end.
    fn wait_for_quiet(&self) -> bool {
        while !self.may_store() {
            let mut state = self.state.lock();
            if state.stop {
                return false;
            }
            let rest = QUIET.saturating_sub(self.quiet_for()).max(Duration::from_millis(20));
            // Changes wake nobody here, for they only mean to wait longer.
            state.has_work = true;
            self.woken.wait_for(&mut state, rest);
        }
        !self.is_stopped()
    }
}

/// Runs the thread until the activity is stopped.
pub(super) fn run(registered: &Registered) {
    let activity = registered.activity();
    let mut timeout = None;
    while activity.wait(timeout) {
        if !activity.wait_for_quiet() {
            return;
        }
        let mut waits_for_seal = false;
        for session in registered.all() {
            while session.store_one() {
                if !activity.wait_for_quiet() {
                    return;
                }
            }
            waits_for_seal |= session.settle(activity.quiet_for() >= SEAL_AFTER);
        }
        // Without anything to wait for, the thread sleeps until the next change: an idle mount costs nothing.
        timeout = waits_for_seal.then_some(SEAL_AFTER);
    }
}

/// A spool file that lets its reader wait while changes stream in.
struct Paced<'a> {
    file: &'a dyn DiskFile,
    activity: &'a Activity,
}

impl ByteSource for Paced<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.activity.wait_for_quiet();
        self.file.read_at(buf, offset)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        self.file.next_data(offset)
    }
}

impl Session {
    /// Stores the next closed file; `false` when none waits.
    fn store_one(&self) -> bool {
        let Some((node, file, len)) = self.next_to_store() else { return false };
        let source = Paced { file: &*file, activity: &self.activity };
        let stored = ingest_bytes(&self.store, &source, len, true, &Progress::new());
        let mut state = self.state.lock();
        // Taken out by a change: what was stored is not what the file is now.
        if !state.storing.remove(&node) {
            return true;
        }
        match stored {
            Ok(stored) => {
                state.stored_bytes += stored.stored_bytes;
                state.stored.insert(node, stored);
            }
            // The commit tries again, and says what is wrong.
            Err(error) => tracing::warn!(%error, node, "a file of a session was not stored yet"),
        }
        true
    }

    fn next_to_store(&self) -> Option<(NodeNumber, Arc<dyn DiskFile>, u64)> {
        let mut state = self.state.lock();
        if !matches!(state.phase, SessionState::Open | SessionState::Interrupted | SessionState::Suspect) {
            return None;
        }
        while let Some(node) = state.queue.pop_front() {
            let is_written = state.open.get(&node).is_some_and(|open| open.is_written());
            let is_known = state.stored.contains_key(&node) || state.storing.contains(&node);
            let Ok(&Bytes::Spool { len, has_file: true }) = state.nodes.bytes(node) else { continue };
            if len == 0 || is_written || is_known || state.nodes.is_orphan(node) {
                continue;
            }
            if let Ok(Some(file)) = self.spool_to_read(&mut state, node) {
                state.storing.insert(node);
                return Some((node, file, len));
            }
        }
        None
    }

    /// Drops the spool files of what is durable by now; `true` when something is not.
    fn settle(&self, seal: bool) -> bool {
        if seal
            && !self.state.lock().stored.is_empty()
            && let Err(error) = self.store.flush()
        {
            tracing::warn!(%error, "what a session stored is not durable yet");
        }
        let mut state = self.state.lock();
        if !matches!(state.phase, SessionState::Open | SessionState::Interrupted | SessionState::Suspect) {
            return false;
        }
        let all: Vec<(NodeNumber, Ingested)> = state.stored.iter().map(|(&node, &stored)| (node, stored)).collect();
        for (node, stored) in all {
            match self.store.is_durable(stored.ticket) {
                Ok(false) => continue,
                Ok(true) => {
                    if let Err(error) = self.become_stored(&mut state, node, stored.content) {
                        tracing::warn!(%error, node, "a spool file was not dropped");
                    }
                }
                // Lost with its pack: the spool still has it.
                Err(_) => state.queue.push_back(node),
            }
            state.stored.remove(&node);
        }
        !state.stored.is_empty()
    }
}
