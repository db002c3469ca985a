//! Sizes, counts and dates as people read them.

use crate::manifest::Timestamp;

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

/// Returns by how many bytes something grew or shrank: `+1.2 GB`, `−3 B`, `±0`.
pub fn growth(bytes: i64) -> String {
    match bytes {
        0 => "±0".to_owned(),
        1.. => format!("+{}", size(bytes.unsigned_abs())),
        _ => format!("\u{2212}{}", size(bytes.unsigned_abs())),
    }
}

/// Returns `new` less `old`; what no signed number holds counts as the most that one does.
pub fn difference(old: u64, new: u64) -> i64 {
    i64::try_from(i128::from(new) - i128::from(old)).unwrap_or(if new > old { i64::MAX } else { i64::MIN })
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

/// Returns `time` in UTC, to the minute: pages read the same wherever they are made.
pub fn date(time: Timestamp) -> String {
    match jiff::Timestamp::new(time.secs, time.nanos as i32) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => "-".to_owned(),
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
    fn growth_has_a_sign() {
        assert_eq!([0, 5, -1500].map(growth), ["±0", "+5 B", "\u{2212}1.5 kB"]);
        assert_eq!([difference(5, 3), difference(0, u64::MAX), difference(u64::MAX, 0)], [-2, i64::MAX, i64::MIN]);
        assert_eq!(growth(i64::MIN), "\u{2212}9.2 EB");
    }

    #[test]
    fn counts_agree_with_their_noun() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
        assert_eq!(count(100, "build"), "100 builds");
    }

    #[test]
    fn dates_are_those_of_utc() {
        assert_eq!(date(Timestamp { secs: 1_795_372_200, nanos: 5 }), "2026-11-22 18:30");
        // Further off than any calendar goes.
        assert_eq!(date(Timestamp { secs: i64::MAX, nanos: 0 }), "-");
    }
}
