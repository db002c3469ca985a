//! Older builds that are stored anew: smaller, the same byte for byte, and in the same places after a repair.

use crate::support::seed::{random, seed};
use crate::support::{Scene, Tree, assert_same, noise, read_tree, write};
use gamevault::catalogue::ChunkPlace;
use gamevault::id::{ChunkKey, PackId};
use gamevault::progress::Progress;
use gamevault::store::{EntryKind, MAX_DEPTH, Store};
use gamevault::vault::{Annotation, OptimizeOptions, OptimizeReport, RestoreOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use rand::RngExt;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A scene as text of `len` bytes: higher levels find more in it.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut random = random(seed);
    let names: Vec<String> = (0..300).map(|_| format!("mesh_{:06x}", random.random_range(0..1 << 24))).collect();
    let mut text = String::with_capacity(len + 200);
    let (mut x, mut y) = (0i32, 0i32);
    while text.len() < len {
        (x, y) = (x + random.random_range(-90..90), y + random.random_range(-9..9));
        let name = &names[random.random_range(0..names.len())];
        let layer = ["default", "background", "collision", "lights"][random.random_range(0..4)];
        text += &format!("<entity name=\"{name}\" x=\"{x}.5\" y=\"{y}.25\" layer=\"{layer}\" visible=\"true\"/>\n");
    }
    text.truncate(len);
    text.into_bytes()
}

/// Snapshots `count` versions of a folder, in which some files change a little, one wholly, and one comes and goes.
fn versions(scene: &Scene, count: u64) -> Vec<Tree> {
    let mut random = random(seed());
    let mut level = text(random.random(), 900_000);
    let mut trees = Vec::new();
    for number in 1..=count {
        for _ in 0..40 {
            let at = random.random_range(0..level.len() - 20);
            let insert = noise(random.random(), 12);
            level.splice(at..at + random.random_range(0..20), insert);
        }
        write(&scene.path("game/level.txt"), &level);
        write(&scene.path("game/new.txt"), &text(random.random(), 300_000));
        write(&scene.path("game/art/noise.bin"), &noise(random.random(), 100_000));
        write(&scene.path("game/sub/only.txt"), &text(number / 3, 200_000));
        scene.snapshot("game");
        trees.push(read_tree(&scene.path("game")));
    }
    trees
}

fn optimize(vault: &Vault, options: &OptimizeOptions) -> OptimizeReport {
    vault.optimize(options, &Progress::new()).unwrap()
}

fn check(scene: &Scene, trees: &[Tree], to: &str) {
    for (index, tree) in trees.iter().enumerate() {
        let number = (index + 1).to_string();
        assert_same(tree, &scene.restored(&number, &format!("{to}{number}")));
    }
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    assert_eq!(scene.vault.verify(&options, &Progress::new()).unwrap().problems, Vec::<String>::new());
}

/// Returns where every chunk is, with the pack by its name.
fn places(vault: &Vault) -> BTreeMap<ChunkKey, (PackId, ChunkPlace)> {
    let catalogue = vault.store().catalogue();
    let mut places = BTreeMap::new();
    let mut visit = |key, place: &ChunkPlace| {
        // The numbers of packs are given out anew by a repair.
        let by_name = (catalogue.pack_id(place.pack).unwrap(), ChunkPlace { pack: 0, ..place.clone() });
        places.insert(key, by_name);
        Ok(())
    };
    catalogue.for_each_chunk(&mut visit).unwrap();
    places
}

fn repaired(scene: Scene) -> Scene {
    let Scene { dir, vault } = scene;
    drop(vault);
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir }
}

fn pack_bytes(scene: &Scene) -> u64 {
    Store::packs_on_disk(&**scene.vault.store().disk()).unwrap().iter().map(|(.., len)| len).sum()
}

#[test]
fn builds_come_back_from_less_room_and_a_repair_finds_the_same_places() {
    let scene = Scene::new();
    let trees = versions(&scene, 5);
    let before = pack_bytes(&scene);
    let report = optimize(&scene.vault, &OptimizeOptions { squeeze: true, ..OptimizeOptions::default() });
    assert!(report.is_complete && report.own_smaller > 0 && report.differences_smaller > 0, "{report:?}");
    assert!(report.packs_removed > 0, "{report:?}");
    let after = pack_bytes(&scene);
    assert_eq!((report.pack_bytes_before, report.pack_bytes_after), (before, after));
    assert!(after < before && before - after > report.bytes_gained / 2, "{before} became {after}: {report:?}");
    check(&scene, &trees, "optimized");
    let known = places(&scene.vault);
    let scene = repaired(scene);
    assert_eq!(places(&scene.vault), known);
    check(&scene, &trees, "repaired");
}

#[test]
fn what_was_tried_is_not_tried_again_and_a_dry_run_changes_nothing() {
    let scene = Scene::new();
    let trees = versions(&scene, 3);
    let known = places(&scene.vault);
    let dry = optimize(&scene.vault, &OptimizeOptions { dry_run: true, ..OptimizeOptions::default() });
    assert!(dry.bytes_gained > 0 && dry.packs_removed == 0, "{dry:?}");
    assert_eq!(places(&scene.vault), known);
    let first = optimize(&scene.vault, &OptimizeOptions::default());
    assert_eq!((first.chunks_looked_at, first.bytes_gained), (dry.chunks_looked_at, dry.bytes_gained));
    let second = optimize(&scene.vault, &OptimizeOptions::default());
    assert_eq!((second.chunks_looked_at, second.chunks_moved, second.packs_removed), (0, 0, 0), "{second:?}");
    let harder = optimize(&scene.vault, &OptimizeOptions { squeeze: true, ..OptimizeOptions::default() });
    assert_eq!(harder.chunks_looked_at, first.chunks_looked_at);
    check(&scene, &trees, "after");
}

#[test]
fn the_newest_build_and_milestones_stay_as_they_are() {
    let scene = Scene::new();
    versions(&scene, 3);
    let named = scene.vault.build("1").unwrap();
    let name = gamevault::name::RefName::new("alpha").unwrap();
    scene.vault.set_milestone(&name, &named, &Annotation::default(), false).unwrap();
    let report = optimize(&scene.vault, &OptimizeOptions::default());
    let middle_only = report.chunks_looked_at;
    scene.vault.remove_milestone(&name).unwrap();
    let report = optimize(&scene.vault, &OptimizeOptions::default());
    assert!(middle_only > 0 && report.chunks_looked_at > 0, "{middle_only}, then {report:?}");
}

#[test]
fn runs_that_are_stopped_again_and_again_make_the_vault_smaller_as_one_does() {
    let scene = Scene::new();
    let trees = versions(&scene, 5);
    let full = pack_bytes(&scene);
    let mut stops = 0;
    while !scene.vault.last_optimize().unwrap().is_some_and(|last| last.is_complete) {
        let progress = Progress::new();
        let ended = std::thread::scope(|scope| {
            let run = scope.spawn(|| scene.vault.optimize(&OptimizeOptions::default(), &progress));
            // A few chunks further each time.
            while progress.read().bytes_done < 300_000 && !run.is_finished() {
                std::thread::yield_now();
            }
            progress.cancel();
            run.join().unwrap()
        });
        stops += u32::from(ended.is_err_and(|error| error.kind() == ErrorKind::Interrupted));
    }
    assert!(stops >= 2, "{stops}");
    let (after, last) = (pack_bytes(&scene), scene.vault.last_optimize().unwrap().unwrap());
    assert!(after < full && full - after > last.bytes_gained / 2, "{full} became {after}: {last:?}");
    check(&scene, &trees, "stopped");
}

#[test]
fn a_run_without_time_goes_on_later() {
    let scene = Scene::new();
    let trees = versions(&scene, 3);
    let none = OptimizeOptions { time_limit: Some(Duration::ZERO), ..OptimizeOptions::default() };
    assert!(!optimize(&scene.vault, &none).is_complete);
    let progress = Progress::new();
    progress.cancel();
    let stopped = scene.vault.optimize(&OptimizeOptions::default(), &progress).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    assert!(optimize(&scene.vault, &OptimizeOptions::default()).bytes_gained > 0);
    check(&scene, &trees, "later");
}

/// Other processes have looked chunks up, hold packs open that are removed, and store differences to what moves.
#[test]
fn readers_and_snapshots_go_on_beside_it() {
    let scene = Scene::new();
    let mut trees = versions(&scene, 4);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Relaxed) || rounds == 0 {
                // A vault of its own, like another process.
                let vault = Vault::open(&scene.path("vault")).unwrap();
                for number in 1..=4 {
                    let dest = scene.path(&format!("beside-{rounds}-{number}"));
                    let build = vault.build(&number.to_string()).unwrap();
                    vault.restore(&build, &dest, &RestoreOptions::default(), &Progress::new()).unwrap();
                    assert_same(&trees[number - 1], &read_tree(&dest));
                    fs::remove_dir_all(dest).unwrap();
                }
                rounds += 1;
            }
        });
        let writing = scope.spawn(|| {
            let vault = Vault::open(&scene.path("vault")).unwrap();
            for number in 0..3 {
                let mut level = fs::read(scene.path("game/level.txt")).unwrap();
                level.splice(1000 * number..1000 * number + 5, *b"changed");
                write(&scene.path("game/level.txt"), &level);
                vault.snapshot(&scene.path("game"), &Default::default(), &Progress::new()).unwrap();
            }
        });
        for squeeze in [false, true, false] {
            optimize(&scene.vault, &OptimizeOptions { squeeze, ..OptimizeOptions::default() });
        }
        writing.join().unwrap();
        stop.store(true, Relaxed);
        reading.join().unwrap();
    });
    optimize(&scene.vault, &OptimizeOptions { squeeze: true, ..OptimizeOptions::default() });
    trees.truncate(4);
    check(&scene, &trees, "end");
    assert_same(&read_tree(&scene.path("game")), &scene.restored("latest", "newest"));
}

#[test]
fn only_one_optimize_runs_at_a_time() {
    let scene = Scene::new();
    versions(&scene, 2);
    optimize(&scene.vault, &OptimizeOptions::default());
    let lock = scene.vault.store().disk().open_writable("optimize.lock".as_ref()).unwrap();
    assert!(lock.try_lock(true).unwrap());
    let error = scene.vault.optimize(&OptimizeOptions::default(), &Progress::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
}

#[test]
fn chains_stay_short_and_lead_nowhere_in_a_circle() {
    let scene = Scene::new();
    versions(&scene, 6);
    for _ in 0..2 {
        optimize(&scene.vault, &OptimizeOptions { squeeze: true, ..OptimizeOptions::default() });
        write(&scene.path("game/new.txt"), &text(77, 300_000));
        scene.snapshot("game");
    }
    let places = places(&scene.vault);
    let mut deepest = 0;
    for &key in places.keys() {
        let (mut level, mut depth) = (HashSet::from([key]), 0);
        while !level.is_empty() {
            level = level.iter().flat_map(|key| places[key].1.bases.iter().copied()).collect();
            assert!(!level.contains(&key), "chunk {key} is based on itself");
            depth += 1;
            assert!(depth <= MAX_DEPTH + 1, "chunk {key} lies too deep");
        }
        deepest = deepest.max(depth);
    }
    assert!(deepest > 1);
}

/// A pack that a killed process sealed and did not register says nothing that counts, and would disturb a repair.
#[test]
fn sealed_packs_that_nobody_knows_are_removed_or_told_of() {
    let scene = Scene::new();
    let trees = versions(&scene, 3);
    let known = places(&scene.vault);
    // All of its chunks move away; its file comes back as that of a pack that nobody registered.
    let packs = Store::packs_on_disk(&**scene.vault.store().disk()).unwrap();
    let data = |id: &PackId| {
        let index = scene.vault.store().pack_index(*id).unwrap();
        index.entries.iter().all(|entry| entry.kind == EntryKind::Chunk)
    };
    let copies: Vec<_> = packs
        .iter()
        .filter(|(id, ..)| data(id))
        .map(|(id, path, _)| (*id, scene.path("vault").join(path)))
        .map(|(id, path)| (id, fs::read(&path).unwrap(), path))
        .collect();
    optimize(&scene.vault, &OptimizeOptions { squeeze: true, ..OptimizeOptions::default() });
    let (_, bytes, path) = copies.iter().find(|(.., path)| !path.exists()).expect("a pack was removed");
    fs::write(path, bytes).unwrap();
    optimize(&scene.vault, &OptimizeOptions::default());
    assert!(!path.exists(), "all of it is elsewhere");
    check(&scene, &trees, "cleared");
    // One whose chunks are nowhere else may be all that is left of a build: it stays.
    let other = Scene::new();
    let target = other.path("vault").join(path.strip_prefix(scene.path("vault")).unwrap());
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(&target, bytes).unwrap();
    let error = other.vault.optimize(&OptimizeOptions::default(), &Progress::new()).unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.hint().unwrap().contains("repair"), "{error}");
    assert!(target.exists() && !known.is_empty());
}
