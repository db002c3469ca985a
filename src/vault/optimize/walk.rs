//! Through all idle chunks: build by build from the newest on, each beside the one that came after it.
//!
//! Where a file is in both, what stands at a chunk's place in the newer one is the first choice for its base.

use super::marks::Marks;
use super::packs::Left;
use super::{OptimizeReport, Vault};
use crate::catalogue::ChunkPlace;
use crate::codec::Encoding;
use crate::codec::opened::{Lz4Block, Opener};
use crate::error::{ErrorKind, Result};
use crate::id::{ChunkId, ChunkKey};
use crate::ingest::{Aligner, Around, Bundle, EarlierVersion, NewChunk};
use crate::manifest::{Content, Entry, EntryKind};
use crate::progress::Progress;
use crate::store::{Candidate, Effort, Gain, Recoder};
use rayon::prelude::*;
use std::collections::HashMap;
use std::time::Instant;

/// Chunks that are looked at side by side.
const BATCH_LEN: usize = 64;

/// Chunks whose trial is remembered at once.
const TRIED_LEN: usize = 4096;

/// Bytes that were looked at after which what was stored anew of them is synced: whoever stops the run is not to wait for
/// more of it.
const SYNC_LEN: u64 = 32 << 20;

/// Stored bytes of a type after which it is known whether a higher level helps it.
const SAMPLE_BYTES: u64 = 1 << 20;

/// A type gains from a higher level if that saves more than one part in so many.
const MIN_TYPE_GAIN_SHARE: u64 = 33;

pub(super) struct Walk<'a> {
    pub(super) vault: &'a Vault,
    pub(super) progress: &'a Progress,
    pub(super) effort: Effort,
    pub(super) is_dry: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) marks: Marks,
    pub(super) types: Types,
    pub(super) batch: Vec<Job>,
    /// Chunks that need not be looked at again.
    pub(super) tried: Vec<ChunkKey>,
    pub(super) report: OptimizeReport,
    pub(super) left: Left,
    /// Stored bytes of what was looked at since it was last synced.
    pub(super) unsynced: u64,
}

/// One chunk to look at.
pub(super) struct Job {
    id: ChunkId,
    place: ChunkPlace,
    around: Around,
    /// Nothing is a difference to it, so it may get a base.
    is_free: bool,
    tries_own: bool,
    extension: Box<[u8]>,
    /// What it is, when it may be opened.
    stream: Option<WholeStream>,
}

/// A job that was done, and in what the chunk gained how many bytes.
type Looked = (Job, Option<(Gain, u64)>);

/// A chunk that is a compressed stream from its start to its end.
enum WholeStream {
    Blocks(Vec<Lz4Block>),
    Png,
    Jpeg,
}

impl WholeStream {
    fn opener(&self) -> Opener<'_> {
        match self {
            WholeStream::Blocks(blocks) => Opener::Lz4 { blocks },
            WholeStream::Png => Opener::Png,
            WholeStream::Jpeg => Opener::Jpeg,
        }
    }
}

/// Two versions of one directory.
struct Pair {
    old: ChunkId,
    newer: Option<ChunkId>,
}

/// What files of each extension gain from a higher level.
#[derive(Default)]
pub(super) struct Types(HashMap<Box<[u8]>, (u64, u64)>);

impl Types {
    fn is_worth_trying(&self, extension: &[u8]) -> bool {
        self.0
            .get(extension)
            .is_none_or(|&(stored, gained)| stored < SAMPLE_BYTES || gained > stored / MIN_TYPE_GAIN_SHARE)
    }

    fn add(&mut self, extension: Box<[u8]>, stored: u64, gained: u64) {
        let sums = self.0.entry(extension).or_default();
        *sums = (sums.0 + stored, sums.1 + gained);
    }
}

impl Walk<'_> {
    /// Looks at all idle chunks; returns whether there was time for all.
    pub(super) fn all(&mut self) -> Result<bool> {
        let roots: Vec<ChunkId> = self.marks.builds.iter().map(|build| build.root.id).collect();
        let mut newer = None;
        for &old in roots.iter().rev() {
            if !self.build(Pair { old, newer })? {
                return Ok(false);
            }
            newer = Some(old);
        }
        let playtests = self.vault.playtests()?.into_iter().map(|playtest| playtest.root.id);
        let batches = self.vault.feedback_batches()?.into_iter().map(|batch| batch.root.id);
        for old in playtests.chain(batches) {
            if !self.build(Pair { old, newer: None })? {
                return Ok(false);
            }
        }
        self.work_off()?;
        Ok(true)
    }

    fn build(&mut self, pair: Pair) -> Result<bool> {
        let reader = self.vault.reader().clone();
        let mut open = vec![pair];
        while let Some(Pair { old, newer }) = open.pop() {
            if Some(old) == newer || !self.marks.take_directory(old.key()) {
                continue;
            }
            let mut files = Vec::new();
            reader.for_each_entry(old, &mut |entry| {
                self.progress.check()?;
                let same_name = |newer| reader.lookup(newer, entry.name.as_bytes());
                let newer = newer.map(same_name).transpose()?.flatten().map(|(_, entry)| entry.kind);
                match (&entry.kind, newer) {
                    (EntryKind::Directory(old), Some(EntryKind::Directory(newer))) => {
                        open.push(Pair { old: old.id, newer: Some(newer.id) });
                    }
                    (EntryKind::Directory(old), _) => open.push(Pair { old: old.id, newer: None }),
                    (EntryKind::File(_), Some(EntryKind::File(newer))) => files.push((entry.clone(), Some(newer))),
                    (EntryKind::File(_), _) => files.push((entry.clone(), None)),
                    (EntryKind::Symlink(_), _) => {}
                }
                Ok(())
            })?;
            for (entry, newer) in files {
                if !self.file(&entry, newer)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Looks at the idle chunks of a file; returns whether there was time for all.
    fn file(&mut self, entry: &Entry, newer: Option<Content>) -> Result<bool> {
        let EntryKind::File(content) = &entry.kind else { return Ok(true) };
        if newer == Some(*content) {
            return Ok(true);
        }
        let reader = self.vault.reader();
        let mut idle = Vec::new();
        reader.for_each_extent(content, 0, content.size, &mut |extent| {
            self.progress.check()?;
            if let Some(id) = extent.id.filter(|id| self.marks.take_idle(id.key())) {
                idle.push((extent, id));
            }
            Ok(())
        })?;
        let version = newer.map(|content| EarlierVersion { reader, content });
        let bundle = match idle.is_empty() {
            true => None,
            false => Bundle::of_stored(&EarlierVersion { reader, content: *content }, entry.name.as_bytes()),
        };
        // Without a newer version that can be read, there are fewer candidates for bases.
        let mut aligner = None;
        let extension = extension_of(entry.name.as_bytes());
        for (extent, id) in idle {
            let offset = extent.offset;
            self.progress.check()?;
            if self.deadline.is_some_and(|deadline| Instant::now() > deadline) {
                self.work_off()?;
                return Ok(false);
            }
            let key = id.key();
            let catalogue = self.vault.store().catalogue();
            let Some(place) = catalogue.chunk(key)? else { continue };
            // To make an opened chunk again takes long, and its form is small.
            let is_opened = place.encoding == Encoding::Opened as u8;
            if is_opened || catalogue.is_tried(key, number(self.effort))? {
                continue;
            }
            let is_free = !self.marks.is_base(key);
            let mut around = Around::default();
            if let (true, Some(version)) = (is_free, version) {
                if aligner.is_none() {
                    aligner = Aligner::new(version).ok();
                }
                let plain = self.sound(id)?.unwrap_or_default();
                let aligned = aligner
                    .as_mut()
                    .map(|aligner| aligner.align(&[NewChunk { offset, plain: &plain, id, shift: None }]));
                around = aligned.and_then(|found| found.ok()?.pop()).unwrap_or_default();
            }
            let tries_own = self.types.is_worth_trying(extension);
            let stream = match &bundle {
                Some(bundle) => bundle.run_of(&extent).map(WholeStream::Blocks),
                None if self.effort == Effort::Squeeze && extent.len == content.size => picture(extension),
                None => None,
            };
            self.batch.push(Job { id, place, around, is_free, tries_own, extension: extension.into(), stream });
            if self.batch.len() == BATCH_LEN {
                self.work_off()?;
            }
        }
        Ok(true)
    }

    /// Looks for smaller forms of the chunks that have come together.
    fn work_off(&mut self) -> Result<()> {
        let jobs = std::mem::take(&mut self.batch);
        let this = &*self;
        let found: Vec<Result<Looked>> = jobs
            .into_par_iter()
            .map_init(
                || Recoder::new(this.effort),
                |recoder, job| {
                    this.progress.check()?;
                    let found = this.look_at(&job, recoder)?;
                    this.progress.add_bytes(job.place.plain_len.into());
                    Ok((job, found))
                },
            )
            .collect();
        let mut ended = Ok(());
        for found in found {
            // What was found before the run was stopped counts: it is stored.
            let (job, found) = match found {
                Ok(found) => found,
                Err(error) => {
                    ended = Err(error);
                    continue;
                }
            };
            self.report.add(found, job.place.plain_len.into());
            self.tried.push(job.id.key());
            self.unsynced += u64::from(job.place.stored_len);
            if found.is_some() {
                *self.left.by_pack.entry(job.place.pack).or_default() += u64::from(job.place.stored_len);
            }
            if job.place.bases.is_empty() && job.tries_own {
                let gained = found.filter(|(gain, _)| *gain == Gain::Own).map_or(0, |(_, bytes)| bytes);
                self.types.add(job.extension, job.place.stored_len.into(), gained);
            }
        }
        ended?;
        match self.is_dry {
            true => Ok(()),
            false if self.tried.len() >= TRIED_LEN => self.keep(),
            false if self.unsynced >= SYNC_LEN => {
                self.unsynced = 0;
                self.vault.store().sync_anew()
            }
            false => Ok(()),
        }
    }

    fn look_at(&self, job: &Job, recoder: &mut Recoder) -> Result<Option<(Gain, u64)>> {
        let store = self.vault.store();
        if !job.tries_own && !job.is_free && job.place.bases.is_empty() && job.stream.is_none() {
            return Ok(None);
        }
        let Some(plain) = self.sound(job.id)? else { return Ok(None) };
        let may_be_base = |key| self.marks.may_be_base(key);
        let candidate = Candidate {
            id: job.id,
            plain: &plain,
            place: &job.place,
            tries_own: job.tries_own,
            bases: &job.around.chunks,
            main: job.around.main,
            opener: job.stream.as_ref().map(WholeStream::opener),
            may_be_base: job.is_free.then_some(&may_be_base),
        };
        let found = store.find_smaller(&candidate, recoder)?;
        if found.is_some() && !self.is_dry {
            store.put_found(&candidate, recoder)?;
        }
        Ok(found)
    }

    /// Returns the bytes of a chunk, unless it is damaged: `verify` tells of those.
    fn sound(&self, id: ChunkId) -> Result<Option<Vec<u8>>> {
        match self.vault.store().get_uncached(id) {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(None),
            result => result.map(Some),
        }
    }

    /// Seals what was stored anew, and remembers what was tried.
    pub(super) fn keep(&mut self) -> Result<()> {
        let store = self.vault.store();
        store.flush()?;
        store.catalogue().add_tried(&self.tried, number(self.effort))?;
        self.tried.clear();
        self.unsynced = 0;
        Ok(())
    }
}

/// The number by which the catalogue remembers how hard was tried.
fn number(effort: Effort) -> u8 {
    match effort {
        Effort::Idle => 1,
        Effort::Squeeze => 2,
    }
}

/// Returns how pictures with this extension are opened; slow to make again, and so only when asked for.
fn picture(extension: &[u8]) -> Option<WholeStream> {
    let is = |known: &str| extension.eq_ignore_ascii_case(known.as_bytes());
    match () {
        () if is("png") => Some(WholeStream::Png),
        () if is("jpg") || is("jpeg") => Some(WholeStream::Jpeg),
        () => None,
    }
}

/// Returns what stands behind the last dot of a name; nothing without one.
fn extension_of(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) => &name[dot + 1..],
        None => &[],
    }
}
