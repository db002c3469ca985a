//! `gamevault mount`: shows the vault as folders.

use super::Outcome;
use crate::cli::background;
use crate::cli::context::Context;
use crate::cli::interrupt;
use crate::cli::locate;
use crate::cli::output::{self, Answer};
use clap::Args;
use gamevault::Vault;
use gamevault::error::{Error, Result};
use gamevault::manifest::Timestamp;
use gamevault::mount::{MountOptions, Mounted};
use gamevault::vault::MountRecord;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The folder in the user's home that shows the vault when none is given.
const DEFAULT_MOUNT: &str = "GameVault";

/// Show the vault as folders: every build, every milestone, and a place to copy new builds to.
///
/// Goes to the background when it is ready; `gamevault unmount` ends it.
#[derive(Debug, Args)]
pub struct Mount {
    /// The folder that will show it, made when missing, or on Windows a drive letter as `G:`. Default: ~/GameVault.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Stay in the foreground; Ctrl-C unmounts.
    #[arg(long)]
    foreground: bool,

    /// Show extended attributes, too; listing folders becomes slower.
    #[arg(long)]
    xattr: bool,

    /// Let the system ask at every open: opening is slower, and opening a file of a build to write fails at once instead of
    /// at the first write.
    #[arg(long)]
    ask_opens: bool,

    /// Answer with this many threads.
    #[arg(long, value_name = "COUNT")]
    threads: Option<usize>,

    /// Refuse a request of a program with an I/O error when it takes longer than this.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    deadline: u64,

    /// Write a timeline of all requests to this file, which Chrome (chrome://tracing) and Perfetto show.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Let other users of this machine in.
    #[arg(long)]
    allow_other: bool,

    /// Let the kernel read large files by itself, from whole copies that the vault keeps of those that are used. It needs
    /// root and Linux 6.9; elsewhere the mount goes on without.
    #[arg(long)]
    passthrough: bool,

    /// Mount as a drive of the network, of which the Explorer reads no thumbnails. Windows alone knows the difference.
    #[arg(long)]
    network_drive: bool,

    /// Neither record what programs read first, nor read it ahead of them the next time.
    #[arg(long)]
    no_warm_up: bool,

    /// This process was started to be the background of another one.
    #[arg(long, hide = true)]
    detached: bool,
}

impl Mount {
    /// Returns the file to which this process writes its trace.
    pub fn trace_file(&self) -> Option<&Path> {
        self.trace.as_deref().filter(|_| self.foreground)
    }
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
    options.extend(arguments.ask_opens.then(|| "--ask-opens".into()));
    options.extend(arguments.passthrough.then(|| "--passthrough".into()));
    options.extend(arguments.network_drive.then(|| "--network-drive".into()));
    options.extend(arguments.no_warm_up.then(|| "--no-warm-up".into()));
    options.extend(arguments.threads.map(|threads| format!("--threads={threads}").into()));
    options.push(format!("--deadline={}", arguments.deadline).into());
    if let Some(trace) = &arguments.trace {
        options.extend(["--trace".into(), locate::absolute(trace.clone()).into_os_string()]);
    }
    let ready: Ready = background::start(&vault, &options)?;
    Ok(announcement(&ready, context))
}

/// Mounts, tells so, and stays until somebody unmounts.
fn serve(dir: &Path, arguments: &Mount, context: &Context) -> Outcome {
    if arguments.detached {
        background::detach()?;
    }
    let vault = Arc::new(context.open_vault()?);
    let Mount { xattr, allow_other, ask_opens, passthrough, network_drive, no_warm_up, .. } = *arguments;
    let deadline = Duration::from_secs(arguments.deadline);
    let threads = arguments.threads.unwrap_or(0);
    let options = MountOptions {
        xattr,
        threads,
        allow_other,
        deadline,
        ask_opens,
        optimizes: true,
        warms_up: !no_warm_up,
        passthrough,
        network_drive,
    };
    let mounted = gamevault::mount::mount(vault.clone(), dir, &options)?;
    if let Err(error) = announce(&vault, &mounted, context) {
        // A mount that nobody knows of is not left behind.
        mounted.unmount()?;
        return Err(error.into());
    }
    mounted.wait()?;
    vault.forget_mount(std::process::id())?;
    Ok(Answer::nothing())
}

/// Makes a mount that is ready known to signals, to other processes, and to the user.
fn announce(vault: &Vault, mounted: &Mounted, context: &Context) -> Result<()> {
    let stopper = mounted.stopper();
    interrupt::on_signal(move || tracing::info!(outcome = ?stopper.stop(), "a signal asked the mount to end"))?;
    let ready = Ready { vault: vault.dir().to_owned(), mount: mounted.path().to_owned(), pid: std::process::id() };
    let passthrough = mounted.passthrough().clone();
    vault.record_mount(&MountRecord {
        pid: ready.pid,
        path: ready.mount.clone(),
        since: Timestamp::now(),
        passthrough,
    })?;
    output::print(context, announcement(&ready, context))
        .map_err(|error| Error::io("tell that the mount is ready on", "standard output", error))
}

fn mount_dir(arguments: &Mount, context: &Context) -> Result<PathBuf> {
    let home = || context.variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
    let dir = arguments.dir.clone().or_else(|| home().map(|home| Path::new(home).join(DEFAULT_MOUNT)));
    dir.ok_or_else(|| {
        let message = "there is no default folder to mount on: this user has no home";
        Error::invalid(message).with_hint("give the folder: `gamevault mount DIR`")
    })
}

fn announcement(ready: &Ready, context: &Context) -> Answer {
    context.done(ready, || {
        let (vault, mount) = (ready.vault.display(), ready.mount.display());
        format!("{vault} is mounted at {mount}: builds/ and milestones/ to read, .snapshot/ to copy new builds into\n")
    })
}
