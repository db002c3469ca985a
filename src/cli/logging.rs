//! Where the library's log goes: standard error, which a mount in the background has as a file.

use super::context::Context;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Prints the log from `level` on, or as `$GAMEVAULT_LOG` says (`debug`, `gamevault::store=trace`).
pub fn install(context: &Context, level: LevelFilter) {
    let filter = match context.variable("GAMEVAULT_LOG").map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            context.warn(format!("GAMEVAULT_LOG is ignored: {error}"));
            by_default(level)
        }
        None => by_default(level),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

fn by_default(level: LevelFilter) -> EnvFilter {
    // `fuser` warns that it could not unmount when somebody else has unmounted.
    EnvFilter::new(format!("{level},fuser=error"))
}
