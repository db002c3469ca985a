//! A record as programs read it: all that it says, and which builds it is about.

use crate::catalogue::Build;
use crate::catalogue::feedback::{FeedbackRecord, Found, LinkMethod};
use crate::id::BuildNumber;
use serde::Serialize;

/// A record with its builds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// The builds that it is about; several when nothing tells them apart.
    pub builds: Vec<BuildName>,
    /// How they were found.
    pub method: Option<LinkMethod>,
    /// How sure each of the builds is, in per cent.
    pub confidence: u8,
    /// What it says.
    #[serde(flatten)]
    pub record: FeedbackRecord,
}

/// A build by number and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildName {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: String,
}

impl RecordView {
    /// Makes the view of a record, with the ids of its builds out of `builds`, which are sorted by number.
    pub fn new(found: &Found, builds: &[Build]) -> RecordView {
        let named = |number: &BuildNumber| BuildName { number: number.0, id: id_of(*number, builds) };
        RecordView {
            id: found.id.to_string(),
            builds: found.link.builds.iter().map(named).collect(),
            method: found.link.method,
            confidence: found.link.confidence(),
            record: found.record.clone(),
        }
    }
}

/// Returns the id of a build out of `builds`, which are sorted by number; its number if it is gone.
pub fn id_of(number: BuildNumber, builds: &[Build]) -> String {
    match builds.binary_search_by_key(&number, |build| build.number) {
        Ok(index) => builds[index].id.to_string(),
        Err(_) => format!("#{number}"),
    }
}
