//! A real mount: what tools see on it is what was stored. Skipped, with a word, where nothing can be mounted.

use crate::stage::{Fixture, Stage, assert_same, fill, walk};
use gamevault::mount::{MountOptions, mount};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn errno(result: std::io::Result<impl Sized>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

fn with_two_builds() -> Fixture {
    let fixture = Fixture::new();
    for salt in [1, 2] {
        let source = fixture.path(&format!("source{salt}"));
        fill(&source, salt);
        fixture.snapshot(&source, &format!("b{salt}"));
    }
    let build = fixture.vault.build("b1").unwrap();
    fixture.vault.set_milestone(&"alpha".parse().unwrap(), &build, None, Vec::new(), false).unwrap();
    fixture
}

#[test]
fn builds_and_milestones_are_what_was_stored() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert_eq!(names(&stage.path("builds")), ["b1", "b2", "latest"]);
    assert_eq!(names(&stage.path("milestones")), ["alpha"]);
    assert_same(&stage.fixture.path("source1"), &stage.path("builds/b1"));
    assert_same(&stage.fixture.path("source2"), &stage.path("builds/b2"));
    assert_same(&stage.fixture.path("source1"), &stage.path("milestones/alpha"));
    assert_eq!(fs::read_link(stage.path("builds/latest")).unwrap(), Path::new("b2"));
    let run = std::process::Command::new(stage.path("builds/b1/run.sh")).output().unwrap();
    assert_eq!(run.stdout, b"ran\n");
}

#[test]
fn equal_files_are_one_node_and_numbers_survive_a_remount() {
    let Some(mut stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let number = |path: &str| fs::symlink_metadata(stage.path(path)).unwrap().ino();
    let same = "data/same in every build.bin";
    let mtime = |path: &str| fs::metadata(stage.fixture.path(path)).unwrap().modified().unwrap();
    // Equal files share a node when their times are equal, too.
    let expected = mtime(&format!("source1/{same}")) == mtime(&format!("source2/{same}"));
    assert_eq!(number(&format!("builds/b1/{same}")) == number(&format!("builds/b2/{same}")), expected);
    assert_eq!(number("builds/b1/readme.txt"), number("milestones/alpha/readme.txt"));
    assert_ne!(number("builds/b1/data"), number("builds/b2/data"));
    assert_ne!(number("builds/b1/data"), number("milestones/alpha/data"));
    let paths = ["builds/b1/data", "builds/b2/readme.txt", "builds/b1/link", "milestones/alpha/many/0300.dat"];
    let before: Vec<_> = paths.iter().map(|path| number(path)).collect();
    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(names(&stage.point).is_empty(), "the directory is empty after an unmount");
    stage.mounted = Some(mount(Arc::clone(&stage.fixture.vault), &stage.point, &MountOptions::default()).unwrap());
    let number = |path: &str| fs::symlink_metadata(stage.path(path)).unwrap().ino();
    assert_eq!(paths.iter().map(|path| number(path)).collect::<Vec<_>>(), before);
}

#[test]
fn nothing_in_a_build_can_be_changed() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let before = walk(&stage.path("builds/b1"));
    let build = stage.path("builds/b1");
    let file = build.join("readme.txt");
    assert_eq!(errno(fs::write(&file, b"x")), libc::EROFS);
    assert_eq!(errno(fs::OpenOptions::new().append(true).open(&file)), libc::EROFS);
    assert_eq!(errno(fs::write(build.join("new"), b"x")), libc::EROFS);
    assert_eq!(errno(fs::create_dir(build.join("newdir"))), libc::EROFS);
    assert_eq!(errno(fs::remove_file(&file)), libc::EROFS);
    assert_eq!(errno(fs::remove_dir(build.join("hollow"))), libc::EROFS);
    assert_eq!(errno(fs::rename(&file, build.join("other"))), libc::EROFS);
    assert_eq!(errno(fs::hard_link(&file, build.join("other"))), libc::EROFS);
    assert_eq!(errno(std::os::unix::fs::symlink("x", build.join("other"))), libc::EROFS);
    assert_eq!(errno(fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))), libc::EROFS);
    assert_eq!(errno(fs::remove_dir(&build)), libc::EPERM);
    assert_eq!(errno(fs::remove_dir(stage.path("milestones/alpha"))), libc::EPERM);
    assert_eq!(errno(fs::create_dir(stage.path("builds/b9"))), libc::EROFS);
    assert_eq!(errno(fs::create_dir(stage.path(".Trash-1000"))), libc::EACCES);
    assert_eq!(errno(fs::create_dir(stage.path("anything"))), libc::EROFS);
    assert_eq!(walk(&build), before);
}

#[test]
fn hidden_files_are_reached_but_not_listed() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let path = stage.path("builds/b1/.gamevault/meta.json");
    let text = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), text.len() as u64);
    let meta: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(meta["id"], "b1");
    let text = fs::read(stage.path("milestones/alpha/.gamevault/meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&meta["milestone"]["name"], &meta["build"]["id"]), (&"alpha".into(), &"b1".into()));
    assert!(!names(&stage.path("builds/b1")).contains(&".gamevault".to_string()));
    assert!(!stage.path("builds/b1/data/.gamevault").exists());
}

#[test]
fn builds_of_other_processes_appear_within_a_second() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert!(!stage.path("builds/b3").exists());
    assert_eq!(names(&stage.path("builds")).len(), 3);
    // A second opening of the vault sees no more of the first than another process would.
    let other = gamevault::vault::Vault::open(&stage.fixture.path("vault")).unwrap();
    let options = gamevault::vault::SnapshotOptions { id: Some("b3".parse().unwrap()), ..Default::default() };
    other.snapshot(&stage.fixture.path("source1"), &options, &gamevault::progress::Progress::new()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert!(stage.path("builds/b3/readme.txt").exists());
    assert_eq!(fs::read_link(stage.path("builds/latest")).unwrap(), Path::new("b3"));
    assert_eq!(names(&stage.path("builds")).len(), 4);
}

#[test]
fn a_mounted_directory_is_busy_and_a_mount_in_use_is_detached() {
    let Some(mut stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let vault = Arc::clone(&stage.fixture.vault);
    let second = mount(Arc::clone(&vault), &stage.point, &MountOptions::default());
    assert_eq!(second.unwrap_err().kind(), gamevault::ErrorKind::Busy);
    let user = fs::File::open(stage.path("builds/b1/readme.txt")).unwrap();
    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(names(&stage.point).is_empty());
    drop(user);
    stage.mounted = Some(mount(vault, &stage.point, &MountOptions::default()).unwrap());
    assert!(stage.path("builds/b1").is_dir());
    // From outside, as another process does it.
    gamevault::mount::unmount(&stage.point).unwrap();
    stage.mounted.take().unwrap().wait().unwrap();
    assert!(names(&stage.point).is_empty());
}
