//! The log of small files: the bytes of files that came in one small write, one after the other in one file.
//!
//! A copy of a source folder is tens of thousands of small files. To make, close and remove a spool file for each of them
//! costs the disk more than their bytes do. A file that is written again leaves the log for a spool file of its own; its
//! bytes stay in the log until no file needs it any more.

use super::nodes::{Body, Bytes, Nodes};
use crate::disk::{Disk, DiskFile};
use crate::error::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a file that goes to the log.
pub(super) const MAX_SMALL_LEN: usize = 64 << 10;

/// The log of a session.
pub(super) struct SmallLog {
    path: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
    end: u64,
}

impl SmallLog {
    /// Names the log, which need not be there.
    pub(super) fn new(path: &Path) -> SmallLog {
        SmallLog { path: path.to_owned(), file: None, end: 0 }
    }

    /// Opens the log that a restart found, or removes it when none of `nodes` is in it.
    pub(super) fn find(&mut self, disk: &dyn Disk, nodes: &Nodes) -> Result<()> {
        let file = match disk.open_writable(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        if !is_needed(nodes) {
            return disk.remove(&self.path);
        }
        self.end = file.len()?;
        self.file = Some(file);
        Ok(())
    }

    /// Writes `bytes` at the end, and returns where they start.
    pub(super) fn append(&mut self, disk: &dyn Disk, bytes: &[u8]) -> Result<u64> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(disk.create(&self.path)?),
        };
        let start = self.end;
        // What a failure leaves is written over by the next append.
        file.write_all_at(bytes, start)?;
        self.end += bytes.len() as u64;
        Ok(start)
    }

    /// Returns the log's file, if anything was ever written to it.
    pub(super) fn file(&self) -> Option<Arc<dyn DiskFile>> {
        self.file.clone()
    }

    /// Frees the room of the log when none of `nodes` is in it.
    pub(super) fn clear_if_unused(&mut self, nodes: &Nodes) -> Result<()> {
        match &self.file {
            Some(file) if self.end > 0 && !is_needed(nodes) => {
                file.set_len(0)?;
                self.end = 0;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn is_needed(nodes: &Nodes) -> bool {
    nodes.iter().any(|(_, node)| matches!(node.body, Body::File(Bytes::Small { .. })))
}
