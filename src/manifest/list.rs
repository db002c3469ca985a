//! Content lists: which chunks and holes make up a file.
//!
//! [`ListBuilder`] takes the chunks of a file in order and writes list nodes as they fill, so its memory does not grow
//! with the file. [`List`] is one node, with the offsets of its items for a binary search.

use super::wire::{Cursor, ends_node, put_number};
use super::{Content, ContentRoot, MAX_DEPTH, MAX_FILE_LEN};
use crate::error::Result;
use crate::id::ChunkId;

const MARK: u8 = 0xF1;
const AVERAGE_ITEMS: usize = 256;
const MAX_ITEMS: usize = AVERAGE_ITEMS * 4;

/// One item of a list: `len` bytes that are a chunk, a list below, or (without an id) a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListItem {
    /// Length in bytes, at least 1.
    pub len: u64,
    /// The chunk or list; `None` for a hole, which reads as zeros.
    pub id: Option<ChunkId>,
}

/// One node of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// 1 when the items are chunks and holes, else how many levels of lists this one tops.
    pub depth: u8,
    items: Vec<ListItem>,
    /// Where each item ends, from the start of this list.
    ends: Vec<u64>,
}

impl List {
    /// Reads a node.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is no content list.
    pub fn decode(bytes: &[u8]) -> Result<List> {
        let mut cursor = Cursor::new(bytes, "content list");
        if cursor.byte()? != MARK {
            return Err(cursor.corrupt("does not start with its mark"));
        }
        let depth = cursor.byte()?;
        if depth == 0 || depth > MAX_DEPTH {
            return Err(cursor.corrupt("has an impossible depth"));
        }
        let count = cursor.count(MAX_ITEMS, 1)?;
        let mut items = Vec::with_capacity(count);
        let mut ends = Vec::with_capacity(count);
        let mut end = 0u64;
        for _ in 0..count {
            let number = cursor.number()?;
            let (len, is_hole) = (number >> 1, number & 1 == 1);
            if len == 0 || (is_hole && depth > 1) {
                return Err(cursor.corrupt("holds an impossible item"));
            }
            let id = if is_hole { None } else { Some(cursor.id()?) };
            end += len;
            if end > MAX_FILE_LEN {
                return Err(cursor.corrupt("is longer than a file can be"));
            }
            items.push(ListItem { len, id });
            ends.push(end);
        }
        cursor.finish()?;
        Ok(List { depth, items, ends })
    }

    /// Returns the number of bytes the list covers.
    pub fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Tells whether the list covers no bytes.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the items in order.
    pub fn items(&self) -> &[ListItem] {
        &self.items
    }

    /// Returns the index of the item that covers byte `offset`, and where that item starts; `None` past the end.
    pub fn find(&self, offset: u64) -> Option<(usize, u64)> {
        let index = self.ends.partition_point(|&end| end <= offset);
        let item = self.items.get(index)?;
        Some((index, self.ends[index] - item.len))
    }
}

fn encode(depth: u8, items: &[ListItem]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + items.len() * (ChunkId::LEN + 3));
    out.extend([MARK, depth]);
    put_number(&mut out, items.len() as u64);
    for item in items {
        put_number(&mut out, item.len << 1 | u64::from(item.id.is_none()));
        if let Some(id) = item.id {
            out.extend_from_slice(&id.0);
        }
    }
    out
}

/// Builds the content of a file from its chunks and holes, in order.
#[derive(Debug, Clone, Default)]
pub struct ListBuilder {
    size: u64,
    /// The unfinished node of each level, lowest first.
    levels: Vec<Vec<ListItem>>,
}

impl ListBuilder {
    /// Starts with an empty file.
    pub fn new() -> ListBuilder {
        ListBuilder::default()
    }

    /// Adds the next item; `put` stores a node that became full.
    ///
    /// # Errors
    /// Those of `put`.
    pub fn push(&mut self, item: ListItem, put: &mut dyn FnMut(&[u8]) -> Result<ChunkId>) -> Result<()> {
        if item.len == 0 {
            return Ok(());
        }
        self.size += item.len;
        self.push_at(0, item, put)
    }

    /// Stores the unfinished nodes and returns the content.
    ///
    /// # Errors
    /// Those of `put`.
    pub fn finish(mut self, put: &mut dyn FnMut(&[u8]) -> Result<ChunkId>) -> Result<Content> {
        let size = self.size;
        let mut level = 0;
        while level < self.levels.len() {
            let is_top = level + 1 == self.levels.len();
            let items = std::mem::take(&mut self.levels[level]);
            match items[..] {
                [ListItem { id: Some(id), .. }] if is_top => {
                    let root = match level {
                        0 => ContentRoot::Chunk(id),
                        depth => ContentRoot::List { id, depth: depth as u8 },
                    };
                    return Ok(Content { size, root });
                }
                [] => {}
                _ => self.store(level, &items, put)?,
            }
            level += 1;
        }
        Ok(Content { size, root: ContentRoot::Empty })
    }

    fn push_at(&mut self, level: usize, item: ListItem, put: &mut dyn FnMut(&[u8]) -> Result<ChunkId>) -> Result<()> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let node = &mut self.levels[level];
        node.push(item);
        // A hole has no hash of its own; its length serves.
        let hash = item.id.map_or(item.len, |id| u64::from_le_bytes(id.0[..8].try_into().expect("8 of 32 bytes")));
        if !ends_node(node.len(), hash, AVERAGE_ITEMS) {
            return Ok(());
        }
        let items = std::mem::take(node);
        self.store(level, &items, put)
    }

    fn store(&mut self, level: usize, items: &[ListItem], put: &mut dyn FnMut(&[u8]) -> Result<ChunkId>) -> Result<()> {
        let id = put(&encode(level as u8 + 1, items))?;
        let len = items.iter().map(|item| item.len).sum();
        self.push_at(level + 1, ListItem { len, id: Some(id) }, put)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn build(items: &[ListItem]) -> (Content, HashMap<ChunkId, Vec<u8>>) {
        let mut nodes = HashMap::new();
        let mut put = |bytes: &[u8]| {
            let id = ChunkId::of(bytes);
            nodes.insert(id, bytes.to_vec());
            Ok(id)
        };
        let mut builder = ListBuilder::new();
        for &item in items {
            builder.push(item, &mut put).unwrap();
        }
        let content = builder.finish(&mut put).unwrap();
        (content, nodes)
    }

    fn flatten(id: ChunkId, depth: u8, nodes: &HashMap<ChunkId, Vec<u8>>, out: &mut Vec<ListItem>) {
        let list = List::decode(&nodes[&id]).unwrap();
        assert_eq!(list.depth, depth);
        for item in list.items() {
            match (item.id, depth) {
                (Some(below), 2..) => flatten(below, depth - 1, nodes, out),
                _ => out.push(*item),
            }
        }
    }

    fn chunk(n: u64) -> ListItem {
        ListItem { len: 1 + n % 70_000, id: Some(ChunkId::of(&n.to_le_bytes())) }
    }

    #[test]
    fn small_files_need_no_list() {
        assert_eq!(build(&[]).0, Content::EMPTY);
        let item = chunk(3);
        assert_eq!(build(&[item]).0, Content { size: item.len, root: ContentRoot::Chunk(item.id.unwrap()) });
    }

    #[test]
    fn a_file_that_is_one_hole_is_a_list() {
        let (content, nodes) = build(&[ListItem { len: 1 << 40, id: None }]);
        let ContentRoot::List { id, depth: 1 } = content.root else { panic!("{content:?}") };
        assert_eq!(List::decode(&nodes[&id]).unwrap().len(), 1 << 40);
    }

    #[test]
    fn long_files_come_back_item_by_item() {
        let items: Vec<ListItem> =
            (0..40_000).map(|n| if n % 97 == 0 { ListItem { len: 4096, id: None } } else { chunk(n) }).collect();
        let (content, nodes) = build(&items);
        let ContentRoot::List { id, depth } = content.root else { panic!("{content:?}") };
        assert!(depth >= 2);
        let mut out = Vec::new();
        flatten(id, depth, &nodes, &mut out);
        assert_eq!(out, items);
        assert_eq!(content.size, items.iter().map(|item| item.len).sum::<u64>());
    }

    #[test]
    fn a_change_inside_leaves_most_nodes_alone() {
        let items: Vec<ListItem> = (0..40_000).map(chunk).collect();
        let mut changed = items.clone();
        changed.insert(20_000, chunk(999_999));
        let (before, after) = (build(&items).1, build(&changed).1);
        let new = after.keys().filter(|id| !before.contains_key(id)).count();
        assert!(new <= 4, "{new} of {} nodes are new", after.len());
    }

    #[test]
    fn find_names_the_item_of_an_offset() {
        let (content, nodes) = build(&[chunk(10), ListItem { len: 100, id: None }, chunk(20)]);
        let ContentRoot::List { id, .. } = content.root else { panic!("{content:?}") };
        let list = List::decode(&nodes[&id]).unwrap();
        assert_eq!(list.find(0), Some((0, 0)));
        assert_eq!(list.find(10), Some((0, 0)));
        assert_eq!(list.find(11), Some((1, 11)));
        assert_eq!(list.find(111), Some((2, 111)));
        assert_eq!(list.find(content.size), None);
    }

    #[test]
    fn cut_and_hostile_lists_are_corrupt() {
        let (content, nodes) = build(&(0..20).map(chunk).collect::<Vec<_>>());
        let ContentRoot::List { id, .. } = content.root else { panic!("{content:?}") };
        let bytes = &nodes[&id];
        for len in 0..bytes.len() {
            assert!(List::decode(&bytes[..len]).is_err());
        }
        assert!(List::decode(&[MARK, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
        assert!(List::decode(&[MARK, 2, 1, 3]).is_err(), "a hole above the lowest level");
    }
}
