//! Packs that go: first from the catalogue, then from the disk.

use super::parity::parity_path;
use super::writer::pack_path;
use super::{EntryKind, PackIndex, Store, read_index};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
use std::collections::HashSet;
use std::path::Path;

impl Store {
    /// Returns what a sealed pack holds.
    ///
    /// # Errors
    /// `NotFound` if its file is missing; `Corrupt` if not even the header can be read; `Io` from the system.
    pub fn pack_index(&self, id: PackId) -> Result<PackIndex> {
        read_index(&*self.disk.open(&pack_path(id))?, id)
    }

    /// Removes the files of packs that were taken out of the catalogue; returns how many there were.
    ///
    /// Who looked a chunk up before it moved finds the file open, or looks once more.
    ///
    /// # Errors
    /// `Io` from the system.
    pub fn remove_retired(&self) -> Result<u64> {
        let mut removed = 0;
        for id in self.catalogue.retired_packs()? {
            self.reader.close(id);
            // First: a reader that comes late must not make the pack again.
            self.remove_if_there(&parity_path(id))?;
            removed += u64::from(self.remove_if_there(&pack_path(id))?);
            // On Windows it keeps its name as long as anybody has it open: then it stays on the list, for what it is.
            if self.disk.open(&pack_path(id)).is_ok() {
                continue;
            }
            self.catalogue.forget_retired(id)?;
        }
        Ok(removed)
    }

    /// Removes a file; tells whether it was there.
    fn remove_if_there(&self, path: &Path) -> Result<bool> {
        match self.disk.remove(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Removes packs that processes sealed which were killed before they registered them, if nothing is in them alone.
    ///
    /// The time of such a pack says nothing of its place among the others: a catalogue that is rebuilt would take chunks
    /// from it, and a chunk that has been stored anew since may lead back to them.
    ///
    /// # Errors
    /// `Corrupt` if such a pack holds chunks that are nowhere else; those of the catalogue and of the disk.
    pub fn clear_unregistered(&self) -> Result<()> {
        // A pack is sealed inside a transaction, so during this one nobody is at it.
        self.catalogue.publish(|_| {
            let mut known: HashSet<PackId> = self.catalogue.packs()?.into_iter().map(|(_, id, _)| id).collect();
            known.extend(self.catalogue.retired_packs()?);
            let on_disk = Store::packs_on_disk(&*self.disk)?;
            let there: HashSet<PackId> = on_disk.iter().map(|(id, ..)| *id).collect();
            for (id, path, _) in on_disk.into_iter().filter(|(id, ..)| !known.contains(id)) {
                let file = match self.disk.open(&path) {
                    // Removed before: on Windows its name stays in the list until the last reader closes it.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    file => file?,
                };
                let index = read_index(&*file, id)?;
                drop(file);
                // A repair makes builds of records that were never published.
                if index.entries.iter().any(|entry| entry.kind == EntryKind::Record) {
                    continue;
                }
                for entry in &index.entries {
                    let place = self.catalogue.chunk(entry.id.key())?;
                    let pack = place.map(|place| self.catalogue.pack_id(place.pack)).transpose()?;
                    if pack.is_none_or(|pack| !there.contains(&pack)) {
                        let message = format!("pack {id} holds chunk {}, and the catalogue does not know it", entry.id);
                        return Err(Error::corrupt(message).with_hint("run `gamevault repair` first"));
                    }
                }
                self.remove_if_there(&parity_path(id))?;
                self.remove_if_there(&path)?;
            }
            Ok(())
        })
    }
}
