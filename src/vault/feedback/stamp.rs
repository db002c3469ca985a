//! Stamps: a small file that is packaged with a build, by which everything that its players send leads back to it.

use super::marks::STAMP_FILE;
use crate::disk::{Disk, LocalDisk};
use crate::error::{Error, ErrorKind, Result};
use crate::vault::Vault;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The version of what a stamp's file says.
const SCHEMA: u32 = 1;

/// A stamp that was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stamped {
    /// The file.
    pub path: PathBuf,
    /// The stamp: a ULID.
    pub stamp: String,
}

impl Vault {
    /// Writes a new stamp to `gamevault.json` in the folder `dir`, in the place of an earlier one. The build that is made of the
    /// folder, or of what is packaged from it with this file, is known by it.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder; `Denied`, `NoSpace` or `Io` from the system.
    pub fn stamp(&self, dir: &Path, version: Option<&str>) -> Result<Stamped> {
        if !dir.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no folder {}", dir.display())));
        }
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        let stamp = self.new_play_id()?.to_string();
        let mut said = json!({ "schema": SCHEMA, "vault": self.id(), "stamp": stamp });
        if let Some(version) = version {
            said["version"] = version.into();
        }
        let mut bytes = serde_json::to_vec_pretty(&said).expect("its keys are strings");
        bytes.push(b'\n');
        LocalDisk::new(&dir).replace(Path::new(STAMP_FILE), &bytes)?;
        Ok(Stamped { path: dir.join(STAMP_FILE), stamp })
    }
}
