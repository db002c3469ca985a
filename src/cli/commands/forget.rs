//! `gamevault forget`: builds go out of sight, and come back when they are recalled.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::error::{Error, Result};
use gamevault::vault::{KeepRules, Planned, Reason};
use jiff::Span;
use jiff::tz::TimeZone;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};

/// Forget builds that are named, or those that no rule keeps.
///
/// Rules are looked at for each platform by itself. Builds that milestones mark, that have tags or feedback, or that were
/// deployed always stay. Forgotten builds can be recalled with --undo until their time is over, 14 days unless
/// `grace_days` under `[forget]` in `vault.toml` says otherwise.
#[derive(Debug, Args)]
pub struct Forget {
    /// The builds.
    #[arg(value_name = "BUILD")]
    builds: Vec<String>,

    /// Keep the newest N builds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: usize,

    /// Keep the newest build of each of the last N hours that have any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_hourly: usize,

    /// Keep the newest build of each of the last N days that have any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: usize,

    /// Keep the newest build of each of the last N weeks that have any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_weekly: usize,

    /// Keep the newest build of each of the last N months that have any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: usize,

    /// Keep the newest build of each of the last N years that have any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_yearly: usize,

    /// Keep all builds that are younger than this, such as 30d, 12h or "1 month".
    #[arg(long, value_name = "TIME")]
    keep_within: Option<Span>,

    /// Only show what would be done.
    #[arg(long, short = 'n')]
    dry_run: bool,

    /// Do not ask.
    #[arg(long, short)]
    yes: bool,

    /// Forget builds that are named also when they have tags or feedback, or were deployed.
    #[arg(long, requires = "builds")]
    force: bool,

    /// List the forgotten builds.
    #[arg(long, conflicts_with_all = ["builds", "undo"])]
    list: bool,

    /// Recall the forgotten builds that are named.
    #[arg(long, requires = "builds", conflicts_with = "force")]
    undo: bool,
}

/// Runs the command.
pub fn run(arguments: Forget, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let rules = KeepRules {
        last: arguments.keep_last,
        hourly: arguments.keep_hourly,
        daily: arguments.keep_daily,
        weekly: arguments.keep_weekly,
        monthly: arguments.keep_monthly,
        yearly: arguments.keep_yearly,
        within: arguments.keep_within,
    };
    match (arguments.list, arguments.undo, arguments.builds.is_empty(), rules.is_empty()) {
        (true, ..) => list(&vault, context),
        (_, true, ..) => undo(&vault, &arguments.builds, context),
        (_, _, false, true) => named(&vault, &arguments, context),
        (_, _, true, false) => by_rules(&vault, &rules, &arguments, context),
        (_, _, false, false) => Err(usage("name builds or give rules, not both").into()),
        (_, _, true, true) => Err(usage("say what is to be forgotten").into()),
    }
}

fn usage(message: &str) -> Error {
    Error::invalid(message).with_hint("`gamevault forget 41 42`, or rules such as --keep-daily 14 --keep-monthly 12")
}

fn list(vault: &Vault, context: &Context) -> Outcome {
    let forgotten = vault.forgotten()?;
    let data: Vec<_> = forgotten
        .iter()
        .map(|one| {
            json!({
                "number": one.build.number.0, "id": one.build.id, "forgotten": text::utc_time(one.forgotten),
                "until": text::utc_time(one.until), "bytes": one.build.root.totals.bytes,
            })
        })
        .collect();
    Ok(context.answer(&data, || {
        if context.quiet() {
            return forgotten.iter().map(|one| format!("{}\n", one.build.id)).collect();
        }
        let columns = [
            ("NUMBER", Align::Right),
            ("ID", Align::Left),
            ("TIME", Align::Left),
            ("FORGOTTEN", Align::Left),
            ("KEPT UNTIL", Align::Left),
        ];
        let mut table = Table::new(columns);
        for one in &forgotten {
            let times = [one.build.created, one.forgotten, one.until].map(text::local_time);
            let [created, forgotten, until] = times;
            table.add([one.build.number.to_string(), one.build.id.to_string(), created, forgotten, until]);
        }
        if forgotten.is_empty() { "no build is forgotten\n".to_owned() } else { table.to_string() }
    }))
}

fn undo(vault: &Vault, names: &[String], context: &Context) -> Outcome {
    let forgotten = vault.forgotten()?;
    let find = |name: &String| {
        let is_it = |build: &Build| build.id.as_str().eq_ignore_ascii_case(name) || build.number.to_string() == *name;
        let found = forgotten.iter().map(|one| &one.build).find(|build| is_it(build));
        found.cloned().ok_or_else(|| {
            Error::not_found(format!("no forgotten build is called \"{name}\""))
                .with_hint("`gamevault forget --list` lists them")
        })
    };
    let builds = names.iter().map(find).collect::<Result<Vec<_>>>()?;
    vault.recall(&builds)?;
    Ok(context.done(&json!({ "recalled": ids(&builds) }), || format!("recalled {}\n", ids(&builds).join(", "))))
}

fn named(vault: &Vault, arguments: &Forget, context: &Context) -> Outcome {
    let builds = arguments.builds.iter().map(|name| vault.build(name)).collect::<Result<Vec<_>>>()?;
    if !arguments.dry_run {
        vault.forget(&builds, arguments.force)?;
    }
    let data = json!({ "forgotten": ids(&builds), "dry_run": arguments.dry_run });
    let would = if arguments.dry_run { "would forget" } else { "forgot" };
    Ok(context
        .done(&data, || format!("{would} {}; `gamevault forget --undo` brings them back\n", ids(&builds).join(", "))))
}

fn by_rules(vault: &Vault, rules: &KeepRules, arguments: &Forget, context: &Context) -> Outcome {
    let plan = vault.plan_forgetting(rules, &TimeZone::system())?;
    let goes: Vec<Build> =
        plan.iter().filter(|planned| planned.reasons.is_empty()).map(|planned| planned.build.clone()).collect();
    let is_done = !arguments.dry_run && !goes.is_empty() && (arguments.yes || agreed(&plan, goes.len())?);
    if is_done {
        vault.forget(&goes, false)?;
    }
    let kept: Vec<_> = plan.iter().filter(|planned| !planned.reasons.is_empty()).collect();
    let kept: Vec<_> = kept.iter().map(|one| json!({ "id": one.build.id, "reasons": one.reasons })).collect();
    let data = json!({ "forgotten": ids(&goes), "kept": kept, "done": is_done });
    Ok(context.done(&data, || {
        let (count, all) = (text::count(goes.len() as u64, "build"), text::grouped(plan.len() as u64));
        let outcome = match (goes.is_empty(), is_done) {
            (true, _) => format!("nothing to forget: all {all} builds are kept\n"),
            (false, true) => format!("forgot {count} of {all}; `gamevault forget --undo` brings them back\n"),
            (false, false) => format!("would forget {count} of {all}; nothing was changed\n"),
        };
        // Who was asked has seen the plan.
        if is_done && !arguments.yes { outcome } else { table(&plan) + &outcome }
    }))
}

fn agreed(plan: &[Planned], count: usize) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Error::invalid("there is nobody to ask whether the plan is right")
            .with_hint("look at it with --dry-run, then run it with --yes"));
    }
    let mut output = std::io::stderr();
    let fail = |error| Error::io("ask on", std::path::Path::new("the terminal"), error);
    write!(output, "{}forget {}? [y/N] ", table(plan), text::count(count as u64, "build")).map_err(fail)?;
    output.flush().map_err(fail)?;
    let mut answer = String::new();
    input.lock().read_line(&mut answer).map_err(fail)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn table(plan: &[Planned]) -> String {
    let columns = [
        ("NUMBER", Align::Right),
        ("ID", Align::Left),
        ("TIME", Align::Left),
        ("PLATFORM", Align::Left),
        ("PLAN", Align::Left),
        ("WHY", Align::Left),
    ];
    let mut table = Table::new(columns);
    for Planned { build, reasons } in plan {
        let why: Vec<String> = reasons.iter().map(word).collect();
        table.add([
            build.number.to_string(),
            build.id.to_string(),
            text::local_time(build.created),
            build.info.platform.clone().unwrap_or_default(),
            if reasons.is_empty() { "forget" } else { "keep" }.to_owned(),
            why.join(", "),
        ]);
    }
    table.to_string()
}

fn word(reason: &Reason) -> String {
    match reason {
        Reason::Milestone(name) => format!("milestone {name}"),
        Reason::Tagged => "tagged".into(),
        Reason::Deployed => "deployed".into(),
        Reason::Feedback => "feedback".into(),
        Reason::Last => "last".into(),
        Reason::Hourly => "hourly".into(),
        Reason::Daily => "daily".into(),
        Reason::Weekly => "weekly".into(),
        Reason::Monthly => "monthly".into(),
        Reason::Yearly => "yearly".into(),
        Reason::Within => "within".into(),
    }
}

fn ids(builds: &[Build]) -> Vec<&str> {
    builds.iter().map(|build| build.id.as_str()).collect()
}
