//! Which names are the same where case does not count.

use unicode_normalization::UnicodeNormalization;

/// Returns the form in which two file names are equal that Windows or macOS take for one, as [`fold_text`]; `None` for a name that
/// is no text.
pub(crate) fn fold(name: &[u8]) -> Option<String> {
    std::str::from_utf8(name).ok().map(fold_text)
}

/// Returns the form in which two names are equal that differ in case, or in how their accents are composed, alone.
///
/// It takes at least those for equal that a system does which compares by simple upper case, as Windows does: two names of
/// one form may never stand side by side, or the system would take the bytes of one for the other's. Letters of which case
/// makes two, as in `ß`, stay as they are.
pub(crate) fn fold_text(name: &str) -> String {
    match name.is_ascii() {
        true => name.to_ascii_lowercase(),
        false => name.nfd().flat_map(lower).nfc().collect(),
    }
}

/// Returns the lower case of the upper case, in which `ς` and `σ`, `ı` and `i`, `ſ` and `s` are one.
fn lower(letter: char) -> impl Iterator<Item = char> {
    let mut upper = letter.to_uppercase();
    let alone = if upper.len() == 1 { upper.next() } else { None };
    alone.unwrap_or(letter).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_composition_fold_to_one() {
        for (one, other) in [
            ("README.md", "readme.MD"),
            ("Grün", "GRÜN"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAFE\u{301}", "caf\u{e9}"),
            ("ΟΔΟΣ", "οδος"),
            ("οδοσ", "οδος"),
            ("Файл", "ФАЙЛ"),
            ("\u{212a}elvin", "kelvin"),
            ("\u{212b}", "\u{e5}"),
            ("dot\u{131}", "DOTI"),
        ] {
            assert_eq!(fold_text(one), fold_text(other), "{one} {other}");
        }
        for (one, other) in [("straße", "strasse"), ("resume", "résumé"), ("a b", "ab"), ("ﬁ", "fi")] {
            assert_ne!(fold_text(one), fold_text(other), "{one} {other}");
        }
        assert_eq!(fold(b"caf\xe9"), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_windows_takes_for_one_folds_to_one(name in "\\PC{0,12}") {
            let simple = |letter: char| {
                let mut upper = letter.to_uppercase();
                if upper.len() == 1 { upper.next().unwrap() } else { letter }
            };
            let upper: String = name.chars().map(simple).collect();
            proptest::prop_assert_eq!(fold_text(&name), fold_text(&upper));
            proptest::prop_assert_eq!(fold_text(&fold_text(&name)), fold_text(&name));
        }
    }
}
