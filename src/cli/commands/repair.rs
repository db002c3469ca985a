//! `gamevault repair`: rebuilds the catalogue from the packs.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::meter::Expected;
use crate::cli::output::Failure;
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::error::ErrorKind;
use gamevault::vault::RepairReport;

/// Rebuild the catalogue from the packs, which hold all builds, milestones and playtests.
#[derive(Debug, Args)]
pub struct Repair {}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "the catalogue is as it was before; the next run starts anew";

/// Runs the command.
pub fn run(_arguments: &Repair, context: &Context) -> Outcome {
    // The vault is not opened first: its catalogue may be what is damaged.
    let dir = context.locate_vault()?;
    let report = context
        .work("repair", Expected::Counted, |progress| Vault::repair(&dir, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))?;
    let answer = context.done(&report, || describe(&report));
    Ok(match report.problems.len() {
        0 => answer,
        count => answer.with_failure(failure(count)),
    })
}

fn describe(report: &RepairReport) -> String {
    let problems: String = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let (builds, milestones) = (text::count(report.builds, "build"), text::count(report.milestones, "milestone"));
    let playtests = match report.playtests {
        0 => String::new(),
        count => format!(", {}", text::count(count, "playtest")),
    };
    let (packs, chunks) = (text::count(report.packs, "pack"), text::count(report.chunks, "chunk"));
    format!("{problems}rebuilt the catalogue: {builds}, {milestones}{playtests} from {packs} with {chunks}\n")
}

fn failure(count: usize) -> Failure {
    let message = format!("{} could not be repaired", text::count(count as u64, "problem"));
    Failure::new(Exit::Integrity, ErrorKind::Corrupt.code(), message)
        .with_hint("`gamevault verify --read-data` tells which builds and files they touch")
}
