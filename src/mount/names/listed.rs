//! The names of one folder, as they are shown.
//!
//! Where case does not count, of several names that fold to one only the first, by its bytes, keeps its name; the others get
//! `~2`, `~3` and so on before their extension. So a shown name stands for one entry, whatever its case, and it is the same
//! entry at each look for as long as the folder's names are the same. A name that is longer than Windows can have is cut, and
//! numbered as well.

use super::{read, show};
use crate::name::fold::fold_text;
use std::collections::HashMap;

/// The most UTF-16 units of a name on Windows.
const MAX_UNITS: usize = 255;

/// What is kept of a long name, so that its number and extension fit.
const CUT_UNITS: usize = 200;

/// A longer extension is cut like the rest of a name.
const MAX_EXTENSION_UNITS: usize = 32;

/// The shown names of a folder, and the names that they stand for.
#[derive(Debug, Default)]
pub(in crate::mount) struct Listed {
    by_fold: HashMap<String, Named>,
    shown: HashMap<Box<[u8]>, String>,
}

#[derive(Debug)]
struct Named {
    name: Box<[u8]>,
    /// Whether the name had to be changed for it.
    is_numbered: bool,
}

impl Listed {
    /// Shows `names`, in whatever order they come.
    pub(in crate::mount) fn new(mut names: Vec<Box<[u8]>>) -> Listed {
        names.sort_unstable();
        let mut listed = Listed::default();
        // First those that keep their names, so that no number takes the name of another entry.
        names.retain(|name| !listed.add_plain(name));
        names.iter().for_each(|name| listed.add_numbered(name));
        listed
    }

    /// Returns how many names there are.
    pub(in crate::mount) fn len(&self) -> usize {
        self.shown.len()
    }

    /// Returns the name of the entry that is shown as `shown`, which may be in any case, and may escape more than it must.
    pub(in crate::mount) fn name(&self, shown: &[u16]) -> Option<&[u8]> {
        let find = |shown: &str| self.by_fold.get(&fold_text(shown));
        let as_is = String::from_utf16(shown).ok();
        as_is.and_then(|shown| find(&shown)).or_else(|| find(&show(&read(shown)))).map(|named| &*named.name)
    }

    /// Returns how `name` is shown.
    pub(in crate::mount) fn shown(&self, name: &[u8]) -> Option<&str> {
        self.shown.get(name).map(String::as_str)
    }

    /// Adds a name that has come since.
    pub(in crate::mount) fn add(&mut self, name: &[u8]) {
        if !self.shown.contains_key(name) && !self.add_plain(name) {
            self.add_numbered(name);
        }
    }

    /// Takes a name away; `false` when the others may be shown differently now.
    pub(in crate::mount) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(shown) = self.shown.remove(name) else { return true };
        let named = self.by_fold.remove(&fold_text(&shown));
        // One that had a number beside it: without it the other one has none.
        named.is_some_and(|named| named.is_numbered) || !self.by_fold.values().any(|named| named.is_numbered)
    }

    fn add_plain(&mut self, name: &[u8]) -> bool {
        let shown = show(name);
        shown.encode_utf16().count() <= MAX_UNITS && self.take(name, shown, false)
    }

    fn add_numbered(&mut self, name: &[u8]) {
        let shown = show(name);
        let (stem, extension) = match shown.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && extension.encode_utf16().count() <= MAX_EXTENSION_UNITS => {
                (stem, format!(".{extension}"))
            }
            _ => (&shown[..], String::new()),
        };
        let stem = cut(stem);
        let mut number = 2;
        while !self.take(name, format!("{stem}~{number}{extension}"), true) {
            number += 1;
        }
    }

    /// Shows `name` so, unless something else is shown so.
    fn take(&mut self, name: &[u8], shown: String, is_numbered: bool) -> bool {
        let folded = fold_text(&shown);
        if self.by_fold.contains_key(&folded) {
            return false;
        }
        self.by_fold.insert(folded, Named { name: name.into(), is_numbered });
        self.shown.insert(name.into(), shown);
        true
    }
}

fn cut(stem: &str) -> &str {
    let mut units = 0;
    let end = stem.char_indices().find(|(_, letter)| {
        units += letter.len_utf16();
        units > CUT_UNITS
    });
    end.map_or(stem, |(end, _)| &stem[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn listed(names: &[&str]) -> Listed {
        Listed::new(names.iter().map(|name| name.as_bytes().into()).collect())
    }

    #[test]
    fn a_name_is_found_in_any_case() {
        let listed = listed(&["Readme.TXT", "grün", "what?"]);
        assert_eq!(listed.name(&utf16("README.txt")), Some(&b"Readme.TXT"[..]));
        assert_eq!(listed.name(&utf16("GRU\u{308}N")), Some("grün".as_bytes()));
        assert_eq!(listed.name(&utf16("WHAT\u{f03f}")), Some(&b"what?"[..]));
        assert_eq!(listed.shown(b"what?"), Some("what\u{f03f}"));
        assert_eq!(listed.name(&utf16("\u{f047}rün")), Some("grün".as_bytes()), "escaped without need");
        assert_eq!(listed.name(&utf16("missing")), None);
    }

    #[test]
    fn names_that_collide_can_all_be_reached() {
        let names = ["readme.md", "README.md", "Readme.md", "readme~2.md", "Makefile", "makefile", ".x", ".X"];
        let listed = listed(&names);
        assert_eq!(listed.shown(b"README.md"), Some("README.md"));
        assert_eq!(listed.shown(b"readme~2.md"), Some("readme~2.md"), "a name of its own is not taken away");
        assert_eq!(listed.shown(b"Readme.md"), Some("Readme~3.md"));
        assert_eq!(listed.shown(b"readme.md"), Some("readme~4.md"));
        assert_eq!(listed.shown(b"makefile"), Some("makefile~2"));
        assert_eq!(listed.shown(b".x"), Some(".x~2"));
        for name in names {
            assert_eq!(listed.name(&utf16(listed.shown(name.as_bytes()).unwrap())), Some(name.as_bytes()));
        }
    }

    #[test]
    fn names_that_are_too_long_are_cut() {
        let long = |last: char| format!("{}{last}.pak", "\u{f000}".repeat(120));
        let listed = listed(&[&long('a'), &long('b')]);
        for (name, number) in [(long('a'), 2), (long('b'), 3)] {
            let shown = listed.shown(name.as_bytes()).unwrap();
            assert!(shown.ends_with(&format!("~{number}.pak")), "{shown}");
            assert!(shown.encode_utf16().count() <= MAX_UNITS);
            assert_eq!(listed.name(&utf16(shown)), Some(name.as_bytes()));
        }
    }

    #[test]
    fn names_come_and_go() {
        let mut listed = listed(&["a"]);
        listed.add(b"B");
        listed.add(b"A");
        assert_eq!((listed.len(), listed.name(&utf16("b"))), (3, Some(&b"B"[..])));
        assert_eq!(listed.shown(b"A"), Some("A~2"));
        assert!(listed.remove(b"A"), "the others stay as they are");
        listed.add(b"A");
        assert!(!listed.remove(b"a"), "`A` could have its name back");
        assert!(listed.remove(b"missing"));
    }

    proptest::proptest! {
        #[test]
        fn each_shown_name_stands_for_one_entry(names in proptest::collection::hash_set("[aAbB~2.é\u{c9}ß:]{1,4}", 0..30)) {
            let names: Vec<Box<[u8]>> = names.into_iter().map(|name| name.into_bytes().into()).collect();
            let listed = Listed::new(names.clone());
            proptest::prop_assert_eq!(listed.len(), names.len());
            for name in &names {
                let shown = listed.shown(name).unwrap();
                proptest::prop_assert_eq!(listed.name(&utf16(shown)), Some(&**name));
                proptest::prop_assert_eq!(listed.name(&utf16(&fold_text(shown))), Some(&**name));
            }
        }
    }
}
