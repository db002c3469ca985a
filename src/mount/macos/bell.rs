//! Wakes a thread that waits for files.

use std::io::{Read, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// What can be rung from any thread, and read from until it is silenced.
pub(in crate::mount) struct Bell {
    rope: UnixStream,
    clapper: UnixStream,
}

impl Bell {
    pub(in crate::mount) fn new() -> Result<Bell> {
        let (rope, clapper) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        clapper.set_nonblocking(true)?;
        Ok(Bell { rope, clapper })
    }

    pub(in crate::mount) fn ring(&self) {
        // It fails only when it was rung so often that it cannot be missed.
        (&self.rope).write(&[1]).ok();
    }

    pub(in crate::mount) fn silence(&self) {
        while (&self.clapper).read(&mut [0; 64]).is_ok_and(|len| len > 0) {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.clapper.as_fd()
    }
}
