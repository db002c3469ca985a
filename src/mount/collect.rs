//! Taking in what was dropped into `/feedback`, and what games recorded, while the mount runs and once more at its end.

use super::system::nice::be_nice;
use crate::progress::Progress;
use crate::tree::Tree;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether something is there at all: a mount that nobody uses must cost nothing.
const LOOK: Duration = Duration::from_secs(5);

/// How often what is there is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// For how long nothing must have changed. Copies of many files pause for less; who still has a file open is waited for.
const QUIET: Duration = Duration::from_secs(3);

/// How often the folder in which games record is looked at.
const LOOK_AT_PLAYS: Duration = Duration::from_secs(30);

/// How often it is looked whether the last look is over.
const LOOK_AT_END: Duration = Duration::from_millis(10);

/// How long the last look may take; what is left then waits for the next mount.
const LAST_LOOK: Duration = Duration::from_secs(30);

/// Other threads of the mount go first: somebody waits for them.
const NICENESS: i32 = 10;

/// The running thread; it ends when this is dropped, after a last look.
pub(super) struct Collecting {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tree: Arc<Tree>,
    stop: Mutex<bool>,
    woken: Condvar,
    progress: Progress,
}

impl Collecting {
    /// Starts the thread.
    pub(super) fn start(tree: Arc<Tree>) -> std::io::Result<Collecting> {
        let shared =
            Arc::new(Shared { tree, stop: Mutex::new(false), woken: Condvar::new(), progress: Progress::new() });
        let run = shared.clone();
        let thread = std::thread::Builder::new().name("mount-collect".into()).spawn(move || run.run())?;
        Ok(Collecting { shared, thread: Some(thread) })
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.woken.notify_all();
        let Some(thread) = self.thread.take() else { return };
        let begun = Instant::now();
        while !thread.is_finished() && begun.elapsed() < LAST_LOOK {
            std::thread::sleep(LOOK_AT_END);
        }
        self.shared.progress.cancel();
        thread.join().ok();
    }
}

impl Shared {
    fn run(&self) {
        be_nice(NICENESS);
        let mut plays_looked_at = None::<Instant>;
        while self.wait() {
            self.tree.collect_feedback(QUIET, &self.progress);
            if plays_looked_at.is_none_or(|last| last.elapsed() >= LOOK_AT_PLAYS) {
                self.tree.collect_plays(QUIET, &self.progress);
                plays_looked_at = Some(Instant::now());
            }
        }
        // Nothing can be dropped in any more, and whoever unmounts wants to find it.
        self.tree.collect_feedback(Duration::ZERO, &self.progress);
        self.tree.collect_plays(QUIET, &self.progress);
    }

    /// Waits for the next look; `false` at the end.
    fn wait(&self) -> bool {
        let pause = if self.tree.has_dropped_feedback() { LOOK_AGAIN } else { LOOK };
        let mut stop = self.stop.lock();
        if !*stop {
            self.woken.wait_for(&mut stop, pause);
        }
        !*stop
    }
}
