//! What is shown of the records of a build: a summary, all of them as lines and as a table, and a folder for each report.

use crate::catalogue::Build;
use crate::catalogue::feedback::{FeedbackBatch, FeedbackKind, FeedbackQuery, FeedbackSource, Found};
use crate::error::{Error, Result};
use crate::id::{BuildNumber, ChunkId};
use crate::manifest::{Attributes, Entry, EntryKind, Timestamp};
use crate::name::{FileName, safe};
use crate::report::records::{Csv, RecordView, Summary, folder_name, id_of, report};
use crate::tree::Tree;
use crate::tree::made::Draft;
use crate::vault::Vault;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

/// The most reports that have a folder, the last imported ones; the others are in `records.jsonl` alone.
const MAX_REPORTS: usize = 20_000;

/// The permission bits of an attachment.
const FILE_MODE: u16 = 0o644;

/// Digits of a record's id that tell reports of one name apart.
const ID_DIGITS: usize = 6;

/// Makes the content of the folder that stands for `of`: the build's number, and the state of the index.
pub(super) fn make(tree: &Tree, of: &str) -> Result<Draft> {
    let number = of.split('@').next().and_then(|number| number.parse::<u64>().ok());
    let number = number.ok_or_else(|| Error::not_found(format!("no build is called {of}")))?;
    let vault = tree.vault.clone();
    let view = tree.view()?;
    let build = view.numbered(number).cloned();
    let playtests = view.playtests_after(BuildNumber(number), 0).len() as u64;
    let query = query(number);
    let mut shown =
        Shown { draft: Draft::default(), batches: batches(&vault)?, taken: HashSet::new(), vault: vault.clone() };
    let newest = FeedbackQuery { limit: Some(MAX_REPORTS), kinds: REPORTS.to_vec(), ..query.clone() };
    vault.feedback()?.for_each(&newest, &mut |found| shown.report(&found, build.as_deref()))?;
    let mut draft = shown.draft;
    let name = build.map_or("no known build".to_owned(), |build| format!("build {}", build.id));
    let (of_all, for_summary) = ((vault.clone(), query.clone()), (vault.clone(), query.clone()));
    let for_csv = (vault, query);
    draft.add_text(b"summary.md", move || summary(&for_summary.0, &for_summary.1, &name, playtests));
    draft.add_text(b"records.jsonl", move || lines(&of_all.0, &of_all.1));
    draft.add_text(b"records.csv", move || csv(&for_csv.0, &for_csv.1));
    Ok(draft)
}

/// What has a folder of its own: what somebody said or a program reported, not what just happened.
const REPORTS: [FeedbackKind; 5] =
    [FeedbackKind::Bug, FeedbackKind::Comment, FeedbackKind::Crash, FeedbackKind::Review, FeedbackKind::Survey];

fn query(number: u64) -> FeedbackQuery {
    let builds = if number == 0 { Vec::new() } else { vec![BuildNumber(number)] };
    FeedbackQuery { builds: Some(builds), ..FeedbackQuery::default() }
}

/// An import, as far as its attachments go.
#[derive(Clone, Copy)]
struct Batch {
    root: ChunkId,
    mtime: Timestamp,
}

/// Returns the imports by their order.
fn batches(vault: &Vault) -> Result<HashMap<u64, Batch>> {
    let batch = |batch: FeedbackBatch| {
        (batch.order, Batch { root: batch.root.id, mtime: SystemTime::from(batch.created).into() })
    };
    Ok(vault.feedback_batches()?.into_iter().map(batch).collect())
}

struct Shown {
    draft: Draft,
    batches: HashMap<u64, Batch>,
    /// The names of reports that are given away.
    taken: HashSet<String>,
    vault: Arc<Vault>,
}

impl Shown {
    fn report(&mut self, found: &Found, build: Option<&Build>) -> Result<()> {
        let mut name = folder_name(found);
        if !self.taken.insert(name.clone()) {
            name = format!("{name}-{}", &found.id.to_string()[..ID_DIGITS]);
            self.taken.insert(name.clone());
        }
        let folder = format!("reports/{name}");
        let (vault, number) = (self.vault.clone(), found.number);
        self.draft.add_text(format!("{folder}/report.md").as_bytes(), move || page(&vault, number));
        if let Some(build) = build {
            self.draft
                .add_link(format!("{folder}/build").as_bytes(), format!("../../../../builds/{}", build.id).as_bytes());
        }
        for file in &found.record.attachments {
            if let (Some(path), FeedbackSource::Batch(order)) = (&file.path, found.source)
                && let Some(&batch) = self.batches.get(&order)
            {
                self.attachment(batch, path, &format!("{folder}/{}", safe(&file.name)))?;
            }
        }
        let record = &found.record;
        let mut by = |sort: &str, word: &str| {
            let link = format!("{sort}/{}/{name}", safe(word));
            self.draft.add_link(link.as_bytes(), format!("../../reports/{name}").as_bytes());
        };
        by("by-kind", record.kind.code());
        record.tags.iter().for_each(|tag| by("by-tag", tag));
        if let Some(player) = &record.player {
            by("by-player", player);
        }
        Ok(())
    }

    fn attachment(&mut self, batch: Batch, path: &str, shown: &str) -> Result<()> {
        let path = format!("attachments/{path}");
        let Some(content) = self.vault.reader().file_at(batch.root, path.as_bytes())? else { return Ok(()) };
        let attributes = Attributes { mode: FILE_MODE, mtime: batch.mtime, xattrs: None };
        let name = shown.rsplit('/').next().unwrap_or(shown);
        let entry = Entry { name: FileName::new(name.as_bytes())?, attributes, kind: EntryKind::File(content) };
        self.draft.add_stored(shown.as_bytes(), &entry);
        Ok(())
    }
}

fn page(vault: &Vault, number: u64) -> Result<Vec<u8>> {
    let found = vault.feedback()?.record(number)?;
    let found = found.ok_or_else(|| Error::not_found("the record was forgotten"))?;
    let names = Names::of(vault)?;
    Ok(report(&found, &names.joined(&found)).into_bytes())
}

fn summary(vault: &Vault, query: &FeedbackQuery, name: &str, playtests: u64) -> Result<Vec<u8>> {
    let mut summary = Summary::default();
    vault.feedback()?.for_each(query, &mut |found| {
        summary.add(&found);
        Ok(())
    })?;
    Ok(summary.markdown(name, playtests).into_bytes())
}

fn lines(vault: &Vault, query: &FeedbackQuery) -> Result<Vec<u8>> {
    let names = Names::of(vault)?;
    let mut lines = Vec::new();
    let oldest_first = FeedbackQuery { oldest_first: true, ..query.clone() };
    vault.feedback()?.for_each(&oldest_first, &mut |found| {
        serde_json::to_writer(&mut lines, &names.view(&found)).expect("its keys are strings");
        lines.push(b'\n');
        Ok(())
    })?;
    Ok(lines)
}

fn csv(vault: &Vault, query: &FeedbackQuery) -> Result<Vec<u8>> {
    let names = Names::of(vault)?;
    let mut csv = Csv::new();
    let oldest_first = FeedbackQuery { oldest_first: true, ..query.clone() };
    vault.feedback()?.for_each(&oldest_first, &mut |found| {
        csv.add(&found, &names.joined(&found));
        Ok(())
    })?;
    Ok(csv.finish().into_bytes())
}

/// How builds are called.
struct Names(Vec<Build>);

impl Names {
    fn of(vault: &Vault) -> Result<Names> {
        vault.builds().map(Names)
    }

    fn joined(&self, found: &Found) -> String {
        let names: Vec<String> = found.link.builds.iter().map(|&build| id_of(build, &self.0)).collect();
        if names.is_empty() { "not known".to_owned() } else { names.join(" or ") }
    }

    fn view(&self, found: &Found) -> RecordView {
        RecordView::new(found, &self.0)
    }
}
