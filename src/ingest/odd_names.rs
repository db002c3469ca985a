//! Names of a folder that other systems take for one, or cannot have. Nothing is wrong with them here; who takes a build to
//! another system shall know.
//!
//! What nearly all names are made of is seen at a glance. Names are compared by their folded forms only in folders where some
//! have capitals or accents.

use crate::name::{fold, is_forbidden_on_windows, show};
use std::collections::{BTreeMap, HashMap};
use unicode_normalization::char::is_combining_mark;

/// Names that one sentence has; the rest is counted.
const NAMED: usize = 4;

/// What is told of a folder's names, by kind.
pub(super) const SAME: &str = "names that are one on Windows or macOS";
pub(super) const IMPOSSIBLE: &str = "folders with names that Windows cannot have";

/// The odd ones among the names of a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OddNames<'a> {
    /// Those that are one name elsewhere, together.
    same: Vec<Vec<&'a [u8]>>,
    /// Those that Windows cannot have.
    impossible: Vec<&'a [u8]>,
}

impl<'a> OddNames<'a> {
    /// Looks at the names of one folder.
    pub(super) fn among(names: impl Iterator<Item = &'a [u8]> + Clone) -> OddNames<'a> {
        let mut impossible = Vec::new();
        let mut may_be_same = false;
        for name in names.clone().filter(|name| !is_plain(name)) {
            may_be_same |= name.iter().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
            if !is_possible_on_windows(name) {
                impossible.push(name);
            }
        }
        let same = if may_be_same { same(names) } else { Vec::new() };
        OddNames { same, impossible }
    }

    /// Tells whether there are none.
    pub(super) fn is_none(&self) -> bool {
        self.same.is_empty() && self.impossible.is_empty()
    }

    /// Returns what to say of them, each with its kind; `folder` is the folder's path.
    pub(super) fn sentences(&self, folder: &str) -> Vec<(&'static str, String)> {
        let place = if folder.is_empty() { "at the top".to_owned() } else { format!("in {folder}") };
        let same = |names: &Vec<&[u8]>| {
            (SAME, format!("{place}, {} are one name on Windows or macOS; the build keeps them all", listed(names)))
        };
        let impossible = (!self.impossible.is_empty()).then(|| {
            let names = listed(&self.impossible);
            (
                IMPOSSIBLE,
                format!("{place}, {names} cannot be named so on Windows, where `%` and digits stand for a part"),
            )
        });
        self.same.iter().map(same).chain(impossible).collect()
    }
}

/// Tells whether `name` is made of what every system takes for itself alone: most are, and the rest is looked at closer.
fn is_plain(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.');
    name.iter().all(is_plain) && name.last() != Some(&b'.') && !matches!(stem_len(name), 3 | 4)
}

/// Returns the length of what may be the name of a device, which have three letters or four.
fn stem_len(name: &[u8]) -> usize {
    name.iter().position(|&byte| byte == b'.').unwrap_or(name.len())
}

fn is_possible_on_windows(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok() && !(0..name.len()).any(|at| is_forbidden_on_windows(name, at))
}

fn same<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<&'a [u8]>> {
    let mut firsts: HashMap<String, &[u8]> = HashMap::new();
    let mut same: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for name in names {
        let Some(folded) = fold(name) else { continue };
        let first = *firsts.entry(folded).or_insert(name);
        if first != name {
            same.entry(first).or_insert_with(|| vec![first]).push(name);
        }
    }
    same.into_values().collect()
}

/// Returns the first of `names` for people, and how many more there are.
fn listed(names: &[&[u8]]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMED).map(|name| quoted(name)).collect();
    match names.len() - shown.len() {
        0 => {
            let last = shown.pop().unwrap_or_default();
            if shown.is_empty() { last } else { format!("{} and {last}", shown.join(", ")) }
        }
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns a name in quotes, with accents that stand for themselves told from those that are part of a letter.
fn quoted(name: &[u8]) -> String {
    let mut text = String::from("\"");
    for letter in show(name).chars() {
        match letter.is_control() || is_combining_mark(letter) {
            true => text.extend(letter.escape_default()),
            false => text.push(letter),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(folder: &str, names: &[&[u8]]) -> Vec<String> {
        let odd = OddNames::among(names.iter().copied());
        odd.sentences(folder).into_iter().map(|(_, sentence)| sentence).collect()
    }

    #[test]
    fn ordinary_names_are_not_odd() {
        let names: [&[u8]; 8] =
            [b"Textures", b"a.b", b"com", b"concept.png", b"console", b"grass_01.dds", b"levels", "Grün".as_bytes()];
        assert_eq!(OddNames::among(names.into_iter()), OddNames::default());
    }

    #[test]
    fn names_that_are_one_elsewhere_are_told_together() {
        let names: [&[u8]; 6] = [b"WALL.png", b"Wall.png", b"gr\xc3\xbcn", b"gru\xcc\x88n", b"stone", b"wall.png"];
        assert_eq!(
            sentences("art", &names),
            [
                "in art, \"WALL.png\", \"Wall.png\" and \"wall.png\" are one name on Windows or macOS; the build keeps them \
                 all",
                "in art, \"grün\" and \"gru\\u{308}n\" are one name on Windows or macOS; the build keeps them all",
            ]
        );
    }

    #[test]
    fn names_that_windows_cannot_have_are_counted() {
        let names: [&[u8]; 7] = [b"a:b", b"aux.txt", b"caf\xe9", b"dot.", b"space ", b"tab\t", b"what?"];
        assert_eq!(
            sentences("", &names),
            [
                "at the top, \"a:b\", \"aux.txt\", \"caf\\xe9\", \"dot.\" and 3 more cannot be named so on Windows, where `%` and \
              digits stand for a part"
            ]
        );
    }
}
