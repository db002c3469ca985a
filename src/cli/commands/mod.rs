//! The commands, one a file: its arguments, and what it does with them.

pub mod abort;
pub mod builds;
pub mod commit;
pub mod completions;
pub mod deploy;
pub mod diff;
pub mod doctor;
pub mod engine;
pub mod feedback;
pub mod find;
pub mod forget;
pub mod gc;
pub mod history;
pub mod init;
pub mod man;
pub mod milestone;
pub mod mount;
pub mod optimize;
pub mod platform;
pub mod play;
pub mod repair;
pub mod report;
pub mod restore;
pub mod resume;
pub mod session;
pub mod show;
pub mod snapshot;
pub mod stamp;
pub mod stats;
pub mod status;
pub mod unmount;
pub mod verify;
pub mod workspace;

use super::arguments::Command;
use super::context::Context;
use super::output::{Answer, Failure};

/// What every command returns.
pub type Outcome = Result<Answer, Failure>;

/// Runs one command.
pub fn run(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Mount(arguments) => mount::run(&arguments, context),
        Command::Unmount(arguments) => unmount::run(&arguments, context),
        Command::Snapshot(arguments) => snapshot::run(arguments, context),
        Command::Builds(arguments) => builds::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Restore(arguments) => restore::run(arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        Command::History(arguments) => history::run(&arguments, context),
        Command::Find(arguments) => find::run(&arguments, context),
        Command::Milestone(arguments) => milestone::run(arguments, context),
        Command::Commit(arguments) => commit::run(&arguments, context),
        Command::Abort(arguments) => abort::run(&arguments, context),
        Command::Status(arguments) => status::run(&arguments, context),
        Command::Play(arguments) => play::run(&arguments, context),
        Command::Session(arguments) => session::run(&arguments, context),
        Command::Feedback(arguments) => feedback::run(&arguments, context),
        Command::Stamp(arguments) => stamp::stamp(&arguments, context),
        Command::Fingerprint(arguments) => stamp::fingerprint(&arguments, context),
        Command::Deploy(arguments) => deploy::run(arguments, context),
        Command::Resume(arguments) => resume::run(&arguments, context),
        Command::Workspace(arguments) => workspace::run(arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
        Command::Stats(arguments) => stats::run(&arguments, context),
        Command::Report(arguments) => report::run(&arguments, context),
        Command::Platform(arguments) => platform::run(&arguments, context),
        Command::Gc(arguments) => gc::run(&arguments, context),
        Command::Optimize(arguments) => optimize::run(&arguments, context),
        Command::Repair(arguments) => repair::run(&arguments, context),
        Command::Engine(arguments) => engine::run(&arguments, context),
        Command::Forget(arguments) => forget::run(arguments, context),
        Command::Doctor(arguments) => doctor::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Man(arguments) => man::run(&arguments, context),
    }
}
