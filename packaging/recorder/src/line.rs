//! What stands in events.jsonl and log.txt for each record of the ring.
//!
//! The game's thread copies bytes as they come; whether they are JSON is found out here, off its time. What is none is
//! kept as a string in `raw`, so that each line is an object whatever a game hands over.

use crate::ring::{Kind, RecordHeader};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::io::Write;

const MEMORY: &str = "memory can be written";

/// Lines that wait to be written, and how many records they are.
#[derive(Debug, Default)]
pub struct Lines {
    pub events: Vec<u8>,
    pub log: Vec<u8>,
    pub event_count: u64,
}

impl Lines {
    /// Adds what a record says.
    pub fn add(&mut self, header: &RecordHeader, name: &[u8], body: &[u8]) {
        match header.kind().expect("the ring gives out kinds that it knows") {
            Kind::Event => self.event(header.nanos, name, body, header.is_cut()),
            Kind::Mark => {
                let mut fields = serde_json::json!({ "tag": text(name), "text": text(body) });
                if header.is_cut() {
                    fields["cut"] = Value::from(true);
                }
                self.own_event(header.nanos, "mark", fields);
            }
            Kind::Log => {
                let line = String::from_utf8_lossy(body);
                let end = if header.is_cut() { " […]" } else { "" };
                writeln!(self.log, "{} {}{end}", Seconds(header.nanos), line.trim_end()).expect(MEMORY);
            }
        }
    }

    /// Adds an event with these fields, an object.
    pub fn own_event(&mut self, nanos: u64, name: &str, fields: Value) {
        self.event(nanos, name.as_bytes(), fields.to_string().as_bytes(), false);
    }

    pub fn clear(&mut self) {
        self.events.clear();
        self.log.clear();
        self.event_count = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.log.is_empty()
    }

    fn event(&mut self, nanos: u64, name: &[u8], body: &[u8], is_cut: bool) {
        let out = &mut self.events;
        write!(out, "{{\"t\":{},\"ev\":", Seconds(nanos)).expect(MEMORY);
        write_string(out, name);
        match if is_cut { Fields::Raw } else { Fields::of(body) } {
            Fields::None => {}
            Fields::Members => {
                out.push(b',');
                let object = body.trim_ascii();
                write_in_line(out, object[1..object.len() - 1].trim_ascii());
            }
            Fields::Object => {
                out.extend_from_slice(b",\"fields\":");
                write_in_line(out, body.trim_ascii());
            }
            Fields::Value => {
                out.extend_from_slice(b",\"value\":");
                write_in_line(out, body.trim_ascii());
            }
            Fields::Raw => {
                out.extend_from_slice(b",\"raw\":");
                write_string(out, body);
            }
        }
        out.extend_from_slice(if is_cut { b",\"cut\":true}\n" } else { b"}\n" });
        self.event_count += 1;
    }
}

/// Writes a string of JSON; what is no UTF-8 is replaced by U+FFFD.
fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    serde_json::to_writer(out, &String::from_utf8_lossy(bytes)).expect(MEMORY);
}

/// Writes JSON in one line: these bytes stand between its parts alone.
fn write_in_line(out: &mut Vec<u8>, json: &[u8]) {
    out.extend(json.iter().map(|byte| if b"\n\r\t".contains(byte) { b' ' } else { *byte }));
}

/// What a game hands over with an event.
enum Fields {
    None,
    /// An object, whose members stand beside `t` and `ev`.
    Members,
    /// An object that has a `t` or `ev` of its own.
    Object,
    /// Other JSON.
    Value,
    /// No JSON.
    Raw,
}

impl Fields {
    fn of(body: &[u8]) -> Fields {
        if body.trim_ascii().is_empty() {
            return Fields::None;
        }
        match serde_json::from_slice(body) {
            Ok(Seen::Object { members: 0, .. }) => Fields::None,
            Ok(Seen::Object { has_own: true, .. }) => Fields::Object,
            Ok(Seen::Object { .. }) => Fields::Members,
            Ok(Seen::Other) => Fields::Value,
            Err(_) => Fields::Raw,
        }
    }
}

/// JSON that was read, and as strictly as any reader of the file will, but not kept: a tree of it would take the writing
/// thread longer than all the rest.
enum Seen {
    Object { members: usize, has_own: bool },
    Other,
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seen, D::Error> {
        deserializer.deserialize_any(SeenVisitor)
    }
}

struct SeenVisitor;

impl<'de> Visitor<'de> for SeenVisitor {
    type Value = Seen;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        let (mut members, mut has_own) = (0, false);
        while let Some(key) = map.next_key::<Key>()? {
            members += 1;
            has_own |= key.is_own;
            map.next_value::<Seen>()?;
        }
        Ok(Seen::Object { members, has_own })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Seen, A::Error> {
        while seq.next_element::<Seen>()?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }
}

/// The key of a member.
struct Key {
    /// Whether each event has one of this name.
    is_own: bool,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key { is_own: key == "t" || key == "ev" })
    }
}

/// A time as it is written: seconds since the start, to the millisecond.
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        write!(formatter, "{}.{:03}", millis / 1000, millis % 1000)
    }
}

/// Returns the bytes as text; what is no UTF-8 is replaced by U+FFFD.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(name: &[u8], body: &[u8], is_cut: bool) -> Value {
        let mut lines = Lines::default();
        lines.add(&RecordHeader::new(Kind::Event, is_cut, 12_345_678_901, name, body), name, body);
        let written = String::from_utf8(lines.events).unwrap();
        assert_eq!(written.matches('\n').count(), 1, "{written}");
        serde_json::from_str(&written).unwrap()
    }

    #[test]
    fn fields_stand_beside_the_time_and_the_name() {
        let expected = json!({ "t": 12.345, "ev": "level_start", "level": "L3", "hp": [1, 2] });
        assert_eq!(line(b"level_start", b"{\"level\":\"L3\",\"hp\":[1,2]}", false), expected);
        assert_eq!(line(b"level_start", b" {\n\t\"level\": \"L3\",\r\n \"hp\":\n[1,2] } ", false), expected);
    }

    #[test]
    fn an_event_without_fields_is_whole() {
        for body in ["", " ", "{}", "{ \n }"] {
            assert_eq!(line(b"quit", body.as_bytes(), false), json!({ "t": 12.345, "ev": "quit" }));
        }
    }

    #[test]
    fn fields_never_take_the_place_of_the_time_or_the_name() {
        let expected = json!({ "t": 12.345, "ev": "e", "fields": { "t": 1, "a": 2 } });
        assert_eq!(line(b"e", b"{\"t\":1,\"a\":2}", false), expected);
        let expected = json!({ "t": 12.345, "ev": "e", "fields": { "ev": "x" } });
        assert_eq!(line(b"e", br#"{"\u0065v":"x"}"#, false), expected);
    }

    #[test]
    fn other_json_is_a_value() {
        assert_eq!(line(b"e", b"[1,2]", false), json!({ "t": 12.345, "ev": "e", "value": [1, 2] }));
        assert_eq!(line(b"e", b"0.5", false), json!({ "t": 12.345, "ev": "e", "value": 0.5 }));
    }

    #[test]
    fn what_is_no_json_is_kept_as_a_string() {
        let deep = "[".repeat(1000);
        for body in [
            "{",
            "{\"a\":}",
            "nan",
            "{\"a\":NaN}",
            "}{",
            "{\"a\":1}x",
            "\"\u{1}\"",
            "a\nb",
            r#""\ud800""#,
            "1e999",
            &deep,
        ] {
            assert_eq!(line(b"e", body.as_bytes(), false), json!({ "t": 12.345, "ev": "e", "raw": body }));
        }
        assert_eq!(
            line(b"\xff\"\n", b"\xfe{", false),
            json!({ "t": 12.345, "ev": "\u{fffd}\"\n", "raw": "\u{fffd}{" })
        );
    }

    #[test]
    fn what_was_cut_says_so_even_when_it_looks_whole() {
        assert_eq!(line(b"e", b"{}", true), json!({ "t": 12.345, "ev": "e", "raw": "{}", "cut": true }));
    }

    #[test]
    fn logs_and_marks_have_their_time() {
        let mut lines = Lines::default();
        for (kind, name, body) in [(Kind::Log, "", "loading L3\n"), (Kind::Mark, "bug", "fell \"through\"")] {
            let (name, body) = (name.as_bytes(), body.as_bytes());
            lines.add(&RecordHeader::new(kind, false, 1_000_000, name, body), name, body);
        }
        assert_eq!(String::from_utf8(lines.log).unwrap(), "0.001 loading L3\n");
        let mark: Value = serde_json::from_slice(&lines.events).unwrap();
        assert_eq!(mark, json!({ "t": 0.001, "ev": "mark", "tag": "bug", "text": "fell \"through\"" }));
        assert_eq!(lines.event_count, 1);
    }
}
