//! How near is a snapshot to reading, cutting and hashing alone?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use support::{best, cpu_seconds, files, game, place, seconds};

const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let game = game(place.path());
    let (paths, bytes) = files(&game);
    let gigabytes = bytes as f64 / 1e9;
    println!("{} files, {gigabytes:.3} GB; best of {ROUNDS} rounds in alternation", paths.len());
    let mut rows: Vec<(&str, Vec<f64>, Vec<f64>)> =
        ["read, cut and hash, one thread", "first snapshot", "snapshot, all read again"]
            .map(|name| (name, vec![], vec![]))
            .into();
    for round in 0..ROUNDS {
        let dir = place.path().join(format!("vault{round}"));
        let vault = Vault::init(&dir).expect("a vault can be made");
        let snapshot = |read_all: bool| {
            let options = SnapshotOptions { read_all, ..SnapshotOptions::default() };
            vault.snapshot(&game, &options, &Progress::new()).expect("the folder can be stored");
        };
        let limit = || {
            for path in &paths {
                let plain = std::fs::read(path).expect("the file can be read");
                for chunk in fastcdc::v2020::FastCDC::new(&plain, 8 << 10, 32 << 10, 128 << 10) {
                    std::hint::black_box(blake3::hash(&plain[chunk.offset..chunk.offset + chunk.length]));
                }
            }
        };
        let works: [&dyn Fn(); 3] = [&limit, &|| snapshot(false), &|| snapshot(true)];
        for (work, row) in works.iter().zip(&mut rows) {
            let cpu = cpu_seconds();
            row.1.push(seconds(work).0);
            row.2.push(cpu_seconds() - cpu);
        }
        drop(vault);
        std::fs::remove_dir_all(dir).expect("the vault can be removed");
    }
    println!("| what | MB/s | CPU s/GB | CPU : limit |\n|---|---|---|---|");
    let limit = best(&rows[0].2);
    for (name, walls, cpus) in &rows {
        let (rate, cpu) = (bytes as f64 / 1e6 / best(walls), best(cpus));
        println!("| {name} | {rate:.0} | {:.2} | {:.2} |", cpu / gigabytes, cpu / limit);
    }
}
