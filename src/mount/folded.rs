//! Names that differ in case or in their Unicode form alone, as macOS compares them.
//!
//! A name that is there as it was asked for goes first, so that of several that are the same here each can be reached. What
//! has no exact name is looked for among all names of its folder.

use crate::error::Result;
use crate::name::fold;
use crate::tree::{Attr, DirEntry, Looking, NodeId, Tree};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Returns `name` with its letters and accents in one, as Windows and Linux write them; as it is if it is no text.
pub(super) fn composed(name: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(name) {
        Ok(text) if is_nfc_quick(text.chars()) != IsNormalized::Yes => text.nfc().collect::<String>().into_bytes(),
        _ => name.to_vec(),
    }
}

/// Returns what `name` stands for in `directory`, counted as one lookup; `None` when nothing is called so.
///
/// # Errors
/// As [`Tree::lookup`].
pub(super) fn lookup(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Attr>> {
    if let Some(attr) = tree.lookup(directory, name)? {
        return Ok(Some(attr));
    }
    match listed(tree, directory, name)? {
        Some(name) => tree.lookup(directory, &name),
        None => Ok(None),
    }
}

/// Returns the name of the entry of `directory` that `name` stands for.
///
/// # Errors
/// As [`Tree::lookup`].
pub(super) fn existing(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Vec<u8>>> {
    match tree.lookup(directory, name)? {
        Some(attr) => {
            tree.forget(attr.node, 1);
            Ok(Some(name.to_vec()))
        }
        None => listed(tree, directory, name),
    }
}

/// Returns what an entry is called that is renamed from `from` to `name`, which may be another way to write itself.
///
/// # Errors
/// As [`Tree::lookup`].
pub(super) fn renamed(tree: &Tree, from: (NodeId, &[u8]), directory: NodeId, name: &[u8]) -> Result<Vec<u8>> {
    let replaced = existing(tree, directory, name)?;
    Ok(replaced.filter(|replaced| from != (directory, replaced)).unwrap_or_else(|| composed(name)))
}

/// Returns the first name in `directory` that is the same as `name`.
fn listed(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Vec<u8>>> {
    let Some(wanted) = fold(name) else { return Ok(None) };
    let mut found = None;
    tree.list(directory, 0, Looking::Uncounted, &mut |DirEntry { name, .. }| {
        if fold(name).as_ref() == Some(&wanted) {
            found = Some(name.to_vec());
        }
        found.is_none()
    })?;
    Ok(found)
}

// Other systems cannot make the files of which one name stands for several.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::progress::Progress;
    use crate::vault::{SnapshotOptions, Vault};
    use std::sync::Arc;

    const COMPOSED: &str = "Grün.PNG";
    const DECOMPOSED: &str = "Gru\u{308}n.PNG";

    #[test]
    fn accents_are_composed() {
        assert_eq!(composed(DECOMPOSED.as_bytes()), COMPOSED.as_bytes());
        assert_eq!(composed(b"caf\xe9"), b"caf\xe9");
    }

    /// Returns the tree of a vault with one build that holds these files, and the node of the build.
    fn tree(dir: &std::path::Path, files: &[&str]) -> (Tree, NodeId) {
        let game = dir.join("game");
        std::fs::create_dir(&game).unwrap();
        files.iter().for_each(|name| std::fs::write(game.join(name), name).unwrap());
        let vault = Arc::new(Vault::init(&dir.join("vault")).unwrap());
        vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).unwrap();
        let tree = Tree::new(vault, Box::new(|_| ()));
        let builds = tree.lookup(NodeId::ROOT, b"builds").unwrap().unwrap().node;
        let build = tree.lookup(builds, b"1").unwrap().unwrap().node;
        (tree, build)
    }

    #[test]
    fn a_name_is_found_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, build) = tree(dir.path(), &[COMPOSED, "Level.pak", "level.pak"]);
        for name in [COMPOSED, DECOMPOSED, "GRÜN.png"] {
            assert_eq!(existing(&tree, build, name.as_bytes()).unwrap().unwrap(), COMPOSED.as_bytes());
            assert!(lookup(&tree, build, name.as_bytes()).unwrap().is_some(), "{name}");
        }
        for name in ["Level.pak", "level.pak"] {
            assert_eq!(existing(&tree, build, name.as_bytes()).unwrap().unwrap(), name.as_bytes());
        }
        assert_eq!(existing(&tree, build, b"LEVEL.PAK").unwrap().unwrap(), b"Level.pak", "the first");
        assert!(lookup(&tree, build, b"other").unwrap().is_none() && lookup(&tree, build, b"\xff").unwrap().is_none());
    }

    #[test]
    fn a_new_way_to_write_a_name_is_taken_and_another_entry_keeps_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, build) = tree(dir.path(), &["readme.md", "b"]);
        assert_eq!(renamed(&tree, (build, b"readme.md"), build, b"README.md").unwrap(), b"README.md");
        assert_eq!(renamed(&tree, (build, b"b"), build, b"README.md").unwrap(), b"readme.md", "that one is replaced");
        assert_eq!(renamed(&tree, (build, b"b"), build, DECOMPOSED.as_bytes()).unwrap(), COMPOSED.as_bytes());
    }
}
