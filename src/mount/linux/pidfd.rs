//! A process that can be asked whether it has ended, and how, though it is nobody's child here.
//!
//! There is no safe call for it: `PIDFD_GET_INFO` is an ioctl. Since Linux 6.15 it tells how a process ended after its
//! parent has taken notice; see `include/uapi/linux/pidfd.h`.

use crate::tree::Ending;
use std::io::{Error, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process, which keeps its meaning when its number is given to another one.
pub(super) struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process with this number.
    pub(super) fn open(process: u32) -> Result<PidFd> {
        // SAFETY: the call takes numbers alone.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process as libc::pid_t, 0) };
        match i32::try_from(fd) {
            // SAFETY: the descriptor is new, and nobody else's.
            Ok(fd) if fd >= 0 => Ok(PidFd(unsafe { OwnedFd::from_raw_fd(fd) })),
            _ => Err(Error::last_os_error()),
        }
    }

    /// Returns how the process ended; `None` while it runs, or its parent has not heard of its end.
    pub(super) fn ending(&self) -> Option<Ending> {
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one structure is given, and told to be one.
        if unsafe { libc::poll(&raw mut poll, 1, 0) } <= 0 {
            return None;
        }
        // SAFETY: all of its fields are integers.
        let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
        info.mask = u64::from(libc::PIDFD_INFO_EXIT);
        // SAFETY: the kernel writes no more than the structure, whose size is part of the command.
        let told = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
        if told == 0 && info.mask & u64::from(libc::PIDFD_INFO_EXIT) != 0 {
            let status = info.exit_code;
            return Some(match libc::WIFEXITED(status) {
                true => Ending::Exited(libc::WEXITSTATUS(status) as u8),
                false => Ending::Killed,
            });
        }
        // From 6.15 on the end is told as soon as the parent has heard of it, which `POLLHUP` says; before, never.
        (poll.revents & libc::POLLHUP != 0 || told != 0).then_some(Ending::Unknown)
    }
}

impl AsFd for PidFd {
    /// It can be read from when the process ends, and once more when its parent has heard of that.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
