//! `/changes`: what differs between two builds, as folders of the mount.

use crate::stage::{Fixture, Stage};
use gamevault::mount::MountOptions;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn with_builds() -> Fixture {
    let fixture = Fixture::new();
    let game = fixture.path("game");
    fs::create_dir_all(game.join("levels/old")).unwrap();
    for (name, text) in [("same", "same"), ("levels/1", "one"), ("levels/old/2", "two")] {
        fs::write(game.join(name), text).unwrap();
    }
    fixture.snapshot(&game, "a");
    fs::write(game.join("levels/1"), "one, longer").unwrap();
    fs::rename(game.join("levels/old/2"), game.join("levels/3")).unwrap();
    fs::write(game.join("levels/3"), "two, other").unwrap();
    std::os::unix::fs::symlink("levels/1", game.join("first")).unwrap();
    fixture.snapshot(&game, "b");
    fixture.snapshot(&game, "c..d");
    fixture
}

#[test]
fn a_pair_of_builds_shows_what_differs() {
    let Some(stage) = Stage::mount(with_builds(), &MountOptions::default()) else { return };
    let changes = stage.point.join("changes");
    assert_eq!(names(&changes), ["a..b", "b..c..d"]);
    let pair = changes.join("a..b");
    assert!(names(&pair).contains(&"summary.md".to_owned()));
    assert_eq!(fs::read_to_string(pair.join("modified/levels/1.old")).unwrap(), "one");
    assert_eq!(fs::read_to_string(pair.join("modified/levels/1.new")).unwrap(), "one, longer");
    assert_eq!(fs::read_to_string(pair.join("removed/levels/old/2")).unwrap(), "two");
    assert_eq!(fs::read_link(pair.join("added/first")).unwrap(), Path::new("levels/1"));
    let summary = pair.join("summary.md");
    assert_eq!(fs::metadata(&summary).unwrap().len(), fs::read(&summary).unwrap().len() as u64);
    assert!(fs::read_to_string(&summary).unwrap().contains("levels/1"));
    let page = pair.join("summary.html");
    let told = fs::read_to_string(&page).unwrap();
    assert_eq!(fs::metadata(&page).unwrap().len(), told.len() as u64);
    assert!(told.starts_with("<!doctype html>") && told.contains("levels/1") && told.trim_end().ends_with("</html>"));
    // One node, so one page cache, for the file here and in its build.
    let in_build = fs::metadata(stage.point.join("builds/b/levels/1")).unwrap().ino();
    assert_eq!(fs::metadata(pair.join("modified/levels/1.new")).unwrap().ino(), in_build);
}

#[test]
fn any_words_for_two_builds_make_a_pair() {
    let Some(stage) = Stage::mount(with_builds(), &MountOptions::default()) else { return };
    let changes = stage.point.join("changes");
    for name in ["b..a", "1..2", "a..latest", "latest~1..latest", "a..c..d", "c..d..a"] {
        assert!(changes.join(name).join("summary.md").is_file(), "{name}");
    }
    for name in ["a", "..", "a..", "..b", "a..nothing", "a..b..", ".Trash-0"] {
        assert!(name == ".." || !changes.join(name).exists(), "{name}");
    }
    assert_eq!(fs::read_to_string(changes.join("b..a/modified/levels/1.new")).unwrap(), "one");
}

#[test]
fn what_was_moved_stands_once_and_times_alone_are_no_change() {
    let fixture = Fixture::new();
    let game = fixture.path("game");
    fs::create_dir_all(game.join("old")).unwrap();
    let large: Vec<u8> = (0..1_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(game.join("old/plain"), "content").unwrap();
    fs::write(game.join("old/large"), &large).unwrap();
    fs::write(game.join("touched"), "the same").unwrap();
    fixture.snapshot(&game, "a");
    fs::create_dir(game.join("new")).unwrap();
    fs::rename(game.join("old/plain"), game.join("new/plain")).unwrap();
    fs::remove_file(game.join("old/large")).unwrap();
    fs::write(game.join("new/large"), [&b"a new start"[..], &large].concat()).unwrap();
    gamevault::disk::host::set_mtime(&game.join("touched"), gamevault::manifest::Timestamp { secs: 9, nanos: 9 })
        .unwrap();
    fixture.snapshot(&game, "b");
    let Some(stage) = Stage::mount(fixture, &MountOptions::default()) else { return };
    let pair = stage.point.join("changes/a..b");
    assert_eq!(names(&pair), ["added", "moved", "summary.html", "summary.md"]);
    assert_eq!(names(&pair.join("moved/new")), ["large.new", "large.old", "plain"]);
    assert_eq!(fs::read(pair.join("moved/new/large.old")).unwrap(), large);
    assert!(fs::read_to_string(pair.join("summary.md")).unwrap().contains("- touched `touched`"));
}

#[test]
fn what_is_made_cannot_be_changed_and_is_the_same_when_made_anew() {
    let Some(stage) = Stage::mount(with_builds(), &MountOptions::default()) else { return };
    let changes = stage.point.join("changes");
    let pair = changes.join("a..b");
    let before = (fs::metadata(&pair).unwrap().ino(), fs::metadata(pair.join("summary.md")).unwrap().ino());
    let errno = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    assert_eq!(errno(fs::write(pair.join("summary.md"), "x")), Some(nix::libc::EROFS));
    assert_eq!(errno(fs::remove_file(pair.join("modified/levels/1.old"))), Some(nix::libc::EROFS));
    assert_eq!(errno(fs::create_dir(pair.join("new"))), Some(nix::libc::EROFS));
    // More of them than are kept, so that the first is made anew.
    let others = ["b..a", "1..2", "2..1", "a..latest", "latest..a", "1..b", "a..2", "2..a", "b..1", "latest~1..latest"];
    for name in others {
        assert!(!names(&changes.join(name)).is_empty(), "{name}");
    }
    let after = (fs::metadata(&pair).unwrap().ino(), fs::metadata(pair.join("summary.md")).unwrap().ino());
    assert_eq!(before, after);
    assert_eq!(names(&pair.join("modified/levels")), ["1.new", "1.old"]);
}
