//! Front ends that show a vault's [`Tree`](crate::tree::Tree) as a file system of the host.
//!
//! On Linux and macOS it is FUSE, spoken by the crate `fuser`: `fuse` answers the kernel's requests in a few lines each,
//! `errno` is the one table from [`ErrorKind`](crate::error::ErrorKind), `mounted` mounts and ends, `stale` finds and removes
//! mounts, also those of a killed process, `serve` runs requests so that none stops the others, with `helpers` and
//! `deadline`, `meter` and `crawlers` count what it does, `watch` tells the kernel of changes that it did not ask for, `idle`
//! optimizes the vault while nobody is there, `collect` imports feedback that is dropped in.
//!
//! What differs between the two stands in `linux` and `macos`, which offer the same under the name of `system`; where a
//! system lacks a thing, it has a type without values.
//!
//! On Windows it is WinFsp, all in `winfsp`; `names` is for systems where case does not count. Systems without a front end
//! get `Unsupported`.

use crate::error::Result;
use crate::vault::{MountRecord, Vault};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

mod activity;
#[cfg(any(target_os = "linux", target_os = "macos", windows))]
mod collect;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod crawlers;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod deadline;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod errno;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod folded;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod fuse;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod helpers;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod idle;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod macos;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod memory;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod meter;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod mounted;
#[cfg(any(windows, test))]
mod names;
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod none;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod ops;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod scrub;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod serve;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod stale;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod translate;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod watch;
#[cfg(any(windows, test))]
mod winfsp;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;
#[cfg(windows)]
use winfsp as system;

pub use activity::{Activity, CrawlerActivity, OpActivity, Rates, WarmUpActivity};
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub use mounted::{Mounted, Stopper};
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub use none::{Mounted, Stopper};
#[cfg(windows)]
pub use winfsp::{Mounted, Stopper};

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
    /// How long a request may take before it is refused with an I/O error; zero takes the default.
    pub deadline: Duration,
    /// Whether the kernel asks at every open: a file of a build that is opened to write is refused at once, and opening any
    /// file takes a request. Without, the first write is refused.
    pub ask_opens: bool,
    /// Whether older builds are made smaller while nobody uses the mount, if the vault's config says so.
    pub optimizes: bool,
    /// Whether what programs read first is recorded and read ahead of them the next time, if the vault's config says so.
    pub warms_up: bool,
    /// Whether the kernel is to read large files of builds by itself, from whole copies that the vault keeps of those that
    /// are used. It does so for root alone, from Linux 6.9 on; elsewhere the mount goes on without.
    /// The kernel then asks at every open, as with `ask_opens`.
    pub passthrough: bool,
    /// Windows: whether the mount is a drive of the network, of which the Explorer reads no thumbnails.
    pub network_drive: bool,
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

/// Mounts `vault` on the directory `dir`, which is made when it is missing; returns when the mount answers. On Windows `dir` may
/// be a drive letter with its colon.
///
/// A mount that a killed process left on `dir` is replaced.
///
/// # Errors
/// `Busy` if a vault is mounted there; `Invalid` if the directory is not empty; `Denied` or `NotFound` when the system
/// cannot mount, with a hint; `Unsupported` on a system without a front end, and on Windows without WinFsp.
pub fn mount(vault: Arc<Vault>, dir: &Path, options: &MountOptions) -> Result<Mounted> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    return mounted::mount(vault, dir, options);
    #[cfg(windows)]
    return winfsp::mount(vault, dir, options);
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    return none::mount(vault, dir, options);
}

/// Asks a running mount, of any process, what it does; `None` when it does not tell, as one of another user.
///
/// # Errors
/// `Io` if it does not answer.
pub fn activity(mount: &MountRecord) -> Result<Option<Activity>> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    return system::report::ask(mount);
    #[cfg(windows)]
    return winfsp::activity(mount);
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    return none::activity(mount);
}

/// Unmounts the vault on `dir`, whoever mounted it; a mount that is in use ends when the last user lets go.
///
/// A mount that a killed process left is removed too.
///
/// # Errors
/// `NotFound` if no vault is mounted there; `Denied` if the mount is another user's.
pub fn unmount(dir: &Path) -> Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    return stale::unmount(dir);
    #[cfg(windows)]
    return winfsp::unmount(dir);
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    return none::unmount(dir);
}

/// Returns what mounting needs on this system, each with what was found.
pub fn check() -> Vec<Check> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    return system::check::check();
    #[cfg(windows)]
    return winfsp::check();
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    return none::check();
}
