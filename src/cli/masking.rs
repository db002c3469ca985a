//! Hides values that look like secrets wherever they are shown; what is stored stays as it is.

use std::collections::BTreeMap;

/// What is shown instead of a secret.
pub const MASK: &str = "********";

/// A key that holds one of these, in any case and at any place, names a secret.
const SECRET_PARTS: [&str; 10] = [
    "password",
    "passwd",
    "passcode",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
];

/// A key that has one of these as a whole word names a secret; as a part of a word it does not (`keyboard`, `author`).
const SECRET_WORDS: [&str; 5] = ["key", "keys", "pwd", "auth", "pin"];

/// Tells whether the value of `key` is not to be shown.
pub fn is_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| lower.contains(part)) || words(key).any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// Returns `meta` as it may be shown.
pub fn mask(meta: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shown = |(key, value): (&String, &String)| {
        let value = if is_secret(key) && !value.is_empty() { MASK.to_owned() } else { value.clone() };
        (key.clone(), value)
    };
    meta.iter().map(shown).collect()
}

/// Cuts `signingKey`, `signing_key` and `SIGNING-KEY` into `signing` and `key`.
fn words(key: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in key.chars() {
        let starts_word = !c.is_alphanumeric() || (c.is_uppercase() && after_lower);
        if starts_word {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_secrets_are_known_by_their_names() {
        for key in
            ["KeyStorePassword", "ps4Passcode", "client_secret", "API-KEY", "signingKey", "GH_TOKEN", "steamApiKey"]
        {
            assert!(is_secret(key), "{key}");
        }
        for key in ["engine", "keyboard", "monkey", "author", "spinner", "commit"] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn only_values_of_secrets_are_masked() {
        let meta = BTreeMap::from([("engine".into(), "godot".into()), ("token".into(), "abc".into())]);
        let shown = mask(&meta);
        assert_eq!((shown["engine"].as_str(), shown["token"].as_str()), ("godot", MASK));
    }
}
