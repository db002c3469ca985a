//! What may be written after `gamevault`: the options of every command, and the list of commands.

use super::commands::{
    abort, builds, commit, completions, deploy, diff, doctor, engine, feedback, find, forget, gc, history, init, man,
    milestone, mount, optimize, platform, play, repair, report, restore, resume, session, show, snapshot, stamp, stats,
    status, unmount, verify, workspace,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use tracing::level_filters::LevelFilter;

/// The version, and what WinFsp's terms ask a program to show that uses it.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\n\nOn Windows the mount uses\n",
    "WinFsp - Windows File System Proxy, Copyright (C) Bill Zissimopoulos\n",
    "https://github.com/winfsp/winfsp"
);

/// Keeps every build of a game at little cost, and shows them as folders.
///
/// A vault holds builds. `gamevault snapshot DIR` makes one of a folder, `gamevault mount` shows all of them as
/// folders that any tool can read. The vault is --vault, else $GAMEVAULT_VAULT, else the one found upward from the
/// current folder, else the user's default vault.
///
/// BUILD is an id, a number, a label, a milestone, `latest`, or `latest~2`.
#[derive(Debug, Parser)]
#[command(name = "gamevault", version, long_version = LONG_VERSION, max_term_width = 100)]
#[command(after_long_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 exists or conflict, 5 incomplete, \
    6 integrity error, 7 busy, 8 no space, 9 differences found, 10 nothing changed, 130 interrupted. \
    `play` ends as its program does.")]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,

    #[command(subcommand)]
    pub command: Command,
}

/// The options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Use the vault in this directory.
    #[arg(long, global = true, value_name = "DIR", env = "GAMEVAULT_VAULT")]
    pub vault: Option<PathBuf>,

    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    pub json: bool,

    /// Print only what was asked for, and no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// How to show progress on standard error.
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub progress: ProgressStyle,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar when standard error is a terminal.
    #[default]
    Auto,
    /// One JSON object a line, about twice a second.
    Json,
    /// Nothing.
    None,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Init),
    Mount(mount::Mount),
    Unmount(unmount::Unmount),
    Snapshot(snapshot::Snapshot),
    Builds(builds::Builds),
    Show(show::Show),
    Restore(restore::Restore),
    Diff(diff::Diff),
    History(history::History),
    Find(find::Find),
    #[command(subcommand)]
    Milestone(milestone::Milestone),
    #[command(subcommand)]
    Workspace(workspace::Workspace),
    Play(play::Play),
    #[command(subcommand)]
    Session(session::Session),
    #[command(subcommand)]
    Feedback(feedback::Feedback),
    Stamp(stamp::Stamp),
    Fingerprint(stamp::Fingerprint),
    #[command(subcommand)]
    Deploy(deploy::Deploy),
    Resume(resume::Resume),
    Commit(commit::Commit),
    Abort(abort::Abort),
    Status(status::Status),
    Verify(verify::Verify),
    Stats(stats::Stats),
    Report(report::Report),
    #[command(subcommand)]
    Platform(platform::Platform),
    Gc(gc::Gc),
    Optimize(optimize::Optimize),
    Repair(repair::Repair),
    #[command(subcommand)]
    Engine(engine::Engine),
    Forget(forget::Forget),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// Returns from which level on this command logs when the user asks for no other.
    pub fn log_level(&self) -> LevelFilter {
        match self {
            // A mount runs for days; its log is the only trace of what it did.
            Command::Mount(_) => LevelFilter::INFO,
            // Every other command returns what goes wrong, and says it once.
            _ => LevelFilter::OFF,
        }
    }

    /// Returns the file to which this command's process writes a trace.
    pub fn trace_file(&self) -> Option<&Path> {
        match self {
            Command::Mount(mount) => mount.trace_file(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
