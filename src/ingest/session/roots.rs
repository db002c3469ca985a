//! What the sessions on the disk need of the store, whichever processes have them.

use super::journal::read_ops;
use super::op::Op;
use super::registry::{JOURNAL, SPOOL};
use crate::disk::Disk;
use crate::error::{ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::Content;
use std::path::Path;

/// Something stored that a session has, or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRoot {
    /// The content of a file.
    Content(Content),
    /// A directory with all below it.
    Directory(ChunkId),
}

/// Calls `visit` with all that the journals of sessions name. Some of it may be long gone: journals tell all that ever was.
///
/// # Errors
/// `Corrupt` if a journal cannot be read; those of the disk and of `visit`.
pub fn for_each_root(disk: &dyn Disk, visit: &mut dyn FnMut(SessionRoot) -> Result<()>) -> Result<()> {
    for (folder, len) in disk.list(Path::new(SPOOL))? {
        if len.is_some() {
            continue;
        }
        let read = read_ops(disk, &Path::new(SPOOL).join(folder).join(JOURNAL), &mut |op| match op {
            Op::Stored { content, .. } | Op::Patched { content, .. } => visit(SessionRoot::Content(content)),
            Op::Folded { directory, .. } => visit(SessionRoot::Directory(directory.id)),
            Op::Committing { root } => visit(SessionRoot::Directory(root)),
            _ => Ok(()),
        });
        match read {
            // It ended since it was listed, or is only about to begin.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}
