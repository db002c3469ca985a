//! What does a snapshot of 100,000 unchanged files cost beside a walk that only looks at each?

mod support;

use gamevault::Vault;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use support::{best, files, place, seconds, write};

const FILES: usize = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let place = place();
    let game = place.path().join("game");
    for n in 0..FILES {
        write(
            &game.join(format!("d{:02}/s{:03}/file{n}", n / 5000, n / 100)),
            format!("file number {n}").repeat(n % 90 + 1).as_bytes(),
        );
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    let vault = Vault::init(&place.path().join("vault")).expect("a vault can be made");
    let snapshot = || vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).expect("it can be stored");
    let (first, _) = seconds(snapshot);
    let (mut walks, mut snapshots) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        walks.push(seconds(|| files(&game)).0);
        let (wall, report) = seconds(snapshot);
        assert_eq!((report.bytes_read, report.files_unchanged), (0, FILES as u64), "nothing is read again");
        snapshots.push(wall);
    }
    let (walk, again) = (best(&walks), best(&snapshots));
    println!("| what | s |\n|---|---|\n| first snapshot | {first:.2} |\n| walk and lstat alone | {walk:.2} |");
    println!("| snapshot of the unchanged folder, no byte read | {again:.2} ({:.1} × the walk) |", again / walk);
}
