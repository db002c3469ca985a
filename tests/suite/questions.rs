//! Questions about many records at once: crash rates, signatures, trends, and where players die.

use crate::support::{Scene, write};
use gamevault::catalogue::feedback::{FeedbackQuery, Outcome};
use gamevault::feedback::{Among, SignatureChange};
use gamevault::progress::Progress;
use gamevault::report::players::{questions_page, suspicion_page};
use gamevault::vault::{ImportOptions, SnapshotOptions};
use std::fmt::Write;
use std::fs;

/// Three builds; `lines` are imported for them.
fn asked(lines: &str) -> Scene {
    let scene = Scene::new();
    for id in ["1.0", "1.1", "1.2", "1.3"] {
        write(&scene.path("game/version"), id.as_bytes());
        let options = SnapshotOptions { id: Some(id.parse().unwrap()), ..SnapshotOptions::default() };
        scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap();
    }
    let file = scene.path("feedback.jsonl");
    fs::write(&file, lines).unwrap();
    scene.vault.import_feedback(&[file], &ImportOptions::default(), &Progress::new()).unwrap();
    scene
}

fn record(lines: &mut String, times: u64, build: &str, rest: &str) {
    for _ in 0..times {
        writeln!(lines, "{{\"build\":{{\"version\":\"{build}\"}},{rest}}}").unwrap();
    }
}

#[test]
fn rates_are_among_sessions_or_else_among_reports() {
    let mut lines = String::new();
    record(&mut lines, 40, "1.0", "\"kind\":\"session\",\"platform\":\"windows\"");
    record(&mut lines, 10, "1.0", "\"kind\":\"crash\",\"platform\":\"windows\",\"tags\":[\"camera\"]");
    record(&mut lines, 3, "1.1", "\"kind\":\"bug\",\"platform\":\"linux\",\"tags\":[\"camera\",\"ui\"]");
    record(&mut lines, 1, "1.1", "\"kind\":\"crash\",\"platform\":\"linux\"");
    record(&mut lines, 5, "1.1", "\"kind\":\"event\",\"event\":\"jump\"");
    record(&mut lines, 2, "9.9", "\"kind\":\"crash\",\"platform\":\"linux\"");
    let scene = asked(&lines);
    let rates = scene.vault.crash_rates(false).unwrap();
    let brief: Vec<_> =
        rates.iter().map(|one| (one.build.unwrap().0, one.rate.hits, one.rate.total, one.among)).collect();
    assert_eq!(brief, [(1, 10, 40, Among::Sessions), (2, 1, 4, Among::Reports)]);
    assert!(rates[0].rate.low < 0.25 && rates[0].rate.high > 0.25);
    // What no build is known of counts for its platform.
    let rates = scene.vault.crash_rates(true).unwrap();
    let brief: Vec<_> = rates.iter().map(|one| (one.platform.as_deref(), one.rate.hits, one.rate.total)).collect();
    assert_eq!(brief, [(Some("linux"), 3, 6), (Some("windows"), 10, 40)]);
    let trend = scene.vault.tag_trend("camera").unwrap();
    let brief: Vec<_> = trend.iter().map(|one| (one.build.unwrap().0, one.rate.hits, one.rate.total)).collect();
    assert_eq!(brief, [(1, 10, 40), (2, 3, 4)]);
    let unplayed: Vec<String> =
        scene.vault.unplayed_builds().unwrap().into_iter().map(|build| build.id.to_string()).collect();
    assert_eq!(unplayed, ["1.1", "1.2", "1.3"]);
}

#[test]
fn signatures_come_go_and_come_back() {
    let crash = |signature: &str| format!("\"kind\":\"crash\",\"signature\":\"{signature}\"");
    let mut lines = String::new();
    record(&mut lines, 2, "1.0", &crash("old"));
    for build in ["1.2", "1.3"] {
        record(&mut lines, 20, build, "\"kind\":\"session\"");
    }
    record(&mut lines, 10, "1.2", &crash("gone"));
    record(&mut lines, 1, "1.2", &crash("stays"));
    record(&mut lines, 3, "1.3", &crash("stays"));
    record(&mut lines, 1, "1.3", &crash("old"));
    record(&mut lines, 4, "1.3", &crash("new"));
    let scene = asked(&lines);
    let build = |id: &str| scene.vault.build(id).unwrap();
    let rows = scene.vault.signature_changes(&build("1.2"), &build("1.3")).unwrap();
    let brief: Vec<_> = rows.iter().map(|row| (row.change, row.signature.as_str(), row.old, row.new)).collect();
    use SignatureChange::*;
    assert_eq!(brief, [(New, "new", 0, 4), (Regressed, "old", 0, 1), (Stays, "stays", 1, 3), (Gone, "gone", 10, 0)]);
    // One in two does not stay away twenty times by chance.
    assert!(rows[3].by_chance.unwrap() < 1e-5, "{rows:?}");
    assert_eq!(scene.vault.signature_changes(&build("1.1"), &build("1.1")).unwrap(), []);
}

#[test]
fn levels_are_told_by_how_often_players_end_in_them() {
    let end = |outcome: &str, level: &str| {
        format!("\"kind\":\"event\",\"event\":\"end\",\"outcome\":\"{outcome}\",\"where\":{{\"level\":\"{level}\"}}")
    };
    let mut lines = String::new();
    record(&mut lines, 3, "1.0", &end("death", "cave"));
    record(&mut lines, 5, "1.1", &end("death", "cave"));
    record(&mut lines, 4, "1.1", &end("death", "tower"));
    record(&mut lines, 9, "1.1", &end("quit", "menu"));
    let scene = asked(&lines);
    let rows = |build: Option<u64>, against: Option<u64>| {
        let number = |build: Option<u64>| build.map(gamevault::id::BuildNumber);
        let rows = scene.vault.where_ended(Outcome::Death, number(build), number(against)).unwrap();
        rows.into_iter().map(|row| (row.level.unwrap(), row.count, row.against)).collect::<Vec<_>>()
    };
    assert_eq!(rows(None, None), [("cave".into(), 8, None), ("tower".into(), 4, None)]);
    assert_eq!(rows(Some(2), Some(1)), [("cave".into(), 5, Some(3)), ("tower".into(), 4, Some(0))]);
    assert_eq!(rows(Some(3), None), []);
}

#[test]
fn a_page_shows_all_of_it() {
    let mut lines = String::new();
    for (build, tagged) in [("1.0", 0), ("1.1", 0), ("1.2", 30), ("1.3", 40)] {
        record(&mut lines, 60, build, "\"kind\":\"session\",\"platform\":\"windows\"");
        record(&mut lines, tagged, build, "\"kind\":\"bug\",\"text\":\"odd version shown\",\"tags\":[\"camera\"]");
    }
    record(&mut lines, 9, "1.2", "\"kind\":\"crash\",\"signature\":\"<gone> & away\"");
    let death = "\"kind\":\"event\",\"event\":\"end\",\"outcome\":\"death\",\"where\":{\"level\":\"Ice <Cave>\"}";
    record(&mut lines, 3, "1.0", death);
    let scene = asked(&lines);
    let page = questions_page(&scene.vault.feedback_overview("What players say", &[]).unwrap());
    assert!(page.contains("<h3>camera</h3>") && page.contains("40 in 60, 66.7 %"), "{page}");
    assert!(page.contains("Crashes from 1.2 to 1.3") && page.contains("&lt;gone&gt; &amp; away"), "{page}");
    assert!(page.contains("Ice &lt;Cave&gt;") && page.contains("windows") && !page.contains("<gone>"), "{page}");
    // Both charts have all four builds.
    assert_eq!(page.matches("<circle").count(), 8);

    let camera = FeedbackQuery { tags: vec!["camera".into()], ..FeedbackQuery::default() };
    let page = suspicion_page("camera", &scene.vault.suspect(&camera).unwrap(), &scene.vault.builds().unwrap());
    assert!(page.contains("it began here") && page.contains("<td class=\"path\">version</td>"), "{page}");
    let ui = FeedbackQuery { tags: vec!["ui".into()], ..FeedbackQuery::default() };
    let page = suspicion_page("ui", &scene.vault.suspect(&ui).unwrap(), &scene.vault.builds().unwrap());
    assert!(
        page.contains("not enough data: no build that is there shows it") && !page.contains("began here"),
        "{page}"
    );
}
