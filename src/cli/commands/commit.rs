//! `gamevault commit`: makes a build of a session.

use super::Outcome;
use crate::cli::build_view::BuildView;
use crate::cli::context::Context;
use crate::cli::sessions::{self, Order};
use crate::cli::text;
use clap::Args;

/// Make a build of what was copied into a session of a running mount.
///
/// A session that may not be whole is refused with the reasons, and exit code 5.
#[derive(Debug, Args)]
pub struct Commit {
    /// The session: its folder in `.snapshot`.
    #[arg(value_name = "NAME")]
    name: String,
    /// Publish the session even if it may not be whole.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(arguments: &Commit, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let session = sessions::give(&vault, &arguments.name, Order::Commit { force: arguments.force })?;
    context.warn_all(&session.odd_names());
    let build = vault.build(sessions::id_of(&session.name))?;
    let view = BuildView::new(&build, &vault.milestones()?);
    Ok(context.answer(&view, || match context.quiet() {
        true => format!("{}\n", view.id),
        false => format!("build {}: {}, {}\n", view.id, text::count(view.files, "file"), text::size(view.bytes)),
    }))
}
