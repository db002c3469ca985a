//! Milestones: set, annotated, protected, renamed, read back, and folders that are rolled back to them.

use crate::support::{Scene, Tree, assert_same, make_game, read_tree, unprotect, write};
use gamevault::ErrorKind;
use gamevault::catalogue::Certificate;
use gamevault::disk::host::{self, HostKind};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, RollBackOptions};
use std::fs;
use std::path::Path;

fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

/// A scene with the builds 1 and 2 of the folder `game`.
fn with_two_builds() -> Scene {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    write(&scene.path("game/new.txt"), b"new");
    scene.snapshot("game");
    scene
}

fn set(scene: &Scene, milestone: &str, build: &str) {
    let build = scene.vault.build(build).unwrap();
    scene.vault.set_milestone(&name(milestone), &build, &Annotation::default(), false).unwrap();
}

#[test]
fn a_moved_milestone_remembers_where_it_was_and_what_was_said_of_it() {
    let scene = with_two_builds();
    let first = scene.vault.build("1").unwrap();
    let annotation = Annotation {
        message: Some("it plays".into()),
        tags: vec!["demo".into(), "demo".into(), "show".into()],
        meta: [("store".to_owned(), "itch".to_owned())].into(),
        notes: Some("# Notes\n".into()),
        ..Annotation::default()
    };
    let alpha = scene.vault.set_milestone(&name("alpha-1"), &first, &annotation, false).unwrap();
    assert_eq!(alpha.kind.as_deref(), Some("alpha"));
    assert_eq!(alpha.tags, ["demo", "show"]);
    let second = scene.vault.build("2").unwrap();
    let taken = scene.vault.set_milestone(&name("ALPHA-1"), &second, &Annotation::default(), false);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Exists);
    let moved = scene.vault.set_milestone(&name("ALPHA-1"), &second, &Annotation::default(), true).unwrap();
    assert_eq!((moved.build.0, moved.name.as_str(), moved.notes.as_deref()), (2, "alpha-1", Some("# Notes\n")));
    assert_eq!(moved.earlier.len(), 1);
    assert_eq!((moved.earlier[0].build.0, moved.earlier[0].from), (1, alpha.created));
    assert_eq!(moved.earlier[0].until, moved.created);
    let change = Annotation {
        remove_tags: vec!["demo".into()],
        meta: [("store".to_owned(), String::new())].into(),
        message: Some(String::new()),
        ..Annotation::default()
    };
    let changed = scene.vault.annotate_milestone(&name("alpha-1"), &change).unwrap();
    assert_eq!((changed.created, changed.set_serial()), (moved.created, moved.serial));
    assert_eq!((changed.tags, changed.meta.len(), changed.message), (vec!["show".to_owned()], 0, None));
}

#[test]
fn protected_milestones_stay_where_they_are() {
    let scene = with_two_builds();
    set(&scene, "beta", "1");
    scene.vault.protect_milestone(&name("beta"), true).unwrap();
    let second = scene.vault.build("2").unwrap();
    let vault = &scene.vault;
    let refused = [
        vault.set_milestone(&name("beta"), &second, &Annotation::default(), true).map(drop),
        vault.rename_milestone(&name("beta"), &name("gamma")).map(drop),
        vault.remove_milestone(&name("beta")),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotPermitted);
        assert!(error.hint().unwrap().contains("protect beta --off"), "{error}");
    }
    let notes = Annotation { notes: Some("still".into()), ..Annotation::default() };
    assert!(vault.annotate_milestone(&name("beta"), &notes).unwrap().protected);
    vault.protect_milestone(&name("beta"), false).unwrap();
    vault.remove_milestone(&name("beta")).unwrap();
}

#[test]
fn what_is_known_of_milestones_survives_a_lost_catalogue() {
    let scene = with_two_builds();
    for (milestone, build) in [("first", "1"), ("second", "2"), ("third", "1")] {
        set(&scene, milestone, build);
    }
    let vault = &scene.vault;
    vault.rename_milestone(&name("second"), &name("renamed")).unwrap();
    vault.verify_milestone(&name("renamed"), &Progress::new()).unwrap();
    vault.remove_milestone(&name("third")).unwrap();
    let second = vault.build("2").unwrap();
    vault.set_milestone(&name("first"), &second, &Annotation::default(), true).unwrap();
    vault.protect_milestone(&name("first"), true).unwrap();
    let before = vault.milestones().unwrap();
    assert_eq!(before.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["renamed", "first"]);
    let Scene { dir, vault } = scene;
    let path = vault.dir().to_owned();
    drop(vault);
    fs::remove_file(path.join("catalogue.db")).unwrap();
    gamevault::Vault::repair(&path, &Progress::new()).unwrap();
    let vault = gamevault::Vault::open(&path).unwrap();
    assert_eq!(vault.milestones().unwrap(), before);
    drop(dir);
}

#[test]
fn names_that_are_taken_are_not_given_twice() {
    let scene = with_two_builds();
    set(&scene, "one", "1");
    set(&scene, "two", "2");
    let taken = scene.vault.rename_milestone(&name("one"), &name("TWO")).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
    // Another spelling of its own name is free.
    assert_eq!(scene.vault.rename_milestone(&name("one"), &name("ONE")).unwrap().name.as_str(), "ONE");
    assert_eq!(scene.vault.milestones().unwrap().len(), 2);
}

/// The hash that a certificate has, made from a folder by other means.
fn hash_of(folder: &Path) -> String {
    fn visit(folder: &Path, prefix: &[u8], lines: &mut Vec<u8>) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<_> = entries.map(|entry| (host::file_name_of(&entry.file_name()).unwrap(), entry)).collect();
        names.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        for (name, entry) in names {
            let (path, shown) = (entry.path(), [prefix, name.as_bytes()].concat());
            let (kind, bytes) = match host::stat_of(&path).unwrap().kind {
                HostKind::Symlink => ("l", Some(host::read_link(&path).unwrap())),
                HostKind::File => ("f", Some(fs::read(&path).unwrap())),
                _ => ("d", None),
            };
            let hash = bytes.map(|bytes| format!(" {}", blake3::hash(&bytes).to_hex())).unwrap_or_default();
            lines.extend_from_slice(format!("{kind}{hash} ").as_bytes());
            lines.extend_from_slice(&shown);
            lines.push(b'\n');
            if kind == "d" {
                visit(&path, &[&shown[..], b"/"].concat(), lines);
            }
        }
    }
    let mut lines = Vec::new();
    visit(folder, b"", &mut lines);
    blake3::hash(&lines).to_hex().to_string()
}

#[test]
fn a_certificate_tells_folders_and_builds_that_are_the_same() {
    let scene = with_two_builds();
    let game = scene.path("game");
    // Sorted by whole paths these would stand in another order.
    for path in ["a/inner", "a.b", "a b/x"] {
        write(&game.join(path), path.as_bytes());
    }
    scene.snapshot("game");
    set(&scene, "gold", "3");
    let milestone = scene.vault.verify_milestone(&name("gold"), &Progress::new()).unwrap();
    let certificate = milestone.certificate.clone().unwrap();
    assert_eq!(certificate.content_hash.to_string(), hash_of(&game));
    assert_eq!(certificate.annotations_hash, milestone.annotations_hash());
    let text = serde_json::to_string(&certificate).unwrap();
    let certificate: Certificate = serde_json::from_str(&text).unwrap();
    let progress = Progress::new();
    assert!(scene.vault.check_certificate(&certificate, &progress).unwrap().holds);
    assert!(certificate.check_folder(&game, &progress).unwrap().holds);
    // One byte, with the same size and time.
    write(&game.join("a.b"), b"a.c");
    let check = certificate.check_folder(&game, &progress).unwrap();
    assert!(!check.holds && check.differences[0].contains("names or bytes"), "{check:?}");
    fs::remove_file(game.join("a.b")).unwrap();
    let check = certificate.check_folder(&game, &progress).unwrap();
    assert!(check.differences[0].contains("instead of"), "{check:?}");
}

#[test]
fn an_interrupted_reading_goes_on_and_finds_the_same() {
    let scene = Scene::new();
    for index in 0..5000 {
        write(&scene.path("game").join(format!("{:02}/{index}", index % 50)), format!("file {index}").as_bytes());
    }
    scene.snapshot("game");
    set(&scene, "beta", "1");
    let progress = Progress::new();
    let stop = std::thread::scope(|scope| {
        let reading = scope.spawn(|| scene.vault.verify_milestone(&name("beta"), &progress));
        while progress.read().files_done < 4500 && !reading.is_finished() {
            std::hint::spin_loop();
        }
        progress.cancel();
        reading.join().unwrap()
    });
    assert_eq!(stop.unwrap_err().kind(), ErrorKind::Interrupted);
    let notes = scene.vault.dir().join("certify/1");
    let kept = fs::read(&notes).unwrap();
    assert_eq!(kept.len(), 40 + 4 + 4096 * 32 + 32);
    let looked_at = |scene: &Scene| {
        let counts = scene.vault.store().read_counts();
        counts.cache_hits + counts.cache_misses
    };
    let found = |scene: &Scene| {
        let before = looked_at(scene);
        let certificate = scene.vault.verify_milestone(&name("beta"), &Progress::new()).unwrap().certificate.unwrap();
        let after = looked_at(scene);
        assert!(!notes.exists());
        (certificate.content_hash.to_string(), after - before)
    };
    let (resumed, few) = found(&scene);
    let (anew, many) = found(&scene);
    assert_eq!((&resumed, &anew), (&hash_of(&scene.path("game")), &resumed));
    assert!(few < many / 3, "{few} and {many} chunks");
    // What was torn while it was written counts as not written.
    for torn in [kept.len() - 1, 3000, 41, 40, 12, 0] {
        fs::write(&notes, &kept[..torn]).unwrap();
        assert_eq!(found(&scene).0, anew);
    }
    let mut flipped = kept;
    flipped[1000] ^= 1;
    fs::write(&notes, &flipped).unwrap();
    assert_eq!(found(&scene).0, anew);
}

#[test]
fn a_damaged_build_gets_no_certificate() {
    let scene = with_two_builds();
    set(&scene, "beta", "2");
    unprotect(scene.vault.dir());
    let packs = crate::support::folder::leaves(&scene.vault.dir().join("packs"));
    let largest = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    let mut bytes = fs::read(largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(largest, bytes).unwrap();
    let scene = scene.reopen();
    let error = scene.vault.verify_milestone(&name("beta"), &Progress::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(scene.vault.milestone(&name("beta")).unwrap().certificate, None);
}

/// Leaves out some paths: folders whose times the test itself changes, and what is in no build.
fn without(mut tree: Tree, paths: &[&str]) -> Tree {
    tree.retain(|path, _| !paths.iter().any(|other| other.as_bytes() == path));
    tree
}

#[test]
fn a_folder_is_rolled_back_in_place_and_forth_again() {
    let scene = with_two_builds();
    let game = scene.path("game");
    let first = scene.vault.build("1").unwrap();
    write(&game.join("more/deep/file"), b"of today");
    write(&game.join(".gamevaultignore"), b"cache/\n");
    write(&game.join("cache/kept"), b"kept");
    write(&game.join("more/cache/kept"), b"kept, too");
    let _ = fs::remove_file(game.join("new.txt"));
    fs::create_dir(game.join("new.txt")).unwrap();
    write(&game.join("new.txt/inside"), b"a folder now");
    let before = read_tree(&game);
    let left_out = ["", "/cache", "/cache/kept", "/more", "/more/cache", "/more/cache/kept"];
    let options = RollBackOptions::default();
    let report = scene.vault.roll_back(&first, &game, &options, &Progress::new()).unwrap();
    assert!(report.removed > 0);
    // What no snapshot sees is there still.
    assert_eq!(fs::read(game.join("cache/kept")).unwrap(), b"kept");
    assert_eq!(fs::read(game.join("more/cache/kept")).unwrap(), b"kept, too");
    fs::remove_dir_all(game.join("cache")).unwrap();
    fs::remove_dir_all(game.join("more")).unwrap();
    assert_same(&without(read_tree(&game), &left_out), &without(scene.restored("1", "as-first"), &left_out));
    let undo = scene.vault.build_before_roll_back(&game).unwrap();
    assert_eq!(undo.number, report.before.number);
    scene.vault.roll_back(&undo, &game, &options, &Progress::new()).unwrap();
    assert_same(&without(read_tree(&game), &left_out), &without(before, &left_out));
}

#[test]
fn rolling_back_writes_only_what_differs() {
    let scene = with_two_builds();
    let game = scene.path("game");
    let inode = |name: &str| {
        let path = game.join(name);
        host::stat_of(&path).unwrap().key.inode
    };
    write(&game.join("same.bin"), &[7; 5000]);
    write(&game.join("other.bin"), &[8; 5000]);
    let wanted = scene.snapshot("game").build;
    let same = inode("same.bin");
    write(&game.join("other.bin"), &[9; 5000]);
    let report = scene.vault.roll_back(&wanted, &game, &RollBackOptions::default(), &Progress::new()).unwrap();
    assert_eq!((report.written.files, report.written.bytes, report.removed), (1, 5000, 0));
    assert_eq!(inode("same.bin"), same);
    let nowhere = scene.vault.build_before_roll_back(&scene.path("elsewhere")).unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
}
