//! A small script on a disk that fails at a chosen call, and what must hold afterwards.

use super::faulty::{Fault, FaultyDisk};
use super::{Scene, Tree, assert_same, noise, read_tree, set_grace, settle, write};
use gamevault::catalogue::Build;
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, GcOptions, SnapshotOptions, SnapshotReport, VerifyOptions};
use gamevault::{Result, Vault};
use std::fs;
use std::sync::Arc;

/// A vault with one build, in which the script's failures are counted from.
pub fn prepare() -> Scene {
    let scene = Scene::new();
    for (name, bytes) in [("a", noise(1, 90_000)), ("sub/b", b"text ".repeat(900)), ("sub/c", noise(2, 3_000))] {
        write(&scene.path("game").join(name), &bytes);
    }
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
}

/// Makes two builds and a milestone on `disk`, forgets one and cleans up; goes on after a failure.
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
    let vault = vault?;
    let first = vault.build("1")?;
    vault.set_milestone(&RefName::new("alpha")?, &first, &Annotation::default(), false)?;
    done.milestone = true;
    let second = vault.build("2")?;
    // Whether it was forgotten or not, the others stay.
    done.builds.retain(|(build, _)| build.number != second.number);
    vault.forget(&[second], false)?;
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
}

/// Lets the call `at` fail; tells whether there was such a call.
fn fail_at(fault: Fault, at: u64) -> bool {
    let scene = prepare();
    let mut done =
        Done { builds: vec![(scene.vault.build("1").unwrap(), read_tree(&scene.path("game")))], milestone: false };
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
