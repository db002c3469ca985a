//! Whatever goes in comes back: folders that change at random, and manifests of every shape.

use crate::support::folder::{edit_randomly, make_random};
use crate::support::seed::{random, seed};
use crate::support::{Kept, Scene, Tree, assert_same, read_tree};
use gamevault::compare::{Change, ChangeKind, Difference};
use gamevault::id::ChunkId;
use gamevault::manifest::{
    Attributes, Content, ContentRoot, Directory, Entry, EntryKind, List, ListBuilder, ListItem, MAX_DEPTH, Page,
    Timestamp, Totals, XattrSet, encode_directory,
};
use gamevault::name::FileName;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::HashMap;

/// Folders that are tried, and builds of each.
const FOLDERS: u64 = 3;
const BUILDS: usize = 6;

/// Manifests of each kind that are tried.
const CASES: u32 = 24;

#[test]
fn every_build_of_a_changing_folder_is_the_folder_as_it_was() {
    let seed = seed();
    for folder in 0..FOLDERS {
        let mut random = random(seed.wrapping_add(folder));
        let scene = Scene::new();
        let game = scene.path("game");
        let count = random.random_range(1..=300);
        make_random(&game, &mut random, count, 200_000);
        let mut trees = Vec::new();
        for _ in 0..BUILDS {
            trees.push(read_tree(&game));
            scene.snapshot("game");
            let edits = random.random_range(0..=30);
            edit_randomly(&game, &mut random, edits, 200_000);
        }
        let scene = scene.reopen();
        for (index, tree) in trees.iter().enumerate() {
            let name = (index + 1).to_string();
            assert_same(tree, &scene.restored(&name, &format!("back{name}")));
        }
        for (old, new) in [(0, 1), (1, 2), (4, 5), (0, BUILDS - 1), (BUILDS - 1, 0)] {
            let build = |index: usize| scene.vault.build(&(index + 1).to_string()).unwrap();
            let diff = scene.vault.diff(&build(old), &build(new), &[]).unwrap();
            let told = without_moves(diff.changes, &trees[old], &trees[new]);
            assert_eq!(told, plain_diff(&trees[old], &trees[new]), "from {} to {}", old + 1, new + 1);
        }
    }
}

/// Returns what was moved as gone and new again, once it is clear that bytes were moved.
fn without_moves(told: Vec<Difference>, old: &Tree, new: &Tree) -> Vec<Change> {
    let mut changes = Vec::new();
    for Difference { mut change, changed_bytes, .. } in told {
        assert!(changed_bytes <= change.new_size.unwrap_or(0), "{change:?}: {changed_bytes} bytes are others");
        if let Some(from) = change.from.take() {
            let bytes = |tree: &Tree, path: &str| tree[format!("/{path}").as_bytes()].bytes.clone();
            let is_same = bytes(old, &from) == bytes(new, &change.path);
            assert!(
                is_same || changed_bytes * 2 <= change.new_size.unwrap(),
                "{from} was not moved to {}",
                change.path
            );
            let old_size = change.old_size.take();
            match change.kind {
                ChangeKind::Renamed | ChangeKind::Moved => {
                    changes.push(Change {
                        path: from,
                        kind: ChangeKind::Removed,
                        old_size,
                        new_size: None,
                        from: None,
                    });
                }
                kind => assert_eq!(kind, ChangeKind::Copied),
            }
            change.kind = ChangeKind::Added;
        }
        changes.push(change);
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

/// Compares two folders entry by entry.
fn plain_diff(old: &Tree, new: &Tree) -> Vec<Change> {
    let mut paths: Vec<&Vec<u8>> = old.keys().chain(new.keys()).filter(|path| !path.is_empty()).collect();
    paths.sort();
    paths.dedup();
    let change = |path: &Vec<u8>| {
        let (was, is) = (old.get(path), new.get(path));
        let kind = kind_of_change(was, is)?;
        let is_folder = is.or(was).is_some_and(|kept| kept.kind == "directory");
        let shown = String::from_utf8(path[1..].to_vec()).unwrap() + if is_folder { "/" } else { "" };
        let size = |kept: Option<&Kept>| kept.filter(|kept| kept.kind == "file").map(|kept| kept.bytes.len() as u64);
        Some(Change { path: shown, kind, from: None, old_size: size(was), new_size: size(is) })
    };
    let mut changes: Vec<Change> = paths.into_iter().filter_map(change).collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}

fn kind_of_change(was: Option<&Kept>, is: Option<&Kept>) -> Option<ChangeKind> {
    let (was, is) = match (was, is) {
        (Some(was), Some(is)) => (was, is),
        (None, _) => return Some(ChangeKind::Added),
        (_, None) => return Some(ChangeKind::Removed),
    };
    if was.kind != is.kind {
        Some(ChangeKind::TypeChanged)
    } else if was.bytes != is.bytes {
        Some(ChangeKind::Modified)
    } else if (was.mode, &was.xattrs) != (is.mode, &is.xattrs) {
        Some(ChangeKind::Attributes)
    } else if was.mtime != is.mtime && was.kind != "directory" {
        Some(ChangeKind::Touched)
    } else {
        None
    }
}

/// Runs `check` on what `strategy` makes of the printed seed, and on smaller ones if it fails.
fn check_all<S: Strategy>(strategy: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let random = TestRng::from_seed(RngAlgorithm::XorShift, &u128::from(seed()).to_le_bytes());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    if let Err(error) = TestRunner::new_with_rng(config, random).run(strategy, check) {
        panic!("{error}");
    }
}

fn ids() -> impl Strategy<Value = ChunkId> {
    any::<[u8; 32]>().prop_map(ChunkId)
}

fn kinds() -> impl Strategy<Value = EntryKind> {
    let sizes = 1..=i64::MAX as u64;
    let totals = (0..1u64 << 40, any::<u32>(), 0..1u64 << 50);
    let totals = totals.prop_map(|(entries, files, bytes)| Totals { entries, files: files.into(), bytes });
    prop_oneof![
        Just(EntryKind::File(Content::EMPTY)),
        (sizes.clone(), ids()).prop_map(|(size, id)| EntryKind::File(Content { size, root: ContentRoot::Chunk(id) })),
        (sizes, ids(), 1..=MAX_DEPTH)
            .prop_map(|(size, id, depth)| EntryKind::File(Content { size, root: ContentRoot::List { id, depth } })),
        (ids(), totals).prop_map(|(id, totals)| EntryKind::Directory(Directory { id, totals })),
        vec(any::<u8>(), 0..80).prop_map(|target| EntryKind::Symlink(target.into())),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let times = (any::<i64>(), 0..1_000_000_000u32).prop_map(|(secs, nanos)| Timestamp { secs, nanos });
    let xattrs = proptest::option::of(ids());
    (0..=0o7777u16, times, xattrs).prop_map(|(mode, mtime, xattrs)| Attributes { mode, mtime, xattrs })
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..40).prop_filter("no path component", |bytes| FileName::new(bytes.as_slice()).is_ok())
}

/// Nodes as a store keeps them.
#[derive(Default)]
struct Nodes(HashMap<ChunkId, Vec<u8>>);

impl Nodes {
    fn put(&mut self, node: &[u8]) -> gamevault::Result<ChunkId> {
        self.0.insert(ChunkId::of(node), node.to_vec());
        Ok(ChunkId::of(node))
    }

    fn entries(&self, page: ChunkId) -> Vec<Entry> {
        match Page::decode(&self.0[&page]).unwrap() {
            Page::Leaf(entries) => entries,
            Page::Index(refs) => refs.iter().flat_map(|below| self.entries(below.id)).collect(),
        }
    }

    fn items(&self, id: ChunkId, depth: u8) -> Vec<ListItem> {
        let list = List::decode(&self.0[&id]).unwrap();
        assert_eq!(list.depth, depth);
        let below = |item: &ListItem| match item.id {
            Some(id) if depth > 1 => self.items(id, depth - 1),
            _ => vec![*item],
        };
        list.items().iter().flat_map(below).collect()
    }
}

#[test]
fn every_directory_survives_its_encoding() {
    check_all(&btree_map(names(), (attributes(), kinds()), 0..1_500), |named| {
        let entry =
            |(name, (attributes, kind)): (Vec<u8>, _)| Entry { name: FileName::new(name).unwrap(), attributes, kind };
        let entries: Vec<Entry> = named.into_iter().map(entry).collect();
        let (mut nodes, mut totals) = (Nodes::default(), Totals::default());
        entries.iter().for_each(|entry| totals.add(entry));
        let directory = encode_directory(&entries, &mut |node| nodes.put(node)).unwrap();
        prop_assert_eq!(directory.totals, totals);
        prop_assert!(nodes.entries(directory.id) == entries);
        Ok(())
    });
}

#[test]
fn every_list_of_content_survives_its_encoding() {
    let items = (1..1u64 << 32, proptest::option::weighted(0.9, ids())).prop_map(|(len, id)| ListItem { len, id });
    check_all(&vec(items, 0..3_000), |items| {
        let (mut nodes, mut list) = (Nodes::default(), ListBuilder::new());
        for &item in &items {
            list.push(item, &mut |node| nodes.put(node)).unwrap();
        }
        let content = list.finish(&mut |node| nodes.put(node)).unwrap();
        prop_assert_eq!(content.size, items.iter().map(|item| item.len).sum::<u64>());
        let back = match content.root {
            ContentRoot::Empty => Vec::new(),
            ContentRoot::Chunk(id) => vec![ListItem { len: content.size, id: Some(id) }],
            ContentRoot::List { id, depth } => nodes.items(id, depth),
        };
        prop_assert!(back == items);
        Ok(())
    });
}

#[test]
fn every_set_of_xattrs_survives_its_encoding() {
    check_all(&btree_map(vec(any::<u8>(), 0..30), vec(any::<u8>(), 0..300), 0..40), |set| {
        let set = XattrSet(set);
        prop_assert_eq!(XattrSet::decode(&set.encode()).unwrap(), set);
        Ok(())
    });
}
