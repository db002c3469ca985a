//! `gamevault builds`: lists the builds.

use super::Outcome;
use crate::cli::build_view::{BuildView, joined};
use crate::cli::context::Context;
use crate::cli::selection::Selection;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::catalogue::Build;
use gamevault::id::BuildNumber;
use serde::Serialize;
use std::collections::HashMap;

/// List all builds, the newest last.
///
/// Their order is that in which they were published, whatever the clocks of their machines said: CLOCK tells of a build
/// whose time is before that of a build that was there already. With --quiet, their ids alone.
#[derive(Debug, Args)]
pub struct Builds {
    #[command(flatten)]
    selection: Selection,

    /// Only the newest N of them.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// A build in the list, as scripts see it.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    view: BuildView,
    /// Number of the build before it whose time is later.
    clock_behind: Option<u64>,
}

/// Runs the command.
pub fn run(arguments: &Builds, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let all = vault.builds()?;
    let milestones = vault.milestones()?;
    let behind = clocks_behind(&all);
    let any = !all.is_empty();
    let mut builds = arguments.selection.of(all);
    builds.drain(..builds.len().saturating_sub(arguments.limit.unwrap_or(usize::MAX)));
    let listed = |build| Listed {
        view: BuildView::new(build, &milestones),
        clock_behind: behind.get(&build.number).map(|earlier| earlier.0),
    };
    let views: Vec<Listed> = builds.iter().map(listed).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            return views.iter().map(|listed| format!("{}\n", listed.view.id)).collect();
        }
        if !any {
            return "no builds yet: make one with `gamevault snapshot DIR`\n".to_owned();
        }
        if views.is_empty() {
            return "no build is like that; `gamevault builds` lists them all\n".to_owned();
        }
        let mut table = new_table();
        for (listed, build) in views.iter().zip(&builds) {
            table.add(row(listed, text::local_time(build.created)));
        }
        table.to_string()
    }))
}

/// Returns the builds with a time before that of an earlier build, each with the earlier one whose time is the latest.
fn clocks_behind(builds: &[Build]) -> HashMap<BuildNumber, BuildNumber> {
    let mut behind = HashMap::new();
    let mut latest: Option<&Build> = None;
    for build in builds {
        match latest {
            Some(latest) if build.created < latest.created => {
                behind.insert(build.number, latest.number);
            }
            _ => latest = Some(build),
        }
    }
    behind
}

fn new_table() -> Table {
    Table::new([
        ("NUMBER", Align::Right),
        ("ID", Align::Left),
        ("TIME", Align::Left),
        ("CLOCK", Align::Left),
        ("FILES", Align::Right),
        ("SIZE", Align::Right),
        ("NEW", Align::Right),
        ("LABEL", Align::Left),
        ("PLATFORM", Align::Left),
        ("TAGS", Align::Left),
        ("MILESTONES", Align::Left),
    ])
}

fn row(Listed { view, clock_behind }: &Listed, time: String) -> [String; 11] {
    [
        view.number.to_string(),
        view.id.clone(),
        time,
        clock_behind.map(|earlier| format!("behind {earlier}")).unwrap_or_default(),
        text::grouped(view.files),
        text::size(view.bytes),
        text::size(view.stored_bytes),
        view.label.clone().unwrap_or_default(),
        view.platform.clone().unwrap_or_default(),
        joined(&view.tags).unwrap_or_default(),
        joined(&view.milestones).unwrap_or_default(),
    ]
}
