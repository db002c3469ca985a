//! What a program read first is recorded, and read ahead of it the next time.

use crate::mount::{Daemon, can_mount};
use crate::stage::{Fixture, noise};
use gamevault::Vault;
use gamevault::manifest::{PieceRun, Start};
use gamevault::vault::MAX_STARTS;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Files that a player reads, each of one piece and at least a chunk.
const FILES: u64 = 60;

/// How many it reads before it waits.
const FIRST: usize = 6;

const FILE_LEN: usize = 20_000;

/// How long is waited for what takes far less.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads a line of each file, but waits after the first ones until it is told to go on. Bytes of files stand for nothing in
/// the lines that it says.
const PLAYER: &str = "cd \"$1\"; shift; n=0
for file; do
  [ $n != 6 ] || { echo half; read go; }
  n=$((n + 1)); read line < \"$file\"
done; echo done; read go";

/// The names of the files below a build, in an order that is none of theirs.
fn names(group: &str) -> Vec<String> {
    (0..FILES).map(|n| format!("{group}/{}.dat", n * 37 % FILES)).collect()
}

/// Writes files that differ from each other and from those of another `version`.
fn write_group(source: &Path, group: &str, version: u64) {
    fs::create_dir_all(source.join(group)).unwrap();
    for (n, name) in names(group).iter().enumerate() {
        let seed = version << 32 | (group.len() as u64) << 16 | n as u64;
        fs::write(source.join(name), noise(seed, FILE_LEN)).unwrap();
    }
}

/// Makes a vault with a build of two groups of files.
fn with_a_build() -> Fixture {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    write_group(&source, "first", 1);
    write_group(&source, "second", 1);
    fixture.snapshot(&source, "b1");
    fixture
}

/// A program that is reading.
struct Player {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Player {
    /// Starts it with files below `dir`; it reads the first ones.
    fn start(fixture: &Fixture, program: &str, dir: &Path, files: &[String]) -> Player {
        let path = fixture.path(program);
        if !path.exists() {
            fs::copy("/bin/sh", &path).unwrap();
        }
        let mut child = Command::new(&path)
            .args(["-c", PLAYER, "player"])
            .arg(dir)
            .args(files)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut player = Player { child, said };
        player.hear("half");
        player
    }

    fn hear(&mut self, word: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), word);
    }

    fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Lets it read the rest.
    fn read_rest(&mut self) {
        self.go_on();
        self.hear("done");
    }

    /// Lets it read the rest and end.
    fn end(mut self) {
        self.read_rest();
        self.go_on();
        assert!(self.child.wait().unwrap().success());
    }
}

fn gamevault(fixture: &Fixture, arguments: &[&str]) -> String {
    let vault = fixture.path("vault");
    let run = Command::new(env!("CARGO_BIN_EXE_gamevault")).arg("--vault").arg(vault).args(arguments).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap()
}

/// Returns what `status` says of the one mount.
fn activity(fixture: &Fixture) -> Value {
    let status: Value = serde_json::from_str(&gamevault(fixture, &["status", "--json"])).unwrap();
    status["data"]["mounts"][0]["activity"].clone()
}

fn count(fixture: &Fixture, name: &str) -> u64 {
    activity(fixture)["warm_up"][name].as_u64().unwrap()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until no more is read ahead.
fn settle(fixture: &Fixture) {
    let mut last = (0, Instant::now());
    wait_until("the end of reading ahead", || {
        let chunks = count(fixture, "chunks");
        if chunks != last.0 {
            last = (chunks, Instant::now());
        }
        chunks > 0 && last.1.elapsed() > Duration::from_millis(300)
    });
}

/// Lets a player read, in a mount of its own.
fn play(fixture: &Fixture, program: &str, below: &str, files: &[String]) {
    let mut daemon = Daemon::start_with(fixture, &[]);
    Player::start(fixture, program, &daemon.point.join(below), files).end();
    assert!(daemon.signal(Signal::SIGTERM).success());
}

fn start_of(fixture: &Fixture, program: &str, build: &str) -> Option<(u64, Start)> {
    let found = fixture.vault.start_of(program, &fixture.vault.build(build).unwrap()).unwrap();
    found.map(|(build, start)| (build.0, start))
}

fn paths(start: &Start) -> Vec<String> {
    start.files.iter().map(|path| String::from_utf8(path.to_vec()).unwrap()).collect()
}

/// Plays after a recording, and checks that all the player reads after it has waited is decoded by then.
fn check_ready(fixture: &Fixture, below: &str, files: &[String], warmed_files: usize) {
    let mut daemon = Daemon::start_with(fixture, &[]);
    let mut player = Player::start(fixture, "player", &daemon.point.join(below), files);
    settle(fixture);
    let before = activity(fixture);
    player.read_rest();
    let after = activity(fixture);
    let warm_up = &after["warm_up"];
    assert_eq!((&warm_up["warmed"], &warm_up["diverged"]), (&1.into(), &0.into()), "{warm_up}");
    assert!(warm_up["ready"].as_u64().unwrap() >= (warmed_files - FIRST) as u64, "{warm_up}");
    let rest = files.len() - warmed_files;
    assert_eq!(warm_up["strange"], rest, "{warm_up}");
    let grown = |name: &str| after["reads"][name].as_u64().unwrap() - before["reads"][name].as_u64().unwrap();
    if rest == 0 {
        assert_eq!((grown("cache_misses"), grown("pack_reads"), grown("decoded_chunks")), (0, 0, 0));
        let used = grown("ahead_used") as usize;
        assert!(used >= files.len() - FIRST && grown("cache_hits") as usize >= used, "{after}");
    }
    player.go_on();
    drop(player.child.wait());
    let text = gamevault(fixture, &["status"]);
    assert!(text.lines().any(|line| line.starts_with("warm-up") && line.contains("1 program warmed up")), "{text}");
    assert!(daemon.signal(Signal::SIGTERM).success());
}

#[test]
fn the_order_of_reads_is_recorded_and_read_ahead_in_the_next_mount() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let files = names("first");
    play(&fixture, "player", "builds/b1", &files);
    let (build, start) = start_of(&fixture, "player", "b1").unwrap();
    assert_eq!((build, paths(&start)), (1, files.clone()));
    assert_eq!(start.piece_count(), files.len());
    assert!(start_of(&fixture, "another", "b1").is_none());
    check_ready(&fixture, "builds/b1", &files, files.len());
}

#[test]
fn a_start_holds_for_the_next_build_with_what_changed_in_it() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let files = names("first");
    play(&fixture, "player", "builds/b1", &files);
    // A quarter changes, and is found by its path; two go, one comes.
    let source = fixture.path("source");
    for (n, name) in files[10..25].iter().enumerate() {
        fs::write(source.join(name), noise(7000 + n as u64, FILE_LEN + 5)).unwrap();
    }
    let mut later = files.clone();
    for gone in [30, 40] {
        fs::remove_file(source.join(later.remove(gone))).unwrap();
    }
    fs::write(source.join("first/new.dat"), noise(99, FILE_LEN)).unwrap();
    later.push("first/new.dat".into());
    fixture.snapshot(&source, "b2");
    assert_eq!(start_of(&fixture, "player", "b2").unwrap().0, 1);
    check_ready(&fixture, "builds/b2", &later, later.len() - 1);
    // The second build has a start of its own by now, where the new file is, and the first one keeps its own.
    let (build, start) = start_of(&fixture, "player", "b2").unwrap();
    assert_eq!((build, paths(&start)), (2, later));
    assert_eq!(paths(&start_of(&fixture, "player", "b1").unwrap().1), files);
}

#[test]
fn milestones_and_workspaces_are_read_ahead_as_their_build() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let files = names("first");
    gamevault(&fixture, &["milestone", "set", "alpha", "b1"]);
    play(&fixture, "player", "milestones/alpha", &files);
    assert_eq!(paths(&start_of(&fixture, "player", "b1").unwrap().1), files);
    gamevault(&fixture, &["workspace", "create", "fix", "b1"]);
    check_ready(&fixture, "workspaces/fix", &files, files.len());
}

/// A second start in the same mount reads little, as the kernel has the files: it must not take the place of the whole one.
#[test]
fn a_start_whose_files_the_kernel_had_is_not_kept() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let (files, others) = (names("first"), names("second"));
    {
        let mut daemon = Daemon::start_with(&fixture, &[]);
        let build = daemon.point.join("builds/b1");
        Player::start(&fixture, "player", &build, &files).end();
        wait_until("the recording", || count(&fixture, "recorded") == 1);
        let some_more = [&files[..], &others[..20]].concat();
        Player::start(&fixture, "player", &build, &some_more).end();
        wait_until("its end", || count(&fixture, "recording") == 0);
        assert!(daemon.signal(Signal::SIGTERM).success());
    }
    assert_eq!(paths(&start_of(&fixture, "player", "b1").unwrap().1), files);
}

#[test]
fn a_program_that_reads_other_things_is_left_alone_and_recorded_anew() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let source = fixture.path("source");
    for (group, version) in [("more", 2), ("others", 2), ("still others", 2)] {
        write_group(&source, group, version);
    }
    fixture.snapshot(&source, "b2");
    let long = [names("first"), names("second"), names("more")].concat();
    play(&fixture, "player", "builds/b2", &long);
    let strange = [names("others"), names("still others")].concat();
    let daemon = Daemon::start_with(&fixture, &[]);
    let mut player = Player::start(&fixture, "player", &daemon.point.join("builds/b2"), &strange);
    settle(&fixture);
    // No more than the first window, of 64 pieces, though three times as much is known.
    let chunks = count(&fixture, "chunks");
    assert!((64..140).contains(&chunks), "{chunks}");
    player.read_rest();
    wait_until("giving up", || count(&fixture, "diverged") == 1);
    assert_eq!(count(&fixture, "chunks"), chunks);
    player.go_on();
    player.child.wait().unwrap();
    wait_until("the new start", || paths(&start_of(&fixture, "player", "b2").unwrap().1) == strange);
}

#[test]
fn crawlers_are_neither_recorded_nor_read_ahead_of() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let path = fixture.path("vault/vault.toml");
    let config = fs::read_to_string(&path).unwrap();
    play(&fixture, "player", "builds/b1", &names("first"));
    fs::write(&path, format!("{config}\n[crawlers]\nnames = [\"play*\", \"index*\"]\n")).unwrap();
    let mut daemon = Daemon::start_with(&fixture, &[]);
    for program in ["player", "indexer"] {
        Player::start(&fixture, program, &daemon.point.join("builds/b1"), &names("first")).end();
    }
    let told = activity(&fixture);
    assert_eq!(told["crawlers"].as_array().unwrap().len(), 1, "the kernel had all for the second: {told}");
    let warm_up = &told["warm_up"];
    for name in ["recording", "recorded", "warmed", "chunks"] {
        assert_eq!(warm_up[name], 0, "{warm_up}");
    }
    assert!(daemon.signal(Signal::SIGTERM).success());
    assert!(start_of(&fixture, "indexer", "b1").is_none());
}

#[test]
fn it_can_be_switched_off_for_a_mount_and_for_a_vault() {
    if !can_mount() {
        return;
    }
    let fixture = with_a_build();
    let path = fixture.path("vault/vault.toml");
    let config = fs::read_to_string(&path).unwrap();
    assert!(config.contains("[warm_up]\nenabled = true"), "{config}");
    for (option, enabled) in [(Some("--no-warm-up"), "true"), (None, "false")] {
        fs::write(&path, config.replace("[warm_up]\nenabled = true", &format!("[warm_up]\nenabled = {enabled}")))
            .unwrap();
        let mut daemon = Daemon::start_with(&fixture, &option.into_iter().collect::<Vec<_>>());
        Player::start(&fixture, "player", &daemon.point.join("builds/b1"), &names("first")).end();
        assert_eq!(activity(&fixture)["warm_up"], Value::Null);
        assert!(daemon.signal(Signal::SIGTERM).success());
    }
    fixture.vault.prepare_starts().unwrap();
    assert!(start_of(&fixture, "player", "b1").is_none());
}

#[test]
fn starts_outlive_the_mount_and_a_lost_catalogue_loses_nothing_else() {
    if !can_mount() {
        return;
    }
    let mut fixture = with_a_build();
    let files = names("first");
    play(&fixture, "player", "builds/b1", &files);
    let dir = fixture.path("vault");
    let (left, vault) = (fixture.dir, fixture.vault);
    drop(vault);
    for file in fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        if file.file_name().unwrap().to_string_lossy().starts_with("catalogue.db") {
            fs::remove_file(file).unwrap();
        }
    }
    let run = Command::new(env!("CARGO_BIN_EXE_gamevault")).arg("--vault").arg(&dir).arg("repair").output().unwrap();
    assert!(run.status.success(), "{run:?}");
    fixture = Fixture { dir: left, vault: std::sync::Arc::new(Vault::open(&dir).unwrap()) };
    fixture.vault.prepare_starts().unwrap();
    assert!(start_of(&fixture, "player", "b1").is_none());
    play(&fixture, "player", "builds/b1", &files);
    assert_eq!(paths(&start_of(&fixture, "player", "b1").unwrap().1), files);
}

#[test]
fn few_starts_are_kept_and_those_that_are_used_stay() {
    let fixture = with_a_build();
    let vault = &fixture.vault;
    let number = vault.build("b1").unwrap().number;
    let file = |name: &str| Box::from(name.as_bytes());
    let start = Start { files: vec![file("first/1.dat")], runs: vec![PieceRun { file: 0, first: 0, count: 1 }] };
    vault.prepare_starts().unwrap();
    for n in 0..MAX_STARTS + 10 {
        vault.end_start(&format!("program{n}"), Some((number, &start)), None).unwrap();
        if n == 3 {
            vault.end_start("program3", None, Some(number)).unwrap();
        }
    }
    let kept: Vec<usize> =
        (0..MAX_STARTS + 10).filter(|n| start_of(&fixture, &format!("program{n}"), "b1").is_some()).collect();
    assert_eq!(kept, [&[3][..], &(11..MAX_STARTS + 10).collect::<Vec<_>>()].concat());
}

/// Several projects of one engine are in one vault, and run by one program.
#[test]
fn a_start_of_another_project_is_passed_over() {
    let fixture = with_a_build();
    let vault = &fixture.vault;
    let source = fixture.path("other project");
    write_group(&source, "other", 3);
    for id in ["other1", "b2"] {
        fixture.snapshot(&if id == "b2" { fixture.path("source") } else { source.clone() }, id);
    }
    vault.prepare_starts().unwrap();
    for (build, group) in [("b1", "first"), ("other1", "other")] {
        let files: Vec<Box<[u8]>> = names(group).into_iter().map(|name| name.into_bytes().into()).collect();
        let runs = (0..FILES as u32).map(|file| PieceRun { file, first: 0, count: 1 }).collect();
        let number = vault.build(build).unwrap().number;
        vault.end_start("engine", Some((number, &Start { files, runs })), None).unwrap();
    }
    assert_eq!(start_of(&fixture, "engine", "b2").unwrap().0, 1);
    assert_eq!(start_of(&fixture, "engine", "other1").unwrap().0, 2);
    assert_eq!(start_of(&fixture, "engine", "b1").unwrap().0, 1);
}
