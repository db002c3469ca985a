//! Finding out what is mounted on a directory, and unmounting it, also when the process that mounted is gone.
//!
//! A killed process leaves a mount on which every access fails with ENOTCONN, even finding the mount point's own path; so
//! mount points are compared by the path of the directory above and their name.

use super::system::mounts;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The name of our mounts in the system's list.
pub(super) const SOURCE: &str = "gamevault";

/// What is on a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No mount.
    Nothing,
    /// A vault, with a process that answers.
    Live,
    /// A vault, whose process is gone.
    Stale,
    /// Some other file system.
    Foreign,
}

/// Returns the absolute path of `dir`, without asking the file system that is mounted on it.
///
/// # Errors
/// `NotFound` if the directory above does not exist.
pub(super) fn mount_point(dir: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(above), Some(name)) => {
            Ok(above.canonicalize().map_err(|error| Error::io("find", above, error))?.join(name))
        }
        // The root, or a path that ends in `..`.
        _ => absolute.canonicalize().map_err(|error| Error::io("find", dir, error)),
    }
}

/// Returns what is mounted on `path`, as [`mount_point`] gives it.
pub(super) fn find(path: &Path) -> Found {
    match mounts::topmost(path) {
        None => Found::Nothing,
        Some(false) => Found::Foreign,
        Some(true) if mounts::answers(path) => Found::Live,
        Some(true) => Found::Stale,
    }
}

/// Tells whether a vault is mounted on `path`, as [`mount_point`] gives it, without asking the mount.
pub(super) fn is_mounted(path: &Path) -> bool {
    mounts::topmost(path) == Some(true)
}

/// Unmounts the vault on `dir`.
pub(super) fn unmount(dir: &Path) -> Result<()> {
    let path = mount_point(dir)?;
    // A symlink leads to the mount point; the mount point itself must not be asked.
    let path = match find(&path) {
        Found::Nothing => path.canonicalize().map_err(|error| Error::io("find", dir, error))?,
        _ => path,
    };
    match find(&path) {
        Found::Live | Found::Stale => mounts::detach(&path),
        Found::Nothing | Found::Foreign => Err(Error::not_found(format!("no vault is mounted on {}", dir.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn unmounting_nothing_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unmount(dir.path()).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(unmount(&dir.path().join("missing")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
