//! `gamevault deploy`: which build went where, when.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::selection::parse_instant;
use crate::cli::table::{Align, Table};
use clap::{Args, Subcommand};
use gamevault::name::RefName;
use gamevault::report::records::id_of;
use gamevault::vault::DeployOptions;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Write down where builds went, so that reviews and crashes from there lead back to them.
#[derive(Debug, Subcommand)]
pub enum Deploy {
    Record(Record),
    List(List),
}

/// Write down that a build went to a store.
///
/// `gamevault feedback relink` links what was imported before.
#[derive(Debug, Args)]
pub struct Record {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD")]
    build: String,

    /// The store: steam, itch, testflight, play, or another word.
    #[arg(long, value_name = "NAME")]
    store: RefName,

    /// The store's name of the game or the package.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,

    /// The number that the store gave the build.
    #[arg(long, value_name = "NUMBER")]
    store_build: Option<String>,

    /// The branch or track; without one, what everybody gets.
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,

    /// Since when players get it there; since now, if it is not given.
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    time: Option<Timestamp>,
}

/// List what went where, the last written down last.
#[derive(Debug, Args)]
pub struct List {}

/// Runs the command.
pub fn run(arguments: Deploy, context: &Context) -> Outcome {
    match arguments {
        Deploy::Record(arguments) => record(arguments, context),
        Deploy::List(_) => list(context),
    }
}

fn record(arguments: Record, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let Record { store, app, store_build, channel, time, .. } = arguments;
    let deployment = vault.record_deployment(&build, &DeployOptions { store, app, store_build, channel, time })?;
    Ok(context.done(&deployment, || format!("build {} is at {}\n", build.id, deployment.store)))
}

fn list(context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let (deployments, builds) = (vault.deployments()?, vault.builds()?);
    Ok(context.answer(&deployments, || {
        let mut table = Table::new([
            ("SINCE", Align::Left),
            ("BUILD", Align::Left),
            ("STORE", Align::Left),
            ("APP", Align::Left),
            ("STORE BUILD", Align::Left),
            ("CHANNEL", Align::Left),
        ]);
        for deployment in &deployments {
            let known = |text: &Option<String>| text.clone().unwrap_or_default();
            let since = deployment.time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
            table.add([
                since,
                id_of(deployment.build, &builds),
                deployment.store.to_string(),
                known(&deployment.app),
                known(&deployment.store_build),
                known(&deployment.channel),
            ]);
        }
        table.to_string()
    }))
}
