//! Going through all packs now and then, so that damage is found and healed while it can be.
//!
//! A round goes through the packs in the order of their names and may end anywhere: `scrub.json` says how far it is, and any process
//! goes on. A pack is compared with its recovery data, and healed by it; one that has none is read and decoded, and gets some.

use super::Vault;
use crate::error::{ErrorKind, Result};
use crate::id::PackId;
use crate::manifest::Timestamp;
use crate::progress::Progress;
use crate::store::Healed;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// What is known of the last round.
const FILE: &str = "scrub.json";

/// Its lock says that a process is at it.
const LOCK: &str = "scrub.lock";

/// The most bytes of it that are read.
const MAX_LEN: u64 = 1 << 20;

/// Problems that are remembered of a round.
const MAX_PROBLEMS: usize = 20;

/// How often it is written down how far a round is.
const NOTE_EVERY: Duration = Duration::from_secs(30);

/// The longest pause at once: whoever stops it does not wait longer.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// When and how fast a mount goes through the packs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScrubRules {
    /// How long after a round the next one begins.
    pub every: Duration,
    /// Bytes of packs that are read in a second.
    pub bytes_per_second: u64,
}

/// How far the last round is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scrub {
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended; nothing while it is not at its end.
    pub ended: Option<Timestamp>,
    /// The last pack that was looked at.
    after: Option<String>,
    /// Packs that were looked at.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs that were healed.
    pub healed: u64,
    /// Packs that got recovery data.
    pub protected: u64,
    /// What could not be healed, one sentence each; the first of many.
    pub problems: Vec<String>,
}

impl Vault {
    /// Returns how far the last round of [`Vault::scrub`] is; `None` if there was none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn last_scrub(&self) -> Result<Option<Scrub>> {
        let file = match self.disk.open(Path::new(FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = vec![0; file.len()?.min(MAX_LEN) as usize];
        file.read_exact_at(&mut bytes, 0)?;
        // One that cannot be understood is as good as none.
        Ok(serde_json::from_slice(&bytes).ok())
    }

    /// Tells whether a round is to be gone on with, or to be begun.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn is_scrub_due(&self, every: Duration) -> Result<bool> {
        let ended = self.last_scrub()?.and_then(|last| last.ended);
        let now = Timestamp::now().secs;
        Ok(ended.is_none_or(|ended| now.saturating_sub(ended.secs) >= every.as_secs() as i64))
    }

    /// Goes through all packs, or goes on with that, and heals what is damaged; no faster than `bytes_per_second`.
    ///
    /// Whatever ends it, the next call goes on there.
    ///
    /// # Errors
    /// `Busy` while another process does it; `Interrupted` when `progress` says so; `NoSpace` or `Io` from the disk.
    pub fn scrub(&self, bytes_per_second: u64, progress: &Progress) -> Result<Scrub> {
        let _lock = self.lock_work(LOCK, "is being scrubbed already")?;
        let unfinished = self.last_scrub()?.filter(|last| last.ended.is_none());
        let mut round = unfinished.unwrap_or_default();
        round.started.get_or_insert_with(Timestamp::now);
        let result = self.scrub_packs(&mut round, bytes_per_second, progress);
        if result.is_ok() {
            (round.ended, round.after) = (Some(Timestamp::now()), None);
        }
        self.note_scrub(&round)?;
        result.map(|()| round)
    }

    fn scrub_packs(&self, round: &mut Scrub, bytes_per_second: u64, progress: &Progress) -> Result<()> {
        let mut packs = self.store().catalogue().packs()?;
        packs.sort_by_key(|(_, id, _)| *id);
        let mut noted = Instant::now();
        for (_, id, len) in packs {
            let name = id.to_string();
            if round.after.as_ref().is_some_and(|after| *after >= name) {
                continue;
            }
            let start = Instant::now();
            match self.scrub_pack(id) {
                Ok(Healed::Sound) => {}
                Ok(Healed::Blocks(_)) => round.healed += 1,
                Ok(Healed::Unprotected) => round.protected += 1,
                // Optimized away since it was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    tracing::error!(pack = %id, %error, "a pack is damaged");
                    if round.problems.len() < MAX_PROBLEMS {
                        round.problems.push(error.to_string());
                    }
                }
                Err(error) => return Err(error),
            }
            (round.packs, round.bytes, round.after) = (round.packs + 1, round.bytes + len, Some(name));
            if noted.elapsed() >= NOTE_EVERY {
                self.note_scrub(round)?;
                noted = Instant::now();
            }
            let wanted = Duration::from_secs_f64(len as f64 / bytes_per_second.max(1) as f64);
            while start.elapsed() < wanted {
                progress.check()?;
                std::thread::sleep(MAX_PAUSE.min(wanted.saturating_sub(start.elapsed())));
            }
            progress.check()?;
        }
        Ok(())
    }

    /// Looks at one pack; `Unprotected` says that it has recovery data now.
    fn scrub_pack(&self, id: PackId) -> Result<Healed> {
        let healed = self.store().heal(id)?;
        if healed == Healed::Unprotected {
            self.store().read_pack(id)?;
            self.store().protect(id)?;
        }
        Ok(healed)
    }

    fn note_scrub(&self, round: &Scrub) -> Result<()> {
        let text = serde_json::to_vec(round).expect("it has string keys");
        self.disk.replace(Path::new(FILE), &text)
    }
}
