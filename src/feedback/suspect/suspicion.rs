//! What is told of a symptom: where it began and which changes may be behind it, and whether it is over.

use super::{NoOnset, Onset, Played, Suspect};
use crate::feedback::{Among, Rate};
use crate::id::BuildNumber;
use serde::Serialize;

/// What is known of where a symptom began, and which changes may be behind it.
#[derive(Debug, Clone, Serialize)]
pub struct Suspicion {
    /// The counts of the builds of which something is known, in their order.
    pub played: Vec<Played>,
    /// Among what is counted.
    pub among: Among,
    /// Where it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<Onset>,
    /// Why that cannot be told: there is not enough data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_enough: Option<NoOnset>,
    /// What the records have in common, as they write it.
    pub telling: Vec<String>,
    /// The files that changed there, the most suspect first.
    pub suspects: Vec<Suspect>,
    /// The commits that the builds between name, newest first.
    pub commits: Vec<String>,
}

impl Suspicion {
    /// Tells whether the records lead to one of the files: otherwise all that is known is that these changed.
    pub fn names_files(&self) -> bool {
        self.suspects.first().is_some_and(Suspect::is_named)
    }
}

/// Whether something is over.
#[derive(Debug, Clone, Serialize)]
pub struct Fixed {
    /// The last build that shows it.
    pub last_with: BuildNumber,
    /// How often it showed from where it began up to there.
    pub rate: Rate,
    /// The builds after it of which something is known.
    pub builds_since: u64,
    /// The plays or reports of these.
    pub since: u64,
    /// Among what is counted.
    pub among: Among,
    /// How probable it is that nothing shows since by chance, 0 to 1.
    pub by_chance: f64,
}
