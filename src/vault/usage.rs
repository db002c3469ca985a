//! The walk behind the statistics: which chunks were first seen in which build, folder or type of file.

use super::Vault;
use super::stats::{Grouping, StatsOptions, StatsRow};
use crate::catalogue::Build;
use crate::codec::Encoding;
use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot, Directory, EntryKind, MAX_DEPTH, Page};
use crate::name::FileName;
use crate::progress::Progress;
use crate::store::{Store, entry_len};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The most folders or types that have rows of their own: names are people's, and some number their extensions.
const MAX_ROWS: usize = 10_000;

/// Where the rest counts.
const OTHERS: &str = "(others)";

/// The row of directories' pages among types of files, and that of files without a type.
const FOLDERS: &str = "(folders)";
const NO_EXTENSION: &str = "no extension";

/// Characters from which on what follows the last dot is no extension.
const MAX_EXTENSION_LEN: usize = 16;

/// Chunks that are looked up together.
const LOOKED_UP: usize = 1024;

/// Rows by their names, in the order in which they were first asked for.
#[derive(Default)]
pub(super) struct Rows {
    index: HashMap<String, usize>,
    rows: Vec<StatsRow>,
}

impl Rows {
    /// Returns the row of an encoding.
    pub(super) fn technique(&mut self, encoding: Encoding) -> &mut StatsRow {
        let index = self.row(encoding.name(), Some(encoding.about()));
        &mut self.rows[index]
    }

    pub(super) fn into_vec(self) -> Vec<StatsRow> {
        self.rows
    }

    /// Returns the row of a name that may be one of very many.
    fn bounded(&mut self, name: &str) -> usize {
        match self.rows.len() < MAX_ROWS || self.index.contains_key(name) {
            true => self.row(name, None),
            false => self.row(OTHERS, Some("more names than can be shown")),
        }
    }

    fn row(&mut self, name: &str, about: Option<&'static str>) -> usize {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        self.rows.push(StatsRow::new(name, about));
        self.index.insert(name.to_owned(), self.rows.len() - 1);
        self.rows.len() - 1
    }
}

/// A folder that is to be looked into.
struct Folder {
    id: ChunkId,
    /// Of the folder's own pages; files have it too, unless they are told apart by type.
    row: usize,
    /// The path, as long as folders below have rows of their own.
    path: Option<String>,
    level: usize,
}

/// Walks builds in their order and counts each chunk once.
pub(super) struct Walk<'a> {
    reader: &'a Reader,
    store: &'a Store,
    progress: &'a Progress,
    by: Grouping,
    depth: usize,
    rows: Rows,
    /// The first bytes of the ids of all chunks and nodes so far: of 10^8 two are taken for one in one of 3,000 walks.
    seen: HashSet<u64>,
    /// New chunks with their rows, to be looked up together.
    waiting: Vec<(ChunkId, usize)>,
    missing: u64,
    /// Whether the build that is being walked is one of those asked for.
    counts: bool,
    /// The last build whose files were counted by type, with files and bytes by row.
    typed: Option<ChunkId>,
    types: HashMap<usize, (u64, u64)>,
}

impl<'a> Walk<'a> {
    /// Prepares to walk builds of a vault that has `chunks` chunks.
    pub(super) fn new(vault: &'a Vault, options: &StatsOptions, chunks: u64, progress: &'a Progress) -> Walk<'a> {
        Walk {
            reader: vault.reader(),
            store: vault.store(),
            progress,
            by: options.by,
            depth: options.depth,
            rows: Rows::default(),
            // At once: while a table grows there are two.
            seen: HashSet::with_capacity(chunks as usize),
            waiting: Vec::with_capacity(LOOKED_UP),
            missing: 0,
            counts: true,
            typed: None,
            types: HashMap::new(),
        }
    }

    /// Adds a build; those that do not count only say what is not new in the later ones.
    pub(super) fn build(&mut self, build: &Build, counts: bool) -> Result<()> {
        self.counts = counts;
        let row = match self.by {
            _ if !counts => 0,
            Grouping::Build => self.rows.row(build.id.as_str(), None),
            Grouping::Folder => self.rows.bounded("."),
            Grouping::Type => self.rows.bounded(FOLDERS),
            // Known only when the chunk is looked up.
            Grouping::Technique => 0,
        };
        let root = build.root;
        if counts {
            match self.by {
                Grouping::Build => self.rows.rows[row].add_files(root.totals.files, root.totals.bytes),
                Grouping::Folder => self.count_folders(&root, row)?,
                Grouping::Type => {
                    let before = self.typed.replace(root.id);
                    self.count_types(before, root.id)?;
                }
                Grouping::Technique => {}
            }
        }
        if let Some(xattrs) = build.attributes.xattrs {
            self.is_new(xattrs, row)?;
        }
        let mut open = vec![Folder { id: root.id, row, path: Some(String::new()), level: 0 }];
        while let Some(folder) = open.pop() {
            let first = open.len();
            self.page(folder.id, MAX_DEPTH, &folder, &mut open)?;
            open[first..].reverse();
        }
        Ok(())
    }

    /// Returns the rows, and how many chunks are missing.
    pub(super) fn finish(mut self) -> Result<(Vec<StatsRow>, u64)> {
        self.look_up()?;
        // A build may be like the one before, or empty; a folder or type of which nothing counts is none.
        let is_build = self.by == Grouping::Build;
        let is_used = |row: &StatsRow| is_build || row.chunks > 0 || row.files.is_some_and(|files| files > 0);
        Ok((self.rows.rows.into_iter().filter(is_used).collect(), self.missing))
    }

    /// Counts a page and what it names, unless it was seen; adds the folders in it to `open`.
    fn page(&mut self, id: ChunkId, level: u8, folder: &Folder, open: &mut Vec<Folder>) -> Result<()> {
        self.progress.check()?;
        if !self.is_new(id, folder.row)? {
            return Ok(());
        }
        match &*self.reader.page(id)? {
            Page::Index(refs) => {
                let below = level.checked_sub(1).ok_or_else(|| too_deep(id))?;
                refs.iter().try_for_each(|page| self.page(page.id, below, folder, open))
            }
            Page::Leaf(entries) => entries.iter().try_for_each(|entry| {
                if let EntryKind::Directory(below) = &entry.kind {
                    let folder = self.below(folder, &entry.name, below.id);
                    if let Some(xattrs) = entry.attributes.xattrs {
                        self.is_new(xattrs, folder.row)?;
                    }
                    open.push(folder);
                    return Ok(());
                }
                let row = match self.by {
                    Grouping::Type if self.counts => self.rows.bounded(&extension(&entry.name)),
                    _ => folder.row,
                };
                if let Some(xattrs) = entry.attributes.xattrs {
                    self.is_new(xattrs, row)?;
                }
                match &entry.kind {
                    EntryKind::File(content) => self.file(content, row),
                    EntryKind::Symlink(_) | EntryKind::Directory(_) => Ok(()),
                }
            }),
        }
    }

    fn below(&mut self, folder: &Folder, name: &FileName, id: ChunkId) -> Folder {
        let level = folder.level + 1;
        let path = match &folder.path {
            Some(path) if self.by == Grouping::Folder && self.counts && level <= self.depth => join(path, name),
            _ => return Folder { id, row: folder.row, path: None, level },
        };
        Folder { id, row: self.rows.bounded(&path), path: Some(path), level }
    }

    fn file(&mut self, content: &Content, row: usize) -> Result<()> {
        self.progress.add_files(1);
        self.progress.add_bytes(content.size);
        match content.root {
            ContentRoot::Empty => Ok(()),
            ContentRoot::Chunk(id) => self.is_new(id, row).map(drop),
            ContentRoot::List { id, depth } => self.list(id, depth, row),
        }
    }

    fn list(&mut self, id: ChunkId, depth: u8, row: usize) -> Result<()> {
        self.progress.check()?;
        if !self.is_new(id, row)? {
            return Ok(());
        }
        let list = self.reader.content_list(id)?;
        if list.depth != depth {
            return Err(Error::corrupt(format!("content list {id} does not fit its file")));
        }
        list.items().iter().filter_map(|item| item.id).try_for_each(|below| match depth {
            1 => self.is_new(below, row).map(drop),
            _ => self.list(below, depth - 1, row),
        })
    }

    /// Tells whether a chunk was not seen before, and counts it then.
    fn is_new(&mut self, id: ChunkId, row: usize) -> Result<bool> {
        let start = u64::from_le_bytes(id.0[..8].try_into().expect("8 of 32 bytes"));
        let is_new = self.seen.insert(start);
        if is_new && self.counts {
            self.waiting.push((id, row));
            if self.waiting.len() == LOOKED_UP {
                self.look_up()?;
            }
        }
        Ok(is_new)
    }

    fn look_up(&mut self) -> Result<()> {
        let ids: Vec<ChunkId> = self.waiting.iter().map(|(id, _)| *id).collect();
        let places = self.store.catalogue().chunks(&ids)?;
        for ((_, row), place) in self.waiting.drain(..).zip(places) {
            let Some(place) = place else {
                self.missing += 1;
                continue;
            };
            let row = match self.by {
                Grouping::Technique => self.rows.technique(Encoding::from_number(place.encoding)?),
                Grouping::Build | Grouping::Folder | Grouping::Type => &mut self.rows.rows[row],
            };
            let stored = entry_len(1, place.stored_len.into(), place.bases.len() as u64);
            row.add_chunks(1, place.plain_len.into(), stored);
        }
        Ok(())
    }

    /// Counts the files of a build by folder; below the last level that has rows, totals tell.
    fn count_folders(&mut self, root: &Directory, row: usize) -> Result<()> {
        let mut open = vec![(*root, Folder { id: root.id, row, path: Some(String::new()), level: 0 })];
        while let Some((directory, folder)) = open.pop() {
            self.progress.check()?;
            if folder.path.is_none() || folder.level == self.depth {
                self.rows.rows[folder.row].add_files(directory.totals.files, directory.totals.bytes);
                continue;
            }
            let (reader, mut files, mut bytes) = (self.reader, 0, 0);
            reader.for_each_entry(folder.id, &mut |entry| {
                match &entry.kind {
                    EntryKind::File(content) => {
                        files += 1;
                        bytes += content.size;
                    }
                    EntryKind::Directory(below) => open.push((*below, self.below(&folder, &entry.name, below.id))),
                    EntryKind::Symlink(_) => {}
                }
                Ok(())
            })?;
            self.rows.rows[folder.row].add_files(files, bytes);
        }
        Ok(())
    }

    /// Counts the files of a build by type.
    ///
    /// Totals do not tell types. So what the build before had is changed into what this one has, and only folders that
    /// differ between the two are looked into.
    fn count_types(&mut self, before: Option<ChunkId>, root: ChunkId) -> Result<()> {
        let reader = self.reader;
        let mut open = vec![(before, Some(root))];
        while let Some((old, new)) = open.pop() {
            self.progress.check()?;
            if old == new {
                continue;
            }
            let mut old_folders = BTreeMap::new();
            if let Some(old) = old {
                reader.for_each_entry(old, &mut |entry| {
                    match &entry.kind {
                        EntryKind::File(content) => {
                            let (files, bytes) = self.type_of(&entry.name);
                            *files -= 1;
                            *bytes -= content.size;
                        }
                        EntryKind::Directory(below) => drop(old_folders.insert(entry.name.clone(), below.id)),
                        EntryKind::Symlink(_) => {}
                    }
                    Ok(())
                })?;
            }
            if let Some(new) = new {
                reader.for_each_entry(new, &mut |entry| {
                    match &entry.kind {
                        EntryKind::File(content) => {
                            let (files, bytes) = self.type_of(&entry.name);
                            *files += 1;
                            *bytes += content.size;
                        }
                        EntryKind::Directory(below) => open.push((old_folders.remove(&entry.name), Some(below.id))),
                        EntryKind::Symlink(_) => {}
                    }
                    Ok(())
                })?;
            }
            open.extend(old_folders.into_values().map(|gone| (Some(gone), None)));
        }
        for (&row, &(files, bytes)) in &self.types {
            self.rows.rows[row].add_files(files, bytes);
        }
        Ok(())
    }

    /// Returns how many files of a type there are, and their bytes.
    fn type_of(&mut self, name: &FileName) -> &mut (u64, u64) {
        self.types.entry(self.rows.bounded(&extension(name))).or_default()
    }
}

fn too_deep(page: ChunkId) -> Error {
    Error::corrupt(format!("directory page {page} lies too deep"))
}

fn join(path: &str, name: &FileName) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}/{name}") }
}

/// Returns what follows the last dot of a name, in lower case, if it looks like a type.
fn extension(name: &FileName) -> String {
    let name = String::from_utf8_lossy(name.as_bytes());
    let is_part = |c: char| c.is_alphanumeric() || "_-+~".contains(c);
    match name.rsplit_once('.') {
        Some((stem, end))
            if !stem.is_empty()
                && (1..=MAX_EXTENSION_LEN).contains(&end.chars().count())
                && end.chars().all(is_part) =>
        {
            end.to_lowercase()
        }
        _ => NO_EXTENSION.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_type_is_one() {
        for (name, expected) in [
            ("a.PNG", "png"),
            ("level.tar.gz", "gz"),
            ("libgame.so.6", "6"),
            ("Übung.ÄÖÜ", "äöü"),
            ("backup.c++", "c++"),
            (".gitignore", NO_EXTENSION),
            ("Makefile", NO_EXTENSION),
            ("end.", NO_EXTENSION),
            ("Mr. Smith", NO_EXTENSION),
            ("x.(folders)", NO_EXTENSION),
            ("x.0123456789abcdef0", NO_EXTENSION),
        ] {
            assert_eq!(extension(&FileName::new(name.as_bytes()).unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn more_names_than_rows_share_one() {
        let mut rows = Rows::default();
        let first: Vec<usize> = (0..MAX_ROWS + 5).map(|n| rows.bounded(&n.to_string())).collect();
        // The same names have the same rows, whenever they are asked for.
        let again: Vec<usize> = (0..MAX_ROWS + 5).map(|n| rows.bounded(&n.to_string())).collect();
        assert_eq!(first, again);
        assert_eq!(first[MAX_ROWS..], [MAX_ROWS; 5]);
        let rows = rows.into_vec();
        assert_eq!((rows.len(), rows[MAX_ROWS].name.as_str()), (MAX_ROWS + 1, OTHERS));
    }
}
