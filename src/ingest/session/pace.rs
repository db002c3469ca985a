//! How long a session must be quiet before it may be whole: longer than any pause of the copy that fills it.

use std::time::{Duration, Instant};

/// A quiet time is so many times the longest pause seen within the copy.
const GAP_FACTOR: u32 = 5;

/// However long a copy once paused, nobody waits longer for the end of it: a copy that was stopped over lunch must not keep
/// its build until the evening.
const MAX_QUIET: Duration = Duration::from_secs(600);

/// The changes of a session on a clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    last_change: Instant,
    longest_gap: Duration,
}

impl Pace {
    /// Starts with a change.
    pub(super) fn new(now: Instant) -> Pace {
        Pace { last_change: now, longest_gap: Duration::ZERO }
    }

    /// Takes note of a change; the pause before it counts when it lay `within` a copy, not between two.
    pub(super) fn changed(&mut self, now: Instant, within: bool) {
        let gap = now.saturating_duration_since(self.last_change);
        if within {
            self.longest_gap = self.longest_gap.max(gap);
        }
        self.last_change = now;
    }

    /// Returns how long nothing has changed.
    pub(super) fn quiet(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_change)
    }

    /// Returns for how long nothing must change; `least` is what the vault's config asks for.
    pub(super) fn needed(&self, least: Duration) -> Duration {
        (self.longest_gap * GAP_FACTOR).min(MAX_QUIET).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_within_a_copy_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let least = Duration::from_secs(15);
        let mut pace = Pace::new(start);
        assert_eq!(pace.needed(least), least);
        pace.changed(at(2), true);
        pace.changed(at(12), true);
        pace.changed(at(13), true);
        assert_eq!((pace.needed(least), pace.quiet(at(20))), (Duration::from_secs(50), Duration::from_secs(7)));
        pace.changed(at(1000), false);
        assert_eq!(pace.needed(least), Duration::from_secs(50));
        pace.changed(at(5000), true);
        assert_eq!(pace.needed(least), MAX_QUIET);
        assert_eq!(pace.needed(MAX_QUIET * 2), MAX_QUIET * 2, "who asks for more gets it");
    }
}
