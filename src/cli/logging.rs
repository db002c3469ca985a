//! Where the library's log goes: standard error, which a mount in the background has as a file.

use super::context::Context;
use super::trace::Trace;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::prelude::*;

/// Prints the log from `level` on, or as `$GAMEVAULT_LOG` says (`debug`, `gamevault::store=trace`); all spans of the library
/// go to `trace`.
pub fn install(context: &Context, level: LevelFilter, trace: Option<&Trace>) {
    let filter = match context.variable("GAMEVAULT_LOG").map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            context.warn(format!("GAMEVAULT_LOG is ignored: {error}"));
            by_default(level)
        }
        None => by_default(level),
    };
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let Some(trace) = trace else { return tracing_subscriber::registry().with(log).with(filter).init() };
    let is_span = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("gamevault"));
    let traced = trace.layer().with_filter(is_span.and(LevelFilter::DEBUG));
    tracing_subscriber::registry().with(log.with_filter(filter)).with(traced).init();
}

fn by_default(level: LevelFilter) -> EnvFilter {
    // `fuser` warns that it could not unmount when somebody else has unmounted.
    EnvFilter::new(format!("{level},fuser=error"))
}
