//! Unity's serialized objects: documents of a YAML of its own, read line by line.
//!
//! It is no YAML that a parser takes: documents have tags on anchors (`--- !u!129 &1`), some are marked `stripped`, lists
//! stand at the depth of their key, texts and `{…}` go on over lines, and merge conflicts of version control may be left
//! in. So depth of indentation is all that counts here, and a line that fits nowhere goes on with the text before it.

use crate::platform::{MAX_DEPTH, MAX_SETTINGS};
use std::iter::Peekable;
use std::vec::IntoIter;

/// A file.
#[derive(Debug, Default)]
pub(in crate::platform) struct UnityFile {
    pub documents: Vec<Document>,
    pub warnings: Vec<String>,
}

/// An object in a file.
#[derive(Debug)]
pub(in crate::platform) struct Document {
    /// The class, such as `PlayerSettings`.
    pub class: String,
    /// Its number in the file.
    pub id: String,
    pub body: Node,
}

/// A value and its line.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::platform) struct Node {
    pub line: u32,
    pub data: Data,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::platform) enum Data {
    Text(String),
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
}

impl Node {
    /// Returns what a mapping has under `key`.
    pub(in crate::platform) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Returns the entries of a mapping; none of anything else.
    pub(in crate::platform) fn entries(&self) -> &[(String, Node)] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the elements of a list; none of anything else.
    pub(in crate::platform) fn elements(&self) -> &[Node] {
        match &self.data {
            Data::List(elements) => elements,
            _ => &[],
        }
    }

    /// Returns the text of a plain value; an empty one of anything else.
    pub(in crate::platform) fn text(&self) -> &str {
        match &self.data {
            Data::Text(text) => text,
            _ => "",
        }
    }
}

/// A line: how far it is indented, and what it says. `-` before an element is counted as indentation of what follows it.
struct Line {
    number: u32,
    indent: usize,
    dashes: Vec<usize>,
    text: String,
    going: Going,
}

/// Whether a value goes on in the next line; kept up while lines are added, so that a long value is looked at once.
enum Going {
    /// There is none, so it is on the next lines by itself.
    No,
    /// It is a `{…}` with so many more opening than closing brackets.
    Braces(i64),
    /// It is in quotes of this sort, which are open or not.
    Quoted(char, bool),
    /// It is plain: whatever is deeper and neither key nor element belongs to it.
    Plain,
}

impl Going {
    fn of(text: &str) -> Going {
        let value = key_of(text).map_or(text, |(_, value)| value);
        let mut going = match value.chars().next() {
            None => return Going::No,
            Some('{') => Going::Braces(0),
            Some(quote @ ('"' | '\'')) => Going::Quoted(quote, false),
            Some(_) => return Going::Plain,
        };
        going.take(value);
        going
    }

    /// Counts what the value says further.
    fn take(&mut self, more: &str) {
        match self {
            Going::Braces(open) => *open += more.matches('{').count() as i64 - more.matches('}').count() as i64,
            Going::Quoted(quote, is_open) => {
                let mut escaped = false;
                for c in more.chars() {
                    // A quote that is doubled in single quotes closes and opens again.
                    *is_open ^= c == *quote && !escaped;
                    escaped = *quote == '"' && c == '\\' && !escaped;
                }
            }
            Going::No | Going::Plain => {}
        }
    }
}

/// Reads a file.
pub(in crate::platform) fn parse(text: &str) -> UnityFile {
    let mut file = UnityFile::default();
    let mut header: Option<String> = None;
    let mut lines = Vec::new();
    let mut count = 0;
    for (index, line) in text.lines().enumerate() {
        if let Some(next) = line.strip_prefix("--- ").or_else(|| (line == "---").then_some("")) {
            add_document(&mut file, header.replace(next.to_owned()), std::mem::take(&mut lines));
        } else if !line.starts_with('%') {
            count += 1;
            if count > MAX_SETTINGS {
                file.warnings.push(format!("has more than {MAX_SETTINGS} lines: the others are left out"));
                break;
            }
            lines.push((index as u32 + 1, line));
        }
    }
    add_document(&mut file, header, lines);
    file
}

/// Reads the mapping that `lines` are, with the numbers of their own.
pub(in crate::platform) fn parse_mapping<'a>(lines: impl IntoIterator<Item = (u32, &'a str)>) -> Node {
    let lines = fold(lines.into_iter().collect());
    let line = lines.first().map_or(1, |line| line.number);
    block(&mut lines.into_iter().peekable(), 0, 0).unwrap_or(Node { line, data: Data::Map(Vec::new()) })
}

fn add_document(file: &mut UnityFile, header: Option<String>, lines: Vec<(u32, &str)>) {
    let id = header.as_deref().and_then(|header| header.split('&').nth(1)).unwrap_or_default();
    let id = id.split_whitespace().next().unwrap_or_default().to_owned();
    let Node { data: Data::Map(classes), .. } = parse_mapping(lines) else { return };
    file.documents.extend(classes.into_iter().map(|(class, body)| Document { class, id: id.clone(), body }));
}

/// Joins the lines of texts and of `{…}` that go on, and tells the dashes of lists from what follows them.
fn fold(lines: Vec<(u32, &str)>) -> Vec<Line> {
    let mut folded: Vec<Line> = Vec::new();
    for (number, text) in lines {
        if text.trim().is_empty() || is_conflict_mark(text) {
            continue;
        }
        if let Some(last) = folded.last_mut()
            && goes_on(last, text)
        {
            last.text.push(' ');
            last.text.push_str(text.trim());
            last.going.take(text.trim());
            continue;
        }
        let mut indent = text.len() - text.trim_start().len();
        let mut rest = text.trim();
        let mut dashes = Vec::new();
        while let Some(after) = rest.strip_prefix("- ").or_else(|| (rest == "-").then_some("")) {
            if dashes.len() == MAX_DEPTH {
                break;
            }
            dashes.push(indent);
            indent += rest.len() - after.trim_start().len();
            rest = after.trim_start();
        }
        folded.push(Line { number, indent, dashes, text: rest.to_owned(), going: Going::of(rest) });
    }
    folded
}

fn is_conflict_mark(text: &str) -> bool {
    ["<<<<<<< ", "=======", ">>>>>>> ", "||||||| "].iter().any(|mark| text.starts_with(mark))
}

/// Tells whether `next` belongs to the value that `line` started.
fn goes_on(line: &Line, next: &str) -> bool {
    let trimmed = next.trim_start();
    match line.going {
        Going::No => false,
        Going::Braces(open) => open > 0,
        Going::Quoted(_, is_open) => is_open,
        Going::Plain => {
            next.len() - trimmed.len() > line.indent
                && !trimmed.starts_with("- ")
                && key_of(trimmed.trim_end()).is_none()
        }
    }
}

/// Cuts `key: value` and `key:`.
fn key_of(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['"', '\'', '{', '[']) {
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (key, rest) = text[1..].split_once(quote)?;
        return rest.strip_prefix(':').map(|value| (key, value.trim()));
    }
    match text.split_once(": ") {
        Some((key, value)) => Some((key.trim_end(), value.trim())),
        None => text.strip_suffix(':').map(|key| (key, "")),
    }
}

type Rest = Peekable<IntoIter<Line>>;

/// Reads what stands at `indent` or deeper, as far as it does.
fn block(lines: &mut Rest, indent: usize, depth: usize) -> Option<Node> {
    let first = lines.peek().filter(|line| start_of(line) >= indent)?;
    let (number, at) = (first.number, start_of(first));
    if depth > MAX_DEPTH {
        // Nobody writes this: what is deeper is left out.
        while lines.next_if(|line| start_of(line) >= indent).is_some() {}
        return None;
    }
    if !first.dashes.is_empty() {
        return Some(list(lines, at, depth));
    }
    let mut entries = Vec::new();
    while let Some(line) = lines.next_if(|line| line.dashes.is_empty() && line.indent >= at) {
        let Some((key, value)) = key_of(&line.text) else {
            if entries.is_empty() {
                return Some(Node { line: number, data: Data::Text(scalar(&line.text)) });
            }
            continue;
        };
        let node = match value {
            "" => below(lines, at, depth),
            value => Some(Node { line: line.number, data: Data::Text(scalar(value)) }),
        };
        entries.push((key.to_owned(), node.unwrap_or(Node { line: line.number, data: Data::Text(String::new()) })));
    }
    Some(Node { line: number, data: Data::Map(entries) })
}

/// Reads the value of a key at `indent` that stands on the next lines: deeper, or a list just as deep.
fn below(lines: &mut Rest, indent: usize, depth: usize) -> Option<Node> {
    let next = lines.peek()?;
    match next.dashes.first() {
        Some(&dash) if dash >= indent => block(lines, dash, depth + 1),
        None if next.indent > indent => block(lines, indent + 1, depth + 1),
        _ => None,
    }
}

fn list(lines: &mut Rest, at: usize, depth: usize) -> Node {
    let number = lines.peek().map_or(1, |line| line.number);
    let mut elements = Vec::new();
    while let Some(line) = lines.peek_mut() {
        if line.dashes.first() != Some(&at) {
            break;
        }
        line.dashes.remove(0);
        let (line, is_empty) = (line.number, line.text.is_empty() && line.dashes.is_empty());
        if is_empty {
            lines.next();
        }
        // What follows the dash is deeper than it.
        let element = block(lines, at + 1, depth + 1);
        elements.push(element.unwrap_or(Node { line, data: Data::Text(String::new()) }));
    }
    Node { line: number, data: Data::List(elements) }
}

/// Returns where a line starts: at its first dash, or its text.
fn start_of(line: &Line) -> usize {
    line.dashes.first().copied().unwrap_or(line.indent)
}

/// Takes the quotes off a text.
fn scalar(value: &str) -> String {
    let value = value.trim();
    if let Some(inside) = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        return inside.replace("''", "'");
    }
    let Some(inside) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    // Its escapes are those of JSON, but for a few that nobody sees here.
    serde_json::from_str(value).unwrap_or_else(|_| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n--- !u!129 &1\nPlayerSettings:\n  serializedVersion: 22\n  \
        productName: 'It''s'\n  cursor: {x: 0, y: 1,\n    z: 2}\n  applicationIdentifier:\n    Android: com.a\n    iPhone: com.b\n  \
        m_BuildTargetGraphicsAPIs:\n  - m_BuildTarget: AndroidPlayer\n    m_APIs: 150000000b000000\n    m_Automatic: 0\n  - m_BuildTarget: \
        iOSSupport\n    m_APIs: 10000000\n  empty: []\n  none: \n  description: a text that\n    goes on\n  tags:\n  - one\n  - \n  - \"t\\n\"\n--- \
        !u!1 &2 stripped\nOther:\n  a: 1\n";

    #[test]
    fn objects_are_read_with_their_lists_and_texts() {
        let file = parse(TEXT);
        let names: Vec<_> = file.documents.iter().map(|document| (&*document.class, &*document.id)).collect();
        assert_eq!(names, [("PlayerSettings", "1"), ("Other", "2")]);
        let body = &file.documents[0].body;
        let text = |key: &str| body.get(key).unwrap().text().to_owned();
        assert_eq!(text("productName"), "It's");
        assert_eq!(text("cursor"), "{x: 0, y: 1, z: 2}");
        assert_eq!([text("empty"), text("none"), text("description")], ["[]", "", "a text that goes on"]);
        let android = body.get("applicationIdentifier").unwrap().get("Android").unwrap();
        assert_eq!((android.text(), android.line), ("com.a", 10));
        let apis = body.get("m_BuildTargetGraphicsAPIs").unwrap().elements();
        let targets: Vec<_> = apis.iter().map(|api| api.get("m_BuildTarget").unwrap().text()).collect();
        assert_eq!(targets, ["AndroidPlayer", "iOSSupport"]);
        assert_eq!((apis[0].get("m_Automatic").unwrap().text(), apis[0].get("m_APIs").unwrap().line), ("0", 14));
        let tags: Vec<_> = body.get("tags").unwrap().elements().iter().map(Node::text).collect();
        assert_eq!(tags, ["one", "", "t\n"]);
    }

    #[test]
    fn depth_is_bounded() {
        let text: String = (0..100_000).map(|n| format!("{}k:\n", " ".repeat(n % 3000))).collect();
        assert!(!parse(&text[..MAX_SETTINGS]).documents.is_empty());
        parse(&"- ".repeat(500_000));
        parse(&(0..2000).map(|n| format!("{}- a:\n", " ".repeat(n))).collect::<String>());
    }
}
