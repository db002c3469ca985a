//! The index of the vault, brought up to what the catalogue knows, and the links in it.

use crate::catalogue::NumberedPlaytest;
use crate::catalogue::feedback::{
    Deployment, FeedbackBatch, FeedbackIndex, FeedbackQuery, FeedbackRecord, FeedbackSource, Found, IndexWriter, Link,
    LinkMethod, RecordId,
};
use crate::content::FileBytes;
use crate::error::{Error, ErrorKind, Result};
use crate::feedback::Knowledge;
use crate::vault::Vault;
use crate::vault::repair::remove_database;
use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The index's file in a vault.
pub(in crate::vault) const INDEX: &str = "feedback.db";

/// The file of a batch with its records.
pub(super) const RECORDS: &str = "records.jsonl";

/// Links that are looked at in one go, so that memory does not grow with the index.
const RELINK_STEP: usize = 20_000;

/// What is read at once of a batch's records.
const READ_LEN: usize = 256 << 10;

/// What a relinking did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Relinked {
    /// Records looked at.
    pub records: u64,
    /// Records that are about other builds now.
    pub changed: u64,
    /// Records about exactly one build.
    pub linked: u64,
    /// Records that may be about several.
    pub ambiguous: u64,
    /// Records about none that is known.
    pub unlinked: u64,
}

impl Relinked {
    pub(super) fn count(&mut self, builds: usize) {
        self.records += 1;
        match builds {
            0 => self.unlinked += 1,
            1 => self.linked += 1,
            _ => self.ambiguous += 1,
        }
    }
}

impl Vault {
    /// Returns all imports of feedback in their order.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn feedback_batches(&self) -> Result<Vec<FeedbackBatch>> {
        self.store().catalogue().feedback_batches()
    }

    /// Returns all deployments in the order in which they were recorded.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn deployments(&self) -> Result<Vec<Deployment>> {
        self.store().catalogue().deployments()
    }

    /// Returns the path of the index over feedback; beside it are files whose names start with its own.
    pub fn feedback_index_path(&self) -> PathBuf {
        self.disk.absolute(Path::new(INDEX))
    }

    /// Returns the index over feedback, with all that was imported and played.
    ///
    /// What other processes imported since is put in first, which takes as long as its import did where the index was lost.
    ///
    /// # Errors
    /// Those of the databases and of the store.
    pub fn feedback(&self) -> Result<Arc<FeedbackIndex>> {
        let index = self.open_feedback()?;
        let (batches, known) = (self.feedback_batches()?, index.sources()?);
        let current = |batch: &FeedbackBatch| known.get(&FeedbackSource::Batch(batch.order)) == Some(&batch.revision);
        let are_played =
            self.numbered_playtests()?.iter().all(|one| known.contains_key(&FeedbackSource::Playtest(one.number)));
        if !batches.iter().all(current) || !are_played {
            index.write(|writer| self.catch_up(&index, writer))?;
        }
        Ok(index)
    }

    /// Returns a number that grows with every change of the index over feedback.
    ///
    /// # Errors
    /// Those of the database.
    pub fn feedback_generation(&self) -> Result<u64> {
        self.open_feedback()?.generation()
    }

    fn open_feedback(&self) -> Result<Arc<FeedbackIndex>> {
        let mut open = self.feedback.lock();
        if let Some(index) = &*open {
            return Ok(index.clone());
        }
        let (name, path) = (Path::new(INDEX), self.feedback_index_path());
        if let Err(error) = self.disk.open(name) {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            self.create_index(name)?;
        }
        let index = match FeedbackIndex::open(&path) {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tracing::warn!(%error, "the index over feedback is made anew");
                remove_database(&*self.disk, INDEX)?;
                self.create_index(name)?;
                FeedbackIndex::open(&path)?
            }
            other => other?,
        };
        let index = Arc::new(index);
        *open = Some(index.clone());
        Ok(index)
    }

    fn create_index(&self, name: &Path) -> Result<()> {
        match self.disk.create(name) {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::Exists => Ok(()),
            other => other.map(drop),
        }
    }

    /// Puts what the catalogue has and the index has not into the index.
    pub(super) fn catch_up(&self, index: &FeedbackIndex, writer: &mut IndexWriter<'_>) -> Result<()> {
        let known = index.sources()?;
        let mut knowledge = None;
        for batch in self.feedback_batches()? {
            let source = FeedbackSource::Batch(batch.order);
            match known.get(&source) {
                Some(&revision) if revision == batch.revision => continue,
                Some(_) => writer.remove_source(source)?,
                None => {}
            }
            if knowledge.is_none() {
                knowledge = Some(self.link_knowledge(index, writer)?);
            }
            let knowledge = knowledge.as_mut().expect("it was just made");
            self.for_each_record(&batch, &mut |record, json| {
                let link = knowledge.link(&record);
                writer.put(source, record.id(), &record, json, &link).map(drop)
            })?;
            writer.note_source(source, batch.revision)?;
        }
        for NumberedPlaytest { number, playtest } in self.numbered_playtests()? {
            let source = FeedbackSource::Playtest(number);
            if known.contains_key(&source) {
                continue;
            }
            let link = Link { builds: vec![playtest.build], method: Some(LinkMethod::Given) };
            for record in self.records_of_session(&playtest)? {
                let json = serde_json::to_string(&record).expect("its keys are strings");
                writer.put(source, record.id(), &record, &json, &link)?;
            }
            writer.note_source(source, 0)?;
        }
        Ok(())
    }

    /// Calls `visit` for each record of a batch, with its JSON.
    pub(super) fn for_each_record(
        &self,
        batch: &FeedbackBatch,
        visit: &mut dyn FnMut(FeedbackRecord, &str) -> Result<()>,
    ) -> Result<()> {
        let damaged = |why: String| Error::corrupt(format!("the records of feedback import {}: {why}", batch.order));
        let content = self.reader().file_at(batch.root.id, RECORDS.as_bytes())?;
        let content = content.ok_or_else(|| damaged("they are not there".into()))?;
        let mut lines = BufReader::with_capacity(READ_LEN, FileBytes::new(self.reader(), content));
        let mut line = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line).map_err(|error| damaged(error.to_string()))? == 0 {
                return Ok(());
            }
            let json = line.trim_end_matches('\n');
            visit(serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?, json)?;
        }
    }

    /// Gathers what links records to builds; builds that were not looked through yet are, and their marks kept.
    pub(super) fn link_knowledge(&self, index: &FeedbackIndex, writer: &mut IndexWriter<'_>) -> Result<Knowledge> {
        let builds = self.builds()?;
        let marked = index.marked_builds()?;
        let mut marks = index.marks()?;
        for build in builds.iter().filter(|build| !marked.contains(&build.number)) {
            let own = self.marks_of(build)?;
            writer.set_marks(build.number, &own)?;
            for mark in own {
                marks.entry(mark).or_default().push(build.number);
            }
        }
        Ok(Knowledge::new(&builds, marks, self.deployments()?))
    }

    /// Links all records anew, by what is known of builds and deployments now.
    ///
    /// # Errors
    /// Those of the databases and of the store.
    pub fn relink_feedback(&self) -> Result<Relinked> {
        let index = self.feedback()?;
        index.write(|writer| {
            let mut knowledge = self.link_knowledge(&index, writer)?;
            let mut relinked = Relinked::default();
            let mut after = None;
            loop {
                let step =
                    FeedbackQuery { after, oldest_first: true, limit: Some(RELINK_STEP), ..FeedbackQuery::default() };
                let found = index.search(&step)?;
                let Some(last) = found.last() else { return Ok(relinked) };
                after = Some(last.number);
                for Found { id, record, link, .. } in &found {
                    let new = knowledge.link(record);
                    relinked.count(new.builds.len());
                    if new != *link && writer.relink(*id, &new)? {
                        relinked.changed += 1;
                    }
                }
            }
        })
    }

    /// Returns the record with the id `id`, or the only one whose id starts so.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it is no id, or if several start so.
    pub fn feedback_record(&self, id: &str) -> Result<Found> {
        let index = self.feedback()?;
        let none = || {
            Error::not_found(format!("there is no record \"{id}\""))
                .with_hint("`gamevault feedback list` and `gamevault feedback search` show their ids")
        };
        let whole = format!("{id:0<32}");
        let start = RecordId::parse(&whole)?;
        let even = id.len() / 2;
        let ids: HashSet<RecordId> = index.ids_from(&start.0[..even], 1000)?.into_iter().collect();
        let folded = id.to_ascii_lowercase();
        let mut fitting = ids.into_iter().filter(|known| known.to_string().starts_with(&folded));
        let found = fitting.next().filter(|_| !id.is_empty()).ok_or_else(none)?;
        if fitting.next().is_some() {
            return Err(Error::invalid(format!("the ids of several records start with \"{id}\""))
                .with_hint("give more of the id"));
        }
        index.record_by_id(found)?.ok_or_else(none)
    }
}
