//! Lookups and listings of one directory, and the ordinals of its entries.
//!
//! The ordinal of an entry says how many entries stand before it when a tree is listed depth first. Every entry below a
//! root has one of its own, so it makes a stable node number; relative to its directory the first entry has 1.

use super::Reader;
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Entry, EntryKind, MAX_DEPTH, Page, PageRef};
use crate::name::FileName;
use std::sync::Arc;

/// Some consecutive entries of a directory.
pub struct Listing {
    page: Arc<Page>,
    /// Index of the first entry that belongs to the listing, and its ordinal.
    skip: usize,
    ordinal: u64,
}

impl Listing {
    /// Returns the entries in order, each with its ordinal relative to the directory.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.leaf()[self.skip..].iter().scan(self.ordinal, |ordinal, entry| {
            let this = *ordinal;
            *ordinal += width(entry);
            Some((this, entry))
        })
    }

    /// Returns the ordinal after the last entry and all below it: where the next listing starts.
    pub fn next(&self) -> u64 {
        self.ordinal + self.leaf()[self.skip..].iter().map(width).sum::<u64>()
    }

    fn leaf(&self) -> &[Entry] {
        match &*self.page {
            Page::Leaf(entries) => entries,
            Page::Index(_) => unreachable!("listings are made of leaves"),
        }
    }
}

/// How many ordinals an entry takes: its own and those of all below it.
fn width(entry: &Entry) -> u64 {
    match &entry.kind {
        EntryKind::Directory(directory) => directory.totals.entries.saturating_add(1),
        EntryKind::File(_) | EntryKind::Symlink(_) => 1,
    }
}

impl Reader {
    /// Returns the entry `name` of a directory with its relative ordinal; `None` if there is none.
    ///
    /// Reads one page a level, of which all but huge directories have one.
    ///
    /// # Errors
    /// `Corrupt` if a page is damaged.
    pub fn lookup(&self, directory: ChunkId, name: &[u8]) -> Result<Option<(u64, Entry)>> {
        let mut ordinal = 1;
        let mut page = self.page(directory)?;
        let mut level = MAX_DEPTH;
        while let Page::Index(refs) = &*page {
            level = below(level, directory)?;
            let after = refs.partition_point(|below| below.first.as_bytes() <= name);
            let Some(index) = after.checked_sub(1) else { return Ok(None) };
            ordinal += sum(&refs[..index]);
            page = self.page(refs[index].id)?;
        }
        let Page::Leaf(entries) = &*page else { unreachable!("indexes end at leaves") };
        let Ok(index) = entries.binary_search_by(|entry| entry.name.as_bytes().cmp(name)) else { return Ok(None) };
        ordinal += entries[..index].iter().map(width).sum::<u64>();
        Ok(Some((ordinal, entries[index].clone())))
    }

    /// Returns one page of a directory, from the first entry whose relative ordinal is at least `from`; `None` at the
    /// end.
    ///
    /// # Errors
    /// `Corrupt` if a page is damaged.
    pub fn list(&self, directory: ChunkId, from: u64) -> Result<Option<Listing>> {
        self.list_page(directory, MAX_DEPTH, 1, from)
    }

    fn list_page(&self, id: ChunkId, level: u8, mut ordinal: u64, from: u64) -> Result<Option<Listing>> {
        let page = self.page(id)?;
        match &*page {
            Page::Index(refs) => {
                let level = below(level, id)?;
                for below in refs {
                    let end = ordinal.saturating_add(below.totals.entries);
                    if end > from
                        && let Some(listing) = self.list_page(below.id, level, ordinal, from)?
                    {
                        return Ok(Some(listing));
                    }
                    ordinal = end;
                }
                Ok(None)
            }
            Page::Leaf(entries) => {
                let mut skip = 0;
                while skip < entries.len() && ordinal < from {
                    ordinal += width(&entries[skip]);
                    skip += 1;
                }
                let found = skip < entries.len();
                Ok(found.then(|| Listing { page: page.clone(), skip, ordinal }))
            }
        }
    }

    /// Returns the leaf pages of a directory in order, without reading them; the root page itself when it is a leaf.
    ///
    /// # Errors
    /// `Corrupt` if an index page is damaged.
    pub(crate) fn leaves(&self, directory: ChunkId) -> Result<Vec<ChunkId>> {
        let mut leaves = Vec::new();
        self.add_leaves(directory, MAX_DEPTH, &mut leaves)?;
        Ok(leaves)
    }

    fn add_leaves(&self, id: ChunkId, level: u8, leaves: &mut Vec<ChunkId>) -> Result<()> {
        match &*self.page(id)? {
            Page::Leaf(_) => leaves.push(id),
            Page::Index(refs) => {
                let level = below(level, id)?;
                refs.iter().try_for_each(|page| self.add_leaves(page.id, level, leaves))?;
            }
        }
        Ok(())
    }

    /// Calls `visit` for every entry of a directory, in order.
    ///
    /// # Errors
    /// Those of [`Reader::list`] and of `visit`.
    pub fn for_each_entry(&self, directory: ChunkId, visit: &mut dyn FnMut(&Entry) -> Result<()>) -> Result<()> {
        let mut from = 0;
        let mut last: Option<FileName> = None;
        while let Some(listing) = self.list(directory, from)? {
            // Each page is in order in itself. A name that comes again could be a folder first and then a link out of it.
            let first = listing.iter().next().map(|(_, entry)| &entry.name);
            if first.zip(last.as_ref()).is_some_and(|(first, last)| first <= last) {
                return Err(Error::corrupt(format!("the pages of directory {directory} are out of order")));
            }
            listing.iter().try_for_each(|(_, entry)| visit(entry))?;
            last = listing.iter().last().map(|(_, entry)| entry.name.clone());
            from = listing.next();
        }
        Ok(())
    }
}

/// Returns the level below an index page; pages that lie deeper than any directory needs were not made by us.
fn below(level: u8, page: ChunkId) -> Result<u8> {
    level.checked_sub(1).ok_or_else(|| Error::corrupt(format!("directory page {page} lies too deep")))
}

fn sum(refs: &[PageRef]) -> u64 {
    refs.iter().map(|below| below.totals.entries).fold(0, u64::saturating_add)
}
