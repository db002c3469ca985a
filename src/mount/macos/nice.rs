//! Threads whose work may wait.

/// Lets others go first: the calling thread goes to the background, however low its priority is to be.
pub(in crate::mount) fn be_nice(_niceness: i32) {
    if let Err(error) = super::calls::go_to_background() {
        tracing::debug!(%error, "the priority of a thread was not lowered");
    }
}
