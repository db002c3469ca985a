//! The front end for Windows: WinFsp.
//!
//! `volume`, `handle`, `data`, `change` and `listing` answer what WinFsp asks, by path and by what is open; `node` holds nodes
//! and follows links, `folders` knows names in any case, `status` is the one table from
//! [`ErrorKind`](crate::error::ErrorKind), `info` and `path` are in the units of Windows, `notice` says what Windows is told of
//! changes. None of these calls the system, so they are compiled and tested everywhere; what does is in `windows`.

#[cfg(test)]
mod asked;
mod change;
mod data;
mod folders;
mod handle;
mod info;
mod listing;
mod node;
mod notice;
mod path;
mod status;
mod volume;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub use windows::{Mounted, Stopper};
#[cfg(windows)]
pub(super) use windows::{activity, check, mount, nice, unmount};
