//! What reading has cost this process, counted.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that threads add to as they go; one count may be seen a moment before another that belongs to it.
#[derive(Default)]
pub(super) struct ReadCounters {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) reads: Counter,
    pub(super) read_bytes: Counter,
    pub(super) decoded_chunks: Counter,
    pub(super) decoded_bytes: Counter,
    pub(super) ahead_chunks: Counter,
    pub(super) ahead_used: Counter,
    pub(super) ahead_wasted: Counter,
}

/// One of them.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What reading has cost since the vault was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadCounts {
    /// Chunks of files that readers found decoded.
    pub cache_hits: u64,
    /// Chunks of files that readers had to wait for.
    pub cache_misses: u64,
    /// Reads of packs.
    pub pack_reads: u64,
    /// Bytes read from packs.
    pub pack_bytes: u64,
    /// Chunks decoded, with bases and nodes of manifests.
    pub decoded_chunks: u64,
    /// Their plain bytes.
    pub decoded_bytes: u64,
    /// Chunks that were decoded before somebody asked for them.
    pub ahead_chunks: u64,
    /// Those of them that somebody then asked for.
    pub ahead_used: u64,
    /// Those of them that were evicted before somebody did.
    pub ahead_wasted: u64,
}

impl ReadCounters {
    pub(super) fn counts(&self) -> ReadCounts {
        ReadCounts {
            cache_hits: self.hits.get(),
            cache_misses: self.misses.get(),
            pack_reads: self.reads.get(),
            pack_bytes: self.read_bytes.get(),
            decoded_chunks: self.decoded_chunks.get(),
            decoded_bytes: self.decoded_bytes.get(),
            ahead_chunks: self.ahead_chunks.get(),
            ahead_used: self.ahead_used.get(),
            ahead_wasted: self.ahead_wasted.get(),
        }
    }
}
