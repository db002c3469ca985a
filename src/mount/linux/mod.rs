//! What the mount knows and does on Linux alone: `session` opens it, `mounts` reads the system's list and unmounts, `check`
//! looks for what that needs; `processes` knows who writes and how they end, by `pidfd` and `/proc`; `opens` and `holders`
//! which files they have open; `passthrough` lets the kernel read large files by itself, `warm` reads ahead of programs,
//! `news` hears of changes of the catalogue, `bell` wakes a thread that waits for that, `report` tells others what the mount
//! does, `nice` gives way, `values` and `names` are the numbers and names of the system.

pub(super) mod bell;
pub(super) mod check;
mod holders;
pub(super) mod mounts;
pub(super) mod names;
pub(super) mod news;
pub(super) mod nice;
pub(super) mod opens;
pub(super) mod passthrough;
mod pidfd;
pub(super) mod processes;
pub(super) mod report;
pub(super) mod session;
pub(super) mod values;
pub(super) mod warm;
