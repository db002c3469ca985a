//! The real program, killed at random moments, and what must hold after each kill.

use super::folder::{edit_randomly, leaves, make_random};
use super::{Tree, noise, read_tree, seed, set_grace, settle};
use gamevault::catalogue::{Build, Milestone};
use gamevault::disk::host::{self, StatKey};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{RestoreOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Small files in the folder at the start; each has a few kilobytes.
const SMALL_FILES: usize = 400;

/// Large files, and their length.
const LARGE_FILES: u64 = 6;
const LARGE_LEN: usize = 1_500_000;

/// A vault and a folder that is changed and snapshot again and again.
pub(super) struct Scene {
    dir: tempfile::TempDir,
    pub(super) random: SmallRng,
    /// Every published build with the hash of the folder that it was made of.
    published: Vec<(Build, blake3::Hash)>,
    milestones: Vec<Milestone>,
}

impl Scene {
    pub(super) fn new(seed: u64) -> Scene {
        let scene = Scene {
            dir: tempfile::tempdir().unwrap(),
            random: seed::random(seed),
            published: Vec::new(),
            milestones: Vec::new(),
        };
        Vault::init(&scene.path("vault")).unwrap();
        scene
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn vault(&self) -> Vault {
        Vault::open(&self.path("vault")).expect("a vault opens after a kill without a repair")
    }

    /// Starts the program in the scene's folder, with nothing of the machine's environment.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gamevault"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(["--vault", "vault", "--json"]).args(arguments).current_dir(self.dir.path()).env_clear();
        command.env("PATH", path).env("HOME", self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end, which must be a good one; returns its answer and how long it took.
    fn finish(&self, arguments: &[&str]) -> (serde_json::Value, Duration) {
        let start = Instant::now();
        let output = self.command(arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {}\n{out}{err}", output.status);
        (serde_json::from_slice(&output.stdout).unwrap(), start.elapsed())
    }

    /// Starts the program and kills it at some moment of the time that it would take; tells whether it came to its end.
    fn kill(&mut self, arguments: &[&str], takes: Duration) -> bool {
        let delay = takes.mul_f64(self.random.random_range(0.0..1.1));
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap().success()
    }

    pub(super) fn change_folder(&mut self) {
        let folder = self.path("game");
        for number in 0..LARGE_FILES {
            if self.published.is_empty() || self.random.random_range(0..2) == 0 {
                let path = folder.join(format!("large{number}"));
                // An edit may have put a folder there.
                let _ = fs::remove_dir_all(&path);
                super::write(&path, &noise(self.random.random(), LARGE_LEN));
            }
        }
        match self.published.is_empty() {
            true => make_random(&folder, &mut self.random, SMALL_FILES, 8_000),
            false => edit_randomly(&folder, &mut self.random, 40, 8_000),
        }
        settle();
    }

    /// What the folder is now, in one hash.
    fn folder(&self) -> blake3::Hash {
        hash_of(&read_tree(&self.path("game")))
    }

    /// Takes over what the vault says was published, which must be what was there and at most one build more.
    fn accept_builds(&mut self, vault: &Vault) {
        let builds = vault.builds().unwrap();
        let old: Vec<&Build> = self.published.iter().map(|(build, _)| build).collect();
        assert!(builds.len() <= old.len() + 1, "{} builds where {} were made", builds.len(), old.len());
        assert_eq!(builds[..old.len()].iter().collect::<Vec<_>>(), old, "a build that was published has changed");
        if let Some(new) = builds.get(old.len()) {
            self.published.push((new.clone(), self.folder()));
        }
    }

    /// Checks that nothing was published since.
    pub(super) fn accept_no_build(&mut self) {
        let builds = self.vault().builds().unwrap();
        let known: Vec<&Build> = self.published.iter().map(|(build, _)| build).collect();
        assert_eq!(builds.iter().collect::<Vec<_>>(), known, "something was published that nobody committed");
    }

    /// Takes over the build `id`, which must be the folder as it is, and the only one that is new.
    pub(super) fn accept_build(&mut self, id: &str) {
        let vault = self.vault();
        self.accept_builds(&vault);
        let index = self.published.len() - 1;
        assert_eq!(self.published[index].0.id.as_str(), id);
        self.check_build(&vault, index);
        self.check_one_build(&vault);
    }

    /// Restores one of the builds at random and compares it with what it was made of.
    fn check_one_build(&mut self, vault: &Vault) {
        if self.published.is_empty() {
            return;
        }
        let index = self.random.random_range(0..self.published.len());
        self.check_build(vault, index);
    }

    fn check_build(&self, vault: &Vault, index: usize) {
        let (build, hash) = &self.published[index];
        let back = self.path("back");
        let _ = fs::remove_dir_all(&back);
        vault.restore(build, &back, &RestoreOptions::default(), &Progress::new()).unwrap();
        assert_eq!(hash_of(&read_tree(&back)), *hash, "build {} came back changed", build.id);
    }

    /// Rebuilds the catalogue from the packs: all that was published must be in it, unchanged.
    fn check_repair(&mut self) {
        Vault::repair(&self.path("vault"), &Progress::new()).unwrap();
        let vault = self.vault();
        let builds = vault.builds().unwrap();
        for (index, (build, _)) in self.published.iter().enumerate() {
            assert!(builds.contains(build), "build {} is lost or changed by a repair", build.id);
            self.check_build(&vault, index);
        }
        let milestones = vault.milestones().unwrap();
        for known in &self.milestones {
            let kept = milestones.iter().any(|found| (&found.name, found.build) == (&known.name, known.build));
            assert!(kept, "the milestone {} is lost by a repair: {milestones:?}", known.name);
        }
        assert_no_problems(&vault);
    }
}

fn hash_of(tree: &Tree) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (path, kept) in tree {
        let facts = format!("{path:?} {} {} {:?} {:?} ", kept.kind, kept.mode, kept.mtime, kept.xattrs);
        hasher.update(facts.as_bytes()).update(blake3::hash(&kept.bytes).as_bytes());
    }
    hasher.finalize()
}

fn assert_no_problems(vault: &Vault) {
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    let problems = vault.verify(&options, &Progress::new()).unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
}

fn assert_nothing_left_over(vault_dir: &Path) {
    let left: Vec<_> = fs::read_dir(vault_dir.join("packs/open")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(left.is_empty(), "left over after an open: {left:?}");
}

/// By which snapshots know files again.
fn keys(folder: &Path) -> BTreeMap<PathBuf, StatKey> {
    let files = leaves(folder).into_iter().filter(|path| !path.is_symlink());
    files.map(|path| (path.clone(), host::stat_of(&path).unwrap().key)).collect()
}

/// Kills `rounds` snapshots of a folder that changes before each.
pub fn kill_snapshots(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    let mut takes = Duration::ZERO;
    for round in 0..4 {
        scene.change_folder();
        let (_, took) = scene.finish(&["snapshot", "game"]);
        // The first one takes longer than any later one; of the others the longest counts, or few kills come late.
        takes = if round == 0 { takes } else { takes.max(took) };
        let vault = scene.vault();
        scene.accept_builds(&vault);
    }
    let mut known = keys(&scene.path("game"));
    scene.change_folder();
    scene.finish(&["snapshot", "game"]);
    let mut killed = 0;
    for round in 0..rounds {
        let vault = scene.vault();
        scene.accept_builds(&vault);
        drop(vault);
        if round > 0 {
            known = keys(&scene.path("game"));
        }
        scene.change_folder();
        killed += usize::from(!scene.kill(&["snapshot", "game"], takes));
        let vault = scene.vault();
        assert_nothing_left_over(&scene.path("vault"));
        assert_no_problems(&vault);
        scene.accept_builds(&vault);
        scene.check_one_build(&vault);
        drop(vault);
        let unchanged = keys(&scene.path("game")).iter().filter(|(path, key)| known.get(*path) == Some(key)).count();
        let (answer, _) = scene.finish(&["snapshot", "game"]);
        let files_unchanged = answer["data"]["files_unchanged"].as_u64().unwrap();
        assert!(files_unchanged >= unchanged as u64, "{files_unchanged} of {unchanged} files were known again");
    }
    let vault = scene.vault();
    scene.accept_builds(&vault);
    drop(vault);
    scene.check_repair();
    println!("{killed} of {rounds} snapshots were killed, one takes {takes:?}");
    assert!(killed > 0, "every snapshot ended before it was killed");
}

/// Kills `rounds` commands that set a milestone.
pub fn kill_milestones(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    for _ in 0..3 {
        scene.change_folder();
        scene.finish(&["snapshot", "game"]);
        let vault = scene.vault();
        scene.accept_builds(&vault);
    }
    let (_, takes) = scene.finish(&["milestone", "set", "first", "1"]);
    for round in 0..rounds {
        let before = scene.vault().milestones().unwrap();
        let name = ["alpha", "beta", "gamma", "delta"][scene.random.random_range(0..4)];
        let number = scene.random.random_range(1..=3).to_string();
        scene.kill(&["milestone", "set", name, &number, "--move"], takes);
        let vault = scene.vault();
        assert_no_problems(&vault);
        assert_nothing_left_over(&scene.path("vault"));
        let name = RefName::new(name).unwrap();
        let others = |all: &[Milestone]| all.iter().filter(|one| one.name != name).cloned().collect::<Vec<_>>();
        scene.milestones = vault.milestones().unwrap();
        assert_eq!(others(&before), others(&scene.milestones), "round {round}");
        let old = before.iter().find(|one| one.name == name);
        match scene.milestones.iter().find(|one| one.name == name) {
            Some(now) => assert!(Some(now) == old || now.build.to_string() == number, "round {round}: {now:?}"),
            None => assert!(old.is_none(), "round {round}: {name} is lost"),
        }
        drop(vault);
        if round % 3 == 0 {
            scene.finish(&["milestone", "set", name.as_str(), &number, "--move"]);
            scene.milestones = scene.vault().milestones().unwrap();
        }
    }
    // The last one killed may have been written and not published; the next one takes its serial.
    scene.finish(&["milestone", "set", "last", "1"]);
    scene.milestones = scene.vault().milestones().unwrap();
    scene.check_repair();
}

/// Kills `rounds` runs of optimize, with a new build before each; every build must come back after each, also from a
/// catalogue that is rebuilt.
pub fn kill_optimizes(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    let mut takes = Duration::from_millis(100);
    for round in 0..rounds {
        scene.change_folder();
        scene.finish(&["snapshot", "game"]);
        let ended = scene.kill(&["optimize", "--squeeze"], takes);
        {
            let vault = scene.vault();
            scene.accept_builds(&vault);
            assert_no_problems(&vault);
        }
        if round % 3 == 2 {
            scene.finish(&["repair"]);
            scene.accept_builds(&scene.vault());
        }
        if round % 2 == 1 {
            takes = takes.max(scene.finish(&["optimize", "--squeeze"]).1);
        } else if !ended {
            takes = takes.mul_f64(1.2);
        }
    }
    scene.check_repair();
}

/// Kills `rounds` runs of gc, each after another build was forgotten; the others must come back after each, also from a catalogue
/// that is rebuilt.
pub fn kill_gcs(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    set_grace(&scene.path("vault"), 0.0);
    scene.change_folder();
    scene.finish(&["snapshot", "game"]);
    scene.accept_builds(&scene.vault());
    let mut takes = Duration::from_millis(100);
    for round in 0..rounds {
        scene.change_folder();
        scene.finish(&["snapshot", "game"]);
        scene.accept_builds(&scene.vault());
        let (forgotten, _) = scene.published.remove(scene.random.random_range(0..scene.published.len()));
        scene.finish(&["forget", forgotten.id.as_str()]);
        scene.kill(&["gc"], takes);
        {
            let vault = scene.vault();
            scene.accept_builds(&vault);
            assert_no_problems(&vault);
        }
        if round % 3 == 2 {
            scene.finish(&["repair"]);
            scene.accept_builds(&scene.vault());
        }
        if round % 2 == 1 {
            takes = takes.max(scene.finish(&["gc"]).1);
        }
    }
    scene.check_repair();
}

/// Kills `rounds` repairs; the next one must find all.
pub fn kill_repairs(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    for number in ["1", "2", "3"] {
        scene.change_folder();
        scene.finish(&["snapshot", "game"]);
        scene.finish(&["milestone", "set", &format!("at-{number}"), number]);
        let vault = scene.vault();
        scene.accept_builds(&vault);
        scene.milestones = vault.milestones().unwrap();
    }
    let (_, takes) = scene.finish(&["repair"]);
    for _ in 0..rounds {
        scene.kill(&["repair"], takes);
        match Vault::open(&scene.path("vault")) {
            // The old catalogue or the new one, nothing between.
            Ok(vault) => {
                scene.accept_builds(&vault);
                assert_eq!(vault.milestones().unwrap(), scene.milestones);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                assert!(error.hint().is_some_and(|hint| hint.contains("repair")), "{error}");
            }
        }
        if scene.random.random_range(0..3) == 0 {
            scene.finish(&["repair"]);
            let vault = scene.vault();
            scene.accept_builds(&vault);
            assert_eq!(vault.milestones().unwrap(), scene.milestones);
        }
    }
    scene.check_repair();
}

/// Kills the first snapshot of a large folder `rounds` times, when several packs are full; it goes on each time.
#[allow(dead_code, reason = "it takes too long for the suite")]
pub fn kill_large_snapshots(seed: u64, rounds: usize) {
    const FILES: u64 = 400;
    let mut scene = Scene::new(seed);
    for number in 0..FILES {
        super::write(&scene.path(&format!("game/{number:03}")), &noise(scene.random.random(), LARGE_LEN));
    }
    settle();
    let mut counted = 0;
    for round in 0..rounds {
        fs::remove_dir_all(scene.path("vault")).unwrap();
        Vault::init(&scene.path("vault")).unwrap();
        let start = Instant::now();
        let mut child = scene.command(&["snapshot", "game"]).stdout(Stdio::null()).spawn().unwrap();
        let wanted = scene.random.random_range(200..450) << 20;
        while child.try_wait().unwrap().is_none() && bytes_in_packs(&scene.path("vault")) < wanted {
            std::thread::sleep(Duration::from_millis(20));
        }
        let has_ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        let took = start.elapsed();
        assert_no_problems(&scene.vault());
        let (answer, _) = scene.finish(&["snapshot", "game"]);
        let (read, all) = (answer["data"]["bytes_read"].as_u64().unwrap(), FILES * LARGE_LEN as u64);
        println!("round {round}: killed after {took:?} with {wanted} bytes in packs, {read} of {all} were read again");
        // Files are remembered about once a second, so a very fast machine may have remembered none.
        if !has_ended && took > Duration::from_secs(3) {
            counted += 1;
            assert!(read < all, "the snapshot did not go on where it was");
        }
        let vault = scene.vault();
        scene.published = vec![(vault.build("1").unwrap(), scene.folder())];
        scene.check_build(&vault, 0);
    }
    println!("{counted} of {rounds} rounds took long enough to tell");
}

/// Counts what is there at the moment; packs are renamed meanwhile.
#[allow(dead_code, reason = "it takes too long for the suite")]
fn bytes_in_packs(vault_dir: &Path) -> u64 {
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().collect::<Vec<_>>();
    let packs = below(&vault_dir.join("packs")).into_iter().flat_map(|folder| below(&folder.path()));
    packs.filter_map(|pack| pack.metadata().ok()).map(|pack| pack.len()).sum()
}
