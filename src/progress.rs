//! How long work tells what it has done, and how it is asked to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::error::{Error, ErrorKind, Result};

/// Counters that workers raise and a front end shows, and a flag with which it stops them.
///
/// One value is shared by all threads of one piece of work. Reading it costs nothing, so a front end samples it.
#[derive(Debug, Default)]
pub struct Progress {
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    cancelled: AtomicBool,
}

/// One reading of a [`Progress`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ProgressReading {
    /// Files found so far.
    pub files_total: u64,
    /// Bytes found so far.
    pub bytes_total: u64,
    /// Files finished.
    pub files_done: u64,
    /// Bytes finished.
    pub bytes_done: u64,
}

impl Progress {
    /// Makes counters that stand at zero.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// Counts work that was found.
    pub fn add_total(&self, files: u64, bytes: u64) {
        self.files_total.fetch_add(files, Relaxed);
        self.bytes_total.fetch_add(bytes, Relaxed);
    }

    /// Counts files that were finished.
    pub fn add_files(&self, files: u64) {
        self.files_done.fetch_add(files, Relaxed);
    }

    /// Counts bytes that were finished.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Relaxed);
    }

    /// Returns the counters as they stand.
    pub fn read(&self) -> ProgressReading {
        ProgressReading {
            files_total: self.files_total.load(Relaxed),
            bytes_total: self.bytes_total.load(Relaxed),
            files_done: self.files_done.load(Relaxed),
            bytes_done: self.bytes_done.load(Relaxed),
        }
    }

    /// Asks the work to stop at the next safe point.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Goes on, or stops when [`Progress::cancel`] was called.
    ///
    /// # Errors
    /// `Interrupted` after a cancel.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            let hint = "run the same command again: it goes on where it stopped";
            return Err(Error::new(ErrorKind::Interrupted, "stopped on request").with_hint(hint));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cancel_stops_the_work_with_its_own_kind() {
        let progress = Progress::new();
        assert!(progress.check().is_ok());
        progress.cancel();
        assert_eq!(progress.check().unwrap_err().kind(), ErrorKind::Interrupted);
    }
}
