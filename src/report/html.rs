//! Markup that is known to be safe: text becomes part of it escaped, or not at all.

use std::fmt::{self, Display, Write};

/// A piece of a page. What people named things with is in it as text alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Makes an empty piece.
    pub fn new() -> Html {
        Html::default()
    }

    /// Makes a piece of plain text.
    pub fn text(text: &str) -> Html {
        let mut html = Html::new();
        html.push_text(text);
        html
    }

    /// Makes a piece of markup that this program wrote.
    pub fn raw(markup: impl Into<String>) -> Html {
        Html(markup.into())
    }

    /// Adds plain text.
    pub fn push_text(&mut self, text: &str) {
        escape_into(&mut self.0, text);
    }

    /// Adds markup that this program wrote.
    pub fn push_raw(&mut self, markup: &str) {
        self.0.push_str(markup);
    }

    /// Adds markup that this program wrote; what people named goes through [`escape`] first.
    pub fn push_format(&mut self, markup: fmt::Arguments<'_>) {
        self.0.write_fmt(markup).expect("writing to a string cannot fail");
    }

    /// Adds another piece.
    pub fn push(&mut self, other: &Html) {
        self.0.push_str(&other.0);
    }

    /// Returns the markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns `text` so that it is nothing but text, between tags and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_into(&mut escaped, text);
    escaped
}

fn escape_into(target: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => target.push_str("&amp;"),
            '<' => target.push_str("&lt;"),
            '>' => target.push_str("&gt;"),
            '"' => target.push_str("&quot;"),
            '\'' => target.push_str("&#39;"),
            // They turn the order of what follows, or are no text at all: a name could pass for another one.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => target.push('\u{fffd}'),
            c if c.is_control() && c != '\n' && c != '\t' => target.push('\u{fffd}'),
            c => target.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text() {
        let name = "<script>\"a\" & 'b'\u{0}\u{202e}gpj.exe";
        let safe = "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;\u{fffd}\u{fffd}gpj.exe";
        assert_eq!(escape(name), safe);
        assert_eq!(Html::text(name).as_str(), safe);
    }
}
