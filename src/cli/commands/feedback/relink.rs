//! `gamevault feedback relink`: links records anew, by what is known now.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::feedback_view::links;
use crate::cli::text;
use clap::Args;

/// Link all records anew, by the builds and deployments that are known now.
#[derive(Debug, Args)]
pub struct Relink {}

/// Runs the command.
pub fn run(_: &Relink, context: &Context) -> Outcome {
    let relinked = context.open_vault()?.relink_feedback()?;
    Ok(context.done(&relinked, || {
        format!("{} changed their build; {}\n", text::count(relinked.changed, "record"), links(&relinked))
    }))
}
