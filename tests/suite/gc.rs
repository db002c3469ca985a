//! What nothing needs any more goes, and nothing else, whoever stores at the same time.

use crate::support::crashes::assert_no_problems;
use crate::support::seed::seed;
use crate::support::{Scene, Tree, assert_same, noise, read_tree, set_grace, settle, write};
use gamevault::catalogue::Completeness;
use gamevault::ingest::session::{CommitRequest, SessionForm, Sessions};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::store::Class;
use gamevault::vault::{Annotation, GcOptions, GcReport, OptimizeOptions, SnapshotOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use rand::RngExt;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Who stores is not waited for.
const AT_ONCE: GcOptions = GcOptions { dry_run: false, patience: Duration::ZERO };

/// A vault in which what is forgotten can be recalled for so many days.
fn with_grace(days: f64) -> Scene {
    let scene = Scene::new();
    set_grace(&scene.path("vault"), days);
    scene.reopen()
}

/// Writes a file of 300 kB that no other seed shares anything with.
fn file(scene: &Scene, path: &str, seed: u64) {
    write(&scene.path(path), &noise(seed, 300_000));
}

fn forget(vault: &Vault, build: &str) {
    vault.forget(&[vault.build(build).unwrap()], false).unwrap();
}

fn gc(vault: &Vault) -> GcReport {
    vault.gc(&AT_ONCE, &Progress::new()).unwrap()
}

#[test]
fn forgotten_builds_go_when_their_time_is_over() {
    let scene = with_grace(0.0);
    for (number, id) in [(1, "a"), (2, "b"), (3, "c")] {
        file(&scene, "game/each", number);
        file(&scene, &format!("game/{id}"), 10 + number);
        settle();
        scene.snapshot("game");
    }
    let kept = read_tree(&scene.path("game"));
    let vault = &scene.vault;
    forget(vault, "1");
    let plan = vault.gc(&GcOptions { dry_run: true, ..AT_ONCE }, &Progress::new()).unwrap();
    assert_eq!((plan.builds_removed.as_slice(), plan.packs_removed), (&["1".to_owned()][..], 0));
    assert!((300_000..320_000).contains(&plan.chunk_bytes), "{plan:?}");
    let done = gc(vault);
    assert_eq!((done.chunks, done.chunk_bytes, done.chunks_waiting), (plan.chunks, plan.chunk_bytes, 0));
    let freed = done.pack_bytes_before - done.pack_bytes_after;
    assert!((290_000..330_000).contains(&freed), "{done:?}");
    assert_no_problems(vault);
    assert!(vault.forgotten().unwrap().is_empty());
    assert_same(&kept, &scene.restored("3", "back"));
    assert_eq!(scene.restored("2", "back2").len(), 4);
    assert_eq!(gc(vault).chunks, 0);
    // Neither does a repair bring it back.
    let Scene { dir, vault } = scene;
    drop(vault);
    assert_eq!(Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap().problems, [""; 0]);
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    assert_eq!((scene.vault.forgotten().unwrap().len(), scene.vault.builds().unwrap().len()), (0, 2));
    assert_no_problems(&scene.vault);
    assert_same(&kept, &scene.restored("3", "back3"));
    // Its number is not given out again.
    assert_eq!(scene.snapshot("game").build.number.0, 4);
}

#[test]
fn what_can_be_recalled_stays() {
    let scene = with_grace(7.0);
    file(&scene, "game/a", 1);
    scene.snapshot("game");
    let first = read_tree(&scene.path("game"));
    file(&scene, "game/a", 2);
    settle();
    scene.snapshot("game");
    let build = scene.vault.build("1").unwrap();
    forget(&scene.vault, "1");
    assert_eq!(gc(&scene.vault).chunks, 0);
    scene.vault.recall(&[build]).unwrap();
    assert_same(&first, &scene.restored("1", "back"));
    assert_no_problems(&scene.vault);
}

#[test]
fn what_broken_off_work_left_goes() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    scene.snapshot("game");
    {
        let store = scene.vault.store();
        let _writing = store.begin_writing().unwrap();
        store.put(&noise(5, 100_000), Class::Data).unwrap();
        store.flush().unwrap();
        // Whoever stores may need it.
        let waits = gc(&scene.vault);
        assert_eq!((waits.chunks, waits.chunks_waiting), (0, 1));
    }
    let done = gc(&scene.vault);
    assert_eq!((done.chunks, done.chunks_waiting), (1, 0));
    assert_no_problems(&scene.vault);
}

/// A snapshot that is under way finds a chunk there that nothing else needs, and names it only later.
#[test]
fn who_stores_at_the_first_look_is_waited_for() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    scene.snapshot("game");
    let first = read_tree(&scene.path("game"));
    file(&scene, "game/a", 2);
    settle();
    scene.snapshot("game");
    forget(&scene.vault, "1");
    let writing = scene.vault.store().begin_writing().unwrap();
    assert!(gc(&scene.vault).chunks_waiting > 0);
    // Nothing has gone: as long as it lasts, all that was there can be read.
    let again = Vault::open(&scene.path("vault")).unwrap();
    write(&scene.path("game/a"), &noise(1, 300_000));
    settle();
    let build = again.snapshot(&scene.path("game"), &SnapshotOptions::default(), &Progress::new()).unwrap().build;
    assert_eq!(build.number.0, 3);
    drop(writing);
    gc(&scene.vault);
    assert_no_problems(&scene.vault);
    let back = scene.restored("3", "back");
    assert_eq!(first.len(), back.len());
    assert_eq!(fs::read(scene.path("back/a")).unwrap(), noise(1, 300_000));
}

/// An unchanged file is not read again: its chunks must not go meanwhile.
#[test]
fn a_file_that_was_seen_is_asked_for() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    file(&scene, "other/b", 2);
    settle();
    scene.snapshot("game");
    scene.snapshot("other");
    let tree = read_tree(&scene.path("game"));
    forget(&scene.vault, "1");
    let writing = scene.vault.store().begin_writing().unwrap();
    assert!(gc(&scene.vault).chunks_waiting > 0);
    let again = scene.snapshot("game");
    assert_eq!(again.files_unchanged, 1);
    drop(writing);
    gc(&scene.vault);
    assert_no_problems(&scene.vault);
    assert_same(&tree, &scene.restored("3", "back"));
    // And after it is gone, the file is read again.
    forget(&scene.vault, "3");
    assert!(gc(&scene.vault).chunks > 0);
    assert_eq!(scene.snapshot("game").files_unchanged, 0);
    assert_no_problems(&scene.vault);
    assert_same(&tree, &scene.restored("4", "back4"));
}

#[test]
fn sessions_keep_what_they_have() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    file(&scene, "game/sub/b", 2);
    settle();
    scene.snapshot("game");
    file(&scene, "other/c", 3);
    scene.snapshot("other");
    let tree = read_tree(&scene.path("game"));
    let name = |name: &str| name.parse::<RefName>().unwrap();
    let base = scene.vault.build("1").unwrap();
    {
        let sessions = scene.vault.sessions().unwrap();
        sessions.create(name("next"), SessionForm::Folder, Some(&base)).unwrap();
    }
    // The session is on the disk alone, and nobody has it.
    forget(&scene.vault, "1");
    assert_eq!(gc(&scene.vault).chunks, 0);
    let sessions: Sessions = scene.vault.sessions().unwrap();
    let session = sessions.by_name(b"next").unwrap();
    let request = CommitRequest { id: name("next"), milestone: None, completeness: Completeness::Declared };
    session.commit(&request).unwrap();
    gc(&scene.vault);
    assert_no_problems(&scene.vault);
    assert_same(&tree, &scene.restored("next", "back"));
}

/// One process stores, forgets and stores the same again, another one cleans up all the time.
#[test]
fn storing_and_cleaning_up_at_once_lose_nothing() {
    let scene = with_grace(0.0);
    let mut random = crate::support::seed::random(seed());
    let done = AtomicBool::new(false);
    let cleaner = Vault::open(&scene.path("vault")).unwrap();
    let mut wanted: BTreeMap<String, Tree> = BTreeMap::new();
    let swept = std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| {
            let mut swept = 0;
            let patient = GcOptions { patience: Duration::from_millis(20), ..AT_ONCE };
            while !done.load(Relaxed) {
                swept += cleaner.gc(&patient, &Progress::new()).unwrap().chunks;
            }
            swept
        });
        for number in 1..=40 {
            // Few contents, so that what goes is often stored again.
            for name in ["a", "b", "c", "d/e"] {
                if random.random_bool(0.5) {
                    file(&scene, &format!("game/{name}"), random.random_range(1..6));
                }
            }
            let id = format!("v{number}");
            let options = SnapshotOptions { id: Some(id.parse().unwrap()), ..SnapshotOptions::default() };
            scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
            wanted.insert(id, read_tree(&scene.path("game")));
            if wanted.len() > 3 {
                let gone = wanted.keys().nth(random.random_range(0..wanted.len())).unwrap().clone();
                wanted.remove(&gone);
                forget(&scene.vault, &gone);
            }
        }
        done.store(true, Relaxed);
        cleaning.join().unwrap()
    });
    gc(&scene.vault);
    assert!(swept > 0, "nothing went while something was stored");
    assert_no_problems(&scene.vault);
    for (id, tree) in &wanted {
        assert_same(tree, &scene.restored(id, &format!("back-{id}")));
    }
}

#[test]
fn nobody_cleans_up_twice_at_once() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    scene.snapshot("game");
    let lock = fs::File::create(scene.path("vault/optimize.lock")).unwrap();
    lock.lock().unwrap();
    let busy = scene.vault.gc(&AT_ONCE, &Progress::new()).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Busy, "{busy}");
}

/// What changes while somebody verifies is no damage.
#[test]
fn verifying_beside_all_that_changes_finds_nothing_wrong() {
    let scene = with_grace(0.0);
    file(&scene, "game/a", 1);
    scene.snapshot("game");
    let done = AtomicBool::new(false);
    let other = Vault::open(&scene.path("vault")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..12 {
                file(&scene, "game/a", 10 + number);
                let build = scene.vault.snapshot(&scene.path("game"), &SnapshotOptions::default(), &Progress::new());
                let build = build.unwrap().build;
                let name: RefName = "newest".parse().unwrap();
                scene.vault.set_milestone(&name, &build, &Annotation::default(), true).unwrap();
                if number > 2 {
                    forget(&scene.vault, &(build.number.0 - 2).to_string());
                }
                gc(&scene.vault);
                scene.vault.optimize(&OptimizeOptions::default(), &Progress::new()).unwrap();
            }
            done.store(true, Relaxed);
        });
        let mut times = 0;
        while !done.load(Relaxed) {
            let report = other.verify(&VerifyOptions::default(), &Progress::new()).unwrap();
            assert_eq!(report.problems, [""; 0]);
            times += 1;
        }
        assert!(times > 2);
    });
    assert_no_problems(&scene.vault);
}
