//! Wakes a thread that waits for files.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};

/// What can be rung from any thread, and read from until it is silenced.
pub(in crate::mount) struct Bell(EventFd);

impl Bell {
    pub(in crate::mount) fn new() -> std::io::Result<Bell> {
        Ok(Bell(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
    }

    pub(in crate::mount) fn ring(&self) {
        // It fails only when it was rung so often that it cannot be missed.
        self.0.write(1).ok();
    }

    pub(in crate::mount) fn silence(&self) {
        self.0.read().ok();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
