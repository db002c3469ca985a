//! `gamevault mount`: shows the vault as folders.

use super::Outcome;
use crate::cli::background;
use crate::cli::context::Context;
use crate::cli::front_end::{self, MountOptions};
use crate::cli::locate;
use crate::cli::output::{self, Answer};
use clap::Args;
use gamevault::error::{Error, Result};
use gamevault::manifest::Timestamp;
use gamevault::vault::MountRecord;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder in the user's home that shows the vault when none is given.
const DEFAULT_MOUNT: &str = "GameVault";

/// Show the vault as folders: every build, every milestone, and a place to copy new builds to.
///
/// Goes to the background when it is ready; `gamevault unmount` ends it.
#[derive(Debug, Args)]
pub struct Mount {
    /// The folder that will show it; made when missing. Default: ~/GameVault.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Stay in the foreground; Ctrl-C unmounts.
    #[arg(long)]
    foreground: bool,

    /// Show extended attributes, too; listing folders becomes slower.
    #[arg(long)]
    xattr: bool,

    /// Answer with this many threads. Default: one for each core.
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,

    /// Let other users of this machine in.
    #[arg(long)]
    allow_other: bool,

    /// This process was started to be the background of another one.
    #[arg(long, hide = true)]
    detached: bool,
}

/// A mount that is ready.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    vault: PathBuf,
    mount: PathBuf,
    pid: u32,
}

/// Runs the command.
pub fn run(arguments: &Mount, context: &Context) -> Outcome {
    let dir = locate::absolute(mount_dir(arguments, context)?);
    if arguments.foreground {
        return serve(&dir, arguments, context);
    }
    let vault = context.locate_vault()?;
    let mut options = vec!["mount".into(), dir.into_os_string(), "--foreground".into(), "--detached".into()];
    options.extend(arguments.xattr.then(|| "--xattr".into()));
    options.extend(arguments.allow_other.then(|| "--allow-other".into()));
    options.extend(arguments.threads.map(|threads| format!("--threads={threads}").into()));
    let ready: Ready = background::start(&vault, &options)?;
    Ok(announcement(&ready, context))
}

/// Mounts, tells so, and stays until somebody unmounts.
fn serve(dir: &Path, arguments: &Mount, context: &Context) -> Outcome {
    if arguments.detached {
        background::detach()?;
    }
    let vault = Arc::new(context.open_vault()?);
    refuse_second_mount(&vault.mounts()?, dir)?;
    make_folder(dir)?;
    let default = MountOptions::default();
    let options = MountOptions {
        xattr: arguments.xattr,
        threads: arguments.threads.unwrap_or(default.threads),
        allow_other: arguments.allow_other,
    };
    let ready = Ready { vault: vault.dir().to_owned(), mount: dir.to_owned(), pid: std::process::id() };
    front_end::serve(&vault, dir, &options, || {
        vault.record_mount(&MountRecord { pid: ready.pid, path: dir.to_owned(), since: Timestamp::now() })?;
        output::print(context, announcement(&ready, context))
            .map_err(|error| Error::io("tell that the mount is ready on", "standard output", error))
    })?;
    vault.forget_mount(ready.pid)?;
    Ok(Answer::nothing())
}

fn mount_dir(arguments: &Mount, context: &Context) -> Result<PathBuf> {
    let home = || context.variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let dir = arguments.dir.clone().or_else(|| home().map(|home| Path::new(home).join(DEFAULT_MOUNT)));
    dir.ok_or_else(|| {
        let message = "there is no default folder to mount on: this user has no home";
        Error::invalid(message).with_hint("give the folder: `gamevault mount DIR`")
    })
}

fn refuse_second_mount(mounts: &[MountRecord], dir: &Path) -> Result<()> {
    match mounts.iter().find(|mount| mount.path == dir) {
        Some(mount) => {
            let message = format!("the vault is mounted at {} already, by process {}", dir.display(), mount.pid);
            let error = Error::new(gamevault::error::ErrorKind::Exists, message);
            Err(error.with_hint(format!("use it as it is, or end it with `gamevault unmount {}`", dir.display())))
        }
        None => Ok(()),
    }
}

fn make_folder(dir: &Path) -> Result<()> {
    // Only what is not there at all: a stale mount is there, though nothing can be read of it.
    match std::fs::symlink_metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            std::fs::create_dir_all(dir).map_err(|error| Error::io("make the folder", dir, error))
        }
        _ => Ok(()),
    }
}

fn announcement(ready: &Ready, context: &Context) -> Answer {
    context.done(ready, || {
        let (vault, mount) = (ready.vault.display(), ready.mount.display());
        format!("{vault} is mounted at {mount}: builds/ and milestones/ to read, .snapshot/ to copy new builds into\n")
    })
}
