//! Chunks of older builds are stored anew in smaller forms, and packs with little left in them are removed.
//!
//! The newest build and the milestones stay as they were written: those are read. What only older builds and playtests
//! use is idle: there is time for a higher level, and for differences that ingest could not make. `marks` tells what is
//! idle, `walk` goes through it file by file, `packs` removes what nobody needs any more, `last` remembers what was done.
//! One process does it at a time; snapshots, mounts and sessions go on beside it, and a mount that nobody uses does it.

mod last;
mod marks;
mod packs;
mod walk;

pub use last::LastOptimize;
pub(super) use packs::{Compacted, Left, compact};

use super::Vault;
use crate::disk::DiskFile;
use crate::error::Result;
use crate::progress::Progress;
use crate::store::{Effort, Gain};
use marks::Marks;
use std::sync::Arc;
use std::time::{Duration, Instant};
use walk::Walk;

/// The file whose lock says that a process is at it.
const LOCK: &str = "optimize.lock";

/// How chunks are stored anew.
#[derive(Debug, Clone, Default)]
pub struct OptimizeOptions {
    /// Spend about ten times as long for a few percent more.
    pub squeeze: bool,
    /// Stop after this time; the next run goes on there.
    pub time_limit: Option<Duration>,
    /// Look for smaller forms and change nothing.
    pub dry_run: bool,
}

/// When a mount optimizes its vault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IdleRules {
    /// How long nobody must have used the mount.
    pub idle_time: Duration,
    /// See [`OptimizeOptions::squeeze`].
    pub squeeze: bool,
}

/// What was stored anew.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct OptimizeReport {
    /// Idle chunks that a smaller form was looked for of.
    pub chunks_looked_at: u64,
    /// Their plain bytes.
    pub bytes_looked_at: u64,
    /// Chunks that are stored by themselves as before, and smaller.
    pub own_smaller: u64,
    /// Chunks that are differences to the same chunks as before, and smaller.
    pub differences_smaller: u64,
    /// Chunks that have become differences.
    pub differences_new: u64,
    /// Compressed chunks of which what they say is stored instead.
    pub opened: u64,
    /// Bytes by which all these are smaller.
    pub bytes_gained: u64,
    /// Chunks that were moved as they are out of packs with little left in them.
    pub chunks_moved: u64,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Bytes of all packs before.
    pub pack_bytes_before: u64,
    /// Bytes of all packs after.
    pub pack_bytes_after: u64,
    /// All that is idle has been looked at; else the time was up.
    pub is_complete: bool,
}

impl OptimizeReport {
    fn add(&mut self, gained: Option<(Gain, u64)>, plain_len: u64) {
        self.chunks_looked_at += 1;
        self.bytes_looked_at += plain_len;
        if let Some((gain, bytes)) = gained {
            self.bytes_gained += bytes;
            *match gain {
                Gain::Own => &mut self.own_smaller,
                Gain::Finer => &mut self.differences_smaller,
                Gain::Difference => &mut self.differences_new,
                Gain::Opened => &mut self.opened,
            } += 1;
        }
    }
}

impl Vault {
    /// Stores idle chunks anew where that takes less room, and removes packs that nobody needs any more.
    ///
    /// Whatever ends it, what was done is kept, and the next run goes on.
    ///
    /// # Errors
    /// `Busy` while another process does it; `Interrupted` when `progress` says so; `Corrupt`, `NoSpace` or `Io` from the
    /// vault.
    pub fn optimize(&self, options: &OptimizeOptions, progress: &Progress) -> Result<OptimizeReport> {
        let _lock = self.optimize_lock()?;
        let started = Instant::now();
        let state = self.idle_state()?;
        let left = self.left_before()?;
        let catalogue = self.store().catalogue();
        catalogue.prepare_optimize()?;
        let mut report = OptimizeReport { pack_bytes_before: self.pack_bytes()?, ..OptimizeReport::default() };
        if !options.dry_run {
            self.store().clear_unregistered()?;
            report.packs_removed += self.store().remove_retired()?;
        }
        let marks = Marks::read(self, progress)?;
        let mut walk = Walk {
            vault: self,
            progress,
            effort: if options.squeeze { Effort::Squeeze } else { Effort::Idle },
            is_dry: options.dry_run,
            deadline: options.time_limit.map(|limit| started + limit),
            marks,
            types: walk::Types::default(),
            batch: Vec::new(),
            tried: Vec::new(),
            report,
            left,
            unsynced: 0,
        };
        let walked = walk.all();
        if options.dry_run {
            walk.report.is_complete = walked?;
            walk.report.pack_bytes_after = self.pack_bytes()?;
            return Ok(walk.report);
        }
        // Whatever ended it, what was found so far is kept.
        let kept = walk.keep();
        let Walk { mut report, left, .. } = walk;
        let finished = walked.and_then(|is_complete| {
            let mut compacted = Compacted::default();
            let ended = compact(self, progress, &left, report.bytes_gained, &mut compacted);
            report.chunks_moved += compacted.chunks_moved;
            report.packs_removed += compacted.packs_removed;
            report.is_complete = is_complete && ended.is_ok();
            ended
        });
        if finished.is_err() {
            self.store().flush()?;
        }
        kept?;
        self.remember_optimize(&report, options.squeeze, (state, &left))?;
        finished?;
        report.pack_bytes_after = self.pack_bytes()?;
        Ok(report)
    }

    pub(super) fn pack_bytes(&self) -> Result<u64> {
        Ok(self.store().catalogue().packs()?.iter().map(|(.., len)| len).sum())
    }

    pub(super) fn optimize_lock(&self) -> Result<Arc<dyn DiskFile>> {
        self.lock_work(LOCK, "is being optimized or cleaned up already")
    }
}
