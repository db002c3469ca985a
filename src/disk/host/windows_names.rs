//! Names and link targets as Windows can have them, in UTF-16.
//!
//! A name that Windows can have is written as it is, so that a build from Windows comes back exactly. In any other name
//! each byte that it cannot have, and each `%`, becomes `%NN`, which [`unescape`] turns back. Nothing here calls the
//! system: it is compiled and tested everywhere.

use crate::name::is_forbidden_on_windows;

/// Returns the name of a file as Windows writes it.
pub(super) fn file_name(name: &[u8]) -> Vec<u16> {
    match wide(name) {
        Some(units) if !(0..name.len()).any(|at| is_forbidden_on_windows(name, at)) => units,
        _ => escape(name).encode_utf16().collect(),
    }
}

/// Returns the target of a link as Windows writes it: `\` between names, each of them as [`file_name`] has it.
pub(super) fn link_target(target: &[u8]) -> Vec<u16> {
    let mut units = Vec::new();
    for (index, part) in target.split(|&byte| byte == b'/').enumerate() {
        if index > 0 {
            units.push(u16::from(b'\\'));
        }
        match part {
            b"." | b".." => units.extend(part.iter().map(|&byte| u16::from(byte))),
            [letter, b':'] if index == 0 && letter.is_ascii_alphabetic() => units.extend([(*letter).into(), 0x3a]),
            _ => units.extend(file_name(part)),
        }
    }
    units
}

/// Returns the target of a link as builds keep it: `/` between names.
pub(super) fn portable_target(target: &[u8]) -> Vec<u8> {
    target.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte }).collect()
}

/// Returns the name of which [`file_name`] made `escaped`; `None` when nothing in it is escaped.
#[cfg(test)]
fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut parts = escaped.split('%');
    let mut name = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        name.push(u8::from_str_radix(digits, 16).ok()?);
        name.extend(rest.as_bytes());
    }
    escaped.contains('%').then_some(name)
}

fn escape(name: &[u8]) -> String {
    let mut escaped = String::new();
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char.is_ascii() && (char == '%' || is_forbidden_on_windows(name, at)) {
                true => escaped.push_str(&format!("%{:02X}", name[at])),
                false => escaped.push(char),
            }
            at += char.len_utf8();
        }
        for byte in chunk.invalid() {
            escaped.push_str(&format!("%{byte:02X}"));
            at += 1;
        }
    }
    escaped
}

/// Returns the UTF-16 of WTF-8 bytes, which are UTF-8 with lone surrogates; `None` when they are something else.
fn wide(mut name: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::new();
    while !name.is_empty() {
        let valid = match std::str::from_utf8(name) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&name[..error.valid_up_to()]).expect("it is valid up to there"),
        };
        units.extend(valid.encode_utf16());
        name = match &name[valid.len()..] {
            [] => break,
            [0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf, rest @ ..] => {
                let unit = 0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f);
                let after_high = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
                if after_high && unit >= 0xdc00 {
                    // A pair would come back as one character of other bytes.
                    return None;
                }
                units.push(unit);
                rest
            }
            _ => return None,
        };
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(units: Vec<u16>) -> String {
        String::from_utf16(&units).unwrap()
    }

    #[test]
    fn names_that_windows_can_have_stay_as_they_are() {
        for name in ["level1.pak", ".hidden", "a b", "grün 🎮", "100%", "my%20texture.png", "a%3Ab", "console", "x.con"]
        {
            assert_eq!(text(file_name(name.as_bytes())), name);
        }
        assert_eq!(file_name(b"a\xed\xa0\x80b"), [0x61, 0xd800, 0x62]);
    }

    #[test]
    fn other_names_are_escaped_and_can_be_read_back() {
        let cases: &[(&[u8], &str)] = &[
            (b"what?", "what%3F"),
            (b"a:b", "a%3Ab"),
            (b"a\\b", "a%5Cb"),
            (b"<\"|*>", "%3C%22%7C%2A%3E"),
            (b"100%:", "100%25%3A"),
            (b"a%3Ab:", "a%253Ab%3A"),
            (b"tab\there", "tab%09here"),
            (b"dot.", "dot%2E"),
            (b"two..", "two.%2E"),
            (b"space ", "space%20"),
            (b"CON", "%43ON"),
            (b"nul.txt", "%6Eul.txt"),
            (b"caf\xe9", "caf%E9"),
            ("ü?".as_bytes(), "ü%3F"),
            (b"\xed\xa0\x80\xed\xb0\x80", "%ED%A0%80%ED%B0%80"),
        ];
        for &(name, escaped) in cases {
            assert_eq!(text(file_name(name)), escaped);
            assert_eq!(unescape(escaped).as_deref(), Some(name), "{escaped}");
        }
    }

    #[test]
    fn different_names_that_windows_cannot_have_stay_different() {
        let names: [&[u8]; 6] = [b"a:", b"a%3A:", b"a%:", b"a%25:", b"a ", b"a."];
        let written: std::collections::BTreeSet<_> = names.iter().map(|name| file_name(name)).collect();
        assert_eq!(written.len(), names.len());
    }

    #[test]
    fn link_targets_change_their_separators_alone() {
        for (target, written) in [
            ("data/level1.pak", "data\\level1.pak"),
            ("../a/./b", "..\\a\\.\\b"),
            ("/usr/share", "\\usr\\share"),
            ("C:/Games/x", "C:\\Games\\x"),
            ("//server/share", "\\\\server\\share"),
        ] {
            assert_eq!(text(link_target(target.as_bytes())), written);
            assert_eq!(portable_target(written.as_bytes()), target.as_bytes());
        }
        assert_eq!(text(link_target(b"what?/a.")), "what%3F\\a%2E");
    }
}
