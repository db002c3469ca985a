//! `gamevault diff`: tells what changed between two builds.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Answer;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::compare::{Change, ChangeKind};
use serde::Serialize;

/// List the files that differ between two builds: names, sizes, kinds of change.
#[derive(Debug, Args)]
pub struct Diff {
    /// The build before.
    #[arg(value_name = "A")]
    before: String,

    /// The build after.
    #[arg(value_name = "B")]
    after: String,

    /// Only these files and folders.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// End with exit code 9 when something differs.
    #[arg(long)]
    exit_code: bool,
}

const KINDS: [ChangeKind; 6] = [
    ChangeKind::Added,
    ChangeKind::Removed,
    ChangeKind::Modified,
    ChangeKind::TypeChanged,
    ChangeKind::Attributes,
    ChangeKind::Touched,
];

/// Two trees and what differs between them, as scripts see it.
#[derive(Serialize)]
struct Differences<'a> {
    a: &'a str,
    b: &'a str,
    summary: Vec<Sum>,
    changes: &'a [Change],
}

/// All changes of one kind.
#[derive(Serialize)]
struct Sum {
    kind: ChangeKind,
    changes: u64,
    old_bytes: u64,
    new_bytes: u64,
}

/// Runs the command.
pub fn run(arguments: &Diff, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let (before, after) = (vault.build(&arguments.before)?, vault.build(&arguments.after)?);
    let diff = vault.diff(&before, &after, &arguments.paths)?;
    Ok(answer(before.id.as_str(), after.id.as_str(), &diff.changes, arguments.exit_code, context))
}

/// Makes the answer that tells the changes from `a` to `b`.
pub(super) fn answer(a: &str, b: &str, changes: &[Change], exit_code: bool, context: &Context) -> Answer {
    let data = Differences { a, b, summary: summarize(changes), changes };
    let answer = context.answer(&data, || list(changes) + &last_line(&data, context));
    let differs = exit_code && !changes.is_empty();
    if differs { answer.with_exit(Exit::Differences) } else { answer }
}

fn summarize(changes: &[Change]) -> Vec<Sum> {
    let sum_of = |kind| {
        let mut sum = Sum { kind, changes: 0, old_bytes: 0, new_bytes: 0 };
        for change in changes.iter().filter(|change| change.kind == kind) {
            sum.changes += 1;
            sum.old_bytes += change.old_size.unwrap_or(0);
            sum.new_bytes += change.new_size.unwrap_or(0);
        }
        sum
    };
    KINDS.into_iter().map(sum_of).filter(|sum| sum.changes > 0).collect()
}

fn list(changes: &[Change]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let columns = [("CHANGE", Align::Left), ("BEFORE", Align::Right), ("AFTER", Align::Right), ("PATH", Align::Left)];
    let mut table = Table::new(columns);
    let size = |size: Option<u64>| size.map_or("-".to_owned(), text::size);
    for change in changes {
        table.add([name(change.kind).to_owned(), size(change.old_size), size(change.new_size), change.path.clone()]);
    }
    table.to_string()
}

fn last_line(Differences { a, b, summary, .. }: &Differences<'_>, context: &Context) -> String {
    if context.quiet() {
        return String::new();
    }
    if summary.is_empty() {
        return format!("{a} and {b} do not differ\n");
    }
    let parts: Vec<String> = summary.iter().map(part).collect();
    format!("{a} to {b}: {}\n", parts.join(", "))
}

fn part(sum: &Sum) -> String {
    let (old, new) = (text::size(sum.old_bytes), text::size(sum.new_bytes));
    let sizes = match sum.kind {
        ChangeKind::Added => format!(" ({new})"),
        ChangeKind::Removed => format!(" ({old})"),
        ChangeKind::Modified => format!(" ({old} before, {new} after)"),
        ChangeKind::TypeChanged | ChangeKind::Attributes | ChangeKind::Touched => String::new(),
    };
    format!("{} {}{sizes}", text::grouped(sum.changes), name(sum.kind))
}

fn name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Modified => "modified",
        ChangeKind::Attributes => "attributes",
        ChangeKind::Touched => "touched",
        ChangeKind::TypeChanged => "type",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_each_kind_apart() {
        let change = |kind, old_size, new_size| Change { path: "p".into(), kind, old_size, new_size };
        let changes = [
            change(ChangeKind::Added, None, Some(3)),
            change(ChangeKind::Added, None, Some(4)),
            change(ChangeKind::Removed, Some(9), None),
        ];
        let parts: Vec<String> = summarize(&changes).iter().map(part).collect();
        assert_eq!(parts, ["2 added (7 B)", "1 removed (9 B)"]);
    }
}
