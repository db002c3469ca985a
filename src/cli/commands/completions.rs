//! `gamevault completions`: prints what a shell needs to complete the commands.

use super::Outcome;
use crate::cli::arguments::Arguments;
use crate::cli::context::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

/// Print the completions for a shell.
///
/// For example: gamevault completions bash > ~/.local/share/bash-completion/completions/gamevault
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the command.
pub fn run(arguments: &Completions, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "gamevault", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let data = json!({ "shell": arguments.shell.to_string(), "script": script });
    Ok(context.answer(&data, || script))
}
