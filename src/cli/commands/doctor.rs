//! `gamevault doctor`: looks for what keeps vaults and mounts from working.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Failure;
use crate::cli::table::{Align, Table};
use crate::cli::text;
use clap::Args;
use gamevault::Vault;
use gamevault::disk::Space;
use gamevault::error::{Error, ErrorKind, Result};
use gamevault::mount::Check;
use std::path::Path;

/// Below this a snapshot of a game is likely to fail.
const LOW_SPACE: u64 = 1_000_000_000;

/// Check that this machine can mount, and that the vault can be used.
///
/// Ends with exit code 1 when something is wrong.
#[derive(Debug, Args)]
pub struct Doctor {}

/// Runs the command.
pub fn run(_arguments: &Doctor, context: &Context) -> Outcome {
    let mut checks = vault_checks(context);
    checks.extend(gamevault::mount::check());
    let answer = context.answer(&checks, || list(&checks));
    let wrong: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
    Ok(match wrong.is_empty() {
        true => answer,
        false => {
            answer.with_failure(Failure::new(Exit::Failed, "unhealthy", format!("not in order: {}", wrong.join(", "))))
        }
    })
}

fn vault_checks(context: &Context) -> Vec<Check> {
    let dir = match context.locate_vault() {
        Ok(dir) => dir,
        Err(error) => return vec![failed("vault", &error)],
    };
    let mut checks = vec![passed("vault", format!("found in {}", dir.display()))];
    checks.push(check("writable", check_writable(&dir)));
    match Vault::open(&dir) {
        Ok(vault) => {
            checks.push(passed("locks", "the vault is open to all commands".to_owned()));
            checks.push(check("readable", check_readable(&vault)));
            checks.push(check("space", check_space(&vault)));
        }
        Err(error) => checks.push(failed("locks", &error)),
    }
    checks
}

fn check_writable(dir: &Path) -> Result<String> {
    tempfile::NamedTempFile::new_in(dir).map_err(|error| Error::io("write to", dir, error))?;
    Ok("files can be made in the vault".to_owned())
}

fn check_readable(vault: &Vault) -> Result<String> {
    let (builds, milestones) = (vault.builds()?.len() as u64, vault.milestones()?.len() as u64);
    Ok(format!("{} and {}", text::count(builds, "build"), text::count(milestones, "milestone")))
}

fn check_space(vault: &Vault) -> Result<String> {
    let Space { total, available } = vault.space()?;
    let message = format!("{} free of {}", text::size(available), text::size(total));
    match available >= LOW_SPACE {
        true => Ok(message),
        false => {
            Err(Error::new(ErrorKind::NoSpace, format!("only {message}"))
                .with_hint("free some space on the vault's disk"))
        }
    }
}

fn check(name: &'static str, result: Result<String>) -> Check {
    result.map_or_else(|error| failed(name, &error), |message| passed(name, message))
}

fn passed(name: &'static str, sentence: String) -> Check {
    Check { name, ok: true, sentence, hint: None }
}

fn failed(name: &'static str, error: &Error) -> Check {
    Check { name, ok: false, sentence: error.to_string(), hint: error.hint().map(str::to_owned) }
}

fn list(checks: &[Check]) -> String {
    let mut table = Table::new([("STATE", Align::Left), ("CHECK", Align::Left), ("FOUND", Align::Left)]);
    for check in checks {
        let state = if check.ok { "ok" } else { "WRONG" };
        let hint = check.hint.as_ref().filter(|_| !check.ok).map(|hint| format!("; {hint}"));
        table.add([
            state.to_owned(),
            check.name.to_owned(),
            format!("{}{}", check.sentence.trim_end_matches('.'), hint.unwrap_or_default()),
        ]);
    }
    table.to_string()
}
