//! `gamevault feedback crashes`, `signatures`, `trend`, `where` and `unplayed`: what is asked of many records at once.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::feedback_filter::outcomes;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::{Args, ValueEnum};
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::catalogue::feedback::Outcome as End;
use gamevault::error::Result;
use gamevault::feedback::{Among, RateOf, SignatureChange};
use gamevault::report::records::id_of;

use serde_json::{Value, json};

/// Show how often builds crash.
///
/// A rate is crashes among sessions, or among reports where no session is known, with the interval that holds the true rate 19
/// times in 20: with three testers it is wide.
#[derive(Debug, Args)]
pub struct Crashes {
    /// Rates by build, or by platform over all builds.
    #[arg(long, value_name = "WHAT", default_value = "build")]
    by: By,
}

/// What rates are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Each build.
    Build,
    /// Each platform.
    Platform,
    /// Each build that a milestone marks.
    Milestone,
}

/// Show which crashes are new, back again, still there and gone from one build to another.
#[derive(Debug, Args)]
pub struct Signatures {
    /// The older build.
    #[arg(value_name = "A")]
    old: String,

    /// The newer build.
    #[arg(value_name = "B")]
    new: String,
}

/// Show how a tag goes from build to build.
#[derive(Debug, Args)]
pub struct Trend {
    /// The tag.
    #[arg(value_name = "TAG")]
    tag: String,
}

/// Show in which levels players die or quit.
#[derive(Debug, Args)]
pub struct Where {
    /// How it ended.
    #[arg(value_name = "OUTCOME", value_parser = outcomes())]
    outcome: End,

    /// In this build; in all, if it is not given.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// Beside this build.
    #[arg(long, value_name = "BUILD", requires = "build")]
    against: Option<String>,
}

/// List the builds that nobody has played.
#[derive(Debug, Args)]
pub struct Unplayed {}

/// Runs `crashes`.
pub fn crashes(arguments: &Crashes, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let mut rates = vault.crash_rates(arguments.by == By::Platform)?;
    if arguments.by == By::Milestone {
        let marked: Vec<_> = vault.milestones()?.into_iter().map(|milestone| milestone.build).collect();
        rates.retain(|rate| rate.build.is_some_and(|build| marked.contains(&build)));
    }
    show_rates(&vault, &rates, "CRASHES", context)
}

/// Runs `trend`.
pub fn trend(arguments: &Trend, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let rates = vault.tag_trend(&arguments.tag.to_lowercase())?;
    show_rates(&vault, &rates, "TAGGED", context)
}

fn show_rates(vault: &Vault, rates: &[RateOf], what: &'static str, context: &Context) -> Outcome {
    let builds = vault.builds()?;
    let named: Vec<Value> = rates.iter().map(|rate| named(rate, &builds)).collect();
    Ok(context.answer(&named, || {
        let mut table = Table::new([
            ("BUILD", Align::Left),
            ("PLATFORM", Align::Left),
            (what, Align::Right),
            ("AMONG", Align::Left),
            ("RATE", Align::Right),
            ("95 %", Align::Left),
        ]);
        for rate in rates {
            let among = if rate.among == Among::Sessions { "session" } else { "report" };
            let percent = |rate: f64| format!("{:.1}", rate * 100.0);
            let is_by_platform = rate.build.is_none();
            table.add([
                rate.build.map(|build| id_of(build, &builds)).unwrap_or_default(),
                rate.platform.clone().unwrap_or(if is_by_platform { "-".into() } else { String::new() }),
                text::grouped(rate.rate.hits),
                text::count(rate.rate.total, among),
                format!("{} %", percent(rate.rate.rate)),
                format!("{} to {} %", percent(rate.rate.low), percent(rate.rate.high)),
            ]);
        }
        if rates.is_empty() { "nothing is known yet\n".to_owned() } else { table.to_string() }
    }))
}

fn named(rate: &RateOf, builds: &[Build]) -> Value {
    let mut value = json!(rate);
    if let Some(build) = rate.build {
        value["build_id"] = id_of(build, builds).into();
    }
    value
}

/// Runs `signatures`.
pub fn signatures(arguments: &Signatures, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let rows = vault.signature_changes(&vault.build(&arguments.old)?, &vault.build(&arguments.new)?)?;
    Ok(context.answer(&rows, || {
        let mut table = Table::new([
            ("CHANGE", Align::Left),
            ("OLD", Align::Right),
            ("NEW", Align::Right),
            ("BY CHANCE", Align::Right),
            ("SIGNATURE", Align::Left),
        ]);
        for row in &rows {
            let change = match row.change {
                SignatureChange::New => "new",
                SignatureChange::Regressed => "back again",
                SignatureChange::Stays => "stays",
                SignatureChange::Gone => "gone",
            };
            let chance = row.by_chance.map(|chance| format!("{:.1} %", chance * 100.0)).unwrap_or_default();
            table.add([change.into(), text::grouped(row.old), text::grouped(row.new), chance, row.signature.clone()]);
        }
        if rows.is_empty() { "no crashes of either build are known\n".to_owned() } else { table.to_string() }
    }))
}

/// Runs `where`.
pub fn ended(arguments: &Where, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let number = |build: &Option<String>| -> Result<_> {
        Ok(build.as_deref().map(|build| vault.build(build)).transpose()?.map(|build| build.number))
    };
    let rows = vault.where_ended(arguments.outcome, number(&arguments.build)?, number(&arguments.against)?)?;
    Ok(context.answer(&rows, || {
        let mut table = Table::new([("COUNT", Align::Right), ("AGAINST", Align::Right), ("LEVEL", Align::Left)]);
        for row in &rows {
            let against = row.against.map(text::grouped).unwrap_or_default();
            table.add([text::grouped(row.count), against, row.level.clone().unwrap_or_else(|| "-".into())]);
        }
        if rows.is_empty() { "nothing is known yet\n".to_owned() } else { table.to_string() }
    }))
}

/// Runs `unplayed`.
pub fn unplayed(_: &Unplayed, context: &Context) -> Outcome {
    let builds = context.open_vault()?.unplayed_builds()?;
    let ids: Vec<&str> = builds.iter().map(|build| build.id.as_str()).collect();
    Ok(context.answer(&ids, || ids.iter().map(|id| format!("{id}\n")).collect()))
}
