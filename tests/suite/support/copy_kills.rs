//! Copies through a mount whose daemon is killed: what was acknowledged is there again, and the same copy goes on.

use super::kills::Scene;
use rand::RngExt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A daemon that is killed at the end of its life, and leaves its mount point to the next.
struct Daemon(Child);

impl Daemon {
    /// Mounts, and returns when the daemon says that it has: the tree of a daemon that was killed can still be seen, as far
    /// as the kernel remembers it.
    fn start(scene: &Scene) -> Daemon {
        let mut command = scene.command(&["mount", "mnt", "--foreground", "--xattr"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !said.trim_end().ends_with('}') {
            assert!(out.read_line(&mut said).unwrap() > 0, "the daemon does not mount: {said}");
        }
        Daemon(child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Takes the dead mount away at the end.
struct MountPoint(std::path::PathBuf);

impl Drop for MountPoint {
    fn drop(&mut self) {
        Command::new("fusermount3").arg("-uz").arg(&self.0).stderr(Stdio::null()).status().ok();
    }
}

fn copy(scene: &Scene) -> Command {
    let mut command = Command::new("rsync");
    command
        .args(["-aX", "--delete", "--modify-window=-1"])
        .arg(scene.path("game/"))
        .arg(scene.path("mnt/.snapshot/s/"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts the session, from a build that is there if `with_base`.
fn make_session(scene: &Scene, base: Option<&str>) {
    let name = base.map_or("s".to_owned(), |base| format!("s@{base}"));
    fs::create_dir(scene.path("mnt/.snapshot").join(name)).unwrap();
}

/// Kills the daemon in the middle of `rounds` copies, each of which is then made again to its end and committed.
pub fn kill_copies(seed: u64, rounds: usize) {
    let mut scene = Scene::new(seed);
    let _point = MountPoint(scene.path("mnt"));
    let mut takes = Duration::from_millis(700);
    let mut interrupted = 0;
    for round in 0..rounds {
        scene.change_folder();
        let base = scene.random.random_range(0..2) == 1 && round > 0;
        let base = base.then(|| format!("r{}", round - 1));
        let delay = takes.mul_f64(scene.random.random_range(0.0..1.1));
        {
            let daemon = Daemon::start(&scene);
            make_session(&scene, base.as_deref());
            let mut copy = copy(&scene).spawn().unwrap();
            std::thread::sleep(delay);
            drop(daemon);
            interrupted += usize::from(!copy.wait().unwrap().success());
        }
        scene.accept_no_build();
        let daemon = Daemon::start(&scene);
        let session = std::fs::metadata(scene.path("mnt/.snapshot/s"));
        assert!(session.as_ref().is_ok_and(|found| found.is_dir()), "round {round}: after the kill: {session:?}");
        let start = Instant::now();
        let status = copy(&scene).status().unwrap();
        assert!(status.success(), "round {round}: the same copy again ended with {status}");
        // Later rounds change less than the first one brings.
        takes = start.elapsed().max(Duration::from_millis(150));
        assert_same_names(&scene.path("game"), &scene.path("mnt/.snapshot/s"), round);
        let id = format!("r{round}");
        fs::rename(scene.path("mnt/.snapshot/s"), scene.path("mnt/builds").join(&id)).unwrap();
        drop(daemon);
        scene.accept_build(&id);
    }
    println!("{interrupted} of {rounds} copies were cut off");
}

fn assert_same_names(left: &Path, right: &Path, round: usize) {
    let diff = Command::new("diff").args(["-rq", "--no-dereference"]).arg(left).arg(right).output().unwrap();
    let found = String::from_utf8_lossy(&diff.stdout).into_owned();
    assert!(diff.status.success(), "round {round}: after the copy was made again: {found}");
}
