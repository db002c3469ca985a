//! A process that is killed at any moment loses its own work at most. The stress tests do the same for longer.

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
fn a_killed_repair_loses_nothing() {
    kills::kill_repairs(seed(), 12);
}
