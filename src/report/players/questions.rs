//! The page on all that came back: rates by build and platform, tags, signatures, places.

use super::{counted, percent, points};
use crate::catalogue::Build;
use crate::feedback::{PlaceRow, RateOf, SignatureChange, SignatureRow};
use crate::report::chart::{Bar, bars, rates};
use crate::report::html::{Html, escape};
use crate::report::page::{Figure, Page, Tone, columns, figures, pill};
use crate::report::table::{Cell, Side, Table};
use crate::report::text;

/// Bars beyond which the rest is left out.
const MAX_BARS: usize = 20;

/// What the page shows.
#[derive(Debug, Clone)]
pub struct Questions {
    /// What the page is called.
    pub title: String,
    /// All builds, sorted by number.
    pub builds: Vec<Build>,
    /// How many records there are.
    pub records: u64,
    /// How many of them are about no build that is known.
    pub without_build: u64,
    /// How often each build crashed.
    pub crashes: Vec<RateOf>,
    /// How often each platform crashed.
    pub platforms: Vec<RateOf>,
    /// How tags go from build to build.
    pub trends: Vec<Trend>,
    /// What became of crashes from one build to a later one.
    pub signatures: Option<SignatureStep>,
    /// Where players died.
    pub deaths: Vec<PlaceRow>,
    /// Where players quit.
    pub quits: Vec<PlaceRow>,
    /// The ids of the builds that nobody played.
    pub unplayed: Vec<String>,
}

/// How a tag goes from build to build.
#[derive(Debug, Clone)]
pub struct Trend {
    /// The tag.
    pub tag: String,
    /// How often each build has it.
    pub rates: Vec<RateOf>,
}

/// What became of crashes from one build to a later one.
#[derive(Debug, Clone)]
pub struct SignatureStep {
    /// The older build's id.
    pub old: String,
    /// The newer build's id.
    pub new: String,
    /// The signatures.
    pub rows: Vec<SignatureRow>,
}

/// Returns the page.
pub fn page(questions: &Questions) -> String {
    let Questions { builds, trends, .. } = questions;
    let mut page = Page::new(&questions.title, Html::text(&text::count(questions.records, "record")));
    page.push(&numbers(questions));
    let interval = "The dot is the rate, the line holds the true one 19 times in 20.";
    let crashes = rates("Crashes of each build", &points(&questions.crashes, builds), None);
    let platforms = rate_table(&questions.platforms);
    page.section_with_note("How often it crashes", interval, &Html::raw(format!("{crashes}{platforms}")));
    if let Some(step) = &questions.signatures {
        let heading = format!("Crashes from {} to {}", step.old, step.new);
        page.section_with_note(&heading, "What is gone may also be missing by chance.", &signatures(&step.rows));
    }
    let charts: Vec<Html> = trends.iter().map(|trend| trend_chart(trend, builds)).collect();
    if !charts.is_empty() {
        page.section_with_note("What they speak of", interval, &columns(&charts));
    }
    if !questions.deaths.is_empty() || !questions.quits.is_empty() {
        let places = columns(&[ended("Died in", &questions.deaths), ended("Quit in", &questions.quits)]);
        page.section("Where they die and quit", &places);
    }
    page.section("Builds that nobody played", &unplayed(&questions.unplayed));
    page.finish()
}

fn numbers(questions: &Questions) -> Html {
    let figure = |label: &str, value: u64, note: String, tone| Figure {
        label: label.to_owned(),
        value: text::grouped(value),
        note,
        tone,
    };
    let crashes: u64 = questions.crashes.iter().map(|of| of.rate.hits).sum();
    let unlinked = if questions.without_build > 0 { Tone::Warning } else { Tone::Plain };
    let last = questions.crashes.last();
    let last = last.map_or(String::new(), |of| format!("{} in the newest", percent(of.rate.rate)));
    figures(&[
        figure("Records", questions.records, String::new(), Tone::Plain),
        figure("Crashes", crashes, last, Tone::Plain),
        figure("Without a build", questions.without_build, "nothing tells which".to_owned(), unlinked),
        figure("Builds nobody played", questions.unplayed.len() as u64, String::new(), Tone::Plain),
    ])
}

fn rate_table(rates: &[RateOf]) -> Html {
    let mut table = Table::new([
        ("Platform", Side::Left),
        ("Crashes", Side::Right),
        ("Among", Side::Right),
        ("Rate", Side::Right),
        ("95 %", Side::Right),
    ]);
    for RateOf { platform, rate, among, .. } in rates {
        table.add(&[
            Cell::text(platform.as_deref().unwrap_or("not known")),
            Cell::count(rate.hits),
            Cell::sorted(Html::text(&counted(rate.total, *among)), rate.total as i64),
            Cell::sorted(Html::text(&percent(rate.rate)), (rate.rate * 1e6) as i64),
            Cell::text(&format!("{} to {}", percent(rate.low), percent(rate.high))),
        ]);
    }
    table.finish()
}

fn trend_chart(trend: &Trend, builds: &[Build]) -> Html {
    let chart = rates(&format!("How often records say {}", trend.tag), &points(&trend.rates, builds), None);
    Html::raw(format!("<h3>{}</h3>{chart}", escape(&trend.tag)))
}

fn signatures(rows: &[SignatureRow]) -> Html {
    let mut table = Table::new([
        ("Change", Side::Left),
        ("Before", Side::Right),
        ("After", Side::Right),
        ("By chance", Side::Right),
        ("Signature", Side::Left),
    ]);
    for row in rows {
        let (word, tone) = match row.change {
            SignatureChange::New => ("new", Tone::Removed),
            SignatureChange::Regressed => ("back again", Tone::Removed),
            SignatureChange::Stays => ("stays", Tone::Plain),
            SignatureChange::Gone => ("gone", Tone::Added),
        };
        table.add_of(
            word,
            tone,
            &[
                Cell::html(pill(word, tone)),
                Cell::count(row.old),
                Cell::count(row.new),
                Cell::text(&row.by_chance.map(percent).unwrap_or_default()),
                Cell::path(&row.signature),
            ],
        );
    }
    table.finish()
}

fn ended(heading: &str, rows: &[PlaceRow]) -> Html {
    let bar = |row: &PlaceRow| Bar {
        name: row.level.clone().unwrap_or_else(|| "level not known".to_owned()),
        value: text::difference(0, row.count),
        amount: text::grouped(row.count),
        note: String::new(),
        tone: Tone::Modified,
    };
    match rows {
        [] => Html::new(),
        rows => {
            let bars = bars(&rows.iter().take(MAX_BARS).map(bar).collect::<Vec<_>>());
            Html::raw(format!("<h3>{}</h3>{bars}", escape(heading)))
        }
    }
}

fn unplayed(ids: &[String]) -> Html {
    let mut table = Table::new([("Build", Side::Left)]);
    ids.iter().for_each(|id| table.add(&[Cell::text(id)]));
    table.finish()
}
