//! Which mounts of the vault are running, so that other processes find them.
//!
//! Each mount keeps a small file in `run/` and its lock. A record that nobody locks is that of a dead process.

use super::Vault;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const DIR: &str = "run";

/// What is known of a running mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountRecord {
    /// The process that serves it.
    pub pid: u32,
    /// The mount point.
    pub path: PathBuf,
    /// When it was mounted.
    pub since: Timestamp,
    /// Whether the kernel reads large files by itself.
    #[serde(default)]
    pub passthrough: Passthrough,
}

/// Whether the kernel reads large files of builds by itself, from hot copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passthrough {
    /// It was not asked to.
    #[default]
    Off,
    /// It does, once their copies are ready.
    On,
    /// It was asked to, and does not, for this reason.
    Refused(String),
}

impl Vault {
    /// Returns the running mounts; records of dead processes are removed on the way.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn mounts(&self) -> Result<Vec<MountRecord>> {
        let mut mounts = Vec::new();
        for (name, len) in self.disk.list(Path::new(DIR))? {
            if len.is_none() || !name.ends_with(".json") {
                continue;
            }
            let path = Path::new(DIR).join(name);
            let is_own = self.mounts.lock().iter().any(|(own, _)| *own == path);
            // Another process may remove its record at any time.
            let Ok(file) = self.disk.open_writable(&path) else { continue };
            if !is_own && file.try_lock(true)? {
                let _ = self.disk.remove(&path);
                continue;
            }
            let mut bytes = vec![0; file.len()?.min(64 << 10) as usize];
            file.read_exact_at(&mut bytes, 0)?;
            if let Ok(record) = serde_json::from_slice(&bytes) {
                mounts.push(record);
            }
        }
        Ok(mounts)
    }

    /// Makes a mount of this process known until [`Vault::forget_mount`] or the end of the process.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn record_mount(&self, mount: &MountRecord) -> Result<()> {
        let mount_hash = blake3::hash(mount.path.as_os_str().as_encoded_bytes()).to_hex();
        let path = Path::new(DIR).join(format!("mount-{}-{}.json", mount.pid, &mount_hash[..8]));
        self.disk.create_dir(Path::new(DIR))?;
        let bytes = serde_json::to_vec(mount).map_err(|error| {
            Error::invalid(format!("the mount point {} cannot be recorded: {error}", mount.path.display()))
        })?;
        // Locked before it has its name: a record that nobody locks is taken for that of a dead process.
        let unnamed = path.with_extension("new");
        let _ = self.disk.remove(&unnamed);
        let file = self.disk.create(&unnamed)?;
        if !file.try_lock(true)? {
            return Err(Error::new(ErrorKind::Busy, format!("{} is locked", self.disk.absolute(&unnamed).display())));
        }
        file.write_all_at(&bytes, 0)?;
        self.disk.rename(&unnamed, &path)?;
        self.mounts.lock().push((path, file));
        Ok(())
    }

    /// Makes the mounts of process `pid` unknown again.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn forget_mount(&self, pid: u32) -> Result<()> {
        let prefix = format!("mount-{pid}-");
        self.mounts.lock().retain(|(path, _)| !path.to_string_lossy().contains(&prefix));
        for (name, _) in self.disk.list(Path::new(DIR))? {
            if name.starts_with(&prefix) {
                self.disk.remove(&Path::new(DIR).join(name))?;
            }
        }
        Ok(())
    }
}
