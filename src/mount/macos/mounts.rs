//! What is mounted where on macOS, and unmounting.

use super::unmounting::ways;
use super::{calls, list};
use crate::error::{Error, ErrorKind, Result};
use nix::mount::{MntFlags, unmount};
use std::path::Path;
use std::process::{Command, Stdio};

/// Tells whether the last mount on `path` is one of ours; `None` when there is none, or the list cannot be read.
pub(in crate::mount) fn topmost(path: &Path) -> Option<bool> {
    list::topmost(&calls::mounts().ok()?, path)
}

/// Tells whether the process still lives that answers for our mount on `path`.
pub(in crate::mount) fn answers(path: &Path) -> bool {
    // The kernel makes up attributes of a root that nobody answers for, but opens nothing.
    !matches!(
        std::fs::read_dir(path).map_err(|error| error.raw_os_error()),
        Err(Some(libc::ENXIO | libc::ENOTCONN | libc::EIO | libc::ETIMEDOUT))
    )
}

/// Unmounts what is on `path`, also when it is in use.
///
/// # Errors
/// `Denied` if the system refuses, with what it says.
pub(in crate::mount) fn detach(path: &Path) -> Result<()> {
    if unmount(path, MntFlags::empty()).is_ok() {
        return Ok(());
    }
    let mut reason = String::new();
    for way in ways(path) {
        let output = Command::new(way.program).args(&way.arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| Error::io("run", way.program, error))?;
        if output.status.success() {
            return Ok(());
        }
        reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    }
    Err(Error::new(ErrorKind::Denied, format!("cannot unmount {}: {reason}", path.display())))
}
