//! `gamevault stats`: tells what the vault holds and what it costs.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::table::Fields;
use crate::cli::text;
use clap::Args;
use gamevault::vault::Stats as Sums;

/// Show how much the vault holds, and how much room it takes.
#[derive(Debug, Args)]
pub struct Stats {}

/// Runs the command.
pub fn run(_arguments: &Stats, context: &Context) -> Outcome {
    let sums = context.open_vault()?.stats()?;
    Ok(context.answer(&sums, || fields(&sums).to_string()))
}

fn fields(sums: &Sums) -> Fields {
    let mut fields = Fields::default();
    fields.add("builds", text::grouped(sums.builds));
    fields.add("milestones", text::grouped(sums.milestones));
    fields.add("files", format!("{} (in all builds)", text::grouped(sums.files)));
    fields.add("logical", format!("{} (all builds, as they were)", text::size(sums.logical_bytes)));
    fields.add("unique", format!("{} (each chunk once)", text::size(sums.unique_bytes)));
    let catalogue = text::size(sums.catalogue_bytes);
    fields.add("stored", format!("{} (on disk, {catalogue} of it the catalogue)", text::size(sums.stored_bytes)));
    fields.add("ratio", format!("{:.2} (logical to stored)", sums.ratio));
    fields.add("chunks", text::grouped(sums.chunks));
    fields.add("packs", text::grouped(sums.packs));
    fields
}
