//! Counts requests, their errors and bytes, and how long they took, by kind.
//!
//! A request costs two or three relaxed additions and two looks at the clock. Nothing runs beside the requests: the first one of
//! each second keeps how the counts were before it, so that the last ten seconds can be told.

use super::activity::{OpActivity, Rates};
use super::ops::Op;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The seconds that count as recent.
const RECENT_SECONDS: u64 = 10;

/// Latencies are told apart in units of 256 ns...
const UNIT_BITS: u32 = 8;
/// ...and above four of them in four steps for each doubling: a percentile is at most a quarter too high.
const STEP_BITS: u32 = 2;
const STEPS: usize = 1 << STEP_BITS;
/// The last bucket starts at four minutes.
const BUCKET_COUNT: usize = 29 * STEPS;

const OP_COUNT: usize = Op::ALL.len();

/// The counts of one mount.
pub(super) struct Meter {
    started: Instant,
    ops: [Line; OP_COUNT],
    /// The last second for which `history` has an entry.
    newest_second: AtomicU64,
    /// How the counts were at the start of recent seconds in which there were requests, oldest first.
    history: Mutex<VecDeque<(u64, Vec<Counts>)>>,
}

/// The counts of one kind; in cache lines of their own.
#[repr(align(128))]
struct Line {
    buckets: [AtomicU64; BUCKET_COUNT],
    errors: AtomicU64,
    bytes: AtomicU64,
}

/// What a [`Line`] said at one time.
#[derive(Clone)]
struct Counts {
    buckets: [u64; BUCKET_COUNT],
    errors: u64,
    bytes: u64,
}

impl Meter {
    pub(super) fn new() -> Meter {
        let line = || Line {
            buckets: [const { AtomicU64::new(0) }; BUCKET_COUNT],
            errors: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        Meter {
            started: Instant::now(),
            ops: std::array::from_fn(|_| line()),
            newest_second: AtomicU64::new(u64::MAX),
            history: Mutex::default(),
        }
    }

    /// Counts a request of a kind that began at `since` and has been answered.
    pub(super) fn record(&self, op: Op, since: Instant, has_failed: bool) {
        let now = Instant::now();
        let second = (now - self.started).as_secs();
        if second != self.newest_second.load(Relaxed) {
            self.keep(second);
        }
        let line = &self.ops[op as usize];
        line.buckets[bucket(now - since)].fetch_add(1, Relaxed);
        if has_failed {
            line.errors.fetch_add(1, Relaxed);
        }
    }

    /// Counts bytes that a request of a kind has moved.
    pub(super) fn add_bytes(&self, op: Op, bytes: u64) {
        self.ops[op as usize].bytes.fetch_add(bytes, Relaxed);
    }

    /// Returns how long ago it began to count.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns what was counted of the kinds of which there were any.
    pub(super) fn activity(&self) -> Vec<OpActivity> {
        let age = self.age();
        let first_recent = age.as_secs().saturating_sub(RECENT_SECONDS);
        let history = self.history.lock();
        let before = history.iter().find(|(second, _)| *second >= first_recent).map(|(_, counts)| counts);
        let recent_seconds = age.as_secs_f64().clamp(1.0, RECENT_SECONDS as f64);
        let of = |&op: &Op| {
            let total = self.ops[op as usize].counts();
            let recent = before.map_or(Counts::NONE, |before| total.since(&before[op as usize]));
            let (recent, total) = (recent.rates(recent_seconds), total.rates(age.as_secs_f64()));
            (total.count > 0).then(|| OpActivity { op: op.name().into(), recent, total })
        };
        Op::ALL.iter().filter_map(of).collect()
    }

    #[cold]
    fn keep(&self, second: u64) {
        // Whoever comes second counts on; that a few requests more or less are in the first instant of a second is no harm.
        let Some(mut history) = self.history.try_lock() else { return };
        if history.back().is_some_and(|(newest, _)| *newest >= second) {
            return;
        }
        while history.front().is_some_and(|(oldest, _)| oldest + RECENT_SECONDS < second) {
            history.pop_front();
        }
        history.push_back((second, self.ops.iter().map(Line::counts).collect()));
        self.newest_second.store(second, Relaxed);
    }
}

impl Line {
    fn counts(&self) -> Counts {
        Counts {
            buckets: std::array::from_fn(|index| self.buckets[index].load(Relaxed)),
            errors: self.errors.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }
}

impl Counts {
    const NONE: Counts = Counts { buckets: [0; BUCKET_COUNT], errors: 0, bytes: 0 };

    fn since(&self, before: &Counts) -> Counts {
        Counts {
            buckets: std::array::from_fn(|index| self.buckets[index].saturating_sub(before.buckets[index])),
            errors: self.errors.saturating_sub(before.errors),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }

    fn rates(&self, seconds: f64) -> Rates {
        let count = self.buckets.iter().sum();
        let percentile = |share: f64| {
            let rank = ((count as f64 * share).ceil() as u64).max(1);
            let mut seen = 0;
            let index = self.buckets.iter().position(|&count| {
                seen += count;
                seen >= rank
            });
            index.map(|index| upper_edge(index).as_nanos() as f64 / 1000.0)
        };
        Rates {
            count,
            per_second: count as f64 / seconds,
            errors: self.errors,
            bytes: self.bytes,
            p50_us: percentile(0.5),
            p99_us: percentile(0.99),
        }
    }
}

fn bucket(latency: Duration) -> usize {
    let units = (latency.as_nanos() as u64) >> UNIT_BITS;
    if units < STEPS as u64 {
        return units as usize;
    }
    let exponent = units.ilog2() - STEP_BITS;
    let index = STEPS * exponent as usize + (units >> exponent) as usize;
    index.min(BUCKET_COUNT - 1)
}

/// Returns the latency at which bucket `index` ends.
fn upper_edge(index: usize) -> Duration {
    let next = index + 1;
    let units = match next.checked_sub(STEPS) {
        None => next as u64,
        Some(above) => ((STEPS + above % STEPS) as u64) << (above / STEPS),
    };
    Duration::from_nanos(units << UNIT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_in_a_bucket_that_ends_less_than_a_quarter_above_it() {
        for shift in 0..36 {
            for odd in [0, 1, 3, 7, 1000] {
                let nanos: u64 = (1 << shift) + odd;
                let edge = upper_edge(bucket(Duration::from_nanos(nanos))).as_nanos() as u64;
                assert!(edge > nanos, "{nanos}: {edge}");
                assert!(edge <= nanos + nanos / 4 + 256, "{nanos}: {edge}");
            }
        }
        assert_eq!(bucket(Duration::from_secs(10_000)), BUCKET_COUNT - 1);
    }

    #[test]
    fn counts_percentiles_errors_and_bytes_are_told_by_kind() {
        let meter = Meter::new();
        let ago = |micros: u64| Instant::now().checked_sub(Duration::from_micros(micros)).unwrap();
        for _ in 0..97 {
            meter.record(Op::Read, ago(100), false);
        }
        for _ in 0..3 {
            meter.record(Op::Read, ago(50_000), true);
        }
        meter.add_bytes(Op::Read, 7000);
        meter.record(Op::Lookup, ago(1), false);
        let activity = meter.activity();
        assert_eq!(activity.iter().map(|op| op.op.as_str()).collect::<Vec<_>>(), ["lookup", "read"]);
        for Rates { count, errors, bytes, p50_us, p99_us, .. } in [&activity[1].total, &activity[1].recent] {
            assert_eq!((*count, *errors, *bytes), (100, 3, 7000));
            assert!((100.0..250.0).contains(&p50_us.unwrap()), "{p50_us:?}");
            assert!((50_000.0..70_000.0).contains(&p99_us.unwrap()), "{p99_us:?}");
        }
    }

    #[test]
    fn recent_is_what_began_within_ten_seconds() {
        let mut meter = Meter::new();
        meter.record(Op::Read, Instant::now(), false);
        let count = |meter: &Meter| (meter.activity()[0].recent.count, meter.activity()[0].total.count);
        assert_eq!(count(&meter), (1, 1));
        // As if it had been started earlier: what was counted moves into the past.
        let later = |meter: &mut Meter, seconds| meter.started -= Duration::from_secs(seconds);
        later(&mut meter, 8);
        meter.record(Op::Read, Instant::now(), false);
        assert_eq!(count(&meter), (2, 2));
        later(&mut meter, 8);
        assert_eq!(count(&meter), (1, 2));
        later(&mut meter, 8);
        assert_eq!(count(&meter), (0, 2));
        for _ in 0..30 {
            later(&mut meter, 1);
            meter.record(Op::Read, Instant::now(), false);
        }
        assert!((10..=11).contains(&count(&meter).0), "{:?}", count(&meter));
        assert!(meter.history.lock().len() <= RECENT_SECONDS as usize + 1);
    }
}
