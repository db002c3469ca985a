//! How near is a restore to copying plain files with `cp -a`?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::{RestoreOptions, SnapshotOptions};
use std::process::Command;
use support::{best, files, game, place, seconds};

const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let game = game(place.path());
    let bytes = files(&game).1 as f64;
    let vault = Vault::init(&place.path().join("vault")).expect("a vault can be made");
    let report = vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
    let (mut copies, mut restores) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let to = |what: &str| place.path().join(format!("{what}{round}"));
        let copy = || Command::new("cp").arg("-a").arg(&game).arg(to("copy")).status().expect("cp is there");
        copies.push(seconds(copy).0);
        let restore = || {
            vault
                .restore(&report.build, &to("back"), &RestoreOptions::default(), &Progress::new())
                .expect("it can be restored")
        };
        restores.push(seconds(restore).0);
        for what in ["copy", "back"] {
            std::fs::remove_dir_all(to(what)).expect("it can be removed");
        }
    }
    let (copy, restore) = (best(&copies), best(&restores));
    println!("{:.3} GB, best of {ROUNDS} rounds in alternation", bytes / 1e9);
    println!("| what | MB/s |\n|---|---|\n| cp -a | {:.0} |", bytes / 1e6 / copy);
    println!("| restore, every byte checked | {:.0} ({:.2} of cp) |", bytes / 1e6 / restore, copy / restore);
}
