//! Settings of a file of configuration that came, went, or have another value.
//!
//! What stands elsewhere in the file, or is written otherwise, is no change. The formats are those of [`crate::platform`].

use crate::compare::file_bytes;
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::Content;
use crate::platform::{self, Flat};
use crate::secret;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a file beyond which it is not read.
const MAX_LEN: u64 = 1 << 20;

/// Settings that are shown, and letters of a key or a value.
const MAX_SHOWN: usize = 200;
const MAX_WORD_LEN: usize = 300;

/// The values of a setting: several for a list, else one.
type Values = Vec<Arc<str>>;

/// What changed in a file of settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsChange {
    /// The first of the settings that differ, by key.
    pub settings: Vec<SettingChange>,
    /// How many differ.
    pub count: usize,
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// Its key, `/` between the parts.
    pub key: String,
    /// What it was, masked if it looks like a secret; absent when it was not there. The values of a list stand one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

pub(super) fn detail(reader: &Reader, path: &str, old: &Content, new: &Content) -> Result<Option<SettingsChange>> {
    if old.size.max(new.size) > MAX_LEN {
        return Ok(None);
    }
    let (old, new) = (file_bytes::whole(reader, old, MAX_LEN)?, file_bytes::whole(reader, new, MAX_LEN)?);
    let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
    Ok(compare(path, &old, &new))
}

fn compare(path: &str, old: &[u8], new: &[u8]) -> Option<SettingsChange> {
    let read = |bytes: &[u8]| {
        let flat = platform::settings(path, bytes)?;
        // What could not be read may be what differs: then lines tell more.
        flat.warnings.is_empty().then(|| by_key(flat))
    };
    let (mut was, is) = (read(old)?, read(new)?);
    let mut settings = Vec::new();
    for (key, values) in is {
        let before = was.remove(&key);
        if before.as_ref() != Some(&values) {
            settings.push((key, before, Some(values)));
        }
    }
    settings.extend(was.into_iter().map(|(key, values)| (key, Some(values), None)));
    settings.sort_by(|a, b| a.0.cmp(&b.0));
    let count = settings.len();
    let shown = |(key, old, new): (Arc<str>, Option<Values>, Option<Values>)| {
        let words = |values: Values| {
            let values: Vec<_> = values.iter().map(|value| secret::shown(&key, value)).collect();
            cut(&values.join(", "))
        };
        SettingChange { old: old.map(words), new: new.map(words), key: cut(&key) }
    };
    let settings: Vec<SettingChange> = settings.into_iter().take(MAX_SHOWN).map(shown).collect();
    (count > 0).then_some(SettingsChange { settings, count })
}

/// Returns settings by key: of a list all values in their order, of others the last one, which counts.
fn by_key(flat: Flat) -> BTreeMap<Arc<str>, Values> {
    let mut settings: BTreeMap<Arc<str>, Values> = BTreeMap::new();
    for entry in flat.entries {
        let values = settings.entry(entry.key.clone()).or_default();
        if !entry.key.ends_with("[]") {
            values.clear();
        }
        values.push(entry.value);
    }
    settings
}

fn cut(words: &str) -> String {
    match words.char_indices().nth(MAX_WORD_LEN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(change: &SettingsChange) -> Vec<(&str, Option<&str>, Option<&str>)> {
        change.settings.iter().map(|one| (one.key.as_str(), one.old.as_deref(), one.new.as_deref())).collect()
    }

    #[test]
    fn settings_are_compared_by_key_and_secrets_are_masked() {
        let old = br#"{"quality": 2, "gone": 1, "net": {"apiToken": "abc", "port": 80}}"#;
        let new = br#"{"net": {"port": 80, "apiToken": "abd"}, "new": true, "quality": 3}"#;
        let change = compare("a.json", old, new).unwrap();
        let expected = [
            ("gone", Some("1"), None),
            ("net/apiToken", Some(secret::MASK), Some(secret::MASK)),
            ("new", None, Some("true")),
            ("quality", Some("2"), Some("3")),
        ];
        assert_eq!(brief(&change), expected);
        assert_eq!(compare("a.json", b"{\"a\": 1, \"b\": 2}", b"{\"b\":2,\n\"a\":1}"), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_has_no_settings() {
        assert_eq!(compare("a.json", b"{\"a\": 1}", b"{\"a\": "), None);
        assert_eq!(compare("a.txt", b"a=1", b"a=2"), None);
        assert!(compare("a.ini", b"[s]\na=1\n", b"[s]\na=2\n").is_some());
    }
}
