//! What takes minutes: `cargo test --test stress -- --ignored`. A seed is printed, and taken back by `GAMEVAULT_SEED`.

#![cfg(unix)]

#[allow(dead_code, reason = "the suite uses more of it")]
#[path = "../suite/support/mod.rs"]
mod support;

use gamevault::ErrorKind;
use support::faulty::Fault;
use support::seed::seed;
use support::{crashes, flips, kills};

/// Rounds for which one vault is kept: what is checked after each grows with it.
const ROUNDS_A_VAULT: usize = 20;

#[test]
#[ignore = "takes minutes"]
fn four_hundred_snapshots_are_killed() {
    let seed = seed();
    for vault in 0..400 / ROUNDS_A_VAULT as u64 {
        kills::kill_snapshots(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "takes minutes"]
fn the_daemon_is_killed_in_two_hundred_copies() {
    let seed = seed();
    for vault in 0..200 / ROUNDS_A_VAULT as u64 {
        support::copy_kills::kill_copies(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn sixty_milestones_are_killed() {
    let seed = seed();
    for vault in 0..60 / ROUNDS_A_VAULT as u64 {
        kills::kill_milestones(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_optimizes_are_killed() {
    let seed = seed();
    for vault in 0..200 / ROUNDS_A_VAULT as u64 {
        kills::kill_optimizes(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn two_hundred_gcs_are_killed() {
    let seed = seed();
    for vault in 0..200 / ROUNDS_A_VAULT as u64 {
        kills::kill_gcs(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

#[test]
#[ignore = "takes minutes"]
fn forty_repairs_are_killed() {
    let seed = seed();
    for vault in 0..40 / ROUNDS_A_VAULT as u64 {
        kills::kill_repairs(seed.wrapping_add(vault), ROUNDS_A_VAULT);
    }
}

/// Packs of 64 MB are sealed on the way, and files that are whole in them are remembered: only these count here.
#[test]
#[ignore = "takes minutes"]
fn a_killed_snapshot_of_a_large_folder_goes_on_where_it_was() {
    kills::kill_large_snapshots(seed(), 5);
}

#[test]
#[ignore = "takes minutes"]
fn two_thousand_bits_flip() {
    flips::flip_bits(seed(), 2_000);
}

#[test]
#[ignore = "takes minutes"]
fn the_disk_fails_at_every_call() {
    for fault in [Fault::Once(ErrorKind::Io), Fault::Once(ErrorKind::Denied), Fault::Dead, Fault::PowerCut] {
        crashes::fail_at_calls(fault, 1, 1);
        crashes::fail_repair_at_calls(fault, 1, 1);
    }
}
