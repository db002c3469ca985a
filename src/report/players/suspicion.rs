//! The page on one complaint: how often each build shows it, where it began, and the changes that may be behind it.

use super::counted;
use crate::catalogue::Build;
use crate::compare::ChangeKind;
use crate::feedback::suspect::{NoOnset, Onset, Suspect, Suspicion};
use crate::feedback::{Among, Rate};
use crate::report::chart::{RatePoint, rates};
use crate::report::html::{Html, escape};
use crate::report::page::{Figure, Page, Tone, figures, pill};
use crate::report::records::id_of;
use crate::report::table::{Cell, Side, Table};
use crate::report::text;

/// Returns the page; `title` names what is complained of, `builds` are sorted by number.
pub fn page(title: &str, suspicion: &Suspicion, builds: &[Build]) -> String {
    let hits: u64 = suspicion.played.iter().map(|build| build.hits).sum();
    let subtitle =
        format!("{} in {}", text::count(hits, "record"), text::count(suspicion.played.len() as u64, "build"));
    let mut page = Page::new(title, Html::text(&subtitle));
    match &suspicion.onset {
        Some(onset) => page.push(&numbers(onset, suspicion.among, builds)),
        None => page.push(&Html::raw(format!("<p class=\"note\">{}</p>", escape(&not_enough(suspicion.not_enough))))),
    }
    page.section_with_note(
        "How often each build shows it",
        "The dot is the rate, the line holds the true one 19 times in 20.",
        &chart(suspicion, builds),
    );
    let mut note = match suspicion.telling.as_slice() {
        [] => String::new(),
        words => format!("The records speak of {}. ", words.join(", ")),
    };
    if !suspicion.names_files() {
        note += "Not enough data: they name none of these files.";
    }
    page.section_with_note("Which changes may be behind it", note.trim_end(), &suspects(&suspicion.suspects));
    page.section("Commits between them", &commits(&suspicion.commits));
    page.finish()
}

/// Returns why nobody can tell where something began.
pub fn not_enough(reason: Option<NoOnset>) -> String {
    let why = match reason {
        Some(NoOnset::InTheFirst) => "it shows in the first build of which anything is known, as in the others",
        Some(NoOnset::TooFew) => "so few plays may also differ by chance",
        Some(NoOnset::NeverSeen) | None => "no build that is there shows it",
    };
    format!("not enough data: {why}")
}

fn numbers(onset: &Onset, among: Among, builds: &[Build]) -> Html {
    let rate = |rate: &Rate| format!("{} in {}", text::grouped(rate.hits), counted(rate.total, among));
    let figure = |label: &str, build, note: String, tone| Figure {
        label: label.to_owned(),
        value: id_of(build, builds),
        note,
        tone,
    };
    let mut all = vec![
        figure("Last build without it", onset.last_without, rate(&onset.without), Tone::Added),
        figure("First build with it", onset.first_with, rate(&onset.with), Tone::Removed),
    ];
    if let Some(last) = onset.last_with {
        all.push(figure("Last build with it", last, String::new(), Tone::Plain));
    }
    figures(&all)
}

fn chart(suspicion: &Suspicion, builds: &[Build]) -> Html {
    let played = &suspicion.played;
    let point = |name, hits, total: u64| RatePoint { name, rate: Rate::new(hits, total.max(hits)) };
    let points: Vec<RatePoint> =
        played.iter().map(|build| point(id_of(build.build, builds), build.hits, build.total)).collect();
    let at = |number| played.iter().position(|build| build.build == number);
    let began = suspicion.onset.as_ref().and_then(|onset| at(onset.last_without).zip(at(onset.first_with)));
    rates("How often each build shows it", &points, began)
}

fn suspects(suspects: &[Suspect]) -> Html {
    let mut table =
        Table::new([("Score", Side::Right), ("Change", Side::Left), ("File", Side::Left), ("Why", Side::Left)]);
    for suspect in suspects {
        let tone = match suspect.kind {
            ChangeKind::Added => Tone::Added,
            ChangeKind::Removed => Tone::Removed,
            ChangeKind::Renamed => Tone::Moved,
            _ => Tone::Modified,
        };
        let mut why = Html::raw("<ul>");
        for reason in &suspect.reasons {
            let reason = format!("{} ({:+.1})", reason.kind, reason.points);
            why.push_format(format_args!("<li>{}</li>", escape(&reason)));
        }
        why.push_raw("</ul>");
        table.add_of(
            suspect.kind.word(),
            tone,
            &[
                Cell::sorted(Html::text(&format!("{:.1}", suspect.score)), (suspect.score * 1e3) as i64),
                Cell::html(pill(suspect.kind.word(), tone)),
                Cell::path(&suspect.path),
                Cell::html(why),
            ],
        );
    }
    table.finish()
}

fn commits(commits: &[String]) -> Html {
    let mut table = Table::new([("Commit", Side::Left)]);
    commits.iter().for_each(|commit| table.add(&[Cell::text(commit)]));
    table.finish()
}
