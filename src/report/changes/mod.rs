//! What changed between two builds, as a page and as Markdown.

mod details;
mod markdown;

pub use markdown::{detail_text, markdown};

use super::chart::{Bar, Tile, bars, treemap};
use super::html::{Html, escape};
use super::page::{Figure, Page, Tone, columns, figures, legend, pill};
use super::table::{Cell, Side, Table};
use super::text;
use crate::catalogue::Build;
use crate::compare::{self, ChangeKind, Changes, Class, Difference, Sum};
use std::cmp::Reverse;

/// Commits that are listed.
const MAX_COMMITS: usize = 200;

/// Areas of files and folders, files that have bars, folders that have rows, and how many of these are shown at once.
const MAX_TILES: usize = 100;
const MAX_FILES: usize = 10;
const MAX_FOLDERS: usize = 60;
const SHOWN_FOLDERS: usize = 16;

/// Returns the page that shows `changes`.
pub fn page(changes: &Changes) -> String {
    let (old, new) = (&changes.old, &changes.new);
    let subtitle = format!("{}  →  {}", described(old), described(new));
    let mut page = Page::new(&format!("{} → {}", old.id, new.id), Html::text(&subtitle));
    let shown = listed(&changes.diff.changes);
    page.push(&sums(changes, &shown));
    if shown.is_empty() {
        page.section("Changes", &Html::raw("<p class=\"plain\">Nothing differs.</p>"));
        return page.finish();
    }
    page.section_with_note("Where the change is", NOTE, &overview(changes));
    page.section("Plugins", &plugins(changes));
    page.section("Commits", &commits(&changes.commits));
    page.section("Files", &files(&shown));
    details::add_to(&mut page, changes);
    page.finish()
}

const NOTE: &str = "Areas are bytes that are really others: pieces of files that the build before does not have in the files that \
                    changed. A large file with a small change has a small area.";

fn described(build: &Build) -> String {
    let mut words = vec![build.id.to_string()];
    words.extend(build.info.label.clone());
    words.push(text::date(build.created));
    words.extend(build.info.platform.clone());
    words.extend(
        build
            .info
            .vcs
            .as_ref()
            .and_then(|vcs| vcs.revision.as_ref())
            .map(|revision| revision.chars().take(10).collect()),
    );
    words.join(", ")
}

/// Returns the changes without folders in which there are changes: those say it.
fn listed(changes: &[Difference]) -> Vec<&Difference> {
    let is_told_below = |index: usize| {
        let this = &changes[index].change;
        let comes_or_goes = matches!(this.kind, ChangeKind::Added | ChangeKind::Removed);
        // Their paths follow that of the folder.
        comes_or_goes && changes.get(index + 1).is_some_and(|next| next.change.path.starts_with(&this.path))
    };
    let is_listed = |index: &usize| !(changes[*index].is_folder() && is_told_below(*index));
    (0..changes.len()).filter(is_listed).map(|index| &changes[index]).collect()
}

fn sums(changes: &Changes, shown: &[&Difference]) -> Html {
    let (old, new) = (changes.old.root.totals, changes.new.root.totals);
    let all = Sum::of("all", shown.iter().copied());
    let figure = |label: &str, value: String, note: String, tone| Figure { label: label.to_owned(), value, note, tone };
    let growth = text::difference(old.bytes, new.bytes);
    let mut row = vec![
        figure(
            "Size",
            text::size(new.bytes),
            format!("{} in {}", text::growth(growth), text::count(new.files, "file")),
            Tone::Plain,
        ),
        figure("Really changed", text::size(all.changed_bytes), "bytes that are new".to_owned(), Tone::Plain),
        figure("In the store", text::size(all.stored_bytes), "what these take".to_owned(), Tone::Plain),
    ];
    for (label, kinds, tone) in [
        ("Added", &[ChangeKind::Added, ChangeKind::Copied][..], Tone::Added),
        ("Removed", &[ChangeKind::Removed], Tone::Removed),
        ("Modified", &[ChangeKind::Modified, ChangeKind::TypeChanged], Tone::Modified),
        ("Moved", &[ChangeKind::Moved, ChangeKind::Renamed], Tone::Moved),
        ("Mode or time", &[ChangeKind::Attributes, ChangeKind::Touched], Tone::Plain),
    ] {
        let sum = Sum::of(label, shown.iter().copied().filter(|one| kinds.contains(&one.change.kind)));
        if sum.changes > 0 {
            let bytes = match tone {
                Tone::Removed => text::size(sum.old_bytes),
                Tone::Plain => String::new(),
                _ => text::size(sum.new_bytes),
            };
            row.push(figure(label, text::grouped(sum.changes), bytes, tone));
        }
    }
    figures(&row)
}

fn overview(changes: &Changes) -> Html {
    let differences = &changes.diff.changes;
    let classes = compare::by_class(differences);
    let mut html = Html::new();
    let used: Vec<(&str, Tone)> = classes
        .iter()
        .filter(|(_, sum)| sum.changed_bytes > 0)
        .map(|(class, _)| (class.word(), class_tone(*class)))
        .collect();
    let map = treemap("Bytes that are really others", tiles(differences), 340, |count, bytes| Tile {
        name: format!("{} more", text::grouped(count as u64)),
        title: format!("{} more", text::grouped(count as u64)),
        value: bytes,
        amount: text::size(bytes),
        tone: Tone::Plain,
    });
    if !map.is_empty() {
        html.push(&legend(&used));
        html.push(&map);
    }
    let class_bars: Vec<Bar> = classes
        .iter()
        .map(|(class, sum)| Bar {
            name: class.word().to_owned(),
            value: sum.growth,
            amount: text::growth(sum.growth),
            note: text::count(sum.changes, "file"),
            tone: class_tone(*class),
        })
        .collect();
    let mut folders = Table::new([
        ("Folder", Side::Left),
        ("Files", Side::Right),
        ("Growth", Side::Right),
        ("Changed", Side::Right),
        ("Stored", Side::Right),
    ]);
    for sum in compare::by_weight(differences, MAX_FOLDERS) {
        let cells = [
            Cell::path(&sum.name),
            Cell::count(sum.changes),
            Cell::growth(sum.growth),
            Cell::size(Some(sum.changed_bytes)),
            Cell::size(Some(sum.stored_bytes)),
        ];
        folders.add(&cells);
    }
    let titled = |title: &str, content: Html| match content.is_empty() {
        true => content,
        false => Html::raw(format!("<h3>{}</h3>{content}", escape(title))),
    };
    let mut left = titled("Growth by class", bars(&class_bars));
    left.push_raw("<div class=\"gap\"></div>");
    left.push(&titled("Growth by file", bars(&largest(differences))));
    html.push(&columns(&[left, titled("By folder", folders.finish_folded(SHOWN_FOLDERS))]));
    html
}

/// Returns an area for each file, or, where these are too many, for each folder in the colour of what most of it is.
fn tiles(differences: &[Difference]) -> Vec<Tile> {
    let tile = |group: compare::Group<'_>| {
        let sum = Sum::of(group.path, group.changes.iter().copied());
        let mut by_class = [0u64; Class::ALL.len()];
        group.changes.iter().for_each(|one| by_class[one.class as usize] += one.changed_bytes);
        let largest = Class::ALL.into_iter().max_by_key(|class| by_class[*class as usize]).unwrap_or(Class::Other);
        let files = text::count(sum.changes, "file");
        let name = group.path.rsplit('/').next().unwrap_or_default();
        Tile {
            name: if group.is_file { name.to_owned() } else { format!("{name}/") },
            title: if group.is_file { group.path.to_owned() } else { format!("{}/ ({files})", group.path) },
            value: sum.changed_bytes,
            amount: text::size(sum.changed_bytes),
            tone: class_tone(largest),
        }
    };
    compare::groups(differences, MAX_TILES, true).into_iter().map(tile).collect()
}

/// Returns a bar for each of the files that grew or shrank most.
fn largest(differences: &[Difference]) -> Vec<Bar> {
    let mut sorted: Vec<&Difference> = differences.iter().filter(|one| one.growth() != 0).collect();
    sorted.sort_by_key(|one| Reverse(one.growth().unsigned_abs()));
    sorted.truncate(MAX_FILES);
    let bar = |one: &&Difference| Bar {
        name: one.change.path.rsplit('/').next().unwrap_or_default().to_owned(),
        value: one.growth(),
        amount: text::growth(one.growth()),
        note: one.change.kind.word().to_owned(),
        tone: class_tone(one.class),
    };
    sorted.iter().map(bar).collect()
}

fn plugins(changes: &Changes) -> Html {
    let mut table = Table::new([
        ("Plugin", Side::Left),
        ("Before", Side::Left),
        ("After", Side::Left),
        ("Engine", Side::Left),
        ("File", Side::Left),
    ]);
    for plugin in &changes.plugins {
        let version = |version: &Option<String>, tag: &str| match version.as_deref() {
            None => Cell::text("—"),
            Some("") => Cell::text("?"),
            Some(version) => Cell::html(Html::raw(format!("<{tag}>{}</{tag}>", escape(version)))),
        };
        let (before, after) = (version(&plugin.old, "del"), version(&plugin.new, "ins"));
        table.add(&[Cell::text(&plugin.name), before, after, Cell::text(plugin.engine), Cell::path(&plugin.path)]);
    }
    table.finish()
}

fn commits(commits: &[String]) -> Html {
    let mut html = Html::new();
    if commits.is_empty() {
        return html;
    }
    html.push_raw("<ul class=\"commits\">");
    for commit in commits.iter().take(MAX_COMMITS) {
        let (id, subject) = commit.split_once(' ').unwrap_or((commit, ""));
        html.push_format(format_args!("<li><code>{}</code>{}</li>", escape(id), escape(subject)));
    }
    html.push_raw("</ul>");
    if commits.len() > MAX_COMMITS {
        let more = text::grouped((commits.len() - MAX_COMMITS) as u64);
        html.push_format(format_args!("<p class=\"plain\">and {more} more</p>"));
    }
    html
}

fn files(shown: &[&Difference]) -> Html {
    let mut table = Table::new([
        ("Change", Side::Left),
        ("Path", Side::Left),
        ("Class", Side::Left),
        ("Before", Side::Right),
        ("After", Side::Right),
        ("Growth", Side::Right),
        ("Changed", Side::Right),
        ("Stored", Side::Right),
    ]);
    // What weighs most stands first; what says little last.
    let mut sorted = shown.to_vec();
    sorted.sort_by_key(|one| {
        let is_little = matches!(one.change.kind, ChangeKind::Attributes | ChangeKind::Touched);
        (is_little, Reverse((one.changed_bytes, one.growth().unsigned_abs())))
    });
    for one in sorted {
        let change = &one.change;
        let tone = kind_tone(change.kind);
        let mut path = Html::text(&change.path);
        if let Some(from) = &change.from {
            path.push_format(format_args!("<span class=\"from\">from {}</span>", escape(from)));
        }
        table.add_of(
            change.kind.word(),
            tone,
            &[
                Cell::html(pill(change.kind.word(), tone)),
                Cell::path_html(path),
                Cell::text(if one.is_folder() { "folder" } else { one.class.word() }),
                Cell::size(change.old_size),
                Cell::size(change.new_size),
                Cell::growth(one.growth()),
                Cell::size(change.new_size.map(|_| one.changed_bytes)),
                Cell::size(change.new_size.map(|_| one.stored_bytes)),
            ],
        );
    }
    table.finish()
}

/// Returns the colour of a kind of change.
fn kind_tone(kind: ChangeKind) -> Tone {
    match kind {
        ChangeKind::Added | ChangeKind::Copied => Tone::Added,
        ChangeKind::Removed => Tone::Removed,
        ChangeKind::Modified | ChangeKind::TypeChanged => Tone::Modified,
        ChangeKind::Renamed | ChangeKind::Moved => Tone::Moved,
        ChangeKind::Attributes | ChangeKind::Touched => Tone::Plain,
    }
}

/// Returns the colour of a class of assets.
pub(super) fn class_tone(class: Class) -> Tone {
    match class {
        Class::Picture => Tone::Kind(0),
        Class::Sound => Tone::Kind(1),
        Class::Scene => Tone::Kind(2),
        Class::Model => Tone::Kind(3),
        Class::Video => Tone::Kind(4),
        Class::Code => Tone::Kind(5),
        Class::Container => Tone::Kind(6),
        Class::Program => Tone::Kind(7),
        Class::Font | Class::Document => Tone::Kind(8),
        Class::Data => Tone::Kind(9),
        Class::Other => Tone::Plain,
    }
}
