//! The nodes of manifests, one by one and as trees.

use super::{Checker, Outcome, Target, outcome_of};
use gamevault::Vault;
use gamevault::id::ChunkId;
use gamevault::manifest::{
    Attributes, Content, ContentRoot, Directory, Entry, EntryKind, List, ListBuilder, ListItem, Page, PieceRun, Start,
    Timestamp, Totals, XattrSet, encode_directory,
};
use gamevault::name::FileName;
use gamevault::store::Class;
use std::collections::BTreeMap;

const MEMORY: (usize, usize) = (64, 64 << 10);
pub const DIRECTORIES: Target = Target { name: "directories", memory: MEMORY, start: directories };
pub const LISTS: Target = Target { name: "lists", memory: MEMORY, start: lists };
pub const XATTRS: Target = Target { name: "xattrs", memory: MEMORY, start: xattrs };
pub const STARTS: Target = Target { name: "starts", memory: MEMORY, start: starts };
pub const TREES: Target = Target { name: "trees", memory: (256, 24 << 20), start: trees };

/// Trees that are read in one vault: what is stored in it grows.
const TREES_A_VAULT: u64 = 20_000;

pub fn entry(name: &str, kind: EntryKind) -> Entry {
    let xattrs = name.len().is_multiple_of(2).then(|| ChunkId::of(name.as_bytes()));
    let attributes = Attributes { mode: 0o755, mtime: Timestamp { secs: -77, nanos: 123 }, xattrs };
    Entry { name: FileName::new(name.as_bytes()).unwrap(), attributes, kind }
}

/// Entries of every kind, under names that sort as they are made.
pub fn entries(count: usize) -> Vec<Entry> {
    let kind = |n: usize| match n % 5 {
        0 => EntryKind::File(Content::EMPTY),
        1 => EntryKind::File(Content { size: n as u64, root: ContentRoot::Chunk(ChunkId::of(b"c")) }),
        2 => EntryKind::File(Content {
            size: 1 << 40,
            root: ContentRoot::List { id: ChunkId::of(b"l"), depth: 1 + (n % 8) as u8 },
        }),
        3 => EntryKind::Directory(Directory {
            id: ChunkId::of(b"d"),
            totals: Totals { entries: n as u64, files: 1, bytes: 9 },
        }),
        _ => EntryKind::Symlink(b"../else/where".as_slice().into()),
    };
    (0..count).map(|n| entry(&format!("{n:05}{}", "x".repeat(n % 7)), kind(n))).collect()
}

pub fn nodes_of(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut nodes = Vec::new();
    encode_directory(entries, &mut |node| {
        nodes.push(node.to_vec());
        Ok(ChunkId::of(node))
    })
    .unwrap();
    nodes
}

fn lists_of(count: u64) -> Vec<Vec<u8>> {
    let mut nodes = Vec::new();
    let mut put = |node: &[u8]| {
        nodes.push(node.to_vec());
        Ok(ChunkId::of(node))
    };
    let mut list = ListBuilder::new();
    for n in 0..count {
        list.push(ListItem { len: 1 + n * 1000, id: (n % 4 > 0).then(|| ChunkId::of(&n.to_le_bytes())) }, &mut put)
            .unwrap();
    }
    list.finish(&mut put).unwrap();
    nodes
}

fn directory_samples() -> Vec<Vec<u8>> {
    let mut samples = nodes_of(&entries(7));
    samples.extend(nodes_of(&entries(40)));
    samples.extend(nodes_of(&entries(600)).into_iter().filter(|node| node.len() < 2_000));
    samples
}

fn list_samples() -> Vec<Vec<u8>> {
    [lists_of(5), lists_of(30)].concat()
}

fn directories() -> Checker {
    Checker::new(directory_samples(), |bytes| {
        let page = Page::decode(bytes);
        let outcome = outcome_of(&page);
        if let Ok(Page::Leaf(entries)) = page {
            // What is accepted can be written again.
            assert_eq!(Page::decode(&nodes_of(&entries)[0]).unwrap(), Page::Leaf(entries));
        }
        outcome
    })
}

fn lists() -> Checker {
    Checker::new(list_samples(), |bytes| {
        let decoded = List::decode(bytes);
        let Ok(list) = &decoded else { return outcome_of(&decoded) };
        for offset in [0, 1, list.len() / 2, list.len().saturating_sub(1), list.len(), u64::MAX] {
            let found = list.find(offset);
            assert_eq!(found.is_some(), offset < list.len());
            assert!(found.is_none_or(|(index, start)| start <= offset && offset - start < list.items()[index].len));
        }
        Outcome::Decoded
    })
}

fn xattrs() -> Checker {
    let set = BTreeMap::from([(b"user.a".to_vec(), b"1".to_vec()), (b"user.bb".to_vec(), vec![7; 200])]);
    let samples = vec![XattrSet(set).encode(), XattrSet::default().encode()];
    Checker::new(samples, |bytes| outcome_of(&XattrSet::decode(bytes)))
}

fn starts() -> Checker {
    let files = [&b"bin/game"[..], b"data/level 1.pak", b"caf\xe9"].map(Box::from).to_vec();
    let run = |file, first, count| PieceRun { file, first, count };
    let start = Start { files, runs: vec![run(0, 0, 3), run(1, 700, 1), run(0, 9, 2), run(2, 0, 1)] };
    Checker::new(vec![start.encode(), Start::default().encode()], |bytes| {
        let decoded = Start::decode(bytes);
        if let Ok(start) = &decoded {
            assert_eq!(Start::decode(&start.encode()).unwrap(), *start);
            assert!(start.shortened(1).runs.len() <= 1);
        }
        outcome_of(&decoded)
    })
}

/// A vault for trees, and how many were read in it.
struct Trees {
    vault: Vault,
    _dir: tempfile::TempDir,
    read: u64,
}

impl Trees {
    fn new() -> Trees {
        let dir = tempfile::tempdir().unwrap();
        Trees { vault: Vault::init(&dir.path().join("vault")).unwrap(), _dir: dir, read: 0 }
    }
}

/// Manifests that hash to their ids and lie all the same; the first byte says whether it is a directory or the list of a file.
fn trees() -> Checker {
    let directories = directory_samples().into_iter().map(|node| [vec![0], node].concat());
    let lists = list_samples().into_iter().map(|node| [vec![1], node].concat());
    let samples = directories.chain(lists).collect();
    let mut trees = Trees::new();
    Checker::new(samples, move |input| {
        let Some((&kind, node)) = input.split_first() else { return Outcome::Refused };
        trees.read += 1;
        if trees.read == TREES_A_VAULT {
            trees = Trees::new();
        }
        let id = trees.vault.store().put(node, Class::Tree).unwrap().id;
        let reader = trees.vault.reader();
        if kind & 1 == 1 {
            let mut outcome = Outcome::Refused;
            for (size, depth) in [(u64::MAX, 1), (1 << 20, 1), (1 << 63, 2)] {
                let content = Content { size, root: ContentRoot::List { id, depth } };
                for offset in [0, 70_000, size - 1] {
                    if reader.extent_at(&content, offset).is_ok() {
                        outcome = Outcome::Decoded;
                    }
                    let _ = reader.read_at(&content, offset, &mut [0; 64]);
                    let _ = reader.next_data(&content, offset);
                }
                let _ = reader.for_each_extent(&content, 0, size, &mut |_| Ok(()));
            }
            return outcome;
        }
        let mut seen = 0;
        let walked = reader.for_each_entry(id, &mut |_| {
            seen += 1;
            assert!(seen <= 4096, "a page names more than it holds");
            Ok(())
        });
        let _ = reader.lookup(id, b"00003xxx");
        let _ = reader.list(id, u64::MAX);
        if walked.is_ok() { Outcome::Decoded } else { Outcome::Refused }
    })
}
