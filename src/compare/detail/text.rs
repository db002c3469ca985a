//! Lines of a text that changed, with those around them.

use crate::compare::file_bytes;
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::Content;
use crate::secret;
use serde::Serialize;
use similar::{Algorithm, DiffTag, TextDiff};

/// Bytes of a text beyond which it is not compared.
const MAX_LEN: u64 = 1 << 20;

/// Lines of both texts together, without what is the same at their starts and ends, beyond which they are not compared: the time
/// that it takes grows with the square where all differ (5,000 lines take 0.1 s).
const MAX_LINES: usize = 5_000;

/// Lines that are shown, and letters of each.
const MAX_SHOWN: usize = 400;
const MAX_LINE_LEN: usize = 400;

/// Lines that are shown around a change.
const CONTEXT: usize = 3;

/// What changed in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextChange {
    /// Lines that came.
    pub added: usize,
    /// Lines that went.
    pub removed: usize,
    /// The changes with the lines around them.
    pub hunks: Vec<Hunk>,
    /// Whether there is more than is shown.
    pub is_cut: bool,
}

/// Some changes close to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hunk {
    /// The first line in the older text, from 1, and how many there are.
    pub old: (usize, usize),
    /// The first line in the newer text, from 1, and how many there are.
    pub new: (usize, usize),
    /// The lines.
    pub lines: Vec<Line>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What happened to it.
    pub kind: LineKind,
    /// What stands in it, without its end; secrets are masked, and the rest of a long line is left out.
    pub text: String,
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// It is in both.
    Same,
    /// It came.
    Added,
    /// It went.
    Removed,
}

impl LineKind {
    /// Returns the sign in front of such a line.
    pub fn sign(self) -> char {
        match self {
            LineKind::Same => ' ',
            LineKind::Added => '+',
            LineKind::Removed => '-',
        }
    }
}

impl Hunk {
    /// Returns the line that says where it is: `@@ -1,3 +1,4 @@`.
    pub fn heading(&self) -> String {
        let range = |(start, len)| if len == 1 { format!("{start}") } else { format!("{start},{len}") };
        format!("@@ -{} +{} @@", range(self.old), range(self.new))
    }
}

pub(super) fn detail(reader: &Reader, path: &str, old: &Content, new: &Content) -> Result<Option<TextChange>> {
    if old.size.max(new.size) > MAX_LEN {
        return Ok(None);
    }
    let (old, new) = (file_bytes::whole(reader, old, MAX_LEN)?, file_bytes::whole(reader, new, MAX_LEN)?);
    let (Some(old), Some(new)) = (old, new) else { return Ok(None) };
    Ok(text_of(&old).zip(text_of(&new)).and_then(|(old, new)| compare(path, old, new)))
}

/// Returns bytes as a text, if they are one.
fn text_of(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.contains('\0')).then_some(text.trim_start_matches('\u{feff}'))
}

fn compare(path: &str, old: &str, new: &str) -> Option<TextChange> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - same_start;
    let same_end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    if old.len() + new.len() - 2 * (same_start + same_end) > MAX_LINES {
        return None;
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&old, &new);
    let (masked_old, masked_new) = (Masked::of(path, &old), Masked::of(path, &new));
    let mut change = TextChange { added: 0, removed: 0, hunks: Vec::new(), is_cut: false };
    for op in diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal) {
        change.removed += op.old_range().len();
        change.added += op.new_range().len();
    }
    let mut shown = 0;
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let range = |start: usize, end: usize| (if start == end { start } else { start + 1 }, end - start);
        let mut hunk = Hunk {
            old: range(first.old_range().start, last.old_range().end),
            new: range(first.new_range().start, last.new_range().end),
            lines: Vec::new(),
        };
        for op in group {
            if op.tag() == DiffTag::Equal {
                hunk.lines.extend(op.new_range().map(|line| masked_new.line(LineKind::Same, line)));
                continue;
            }
            hunk.lines.extend(op.old_range().map(|line| masked_old.line(LineKind::Removed, line)));
            hunk.lines.extend(op.new_range().map(|line| masked_new.line(LineKind::Added, line)));
        }
        if shown + hunk.lines.len() > MAX_SHOWN {
            change.is_cut = true;
            hunk.lines.truncate(MAX_SHOWN - shown);
        }
        shown += hunk.lines.len();
        if !hunk.lines.is_empty() {
            change.hunks.push(hunk);
        }
        if change.is_cut {
            break;
        }
    }
    (change.added + change.removed > 0).then_some(change)
}

/// Lines whose secrets are not shown.
struct Masked<'a> {
    lines: &'a [&'a str],
    /// Lines of a private key, which have no names.
    in_key: Vec<bool>,
    is_code: bool,
}

impl<'a> Masked<'a> {
    fn of(path: &str, lines: &'a [&'a str]) -> Masked<'a> {
        let is_code = crate::compare::Class::of(path) == crate::compare::Class::Code;
        let mut inside = false;
        let in_key = lines.iter().map(|line| {
            let starts = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----");
            let was = inside;
            inside = (inside || starts) && !line.contains("-----END ");
            was && inside
        });
        Masked { lines, in_key: in_key.collect(), is_code }
    }

    fn line(&self, kind: LineKind, index: usize) -> Line {
        let text = match self.in_key[index] {
            true => secret::MASK.to_owned(),
            false => secret::mask_line(self.lines[index], self.is_code),
        };
        let text = match text.char_indices().nth(MAX_LINE_LEN) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Line { kind, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(change: &TextChange) -> String {
        let mut text = String::new();
        for hunk in &change.hunks {
            text += &hunk.heading();
            text += "\n";
            for line in &hunk.lines {
                text.push(line.kind.sign());
                text += &line.text;
                text += "\n";
            }
        }
        text
    }

    /// As `diff -u` prints it.
    #[test]
    fn hunks_are_those_of_a_unified_diff() {
        let old: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        let new = old.replace("line 2\n", "line two\nmore\n").replace("line 19\n", "");
        let change = compare("a.txt", &old, &new).unwrap();
        let expected = "@@ -1,5 +1,6 @@\n line 1\n-line 2\n+line two\n+more\n line 3\n line 4\n line 5\n\
                        @@ -16,5 +17,4 @@\n line 16\n line 17\n line 18\n-line 19\n line 20\n";
        assert_eq!(shown(&change), expected);
        assert_eq!((change.added, change.removed), (2, 2));
        assert_eq!(compare("a", "same", "same"), None);
        assert_eq!(compare("a", "", "x").unwrap().hunks[0].heading(), "@@ -0,0 +1 @@");
    }

    #[test]
    fn secrets_are_masked_in_every_line() {
        let key = |text: &str| format!("-----BEGIN RSA PRIVATE KEY-----\n{text}\n-----END RSA PRIVATE KEY-----\n");
        let (old, new) = (key("hunter2"), format!("storePassword=hunter3\n{}", key("hunter4")));
        let text = shown(&compare("a.txt", &old, &new).unwrap());
        assert!(!text.contains("hunter"), "{text}");
        assert!(text.contains("storePassword=") && text.contains(secret::MASK));
    }

    #[test]
    fn what_is_too_long_is_cut_or_left_out() {
        let (old, new) = ("a\n".repeat(1000), "b\n".repeat(1000));
        let change = compare("a.txt", &old, &new).unwrap();
        assert!(change.is_cut && change.added == 1000);
        assert_eq!(change.hunks.iter().map(|hunk| hunk.lines.len()).sum::<usize>(), MAX_SHOWN);
        let long = compare("a.txt", "", &"x".repeat(5000)).unwrap();
        assert_eq!(long.hunks[0].lines[0].text.chars().count(), MAX_LINE_LEN + 1);
        assert_eq!(compare("a.txt", &"a\n".repeat(MAX_LINES), &"b\n".repeat(MAX_LINES)), None);
        assert_eq!(text_of(b"a\0b"), None);
    }
}
