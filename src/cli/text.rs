//! Sizes, counts and times as people read them.

use gamevault::manifest::Timestamp;
pub use gamevault::report::text::{count, grouped, growth, size};
use jiff::tz::TimeZone;
use std::time::{Duration, SystemTime};

/// Returns `time` on this machine's clock: `2026-11-22 18:30`.
pub fn local_time(time: Timestamp) -> String {
    match jiff::Timestamp::try_from(SystemTime::from(time)) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "-".to_owned(),
    }
}

/// Returns `time` for scripts: `2026-11-22T17:30:05.123Z`.
pub fn utc_time(time: Timestamp) -> String {
    match jiff::Timestamp::try_from(SystemTime::from(time)) {
        Ok(time) => time.to_string(),
        Err(_) => String::new(),
    }
}

/// Returns how long before `now` the `time` was: `3 hours ago`.
pub fn ago(time: Timestamp, now: SystemTime) -> String {
    let Ok(passed) = now.duration_since(time.into()) else { return "in the future".to_owned() };
    let minutes = passed.as_secs() / 60;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{} ago", count(minutes, "minute")),
        60..2880 => format!("{} ago", count(minutes / 60, "hour")),
        _ => format!("{} ago", count(minutes / 1440, "day")),
    }
}

/// Returns `12 s`, `3:07` or `1:02:03`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_the_largest_unit_that_matters() {
        let now = SystemTime::now();
        let before = |seconds| Timestamp::from(now - Duration::from_secs(seconds));
        assert_eq!(ago(before(5), now), "just now");
        assert_eq!(ago(before(61), now), "1 minute ago");
        assert_eq!(ago(before(47 * 3600), now), "47 hours ago");
        assert_eq!(ago(before(72 * 3600), now), "3 days ago");
        assert_eq!(duration(Duration::from_secs(3723)), "1:02:03");
    }
}
