//! The disk fails at any call of a small script: nothing that was published is lost, and the work can be done again.
//!
//! SQLite opens its files by itself, so they do not fail here; what is shown is that nothing the catalogue says depends
//! on bytes that a crash can take away. The suite tries some calls, the stress tests all of them.

use crate::support::crashes::{assert_no_problems, fail_at_calls, fail_repair_at_calls, prepare, snapshot};
use crate::support::faulty::{Fault, FaultyDisk};
use crate::support::seed::seed;
use crate::support::{assert_same, noise, read_tree, settle, write};
use gamevault::{ErrorKind, Vault};
use std::sync::Arc;

/// Of so many calls one fails.
const STEP: usize = 25;

fn fail_at_some_calls(fault: Fault) {
    fail_at_calls(fault, 1 + seed() % STEP as u64, STEP);
}

#[test]
fn one_failure_at_any_call_loses_only_the_work_at_hand() {
    fail_at_some_calls(Fault::Once(ErrorKind::Io));
}

/// A file of the vault that could not be opened for want of rights was once taken for a file of the game: the snapshot
/// left the game's file out and went on.
#[test]
fn a_refusal_of_the_vaults_disk_is_not_taken_for_one_of_the_source() {
    fail_at_calls(Fault::Once(ErrorKind::Denied), 7, STEP);
}

#[test]
fn a_disk_that_dies_in_the_middle_of_a_write_loses_only_the_work_at_hand() {
    fail_at_some_calls(Fault::Dead);
}

/// The name of a new folder of packs was once not synced: a cut took the folder away with a published pack in it.
#[test]
fn a_power_cut_at_any_call_takes_nothing_that_was_published() {
    fail_at_some_calls(Fault::PowerCut);
}

#[test]
fn a_repair_that_fails_at_any_call_can_be_done_again() {
    for fault in [Fault::Dead, Fault::PowerCut] {
        fail_repair_at_calls(fault, 1 + seed() % STEP as u64, STEP);
    }
}

#[test]
fn a_full_disk_is_told_by_its_kind_and_the_work_goes_on_when_there_is_room() {
    let scene = prepare();
    write(&scene.path("game/large"), &noise(5, 3_000_000));
    settle();
    for at in [1, 20, 24, 30] {
        let disk = FaultyDisk::new(&scene.path("vault"), Fault::Full, at);
        let vault = Vault::open_on(Arc::new(disk.clone())).unwrap();
        let full = snapshot(&scene, &vault).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::NoSpace, "{full}");
        assert_eq!(scene.vault.builds().unwrap().len(), 1);
        disk.heal();
        if at == 30 {
            snapshot(&scene, &vault).unwrap();
        }
    }
    assert_same(&read_tree(&scene.path("game")), &scene.restored("2", "back"));
    assert_no_problems(&scene.vault);
}
