//! `gamevault feedback forget`: takes out what a player said, or what is old.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::meter::Expected;
use crate::cli::selection::parse_instant;
use crate::cli::text;
use clap::Args;
use gamevault::vault::ForgetFeedback;
use jiff::Timestamp;

/// Forget what a player said and did, or everything from before a time.
///
/// It cannot be undone. The files that such records were imported from go as well, for they cannot be cut in two.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Forget {
    /// The player, by the name that the source gave or by the pseudonym.
    #[arg(long, value_name = "NAME")]
    player: Option<String>,

    /// Everything from before then: `2026-11-20`, or so long ago: `365 days`.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    before: Option<Timestamp>,
}

/// Runs the command.
pub fn run(arguments: &Forget, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let what = ForgetFeedback { player: arguments.player.clone(), before: arguments.before };
    let forgotten = context.work("forget", Expected::Unknown, |progress| vault.forget_feedback(&what, progress))?;
    Ok(context.done(&forgotten, || {
        let (records, imports) = (text::count(forgotten.records, "record"), text::count(forgotten.imports, "import"));
        format!("forgot {records} of {imports}\n")
    }))
}
