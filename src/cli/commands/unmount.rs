//! `gamevault unmount`: ends a mount.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::locate;
use clap::Args;
use gamevault::Vault;
use gamevault::error::{Error, Result};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the mount's process may take to store what is open and to end.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(20);

/// End a mount; open sessions are kept.
#[derive(Debug, Args)]
pub struct Unmount {
    /// Where it is mounted. Default: the vault's only mount.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs the command.
pub fn run(arguments: &Unmount, context: &Context) -> Outcome {
    // With a folder the mount of any vault can be ended, also when that vault is gone.
    let vault = context.open_vault();
    let dir = match (&arguments.dir, &vault) {
        (Some(dir), _) => locate::absolute(dir.clone()),
        (None, Ok(vault)) => only_mount(vault)?,
        (None, Err(_)) => return Err(vault.err().expect("the vault was not opened").into()),
    };
    // The process is found before the end, while its mount still leads to its path.
    let process = vault.as_ref().map_or(Ok(None), |vault| process_at(vault, &dir))?;
    gamevault::mount::unmount(&dir)?;
    if let (Ok(vault), Some(pid)) = (&vault, process) {
        wait_for_end(vault, pid, context)?;
    }
    Ok(context.done(&json!({ "unmounted": dir.to_string_lossy() }), || format!("unmounted {}\n", dir.display())))
}

fn only_mount(vault: &Vault) -> Result<PathBuf> {
    match &vault.mounts()?[..] {
        [] => Err(Error::not_found(format!("no mount of {} is running", vault.dir().display()))
            .with_hint("a mount that a killed process left behind is removed by `gamevault unmount DIR`")),
        [mount] => Ok(mount.path.clone()),
        several => {
            let paths: Vec<String> = several.iter().map(|mount| mount.path.display().to_string()).collect();
            let message = format!("{} is mounted at several places: {}", vault.dir().display(), paths.join(", "));
            Err(Error::invalid(message).with_hint("say which: `gamevault unmount DIR`"))
        }
    }
}

fn process_at(vault: &Vault, dir: &Path) -> Result<Option<u32>> {
    let canonical = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mount = vault.mounts()?.into_iter().find(|mount| mount.path == dir || mount.path == canonical);
    Ok(mount.map(|mount| mount.pid))
}

fn wait_for_end(vault: &Vault, pid: u32, context: &Context) -> Result<()> {
    let deadline = Instant::now() + END_TIMEOUT;
    while vault.mounts()?.iter().any(|mount| mount.pid == pid) {
        if Instant::now() >= deadline {
            context.warn(format!("process {pid} of the mount has not ended yet"));
            break;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
