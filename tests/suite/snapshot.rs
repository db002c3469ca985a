//! Folders go in and come back equal.

use crate::support::{Scene, assert_same, make_game, noise, read_tree, settle, write};
use gamevault::ErrorKind;
use gamevault::catalogue::Completeness;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, RestoreOptions, SnapshotOptions, StatsOptions};
use std::fs;

#[test]
fn a_folder_comes_back_equal() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let report = scene.snapshot("game");
    assert!(report.created && report.changed_while_read.is_empty());
    assert_eq!(report.build.completeness, Completeness::Verified);
    let scene = scene.reopen();
    assert_same(&read_tree(&scene.path("game")), &scene.restored("latest", "back"));
}

#[test]
fn an_unchanged_folder_is_not_read_again_and_stores_nothing() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let first = scene.snapshot("game");
    let second = scene.snapshot("game");
    assert_eq!(second.bytes_read, 0);
    assert_eq!(second.files_unchanged, first.files);
    assert_eq!(second.bytes_stored, 0);
    assert_eq!(second.build.root, first.build.root);
    assert_eq!(second.build.number.0, 2);
}

#[test]
fn skip_if_unchanged_makes_no_build() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    let options = SnapshotOptions { skip_if_unchanged: true, ..SnapshotOptions::default() };
    let again = scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
    assert!(!again.created);
    assert_eq!(scene.vault.builds().unwrap().len(), 1);
}

#[test]
fn what_is_the_same_in_two_builds_is_stored_once() {
    let scene = Scene::new();
    let game = scene.path("game");
    write(&game.join("a"), &noise(1, 2_000_000));
    settle();
    scene.snapshot("game");
    let before = scene.vault.stats(&StatsOptions::default(), &Progress::new()).unwrap();
    let mut bytes = noise(1, 2_000_000);
    bytes.splice(1_000_000..1_000_000, *b"an insertion in the middle");
    write(&game.join("renamed/b"), &bytes);
    fs::remove_file(game.join("a")).unwrap();
    settle();
    scene.snapshot("game");
    let after = scene.vault.stats(&StatsOptions::default(), &Progress::new()).unwrap();
    let new = after.unique_bytes - before.unique_bytes;
    assert!(new < 300_000, "{new} bytes are new");
    assert_eq!(scene.restored("latest", "back")[&b"/renamed/b"[..]].bytes, bytes);
}

#[test]
fn a_changed_file_is_read_again() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    write(&scene.path("game/data/many/file7"), b"FILE number 7");
    settle();
    let report = scene.snapshot("game");
    assert_eq!(report.bytes_read, 13);
    assert_eq!(scene.restored("2", "back")[&b"/data/many/file7"[..]].bytes, b"FILE number 7");
    assert_eq!(scene.restored("1", "old")[&b"/data/many/file7"[..]].bytes, b"file number 7");
}

#[test]
fn a_single_file_is_a_build_too() {
    let scene = Scene::new();
    write(&scene.path("Game.apk"), &noise(5, 100_000));
    let report = scene.vault.snapshot(&scene.path("Game.apk"), &SnapshotOptions::default(), &Progress::new()).unwrap();
    assert_eq!(report.build.single_file.as_deref(), Some("Game.apk"));
    assert_eq!(scene.restored("1", "back")[&b"/Game.apk"[..]].bytes, noise(5, 100_000));
}

#[cfg(unix)]
#[test]
fn holes_stay_holes() {
    use std::io::{Seek, SeekFrom, Write};
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new();
    fs::create_dir(scene.path("game")).unwrap();
    let mut file = fs::File::create(scene.path("game/sparse")).unwrap();
    file.write_all(&noise(1, 10_000)).unwrap();
    file.seek(SeekFrom::Start(40 << 30)).unwrap();
    file.write_all(b"the end of the data").unwrap();
    file.set_len(50 << 30).unwrap();
    drop(file);
    settle();
    let report = scene.snapshot("game");
    assert!(report.bytes_stored < 50_000, "{} bytes are stored", report.bytes_stored);
    let build = scene.vault.build("latest").unwrap();
    scene.vault.restore(&build, &scene.path("back"), &RestoreOptions::default(), &Progress::new()).unwrap();
    let metadata = fs::metadata(scene.path("back/sparse")).unwrap();
    assert_eq!(metadata.size(), 50 << 30);
    assert!(metadata.blocks() * 512 < 100_000);
    let (_, entry) = scene.vault.reader().lookup(build.root.id, b"sparse").unwrap().unwrap();
    let gamevault::manifest::EntryKind::File(content) = entry.kind else { panic!("{entry:?}") };
    let mut buf = [1; 30];
    assert_eq!(scene.vault.reader().read_at(&content, (40 << 30) - 5, &mut buf).unwrap(), 30);
    assert_eq!(&buf[..24], b"\0\0\0\0\0the end of the data");
    assert_eq!(scene.vault.reader().next_data(&content, 1 << 30).unwrap().unwrap().0, 40 << 30);
}

#[cfg(unix)]
#[test]
fn fifos_and_sockets_are_left_out_with_a_warning() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    nix::unistd::mkfifo(&scene.path("game/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scene.path("game/socket")).unwrap();
    let report = scene.snapshot("game");
    assert_eq!(report.files, 1);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("pipe is left out")), "{:?}", report.warnings);
    assert!(report.warnings.iter().any(|warning| warning.starts_with("socket is left out")));
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_or_nowhere_are_kept_and_told() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    symlink("a", scene.path("game/sound")).unwrap();
    symlink("../outside", scene.path("game/leaving")).unwrap();
    symlink("missing", scene.path("game/dangling")).unwrap();
    let report = scene.snapshot("game");
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert_eq!(scene.restored("1", "back")[&b"/leaving"[..]].bytes, b"../outside");
}

/// A pipe was waited for, and a device without an end was read.
#[cfg(unix)]
#[test]
fn an_ignore_file_that_is_no_file_is_not_read() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    write(&scene.path("game/sub/b"), b"b");
    nix::unistd::mkfifo(&scene.path("game/.gamevaultignore"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", scene.path("game/sub/.gamevaultignore")).unwrap();
    let report = scene.snapshot("game");
    let is_told = |warning: &&String| warning.contains(".gamevaultignore is left out: it is no file");
    assert_eq!((report.files, report.warnings.iter().filter(is_told).count()), (2, 2), "{:?}", report.warnings);
}

#[test]
fn ignore_files_and_patterns_keep_files_out() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    write(&scene.path("game/.gamevaultignore"), b"/saves/\n*.pak\n!level2.pak\n");
    write(&scene.path("game/a.tmp"), b"x");
    write(&scene.path("game/.gamevault/inner"), b"x");
    let options = SnapshotOptions { ignore: vec!["*.tmp".into()], ..SnapshotOptions::default() };
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
    let tree = scene.restored("1", "back");
    for out in ["/saves", "/data/level1.pak", "/a.tmp", "/.gamevault"] {
        assert!(!tree.contains_key(out.as_bytes()), "{out}");
    }
    assert!(tree.contains_key(&b"/data/level2.pak"[..]) && tree.contains_key(&b"/.gamevaultignore"[..]));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_named() {
    let scene = Scene::new();
    let path = scene.path("game/growing");
    write(&path, &noise(1, 30_000_000));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        });
        let report = scene.snapshot("game");
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        report
    });
    assert_eq!(report.changed_while_read, ["growing"]);
    assert_eq!(report.build.completeness, Completeness::Incomplete);
}

// Other systems cannot have such files to begin with.
#[cfg(target_os = "linux")]
#[test]
fn names_that_other_systems_cannot_keep_apart_are_told_and_kept() {
    let scene = Scene::new();
    for name in
        ["art/Wall.png", "art/wall.png", "art/stone.png", "Grün", "Gru\u{308}n", "aux.txt", "a:b", "kept/No.tmp"]
    {
        write(&scene.path("game").join(name), name.as_bytes());
    }
    write(&scene.path("game/kept/no.tmp"), b"not in the build");
    write(&scene.path("game/kept/.gamevaultignore"), b"no.tmp\n");
    let report = scene.snapshot("game");
    assert_eq!(
        report.warnings,
        [
            "at the top, \"Gru\\u{308}n\" and \"Grün\" are one name on Windows or macOS; the build keeps them all",
            "at the top, \"a:b\" and \"aux.txt\" cannot be named so on Windows, where `%` and digits stand for a part",
            "in art, \"Wall.png\" and \"wall.png\" are one name on Windows or macOS; the build keeps them all",
        ]
    );
    let mut game = read_tree(&scene.path("game"));
    game.retain(|path, _| !path.ends_with(b"no.tmp"));
    assert_same(&game, &scene.restored("latest", "back"));
}

// Only Linux reaches a path through an open folder.
#[cfg(target_os = "linux")]
#[test]
fn paths_longer_than_a_system_call_takes_survive() {
    let scene = Scene::new();
    let mut path = gamevault::disk::host::LongPath::new(&scene.path("game"));
    fs::create_dir(path.as_path()).unwrap();
    let name = "d".repeat(200);
    for _ in 0..40 {
        fs::create_dir(path.as_path().join(&name)).unwrap();
        path = path.child(name.as_ref());
    }
    fs::write(path.as_path().join("deep"), b"found").unwrap();
    settle();
    assert_eq!(scene.snapshot("game").files, 1);
    let build = scene.vault.build("latest").unwrap();
    scene.vault.restore(&build, &scene.path("back"), &RestoreOptions::default(), &Progress::new()).unwrap();
    let mut path = gamevault::disk::host::LongPath::new(&scene.path("back"));
    for _ in 0..40 {
        path = path.child(name.as_ref());
    }
    assert_eq!(fs::read(path.as_path().join("deep")).unwrap(), b"found");
}

#[test]
fn taken_ids_bad_sources_and_full_folders_are_refused_by_kind() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    let options = SnapshotOptions { id: Some(RefName::new("One").unwrap()), ..SnapshotOptions::default() };
    let snapshot = |source: &str| scene.vault.snapshot(&scene.path(source), &options, &Progress::new());
    snapshot("game").unwrap();
    let options = SnapshotOptions { id: Some(RefName::new("ONE").unwrap()), ..SnapshotOptions::default() };
    let again = scene.vault.snapshot(&scene.path("game"), &options, &Progress::new());
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Exists);
    let missing = scene.vault.snapshot(&scene.path("missing"), &SnapshotOptions::default(), &Progress::new());
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
    let own = scene.vault.snapshot(&scene.path("vault"), &SnapshotOptions::default(), &Progress::new());
    assert_eq!(own.unwrap_err().kind(), ErrorKind::Invalid);
    let build = scene.vault.build("one").unwrap();
    let over = scene.vault.restore(&build, &scene.path("game"), &RestoreOptions::default(), &Progress::new());
    assert_eq!(over.unwrap_err().kind(), ErrorKind::NotEmpty);
    let options = RestoreOptions { paths: vec!["nothing/here".into()], overwrite: false };
    let no_path = scene.vault.restore(&build, &scene.path("new"), &options, &Progress::new());
    assert_eq!(no_path.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn restore_takes_parts_and_overwrites_on_request() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    let build = scene.vault.build("1").unwrap();
    let parts = RestoreOptions { paths: vec!["data/textures".into(), "bin/game".into()], overwrite: false };
    let report = scene.vault.restore(&build, &scene.path("part"), &parts, &Progress::new()).unwrap();
    assert_eq!(report.files, 4);
    assert!(scene.path("part/data/textures/grass.raw").is_file() && !scene.path("part/data/level1.pak").exists());
    write(&scene.path("game/readme.txt"), b"spoiled");
    write(&scene.path("game/extra"), b"stays");
    let over = RestoreOptions { paths: vec![], overwrite: true };
    scene.vault.restore(&build, &scene.path("game"), &over, &Progress::new()).unwrap();
    assert_eq!(fs::read(scene.path("game/extra")).unwrap(), b"stays");
    assert_ne!(fs::read(scene.path("game/readme.txt")).unwrap(), b"spoiled");
}

#[test]
fn read_only_files_in_the_way_are_overwritten() {
    let scene = Scene::new();
    let path = scene.path("game/locked");
    write(&path, b"first");
    let read_only = |is: bool| {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(is);
        fs::set_permissions(&path, permissions).unwrap();
    };
    read_only(true);
    scene.snapshot("game");
    read_only(false);
    write(&path, b"spoiled");
    read_only(true);
    let build = scene.vault.build("1").unwrap();
    let over = RestoreOptions { paths: vec![], overwrite: true };
    scene.vault.restore(&build, &scene.path("game"), &over, &Progress::new()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
}

#[cfg(unix)]
#[test]
fn restore_never_writes_through_a_link() {
    let scene = Scene::new();
    write(&scene.path("game/sub/file"), b"inside");
    scene.snapshot("game");
    fs::create_dir_all(scene.path("outside")).unwrap();
    fs::create_dir_all(scene.path("dest")).unwrap();
    std::os::unix::fs::symlink(scene.path("outside"), scene.path("dest/sub")).unwrap();
    let build = scene.vault.build("1").unwrap();
    let over = RestoreOptions { paths: vec![], overwrite: true };
    scene.vault.restore(&build, &scene.path("dest"), &over, &Progress::new()).unwrap();
    assert_eq!(fs::read_dir(scene.path("outside")).unwrap().count(), 0);
    assert_eq!(fs::read(scene.path("dest/sub/file")).unwrap(), b"inside");
}

#[test]
fn builds_are_found_by_every_name_they_have() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    let mut options = SnapshotOptions { id: Some(RefName::new("v0.1").unwrap()), ..SnapshotOptions::default() };
    options.info.label = Some("first try".into());
    let first = scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap().build;
    scene.snapshot("game");
    scene.snapshot("game");
    let alpha = RefName::new("alpha").unwrap();
    let annotation =
        Annotation { message: Some("it plays".into()), tags: vec!["demo".into()], ..Annotation::default() };
    scene.vault.set_milestone(&alpha, &first, &annotation, false).unwrap();
    for name in ["v0.1", "V0.1", "1", "alpha", "first try", "latest~2", "3~2"] {
        assert_eq!(scene.vault.build(name).unwrap().number, first.number, "{name}");
    }
    for name in ["v0.2", "4", "latest~3", "beta", "~", "latest~x"] {
        assert!(scene.vault.build(name).is_err(), "{name}");
    }
}

#[test]
fn milestones_are_set_moved_and_removed() {
    let scene = Scene::new();
    write(&scene.path("game/a"), b"a");
    let (one, two) = (scene.snapshot("game").build, scene.snapshot("game").build);
    let alpha = RefName::new("alpha").unwrap();
    scene.vault.set_milestone(&alpha, &one, &Annotation::default(), false).unwrap();
    let taken = scene.vault.set_milestone(&RefName::new("ALPHA").unwrap(), &two, &Annotation::default(), false);
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Exists);
    scene.vault.set_milestone(&alpha, &two, &Annotation::default(), true).unwrap();
    assert_eq!(scene.vault.milestone(&alpha).unwrap().build, two.number);
    scene.vault.remove_milestone(&alpha).unwrap();
    assert_eq!(scene.vault.milestone(&alpha).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn two_processes_worth_of_vaults_share_one_folder() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let other = gamevault::Vault::open(&scene.path("vault")).unwrap();
    let generation = other.generation().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| scene.snapshot("game"));
            scope.spawn(|| other.snapshot(&scene.path("game"), &SnapshotOptions::default(), &Progress::new()).unwrap());
        }
    });
    let numbers: Vec<u64> = other.builds().unwrap().iter().map(|build| build.number.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert_ne!(other.generation().unwrap(), generation);
    assert_same(&read_tree(&scene.path("game")), &scene.restored("6", "back"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_look_into_a_vault() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    make_game(&scene.path("game"));
    scene.snapshot("game");
    for (path, kept) in read_tree(&scene.path("vault")) {
        assert_eq!(kept.mode & 0o077, 0, "{}", String::from_utf8_lossy(&path));
    }
    assert_eq!(fs::metadata(scene.path("vault")).unwrap().permissions().mode() & 0o077, 0);
}
