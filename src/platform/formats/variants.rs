//! Godot's configuration: sections whose values are variants, as `project.godot` and `export_presets.cfg` have them
//! (`core/variant_parser.cpp`).

use super::{Flat, join};

/// Reads a file of Godot's. A value may go on over lines as long as a bracket or a text in it is open; these lines are
/// joined.
pub(in crate::platform) fn parse(text: &str) -> Flat {
    let mut flat = Flat::default();
    let mut section = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')).map(|(name, _)| name) {
            section = name.trim().to_owned();
            continue;
        }
        let Some((key, start)) = split(line) else {
            flat.warn_once(format!("line {} sets nothing", index + 1));
            continue;
        };
        let mut state = State::default();
        let mut value = String::new();
        state.take(start.trim_start(), &mut value);
        while state.is_open() {
            let Some((_, next)) = lines.next() else {
                flat.warn_once(format!("the value in line {} does not end", index + 1));
                break;
            };
            value.push(if state.in_text { '\n' } else { ' ' });
            state.take(if state.in_text { next } else { next.trim() }, &mut value);
        }
        flat.add(join(&section, &key), value.trim(), index + 1);
    }
    flat
}

/// Cuts a line at its `=`; a key that is no plain name has quotes.
fn split(line: &str) -> Option<(String, &str)> {
    match line.strip_prefix('"') {
        Some(rest) => {
            let (key, rest) = rest.split_once('"')?;
            Some((key.to_owned(), rest.trim_start().strip_prefix('=')?))
        }
        None => line.split_once('=').map(|(key, value)| (key.trim().to_owned(), value)),
    }
}

/// How far a value is.
#[derive(Default)]
struct State {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl State {
    fn is_open(&self) -> bool {
        self.depth > 0 || self.in_text
    }

    /// Adds a line to `value`, but for a comment in it.
    fn take(&mut self, line: &str, value: &mut String) {
        for c in line.chars() {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' if self.in_text => self.escaped = true,
                '"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                ';' => return,
                '(' | '[' | '{' => self.depth += 1,
                ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            value.push(c);
        }
        self.escaped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::shown;
    use crate::platform::formats::Format;

    #[test]
    fn values_go_on_over_lines() {
        let text = "; c\nconfig_version=4\n\n[a]\n\nx/y=\"p ; q\" ; c\nm={\n\"k\": [ 1,\n2 ]\n}\nt=\"two\nlines\"\n\"odd key\"=1\n[b]\nz=Vector2( 1, 2 )\n";
        let expected = [
            "config_version=4@2",
            "a/x/y=\"p ; q\"@6",
            "a/m={ \"k\": [ 1, 2 ] }@7",
            "a/t=\"two\nlines\"@11",
            "a/odd key=1@13",
            "b/z=Vector2( 1, 2 )@15",
        ];
        assert_eq!(shown(Format::Variants, text), expected.map(str::to_owned));
    }

    #[test]
    fn a_value_that_does_not_end_ends_with_the_file() {
        assert_eq!(shown(Format::Variants, "a=[1,\nb=2"), ["a=[1, b=2@1"]);
    }
}
