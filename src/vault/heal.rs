//! What `verify --repair` does beside looking: packs are healed by their recovery data, chunks by second copies, and what is lost is
//! stored again by the next snapshot that has it.

use super::Vault;
use crate::error::{ErrorKind, Result};
use crate::id::{ChunkId, PackId};
use crate::progress::Progress;
use crate::store::{Healed, Store, read_index};
use std::collections::HashSet;

/// What became of the packs of a vault.
#[derive(Default)]
pub(super) struct HealedPacks {
    /// One sentence each: what was made again.
    pub(super) healed: Vec<String>,
    /// Packs without recovery data that can be used.
    pub(super) unprotected: Vec<PackId>,
}

impl Vault {
    /// Heals all packs as far as their recovery data goes; what is left is told by whoever looks at them.
    pub(super) fn heal_packs(&self, progress: &Progress) -> Result<HealedPacks> {
        let mut packs = HealedPacks::default();
        for (_, id, _) in self.store().catalogue().packs()? {
            progress.check()?;
            match self.store().heal(id) {
                Ok(Healed::Sound) => {}
                Ok(Healed::Unprotected) => packs.unprotected.push(id),
                Ok(Healed::Blocks(blocks)) => packs.healed.push(format!("pack {id}: {blocks} blocks were made again")),
                Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                    tracing::warn!(pack = %id, %error, "a pack could not be healed");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(packs)
    }

    /// Takes damaged chunks from other packs that have them, too; returns those that were found.
    pub(super) fn heal_from_copies(&self, damaged: &[ChunkId], progress: &Progress) -> Result<Vec<ChunkId>> {
        let _writing = self.store().begin_writing()?;
        let mut sought: HashSet<ChunkId> = damaged.iter().copied().collect();
        let mut found = Vec::new();
        for (id, path, _) in Store::packs_on_disk(&**self.store().disk())? {
            progress.check()?;
            if sought.is_empty() {
                break;
            }
            let Ok(file) = self.store().disk().open(&path) else { continue };
            let Ok(index) = read_index(&*file, id) else { continue };
            for entry in index.entries.iter().filter(|entry| entry.kind.is_chunk()) {
                if sought.contains(&entry.id)
                    && let Ok(plain) = self.store().read_entry(&*file, entry)
                {
                    self.store().put_again(entry.id, &plain)?;
                    sought.remove(&entry.id);
                    found.push(entry.id);
                }
            }
        }
        self.store().flush()?;
        self.store().clear_caches();
        Ok(found)
    }

    /// Takes lost chunks out of the catalogue: whoever has them stores them again, and with that heals all that needs them.
    pub(super) fn give_up(&self, lost: &[ChunkId]) -> Result<()> {
        let keys: Vec<_> = lost.iter().map(ChunkId::key).collect();
        self.store().catalogue().remove_chunks(&keys)?;
        // Files that look unchanged must be read again.
        self.store().catalogue().forget_seen_without(&|_| false)
    }
}
