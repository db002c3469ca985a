//! What changed between two builds, as Markdown: to be read as it stands, searched, and put into release notes.

use super::details::{length, members_words, picture_words, sound_format};
use super::{described, listed};
use crate::compare::detail::Detail;
use crate::compare::{self, Changes, Sum};
use crate::report::text;
use std::fmt::Write;

const TO_STRING: &str = "writing to a string cannot fail";

/// Folders and commits that are listed.
const MAX_FOLDERS: usize = 30;
const MAX_COMMITS: usize = 100;

/// Returns the text that tells `changes`.
pub fn markdown(changes: &Changes) -> String {
    let (old, new) = (&changes.old, &changes.new);
    let mut out = format!("# {} to {}\n\n- before: {}\n- after: {}\n", old.id, new.id, described(old), described(new));
    let shown = listed(&changes.diff.changes);
    let all = Sum::of("all", shown.iter().copied());
    let growth = text::growth(text::difference(old.root.totals.bytes, new.root.totals.bytes));
    let (size, changed, stored) =
        (text::size(new.root.totals.bytes), text::size(all.changed_bytes), text::size(all.stored_bytes));
    writeln!(out, "- size: {size} ({growth}); really changed: {changed}, which take {stored} in the store\n")
        .expect(TO_STRING);
    if shown.is_empty() {
        return out + "Nothing differs.\n";
    }
    add_sums(&mut out, "Change", compare::by_kind(&changes.diff.changes).into_iter().map(|(_, sum)| sum));
    add_sums(&mut out, "Class", compare::by_class(&changes.diff.changes).into_iter().map(|(_, sum)| sum));
    add_sums(&mut out, "Folder", compare::by_weight(&changes.diff.changes, MAX_FOLDERS).into_iter());
    if !changes.plugins.is_empty() {
        out += "## Plugins\n\n";
        for plugin in &changes.plugins {
            let version = |version: &Option<String>| version.as_deref().map_or("none".to_owned(), code);
            let (old, new) = (version(&plugin.old), version(&plugin.new));
            writeln!(out, "- {} {old} -> {new} ({})", code(&plugin.name), code(&plugin.path)).expect(TO_STRING);
        }
        out.push('\n');
    }
    if !changes.commits.is_empty() {
        out += "## Commits\n\n";
        for commit in changes.commits.iter().take(MAX_COMMITS) {
            writeln!(out, "- {}", code(commit)).expect(TO_STRING);
        }
        out.push('\n');
    }
    out += "## Files\n\n";
    for one in &shown {
        let change = &one.change;
        let from = change.from.as_ref().map(|from| format!(" from {}", code(from))).unwrap_or_default();
        let sizes = match (change.old_size, change.new_size) {
            (None, None) => String::new(),
            (Some(old), None) => format!(", was {}", text::size(old)),
            (None, Some(new)) => format!(", {}", text::size(new)),
            (Some(old), Some(new)) if old == new => format!(", {}", text::size(new)),
            (Some(old), Some(new)) => format!(", {} -> {}", text::size(old), text::size(new)),
        };
        let changed = match one.changed_bytes {
            0 => String::new(),
            bytes => format!(", {} changed", text::size(bytes)),
        };
        writeln!(out, "- {} {}{from}{sizes}{changed}", change.kind.word(), code(&change.path)).expect(TO_STRING);
    }
    if !changes.details.is_empty() {
        out += "\n## Details\n";
    }
    for (&index, detail) in &changes.details {
        write!(out, "\n### {}\n\n", code(&changes.diff.changes[index].change.path)).expect(TO_STRING);
        out += &detail_text(detail);
    }
    out
}

fn add_sums(out: &mut String, heading: &str, sums: impl Iterator<Item = Sum>) {
    writeln!(out, "| {heading} | Files | Growth | Changed | Stored |\n|---|---:|---:|---:|---:|").expect(TO_STRING);
    for sum in sums {
        let (changed, stored) = (text::size(sum.changed_bytes), text::size(sum.stored_bytes));
        let (files, growth) = (text::grouped(sum.changes), text::growth(sum.growth));
        writeln!(out, "| {} | {files} | {growth} | {changed} | {stored} |", sum.name.replace('|', "\\|"))
            .expect(TO_STRING);
    }
    out.push('\n');
}

/// Returns a detail as lines of Markdown.
pub fn detail_text(detail: &Detail) -> String {
    match detail {
        Detail::Text(change) => {
            let fence = "`".repeat(
                change
                    .hunks
                    .iter()
                    .flat_map(|hunk| &hunk.lines)
                    .map(|line| ticks(&line.text))
                    .max()
                    .unwrap_or(0)
                    .max(2)
                    + 1,
            );
            let mut out = format!("{fence}diff\n");
            for hunk in &change.hunks {
                out += &hunk.heading();
                out.push('\n');
                for line in &hunk.lines {
                    writeln!(out, "{}{}", line.kind.sign(), line.text).expect(TO_STRING);
                }
            }
            if change.is_cut {
                out += "…\n";
            }
            out + &fence + "\n"
        }
        Detail::Settings(change) => {
            let mut out = String::new();
            for setting in &change.settings {
                let value = |value: &Option<String>| value.as_deref().map_or("none".to_owned(), code);
                writeln!(out, "- {}: {} -> {}", code(&setting.key), value(&setting.old), value(&setting.new))
                    .expect(TO_STRING);
            }
            if change.count > change.settings.len() {
                writeln!(out, "- and {} more", text::grouped((change.count - change.settings.len()) as u64))
                    .expect(TO_STRING);
            }
            out
        }
        Detail::Members(change) => {
            let mut out = format!("{}\n\n", members_words(change));
            for member in &change.changes {
                let word = match (&member.old, &member.new) {
                    (None, _) => "added",
                    (_, None) => "removed",
                    _ => "modified",
                };
                writeln!(out, "- {word} {}", code(&member.name)).expect(TO_STRING);
            }
            out
        }
        Detail::Picture(change) => format!("{}\n", picture_words(change)),
        Detail::Sound(change) => format!(
            "{} ({}) -> {} ({})\n",
            length(&change.old),
            sound_format(&change.old),
            length(&change.new),
            sound_format(&change.new)
        ),
        Detail::Unreadable { reason } => format!("unreadable: {reason}\n"),
    }
}

/// Returns words as they stand: people name files with signs that mean something in Markdown.
fn code(words: &str) -> String {
    let words = words.replace('\n', " ");
    let fence = "`".repeat(ticks(&words) + 1);
    let gap = if words.starts_with('`') || words.ends_with('`') { " " } else { "" };
    format!("{fence}{gap}{words}{gap}{fence}")
}

/// Returns how long the longest row of backticks is.
fn ticks(words: &str) -> usize {
    words.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        assert_eq!(code("a_b*c"), "`a_b*c`");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code("a\nb"), "`a b`");
    }
}
