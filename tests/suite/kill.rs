//! A process that is killed at any moment loses its own work at most. The stress tests do the same for longer.

#[cfg(target_os = "linux")]
use crate::support::copy_kills;
use crate::support::{kills, seed::seed};

#[test]
fn killed_snapshots_leave_a_sound_vault_and_go_on() {
    kills::kill_snapshots(seed(), 12);
}

#[test]
fn a_killed_milestone_is_set_or_not() {
    kills::kill_milestones(seed(), 12);
}

#[test]
fn a_killed_optimize_loses_nothing_and_goes_on() {
    kills::kill_optimizes(seed(), 8);
}

#[test]
fn a_killed_gc_loses_nothing_that_is_needed() {
    kills::kill_gcs(seed(), 8);
}

#[test]
fn a_killed_repair_loses_nothing() {
    kills::kill_repairs(seed(), 12);
}

#[test]
#[cfg(target_os = "linux")]
fn a_copy_goes_on_after_the_daemon_was_killed() {
    if gamevault::mount::check().iter().all(|check| check.ok) && crate::stage::is_installed("rsync") {
        copy_kills::kill_copies(seed(), 5);
    }
}
