//! What the tests of the library share.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod player;

use serde_json::Value;
use std::ffi::{CString, c_char};
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the only folder in a spool.
pub fn only_session(spool: &Path) -> PathBuf {
    let folders: Vec<_> = fs::read_dir(spool).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

/// Reads events.jsonl, of which each line must be an object.
pub fn events(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("events.jsonl")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Returns the events of a name.
pub fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["ev"] == name).collect()
}

pub fn session(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("session.json")).unwrap()).unwrap()
}

/// Returns the names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A string for the C functions.
pub struct Text(CString);

impl Text {
    pub fn ptr(&self) -> *const c_char {
        self.0.as_ptr()
    }
}

pub fn text(text: &str) -> Text {
    Text(CString::new(text).unwrap())
}

pub fn path_text(path: &Path) -> Text {
    text(path.to_str().unwrap())
}
