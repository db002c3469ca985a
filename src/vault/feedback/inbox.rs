//! What was dropped into an inbox is imported.

use super::folder::ImportFolder;
use super::{ImportOptions, ImportReport};
use crate::disk::host;
use crate::error::{Error, Result};
use crate::id::BuildNumber;
use crate::ingest::session::{NodeAttr, NodeKind, NodeNumber, ROOT, Session};
use crate::name::{safe, show};
use crate::progress::Progress;
use crate::vault::Vault;
use std::path::PathBuf;

/// The folder of plays in an inbox.
const SESSIONS: &str = "sessions";

/// What is copied at once.
const COPY_LEN: usize = 256 << 10;

/// The deepest that folders are copied.
const MAX_DEPTH: usize = 32;

impl Vault {
    /// Imports all that is in an inbox, for `build` when that is known; the inbox stays as it is.
    ///
    /// # Errors
    /// As [`Vault::import_feedback`]; those of the session.
    pub fn import_inbox(
        &self,
        inbox: &Session,
        build: Option<BuildNumber>,
        progress: &Progress,
    ) -> Result<ImportReport> {
        let folder = ImportFolder::new(self, &self.new_play_id()?)?;
        let dropped = Dropped { inbox, folder: &folder };
        let (sessions, files): (Vec<PathBuf>, Vec<PathBuf>) =
            dropped.copy(ROOT, "", 0)?.into_iter().partition(|path| path.ends_with(SESSIONS) && path.is_dir());
        let build = build.map(|build| self.build_by_number(build)).transpose()?.flatten();
        for sessions in sessions {
            let entries = sessions.read_dir().and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
            for session in entries.map_err(|error| Error::io("list", &sessions, error))? {
                self.add_session(&session.path(), build.as_ref(), progress)?;
            }
        }
        if files.is_empty() {
            return Ok(ImportReport::default());
        }
        let build = build.map(|build| build.number);
        self.import_feedback(&files, &ImportOptions { build, ..ImportOptions::default() }, progress)
    }
}

/// What was dropped in, on its way to a folder of the host, where importers read it.
struct Dropped<'a> {
    inbox: &'a Session,
    folder: &'a ImportFolder,
}

impl Dropped<'_> {
    /// Copies the entries of a directory, and returns the paths of the copies.
    fn copy(&self, directory: NodeNumber, path: &str, depth: usize) -> Result<Vec<PathBuf>> {
        let mut entries: Vec<(String, NodeAttr)> = Vec::new();
        self.inbox.list(directory, 0, &mut |name, attr| {
            entries.push((safe(&show(name)), attr));
            true
        })?;
        let mut copies = Vec::new();
        for (name, attr) in entries {
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            match attr.kind {
                NodeKind::File => self.file(&attr, &path)?,
                NodeKind::Directory if depth < MAX_DEPTH => drop(self.copy(attr.node, &path, depth + 1)?),
                // A link leads out of what was dropped, and an import reads nothing else.
                NodeKind::Directory | NodeKind::Symlink => continue,
            }
            copies.push(self.folder.tree().join(path));
        }
        Ok(copies)
    }

    fn file(&self, attr: &NodeAttr, path: &str) -> Result<()> {
        let mut copy = self.folder.create(path)?;
        let mut buffer = vec![0; COPY_LEN];
        let mut at = 0;
        loop {
            let len = self.inbox.read(attr.node, at, &mut buffer)?;
            if len == 0 {
                break;
            }
            copy.append(&buffer[..len])?;
            at += len as u64;
        }
        copy.finish()?;
        let path = self.folder.tree().join(path);
        host::set_mtime(&path, attr.mtime).map_err(|error| Error::io("set the time of", &path, error))
    }
}
