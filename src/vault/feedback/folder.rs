//! The folder in which an import is put together before it is stored, and what is written to its files.
//!
//! ```text
//! imports/<id>/lock   held by the process that imports; without a holder the rest is a killed import's, and is removed
//! imports/<id>/tree/  what becomes the batch
//! ```

use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::name::RefName;
use crate::vault::Vault;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const IMPORTS: &str = "imports";
const LOCK: &str = "lock";
const TREE: &str = "tree";

/// What is gathered before it is written.
const BUFFER_LEN: usize = 256 << 10;

/// A folder for one import, removed when it is dropped.
pub(super) struct ImportFolder {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    _lock: Arc<dyn DiskFile>,
}

impl ImportFolder {
    /// Makes one, and removes those that killed imports left.
    pub(super) fn new(vault: &Vault, id: &RefName) -> Result<ImportFolder> {
        let disk = vault.disk.clone();
        disk.create_dir(Path::new(IMPORTS))?;
        for (name, _) in disk.list(Path::new(IMPORTS))? {
            let folder = Path::new(IMPORTS).join(name);
            // Somebody is just making or removing it, or works in it.
            let Ok(lock) = disk.open_writable(&folder.join(LOCK)) else { continue };
            if lock.try_lock(true)? {
                drop(lock);
                disk.remove_dir_all(&folder)?;
            }
        }
        let folder = Path::new(IMPORTS).join(id.as_str());
        disk.create_dir(&folder.join(TREE))?;
        let lock = disk.create(&folder.join(LOCK))?;
        if !lock.try_lock(true)? {
            return Err(Error::new(ErrorKind::Busy, format!("another process took the new import {id}")));
        }
        Ok(ImportFolder { disk, folder, _lock: lock })
    }

    /// Returns the path of what becomes the batch, absolute.
    pub(super) fn tree(&self) -> PathBuf {
        self.disk.absolute(&self.folder.join(TREE))
    }

    /// Makes the file `path` of the batch, with the folders above it.
    pub(super) fn create(&self, path: &str) -> Result<FileWriter> {
        let path = self.folder.join(TREE).join(path);
        if let Some(above) = path.parent() {
            self.disk.create_dir(above)?;
        }
        Ok(FileWriter { file: self.disk.create(&path)?, at: 0, buffer: Vec::with_capacity(2 * BUFFER_LEN) })
    }
}

impl Drop for ImportFolder {
    fn drop(&mut self) {
        if let Err(error) = self.disk.remove_dir_all(&self.folder) {
            tracing::warn!(%error, "the folder of an import stays until the next one");
        }
    }
}

/// Writes a file from its begin to its end.
pub(super) struct FileWriter {
    file: Arc<dyn DiskFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl FileWriter {
    /// Adds `bytes` at the end.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() < BUFFER_LEN { Ok(()) } else { self.flush() }
    }

    /// Writes what is gathered.
    ///
    /// # Errors
    /// As `append`.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
