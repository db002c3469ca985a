//! Words of texts and of paths, brought to one form: `IceCave.unity` and "in the ice caves" have them in common.

use rust_stemmers::{Algorithm, Stemmer};
use std::collections::BTreeMap;

/// Letters of a word that is looked at; what is longer is no word.
const MAX_LEN: usize = 40;

/// Words of a text that are looked at.
const MAX_WORDS: usize = 600;

/// Returns the terms of a text, each with how it is written there: its words without their endings, and each two that stand
/// side by side as one.
///
/// Words begin at capitals and digits too: `levelSelect`, `HTTPServer`, `level03`. Leading zeros do not count.
pub fn terms(text: &str) -> BTreeMap<String, String> {
    let mut terms = BTreeMap::new();
    let mut previous: Option<(String, String)> = None;
    for (stem, word) in stems(text) {
        if let Some((previous, written)) = &previous {
            terms.entry(format!("{previous}{stem}")).or_insert_with(|| format!("{written} {word}"));
        }
        // One letter or a number tells nothing alone.
        if stem.chars().nth(1).is_some() && !stem.bytes().all(|byte| byte.is_ascii_digit()) {
            terms.entry(stem.clone()).or_insert_with(|| word.clone());
        }
        previous = Some((stem, word));
    }
    terms
}

/// Returns a name as one term: `Ice Cave 02` and `ice_cave_2` are the same.
pub fn whole(name: &str) -> String {
    stems(name).into_iter().map(|(stem, _)| stem).collect()
}

/// Returns the words of a text, each without its ending and as it is written.
fn stems(text: &str) -> Vec<(String, String)> {
    // Names are English in most games, and so are most of the words that can meet them.
    let stemmer = Stemmer::create(Algorithm::English);
    let stem = |word: String| {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let stem = if is_number { word.trim_start_matches('0').into() } else { stemmer.stem(&word).into_owned() };
        (stem, word)
    };
    words(text).into_iter().take(MAX_WORDS).map(stem).collect()
}

/// Splits a text into words in lower case.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut finish = |word: &mut String| {
        if !word.is_empty() && word.len() <= MAX_LEN {
            words.push(word.to_lowercase());
        }
        word.clear();
    };
    let letters: Vec<char> = text.chars().take(MAX_WORDS * 16).collect();
    for (at, &letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            // "don't" is one word.
            if letter != '\'' {
                finish(&mut word);
            }
            continue;
        }
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins = before.is_some_and(|before| {
            before.is_numeric() != letter.is_numeric()
                || before.is_lowercase() && letter.is_uppercase()
                || before.is_uppercase() && letter.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
        });
        if begins {
            finish(&mut word);
        }
        word.push(letter);
    }
    finish(&mut word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_people_write_have_terms_in_common() {
        let common = |a: &str, b: &str| {
            let other = terms(b);
            terms(a).into_keys().filter(|term| other.contains_key(term)).collect::<Vec<_>>()
        };
        assert_eq!(common("assets/IceCave.unity", "stuck in the ice caves"), ["cave", "ice", "icecave"]);
        assert_eq!(common("level_03.tscn", "on Level 3, it crashed"), ["level", "level3"]);
        assert_eq!(common("HTTPServer.dll", "the http server"), ["http", "httpserver", "server"]);
        assert_eq!(common("PlayerCamera", "player_camera.gd:12"), ["camera", "player", "playercamera"]);
        assert!(common("a/b/7.png", "7 a b").iter().all(|term| term.len() > 1));
        assert_eq!(terms("don't")["dont"], "dont");
        assert_eq!(terms("The Ice-Caves")["icecave"], "ice caves");
        assert_eq!(whole("Ice Cave 02"), whole("ice_cave_2"));
    }
}
