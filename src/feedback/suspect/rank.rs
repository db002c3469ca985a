//! Which of the files that changed is behind a symptom.
//!
//! Each piece of evidence is worth some points; their sum orders the files. The weights were found by trying, on changes with known
//! causes; they are no probabilities.

use super::symptom::{Source, Symptom, Term};
use super::terms::{terms, whole};
use crate::compare::{ChangeKind, Class};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Points for what a file's own name has in common with the symptom, for its folders, and for what changed inside of it.
const NAME: f64 = 4.0;
const FOLDER: f64 = 2.0;
const INSIDE: f64 = 2.0;

/// Points for the sort of asset, at most for the size of the change, and off for a file that changed in all earlier builds.
const SORT: f64 = 1.5;
const SIZE: f64 = 0.5;
const CHURN: f64 = 3.0;

/// Points off for what only has another name or other attributes.
const SAME_BYTES: f64 = 2.0;

/// How much each further term counts beside the one that tells most.
const FURTHER: f64 = 0.4;

/// Terms that a reason names.
const MAX_NAMED: usize = 4;

/// How much terms count by where in the records they stand.
const SOURCES: [(Source, f64); 4] =
    [(Source::Stack, 1.3), (Source::Level, 1.2), (Source::Said, 1.0), (Source::Platform, 0.8)];

/// What players call things of each sort.
const SORTS: [(&[Class], &str); 6] = [
    (&[Class::Sound], "sound sounds audio music volume loud quiet silent silence mute muted hear noise crackle"),
    (&[Class::Picture], "texture textures blurry pixelated pixels icon sprite flicker flickers black pink white color"),
    (&[Class::Model], "model mesh animation animations pose walk limb clipping"),
    (&[Class::Video], "cutscene video movie intro"),
    (&[Class::Font, Class::Document], "font letters text subtitle subtitles typo translation language words"),
    (&[Class::Program, Class::Code], "crash crashes crashed freeze freezes froze hang hangs exception"),
];

/// A file that changed.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// Its path.
    pub path: &'a str,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What sort of asset it is.
    pub class: Class,
    /// How many bytes of it are new.
    pub changed_bytes: u64,
    /// What changed inside of it, as far as that is text: lines, keys of settings, names of members.
    pub inside: String,
    /// How probable it is that the symptom began with one of the steps in which it changed.
    pub weight: f64,
    /// In which share of earlier steps it changed as well.
    pub churn: f64,
}

/// A file that may be behind a symptom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// Its path.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The sum of all evidence; more is more suspect.
    pub score: f64,
    /// What speaks for and against it, the weightiest first.
    pub reasons: Vec<Reason>,
}

impl Suspect {
    /// Tells whether what the records say leads to it: not only that it changed then.
    pub fn is_named(&self) -> bool {
        self.reasons.iter().any(|reason| reason.kind.is_of_records() && reason.points > 0.5)
    }
}

/// Why a file is suspect or is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// The sort of reason.
    #[serde(flatten)]
    pub kind: ReasonKind,
    /// What it is worth; below 0 if it speaks against it.
    pub points: f64,
}

/// The sort of a reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ReasonKind {
    /// The records' stacks, levels, texts or platform name the file.
    Name {
        /// The words, as the records write them.
        words: Vec<String>,
        /// The share of the records that have the first of them, 0 to 1.
        share: f64,
    },
    /// They name a folder that it is in.
    Folder {
        /// The words.
        words: Vec<String>,
        /// The share of the records that have the first of them, 0 to 1.
        share: f64,
    },
    /// They name what changed inside of it.
    Inside {
        /// The words.
        words: Vec<String>,
        /// The share of the records that have the first of them, 0 to 1.
        share: f64,
    },
    /// They speak of what such files hold.
    Sort {
        /// The words.
        words: Vec<String>,
    },
    /// Much of it is new.
    Size {
        /// How many bytes.
        bytes: u64,
    },
    /// It did not change in the step in which the symptom most probably began.
    Step {
        /// How probable it is that it began in those in which it changed.
        probability: f64,
    },
    /// It changes in other builds as well.
    Churn {
        /// In which share of them.
        share: f64,
    },
    /// Its bytes are the same.
    SameBytes,
}

impl ReasonKind {
    fn is_of_records(&self) -> bool {
        matches!(self, ReasonKind::Name { .. } | ReasonKind::Folder { .. } | ReasonKind::Inside { .. })
    }
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |share: &f64| format!("{:.0} % of the records", share * 100.0);
        match self {
            ReasonKind::Name { words, share } => write!(f, "{} name it: {}", of(share), words.join(", ")),
            ReasonKind::Folder { words, share } => write!(f, "{} name its folder: {}", of(share), words.join(", ")),
            ReasonKind::Inside { words, share } => {
                write!(f, "{} speak of what changed inside: {}", of(share), words.join(", "))
            }
            ReasonKind::Sort { words } => write!(f, "its sort of file: {}", words.join(", ")),
            ReasonKind::Size { bytes } => write!(f, "{bytes} new bytes"),
            ReasonKind::Step { probability } => write!(f, "changed where it began by {:.0} %", probability * 100.0),
            ReasonKind::Churn { share } => write!(f, "changes in {:.0} % of earlier builds too", share * 100.0),
            ReasonKind::SameBytes => f.write_str("has the same bytes as before"),
        }
    }
}

/// The terms of a candidate.
struct Terms {
    name: BTreeSet<String>,
    folders: BTreeSet<String>,
    inside: BTreeSet<String>,
}

/// Orders the files that changed, the most suspect first.
pub fn rank(candidates: &[Candidate<'_>], symptom: &Symptom) -> Vec<Suspect> {
    let all: Vec<Terms> = candidates.iter().map(terms_of).collect();
    let frequency = Frequency::of(&all);
    let sorts = spoken_sorts(symptom);
    let mut suspects: Vec<Suspect> = candidates
        .iter()
        .zip(&all)
        .map(|(candidate, terms)| {
            let mut reasons = from_records(terms, symptom, &frequency);
            reasons.extend(from_change(candidate, &sorts));
            reasons.retain(|reason| reason.points.abs() >= 0.01);
            reasons.sort_by(|a, b| b.points.abs().total_cmp(&a.points.abs()));
            let score = reasons.iter().map(|reason| reason.points).sum();
            Suspect { path: candidate.path.to_owned(), kind: candidate.kind, score, reasons }
        })
        .collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
    suspects
}

fn terms_of(candidate: &Candidate<'_>) -> Terms {
    let (folders, name) = candidate.path.rsplit_once('/').unwrap_or(("", candidate.path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut own: BTreeSet<String> = terms(stem).into_keys().collect();
    own.insert(whole(stem));
    let mut of_folders = BTreeSet::new();
    for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
        of_folders.extend(terms(folder).into_keys());
        of_folders.insert(whole(folder));
    }
    of_folders.retain(|term| !own.contains(term));
    let inside = terms(&candidate.inside).into_keys().filter(|term| !own.contains(term)).collect();
    Terms { name: own, folders: of_folders, inside }
}

/// How many of the files have a term: what all have tells them not apart.
struct Frequency {
    files: BTreeMap<String, usize>,
    count: usize,
}

impl Frequency {
    fn of(all: &[Terms]) -> Frequency {
        let mut files: BTreeMap<String, usize> = BTreeMap::new();
        for terms in all {
            let each: BTreeSet<&String> = terms.name.iter().chain(&terms.folders).chain(&terms.inside).collect();
            each.into_iter().for_each(|term| *files.entry(term.clone()).or_default() += 1);
        }
        Frequency { files, count: all.len() }
    }

    /// Returns 1 for what one file alone has, less for what more have.
    fn rarity(&self, term: &str) -> f64 {
        let files = self.files.get(term).copied().unwrap_or(1) as f64;
        let all = self.count as f64 + 1.0;
        (all / files).ln() / all.ln()
    }
}

/// Returns what the records say about a file.
fn from_records(terms: &Terms, symptom: &Symptom, frequency: &Frequency) -> Vec<Reason> {
    let parts = [(NAME, &terms.name, 0), (FOLDER, &terms.folders, 1), (INSIDE, &terms.inside, 2)];
    let mut reasons = Vec::new();
    for (weight, terms, part) in parts {
        let mut met: Vec<(f64, &Term)> = Vec::new();
        for term in terms {
            let sources = SOURCES.iter().filter_map(|(source, weight)| Some((weight, symptom.term(*source, term)?)));
            let strength = |(weight, known): (&f64, &Term)| weight * known.strength * frequency.rarity(term);
            met.extend(sources.map(|found| (strength(found), found.1)));
        }
        met.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some((_, first)) = met.first() else { continue };
        let share = first.share;
        let points = met.iter().enumerate().map(|(at, (strength, _))| strength * FURTHER.powi(at.min(30) as i32));
        let points = weight * points.sum::<f64>();
        let mut words: Vec<String> = Vec::new();
        for (_, term) in met {
            if words.len() < MAX_NAMED && !words.contains(&term.written) {
                words.push(term.written.clone());
            }
        }
        let kind = match part {
            0 => ReasonKind::Name { words, share },
            1 => ReasonKind::Folder { words, share },
            _ => ReasonKind::Inside { words, share },
        };
        reasons.push(Reason { kind, points });
    }
    reasons
}

/// The sorts of assets that the records speak of.
fn spoken_sorts(symptom: &Symptom) -> Vec<(&'static [Class], f64, Vec<String>)> {
    let spoken = |(classes, words): &(&'static [Class], &str)| {
        let mut met: Vec<&Term> = terms(words).keys().filter_map(|term| symptom.term(Source::Said, term)).collect();
        met.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        let strength = met.first()?.strength;
        Some((*classes, strength, met.iter().take(MAX_NAMED).map(|term| term.written.clone()).collect()))
    };
    SORTS.iter().filter_map(spoken).collect()
}

/// Returns what the change itself says.
fn from_change(candidate: &Candidate<'_>, sorts: &[(&'static [Class], f64, Vec<String>)]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |kind, points| reasons.push(Reason { kind, points });
    for (classes, strength, words) in sorts {
        if classes.contains(&candidate.class) {
            add(ReasonKind::Sort { words: words.clone() }, SORT * strength);
        }
    }
    if candidate.kind == ChangeKind::Attributes {
        add(ReasonKind::SameBytes, -SAME_BYTES);
    }
    // From a few bytes to a gigabyte.
    let size = (candidate.changed_bytes as f64 + 1.0).log10() / 9.0;
    add(ReasonKind::Size { bytes: candidate.changed_bytes }, SIZE * size.min(1.0));
    add(ReasonKind::Churn { share: candidate.churn }, -CHURN * candidate.churn);
    // As odds: what changed only where it hardly can have begun is out.
    add(ReasonKind::Step { probability: candidate.weight }, candidate.weight.max(1e-3).ln());
    reasons
}
