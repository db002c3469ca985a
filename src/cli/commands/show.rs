//! `gamevault show`: tells all that is known of a build.

use super::Outcome;
use crate::cli::build_view::BuildView;
use crate::cli::context::Context;
use clap::Args;

/// Show all that is known of a build.
#[derive(Debug, Args)]
pub struct Show {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD", default_value = "latest")]
    build: String,
}

/// Runs the command.
pub fn run(arguments: &Show, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let view = BuildView::new(&build, &vault.milestones()?);
    Ok(context.answer(&view, || view.fields(&build).to_string()))
}
