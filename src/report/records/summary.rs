//! What there is of one build, on one page in Markdown.

use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord, Found, Outcome};
use crate::report::text::{count, grouped};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::hash::Hash;

/// The most rows of a list.
const MAX_ROWS: usize = 20;

/// Counts records, one after the other.
#[derive(Default)]
pub struct Summary {
    records: u64,
    kinds: BTreeMap<FeedbackKind, u64>,
    platforms: HashMap<String, u64>,
    tags: HashMap<String, u64>,
    signatures: HashMap<String, u64>,
    ends: HashMap<(Outcome, String), u64>,
    players: HashMap<String, u64>,
    rating_sum: f64,
    ratings: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    ambiguous: u64,
}

impl Summary {
    /// Adds a record.
    pub fn add(&mut self, found: &Found) {
        let FeedbackRecord { kind, platform, tags, signature, outcome, player, rating, time, place, .. } =
            &found.record;
        self.records += 1;
        *self.kinds.entry(*kind).or_default() += 1;
        for (counts, key) in
            [(&mut self.platforms, platform), (&mut self.signatures, signature), (&mut self.players, player)]
        {
            if let Some(key) = key {
                add(counts, key.clone());
            }
        }
        tags.iter().for_each(|tag| add(&mut self.tags, tag.clone()));
        if let (Some(outcome @ (Outcome::Death | Outcome::Quit)), Some(level)) = (outcome, &place.level) {
            add(&mut self.ends, (*outcome, level.clone()));
        }
        if let Some(rating) = rating {
            self.rating_sum += rating;
            self.ratings += 1;
        }
        if let Some(time) = time {
            self.first = Some(self.first.map_or(*time, |first| first.min(*time)));
            self.last = self.last.max(Some(*time));
        }
        self.ambiguous += u64::from(found.link.builds.len() > 1);
    }

    /// Returns the page; `build` is how the build is called, and `playtests` how many there are.
    pub fn markdown(&self, build: &str, playtests: u64) -> String {
        let mut text = format!("# Feedback on {build}\n\n");
        let mut say = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        match (self.records, playtests) {
            (0, 0) => say("Nothing yet. Files that are copied into this folder are imported.".into()),
            (records, playtests) => {
                say(format!("{}, {}.", count(records, "record"), count(playtests, "playtest")));
            }
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            say(format!("From {} to {}.", &first.to_string()[..10], &last.to_string()[..10]));
        }
        if !self.players.is_empty() {
            say(format!("{}.", count(self.players.len() as u64, "player")));
        }
        if self.ratings > 0 {
            let mean = self.rating_sum / self.ratings as f64 * 100.0;
            say(format!("Rated {mean:.0} % on average, {}.", count(self.ratings, "time")));
        }
        if self.ambiguous > 0 {
            say(format!("{} may be about other builds as well.", count(self.ambiguous, "record")));
        }
        let kinds = self.kinds.iter().map(|(kind, count)| (kind.code().to_owned(), *count)).collect();
        let ends = self.ends.iter().map(|((outcome, level), count)| (format!("{} in {level}", outcome.code()), *count));
        for (title, rows) in [
            ("Kinds", kinds),
            ("Crashes", list(&self.signatures)),
            ("Tags", list(&self.tags)),
            ("Platforms", list(&self.platforms)),
            ("Where players died and quit", ends.collect()),
        ] {
            table(&mut text, title, rows);
        }
        text
    }
}

fn add<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}

fn list(counts: &HashMap<String, u64>) -> Vec<(String, u64)> {
    counts.iter().map(|(name, count)| (name.clone(), *count)).collect()
}

/// Writes the largest counts.
fn table(text: &mut String, title: &str, mut rows: Vec<(String, u64)>) {
    if rows.is_empty() {
        return;
    }
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    write!(text, "\n## {title}\n\n| | count |\n|---|---:|\n").expect("a string takes everything");
    for (name, count) in rows.iter().take(MAX_ROWS) {
        let name = name.replace('|', "\\|").replace(['\n', '\r'], " ");
        writeln!(text, "| {name} | {} |", grouped(*count)).expect("a string takes everything");
    }
    if rows.len() > MAX_ROWS {
        writeln!(text, "\nand {} more", rows.len() - MAX_ROWS).expect("a string takes everything");
    }
}
