//! Decoded chunks in memory.
//!
//! What is asked for once, such as a file that is read from end to end, only passes through the colder part of the cache;
//! what is asked for again moves to the hotter part, which nothing drives out that is asked for once. Chunks that were
//! decoded ahead wait in the colder part, so that must hold more than all readers are ahead.

use super::read_counters::ReadCounters;
use crate::id::ChunkKey;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The part of the cache for what was asked for again; the rest is for what is new.
const HOT_SHARE: f64 = 0.5;

/// What a cached chunk takes beside its bytes: about as much again as a small one has.
const ENTRY_BYTES: u64 = 128;

/// Few shards, so that each has room for many of the largest chunks.
const SHARDS: usize = 4;

/// A shard that cannot hold some chunks of usual size keeps none; then there is one.
const MIN_SHARD_BYTES: u64 = 8 << 20;

/// The plain bytes of a chunk, shared with the cache.
#[derive(Debug, Clone)]
pub struct Plain(Arc<Decoded>);

#[derive(Debug)]
struct Decoded {
    bytes: Vec<u8>,
    /// It was decoded ahead, and nobody has asked for it yet.
    is_ahead: AtomicBool,
}

impl Plain {
    pub(super) fn new(bytes: Vec<u8>, is_ahead: bool) -> Plain {
        Plain(Arc::new(Decoded { bytes, is_ahead: AtomicBool::new(is_ahead) }))
    }

    /// Tells whether it waits for the first who asks for it; from now on it does not.
    pub(super) fn take_ahead(&self) -> bool {
        // The look before spares all later readers the exclusive use of the cache line.
        self.0.is_ahead.load(Ordering::Relaxed) && self.0.is_ahead.swap(false, Ordering::Relaxed)
    }
}

impl Deref for Plain {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.bytes
    }
}

#[derive(Clone)]
pub(super) struct ByLength;

impl Weighter<ChunkKey, Plain> for ByLength {
    fn weight(&self, _key: &ChunkKey, plain: &Plain) -> u64 {
        plain.0.bytes.capacity() as u64 + ENTRY_BYTES
    }
}

/// Counts the chunks that were decoded ahead in vain.
#[derive(Clone)]
pub(super) struct CountWasted(Arc<ReadCounters>);

impl Lifecycle<ChunkKey, Plain> for CountWasted {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _key: ChunkKey, plain: Plain) {
        if plain.take_ahead() {
            self.0.ahead_wasted.add(1);
        }
    }
}

/// A bounded cache of decoded chunks.
pub(super) type ChunkCache = Cache<ChunkKey, Plain, ByLength, DefaultHashBuilder, CountWasted>;

/// Returns an empty one that holds at most `bytes`.
pub(super) fn chunk_cache(bytes: u64, counters: Arc<ReadCounters>) -> ChunkCache {
    let mut options = OptionsBuilder::new();
    options.shards(if bytes / (SHARDS as u64) < MIN_SHARD_BYTES { 1 } else { SHARDS });
    options.hot_allocation(HOT_SHARE);
    // Chunks have 32 KiB on average.
    options.estimated_items_capacity((bytes >> 15) as usize);
    options.weight_capacity(bytes);
    let options = options.build().expect("all that is needed is set");
    Cache::with_options(options, ByLength, DefaultHashBuilder::default(), CountWasted(counters))
}
