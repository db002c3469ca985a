//! Sizes, counts and times as people read them.

use gamevault::manifest::Timestamp;
use jiff::tz::TimeZone;
use std::time::{Duration, SystemTime};

const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];

/// Returns `bytes` with three or four digits: `999 B`, `1.2 GB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be rounded to the five digits of 1000.0.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Returns `1 file`, `2 files`, `1,234,567 files`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Returns `number` with a comma at every thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

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
    fn sizes_never_have_five_digits() {
        let sizes = [0, 999, 1000, 1234, 999_949, 999_950, 1_200_000_000, u64::MAX];
        let expected = ["0 B", "999 B", "1.0 kB", "1.2 kB", "999.9 kB", "1.0 MB", "1.2 GB", "18.4 EB"];
        assert_eq!(sizes.map(size), expected);
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
        assert_eq!(count(100, "build"), "100 builds");
    }

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
