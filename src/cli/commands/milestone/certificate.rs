//! `gamevault milestone verify` and `check`: reads builds back, and tells years later whether they are the same.

use crate::cli::commands::Outcome;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::locate;
use crate::cli::meter::Expected;
use crate::cli::output::Failure;
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::catalogue::{Certificate, Milestone};
use gamevault::error::{Error, ErrorKind};
use gamevault::name::RefName;
use std::path::{Path, PathBuf};

/// Read everything that a milestone marks back, and keep a certificate of what was found.
#[derive(Debug, Args)]
pub struct Verify {
    /// The milestone's name.
    #[arg(value_name = "NAME")]
    name: RefName,

    /// Write the certificate to this file, too.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Tell whether a build of the vault, or a folder, is what a certificate says.
#[derive(Debug, Args)]
pub struct Check {
    /// The certificate: a file, as `milestone verify --output` writes it and `.gamevault/certificate.json` shows it.
    #[arg(value_name = "CERTIFICATE")]
    certificate: PathBuf,

    /// The folder; without it, the build in the vault. Modes and times do not count.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The way on after a Ctrl-C.
const INTERRUPTED: &str = "what was read counts for a day: `gamevault milestone verify` goes on where this stopped";

/// Runs `verify`.
pub fn verify(arguments: &Verify, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let milestone = read_back(&vault, &arguments.name, context)?;
    let certificate = milestone.certificate.expect("a milestone that was read back has one");
    if let Some(output) = &arguments.output {
        let text = serde_json::to_string_pretty(&certificate).expect("strings and numbers become JSON");
        std::fs::write(output, text + "\n").map_err(|error| Error::io("write", output, error))?;
    }
    Ok(context.done(&certificate, || format!("milestone {}: {}\n", milestone.name, sentence(&certificate))))
}

/// Runs `check`.
pub fn check(arguments: &Check, context: &Context) -> Outcome {
    let certificate = read(&arguments.certificate)?;
    let (check, what) = match arguments.folder.clone().map(locate::absolute) {
        Some(folder) => {
            let check =
                context.work("check", Expected::Counted, |progress| certificate.check_folder(&folder, progress));
            (check?, folder.display().to_string())
        }
        None => {
            let vault = context.open_vault()?;
            let check = |progress: &_| vault.check_certificate(&certificate, progress);
            (context.work("check", Expected::Counted, check)?, format!("build {} of the vault", certificate.build_id))
        }
    };
    let answer = context.done(&check, || match check.holds {
        true => {
            format!("{what} is {} as it was on {}\n", certificate.milestone, text::local_time(certificate.verified))
        }
        false => format!("{what} is not {}: {}\n", certificate.milestone, check.differences.join(", ")),
    });
    if check.holds {
        return Ok(answer);
    }
    let message = format!("{what} is not what the certificate of {} says", certificate.milestone);
    Ok(answer.with_failure(Failure::new(Exit::Integrity, ErrorKind::Corrupt.code(), message)))
}

/// Reads the milestone's build back, with its progress shown.
pub(super) fn read_back(vault: &Vault, name: &RefName, context: &Context) -> Result<Milestone, Failure> {
    context
        .work("verify", Expected::Counted, |progress| vault.verify_milestone(name, progress))
        .map_err(|failure| failure.when_interrupted(INTERRUPTED))
}

/// Tells what a certificate says, in a line.
pub(super) fn sentence(found: &Certificate) -> String {
    let (files, size, time) =
        (text::count(found.files, "file"), text::size(found.bytes), text::local_time(found.verified));
    format!("{files}, {size} read back on {time}, content {}", &found.content_hash.to_string()[..16])
}

fn read(file: &Path) -> Result<Certificate, Error> {
    let bytes = std::fs::read(file).map_err(|error| Error::io("read", file, error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::invalid(format!("{} is no certificate: {error}", file.display()))
            .with_hint("`gamevault milestone verify NAME --output FILE` writes one")
    })
}
