//! Directories that fill from many threads: each is stored when its last entry has arrived.
//!
//! A walk makes a [`Folder`] for each directory with one slot an entry, in order. Files and subdirectories fill their
//! slots when they are done, in any order; the last one encodes the directory and passes it on to the parent.

use super::pipeline::put_node;
use crate::error::Result;
use crate::manifest::{Attributes, Directory, Entry, EntryKind, encode_directory};
use crate::name::FileName;
use crate::store::{Store, Ticket};
use parking_lot::Mutex;
use std::sync::Arc;

/// A directory that is not stored yet.
pub(super) struct Folder {
    /// Name and attributes; the root's name is never looked at.
    name: Option<FileName>,
    attributes: Attributes,
    parent: Option<(Arc<Folder>, usize)>,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    entries: Vec<Option<Entry>>,
    /// Slots that wait to be filled, and one for the walk that may still add some.
    waiting: usize,
}

/// The whole tree, once every folder is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct FinishedTree {
    pub(super) root: Directory,
    pub(super) attributes: Attributes,
}

/// Where finished directories go, and what they cost.
pub(super) struct TreeBuilder<'a> {
    store: &'a Store,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    ticket: Ticket,
    stored_bytes: u64,
    finished: Option<FinishedTree>,
}

impl Folder {
    /// Starts the root.
    pub(super) fn root(attributes: Attributes) -> Arc<Folder> {
        Folder::new(None, attributes, None)
    }

    /// Starts the directory `name` of `parent`, whose slot it takes.
    pub(super) fn below(parent: &Arc<Folder>, name: FileName, attributes: Attributes) -> Arc<Folder> {
        let slot = parent.reserve();
        Folder::new(Some(name), attributes, Some((parent.clone(), slot)))
    }

    fn new(name: Option<FileName>, attributes: Attributes, parent: Option<(Arc<Folder>, usize)>) -> Arc<Folder> {
        let slots = Mutex::new(Slots { entries: Vec::new(), waiting: 1 });
        Arc::new(Folder { name, attributes, parent, slots })
    }

    /// Keeps a place for the next entry; entries are reserved in the order of their names.
    pub(super) fn reserve(&self) -> usize {
        let mut slots = self.slots.lock();
        slots.waiting += 1;
        slots.entries.push(None);
        slots.entries.len() - 1
    }

    /// Adds an entry that is known at once, in the order of names.
    pub(super) fn add(&self, entry: Entry) {
        self.slots.lock().entries.push(Some(entry));
    }
}

impl<'a> TreeBuilder<'a> {
    pub(super) fn new(store: &'a Store) -> TreeBuilder<'a> {
        TreeBuilder { store, sums: Mutex::default() }
    }

    /// Counts what a file took.
    pub(super) fn count(&self, ticket: Ticket, stored_bytes: u64) {
        let mut sums = self.sums.lock();
        sums.ticket = sums.ticket.join(ticket);
        sums.stored_bytes += stored_bytes;
    }

    /// Fills a reserved slot; `None` leaves the entry out.
    pub(super) fn fill(&self, folder: Arc<Folder>, slot: usize, entry: Option<Entry>) -> Result<()> {
        folder.slots.lock().entries[slot] = entry;
        self.arrive(folder)
    }

    /// Says that a folder gets no more entries; those reserved may still be filled.
    pub(super) fn close(&self, folder: Arc<Folder>) -> Result<()> {
        self.arrive(folder)
    }

    fn arrive(&self, mut folder: Arc<Folder>) -> Result<()> {
        loop {
            let entries = {
                let mut slots = folder.slots.lock();
                slots.waiting -= 1;
                if slots.waiting > 0 {
                    return Ok(());
                }
                std::mem::take(&mut slots.entries)
            };
            let entries: Vec<Entry> = entries.into_iter().flatten().collect();
            let directory = self.encode(&entries)?;
            let Some((parent, slot)) = &folder.parent else {
                self.sums.lock().finished = Some(FinishedTree { root: directory, attributes: folder.attributes });
                return Ok(());
            };
            let name = folder.name.clone().expect("only the root has no name");
            let kind = EntryKind::Directory(directory);
            parent.slots.lock().entries[*slot] = Some(Entry { name, attributes: folder.attributes, kind });
            folder = parent.clone();
        }
    }

    fn encode(&self, entries: &[Entry]) -> Result<Directory> {
        let (mut ticket, mut stored_bytes) = (Ticket::default(), 0);
        let directory =
            encode_directory(entries, &mut |node| put_node(self.store, node, &mut ticket, &mut stored_bytes))?;
        self.count(ticket, stored_bytes);
        Ok(directory)
    }

    /// Returns the tree, when all of it has been stored; its ticket and the bytes that it took.
    pub(super) fn finish(self) -> (Option<FinishedTree>, Ticket, u64) {
        let sums = self.sums.into_inner();
        (sums.finished, sums.ticket, sums.stored_bytes)
    }
}
