//! The command line: arguments in, text or JSON out, an exit code at the end.
//!
//! Each command is one file in [`commands`]; it takes its parsed arguments and a [`Context`] and returns an
//! [`Answer`](output::Answer) or a [`Failure`](output::Failure). This module and `main.rs` alone print, read the
//! environment and exit; everything that a command does is done by the library's public API.

mod arguments;
mod background;
mod build_view;
mod changes_view;
mod child;
mod commands;
mod context;
mod earlier_play;
mod environment;
mod exit;
mod feedback_filter;
mod feedback_view;
mod interrupt;
mod locate;
mod logging;
mod meter;
mod mount_view;
mod output;
mod platform_view;
mod playtest_files;
mod playtest_view;
mod progress;
mod ranges;
mod room;
mod selection;
mod sessions;
mod table;
mod text;
mod trace;
mod workspaces;

use arguments::{Arguments, Global};
use clap::Parser;
use clap::error::ErrorKind;
use context::Context;
use exit::Exit;
use output::Failure;
use std::process::ExitCode;
use trace::Trace;

/// Runs the command that the process's arguments name and returns its exit code.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let context = Context::new(arguments.global);
    let trace = match arguments.command.trace_file().map(Trace::create).transpose() {
        Ok(trace) => trace,
        Err(error) => return output::finish(&context, Err(error.into())),
    };
    logging::install(&context, arguments.command.log_level(), trace.as_ref());
    let result = commands::run(arguments.command, &context);
    drop(trace);
    output::finish(&context, result)
}

/// Prints what is wrong with the arguments, or the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let no_arguments = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if no_arguments || !error.use_stderr() {
        // Nothing is left to do when the help cannot be printed.
        let _ = error.print();
        return if no_arguments { Exit::Usage } else { Exit::Ok }.into();
    }
    // Without arguments that parse, only their text can tell whether a script is listening.
    let json = std::env::args_os().any(|argument| argument == "--json");
    output::finish(&Context::new(Global { json, ..Global::default() }), Err(usage_failure(&error.to_string())))
}

/// Takes the sentence and the tip from clap's text: `error: …`, paragraphs of `tip: …`, `Usage: …`.
fn usage_failure(text: &str) -> Failure {
    let mut paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let tip = paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned));
    let failure = Failure::usage(message.trim_start_matches("error: "));
    failure.with_hint(tip.unwrap_or_else(|| "see `gamevault --help`, or that of the command".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_keep_their_tip() {
        let error = Arguments::try_parse_from(["gamevault", "snapshto"]).unwrap_err();
        let failure = format!("{:?}", usage_failure(&error.to_string()));
        assert!(failure.contains("unrecognized subcommand 'snapshto'") && failure.contains("'snapshot'"), "{failure}");
        let error = Arguments::try_parse_from(["gamevault", "restore", "1"]).unwrap_err();
        let failure = format!("{:?}", usage_failure(&error.to_string()));
        assert!(failure.contains("not provided: <DEST>") && failure.contains("--help"), "{failure}");
    }
}
