//! Milestones through the mount: made, renamed and removed there, with notes that any editor writes.

use crate::stage::{Fixture, Stage};
use gamevault::mount::MountOptions;
use gamevault::vault::Annotation;
use nix::libc;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

fn staged() -> Option<Stage> {
    let fixture = Fixture::new();
    let game = fixture.path("game");
    fs::create_dir(&game).unwrap();
    for id in ["41", "42"] {
        fs::write(game.join("readme"), id).unwrap();
        fixture.snapshot(&game, id);
    }
    let build = fixture.vault.build("41").unwrap();
    fixture.vault.set_milestone(&"alpha".parse().unwrap(), &build, &Annotation::default(), false).unwrap();
    Stage::mount(fixture, &MountOptions::default())
}

fn errno(result: std::io::Result<impl Sized>) -> i32 {
    result.err().expect("it must fail").raw_os_error().unwrap()
}

fn kept(stage: &Stage) -> Option<String> {
    stage.fixture.vault.milestone(&"alpha".parse().unwrap()).unwrap().notes
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn notes_are_a_file() {
    let Some(stage) = staged() else { return };
    let hidden = stage.point.join("milestones/alpha/.gamevault");
    let notes = hidden.join("notes.md");
    assert!(!notes.exists());
    assert_eq!(names(&hidden), ["meta.json"]);
    fs::write(&notes, "# Alpha\n").unwrap();
    assert_eq!(kept(&stage).as_deref(), Some("# Alpha\n"));
    assert_eq!(fs::read_to_string(&notes).unwrap(), "# Alpha\n");
    assert_eq!(names(&hidden), ["meta.json", "notes.md"]);
    fs::OpenOptions::new().append(true).open(&notes).unwrap().write_all("It plays: ü\n".as_bytes()).unwrap();
    assert_eq!(kept(&stage).as_deref(), Some("# Alpha\nIt plays: ü\n"));
    fs::write(&notes, "short").unwrap();
    assert_eq!(fs::read_to_string(&notes).unwrap(), "short");
    // What others write is seen.
    let other = Annotation { notes: Some("by the command".into()), ..Annotation::default() };
    stage.fixture.vault.annotate_milestone(&"alpha".parse().unwrap(), &other).unwrap();
    assert_eq!(fs::read_to_string(&notes).unwrap(), "by the command");
    assert_eq!(errno(fs::write(&notes, b"\xff\xfe not text")), libc::EINVAL);
    assert_eq!(errno(fs::write(&notes, vec![b'x'; (1 << 20) + 1])), libc::EFBIG);
    fs::remove_file(&notes).unwrap();
    assert_eq!(kept(&stage), None);
    assert!(!notes.exists());
    // A build has no notes.
    assert_eq!(errno(fs::write(stage.point.join("builds/41/.gamevault/notes.md"), "x")), libc::EROFS);
}

#[test]
fn annotating_leaves_what_is_open_alone() {
    let Some(stage) = staged() else { return };
    let alpha = stage.point.join("milestones/alpha");
    let before = fs::metadata(&alpha).unwrap().ino();
    let folder = fs::File::open(&alpha).unwrap();
    fs::write(alpha.join(".gamevault/notes.md"), "words").unwrap();
    assert_eq!(fs::metadata(&alpha).unwrap().ino(), before);
    assert_eq!(folder.metadata().unwrap().ino(), before);
    assert_eq!(fs::read_to_string(alpha.join("readme")).unwrap(), "41");
}

#[test]
fn editors_that_write_beside_and_rename_work() {
    let Some(stage) = staged() else { return };
    let hidden = stage.point.join("milestones/alpha/.gamevault");
    let notes = hidden.join("notes.md");
    fs::write(&notes, "one\n").unwrap();
    // As sed, gedit and VS Code do: a new file over the old one.
    let temp = hidden.join(".goutputstream-AB12CD");
    fs::write(&temp, "two\n").unwrap();
    assert_eq!(kept(&stage).as_deref(), Some("one\n"));
    fs::rename(&temp, &notes).unwrap();
    assert_eq!((kept(&stage).as_deref(), temp.exists()), (Some("two\n"), false));
    assert_eq!(fs::read_to_string(&notes).unwrap(), "two\n");
    // As vim does with a backup: the old one away, a new one in its place, the backup removed.
    let backup = hidden.join("notes.md~");
    fs::rename(&notes, &backup).unwrap();
    assert!(!notes.exists());
    assert_eq!(kept(&stage).as_deref(), Some("two\n"));
    let mut new = fs::OpenOptions::new().write(true).create_new(true).open(&notes).unwrap();
    new.write_all(b"three\n").unwrap();
    new.sync_all().unwrap();
    drop(new);
    assert_eq!(fs::read_to_string(&backup).unwrap(), "two\n");
    fs::remove_file(&backup).unwrap();
    assert_eq!(kept(&stage).as_deref(), Some("three\n"));
    assert_eq!(names(&hidden), ["meta.json", "notes.md"]);
    // Real ones, where they are installed.
    for (program, arguments, wanted) in [
        ("sed", &["-i", "s/three/four/"][..], "four\n"),
        ("perl", &["-pi", "-e", "s/four/five/"][..], "five\n"),
        ("vim", &["-es", "-c", "%s/five/six/", "-c", "wq"][..], "six\n"),
    ] {
        match Command::new(program).args(arguments).arg(&notes).output() {
            Ok(output) => {
                assert_eq!(kept(&stage).as_deref(), Some(wanted), "{program}: {output:?}");
            }
            Err(_) => fs::write(&notes, wanted).unwrap(),
        }
    }
}

#[test]
fn milestones_are_made_renamed_and_removed_by_names() {
    let Some(stage) = staged() else { return };
    let milestones = stage.point.join("milestones");
    fs::create_dir(milestones.join("beta@42")).unwrap();
    assert_eq!(fs::read_to_string(milestones.join("beta/readme")).unwrap(), "42");
    symlink("../builds/41", milestones.join("first-playable")).unwrap();
    assert_eq!(fs::read_to_string(milestones.join("first-playable/readme")).unwrap(), "41");
    let kind = stage.fixture.vault.milestone(&"first-playable".parse().unwrap()).unwrap().kind;
    assert_eq!(kind.as_deref(), Some("first-playable"));
    assert_eq!(names(&milestones), ["alpha", "beta", "first-playable"]);
    for (name, wanted) in [
        ("beta@41", libc::EEXIST),
        ("gamma@none", libc::ENOENT),
        ("gam/ma@41", libc::ENOENT),
        ("con@41", libc::EINVAL),
        ("gamma", libc::EROFS),
    ] {
        assert_eq!(errno(fs::create_dir(milestones.join(name))), wanted, "{name}");
    }
    fs::rename(milestones.join("beta"), milestones.join("gamma")).unwrap();
    assert_eq!(names(&milestones), ["alpha", "first-playable", "gamma"]);
    assert_eq!(fs::read_to_string(milestones.join("gamma/readme")).unwrap(), "42");
    assert_ne!(errno(fs::rename(milestones.join("gamma"), milestones.join("alpha"))), 0);
    assert_eq!(kept(&stage), None);
    stage.fixture.vault.protect_milestone(&"alpha".parse().unwrap(), true).unwrap();
    assert_eq!(errno(fs::remove_dir(milestones.join("alpha"))), libc::EPERM);
    assert_eq!(errno(fs::rename(milestones.join("alpha"), milestones.join("delta"))), libc::EPERM);
    assert_eq!(errno(fs::remove_dir_all(milestones.join("gamma"))), libc::EROFS);
    fs::remove_dir(milestones.join("gamma")).unwrap();
    assert_eq!(names(&milestones), ["alpha", "first-playable"]);
    assert_eq!(fs::read_to_string(stage.point.join("builds/42/readme")).unwrap(), "42");
}
