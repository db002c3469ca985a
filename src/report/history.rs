//! How a vault grew: builds on a line with their cost and milestones, and what each has alone.

use super::changes::class_tone;
use super::chart::{Bar, Point, Tile, bars, timeline, treemap};
use super::html::{Html, escape};
use super::page::{Figure, Page, Tone, columns, figures, legend, pill};
use super::table::{Cell, Side, Table};
use super::text;
use crate::catalogue::Build;
use crate::compare::{Class, Sum};

/// Bars beyond which the rest is left to the table.
const MAX_BARS: usize = 30;

/// What a page on a vault's history shows.
#[derive(Debug, Clone)]
pub struct History {
    /// What the page is called.
    pub title: String,
    /// The builds, oldest first.
    pub builds: Vec<Entry>,
    /// From the first build to the last: what changed by class.
    pub classes: Vec<(Class, Sum)>,
    /// From the first build to the last: what changed by folder.
    pub folders: Vec<Sum>,
    /// Bytes of the vault on the disk.
    pub stored_bytes: u64,
}

/// One build in the history.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The build.
    pub build: Build,
    /// The milestones that mark it.
    pub milestones: Vec<String>,
    /// Plain bytes of the chunks that it alone has.
    pub unique_bytes: u64,
    /// What forgetting it alone would free.
    pub freed_bytes: u64,
    /// How many playtests there are of it.
    pub playtests: u64,
}

/// Returns the page.
pub fn page(history: &History) -> String {
    let builds = &history.builds;
    let range = match (builds.first(), builds.last()) {
        (Some(first), Some(last)) => {
            format!("{} to {}", text::date(first.build.created), text::date(last.build.created))
        }
        _ => "no builds yet".to_owned(),
    };
    let mut page = Page::new(&history.title, Html::text(&range));
    page.push(&numbers(history));
    let points: Vec<Point> = builds.iter().map(point).collect();
    let colours = legend(&[
        ("size of the build", Tone::Modified),
        ("what it added to the store", Tone::Kind(1)),
        ("milestone", Tone::Moved),
    ]);
    let line = timeline("Size of each build, and what it added to the store", &points);
    if !line.is_empty() {
        page.section("Builds over time", &Html::raw(format!("{colours}{line}")));
    }
    if builds.len() > 1 {
        page.section_with_note("What grew", "From the first of these builds to the last.", &grown(history));
        page.section_with_note(
            "What forgetting would free",
            "Bytes in packs that one build alone has, less those that others are stored as differences to.",
            &freed(builds),
        );
    }
    page.section("All builds", &table(builds));
    page.finish()
}

fn numbers(history: &History) -> Html {
    let builds = &history.builds;
    let logical: u64 = builds.iter().map(|entry| entry.build.root.totals.bytes).sum();
    let ratio = if history.stored_bytes == 0 { 0.0 } else { logical as f64 / history.stored_bytes as f64 };
    let last = builds.last().map_or(0, |entry| entry.build.root.totals.bytes);
    let first = builds.first().map_or(0, |entry| entry.build.root.totals.bytes);
    let milestones: usize = builds.iter().map(|entry| entry.milestones.len()).sum();
    let figure =
        |label: &str, value: String, note: String| Figure { label: label.to_owned(), value, note, tone: Tone::Plain };
    let growth = format!("{} since the first", text::growth(text::difference(first, last)));
    figures(&[
        figure("Builds", text::grouped(builds.len() as u64), text::count(milestones as u64, "milestone")),
        figure("Newest build", text::size(last), growth),
        figure("All builds", text::size(logical), "as they were".to_owned()),
        figure("On the disk", text::size(history.stored_bytes), format!("{ratio:.1} times smaller")),
    ])
}

fn point(entry: &Entry) -> Point {
    Point {
        name: entry.build.id.to_string(),
        date: text::date(entry.build.created),
        size: entry.build.root.totals.bytes,
        cost: entry.build.stored_bytes,
        flags: entry.milestones.clone(),
    }
}

fn grown(history: &History) -> Html {
    let used: Vec<(&str, Tone)> = history.classes.iter().map(|(class, _)| (class.word(), class_tone(*class))).collect();
    let tile = |name: &str, sum: &Sum, tone| Tile {
        name: name.to_owned(),
        title: name.to_owned(),
        value: sum.changed_bytes,
        amount: text::size(sum.changed_bytes),
        tone,
    };
    let tiles =
        history.folders.iter().enumerate().map(|(index, sum)| tile(&sum.name, sum, Tone::Kind(index as u8 % 10)));
    let map = treemap("Bytes that are others, by folder", tiles.collect(), 260, |count, bytes| Tile {
        name: format!("{count} more"),
        title: format!("{count} more folders"),
        value: bytes,
        amount: text::size(bytes),
        tone: Tone::Plain,
    });
    let classes: Vec<Bar> = history
        .classes
        .iter()
        .map(|(class, sum)| Bar {
            name: class.word().to_owned(),
            value: sum.growth,
            amount: text::growth(sum.growth),
            note: text::count(sum.changes, "file"),
            tone: class_tone(*class),
        })
        .collect();
    let mut folders: Vec<&Sum> = history.folders.iter().filter(|sum| sum.growth != 0).collect();
    folders.sort_by_key(|sum| std::cmp::Reverse(sum.growth.unsigned_abs()));
    let folders: Vec<Bar> = (folders.iter().take(12))
        .map(|sum| Bar {
            name: sum.name.clone(),
            value: sum.growth,
            amount: text::growth(sum.growth),
            note: text::count(sum.changes, "file"),
            tone: if sum.growth > 0 { Tone::Warning } else { Tone::Added },
        })
        .collect();
    let titled = |title: &str, content: Html| match content.is_empty() {
        true => content,
        false => Html::raw(format!("<h3>{}</h3>{content}", escape(title))),
    };
    let mut html = titled("Bytes that are others, by folder", map);
    if html.is_empty() && used.is_empty() {
        return html;
    }
    html.push(&columns(&[titled("Growth by class", bars(&classes)), titled("Growth by folder", bars(&folders))]));
    html
}

fn freed(builds: &[Entry]) -> Html {
    let mut sorted: Vec<&Entry> = builds.iter().filter(|entry| entry.freed_bytes > 0).collect();
    sorted.sort_by_key(|entry| std::cmp::Reverse(entry.freed_bytes));
    sorted.truncate(MAX_BARS);
    let bar = |entry: &&Entry| Bar {
        name: entry.build.id.to_string(),
        value: text::difference(0, entry.freed_bytes),
        amount: text::size(entry.freed_bytes),
        note: format!("{} alone", text::size(entry.unique_bytes)),
        tone: if entry.milestones.is_empty() { Tone::Modified } else { Tone::Moved },
    };
    bars(&sorted.iter().map(bar).collect::<Vec<_>>())
}

fn table(builds: &[Entry]) -> Html {
    let mut table = Table::new([
        ("Build", Side::Left),
        ("Time (UTC)", Side::Left),
        ("Label", Side::Left),
        ("Milestones", Side::Left),
        ("Files", Side::Right),
        ("Size", Side::Right),
        ("Growth", Side::Right),
        ("Stored", Side::Right),
        ("Alone", Side::Right),
        ("Freed", Side::Right),
        ("Playtests", Side::Right),
    ]);
    for (index, entry) in builds.iter().enumerate().rev() {
        let build = &entry.build;
        let before = index.checked_sub(1).map_or(0, |before| builds[before].build.root.totals.bytes);
        let mut milestones = Html::new();
        for name in &entry.milestones {
            milestones.push(&pill(name, Tone::Moved));
            milestones.push_raw(" ");
        }
        let label = build.info.label.as_deref().or(build.info.message.as_deref()).unwrap_or_default();
        table.add(&[
            Cell::sorted(Html::text(build.id.as_str()), build.number.0 as i64),
            Cell::text(&text::date(build.created)),
            Cell::text(label),
            Cell::html(milestones),
            Cell::count(build.root.totals.files),
            Cell::size(Some(build.root.totals.bytes)),
            Cell::growth(text::difference(before, build.root.totals.bytes)),
            Cell::size(Some(build.stored_bytes)),
            Cell::size(Some(entry.unique_bytes)),
            Cell::size(Some(entry.freed_bytes)),
            Cell::count(entry.playtests),
        ]);
    }
    table.finish()
}
