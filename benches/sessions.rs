//! How fast do copies come in through the mount beside the same copies on the same disk, and what do copies inside the
//! mount, bases and small commits cost?
//!
//! Needs about 15 GB beside the vault's disk. Nothing is removed between the rounds but single large files: ext4 is slow to
//! make files where thousands were just removed.

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{best, gamevault, noise, place, seconds, write};

const ROUNDS: usize = 3;
const SMALL_FILES: usize = 20_000;
const LARGE_LEN: u64 = 4 << 30;
const SMALL_WRITES_LEN: usize = 300 << 20;
const MANY_FILES: usize = 100_000;

struct Bench {
    place: PathBuf,
    mount: PathBuf,
}

impl Bench {
    fn disk(&self, name: &str) -> PathBuf {
        self.place.join("disk").join(name)
    }

    /// Makes a session and returns its folder.
    fn session(&self, name: &str) -> PathBuf {
        let path = self.mount.join(".snapshot").join(name);
        fs::create_dir(&path).expect("a session can be made");
        path
    }

    fn build(&self, name: &str) -> PathBuf {
        self.mount.join("builds").join(name)
    }
}

fn main() {
    let place = place();
    let bench = Bench { place: place.path().into(), mount: place.path().join("mount") };
    let vault = place.path().join("vault");
    fs::create_dir(place.path().join("disk")).expect("it can be made");
    make_many(&vault, place.path());
    run(gamevault().arg("--vault").arg(&vault).arg("mount").arg(&bench.mount));
    println!("Best of {ROUNDS} rounds, the disk and the mount in turn\n");
    println!("| what | disk s | mount s | mount / disk | rate through the mount |\n|---|---|---|---|---|");
    small_files(&bench);
    small_writes(&bench);
    large_file(&bench);
    println!("\n| inside the mount | ms |\n|---|---|");
    copies_inside(&bench);
    bases(&bench);
    run(gamevault().arg("--vault").arg(&vault).arg("unmount").arg(&bench.mount));
}

fn small_files(bench: &Bench) {
    let source = bench.place.join("small");
    for n in 0..SMALL_FILES {
        let len = 200 + (n * 7919) % 4100;
        write(&source.join(format!("d{:03}/f{n}", n % 200)), &noise(n as u64, len));
    }
    let (mut disk, mut mount, mut disk_four, mut mount_four) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (plain, session) = (bench.disk(&format!("small{round}")), bench.session(&format!("small{round}")));
        disk.push(seconds(|| run(Command::new("cp").arg("-r").arg(&source).arg(&plain))).0);
        mount.push(seconds(|| run(Command::new("cp").arg("-r").arg(&source).arg(&session))).0);
        let (plain, session) = (bench.disk(&format!("four{round}")), bench.session(&format!("four{round}")));
        fs::create_dir(&plain).expect("it can be made");
        disk_four.push(seconds(|| copy_four(&source, &plain)).0);
        mount_four.push(seconds(|| copy_four(&source, &session)).0);
    }
    let rate = |seconds: f64| format!("{:.0} files/s", SMALL_FILES as f64 / seconds);
    row("cp -r of 20,000 small files", &disk, &mount, rate);
    row("four cp -r of a quarter of them each", &disk_four, &mount_four, rate);
}

/// Copies a quarter of the folders by each of four processes.
fn copy_four(source: &Path, to: &Path) {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(source).expect("it can be listed").map(|entry| entry.expect("it is there").path()).collect();
    folders.sort();
    let copies: Vec<_> = folders
        .chunks(folders.len().div_ceil(4))
        .map(|quarter| Command::new("cp").arg("-r").args(quarter).arg(to).spawn().expect("cp can be started"))
        .collect();
    copies.into_iter().for_each(|mut copy| assert!(copy.wait().expect("it ends").success()));
}

fn small_writes(bench: &Bench) {
    let bytes = noise(7, 1 << 20);
    let fill = |path: &Path| {
        let mut file = File::create(path).expect("it can be made");
        for index in 0..SMALL_WRITES_LEN / 4096 {
            let start = index * 4096 % bytes.len();
            file.write_all(&bytes[start..start + 4096]).expect("it can be written");
        }
    };
    let (mut disk, mut mount) = (Vec::new(), Vec::new());
    let session = bench.session("writes");
    for round in 0..ROUNDS {
        disk.push(seconds(|| fill(&bench.disk(&format!("writes{round}")))).0);
        mount.push(seconds(|| fill(&session.join(format!("writes{round}")))).0);
    }
    let rate = |seconds: f64| format!("{:.0} MB/s", SMALL_WRITES_LEN as f64 / 1e6 / seconds);
    row("300 MB in writes of 4 KiB", &disk, &mount, rate);
}

fn large_file(bench: &Bench) {
    let source = bench.place.join("large");
    let piece = noise(8, 64 << 20);
    let mut file = File::create(&source).expect("it can be made");
    (0..LARGE_LEN / piece.len() as u64).for_each(|_| file.write_all(&piece).expect("it can be written"));
    drop(file);
    let (mut disk, mut mount) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let plain = bench.disk("large");
        disk.push(seconds(|| run(Command::new("cp").arg(&source).arg(&plain))).0);
        fs::remove_file(plain).expect("it can be removed");
        let session = bench.session(&format!("large{round}"));
        mount.push(seconds(|| run(Command::new("cp").arg(&source).arg(&session))).0);
        match round + 1 < ROUNDS {
            true => fs::remove_dir_all(session).expect("it can be removed"),
            // The last one stays, for what follows.
            false => fs::rename(session, bench.build("one")).expect("it commits"),
        }
    }
    let rate = |seconds: f64| format!("{:.0} MB/s", LARGE_LEN as f64 / 1e6 / seconds);
    row("cp of one file of 4 GiB", &disk, &mount, rate);
}

fn copies_inside(bench: &Bench) {
    let stored = || support::files(&bench.place.join("vault/packs")).1;
    let session = bench.session("five");
    run(Command::new("cp").arg(bench.build("one").join("large")).arg(session.join("a")));
    run(Command::new("cp").arg(bench.build("one").join("large")).arg(session.join("b")));
    fs::rename(session, bench.build("eight")).expect("it commits");
    let before = stored();
    let mut inside = Vec::new();
    for round in 0..ROUNDS {
        let session = bench.session(&format!("inside{round}"));
        inside.push(seconds(|| run(Command::new("cp").arg("-r").arg(bench.build("eight")).arg(&session))).0);
    }
    println!("| cp -r of a build of 8.6 GB into a session | {:.1} |", best(&inside) * 1e3);
    let session = bench.mount.join(".snapshot/inside0");
    let (wall, ()) = seconds(|| fs::rename(session, bench.build("again")).expect("it commits"));
    println!("| its commit ({} new bytes in packs) | {:.1} |", stored() - before, wall * 1e3);
}

/// Makes a vault with a build of 100,000 files.
fn make_many(vault: &Path, place: &Path) {
    let vault = Vault::init(vault).expect("a vault can be made");
    let source = place.join("many");
    for n in 0..MANY_FILES {
        write(&source.join(format!("d{:02}/s{:03}/f{n}.txt", n % 25, n % 1000)), format!("file {n}\n").as_bytes());
    }
    let options = SnapshotOptions { id: Some("many".parse().expect("a good id")), ..SnapshotOptions::default() };
    vault.snapshot(&source, &options, &Progress::new()).expect("it can be stored");
}

fn bases(bench: &Bench) {
    let (mut starts, mut commits) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("next{round}");
        starts.push(seconds(|| bench.session(&format!("{name}@many"))).0);
        let session = bench.mount.join(".snapshot").join(&name);
        for n in (0..MANY_FILES).step_by(100) {
            let file = session.join(format!("d{:02}/s{:03}/f{n}.txt", n % 25, n % 1000));
            fs::write(file, format!("changed in round {round}\n")).expect("it can be written");
        }
        commits.push(seconds(|| fs::rename(&session, bench.build(&name)).expect("it commits")).0);
    }
    println!("| mkdir name@base, the base of 100,000 files | {:.1} |", best(&starts) * 1e3);
    println!("| commit after 1,000 of them changed | {:.1} |", best(&commits) * 1e3);
}

fn row(what: &str, disk: &[f64], mount: &[f64], rate: impl Fn(f64) -> String) {
    let (disk, mount) = (best(disk), best(mount));
    println!("| {what} | {disk:.2} | {mount:.2} | {:.2} | {} |", mount / disk, rate(mount));
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
