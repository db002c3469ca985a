//! Opening a mount on Linux, and how it is asked to end.

use super::super::MountOptions;
use super::super::fuse::Fuse;
use super::super::stale::SOURCE;
use crate::error::{Error, Result};
use crate::vault::Vault;
use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};
use std::path::Path;

/// The most threads that answer requests by default. Two answer metadata fastest on two cores; a third and fourth keep
/// the mount alive while others wait for the disk.
const MAX_DEFAULT_THREADS: usize = 4;

/// Ends a session.
pub(in crate::mount) struct Unmounter(SessionUnmounter);

impl Unmounter {
    /// Unmounts.
    ///
    /// # Errors
    /// `EBUSY` while the mount is in use. It is spent after a failure.
    pub(in crate::mount) fn unmount(&mut self) -> std::io::Result<()> {
        self.0.unmount()
    }
}

/// Mounts `fuse` on `path`.
///
/// # Errors
/// As [`super::super::mount`].
pub(in crate::mount) fn open(
    fuse: Fuse,
    _vault: &Vault,
    path: &Path,
    options: &MountOptions,
) -> Result<(Session<Fuse>, Unmounter)> {
    let session = Session::new(fuse, path, &config(options));
    let mut session = session.map_err(|error| explain(path, error))?;
    let unmounter = Unmounter(session.unmount_callable());
    Ok((session, unmounter))
}

/// Returns how many threads take requests from the kernel.
pub(in crate::mount) fn threads(options: &MountOptions) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let default = cores.clamp(2, MAX_DEFAULT_THREADS);
    if options.threads == 0 { default } else { options.threads }
}

fn config(options: &MountOptions) -> Config {
    let mut config = Config::default();
    let plain = [MountOption::FSName(SOURCE.into()), MountOption::Subtype(SOURCE.into())];
    config.mount_options.extend(plain);
    config.mount_options.extend([MountOption::NoSuid, MountOption::NoDev, MountOption::NoAtime]);
    if options.allow_other {
        // Others are held to the modes; the owner alone is not, since copies make directories that nobody may write to.
        config.mount_options.push(MountOption::DefaultPermissions);
        config.acl = SessionACL::All;
    }
    config.n_threads = Some(threads(options));
    config
}

fn explain(path: &Path, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "run `modprobe fuse`, and `gamevault doctor` to see what is missing",
        std::io::ErrorKind::PermissionDenied => "check that the directory is yours, and run `gamevault doctor`",
        _ => "run `gamevault doctor` to see what is missing",
    };
    Error::io("mount on", path, error).with_hint(hint)
}
