//! Mounts that nobody uses make older builds smaller, and stop when somebody comes.

use crate::optimize::text;
use crate::stage::{Fixture, Stage, assert_same};
use gamevault::mount::MountOptions;
use gamevault::progress::Progress;
use gamevault::vault::{LastOptimize, OptimizeOptions, SnapshotOptions, Vault, VerifyOptions};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BUILDS: u64 = 3;

/// How long is waited for what takes far less.
const PATIENCE: Duration = Duration::from_secs(300);

/// Makes an empty vault whose config says `table` about optimizing.
fn fixture(table: &str) -> Fixture {
    let Fixture { dir, vault } = Fixture::new();
    drop(vault);
    let path = dir.path().join("vault/vault.toml");
    let config = fs::read_to_string(&path).unwrap();
    let (others, _) = config.split_once("[optimize]").expect("a new config has the table");
    fs::write(&path, format!("{others}[optimize]\n{table}\n")).unwrap();
    let vault = Arc::new(Vault::open(&dir.path().join("vault")).unwrap());
    Fixture { dir, vault }
}

/// Makes builds that have nothing in common, of `file_count` files each.
fn add_builds(fixture: &Fixture, file_count: u64) {
    for number in 1..=BUILDS {
        let source = fixture.path(&format!("source{number}"));
        fs::create_dir(&source).unwrap();
        for file in 0..file_count {
            fs::write(source.join(format!("{file}.txt")), text(number * 1000 + file, 500_000)).unwrap();
        }
        fixture.snapshot(&source, &format!("b{number}"));
    }
}

fn mounted(fixture: Fixture) -> Option<Stage> {
    Stage::mount(fixture, &MountOptions { optimizes: true, ..MountOptions::default() })
}

/// Waits until `is_so`; returns how long that took.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}

fn complete(vault: &Vault) -> Option<LastOptimize> {
    vault.last_optimize().unwrap().filter(|last| last.is_complete)
}

fn check_builds(stage: &Stage) {
    for number in 1..=BUILDS {
        let (source, build) = (format!("source{number}"), format!("builds/b{number}"));
        assert_same(&stage.fixture.path(&source), &stage.path(&build));
    }
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    assert_eq!(stage.fixture.vault.verify(&options, &Progress::new()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn an_idle_mount_makes_older_builds_smaller_once() {
    let fixture = fixture("idle_minutes = 0.01");
    add_builds(&fixture, 4);
    let Some(stage) = mounted(fixture) else { return };
    let vault = stage.fixture.vault.clone();
    wait_until("the first run", || complete(&vault).is_some());
    let first = complete(&vault).unwrap();
    assert!(first.chunks_looked_at > 0 && first.bytes_gained > 0, "{first:?}");
    check_builds(&stage);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(complete(&vault).unwrap(), first, "nothing has changed");
    // The newest build becomes an older one.
    let source = stage.fixture.path("source4");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("new.txt"), text(4000, 500_000)).unwrap();
    let other = Vault::open(vault.dir()).unwrap();
    other.snapshot(&source, &SnapshotOptions::default(), &Progress::new()).unwrap();
    wait_until("the second run", || complete(&vault).is_some_and(|last| last.ended != first.ended));
    let second = complete(&vault).unwrap();
    assert!(second.bytes_gained > 0, "{second:?}");
    assert_eq!(second.bytes_gained_in_all, first.bytes_gained + second.bytes_gained);
    wait_until("its end", || !vault.is_being_optimized().unwrap());
    check_builds(&stage);
}

#[test]
fn whoever_comes_stops_it_at_once_and_it_goes_on_later() {
    let fixture = fixture("idle_minutes = 0.01\nsqueeze = true");
    add_builds(&fixture, 4);
    let dry = OptimizeOptions { dry_run: true, ..OptimizeOptions::default() };
    let all = fixture.vault.optimize(&dry, &Progress::new()).unwrap();
    let Some(stage) = mounted(fixture) else { return };
    let vault = stage.fixture.vault.clone();
    for round in 0..2 {
        let open = vault.dir().join("packs/open");
        wait_until("a chunk", || fs::read_dir(&open).unwrap().count() > 0);
        assert!(vault.is_being_optimized().unwrap(), "it ended before anybody came");
        assert!(!stage.path(&format!("builds/none{round}")).exists());
        // 30 ms on a machine with nothing else to do; a run to the end takes many seconds.
        let took = wait_until("the end of the run", || !vault.is_being_optimized().unwrap());
        assert!(took < Duration::from_secs(1), "it went on for {took:?}");
        let last = vault.last_optimize().unwrap().unwrap();
        assert!(!last.is_complete && last.chunks_looked_at > 0, "{last:?}");
    }
    let before = vault.last_optimize().unwrap().unwrap();
    wait_until("the last run", || complete(&vault).is_some());
    let last = complete(&vault).unwrap();
    assert!(last.chunks_looked_at > before.chunks_looked_at, "{last:?}");
    check_builds(&stage);
    // The runs together looked at each chunk once.
    assert_eq!(last.chunks_looked_at, all.chunks_looked_at);
}

#[test]
fn builds_of_others_stop_it_and_so_does_the_end_of_the_mount() {
    let fixture = fixture("idle_minutes = 0.01\nsqueeze = true");
    add_builds(&fixture, 16);
    let Some(mut stage) = mounted(fixture) else { return };
    let vault = stage.fixture.vault.clone();
    wait_until("a run", || vault.is_being_optimized().unwrap());
    let other = Vault::open(vault.dir()).unwrap();
    other.snapshot(&stage.fixture.path("source1"), &SnapshotOptions::default(), &Progress::new()).unwrap();
    wait_until("the end of the run", || !vault.is_being_optimized().unwrap());
    assert!(complete(&vault).is_none());
    wait_until("the next run", || vault.is_being_optimized().unwrap());
    let start = Instant::now();
    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "the end took {:?}", start.elapsed());
    assert!(!vault.is_being_optimized().unwrap());
    assert!(complete(&vault).is_none());
}

#[test]
fn it_is_done_only_where_it_is_wanted() {
    for (table, optimizes) in [("when_idle = false\nidle_minutes = 0.001", true), ("idle_minutes = 0.001", false)] {
        let fixture = fixture(table);
        add_builds(&fixture, 1);
        let Some(stage) = Stage::mount(fixture, &MountOptions { optimizes, ..MountOptions::default() }) else { return };
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(stage.fixture.vault.last_optimize().unwrap(), None, "{table}");
    }
}

#[test]
fn a_config_that_makes_no_sense_is_refused() {
    for (table, word) in [("idle_minutes = -1", "0 to 1440"), ("when_idel = true", "when_idle")] {
        let Fixture { dir, vault } = fixture("squeeze = false");
        drop(vault);
        let path = dir.path().join("vault/vault.toml");
        let config = fs::read_to_string(&path).unwrap().replace("squeeze = false", table);
        fs::write(&path, config).unwrap();
        let error = Vault::open(&dir.path().join("vault")).err().unwrap();
        assert!(error.hint().is_some_and(|hint| hint.contains(word)), "{error}");
    }
}
