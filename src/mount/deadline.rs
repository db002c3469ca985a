//! Every request that may have to fetch is answered in time: with what it found, or with an I/O error at its deadline.
//!
//! The reply waits in a [`Slot`]. The thread that works takes it out when it has an answer; when that takes too long, one
//! watching thread takes it first, and what comes later is thrown away. The watching thread sleeps as long as nothing
//! waits, and is not woken for requests that are answered in time.

use super::ops::Op;
use crate::tree::NodeId;
use fuser::{Errno, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEntry, ReplyLseek, ReplyXattr};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a request may take when nothing else is said: as long as a slow network drive may need to come back, and
/// shorter than the two minutes after which Linux calls a task hung.
pub(super) const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// How often it is looked whether the mount is still there while refused requests are being worked on.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A reply that can say that the request failed.
pub(super) trait Refuse: Send + 'static {
    /// Says so.
    fn refuse(self, error: Errno);
}

macro_rules! refuse {
    ($($reply:ty),*) => {
        $(impl Refuse for $reply {
            fn refuse(self, error: Errno) {
                self.error(error);
            }
        })*
    };
}
refuse!(ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEntry, ReplyLseek, ReplyXattr);

/// The reply to a request, until somebody takes it to answer.
pub(super) struct Slot<R>(Mutex<Option<R>>);

impl<R> Slot<R> {
    pub(super) fn new(reply: R) -> Slot<R> {
        Slot(Mutex::new(Some(reply)))
    }

    /// Takes the reply to answer; `None` if the deadline has passed and the request is refused.
    pub(super) fn take(&self) -> Option<R> {
        self.0.lock().take()
    }

    /// Adds to the reply by `add`; `None` if the deadline has passed.
    pub(super) fn with<T>(&self, add: impl FnOnce(&mut R) -> T) -> Option<T> {
        self.0.lock().as_mut().map(add)
    }
}

/// A [`Slot`] of any reply.
trait Waiting: Send + Sync {
    /// Refuses the request; `false` if it was answered already.
    fn give_up(&self) -> bool;
}

impl<R: Refuse> Waiting for Slot<R> {
    fn give_up(&self) -> bool {
        self.take().map(|reply| reply.refuse(Errno::EIO)).is_some()
    }
}

/// A request that is not answered yet.
struct Request {
    since: Instant,
    op: Op,
    node: NodeId,
    slot: Arc<dyn Waiting>,
}

/// The requests that wait for an answer.
pub(super) struct Deadlines {
    patience: Duration,
    state: Mutex<State>,
    /// Something waits, or the mount has ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next_ticket: u64,
    /// By their tickets, so the oldest is first.
    waiting: BTreeMap<u64, Request>,
    /// The tickets of requests that were refused, and are still being worked on.
    stuck: BTreeSet<u64>,
    watch_sleeps: bool,
    has_ended: bool,
}

/// What a request gets when it starts to wait, and gives back when it ends.
pub(super) struct Ticket(u64);

impl Deadlines {
    /// Refuses requests that take longer than `patience`, once [`Deadlines::watch`] runs.
    pub(super) fn new(patience: Duration) -> Deadlines {
        Deadlines { patience, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Starts the clock for a request.
    pub(super) fn start<R: Refuse>(&self, since: Instant, op: Op, node: NodeId, slot: &Arc<Slot<R>>) -> Ticket {
        let slot: Arc<dyn Waiting> = slot.clone();
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.insert(ticket, Request { since, op, node, slot });
        if state.watch_sleeps {
            self.changed.notify_one();
        }
        Ticket(ticket)
    }

    /// Ends the wait of a request, answered or not.
    pub(super) fn finish(&self, ticket: Ticket) {
        let mut state = self.state.lock();
        if state.waiting.remove(&ticket.0).is_none() {
            state.stuck.remove(&ticket.0);
        }
    }

    /// Returns how many requests are being worked on, and how many of these were refused.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.waiting.len() + state.stuck.len(), state.stuck.len())
    }

    /// Refuses what takes too long, until [`Deadlines::end`]. While some of that is still being worked on it calls `look`,
    /// about every second.
    pub(super) fn watch(&self, look: impl Fn()) {
        let mut state = self.state.lock();
        while !state.has_ended {
            let due = state.waiting.first_key_value().map(|(_, oldest)| oldest.since + self.patience);
            let next_look = (!state.stuck.is_empty()).then(|| Instant::now() + LOOK_INTERVAL);
            match due {
                Some(due) if due <= Instant::now() => self.refuse_oldest(&mut state),
                None if next_look.is_none() => {
                    state.watch_sleeps = true;
                    self.changed.wait(&mut state);
                    state.watch_sleeps = false;
                }
                _ => {
                    // Requests that come meanwhile are due later than those that wait.
                    let until = due.into_iter().chain(next_look).min().expect("the arm above has taken neither");
                    let timed_out = self.changed.wait_until(&mut state, until).timed_out();
                    if timed_out && !state.stuck.is_empty() {
                        MutexGuard::unlocked(&mut state, &look);
                    }
                }
            }
        }
    }

    fn refuse_oldest(&self, state: &mut MutexGuard<'_, State>) {
        let Some((ticket, Request { op, node, slot, .. })) = state.waiting.pop_first() else { return };
        state.stuck.insert(ticket);
        MutexGuard::unlocked(state, || {
            if slot.give_up() {
                let seconds = self.patience.as_secs_f64();
                tracing::warn!(op = op.name(), node = node.0, seconds, "a request took too long, and was refused");
            }
        });
    }

    /// Ends the watching, when the mount has ended.
    pub(super) fn end(&self) {
        self.state.lock().has_ended = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    struct Reply(Sender<Instant>);

    impl Refuse for Reply {
        fn refuse(self, _error: Errno) {
            self.0.send(Instant::now()).unwrap();
        }
    }

    fn slot() -> (Arc<Slot<Reply>>, Receiver<Instant>) {
        let (sender, receiver) = channel();
        (Arc::new(Slot::new(Reply(sender))), receiver)
    }

    #[test]
    fn only_what_takes_too_long_is_refused_and_each_at_its_own_time() {
        let patience = Duration::from_millis(200);
        let deadlines = Deadlines::new(patience);
        std::thread::scope(|scope| {
            scope.spawn(|| deadlines.watch(|| ()));
            let (quick, quick_refused) = slot();
            let (slow, slow_refused) = slot();
            let (later, later_refused) = slot();
            let start = Instant::now();
            let quick_ticket = deadlines.start(start, Op::Read, NodeId(1), &quick);
            deadlines.start(start, Op::Read, NodeId(2), &slow);
            assert!(quick.take().is_some());
            deadlines.finish(quick_ticket);
            std::thread::sleep(patience / 2);
            let later_start = Instant::now();
            deadlines.start(later_start, Op::Lookup, NodeId(3), &later);
            let at = slow_refused.recv_timeout(10 * patience).unwrap();
            assert!(at >= start + patience, "{:?}", at - start);
            assert!(slow.take().is_none(), "what comes later is thrown away");
            let at = later_refused.recv_timeout(10 * patience).unwrap();
            assert!(at >= later_start + patience, "{:?}", at - later_start);
            assert!(quick_refused.try_recv().is_err());
            assert_eq!(deadlines.counts(), (2, 2), "what was refused is still being worked on");
            deadlines.end();
        });
    }
}
