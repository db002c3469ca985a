//! How many bytes are really others, and what they take in packs.
//!
//! A file that changed in one place is another file, but most of its chunks are the same. A chunk counts when no older file
//! among the changes has it, and once, for the first path that has it. Files that did not change are not looked at, or each
//! diff would be as long as the build: what was copied out of one counts as changed.

use super::{ChangeKind, Difference, content_of, file_bytes};
use crate::content::Reader;
use crate::error::Result;
use crate::id::ChunkId;
use crate::store::entry_len;
use std::collections::HashSet;

/// Chunks that are looked up together.
const LOOKED_UP: usize = 1024;

/// Counts the bytes of each difference.
pub(super) fn measure(reader: &Reader, changes: &mut [Difference]) -> Result<()> {
    let mut seen = HashSet::new();
    for difference in changes.iter().filter(|difference| has_other_bytes(difference)) {
        if let Some(content) = content_of(difference.old.as_ref()) {
            file_bytes::for_each_chunk(reader, &content, &mut |key, _, _| Ok(seen.insert(key)))?;
        }
    }
    let mut waiting: Vec<(ChunkId, usize)> = Vec::with_capacity(LOOKED_UP);
    for index in 0..changes.len() {
        let Some(content) = content_of(changes[index].new.as_ref()).filter(|_| has_other_bytes(&changes[index])) else {
            continue;
        };
        let mut changed = 0;
        file_bytes::for_each_chunk(reader, &content, &mut |key, len, id| {
            let is_new = seen.insert(key);
            if is_new {
                changed += len;
                waiting.push((id, index));
            }
            Ok(is_new)
        })?;
        changes[index].changed_bytes = changed;
        if waiting.len() >= LOOKED_UP {
            look_up(reader, &mut waiting, changes)?;
        }
    }
    look_up(reader, &mut waiting, changes)
}

fn has_other_bytes(difference: &Difference) -> bool {
    !matches!(difference.change.kind, ChangeKind::Attributes | ChangeKind::Touched)
}

fn look_up(reader: &Reader, waiting: &mut Vec<(ChunkId, usize)>, changes: &mut [Difference]) -> Result<()> {
    for part in waiting.chunks(LOOKED_UP) {
        let ids: Vec<ChunkId> = part.iter().map(|(id, _)| *id).collect();
        let places = reader.store().catalogue().chunks(&ids)?;
        for (&(_, index), place) in part.iter().zip(places) {
            if let Some(place) = place {
                let stored = entry_len(1, place.stored_len.into(), place.bases.len() as u64);
                changes[index].stored_bytes += stored;
            }
        }
    }
    waiting.clear();
    Ok(())
}
