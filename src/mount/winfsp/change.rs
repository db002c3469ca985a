//! Changes of attributes and names.

use super::super::names::read;
use super::handle::Handle;
use super::info::{self, FileInfo};
use super::path::Path;
use super::status::Status;
use super::volume::{Answer, Found, Volume};
use crate::error::ErrorKind;
use crate::tree::{AttrChange, Kind, Looking, NameAt, RenameMode, TimeChange};

impl Volume {
    /// Sets the attributes of a file, and the time of its last write; a time of 0 is left as it is, as are the other times,
    /// which are not kept.
    pub(super) fn set_basic(&self, handle: &Handle, attributes: u32, written: u64) -> Answer<FileInfo> {
        let Ok(open) = handle.node() else { return self.info(handle) };
        let node = open.node.id();
        let time = info::timestamp(written);
        let attr = self.tree.attr(node)?;
        let change = AttrChange {
            mode: info::changed_mode(&attr, attributes),
            mtime: time.map(TimeChange::At),
            ..AttrChange::default()
        };
        if change == AttrChange::default() {
            return Ok(FileInfo::of(&attr));
        }
        if let Some(time) = time.filter(|_| attr.writable && attr.kind == Kind::File) {
            // The system may write after this what the program wrote before.
            self.stamps.lock().insert(node, time);
            *open.stamps.lock() = true;
        }
        Ok(FileInfo::of(&self.tree.set_attr(node, &change)?))
    }

    /// Tells whether what is open can be deleted, when its last handle is closed.
    pub(super) fn can_delete(&self, handle: &Handle, path: &[u16]) -> Answer<()> {
        let Ok(open) = handle.node() else { return Ok(()) };
        let found = self.find(&Path::new(path))?;
        if !found.entry.attr.writable {
            // Only the attempt tells why it cannot be, and of the few things that can, none is asked for twice.
            self.remove(&found)?;
            *open.is_removed.lock() = true;
            return Ok(());
        }
        match found.entry_kind() == Kind::Directory && self.has_entries(&found)? {
            true => Err(Status::DIRECTORY_NOT_EMPTY),
            false => Ok(()),
        }
    }

    /// Takes note that a program has closed its last handle, and deletes what it asked to be deleted.
    pub(super) fn cleanup(&self, handle: &Handle, deleted: Option<&[u16]>) {
        self.finish(handle);
        let Some(path) = deleted else { return };
        if handle.node().map_or(true, |open| *open.is_removed.lock()) {
            return;
        }
        let removed = self.find(&Path::new(path)).and_then(|found| self.remove(&found));
        if let Err(status) = removed {
            // There is nobody to tell any more.
            tracing::warn!(?status, path = String::from_utf16_lossy(path), "what was to be deleted is still there");
        }
    }

    /// Renames what is open.
    pub(super) fn rename(&self, from: &[u16], to: &[u16], replaces: bool) -> Answer<()> {
        let from = self.find(&Path::new(from))?;
        let to = Path::new(to);
        let (above, shown) = to.split_last().ok_or(Status::ACCESS_DENIED)?;
        let folder = self.folder(above)?.node;
        let old = from.place.as_ref().ok_or(Status::ACCESS_DENIED)?;
        let new_name = read(shown);
        let from_at = NameAt { directory: old.folder.id(), name: &old.name };
        let to_at = NameAt { directory: folder.id(), name: &new_name };
        let in_the_way = self.folders.find(&self.tree, &folder, shown)?;
        // A change of case alone finds the entry itself.
        let in_the_way = in_the_way.filter(|name| folder.id() != old.folder.id() || *name != old.name);
        let renamed = match &in_the_way {
            None => self.tree.rename(from_at, to_at, RenameMode::NoReplace),
            Some(_) if !replaces => return Err(Status::NAME_COLLISION),
            Some(name) => {
                let replaced = NameAt { name, ..to_at };
                if folder.child(name)?.is_some_and(|node| node.is_directory()) {
                    // Windows replaces files alone.
                    return Err(Status::ACCESS_DENIED);
                }
                // In one step onto the old name; the case of the new one comes after.
                self.tree.rename(from_at, replaced, RenameMode::Replace).and_then(|()| match **name == *new_name {
                    true => Ok(()),
                    false => self.tree.rename(replaced, to_at, RenameMode::NoReplace),
                })
            }
        };
        // What had the name may be gone even after a failure.
        self.folders.remove(old.folder.id(), &old.name);
        if let Some(name) = &in_the_way {
            self.folders.remove(folder.id(), name);
        }
        match &renamed {
            Ok(()) => self.folders.add(folder.id(), &new_name),
            Err(_) => [old.folder.id(), folder.id()].into_iter().for_each(|folder| self.folders.forget(folder)),
        }
        // A new name of a session may fill it.
        self.folders.forget(from.entry.id());
        renamed.map_err(|error| Status::from(error).of_renaming())
    }

    fn remove(&self, found: &Found) -> Answer<()> {
        let place = found.place.as_ref().ok_or(Status::ACCESS_DENIED)?;
        let at = NameAt { directory: place.folder.id(), name: &place.name };
        match self.tree.remove(at, found.entry_kind()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => {
                self.folders.remove(place.folder.id(), &place.name);
                Ok(())
            }
        }
    }

    fn has_entries(&self, found: &Found) -> Answer<bool> {
        let mut has_entries = false;
        self.tree.list(found.entry.id(), 0, Looking::Uncounted, &mut |_| {
            has_entries = true;
            false
        })?;
        Ok(has_entries)
    }
}
