//! `gamevault verify`: checks that everything can be read back.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::meter::Expected;
use crate::cli::output::Failure;
use crate::cli::text;
use clap::Args;
use gamevault::error::{ErrorKind, Result};
use gamevault::vault::{VerifyOptions, VerifyReport};

/// Check that builds are whole: their structure, and with --read-data every byte.
#[derive(Debug, Args)]
pub struct Verify {
    /// Only these builds; all when none is given.
    #[arg(value_name = "BUILD")]
    builds: Vec<String>,

    /// Read and check every byte, too.
    #[arg(long)]
    read_data: bool,

    /// Make again what is damaged, from recovery data and second copies; what neither has, the next snapshot of a folder that still has it
    /// brings back.
    #[arg(long)]
    repair: bool,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "the next run starts anew";

/// Runs the command.
pub fn run(arguments: &Verify, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let builds = arguments.builds.iter().map(|build| Ok(vault.build(build)?.number)).collect::<Result<_>>()?;
    let options = VerifyOptions { builds, read_data: arguments.read_data, repair: arguments.repair };
    let report = context
        .work("verify", Expected::Counted, |progress| vault.verify(&options, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))?;
    let answer = context.done(&report, || describe(&report, arguments.read_data));
    Ok(match report.problems.len() {
        0 => answer,
        count => answer.with_failure(failure(count)),
    })
}

fn describe(report: &VerifyReport, read_data: bool) -> String {
    let healed: String = report.healed.iter().map(|healed| format!("{healed}\n")).collect();
    let problems: String = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    let bytes = if read_data { format!(", {} read", text::size(report.bytes_checked)) } else { String::new() };
    let seen = [(report.builds, "build"), (report.files, "file"), (report.chunks, "chunk"), (report.packs, "pack")];
    let seen = seen.map(|(number, noun)| text::count(number, noun)).join(", ");
    let verdict = if report.problems.is_empty() { "all is well" } else { "NOT all is well" };
    format!("{healed}{problems}{verdict}: checked {seen}{bytes}\n")
}

fn failure(count: usize) -> Failure {
    let message = format!("found {} in the vault", text::count(count as u64, "problem"));
    Failure::new(Exit::Integrity, ErrorKind::Corrupt.code(), message)
        .with_hint("other builds can still be restored; `gamevault repair` rebuilds a damaged catalogue from the packs")
}
