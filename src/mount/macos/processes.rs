//! The processes that use the mount: their names. How one ends that is no child, macOS does not tell.

use super::calls;
use crate::tree::{Caller, Ending};
use std::os::fd::BorrowedFd;

/// The processes that have written.
pub(in crate::mount) struct Processes;

impl Processes {
    pub(in crate::mount) fn new() -> Processes {
        Processes
    }

    /// Tells whether the system says how a process ended that is no child.
    pub(in crate::mount) fn ends_are_told(&self) -> bool {
        false
    }

    /// Returns who makes a request as `process`.
    pub(in crate::mount) fn caller(&self, process: u32) -> Caller {
        match calls::process_name(process) {
            Some(name) => Caller::new(process, &name, false),
            None => Caller::UNKNOWN,
        }
    }

    /// Returns who is being killed while it makes a request: nobody can tell.
    pub(in crate::mount) fn killed(&self, _process: u32) -> Option<Caller> {
        None
    }

    /// Returns what can be read from when a process has ended.
    pub(in crate::mount) fn ends(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Returns which of the processes have ended since the last call, and how.
    pub(in crate::mount) fn ended(&self) -> Vec<(u32, Ending)> {
        Vec::new()
    }
}

/// Returns the names of the process and of its program's file, as far as they may be seen.
pub(in crate::mount) fn names(process: u32) -> Vec<String> {
    let path = calls::program_path(process);
    let file = path.and_then(|path| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec));
    let names = [file, calls::process_name(process)].into_iter().flatten();
    names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
}

/// Returns the words of a command line, which macOS tells to root alone.
pub(in crate::mount) fn command_line(_process: u32) -> String {
    String::new()
}
