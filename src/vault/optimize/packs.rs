//! Packs in which little is needed are emptied and removed.

use super::Vault;
use crate::error::Result;
use crate::id::PackId;
use crate::progress::Progress;
use crate::store::EntryKind;
use std::collections::HashMap;

/// A pack is emptied when more than one part in so many is of no use.
const MAX_WASTE_SHARE: u64 = 16;

/// What a run leaves behind in packs may be at most this part of what it gains, or the vault would not become smaller.
const LEFT_SHARE: u64 = 4;

/// Bytes that an entry takes beside what is stored: in front of it and in the footer.
const ENTRY_COST: u64 = 44 + 48;

/// Bytes that the name of a base takes, in front of an entry and in the footer.
const BASE_COST: u64 = 2 * 16;

/// What was stored anew lies in its old pack still.
#[derive(Default)]
pub(in crate::vault) struct Left {
    /// Bytes of it, by the number of the pack.
    pub(super) by_pack: HashMap<i64, u64>,
    /// What was gained by the runs that this one goes on with, and which ended before they came to the packs.
    pub(super) gained_before: u64,
}

/// What became of packs.
#[derive(Default)]
pub(in crate::vault) struct Compacted {
    /// Chunks that were moved out of packs with little left in them.
    pub(in crate::vault) chunks_moved: u64,
    /// Packs that were removed.
    pub(in crate::vault) packs_removed: u64,
}

/// Empties packs in which much is of no use, takes those that are empty out of the catalogue and removes their files.
///
/// `gained` is by how many bytes what was stored anew is smaller.
pub(in crate::vault) fn compact(
    vault: &Vault,
    progress: &Progress,
    left: &Left,
    gained: u64,
    compacted: &mut Compacted,
) -> Result<()> {
    let gained = left.gained_before + gained;
    let left = &left.by_pack;
    let store = vault.store();
    let catalogue = store.catalogue();
    let used = used_bytes(vault, progress)?;
    let mut packs = catalogue.packs()?;
    // What nothing is used of is removed below, or holds records.
    packs.retain(|(number, ..)| used.contains_key(number));
    let mut left_bytes: u64 = packs.iter().filter_map(|(number, ..)| left.get(number)).sum();
    // The most wasteful first: with them most is won for what is copied.
    packs.sort_by_key(|(number, _, len)| u64::MAX - len.saturating_sub(used[number]) * 1000 / len.max(&1));
    for (number, id, len) in packs {
        progress.check()?;
        let left = left.get(&number).copied().unwrap_or(0);
        let leaves_too_much = left > 0 && left_bytes > gained / LEFT_SHARE;
        if leaves_too_much || used[&number] + len / MAX_WASTE_SHARE < len {
            compacted.chunks_moved += empty(vault, number, id, progress)?;
            left_bytes -= left;
        }
    }
    store.flush()?;
    // Which packs there are first: in one that is registered after that, the chunks would be missed.
    let packs = catalogue.packs()?;
    // Looked at anew: a pack with what was moved may have been lost by somebody else's flush.
    let used = used_bytes(vault, progress)?;
    let mut unused = Vec::new();
    for (number, id, _) in packs.into_iter().filter(|(number, ..)| !used.contains_key(number)) {
        // A pack that cannot be read is left to `verify`.
        progress.check()?;
        let has_no_records = |index: crate::store::PackIndex| {
            index.damage.is_none() && index.entries.iter().all(|entry| entry.kind != EntryKind::Record)
        };
        if store.pack_index(id).is_ok_and(has_no_records) {
            unused.push((number, id));
        }
    }
    catalogue.retire_packs(&unused)?;
    compacted.packs_removed += store.remove_retired()?;
    // An empty log opens faster; that it cannot be emptied while somebody reads is no failure.
    let _ = catalogue.checkpoint();
    Ok(())
}

/// Returns how many bytes of each pack the chunks need that lie there.
fn used_bytes(vault: &Vault, progress: &Progress) -> Result<HashMap<i64, u64>> {
    let mut used = HashMap::new();
    vault.store().catalogue().for_each_chunk(&mut |_, place| {
        *used.entry(place.pack).or_default() +=
            u64::from(place.stored_len) + ENTRY_COST + place.bases.len() as u64 * BASE_COST;
        progress.check()
    })?;
    Ok(used)
}

/// Moves all chunks that lie in a pack; returns how many.
fn empty(vault: &Vault, number: i64, id: PackId, progress: &Progress) -> Result<u64> {
    let store = vault.store();
    let index = store.pack_index(id)?;
    let mut moved = 0;
    for entry in index.entries.iter().filter(|entry| entry.kind.is_chunk()) {
        progress.check()?;
        let place = store.catalogue().chunk(entry.id.key())?;
        if let Some(place) = place.filter(|place| (place.pack, place.offset) == (number, entry.offset)) {
            store.put_moved(entry.id, place)?;
            moved += 1;
        }
    }
    Ok(moved)
}
