//! Damage is found and named, and never becomes wrong bytes.

use crate::support::seed::seed;
use crate::support::{Scene, flips, make_game, read_tree, unprotect};
use gamevault::progress::Progress;
use gamevault::vault::{RestoreOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use std::fs;
use std::path::{Path, PathBuf};

fn packs(scene: &Scene) -> Vec<PathBuf> {
    let mut packs = Vec::new();
    for folder in fs::read_dir(scene.path("vault/packs")).unwrap() {
        let folder = folder.unwrap().path();
        if folder.is_dir() {
            packs.extend(fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()));
        }
    }
    packs.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    packs
}

fn flip(path: &Path, offset: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset as usize] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn problems(vault: &Vault) -> Vec<String> {
    vault.verify(&VerifyOptions { read_data: true, ..VerifyOptions::default() }, &Progress::new()).unwrap().problems
}

/// Without recovery data: that is what `recovery.rs` is about.
fn scene_with_a_game() -> Scene {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    unprotect(&scene.path("vault"));
    scene.reopen()
}

#[test]
fn a_sound_vault_has_no_problems() {
    let scene = scene_with_a_game();
    assert!(problems(&scene.vault).is_empty());
}

#[test]
fn a_flipped_byte_anywhere_in_a_pack_is_found() {
    for part in 0..12 {
        let scene = scene_with_a_game();
        let pack = packs(&scene).remove(0);
        let len = fs::metadata(&pack).unwrap().len();
        flip(&pack, [0, 9, 20, 40, 70, len / 3, len / 2, len - 300, len - 60, len - 50, len - 20, len - 1][part]);
        let scene = scene.reopen();
        assert!(!problems(&scene.vault).is_empty(), "part {part}");
    }
}

#[test]
fn damaged_data_is_named_with_its_build_and_path_and_never_restored_wrong() {
    let scene = scene_with_a_game();
    let original = read_tree(&scene.path("game"));
    let pack = packs(&scene).remove(0);
    flip(&pack, fs::metadata(&pack).unwrap().len() / 2);
    let scene = scene.reopen();
    let problems = problems(&scene.vault);
    assert_eq!(problems.len(), 1, "{problems:?}");
    // Which of the large files lies there depends on the order in which threads stored them.
    let is_named = |path: &&&str| problems[0].contains(&format!("1:{path}"));
    let damaged = ["data/level1.pak", "data/level2.pak", "bin/game"].iter().find(is_named).expect("a file is named");
    assert!(problems[0].contains("pack "), "{problems:?}");
    let build = scene.vault.build("1").unwrap();
    let error = scene.vault.restore(&build, &scene.path("back"), &RestoreOptions::default(), &Progress::new());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let name = Path::new(damaged).file_name().unwrap().to_str().unwrap();
    assert!(error.message().contains(name), "{error}");
    for (path, kept) in read_tree(&scene.path("back")) {
        assert!(kept.kind != "file" || kept.bytes == original[&path].bytes);
    }
}

#[test]
fn missing_and_shortened_packs_are_found_and_reads_fail_cleanly() {
    for cut in [None, Some(0), Some(31), Some(1000)] {
        let scene = scene_with_a_game();
        for pack in packs(&scene).into_iter().take(1) {
            match cut {
                None => fs::remove_file(&pack).unwrap(),
                Some(len) => fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(len).unwrap(),
            }
        }
        let scene = scene.reopen();
        assert!(!problems(&scene.vault).is_empty(), "{cut:?}");
        let build = scene.vault.build("1").unwrap();
        let error = scene.vault.restore(&build, &scene.path("back"), &RestoreOptions::default(), &Progress::new());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Corrupt, "{cut:?}");
    }
}

#[test]
fn a_pack_without_its_footer_is_repaired_entry_by_entry() {
    let scene = scene_with_a_game();
    let original = read_tree(&scene.path("game"));
    for pack in packs(&scene) {
        let len = fs::metadata(&pack).unwrap().len();
        fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(len - 10).unwrap();
    }
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!(report.builds, 1, "{:?}", report.problems);
    assert!(!report.problems.is_empty());
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    crate::support::assert_same(&original, &scene.restored("1", "back"));
}

#[test]
fn a_damaged_catalogue_is_refused_with_the_way_out() {
    let scene = scene_with_a_game();
    let Scene { dir, vault } = scene;
    drop(vault);
    let vault_dir = dir.path().join("vault");
    fs::write(vault_dir.join("catalogue.db"), b"this is no database, whatever its name says").unwrap();
    let error = Vault::open(&vault_dir).err().expect("the catalogue is damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.hint().unwrap().contains("repair"));
    Vault::repair(&vault_dir, &Progress::new()).unwrap();
    assert!(problems(&Vault::open(&vault_dir).unwrap()).is_empty());
}

/// The suite's share of a stress test.
#[test]
fn flipped_bits_are_found_or_do_no_harm() {
    flips::flip_bits(seed(), 15);
}

/// Tools that copy files alone (archives, object stores) leave empty folders out: the vault could not be opened then,
/// nor repaired.
#[test]
fn a_vault_whose_empty_folders_and_locks_were_lost_opens_and_works() {
    let scene = scene_with_a_game();
    let original = read_tree(&scene.path("game"));
    let Scene { dir, vault } = scene;
    drop(vault);
    let vault_dir = dir.path().join("vault");
    for folder in ["packs/open", "spool", "run"] {
        fs::remove_dir(vault_dir.join(folder)).unwrap();
    }
    for lock in ["lock", "packs/lock"] {
        fs::remove_file(vault_dir.join(lock)).unwrap();
    }
    Vault::repair(&vault_dir, &Progress::new()).unwrap();
    let scene = Scene { vault: Vault::open(&vault_dir).unwrap(), dir };
    assert_eq!(scene.snapshot("game").build.number.0, 2);
    crate::support::assert_same(&original, &scene.restored("1", "back"));
    assert!(problems(&scene.vault).is_empty());
}
