//! `gamevault restore`: writes a build, or parts of it, to a folder.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::locate;
use crate::cli::meter::Expected;
use crate::cli::text;
use clap::Args;
use gamevault::vault::RestoreOptions;
use serde_json::json;
use std::path::PathBuf;

/// Write the files of a build to a folder.
///
/// Files of the folder that are not in the build stay as they are.
#[derive(Debug, Args)]
pub struct Restore {
    /// The build: an id, a number, a label, a milestone, `latest` or `latest~2`.
    #[arg(value_name = "BUILD")]
    build: String,

    /// The folder to write to.
    #[arg(value_name = "DEST")]
    dest: PathBuf,

    /// Only these files and folders of the build.
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    /// Replace files that are in the way.
    #[arg(long)]
    overwrite: bool,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "the folder is not complete: run the command again with --overwrite";

/// Runs the command.
pub fn run(arguments: Restore, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let build = vault.build(&arguments.build)?;
    let dest = locate::absolute(arguments.dest);
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
