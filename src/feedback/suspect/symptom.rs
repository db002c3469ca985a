//! What records complain of, in terms that they use more often than other records do.

use super::terms::{terms, whole};
use crate::catalogue::feedback::FeedbackRecord;
use std::collections::{BTreeMap, BTreeSet};

/// The frames of a stack that are looked at, the innermost first.
const MAX_FRAMES: usize = 8;

/// From so many records on, what only one of them says is chance.
const MANY: usize = 8;

/// Where in a record a term stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In its title, text, tags and progress.
    Said,
    /// In a frame of its stack.
    Stack,
    /// It is the level.
    Level,
    /// It is the platform.
    Platform,
}

/// What records have in common that sets them apart from others.
#[derive(Debug, Clone, Default)]
pub struct Symptom {
    terms: BTreeMap<(Source, String), Term>,
}

/// A term of a symptom.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// As it is written in one of the records.
    pub written: String,
    /// The share of the records that have it, 0 to 1.
    pub share: f64,
    /// How much it tells, 0 to 1: much if many of these records have it and few others.
    pub strength: f64,
}

impl Symptom {
    /// Finds what sets `records` apart from `others`.
    pub fn new(records: &[FeedbackRecord], others: &[FeedbackRecord]) -> Symptom {
        let (here, there) = (counts(records), counts(others));
        let mut symptom = Symptom::default();
        for ((source, term), (count, written)) in here {
            if records.len() >= MANY && count < 2 {
                continue;
            }
            let elsewhere = there.get(&(source, term.clone())).map_or(0, |(count, _)| *count);
            let rate = |count: usize, of: usize| (count as f64 + 0.5) / (of as f64 + 1.0);
            let lift = (rate(count, records.len()) / rate(elsewhere, others.len())).ln();
            let share = count as f64 / records.len() as f64;
            // Ten times as often is as much as can be told; a name that few mention tells more than its share.
            let strength = share.sqrt() * (lift / 10f64.ln()).min(1.0);
            if strength > 0.0 {
                symptom.terms.insert((source, term), Term { written, share, strength });
            }
        }
        symptom
    }

    /// Returns what is known of a term.
    pub fn term(&self, source: Source, term: &str) -> Option<&Term> {
        self.terms.get(&(source, term.to_owned()))
    }

    /// Returns the terms that tell most, as they are written.
    pub fn telling(&self, most: usize) -> Vec<String> {
        let mut terms: Vec<&Term> = self.terms.values().collect();
        terms.sort_by(|a, b| b.strength.total_cmp(&a.strength).then_with(|| a.written.cmp(&b.written)));
        let mut seen = BTreeSet::new();
        let new = terms.into_iter().filter(|term| seen.insert(term.written.clone()));
        new.take(most).map(|term| term.written.clone()).collect()
    }
}

/// In how many records each term is, and how it is written.
fn counts(records: &[FeedbackRecord]) -> BTreeMap<(Source, String), (usize, String)> {
    let mut counts: BTreeMap<(Source, String), (usize, String)> = BTreeMap::new();
    for record in records {
        for (key, written) in of_record(record) {
            counts.entry(key).or_insert((0, written)).0 += 1;
        }
    }
    counts
}

fn of_record(record: &FeedbackRecord) -> BTreeMap<(Source, String), String> {
    let mut all = BTreeMap::new();
    let mut add = |source, terms: BTreeMap<String, String>| {
        for (term, written) in terms {
            all.entry((source, term)).or_insert(written);
        }
    };
    let said = [record.title.as_deref(), Some(record.text.as_str()), record.progress.as_deref()];
    said.into_iter().flatten().for_each(|text| add(Source::Said, terms(text)));
    record.tags.iter().for_each(|tag| add(Source::Said, terms(tag)));
    record.stack.iter().take(MAX_FRAMES).for_each(|frame| add(Source::Stack, terms(frame)));
    if let Some(level) = &record.place.level {
        add(Source::Level, BTreeMap::from([(whole(level), level.clone())]));
    }
    if let Some(platform) = &record.platform {
        add(Source::Platform, BTreeMap::from([(whole(platform), platform.clone())]));
    }
    all
}
