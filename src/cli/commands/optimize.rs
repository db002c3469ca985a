//! `gamevault optimize`: makes older builds take less room.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::meter::Expected;
use crate::cli::text;
use clap::Args;
use gamevault::vault::{OptimizeOptions, OptimizeReport};
use std::time::Duration;

/// Store older builds in less room, while the newest build and the milestones stay fast.
///
/// Nothing that can be read changes. It can be stopped at any time and goes on at the next run, and everything else can
/// be done with the vault meanwhile.
#[derive(Debug, Args)]
pub struct Optimize {
    /// Take about ten times as long, for some percent more.
    #[arg(long)]
    squeeze: bool,

    /// Stop after this time, such as 90s, 30m or 2h; the next run goes on.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    time_limit: Option<Duration>,

    /// Tell what would be gained, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "what was done is kept; the next run goes on";

/// Runs the command.
pub fn run(arguments: &Optimize, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let options =
        OptimizeOptions { squeeze: arguments.squeeze, time_limit: arguments.time_limit, dry_run: arguments.dry_run };
    let report = context
        .work("optimize", Expected::Unknown, |progress| vault.optimize(&options, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))?;
    Ok(context.done(&report, || describe(&report, arguments.dry_run)))
}

fn describe(report: &OptimizeReport, dry_run: bool) -> String {
    let chunks = |count| text::count(count, "chunk");
    let looked = format!(
        "looked at {} of older builds ({})",
        chunks(report.chunks_looked_at),
        text::size(report.bytes_looked_at)
    );
    let could = if dry_run { "could be" } else { "are" };
    let kinds = [
        (report.own_smaller, "by themselves"),
        (report.differences_smaller, "as differences"),
        (report.differences_new, "as new differences"),
        (report.opened, "opened"),
    ];
    let kinds = kinds.map(|(count, how)| format!("{} {how}", text::grouped(count))).join(", ");
    let mut lines = vec![looked, format!("{could} smaller by {}: {kinds}", text::size(report.bytes_gained))];
    if !dry_run {
        let (before, after) = (text::size(report.pack_bytes_before), text::size(report.pack_bytes_after));
        let packs = text::count(report.packs_removed, "pack");
        lines.push(format!("moved {}, removed {packs}: {before} are now {after}", chunks(report.chunks_moved)));
    }
    if !report.is_complete {
        lines.push("the time is up; the next run goes on".to_owned());
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds)
    });
    parsed.map(Duration::from_secs).ok_or_else(|| "give a number with its unit: 90s, 30m or 2h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "5", "m", "-1m", "5d", "99999999999999999999s", "18446744073709551615h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
