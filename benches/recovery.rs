//! What does recovery data cost when a game is stored, and how fast are packs checked and healed by it, beside reading and hashing?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::store::Healed;
use gamevault::vault::{SnapshotOptions, VerifyOptions};
use std::fs;
use std::path::Path;
use support::{best, cpu_seconds, files, game, place, seconds};

const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let game = game(place.path());
    let bytes = files(&game).1 as f64;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for (percent, costs) in [(3, &mut with), (0, &mut without)] {
            let folder = place.path().join(format!("vault-{percent}"));
            let _ = fs::remove_dir_all(&folder);
            let vault = Vault::init(&folder).expect("a vault can be made");
            vault.store().set_recovery(percent);
            let start = cpu_seconds();
            vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
            costs.push(cpu_seconds() - start);
            eprintln!("round {round}, {percent} %: {:.2} s of CPU", costs.last().expect("just added"));
        }
    }
    let folder = place.path().join("vault-3");
    let (packs, recovery) = (length_of(&folder, "pack"), length_of(&folder, "par"));
    let vault = Vault::open(&folder).expect("it can be opened");
    let all = vault.store().catalogue().packs().expect("it can be read");
    let (mut checks, mut hashes, mut reads, mut heals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hashes.push(seconds(|| hash_packs(&folder)).0);
        let check = || {
            all.iter()
                .for_each(|(_, id, _)| assert_eq!(vault.store().heal(*id).expect("it can be read"), Healed::Sound));
        };
        checks.push(seconds(check).0);
        let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
        let (time, report) = seconds(|| vault.verify(&options, &Progress::new()).expect("it can be read"));
        assert!(report.problems.is_empty());
        reads.push(time);
        let (_, id, len) = *all.iter().max_by_key(|(.., len)| *len).expect("there are packs");
        let path = folder.join("packs").join(&id.to_string()[..2]).join(format!("{id}.pack"));
        let whole = fs::read(&path).expect("it can be read");
        let mut damaged = whole.clone();
        damaged[len as usize / 2..][..64 << 10].fill(0);
        fs::write(&path, damaged).expect("it can be written");
        let (time, healed) = seconds(|| vault.store().heal(id).expect("it can be healed"));
        assert!(matches!(healed, Healed::Blocks(_)) && fs::read(&path).expect("it can be read") == whole);
        heals.push(time);
    }
    let rate = |bytes: f64, time: f64| bytes / 1e6 / time;
    println!("{:.3} GB, {:.1} MB of packs, best of {ROUNDS} rounds in alternation", bytes / 1e9, packs / 1e6);
    println!("| what | |\n|---|---|");
    println!("| recovery data | {:.1} MB, {:.2} % of the packs |", recovery / 1e6, recovery / packs * 100.0);
    let (with, without) = (best(&with), best(&without));
    println!(
        "| storing, CPU s without and with it | {without:.2}, {with:.2} ({:+.1} %) |",
        (with / without - 1.0) * 100.0
    );
    println!("| packs read and hashed alone | {:.0} MB/s |", rate(packs, best(&hashes)));
    println!("| packs compared with their recovery data | {:.0} MB/s |", rate(packs, best(&checks)));
    println!("| verify --read-data, plain bytes | {:.0} MB/s |", rate(bytes, best(&reads)));
    println!("| the largest pack healed of 64 KiB of zeros | {:.3} s |", best(&heals));
}

fn length_of(vault: &Path, extension: &str) -> f64 {
    let is_of = |path: &&std::path::PathBuf| path.extension().is_some_and(|kind| kind == extension);
    files(vault).0.iter().filter(is_of).map(|path| fs::metadata(path).expect("it is there").len() as f64).sum()
}

fn hash_packs(vault: &Path) {
    for path in files(vault).0.iter().filter(|path| path.extension().is_some_and(|kind| kind == "pack")) {
        std::hint::black_box(blake3::hash(&fs::read(path).expect("it can be read")));
    }
}
