//! `gamevault restore`: writes a build, or parts of it, to a folder.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::locate;
use crate::cli::meter::Expected;
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::Build;
use gamevault::vault::{RestoreOptions, RollBackOptions};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Write the files of a build to a folder, or roll a folder back to a build.
///
/// Files of the folder that are not in the build stay as they are, unless it is rolled back by --in-place: then the folder
/// becomes what the build is, and only what differs is touched. A build is made of what it held before, and --undo goes
/// back to that. What snapshots leave out, such as the caches of engines, stays.
#[derive(Debug, Args)]
pub struct Restore {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`; with --undo, the folder.
    #[arg(value_name = "BUILD")]
    build: String,

    /// The folder to write to.
    #[arg(value_name = "DEST", required_unless_present = "undo")]
    dest: Option<PathBuf>,

    /// Only these files and folders of the build.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Replace files that are in the way.
    #[arg(long)]
    overwrite: bool,

    /// Make the folder what the build is: remove what is not in it, replace what differs, leave the rest alone.
    #[arg(long, conflicts_with_all = ["overwrite", "paths"])]
    in_place: bool,

    /// Set a folder back to what it was before it was rolled back.
    #[arg(long, conflicts_with_all = ["overwrite", "paths", "in_place", "dest"])]
    undo: bool,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "the folder is not complete: run the command again with --overwrite";

/// Runs the command.
pub fn run(arguments: Restore, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    if arguments.undo {
        let folder = locate::absolute(PathBuf::from(arguments.build));
        let build = vault.build_before_roll_back(&folder)?;
        return roll_back(&vault, &build, &folder, context);
    }
    let build = vault.build(&arguments.build)?;
    let dest = locate::absolute(arguments.dest.expect("it is required without --undo"));
    if arguments.in_place {
        return roll_back(&vault, &build, &dest, context);
    }
    let options = RestoreOptions { paths: arguments.paths, overwrite: arguments.overwrite };
    let totals = build.root.totals;
    let expected = match options.paths.is_empty() {
        true => Expected::About { files: totals.files, bytes: totals.bytes },
        false => Expected::Unknown,
    };
    let report = context
        .work("restore", expected, |progress| vault.restore(&build, &dest, &options, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))?;
    context.warn_all(&report.warnings);
    let data = json!({
        "build": build.id, "dest": dest.to_string_lossy(), "files": report.files, "directories": report.directories,
        "symlinks": report.symlinks, "bytes": report.bytes,
    });
    Ok(context.done(&data, || {
        let (files, size) = (text::count(report.files, "file"), text::size(report.bytes));
        format!("restored {} to {}: {files}, {size}\n", build.id, dest.display())
    }))
}

fn roll_back(vault: &Vault, build: &Build, folder: &Path, context: &Context) -> Outcome {
    let options = RollBackOptions::default();
    let report = context
        .work("restore", Expected::Unknown, |progress| vault.roll_back(build, folder, &options, progress))
        .map_err(|failure| failure.when_interrupted("the folder is in between: run the command again"))?;
    context.warn_all(&report.written.warnings);
    Ok(context.done(&report, || {
        let (files, size) = (text::count(report.written.files, "file"), text::size(report.written.bytes));
        let changed = format!("{files} written ({size}), {} removed", text::grouped(report.removed));
        format!(
            "{} is {} now: {changed}; before it was build {}: `gamevault restore --undo {}` goes back\n",
            folder.display(),
            build.id,
            report.before.id,
            folder.display()
        )
    }))
}
