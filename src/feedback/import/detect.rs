//! Which form a file has, by its name and its first bytes.

use super::Format;
use serde_json::Value;

/// Words that the elements of a form have, all of them; the first that fits is taken.
const WORDS: [(&[&str], Format); 13] = [
    (&["\"recommendationid\""], Format::Steam),
    (&["\"messages\"", "\"guild\""], Format::Discord),
    (&["\"client_ts\"", "\"category\""], Format::GameAnalytics),
    (&["\"eventName\"", "\"event"], Format::UnityAnalytics),
    (&["\"EventName\"", "\"Event"], Format::PlayFab),
    (&["\"_rxid\""], Format::Backtrace),
    (&["\"uuid\"", "\"threads\"", "\"attributes\""], Format::Backtrace),
    (&["\"steps_to_reproduce\""], Format::BetaHub),
    (&["\"release_label\""], Format::BetaHub),
    (&["\"event_id\""], Format::Sentry),
    (&["\"eventID\""], Format::Sentry),
    (&["\"html_url\"", "\"title\"", "\"user\""], Format::GitHub),
    (&["\"stackTrace\""], Format::UnityDiagnostics),
];

/// Extensions of texts that somebody wrote.
const TEXTS: [&str; 3] = ["txt", "md", "markdown"];

/// Returns the form of a file called `name` that begins with `head`; any file is at least a file.
pub fn detect(name: &str, head: &[u8]) -> Format {
    let name = name.to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let extension =
        if extension == "gz" { name.trim_end_matches(".gz").rsplit('.').next().unwrap_or("") } else { extension };
    if head.starts_with(b"MDMP") {
        return Format::Minidump;
    }
    let text = String::from_utf8_lossy(head);
    let solid = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if name.ends_with("crashcontext.runtime-xml") || solid.starts_with('<') && solid.contains("<FGenericCrashContext") {
        return Format::UnrealCrash;
    }
    if ["csv", "tsv", "tab"].contains(&extension) {
        return Format::Csv;
    }
    if solid.starts_with(['{', '[']) && !TEXTS.contains(&extension) {
        if is_envelope(solid) {
            return Format::SentryEnvelope;
        }
        let found = WORDS.iter().find(|(words, _)| words.iter().all(|word| solid.contains(word)));
        // A record of our own says what it is, and has none of the words of others.
        return found.map_or(if is_json(extension) { Format::Own } else { Format::File }, |(_, format)| *format);
    }
    if TEXTS.contains(&extension) { Format::Text } else { Format::File }
}

fn is_json(extension: &str) -> bool {
    ["json", "jsonl", "ndjson", ""].contains(&extension)
}

/// An envelope has a line of headers, and then one of an item, which says its type.
fn is_envelope(text: &str) -> bool {
    let mut lines = text.lines();
    let mut next = || lines.next().and_then(|line| serde_json::from_str::<Value>(line).ok());
    let (header, item) = (next(), next());
    let has_type =
        item.is_some_and(|item| item.get("type").is_some_and(Value::is_string) && item.get("text").is_none());
    header.is_some_and(|header| header.get("event_id").is_some() || header.get("sent_at").is_some()) && has_type
}

/// How many lines are looked at: the first ones may be damaged.
const LINES: usize = 4;

/// Tells whether a file has one record a line: one of its first lines is a whole object, with nothing behind it.
pub(super) fn has_a_record_a_line(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let is_object = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object());
    // The lines of one document go on in the next one.
    let goes_on = |line: &str| line.trim_end().ends_with([',', '[', '{', ':']);
    let count = lines.clone().take(2).count();
    count > 1 && lines.clone().take(LINES).any(is_object) && !lines.take(LINES).any(goes_on)
}
