//! `gamevault stamp` and `fingerprint`: how what players send leads back to its build.

use super::Outcome;
use crate::cli::context::Context;
use clap::Args;
use gamevault::error::Error;
use gamevault::feedback::{FINGERPRINT_END, fingerprint as fingerprint_of};
use serde_json::json;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Write a stamp into a folder before it is packaged, by which feedback on the build is known.
///
/// It goes to `gamevault.json`. A game that sends the stamp with its reports is linked to its very build, whatever version it
/// shows. Each call writes a new one.
#[derive(Debug, Args)]
pub struct Stamp {
    /// The folder.
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// The version, for the game to read.
    #[arg(long, value_name = "TEXT")]
    version: Option<String>,
}

/// Print the fingerprint of an executable or a pack, which a report may name to tell its build.
#[derive(Debug, Args)]
pub struct Fingerprint {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs `stamp`.
pub fn stamp(arguments: &Stamp, context: &Context) -> Outcome {
    let stamped = context.open_vault()?.stamp(&arguments.dir, arguments.version.as_deref())?;
    Ok(context.answer(&stamped, || match context.quiet() {
        true => format!("{}\n", stamped.stamp),
        false => format!("{} has the stamp {}\n", stamped.path.display(), stamped.stamp),
    }))
}

/// Runs `fingerprint`.
pub fn fingerprint(arguments: &Fingerprint, context: &Context) -> Outcome {
    let path = &arguments.file;
    let found = of_file(path).map_err(|error| Error::io("read", path, error))?;
    Ok(context.answer(&json!({ "path": path, "fingerprint": found }), || format!("{found}\n")))
}

fn of_file(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let end = len.min(FINGERPRINT_END as u64);
    let (mut first, mut last) = (vec![0; end as usize], vec![0; end as usize]);
    file.read_exact(&mut first)?;
    file.seek(SeekFrom::Start(len - end))?;
    file.read_exact(&mut last)?;
    Ok(fingerprint_of(len, &first, &last))
}
