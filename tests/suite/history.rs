//! The past of paths: versions that follow renames, patterns over all builds, and clocks that disagree.

use crate::cli::Home;
use crate::support::seed::{random, seed};
use crate::support::{Scene, noise, settle, write};
use gamevault::catalogue::BuildInfo;
use gamevault::progress::Progress;
use gamevault::vault::{PathGlob, PathVersion, SnapshotOptions, VersionChange};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;

const PATHS: [&str; 8] = ["a.txt", "b.pak", "data/a.txt", "data/b.pak", "data/maps/a.txt", "maps/c.pak", "maps/d", "z"];

fn snapshot(scene: &Scene, platform: Option<&str>) {
    settle();
    let info = BuildInfo { platform: platform.map(str::to_owned), ..BuildInfo::default() };
    let options = SnapshotOptions { info, ..SnapshotOptions::default() };
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
}

fn history(scene: &Scene, path: &str) -> Vec<PathVersion> {
    scene.vault.path_history(&scene.vault.builds().unwrap(), path).unwrap()
}

/// Change, first and last build of each version.
fn brief(versions: &[PathVersion]) -> Vec<(VersionChange, u64, u64)> {
    versions.iter().map(|version| (version.change, version.first.0, version.last.0)).collect()
}

/// Paths that match, with the ranges of their builds.
fn found(scene: &Scene, glob: &str) -> Vec<(String, Vec<(u64, u64)>)> {
    let builds = scene.vault.builds().unwrap();
    let found = scene.vault.find_paths(&builds, &PathGlob::new(glob).unwrap()).unwrap();
    let ranges = |found: &gamevault::vault::FoundPath| {
        found.builds.iter().map(|range| (range.first.0, range.last.0)).collect::<Vec<_>>()
    };
    found.iter().map(|found| (found.path.clone(), ranges(found))).collect()
}

#[test]
fn a_file_is_followed_through_all_that_happens_to_it() {
    let scene = Scene::new();
    let game = scene.path("game");
    write(&game.join("other"), b"other");
    snapshot(&scene, None);
    write(&game.join("data/level"), b"one");
    snapshot(&scene, None);
    // Another file changes: the version goes on.
    write(&game.join("other"), b"other, better");
    snapshot(&scene, None);
    write(&game.join("data/level"), b"two!");
    snapshot(&scene, None);
    fs::create_dir(game.join("maps")).unwrap();
    fs::rename(game.join("data/level"), game.join("maps/first")).unwrap();
    snapshot(&scene, None);
    fs::remove_file(game.join("maps/first")).unwrap();
    snapshot(&scene, None);
    snapshot(&scene, None);
    write(&game.join("maps/first"), b"one");
    snapshot(&scene, None);
    let versions = history(&scene, "maps/first");
    use VersionChange::*;
    let expected = [(Added, 2, 3), (Modified, 4, 4), (Renamed, 5, 5), (Removed, 6, 7), (BackAgain, 8, 8)];
    assert_eq!(brief(&versions), expected);
    let paths: Vec<&str> = versions.iter().map(|version| &*version.path).collect();
    assert_eq!(paths, ["data/level", "data/level", "maps/first", "maps/first", "maps/first"]);
    let sizes: Vec<Option<u64>> = versions.iter().map(|version| version.size).collect();
    assert_eq!(sizes, [Some(3), Some(4), Some(4), None, Some(3)]);
    assert_eq!(versions[2].from.as_deref(), Some("data/level"));
    assert_eq!(versions[4].same_as.map(|build| build.0), Some(2));
    // The old path tells where its content went, and how its spelling is does not matter.
    let versions = history(&scene, "./data//level/");
    assert_eq!(brief(&versions), [(Added, 2, 3), (Modified, 4, 4), (Removed, 5, 8)]);
    assert_eq!(versions[2].to.as_deref(), Some("maps/first"));
    let error = scene.vault.path_history(&scene.vault.builds().unwrap(), "data/nothing").unwrap_err();
    assert_eq!(error.to_string(), "data/nothing is in none of 8 builds");
}

#[test]
fn a_move_is_no_copy_and_no_other_platform() {
    let scene = Scene::new();
    let game = scene.path("game");
    write(&game.join("one.bin"), &noise(1, 5000));
    write(&game.join("empty"), b"");
    snapshot(&scene, Some("linux"));
    // The source of a copy stays, an empty file is like any other one.
    fs::copy(game.join("one.bin"), game.join("copy.bin")).unwrap();
    fs::rename(game.join("empty"), game.join("blank")).unwrap();
    snapshot(&scene, Some("linux"));
    fs::rename(game.join("one.bin"), game.join("one.exe")).unwrap();
    snapshot(&scene, Some("windows"));
    for (path, first) in [("copy.bin", 2), ("blank", 2), ("one.exe", 3)] {
        assert_eq!(brief(&history(&scene, path)), [(VersionChange::Added, first, 3)], "{path}");
    }
    let gone = history(&scene, "one.bin");
    assert_eq!(brief(&gone)[1], (VersionChange::Removed, 3, 3));
    assert_eq!(gone[1].to, None);
}

#[test]
fn folders_change_with_what_is_below_but_not_with_times() {
    let scene = Scene::new();
    let game = scene.path("game");
    write(&game.join("data/a"), b"a");
    write(&game.join("data/deep/b"), b"b");
    snapshot(&scene, None);
    let touch = fs::File::options().write(true).open(game.join("data/a")).unwrap();
    touch.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    // Windows keeps the name of a file that is removed while it is open.
    drop(touch);
    write(&game.join("elsewhere"), b"e");
    snapshot(&scene, None);
    write(&game.join("data/deep/b"), b"better");
    write(&game.join("data/deep/c"), b"c");
    fs::remove_file(game.join("data/a")).unwrap();
    snapshot(&scene, None);
    fs::rename(game.join("data"), game.join("content")).unwrap();
    snapshot(&scene, None);
    let versions = history(&scene, "content");
    use VersionChange::*;
    assert_eq!(brief(&versions), [(Added, 1, 2), (Modified, 3, 3), (Renamed, 4, 4)]);
    let below = versions[1].below.unwrap();
    assert_eq!((below.added, below.removed, below.modified), (1, 1, 1));
    assert_eq!((versions[1].size, versions[2].from.as_deref()), (Some(7), Some("data")));
    // The root is a folder, too.
    assert_eq!(brief(&history(&scene, "/")).len(), 4);
}

#[test]
fn patterns_are_those_of_gitignore() {
    let scene = Scene::new();
    let game = scene.path("game");
    for path in ["a.pak", "data/b.pak", "data/maps/c.pak", "data/maps/d.txt", "pak/e"] {
        write(&game.join(path), path.as_bytes());
    }
    snapshot(&scene, None);
    let paths = |glob: &str| found(&scene, glob).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
    assert_eq!(paths("*.pak"), ["a.pak", "data/b.pak", "data/maps/c.pak"]);
    assert_eq!(paths("/*.pak"), ["a.pak"]);
    assert_eq!(paths("data/*.pak"), ["data/b.pak"]);
    assert_eq!(paths("data/**/*.pak"), ["data/b.pak", "data/maps/c.pak"]);
    assert_eq!(paths("data/**"), ["data/b.pak", "data/maps/", "data/maps/c.pak", "data/maps/d.txt"]);
    assert_eq!(paths("?.{txt,exe}"), ["data/maps/d.txt"]);
    assert_eq!(paths("data/maps/c.pak"), ["data/maps/c.pak"]);
    assert_eq!(paths("pa[jk]"), ["pak/"]);
    assert_eq!(paths("maps/"), ["data/maps/"]);
    assert_eq!(paths("c.pak/"), [""; 0]);
    for broken in ["", "/", "a[", "{a"] {
        assert!(PathGlob::new(broken).is_err(), "{broken}");
    }
}

#[test]
fn a_pattern_reads_what_builds_share_once() {
    let scene = Scene::new();
    let game = scene.path("game");
    for n in 0..600 {
        write(&game.join(format!("d{:02}/file{n}.bin", n / 20)), &[1]);
    }
    snapshot(&scene, None);
    let read = |scene: &Scene| {
        let vault = gamevault::Vault::open(scene.vault.dir()).unwrap();
        let builds = vault.builds().unwrap();
        let all = vault.find_paths(&builds, &PathGlob::new("*.bin").unwrap()).unwrap();
        assert_eq!(all.len(), 600);
        assert_eq!(all.iter().map(|found| found.build_count).sum::<u64>(), 600 * builds.len() as u64);
        vault.store().read_counts().decoded_chunks
    };
    let one = read(&scene);
    assert!(one >= 31, "{one} pages of 31 folders");
    for n in 0..10 {
        write(&game.join("d07/file150.bin"), &[2, n]);
        snapshot(&scene, None);
    }
    // A root and a folder for each further build, which has 31, and what these two are stored as differences to.
    let more = read(&scene) - one;
    assert!(more <= 40, "{more} more pages for 10 builds");
}

/// What a build has at each path: a number for each content.
type Model = BTreeMap<&'static str, u64>;

fn write_model(scene: &Scene, old: &Model, new: &Model) {
    let game = scene.path("game");
    for path in old.keys().filter(|path| !new.contains_key(*path)) {
        fs::remove_file(game.join(path)).unwrap();
    }
    for (path, content) in new.iter().filter(|(path, content)| old.get(*path) != Some(content)) {
        write(&game.join(path), format!("content {content}").as_bytes());
    }
}

/// The versions that a path has in `models`, told without any page of a manifest.
fn versions_of(models: &[Model], path: &str) -> Vec<(VersionChange, u64, u64)> {
    let mut versions: Vec<(VersionChange, u64, u64)> = Vec::new();
    let mut before = None;
    for (number, model) in (1..).zip(models) {
        let now = model.get(path);
        let change = match (before, now) {
            (None, Some(_)) if versions.is_empty() => Some(VersionChange::Added),
            (None, Some(_)) => Some(VersionChange::BackAgain),
            (Some(_), None) => Some(VersionChange::Removed),
            (Some(old), Some(new)) if old != new => Some(VersionChange::Modified),
            _ => None,
        };
        match change {
            Some(change) => versions.push((change, number, number)),
            None => versions.iter_mut().last().into_iter().for_each(|version| version.2 = number),
        }
        before = now;
    }
    versions
}

/// The ranges of builds whose model has a path that `is_meant` takes, folders with their `/`.
fn ranges_of(models: &[Model], is_meant: impl Fn(&str) -> bool) -> Vec<(String, Vec<(u64, u64)>)> {
    let mut ranges: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for (number, model) in (1..).zip(models) {
        let folders = model.keys().flat_map(|path| path.match_indices('/').map(|(end, _)| path[..=end].to_owned()));
        let all: BTreeSet<String> = model.keys().map(|path| path.to_string()).chain(folders).collect();
        for path in all.into_iter().filter(|path| is_meant(path)) {
            let ranges = ranges.entry(path).or_default();
            match ranges.last_mut() {
                Some(last) if last.1 + 1 == number => last.1 = number,
                _ => ranges.push((number, number)),
            }
        }
    }
    ranges.into_iter().collect()
}

#[test]
fn random_builds_have_the_history_that_their_files_tell() {
    let seed = seed();
    let mut random = random(seed);
    let scene = Scene::new();
    let mut models = vec![Model::from([("keep", 0)])];
    write_model(&scene, &Model::new(), &models[0]);
    snapshot(&scene, None);
    // Each content is written once, so that nothing can be taken for a move.
    for content in 1..40 {
        let mut model = models[models.len() - 1].clone();
        let path = PATHS[random.random_range(0..PATHS.len())];
        if model.remove(path).is_none() || random.random_bool(0.5) {
            model.insert(path, content);
        }
        write_model(&scene, &models[models.len() - 1], &model);
        // Folders that lost their last file would be found as well.
        for folder in ["game/data/maps", "game/data", "game/maps"] {
            let _ = fs::remove_dir(scene.path(folder));
        }
        snapshot(&scene, None);
        models.push(model);
    }
    let present: HashSet<&str> = models.iter().flat_map(|model| model.keys().copied()).collect();
    for path in present {
        assert_eq!(brief(&history(&scene, path)), versions_of(&models, path), "{path}");
    }
    let name = |path: &str| path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
    assert_eq!(found(&scene, "*"), ranges_of(&models, |_| true));
    assert_eq!(found(&scene, "*.pak"), ranges_of(&models, |path| path.ends_with(".pak")));
    assert_eq!(found(&scene, "maps/"), ranges_of(&models, |path| name(path) == "maps" && path.ends_with('/')));
    assert_eq!(found(&scene, "data/**"), ranges_of(&models, |path| path.starts_with("data/") && path != "data/"));
    assert_eq!(found(&scene, "/data/?.*"), ranges_of(&models, |path| ["data/a.txt", "data/b.pak"].contains(&path)));
}

/// Gives a build another time, as a machine whose clock is wrong would have.
fn set_time(home: &Home, number: u64, secs: i64) {
    let connection = rusqlite::Connection::open(home.vault().join("catalogue.db")).unwrap();
    let sql = "UPDATE build SET record = json_set(record, '$.created.secs', ?2) WHERE number = ?1";
    assert_eq!(connection.execute(sql, (number as i64, secs)).unwrap(), 1);
}

#[test]
fn builds_stand_in_the_order_of_their_numbers_and_tell_of_clocks() {
    let home = Home::with_builds();
    home.run(["snapshot", "game", "--platform", "windows", "--tag", "nightly", "--tag", "qa"]).succeeds();
    for (number, secs) in [(1, 1_000_000), (2, 3_000_000), (3, 2_000_000)] {
        set_time(&home, number, secs);
    }
    let behind = |ended: crate::cli::Ended| -> Vec<Option<u64>> {
        ended.data().as_array().unwrap().iter().map(|build| build["clock_behind"].as_u64()).collect()
    };
    assert_eq!(behind(home.run(["builds", "--json"]).succeeds()), [None, None, Some(2)]);
    // The mark stays when the build that it speaks of is left out.
    assert_eq!(behind(home.run(["builds", "--json", "--platform", "windows"]).succeeds()), [Some(2)]);
    assert!(home.run(["builds"]).succeeds().stdout.contains("behind 2"));
    for (arguments, expected) in [
        (&["--limit", "2"][..], "2\n3\n"),
        (&["--platform", "linux", "--platform", "windows"], "2\n3\n"),
        (&["--tag", "qa", "--tag", "nightly"], "3\n"),
        (&["--tag", "qa", "--tag", "beta"], ""),
        (&["--since", "1970-01-24"], "2\n3\n"),
        (&["--since", "1h"], ""),
    ] {
        let ended = home.run(["builds", "-q"].iter().chain(arguments)).succeeds();
        assert_eq!(ended.stdout, expected, "{arguments:?}");
    }
    assert!(home.run(["builds", "--since", "yesterday"]).ends_with(2).stderr.contains("it is no time"));
}

#[test]
fn the_commands_speak_to_people_and_to_scripts() {
    let home = Home::with_builds();
    home.run(["milestone", "set", "alpha", "1"]).succeeds();
    let text = home.run(["history", "data/level2.pak"]).succeeds().stdout;
    assert!(text.starts_with("BUILDS") && text.contains("added") && text.contains("modified"), "{text}");
    assert_eq!(home.run(["history", "-q", "data/level1.pak"]).succeeds().stdout, "1\n");
    let data = home.run(["history", "--json", "data/level1.pak"]).succeeds().data();
    assert_eq!((data[0]["first_id"].as_str(), data[0]["kind"].as_str()), (Some("1"), Some("file")));
    assert_eq!((data[1]["change"].as_str(), data[1]["size"].as_u64()), (Some("removed"), None));
    home.run(["history", "nothing"]).fails(3);
    assert_eq!(
        home.run(["find", "-q", "level*"]).succeeds().stdout,
        "data/level1.pak\ndata/level2.pak\ndata/level3.pak\n"
    );
    let in_first = "data/level1.pak\ndata/level2.pak\n";
    assert_eq!(home.run(["find", "-q", "*.pak", "--build", "1"]).succeeds().stdout, in_first);
    assert_eq!(home.run(["find", "-q", "*.pak", "--milestone", "alpha"]).succeeds().stdout, in_first);
    let data = home.run(["find", "--json", "level2.pak"]).succeeds().data();
    assert_eq!((data[0]["versions"].as_u64(), data[0]["size"].as_u64()), (Some(2), Some(11)));
    assert_eq!(data[0]["builds"][0]["first"].as_u64(), Some(1));
    assert!(home.run(["find", "*.exe"]).succeeds().stdout.starts_with("nothing matches *.exe in 2 builds"));
    home.run(["find", "a["]).fails(2);
}
