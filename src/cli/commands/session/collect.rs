//! `gamevault session collect` and `record`: takes in what games record, from a folder and over HTTP.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::interrupt::Interrupts;
use crate::cli::meter::Expected;
use crate::cli::playtest_view::PlaytestView;
use crate::cli::text;
use clap::Args;
use data_encoding::HEXLOWER;
use gamevault::Vault;
use gamevault::error::{Error, Result};
use gamevault::progress::Progress;
use gamevault::receive::{Receiver, ReceiverOptions};
use gamevault::vault::{CollectOptions, Collected};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a receiver looks at what has ended.
const LOOK: Duration = Duration::from_millis(200);

/// Take in the plays that games recorded into a spool folder.
///
/// Plays that are over are kept as playtests of the builds that they name, and removed from the folder; those whose game crashed
/// are ended first. Plays that go on stay, and so does what no build is known of. A mount does this by itself when the vault's config
/// names it: `plays = "DIR"` in the table `sessions`.
#[derive(Debug, Args)]
pub struct Collect {
    /// The folder; the one that the library for games uses, if it is not given.
    #[arg(value_name = "SPOOL")]
    spool: Option<PathBuf>,

    /// The build that was played, whatever the plays say: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
}

/// Record plays of games that send what happens over HTTP, until Ctrl-C.
///
/// For games in browsers, on phones and consoles. Every request carries the token that is printed; docs/recording.md has the
/// requests. Plays are kept as playtests when they end, and at the latest when this command ends.
#[derive(Debug, Args)]
pub struct Record {
    /// Where to listen; port 0 is a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The token that requests must carry; one is made, if it is not given.
    #[arg(long, value_name = "TEXT", env = "GAMEVAULT_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// The build that is played, if the game does not say it.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,

    /// A play of which nothing is heard for so many minutes is over.
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    silence: u64,
}

/// Runs `collect`.
pub fn collect(arguments: &Collect, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = arguments.build.as_deref().map(|build| vault.build(build)).transpose()?;
    let spool = arguments.spool.clone().or_else(gamevault_rec::default_spool);
    let spool = spool.ok_or_else(|| Error::invalid("there is no folder of plays").with_hint("name it"))?;
    // The folder of the library comes with the first play.
    let is_not_yet = arguments.spool.is_none() && !spool.exists();
    let options = CollectOptions { build: build.as_ref(), ..CollectOptions::default() };
    let collected = match is_not_yet {
        true => Collected::default(),
        false => {
            context.work("collect", Expected::Unknown, |progress| vault.collect_sessions(&spool, &options, progress))?
        }
    };
    warn_of(&collected, context);
    answer(&vault, &collected, context)
}

fn answer(vault: &Vault, collected: &Collected, context: &Context) -> Outcome {
    let builds = vault.builds()?;
    let views: Vec<PlaytestView> = collected
        .playtests
        .iter()
        .map(|playtest| PlaytestView::new(playtest, builds.iter().find(|build| build.number == playtest.build)))
        .collect();
    let left: Vec<_> = collected
        .left
        .iter()
        .map(|(path, error)| json!({ "path": path.to_string_lossy(), "error": error.to_string() }))
        .collect();
    let data = json!({ "playtests": views, "recovered": collected.recovered, "live": collected.live, "left": left });
    Ok(context.answer(&data, || {
        if context.quiet() {
            return views.iter().map(|view| format!("{}\n", view.id)).collect();
        }
        let lines = views.iter().map(|view| format!("playtest {} of build {}\n", view.id, view.build_name()));
        let mut lines: String = lines.collect();
        lines.push_str(&match views.len() as u64 {
            0 => "no plays that are over".to_owned(),
            count => format!("{} kept", text::count(count, "play")),
        });
        if collected.recovered > 0 {
            lines.push_str(&format!(", {} of them broken off", collected.recovered));
        }
        if collected.live > 0 {
            lines.push_str(&format!(", {} go on", collected.live));
        }
        lines + "\n"
    }))
}

fn warn_of(collected: &Collected, context: &Context) {
    for (path, error) in &collected.left {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        context.warn(format!("{} stays there: {error}{hint}", path.display()));
    }
}

/// Runs `record`.
pub fn record(arguments: &Record, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build =
        arguments.build.as_deref().map(|build| Ok::<_, Error>(vault.build(build)?.id.to_string())).transpose()?;
    let token = arguments.token.clone().map_or_else(new_token, Ok)?;
    let spool = vault.receive_spool()?;
    let interrupts = Interrupts::install();
    let receiver = Receiver::start(ReceiverOptions {
        address: arguments.listen,
        token: token.clone(),
        spool: spool.clone(),
        build,
        silence: Duration::from_secs(60 * arguments.silence),
    })?;
    if !receiver.address().ip().is_loopback() {
        context.warn("what is sent is not encrypted: everybody on the way can read it, the token too".to_owned());
    }
    // People and scripts need both at once, and not when all is over.
    eprintln!("recording at http://{}/sessions\ntoken {token}", receiver.address());
    let mut all = Collected::default();
    let mut seen = 0;
    // What an earlier recording left when it was killed.
    take_in(&vault, &spool, &mut all);
    while !interrupts.requested() {
        std::thread::sleep(LOOK);
        receiver.end_silent();
        let ended = receiver.ended();
        if ended > seen {
            seen = ended;
            // Whoever still plays goes on, whatever becomes of this one: it stays in the folder, and is tried again with the next.
            take_in(&vault, &spool, &mut all);
        }
    }
    drop(receiver);
    take_in(&vault, &spool, &mut all);
    warn_of(&all, context);
    answer(&vault, &all, context)
}

fn take_in(vault: &Vault, spool: &Path, all: &mut Collected) {
    match vault.collect_sessions(spool, &CollectOptions::default(), &Progress::new()) {
        Ok(Collected { playtests, recovered, live, left, .. }) => {
            for playtest in &playtests {
                tracing::info!(id = %playtest.id, "a play is kept");
            }
            all.playtests.extend(playtests);
            all.recovered += recovered;
            (all.live, all.left) = (live, left);
        }
        Err(error) => {
            tracing::warn!(%error, "plays are not kept yet");
            all.left = vec![(spool.to_owned(), error)];
        }
    }
}

fn new_token() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
    Ok(HEXLOWER.encode(&bytes))
}
