//! Readers of configuration files: bytes in, settings with their lines out, of each format in its own file.
//!
//! They do no I/O and take any bytes. What they cannot read ends in a warning, with the settings before it kept where the
//! format allows.

mod env;
pub(super) mod ini;
mod json;
mod plist;
mod properties;
mod toml;
pub(super) mod unity_yaml;
pub(super) mod variants;
mod xml;
mod yaml;

use super::MAX_SETTINGS;
use std::sync::Arc;

/// The longest key; what is longer is cut. Nobody writes such keys, and a deep file could make many of them.
const MAX_KEY_LEN: usize = 4096;

/// The most bytes of all keys of a file.
const MAX_KEY_BYTES: usize = 32 << 20;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Sections with `key=value` lines.
    Ini,
    /// INI with Unreal's signs before keys.
    UnrealIni,
    /// INI whose values are Godot's variants, over several lines.
    Variants,
    /// JSON, also with comments and commas too many.
    Json,
    /// YAML.
    Yaml,
    /// The serialized objects of Unity.
    UnityYaml,
    /// TOML.
    Toml,
    /// XML.
    Xml,
    /// The XML of Apple's property lists.
    Plist,
    /// Java's properties.
    Properties,
    /// Lines for a shell's environment.
    Env,
}

impl Format {
    /// Returns the format that the name of a file tells.
    pub fn of(name: &str) -> Option<Format> {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        if name == ".env" || name.starts_with(".env.") {
            return Some(Format::Env);
        }
        Format::named(name.rsplit_once('.')?.1)
    }

    /// Returns the format that people call `name`.
    pub fn named(name: &str) -> Option<Format> {
        Some(match name.to_ascii_lowercase().as_str() {
            "ini" | "cfg" | "conf" => Format::Ini,
            "json" | "jsonc" | "json5" => Format::Json,
            "yaml" | "yml" => Format::Yaml,
            "toml" => Format::Toml,
            "xml" | "config" => Format::Xml,
            "plist" => Format::Plist,
            "properties" => Format::Properties,
            "env" => Format::Env,
            _ => return None,
        })
    }
}

/// One setting of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key below the file, `/` between the parts. All entries of a list have the same key, which ends with `[]`.
    pub key: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
    /// The line it stands in, from 1; that of its start.
    pub line: u32,
}

/// The settings of a file, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flat {
    /// The settings. A key may come again: the last one counts.
    pub entries: Vec<Entry>,
    /// What could not be read.
    pub warnings: Vec<String>,
    key_bytes: usize,
}

impl Flat {
    /// Adds a setting, unless there are too many.
    pub(super) fn add(&mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>, line: usize) {
        if self.is_full() {
            return self.warn_once(too_many());
        }
        let key = key.into();
        self.key_bytes += key.len();
        self.entries.push(Entry { key, value: value.into(), line: line as u32 });
    }

    /// Remembers what could not be read, once.
    pub(super) fn warn_once(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Tells whether no more settings are taken.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_SETTINGS || self.key_bytes >= MAX_KEY_BYTES
    }
}

/// What is said of a file with too many settings.
fn too_many() -> String {
    format!("has more than {MAX_SETTINGS} settings, or too long keys: the rest is left out")
}

/// What a file says.
#[derive(Debug)]
pub(super) enum Parsed {
    Flat(Flat),
    Unreal(ini::IniFile),
    Unity(unity_yaml::UnityFile),
}

/// Returns the settings of the file `name`; `None` if the name tells no format. They stand for themselves, whatever an engine lays
/// over them.
pub fn settings(name: &str, bytes: &[u8]) -> Option<Flat> {
    let of_godot = name.rsplit_once('.').is_some_and(|(_, kind)| ["godot", "tscn", "tres", "import"].contains(&kind));
    match parse(if of_godot { Format::Variants } else { Format::of(name)? }, bytes) {
        Parsed::Flat(flat) => Some(flat),
        Parsed::Unreal(_) | Parsed::Unity(_) => None,
    }
}

/// Reads a file.
pub(super) fn parse(format: Format, bytes: &[u8]) -> Parsed {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(why) => {
            let flat = Flat { warnings: vec![why.to_owned()], ..Flat::default() };
            return match format {
                Format::UnityYaml => {
                    Parsed::Unity(unity_yaml::UnityFile { warnings: flat.warnings, ..Default::default() })
                }
                _ => Parsed::Flat(flat),
            };
        }
    };
    Parsed::Flat(match format {
        Format::UnrealIni => return Parsed::Unreal(ini::parse_unreal(&text)),
        Format::UnityYaml => return Parsed::Unity(unity_yaml::parse(&text)),
        Format::Ini => ini::parse(&text),
        Format::Variants => variants::parse(&text),
        Format::Json => json::parse(&text),
        Format::Yaml => yaml::parse(&text),
        Format::Toml => toml::parse(&text),
        Format::Xml => xml::parse(&text),
        Format::Plist => plist::parse(&text),
        Format::Properties => properties::parse(&text),
        Format::Env => env::parse(&text),
    })
}

/// Returns the text of a file, in UTF-8 or with a mark of UTF-16 before it, or why it is none.
fn decode(bytes: &[u8]) -> Result<String, &'static str> {
    let utf16 = |unit: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    // Unreal writes UTF-16 as soon as a character is not ASCII.
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(utf16(u16::from_le_bytes, rest)),
        [0xfe, 0xff, rest @ ..] => Ok(utf16(u16::from_be_bytes, rest)),
        _ if bytes.contains(&0) => Err("is binary: settings are read from text alone"),
        _ => {
            let text = String::from_utf8_lossy(bytes);
            Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
        }
    }
}

/// Counts lines while it goes through a text from its start to its end.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    /// Starts at the first line of `text`.
    pub(super) fn new(text: &'a str) -> Lines<'a> {
        Lines { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// Returns the line of the byte at `offset`; it is quick when offsets grow.
    pub(super) fn at(&mut self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        if offset < self.at {
            (self.at, self.line) = (0, 1);
        }
        self.line += self.text[self.at..offset].iter().filter(|&&byte| byte == b'\n').count();
        self.at = offset;
        self.line
    }
}

/// Joins the key of a setting to that of what it stands in.
pub(super) fn join(above: &str, name: &str) -> String {
    let room = MAX_KEY_LEN.saturating_sub(above.len() + 1);
    let len = name.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|&end| end <= room).last().unwrap_or(0);
    let name = if name.len() <= room { name } else { &name[..len] };
    match above {
        "" => name.to_owned(),
        above => format!("{above}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the settings of a text as `key=value@line`.
    pub fn shown(format: Format, text: &str) -> Vec<String> {
        match parse(format, text.as_bytes()) {
            Parsed::Flat(flat) => {
                flat.entries.iter().map(|entry| format!("{}={}@{}", entry.key, entry.value, entry.line)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn formats_are_known_by_names() {
        assert_eq!(Format::of("a/b.JSON"), Some(Format::Json));
        assert_eq!(Format::of(".env.android"), Some(Format::Env));
        assert_eq!(Format::of("a.exe"), None);
    }

    #[test]
    fn text_is_known_from_what_is_none() {
        assert_eq!(decode(b"\xff\xfea\0").unwrap(), "a");
        assert_eq!(decode(b"\xfe\xff\0a\0").unwrap(), "a", "a half character is left out");
        assert_eq!(decode(b"\xef\xbb\xbfa").unwrap(), "a");
        assert!(decode(b"a\0").is_err());
    }
}
