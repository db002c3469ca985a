//! The bytes of files of builds, as the readers of formats and the counts of chunks want them.

use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot};

/// Returns all bytes of a file; `None` if there are more than `most`.
pub(super) fn whole(reader: &Reader, content: &Content, most: u64) -> Result<Option<Vec<u8>>> {
    if content.size > most {
        return Ok(None);
    }
    let mut bytes = vec![0; content.size as usize];
    reader.read_at(content, 0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Returns the short key by which chunks are compared: of 10^8 two are taken for one in one of 3,000 builds.
pub(super) fn key(id: ChunkId) -> u64 {
    u64::from_le_bytes(id.0[..8].try_into().expect("8 of 32 bytes"))
}

/// Takes the key of a chunk or list, the bytes of the file that it stands for itself (none for a list), and its id;
/// answers whether to go on below.
type Visit<'a> = &'a mut dyn FnMut(u64, u64, ChunkId) -> Result<bool>;

/// Calls `visit` for the nodes and chunks of a file, in order, each list before what it lists.
pub(super) fn for_each_chunk(reader: &Reader, content: &Content, visit: Visit<'_>) -> Result<()> {
    match content.root {
        ContentRoot::Empty => Ok(()),
        ContentRoot::Chunk(id) => visit(key(id), content.size, id).map(drop),
        ContentRoot::List { id, depth } => list(reader, id, depth, visit),
    }
}

fn list(reader: &Reader, id: ChunkId, depth: u8, visit: Visit<'_>) -> Result<()> {
    if !visit(key(id), 0, id)? {
        return Ok(());
    }
    let list = reader.content_list(id)?;
    if list.depth != depth {
        return Err(Error::corrupt(format!("content list {id} does not fit its file")));
    }
    for item in list.items() {
        match (item.id, depth) {
            (None, _) => {}
            (Some(below), 1) => drop(visit(key(below), item.len, below)?),
            (Some(below), _) => self::list(reader, below, depth - 1, visit)?,
        }
    }
    Ok(())
}
