//! Changes as commands print them: lists, sums, patches.

use super::context::Context;
use super::exit::Exit;
use super::output::Answer;
use super::table::{Align, Table};
use super::text;
use gamevault::compare::detail::Detail;
use gamevault::compare::{self, Change, ChangeKind, Changes, Difference, Sum};
use gamevault::report;
use serde::Serialize;
use std::path::Path;

/// Commits that are printed; a page has more.
const MAX_COMMITS: usize = 20;

/// What of the changes is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// A line for each file.
    Files,
    /// Sums by kind and class.
    Sums,
    /// Sums by folder, down to so many levels.
    Folders(usize),
    /// Sums by class.
    Classes,
    /// A line for each file, and what changed inside.
    Patch,
}

/// Two trees and what differs between them, as scripts see it.
#[derive(Serialize)]
struct Differences<'a, C: Serialize> {
    a: &'a str,
    b: &'a str,
    summary: Vec<KindSum>,
    #[serde(flatten)]
    changes: C,
}

/// A list of changes alone.
#[derive(Serialize)]
struct List<'a> {
    changes: &'a [Change],
}

/// All changes in their groups.
#[derive(Serialize)]
struct Grouped<'a> {
    groups: Vec<Sum>,
    plugins: &'a [compare::PluginChange],
    commits: &'a [String],
}

/// All changes of one kind.
#[derive(Serialize)]
struct KindSum {
    kind: ChangeKind,
    changes: u64,
    old_bytes: u64,
    new_bytes: u64,
}

/// Makes the answer that tells the changes from `a` to `b`.
pub fn answer(a: &str, b: &str, changes: &[Change], exit_code: bool, context: &Context) -> Answer {
    let data = Differences { a, b, summary: summarize(changes), changes: List { changes } };
    let answer = context.answer(&data, || {
        let mut table = table();
        changes.iter().for_each(|change| table.add(row(change, None)));
        match context.quiet() {
            true => changes.iter().map(|change| format!("{}\n", change.path)).collect(),
            false => shown(&table, changes.is_empty()) + &last_line(a, b, &data.summary),
        }
    });
    with_exit(answer, exit_code && !changes.is_empty())
}

/// Makes the answer that tells all of the changes between two builds; `page` is where they were written for people.
pub fn answer_all(changes: &Changes, view: View, page: Option<&Path>, exit_code: bool, context: &Context) -> Answer {
    let (a, b) = (changes.old.id.as_str(), changes.new.id.as_str());
    let differences = &changes.diff.changes;
    let plain: Vec<Change> = differences.iter().map(|one| one.change.clone()).collect();
    let summary = summarize(&plain);
    let groups = || match view {
        View::Folders(depth) => compare::by_folder(differences, depth),
        View::Files | View::Patch | View::Sums | View::Classes => {
            compare::by_class(differences).into_iter().map(|(_, sum)| sum).collect()
        }
    };
    let answer = if context.json() {
        match view {
            View::Files | View::Patch => Answer::json(&Differences { a, b, summary, changes }),
            View::Sums | View::Folders(_) | View::Classes => {
                let grouped = Grouped { groups: groups(), plugins: &changes.plugins, commits: &changes.commits };
                Answer::json(&Differences { a, b, summary, changes: grouped })
            }
        }
    } else if context.quiet() {
        Answer::text(match view {
            View::Files | View::Patch => plain.iter().map(|change| format!("{}\n", change.path)).collect(),
            View::Sums | View::Folders(_) | View::Classes => {
                groups().iter().map(|sum| format!("{}\n", sum.name)).collect()
            }
        })
    } else {
        let mut out = match view {
            View::Files => files(differences),
            View::Patch => files(differences) + &patches(changes),
            View::Sums => {
                sums("CHANGE", compare::by_kind(differences).into_iter().map(|(_, sum)| sum))
                    + "\n"
                    + &sums("CLASS", groups())
            }
            View::Classes => sums("CLASS", groups()),
            View::Folders(_) => sums("FOLDER", groups()),
        };
        out += &aside(changes);
        out += &last_line(a, b, &summary);
        if let Some(page) = page {
            out += &format!("written to {}\n", page.display());
        }
        Answer::text(out)
    };
    with_exit(answer, exit_code && !changes.diff.is_empty())
}

fn with_exit(answer: Answer, differs: bool) -> Answer {
    if differs { answer.with_exit(Exit::Differences) } else { answer }
}

fn summarize(changes: &[Change]) -> Vec<KindSum> {
    let sum_of = |kind| {
        let mut sum = KindSum { kind, changes: 0, old_bytes: 0, new_bytes: 0 };
        for change in changes.iter().filter(|change| change.kind == kind) {
            sum.changes += 1;
            sum.old_bytes += change.old_size.unwrap_or(0);
            sum.new_bytes += change.new_size.unwrap_or(0);
        }
        sum
    };
    ChangeKind::ALL.into_iter().map(sum_of).filter(|sum| sum.changes > 0).collect()
}

fn table() -> Table {
    Table::new([
        ("CHANGE", Align::Left),
        ("BEFORE", Align::Right),
        ("AFTER", Align::Right),
        ("CHANGED", Align::Right),
        ("STORED", Align::Right),
        ("PATH", Align::Left),
    ])
}

fn row(change: &Change, measured: Option<&Difference>) -> [String; 6] {
    let size = |size: Option<u64>| size.map_or("-".to_owned(), text::size);
    let path = match &change.from {
        Some(from) => format!("{from} -> {}", change.path),
        None => change.path.clone(),
    };
    let bytes = |of: fn(&Difference) -> u64| {
        let measured = measured.filter(|one| one.change.new_size.is_some());
        measured.map(|one| text::size(of(one))).unwrap_or_default()
    };
    [
        change.kind.word().to_owned(),
        size(change.old_size),
        size(change.new_size),
        bytes(|one| one.changed_bytes),
        bytes(|one| one.stored_bytes),
        path,
    ]
}

fn files(differences: &[Difference]) -> String {
    let mut table = table();
    differences.iter().for_each(|one| table.add(row(&one.change, Some(one))));
    shown(&table, differences.is_empty())
}

fn shown(table: &Table, is_empty: bool) -> String {
    if is_empty { String::new() } else { table.to_string() }
}

fn sums(heading: &'static str, sums: impl IntoIterator<Item = Sum>) -> String {
    let mut table = Table::new([
        (heading, Align::Left),
        ("FILES", Align::Right),
        ("BEFORE", Align::Right),
        ("AFTER", Align::Right),
        ("GROWTH", Align::Right),
        ("CHANGED", Align::Right),
        ("STORED", Align::Right),
    ]);
    let mut is_empty = true;
    for sum in sums {
        is_empty = false;
        table.add([
            sum.name,
            text::grouped(sum.changes),
            text::size(sum.old_bytes),
            text::size(sum.new_bytes),
            text::growth(sum.growth),
            text::size(sum.changed_bytes),
            text::size(sum.stored_bytes),
        ]);
    }
    shown(&table, is_empty)
}

/// Returns what changed inside of files: of texts as patches that tools read, of others in words.
fn patches(changes: &Changes) -> String {
    let mut out = String::new();
    for (&index, detail) in &changes.details {
        let change = &changes.diff.changes[index].change;
        let from = change.from.as_ref().unwrap_or(&change.path);
        out += &format!("\n--- a/{from}\n+++ b/{}\n", change.path);
        match detail {
            Detail::Text(text) => {
                for hunk in &text.hunks {
                    out += &hunk.heading();
                    out.push('\n');
                    hunk.lines.iter().for_each(|line| out += &format!("{}{}\n", line.kind.sign(), line.text));
                }
                if text.is_cut {
                    out += "(and more)\n";
                }
            }
            _ => out += &report::changes::detail_text(detail),
        }
    }
    out
}

/// Returns lines on plugins and commits.
fn aside(changes: &Changes) -> String {
    let mut out = String::new();
    for plugin in &changes.plugins {
        let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        out += &format!("plugin {} {} -> {}\n", plugin.name, version(&plugin.old), version(&plugin.new));
    }
    changes.commits.iter().take(MAX_COMMITS).for_each(|commit| out += &format!("commit {commit}\n"));
    let more = changes.commits.len().saturating_sub(MAX_COMMITS);
    if more > 0 {
        out += &format!("and {} more\n", text::count(more as u64, "commit"));
    }
    out
}

fn last_line(a: &str, b: &str, summary: &[KindSum]) -> String {
    if summary.is_empty() {
        return format!("{a} and {b} do not differ\n");
    }
    let parts: Vec<String> = summary.iter().map(part).collect();
    format!("{a} to {b}: {}\n", parts.join(", "))
}

fn part(sum: &KindSum) -> String {
    let (old, new) = (text::size(sum.old_bytes), text::size(sum.new_bytes));
    let sizes = match sum.kind {
        ChangeKind::Added | ChangeKind::Copied => format!(" ({new})"),
        ChangeKind::Removed => format!(" ({old})"),
        ChangeKind::Modified => format!(" ({old} before, {new} after)"),
        ChangeKind::Renamed
        | ChangeKind::Moved
        | ChangeKind::TypeChanged
        | ChangeKind::Attributes
        | ChangeKind::Touched => String::new(),
    };
    format!("{} {}{sizes}", text::grouped(sum.changes), sum.kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_each_kind_apart() {
        let change = |kind, old_size, new_size| Change { path: "p".into(), kind, from: None, old_size, new_size };
        let changes = [
            change(ChangeKind::Added, None, Some(3)),
            change(ChangeKind::Added, None, Some(4)),
            change(ChangeKind::Removed, Some(9), None),
        ];
        let parts: Vec<String> = summarize(&changes).iter().map(part).collect();
        assert_eq!(parts, ["2 added (7 B)", "1 removed (9 B)"]);
    }
}
