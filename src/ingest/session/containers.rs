//! Files that are containers, checked to be whole by what they say of themselves.
//!
//! A file is checked once, when the session is quiet, and again when it was written since.

use super::file_bytes::FileBytes;
use super::nodes::Body;
use super::op::{Mark, NodeNumber};
use super::status::path_of;
use super::{Session, State};
use crate::error::Result;
use crate::ingest::ByteSource;
use crate::lens::{self, ReadAt, Verdict};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Which files were checked since they were last written.
#[derive(Debug, Default)]
pub(super) struct Containers {
    checked: HashSet<NodeNumber>,
    /// What is wrong with some of them.
    torn: BTreeMap<NodeNumber, String>,
}

impl Containers {
    /// Takes note that a file changes.
    pub(super) fn changed(&mut self, node: NodeNumber) {
        self.checked.remove(&node);
        self.torn.remove(&node);
    }
}

impl ReadAt for FileBytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        ByteSource::read_at(self, buf, offset)
    }
}

impl Session {
    /// Checks all files that were written since they were last checked; `false` when the session changed meanwhile, and
    /// what was found is worth nothing.
    ///
    /// # Errors
    /// Those of reading the files.
    pub(super) fn check_containers(&self, epoch: u64) -> Result<bool> {
        let files = self.state.lock().unchecked(self.keep_caches);
        let verdicts: Vec<(NodeNumber, Verdict)> = files
            .into_par_iter()
            .map(|(node, name)| {
                let bytes = self.bytes(node)?;
                Ok((node, lens::check(&bytes, bytes.end(), &name)?))
            })
            .collect::<Result<_>>()?;
        let mut state = self.state.lock();
        if state.finish.epoch != epoch {
            return Ok(false);
        }
        let containers = &mut state.finish.containers;
        for (node, verdict) in verdicts {
            containers.checked.insert(node);
            if let Verdict::Torn { format, reason } = verdict {
                containers.torn.insert(node, format!("the {format} is not whole: {reason}"));
            }
        }
        Ok(true)
    }
}

impl State {
    /// Returns the files of a build that are to be checked, with their names.
    fn unchecked(&self, keep_caches: bool) -> Vec<(NodeNumber, Arc<[u8]>)> {
        let caches = self.caches(keep_caches);
        let is_checked = |node: &NodeNumber| self.finish.containers.checked.contains(node);
        self.nodes
            .iter()
            .filter(|(number, node)| {
                let is_written =
                    node.mark != Mark::Neutral && matches!(&node.body, Body::File(bytes) if bytes.len() > 0);
                is_written && !is_checked(number) && !self.nodes.is_orphan(*number) && !self.is_in(&caches, *number)
            })
            .map(|(number, node)| (number, node.name.clone()))
            .collect()
    }

    /// Returns a sentence for each container that is not whole.
    pub(super) fn torn_containers(&self) -> impl Iterator<Item = String> {
        let torn = self.finish.containers.torn.iter();
        let torn = torn.filter(|(node, _)| self.nodes.get(**node).is_ok() && !self.nodes.is_orphan(**node));
        torn.map(|(node, why)| format!("{}: {why}", path_of(self, *node)))
    }
}
