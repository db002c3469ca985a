//! Optimizing the vault while nobody uses the mount.
//!
//! Requests take note of themselves in [`Uses`], which costs them one look at a flag, and so do builds of other processes. A
//! thread looks at it now and then; when nobody came for as long as the config says, it optimizes, on one core and at the
//! lowest priority, until there is nothing left to look at or somebody comes: the first request stops it.

use super::system::nice::be_nice;
use crate::error::{ErrorKind, Result};
use crate::progress::Progress;
use crate::tree::Tree;
use crate::vault::{IdleRules, OptimizeOptions, Vault};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the idle time is looked at while it passes; a mount counts as idle after that time and at most one part more.
const PARTS: u32 = 5;

/// The shortest part.
const MIN_PART: Duration = Duration::from_millis(20);

/// The niceness that leaves the core to everybody else.
const NICENESS: i32 = 19;

/// Whether somebody has used the mount.
#[derive(Default)]
pub(super) struct Uses {
    /// Since the thread last looked.
    were_some: AtomicBool,
    /// The work that the next one stops.
    running: Mutex<Option<Arc<Progress>>>,
}

impl Uses {
    /// Takes note of a request, and stops the work.
    pub(super) fn touched(&self) {
        // Nothing is written while the flag is up: the threads that answer requests need not fight for it.
        if !self.were_some.load(Relaxed) {
            self.first();
        }
    }

    #[cold]
    fn first(&self) {
        self.were_some.store(true, Release);
        if let Some(progress) = &*self.running.lock() {
            progress.cancel();
        }
    }

    /// Tells whether there were any since the last call.
    fn take(&self) -> bool {
        self.were_some.swap(false, AcqRel)
    }

    /// Runs `work` until it ends or somebody comes.
    fn unless_used<T>(&self, work: impl FnOnce(&Progress) -> T) -> T {
        let progress = Arc::new(Progress::new());
        *self.running.lock() = Some(progress.clone());
        // Who came before the work could be stopped did not stop it.
        if self.were_some.load(Acquire) {
            progress.cancel();
        }
        let done = work(&progress);
        *self.running.lock() = None;
        done
    }
}

/// The running thread; it ends when this is dropped.
pub(super) struct Idle {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    vault: Arc<Vault>,
    tree: Arc<Tree>,
    uses: Arc<Uses>,
    rules: IdleRules,
    stop: Mutex<bool>,
    woken: Condvar,
}

impl Idle {
    /// Starts the thread.
    pub(super) fn start(
        vault: Arc<Vault>,
        tree: Arc<Tree>,
        uses: Arc<Uses>,
        rules: IdleRules,
    ) -> std::io::Result<Idle> {
        let shared = Arc::new(Shared { vault, tree, uses, rules, stop: Mutex::new(false), woken: Condvar::new() });
        let run = shared.clone();
        let thread = std::thread::Builder::new().name("mount-idle".into()).spawn(move || run.run())?;
        Ok(Idle { shared, thread: Some(thread) })
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.uses.touched();
        self.shared.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        let part = (self.rules.idle_time / PARTS).max(MIN_PART);
        let mut quiet_parts = 0;
        // What the catalogue was like when there was nothing to do.
        let mut done = None;
        while self.wait(part) {
            quiet_parts = match self.uses.take() || self.tree.is_being_written() {
                true => 0,
                false => quiet_parts + 1,
            };
            if quiet_parts >= PARTS && self.generation() != done {
                match self.optimize() {
                    Ok(()) => done = self.generation(),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // Another process is at it. It may leave something over.
                    Err(error) if error.kind() == ErrorKind::Busy => {}
                    Err(error) => {
                        // Not again before something has changed: it would fail all night.
                        tracing::warn!(%error, "the vault was not optimized while idle");
                        done = self.generation();
                    }
                }
                quiet_parts = 0;
            }
        }
    }

    /// Waits so long; `false` at the end.
    fn wait(&self, time: Duration) -> bool {
        let mut stop = self.stop.lock();
        if !*stop {
            self.woken.wait_for(&mut stop, time);
        }
        !*stop
    }

    fn generation(&self) -> Option<u64> {
        self.vault.generation().ok()
    }

    /// Looks at what is idle, until somebody comes.
    fn optimize(&self) -> Result<()> {
        let squeeze = self.rules.squeeze;
        if !self.vault.has_idle_chunks(squeeze)? {
            return Ok(());
        }
        let options = OptimizeOptions { squeeze, ..OptimizeOptions::default() };
        let report = self.uses.unless_used(|progress| {
            // What is done side by side is done one after the other in there.
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "optimize".into());
            match pool.start_handler(|_| be_nice(NICENESS)).build() {
                Ok(pool) => pool.install(|| self.vault.optimize(&options, progress)),
                Err(error) => Err(crate::error::Error::invalid(format!("no thread can be started: {error}"))),
            }
        })?;
        tracing::info!(chunks = report.chunks_looked_at, gained = report.bytes_gained, "optimized while idle");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_stops_the_work_whenever_it_comes() {
        let uses = Uses::default();
        assert!(!uses.take());
        let stopped = uses.unless_used(|progress| {
            assert!(progress.check().is_ok());
            uses.touched();
            progress.check()
        });
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Interrupted);
        // It came between the last look and the start.
        assert!(uses.unless_used(Progress::check).is_err());
        assert!(uses.take() && !uses.take());
        assert!(uses.unless_used(Progress::check).is_ok());
    }
}
