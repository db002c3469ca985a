//! `gamevault builds`: lists the builds.

use super::Outcome;
use crate::cli::build_view::{BuildView, joined};
use crate::cli::context::Context;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;

/// List all builds, the newest last.
///
/// With --quiet, their ids alone.
#[derive(Debug, Args)]
pub struct Builds {}

/// Runs the command.
pub fn run(_arguments: &Builds, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds = vault.builds()?;
    let milestones = vault.milestones()?;
    let views: Vec<BuildView> = builds.iter().map(|build| BuildView::new(build, &milestones)).collect();
    Ok(context.answer(&views, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.id)).collect();
        }
        if views.is_empty() {
            return "no builds yet: make one with `gamevault snapshot DIR`\n".to_owned();
        }
        let mut table = new_table();
        for (view, build) in views.iter().zip(&builds) {
            table.add(row(view, text::local_time(build.created)));
        }
        table.to_string()
    }))
}

fn new_table() -> Table {
    Table::new([
        ("NUMBER", Align::Right),
        ("ID", Align::Left),
        ("TIME", Align::Left),
        ("FILES", Align::Right),
        ("SIZE", Align::Right),
        ("NEW", Align::Right),
        ("LABEL", Align::Left),
        ("PLATFORM", Align::Left),
        ("TAGS", Align::Left),
        ("MILESTONES", Align::Left),
    ])
}

fn row(view: &BuildView, time: String) -> [String; 10] {
    [
        view.number.to_string(),
        view.id.clone(),
        time,
        text::grouped(view.files),
        text::size(view.bytes),
        text::size(view.stored_bytes),
        view.label.clone().unwrap_or_default(),
        view.platform.clone().unwrap_or_default(),
        joined(&view.tags).unwrap_or_default(),
        joined(&view.milestones).unwrap_or_default(),
    ]
}
