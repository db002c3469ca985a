//! Names as Windows is shown them, and back.
//!
//! What Windows cannot have in a name is shown as a character of the private use area, U+F000 and the byte, as Cygwin and
//! WSL do: a control character, one of `"*:<>?|\`, a byte that is no UTF-8, the dot or space at the end, the first letter of
//! a device's name. A name that has characters of this area itself shows their three bytes instead. So whatever is shown is
//! read back to the same bytes; the reverse need not hold, as a program may escape what needs no escape.

use crate::name::is_reserved_on_windows;

/// The character that stands for the byte 0.
const AREA: u32 = 0xf000;

/// Characters that no name on Windows has, beside those below the space.
const FORBIDDEN: &[u8] = b"\"*:<>?|\\/";

/// Returns the name by which Windows is shown `name`.
pub(in crate::mount) fn show(name: &[u8]) -> String {
    let is_device = std::str::from_utf8(name).is_ok_and(is_reserved_on_windows);
    let mut shown = String::with_capacity(name.len());
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let end = at + letter.len_utf8();
            let is_first_of_device = at == 0 && is_device;
            match is_first_of_device || must_escape(letter, end == name.len()) {
                true => shown.extend(name[at..end].iter().copied().map(escaped)),
                false => shown.push(letter),
            }
            at = end;
        }
        shown.extend(chunk.invalid().iter().copied().map(escaped));
        at += chunk.invalid().len();
    }
    shown
}

/// Returns the name of which [`show`] made `shown`, which is any UTF-16 that a program has sent.
///
/// Half a pair of surrogates, which is no character, becomes the three bytes that stand for it in WTF-8.
pub(in crate::mount) fn read(shown: &[u16]) -> Vec<u8> {
    let mut name = Vec::with_capacity(shown.len());
    for letter in char::decode_utf16(shown.iter().copied()) {
        match letter {
            Ok(letter) => match byte_of(letter) {
                Some(byte) => name.push(byte),
                None => name.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            },
            Err(half) => {
                let unit = half.unpaired_surrogate();
                name.extend([0xe0 | (unit >> 12) as u8, 0x80 | (unit >> 6 & 0x3f) as u8, 0x80 | (unit & 0x3f) as u8]);
            }
        }
    }
    name
}

fn escaped(byte: u8) -> char {
    char::from_u32(AREA + u32::from(byte)).expect("the private use area has no gaps")
}

fn byte_of(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(AREA).and_then(|byte| u8::try_from(byte).ok())
}

fn must_escape(letter: char, is_last: bool) -> bool {
    letter < ' '
        || letter.is_ascii() && FORBIDDEN.contains(&(letter as u8))
        || is_last && matches!(letter, '.' | ' ')
        || byte_of(letter).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn names_that_windows_can_have_are_shown_as_they_are() {
        for name in ["level1.pak", ".hidden", "a b", "grün 🎮", "100%", "console", "x.con", "\u{f100}", "com10"] {
            assert_eq!(show(name.as_bytes()), name);
        }
    }

    #[test]
    fn what_windows_cannot_have_moves_to_the_private_use_area() {
        for (name, shown) in [
            (&b"what?"[..], "what\u{f03f}"),
            (b"a:b\\c", "a\u{f03a}b\u{f05c}c"),
            (b"tab\there", "tab\u{f009}here"),
            (b"dot.", "dot\u{f02e}"),
            (b"two..", "two.\u{f02e}"),
            (b" lead and trail ", " lead and trail\u{f020}"),
            (b"CON", "\u{f043}ON"),
            (b"nul.txt", "\u{f06e}ul.txt"),
            (b"com1", "\u{f063}om1"),
            (b"caf\xe9", "caf\u{f0e9}"),
            ("\u{f03a}".as_bytes(), "\u{f0ef}\u{f080}\u{f0ba}"),
            (b"\xed\xa0\x80", "\u{f0ed}\u{f0a0}\u{f080}"),
        ] {
            assert_eq!(show(name), shown);
            assert_eq!(read(&utf16(shown)), name);
        }
    }

    #[test]
    fn half_a_pair_of_surrogates_is_read_to_bytes_that_can_be_shown() {
        let name = read(&[0x61, 0xd800, 0x62]);
        assert_eq!(name, b"a\xed\xa0\x80b");
        assert_eq!(read(&utf16(&show(&name))), name);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_shown_is_read_back(name in proptest::collection::vec(1u8.., 1..40)) {
            proptest::prop_assume!(!name.contains(&b'/'));
            let shown = show(&name);
            proptest::prop_assert_eq!(read(&utf16(&shown)), name);
            proptest::prop_assert!(!shown.ends_with(['.', ' ']) && !is_reserved_on_windows(&shown));
            proptest::prop_assert!(!shown.chars().any(|letter| letter < ' ' || "\"*:<>?|\\/".contains(letter)));
        }

        #[test]
        fn any_text_is_shown_and_read_back(
            name in "([a-zA-Z. :?\u{f000}-\u{f0ff}é]|CON|nul\\.|\\PC){1,12}",
        ) {
            proptest::prop_assume!(!name.contains(['/', '\0']));
            proptest::prop_assert_eq!(read(&utf16(&show(name.as_bytes()))), name.into_bytes());
        }
    }
}
