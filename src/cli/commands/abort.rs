//! `gamevault abort`: throws a session away.

use super::Outcome;
use crate::cli::context::Context;
use crate::cli::sessions::{self, Order};
use clap::Args;
use serde_json::json;

/// Throw away what was copied into a session of a running mount.
#[derive(Debug, Args)]
pub struct Abort {
    /// The session: its folder in `.snapshot`.
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs the command.
pub fn run(arguments: &Abort, context: &Context) -> Outcome {
    let session = sessions::give(&context.open_vault()?, &arguments.name, Order::Abort)?;
    Ok(context.done(&json!({ "aborted": session.name }), || format!("aborted the session {}\n", session.name)))
}
