//! Trees of somebody with bad intent: nothing that is restored leaves its folder.

use crate::support::Scene;
use gamevault::catalogue::Build;
use gamevault::id::ChunkId;
use gamevault::manifest::{
    Attributes, Content, ContentRoot, Directory, Entry, EntryKind, Timestamp, Totals, encode_directory,
};
use gamevault::name::FileName;
use gamevault::progress::Progress;
use gamevault::store::Class;
use gamevault::vault::{RestoreOptions, RollBackOptions};
use gamevault::{ErrorKind, Result};
use std::fs;
use std::path::PathBuf;

/// A vault with a sound build, and a folder beside all that is restored.
struct Trap {
    scene: Scene,
    build: Build,
}

impl Trap {
    fn new() -> Trap {
        let scene = Scene::new();
        crate::support::write(&scene.path("game/file"), b"sound");
        let build = scene.snapshot("game").build;
        fs::create_dir(scene.path("outside")).unwrap();
        Trap { scene, build }
    }

    fn put(&self, bytes: &[u8]) -> ChunkId {
        self.scene.vault.store().put(bytes, Class::Tree).unwrap().id
    }

    /// Stores a directory with these entries, which must be in order.
    fn directory(&self, entries: &[Entry]) -> Directory {
        encode_directory(entries, &mut |node| Ok(self.put(node))).unwrap()
    }

    /// Stores a directory of two pages, each in order in itself.
    fn two_pages(&self, first: &[Entry], second: &[Entry]) -> Directory {
        let (first, second) = ((b"a", self.directory(first)), (b"b", self.directory(second)));
        let mut index = vec![0xD2, 1, 2];
        for (name, page) in [first, second] {
            index.extend([&[1], &name[..], &page.id.0[..], &[page.totals.entries as u8, 1, 1]].concat());
        }
        let totals = Totals { entries: first.1.totals.entries + second.1.totals.entries, files: 2, bytes: 2 };
        Directory { id: self.put(&index), totals }
    }

    fn file(&self, name: &str) -> Entry {
        let root = ContentRoot::Chunk(self.scene.vault.store().put(b"evil", Class::Data).unwrap().id);
        entry(name.as_bytes(), EntryKind::File(Content { size: 4, root }))
    }

    fn link_out(&self, name: &str) -> Entry {
        entry(name.as_bytes(), EntryKind::Symlink(b"../outside"[..].into()))
    }

    fn build_of(&self, root: Directory) -> Build {
        Build { root, ..self.build.clone() }
    }

    fn restore(&self, root: Directory, overwrite: bool) -> Result<PathBuf> {
        let dest = self.scene.path(&format!("dest-{overwrite}"));
        let options = RestoreOptions { overwrite, ..RestoreOptions::default() };
        self.scene.vault.restore(&self.build_of(root), &dest, &options, &Progress::new()).map(|_| dest)
    }

    /// All that was written lies in the folders for it.
    fn assert_nothing_left(&self) {
        assert_eq!(fs::read_dir(self.scene.path("outside")).unwrap().count(), 0, "something was written outside");
        for entry in fs::read_dir(self.scene.dir.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_known = ["vault", "game", "outside"].contains(&name.as_str()) || name.starts_with("dest-");
            assert!(is_known, "{name} was written beside the folders");
        }
    }
}

fn entry(name: &[u8], kind: EntryKind) -> Entry {
    let attributes = Attributes { mode: 0o755, mtime: Timestamp { secs: 7, nanos: 0 }, xattrs: None };
    Entry { name: FileName::new(name).unwrap(), attributes, kind }
}

/// Returns the bytes of a leaf with one empty file of this name, as [`encode_directory`] would write it.
fn leaf_with(name: &[u8]) -> Vec<u8> {
    let sound = entry(&vec![b'x'; name.len()], EntryKind::File(Content::EMPTY));
    let mut leaf = Vec::new();
    encode_directory(&[sound], &mut |node| {
        leaf = node.to_vec();
        Ok(ChunkId::of(node))
    })
    .unwrap();
    let at = leaf.iter().position(|byte| *byte == b'x').unwrap();
    leaf[at..at + name.len()].copy_from_slice(name);
    leaf
}

#[test]
fn names_that_climb_are_no_manifest() {
    let trap = Trap::new();
    for name in [&b".."[..], b".", b"../outside/file", b"/etc/passwd", b"a/b", b"nul\0"] {
        let totals = Totals { entries: 1, files: 1, bytes: 0 };
        let root = Directory { id: trap.put(&leaf_with(name)), totals };
        assert_eq!(trap.restore(root, true).unwrap_err().kind(), ErrorKind::Corrupt, "{name:?}");
    }
    trap.assert_nothing_left();
}

/// A folder, and in the next page a link of its name: what goes into the folder would go where the link leads.
#[test]
fn a_name_that_comes_again_is_no_manifest() {
    for is_link_first in [false, true] {
        for overwrite in [false, true] {
            let trap = Trap::new();
            let inside = trap.directory(&[trap.file("stolen")]);
            let folder = entry(b"same", EntryKind::Directory(inside));
            let (first, second) = match is_link_first {
                true => (trap.link_out("same"), folder),
                false => (folder, trap.link_out("same")),
            };
            let root = trap.two_pages(&[first], &[second]);
            let error = trap.restore(root, overwrite).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "link first {is_link_first}, overwrite {overwrite}: {error}");
            trap.assert_nothing_left();
        }
    }
}

#[test]
fn a_folder_that_is_rolled_back_writes_nothing_through_links() {
    let trap = Trap::new();
    fs::create_dir_all(trap.scene.path("dest-back/same")).unwrap();
    let inside = trap.directory(&[trap.file("stolen")]);
    let root = trap.two_pages(&[entry(b"same", EntryKind::Directory(inside))], &[trap.link_out("same")]);
    let dest = trap.scene.path("dest-back");
    let back = trap.scene.vault.roll_back(&trap.build_of(root), &dest, &RollBackOptions::default(), &Progress::new());
    assert_eq!(back.unwrap_err().kind(), ErrorKind::Corrupt);
    trap.assert_nothing_left();
}

/// Names that some systems take for devices, drives, streams, or for each other: each is written as it is, or under a name of its own.
#[test]
fn names_that_mean_something_elsewhere_stay_in_their_folder() {
    let trap = Trap::new();
    let names = [
        "..\\..\\outside\\file",
        ".. ",
        "...",
        "AUX",
        "C:",
        "C:\\outside\\file",
        "COM1.txt",
        "CON",
        "NUL.tar.gz",
        "\\\\server\\share",
        "a",
        "a ",
        "a.",
        "caf\u{e9}",
        "cafe\u{301}",
        "file::$DATA",
        "file:stream",
        "\u{ff0e}\u{ff0e}",
        "\u{2215}etc",
    ];
    let mut names: Vec<&str> = names.to_vec();
    names.sort_unstable();
    let entries: Vec<Entry> = names.iter().map(|name| trap.file(name)).collect();
    let dest = trap.restore(trap.directory(&entries), false).unwrap();
    let mut written: Vec<_> = fs::read_dir(&dest).unwrap().map(|entry| entry.unwrap()).collect();
    written.retain(|entry| entry.file_type().unwrap().is_file() && fs::read(entry.path()).unwrap() == b"evil");
    // A file system may take the two spellings of é for one name, and Windows writes some names in another way.
    assert!(written.len() >= names.len() - 1, "{} of {} names were written", written.len(), names.len());
    trap.assert_nothing_left();
}

/// Where the destination does not tell `Data` from `data`, the folder of the one must not become the link of the other.
#[test]
fn names_that_differ_by_case_alone_stay_in_their_folder() {
    for overwrite in [false, true] {
        let trap = Trap::new();
        let inside = trap.directory(&[trap.file("stolen")]);
        let root = trap.directory(&[entry(b"Data", EntryKind::Directory(inside)), trap.link_out("data")]);
        // A destination that tells them apart has both.
        let restored = trap.restore(root, overwrite);
        if let Ok(dest) = &restored {
            assert_eq!(fs::read(dest.join("Data/stolen")).unwrap(), b"evil");
        }
        trap.assert_nothing_left();
    }
}

/// What a link inside the tree leads to is never written: a file below a link of an earlier restore replaces the link by a folder.
#[cfg(unix)]
#[test]
fn links_of_an_earlier_restore_are_replaced() {
    let trap = Trap::new();
    let inside = trap.directory(&[trap.file("stolen")]);
    let linked = trap.directory(&[trap.link_out("same")]);
    trap.restore(linked, true).unwrap();
    let dest = trap.restore(trap.directory(&[entry(b"same", EntryKind::Directory(inside))]), true).unwrap();
    assert!(fs::symlink_metadata(dest.join("same")).unwrap().is_dir());
    assert_eq!(fs::read(dest.join("same/stolen")).unwrap(), b"evil");
    // A file in the place of a link replaces it, and not what it leads to.
    let linked = trap.directory(&[trap.link_out("other")]);
    trap.restore(linked, true).unwrap();
    let dest = trap.restore(trap.directory(&[trap.file("other")]), true).unwrap();
    assert!(fs::symlink_metadata(dest.join("other")).unwrap().is_file());
    trap.assert_nothing_left();
}
