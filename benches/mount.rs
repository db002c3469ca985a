//! How soon is a vault with 1,000 builds mounted and listed, and how fast is a copy into the mount beside a copy to the
//! same disk?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::path::Path;
use std::process::Command;
use support::{best, files, game, gamevault, place, seconds, write};

const BUILDS: usize = 1000;
const ROUNDS: usize = 5;

fn main() {
    let place = place();
    ready(place.path());
    copy_in(place.path(), &game(place.path()));
}

fn ready(place: &Path) {
    let (vault_dir, small, mount) = (place.join("many-builds"), place.join("small"), place.join("mount"));
    let vault = Vault::init(&vault_dir).expect("a vault can be made");
    for n in 0..BUILDS {
        write(&small.join(format!("file{}", n % 50)), n.to_string().as_bytes());
        vault.snapshot(&small, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
    }
    drop(vault);
    let (mut readies, mut lists) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        readies.push(seconds(|| run(gamevault().arg("--vault").arg(&vault_dir).arg("mount").arg(&mount))).0);
        let (wall, names) = seconds(|| std::fs::read_dir(mount.join("builds")).expect("it can be listed").count());
        assert_eq!(names, BUILDS + 1, "all builds and the newest");
        lists.push(wall);
        run(gamevault().arg("--vault").arg(&vault_dir).arg("unmount").arg(&mount));
    }
    let milliseconds = |values: &[f64]| best(values) * 1e3;
    println!("| with {BUILDS} builds | ms |\n|---|---|\n| mounted and ready | {:.0} |", milliseconds(&readies));
    println!("| first listing of builds/ | {:.0} |\n", milliseconds(&lists));
}

fn copy_in(place: &Path, game: &Path) {
    let (vault_dir, mount) = (place.join("vault"), place.join("mount"));
    run(gamevault().arg("init").arg(&vault_dir));
    run(gamevault().arg("--vault").arg(&vault_dir).arg("mount").arg(&mount));
    let (mut disk, mut mounted, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let plain = place.join(format!("copy{round}"));
        disk.push(seconds(|| run(Command::new("cp").arg("-r").arg(game).arg(&plain))).0);
        let session = mount.join(".snapshot").join(format!("copy{round}"));
        mounted.push(seconds(|| run(Command::new("cp").arg("-r").arg(game).arg(&session))).0);
        commits.push(
            seconds(|| std::fs::rename(&session, mount.join(format!("builds/copy{round}"))).expect("it commits")).0,
        );
        std::fs::remove_dir_all(plain).expect("it can be removed");
    }
    run(gamevault().arg("--vault").arg(&vault_dir).arg("unmount").arg(&mount));
    let (count, bytes) = files(game);
    let (cp, copy, commit) = (best(&disk), best(&mounted), best(&commits));
    println!("{} files, {:.3} GB; best of {ROUNDS} rounds in alternation\n", count.len(), bytes as f64 / 1e9);
    println!("| what | s | × cp to the disk |\n|---|---|---|\n| cp -r to the same disk | {cp:.2} | 1.00 |");
    println!("| cp -r into a session | {copy:.2} | {:.2} |", copy / cp);
    println!("| mv to builds/ after it | {commit:.2} | {:.2} |", commit / cp);
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
