//! How long does it take to tell what changed?
//!
//!     cargo bench --bench compare -- [FILES]
//!
//! Two builds of FILES files (100,000 without a number), of which one in a hundred differs: the command as a whole process,
//! beside `git diff --raw` of the same trees, which has the hashes of all files as well. Then two builds with 10,000 changes: what a
//! mount does for a folder of `/changes`, and each page in it.

mod support;

use gamevault::Vault;
use gamevault::compare::ChangeKind;
use gamevault::compare::detail::Limits;
use gamevault::progress::Progress;
use gamevault::report;
use gamevault::vault::SnapshotOptions;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{best, gamevault, mix, noise, place, seconds, write};

const ROUNDS: usize = 7;
const CHANGES: usize = 10_000;

fn main() {
    let files = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let place = place();
    few_of_many(place.path(), files);
    many(place.path());
}

/// Writes file `number` in its `version`: some sort of asset, in folders as games have them.
fn write_file(game: &Path, number: usize, version: u64) {
    let kinds = ["png", "ogg", "json", "uasset", "lua", "bin"];
    let name = format!("part{:02}/folder{:03}/file{number}.{}", number % 20, number / 20 % 200, kinds[number % 6]);
    let bytes = match number % 6 {
        2 | 4 => format!("{{\"name\": \"file {number}\",\n \"version\": {version},\n \"speed\": {}}}\n", number % 77)
            .into_bytes(),
        _ => noise(number as u64 * 7 + version, 400 + number % 3000),
    };
    write(&game.join(name), &bytes);
}

fn snapshot(vault: &Vault, game: &Path) {
    vault.snapshot(game, &SnapshotOptions::default(), &Progress::new()).expect("the folder becomes a build");
}

fn few_of_many(place: &Path, files: usize) {
    let (game, dir) = (place.join("few"), place.join("few.vault"));
    let vault = Vault::init(&dir).expect("a vault can be made");
    (0..files).for_each(|number| write_file(&game, number, 0));
    git(&game, &["init", "--quiet"]);
    commit(&game);
    // The repository is no part of the game.
    std::fs::write(game.join(".gamevaultignore"), ".git\n").expect("the file can be written");
    snapshot(&vault, &game);
    // All over the folders: a page of a folder that is the same in both is not looked into.
    let changed: Vec<usize> = (0..files).filter(|number| mix(*number as u64).is_multiple_of(100)).collect();
    changed.iter().for_each(|&number| write_file(&game, number, 1));
    snapshot(&vault, &game);
    let (old, new) = (vault.build("1").expect("it was made"), vault.build("2").expect("it was made"));
    let told = vault.diff(&old, &new, &[]).expect("builds are compared").count(ChangeKind::Modified);
    assert_eq!(told, changed.len(), "each file that was written differs");
    commit(&game);
    drop(vault);
    let run = |command: &mut Command| {
        seconds(|| assert!(command.stdout(Stdio::null()).status().expect("it runs").success())).0
    };
    let ours = |arguments: &[&str]| {
        let times: Vec<f64> = (0..ROUNDS).map(|_| run(gamevault().arg("--vault").arg(&dir).args(arguments))).collect();
        best(&times)
    };
    let page = place.join("page.html");
    let page = page.to_str().expect("the bench folder has a name in UTF-8");
    println!("{files} files, {} of them changed, whole process, best of {ROUNDS}:\n", changed.len());
    println!("| command | seconds |\n|---|---:|");
    for arguments in [
        &["diff", "1", "2"][..],
        &["diff", "1", "2", "--by", "class"],
        &["diff", "1", "2", "--patch"],
        &["diff", "1", "2", "--html", page],
        &["stats", "--explain"],
    ] {
        let name: Vec<&str> = arguments.iter().map(|word| if *word == page { "FILE" } else { word }).collect();
        println!("| gamevault {} | {:.3} |", name.join(" "), ours(arguments));
    }
    let raw: Vec<f64> =
        (0..ROUNDS).map(|_| run(git_command(&game).args(["diff", "--raw", "HEAD~1", "HEAD"]))).collect();
    println!("| git diff --raw HEAD~1 HEAD | {:.3} |", best(&raw));
}

fn many(place: &Path) {
    let (game, dir) = (place.join("many"), place.join("many.vault"));
    let vault = Vault::init(&dir).expect("a vault can be made");
    (0..CHANGES).for_each(|number| write_file(&game, number, 0));
    snapshot(&vault, &game);
    (0..CHANGES).for_each(|number| write_file(&game, number, 1));
    snapshot(&vault, &game);
    let (old, new) = (vault.build("1").expect("it was made"), vault.build("2").expect("it was made"));
    let (mut all, mut markdown, mut page) = (Vec::new(), Vec::new(), Vec::new());
    let mut lens = (0, 0);
    for _ in 0..ROUNDS {
        // As for the first who looks.
        vault.reader().clear_caches();
        let (time, changes) = seconds(|| vault.changes(&old, &new, &[], &Limits::PAGE).expect("builds are compared"));
        all.push(time);
        let (time, text) = seconds(|| report::changes::markdown(&changes));
        markdown.push(time);
        let (time, html) = seconds(|| report::changes::page(&changes));
        page.push(time);
        lens = (text.len(), html.len());
    }
    println!("\n{CHANGES} changes, best of {ROUNDS}:\n\n| what | seconds | bytes |\n|---|---:|---:|");
    println!("| what a folder of /changes is made of | {:.3} | |", best(&all));
    println!("| summary.md | {:.3} | {} |", best(&markdown), lens.0);
    println!("| summary.html | {:.3} | {} |", best(&page), lens.1);
}

fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    command
}

fn git(folder: &Path, arguments: &[&str]) {
    assert!(git_command(folder).args(arguments).status().expect("git runs").success());
}

fn commit(folder: &Path) {
    git(folder, &["add", "--all"]);
    git(
        folder,
        &["-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "--quiet", "--message", "x"],
    );
}
