//! `gamevault report`: tells how the vault grew, as a page or as a table.

use super::Outcome;
use super::diff::write_page;
use crate::cli::context::Context;
use crate::cli::meter::Expected;
use crate::cli::output::Failure;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::report;
use gamevault::report::history::{Entry, History};
use serde::Serialize;
use std::path::PathBuf;

/// Tell how the vault grew from build to build: sizes, what each added to the store, milestones, and what each has alone.
///
/// With --html, as one page with charts that needs no network.
#[derive(Debug, Args)]
pub struct Report {
    /// Only from one build to a later one; the whole vault when it is not given.
    #[arg(value_name = "BUILD..BUILD")]
    range: Option<String>,

    /// Write a page for people to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// A build as scripts see it.
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    created: String,
    #[serde(skip)]
    time: String,
    files: u64,
    bytes: u64,
    growth: i64,
    stored_bytes: u64,
    unique_bytes: u64,
    freed_bytes: u64,
    milestones: &'a [String],
    playtests: u64,
}

/// The history as scripts see it.
#[derive(Serialize)]
struct Views<'a> {
    stored_bytes: u64,
    builds: Vec<View<'a>>,
}

/// Runs the command.
pub fn run(arguments: &Report, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let Some((first, last)) = range(arguments.range.as_deref(), &vault)? else {
        return Ok(context.answer(&Views { stored_bytes: 0, builds: Vec::new() }, || {
            "no builds yet: make one with `gamevault snapshot DIR`\n".to_owned()
        }));
    };
    let title = match vault.dir().file_name() {
        Some(name) => format!("History of {}", name.to_string_lossy()),
        None => "History of the vault".to_owned(),
    };
    let history =
        context.work("report", Expected::Unknown, |progress| vault.history(&title, &first, &last, progress))?;
    if let Some(file) = &arguments.html {
        write_page(file, &report::history::page(&history))?;
    }
    let views = views(&history);
    Ok(context.answer(&views, || {
        let mut out = table(&views);
        if let Some(file) = &arguments.html {
            out += &format!("written to {}\n", file.display());
        }
        out
    }))
}

/// Returns the first and the last build of the range; `None` when there are no builds at all.
fn range(range: Option<&str>, vault: &Vault) -> Result<Option<(Build, Build)>, Failure> {
    let Some(range) = range else {
        let builds = vault.builds()?;
        return Ok(builds.first().cloned().zip(builds.last().cloned()));
    };
    // An id may hold two dots itself, so every place is tried.
    let pairs = range.match_indices("..").map(|(at, _)| (&range[..at], &range[at + 2..]));
    let pair = pairs.into_iter().find_map(|(first, last)| Some((vault.build(first).ok()?, vault.build(last).ok()?)));
    pair.map(Some).ok_or_else(|| {
        Failure::usage(format!("\"{range}\" names no two builds")).with_hint("write them as in 0.7.1..latest")
    })
}

fn views(history: &History) -> Views<'_> {
    let mut before = 0;
    let view = |entry: &'_ Entry| {
        let bytes = entry.build.root.totals.bytes;
        let growth = report::text::difference(before, bytes);
        before = bytes;
        (growth, bytes)
    };
    let growths: Vec<(i64, u64)> = history.builds.iter().map(view).collect();
    let builds = history.builds.iter().zip(growths).map(|(entry, (growth, bytes))| View {
        id: entry.build.id.as_str(),
        created: text::utc_time(entry.build.created),
        time: text::local_time(entry.build.created),
        files: entry.build.root.totals.files,
        bytes,
        growth,
        stored_bytes: entry.build.stored_bytes,
        unique_bytes: entry.unique_bytes,
        freed_bytes: entry.freed_bytes,
        milestones: &entry.milestones,
        playtests: entry.playtests,
    });
    Views { stored_bytes: history.stored_bytes, builds: builds.collect() }
}

fn table(views: &Views<'_>) -> String {
    let mut table = Table::new([
        ("BUILD", Align::Left),
        ("TIME", Align::Left),
        ("FILES", Align::Right),
        ("SIZE", Align::Right),
        ("GROWTH", Align::Right),
        ("STORED", Align::Right),
        ("ALONE", Align::Right),
        ("FREED", Align::Right),
        ("PLAYTESTS", Align::Right),
        ("MILESTONES", Align::Left),
    ]);
    for view in &views.builds {
        table.add([
            view.id.to_owned(),
            view.time.clone(),
            text::grouped(view.files),
            text::size(view.bytes),
            text::growth(view.growth),
            text::size(view.stored_bytes),
            text::size(view.unique_bytes),
            text::size(view.freed_bytes),
            if view.playtests > 0 { text::grouped(view.playtests) } else { String::new() },
            view.milestones.join(", "),
        ]);
    }
    table.to_string()
}
