//! Playtests: which there are, and their content as folders of the host.

use super::restore::Restored;
use super::{RestoreOptions, RestoreReport, Vault};
use crate::catalogue::{NumberedPlaytest, Playtest, Record};
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::ingest::add_file;
use crate::ingest::directory::{EarlierTree, IngestedTree, Source, ingest_directory};
use crate::name::{FileName, RefName};
use crate::progress::Progress;
use std::path::Path;

/// The script in each playtest that starts its build on what was left.
const RUN: &str = "run.sh";

impl Vault {
    /// Stores the folder `path` as that of the playtest `id` of `build`, all but what `ignore` matches; with a script that starts the
    /// build again on what is in it.
    pub(super) fn store_session(
        &self,
        path: &Path,
        ignore: &[String],
        id: &RefName,
        build: BuildNumber,
        progress: &Progress,
    ) -> Result<IngestedTree> {
        // Saves of one play are mostly those of the one before.
        let earlier =
            EarlierTree { reader: self.reader(), root: self.playtests()?.last().map(|playtest| playtest.root.id) };
        let source = Source { path, excluded: &[], ignore, keep_caches: true, read_all: true, earlier };
        let mut tree = ingest_directory(self.store(), &source, progress)?;
        // The folder is removed when the playtest is kept, so all of it must be in there.
        if let Some(first) = tree.incomplete.first() {
            let more = match tree.incomplete.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!("the play {} cannot be kept: {first}{more} could not be read whole", path.display());
            return Err(Error::new(ErrorKind::Incomplete, message)
                .with_hint("wait until nobody writes to it, or give yourself the right to read it, and try again"));
        }
        let script = self.run_script(id, build)?;
        add_file(self.store(), self.reader(), &mut tree, FileName::new(RUN.as_bytes())?, script.as_bytes())?;
        self.store().flush()?;
        assert!(self.store().is_durable(tree.ticket)?, "a flush makes every ticket given out before durable or lost");
        Ok(tree)
    }

    fn run_script(&self, id: &RefName, build: BuildNumber) -> Result<String> {
        let build = self.build(&build.to_string())?.id;
        Ok(format!(
            "#!/bin/sh\n\
             # Starts build {build} on what this session left: its saves, its home, and the files that the game had changed.\n\
             # Another program, or other arguments: ./run.sh ./Game --windowed\n\
             set -- ${{1:+-- \"$@\"}}\n\
             exec gamevault play --from {id} \"$@\"\n"
        ))
    }

    /// Writes down a playtest whose folder is stored.
    pub(super) fn publish_playtest(&self, playtest: &Playtest) -> Result<()> {
        let record = Record::Playtest(Box::new(playtest.clone()));
        self.store().catalogue().publish(|publish| {
            publish.add_pack(&self.store().write_records(std::slice::from_ref(&record), publish.next_pack_time()?)?)?;
            publish.add_record(&record)
        })
    }

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
