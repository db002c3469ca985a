//! Whatever a folder holds and however it changes, every build is the folder as it was.

use crate::support::folder::{edit_randomly, make_random};
use crate::support::seed::{random, seed};
use crate::support::{Kept, Scene, Tree, assert_same, read_tree};
use gamevault::compare::{Change, ChangeKind};
use rand::RngExt;

/// Folders that are tried, and builds of each.
const FOLDERS: u64 = 3;
const BUILDS: usize = 6;

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
            assert_eq!(diff.changes, plain_diff(&trees[old], &trees[new]), "from {} to {}", old + 1, new + 1);
        }
    }
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
        Some(Change { path: shown, kind, old_size: size(was), new_size: size(is) })
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
