//! INI files: sections, and `key=value` lines in them; also with the signs that Unreal has before keys
//! (`Misc/ConfigCacheIni.cpp`: `FConfigFile::ProcessInputFileContents`).

use super::{Flat, MAX_KEY_BYTES, join, too_many};
use crate::platform::MAX_SETTINGS;
use std::sync::Arc;

/// A file of Unreal's.
#[derive(Debug, Default)]
pub(in crate::platform) struct IniFile {
    pub lines: Vec<IniLine>,
    pub warnings: Vec<String>,
}

/// One line that sets something.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::platform) struct IniLine {
    /// The section as it is written, in brackets, a `/`, and the key.
    pub key: Arc<str>,
    /// The same without case, as the engine compares them.
    pub folded: Arc<str>,
    /// What the line does to the values of its key.
    pub sign: Sign,
    pub value: Arc<str>,
    pub line: u32,
}

/// What a line of Unreal's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) enum Sign {
    /// Sets the one value.
    Set,
    /// `+`: adds a value that is not there.
    AddNew,
    /// `.`: adds a value.
    Add,
    /// `-`: removes a value.
    Remove,
    /// `!`: removes all values.
    Clear,
}

/// Reads an INI file. Comments start with `;` or `#`; quotes around a whole value are taken off.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = section_of(line) {
            section = name;
            continue;
        }
        match line.split_once('=').or_else(|| line.split_once(':')) {
            Some((key, value)) => flat.add(join(section, key.trim()), unquoted(value.trim()), index + 1),
            // A key alone is a switch.
            None => flat.add(join(section, line), "", index + 1),
        }
    }
    flat
}

/// Reads a file of Unreal's.
pub(super) fn parse_unreal(text: &str) -> IniFile {
    let mut file = IniFile::default();
    let mut section = String::new();
    let mut key_bytes = 0;
    for (line_number, line) in logical_lines(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(name) = section_of(line) {
            section = name.to_owned();
            continue;
        }
        let Some((key, value)) = line.split_once('=').or_else(|| line.starts_with('!').then_some((line, ""))) else {
            continue;
        };
        let (sign, key) = match key.as_bytes().first() {
            // `*` is `+` for the objects of one class that are configured apart.
            Some(b'+' | b'*') => (Sign::AddNew, &key[1..]),
            Some(b'.') => (Sign::Add, &key[1..]),
            Some(b'-') => (Sign::Remove, &key[1..]),
            Some(b'!') => (Sign::Clear, &key[1..]),
            // It names the member by which structures in a list are told apart, and is no value.
            Some(b'@') => continue,
            _ => (Sign::Set, key),
        };
        if file.lines.len() == MAX_SETTINGS || key_bytes > MAX_KEY_BYTES {
            file.warnings.push(too_many());
            break;
        }
        let key = join(&format!("[{section}]"), key.trim());
        key_bytes += key.len();
        file.lines.push(IniLine {
            folded: key.to_lowercase().into(),
            key: key.into(),
            sign,
            value: unquoted(value.trim()).into(),
            line: line_number as u32,
        });
    }
    file
}

/// Joins lines that end with a backslash to the next ones.
fn logical_lines(text: &str) -> impl Iterator<Item = (usize, std::borrow::Cow<'_, str>)> {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (index, line) = lines.next()?;
        let Some(start) = line.trim_end().strip_suffix('\\') else { return Some((index + 1, line.into())) };
        let mut whole = start.to_owned();
        for (_, next) in lines.by_ref() {
            match next.trim_end().strip_suffix('\\') {
                Some(more) => whole.push_str(more),
                None => {
                    whole.push_str(next);
                    break;
                }
            }
        }
        Some((index + 1, whole.into()))
    })
}

fn section_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?;
    // A comment may follow.
    name.rsplit_once(']').map(|(name, _)| name)
}

/// Takes the quotes off a value that is one quoted text.
fn unquoted(value: &str) -> &str {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inside) if !inside.contains('"') => inside,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use super::*;
    use crate::platform::formats::Format;

    #[test]
    fn keys_stand_in_their_sections() {
        let text = "; c\na = 1\n[s t] ; c\nb=\"x y\"\n# c\nc : 2\nswitch\n[u]\nb=p=q\n";
        assert_eq!(
            shown(Format::Ini, text),
            ["a=1@2", "s t/b=x y@4", "s t/c=2@6", "s t/switch=@7", "u/b=p=q@9"].map(str::to_owned)
        );
    }

    #[test]
    fn signs_of_unreal_are_told_from_keys() {
        let text = "[/Script/A.B]\r\nK=1\r\n+L=(X=\"a\",Y=2)\r\n.L=3\r\n-L=4\r\n!L=ClearArray\r\n!M\r\n@L=X\r\n*N=5\r\nP=a\\\r\nb\r\nQ=\"\"\r\n";
        let file = parse_unreal(text);
        let lines: Vec<_> = file.lines.iter().map(|line| (&*line.folded, line.sign, &*line.value, line.line)).collect();
        assert_eq!(
            lines,
            [
                ("[/script/a.b]/k", Sign::Set, "1", 2),
                ("[/script/a.b]/l", Sign::AddNew, "(X=\"a\",Y=2)", 3),
                ("[/script/a.b]/l", Sign::Add, "3", 4),
                ("[/script/a.b]/l", Sign::Remove, "4", 5),
                ("[/script/a.b]/l", Sign::Clear, "ClearArray", 6),
                ("[/script/a.b]/m", Sign::Clear, "", 7),
                ("[/script/a.b]/n", Sign::AddNew, "5", 9),
                ("[/script/a.b]/p", Sign::Set, "ab", 10),
                ("[/script/a.b]/q", Sign::Set, "", 12),
            ]
        );
        assert_eq!(&*file.lines[0].key, "[/Script/A.B]/K");
    }
}
