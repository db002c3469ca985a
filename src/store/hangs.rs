//! Packs that do not answer: whoever wants to read one is told so at once, and does not wait as well.
//!
//! A read of a disk that went away may never end, and a thread in it cannot be called back. So that not every reader loses
//! one, a pack in which nothing was read for a while, though somebody tries, is refused to all others until it answers.

use crate::error::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use quick_cache::sync::{Cache, GuardResult};
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long a pack may keep quiet. A sleeping hard disk takes 10 s to start.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The packs that are being read.
pub(super) struct Hangs {
    patience: Duration,
    packs: Mutex<HashMap<i64, Reads>>,
}

/// The reads of a pack that have not ended.
struct Reads {
    count: u32,
    /// When the pack answered last, or the first of them began.
    quiet_since: Instant,
}

/// One read, until it is dropped.
pub(super) struct Read<'a> {
    hangs: &'a Hangs,
    pack: i64,
}

impl Hangs {
    pub(super) fn new(patience: Duration) -> Hangs {
        Hangs { patience, packs: Mutex::default() }
    }

    /// Begins a read of pack number `pack`; `Err` with how long it has kept quiet if it does not answer.
    pub(super) fn begin(&self, pack: i64) -> std::result::Result<Read<'_>, Duration> {
        let now = Instant::now();
        let mut packs = self.packs.lock();
        let reads = packs.entry(pack).or_insert(Reads { count: 0, quiet_since: now });
        let quiet = now.saturating_duration_since(reads.quiet_since);
        if quiet > self.patience {
            return Err(quiet);
        }
        reads.count += 1;
        Ok(Read { hangs: self, pack })
    }
}

impl Drop for Read<'_> {
    fn drop(&mut self) {
        let mut packs = self.hangs.packs.lock();
        let reads = packs.get_mut(&self.pack).expect("a read that has not ended is counted");
        reads.count -= 1;
        match reads.count {
            0 => drop(packs.remove(&self.pack)),
            _ => reads.quiet_since = Instant::now(),
        }
    }
}

/// Returns the error of a read of pack `pack`, which has kept quiet for `quiet`.
pub(super) fn does_not_answer(pack: impl std::fmt::Display, quiet: Duration) -> Error {
    let message = format!("pack {pack} does not answer: a read of it has waited for {} s", quiet.as_secs());
    Error::new(ErrorKind::Io, message).with_hint("look after the disk that it is on; it is read again when it answers")
}

/// Returns what `cache` has for `key`, or fetches it, once for all threads that ask at the same time.
///
/// Nobody waits for another thread that hangs: after a while it tries by itself.
///
/// # Errors
/// Those of `fetch`.
pub fn get_or_fetch<K, V, W, L>(
    cache: &Cache<K, V, W, DefaultHashBuilder, L>,
    key: K,
    fetch: impl FnOnce() -> Result<V>,
) -> Result<V>
where
    K: Hash + Eq + Copy,
    V: Clone,
    W: Weighter<K, V> + Clone,
    L: Lifecycle<K, V> + Clone,
{
    match cache.get_value_or_guard(&key, Some(PATIENCE)) {
        GuardResult::Value(value) => Ok(value),
        GuardResult::Guard(guard) => {
            let value = fetch()?;
            // What was removed meanwhile is not put back, and is right all the same.
            let _ = guard.insert(value.clone());
            Ok(value)
        }
        GuardResult::Timeout => fetch(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_pack_is_refused_until_it_answers_and_others_are_not() {
        let hangs = Hangs::new(Duration::from_millis(20));
        let hanging = hangs.begin(1).ok();
        assert!(hangs.begin(1).is_ok(), "not quiet for long enough");
        std::thread::sleep(Duration::from_millis(50));
        assert!(hangs.begin(1).is_err());
        assert!(hangs.begin(2).is_ok());
        drop(hanging);
        assert!(hangs.begin(1).is_ok());
        assert!(hangs.packs.lock().is_empty());
    }

    #[test]
    fn a_slow_pack_that_answers_now_and_then_is_not_refused() {
        let hangs = Hangs::new(Duration::from_millis(500));
        let slow = hangs.begin(1).ok();
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(100));
            assert!(hangs.begin(1).is_ok());
        }
        drop(slow);
    }
}
