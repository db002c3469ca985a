//! Directory pages: the entries of one directory, cut into nodes small enough to read one by one.

use super::wire::{Cursor, cut_nodes, put_bytes, put_number, put_time};
use super::{Attributes, Content, ContentRoot, Directory, Entry, EntryKind, Totals};
use super::{MAX_DEPTH, MAX_FILE_LEN, MAX_TOTAL_ENTRIES};
use crate::error::Result;
use crate::id::ChunkId;
use crate::name::FileName;

const LEAF: u8 = 0xD1;
const INDEX: u8 = 0xD2;
const AVERAGE_ENTRIES: usize = 128;
const MAX_ENTRIES: usize = AVERAGE_ENTRIES * 4;

const KIND_FILE: u8 = 0;
const KIND_DIRECTORY: u8 = 1;
const KIND_SYMLINK: u8 = 2;
const HAS_XATTRS: u8 = 1 << 2;
const ONE_CHUNK: u8 = 1 << 3;
const LIST: u8 = 2 << 3;

/// One node of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The entries themselves, sorted by name.
    Leaf(Vec<Entry>),
    /// The pages below, sorted by the first name in each.
    Index(Vec<PageRef>),
}

/// An index page's word on a page below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRef {
    /// The first name in the page.
    pub first: FileName,
    /// The page.
    pub id: ChunkId,
    /// What lies in and below the page.
    pub totals: Totals,
}

/// Encodes the directory that holds `entries`, which must be sorted by name without repeats; `put` stores each page.
///
/// # Errors
/// Those of `put`.
pub fn encode_directory(entries: &[Entry], put: &mut dyn FnMut(&[u8]) -> Result<ChunkId>) -> Result<Directory> {
    assert!(entries.is_sorted_by(|a, b| a.name < b.name), "entries are sorted and names are unique");
    let hash = |name: &FileName, level: u8| {
        let hash = blake3::hash(name.as_bytes());
        // Each level cuts by other bits: a name that ends a page must not end every page above it.
        u64::from_le_bytes(hash.as_bytes()[usize::from(level)..][..8].try_into().expect("8 of 32 bytes"))
    };
    let mut refs = Vec::new();
    let mut start = 0;
    for end in cut_nodes(entries.iter().map(|entry| hash(&entry.name, 0)), AVERAGE_ENTRIES) {
        let page = &entries[start..end];
        let mut totals = Totals::default();
        page.iter().for_each(|entry| totals.add(entry));
        let id = put(&encode_leaf(page))?;
        refs.push((page.first().map(|entry| entry.name.clone()), id, totals));
        start = end;
    }
    let mut level = 0;
    while refs.len() > 1 {
        level += 1;
        let named = |name: &Option<FileName>| hash(name.as_ref().expect("only a single leaf is empty"), level);
        let mut above = Vec::new();
        let mut start = 0;
        for end in cut_nodes(refs.iter().map(|(first, ..)| named(first)), AVERAGE_ENTRIES) {
            let page = &refs[start..end];
            let mut totals = Totals::default();
            page.iter().for_each(|(.., below)| totals.add_totals(below));
            let id = put(&encode_index(level, page))?;
            above.push((page[0].0.clone(), id, totals));
            start = end;
        }
        refs = above;
    }
    let (_, id, totals) = refs.pop().expect("cut_nodes returns at least one end");
    Ok(Directory { id, totals })
}

fn encode_leaf(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + entries.len() * 80);
    out.push(LEAF);
    put_number(&mut out, entries.len() as u64);
    for entry in entries {
        let mut tag = match &entry.kind {
            EntryKind::File(Content { root: ContentRoot::Empty, .. }) => KIND_FILE,
            EntryKind::File(Content { root: ContentRoot::Chunk(_), .. }) => KIND_FILE | ONE_CHUNK,
            EntryKind::File(Content { root: ContentRoot::List { .. }, .. }) => KIND_FILE | LIST,
            EntryKind::Directory(_) => KIND_DIRECTORY,
            EntryKind::Symlink(_) => KIND_SYMLINK,
        };
        if entry.attributes.xattrs.is_some() {
            tag |= HAS_XATTRS;
        }
        out.push(tag);
        put_bytes(&mut out, entry.name.as_bytes());
        put_number(&mut out, entry.attributes.mode.into());
        put_time(&mut out, entry.attributes.mtime);
        if let Some(id) = entry.attributes.xattrs {
            out.extend_from_slice(&id.0);
        }
        match &entry.kind {
            EntryKind::File(Content { root: ContentRoot::Empty, .. }) => {}
            EntryKind::File(Content { size, root: ContentRoot::Chunk(id) }) => {
                put_number(&mut out, *size);
                out.extend_from_slice(&id.0);
            }
            EntryKind::File(Content { size, root: ContentRoot::List { id, depth } }) => {
                put_number(&mut out, *size);
                out.push(*depth);
                out.extend_from_slice(&id.0);
            }
            EntryKind::Directory(directory) => {
                out.extend_from_slice(&directory.id.0);
                put_totals(&mut out, &directory.totals);
            }
            EntryKind::Symlink(target) => put_bytes(&mut out, target),
        }
    }
    out
}

fn encode_index(level: u8, pages: &[(Option<FileName>, ChunkId, Totals)]) -> Vec<u8> {
    let mut out = vec![INDEX, level];
    put_number(&mut out, pages.len() as u64);
    for (first, id, totals) in pages {
        put_bytes(&mut out, first.as_ref().expect("only a single leaf is empty").as_bytes());
        out.extend_from_slice(&id.0);
        put_totals(&mut out, totals);
    }
    out
}

fn put_totals(out: &mut Vec<u8>, totals: &Totals) {
    put_number(out, totals.entries);
    put_number(out, totals.files);
    put_number(out, totals.bytes);
}

impl Page {
    /// Reads a node.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is no directory page, or one whose names are out of order.
    pub fn decode(bytes: &[u8]) -> Result<Page> {
        let mut cursor = Cursor::new(bytes, "directory page");
        let page = match cursor.byte()? {
            LEAF => {
                let count = cursor.count(MAX_ENTRIES, 5)?;
                let entries = (0..count).map(|_| decode_entry(&mut cursor)).collect::<Result<Vec<Entry>>>()?;
                if !entries.is_sorted_by(|a, b| a.name < b.name) {
                    return Err(cursor.corrupt("has names out of order"));
                }
                Page::Leaf(entries)
            }
            INDEX => {
                if !(1..=MAX_DEPTH).contains(&cursor.byte()?) {
                    return Err(cursor.corrupt("has an impossible level"));
                }
                let count = cursor.count(MAX_ENTRIES, ChunkId::LEN + 5)?;
                let pages = (0..count).map(|_| decode_ref(&mut cursor)).collect::<Result<Vec<PageRef>>>()?;
                if pages.is_empty() || !pages.is_sorted_by(|a, b| a.first < b.first) {
                    return Err(cursor.corrupt("has pages out of order"));
                }
                Page::Index(pages)
            }
            _ => return Err(cursor.corrupt("does not start with its mark")),
        };
        cursor.finish()?;
        Ok(page)
    }
}

fn decode_ref(cursor: &mut Cursor<'_>) -> Result<PageRef> {
    let first = decode_name(cursor)?;
    let id = cursor.id()?;
    Ok(PageRef { first, id, totals: decode_totals(cursor)? })
}

fn decode_name(cursor: &mut Cursor<'_>) -> Result<FileName> {
    FileName::new(cursor.bytes()?).map_err(|error| cursor.corrupt("holds an impossible name").with_source(error))
}

fn decode_totals(cursor: &mut Cursor<'_>) -> Result<Totals> {
    let totals = Totals { entries: cursor.number()?, files: cursor.number()?, bytes: cursor.number()? };
    match totals.entries {
        0..=MAX_TOTAL_ENTRIES => Ok(totals),
        _ => Err(cursor.corrupt("holds an impossible number of entries")),
    }
}

fn decode_size(cursor: &mut Cursor<'_>) -> Result<u64> {
    match cursor.number()? {
        size @ 0..=MAX_FILE_LEN => Ok(size),
        _ => Err(cursor.corrupt("holds an impossible size")),
    }
}

fn decode_entry(cursor: &mut Cursor<'_>) -> Result<Entry> {
    let tag = cursor.byte()?;
    let name = decode_name(cursor)?;
    let mode = cursor.number()?;
    if mode > 0o7777 {
        return Err(cursor.corrupt("holds an impossible mode"));
    }
    let mtime = cursor.time()?;
    let xattrs = if tag & HAS_XATTRS != 0 { Some(cursor.id()?) } else { None };
    let attributes = Attributes { mode: mode as u16, mtime, xattrs };
    let kind = match tag & !HAS_XATTRS {
        KIND_FILE => EntryKind::File(Content::EMPTY),
        tag if tag == KIND_FILE | ONE_CHUNK => {
            let size = decode_size(cursor)?;
            EntryKind::File(Content { size, root: ContentRoot::Chunk(cursor.id()?) })
        }
        tag if tag == KIND_FILE | LIST => {
            let size = decode_size(cursor)?;
            let depth = cursor.byte()?;
            if depth == 0 || depth > MAX_DEPTH {
                return Err(cursor.corrupt("holds a list of an impossible depth"));
            }
            EntryKind::File(Content { size, root: ContentRoot::List { id: cursor.id()?, depth } })
        }
        KIND_DIRECTORY => {
            let id = cursor.id()?;
            EntryKind::Directory(Directory { id, totals: decode_totals(cursor)? })
        }
        KIND_SYMLINK => EntryKind::Symlink(cursor.bytes()?.into()),
        _ => return Err(cursor.corrupt("holds an unknown kind of entry")),
    };
    Ok(Entry { name, attributes, kind })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Timestamp;
    use std::collections::HashMap;

    fn entry(name: &str, kind: EntryKind) -> Entry {
        let attributes = Attributes { mode: 0o640, mtime: Timestamp { secs: -3, nanos: 7 }, xattrs: None };
        Entry { name: FileName::new(name.as_bytes()).unwrap(), attributes, kind }
    }

    fn file(n: u64) -> EntryKind {
        EntryKind::File(Content { size: n, root: ContentRoot::Chunk(ChunkId::of(&n.to_le_bytes())) })
    }

    fn encode(entries: &[Entry]) -> (Directory, HashMap<ChunkId, Vec<u8>>) {
        let mut nodes = HashMap::new();
        let directory = encode_directory(entries, &mut |bytes| {
            nodes.insert(ChunkId::of(bytes), bytes.to_vec());
            Ok(ChunkId::of(bytes))
        });
        (directory.unwrap(), nodes)
    }

    fn flatten(id: ChunkId, nodes: &HashMap<ChunkId, Vec<u8>>, out: &mut Vec<Entry>) {
        match Page::decode(&nodes[&id]).unwrap() {
            Page::Leaf(entries) => out.extend(entries),
            Page::Index(pages) => pages.iter().for_each(|page| flatten(page.id, nodes, out)),
        }
    }

    #[test]
    fn every_kind_of_entry_survives() {
        let list = ContentRoot::List { id: ChunkId::of(b"list"), depth: 2 };
        let below = Totals { entries: 9, files: 7, bytes: 1 << 50 };
        let mut entries = vec![
            entry("a", EntryKind::File(Content::EMPTY)),
            entry("b", file(77)),
            entry("c", EntryKind::File(Content { size: 1 << 40, root: list })),
            entry("d", EntryKind::Directory(Directory { id: ChunkId::of(b"d"), totals: below })),
            entry("e", EntryKind::Symlink(Box::from(&b"../\xff"[..]))),
        ];
        entries[1].attributes.xattrs = Some(ChunkId::of(b"xattrs"));
        let (directory, nodes) = encode(&entries);
        let mut out = Vec::new();
        flatten(directory.id, &nodes, &mut out);
        assert_eq!(out, entries);
        assert_eq!(directory.totals, Totals { entries: 14, files: 10, bytes: (1 << 50) + (1 << 40) + 77 });
    }

    #[test]
    fn large_directories_are_cut_and_a_new_name_changes_few_pages() {
        let mut entries: Vec<Entry> = (0..50_000).map(|n| entry(&format!("file{n:06}"), file(n))).collect();
        let (directory, before) = encode(&entries);
        let mut out = Vec::new();
        flatten(directory.id, &before, &mut out);
        assert_eq!(out, entries);
        assert!(before.values().all(|bytes| bytes.len() < 64 * 1024));
        entries.insert(25_001, entry("file025000x", file(1)));
        let after = encode(&entries).1;
        assert!(after.keys().filter(|id| !before.contains_key(id)).count() <= 4);
    }

    #[test]
    fn cut_and_hostile_pages_are_corrupt() {
        let (directory, nodes) = encode(&[entry("a", file(1)), entry("b", EntryKind::Symlink(Box::from(&b"a"[..])))]);
        let bytes = &nodes[&directory.id];
        for len in 0..bytes.len() {
            assert!(Page::decode(&bytes[..len]).is_err());
        }
        assert!(Page::decode(&[LEAF, 0xff, 0xff, 0x03]).is_err());
        assert!(Page::decode(&[INDEX, 1, 0]).is_err());
    }
}
