//! `gamevault init`: makes a vault.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::locate;
use clap::Args;
use gamevault::Vault;
use gamevault::error::Error;
use serde::Serialize;
use std::path::PathBuf;

/// Make a new, empty vault.
#[derive(Debug, Args)]
pub struct Init {
    /// Where: a missing or empty folder. Default: --vault, else the user's default vault.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct Made {
    vault: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Init, context: &Context) -> Outcome {
    let default = locate::default_vault(context.variables());
    let needs_name = arguments.dir.is_none() && context.named_vault().is_none();
    let dir = arguments.dir.clone().or_else(|| context.named_vault()).or_else(|| default.clone());
    let dir = dir.map(locate::absolute).ok_or_else(|| {
        Error::invalid("there is no default place for a vault: this user has no home")
            .with_hint("give the folder: `gamevault init DIR`")
    })?;
    let vault = Vault::init(&dir)?;
    let made = Made { vault: vault.dir().to_owned() };
    Ok(context.done(&made, || {
        let place = made.vault.display();
        let use_it =
            if needs_name { String::new() } else { format!("; to use it everywhere: export GAMEVAULT_VAULT={place}") };
        format!("made an empty vault in {place}{use_it}\n")
    }))
}
