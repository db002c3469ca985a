//! What was read before: files by their content, and what they amount to for a target.

use super::formats::{Format, Parsed, parse};
use super::layout::Fingerprint;
use super::{Effective, FileId, Source, Target};
use crate::error::Result;
use crate::id::ChunkId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of files whose settings are kept; a setting takes a few times the room of its line.
const MAX_BYTES: u64 = 64 << 20;

/// Settings of targets that are kept.
const MAX_SETTINGS: usize = 1_000_000;

/// Keeps what was read, of bounded size, so that a file that many builds share is read once.
#[derive(Default)]
pub struct Cache {
    files: Mutex<Files>,
    effective: Mutex<Targets>,
    reads: AtomicU64,
}

#[derive(Default)]
struct Files {
    bytes: u64,
    parsed: HashMap<(ChunkId, Format), Arc<Parsed>>,
}

#[derive(Default)]
struct Targets {
    settings: usize,
    effective: HashMap<(Fingerprint, Target), Arc<Effective>>,
}

impl Cache {
    /// Returns how many files were read so far, because they were not known.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Returns what the file at `path` says.
    pub(super) fn parsed(&self, source: &dyn Source, path: &str, file: FileId, format: Format) -> Result<Arc<Parsed>> {
        if let Some(parsed) = self.files.lock().parsed.get(&(file.id, format)) {
            return Ok(parsed.clone());
        }
        let parsed = Arc::new(parse(format, &source.read(path)?));
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut files = self.files.lock();
        if files.bytes + file.size > MAX_BYTES {
            *files = Files::default();
        }
        files.bytes += file.size;
        files.parsed.insert((file.id, format), parsed.clone());
        Ok(parsed)
    }

    /// Returns what is set for `target` where the files are those of `fingerprint`; `make` tells it where that is not known.
    pub(super) fn effective(
        &self,
        fingerprint: Fingerprint,
        target: &Target,
        make: impl FnOnce() -> Result<Effective>,
    ) -> Result<Arc<Effective>> {
        let key = (fingerprint, target.clone());
        if let Some(effective) = self.effective.lock().effective.get(&key) {
            return Ok(effective.clone());
        }
        let effective = Arc::new(make()?);
        let mut kept = self.effective.lock();
        if kept.settings + effective.settings.len() > MAX_SETTINGS {
            *kept = Targets::default();
        }
        kept.settings += effective.settings.len();
        kept.effective.insert(key, effective.clone());
        Ok(effective)
    }
}
