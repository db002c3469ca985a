//! Going through the vault's packs while the mount runs, slowly and now and then.

use super::system::nice::be_nice;
use crate::error::ErrorKind;
use crate::progress::Progress;
use crate::vault::{ScrubRules, Vault};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a mount must run before it begins, and how often it looks whether it is time.
const LOOK: Duration = Duration::from_secs(600);

/// The niceness that leaves the core to everybody else.
const NICENESS: i32 = 19;

/// The running thread; it ends when this is dropped.
pub(super) struct Scrubbing {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    vault: Arc<Vault>,
    rules: ScrubRules,
    progress: Progress,
    stop: Mutex<bool>,
    woken: Condvar,
}

impl Scrubbing {
    /// Starts the thread.
    pub(super) fn start(vault: Arc<Vault>, rules: ScrubRules) -> std::io::Result<Scrubbing> {
        let (progress, stop, woken) = (Progress::new(), Mutex::new(false), Condvar::new());
        let shared = Arc::new(Shared { vault, rules, progress, stop, woken });
        let run = shared.clone();
        let thread = std::thread::Builder::new().name("mount-scrub".into()).spawn(move || run.run())?;
        Ok(Scrubbing { shared, thread: Some(thread) })
    }
}

impl Drop for Scrubbing {
    fn drop(&mut self) {
        *self.shared.stop.lock() = true;
        self.shared.progress.cancel();
        self.shared.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Shared {
    fn run(&self) {
        be_nice(NICENESS);
        while self.wait() {
            if !self.vault.is_scrub_due(self.rules.every).unwrap_or(false) {
                continue;
            }
            match self.vault.scrub(self.rules.bytes_per_second, &self.progress) {
                Ok(round) => tracing::info!(packs = round.packs, healed = round.healed, "went through all packs"),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Busy) => {}
                Err(error) => tracing::warn!(%error, "not all packs could be looked at"),
            }
        }
    }

    /// Waits until it is time to look; `false` at the end.
    fn wait(&self) -> bool {
        let mut stop = self.stop.lock();
        if !*stop {
            self.woken.wait_for(&mut stop, LOOK);
        }
        !*stop
    }
}
