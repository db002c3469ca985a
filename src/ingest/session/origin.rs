//! What a session's files were in the build that came before: new bytes are stored as differences to it.

use super::op::NodeNumber;
use super::{ROOT, Session, SessionForm, State};
use crate::content::Reader;
use crate::id::ChunkId;
use crate::ingest::{EarlierVersion, What};
use crate::manifest::{Content, EntryKind};
use std::sync::Arc;

/// A file as its storing sees it, without the session's lock.
pub(super) struct Origin {
    name: Vec<u8>,
    reader: Arc<Reader>,
    earlier: Option<Content>,
}

impl Origin {
    pub(super) fn what(&self) -> What<'_> {
        let earlier = self.earlier.map(|content| EarlierVersion { reader: &self.reader, content });
        What { name: &self.name, earlier }
    }
}

impl Session {
    /// Returns what is known of a file besides its bytes.
    pub(super) fn origin(&self, state: &State, mut node: NodeNumber) -> Origin {
        let mut names = Vec::new();
        while node != ROOT
            && let Ok(found) = state.nodes.get(node)
        {
            names.push(found.name.to_vec());
            if state.nodes.is_orphan(node) {
                break;
            }
            node = found.parent;
        }
        if names.is_empty() && state.form == SessionForm::SingleFile {
            names.push(state.name.as_str().into());
        }
        let earlier = self.earlier_root(state).and_then(|root| self.find(root, &names));
        Origin { name: names.into_iter().next().unwrap_or_default(), reader: self.content.clone(), earlier }
    }

    /// Returns the root of the session's base, or else of the newest build when the session was first asked.
    fn earlier_root(&self, state: &State) -> Option<ChunkId> {
        *self.earlier_root.get_or_init(|| {
            let catalogue = self.store.catalogue();
            let build = match state.info.base {
                Some(number) => catalogue.build_by_number(number),
                None => catalogue.build_from_latest(0),
            };
            // Without it files take more room, that is all.
            Some(build.ok()??.root.id)
        })
    }

    /// Returns the file at the path that `names` make from the last to the first; what cannot be read is not there.
    fn find(&self, root: ChunkId, names: &[Vec<u8>]) -> Option<Content> {
        let mut directory = root;
        for name in names.iter().skip(1).rev() {
            match self.content.lookup(directory, name).ok()??.1.kind {
                EntryKind::Directory(below) => directory = below.id,
                _ => return None,
            }
        }
        match self.content.lookup(directory, names.first()?).ok()??.1.kind {
            EntryKind::File(content) => Some(content),
            _ => None,
        }
    }
}
