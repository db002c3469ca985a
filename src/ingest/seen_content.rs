//! Whether what an earlier snapshot stored of a file is still there, when chunks are about to go.

use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot, List};
use crate::store::Store;

/// Tells whether all chunks of a content are there, and makes those stay that were to go.
///
/// # Errors
/// Those of the store.
pub(super) fn keeps_content(store: &Store, content: &Content) -> Result<bool> {
    match content.root {
        ContentRoot::Empty => Ok(true),
        ContentRoot::Chunk(id) => store.catalogue().keeps(id.key()),
        ContentRoot::List { id, depth } => keeps_list(store, id, depth),
    }
}

fn keeps_list(store: &Store, id: ChunkId, depth: u8) -> Result<bool> {
    if !store.catalogue().keeps(id.key())? {
        return Ok(false);
    }
    let list = List::decode(&store.get_uncached(id)?)?;
    for below in list.items().iter().filter_map(|item| item.id) {
        let is_kept = match depth {
            0 | 1 => store.catalogue().keeps(below.key())?,
            depth => keeps_list(store, below, depth - 1)?,
        };
        if !is_kept {
            return Ok(false);
        }
    }
    Ok(true)
}
