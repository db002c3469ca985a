//! Threads whose work may wait.

use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_LOWEST};

/// Lets others go first: the calling thread gets the lowest priority of those that still run, however low it is to be.
pub(in crate::mount) fn be_nice(_niceness: i32) {
    // SAFETY: the handle stands for this thread, and need not be closed.
    if unsafe { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_LOWEST) } == 0 {
        tracing::debug!(error = %std::io::Error::last_os_error(), "the priority of a thread was not lowered");
    }
}
