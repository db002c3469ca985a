//! Playtests: which there are, and their content as folders of the host.

use super::restore::Restored;
use super::{RestoreOptions, RestoreReport, Vault};
use crate::catalogue::{NumberedPlaytest, Playtest};
use crate::error::{Error, Result};
use crate::progress::Progress;
use std::path::Path;

impl Vault {
    /// Returns all playtests in the order in which they were kept.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn playtests(&self) -> Result<Vec<Playtest>> {
        Ok(self.numbered_playtests()?.into_iter().map(|numbered| numbered.playtest).collect())
    }

    /// Returns all playtests with their numbers in the catalogue.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn numbered_playtests(&self) -> Result<Vec<NumberedPlaytest>> {
        self.store().catalogue().playtests()
    }

    /// Returns the playtest with the id `id`, or the only one whose id starts with it; upper and lower case are the same.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if several start so.
    pub fn playtest(&self, id: &str) -> Result<Playtest> {
        let folded = id.to_lowercase();
        let mut found = self.playtests()?;
        found.retain(|playtest| playtest.id.folded().starts_with(&folded));
        if let Some(exact) = found.iter().position(|playtest| playtest.id.folded() == folded) {
            return Ok(found.swap_remove(exact));
        }
        match found.len() {
            1 if !id.is_empty() => Ok(found.swap_remove(0)),
            0 | 1 => Err(Error::not_found(format!("there is no playtest \"{id}\""))
                .with_hint("`gamevault session list` lists them all")),
            count => Err(Error::invalid(format!("the ids of {count} playtests start with \"{id}\""))
                .with_hint("give more of the id; `gamevault session list` lists them all")),
        }
    }

    /// Writes the content of a playtest to the folder `dest`, as [`Vault::restore`] does with builds.
    ///
    /// # Errors
    /// As [`Vault::restore`].
    pub fn export_playtest(
        &self,
        playtest: &Playtest,
        dest: &Path,
        options: &RestoreOptions,
        progress: &Progress,
    ) -> Result<RestoreReport> {
        let what = format!("playtest {}", playtest.id);
        let tree = Restored { what, root: playtest.root.id, attributes: playtest.attributes };
        self.restore_tree(&tree, dest, options, progress)
    }
}
