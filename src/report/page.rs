//! The skeleton of a page: head, style and script, sections, tiles of numbers.
//!
//! Style follows the reader's light or dark setting, which a button turns. The script sorts, filters and folds tables
//! ([`super::table`]); without it all of a page is there all the same.

use super::html::{Html, escape};

/// What stands in every head: among others that nothing is loaded from anywhere.
const HEAD: &str = include_str!("page-head.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// It is there now, or got better.
    Added,
    /// It is gone, or got worse.
    Removed,
    /// It is another one.
    Modified,
    /// It is elsewhere.
    Moved,
    /// It needs a look.
    Warning,
    /// Nothing.
    Plain,
    /// One of a row of kinds that a page tells apart by colour, from 0 on.
    Kind(u8),
}

/// How many kinds have colours of their own.
pub const KINDS: u8 = 10;

impl Tone {
    /// Returns the name of the class that gives an element this tone.
    pub fn class(self) -> String {
        match self {
            Tone::Added => "t-add".to_owned(),
            Tone::Removed => "t-del".to_owned(),
            Tone::Modified => "t-mod".to_owned(),
            Tone::Moved => "t-mov".to_owned(),
            Tone::Warning => "t-warn".to_owned(),
            Tone::Plain => "t-plain".to_owned(),
            Tone::Kind(number) => format!("t-k{}", number % KINDS),
        }
    }
}

/// A page that is being written.
pub struct Page {
    title: String,
    subtitle: Html,
    links: Vec<(String, String)>,
    body: Html,
}

impl Page {
    /// Starts a page with its title and a line below it.
    pub fn new(title: &str, subtitle: Html) -> Page {
        Page { title: title.to_owned(), subtitle, links: Vec::new(), body: Html::new() }
    }

    /// Adds a section; an empty one is left out.
    pub fn section(&mut self, heading: &str, content: &Html) {
        self.section_with_note(heading, "", content);
    }

    /// Adds a section with a sentence below its heading; an empty one is left out.
    pub fn section_with_note(&mut self, heading: &str, note: &str, content: &Html) {
        if content.is_empty() {
            return;
        }
        let id = format!("s{}", self.links.len() + 1);
        self.body.push_format(format_args!("<section id=\"{id}\"><h2>{}</h2>", escape(heading)));
        if !note.is_empty() {
            self.body.push_format(format_args!("<p class=\"note\">{}</p>", escape(note)));
        }
        self.body.push(content);
        self.body.push_raw("</section>\n");
        self.links.push((id, heading.to_owned()));
    }

    /// Adds something that stands in no section.
    pub fn push(&mut self, content: &Html) {
        self.body.push(content);
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        let title = escape(&self.title);
        let mut links = String::new();
        for (id, heading) in &self.links {
            links.push_str(&format!("<a href=\"#{id}\">{}</a>", escape(heading)));
        }
        format!(
            "<!doctype html>\n<html lang=\"en\"><head>\n{HEAD}<title>{title}</title>\n<style>\n{STYLE}</style></head>\n\
             <body><header><div class=\"wrap\"><div class=\"head\"><h1>{title}</h1>\
             <button id=\"theme\" type=\"button\" title=\"Light or dark\" aria-label=\"Light or dark\">◐</button></div>\
             <p class=\"sub\">{}</p><nav>{links}</nav></div></header>\n<main class=\"wrap\">\n{}</main>\n\
             <footer class=\"wrap\">Made by GameVault. This page needs no network.</footer>\n\
             <script>\n{SCRIPT}</script></body></html>\n",
            self.subtitle, self.body
        )
    }
}

/// A number that stands out, with what it is.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// The number.
    pub value: String,
    /// A few words below; may be empty.
    pub note: String,
    /// Its colour.
    pub tone: Tone,
}

/// Returns a row of numbers that stand out.
pub fn figures(figures: &[Figure]) -> Html {
    let mut html = Html::raw("<div class=\"figures\">");
    for Figure { label, value, note, tone } in figures {
        html.push_format(format_args!(
            "<div class=\"figure {}\"><span class=\"label\">{}</span><span class=\"value\">{}</span>\
             <span class=\"hint\">{}</span></div>",
            tone.class(),
            escape(label),
            escape(value),
            escape(note)
        ));
    }
    html.push_raw("</div>");
    html
}

/// Returns a word in a coloured pill.
pub fn pill(word: &str, tone: Tone) -> Html {
    Html::raw(format!("<span class=\"pill {}\">{}</span>", tone.class(), escape(word)))
}

/// Returns what the colours of a chart say.
pub fn legend(entries: &[(&str, Tone)]) -> Html {
    let mut html = Html::raw("<ul class=\"legend\">");
    for (word, tone) in entries {
        html.push_format(format_args!("<li><i class=\"{}\"></i>{}</li>", tone.class(), escape(word)));
    }
    html.push_raw("</ul>");
    html
}

/// Returns a part that is folded until somebody wants it; `open` ones are unfolded.
pub fn folded(heading: &Html, content: &Html, open: bool) -> Html {
    let open = if open { " open" } else { "" };
    Html::raw(format!("<details{open}><summary>{heading}</summary><div class=\"inside\">{content}</div></details>"))
}

/// Returns several parts side by side, as the room allows.
pub fn columns(parts: &[Html]) -> Html {
    let mut html = Html::raw("<div class=\"columns\">");
    for part in parts.iter().filter(|part| !part.is_empty()) {
        html.push_format(format_args!("<div class=\"column\">{part}</div>"));
    }
    html.push_raw("</div>");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_one_file_without_foreign_text_in_its_markup() {
        let mut page = Page::new("<b> to c", Html::text("a & b"));
        let number =
            Figure { label: "l<".into(), value: "5".into(), note: "\"n\"".into(), tone: Tone::Kind(KINDS + 1) };
        page.section("Sums <i>", &figures(&[number]));
        page.section("Nothing", &Html::new());
        let text = page.finish();
        assert!(text.contains("<title>&lt;b&gt; to c</title>") && text.contains("a &amp; b"));
        assert!(text.contains("l&lt;") && text.contains("&quot;n&quot;") && text.contains("t-k1"));
        assert!(!text.contains("<h2>Nothing") && text.contains("<a href=\"#s1\">Sums &lt;i&gt;</a>"));
        for foreign in ["http://", "https://", "src=\"//", "@import", "url(h"] {
            assert!(!text.contains(foreign), "{foreign}");
        }
    }
}
