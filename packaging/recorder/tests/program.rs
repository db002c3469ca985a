//! A program in C records: the header and the library fit, and what it was told to be safe is.
#![cfg(unix)]

mod support;

use gamevault_rec::{is_live, recover};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::player;
use support::{events, named, names, only_session, session};

/// How long it may take until a program is killed.
const MAX_LIFE_US: u64 = 60_000;

#[test]
fn every_function_does_what_the_header_says() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = player::compile(place.path()) else { return };
    let (spool, shot) = (place.path().join("spool"), place.path().join("shot.png"));
    fs::write(&shot, b"a picture").unwrap();
    let output = Command::new(program).arg("all").args([&spool, &shot]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let done = only_session(&spool);
    assert_eq!(names(&done), ["events.jsonl", "log.txt", "saves", "screens", "session.json"]);
    let told = session(&done);
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    for (key, expected) in [
        ("schema", json!(1)),
        ("id", json!(done.file_name().unwrap().to_str().unwrap())),
        ("build", json!("42")),
        ("player", json!("t7")),
        ("engine", json!("own")),
        ("platform", json!(platform)),
        ("settings", json!({ "vsync": true })),
        ("exit", json!("clean")),
        ("dropped", json!(1)),
    ] {
        assert_eq!(told[key], expected, "{key}");
    }
    assert!(told["started"].as_str().unwrap() <= told["ended"].as_str().unwrap());

    let told = events(&done);
    let without_time = |event: &Value| {
        let mut event = event.clone();
        assert!(event.as_object_mut().unwrap().remove("t").unwrap().as_f64().unwrap() < 60.0);
        event
    };
    let put: Vec<_> = told.iter().map(without_time).filter(|event| event.get("bytes").is_none()).collect();
    let expected = [
        json!({ "ev": "level_start", "level": "L3", "hp": 10 }),
        json!({ "ev": "bare" }),
        json!({ "ev": "\u{fffd}\n", "raw": "{\"a\":\u{fffd}" }),
        json!({ "ev": "x".repeat(128), "raw": "x".repeat(16 << 10), "cut": true }),
        json!({ "ev": "mark", "tag": "bug", "text": "fell through the floor" }),
        json!({ "ev": "mark", "tag": "here", "text": "" }),
        json!({ "ev": "dropped", "count": 1 }),
    ];
    assert_eq!(put, expected);
    let saves = named(&told, "save");
    assert_eq!((saves[0]["slot"].as_str(), saves[0]["bytes"].as_u64()), (Some("slot_1"), Some(13)));
    assert_eq!(fs::read(done.join(saves[0]["file"].as_str().unwrap())).unwrap(), b"save\0content\0");
    assert_eq!((saves[1]["slot"].as_str(), saves[1]["bytes"].as_u64()), (Some("save"), Some(0)));
    let attached = named(&told, "attach");
    assert_eq!(attached[0]["from"], shot.to_str().unwrap());
    assert_eq!(fs::read(done.join(attached[0]["file"].as_str().unwrap())).unwrap(), b"a picture");
    let log = fs::read_to_string(done.join("log.txt")).unwrap();
    assert!(log.ends_with(" loading L3\n") && log.lines().count() == 1, "{log}");
}

#[test]
fn the_build_is_that_of_the_stamp_and_the_spool_that_of_the_user() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = player::compile(place.path()) else { return };
    let stamp = |path: &Path, key: &str, value: &str| {
        let stamp = json!({ "schema": 9, "vault": "v", "other": 1, key: value });
        fs::write(path.join("gamevault.json"), stamp.to_string()).unwrap();
    };
    let (home, elsewhere) = (place.path().join("home"), place.path().join("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    let record = |name: &str, value: &Path| {
        let mut command = Command::new(&program);
        command.args(["brief", ""]).env_clear().env(name, value).current_dir(&elsewhere);
        assert!(command.status().unwrap().success());
    };
    stamp(&elsewhere, "build", "of the folder");
    record("GAMEVAULT_SPOOL", &place.path().join("named"));
    let told = session(&only_session(&place.path().join("named")));
    assert_eq!((&told["build"], &told["vault"]), (&json!("of the folder"), &json!("v")));
    stamp(place.path(), "stamp", "01ABC");
    record("HOME", &home);
    let data = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
    let told = session(&only_session(&home.join(data).join("GameVault/spool")));
    assert_eq!((&told["stamp"], &told["vault"], told.get("build")), (&json!("01ABC"), &json!("v"), None));
    assert_eq!((&told["schema"], told.get("other")), (&json!(1), None));
}

/// Kills the program at a random moment, and checks each thread's events against what the program wrote to a pipe after
/// `gv_event` had returned.
fn kill_and_check(program: &Path, threads: usize, moment: Duration) -> u64 {
    let spool = tempfile::tempdir().unwrap();
    let mut child = Command::new(program)
        .arg("rush")
        .arg(spool.path())
        .args(["200000", &threads.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    // The program waits for a reader once the pipe is full.
    let reader = std::thread::spawn(move || {
        let mut told = Vec::new();
        pipe.read_to_end(&mut told).unwrap();
        String::from_utf8(told).unwrap()
    });
    std::thread::sleep(moment);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    let told = reader.join().unwrap();
    let told = &told[..told.rfind('\n').map_or(0, |end| end + 1)];
    if !spool.path().exists() || fs::read_dir(spool.path()).unwrap().next().is_none() {
        assert_eq!(told, "", "it was killed before the session began");
        return 0;
    }
    let open = only_session(spool.path());
    assert!(!is_live(&open).unwrap());
    let recovered = recover(&open).unwrap();
    let written = events(&open);
    for thread in 0..threads {
        let numbers = named(&written, "step").into_iter().filter(|event| event["thread"] == thread);
        let numbers: Vec<u64> = numbers.map(|event| event["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "one is missing, twice or out of order");
        let last = told.lines().rev().find_map(|line| line.strip_prefix(&format!("{thread} ")));
        let returned = last.map_or(0, |number| number.parse::<usize>().unwrap() + 1);
        assert!(numbers.len() >= returned, "gv_event returned for {returned}, {} are there", numbers.len());
    }
    assert!(recovered.torn <= threads as u64, "a thread has one record in the making: {}", recovered.torn);
    assert_eq!((recovered.exit.as_str(), &session(&open)["exit"]), ("crash", &json!("crash")));
    let again = recover(&open).unwrap();
    assert_eq!((again.events_added, again.ended, events(&open)), (0, recovered.ended, written));
    recovered.events_added
}

/// Kills often, at moments from a seed that is printed and can be given by GAMEVAULT_SEED.
fn kill_often(times: u64) {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = player::compile(place.path()) else { return };
    let seed = std::env::var("GAMEVAULT_SEED").ok().map_or_else(
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64,
        |seed| seed.parse().unwrap(),
    );
    println!("GAMEVAULT_SEED={seed}");
    let mut added = 0;
    let mut state = seed;
    for time in 0..times {
        // Knuth's generator of MMIX; its high bits are good.
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let moment = Duration::from_micros((state >> 33) % MAX_LIFE_US);
        added += kill_and_check(&program, 1 + time as usize % 4, moment);
    }
    println!("{times} kills, {added} records were in the ring alone");
    assert!(added > 0, "the ring was never needed");
}

#[test]
fn a_killed_program_loses_nothing_that_it_was_told_to_be_safe() {
    kill_often(8);
}

#[test]
#[ignore = "takes half a minute"]
fn a_program_that_is_killed_200_times_loses_nothing() {
    kill_often(200);
}

/// A small filesystem in memory; `None`, and a message, where none may be mounted.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Option<SmallDisk> {
        let place = tempfile::tempdir().unwrap();
        if mount(options, place.path()) {
            return Some(SmallDisk(place));
        }
        eprintln!("skipped: only root mounts a small disk on Linux");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(self.0.path()).status().unwrap();
    }
}

fn mount(options: &str, place: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(place).stderr(Stdio::null());
    cfg!(target_os = "linux") && command.status().is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_drops_and_counts_and_what_is_kept_is_recovered() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = player::compile(place.path()) else { return };
    let Some(disk) = SmallDisk::mount("size=512k") else { return };
    let output = Command::new(program).arg("flood").arg(disk.0.path()).arg("40000").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let told: Vec<i64> = told.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [code, written, dropped] = told[..] else { panic!("{told:?}") };
    assert_eq!(code, -6, "the end tells that not all was written");
    assert!(written > 1000 && dropped > 1000, "{told:?}");
    let open = only_session(disk.0.path());
    assert!(!is_live(&open).unwrap());
    assert!(recover(&open).is_err(), "there is no room yet");
    assert!(mount("remount,size=4m", disk.0.path()));
    let recovered = recover(&open).unwrap();
    assert!(recovered.events_added > 0 && recovered.exit == "clean", "{recovered:?}");
    let events = events(&open);
    let numbers: Vec<_> = named(&events, "step").iter().map(|event| event["n"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next));
    let counted: u64 = named(&events, "dropped").iter().map(|event| event["count"].as_u64().unwrap()).sum();
    let lost_saves = u64::from(named(&events, "save").is_empty() || named(&events, "save")[0].get("error").is_some());
    assert_eq!(counted, 40_000 - numbers.len() as u64 + lost_saves);
    assert_eq!(counted, dropped as u64);
    assert_eq!(session(&open)["dropped"], counted);
}

#[test]
fn a_disk_without_room_for_a_session_is_told() {
    let place = tempfile::tempdir().unwrap();
    let Some(program) = player::compile(place.path()) else { return };
    let Some(disk) = SmallDisk::mount("size=64k") else { return };
    let output = Command::new(program).arg("brief").arg(disk.0.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("No space left") && told.contains(disk.0.path().to_str().unwrap()), "{told}");
    assert_eq!(names(disk.0.path()), [""; 0]);
}
