//! What needs Windows: WinFsp's library, its callbacks, the mount point, and word from other processes.
//!
//! `callbacks` turns WinFsp's pointers into calls on the volume, by the structures in `abi` and the functions in `library`.

mod abi;
mod callbacks;
#[cfg(test)]
mod dispatched;
mod event;
mod library;
mod mounted;
pub(in crate::mount) mod nice;
mod security;
mod system;

pub use mounted::{Mounted, Stopper};
pub(in crate::mount) use mounted::{activity, check, mount, unmount};
