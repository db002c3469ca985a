//! The command line: arguments in, text or JSON out, an exit code at the end.
//!
//! Each command is one file in [`commands`]; it takes its parsed arguments and a [`Context`] and returns an
//! [`Answer`](output::Answer) or a [`Failure`](output::Failure). This module and `main.rs` alone print, read the
//! environment and exit; everything that a command does is done by the library's public API.

mod arguments;
mod background;
mod build_view;
mod commands;
mod context;
mod environment;
mod exit;
mod front_end;
mod interrupt;
mod locate;
mod logging;
mod masking;
mod meter;
mod output;
mod progress;
mod sessions;
mod table;
mod text;

use arguments::{Arguments, Global};
use clap::Parser;
use context::Context;
use exit::Exit;
use output::Failure;
use std::process::ExitCode;

/// Runs the command that the process's arguments name and returns its exit code.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error).into(),
    };
    let context = Context::new(arguments.global);
    logging::install(&context, arguments.command.log_level());
    let result = commands::run(arguments.command, &context);
    output::finish(&context, result).into()
}

/// Prints what is wrong with the arguments, or the help that was asked for.
fn refuse(error: &clap::Error) -> Exit {
    // Without arguments that parse, only their text can tell whether a script is listening.
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let context = Context::new(Global { json: true, ..Global::default() });
        return output::finish(&context, Err(usage_failure(error)));
    }
    // Nothing is left to do when the help cannot be printed.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

fn usage_failure(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    Failure::usage(message).with_hint("see gamevault --help")
}
