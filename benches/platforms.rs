//! What does it cost to compare the settings of 8 platforms in 5,000 files, beside reading these files alone?

mod support;

use gamevault::Vault;
use gamevault::platform::{Contrast, Matrix, Target};
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::fs;
use std::path::Path;
use support::{best, place, seconds, write};

const PLATFORMS: [&str; 8] = ["Windows", "Linux", "Mac", "Android", "IOS", "Switch", "PS5", "XSX"];
/// Categories of settings: each has a file for the project and one for each platform.
const CATEGORIES: usize = 556;
const LINES: usize = 20;
const ROUNDS: usize = 5;
const BUILDS: usize = 100;

fn main() {
    let place = place();
    let game = place.path().join("game");
    write(&game.join("Game.uproject"), b"{}");
    for category in 0..CATEGORIES {
        write(&game.join(format!("Config/DefaultPart{category}.ini")), text(category, LINES, 0).as_bytes());
        for (index, platform) in PLATFORMS.iter().enumerate() {
            let path = game.join(format!("Config/{platform}/{platform}Part{category}.ini"));
            write(&path, text(category, LINES / 2, index + 1).as_bytes());
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    let dir = place.path().join("vault");
    let vault = Vault::init(&dir).expect("a vault can be made");
    let snapshot = |vault: &Vault| {
        let report = vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new());
        report.expect("it can be stored").build
    };
    let build = snapshot(&vault);
    let targets: Vec<Target> = PLATFORMS.iter().map(|name| Target::new(name).expect("it is a name")).collect();
    let (mut plain, mut cold, mut warm, mut kept) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut told = (0, 0);
    for _ in 0..ROUNDS {
        plain.push(seconds(|| read_all(&game.join("Config"))).0);
        // As a command finds it: nothing is in memory but what the system keeps of the vault's files.
        let (opened, again) = seconds(|| Vault::open(&dir).expect("the vault can be opened"));
        let platforms = again.platforms();
        let mut compare = || {
            let all = platforms.effective_all(&build, &targets).expect("it can be read");
            let matrix = Matrix::new(&all);
            told = (matrix.rows.len(), matrix.count(Contrast::Differs));
        };
        cold.push(opened + seconds(&mut compare).0);
        kept.push(seconds(&mut compare).0);
        let others = again.platforms();
        warm.push(seconds(|| others.effective_all(&build, &targets).expect("it can be read")).0);
    }
    for n in 0..BUILDS {
        write(&game.join("Content/level"), format!("level {n}").as_bytes());
        std::thread::sleep(std::time::Duration::from_millis(20));
        snapshot(&vault);
    }
    let builds = vault.builds().expect("they can be listed");
    let platforms = vault.platforms();
    let changes = seconds(|| platforms.history(&builds, "Key1", None).expect("it can be read"));
    let files = 1 + CATEGORIES * (PLATFORMS.len() + 1);
    println!("{files} files, {} settings of {} targets, {} of them differ\n", told.0, targets.len(), told.1);
    println!("| what | s |\n|---|---|");
    println!("| reading the plain files alone | {:.3} |", best(&plain));
    println!("| vault opened, files read, 8 targets compared | {:.3} |", best(&cold));
    println!("| the same with the store's caches warm, nothing known of the files | {:.3} |", best(&warm));
    println!("| the same again, everything known | {:.3} |", best(&kept));
    println!(
        "| history of a key over {} builds of all targets ({} changes) | {:.3} |",
        builds.len(),
        changes.1.len(),
        changes.0
    );
    println!("\nfiles read for the history: {} of {}", platforms.files_read(), files * builds.len());
}

/// A file of `lines` settings, a third of which differ between platforms.
fn text(category: usize, lines: usize, platform: usize) -> String {
    let mut text = format!("[/Script/Game.Part{category}]\n");
    for line in 0..lines {
        let value = if line % 3 == 0 { platform * 1000 + line } else { line };
        text += &format!("Key{line}={value}\n+List=(Name=\"entry {line}\",Value={value})\n");
    }
    text
}

fn read_all(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("it can be read"));
    entries
        .map(|entry| match entry.path().is_dir() {
            true => read_all(&entry.path()),
            false => fs::read(entry.path()).expect("it can be read").len() as u64,
        })
        .sum()
}
