//! Sessions whose game did not end them, on all systems: the game is this process.

mod support;

use gamevault_rec::ffi::{gv_event, gv_log, gv_mark, gv_save, gv_session, gv_session_begin, gv_session_end};
use gamevault_rec::{Recovered, is_live, recover};
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::{Duration, Instant};
use support::{events, named, names, only_session, path_text, session, text};

fn begin(spool: &Path, options: &str) -> *mut gv_session {
    // SAFETY: strings that end in NUL.
    let session = unsafe { gv_session_begin(path_text(spool).ptr(), text("42").ptr(), text(options).ptr()) };
    assert!(!session.is_null());
    session
}

fn put(session: *mut gv_session, number: u64) {
    let fields = text(&json!({ "n": number }).to_string());
    // SAFETY: the session was begun, the strings end in NUL.
    assert_eq!(unsafe { gv_event(session, text("step").ptr(), fields.ptr()) }, 0);
}

fn end(session: *mut gv_session) {
    // SAFETY: the session was begun.
    assert_eq!(unsafe { gv_session_end(session, 0) }, 0);
}

/// Copies the session as a kill in this moment would leave it.
fn as_if_killed(folder: &Path, to: &Path) -> PathBuf {
    let killed = to.join(folder.file_name().unwrap());
    fs::create_dir(&killed).unwrap();
    loop {
        let ring = fs::read(folder.join("ring")).unwrap();
        for name in ["session.json", "events.jsonl", "log.txt"] {
            fs::copy(folder.join(name), killed.join(name)).unwrap();
        }
        fs::write(killed.join("ring"), &ring).unwrap();
        // A kill stops all at once; so nothing may have been written while this was copied.
        if fs::read(folder.join("ring")).unwrap() == ring {
            return killed;
        }
    }
}

fn numbers(folder: &Path) -> Vec<u64> {
    named(&events(folder), "step").iter().map(|event| event["n"].as_u64().unwrap()).collect()
}

#[test]
fn a_session_is_live_until_its_end_and_recovered_only_then() {
    let spool = tempfile::tempdir().unwrap();
    let game = begin(spool.path(), "");
    let open = only_session(spool.path());
    assert!(is_live(&open).unwrap());
    assert_eq!(recover(&open).unwrap_err().kind(), ErrorKind::WouldBlock);
    end(game);
    let done = only_session(spool.path());
    assert_eq!(done, open.with_extension(""));
    assert!(!is_live(&done).unwrap());
    let before = (names(&done), fs::read(done.join("session.json")).unwrap());
    let recovered = recover(&done).unwrap();
    assert_eq!((recovered.events_added, recovered.torn, recovered.exit.as_str()), (0, 0, "clean"));
    assert_eq!((names(&done), fs::read(done.join("session.json")).unwrap()), before);
}

#[test]
fn events_of_a_killed_game_are_there_once_whenever_it_is_killed() {
    let spool = tempfile::tempdir().unwrap();
    let game = begin(spool.path(), "{\"player\":\"t7\"}");
    let open = only_session(spool.path());
    for moment in 0..60 {
        for number in 0..50 {
            put(game, moment * 50 + number);
        }
        std::thread::sleep(Duration::from_micros(moment * 137));
        let copies = tempfile::tempdir().unwrap();
        let killed = as_if_killed(&open, copies.path());
        let recovered = recover(&killed).unwrap();
        assert_eq!(numbers(&killed), (0..(moment + 1) * 50).collect::<Vec<_>>());
        assert_eq!((recovered.torn, recovered.exit.as_str()), (0, "crash"));
        assert_eq!(session(&killed)["exit"], "crash");
        assert_eq!(session(&killed)["player"], "t7");
        assert_eq!(names(&killed), ["events.jsonl", "log.txt", "session.json"]);
        let again = recover(&killed).unwrap();
        assert_eq!(again, Recovered { events_added: 0, ..recovered });
    }
    end(game);
}

/// A recovery that is stopped before its last step has written events that it finds in the ring again.
#[test]
fn a_recovery_that_was_stopped_is_done_again() {
    let (spool, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let game = begin(spool.path(), "");
    (0..100).for_each(|number| put(game, number));
    // SAFETY: the session was begun, the strings end in NUL.
    assert_eq!(unsafe { gv_log(game, text("a line").ptr()) }, 0);
    let killed = as_if_killed(&only_session(spool.path()), copies.path());
    let (ring, begun) = (fs::read(killed.join("ring")).unwrap(), fs::read(killed.join("session.json")).unwrap());
    let begun_len = fs::metadata(killed.join("events.jsonl")).unwrap().len();
    let first = recover(&killed).unwrap();
    let written = ["events.jsonl", "log.txt"].map(|name| fs::read(killed.join(name)).unwrap());
    for cut in [0, 7] {
        fs::write(killed.join("ring"), &ring).unwrap();
        fs::write(killed.join("session.json"), &begun).unwrap();
        let file = fs::File::options().write(true).open(killed.join("events.jsonl")).unwrap();
        file.set_len(begun_len.max((written[0].len() as u64).saturating_sub(cut))).unwrap();
        assert_eq!(recover(&killed).unwrap(), first);
        assert_eq!(["events.jsonl", "log.txt"].map(|name| fs::read(killed.join(name)).unwrap()), written);
    }
    // Stopped between its last two steps: all is told already, the ring is still there.
    fs::write(killed.join("ring"), &ring).unwrap();
    assert_eq!(recover(&killed).unwrap().ended, first.ended);
    assert_eq!(fs::read(killed.join("events.jsonl")).unwrap(), written[0]);
    end(game);
}

#[test]
fn a_session_ends_when_its_game_was_last_seen() {
    let (spool, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let began = Instant::now();
    let game = begin(spool.path(), "");
    std::thread::sleep(Duration::from_millis(300));
    let killed = as_if_killed(&only_session(spool.path()), copies.path());
    let lived = began.elapsed();
    let recovered = recover(&killed).unwrap();
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let seconds = time(&recovered.ended).duration_since(time(session(&killed)["started"].as_str().unwrap()));
    let seconds = seconds.as_secs_f64();
    assert!((0.25..=lived.as_secs_f64() + 0.002).contains(&seconds), "{seconds}");
    end(game);
}

#[test]
fn a_session_that_a_game_wrote_by_itself_is_ended() {
    let spool = tempfile::tempdir().unwrap();
    let begun = json!({ "schema": 1, "id": "x", "started": "2026-11-20T10:00:00Z", "player": "t7" }).to_string();
    let whole = "{\"t\":1.5,\"ev\":\"a\"}\n{\"t\":2.25,\"ev\":\"b\"}\n";
    let cases = [
        (String::new(), 0, whole, "2026-11-20T10:00:02.250Z"),
        ("{\"t\":3.5,\"e".to_owned(), 1, whole, "2026-11-20T10:00:02.250Z"),
        ("{\"t\":3.5,\"ev\":\"c\"}".to_owned(), 0, "", "2026-11-20T10:00:03.500Z"),
        // Longer than what is read at first.
        (format!("{{\"t\":3.5,\"x\":\"{}", "y".repeat(300_000)), 1, whole, "2026-11-20T10:00:02.250Z"),
    ];
    for (number, (rest, torn, expected, ended)) in cases.into_iter().enumerate() {
        let folder = spool.path().join(format!("{number}.open"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("session.json"), &begun).unwrap();
        fs::write(folder.join("events.jsonl"), format!("{whole}{rest}")).unwrap();
        assert!(!is_live(&folder).unwrap());
        let exit = "crash".to_owned();
        assert_eq!(recover(&folder).unwrap(), Recovered { events_added: 0, torn, ended: ended.to_owned(), exit });
        let expected = if expected.is_empty() { format!("{whole}{rest}\n") } else { expected.to_owned() };
        assert_eq!(fs::read_to_string(folder.join("events.jsonl")).unwrap(), expected);
        assert_eq!((&session(&folder)["ended"], &session(&folder)["player"]), (&json!(ended), &json!("t7")));
    }
}

#[test]
fn a_folder_with_next_to_nothing_is_ended() {
    let spool = tempfile::tempdir().unwrap();
    assert_eq!(recover(&spool.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    let folder = spool.path().join("01AB.open");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("session.json"), "{ torn").unwrap();
    fs::write(folder.join("ring"), "torn").unwrap();
    let recovered = recover(&folder).unwrap();
    assert_eq!((recovered.torn, recovered.exit.as_str()), (1, "crash"));
    assert_eq!(session(&folder)["id"], "01AB");
    assert_eq!(fs::read_to_string(folder.join("session.bad.json")).unwrap(), "{ torn");
}

#[test]
fn a_burst_that_is_too_large_is_dropped_counted_and_told() {
    let spool = tempfile::tempdir().unwrap();
    let game = begin(spool.path(), "{\"ring_bytes\":65536}");
    let name = text("step");
    let fields: Vec<_> = (0..5000).map(|number| text(&json!({ "n": number }).to_string())).collect();
    // SAFETY: the session was begun, the strings end in NUL.
    let codes: Vec<_> = fields.iter().map(|fields| unsafe { gv_event(game, name.ptr(), fields.ptr()) }).collect();
    end(game);
    let lost = codes.iter().filter(|code| **code == -3).count() as u64;
    assert!(lost > 0 && codes.iter().all(|code| [0, -3].contains(code)), "{lost} lost");
    let done = only_session(spool.path());
    let kept: Vec<_> = (0..5000).zip(codes).filter(|(_, code)| *code == 0).map(|(number, _)| number).collect();
    assert_eq!(numbers(&done), kept);
    let told = events(&done);
    let told: u64 = named(&told, "dropped").iter().map(|event| event["count"].as_u64().unwrap()).sum();
    assert_eq!((told, session(&done)["dropped"].as_u64().unwrap()), (lost, lost));
}

#[test]
fn options_that_are_no_object_are_kept_as_text() {
    let spool = tempfile::tempdir().unwrap();
    end(begin(spool.path(), "{\"player\":"));
    assert_eq!(session(&only_session(spool.path()))["opts"], "{\"player\":");
}

#[test]
fn threads_record_at_once_and_the_end_comes_in_between() {
    let spool = tempfile::tempdir().unwrap();
    let game = begin(spool.path(), "") as usize;
    let threads: Vec<_> = (0..4)
        .map(|thread: u64| {
            std::thread::spawn(move || {
                let game = game as *mut gv_session;
                let mut taken = Vec::new();
                for number in 0.. {
                    let fields = text(&json!({ "thread": thread, "n": number }).to_string());
                    // SAFETY: sessions stay valid after their end.
                    match unsafe { gv_event(game, text("step").ptr(), fields.ptr()) } {
                        0 => taken.push(number),
                        -3 => {}
                        -2 => break,
                        code => panic!("code {code}"),
                    }
                    if number % 100 == 0 {
                        // SAFETY: as above; no content.
                        unsafe {
                            gv_save(game, text("a").ptr(), ptr::null(), 0);
                            gv_mark(game, text("b").ptr(), ptr::null());
                        }
                    }
                }
                taken
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    end(game as *mut gv_session);
    let taken: Vec<Vec<u64>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let told = events(&only_session(spool.path()));
    for (thread, taken) in taken.iter().enumerate() {
        let of_thread = named(&told, "step").into_iter().filter(|event| event["thread"] == thread);
        assert_eq!(of_thread.map(|event| event["n"].as_u64().unwrap()).collect::<Vec<_>>(), *taken);
    }
}
