//! Threads whose work may wait.

/// Lets others go first: 19 leaves the core to everybody else. On Linux this is of the calling thread alone.
pub(in crate::mount) fn be_nice(niceness: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::debug!(%error, "the priority of a thread was not lowered");
    }
}
