//! A small script on a disk that fails at a chosen call, and what must hold afterwards.

use super::faulty::{Fault, FaultyDisk};
use super::{Scene, Tree, assert_same, noise, read_tree, set_grace, settle, write};
use gamevault::catalogue::Build;
use gamevault::catalogue::feedback::FeedbackQuery;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::tree::{self, Access, Closing, NameAt, NodeId, RenameMode};
use gamevault::vault::{
    Annotation, GcOptions, ImportOptions, OptimizeOptions, SnapshotOptions, SnapshotReport, VerifyOptions,
};
use gamevault::{ErrorKind, Result, Vault};
use std::fs;
use std::sync::Arc;

/// What players said.
const SAID: &str = "{\"text\":\"the lift is stuck\"}\n{\"text\":\"no sound\"}\n";
const RECORDS: u64 = 2;

/// The session that is copied in, its file, and what a sync of it has promised to keep.
const COPIED: &str = "copied";
const COPIED_FILE: &str = "saved";
const SYNCED: &[u8] = b"every byte of this was acknowledged";

/// A vault with one build, in which the script's failures are counted from.
pub fn prepare() -> Scene {
    let scene = Scene::new();
    for (name, bytes) in [("a", noise(1, 90_000)), ("sub/b", b"text ".repeat(900)), ("sub/c", noise(2, 3_000))] {
        write(&scene.path("game").join(name), &bytes);
    }
    write(&scene.path("said.jsonl"), SAID.as_bytes());
    settle();
    set_grace(&scene.path("vault"), 0.0);
    let scene = scene.reopen();
    scene.snapshot("game");
    scene
}

fn change(scene: &Scene, version: u64) {
    write(&scene.path("game/a"), &noise(10 + version, 80_000));
    write(&scene.path(&format!("game/new{version}/d")), &noise(20 + version, 2_000));
    settle();
}

/// What the script was told to have done.
#[derive(Default)]
struct Done {
    builds: Vec<(Build, Tree)>,
    milestone: bool,
    /// The file of the session is on the disk.
    synced: bool,
    /// The session became a build.
    copied: bool,
    feedback: bool,
}

/// Makes two builds and a milestone on `disk`, copies a folder in, takes feedback in, forgets a build, optimizes and cleans up; goes
/// on after a failure.
fn script(scene: &Scene, disk: &FaultyDisk, done: &mut Done) -> Result<()> {
    let vault = Vault::open_on(Arc::new(disk.clone()));
    for version in 0..2 {
        change(scene, version);
        let Ok(vault) = &vault else { continue };
        if let Ok(report) = snapshot(scene, vault) {
            let left_out = &report.changed_while_read;
            assert!(left_out.is_empty(), "the vault's disk failed, not the source's: {:?}", report.warnings);
            done.builds.push((report.build, read_tree(&scene.path("game"))));
        }
    }
    let vault = Arc::new(vault?);
    let steps = [set_milestone, copy_in, take_feedback_in, forget, optimize, clean_up];
    let results: Vec<Result<()>> = steps.iter().map(|step| step(scene, &vault, done)).collect();
    results.into_iter().collect()
}

fn set_milestone(_: &Scene, vault: &Arc<Vault>, done: &mut Done) -> Result<()> {
    vault.set_milestone(&RefName::new("alpha")?, &vault.build("1")?, &Annotation::default(), false)?;
    done.milestone = true;
    Ok(())
}

/// As a mount does it.
fn copy_in(_: &Scene, vault: &Arc<Vault>, done: &mut Done) -> Result<()> {
    let tree = tree::Tree::new(vault.clone(), Box::new(drop));
    let at = |directory, name: &'static str| NameAt { directory, name: name.as_bytes() };
    let snapshots = folder(&tree, NodeId::ROOT, ".snapshot")?;
    let session = tree.make_directory(at(snapshots, COPIED), 0o755)?;
    let (file, opened) = tree.make_file(at(session.node, COPIED_FILE), 0o644, Some(Access::WRITE))?;
    tree.write(file.node, 0, SYNCED)?;
    tree.sync(file.node)?;
    done.synced = true;
    tree.flush(file.node, opened.handle, Closing::Proper)?;
    tree.close(file.node, opened.handle);
    tree.rename(at(snapshots, COPIED), at(folder(&tree, NodeId::ROOT, "builds")?, COPIED), RenameMode::NoReplace)?;
    done.copied = true;
    Ok(())
}

fn folder(tree: &tree::Tree, above: NodeId, name: &str) -> Result<NodeId> {
    let found = tree.lookup(above, name.as_bytes())?;
    Ok(found.ok_or_else(|| gamevault::Error::not_found(format!("there is no {name}")))?.node)
}

fn take_feedback_in(scene: &Scene, vault: &Arc<Vault>, done: &mut Done) -> Result<()> {
    vault.import_feedback(&[scene.path("said.jsonl")], &ImportOptions::default(), &Progress::new())?;
    done.feedback = true;
    Ok(())
}

fn forget(_: &Scene, vault: &Arc<Vault>, done: &mut Done) -> Result<()> {
    let second = vault.build("2")?;
    // Whether it was forgotten or not, the others stay.
    done.builds.retain(|(build, _)| build.number != second.number);
    vault.forget(&[second], false).map(drop)
}

fn optimize(_: &Scene, vault: &Arc<Vault>, _: &mut Done) -> Result<()> {
    vault.optimize(&OptimizeOptions::default(), &Progress::new()).map(drop)
}

fn clean_up(_: &Scene, vault: &Arc<Vault>, _: &mut Done) -> Result<()> {
    vault.gc(&GcOptions::default(), &Progress::new()).map(drop)
}

pub fn snapshot(scene: &Scene, vault: &Vault) -> Result<SnapshotReport> {
    vault.snapshot(&scene.path("game"), &SnapshotOptions::default(), &Progress::new())
}

pub fn assert_no_problems(vault: &Vault) {
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    assert_eq!(vault.verify(&options, &Progress::new()).unwrap().problems, [""; 0]);
}

fn assert_done(scene: &Scene, done: &Done, round: &str) {
    for (build, tree) in &done.builds {
        assert_eq!(scene.vault.build_by_number(build.number).unwrap().as_ref(), Some(build));
        assert_same(tree, &scene.restored(&build.number.to_string(), &format!("back{round}-{}", build.number)));
    }
    let alpha = scene.vault.milestone(&RefName::new("alpha").unwrap());
    assert!(alpha.is_ok() || !done.milestone, "the milestone is lost");
    if done.synced {
        assert_eq!(copied_file(scene, done.copied), SYNCED, "what was synced is lost");
    }
    if done.feedback {
        let found = scene.vault.feedback().unwrap().count(&FeedbackQuery::default()).unwrap();
        assert_eq!(found, RECORDS, "feedback is lost, or there twice");
    }
}

/// What is in the file that was copied in: in the build, or in the session as long as there is no build.
fn copied_file(scene: &Scene, is_build: bool) -> Vec<u8> {
    let tree = tree::Tree::new(Arc::new(Vault::open(&scene.path("vault")).unwrap()), Box::new(drop));
    let of_build = folder(&tree, NodeId::ROOT, "builds").and_then(|builds| folder(&tree, builds, COPIED));
    let copied = of_build.or_else(|error| match is_build {
        true => Err(error),
        false => folder(&tree, folder(&tree, NodeId::ROOT, ".snapshot")?, COPIED),
    });
    let file = folder(&tree, copied.unwrap(), COPIED_FILE).unwrap();
    let mut bytes = vec![0; SYNCED.len() + 1];
    let len = tree.read(file, 0, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

/// Lets the call `at` fail; tells whether there was such a call.
fn fail_at(fault: Fault, at: u64) -> bool {
    let scene = prepare();
    let first = (scene.vault.build("1").unwrap(), read_tree(&scene.path("game")));
    let mut done = Done { builds: vec![first], ..Done::default() };
    let Scene { dir, vault } = scene;
    drop(vault);
    // The script's vault is another one: this one only serves to look at the scene.
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    let disk = FaultyDisk::new(&scene.path("vault"), fault, at);
    let result = script(&scene, &disk, &mut done);
    let has_failed = disk.has_failed();
    assert!(has_failed || result.is_ok(), "{result:?}");
    let Scene { dir, vault } = scene;
    drop(vault);
    if fault == Fault::PowerCut {
        disk.lose_unsynced();
    }
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    let left = fs::read_dir(scene.path("vault/packs/open")).unwrap().count();
    assert_eq!(left, 0, "{left} packs are left over");
    assert_no_problems(&scene.vault);
    assert_done(&scene, &done, "");
    let again = snapshot(&scene, &scene.vault).unwrap();
    done.builds.push((again.build, read_tree(&scene.path("game"))));
    assert_done(&scene, &done, "-again");
    assert_no_problems(&scene.vault);
    let Scene { dir, vault } = scene;
    drop(vault);
    Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    assert_done(&scene, &done, "-repaired");
    has_failed
}

/// Lets one call fail after another, from `first` on every `step`-th, until the script makes no such call.
pub fn fail_at_calls(fault: Fault, first: u64, step: usize) {
    assert!(fail_at(fault, 50), "the script makes 50 calls and more");
    for at in (first..).step_by(step) {
        println!("{fault:?} at call {at}");
        if !fail_at(fault, at) {
            return;
        }
    }
}

/// Lets the call `at` of a repair fail, after which another one must find all; tells whether there was such a call.
fn fail_repair_at(fault: Fault, at: u64) -> bool {
    let scene = prepare();
    let mut done = Done::default();
    let healthy = FaultyDisk::new(&scene.path("vault"), fault, u64::MAX);
    script(&scene, &healthy, &mut done).unwrap();
    let Scene { dir, vault } = scene;
    drop(vault);
    let path = dir.path().join("vault");
    let disk = FaultyDisk::new(&path, fault, at);
    let result = Vault::repair_on(Arc::new(disk.clone()), &Progress::new());
    let has_failed = disk.has_failed();
    assert!(has_failed || result.is_ok(), "{result:?}");
    if fault == Fault::PowerCut {
        disk.lose_unsynced();
    }
    // The old catalogue or the new one; where there is neither, the way out is told.
    let vault = Vault::open(&path).unwrap_or_else(|error| {
        let is_told = error.hint().is_some_and(|hint| hint.contains("repair"));
        assert!(error.kind() == ErrorKind::NotFound && is_told, "{error}");
        Vault::repair(&path, &Progress::new()).unwrap();
        Vault::open(&path).unwrap()
    });
    let scene = Scene { vault, dir };
    assert_no_problems(&scene.vault);
    assert_done(&scene, &done, "");
    has_failed
}

/// Lets one call of a repair fail after another, as [`fail_at_calls`].
pub fn fail_repair_at_calls(fault: Fault, first: u64, step: usize) {
    for at in (first..).step_by(step) {
        println!("{fault:?} at call {at} of a repair");
        if !fail_repair_at(fault, at) {
            return;
        }
    }
}
