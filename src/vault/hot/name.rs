//! The file names of copies: each says whose content it is a copy of, so a folder of copies needs no other record.

use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot};

/// The end of the name of a whole copy.
pub(super) const COPY: &str = ".copy";

/// Returns the name of the copy of `content`, without its end: the root's id, its depth and the size.
pub(super) fn name_of(content: &Content) -> String {
    let (id, depth) = match content.root {
        ContentRoot::Empty => (ChunkId([0; ChunkId::LEN]), 0),
        ContentRoot::Chunk(id) => (id, 0),
        ContentRoot::List { id, depth } => (id, depth),
    };
    format!("{id}-{depth}-{}", content.size)
}

/// Returns the content whose copy has this file name; `None` for any other name.
pub(super) fn content_of(file_name: &str) -> Option<Content> {
    let name = file_name.strip_suffix(COPY)?;
    let mut parts = name.split('-');
    let id = ChunkId(*blake3::Hash::from_hex(parts.next()?).ok()?.as_bytes());
    let root = match parts.next()?.parse().ok()? {
        0 => ContentRoot::Chunk(id),
        depth => ContentRoot::List { id, depth },
    };
    let content = Content { size: parts.next()?.parse().ok()?, root };
    // What is written otherwise is not one of ours.
    (name_of(&content) == name).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_content() {
        let id = ChunkId::of(b"a");
        for root in [ContentRoot::Chunk(id), ContentRoot::List { id, depth: 2 }] {
            let content = Content { size: 3 << 30, root };
            assert_eq!(content_of(&format!("{}{COPY}", name_of(&content))), Some(content));
        }
        let name = name_of(&Content { size: 7, root: ContentRoot::Chunk(id) });
        for other in [name.clone(), format!("{name}.used"), format!("{name}-1{COPY}"), format!("0{name}{COPY}")] {
            assert_eq!(content_of(&other), None, "{other}");
        }
    }
}
