//! Programs that work in a folder instead of copying it say in a session and in a workspace what they say on a disk.

use crate::stage::{Fixture, Stage, is_installed};
use gamevault::mount::MountOptions;
use std::fs;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = include_str!("../data/programs.sh");
const PROGRAMS: [&str; 11] =
    ["python3", "flock", "cc", "ar", "strip", "patch", "zip", "unzip", "tar", "fallocate", "git"];

/// Runs the script in a folder, and returns what it said.
fn run_in(folder: &Path) -> String {
    let output = Command::new("bash").args(["-c", SCRIPT]).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}\n{complaints}", folder.display());
    format!("{said}\n{complaints}")
}

#[test]
fn programs_work_in_sessions_and_workspaces_as_on_a_disk() {
    if !PROGRAMS.iter().all(|program| is_installed(program)) {
        return;
    }
    let fixture = Fixture::new();
    let plain = fixture.path("plain");
    fs::create_dir(&plain).unwrap();
    fixture.snapshot(&plain, "base");
    let Some(stage) = Stage::mount(fixture, &MountOptions::default()) else { return };
    let said = run_in(&plain);
    for (made, folder) in [(".snapshot/x", ".snapshot/x"), ("workspaces/y@base", "workspaces/y")] {
        fs::create_dir(stage.path(made)).unwrap();
        assert_eq!(run_in(&stage.path(folder)), said, "{folder}");
    }
}
