//! Front ends that show a vault's [`Tree`](crate::tree::Tree) as a file system of the host.
//!
//! On Linux it is FUSE, spoken by the crate `fuser`: `fuse` answers the kernel's requests in a few lines each, `errno` is
//! the one table from [`ErrorKind`](crate::error::ErrorKind), `linux` mounts and ends, `stale` finds and removes mounts,
//! also those of a killed process, `watch` tells the kernel of changes that it did not ask for, `processes` knows who writes
//! and how they end, `opens` and `holders` which files they have open. Systems without a front end yet get `Unsupported`.

use crate::error::Result;
use crate::vault::Vault;
use std::path::Path;
use std::sync::Arc;

#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod errno;
#[cfg(target_os = "linux")]
mod fuse;
#[cfg(target_os = "linux")]
mod holders;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod none;
#[cfg(target_os = "linux")]
mod opens;
#[cfg(target_os = "linux")]
mod pidfd;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod stale;
#[cfg(target_os = "linux")]
mod translate;
#[cfg(target_os = "linux")]
mod watch;

#[cfg(target_os = "linux")]
pub use linux::{Mounted, Stopper};
#[cfg(not(target_os = "linux"))]
pub use none::{Mounted, Stopper};

/// How a vault is mounted.
#[derive(Debug, Clone, Default)]
pub struct MountOptions {
    /// Whether extended attributes are shown; without, the kernel is told once never to ask, which makes `ls -l` of
    /// 20,000 files ten times faster.
    pub xattr: bool,
    /// Threads that answer requests; 0 takes the default.
    pub threads: usize,
    /// Whether other users of the system may enter.
    pub allow_other: bool,
    /// Whether the kernel asks at every open: a file of a build that is opened to write is refused at once, and opening any
    /// file takes a request. Without, the first write is refused.
    pub ask_opens: bool,
}

/// One thing that mounting needs, and whether it is there.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// A short stable name.
    pub name: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found, in a sentence.
    pub sentence: String,
    /// What to do about it when it is not.
    pub hint: Option<String>,
}

/// Mounts `vault` on the directory `dir`, which is made when it is missing; returns when the mount answers.
///
/// A mount that a killed process left on `dir` is replaced.
///
/// # Errors
/// `Busy` if a vault is mounted there; `Invalid` if the directory is not empty; `Denied` or `NotFound` when the system
/// cannot mount, with a hint; `Unsupported` on a system without a front end.
pub fn mount(vault: Arc<Vault>, dir: &Path, options: &MountOptions) -> Result<Mounted> {
    #[cfg(target_os = "linux")]
    return linux::mount(vault, dir, options);
    #[cfg(not(target_os = "linux"))]
    return none::mount(vault, dir, options);
}

/// Unmounts the vault on `dir`, whoever mounted it; a mount that is in use ends when the last user lets go.
///
/// A mount that a killed process left is removed too.
///
/// # Errors
/// `NotFound` if no vault is mounted there; `Denied` if the mount is another user's.
pub fn unmount(dir: &Path) -> Result<()> {
    #[cfg(target_os = "linux")]
    return stale::unmount(dir);
    #[cfg(not(target_os = "linux"))]
    return none::unmount(dir);
}

/// Returns what mounting needs on this system, each with what was found.
pub fn check() -> Vec<Check> {
    #[cfg(target_os = "linux")]
    return check::check();
    #[cfg(not(target_os = "linux"))]
    return none::check();
}
