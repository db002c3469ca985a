//! What an earlier play left, put where a program finds it again.

use super::playtest_files::{DESCRIPTION, DESCRIPTION_BESIDE, FILES, HOME, copy};
use gamevault::Vault;
use gamevault::catalogue::Playtest;
use gamevault::error::{Error, Result};
use gamevault::progress::Progress;
use gamevault::vault::RestoreOptions;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::{Component, Path};
use tempfile::TempDir;

/// The files of a playtest, in a folder that goes when this is dropped.
pub struct EarlierPlay {
    id: String,
    folder: TempDir,
}

impl EarlierPlay {
    /// Takes the files of `playtest` out of the vault.
    ///
    /// # Errors
    /// Those of reading and writing.
    pub fn export(vault: &Vault, playtest: &Playtest) -> Result<EarlierPlay> {
        let above = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("gamevault-from-").tempdir_in(&above);
        let folder = folder.map_err(|error| Error::io("make a folder in", &above, error))?;
        vault.export_playtest(playtest, folder.path(), &RestoreOptions::default(), &Progress::new())?;
        Ok(EarlierPlay { id: playtest.id.to_string(), folder })
    }

    /// Returns the playtest's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the folder that holds all of its files.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Tells whether the program had a home of its own.
    pub fn has_home(&self) -> bool {
        self.path().join(HOME).is_dir()
    }

    /// Puts its home into `home`.
    ///
    /// # Errors
    /// Those of copying.
    pub fn restore_home(&self, home: &Path) -> Result<()> {
        copy_all(&self.path().join(HOME), home)
    }

    /// Makes `build`, a writable view of the build, as the program left it.
    ///
    /// # Errors
    /// Those of copying and removing.
    pub fn restore_files(&self, build: &Path) -> Result<()> {
        for path in self.removed() {
            // What the file says may be anything: nothing outside of the folder is removed.
            if !Path::new(&path).components().all(|part| matches!(part, Component::Normal(_))) {
                continue;
            }
            let path = build.join(path);
            let removed = match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) => Err(error),
            };
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(Error::io("remove", &path, error));
            }
        }
        let files = self.path().join(FILES);
        if files.is_dir() { copy_all(&files, build) } else { Ok(()) }
    }

    /// Returns the paths that the program removed, as the playtest's description says.
    fn removed(&self) -> Vec<String> {
        let described = [DESCRIPTION_BESIDE, DESCRIPTION].map(|name| fs::read(self.path().join(name)));
        let described =
            described.into_iter().flatten().filter_map(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let removed = described.filter_map(|described| described.get("removed")?.as_array().cloned()).next();
        removed
            .unwrap_or_default()
            .iter()
            .filter_map(|path| Some(path.as_str()?.trim_end_matches('/').to_owned()))
            .collect()
    }
}

/// Copies what is in the folder `from` into `to`, over what is there.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(|error| Error::io("read", from, error))? {
        let entry = entry.map_err(|error| Error::io("read", from, error))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&from).map_err(|error| Error::io("look at", &from, error))?;
        if metadata.is_dir() {
            copy(&from, &metadata, &to)?;
            copy_all(&from, &to)?;
        } else {
            // A link in the way would lead elsewhere, and a file of another kind stays what it is.
            if fs::symlink_metadata(&to).is_ok() {
                fs::remove_file(&to).map_err(|error| Error::io("replace", &to, error))?;
            }
            copy(&from, &metadata, &to)?;
        }
    }
    Ok(())
}
