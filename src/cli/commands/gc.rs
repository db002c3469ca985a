//! `gamevault gc`: takes out what nothing needs any more.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::meter::Expected;
use crate::cli::text;
use clap::Args;
use gamevault::vault::{GcOptions, GcReport};

/// Give the room of what nothing needs any more back.
///
/// That is what forgotten builds alone had, once they cannot be recalled any more, what stopped copies and snapshots left, and
/// feedback that was taken out. Builds, milestones, playtests, sessions and workspaces lose nothing. It can be stopped at any
/// time, and everything else can be done with the vault meanwhile.
#[derive(Debug, Args)]
pub struct Gc {
    /// Tell what would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "nothing that is needed is gone; the next run goes on";

/// Runs the command.
pub fn run(arguments: &Gc, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let options = GcOptions { dry_run: arguments.dry_run, ..GcOptions::default() };
    let report = context
        .work("clean up", Expected::Unknown, |progress| vault.gc(&options, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))?;
    Ok(context.done(&report, || describe(&report, arguments.dry_run)))
}

fn describe(report: &GcReport, dry_run: bool) -> String {
    let mut lines = Vec::new();
    if !report.builds_removed.is_empty() {
        let count = text::count(report.builds_removed.len() as u64, "forgotten build");
        let verb = if dry_run { "would go" } else { "gone" };
        lines.push(format!("{count} {verb} for good: {}", report.builds_removed.join(", ")));
    }
    let unused =
        format!("{} that nothing needs ({})", text::count(report.chunks, "chunk"), text::size(report.chunk_bytes));
    let (before, after) = (text::size(report.pack_bytes_before), text::size(report.pack_bytes_after));
    lines.push(match dry_run {
        true => format!("would take out {unused}"),
        false => format!("took out {unused}"),
    });
    if !dry_run {
        let (moved, packs) = (text::count(report.chunks_moved, "chunk"), text::count(report.packs_removed, "pack"));
        lines.push(format!("moved {moved}, removed {packs}: {before} are now {after}"));
    }
    if report.chunks_waiting > 0 {
        let waiting = text::count(report.chunks_waiting, "chunk");
        lines.push(format!(
            "{waiting} wait until what is being copied in or snapshot now has ended; run `gamevault gc` again then"
        ));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}
