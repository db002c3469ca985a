//! Storing closed files while nobody writes, so that little is left to do at the commit and the spool stays small.
//!
//! One thread takes the files of all sessions in the order in which they were closed. It waits while changes stream in:
//! a copy must not be slowed by storing what it copies. Only when the spool has grown large does it go on beside the copy.

use super::file_bytes::FileBytes;
use super::nodes::Bytes;
use super::op::NodeNumber;
use super::origin::Origin;
use super::registry::Registered;
use super::{Session, SessionState, State};
use crate::error::Result;
use crate::ingest::{ByteSource, GrowingFile};
use crate::progress::Progress;
use crate::store::Writing;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

/// How long nothing must have changed before files are stored; pauses within a copy are shorter by a factor of ten.
const QUIET: Duration = Duration::from_millis(400);

/// How long one write waits at most.
const MAX_HOLD: Duration = Duration::from_millis(200);

/// How long after the last change what was stored is made durable, and its spool files are dropped.
const SEAL_AFTER: Duration = Duration::from_secs(20);

/// What the sessions do, as the background sees it.
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds from the start to the last change.
    last_change: AtomicU64,
    spool_bytes: AtomicU64,
    /// Bytes in the spool from which on storing no longer waits for quiet.
    spool_limit: u64,
    /// When the thread last looked, there was something that could leave the spool.
    is_draining: AtomicBool,
    /// Something changed since the thread last looked.
    has_work: AtomicBool,
    /// The thread is to end.
    stop: Mutex<bool>,
    woken: Condvar,
}

impl Activity {
    /// Starts with nothing.
    pub(super) fn new(spool_limit: u64) -> Activity {
        Activity {
            start: Instant::now(),
            last_change: AtomicU64::new(0),
            spool_bytes: AtomicU64::new(0),
            spool_limit,
            is_draining: AtomicBool::new(true),
            has_work: AtomicBool::new(false),
            stop: Mutex::new(false),
            woken: Condvar::new(),
        }
    }

    /// Takes note of a change.
    pub(super) fn touched(&self) {
        self.last_change.store(self.start.elapsed().as_millis() as u64, Relaxed);
        // The lock is taken by the first change alone: it would cost the others more than they do.
        if !self.has_work.swap(true, AcqRel) {
            let _stop = self.stop.lock();
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
        self.quiet_for() >= QUIET || self.is_full()
    }

    /// Tells whether there is so much in the spool that it must be stored beside the copy.
    fn is_full(&self) -> bool {
        self.spool_bytes.load(Relaxed) > self.spool_limit
    }

    /// Returns from how many bytes on the spool is full.
    pub(super) fn spool_limit(&self) -> u64 {
        self.spool_limit
    }

    /// Returns how many bytes are worth a flush while the spool is full: a sixteenth of what it may hold.
    pub(super) fn flush_len(&self) -> u64 {
        self.spool_limit / 16
    }

    /// Holds a write back for a moment when there is so much in the spool that the store must catch up, and can.
    ///
    /// Never longer: a disk that stores nothing more must end in an error of a write, not in one that hangs.
    pub(super) fn wait_for_room(&self) {
        let (start, limit) = (Instant::now(), self.spool_limit.saturating_add(self.spool_limit / 2));
        let must_wait = || self.spool_bytes.load(Relaxed) > limit && self.is_draining.load(Relaxed);
        while must_wait() && start.elapsed() < MAX_HOLD {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells the thread to end, and everything that waits for quiet.
    pub(super) fn stop(&self) {
        *self.stop.lock() = true;
        self.woken.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *self.stop.lock()
    }

    /// Waits for a change, at most `timeout` when there is one; `false` at the end.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut stop = self.stop.lock();
        if !*stop && !self.has_work.load(Acquire) {
            match timeout {
                Some(timeout) => drop(self.woken.wait_for(&mut stop, timeout)),
                None => self.woken.wait(&mut stop),
            }
        }
        self.has_work.store(false, Release);
        !*stop
    }

    /// Waits until storing may go on; `false` at the end.
    fn wait_for_quiet(&self) -> bool {
        while !self.may_store() {
            let mut stop = self.stop.lock();
            if *stop {
                return false;
            }
            let rest = QUIET.saturating_sub(self.quiet_for()).max(Duration::from_millis(20));
            // Changes wake nobody here, for they only mean to wait longer.
            self.has_work.store(true, Release);
            self.woken.wait_for(&mut stop, rest);
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
            if !store_all(&session, activity) {
                return;
            }
            waits_for_seal |= session.settle(activity.quiet_for() >= SEAL_AFTER);
        }
        // Without anything to wait for, the thread sleeps until the next change: an idle mount costs nothing.
        timeout = waits_for_seal.then_some(SEAL_AFTER);
    }
}

/// Stores all that waits in a session, and drops it from the spool as it goes while that is full; `false` at the end.
fn store_all(session: &Session, activity: &Activity) -> bool {
    let mut stored_len = 0;
    loop {
        let stored = session.store_one();
        let stored = stored.or_else(|| activity.is_full().then(|| session.store_head()).flatten());
        activity.is_draining.store(stored.is_some(), Relaxed);
        let Some(len) = stored else { return true };
        stored_len += len;
        if stored_len >= activity.flush_len() && activity.is_full() {
            session.settle(true);
            stored_len = 0;
        }
        if !activity.wait_for_quiet() {
            return false;
        }
    }
}

/// The bytes of a file that let their reader wait while changes stream in.
struct Paced<'a> {
    bytes: &'a FileBytes,
    activity: &'a Activity,
}

impl ByteSource for Paced<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.activity.wait_for_quiet();
        self.bytes.read_at(buf, offset)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        self.bytes.next_data(offset)
    }
}

/// A closed file that is to be stored.
struct Waiting {
    node: NodeNumber,
    bytes: FileBytes,
    /// What of it is stored already.
    head: GrowingFile,
    origin: Origin,
}

impl Session {
    /// Begins to store in the background; `None` if that cannot be now: what waits stays in the spool.
    pub(super) fn begin_writing(&self) -> Option<Arc<Writing>> {
        match self.store.begin_writing() {
            Ok(writing) => Some(Arc::new(writing)),
            Err(error) => {
                tracing::warn!(%error, "files of a session are not stored yet");
                None
            }
        }
    }

    /// Stores the next closed file and returns its length; `None` when none waits.
    fn store_one(&self) -> Option<u64> {
        let writing = self.begin_writing()?;
        let Waiting { node, bytes, head, origin } = self.next_to_store()?;
        let source = Paced { bytes: &bytes, activity: &self.activity };
        let stored = head.finish(&self.store, &source, bytes.end(), true, &origin.what(), &Progress::new());
        let mut state = self.state.lock();
        // Taken out by a change: what was stored is not what the file is now.
        if !state.storing.remove(&node) {
            return Some(bytes.end());
        }
        match stored {
            Ok(stored) => {
                state.stored_bytes += stored.stored_bytes;
                state.stored.insert(node, stored, &writing);
            }
            // The commit tries again, and says what is wrong.
            Err(error) => tracing::warn!(%error, node, "a file of a session was not stored yet"),
        }
        Some(bytes.end())
    }

    /// Returns the next file to store.
    fn next_to_store(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        if !matches!(state.phase, SessionState::Open | SessionState::Interrupted | SessionState::Suspect) {
            return None;
        }
        while let Some(node) = state.queue.pop_front() {
            let is_written = state.open.get(&node).is_some_and(|open| open.is_written());
            let is_known = state.stored.contains(node) || state.storing.contains(&node);
            let waits = state.nodes.bytes(node).is_ok_and(Bytes::is_to_be_stored);
            if !waits || is_written || is_known || state.nodes.is_orphan(node) {
                continue;
            }
            if let Ok(bytes) = self.bytes_in(&mut state, node, 0..u64::MAX) {
                state.storing.insert(node);
                let (head, origin) = (state.heads.take(node), self.origin(&state, node));
                return Some(Waiting { node, bytes, head, origin });
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
        for (node, stored) in state.stored.all() {
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
            state.stored.remove(node);
        }
        if state.stored.is_empty() && state.queue.is_empty() {
            let State { small, nodes, .. } = &mut *state;
            if let Err(error) = small.clear_if_unused(nodes) {
                tracing::warn!(%error, "the log of small files was not cleared");
            }
        }
        !state.stored.is_empty()
    }
}
