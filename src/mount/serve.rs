//! Runs requests on the tree, so that none of them stops the others.
//!
//! A request that may have to fetch is answered by the thread that took it, as a change of threads costs 35 µs; but when
//! no other of these threads is free, it is handed to a helper, so that somebody always listens to the kernel. Each has
//! a deadline, after which it is refused. A panic becomes an I/O error.

use super::activity::Activity;
use super::crawlers::Crawlers;
use super::deadline::{Deadlines, Refuse, Slot};
use super::errno::errno;
use super::helpers::Helpers;
use super::meter::Meter;
use super::ops::Op;
use crate::error::{Error, ErrorKind, Result};
use crate::tree::{NodeId, Tree};
use fuser::Errno;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tracing::field::Empty;

/// What a request comes to: a value, or what the kernel is told instead.
pub(super) type Answer<T> = std::result::Result<T, Errno>;

/// Where a request of a kind reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) op: Op,
    pub(super) node: NodeId,
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl Asked {
    /// What is asked of a node as a whole.
    pub(super) fn whole(op: Op, node: NodeId) -> Asked {
        Asked { op, node, offset: 0, len: 0 }
    }
}

/// Runs the requests of one mount.
pub(super) struct Server {
    tree: Arc<Tree>,
    /// How many threads take requests from the kernel.
    threads: usize,
    /// How many of these are inside requests that may have to fetch.
    fetching: AtomicUsize,
    helpers: Arc<Helpers>,
    deadlines: Arc<Deadlines>,
    meter: Meter,
    crawlers: Crawlers,
}

impl Server {
    /// Runs requests on `tree` that `threads` threads take from the kernel, each at most for `deadline`; `crawlers` are the
    /// names of programs that go over everything.
    pub(super) fn new(tree: Arc<Tree>, threads: usize, deadline: Duration, crawlers: &[String]) -> Server {
        Server {
            tree,
            threads,
            fetching: AtomicUsize::new(0),
            helpers: Arc::default(),
            deadlines: Arc::new(Deadlines::new(deadline)),
            meter: Meter::new(),
            crawlers: Crawlers::new(crawlers),
        }
    }

    /// Returns the tree.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns what refuses requests that take too long.
    pub(super) fn deadlines(&self) -> &Arc<Deadlines> {
        &self.deadlines
    }

    /// Runs `call`, which has what it needs in memory, and logs how it failed.
    pub(super) fn call<T>(&self, op: Op, node: NodeId, call: impl FnOnce(&Tree) -> Result<T>) -> Answer<T> {
        let since = Instant::now();
        let span = tracing::debug_span!("tree", op = op.name(), node = node.0, result = Empty).entered();
        let result = catch_unwind(AssertUnwindSafe(|| call(&self.tree)));
        let answer = self.told(op, node, result.unwrap_or_else(|_| Err(panicked())));
        span.record("result", number(&answer));
        self.meter.record(op, since, answer.is_err());
        answer
    }

    /// Runs `act`, which may have to fetch, and gives what it came to to `answer`, together with the reply.
    ///
    /// There is no reply any more when the deadline has passed: then `answer` takes back what `act` has counted.
    pub(super) fn fetch<R: Refuse, T>(
        self: &Arc<Self>,
        asked: Asked,
        reply: R,
        act: impl FnOnce(&Tree, &Slot<R>) -> Result<T> + Send + 'static,
        answer: impl FnOnce(&Server, Answer<T>, Option<R>) + Send + 'static,
    ) {
        let since = Instant::now();
        let slot = Arc::new(Slot::new(reply));
        let ticket = self.deadlines.start(since, asked.op, asked.node, &slot);
        let work = move |server: &Server| {
            let has_failed = server.work(asked, &slot, act, answer);
            server.deadlines.finish(ticket);
            server.meter.record(asked.op, since, has_failed);
        };
        if self.fetching.fetch_add(1, Relaxed) + 1 < self.threads {
            work(self);
            self.fetching.fetch_sub(1, Relaxed);
        } else {
            self.fetching.fetch_sub(1, Relaxed);
            let server = self.clone();
            self.helpers.run(move || work(&server));
        }
    }

    /// Returns what counts the requests.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Returns what knows the programs that go over everything.
    pub(super) fn crawlers(&self) -> &Crawlers {
        &self.crawlers
    }

    /// Returns what has been done so far, as far as requests go.
    pub(super) fn activity(&self) -> Activity {
        let (waiting, stuck) = self.deadlines.counts();
        Activity {
            seconds: self.meter.age().as_secs_f64(),
            requests: self.meter.activity(),
            waiting,
            stuck,
            reads: self.tree.read_counts(),
            crawlers: self.crawlers.activity(),
            warm_up: None,
        }
    }

    /// Waits until no helper works for the mount, which has ended, at most for `patience`; ends the watching.
    pub(super) fn end(&self, patience: Duration) {
        self.helpers.settle(Instant::now() + patience);
        self.deadlines.end();
    }

    /// Does the work of a request; tells whether it failed.
    fn work<R: Refuse, T>(
        &self,
        asked: Asked,
        slot: &Slot<R>,
        act: impl FnOnce(&Tree, &Slot<R>) -> Result<T>,
        answer: impl FnOnce(&Server, Answer<T>, Option<R>),
    ) -> bool {
        let Asked { op, node, offset, len } = asked;
        let name = op.name();
        let span = tracing::debug_span!("tree", op = name, node = node.0, offset, len, result = Empty).entered();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let result = act(&self.tree, slot);
            let told = self.told(op, node, result);
            let reply = slot.take();
            let has_failed = told.is_err() || reply.is_none();
            span.record("result", number(&told));
            answer(self, told, reply);
            has_failed
        }));
        ended.unwrap_or_else(|_| {
            let told: Answer<()> = self.told(op, node, Err(panicked()));
            if let (Err(error), Some(reply)) = (told, slot.take()) {
                reply.refuse(error);
            }
            true
        })
    }

    /// Logs how a request failed, and returns what the kernel is told.
    fn told<T>(&self, op: Op, node: NodeId, result: Result<T>) -> Answer<T> {
        result.map_err(|error| {
            let (op, node) = (op.name(), node.0);
            match error.kind() {
                ErrorKind::Corrupt => tracing::error!(op, node, %error, "stored bytes are damaged"),
                ErrorKind::Io | ErrorKind::NoSpace => tracing::warn!(op, node, %error, "request failed"),
                _ => tracing::debug!(op, node, %error, "request refused"),
            }
            errno(error.kind())
        })
    }
}

/// Returns 0, or the number of the error.
fn number<T>(answer: &Answer<T>) -> i64 {
    answer.as_ref().err().map_or(0, |error| error.code().into())
}

fn panicked() -> Error {
    Error::new(ErrorKind::Io, "the request ended in a panic")
}
