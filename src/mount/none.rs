//! Systems without a front end yet: everything is refused with a sentence that says so.

use super::{Activity, Check, MountOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::vault::{MountRecord, Passthrough, Vault};
use std::path::Path;
use std::sync::Arc;

/// A mounted vault; there is none on this system.
#[derive(Debug)]
pub enum Mounted {}

/// Ends a mount from another thread; there is none on this system.
#[derive(Debug, Clone)]
pub enum Stopper {}

impl Mounted {
    /// Unmounts.
    ///
    /// # Errors
    /// None: there is no such value.
    pub fn unmount(self) -> Result<()> {
        match self {}
    }

    /// Returns what ends the mount.
    pub fn stopper(&self) -> Stopper {
        match *self {}
    }

    /// Returns whether the kernel reads large files by itself.
    pub fn passthrough(&self) -> &Passthrough {
        match *self {}
    }

    /// Waits for the end of the mount.
    ///
    /// # Errors
    /// None: there is no such value.
    pub fn wait(self) -> Result<()> {
        match self {}
    }

    /// Returns the directory on which the vault is mounted.
    pub fn path(&self) -> &Path {
        match *self {}
    }
}

impl Stopper {
    /// Unmounts.
    pub fn stop(&self) {
        match *self {}
    }
}

pub(super) fn mount(_vault: Arc<Vault>, _dir: &Path, _options: &MountOptions) -> Result<Mounted> {
    Err(unsupported())
}

pub(super) fn unmount(_dir: &Path) -> Result<()> {
    Err(unsupported())
}

pub(super) fn activity(_mount: &MountRecord) -> Result<Option<Activity>> {
    Ok(None)
}

pub(super) fn check() -> Vec<Check> {
    let error = unsupported();
    let hint = error.hint().map(String::from);
    vec![Check { name: "mount", ok: false, sentence: error.message().into(), hint }]
}

fn unsupported() -> Error {
    let hint = "use `gamevault snapshot` and `gamevault restore`, which need no mount";
    Error::new(ErrorKind::Unsupported, "mounting is not supported on this system yet").with_hint(hint)
}
