//! How often chunks were refused a smaller form in this process, until the catalogue takes the counts over.

use crate::catalogue::Refused;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Counts and plain bytes by reason.
#[derive(Default)]
pub(super) struct Counters {
    /// One lock for all: it is held for some nanoseconds, after a chunk was encoded in vain.
    refused: Mutex<BTreeMap<&'static str, (u64, u64)>>,
}

impl Counters {
    pub(super) fn add(&self, reason: &'static str, count: u64, bytes: u64) {
        let mut refused = self.refused.lock();
        let (old_count, old_bytes) = refused.entry(reason).or_default();
        *old_count += count;
        *old_bytes += bytes;
    }

    /// Calls `keep` with the counts so far; they are forgotten when it succeeds.
    pub(super) fn hand_over<E>(&self, keep: impl FnOnce(&[Refused]) -> Result<(), E>) -> Result<(), E> {
        let taken = std::mem::take(&mut *self.refused.lock());
        let refused = taken.iter().map(|(reason, &(count, bytes))| Refused { reason: (*reason).into(), count, bytes });
        let kept = keep(&refused.collect::<Vec<_>>());
        if kept.is_err() {
            taken.iter().for_each(|(reason, &(count, bytes))| self.add(reason, count, bytes));
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_nobody_kept_are_handed_over_again() {
        let counters = Counters::default();
        counters.add("too-slow", 1, 10);
        assert_eq!(counters.hand_over(|_| Err("no room")), Err("no room"));
        counters.add("too-slow", 1, 5);
        counters.add("too-long", 1, 7);
        let mut seen = Vec::new();
        let keep = |refused: &[Refused]| -> Result<(), ()> {
            seen.extend(refused.iter().map(|one| (one.reason.clone(), one.count, one.bytes)));
            Ok(())
        };
        counters.hand_over(keep).unwrap();
        assert_eq!(seen, [("too-long".to_owned(), 1, 7), ("too-slow".to_owned(), 2, 15)]);
        counters.hand_over(|refused| if refused.is_empty() { Ok(()) } else { Err(refused.len()) }).unwrap();
    }
}
