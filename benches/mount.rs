//! How fast is a copy into the mount beside a copy to the same disk?

mod support;

use std::process::Command;
use support::shown::run;
use support::{best, files, game, gamevault, place, seconds};

const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let (place, game) = (place.path(), &game(place.path()));
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
