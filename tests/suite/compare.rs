//! What changed between builds.

use crate::support::{Scene, make_game, noise, settle, write};
use gamevault::ErrorKind;
use gamevault::compare::{ChangeKind, Difference};
use std::fs;

fn brief(changes: &[Difference]) -> Vec<(&str, ChangeKind)> {
    changes.iter().map(|one| (one.change.path.as_str(), one.change.kind)).collect()
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
    assert_eq!((part.changes[0].change.old_size, part.changes[0].change.new_size), (Some(13), Some(5)));
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

fn two(scene: &Scene) -> gamevault::compare::Diff {
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    scene.vault.diff(&old, &new, &[]).unwrap()
}

fn moves(diff: &gamevault::compare::Diff) -> Vec<(&str, &str, ChangeKind)> {
    let moved = |one: &'_ Difference| one.change.from.is_some();
    let brief = diff.changes.iter().filter(|one| moved(one));
    brief.map(|one| (one.change.from.as_deref().unwrap(), one.change.path.as_str(), one.change.kind)).collect()
}

#[test]
fn what_was_moved_is_told_by_its_content() {
    let scene = Scene::new();
    let large = noise(1, 2 << 20);
    for (path, bytes) in
        [("a/one", &b"one"[..]), ("a/two", b"two"), ("b/three", b"three"), ("large.bin", &large), ("c/four", b"four")]
    {
        write(&scene.path(&format!("game/{path}")), bytes);
    }
    settle();
    scene.snapshot("game");
    let at = |path: &str| scene.path(&format!("game/{path}"));
    fs::rename(at("a/one"), at("a/uno")).unwrap();
    fs::rename(at("a/two"), at("b/two")).unwrap();
    // The content that was moved is there twice now; what was changed stands in a copy as it was.
    write(&at("b/two again"), b"two");
    write(&at("c/copy of four"), b"four");
    write(&at("c/four"), b"something else");
    // Moved and changed at once: most chunks are the same.
    fs::remove_file(at("large.bin")).unwrap();
    let mut changed = large.clone();
    changed[700_000] ^= 1;
    write(&at("data/larger.bin"), &changed);
    settle();
    scene.snapshot("game");
    let diff = two(&scene);
    use ChangeKind::{Copied, Moved, Renamed};
    let expected = [
        ("a/one", "a/uno", Renamed),
        ("a/two", "b/two", Moved),
        ("a/two", "b/two again", Copied),
        ("c/four", "c/copy of four", Copied),
        ("large.bin", "data/larger.bin", Moved),
    ];
    assert_eq!(moves(&diff), expected);
    assert_eq!(diff.count(ChangeKind::Removed), 0);
    let larger = diff.changes.iter().find(|one| one.change.path == "data/larger.bin").unwrap();
    assert_eq!((larger.change.old_size, larger.growth()), (Some(2 << 20), 0));
    assert!((1..=256 << 10).contains(&larger.changed_bytes), "{} bytes are others", larger.changed_bytes);
}

#[test]
fn bytes_that_are_others_are_counted_once_and_cost_what_packs_say() {
    let scene = Scene::new();
    let large = noise(2, 4 << 20);
    write(&scene.path("game/pack.bin"), &large);
    write(&scene.path("game/plain.txt"), &b"all the same ".repeat(10_000));
    settle();
    scene.snapshot("game");
    let mut changed = large.clone();
    changed[1_000_000..1_000_016].fill(7);
    write(&scene.path("game/pack.bin"), &changed);
    let added = noise(3, 300_000);
    write(&scene.path("game/new1.bin"), &added);
    write(&scene.path("game/new2.bin"), &added);
    settle();
    let report = scene.snapshot("game");
    let diff = two(&scene);
    let of = |path: &str| diff.changes.iter().find(|one| one.change.path == path).unwrap();
    assert_eq!((of("new1.bin").changed_bytes, of("new2.bin").changed_bytes), (300_000, 0));
    assert!((16..=256 << 10).contains(&of("pack.bin").changed_bytes), "{}", of("pack.bin").changed_bytes);
    let stored: u64 = diff.changes.iter().map(|one| one.stored_bytes).sum();
    assert!(stored >= 300_000, "random bytes take what they are: {stored}");
    // With the headers of chunks, which the report of a snapshot leaves out.
    assert!(stored <= report.bytes_stored + 2_000, "{stored} of {}", report.bytes_stored);
    let class = gamevault::compare::by_class(&diff.changes);
    assert_eq!(class.iter().map(|(_, sum)| sum.changes).sum::<u64>(), 3);
}

#[test]
fn plugins_settings_and_texts_tell_what_changed_inside() {
    use gamevault::compare::detail::{Detail, Limits};
    let scene = Scene::new();
    let put = |path: &str, text: &str| write(&scene.path(&format!("game/{path}")), text.as_bytes());
    put(
        "Packages/packages-lock.json",
        r#"{"dependencies": {"com.a": {"version": "1.2"}, "com.gone": {"version": "1"}}}"#,
    );
    put("addons/talk/plugin.cfg", "[plugin]\nname=\"Talk\"\nversion=\"2.0\"\n");
    put("config/game.ini", "[net]\nport=80\nApiToken=hunter2\n");
    put("readme.txt", "one\ntwo\npassword: hunter2\n");
    settle();
    scene.snapshot("game");
    put(
        "Packages/packages-lock.json",
        r#"{"dependencies": {"com.a": {"version": "1.3"}, "com.new": {"version": "9"}}}"#,
    );
    put("addons/talk/plugin.cfg", "[plugin]\nname=\"Talk\"\nversion=\"2.1\"\n");
    put("config/game.ini", "; said otherwise\n[net]\nApiToken=hunter3\nport=81\n");
    put("readme.txt", "one\n2\npassword: hunter3\n");
    settle();
    scene.snapshot("game");
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    let changes = scene.vault.changes(&old, &new, &[], &Limits::ALL).unwrap();
    let plugins: Vec<_> =
        changes.plugins.iter().map(|one| (one.name.as_str(), one.old.as_deref(), one.new.as_deref())).collect();
    let expected = [
        ("Talk", Some("2.0"), Some("2.1")),
        ("com.a", Some("1.2"), Some("1.3")),
        ("com.gone", Some("1"), None),
        ("com.new", None, Some("9")),
    ];
    assert_eq!(plugins, expected);
    let detail = |path: &str| {
        let index = changes.diff.changes.iter().position(|one| one.change.path == path).unwrap();
        &changes.details[&index]
    };
    let Detail::Settings(settings) = detail("config/game.ini") else { panic!("{:?}", detail("config/game.ini")) };
    let keys: Vec<&str> = settings.settings.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["net/ApiToken", "net/port"]);
    let Detail::Text(text) = detail("readme.txt") else { panic!("{:?}", detail("readme.txt")) };
    assert_eq!((text.added, text.removed), (2, 2));
    let told = gamevault::report::changes::markdown(&changes) + &gamevault::report::changes::page(&changes);
    assert!(!told.contains("hunter") && told.contains("********") && told.contains("+2"));
    assert!(told.contains("1.3") && told.contains("com.gone"));
}

#[test]
fn members_of_containers_are_compared_by_name() {
    use gamevault::compare::detail::{Detail, Limits};
    let wad = |lumps: &[(&str, Vec<u8>)]| {
        let mut bytes = b"PWAD".to_vec();
        let directory = 12 + lumps.iter().map(|(_, data)| data.len() as u32).sum::<u32>();
        bytes.extend((lumps.len() as u32).to_le_bytes());
        bytes.extend(directory.to_le_bytes());
        lumps.iter().for_each(|(_, data)| bytes.extend(data));
        let mut at = 12u32;
        for (name, data) in lumps {
            bytes.extend(at.to_le_bytes());
            bytes.extend((data.len() as u32).to_le_bytes());
            bytes.extend(name.bytes().chain([0; 8]).take(8));
            at += data.len() as u32;
        }
        bytes
    };
    let scene = Scene::new();
    let lump = |seed, len| noise(seed, len);
    let old = [("SAME", lump(1, 90_000)), ("GONE", lump(2, 5_000)), ("OTHER", lump(3, 60_000)), ("SMALL", lump(4, 10))];
    write(&scene.path("game/a.wad"), &wad(&old));
    settle();
    scene.snapshot("game");
    let mut other = lump(3, 60_000);
    other[59_000] ^= 1;
    let new = [("FIRST", lump(9, 77)), ("SAME", lump(1, 90_000)), ("OTHER", other), ("SMALL", lump(4, 10))];
    write(&scene.path("game/a.wad"), &wad(&new));
    settle();
    scene.snapshot("game");
    let (old, new) = (scene.vault.build("1").unwrap(), scene.vault.build("2").unwrap());
    let changes = scene.vault.changes(&old, &new, &[], &Limits::PAGE).unwrap();
    let Some(Detail::Members(members)) = changes.details.get(&0) else { panic!("{:?}", changes.details) };
    let told: Vec<_> =
        members.changes.iter().map(|one| (one.name.as_str(), one.old.is_some(), one.new.is_some())).collect();
    assert_eq!(told, [("FIRST", false, true), ("GONE", true, false), ("OTHER", true, true)]);
    assert_eq!((members.members, members.added, members.removed, members.modified), (4, 1, 1, 1));
}

#[test]
fn what_a_build_has_alone_is_what_no_other_has() {
    let scene = Scene::new();
    write(&scene.path("game/shared.bin"), &noise(1, 500_000));
    write(&scene.path("game/first.bin"), &noise(2, 300_000));
    settle();
    scene.snapshot("game");
    fs::remove_file(scene.path("game/first.bin")).unwrap();
    write(&scene.path("game/second.bin"), &noise(3, 700_000));
    settle();
    scene.snapshot("game");
    fs::remove_file(scene.path("game/second.bin")).unwrap();
    settle();
    scene.snapshot("game");
    let progress = gamevault::progress::Progress::new();
    let found = scene.vault.explain(&scene.vault.build("2").unwrap(), &progress).unwrap();
    assert_eq!((found.before.as_deref(), found.growth), (Some("1"), 400_000));
    let largest: Vec<_> = found.files.iter().map(|one| (one.path.as_str(), one.growth)).collect();
    assert_eq!(largest, [("second.bin", 700_000), ("first.bin", -300_000)]);
    // Pages of folders are little beside the files.
    let near = |bytes: u64, expected: u64| (expected..expected + 5_000).contains(&bytes);
    let [first, second, third] = &found.builds[..] else { panic!("{:?}", found.builds) };
    assert!(near(first.unique_bytes, 300_000) && near(first.freed_bytes + first.needed_bytes, 300_000), "{first:?}");
    assert!(near(second.unique_bytes, 700_000) && near(second.unique_stored_bytes, 700_000), "{second:?}");
    assert!(near(third.unique_bytes, 0), "{third:?}");
    let history = scene
        .vault
        .history("h", &scene.vault.build("1").unwrap(), &scene.vault.build("3").unwrap(), &progress)
        .unwrap();
    assert_eq!(
        history.builds.iter().map(|one| one.freed_bytes).collect::<Vec<_>>(),
        [first, second, third].map(|one| one.freed_bytes)
    );
}

/// Whatever was done to a file of any sort, its detail is found or left out, and says no more than its bounds allow.
#[test]
fn broken_files_have_details_or_none() {
    use crate::support::mutate::mutate;
    use gamevault::compare::detail::Limits;
    let mut random = crate::support::seed::random(crate::support::seed::seed());
    let scene = Scene::new();
    let samples = fs::read_dir("tests/data/containers").unwrap().map(|entry| entry.unwrap().path());
    let samples: Vec<_> = samples.filter(|path| path.is_file()).collect();
    for round in 0..12 {
        for sample in &samples {
            let bytes = fs::read(sample).unwrap();
            let bytes = if round == 0 { bytes } else { mutate(&bytes, &mut random) };
            write(&scene.path("game").join(sample.file_name().unwrap()), &bytes);
        }
        for (name, text) in
            [("a.json", "{\"a\": [1, 2]}"), ("b.ini", "[s]\nk=v\n"), ("c.txt", "line\n"), ("d.toml", "a = 1\n")]
        {
            let bytes = if round == 0 { text.into() } else { mutate(text.as_bytes(), &mut random) };
            write(&scene.path("game").join(name), &bytes);
        }
        settle();
        scene.snapshot("game");
    }
    let builds = scene.vault.builds().unwrap();
    let mut found = 0;
    for pair in builds.windows(2) {
        let changes = scene.vault.changes(&pair[0], &pair[1], &[], &Limits::ALL).unwrap();
        found += changes.details.len();
        let (text, page) = (gamevault::report::changes::markdown(&changes), gamevault::report::changes::page(&changes));
        assert!(text.len() + page.len() < 64 << 20);
    }
    assert!(found > 0, "no file had a detail");
}
