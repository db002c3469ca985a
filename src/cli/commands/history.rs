//! `gamevault history`: lists the versions of one file or folder.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::ranges;
use crate::cli::selection::Selection;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::catalogue::Build;
use gamevault::id::BuildNumber;
use gamevault::vault::{BelowCounts, BuildRange, PathVersion, ThingKind, VersionChange};
use serde::Serialize;

/// List the versions of a file or folder over all builds, the newest last.
///
/// A version is told with the first and the last build that have it. A file that was renamed is followed to the path it
/// had before. What differs in times alone is one version. With --quiet, the id of the first build of each version alone.
#[derive(Debug, Args)]
pub struct History {
    /// The path inside the builds: `data/level1.pak`.
    #[arg(value_name = "PATH")]
    path: String,

    #[command(flatten)]
    selection: Selection,
}

/// A version as scripts see it.
#[derive(Debug, Serialize)]
struct VersionView {
    path: String,
    change: VersionChange,
    first: u64,
    first_id: String,
    last: u64,
    last_id: String,
    /// In UTC, as RFC 3339 writes it: when the first build was published.
    created: String,
    kind: Option<ThingKind>,
    size: Option<u64>,
    /// In UTC: the file's own time.
    modified: Option<String>,
    from: Option<String>,
    to: Option<String>,
    same_as: Option<u64>,
    below: Option<BelowCounts>,
}

/// Runs the command.
pub fn run(arguments: &History, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds = arguments.selection.of(vault.builds()?);
    let versions = vault.path_history(&builds, &arguments.path)?;
    let views: Vec<VersionView> = versions.iter().map(|version| view(version, &builds)).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            let there = views.iter().filter(|view| view.kind.is_some());
            return there.map(|view| format!("{}\n", view.first_id)).collect();
        }
        table(&versions, &views).to_string()
    }))
}

fn view(version: &PathVersion, builds: &[Build]) -> VersionView {
    let id = |number: BuildNumber| {
        let index = builds.binary_search_by_key(&number, |build| build.number);
        builds[index.expect("versions are of these builds")].id.to_string()
    };
    VersionView {
        path: version.path.clone(),
        change: version.change,
        first: version.first.0,
        first_id: id(version.first),
        last: version.last.0,
        last_id: id(version.last),
        created: text::utc_time(version.created),
        kind: version.kind,
        size: version.size,
        modified: version.modified.map(text::utc_time),
        from: version.from.clone(),
        to: version.to.clone(),
        same_as: version.same_as.map(|build| build.0),
        below: version.below,
    }
}

fn table(versions: &[PathVersion], views: &[VersionView]) -> Table {
    let mut table = Table::new([
        ("BUILDS", Align::Right),
        ("ID", Align::Left),
        ("TIME", Align::Left),
        ("SIZE", Align::Right),
        ("CHANGE", Align::Left),
        ("PATH", Align::Left),
    ]);
    // One path for all needs no column.
    let renamed = versions.iter().any(|version| version.from.is_some());
    for (version, view) in versions.iter().zip(views) {
        table.add([
            ranges::one(BuildRange { first: version.first, last: version.last }),
            view.first_id.clone(),
            text::local_time(version.created),
            version.size.map(text::size).unwrap_or_default(),
            change(version),
            if renamed { version.path.clone() } else { String::new() },
        ]);
    }
    table
}

fn change(version: &PathVersion) -> String {
    let mut words = match version.change {
        VersionChange::Added => "added".to_owned(),
        VersionChange::Modified => "modified".to_owned(),
        VersionChange::Attributes => "attributes".to_owned(),
        VersionChange::TypeChanged => "type".to_owned(),
        VersionChange::Renamed => format!("renamed from {}", version.from.as_deref().unwrap_or_default()),
        VersionChange::Removed => match &version.to {
            Some(to) => format!("renamed to {to}"),
            None => "removed".to_owned(),
        },
        VersionChange::BackAgain => "back again".to_owned(),
    };
    if let Some(below) = version.below {
        let counts = [(below.added, "added"), (below.removed, "removed"), (below.modified, "modified")];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{} {word}", text::grouped(count)))
            .collect();
        if !parts.is_empty() {
            words = parts.join(", ");
        }
    }
    match version.same_as {
        Some(build) => format!("{words}, as in {build}"),
        None => words,
    }
}
