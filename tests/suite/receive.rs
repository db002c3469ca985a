//! Plays that games record themselves: into a spool folder, and over HTTP.

use crate::support::{Scene, write};
use gamevault::catalogue::PlayEnding;
use gamevault::catalogue::feedback::FeedbackQuery;
use gamevault::error::ErrorKind;
use gamevault::progress::Progress;
use gamevault::receive::{Receiver, ReceiverOptions};
use gamevault::vault::{CollectOptions, Collected, RestoreOptions, SnapshotOptions, Stayed};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime};

fn with_build() -> Scene {
    let scene = Scene::new();
    write(&scene.path("game/version"), b"1.0");
    let options = SnapshotOptions { id: Some("1.0".parse().unwrap()), ..SnapshotOptions::default() };
    scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
    scene
}

fn collect(scene: &Scene) -> Collected {
    collect_as(scene, &CollectOptions::default())
}

fn collect_as(scene: &Scene, options: &CollectOptions<'_>) -> Collected {
    scene.vault.collect_sessions(&scene.path("spool"), options, &Progress::new()).unwrap()
}

fn left_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Makes a folder and all in it as old as a session that nobody writes to.
fn age(folder: &Path) {
    let before = SystemTime::now() - Duration::from_secs(600);
    for entry in fs::read_dir(folder).unwrap() {
        fs::File::options().append(true).open(entry.unwrap().path()).unwrap().set_modified(before).unwrap();
    }
    #[cfg(unix)]
    fs::File::open(folder).unwrap().set_modified(before).unwrap();
}

#[test]
fn plays_that_are_over_are_taken_in_and_others_stay() {
    let scene = with_build();
    let spool = scene.path("spool");
    write(&spool.join("done/session.json"), br#"{"id":"done","build":"1.0","exit":"clean","player":"Ann"}"#);
    write(&spool.join("done/events.jsonl"), b"{\"t\":1,\"ev\":\"level_start\",\"level\":\"L3\"}\n");
    write(&spool.join("done/saves/2.5_auto.sav"), b"state");
    write(&spool.join("stranger/session.json"), br#"{"id":"stranger","build":"of another game"}"#);
    write(&spool.join("kept.taken/session.json"), b"{}");
    write(&spool.join("kept.taken/.gamevault-taken"), b"");
    write(&spool.join("a file"), b"not a play");
    // Written by hand just now, and long ago.
    write(&spool.join("now.open/session.json"), br#"{"build":"1.0","started":"2026-11-01T10:00:00Z"}"#);
    write(&spool.join("old.open/session.json"), br#"{"build":"1.0","started":"2026-11-01T10:00:00Z"}"#);
    write(&spool.join("old.open/events.jsonl"), b"{\"t\":7,\"ev\":\"boss\"}\n{\"t\":8,\"ev\":\"to");
    if cfg!(unix) {
        age(&spool.join("old.open"));
    }
    // By the library, whose game goes on, and whose game is gone.
    let live = gamevault_rec::Folder::create(&spool).unwrap();
    let gone = gamevault_rec::Folder::create(&spool).unwrap();
    write(&gone.path.join("session.json"), br#"{"build":"1.0","started":"2026-11-01T11:00:00Z"}"#);
    let gone_id = gone.id.clone();
    drop(gone.lock);

    let collected = collect(&scene);
    let mut ids: Vec<String> = collected.playtests.iter().map(|playtest| playtest.id.to_string()).collect();
    ids.sort();
    let mut wanted = vec!["done".to_owned(), gone_id.clone()];
    wanted.extend(cfg!(unix).then(|| "old".to_owned()));
    wanted.sort();
    assert_eq!(ids, wanted);
    assert_eq!(collected.recovered, wanted.len() as u64 - 1);
    assert_eq!(collected.left.len(), 1);
    let (path, error) = &collected.left[0];
    assert!(path.ends_with("stranger") && error.to_string().contains("which build"), "{error}");
    let crashed = scene.vault.playtest(&gone_id).unwrap();
    assert_eq!((crashed.ending, crashed.build.0), (PlayEnding::Crashed, 1));
    let mut left = vec!["a file".to_owned(), format!("{}.open", live.id), "now.open".into(), "stranger".into()];
    left.extend((!cfg!(unix)).then(|| "old.open".to_owned()));
    left.sort();
    assert_eq!(left_in(&spool), left);
    // What is torn is not an event; what is whole is found.
    let events = |event: &str| {
        let query = FeedbackQuery { event: Some(event.into()), ..FeedbackQuery::default() };
        scene.vault.feedback().unwrap().search(&query).unwrap().len()
    };
    assert_eq!((events("level_start"), events("save"), events("boss")), (1, 1, usize::from(cfg!(unix))));

    drop(live.lock);
    let again = collect(&scene);
    assert_eq!(again.playtests.len(), 0, "nothing tells the build of the other one");
    let build = scene.vault.build("1.0").unwrap();
    let of_build = CollectOptions { build: Some(&build), ..CollectOptions::default() };
    let rest = scene.vault.collect_sessions(&spool, &of_build, &Progress::new()).unwrap();
    assert_eq!((rest.playtests.len(), rest.left.len()), (2, 0));
}

fn receiver(scene: &Scene) -> Receiver {
    receiver_for(scene, None)
}

fn receiver_for(scene: &Scene, build: Option<&str>) -> Receiver {
    let options = ReceiverOptions {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        token: "secret".into(),
        build: build.map(str::to_owned),
        spool: scene.path("spool"),
        silence: Duration::from_secs(600),
    };
    Receiver::start(options).unwrap()
}

/// Sends one request; returns the status and the body.
fn ask(receiver: &Receiver, method: &str, path: &str, token: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Who is refused may not be listened to until the end.
    let _ = stream.write_all(body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn games_record_over_http() {
    let scene = with_build();
    let receiver = receiver(&scene);
    let post = |path: &str, body: &[u8]| ask(&receiver, "POST", path, "secret", body);
    let begin = || {
        let (status, body) = post("/sessions", br#"{"build":"1.0","player":"Ann"}"#);
        assert_eq!(status, 201, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (id, other) = (begin(), begin());
    assert_eq!(receiver.open(), 2);
    let lines = b"{\"t\":1.5,\"ev\":\"level_start\",\"level\":\"L3\"}\nnot json\n{\"t\":2}\n\n{\"ev\":\"jump\"}\n";
    let (status, body) = post(&format!("/sessions/{id}/events"), lines);
    assert_eq!((status, body.as_str()), (200, r#"{"accepted":2,"rejected":2}"#));
    assert_eq!(post(&format!("/sessions/{id}/log"), b"line one\n").0, 200);
    assert_eq!(post(&format!("/sessions/{id}/log"), b"line two\n").0, 200);
    let put = |path: &str, body: &[u8]| ask(&receiver, "PUT", path, "secret", body);
    assert_eq!(put(&format!("/sessions/{id}/saves/2.5_auto.sav"), b"\x00state").0, 201);
    assert_eq!(post(&format!("/sessions/{id}/end"), br#"{"exit":"clean"}"#).0, 200);
    assert_eq!((receiver.ended(), receiver.open()), (1, 1));

    // What is refused.
    assert_eq!(ask(&receiver, "POST", "/sessions", "wrong", b"{}").0, 401);
    assert_eq!(post("/sessions", b"[1]").0, 400);
    assert_eq!(post(&format!("/sessions/{id}/events"), b"{}").0, 404, "it has ended");
    assert_eq!(post(&format!("/sessions/{other}/end"), br#"{"exit":"never"}"#).0, 400);
    for name in ["..", "%2e%2e", "a%2fb", "con"] {
        let (status, body) = put(&format!("/sessions/{other}/saves/{name}"), b"x");
        assert!(status == 400 || name.contains('%') && status == 201, "{name}: {status} {body}");
    }
    assert_eq!(put(&format!("/sessions/{other}/elsewhere/a"), b"x").0, 404);
    assert_eq!(put(&format!("/sessions/{other}/saves/a/b"), b"x").0, 404);
    assert_eq!(post(&format!("/sessions/{other}/log"), &vec![b'a'; (8 << 20) + 1]).0, 413);

    let collected = collect(&scene);
    assert_eq!((collected.playtests.len(), collected.live), (1, 1));
    let playtest = &collected.playtests[0];
    assert!(playtest.id.to_string() == id && playtest.build.0 == 1 && playtest.ending == PlayEnding::Exited(0));
    let out = scene.path("out");
    scene.vault.export_playtest(playtest, &out, &Default::default(), &Progress::new()).unwrap();
    assert_eq!(fs::read(out.join("saves/2.5_auto.sav")).unwrap(), b"\x00state");
    assert_eq!(fs::read_to_string(out.join("log.txt")).unwrap(), "line one\nline two\n");
    let events = fs::read_to_string(out.join("events.jsonl")).unwrap();
    assert!(events.starts_with("{\"ev\":\"level_start\",\"level\":\"L3\",\"t\":1.5}\n") && events.lines().count() == 2);
    // Who stops listening ends what is open.
    drop(receiver);
    let collected = collect(&scene);
    assert_eq!((collected.playtests.len(), collected.live, collected.recovered), (1, 0, 0));
    assert_eq!(collected.playtests[0].id.to_string(), other);
}

#[test]
fn what_is_no_play_stays_where_it_is() {
    let scene = with_build();
    let spool = scene.path("spool");
    write(&spool.join("notes/todo.txt"), b"mine");
    // A play may be called so, and is none that only has to be removed.
    write(&spool.join("lvl1.taken/session.json"), br#"{"build":"1.0","exit":"clean"}"#);
    write(&spool.join("lvl1.taken/saves/0_a.sav"), b"save");
    let collected = collect(&scene);
    assert_eq!((collected.playtests.len(), collected.left.len()), (1, 1));
    assert_eq!(collected.playtests[0].id.as_str(), "lvl1.taken");
    assert!(collected.left[0].1.to_string().contains("is no play"), "{}", collected.left[0].1);
    assert_eq!(left_in(&spool), ["notes"]);
    // A play by itself is no folder of plays.
    write(&scene.path("one/session.json"), b"{}");
    write(&scene.path("one/saves/0_a.sav"), b"save");
    let error =
        scene.vault.collect_sessions(&scene.path("one"), &CollectOptions::default(), &Progress::new()).unwrap_err();
    assert!(error.hint().unwrap().contains("session add"), "{error}");
    assert!(scene.path("one/saves/0_a.sav").is_file());
}

#[test]
fn what_a_play_brings_along_is_not_run() {
    let scene = with_build();
    let play = scene.path("spool/p1");
    write(&play.join("session.json"), br#"{"build":"1.0","exit":"clean","command":["sh","-c","rm -rf /"]}"#);
    write(&play.join("run.sh"), b"#!/bin/sh\nrm -rf /\n");
    let collected = collect(&scene);
    let playtest = &collected.playtests[0];
    assert_eq!(playtest.command, [""; 0]);
    let back = scene.path("back");
    scene.vault.export_playtest(playtest, &back, &RestoreOptions::default(), &Progress::new()).unwrap();
    assert!(fs::read_to_string(back.join("run.sh")).unwrap().contains("gamevault play --from p1"));
    assert!(fs::read_to_string(back.join("run.sh.orig")).unwrap().contains("rm -rf"));
}

#[test]
fn the_build_of_a_recording_is_for_games_that_say_none() {
    let scene = with_build();
    let receiver = receiver_for(&scene, Some("1.0"));
    for description in ["{}", r#"{"version":"9.9"}"#] {
        let (status, answer) = ask(&receiver, "POST", "/sessions", "secret", description.as_bytes());
        assert_eq!(status, 201, "{answer}");
    }
    let mut builds: Vec<(Option<String>, Option<String>)> = left_in(&scene.path("spool"))
        .iter()
        .map(|name| {
            let text = fs::read(scene.path("spool").join(name).join("session.json")).unwrap();
            let said: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let text = |key: &str| said[key].as_str().map(str::to_owned);
            (text("build"), text("version"))
        })
        .collect();
    builds.sort();
    assert_eq!(builds, [(None, Some("9.9".to_owned())), (Some("1.0".to_owned()), None)]);
}

#[test]
fn an_upload_that_breaks_off_is_refused() {
    let scene = with_build();
    let receiver = receiver(&scene);
    let (_, answer) = ask(&receiver, "POST", "/sessions", "secret", b"{}");
    let id = answer.split('"').nth(3).unwrap().to_owned();
    let (status, _) = ask(&receiver, "PUT", &format!("/sessions/{id}/saves/auto.sav"), "secret", b"whole");
    assert_eq!(status, 201);
    let mut stream = TcpStream::connect(receiver.address()).unwrap();
    let head = format!(
        "PUT /sessions/{id}/saves/auto.sav HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: 1000\r\n\r\nhalf"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let folder = left_in(&scene.path("spool")).remove(0);
    assert_eq!(fs::read(scene.path("spool").join(folder).join("saves/auto.sav")).unwrap(), b"whole");
}

#[test]
fn who_says_nothing_holds_up_nobody() {
    let scene = with_build();
    let receiver = receiver(&scene);
    let (_, answer) = ask(&receiver, "POST", "/sessions", "secret", b"{}");
    let id = answer.split('"').nth(3).unwrap().to_owned();
    let open = |text: &str| {
        let mut stream = TcpStream::connect(receiver.address()).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let head = |len: u64| {
        format!(
            "PUT /sessions/{id}/saves/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: {len}\r\n\r\n"
        )
    };
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.extend([open(""), open("POST /sess"), open(&(head(1000) + "half"))]);
    }
    assert_eq!(ask(&receiver, "POST", &format!("/sessions/{id}/log"), "secret", b"goes on").0, 200);
    // What is too long is refused before it comes.
    let mut long = open(&head(1 << 40));
    let mut answer = [0; 12];
    long.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    // The end does not wait for them either, and keeps what came whole.
    drop(receiver);
    let collected = collect_as(
        &scene,
        &CollectOptions { build: Some(&scene.vault.build("1.0").unwrap()), ..CollectOptions::default() },
    );
    assert_eq!(collected.playtests.len(), 1);
}

#[test]
fn what_is_being_copied_waits_and_what_stays_is_read_once() {
    let scene = with_build();
    let play = scene.path("spool/p1");
    write(&play.join("session.json"), br#"{"id":"p1","build":"1.0","exit":"clean"}"#);
    let quiet = Duration::from_secs(3600);
    let look = |stayed: Stayed| collect_as(&scene, &CollectOptions { quiet, stayed, ..CollectOptions::default() });
    let collected = look(Stayed::default());
    assert_eq!((collected.playtests.len(), collected.live, collected.left.len()), (0, 1, 0));
    assert_eq!(collect(&scene).playtests.len(), 1);

    // Another play of the same id.
    write(&play.join("session.json"), br#"{"id":"p1","build":"1.0","exit":"clean","player":"Ann"}"#);
    let again = |stayed: Stayed| {
        let (options, progress) = (CollectOptions { stayed, ..CollectOptions::default() }, Progress::new());
        let collected = scene.vault.collect_sessions(&scene.path("spool"), &options, &progress).unwrap();
        (collected, progress.read().bytes_done)
    };
    let (collected, read) = again(Stayed::default());
    assert!(collected.left.len() == 1 && read > 0, "it is read to see whether it is the same");
    let (collected, read) = again(collected.stayed);
    assert_eq!((collected.left.len(), read), (1, 0));
    assert_eq!(collected.left[0].1.kind(), ErrorKind::Exists);
    write(&play.join("session.json"), br#"{"id":"p2","build":"1.0","exit":"clean"}"#);
    assert_eq!(again(collected.stayed).0.playtests.len(), 1);
}
