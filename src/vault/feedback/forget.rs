//! Feedback is forgotten: of a player, or what is old. Builds never change, what people said must be able to.
//!
//! Each import that has such records is revised: its batch is stored anew without them, and the catalogue knows the new one
//! alone. The files as they were imported cannot be cut in two, so a revised batch has none. What only the old one held lies
//! in packs until `gc` takes it.

use super::folder::ImportFolder;
use super::import::ATTACHMENTS;
use super::index::RECORDS;
use super::players::Players;
use crate::catalogue::feedback::{FeedbackBatch, FeedbackRecord, FeedbackSource, IndexWriter};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::vault::Vault;
use jiff::Timestamp;
use std::collections::HashSet;

/// What is to be forgotten: all that fits everything that is set; something must be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetFeedback {
    /// Of this player, by the source's name or by the pseudonym.
    pub player: Option<String>,
    /// From before this time; of records without a time, imported before it.
    pub before: Option<Timestamp>,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct ForgottenFeedback {
    /// Records.
    pub records: u64,
    /// Imports that were revised.
    pub imports: u64,
}

impl Vault {
    /// Forgets feedback.
    ///
    /// # Errors
    /// `Invalid` if nothing says what; those of the store and of the databases. What was not revised yet is as it was then.
    pub fn forget_feedback(&self, what: &ForgetFeedback, progress: &Progress) -> Result<ForgottenFeedback> {
        if *what == ForgetFeedback::default() {
            return Err(Error::invalid("nothing says which feedback is to be forgotten")
                .with_hint("name a player, or a time before which everything is"));
        }
        let names = match &what.player {
            Some(player) => Some([player.clone(), Players::new(self, false)?.pseudonym(player)]),
            None => None,
        };
        let index = self.feedback()?;
        let mut forgotten = ForgottenFeedback::default();
        index.write(|writer| {
            self.catch_up(&index, writer)?;
            for batch in self.feedback_batches()? {
                let is_meant = |record: &FeedbackRecord| {
                    let time = record.time.unwrap_or(batch.created);
                    names
                        .as_ref()
                        .is_none_or(|names| record.player.as_ref().is_some_and(|player| names.contains(player)))
                        && what.before.is_none_or(|before| time < before)
                };
                let gone = self.revise(&batch, writer, &is_meant, progress)?;
                if gone > 0 {
                    forgotten.imports += 1;
                    forgotten.records += gone;
                }
            }
            Ok(())
        })?;
        if forgotten.records > 0 {
            index.scrub()?;
        }
        Ok(forgotten)
    }

    /// Takes what `is_meant` out of a batch; returns how many records that were.
    fn revise(
        &self,
        batch: &FeedbackBatch,
        writer: &mut IndexWriter<'_>,
        is_meant: &dyn Fn(&FeedbackRecord) -> bool,
        progress: &Progress,
    ) -> Result<u64> {
        let mut gone = Vec::new();
        let mut kept_files = HashSet::new();
        self.for_each_record(batch, &mut |record, _| {
            progress.check()?;
            match is_meant(&record) {
                true => gone.push(record.id()),
                false => kept_files.extend(record.attachments.into_iter().filter_map(|file| file.path)),
            }
            Ok(())
        })?;
        if gone.is_empty() {
            return Ok(0);
        }
        let folder = ImportFolder::new(self, &self.new_play_id()?)?;
        let mut records = folder.create(RECORDS)?;
        let mut kept = 0;
        self.for_each_record(batch, &mut |record, json| {
            if is_meant(&record) {
                return Ok(());
            }
            kept += 1;
            records.append(json.as_bytes())?;
            records.append(b"\n")
        })?;
        records.finish()?;
        for path in kept_files {
            self.copy_attachment(batch, &folder, &path)?;
        }
        let _writing = self.store().begin_writing()?;
        let stored = self.store_batch(&folder, progress)?;
        for &id in &gone {
            writer.remove(id)?;
        }
        let revised = FeedbackBatch {
            revision: batch.revision + 1,
            created: Timestamp::now(),
            records: kept,
            rejected: 0,
            root: stored.root,
            attributes: stored.attributes,
            stored_bytes: stored.stored_bytes,
            ..batch.clone()
        };
        writer.note_source(FeedbackSource::Batch(batch.order), revised.revision)?;
        self.publish_batch(revised)?;
        Ok(gone.len() as u64)
    }

    /// Copies a file of a batch to the same place in the folder of its revision.
    fn copy_attachment(&self, batch: &FeedbackBatch, folder: &ImportFolder, path: &str) -> Result<()> {
        let path = format!("{ATTACHMENTS}/{path}");
        let Some(content) = self.reader().file_at(batch.root.id, path.as_bytes())? else { return Ok(()) };
        let mut copy = folder.create(&path)?;
        let mut buffer = vec![0; COPY_LEN];
        let mut at = 0;
        while at < content.size {
            let len = self.reader().read_at(&content, at, &mut buffer)?;
            copy.append(&buffer[..len])?;
            at += len as u64;
        }
        copy.finish()
    }
}

/// What is copied at once.
const COPY_LEN: usize = 256 << 10;
