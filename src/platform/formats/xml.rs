//! XML: elements, attributes and texts.

use super::{Flat, Lines};
use crate::platform::MAX_DEPTH;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::collections::HashMap;

/// Attributes that tell elements of one name apart (Android's resources, .NET's settings, most others).
const NAMES: [&str; 4] = ["name", "key", "id", "android:name"];

/// An element that is open.
struct Open {
    key: String,
    text: String,
    line: usize,
    has_children: bool,
    has_attributes: bool,
    /// How often each name has come in it.
    names: HashMap<String, usize>,
}

/// Reads an XML file. The root element has no part in keys; `key@attribute` is an attribute's. Of elements with one name the
/// second and those after it have a number.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    let mut lines = Lines::new(text);
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let line = lines.at(reader.buffer_position() as usize);
        if open.len() > MAX_DEPTH || flat.is_full() {
            flat.warn_once("is too deep or too long: the rest is left out".to_owned());
            break;
        }
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                let element = enter(&mut flat, open.last_mut(), &element, line);
                open.push(element);
            }
            Ok(Event::Empty(element)) => {
                let element = enter(&mut flat, open.last_mut(), &element, line);
                leave(&mut flat, element);
            }
            Ok(Event::End(_)) => {
                if let Some(element) = open.pop() {
                    leave(&mut flat, element);
                }
            }
            Ok(Event::Text(piece)) => add_text(&mut open, &piece),
            Ok(Event::CData(piece)) => add_text(&mut open, &piece),
            Ok(Event::GeneralRef(entity)) => add_text(&mut open, &resolve(&entity)),
            Ok(Event::Eof) => break,
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Err(error) => {
                flat.warn_once(format!("is XML only up to line {line}: {error}"));
                break;
            }
        }
    }
    flat
}

/// Returns what an entity stands for; those that a file declares itself stay as they are.
pub(super) fn resolve(name: &str) -> String {
    quick_xml::escape::unescape(&format!("&{name};")).map_or_else(|_| format!("&{name};"), |text| text.into_owned())
}

fn add_text(open: &mut [Open], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn enter(flat: &mut Flat, above: Option<&mut Open>, element: &BytesStart<'_>, line: usize) -> Open {
    let name = element.name().as_ref().to_owned();
    let mut attributes = Vec::new();
    for attribute in element.attributes().with_checks(false).flatten() {
        let key = attribute.key.as_ref().to_owned();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        attributes.push((key, value.unwrap_or_default().into_owned()));
    }
    let id = attributes.iter().find(|(key, _)| NAMES.contains(&key.as_str())).map(|(_, value)| value.clone());
    let key = match above {
        None => String::new(),
        Some(above) => {
            above.has_children = true;
            let named = id.map_or(name.clone(), |id| format!("{name}:{id}"));
            let count = above.names.entry(named.clone()).or_default();
            *count += 1;
            let number = if *count > 1 { format!("[{}]", *count - 1) } else { String::new() };
            super::join(&above.key, &format!("{named}{number}"))
        }
    };
    let has_attributes = !attributes.is_empty();
    for (name, value) in attributes.into_iter().filter(|(name, _)| !NAMES.contains(&name.as_str())) {
        flat.add(format!("{key}@{name}"), value, line);
    }
    Open { key, text: String::new(), line, has_children: false, has_attributes, names: HashMap::new() }
}

fn leave(flat: &mut Flat, element: Open) {
    let text = element.text.trim();
    if !text.is_empty() || (!element.has_children && !element.has_attributes) {
        flat.add(element.key, text, element.line);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn elements_and_attributes_have_keys() {
        let text = "<?xml version=\"1.0\"?>\n<r v=\"1\">\n <a>x &amp; y</a>\n <b n='2'/>\n <b n='3'/>\n <s name=\"k\">t</s>\n <e/>\n</r>";
        let expected = ["@v=1@2", "a=x & y@3", "b@n=2@4", "b[1]@n=3@5", "s:k=t@6", "e=@7"];
        assert_eq!(shown(Format::Xml, text), expected.map(str::to_owned));
    }

    #[test]
    fn entities_of_a_file_are_not_followed() {
        let text = "<!DOCTYPE r [<!ENTITY a \"xxxxxxxxxx\"><!ENTITY b \"&a;&a;&a;\">]>\n<r><v>&b;</v></r>";
        assert_eq!(shown(Format::Xml, text), ["v=&b;@2"]);
        assert!(shown(Format::Xml, &"<a>".repeat(100_000)).is_empty());
    }
}
