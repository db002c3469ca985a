//! What packs keep of feedback: each import with all its records, and what was deployed where.

use crate::catalogue::rows::{parse, to_json};
use crate::catalogue::{Catalogue, Publish};
use crate::error::Result;
use crate::id::BuildNumber;
use crate::manifest::{Attributes, Directory};
use crate::name::RefName;
use jiff::Timestamp;
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// One import: a manifest with the records, the files they are from, and what came with them.
///
/// ```text
/// records.jsonl    a FeedbackRecord a line: those that were new or had changed
/// rejected.jsonl   what is no record, and why
/// raw/…            the files as they were
/// attachments/…    what came with records
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackBatch {
    /// Its place among all imports; a later one says more of a record that both have.
    pub order: u64,
    /// Counts how often players were taken out of it; of several with one order, the highest counts.
    pub revision: u32,
    /// When it was imported, or revised.
    pub created: Timestamp,
    /// The names of the files.
    pub files: Vec<String>,
    /// The forms that they had.
    pub formats: Vec<String>,
    /// How many records there are in it.
    pub records: u64,
    /// How many pieces were no records.
    pub rejected: u64,
    /// The root directory of its manifest.
    pub root: Directory,
    /// Mode and time of the root directory itself.
    pub attributes: Attributes,
    /// Bytes that its new chunks took in the store.
    pub stored_bytes: u64,
}

/// A build that went to where players get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Its place among all deployments.
    pub serial: u64,
    /// The build.
    pub build: BuildNumber,
    /// `steam`, `itch`, `testflight`, `play`, or another word.
    pub store: RefName,
    /// The store's name of the game or the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The number that the store gave the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_build: Option<String>,
    /// The branch or track; without one, what everybody gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Since when players got it there.
    pub time: Timestamp,
    /// When that was written down.
    pub recorded: Timestamp,
}

impl Catalogue {
    /// Returns all imports in their order.
    pub fn feedback_batches(&self) -> Result<Vec<FeedbackBatch>> {
        self.feedback_rows("SELECT record FROM feedback_batch ORDER BY number")
    }

    /// Returns all deployments in their order.
    pub fn deployments(&self) -> Result<Vec<Deployment>> {
        self.feedback_rows("SELECT record FROM deployment ORDER BY serial")
    }

    fn feedback_rows<T: serde::de::DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>> {
        let rows: Vec<String> =
            self.read(|connection| connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect())?;
        rows.iter().map(|record| parse(record)).collect()
    }
}

impl Publish<'_> {
    /// Returns the order that the next import gets.
    pub fn next_feedback_order(&self) -> Result<u64> {
        Ok(self.counter("feedback")? + 1)
    }

    /// Returns the serial that the next deployment gets.
    pub fn next_deployment(&self) -> Result<u64> {
        Ok(self.counter("deployment")? + 1)
    }

    pub(in crate::catalogue) fn add_feedback_batch(&self, batch: &FeedbackBatch) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO feedback_batch (number, record) VALUES (?1, ?2)",
            params![batch.order as i64, to_json(batch)],
        )?;
        self.raise("feedback", batch.order)
    }

    pub(in crate::catalogue) fn add_deployment(&self, deployment: &Deployment) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO deployment (serial, record) VALUES (?1, ?2)",
            params![deployment.serial as i64, to_json(deployment)],
        )?;
        self.raise("deployment", deployment.serial)
    }
}
