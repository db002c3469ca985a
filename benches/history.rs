//! What does the history of a path cost over 1,000 builds of 20,000 files, and what a pattern over all of them?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{best, gamevault, noise, place, seconds, write};

const FILES: u64 = 20_000;
const BUILDS: u64 = 1_000;
const ROUNDS: usize = 5;

/// Changes in each build, so that every page on its path does.
const BUSY: &str = "d07/s03/busy.map";
/// Lies beside it, and changes three times.
const QUIET: &str = "d07/s03/quiet.map";
/// Lies where nothing else changes, and changes three times; in the middle it gets this name.
const MOVED: &str = "d09/s01/moved.map";
const BEFORE: &str = "d11/s01/before.map";

fn main() {
    let place = place();
    let (game, folder, repo) = (place.path().join("game"), place.path().join("vault"), place.path().join("repo"));
    let vault = Vault::init(&folder).expect("a vault can be made");
    git(&["init", "-q", "-b", "main"], place.path(), &repo);
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(&repo)
        .stdin(Stdio::piped())
        .spawn()
        .expect("git can be run");
    let mut stream = std::io::BufWriter::new(import.stdin.take().expect("it is a pipe"));
    for build in 1..=BUILDS {
        let changes = changes(build);
        if build == BUILDS / 2 {
            std::fs::create_dir_all(game.join("d09/s01")).expect("it can be made");
            std::fs::rename(game.join(BEFORE), game.join(MOVED)).expect("it can be moved");
        }
        changes.iter().for_each(|(path, bytes)| write(&game.join(path), bytes));
        vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
        commit(&mut stream, build, &changes);
    }
    drop(stream);
    assert!(import.wait().expect("it ends").success());
    drop(vault);
    report(&folder, &repo);
}

fn report(folder: &Path, repo: &Path) {
    let own = |arguments: &[&str]| {
        let mut command = gamevault();
        command.args(arguments).arg("-q").arg("--vault").arg(folder);
        measure(&mut command)
    };
    let log = |path: &str| {
        let mut command = Command::new("git");
        command.args(["log", "--follow", "--format=%h", "main", "--", path]).current_dir(repo);
        measure(&mut command)
    };
    println!("{BUILDS} builds of {FILES} files, whole process, best of {ROUNDS}; lines are versions or paths");
    println!("| what | ms | lines | git log --follow, ms | lines |\n|---|---|---|---|---|");
    for (what, path) in [
        ("history of a file that changes in each build", BUSY),
        ("of the file beside it", QUIET),
        ("of a file that was renamed", MOVED),
    ] {
        let ((own, versions), (peer, commits)) = (own(&["history", path]), log(path));
        println!("| {what} | {own:.0} | {versions} | {peer:.0} | {commits} |");
    }
    for (what, arguments) in [
        ("history of a folder that changes in each build", &["history", "d07"][..]),
        ("`builds`", &["builds"]),
        ("`find '*.map'`", &["find", "*.map"]),
        ("`find '/d07/s03/*'`", &["find", "/d07/s03/*"]),
        ("`find '*'`", &["find", "*"]),
        ("`find '*' --build latest`", &["find", "*", "--build", "latest"]),
    ] {
        let (time, lines) = own(arguments);
        println!("| {what} | {time:.0} | {lines} | | |");
    }
}

/// Milliseconds of the fastest run, and how many lines it printed.
fn measure(command: &mut Command) -> (f64, usize) {
    let mut times = Vec::new();
    let mut lines = 0;
    for _ in 0..ROUNDS {
        let (time, output) = seconds(|| command.output().expect("it can be run"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lines = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
        times.push(time);
    }
    (best(&times) * 1000.0, lines)
}

/// The files that a build has anew: all in the first one, then five.
fn changes(build: u64) -> Vec<(String, Vec<u8>)> {
    let bytes = |seed: u64| noise(seed, 100 + (seed % 97) as usize);
    let path = |n: u64| format!("d{:02}/s{:02}/file{n}.bin", n / 1000, n / 100 % 10);
    let mut changes = vec![(BUSY.to_owned(), bytes(build))];
    if build == 1 {
        changes.extend((0..FILES - 3).map(|n| (path(n), bytes(BUILDS + n))));
    } else {
        // Spread over all folders, but those of the file that is moved.
        let spread = (0..4).map(|n| (build * 7919 + n * 4001) % 9000).map(path);
        changes.extend(spread.map(|path| (path, bytes(build * 31))));
    }
    if [1, 300, 800].contains(&build) {
        let moved = if build < BUILDS / 2 { BEFORE } else { MOVED };
        changes.extend([QUIET, moved].map(|path| (path.to_owned(), bytes(build + 500_000))));
    }
    changes
}

fn commit(stream: &mut impl Write, build: u64, changes: &[(String, Vec<u8>)]) {
    let mut tell = |bytes: &[u8]| stream.write_all(bytes).expect("git reads it");
    tell(format!("commit refs/heads/main\ncommitter a <a@b> {build} +0000\ndata 0\n").as_bytes());
    if build == BUILDS / 2 {
        tell(format!("R {BEFORE} {MOVED}\n").as_bytes());
    }
    for (path, bytes) in changes {
        tell(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).as_bytes());
        tell(bytes);
        tell(b"\n");
    }
}

fn git(arguments: &[&str], dir: &Path, target: &Path) {
    let status = Command::new("git").args(arguments).arg(target).current_dir(dir).status().expect("git can be run");
    assert!(status.success());
}
