//! Packs are the truth: the catalogue can be lost.

use crate::support::{Scene, assert_same, make_game, read_tree, settle, write};
use gamevault::catalogue::{Build, Milestone, PackTime, Record};
use gamevault::id::BuildNumber;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, SnapshotOptions};
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
        scene.vault.set_milestone(&RefName::new(name).unwrap(), &build, &Annotation::default(), false).unwrap();
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
    let set =
        scene.vault.set_milestone(&RefName::new("next").unwrap(), &builds[0], &Annotation::default(), false).unwrap();
    assert_eq!(set.serial, 5);
}

#[test]
fn a_vault_in_use_is_not_repaired() {
    let scene = Scene::new();
    let busy = Vault::repair(&scene.path("vault"), &Progress::new()).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy);
}

/// A process killed between writing a record and publishing it leaves the record in a pack, and the next build gets its
/// number. The repair once took the older of the two for the published one, and renamed the published build.
#[test]
fn a_build_whose_record_was_written_but_not_published_is_kept_under_a_new_name() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"one");
    let published = scene.snapshot("game").build;
    let mut stray = published.clone();
    stray.created.secs -= 1;
    stray.info.message = Some("killed".into());
    scene.vault.store().write_records(&[Record::Build(Box::new(stray))], PackTime::default()).unwrap();
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!((report.builds, report.problems.len()), (2, 1), "{:?}", report.problems);
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    assert_eq!(scene.vault.build("1").unwrap(), published);
    let ids = |vault: &Vault| vault.builds().unwrap().iter().map(|build| build.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&scene.vault), ["1", "1-recovered-2"]);
    assert_eq!(scene.vault.build("2").unwrap().info.message.as_deref(), Some("killed"));
    // It keeps that name, whatever comes after it.
    scene.snapshot("game");
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!((report.builds, report.problems.len()), (3, 0), "{:?}", report.problems);
    assert_eq!(ids(&Vault::open(&dir.path().join("vault")).unwrap()), ["1", "1-recovered-2", "3"]);
}

/// The same with milestones: both had one serial, which is unique in the catalogue, so that a repair kept only one of
/// the two names. It also removed the milestone called `none`, whose name it used to raise the serial.
#[test]
fn milestones_outlive_those_that_were_never_published() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"one");
    let build = scene.snapshot("game").build;
    let set = |name: &str| {
        scene.vault.set_milestone(&RefName::new(name).unwrap(), &build, &Annotation::default(), false).unwrap();
    };
    set("none");
    let killed = scene.vault.milestones().unwrap().remove(0);
    let stray = |name: &str, serial| {
        let mut created = killed.created;
        created.secs -= 1;
        Record::Milestone(Box::new(Milestone { name: RefName::new(name).unwrap(), serial, created, ..killed.clone() }))
    };
    let mut created = killed.created;
    created.secs -= 1;
    let removed = Record::MilestoneRemoved { name: RefName::new("none").unwrap(), serial: 2, created };
    for record in [stray("alpha", 2), stray("beta", 3), removed] {
        scene.vault.store().write_records(&[record], PackTime::default()).unwrap();
    }
    set("alpha");
    set("gamma");
    let milestones = scene.vault.milestones().unwrap();
    let Scene { dir, vault } = scene;
    drop(vault);
    Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!(Vault::open(&dir.path().join("vault")).unwrap().milestones().unwrap(), milestones);
}

#[test]
fn records_with_impossible_numbers_are_left_out() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"one");
    let build = scene.snapshot("game").build;
    for number in [0, 1 << 63, u64::MAX, u64::MAX] {
        let hostile = Build { number: BuildNumber(number), ..build.clone() };
        scene.vault.store().write_records(&[Record::Build(Box::new(hostile))], PackTime::default()).unwrap();
    }
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!((report.builds, report.problems.len()), (1, 4), "{:?}", report.problems);
}
