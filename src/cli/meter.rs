//! From readings of a progress to its rate and the time that is left.

use gamevault::progress::ProgressReading;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is taken over this long: short enough to follow a change of disk, long enough to be steady.
const WINDOW: Duration = Duration::from_secs(5);

/// What is known of the size of a piece of work when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The work counts all that it has to do before it does any of it.
    Counted,
    /// About so much, or what the work finds when that is more.
    About {
        /// Files to do.
        files: u64,
        /// Bytes to do.
        bytes: u64,
    },
    /// Nothing; what the work has found so far is no measure of what it will find.
    Unknown,
}

/// Watches one piece of work.
pub struct Meter {
    expected: Expected,
    started: Instant,
    samples: VecDeque<(Instant, u64)>,
}

/// Where the work stands.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Measure {
    #[serde(flatten)]
    pub reading: ProgressReading,
    /// Over the last seconds.
    pub bytes_per_second: u64,
    /// At that rate; `None` while rate or size of the work are not known.
    pub eta_seconds: Option<u64>,
    /// Since the work began.
    pub elapsed_seconds: f64,
}

impl Meter {
    /// Starts at `now`.
    pub fn new(expected: Expected, now: Instant) -> Meter {
        Meter { expected, started: now, samples: VecDeque::from([(now, 0)]) }
    }

    /// Tells whether the work's size is known, if only about.
    pub fn knows_size(&self) -> bool {
        self.expected != Expected::Unknown
    }

    /// Takes a reading.
    pub fn measure(&mut self, mut reading: ProgressReading, now: Instant) -> Measure {
        if let Expected::About { files, bytes } = self.expected {
            reading.files_total = reading.files_total.max(files);
            reading.bytes_total = reading.bytes_total.max(bytes);
        }
        self.samples.push_back((now, reading.bytes_done));
        while self.samples.len() > 2 && now - self.samples[1].0 >= WINDOW {
            self.samples.pop_front();
        }
        let (since, bytes_then) = self.samples[0];
        let seconds = (now - since).as_secs_f64();
        let bytes = reading.bytes_done.saturating_sub(bytes_then);
        let bytes_per_second = if seconds > 0.0 { (bytes as f64 / seconds) as u64 } else { 0 };
        let left = reading.bytes_total.saturating_sub(reading.bytes_done);
        let eta_seconds = left.checked_div(bytes_per_second).filter(|_| self.knows_size());
        Measure { reading, bytes_per_second, eta_seconds, elapsed_seconds: (now - self.started).as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_last_seconds() {
        let start = Instant::now();
        let mut meter = Meter::new(Expected::Counted, start);
        let mut measure = None;
        // 10 s at 100 B/s, then 10 s at 1 B/s.
        for second in 1..=20_u64 {
            let bytes_done = second.min(10) * 100 + second.saturating_sub(10);
            let reading = ProgressReading { bytes_done, bytes_total: 1110, ..Default::default() };
            measure = Some(meter.measure(reading, start + Duration::from_secs(second)));
        }
        let measure = measure.unwrap();
        assert_eq!((measure.bytes_per_second, measure.eta_seconds), (1, Some(100)));
    }

    #[test]
    fn nothing_done_gives_no_estimate() {
        let start = Instant::now();
        let measure = Meter::new(Expected::Counted, start).measure(ProgressReading::default(), start);
        assert_eq!((measure.bytes_per_second, measure.eta_seconds), (0, None));
    }

    #[test]
    fn expectations_give_an_estimate_where_counts_do_not() {
        let start = Instant::now();
        let reading = ProgressReading { bytes_done: 100, bytes_total: 110, ..Default::default() };
        let eta = |expected| Meter::new(expected, start).measure(reading, start + Duration::from_secs(1)).eta_seconds;
        assert_eq!(eta(Expected::Unknown), None);
        assert_eq!(eta(Expected::About { files: 1, bytes: 1100 }), Some(10));
        assert_eq!(eta(Expected::About { files: 1, bytes: 50 }), Some(0));
    }
}
