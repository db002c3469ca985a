//! Apple's property lists in their XML form; the binary form is known as binary before it comes here.

use super::xml::resolve;
use super::{Flat, Lines, join};
use crate::platform::MAX_DEPTH;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// A dictionary or an array that is open.
struct Open {
    key: String,
    is_array: bool,
    /// The key of a dictionary whose value comes next.
    name: Option<String>,
    index: usize,
    is_empty: bool,
    line: usize,
}

impl Open {
    /// Returns the key of the value that comes now.
    fn next_key(&mut self, is_scalar: bool) -> String {
        self.is_empty = false;
        if !self.is_array {
            return join(&self.key, &self.name.take().unwrap_or_default());
        }
        self.index += 1;
        match is_scalar {
            true => format!("{}[]", self.key),
            false => format!("{}[{}]", self.key, self.index - 1),
        }
    }
}

/// Reads a property list.
pub(super) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    let mut lines = Lines::new(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Open> = Vec::new();
    let mut piece = String::new();
    let mut start = 1;
    loop {
        let line = lines.at(reader.buffer_position() as usize);
        if open.len() > MAX_DEPTH || flat.is_full() {
            flat.warn_once("is too deep or too long: the rest is left out".to_owned());
            break;
        }
        match reader.read_event() {
            Ok(Event::Start(element)) => {
                piece.clear();
                start = line;
                let is_array = match element.name().as_ref() {
                    "dict" => false,
                    "array" => true,
                    _ => continue,
                };
                let key = open.last_mut().map(|above| above.next_key(false)).unwrap_or_default();
                open.push(Open { key, is_array, name: None, index: 0, is_empty: true, line });
            }
            Ok(Event::Text(text)) => piece.push_str(&text),
            Ok(Event::CData(text)) => piece.push_str(&text),
            Ok(Event::GeneralRef(entity)) => piece.push_str(&resolve(&entity)),
            Ok(Event::End(element)) => end(&mut flat, &mut open, element.name().as_ref(), &piece, start),
            Ok(Event::Eof) => break,
            Ok(Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
            Err(error) => {
                flat.warn_once(format!("is a property list only up to line {line}: {error}"));
                break;
            }
        }
    }
    flat
}

fn end(flat: &mut Flat, open: &mut Vec<Open>, element: &str, text: &str, line: usize) {
    let value = match element {
        "dict" | "array" => {
            if let Some(Open { key, is_array, line, .. }) = open.pop().filter(|open| open.is_empty) {
                flat.add(key, if is_array { "[]" } else { "{}" }, line);
            }
            return;
        }
        "plist" => return,
        "key" => {
            if let Some(above) = open.last_mut() {
                above.name = Some(text.to_owned());
            }
            return;
        }
        "true" => "true",
        "false" => "false",
        "string" => text,
        _ => text.trim(),
    };
    let key = open.last_mut().map(|above| above.next_key(true)).unwrap_or_default();
    flat.add(key, value, line);
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn values_have_the_path_to_them_as_key() {
        let text = "<plist version=\"1.0\"><dict>\n<key>CFBundleName</key>\n<string>A &amp; B</string>\n<key>x</key><dict>\n\
                    <key>y</key><true/></dict>\n<key>l</key><array><string>p</string><integer>2</integer></array>\n\
                    <key>e</key><array/></dict></plist>";
        let expected = ["CFBundleName=A & B@3", "x/y=true@5", "l[]=p@6", "l[]=2@6", "e=[]@7"];
        assert_eq!(shown(Format::Plist, text), expected.map(str::to_owned));
        assert!(shown(Format::Plist, &"<dict>".repeat(100_000)).is_empty());
    }
}
