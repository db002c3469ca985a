//! What changed between builds.

use crate::support::{Scene, make_game, settle, write};
use gamevault::ErrorKind;
use gamevault::compare::{Change, ChangeKind};
use std::fs;

fn brief(changes: &[Change]) -> Vec<(&str, ChangeKind)> {
    changes.iter().map(|change| (change.path.as_str(), change.kind)).collect()
}

#[test]
fn every_kind_of_change_is_named_and_nothing_else() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    fs::remove_file(scene.path("game/bin/game")).unwrap();
    fs::remove_dir(scene.path("game/saves/empty folder")).unwrap();
    write(&scene.path("game/new/deep/file"), b"12345");
    write(&scene.path("game/data/many/file9"), b"other");
    fs::remove_file(scene.path("game/data/level1.pak")).unwrap();
    write(&scene.path("game/data/level1.pak/now a folder"), b"x");
    settle();
    scene.snapshot("game");
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    let diff = scene.vault.diff(&old, &new, &[]).unwrap();
    use ChangeKind::{Added, Modified, Removed, TypeChanged};
    assert_eq!(
        brief(&diff.changes),
        [
            ("bin/game", Removed),
            ("data/level1.pak/", TypeChanged),
            ("data/level1.pak/now a folder", Added),
            ("data/many/file9", Modified),
            ("new/", Added),
            ("new/deep/", Added),
            ("new/deep/file", Added),
            ("saves/empty folder/", Removed),
        ]
    );
    let part = scene.vault.diff(&old, &new, &["new/deep".into(), "data/many/file9".into()]).unwrap();
    assert_eq!(part.changes.len(), 3);
    assert_eq!((part.changes[0].old_size, part.changes[0].new_size), (Some(13), Some(5)));
    let nowhere = scene.vault.diff(&old, &new, &["nowhere".into()]);
    assert_eq!(nowhere.unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn modes_and_times_alone_are_told_apart() {
    use gamevault::disk::host;
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    host::set_mode(&scene.path("game/bin/game"), 0o700).unwrap();
    host::set_mtime(&scene.path("game/data/level2.pak"), gamevault::manifest::Timestamp { secs: 1, nanos: 2 }).unwrap();
    settle();
    scene.snapshot("game");
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    let diff = scene.vault.diff(&old, &new, &[]).unwrap();
    let expected = [("bin/game", ChangeKind::Attributes), ("data/level2.pak", ChangeKind::Touched)];
    assert_eq!(brief(&diff.changes), expected);
    assert!(scene.vault.diff(&old, &old, &[]).unwrap().is_empty());
}

#[test]
fn one_change_in_a_huge_folder_is_found() {
    let scene = Scene::new();
    for n in 0..5_000 {
        write(&scene.path(&format!("game/f{n:05}")), format!("{n}").as_bytes());
    }
    settle();
    scene.snapshot("game");
    write(&scene.path("game/f02500"), b"changed");
    write(&scene.path("game/f02500a"), b"added");
    settle();
    let report = scene.snapshot("game");
    assert!(report.bytes_stored < 60_000, "{} bytes for one changed page", report.bytes_stored);
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    let diff = scene.vault.diff(&old, &new, &[]).unwrap();
    assert_eq!(brief(&diff.changes), [("f02500", ChangeKind::Modified), ("f02500a", ChangeKind::Added)]);
}
