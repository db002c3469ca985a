//! How records are shown to people: as a line of a list, and whole.

use super::table::{Align, Table};
use super::text;
use gamevault::catalogue::feedback::FeedbackRecord;
use gamevault::report::records::RecordView;
use jiff::tz::TimeZone;
use std::fmt::Write;

/// How many characters of an id tell records apart, mostly.
const SHORT_ID_LEN: usize = 10;

/// The most characters of what was said that a list shows.
const LINE_LEN: usize = 72;

/// Returns the list of records that people read.
pub fn table(views: &[RecordView]) -> Table {
    let mut table = Table::new([
        ("ID", Align::Left),
        ("TIME", Align::Left),
        ("BUILD", Align::Left),
        ("KIND", Align::Left),
        ("PLATFORM", Align::Left),
        ("LEVEL", Align::Left),
        ("SAID", Align::Left),
    ]);
    for view in views {
        let record = &view.record;
        let known = |text: &Option<String>| text.clone().unwrap_or_default();
        table.add([
            view.id[..SHORT_ID_LEN].to_owned(),
            record.time.map(local_time).unwrap_or_default(),
            builds(view),
            record.kind.code().to_owned(),
            known(&record.platform),
            known(&record.place.level),
            line(record),
        ]);
    }
    table
}

fn builds(view: &RecordView) -> String {
    match &view.builds[..] {
        [] => "-".to_owned(),
        [one] => one.id.clone(),
        [first, others @ ..] => format!("{} or {} more", first.id, others.len()),
    }
}

/// Returns what a record says, in one line.
pub fn line(record: &FeedbackRecord) -> String {
    let said = [record.title.as_deref(), Some(&record.text), record.event.as_deref(), record.signature.as_deref()];
    let said = said.into_iter().flatten().find(|said| !said.is_empty()).unwrap_or_default();
    let mut line: String = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LINE_LEN) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Returns all that is known of a record.
pub fn whole(view: &RecordView) -> String {
    let record = &view.record;
    let mut text = String::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            writeln!(text, "{name:<12}{value}").expect("a string takes everything");
        }
    };
    field("id", Some(view.id.clone()));
    field("kind", Some(record.kind.code().into()));
    let named: Vec<&str> = view.builds.iter().map(|build| build.id.as_str()).collect();
    let sure = view.method.map(|method| format!("  (by {}, {} %)", method.code().replace('_', " "), view.confidence));
    let builds = if named.is_empty() { "not known".to_owned() } else { named.join(" or ") };
    field("build", Some(builds + &sure.unwrap_or_default()));
    field("version", record.clues.version.clone());
    let zone = if record.zone_unknown { "  (its zone is not known)" } else { "" };
    field("time", record.time.map(|time| format!("{}{zone}", local_time(time))));
    let source =
        record.source_id.as_ref().map_or_else(|| record.source.clone(), |id| format!("{} {id}", record.source));
    field("source", Some(source));
    field("player", record.player.clone());
    field("session", record.session.clone());
    let played = [&record.platform, &record.os, &record.device].into_iter().flatten().cloned().collect::<Vec<_>>();
    field("played on", Some(played.join(", ")));
    field("level", record.place.level.clone());
    field("position", record.place.position.map(|[x, y, z]| format!("{x}, {y}, {z}")));
    field("progress", record.progress.clone());
    field("event", record.event.clone());
    field("outcome", record.outcome.map(|outcome| outcome.code().into()));
    field("seconds", record.seconds.map(|seconds| seconds.to_string()));
    field("rating", record.rating.map(|rating| format!("{:.0} %", rating * 100.0)));
    field("severity", record.severity.clone());
    field("status", record.status.clone());
    field("language", record.lang.clone());
    field("tags", Some(record.tags.join(", ")));
    field("signature", record.signature.clone());
    for (name, value) in &record.fields {
        field(name, Some(format!("  {value}").trim_start().to_owned()));
    }
    for file in &record.attachments {
        field("attachment", Some(file.path.clone().or(file.url.clone()).unwrap_or_else(|| file.name.clone())));
    }
    let title = record.title.as_deref().map(|title| format!("\n{title}\n")).unwrap_or_default();
    let said = if record.text.is_empty() { String::new() } else { format!("\n{}\n", record.text.trim_end()) };
    let stack: String = record.stack.iter().map(|frame| format!("    {frame}\n")).collect();
    let stack = if stack.is_empty() { stack } else { format!("\n{stack}") };
    text + &title + &said + &stack
}

fn local_time(time: jiff::Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns how records are linked: `40 linked, 2 to several builds, 3 to none`.
pub fn links(links: &gamevault::vault::Relinked) -> String {
    let mut said = format!("{} linked", text::grouped(links.linked));
    for (count, to) in [(links.ambiguous, "to several builds"), (links.unlinked, "to none")] {
        if count > 0 {
            write!(said, ", {} {to}", text::grouped(count)).expect("a string takes everything");
        }
    }
    said
}
