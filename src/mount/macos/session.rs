//! Opening a mount on macOS, and how it is asked to end.

use super::super::MountOptions;
use super::super::fuse::Fuse;
use super::options::Wanted;
use super::{calls, greeting, library, mounts};
use crate::error::{Error, Result};
use crate::vault::Vault;
use fuser::{Config, Session, SessionACL};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Ends a session.
pub(in crate::mount) struct Unmounter(PathBuf);

impl Unmounter {
    /// Unmounts, also when the mount is in use: Finder alone keeps most volumes busy.
    ///
    /// # Errors
    /// Those of the system.
    pub(in crate::mount) fn unmount(&mut self) -> std::io::Result<()> {
        mounts::detach(&self.0).map_err(std::io::Error::other)
    }
}

/// Mounts `fuse` on `path`.
///
/// # Errors
/// As [`super::super::mount`].
pub(in crate::mount) fn open(
    fuse: Fuse,
    vault: &Vault,
    path: &Path,
    options: &MountOptions,
) -> Result<(Session<Fuse>, Unmounter)> {
    let allow_other = options.allow_other;
    let kernel = library::mount(path, &Wanted { vault: vault.dir(), allow_other })?;
    let mut config = Config::default();
    config.acl = if allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(threads(options));
    let acl = config.acl;
    let session = greeting::greet(
        &kernel,
        |descriptor| Session::from_fd(fuse, descriptor, acl, config),
        |session, kernel| calls::lead(session.as_fd(), kernel),
    );
    let session = session.map_err(|error| {
        // Half a mount would hang whoever looks at it.
        mounts::detach(path).ok();
        Error::io("mount on", path, error).with_hint(super::options::ALLOW_HINT)
    })?;
    Ok((session, Unmounter(path.to_owned())))
}

/// Returns how many threads take requests from the kernel: `fuser` has one outside Linux. Others work for it.
pub(in crate::mount) fn threads(_options: &MountOptions) -> usize {
    1
}
