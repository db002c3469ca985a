//! `gamevault diff`: tells what changed between two builds.

use super::Outcome;
use crate::cli::changes_view::{self, View};
use crate::cli::context::Context;
use crate::cli::environment;
use crate::cli::output::Failure;
use clap::{Args, ValueEnum};
use gamevault::compare::detail::Limits;
use gamevault::error::Error;
use gamevault::report;
use std::path::{Path, PathBuf};

/// Tell what differs between two builds: names, sizes, bytes that are really others, and what they take in the store.
///
/// A file that has another place is "renamed" (in its folder) or "moved"; one whose content was that of a file that changed or
/// moved is "copied". CHANGED are the bytes of the newer file that the files which changed did not have before, STORED what
/// these take in packs.
///
/// Values that look like secrets by their names are masked.
#[derive(Debug, Args)]
pub struct Diff {
    /// The build before.
    #[arg(value_name = "A")]
    before: String,

    /// The build after.
    #[arg(value_name = "B")]
    after: String,

    /// Only these files and folders.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Only sums, by kind of change and class of asset.
    #[arg(long, conflicts_with_all = ["by", "patch"])]
    stat: bool,

    /// Sums by folder or class of asset instead of a list of files.
    #[arg(long, value_enum, conflicts_with = "patch")]
    by: Option<By>,

    /// How many levels of folders have sums of their own, with --by folder.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    depth: u16,

    /// Tell what changed inside of files too: lines, settings, members of containers, pixels, lengths of sounds.
    #[arg(long, short)]
    patch: bool,

    /// Write a page for people to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// End with exit code 9 when something differs.
    #[arg(long)]
    exit_code: bool,
}

/// As `--by` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Folders with all below them; "." has the files beside them.
    Folder,
    /// Classes of assets: pictures, sound, code, …
    Class,
}

/// Runs the command.
pub fn run(arguments: &Diff, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let (before, after) = (vault.build(&arguments.before)?, vault.build(&arguments.after)?);
    let limits = match (&arguments.html, arguments.patch) {
        (_, true) => Limits::ALL,
        (Some(_), false) => Limits::REPORT,
        (None, false) => Limits::NOTHING,
    };
    let mut changes = vault.changes(&before, &after, &arguments.paths, &limits)?;
    if let Some(commits) = environment::commits_between(&before, &after) {
        changes.commits = commits;
    }
    if let Some(file) = &arguments.html {
        write_page(file, &report::changes::page(&changes))?;
    }
    let view = match arguments.by {
        Some(By::Folder) => View::Folders(arguments.depth.into()),
        Some(By::Class) => View::Classes,
        None if arguments.stat => View::Sums,
        None if arguments.patch => View::Patch,
        None => View::Files,
    };
    Ok(changes_view::answer_all(&changes, view, arguments.html.as_deref(), arguments.exit_code, context))
}

/// Writes a page to a file of the user's.
pub(in crate::cli) fn write_page(file: &Path, page: &str) -> Result<(), Failure> {
    Ok(std::fs::write(file, page).map_err(|error| Error::io("write the page to", file, error))?)
}
