//! How near is reading a milestone back to reading and decoding its packs from end to end?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, SnapshotOptions, VerifyOptions};
use std::path::Path;
use support::{best, files, game, place, seconds};

const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let game = game(place.path());
    let bytes = files(&game).1 as f64;
    let folder = place.path().join("vault");
    let vault = Vault::init(&folder).expect("a vault can be made");
    let report = vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
    drop(vault);
    let (mut packs, mut milestones, mut checks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Opened anew each time: nothing is decoded yet.
        let vault = open(&folder);
        let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
        let (time, verified) = seconds(|| vault.verify(&options, &Progress::new()).expect("it can be read"));
        assert!(verified.problems.is_empty());
        packs.push(time);
        let vault = open(&folder);
        let name = "beta".parse().expect("a name");
        let (time, milestone) = seconds(|| {
            vault.set_milestone(&name, &report.build, &Annotation::default(), false).expect("it can be set");
            vault.verify_milestone(&name, &Progress::new()).expect("it can be read")
        });
        milestones.push(time);
        let certificate = milestone.certificate.expect("it was read back");
        let (time, check) = seconds(|| certificate.check_folder(&game, &Progress::new()).expect("it can be read"));
        assert!(check.holds);
        checks.push(time);
    }
    let (packs, milestone, check) = (best(&packs), best(&milestones), best(&checks));
    let rate = |time: f64| bytes / 1e6 / time;
    println!("{:.3} GB, best of {ROUNDS} rounds in alternation", bytes / 1e9);
    println!("| what | MB/s |\n|---|---|\n| all packs read, decoded and hashed | {:.0} |", rate(packs));
    println!("| milestone set and read back | {:.0} ({:.2} of that) |", rate(milestone), packs / milestone);
    println!("| folder compared with the certificate | {:.0} |", rate(check));
}

fn open(folder: &Path) -> Vault {
    Vault::open(folder).expect("it can be opened")
}
