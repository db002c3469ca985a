//! `gamevault feedback show`: all that is known of one record.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::feedback_view::whole;
use clap::Args;
use gamevault::report::records::RecordView;

/// Show all that is known of a record.
#[derive(Debug, Args)]
pub struct Show {
    /// The record's id, or the start of it.
    #[arg(value_name = "ID")]
    id: String,
}

/// Runs the command.
pub fn run(arguments: &Show, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let found = vault.feedback_record(&arguments.id)?;
    let view = RecordView::new(&found, &vault.builds()?);
    Ok(context.answer(&view, || whole(&view)))
}
