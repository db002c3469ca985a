//! `gamevault feedback report`: all that is asked of feedback, on one page.

use super::Outcome;
use crate::cli::commands::diff::write_page;
use crate::cli::context::Context;
use clap::Args;
use gamevault::report::players::questions_page;
use serde_json::json;
use std::path::PathBuf;

/// Write a page on all that players say.
///
/// How often builds and platforms crash, which crashes are new and gone, how tags go from build to build, where players die and quit,
/// which builds nobody played. It needs no network.
#[derive(Debug, Args)]
pub struct Report {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    html: PathBuf,

    /// Show how this tag goes from build to build; may be given again. The six most frequent ones if none is given.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Runs the command.
pub fn run(arguments: &Report, context: &Context) -> Outcome {
    let vault = context.open_vault()?;
    let title = match vault.dir().file_name() {
        Some(name) => format!("What players say: {}", name.to_string_lossy()),
        None => "What players say".to_owned(),
    };
    let tags: Vec<String> = arguments.tag.iter().map(|tag| tag.to_lowercase()).collect();
    let questions = vault.feedback_overview(&title, &tags)?;
    write_page(&arguments.html, &questions_page(&questions))?;
    Ok(context.answer(&json!({ "html": arguments.html, "records": questions.records }), || {
        format!("written to {}\n", arguments.html.display())
    }))
}
