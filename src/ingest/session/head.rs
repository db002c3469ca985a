//! Storing the head of a large file while it is still written, so that the spool never holds all of a large import.
//!
//! When the spool is full, the file that has most of it gives its head to the store: what it has there becomes stored
//! bytes, and the spool file a hole. The chunking goes on where it stopped, so that a file of any size is read once. A
//! write into the head ends that: the file is then like any stored file that is patched, and is read from its start when
//! it alone has filled the spool again.

use super::nodes::{Body, Bytes};
use super::op::{NodeNumber, Op};
use super::origin::Origin;
use super::{FileBytes, Session, State};
use crate::error::Result;
use crate::ingest::{GrowingFile, Ingested};
use crate::progress::Progress;
use std::collections::HashMap;

/// Bytes before the end that stay in the spool, for writes that come out of order.
const MARGIN: u64 = 4 << 20;

/// The heads of a session's files, and the writes that are on their way to the spool.
#[derive(Default)]
pub(super) struct Heads {
    by_node: HashMap<NodeNumber, Head>,
    /// Node and offset of each write that is made without the session's lock.
    writing: Vec<(NodeNumber, u64)>,
}

/// The head of one file.
struct Head {
    /// What is in the store; `None` while it is stored.
    file: Option<GrowingFile>,
    /// Where the bytes end that are stored, or about to be.
    end: u64,
}

/// The head of a file on its way to the store.
struct Job {
    node: NodeNumber,
    file: GrowingFile,
    bytes: FileBytes,
    end: u64,
    origin: Origin,
}

impl Heads {
    /// Takes note that a file changes at `offset`, and perhaps behind it.
    pub(super) fn changed(&mut self, node: NodeNumber, offset: u64) {
        if self.by_node.get(&node).is_some_and(|head| offset < head.end) {
            self.by_node.remove(&node);
        }
    }

    /// Takes what is stored of a file, to go on with it.
    pub(super) fn take(&mut self, node: NodeNumber) -> GrowingFile {
        self.by_node.remove(&node).and_then(|head| head.file).unwrap_or_default()
    }

    /// Takes note of a write that is made without the lock.
    pub(super) fn write_begins(&mut self, node: NodeNumber, offset: u64) {
        self.writing.push((node, offset));
    }

    /// Takes back a [`Heads::write_begins`].
    pub(super) fn write_ends(&mut self, node: NodeNumber, offset: u64) {
        if let Some(index) = self.writing.iter().position(|&write| write == (node, offset)) {
            self.writing.swap_remove(index);
        }
    }

    fn is_written_before(&self, node: NodeNumber, end: u64) -> bool {
        self.writing.iter().any(|&(other, offset)| other == node && offset < end)
    }
}

impl Session {
    /// Stores the head of the file that has most in the spool, and returns how many bytes that freed; `None` if no file
    /// is worth it.
    pub(super) fn store_head(&self) -> Option<u64> {
        // Until the journal names what was stored.
        let _writing = self.begin_writing()?;
        let Job { node, mut file, bytes, end, origin } = self.next_head()?;
        let fed =
            file.feed(&self.store, &bytes, end, &origin.what(), &Progress::new()).and_then(|()| self.so_far(&file));
        let mut state = self.state.lock();
        // A write into the head took it out: what was stored is not what the file is now.
        state.heads.by_node.get(&node).filter(|head| head.end == end)?;
        let kept = fed.and_then(|stored| {
            let freed = self.keep_head(&mut state, node, &stored)?;
            Ok((freed, stored.content.size))
        });
        match kept {
            Ok((None, _)) => {
                state.heads.by_node.remove(&node);
                None
            }
            Ok((Some(freed), end)) => {
                state.heads.by_node.insert(node, Head { file: Some(file), end });
                Some(freed)
            }
            Err(error) => {
                state.heads.by_node.remove(&node);
                tracing::warn!(%error, node, "the head of a file was not stored yet");
                None
            }
        }
    }

    fn next_head(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let limit = self.activity.spool_limit();
        let (len, node) = state.open.keys().filter_map(|&node| state.head_worth(node, limit)).max()?;
        let end = state.nodes.bytes(node).ok()?.len() - MARGIN;
        if len < self.activity.flush_len() || state.heads.is_written_before(node, end) {
            return None;
        }
        let bytes = self.bytes_in(&mut state, node, 0..u64::MAX).ok()?;
        let file = state.heads.take(node);
        state.heads.by_node.insert(node, Head { file: None, end });
        let origin = self.origin(&state, node);
        Some(Job { node, file, bytes, end, origin })
    }

    /// Returns the content of what is stored of a file, durable.
    fn so_far(&self, file: &GrowingFile) -> Result<Ingested> {
        let stored = file.so_far(&self.store)?;
        self.store.flush()?;
        Ok(stored)
    }

    /// Makes the stored head of a file count, and frees its room in the spool; returns how much that is, if it can be.
    fn keep_head(&self, state: &mut State, node: NodeNumber, stored: &Ingested) -> Result<Option<u64>> {
        self.store.is_durable(stored.ticket)?;
        let found = state.nodes.get(node)?;
        let Body::File(bytes) = &found.body else { return Ok(None) };
        let (spool_len, own_end, time) = (bytes.spool_len(), bytes.len(), found.mtime);
        let (content, len) = (stored.content, stored.content.size);
        // Behind the head all bytes must be in the spool.
        if matches!(bytes, Bytes::Patched(patched) if patched.kept_len > len) {
            return Ok(None);
        }
        let Some(file) = self.spool_to_read(state, node)? else { return Ok(None) };
        state.change(Op::Patched { node, content, len, own_end, time })?;
        if let Bytes::Patched(patched) = state.nodes.bytes_mut(node)? {
            patched.has_file = true;
        }
        let left_len = state.nodes.bytes(node)?.spool_len();
        self.activity.spool_changed(spool_len, left_len);
        file.punch_hole(0, len)?;
        Ok(Some(spool_len.saturating_sub(left_len)))
    }
}

impl State {
    /// Returns how many bytes a file has in the spool when its head can go to the store, and its number.
    fn head_worth(&self, node: NodeNumber, spool_limit: u64) -> Option<(u64, NodeNumber)> {
        let bytes = self.nodes.bytes(node).ok().filter(|bytes| bytes.has_file())?;
        let can_go = match bytes {
            Bytes::Spool { .. } => true,
            // Of other patched files nobody knows where the chunking stopped: they are read from the start.
            Bytes::Patched(patched) => match self.heads.by_node.get(&node) {
                Some(head) => head.file.is_some(),
                None => patched.own_len() > spool_limit && patched.kept_len + 2 * MARGIN < patched.len,
            },
            Bytes::Small { .. } | Bytes::Stored(_) => false,
        };
        let worth = bytes.spool_len().saturating_sub(MARGIN);
        (can_go && worth > 0 && !self.nodes.is_orphan(node)).then_some((worth, node))
    }
}
