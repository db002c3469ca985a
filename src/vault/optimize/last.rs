//! What is known of the last run: whether there is anything left to look at, and what was gained.
//!
//! It is a file of its own, which any process may read and nothing needs: without it the next run looks at everything.

use super::packs::Left;
use super::{LOCK, OptimizeReport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
use crate::manifest::Timestamp;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The file, in the vault's directory.
const FILE: &str = "optimize.json";

/// The most bytes of it that are read.
const MAX_LEN: u64 = 16 << 20;

/// The last run that looked at anything, and those before it that it went on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOptimize {
    /// When it ended.
    pub ended: Timestamp,
    /// All that was idle has been looked at; else the next run goes on.
    pub is_complete: bool,
    /// It took the time for the smallest forms.
    pub squeeze: bool,
    /// Chunks that were looked at since a run was complete.
    pub chunks_looked_at: u64,
    /// Bytes by which these have become smaller.
    pub bytes_gained: u64,
    /// Bytes that all runs have gained.
    pub bytes_gained_in_all: u64,
    /// What was idle when it started.
    state: String,
    /// Bytes that were stored anew and lie in their old packs still, by the names of these, while it is not complete.
    left: BTreeMap<String, u64>,
}

impl Vault {
    /// Returns what is known of the last run of [`Vault::optimize`]; `None` if there was none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn last_optimize(&self) -> Result<Option<LastOptimize>> {
        let file = match self.disk.open(Path::new(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = vec![0; file.len()?.min(MAX_LEN) as usize];
        file.read_exact_at(&mut bytes, 0)?;
        // One that cannot be understood is as good as none.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// Tells whether a run of [`Vault::optimize`] would find chunks that none has looked at.
    ///
    /// # Errors
    /// Those of the disk and the catalogue.
    pub fn has_idle_chunks(&self, squeeze: bool) -> Result<bool> {
        let Some(last) = self.last_optimize()? else { return Ok(true) };
        let is_enough = last.is_complete && (last.squeeze || !squeeze);
        Ok(!is_enough || last.state != self.idle_state()?)
    }

    /// Tells whether some process optimizes the vault.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn is_being_optimized(&self) -> Result<bool> {
        match self.disk.open_writable(Path::new(LOCK)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            // Shared: two who ask at once must not take each other for the one who is at it.
            lock => Ok(!lock?.try_lock(false)?),
        }
    }

    /// Returns a text that is the same as long as the same chunks are idle.
    pub(super) fn idle_state(&self) -> Result<String> {
        let mut hash = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            hash.update(bytes);
        };
        for build in self.builds()? {
            add(&build.number.0.to_le_bytes());
            add(&build.root.id.0);
        }
        let mut marked: Vec<u64> = self.milestones()?.iter().map(|milestone| milestone.build.0).collect();
        marked.sort_unstable();
        add(b"milestones");
        marked.iter().for_each(|number| add(&number.to_le_bytes()));
        add(b"playtests");
        self.playtests()?.iter().for_each(|playtest| add(&playtest.root.id.0));
        add(b"feedback");
        self.feedback_batches()?.iter().for_each(|batch| add(&batch.root.id.0));
        Ok(hash.finalize().to_hex().to_string())
    }

    /// Returns what the runs have left behind that the next one goes on with.
    pub(super) fn left_before(&self) -> Result<Left> {
        let Some(last) = self.last_optimize()?.filter(|last| !last.is_complete) else { return Ok(Left::default()) };
        let packs = self.store().catalogue().packs()?;
        let numbers: HashMap<PackId, i64> = packs.into_iter().map(|(number, id, _)| (id, number)).collect();
        let left = last.left.iter().filter_map(|(id, &len)| Some((*numbers.get(&PackId::parse(id)?)?, len)));
        Ok(Left { by_pack: left.collect(), gained_before: last.bytes_gained })
    }

    /// Remembers what a run did that was started at a state, and what it has left behind.
    pub(super) fn remember_optimize(
        &self,
        report: &OptimizeReport,
        squeeze: bool,
        (state, left): (String, &Left),
    ) -> Result<()> {
        if report.chunks_looked_at == 0 && !report.is_complete {
            return Ok(());
        }
        let mut last = LastOptimize {
            ended: Timestamp::now(),
            is_complete: report.is_complete,
            squeeze,
            chunks_looked_at: report.chunks_looked_at,
            bytes_gained: report.bytes_gained,
            bytes_gained_in_all: report.bytes_gained,
            state,
            left: BTreeMap::new(),
        };
        if !last.is_complete {
            for (number, id, _) in self.store().catalogue().packs()? {
                last.left.extend(left.by_pack.get(&number).map(|&len| (id.to_string(), len)));
            }
        }
        if let Some(before) = self.last_optimize()? {
            last.bytes_gained_in_all += before.bytes_gained_in_all;
            if !before.is_complete {
                last.chunks_looked_at += before.chunks_looked_at;
                last.bytes_gained += before.bytes_gained;
            }
        }
        let bytes = serde_json::to_vec(&last)
            .map_err(|error| Error::invalid(format!("the last run cannot be written down: {error}")))?;
        self.disk.replace(Path::new(FILE), &bytes)
    }
}
