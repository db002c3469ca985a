//! What sources say in words of their own, brought to the words of records: times, platforms, outcomes, levels.

use crate::catalogue::feedback::{FeedbackRecord, Outcome};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The most characters of a short text, such as a tag, a level or a version.
pub const MAX_SHORT_LEN: usize = 200;

/// The most bytes of a long text.
pub const MAX_TEXT_LEN: usize = 256 << 10;

/// The most tags, fields, frames of a stack, and attachments of one record.
pub const MAX_ITEMS: usize = 256;

/// Where a player says what level it was, in the keys of games and tools.
const LEVEL_KEYS: [&str; 10] =
    ["level", "level_name", "levelname", "map", "map_name", "mapname", "scene", "scene_name", "scenename", "stage"];

/// Returns the value at a path of keys, `user.id`.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// Returns the text at a path; numbers and flags as they are written.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    plain(at(value, path)?)
}

/// Returns the text at the first of `paths` that has one.
pub(super) fn first_text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| text(value, path))
}

/// Returns the number at a path, also of a text that is one.
pub(super) fn number(value: &Value, path: &str) -> Option<f64> {
    match at(value, path)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// Returns the texts of an array at a path.
pub(super) fn texts(value: &Value, path: &str) -> Vec<String> {
    let array = at(value, path).and_then(Value::as_array);
    array.into_iter().flatten().take(MAX_ITEMS).filter_map(plain).collect()
}

/// Returns a value as a text; nothing for what is empty.
pub(super) fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// Adds all members of an object to the fields of a record, those inside of objects as `outer.inner`.
pub(super) fn add_fields(record: &mut FeedbackRecord, prefix: &str, value: &Value) {
    let Some(object) = value.as_object() else { return };
    for (key, value) in object {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Object(_) if prefix.matches('.').count() < 2 => add_fields(record, &key, value),
            _ => {
                if let Some(text) = plain(value).filter(|_| record.fields.len() < MAX_ITEMS) {
                    record.fields.insert(key, text);
                }
            }
        }
    }
}

/// Returns a time as sources write it, and whether its zone was said: RFC 3339, RFC 2822, seconds or milliseconds since 1970, or a
/// date with a time.
pub(super) fn time(value: &Value) -> Option<(Timestamp, bool)> {
    match value {
        Value::Number(number) => since_1970(number.as_f64()?).map(|time| (time, true)),
        Value::String(text) => time_of(text),
        _ => None,
    }
}

/// Reads a time as [`time`] does.
pub(super) fn time_of(text: &str) -> Option<(Timestamp, bool)> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some((time, true));
    }
    if let Ok(number) = text.parse::<f64>() {
        return since_1970(number).map(|time| (time, true));
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Some((zoned.timestamp(), true));
    }
    let (bare, is_utc) = match text.strip_suffix(" UTC").or(text.strip_suffix(" GMT")) {
        Some(bare) => (bare, true),
        None => (text, false),
    };
    let civil = bare.parse::<DateTime>().ok()?;
    Some((civil.to_zoned(TimeZone::UTC).ok()?.timestamp(), is_utc))
}

/// Reads seconds since 1970, or milliseconds, microseconds or nanoseconds where the number is too large for them.
fn since_1970(number: f64) -> Option<Timestamp> {
    let seconds = [1.0, 1e3, 1e6, 1e9].into_iter().map(|unit| number / unit).find(|seconds| *seconds < 1e11)?;
    if !(1e8..1e11).contains(&seconds) {
        return None;
    }
    Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()
}

/// Sets the time of a record from the first of `paths` that has one.
pub(super) fn set_time(record: &mut FeedbackRecord, value: &Value, paths: &[&str]) {
    if let Some((time, zone_known)) = paths.iter().find_map(|path| time(at(value, path)?)) {
        record.time = Some(time);
        record.zone_unknown = !zone_known;
    }
}

/// Returns the platform that a source's word stands for; the word itself if nobody knows it.
pub(super) fn platform(word: &str) -> String {
    let folded = word.trim().to_lowercase();
    let known: [(&[&str], &str); 10] = [
        (&["windows", "win64", "win32", "win"], "windows"),
        (&["steam deck", "steamdeck", "steamos", "linux", "ubuntu", "x11", "debian", "fedora", "arch"], "linux"),
        (&["mac", "osx", "os x", "darwin"], "macos"),
        (&["android"], "android"),
        (&["ios", "iphone", "ipad", "ipados"], "ios"),
        (&["switch", "nx"], "switch"),
        (&["ps5", "playstation 5", "playstation5", "prospero"], "ps5"),
        (&["ps4", "playstation 4", "playstation4", "orbis"], "ps4"),
        (&["xbox", "scarlett", "xsx", "gamecore"], "xbox"),
        (&["web", "html5", "webgl"], "web"),
    ];
    // "darwin" has "win" in it, so names are looked for at the begin of words.
    let begins = |name: &&str| {
        folded.match_indices(*name).any(|(at, _)| at == 0 || !folded.as_bytes()[at - 1].is_ascii_alphanumeric())
    };
    let found = known.iter().find(|(names, _)| names.iter().any(&begins));
    found.map_or(folded.clone(), |(_, platform)| (*platform).to_owned())
}

/// Returns how an event of this name ended something.
pub(super) fn outcome(event: &str) -> Option<Outcome> {
    let folded = event.to_lowercase();
    let mut words = folded.split(|letter: char| !letter.is_alphanumeric());
    words.find_map(|word| match word {
        "death" | "died" | "die" | "dead" | "killed" | "fail" | "failed" | "gameover" | "lost" => Some(Outcome::Death),
        "quit" | "exit" | "abandon" | "abandoned" | "left" => Some(Outcome::Quit),
        "complete" | "completed" | "done" | "win" | "won" | "finish" | "finished" | "success" => Some(Outcome::Done),
        "crash" | "crashed" => Some(Outcome::Crash),
        _ => None,
    })
}

/// Sets level and position of a record from what the source calls so.
pub(super) fn set_place(record: &mut FeedbackRecord, value: &Value) {
    let Some(object) = value.as_object() else { return };
    for (key, value) in object {
        if record.place.level.is_none() && LEVEL_KEYS.contains(&key.to_lowercase().as_str()) {
            record.place.level = plain(value);
        }
    }
    let axis = |keys: [&str; 3]| keys.iter().find_map(|key| number(value, key));
    let axes = (axis(["x", "pos_x", "position.x"]), axis(["y", "pos_y", "position.y"]));
    if let (Some(x), Some(y)) = axes {
        record.place.position = Some([x, y, axis(["z", "pos_z", "position.z"]).unwrap_or(0.0)]);
    }
}

/// Brings what an importer found into the bounds of records, and its words into their form.
pub(super) fn tidy(record: &mut FeedbackRecord) {
    let short = |text: &mut Option<String>| {
        if let Some(text) = text {
            cut(text, MAX_SHORT_LEN);
        }
    };
    for text in [
        &mut record.source_id,
        &mut record.os,
        &mut record.device,
        &mut record.player,
        &mut record.session,
        &mut record.severity,
        &mut record.status,
        &mut record.lang,
        &mut record.place.level,
        &mut record.progress,
        &mut record.event,
        &mut record.signature,
        &mut record.reply_to,
        &mut record.clues.version,
        &mut record.clues.channel,
        &mut record.clues.guid,
        &mut record.clues.stamp,
        &mut record.clues.store_build,
        &mut record.clues.fingerprint,
    ] {
        short(text);
    }
    if let Some(word) = record.platform.take() {
        let mut platform = platform(&word);
        cut(&mut platform, MAX_SHORT_LEN);
        record.platform = Some(platform);
    }
    cut(&mut record.source, MAX_SHORT_LEN);
    cut(&mut record.text, MAX_TEXT_LEN);
    if let Some(title) = &mut record.title {
        cut(title, 4 * MAX_SHORT_LEN);
    }
    record.tags.truncate(MAX_ITEMS);
    for tag in &mut record.tags {
        *tag = tag.trim().to_lowercase();
        cut(tag, MAX_SHORT_LEN);
    }
    record.tags.retain(|tag| !tag.is_empty());
    record.tags.sort();
    record.tags.dedup();
    record.stack.truncate(MAX_ITEMS);
    record.stack.iter_mut().for_each(|frame| cut(frame, 4 * MAX_SHORT_LEN));
    record.attachments.truncate(MAX_ITEMS);
    record.clues.debug_ids.truncate(MAX_ITEMS);
    while record.fields.len() > MAX_ITEMS {
        record.fields.pop_last();
    }
    record.fields.values_mut().for_each(|value| cut(value, MAX_TEXT_LEN));
    record.rating = record.rating.filter(|rating| rating.is_finite()).map(|rating| rating.clamp(0.0, 1.0));
    record.seconds = record.seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    if record.place.position.is_some_and(|position| position.iter().any(|axis| !axis.is_finite())) {
        record.place.position = None;
    }
}

/// Cuts a text at a character's end.
pub(super) fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_sources_write_them() {
        let utc = |text: &str| time_of(text).map(|(time, known)| (time.to_string(), known));
        let expected = Some(("2026-05-01T10:00:00Z".to_owned(), true));
        for same in [
            "2026-05-01T10:00:00Z",
            "2026-05-01T12:00:00+02:00",
            "1777629600",
            "1777629600000",
            "Fri, 01 May 2026 10:00:00 +0000",
            "2026-05-01 10:00:00 UTC",
        ] {
            assert_eq!(utc(same), expected, "{same}");
        }
        assert_eq!(utc("2026-05-01 10:00"), Some(("2026-05-01T10:00:00Z".to_owned(), false)));
        assert_eq!((utc("42"), utc("yesterday"), utc("")), (None, None, None));
    }

    #[test]
    fn platforms_have_one_name() {
        for (word, name) in [
            ("Windows 11 Pro", "windows"),
            ("WindowsPlayer", "windows"),
            ("Darwin 23.1", "macos"),
            ("macOS", "macos"),
            ("Steam Deck", "linux"),
            ("iPhone 15", "ios"),
            ("PS5", "ps5"),
            ("Amiga", "amiga"),
        ] {
            assert_eq!(platform(word), name, "{word}");
        }
    }

    #[test]
    fn names_of_events_tell_how_it_ended() {
        assert_eq!(outcome("player_died"), Some(Outcome::Death));
        assert_eq!(outcome("Start:level1"), None);
        assert_eq!(outcome("Complete:world01:level2"), Some(Outcome::Done));
        assert_eq!(outcome("diesel_engine"), None);
    }
}
