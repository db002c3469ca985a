//! Packs are the truth: the catalogue can be lost.

use crate::support::{Scene, assert_same, make_game, read_tree, settle, write};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use gamevault::{ErrorKind, Vault};
use std::fs;

#[test]
fn a_deleted_catalogue_is_rebuilt_with_every_build_and_milestone() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let mut options = SnapshotOptions { id: Some(RefName::new("0.1").unwrap()), ..SnapshotOptions::default() };
    options.info.message = Some("the first".into());
    options.info.tags = vec!["demo".into()];
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
    write(&scene.path("game/data/many/file1"), b"changed");
    settle();
    let second = read_tree(&scene.path("game"));
    scene.snapshot("game");
    for (name, build) in [("alpha", "1"), ("beta", "2"), ("gone", "2")] {
        let build = scene.vault.build(build).unwrap();
        scene.vault.set_milestone(&RefName::new(name).unwrap(), &build, None, vec![], false).unwrap();
    }
    scene.vault.remove_milestone(&RefName::new("gone").unwrap()).unwrap();
    let (builds, milestones) = (scene.vault.builds().unwrap(), scene.vault.milestones().unwrap());
    let Scene { dir, vault } = scene;
    drop(vault);
    let vault_dir = dir.path().join("vault");
    for file in fs::read_dir(&vault_dir).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_string_lossy().starts_with("catalogue") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    let lost = Vault::open(&vault_dir).err().expect("there is no catalogue");
    assert_eq!(lost.kind(), ErrorKind::NotFound);
    assert!(lost.hint().unwrap().contains("repair"));
    let report = Vault::repair(&vault_dir, &Progress::new()).unwrap();
    assert_eq!((report.builds, report.milestones, report.problems.len()), (2, 2, 0));
    let scene = Scene { dir, vault: Vault::open(&vault_dir).unwrap() };
    assert_eq!(scene.vault.builds().unwrap(), builds);
    assert_eq!(scene.vault.milestones().unwrap(), milestones);
    assert_same(&second, &scene.restored("2", "back"));
    // Numbers and serials go on where they were.
    assert_eq!(scene.snapshot("game").build.number.0, 3);
    let set = scene.vault.set_milestone(&RefName::new("next").unwrap(), &builds[0], None, vec![], false).unwrap();
    assert_eq!(set.serial, 5);
}

#[test]
fn a_vault_in_use_is_not_repaired() {
    let scene = Scene::new();
    let busy = Vault::repair(&scene.path("vault"), &Progress::new()).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy);
}

#[test]
fn a_build_whose_record_was_written_but_not_published_is_kept_under_a_new_name() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"one");
    scene.snapshot("game");
    let mut stray = scene.vault.build("1").unwrap();
    stray.created.secs += 1;
    scene.vault.store().write_records(&[gamevault::catalogue::Record::Build(Box::new(stray))]).unwrap();
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!((report.builds, report.problems.len()), (2, 1), "{:?}", report.problems);
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    let ids: Vec<String> = scene.vault.builds().unwrap().iter().map(|build| build.id.to_string()).collect();
    assert_eq!(ids, ["1", "1-recovered-2"]);
}
