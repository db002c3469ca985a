//! What the mount knows and does on macOS alone: `library` opens macFUSE or FUSE-T, `options` says how they are to mount,
//! `greeting` talks to the kernel first, `session` does both; `mounts` reads the system's list, by `list`, and unmounts, by
//! `unmounting`; `processes` knows who asks, `names` which names are the same, `values` the numbers of the system, `nice` gives
//! way, `bell` wakes a thread. All calls of the system that have no safe form are in `calls`.
//!
//! The system tells of no process how it ended, whose files are open, or what was read by whom; `absent` has these things as
//! types without values. What does not call the system is compiled on other systems, too, where it is tested.

#[cfg(target_os = "macos")]
mod absent;
#[cfg(target_os = "macos")]
pub(super) mod bell;
#[cfg(target_os = "macos")]
mod calls;
#[cfg(target_os = "macos")]
pub(super) mod check;
mod greeting;
#[cfg(target_os = "macos")]
mod library;
mod list;
#[cfg(target_os = "macos")]
pub(super) mod mounts;
#[cfg(target_os = "macos")]
pub(super) mod names;
#[cfg(target_os = "macos")]
pub(super) mod nice;
mod options;
#[cfg(target_os = "macos")]
pub(super) mod passthrough;
#[cfg(target_os = "macos")]
pub(super) mod processes;
#[cfg(target_os = "macos")]
pub(super) mod session;
mod unmounting;
#[cfg(target_os = "macos")]
pub(super) mod values;

#[cfg(target_os = "macos")]
pub(super) use absent::{news, opens, report, warm};
