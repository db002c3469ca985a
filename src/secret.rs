//! Hides values that look like secrets wherever they are shown; what is stored stays as it is.

use std::borrow::Cow;
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

/// Returns a line of a text as it may be shown: all that follows the name of a secret and `=` or `:` is masked, as nobody knows
/// where a value ends in a text of any sort.
///
/// In code, where a key may be one of a keyboard or a map, it is so only if it holds a text in quotes.
pub fn mask_line(line: &str, is_code: bool) -> String {
    // Once for all signs: a line may have a million of them.
    let (end, last_quote) = (line.trim_end().len(), line.rfind(['"', '\'']));
    for (at, _) in line.match_indices(['=', ':']) {
        let may_be_secret = at + 1 < end && (!is_code || last_quote.is_some_and(|quote| quote > at));
        if may_be_secret && is_secret(name_before(&line[..=at])) {
            return format!("{}{MASK}", &line[..=at]);
        }
    }
    line.to_owned()
}

/// Returns the value of a setting as it may be shown: masked where the setting's path, or a name inside the value itself,
/// names a secret.
///
/// Engines keep whole structures in one value: `(AppId="a",ClientSecret="b")`, `{"api_key": "c"}`, `-token=d`.
pub fn shown<'a>(path: &str, value: &'a str) -> Cow<'a, str> {
    if !value.is_empty() && path.split('/').any(is_secret) {
        return MASK.into();
    }
    let mut shown = String::new();
    let mut rest = value;
    while let Some(sign) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(sign + 1);
        shown.push_str(before);
        rest = after;
        if is_secret_member(name_before(before)) {
            let blanks = rest.len() - rest.trim_start().len();
            let len = token_len(&rest[blanks..]);
            if rest[blanks..blanks + len].chars().any(|c| !matches!(c, '"' | '\'')) {
                shown.push_str(&rest[..blanks]);
                shown.push_str(MASK);
                rest = &rest[blanks + len..];
            }
        }
    }
    if shown.is_empty() {
        return value.into();
    }
    shown.push_str(rest);
    shown.into()
}

/// Tells whether a member of a value is a secret; one that is called `Key` alone says which key of the keyboard is meant.
fn is_secret_member(name: &str) -> bool {
    is_secret(name) && !name.eq_ignore_ascii_case("key")
}

/// Returns the name that stands before the sign at the end of `text`.
fn name_before(text: &str) -> &str {
    let text = text[..text.len() - 1].trim_end().trim_end_matches(['"', '\'']);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.rfind(|c| !is_part(c)).map_or(text, |at| &text[at + text[at..].chars().next().map_or(0, char::len_utf8)..])
}

/// Returns the length of the text in quotes, or of the word, that `text` starts with.
fn token_len(text: &str) -> usize {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return text.find([',', ')', '}', ']', ' ', ';', '&']).unwrap_or(text.len());
    };
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
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
    fn lines_end_at_the_first_secret() {
        for (line, shown) in [
            ("storePassword=abc", "storePassword=********"),
            ("  \"apiToken\" : \"abc\", \"b\": 1", "  \"apiToken\" :********"),
            ("{\"a\": 1, \"token\": \"abc\"}", "{\"a\": 1, \"token\":********"),
            ("export GH_TOKEN=abc", "export GH_TOKEN=********"),
            ("ключ=wert – ä: b", "ключ=wert – ä: b"),
            ("password=", "password="),
            ("volume=5", "volume=5"),
        ] {
            assert_eq!(mask_line(line, false), shown);
        }
        assert_eq!(mask_line("case KEY: go();", true), "case KEY: go();");
        assert_eq!(mask_line("let token = \"abc\";", true), "let token =********");
    }

    #[test]
    fn only_values_of_secrets_are_masked() {
        let meta = BTreeMap::from([("engine".into(), "godot".into()), ("token".into(), "abc".into())]);
        let shown = mask(&meta);
        assert_eq!((shown["engine"].as_str(), shown["token"].as_str()), ("godot", MASK));
    }

    #[test]
    fn secrets_inside_values_are_masked() {
        for (path, value, shown_as) in [
            (
                "Engine/[A]/+Artifacts",
                "(Id=\"a\",ClientSecret=\"b,\\\"c\",X=1)",
                "(Id=\"a\",ClientSecret=********,X=1)",
            ),
            ("a/options", "{\"api_key\": 'x y', \"n\": 1}", "{\"api_key\": ********, \"n\": 1}"),
            ("a/arguments", "-token=abc -fast", "-token=******** -fast"),
            ("Input/[A]/Mappings", "(Action=\"Jump\",Key=SpaceBar)", "(Action=\"Jump\",Key=SpaceBar)"),
            ("a/url", "https://example.org/?a=b", "https://example.org/?a=b"),
            ("keystore/password/of", "x", MASK),
            ("keystore/password/of", "", ""),
            ("a", "secret=", "secret="),
            ("a", "(Secret=\"\",Token='')", "(Secret=\"\",Token='')"),
            ("a", "sécret é=b", "sécret é=b"),
        ] {
            assert_eq!(shown(path, value), shown_as, "{path}");
        }
    }
}
