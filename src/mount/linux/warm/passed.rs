//! Threads that nothing more is to be learned of, for a moment: knowing one costs one look into a table of fixed size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Threads that are remembered at once; two that share a place take turns.
const COUNT: usize = 256;

/// For how many seconds they are: a process may become another program, and its number another process's.
const SECONDS: u32 = 2;

pub(super) struct Passed {
    started: Instant,
    /// The thread in the upper half, the second in the lower one.
    places: [AtomicU64; COUNT],
}

impl Passed {
    pub(super) fn new() -> Passed {
        Passed { started: Instant::now(), places: [const { AtomicU64::new(0) }; COUNT] }
    }

    /// Tells whether the thread was added a moment ago.
    pub(super) fn holds(&self, tid: u32) -> bool {
        let place = self.places[tid as usize % COUNT].load(Relaxed);
        place >> 32 == u64::from(tid) && self.second().wrapping_sub(place as u32) < SECONDS
    }

    /// Adds a thread.
    pub(super) fn add(&self, tid: u32) {
        let place = u64::from(tid) << 32 | u64::from(self.second());
        self.places[tid as usize % COUNT].store(place, Relaxed);
    }

    fn second(&self) -> u32 {
        self.started.elapsed().as_secs() as u32
    }
}
