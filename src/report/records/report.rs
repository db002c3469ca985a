//! One record as a page in Markdown, and the name of its folder.

use crate::catalogue::feedback::Found;
use std::fmt::Write;

/// The most characters of what was said in the name of a folder.
const SLUG_LEN: usize = 40;

/// Returns the name of a record's folder: `2026-11-20-bug-camera-spins-in-the-ice-cave`. Others may have the same.
pub fn folder_name(found: &Found) -> String {
    let record = &found.record;
    let date = record.time.map_or("undated".to_owned(), |time| time.to_string()[..10].to_owned());
    let said = [record.title.as_deref(), Some(record.text.as_str()), record.signature.as_deref()];
    let said = said.into_iter().flatten().find(|said| !said.trim().is_empty()).unwrap_or_default();
    let mut slug = String::new();
    for letter in said.chars().take(4 * SLUG_LEN) {
        if letter.is_alphanumeric() {
            slug.extend(letter.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.chars().count() >= SLUG_LEN {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    format!("{date}-{}{}{slug}", record.kind.code(), if slug.is_empty() { "" } else { "-" })
}

/// Returns the page of a record; `build` is how its builds are called.
pub fn report(found: &Found, build: &str) -> String {
    let record = &found.record;
    let title = record.title.clone().unwrap_or_else(|| format!("A {}", record.kind.code()));
    let mut text = format!("# {}\n\n", line(&title));
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            writeln!(text, "- **{name}**: {}", line(&value)).expect("a string takes everything");
        }
    };
    let method = found
        .link
        .method
        .map(|method| format!(" (by {}, {} %)", method.code().replace('_', " "), found.link.confidence()));
    let zone = if record.zone_unknown { " (zone not known)" } else { "" };
    let played = [&record.platform, &record.os, &record.device].into_iter().flatten().cloned().collect::<Vec<_>>();
    field("kind", Some(record.kind.code().into()));
    field("build", Some(format!("{build}{}", method.unwrap_or_default())));
    field("version", record.clues.version.clone());
    field("time", record.time.map(|time| format!("{time}{zone}")));
    field("player", record.player.clone());
    field("session", record.session.clone());
    field("played on", Some(played.join(", ")));
    field("level", record.place.level.clone());
    field("position", record.place.position.map(|[x, y, z]| format!("{x}, {y}, {z}")));
    field("progress", record.progress.clone());
    field("rating", record.rating.map(|rating| format!("{:.0} %", rating * 100.0)));
    field("severity", record.severity.clone());
    field("status", record.status.clone());
    field("tags", Some(record.tags.join(", ")));
    field("signature", record.signature.clone());
    field(
        "source",
        Some(
            [Some(&record.source), record.source_id.as_ref()]
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(" "),
        ),
    );
    for (name, value) in &record.fields {
        field(&line(name), Some(value.clone()));
    }
    for file in &record.attachments {
        field(
            "attachment",
            Some(file.path.clone().map(|_| file.name.clone()).or(file.url.clone()).unwrap_or(file.name.clone())),
        );
    }
    field("record", Some(found.id.to_string()));
    if !record.text.is_empty() {
        write!(text, "\n{}\n", record.text.trim_end()).expect("a string takes everything");
    }
    if !record.stack.is_empty() {
        // Four blanks make it code, whatever is in it.
        text.push_str("\n## Stack\n\n");
        for frame in &record.stack {
            writeln!(text, "    {}", line(frame)).expect("a string takes everything");
        }
    }
    text
}

/// Returns a text in one line.
fn line(text: &str) -> String {
    text.split(['\n', '\r']).filter(|part| !part.trim().is_empty()).collect::<Vec<_>>().join(" ")
}
