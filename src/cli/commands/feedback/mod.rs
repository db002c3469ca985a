//! `gamevault feedback`: what came back from players.

mod forget;
mod import;
mod list;
mod questions;
mod relink;
mod report;
mod show;
mod suspect;

use super::Outcome;
use crate::cli::context::Context;
use clap::Subcommand;

/// Keep what players say, and find the build that they speak of.
#[derive(Debug, Subcommand)]
pub enum Feedback {
    Import(import::Import),
    List(list::List),
    Search(list::Search),
    Show(show::Show),
    Crashes(questions::Crashes),
    Signatures(questions::Signatures),
    Trend(questions::Trend),
    Where(questions::Where),
    Unplayed(questions::Unplayed),
    Suspect(suspect::Suspect),
    Fixed(suspect::Fixed),
    Report(report::Report),
    Relink(relink::Relink),
    Forget(forget::Forget),
}

/// Runs the command.
pub fn run(arguments: &Feedback, context: &Context) -> Outcome {
    match arguments {
        Feedback::Import(arguments) => import::run(arguments, context),
        Feedback::List(arguments) => list::list(arguments, context),
        Feedback::Search(arguments) => list::search(arguments, context),
        Feedback::Show(arguments) => show::run(arguments, context),
        Feedback::Crashes(arguments) => questions::crashes(arguments, context),
        Feedback::Signatures(arguments) => questions::signatures(arguments, context),
        Feedback::Trend(arguments) => questions::trend(arguments, context),
        Feedback::Where(arguments) => questions::ended(arguments, context),
        Feedback::Unplayed(arguments) => questions::unplayed(arguments, context),
        Feedback::Suspect(arguments) => suspect::suspect(arguments, context),
        Feedback::Fixed(arguments) => suspect::fixed(arguments, context),
        Feedback::Report(arguments) => report::run(arguments, context),
        Feedback::Relink(arguments) => relink::run(arguments, context),
        Feedback::Forget(arguments) => forget::run(arguments, context),
    }
}
