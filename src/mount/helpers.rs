//! Threads that come when they are needed and go when they are not: they take over requests that may have to wait, so
//! that the threads which the kernel speaks to are never all waiting.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most threads: as many requests may wait for a disk that does not answer before others have to stand in line.
const MAX_HELPERS: usize = 64;

/// How long a thread that has nothing to do stays: starting one takes some 50 µs, keeping one costs nothing for a while.
const IDLE_LIFETIME: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// The threads, none at first.
#[derive(Default)]
pub(super) struct Helpers {
    state: Mutex<State>,
    /// There is a job.
    job_came: Condvar,
    /// No job is left.
    all_done: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Of these, the ones that wait for a job.
    idle: usize,
}

impl Helpers {
    /// Runs `job` on another thread, or on this one when the system gives no thread at all.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() <= state.idle {
            drop(state);
            self.job_came.notify_one();
            return;
        }
        if state.threads == MAX_HELPERS {
            return;
        }
        state.threads += 1;
        drop(state);
        let helpers = self.clone();
        let started = std::thread::Builder::new().name("mount-helper".into()).spawn(move || helpers.help());
        if let Err(error) = started {
            tracing::warn!(%error, "no thread can be started");
            let mut state = self.state.lock();
            state.threads -= 1;
            let alone = if state.threads == 0 { state.jobs.pop_front() } else { None };
            drop(state);
            if let Some(job) = alone {
                job();
            }
        }
    }

    /// Waits until no job is left, at most until `deadline`.
    pub(super) fn settle(&self, deadline: Instant) {
        let mut state = self.state.lock();
        while state.threads > state.idle || !state.jobs.is_empty() {
            if self.all_done.wait_until(&mut state, deadline).timed_out() {
                return;
            }
        }
    }

    fn help(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                parking_lot::MutexGuard::unlocked(&mut state, job);
                continue;
            }
            state.idle += 1;
            if state.idle == state.threads {
                self.all_done.notify_all();
            }
            let timed_out = self.job_came.wait_for(&mut state, IDLE_LIFETIME).timed_out();
            state.idle -= 1;
            if timed_out && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_that_wait_hold_nobody_up_below_the_bound() {
        let helpers = Arc::new(Helpers::default());
        let (release, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (done, dones) = channel();
        for _ in 0..MAX_HELPERS - 1 {
            let (gate, done) = (gate.clone(), done.clone());
            helpers.run(move || {
                gate.lock().recv().ok();
                done.send("waited").unwrap();
            });
        }
        for _ in 0..3 * MAX_HELPERS {
            let done = done.clone();
            helpers.run(move || done.send("quick").unwrap());
        }
        for _ in 0..3 * MAX_HELPERS {
            assert_eq!(dones.recv_timeout(Duration::from_secs(10)).unwrap(), "quick");
        }
        assert!(helpers.state.lock().threads <= MAX_HELPERS);
        drop(release);
        helpers.settle(Instant::now() + Duration::from_secs(10));
        assert_eq!(dones.try_iter().filter(|said| *said == "waited").count(), MAX_HELPERS - 1);
    }
}
