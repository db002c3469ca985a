//! Which change is behind what players complain of, from the index, the builds and what is in them.

use crate::catalogue::Build;
use crate::catalogue::feedback::{FeedbackKind, FeedbackQuery, FeedbackRecord, Found};
use crate::compare::detail::{self, Detail, Limits};
use crate::compare::{ChangeKind, Diff, Difference};
use crate::error::{Error, Result};
use crate::feedback::suspect::{Candidate, Fixed, Onset, Played, Suspect, Suspicion, Symptom, onset, rank, terms};
use crate::feedback::{Among, Rate};
use crate::id::BuildNumber;
use crate::vault::Vault;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Records that are read, of the symptom and of others.
const MAX_RECORDS: usize = 400;

/// Steps that are compared one by one; of more, the least probable are left out.
const MAX_STEPS: usize = 24;

/// Earlier builds that tell which files change all the time.
const EARLIER: usize = 6;

/// So many files are looked into.
const INSIDE: Limits = Limits { texts: 120, containers: 20, ..Limits::NOTHING };

/// Bytes of what changed inside of one file that are looked at.
const MAX_INSIDE: usize = 16 << 10;

/// Words that stand for a record that has neither signature nor tags.
const MAX_WORDS: usize = 2;

impl Vault {
    /// Tells with which change began what `query` asks for.
    ///
    /// # Errors
    /// `Invalid` if the query's words cannot be understood; those of the databases and of the store.
    pub fn suspect(&self, query: &FeedbackQuery) -> Result<Suspicion> {
        let (played, among) = self.played(query)?;
        let mut suspicion = Suspicion {
            among,
            onset: None,
            not_enough: None,
            telling: Vec::new(),
            suspects: Vec::new(),
            commits: Vec::new(),
            played,
        };
        match onset(&suspicion.played) {
            Err(reason) => suspicion.not_enough = Some(reason),
            Ok(found) => {
                let symptom = self.symptom(query, &found)?;
                suspicion.telling = symptom.telling(8);
                suspicion.suspects = self.rank_changes(&found, &symptom)?;
                let (old, new) = (self.numbered(found.last_without)?, self.numbered(found.first_with)?);
                suspicion.commits = self.recorded_commits(&old, &new)?;
                suspicion.onset = Some(found);
            }
        }
        Ok(suspicion)
    }

    /// Returns what asks for records that say the same as one: those of its signature, with its tags, or with its words that are
    /// the rarest but not its alone.
    ///
    /// # Errors
    /// `Invalid` if nothing of it can be looked for; those of the database.
    pub fn alike(&self, found: &Found) -> Result<FeedbackQuery> {
        let record = &found.record;
        if record.signature.is_some() {
            return Ok(FeedbackQuery { signature: record.signature.clone(), ..FeedbackQuery::default() });
        }
        let index = self.feedback()?;
        let said = format!("{} {}", record.title.as_deref().unwrap_or_default(), record.text);
        let tagged =
            record.tags.iter().map(|tag| FeedbackQuery { tags: vec![tag.clone()], ..FeedbackQuery::default() });
        let words: BTreeSet<String> = terms(&said).into_values().filter(|word| !word.contains(' ')).collect();
        let worded = words.into_iter().map(|word| FeedbackQuery { text: Some(word), ..FeedbackQuery::default() });
        let rarest = |queries: &mut dyn Iterator<Item = FeedbackQuery>| -> Result<Vec<FeedbackQuery>> {
            let mut counted = Vec::new();
            for query in queries {
                counted.push((index.count(&query)?, query));
            }
            counted.retain(|(count, _)| *count > 1);
            counted.sort_by_key(|(count, _)| *count);
            Ok(counted.into_iter().map(|(_, query)| query).collect())
        };
        if let Some(query) = rarest(&mut tagged.into_iter())?.into_iter().next() {
            return Ok(query);
        }
        let words: Vec<String> =
            rarest(&mut worded.into_iter())?.into_iter().take(MAX_WORDS).filter_map(|query| query.text).collect();
        if words.is_empty() {
            return Err(Error::invalid(format!("nobody else says what record {} says", found.id))
                .with_hint("give words, a tag or a signature that several records have"));
        }
        Ok(FeedbackQuery { text: Some(words.join(" or ")), ..FeedbackQuery::default() })
    }

    /// Tells whether what `query` asks for is over: since when nothing shows it, and how sure that is. `None` if no build shows it.
    ///
    /// # Errors
    /// As [`Vault::suspect`].
    pub fn is_fixed(&self, query: &FeedbackQuery) -> Result<Option<Fixed>> {
        let (played, among) = self.played(query)?;
        let Some(last) = played.iter().rposition(|build| build.hits > 0) else { return Ok(None) };
        let began = onset(&played[..=last]).map_or(played[0].build, |onset| onset.steps[0].new);
        let sum = |builds: &mut dyn Iterator<Item = &Played>| {
            builds.fold((0, 0), |sum, build| (sum.0 + build.hits, sum.1 + build.total))
        };
        let (hits, total) = sum(&mut played[..=last].iter().filter(|build| build.build >= began));
        let rate = Rate::new(hits, total.max(hits));
        let later = played[last + 1..].iter();
        let (_, since) = sum(&mut later.clone());
        Ok(Some(Fixed {
            last_with: played[last].build,
            by_chance: rate.none_by_chance(since),
            rate,
            builds_since: later.count() as u64,
            since,
            among,
        }))
    }

    /// Counts what `query` asks for in each build that still is there and of which something is known.
    fn played(&self, query: &FeedbackQuery) -> Result<(Vec<Played>, Among)> {
        let hits: BTreeMap<_, _> = self.feedback()?.count_by_build(query)?.into_iter().collect();
        let bases = self.bases()?;
        // One denominator for all builds: plays, if most of the builds that have anything have any.
        let with_sessions = bases.values().filter(|base| base.sessions > 0).count();
        let among = if with_sessions * 2 > bases.len() { Among::Sessions } else { Among::Reports };
        let wanted: Option<HashSet<BuildNumber>> = query.builds.as_ref().map(|builds| builds.iter().copied().collect());
        let builds = self.builds()?.into_iter().map(|build| build.number);
        let builds = builds.filter(|build| wanted.as_ref().is_none_or(|wanted| wanted.contains(build)));
        let played = builds.filter_map(|build| {
            let base = bases.get(&build)?;
            let total = if among == Among::Sessions { base.sessions } else { base.reports };
            let hits = hits.get(&build).copied().unwrap_or(0);
            (total > 0 || hits > 0).then_some(Played { build, hits, total })
        });
        Ok((played.collect(), among))
    }

    /// Reads what the records say while it lasts, and what others say.
    fn symptom(&self, query: &FeedbackQuery, onset: &Onset) -> Result<Symptom> {
        let index = self.feedback()?;
        let first = onset.steps[0].new;
        let lasting = |build: &BuildNumber| *build >= first && onset.last_with.is_none_or(|last| *build <= last);
        let builds: Vec<BuildNumber> = self.builds()?.iter().map(|build| build.number).filter(lasting).collect();
        let of_it = FeedbackQuery { builds: Some(builds), only_sure: true, limit: Some(MAX_RECORDS), ..query.clone() };
        let found = index.search(&of_it)?;
        let known: HashSet<u64> = found.iter().map(|found| found.number).collect();
        let speaks = |kind: &FeedbackKind| !matches!(kind, FeedbackKind::Session | FeedbackKind::Event);
        let others = FeedbackQuery {
            kinds: FeedbackKind::ALL.into_iter().filter(speaks).collect(),
            limit: Some(2 * MAX_RECORDS),
            ..FeedbackQuery::default()
        };
        let mut others = index.search(&others)?;
        others.retain(|found| !known.contains(&found.number));
        others.truncate(MAX_RECORDS);
        let records = |all: Vec<Found>| all.into_iter().map(|found| found.record).collect::<Vec<FeedbackRecord>>();
        Ok(Symptom::new(&records(found), &records(others)))
    }

    /// Ranks the files that changed where a symptom began.
    fn rank_changes(&self, onset: &Onset, symptom: &Symptom) -> Result<Vec<Suspect>> {
        let (old, new) = (self.numbered(onset.last_without)?, self.numbered(onset.first_with)?);
        let diff = self.diff(&old, &new, &[])?;
        let weights = self.step_weights(onset)?;
        let churn = self.churn(onset.last_without)?;
        let details = detail::details(self.reader(), &diff, &INSIDE)?;
        let files = diff.changes.iter().enumerate().filter(|(_, difference)| is_file_that_changed(difference));
        let candidates = files.map(|(index, difference)| {
            let path = difference.change.path.as_str();
            Candidate {
                path,
                kind: difference.change.kind,
                class: difference.class,
                changed_bytes: difference.changed_bytes,
                inside: details.get(&index).map(inside).unwrap_or_default(),
                // With one step there are no weights: all changed in it.
                weight: weights.as_ref().map_or(1.0, |weights| weights.get(path).copied().unwrap_or(0.0)),
                churn: churn.get(path).copied().unwrap_or(0.0),
            }
        });
        Ok(rank(&candidates.collect::<Vec<_>>(), symptom))
    }

    /// Returns for each path how probable it is that the symptom began with one of the steps in which it changed; `None` if there
    /// is one step alone.
    fn step_weights(&self, onset: &Onset) -> Result<Option<BTreeMap<String, f64>>> {
        if onset.steps.len() == 1 {
            return Ok(None);
        }
        let mut steps = onset.steps.clone();
        steps.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        steps.truncate(MAX_STEPS);
        let mut weights: BTreeMap<String, f64> = BTreeMap::new();
        for step in steps {
            for path in paths(&self.diff(&self.numbered(step.old)?, &self.numbered(step.new)?, &[])?) {
                *weights.entry(path).or_default() += step.weight;
            }
        }
        Ok(Some(weights))
    }

    /// Returns in which share of the builds before `last` each path changed.
    fn churn(&self, last: BuildNumber) -> Result<BTreeMap<String, f64>> {
        let mut builds = self.builds()?;
        builds.retain(|build| build.number <= last);
        let earlier = &builds[builds.len().saturating_sub(EARLIER + 1)..];
        let mut churn: BTreeMap<String, f64> = BTreeMap::new();
        for pair in earlier.windows(2) {
            for path in paths(&self.diff(&pair[0], &pair[1], &[])?) {
                *churn.entry(path).or_default() += 1.0 / EARLIER as f64;
            }
        }
        Ok(churn)
    }

    fn numbered(&self, number: BuildNumber) -> Result<Build> {
        self.build(&number.to_string())
    }
}

/// A file that was only written again is as it was.
fn is_file_that_changed(difference: &Difference) -> bool {
    !difference.is_folder() && difference.change.kind != ChangeKind::Touched
}

fn paths(diff: &Diff) -> impl Iterator<Item = String> {
    let changed = diff.changes.iter().filter(|difference| is_file_that_changed(difference));
    changed.map(|difference| difference.change.path.clone())
}

/// Returns the text of what changed inside of a file.
fn inside(detail: &Detail) -> String {
    let mut text = String::new();
    let mut add = |line: &str| {
        if text.len() + line.len() < MAX_INSIDE {
            text.push_str(line);
            text.push('\n');
        }
    };
    match detail {
        Detail::Text(change) => {
            // With the lines around, which often say what function it is.
            change.hunks.iter().flat_map(|hunk| &hunk.lines).for_each(|line| add(&line.text));
        }
        Detail::Settings(change) => change.settings.iter().for_each(|setting| add(&setting.key)),
        Detail::Members(change) => change.changes.iter().for_each(|member| add(&member.name)),
        Detail::Picture(_) | Detail::Sound(_) | Detail::Unreadable { .. } => {}
    }
    text
}
