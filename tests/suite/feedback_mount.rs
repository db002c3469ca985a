//! `/feedback` of a mount: what is known of each build, and what is dropped in.

use crate::stage::{Fixture, Stage};
use gamevault::catalogue::feedback::FeedbackQuery;
use gamevault::mount::MountOptions;
use gamevault::progress::Progress;
use gamevault::vault::ImportOptions;
use nix::libc;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest that something dropped may take to be taken in.
const PATIENCE: Duration = Duration::from_secs(30);

fn staged() -> Option<Stage> {
    let fixture = Fixture::new();
    let game = fixture.path("game");
    fs::create_dir(&game).unwrap();
    for id in ["0.7", "0.8"] {
        fs::write(game.join("readme"), id).unwrap();
        fixture.snapshot(&game, id);
    }
    Stage::mount(fixture, &MountOptions::default())
}

fn import(stage: &Stage, lines: &str) {
    let file = stage.fixture.path("feedback.jsonl");
    fs::write(&file, lines).unwrap();
    stage.fixture.vault.import_feedback(&[file], &ImportOptions::default(), &Progress::new()).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn errno(result: std::io::Result<impl Sized>) -> i32 {
    result.err().expect("it must fail").raw_os_error().unwrap()
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn texts(stage: &Stage) -> Vec<String> {
    let query = FeedbackQuery { oldest_first: true, ..FeedbackQuery::default() };
    let found = stage.fixture.vault.feedback().unwrap().search(&query).unwrap();
    found.into_iter().map(|found| found.record.text).collect()
}

#[test]
fn what_is_known_of_a_build_is_shown() {
    let Some(stage) = staged() else { return };
    import(
        &stage,
        "{\"kind\":\"bug\",\"text\":\"The camera spins\",\"tags\":[\"camera\"],\"player\":\"ann\",\"time\":\"2026-05-01T00:00:00Z\",\"build\":{\"version\":\"v0.7\"}}\n\
         {\"kind\":\"bug\",\"text\":\"The camera spins\",\"time\":\"2026-05-01T00:00:00Z\",\"build\":{\"version\":\"0.7\"}}\n\
         {\"kind\":\"event\",\"event\":\"level_end\",\"build\":{\"version\":\"0.7\"}}\n\
         {\"text\":\"=cmd()\",\"fields\":{\"a\":\"b, \\\"c\\\"\"}}\n",
    );
    let feedback = stage.point.join("feedback");
    assert_eq!(names(&feedback), ["0.7", "0.8", "_inbox"]);
    let build = feedback.join("0.7");
    assert_eq!(
        names(&build),
        ["by-kind", "by-player", "by-tag", "records.csv", "records.jsonl", "reports", "sessions", "summary.md"]
    );
    let reports = names(&build.join("reports"));
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|name| name.starts_with("2026-05-01-bug-the-camera-spins")), "{reports:?}");
    let lines = fs::read_to_string(build.join("records.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    // Sizes are exact: a copy has all bytes.
    for name in ["records.jsonl", "records.csv", "summary.md"] {
        let path = build.join(name);
        assert_eq!(fs::metadata(&path).unwrap().len() as usize, fs::read(&path).unwrap().len());
    }
    assert!(fs::read_to_string(build.join("summary.md")).unwrap().contains("3 records"));
    let tagged = names(&build.join("by-tag/camera"));
    assert_eq!(tagged.len(), 1);
    let report = build.join("by-tag/camera").join(&tagged[0]);
    assert!(fs::read_to_string(report.join("report.md")).unwrap().contains("The camera spins"));
    assert_eq!(fs::read(report.join("build/readme")).unwrap(), b"0.7");
    assert!(names(&build.join("by-player"))[0].starts_with("p-"));
    // What a spreadsheet would run is text.
    assert!(fs::read_to_string(feedback.join("_inbox/records.csv")).unwrap().contains("\"'=cmd()\""));
    // Nothing of it can be changed.
    assert_eq!(errno(fs::remove_file(build.join("summary.md"))), libc::EROFS);
    assert_eq!(errno(fs::write(build.join("records.csv"), "x")), libc::EROFS);
    assert_eq!(errno(fs::create_dir(build.join("reports/new"))), libc::EROFS);
    assert_eq!(errno(fs::remove_file(build.join("nothing"))), libc::ENOENT);
    // What comes is seen without a remount.
    import(&stage, "{\"kind\":\"bug\",\"text\":\"another\",\"build\":{\"version\":\"0.7\"}}\n");
    wait_for("another report", || names(&build.join("reports")).len() == 3);
    assert!(names(&feedback.join("0.8")).contains(&"summary.md".to_owned()));
}

#[test]
fn what_is_dropped_in_is_imported() {
    let Some(stage) = staged() else { return };
    let feedback = stage.point.join("feedback");
    fs::write(feedback.join("0.8/report.jsonl"), "{\"text\":\"dropped\"}\nbroken\n").unwrap();
    assert!(names(&feedback.join("0.8")).contains(&"report.jsonl".to_owned()));
    assert_eq!(fs::read_to_string(feedback.join("0.8/report.jsonl")).unwrap().lines().count(), 2);
    // Moved into place, as careful programs do.
    fs::write(feedback.join("_inbox/.tmp"), "{\"text\":\"moved\",\"build\":{\"version\":\"0.7\"}}\n").unwrap();
    fs::rename(feedback.join("_inbox/.tmp"), feedback.join("_inbox/moved.jsonl")).unwrap();
    // A file that a game goes on to write is not taken away from it.
    let mut log = fs::OpenOptions::new().create(true).append(true).open(feedback.join("0.7/log.jsonl")).unwrap();
    log.write_all(b"{\"text\":\"first\"}\n").unwrap();
    wait_for("the import", || texts(&stage).iter().filter(|text| *text != "first").count() == 2);
    wait_for("the end of the file", || !feedback.join("0.8/report.jsonl").exists());
    let found = stage.fixture.vault.feedback().unwrap().search(&FeedbackQuery::default()).unwrap();
    let build_of = |text: &str| {
        let found = found.iter().find(|found| found.record.text == text).unwrap();
        found.link.build().unwrap().0
    };
    assert_eq!((build_of("dropped"), build_of("moved")), (2, 1));
    assert!(feedback.join("0.7/log.jsonl").exists());
    log.write_all(b"{\"text\":\"second\"}\n").unwrap();
    drop(log);
    wait_for("the import of the log", || texts(&stage).contains(&"second".to_owned()));
    assert!(texts(&stage).contains(&"first".to_owned()));
}

#[test]
fn plays_are_dropped_into_the_sessions_of_a_build() {
    let Some(stage) = staged() else { return };
    let sessions = stage.point.join("feedback/0.7/sessions");
    fs::create_dir(sessions.join("play1")).unwrap();
    fs::write(sessions.join("play1/session.json"), "{\"schema\":1,\"exit\":\"clean\"}").unwrap();
    fs::create_dir(sessions.join("play1/saves")).unwrap();
    fs::write(sessions.join("play1/saves/1_a.sav"), "saved").unwrap();
    assert_eq!(names(&sessions), ["play1"]);
    wait_for("the playtest", || !stage.fixture.vault.playtests().unwrap().is_empty());
    let playtest = stage.fixture.vault.playtest("play1").unwrap();
    assert_eq!(playtest.build.0, 1);
    wait_for("the end of the inbox", || fs::write(sessions.join("play1/saves/1_a.sav"), "x").is_err());
    assert_eq!(fs::read(sessions.join("play1/saves/1_a.sav")).unwrap(), b"saved");
    assert_eq!(names(&sessions), ["play1"]);
}

#[test]
fn what_is_dropped_last_is_imported_by_the_end() {
    let Some(mut stage) = staged() else { return };
    fs::write(stage.point.join("feedback/_inbox/late.jsonl"), "{\"text\":\"late\"}\n").unwrap();
    stage.remount();
    let found = stage.fixture.vault.feedback().unwrap().search(&FeedbackQuery::default()).unwrap();
    assert_eq!(found.len(), 1);
}
