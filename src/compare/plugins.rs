//! Third-party plugins that have another version: packages of Unity, plugins of Unreal, addons of Godot.
//!
//! They are told by files that name versions: `Packages/packages-lock.json`, `*.uplugin`, `addons/*/plugin.cfg`.

use super::{Diff, Difference, content_of, file_bytes};
use crate::content::Reader;
use crate::error::{ErrorKind, Result};
use crate::manifest::Entry;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a file beyond which it is not read.
const MAX_LEN: u64 = 4 << 20;

/// Files that are read.
const MAX_FILES: usize = 1_000;

/// A plugin that came, went, or has another version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PluginChange {
    /// Its name.
    pub name: String,
    /// `unity`, `unreal` or `godot`.
    pub engine: &'static str,
    /// The version before; absent when it was not there, empty when the file did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The version after; absent when it is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The file that says so.
    pub path: String,
}

/// Versions by the names of plugins.
type Versions = BTreeMap<String, String>;

/// Returns the plugins whose versions differ, by name.
///
/// # Errors
/// Those of the store; a file that is damaged is left out.
pub fn plugin_changes(reader: &Reader, diff: &Diff) -> Result<Vec<PluginChange>> {
    let mut changes = Vec::new();
    let files = diff.changes.iter().filter_map(|difference| Some((difference, engine_of(&difference.change.path)?)));
    for (difference, engine) in files.take(MAX_FILES) {
        let (mut old, new) = versions_of(reader, difference, engine)?;
        let change = |name, old, new| PluginChange { name, engine, old, new, path: difference.change.path.clone() };
        for (name, version) in new {
            let was = old.remove(&name);
            if was.as_ref() != Some(&version) {
                changes.push(change(name, was, Some(version)));
            }
        }
        changes.extend(old.into_iter().map(|(name, version)| change(name, Some(version), None)));
    }
    changes.sort();
    Ok(changes)
}

fn engine_of(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let ends = |end: &str| lower.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    match () {
        () if ends("packages/packages-lock.json") => Some("unity"),
        () if lower.ends_with(".uplugin") => Some("unreal"),
        () if ends("plugin.cfg") && (lower.starts_with("addons/") || lower.contains("/addons/")) => Some("godot"),
        () => None,
    }
}

fn versions_of(reader: &Reader, difference: &Difference, engine: &'static str) -> Result<(Versions, Versions)> {
    let side = |entry: Option<&Entry>| -> Result<Versions> {
        let Some(content) = content_of(entry) else { return Ok(Versions::new()) };
        let bytes = match file_bytes::whole(reader, &content, MAX_LEN) {
            Err(error) if error.kind() == ErrorKind::Corrupt => None,
            bytes => bytes?,
        };
        let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let name = difference.change.path.rsplit('/').next().unwrap_or_default();
        Ok(match engine {
            "unity" => of_unity(&text),
            "unreal" => of_unreal(&text, name),
            _ => of_godot(&text, &difference.change.path),
        })
    };
    Ok((side(difference.old.as_ref())?, side(difference.new.as_ref())?))
}

fn of_unity(text: &str) -> Versions {
    let lock: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(packages) = lock["dependencies"].as_object() else { return Versions::new() };
    let version = |package: &Value| {
        let version = package["version"].as_str().unwrap_or_default();
        // A package from git has its address for a version, and the commit beside it.
        match package["hash"].as_str() {
            Some(hash) if !hash.is_empty() => hash.chars().take(12).collect(),
            _ => version.to_owned(),
        }
    };
    packages.iter().map(|(name, package)| (name.clone(), version(package))).collect()
}

fn of_unreal(text: &str, file: &str) -> Versions {
    let Ok(plugin) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else { return Versions::new() };
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let name = plugin["FriendlyName"].as_str().filter(|name| !name.is_empty()).unwrap_or(stem);
    let number = || plugin["Version"].as_u64().map(|version| version.to_string());
    let version = plugin["VersionName"].as_str().map(str::to_owned).or_else(number).unwrap_or_default();
    Versions::from([(name.to_owned(), version)])
}

fn of_godot(text: &str, path: &str) -> Versions {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    if text.is_empty() {
        return Versions::new();
    }
    let folder = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
    Versions::from([(value("name").unwrap_or(folder), value("version").unwrap_or_default())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_files_of_each_engine() {
        let lock = r#"{"dependencies": {"com.unity.ugui": {"version": "1.0.0"},
            "com.me.git": {"version": "git@example.org:me", "hash": "0123456789abcdef"}}}"#;
        let unity = of_unity(lock);
        assert_eq!((unity["com.unity.ugui"].as_str(), unity["com.me.git"].as_str()), ("1.0.0", "0123456789ab"));
        assert_eq!(
            of_unreal("{\"FriendlyName\": \"Wwise\", \"VersionName\": \"2023.1\"}", "A.uplugin")["Wwise"],
            "2023.1"
        );
        assert_eq!(of_unreal("{\"Version\": 3}", "A.uplugin")["A"], "3");
        assert_eq!(
            of_godot("[plugin]\nname=\"Dialogue\"\nversion=\"1.2\"\n", "addons/d/plugin.cfg")["Dialogue"],
            "1.2"
        );
        for text in ["", "{", "[]", "null", "\u{0}"] {
            assert!(of_unity(text).is_empty() && of_unreal(text, "x").len() <= 1 && of_godot(text, "").len() <= 1);
        }
    }

    #[test]
    fn only_files_that_name_plugins_are_read() {
        let expected = [
            ("Packages/packages-lock.json", Some("unity")),
            ("game/Packages/packages-lock.json", Some("unity")),
            ("MyPackages/packages-lock.json", None),
            ("Plugins/Wwise/Wwise.uplugin", Some("unreal")),
            ("addons/dialogue/plugin.cfg", Some("godot")),
            ("notaddons/dialogue/plugin.cfg", None),
        ];
        for (path, engine) in expected {
            assert_eq!(engine_of(path), engine, "{path}");
        }
    }
}
