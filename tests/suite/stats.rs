//! Where the bytes are: sums that add up, and count each chunk where it was first seen.

use crate::support::seed::{random, seed};
use crate::support::{Scene, noise, settle, write};
use gamevault::id::{BuildNumber, ChunkId};
use gamevault::progress::Progress;
use gamevault::vault::{Grouping, Stats, StatsOptions, StatsRow};
use rand::RngExt;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const GROUPINGS: [Grouping; 4] = [Grouping::Build, Grouping::Folder, Grouping::Type, Grouping::Technique];

/// What a chunk takes in a pack besides its stored bytes: its header and its row of the footer.
const HEADERS: u64 = 44 + 48;

fn stats(scene: &Scene, builds: &[u64], by: Grouping, depth: usize) -> Stats {
    let builds = builds.iter().map(|&number| BuildNumber(number)).collect();
    scene.vault.stats(&StatsOptions { builds, by, depth }, &Progress::new()).unwrap()
}

fn row<'a>(stats: &'a Stats, name: &str) -> &'a StatsRow {
    let named: Vec<&StatsRow> = stats.rows.iter().filter(|row| row.name == name).collect();
    assert_eq!(named.len(), 1, "{name} in {:?}", stats.rows);
    named[0]
}

/// Files, logical bytes, distinct chunks, their plain bytes and their stored ones.
fn numbers(row: &StatsRow) -> (Option<u64>, Option<u64>, u64, u64, u64) {
    (row.files, row.logical_bytes, row.chunks, row.unique_bytes, row.stored_bytes)
}

/// The numbers of files that are `chunks` chunks of noise, which is stored as it is.
fn raw(files: u64, logical: u64, chunks: u64, unique: u64) -> (Option<u64>, Option<u64>, u64, u64, u64) {
    (Some(files), Some(logical), chunks, unique, unique + chunks * HEADERS)
}

/// A vault with two builds, all of whose chunks of files are known.
fn small_vault() -> Scene {
    let scene = Scene::new();
    let game = scene.path("game");
    write(&game.join("readme.txt"), &[b'a'; 5000]);
    write(&game.join(".hidden"), &noise(1, 4500));
    write(&game.join("data/a.PNG"), &noise(2, 5000));
    write(&game.join("data/maps/b.png"), &noise(2, 5000));
    write(&game.join("data/maps/level"), &noise(3, 6000));
    write(&game.join("zoo/a.map"), &noise(4, 7000));
    settle();
    scene.snapshot("game");
    write(&game.join("data/maps/level"), &noise(5, 6001));
    write(&game.join("data/maps/new.png"), &noise(6, 8000));
    // As in the first build, under another type.
    write(&game.join("data/copy.bin"), &noise(4, 7000));
    settle();
    scene.snapshot("game");
    scene
}

#[test]
fn a_chunk_counts_in_the_type_where_it_was_first_seen() {
    let scene = small_vault();
    let by_type = stats(&scene, &[], Grouping::Type, 1);
    assert_eq!(numbers(row(&by_type, "png")), raw(5, 4 * 5000 + 8000, 2, 5000 + 8000));
    assert_eq!(numbers(row(&by_type, "map")), raw(2, 2 * 7000, 1, 7000));
    assert_eq!(numbers(row(&by_type, "bin")), raw(1, 7000, 0, 0));
    assert_eq!(numbers(row(&by_type, "no extension")), raw(4, 2 * 4500 + 6000 + 6001, 3, 4500 + 6000 + 6001));
    let second = stats(&scene, &[2], Grouping::Type, 1);
    assert_eq!(numbers(row(&second, "png")), raw(3, 2 * 5000 + 8000, 1, 8000));
    assert_eq!(numbers(row(&second, "map")), raw(1, 7000, 0, 0));
    assert_eq!(row(&second, "map").ratio, None);
    assert_eq!(numbers(row(&second, "no extension")), raw(2, 4500 + 6001, 1, 6001));
    let text = row(&by_type, "txt");
    assert_eq!((text.files, text.unique_bytes, text.chunks), (Some(2), 5000, 1));
    assert!(text.stored_bytes > HEADERS && text.stored_bytes < HEADERS + 100, "{text:?}");
}

#[test]
fn folders_have_rows_down_to_the_depth_that_is_asked_for() {
    let scene = small_vault();
    for (depth, names) in [
        (1, &[".", "data", "zoo"][..]),
        (2, &[".", "data", "data/maps", "zoo"]),
        (9, &[".", "data", "data/maps", "zoo"]),
    ] {
        let by_folder = stats(&scene, &[1], Grouping::Folder, depth);
        let mut found: Vec<&str> = by_folder.rows.iter().map(|row| row.name.as_str()).collect();
        found.sort();
        assert_eq!(found, names);
        let data = row(&by_folder, "data");
        match depth {
            1 => assert_eq!((data.files, data.logical_bytes), (Some(3), Some(16_000))),
            _ => {
                // With one page of a directory each; the picture counts in the folder above.
                assert_eq!((data.files, data.logical_bytes, data.chunks), (Some(1), Some(5000), 2));
                let maps = row(&by_folder, "data/maps");
                assert_eq!((maps.files, maps.logical_bytes, maps.chunks), (Some(2), Some(11_000), 2));
            }
        }
    }
    // Build 2 has the bytes of zoo/a.map in another folder, but they are not new.
    let by_folder = stats(&scene, &[], Grouping::Folder, 1);
    let zoo = row(&by_folder, "zoo");
    assert_eq!((zoo.files, zoo.logical_bytes, zoo.chunks), (Some(2), Some(14_000), 2));
}

#[test]
fn builds_have_what_they_added() {
    let scene = small_vault();
    let by_build = stats(&scene, &[], Grouping::Build, 1);
    let (first, second) = (row(&by_build, "1"), row(&by_build, "2"));
    assert_eq!((first.files, first.logical_bytes), (Some(6), Some(32_500)));
    assert_eq!((second.files, second.logical_bytes), (Some(8), Some(32_501 + 15_000)));
    // Five of files (one of them in two), and four pages of directories.
    assert_eq!((first.chunks, second.chunks), (9, 2 + 3));
    for (name, row) in [(1, first), (2, second)] {
        let alone = stats(&scene, &[name], Grouping::Build, 1);
        assert_eq!(alone.rows, std::slice::from_ref(row));
        assert_eq!((alone.unique_bytes, alone.stored_bytes), (row.unique_bytes, row.stored_bytes));
    }
}

#[test]
fn every_technique_is_named() {
    let scene = small_vault();
    let mut level = noise(7, 100_000);
    for change in 0..2 {
        level[50_000] = change;
        write(&scene.path("game/level.bin"), &level);
        settle();
        scene.snapshot("game");
    }
    let techniques = stats(&scene, &[], Grouping::Technique, 1);
    assert!(row(&techniques, "raw").unique_bytes > 36_501 + 90_000);
    assert!(row(&techniques, "zstd").unique_bytes >= 5000);
    let delta = row(&techniques, "byte-delta");
    assert!(delta.unique_bytes > 10_000 && delta.stored_bytes < 1000, "{delta:?}");
    assert!(techniques.rows.iter().all(|row| row.about.is_some() && row.files.is_none()));
    // A walk over all builds finds what the catalogue says.
    let walked = stats(&scene, &[1, 2, 3, 4], Grouping::Technique, 1);
    let named: Vec<StatsRow> = techniques.rows.into_iter().filter(|row| !row.name.starts_with('(')).collect();
    assert_eq!(walked.rows, named);
}

#[test]
fn parts_add_up_whatever_they_are() {
    let scene = small_vault();
    for builds in [&[][..], &[1], &[2], &[1, 2]] {
        let all = GROUPINGS.map(|by| stats(&scene, builds, by, 1));
        for stats in &all {
            let sum = |of: fn(&StatsRow) -> u64| stats.rows.iter().map(of).sum::<u64>();
            assert_eq!(sum(|row| row.unique_bytes), stats.unique_bytes);
            assert_eq!(sum(|row| row.stored_bytes), stats.stored_bytes);
            assert_eq!(sum(|row| row.chunks), stats.chunks);
            if stats.by != Grouping::Technique {
                assert_eq!(sum(|row| row.files.unwrap_or(0)), stats.files);
                assert_eq!(sum(|row| row.logical_bytes.unwrap_or(0)), stats.logical_bytes);
            }
            let sums = |stats: &Stats| (stats.unique_bytes, stats.stored_bytes, stats.chunks, stats.logical_bytes);
            assert_eq!(sums(stats), sums(&all[0]), "{builds:?} by {:?}", stats.by);
            assert!(stats.rows.iter().all(|row| row.name != "(in no build)"), "{:?}", stats.rows);
        }
    }
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => bytes_below(&entry.path()),
            false => entry.metadata().unwrap().len(),
        })
        .sum()
}

#[test]
fn stored_bytes_are_the_files_of_the_vault() {
    let scene = small_vault().reopen();
    write(&scene.path("vault/spool/session"), &[1; 1000]);
    let stats = stats(&scene, &[], Grouping::Technique, 1);
    let Scene { dir, vault } = scene;
    drop(vault);
    assert_eq!(stats.stored_bytes + 1000, bytes_below(&dir.path().join("vault")));
    let vault = stats.vault.unwrap();
    assert_eq!(vault.pack_bytes, bytes_below(&dir.path().join("vault/packs")));
    assert_eq!(vault.pack_bytes + vault.catalogue_bytes + vault.similar_bytes + vault.other_bytes, stats.stored_bytes);
}

#[test]
fn what_no_build_has_is_told() {
    let scene = small_vault();
    scene.vault.store().put(&noise(99, 12_345), gamevault::store::Class::Data).unwrap();
    scene.vault.store().flush().unwrap();
    let by_type = stats(&scene, &[], Grouping::Type, 1);
    let elsewhere = row(&by_type, "(in no build)");
    assert_eq!((elsewhere.chunks, elsewhere.unique_bytes, elsewhere.stored_bytes), (1, 12_345, 12_345 + HEADERS));
}

#[test]
fn chunks_that_no_pack_has_are_told() {
    let scene = small_vault();
    let lost = ChunkId::of(&noise(4, 7000)).key();
    let catalogue = Connection::open(scene.path("vault/catalogue.db")).unwrap();
    assert_eq!(catalogue.execute("DELETE FROM chunk WHERE id = ?1", [&lost.0[..]]).unwrap(), 1);
    let by_type = stats(&scene.reopen(), &[1, 2], Grouping::Type, 1);
    assert_eq!(by_type.missing_chunks, 1);
    assert_eq!(numbers(row(&by_type, "map")), raw(2, 14_000, 0, 0));
}

/// With a thousand builds that are almost the same, walking each would take a thousand times as long.
#[test]
fn folders_that_were_seen_are_not_walked_again() {
    let scene = Scene::new();
    for file in 0..60 {
        write(&scene.path(&format!("game/folder{}/file{file}", file % 6)), &noise(file, 100));
    }
    settle();
    scene.snapshot("game");
    write(&scene.path("game/folder3/file3"), b"changed");
    settle();
    scene.snapshot("game");
    for by in [Grouping::Build, Grouping::Folder, Grouping::Type] {
        let progress = Progress::new();
        scene.vault.stats(&StatsOptions { builds: Vec::new(), by, depth: 1 }, &progress).unwrap();
        assert_eq!(progress.read().files_done, 60 + 10, "{by:?}");
    }
}

/// Files by type come from differences between builds, files by folder from totals: both must be as if all were counted.
#[test]
fn files_are_counted_in_every_build() {
    let scene = Scene::new();
    let mut random = random(seed());
    let folders = ["", "a/", "a/deep/", "a/deep/er/", "b/"];
    let types = ["x", "x.png", "y.PNG", "z.tar.gz", "w.wav", ".hidden"];
    let mut expected: Vec<[BTreeMap<String, (u64, u64)>; 2]> = Vec::new();
    for _ in 0..6 {
        for _ in 0..8 {
            let name = format!("{}{}", folders[random.random_range(0..5)], types[random.random_range(0..6)]);
            let path = scene.path("game").join(name);
            match random.random_range(0..3) {
                0 => drop(fs::remove_file(path)),
                _ => write(&path, &noise(random.random(), random.random_range(1..3000))),
            }
        }
        if random.random_range(0..3) == 0 {
            let _ = fs::remove_dir_all(scene.path("game/a/deep"));
        }
        fs::create_dir_all(scene.path("game")).unwrap();
        settle();
        scene.snapshot("game");
        let mut counted = [BTreeMap::new(), BTreeMap::new()];
        for folder in folders {
            for name in types {
                let Ok(meta) = scene.path("game").join(format!("{folder}{name}")).metadata() else { continue };
                let extension = match name.rsplit_once('.') {
                    Some((stem, end)) if !stem.is_empty() => end.to_lowercase(),
                    _ => "no extension".to_owned(),
                };
                let top = match folder.trim_end_matches('/') {
                    "" => ".",
                    "a/deep/er" => "a/deep",
                    other => other,
                };
                for (counted, name) in counted.iter_mut().zip([extension, top.to_owned()]) {
                    let (files, bytes) = counted.entry(name).or_insert((0, 0));
                    (*files, *bytes) = (*files + 1, *bytes + meta.len());
                }
            }
        }
        expected.push(counted);
    }
    for builds in [&[1, 2, 3, 4, 5, 6][..], &[1], &[4], &[2, 6], &[1, 3, 5]] {
        for (which, by) in [Grouping::Type, Grouping::Folder].into_iter().enumerate() {
            let mut wanted: BTreeMap<String, (u64, u64)> = BTreeMap::new();
            for &build in builds {
                for (name, (files, bytes)) in &expected[build as usize - 1][which] {
                    let sum = wanted.entry(name.clone()).or_default();
                    *sum = (sum.0 + files, sum.1 + bytes);
                }
            }
            let stats = stats(&scene, builds, by, 2);
            let found: BTreeMap<String, (u64, u64)> = stats
                .rows
                .iter()
                .filter_map(|row| Some((row.name.clone(), (row.files?, row.logical_bytes?))))
                .filter(|(_, (files, _))| *files > 0)
                .collect();
            assert_eq!(found, wanted, "builds {builds:?} by {by:?}");
        }
    }
}

#[test]
fn refused_differences_are_counted_with_their_reasons() {
    let scene = small_vault();
    let refused = |scene: &Scene| stats(scene, &[], Grouping::Technique, 1).vault.unwrap().refused;
    // The level was made anew: what stood there before is no help.
    let [one] = &refused(&scene)[..] else { panic!("{:?}", refused(&scene)) };
    assert_eq!((one.reason.as_str(), one.count, one.bytes), ("delta-not-smaller", 1, 6001));
    // Without its pack a base cannot be read; the new version is stored by itself.
    for entry in fs::read_dir(scene.path("vault/packs")).unwrap() {
        let folder = entry.unwrap().path();
        for pack in folder.is_dir().then(|| fs::read_dir(&folder).unwrap()).into_iter().flatten() {
            let pack = pack.unwrap().path();
            if pack.metadata().unwrap().len() > 12_000 {
                fs::remove_file(pack).unwrap();
            }
        }
    }
    let scene = scene.reopen();
    let mut level = noise(5, 6001);
    level[3] ^= 1;
    write(&scene.path("game/data/maps/level"), &level);
    settle();
    scene.snapshot("game");
    let refused = refused(&scene.reopen());
    let unreadable = refused.iter().find(|one| one.reason == "delta-base-unreadable");
    assert_eq!(unreadable.map(|one| (one.count, one.bytes)), Some((1, 6001)), "{refused:?}");
    assert_eq!(refused.iter().find(|one| one.reason == "delta-not-smaller").map(|one| one.count), Some(1));
}
