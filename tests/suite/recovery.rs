//! Damaged packs are made whole again by their recovery data, and by whoever still has the files.

use crate::support::crashes::assert_no_problems;
use crate::support::seed::{random, seed};
use crate::support::{Scene, Tree, assert_same, noise, open_vault, read_tree, settle, write};
use gamevault::ErrorKind;
use gamevault::progress::Progress;
use gamevault::vault::{VerifyOptions, VerifyReport};
use rand::RngExt;
use std::fs;
use std::path::PathBuf;

/// What is damaged of a file: its new bytes.
type Damage<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
type AnyDamage = Box<dyn Fn(&[u8]) -> Vec<u8>>;

const REPAIR: VerifyOptions = VerifyOptions { builds: Vec::new(), read_data: true, repair: true };

/// A vault with one build, of which one file alone fills several megabytes.
fn scene() -> (Scene, Tree) {
    let scene = Scene::new();
    write(&scene.path("game/large"), &noise(1, 3_000_000));
    write(&scene.path("game/sub/small"), b"text ".repeat(900).as_slice());
    settle();
    scene.snapshot("game");
    let tree = read_tree(&scene.path("game"));
    (scene, tree)
}

/// Returns the packs with their bytes, the longest first.
fn packs(scene: &Scene) -> Vec<(PathBuf, Vec<u8>)> {
    let mut packs: Vec<(PathBuf, Vec<u8>)> = files(scene, "pack");
    packs.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    packs
}

fn files(scene: &Scene, extension: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = fs::read_dir(scene.path("vault/packs")).unwrap().map(|entry| entry.unwrap().path());
    let all = folders.filter(|path| path.is_dir()).flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths =
        all.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|kind| kind == extension));
    paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Damages a file of the vault while nobody has it open, and opens the vault again.
fn damaged(scene: Scene, path: &PathBuf, damage: Damage<'_>) -> Scene {
    let Scene { dir, vault } = scene;
    drop(vault);
    let bytes = fs::read(path).unwrap();
    let worse = damage(&bytes);
    assert!(worse != bytes, "nothing is damaged");
    fs::write(path, worse).unwrap();
    Scene { vault: open_vault(&dir.path().join("vault")), dir }
}

fn flipped(at: usize, bit: u32) -> impl Fn(&[u8]) -> Vec<u8> {
    move |bytes| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << bit;
        bytes
    }
}

fn zeroed(at: usize, len: usize) -> impl Fn(&[u8]) -> Vec<u8> {
    move |bytes| {
        let mut bytes = bytes.to_vec();
        let end = bytes.len().min(at + len);
        bytes[at..end].fill(0);
        bytes
    }
}

fn repair(scene: &Scene) -> VerifyReport {
    scene.vault.verify(&REPAIR, &Progress::new()).unwrap()
}

#[test]
fn a_reader_heals_what_it_meets() {
    let (mut scene, tree) = scene();
    let (path, whole) = packs(&scene).swap_remove(0);
    assert!(whole.len() > 2_900_000);
    for (round, damage) in [
        Box::new(flipped(1_000_000, 3)) as AnyDamage,
        Box::new(zeroed(1_234_567, 64 << 10)),
        Box::new(|bytes: &[u8]| bytes[..bytes.len() - (64 << 10)].to_vec()),
    ]
    .iter()
    .enumerate()
    {
        scene = damaged(scene, &path, damage);
        assert_same(&tree, &scene.restored("1", &format!("back{round}")));
        assert_eq!(fs::read(&path).unwrap(), whole, "round {round}");
    }
    assert_no_problems(&scene.vault);
}

#[test]
fn any_flip_and_any_lost_64_kib_of_any_pack_are_repaired() {
    let (mut scene, tree) = scene();
    let mut random = random(seed());
    for (path, whole) in packs(&scene) {
        for round in 0..12 {
            let at = random.random_range(0..whole.len());
            let damage: AnyDamage = match round % 3 {
                0 => Box::new(flipped(at, random.random_range(0..8))),
                1 => Box::new(zeroed(at.min(whole.len().saturating_sub(1)), 64 << 10)),
                _ => Box::new(move |bytes: &[u8]| {
                    bytes[..at].iter().chain(&noise(7, bytes.len() - at)).copied().collect()
                }),
            };
            // More than 64 KiB of noise is more than is promised.
            if round % 3 == 2 && whole.len() - at > 64 << 10 {
                continue;
            }
            scene = damaged(scene, &path, &*damage);
            let report = repair(&scene);
            assert_eq!(report.problems, [""; 0], "{} at {at}, round {round}", path.display());
            assert_eq!(report.healed.len(), 1);
            assert_eq!(fs::read(&path).unwrap(), whole, "{} at {at}, round {round}", path.display());
        }
    }
    assert_same(&tree, &scene.restored("1", "back"));
}

#[test]
fn a_lost_pack_of_records_is_made_again() {
    let (mut scene, _) = scene();
    let (path, whole) = packs(&scene).pop().unwrap();
    assert!(whole.len() < 4_000, "the pack of the build's record");
    scene = {
        let Scene { dir, vault } = scene;
        drop(vault);
        fs::remove_file(&path).unwrap();
        Scene { vault: open_vault(&dir.path().join("vault")), dir }
    };
    assert_eq!(repair(&scene).problems, [""; 0]);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn recovery_data_that_is_damaged_or_missing_is_made_anew() {
    let (mut scene, tree) = scene();
    let whole = files(&scene, "par");
    assert_eq!(whole.len(), packs(&scene).len());
    for (path, bytes) in &whole {
        let at = bytes.len() / 3;
        scene = damaged(scene, path, &flipped(at, 1));
    }
    // Nobody needs it, so nobody complains.
    assert_same(&tree, &scene.restored("1", "back"));
    assert_no_problems(&scene.vault);
    for (path, _) in &whole {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(repair(&scene).problems, [""; 0]);
    let mut again = files(&scene, "par");
    let mut before = whole;
    again.sort();
    before.sort();
    assert!(again == before);
}

#[test]
fn what_is_lost_for_good_is_told_and_the_next_snapshot_brings_it_back() {
    let (scene, tree) = scene();
    let (path, _) = packs(&scene).swap_remove(0);
    let scene = damaged(scene, &path, &zeroed(500_000, 1_500_000));
    let lost =
        scene.vault.verify(&VerifyOptions { read_data: true, ..VerifyOptions::default() }, &Progress::new()).unwrap();
    assert!(lost.problems.iter().any(|problem| problem.contains("it is part of 1:large")), "{:?}", lost.problems);
    let report = repair(&scene);
    assert!(
        report.problems.iter().any(|problem| problem.contains("still has it brings it back")),
        "{:?}",
        report.problems
    );
    let dest = scene.path("lost");
    let build = scene.vault.build("1").unwrap();
    let error = scene.vault.restore(&build, &dest, &Default::default(), &Progress::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    // The folder is as it was: reading it once more heals the old build.
    scene.snapshot("game");
    assert_same(&tree, &scene.restored("1", "back"));
    assert_same(&tree, &scene.restored("2", "back2"));
}

#[test]
fn a_second_copy_heals() {
    let (scene, tree) = scene();
    // Two processes stored the same at once: the catalogue knows the first pack alone.
    let (path, _) = packs(&scene).swap_remove(0);
    let other = Scene::new();
    write(&other.path("game/large"), &noise(1, 3_000_000));
    other.snapshot("game");
    let (copy, bytes) = packs(&other).swap_remove(0);
    let name = copy.strip_prefix(other.path("vault")).unwrap();
    write(&scene.path("vault").join(name), &bytes);
    let scene = damaged(scene, &path, &zeroed(500_000, 1_500_000));
    let report = repair(&scene);
    assert!(report.healed.iter().any(|healed| healed.contains("second copy")), "{report:?}");
    assert_same(&tree, &scene.restored("1", "back"));
}

#[test]
fn none_is_written_where_none_is_wanted() {
    let scene = Scene::new();
    let config = scene.path("vault/vault.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("percent = 3", "percent = 0")).unwrap();
    let scene = scene.reopen();
    write(&scene.path("game/a"), &noise(1, 100_000));
    scene.snapshot("game");
    assert_eq!(files(&scene, "par").len(), 0);
    fs::write(&config, text.replace("percent = 3", "percent = 60")).unwrap();
    let error = gamevault::Vault::open(&scene.path("vault")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn a_round_through_all_packs_heals_protects_and_goes_on_where_it_was_stopped() {
    let (mut scene, tree) = scene();
    write(&scene.path("game/more"), &noise(2, 500_000));
    settle();
    scene.snapshot("game");
    let all = packs(&scene);
    scene = damaged(scene, &all[0].0, &zeroed(70_000, 64 << 10));
    let unprotected = all[1].0.with_extension("par");
    fs::remove_file(&unprotected).unwrap();
    // Stopped after some packs.
    let stopped = Progress::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(300));
            stopped.cancel();
        });
        let error = scene.vault.scrub(1 << 20, &stopped).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    });
    let before = scene.vault.last_scrub().unwrap().unwrap();
    assert!(before.ended.is_none() && before.packs < all.len() as u64, "{before:?}");
    let round = scene.vault.scrub(u64::MAX, &Progress::new()).unwrap();
    assert_eq!((round.packs, round.healed, round.protected), (all.len() as u64, 1, 1));
    assert!(round.ended.is_some() && round.problems.is_empty() && round.started == before.started);
    assert!(unprotected.is_file());
    for (path, whole) in &all {
        assert_eq!(fs::read(path).unwrap(), *whole);
    }
    assert!(!scene.vault.is_scrub_due(std::time::Duration::from_secs(60)).unwrap());
    assert!(scene.vault.is_scrub_due(std::time::Duration::ZERO).unwrap());
    assert_same(&tree, &scene.restored("1", "back"));
    // What cannot be healed is told, and not protected as it is.
    let damage = zeroed(200_000, 1_500_000);
    let scene = damaged(scene, &all[0].0, &damage);
    let round = scene.vault.scrub(u64::MAX, &Progress::new()).unwrap();
    assert_eq!((round.healed, round.problems.len()), (0, 1), "{round:?}");
}
