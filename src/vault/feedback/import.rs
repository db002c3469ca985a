//! Files of feedback come in: their records go to the index and, with the files themselves, to packs.
//!
//! The index and the packs are written in one go: the index's transaction is open while files are read, so that a record that
//! is known is seen as such, and is committed after the batch is published. A process that is killed between the two leaves a
//! batch that the next one puts into the index.

use super::folder::{FileWriter, ImportFolder};
use super::index::{RECORDS, Relinked};
use super::players::Players;
use crate::catalogue::Record;
use crate::catalogue::feedback::{
    Attachment, FeedbackBatch, FeedbackRecord, FeedbackSource, IndexWriter, Put, RecordId,
};
use crate::error::{Error, ErrorKind, Result};
use crate::feedback::Knowledge;
use crate::feedback::import::{self, FileInfo, Format, MAX_ATTACHMENT_LEN, Mapping, Rejected, Sink};
use crate::id::BuildNumber;
use crate::ingest::directory::{EarlierTree, IngestedTree, Source, ingest_directory};
use crate::name::safe;
use crate::progress::Progress;
use crate::vault::Vault;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The file of a batch with what is no record.
const REJECTED: &str = "rejected.jsonl";

/// The folder of a batch with the files as they were, each in a folder of its own: several may have one name.
const RAW: &str = "raw";

/// The folder of a batch with what came with records.
pub(super) const ATTACHMENTS: &str = "attachments";

/// The file by which the folder of a crash of Unreal is known.
const UNREAL_CONTEXT: &str = "CrashContext.runtime-xml";

/// How files begin that gzip packed.
const GZIP: &[u8] = &[0x1F, 0x8B];

/// What is looked at to tell the form of a file.
const HEAD_LEN: usize = 64 << 10;

/// The deepest that folders are looked into.
const MAX_DEPTH: usize = 16;

/// What is read at once.
const READ_LEN: usize = 256 << 10;

/// Records and rejected pieces that a report shows.
const MAX_SHOWN: usize = 10;

/// What the user says of an import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The form of all files; that of each is told by its name and its first bytes otherwise.
    pub format: Option<Format>,
    /// The build of what says nothing better.
    pub build: Option<BuildNumber>,
    /// Players are kept under the names that their sources give them, instead of pseudonyms.
    pub keep_names: bool,
    /// Nothing is kept; the report tells what would be.
    pub dry_run: bool,
    /// How the columns of tables are to be taken.
    pub mapping: Mapping,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportReport {
    /// The order of the batch; nothing if there was nothing new.
    pub batch: Option<u64>,
    /// The forms that the files had, each once.
    pub formats: Vec<Format>,
    /// Sentences for the user.
    pub warnings: Vec<String>,
    /// Records that are new.
    pub added: u64,
    /// Records that were known and say something else now.
    pub updated: u64,
    /// Records that were known as they are.
    pub unchanged: u64,
    /// Pieces that are no records.
    pub rejected: u64,
    /// How the records that are new or updated are linked.
    pub links: Relinked,
    /// The first records, as they are kept.
    pub first: Vec<FeedbackRecord>,
    /// The first rejected pieces.
    pub first_rejected: Vec<Rejected>,
    /// Bytes that the batch took in the store.
    pub stored_bytes: u64,
}

impl Vault {
    /// Imports `files`, each of any form that [`Format`] knows, and all that are in folders among them. The folder of a crash of
    /// Unreal is one record, with its dump and its log.
    ///
    /// A record that is known already is not taken again, so a file that has grown can be imported again.
    ///
    /// # Errors
    /// `NotFound` or `Denied` for a file; those of the store and of the databases. Then nothing is imported.
    pub fn import_feedback(
        &self,
        files: &[PathBuf],
        options: &ImportOptions,
        progress: &Progress,
    ) -> Result<ImportReport> {
        let index = self.feedback()?;
        let players = Players::new(self, options.keep_names)?;
        let folder = ImportFolder::new(self, &self.new_play_id()?)?;
        let run = |writer: &mut IndexWriter<'_>| {
            self.catch_up(&index, writer)?;
            let order = self.store().catalogue().publish(|publish| publish.next_feedback_order())?;
            let mut batch = Batch {
                knowledge: self.link_knowledge(&index, writer)?,
                writer,
                source: FeedbackSource::Batch(order),
                options,
                players,
                folder: &folder,
                files: 0,
                attached: 0,
                pending: Vec::new(),
                records: folder.create(RECORDS)?,
                rejected: folder.create(REJECTED)?,
                occurrences: HashMap::new(),
                json: Vec::new(),
                report: ImportReport::default(),
                progress,
            };
            for path in files {
                batch.path(path, 0)?;
            }
            let Batch { records, rejected, writer, mut report, .. } = batch;
            records.finish()?;
            rejected.finish()?;
            if !options.dry_run && report.added + report.updated > 0 {
                let _writing = self.store().begin_writing()?;
                let stored = self.store_batch(&folder, progress)?;
                let batch = FeedbackBatch {
                    order,
                    revision: 0,
                    created: Timestamp::now(),
                    files: files.iter().map(|path| name_of(path)).collect(),
                    formats: report.formats.iter().map(|format| format.code().into()).collect(),
                    records: report.added + report.updated,
                    rejected: report.rejected,
                    root: stored.root,
                    attributes: stored.attributes,
                    stored_bytes: stored.stored_bytes,
                };
                writer.note_source(FeedbackSource::Batch(order), batch.revision)?;
                report.stored_bytes = batch.stored_bytes;
                report.batch = Some(order);
                self.publish_batch(batch)?;
            }
            Ok(report)
        };
        if options.dry_run { index.rehearse(run) } else { index.write(run) }
    }

    /// Stores what is in an import's folder.
    pub(super) fn store_batch(&self, folder: &ImportFolder, progress: &Progress) -> Result<IngestedTree> {
        // A sheet that has grown is mostly what it was.
        let earlier = self.feedback_batches()?.last().map(|batch| batch.root.id);
        let earlier = EarlierTree { reader: self.reader(), root: earlier };
        let path = folder.tree();
        let source = Source { path: &path, excluded: &[], ignore: &[], keep_caches: true, read_all: true, earlier };
        let tree = ingest_directory(self.store(), &source, progress)?;
        self.store().flush()?;
        assert!(self.store().is_durable(tree.ticket)?, "a flush makes every ticket given out before durable or lost");
        Ok(tree)
    }

    /// Publishes a batch, or a new revision of it.
    pub(super) fn publish_batch(&self, batch: FeedbackBatch) -> Result<()> {
        let record = Record::FeedbackBatch(Box::new(batch));
        self.store().catalogue().publish(|publish| {
            publish.add_pack(&self.store().write_records(std::slice::from_ref(&record), publish.next_pack_time()?)?)?;
            publish.add_record(&record)
        })
    }
}

/// One import while it goes on.
struct Batch<'a, 'b> {
    knowledge: Knowledge,
    writer: &'a mut IndexWriter<'b>,
    source: FeedbackSource,
    options: &'a ImportOptions,
    folder: &'a ImportFolder,
    /// How many files were read, and how many attached.
    files: u64,
    attached: u64,
    /// What comes with the next record.
    pending: Vec<Attachment>,
    players: Players,
    records: FileWriter,
    rejected: FileWriter,
    /// How often each record without a source's id came in this file.
    occurrences: HashMap<RecordId, u32>,
    json: Vec<u8>,
    report: ImportReport,
    progress: &'a Progress,
}

impl Batch<'_, '_> {
    /// Reads a file, or all files in a folder.
    fn path(&mut self, path: &Path, depth: usize) -> Result<()> {
        if !path.is_dir() {
            return self.file(path);
        }
        let entries = path.read_dir().and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut paths: Vec<PathBuf> =
            entries.map_err(|error| Error::io("list", path, error))?.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        if let Some(context) = paths.iter().position(|path| name_of(path).eq_ignore_ascii_case(UNREAL_CONTEXT)) {
            let context = paths.remove(context);
            for beside in paths.iter().filter(|path| path.is_file()) {
                self.beside(beside)?;
            }
            return self.file(&context);
        }
        match depth < MAX_DEPTH {
            // A link may lead anywhere.
            true => paths.iter().filter(|path| !path.is_symlink()).try_for_each(|path| self.path(path, depth + 1)),
            false => Ok(()),
        }
    }

    /// Attaches a file to the record that comes next.
    fn beside(&mut self, path: &Path) -> Result<()> {
        let mut file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let name = name_of(path);
        let kept = self.attach(&name, &mut file)?;
        self.pending.push(Attachment {
            media_type: import::media_type(&name).map(str::to_owned),
            name,
            path: kept,
            url: None,
        });
        Ok(())
    }

    /// Reads one file, which is copied on the way.
    fn file(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
        let name = name_of(path);
        self.occurrences.clear();
        let mut copy = self.folder.create(&format!("{RAW}/{}/{}", self.files, safe(&name)))?;
        self.files += 1;
        let mut copying = Copying { file, copy: &mut copy };
        let mut head = Vec::new();
        Read::take(&mut copying, HEAD_LEN as u64).read_to_end(&mut head).map_err(import::failure)?;
        let whole = io::Cursor::new(head.clone()).chain(copying);
        let mut input: Box<dyn BufRead> = match head.starts_with(GZIP) {
            true => Box::new(BufReader::with_capacity(READ_LEN, MultiGzDecoder::new(whole))),
            false => Box::new(BufReader::with_capacity(READ_LEN, whole)),
        };
        let is_packed = head.starts_with(GZIP);
        let mut name = name;
        if is_packed {
            // What cannot be unpacked is a file like any other, and is kept as it is.
            head = input.fill_buf().map(<[u8]>::to_vec).unwrap_or_default();
            name = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
        }
        let format = self.options.format.unwrap_or_else(|| import::detect(&name, &head));
        let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
        let info = FileInfo { name: &safe(&name), modified, head: &head };
        let mapping = &self.options.mapping;
        import::read(format, info, mapping, &mut input, self)
            .and_then(|()| io::copy(&mut input, &mut io::sink()).map(drop).map_err(import::failure))
            .or_else(|error| match error.kind() {
                // What was packed is cut or damaged: the records before that place are there.
                ErrorKind::Io if is_packed => self.reject(Rejected::new(0, error.to_string(), b"")),
                _ => Err(error),
            })?;
        drop(input);
        copy.finish()?;
        if !self.report.formats.contains(&format) {
            self.report.formats.push(format);
        }
        Ok(())
    }
}

impl Sink for Batch<'_, '_> {
    fn record(&mut self, mut record: FeedbackRecord) -> Result<()> {
        self.progress.check()?;
        record.attachments.append(&mut self.pending);
        if record.source_id.is_none() {
            let seen = self.occurrences.entry(record.id()).or_default();
            record.occurrence = *seen;
            *seen += 1;
        }
        if let Some(player) = &mut record.player {
            self.players.rename(player);
        }
        if record.clues.given.is_none() {
            record.clues.given = self.options.build;
        }
        let link = self.knowledge.link(&record);
        self.json.clear();
        serde_json::to_writer(&mut self.json, &record).expect("its keys are strings");
        let json = std::str::from_utf8(&self.json).expect("JSON is UTF-8");
        match self.writer.put(self.source, record.id(), &record, json, &link)? {
            Put::Unchanged => {
                self.report.unchanged += 1;
                return Ok(());
            }
            Put::Added => self.report.added += 1,
            Put::Updated => self.report.updated += 1,
        }
        self.report.links.count(link.builds.len());
        self.json.push(b'\n');
        self.records.append(&self.json)?;
        if self.report.first.len() < MAX_SHOWN {
            self.report.first.push(record);
        }
        Ok(())
    }

    fn attach(&mut self, name: &str, bytes: &mut dyn Read) -> Result<Option<String>> {
        if self.options.dry_run {
            return Ok(None);
        }
        let path = format!("{}/{}", self.attached, safe(name));
        self.attached += 1;
        let mut copy = self.folder.create(&format!("{ATTACHMENTS}/{path}"))?;
        let mut bytes = bytes.take(MAX_ATTACHMENT_LEN);
        let mut buffer = vec![0; READ_LEN];
        loop {
            self.progress.check()?;
            let len = bytes.read(&mut buffer).map_err(import::failure)?;
            if len == 0 {
                break;
            }
            copy.append(&buffer[..len])?;
        }
        copy.finish()?;
        Ok(Some(path))
    }

    fn note(&mut self, sentence: String) {
        self.report.warnings.push(sentence);
    }

    fn reject(&mut self, rejected: Rejected) -> Result<()> {
        self.report.rejected += 1;
        let mut line = serde_json::to_vec(&rejected).expect("its keys are strings");
        line.push(b'\n');
        self.rejected.append(&line)?;
        if self.report.first_rejected.len() < MAX_SHOWN {
            self.report.first_rejected.push(rejected);
        }
        Ok(())
    }
}

/// Reads a file, and copies what is read.
struct Copying<'a> {
    file: File,
    copy: &'a mut FileWriter,
}

impl Read for Copying<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buf)?;
        self.copy.append(&buf[..len]).map_err(io::Error::other)?;
        Ok(len)
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
