//! Who may have taken a chunk for stored that is about to go.
//!
//! Whoever stores finds most chunks there already, and names them in a tree that nobody sees before it is published. So a chunk
//! that nothing needs is *doomed* first, which begins a new epoch: from then on it counts as missing, and who stores it again
//! spares it. It goes once all who began to store in the epoch before have ended; what they published or wrote into the journals
//! of their sessions is looked at once more before.
//!
//! Each writer has a lock file of its epoch locked, shared with the others, so that one that is killed has ended, too. There are
//! two such files: the next epoch begins only when nobody of the one before the last is left.

use super::Store;
use crate::disk::DiskFile;
use crate::error::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::time::{Duration, Instant};

/// Pauses between the looks for writers that are left.
const PAUSE: Duration = Duration::from_millis(50);

/// The right to store chunks, and the promise that none goes that was there since it was given.
pub struct Writing {
    _file: Arc<dyn DiskFile>,
    writers: Arc<AtomicUsize>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.writers.fetch_sub(1, AcqRel);
    }
}

impl Store {
    /// Begins to store; to be held until what was stored is published, or given up.
    ///
    /// # Errors
    /// `Io` from the disk; those of the catalogue.
    pub fn begin_writing(&self) -> Result<Writing> {
        loop {
            let epoch = self.catalogue.epoch()?;
            let file = self.lock_file(epoch)?;
            // Somebody else ends this epoch just now.
            if !file.try_lock(false)? || self.catalogue.epoch()? != epoch {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            self.writers.fetch_add(1, AcqRel);
            return Ok(Writing { _file: file, writers: self.writers.clone() });
        }
    }

    /// Waits until nobody is left who began to store before this epoch; `None` if somebody is after `patience`.
    ///
    /// # Errors
    /// As [`Store::begin_writing`].
    pub fn wait_for_writers(&self, patience: Duration) -> Result<Option<Arc<dyn DiskFile>>> {
        let start = Instant::now();
        let file = self.lock_file(self.catalogue.epoch()?.wrapping_sub(1))?;
        while !file.try_lock(true)? {
            if start.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(Some(file))
    }

    /// Tells whether this process may store: assertions find out who forgot to ask.
    pub(crate) fn is_writing(&self) -> bool {
        self.writers.load(Acquire) > 0
    }

    fn lock_file(&self, epoch: u64) -> Result<Arc<dyn DiskFile>> {
        let path: PathBuf = Path::new(super::writer::PACKS_DIR).join(format!("writers-{}", epoch % 2));
        self.disk.open_writable(&path).or_else(|error| match error.kind() {
            ErrorKind::NotFound => match self.disk.create(&path) {
                Err(error) if error.kind() == ErrorKind::Exists => self.disk.open_writable(&path),
                created => created,
            },
            _ => Err(error),
        })
    }
}
