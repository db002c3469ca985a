//! YAML, through the events of its parser, so that nothing is built that aliases could make huge.

use super::{Flat, join};
use crate::platform::MAX_DEPTH;
use saphyr_parser::{Event, Parser};
use std::collections::HashMap;
use std::ops::Range;

/// What is open: the key of a mapping or of a list, and what comes next in it.
struct Open {
    key: String,
    is_list: bool,
    /// In a mapping, the key whose value comes next, and its line; in a list nothing.
    name: Option<(String, usize)>,
    /// How many entries of a list there were.
    index: usize,
    /// Where its settings start, and by which anchor it is named; 0 if by none.
    start: usize,
    anchor: usize,
}

/// Reads a YAML file; of several documents each is laid over those before it.
pub(super) fn parse(text: &str) -> Flat {
    let mut reading = Reading::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                reading.flat.warn_once(format!("is YAML only up to line {}: {}", error.marker().line(), error.info()));
                break;
            }
        };
        if reading.open.len() > MAX_DEPTH || reading.flat.is_full() {
            reading.flat.warn_once("is too deep or too long: the rest is left out".to_owned());
            break;
        }
        reading.take(event, span.start.line());
    }
    reading.flat
}

#[derive(Default)]
struct Reading {
    flat: Flat,
    open: Vec<Open>,
    /// The settings below each anchor, with the length of the key that is theirs no more elsewhere.
    anchors: HashMap<usize, (Range<usize>, usize)>,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::MappingStart(anchor, _) => self.enter(false, anchor),
            Event::SequenceStart(anchor, _) => self.enter(true, anchor),
            Event::MappingEnd | Event::SequenceEnd => self.leave(line),
            Event::Scalar(text, _, anchor, _) => match self.open.last_mut() {
                Some(open) if !open.is_list && open.name.is_none() => open.name = Some((text.into_owned(), line)),
                _ => {
                    // A text of several lines starts below its key.
                    let line = self.name_line().unwrap_or(line);
                    let key = self.next_key(true);
                    self.remember(anchor, self.flat.entries.len()..self.flat.entries.len() + 1, key.len());
                    self.flat.add(key, text.as_ref(), line);
                }
            },
            Event::Alias(anchor) => self.repeat(anchor, line),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    /// Returns the line of the key whose value comes now.
    fn name_line(&self) -> Option<usize> {
        self.open.last()?.name.as_ref().map(|(_, line)| *line)
    }

    /// Returns the key of the value that comes now.
    fn next_key(&mut self, is_scalar: bool) -> String {
        let Some(open) = self.open.last_mut() else { return String::new() };
        if open.is_list {
            open.index += 1;
            return match is_scalar {
                true => format!("{}[]", open.key),
                false => format!("{}[{}]", open.key, open.index - 1),
            };
        }
        match open.name.take() {
            // What is merged stands in the mapping itself.
            Some((name, _)) if name == "<<" => open.key.clone(),
            Some((name, _)) => join(&open.key, &name),
            None => open.key.clone(),
        }
    }

    fn enter(&mut self, is_list: bool, anchor: usize) {
        // A mapping or a list in the place of a key has no name: its own settings stand for it.
        let key = self.next_key(false);
        let start = self.flat.entries.len();
        self.open.push(Open { key, is_list, name: None, index: 0, start, anchor });
    }

    fn leave(&mut self, line: usize) {
        let Some(open) = self.open.pop() else { return };
        if open.start == self.flat.entries.len() {
            self.flat.add(open.key.as_str(), if open.is_list { "[]" } else { "{}" }, line);
        }
        self.remember(open.anchor, open.start..self.flat.entries.len(), open.key.len());
    }

    fn remember(&mut self, anchor: usize, settings: Range<usize>, key_len: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (settings, key_len));
        }
    }

    /// Adds again what stands below an anchor, here.
    fn repeat(&mut self, anchor: usize, line: usize) {
        let is_scalar = self.anchors.get(&anchor).is_some_and(|(settings, _)| settings.len() == 1);
        let key = self.next_key(is_scalar);
        let Some((settings, key_len)) = self.anchors.get(&anchor).cloned() else { return };
        for index in settings {
            // Also what is full says so once.
            let Some(entry) = self.flat.entries.get(index).cloned() else { return };
            let below = entry.key.get(key_len..).unwrap_or_default();
            self.flat.add(format!("{key}{below}").trim_start_matches('/'), entry.value, line);
            if self.flat.is_full() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::MAX_SETTINGS;
    use crate::platform::formats::Format;

    #[test]
    fn values_have_the_path_to_them_as_key() {
        let text = "a:\n  b: 1\n  'c d': [x, \"y\"]\ne:\n- f: |\n    two\n    lines\n- g\nh: {}\n";
        let expected = ["a/b=1@2", "a/c d[]=x@3", "a/c d[]=y@3", "e[0]/f=two\nlines\n@5", "e[]=g@8", "h={}@9"];
        assert_eq!(shown(Format::Yaml, text), expected.map(str::to_owned));
    }

    #[test]
    fn aliases_repeat_and_merge() {
        let text = "base: &b\n  x: 1\n  y: {z: 2}\nother:\n  <<: *b\n  x: 3\nlast: *b\n";
        let expected =
            ["base/x=1@2", "base/y/z=2@3", "other/x=1@5", "other/y/z=2@5", "other/x=3@6", "last/x=1@7", "last/y/z=2@7"];
        assert_eq!(shown(Format::Yaml, text), expected.map(str::to_owned));
    }

    #[test]
    fn aliases_of_aliases_stay_bounded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let row = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{row}]\n"));
        }
        assert_eq!(shown(Format::Yaml, &text).len(), MAX_SETTINGS);
    }

    #[test]
    fn what_was_read_before_an_error_is_kept() {
        assert_eq!(shown(Format::Yaml, "a: 1\nb: [\n"), ["a=1@1"]);
        assert!(shown(Format::Yaml, &"- ".repeat(100_000)).is_empty());
    }
}
