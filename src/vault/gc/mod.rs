//! What nothing needs any more goes: chunks of forgotten builds whose time is over, of copies that were broken off, of feedback that
//! was taken out.
//!
//! It takes two looks, so that it is safe beside whoever stores at the same time (`store/epoch.rs`). What nothing needs at the
//! first is doomed; what nothing needs at the second, after all who stored at the time of the first have ended, is taken out of
//! the catalogue. Then packs in which little is needed are emptied and removed, as `optimize` does it. A run that ends at any
//! point is gone on with by the next.

mod live;

use super::Vault;
use super::optimize::{Compacted, Left, compact};
use crate::catalogue::{Build, ChunkPlace, Record};
use crate::error::Result;
use crate::manifest::Timestamp;
use crate::progress::Progress;
use crate::store::entry_len;
use live::Live;
use std::time::Duration;

/// How unused chunks are taken out.
#[derive(Debug, Clone, Copy)]
pub struct GcOptions {
    /// Only tell what would go.
    pub dry_run: bool,
    /// How long those are waited for who store something at the first look. A snapshot may take hours: then the next run goes on.
    pub patience: Duration,
}

impl Default for GcOptions {
    fn default() -> GcOptions {
        GcOptions { dry_run: false, patience: Duration::from_secs(10) }
    }
}

/// What went, or would go.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct GcReport {
    /// The ids of forgotten builds that cannot be recalled any more.
    pub builds_removed: Vec<String>,
    /// Chunks that nothing needs.
    pub chunks: u64,
    /// Bytes that they take in packs.
    pub chunk_bytes: u64,
    /// Chunks that wait for processes that stored something when they were found: the next run takes them.
    pub chunks_waiting: u64,
    /// Chunks that were moved out of packs with little left in them.
    pub chunks_moved: u64,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Bytes of all packs before.
    pub pack_bytes_before: u64,
    /// Bytes of all packs after; as before in a dry run.
    pub pack_bytes_after: u64,
}

impl Vault {
    /// Takes out what nothing needs any more, and gives its room back.
    ///
    /// Safe beside snapshots, sessions and mounts of any process; whatever ends it, the vault is whole, and the next run goes on.
    ///
    /// # Errors
    /// `Busy` while another process does it or optimizes; `Interrupted` when `progress` says so; `Corrupt` if a tree cannot be
    /// read, for then nobody knows what is needed; `NoSpace` or `Io` from the vault.
    pub fn gc(&self, options: &GcOptions, progress: &Progress) -> Result<GcReport> {
        let _lock = self.optimize_lock()?;
        self.store().catalogue().prepare_optimize()?;
        let mut report = GcReport { pack_bytes_before: self.pack_bytes()?, ..GcReport::default() };
        report.pack_bytes_after = report.pack_bytes_before;
        let removed = self.overdue()?;
        if options.dry_run {
            let mut live = Live::new(self, progress)?;
            live.mark(self, &removed)?;
            self.count_dead(&live, progress, &mut report)?;
            report.builds_removed = ids(&removed);
            return Ok(report);
        }
        self.store().clear_unregistered()?;
        report.packs_removed += self.store().remove_retired()?;
        // What an earlier run has doomed is seen to its end first: there are two epochs at a time.
        let is_resumed = self.store().catalogue().has_doomed()?;
        if is_resumed && !self.finish(Live::new(self, progress)?, &[], options.patience, &mut report)? {
            return Ok(report);
        }
        let mut live = Live::new(self, progress)?;
        live.mark(self, &removed)?;
        let dead = live.dead();
        if !dead.is_empty() || !removed.is_empty() {
            self.store().catalogue().doom(&dead)?;
            self.begin_epoch(&removed)?;
            report.builds_removed = ids(&removed);
            if !self.finish(live, &removed, options.patience, &mut report)? {
                return Ok(report);
            }
        }
        let mut compacted = Compacted::default();
        compact(self, progress, &Left::default(), 0, &mut compacted)?;
        report.chunks_moved = compacted.chunks_moved;
        report.packs_removed += compacted.packs_removed;
        report.pack_bytes_after = self.pack_bytes()?;
        Ok(report)
    }

    /// Takes what is doomed out of the catalogue after a second look; `false` if somebody who stored at the first is still at it.
    fn finish(&self, mut live: Live<'_>, removed: &[Build], patience: Duration, report: &mut GcReport) -> Result<bool> {
        let catalogue = self.store().catalogue();
        let Some(_last_epoch) = self.store().wait_for_writers(patience)? else {
            report.chunks_waiting = self.count_doomed()?;
            return Ok(false);
        };
        live.mark(self, removed)?;
        // Before the first goes: as long as any is doomed, nobody takes these files as read without asking.
        catalogue.forget_seen_without(&|key| live.is_needed(key))?;
        let mut last = None;
        loop {
            live.check()?;
            let page = catalogue.doomed_after(last)?;
            let Some(&end) = page.last() else { return Ok(true) };
            last = Some(end);
            let (needed, dead): (Vec<_>, Vec<_>) = page.into_iter().partition(|&key| live.is_live(key));
            catalogue.spare(&needed)?;
            for &key in &dead {
                let place = catalogue.chunk(key)?;
                report.chunk_bytes += place.map_or(0, |place| chunk_len(&place));
            }
            report.chunks += catalogue.sweep(&dead)?;
        }
    }

    /// Returns the forgotten builds whose time is over.
    fn overdue(&self) -> Result<Vec<Build>> {
        let now = Timestamp::now();
        let forgotten = self.forgotten()?.into_iter();
        Ok(forgotten.filter(|forgotten| forgotten.until.secs <= now.secs).map(|forgotten| forgotten.build).collect())
    }

    /// Begins the epoch after what was doomed, from which on `removed` builds cannot be recalled.
    fn begin_epoch(&self, removed: &[Build]) -> Result<()> {
        self.store().catalogue().publish(|publish| {
            let (first, created) = (publish.next_forget_serial()?, Timestamp::now());
            let record = |(serial, build): (u64, &Build)| Record::BuildRemoved { build: build.number, serial, created };
            let records: Vec<Record> = (first..).zip(removed).map(record).collect();
            if !records.is_empty() {
                publish.add_pack(&self.store().write_records(&records, publish.next_pack_time()?)?)?;
            }
            records.iter().try_for_each(|record| publish.add_record(record))?;
            publish.begin_epoch()
        })
    }

    fn count_dead(&self, live: &Live<'_>, progress: &Progress, report: &mut GcReport) -> Result<()> {
        self.store().catalogue().for_each_chunk(&mut |key, place| {
            if !live.is_live(key) {
                report.chunks += 1;
                report.chunk_bytes += chunk_len(place);
            }
            progress.check()
        })
    }

    fn count_doomed(&self) -> Result<u64> {
        let catalogue = self.store().catalogue();
        let (mut count, mut last) = (0, None);
        loop {
            let page = catalogue.doomed_after(last)?;
            let Some(&end) = page.last() else { return Ok(count) };
            last = Some(end);
            count += page.len() as u64;
        }
    }
}

fn ids(builds: &[Build]) -> Vec<String> {
    builds.iter().map(|build| build.id.to_string()).collect()
}

fn chunk_len(place: &ChunkPlace) -> u64 {
    entry_len(1, place.stored_len.into(), place.bases.len() as u64)
}
