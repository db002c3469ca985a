//! A mount to work in: one that is running, or one that this process makes for itself in a temporary folder.

use gamevault::Vault;
use gamevault::error::{Error, Result};
use gamevault::manifest::Timestamp;
use gamevault::mount::{MountOptions, Mounted};
use gamevault::vault::{MountRecord, Passthrough};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// What the names of temporary mount points start with.
const PREFIX: &str = "gamevault-play-";

/// A mount of a vault.
pub struct Room {
    root: PathBuf,
    own: Option<(Mounted, TempDir)>,
}

impl Room {
    /// Finds a running mount of `vault`, or mounts it.
    ///
    /// # Errors
    /// As [`gamevault::mount::mount`].
    pub fn of(vault: &Arc<Vault>) -> Result<Room> {
        if let Some(mount) = vault.mounts()?.into_iter().find(|mount| mount.path.join("workspaces").is_dir()) {
            return Ok(Room { root: mount.path, own: None });
        }
        let above = std::env::temp_dir();
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&above);
        let dir = dir.map_err(|error| Error::io("make a folder to mount on in", &above, error))?;
        let mounted = gamevault::mount::mount(vault.clone(), dir.path(), &MountOptions::default())?;
        let root = mounted.path().to_owned();
        // Other commands find the workspaces here as long as they are this process's.
        vault.record_mount(&MountRecord {
            pid: std::process::id(),
            path: root.clone(),
            since: Timestamp::now(),
            passthrough: Passthrough::Off,
        })?;
        Ok(Room { root, own: Some((mounted, dir)) })
    }

    /// Returns the folder that shows the vault.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder that shows the vault when the mount is this process's own.
    pub fn own_mount(&self) -> Option<&Path> {
        self.own.as_ref().map(|_| self.root.as_path())
    }

    /// Ends the mount if it is this process's own.
    ///
    /// # Errors
    /// Those of unmounting.
    pub fn leave(self, vault: &Vault) -> Result<()> {
        let Some((mounted, dir)) = self.own else { return Ok(()) };
        vault.forget_mount(std::process::id())?;
        mounted.unmount()?;
        dir.close().map_err(|error| Error::io("remove", &self.root, error))
    }

    /// Removes what a killed process left of a mount of its own.
    pub fn clear_left_over(mount: &Path) {
        // It may be gone already, or be in use still.
        let _ = gamevault::mount::unmount(mount);
        let _ = std::fs::remove_dir(mount);
    }
}
