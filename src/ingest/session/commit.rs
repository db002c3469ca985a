//! From a session to a build: store what is left, describe every directory from the bottom up, publish.
//!
//! While it is committed a session cannot be changed; when that fails it is open again, as it was. Once it is a build its
//! spool is gone, and it can still be read by those who hold its nodes. A session that became a build by itself may be
//! changed again: then the next build takes the place of that one.

use super::junk::is_junk;
use super::nodes::{Body, Bytes, Node};
use super::op::{NodeNumber, Op};
use super::status::failures;
use super::{Change, ROOT, Session, SessionForm, SessionState, State};
use crate::catalogue::{Build, Completeness, LeftOut};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::{Draft, Ingested, Replaces, ingest_xattrs, publish};
use crate::manifest::{Attributes, Content, Directory, Entry, EntryKind, encode_directory};
use crate::name::{FileName, RefName, show};
use crate::progress::Progress;
use crate::store::{Class, Store, Ticket, Writing};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a commit waits for files to be closed. The kernel tells of a close after the program that closed has gone on,
/// so `cp` may have ended, and `mv` have begun, when the last file is still open here.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// Entries of engine projects that a build's record names; an entry may be a whole directory.
const MAX_LEFT_OUT: usize = 100;

/// What a session becomes.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// The id of the build.
    pub id: RefName,
    /// Also mark the build as this milestone.
    pub milestone: Option<RefName>,
    /// How sure it is that nothing is missing.
    pub completeness: Completeness,
}

impl Session {
    /// Makes the session a build; nothing is published after an error.
    ///
    /// # Errors
    /// `Busy` while somebody has a file open to write; `Io` when a write had failed, with the first of the files; `Exists`
    /// if the id or the milestone is taken; `Invalid` if nothing is in the session; those of the store.
    pub fn commit(&self, request: &CommitRequest) -> Result<Build> {
        if let Some(name) = &request.milestone
            && self.store.catalogue().milestone(name)?.is_some()
        {
            return Err(Error::new(ErrorKind::Exists, format!("there is a milestone {name} already")));
        }
        let (replaces, left) = self.start_commit(Some(&request.id))?;
        self.finish_commit(request, replaces, left).map_err(|error| self.reopen(error))
    }

    /// Opens the session to changes again after a commit that failed, and returns the error with the session's name.
    pub(super) fn reopen(&self, error: Error) -> Error {
        let mut state = self.state.lock();
        state.phase = SessionState::Open;
        // What was lost with a pack is stored again by the next attempt; the spool has it.
        state.stored.retain(|stored| self.store.is_durable(stored.ticket).is_ok());
        let name = state.name.clone();
        drop(state);
        self.closed.notify_all();
        error.context(format!("session {name}"))
    }

    /// Checks what can be checked at once, closes the session to changes, and returns the files that are not stored.
    pub(super) fn start_commit(&self, id: Option<&RefName>) -> Result<(Replaces, Vec<NodeNumber>)> {
        let replaces = self.state.lock().finish.own.map_or(Replaces::Nothing, Replaces::Build);
        if let Some(id) = id
            && self.store.catalogue().build_by_id(id)?.is_some_and(|build| !replaces.allows(&build))
        {
            let message = format!("a build with the id {id} exists already");
            return Err(Error::new(ErrorKind::Exists, message).with_hint("choose another name for the build"));
        }
        let mut state = self.changing_by(Change::Other)?;
        let deadline = Instant::now() + CLOSE_GRACE;
        let written = |state: &State| state.open.iter().find(|(_, open)| open.is_written()).map(|(&node, _)| node);
        while written(&state).is_some() && !self.closed.wait_until(&mut state, deadline).timed_out() {}
        if let Some(node) = written(&state) {
            let message = format!("the file {} is still open to be written", super::status::path_of(&state, node));
            return Err(Error::new(ErrorKind::Busy, message).with_hint("wait for the copy to end"));
        }
        if let Some(failure) = failures(&state).into_iter().next() {
            let message = format!("not everything was written: {failure}");
            return Err(Error::new(ErrorKind::Io, message).with_hint("copy the file again, or remove it"));
        }
        let has_entry = |node: NodeNumber| state.nodes.get(node).is_ok_and(|node| !is_left_out(node));
        let is_empty = match state.nodes.directory(ROOT)?.folded() {
            Some(base) => base.totals.entries == 0,
            None => !state.nodes.children(ROOT)?.iter().any(has_entry),
        };
        if is_empty {
            return Err(Error::invalid(format!("session {} is empty", state.name)));
        }
        state.phase = SessionState::Committing;
        Ok((replaces, state.not_stored(self.keep_caches)))
    }

    fn finish_commit(&self, request: &CommitRequest, replaces: Replaces, left: Vec<NodeNumber>) -> Result<Build> {
        let writing = Arc::new(self.store.begin_writing()?);
        let stored = self.store_files(left)?;
        let mut state = self.state.lock();
        state.take_stored(stored, &writing);
        let (id, milestone) = (Some(request.id.clone()), request.milestone.clone());
        let draft = Draft { id, milestone, ..self.draft(&state, request.completeness, replaces)? };
        let build = self.publish(&mut state, draft)?;
        self.become_committed(&mut state);
        drop(state);
        self.closed.notify_all();
        Ok(build)
    }

    /// Stores files of the spool that nobody changes meanwhile.
    pub(super) fn store_files(&self, left: Vec<NodeNumber>) -> Result<Vec<(NodeNumber, Ingested)>> {
        left.into_par_iter()
            .map(|node| {
                let (bytes, head, origin) = {
                    let mut state = self.state.lock();
                    let bytes = self.bytes_in(&mut state, node, 0..u64::MAX)?;
                    (bytes, state.heads.take(node), self.origin(&state, node))
                };
                Ok((node, head.finish(&self.store, &bytes, bytes.end(), true, &origin.what(), &Progress::new())?))
            })
            .collect()
    }

    /// Describes the tree of a session whose files are all stored, as a build without an id.
    pub(super) fn draft(&self, state: &State, completeness: Completeness, replaces: Replaces) -> Result<Draft> {
        let stored_bytes = state.stored_bytes;
        let caches = state.caches(self.keep_caches);
        let mut builder = Builder { state, store: &self.store, caches, ticket: Ticket::default(), stored_bytes };
        let root = builder.tree()?;
        builder.draft(completeness, replaces, root)
    }

    /// Makes a draft of this session a build.
    pub(super) fn publish(&self, state: &mut State, draft: Draft) -> Result<Build> {
        // A restart that finds this op and a build of this root knows that nothing is left to do.
        state.journal.append(&Op::Committing { root: draft.root.id })?;
        Ok(publish(&self.store, draft)?.0)
    }

    /// Points every file at what was stored, and removes the spool.
    fn become_committed(&self, state: &mut State) {
        for (node, stored) in std::mem::take(&mut state.stored).all() {
            if let Ok(bytes @ (Bytes::Spool { .. } | Bytes::Small { .. } | Bytes::Patched(_))) =
                state.nodes.bytes_mut(node)
            {
                self.activity.spool_changed(bytes.spool_len(), 0);
                *bytes = Bytes::Stored(Box::new(stored.content));
            }
        }
        for open in state.open.values_mut() {
            open.forget_spool();
        }
        state.queue.clear();
        state.phase = SessionState::Committed;
        if let Err(error) = self.disk().remove_dir_all(&self.folder) {
            tracing::warn!(%error, "the spool of a committed session was left");
        }
    }
}

impl State {
    /// Returns the files that are to be stored before a commit; the background stops storing them.
    pub(super) fn not_stored(&mut self, keep_caches: bool) -> Vec<NodeNumber> {
        self.storing.clear();
        let caches = self.caches(keep_caches);
        let left = self.nodes.iter().filter(|(number, _)| !self.stored.contains(*number));
        let left = left.filter_map(|(number, node)| match node.body {
            Body::File(ref bytes) if bytes.is_to_be_stored() && !is_left_out(node) => {
                (!self.is_in(&caches, number)).then_some(number)
            }
            _ => None,
        });
        left.collect()
    }

    /// Takes note of files that were stored and have not changed since.
    pub(super) fn take_stored(&mut self, stored: Vec<(NodeNumber, Ingested)>, writing: &Arc<Writing>) {
        for (node, stored) in stored {
            self.stored_bytes += stored.stored_bytes;
            self.stored.insert(node, stored, writing);
        }
    }
}

/// Tells whether a node is not in the build that its session becomes; what the base has under the same name always is.
pub(super) fn is_left_out(node: &Node) -> bool {
    let mode = matches!(node.body, Body::File(_)).then_some(node.mode);
    !node.of_base && is_junk(&node.name, mode)
}

/// Describes a session's tree.
struct Builder<'a> {
    state: &'a State,
    store: &'a Store,
    /// What is left out of the projects of game engines.
    caches: BTreeMap<NodeNumber, LeftOut>,
    ticket: Ticket,
    stored_bytes: u64,
}

/// A directory that is being described.
struct Open {
    number: NodeNumber,
    /// Its children in reverse order; the last is the next.
    left: Vec<NodeNumber>,
    entries: Vec<Entry>,
}

impl Builder<'_> {
    /// Stores every directory, the deepest first, and returns the root.
    fn tree(&mut self) -> Result<Directory> {
        if let Some(base) = self.state.nodes.directory(ROOT)?.folded() {
            return Ok(*base);
        }
        // A stack of its own: a tree may be deeper than a thread's stack.
        let mut open = vec![self.open(ROOT)?];
        loop {
            let top = open.last_mut().expect("the root leaves the stack only by the return");
            if let Some(child) = top.left.pop() {
                let node = self.state.nodes.get(child)?;
                match &node.body {
                    Body::Directory(children) => match children.folded() {
                        Some(directory) => {
                            let entry = self.entry(node, EntryKind::Directory(*directory))?;
                            top.entries.push(entry);
                        }
                        None => {
                            let below = self.open(child)?;
                            open.push(below);
                        }
                    },
                    Body::File(bytes) => {
                        let kind = EntryKind::File(self.content(child, bytes)?);
                        let entry = self.entry(node, kind)?;
                        top.entries.push(entry);
                    }
                    Body::Symlink(target) => {
                        let entry = self.entry(node, EntryKind::Symlink(target.clone()))?;
                        top.entries.push(entry);
                    }
                }
                continue;
            }
            let done = open.pop().expect("just looked at");
            let directory = self.directory(&done.entries)?;
            let Some(above) = open.last_mut() else { return Ok(directory) };
            let entry = self.entry(self.state.nodes.get(done.number)?, EntryKind::Directory(directory))?;
            above.entries.push(entry);
        }
    }

    fn open(&self, number: NodeNumber) -> Result<Open> {
        let mut named = Vec::new();
        for child in self.state.nodes.children(number)?.iter() {
            let node = self.state.nodes.get(child)?;
            if !is_left_out(node) && !self.caches.contains_key(&child) {
                named.push((node.name.clone(), child));
            }
        }
        named.sort_by(|a, b| b.0.cmp(&a.0));
        let left: Vec<NodeNumber> = named.into_iter().map(|(_, child)| child).collect();
        let entries = Vec::with_capacity(left.len());
        Ok(Open { number, left, entries })
    }

    fn content(&mut self, number: NodeNumber, bytes: &Bytes) -> Result<Content> {
        match bytes {
            Bytes::Stored(content) => Ok(**content),
            bytes if bytes.len() == 0 => Ok(Content::EMPTY),
            bytes => {
                let missing = || Error::new(ErrorKind::Io, "a file of the session was not stored");
                let stored = self.state.stored.get(number).ok_or_else(missing)?;
                if stored.content.size != bytes.len() {
                    let name = super::status::path_of(self.state, number);
                    let message =
                        format!("{name} has {} of its {} bytes in the spool", stored.content.size, bytes.len());
                    return Err(Error::new(ErrorKind::Io, message).with_hint("copy the file again"));
                }
                self.ticket = self.ticket.join(stored.ticket);
                Ok(stored.content)
            }
        }
    }

    fn entry(&mut self, node: &Node, kind: EntryKind) -> Result<Entry> {
        Ok(Entry { name: FileName::new(&*node.name)?, attributes: self.attributes(node)?, kind })
    }

    fn attributes(&mut self, node: &Node) -> Result<Attributes> {
        let xattrs = match &node.xattrs {
            Some(set) => {
                let (id, ticket) = ingest_xattrs(self.store, set)?;
                self.ticket = self.ticket.join(ticket);
                id
            }
            None => None,
        };
        Ok(Attributes { mode: node.mode, mtime: node.mtime, xattrs })
    }

    fn directory(&mut self, entries: &[Entry]) -> Result<Directory> {
        let (store, ticket, stored_bytes) = (self.store, &mut self.ticket, &mut self.stored_bytes);
        encode_directory(entries, &mut |page| {
            let put = store.put(page, Class::Tree)?;
            *ticket = ticket.join(put.ticket);
            *stored_bytes += put.stored_len;
            Ok(put.id)
        })
    }

    fn draft(&mut self, completeness: Completeness, replaces: Replaces, root: Directory) -> Result<Draft> {
        let state = self.state;
        let mut attributes = self.attributes(state.nodes.get(ROOT)?)?;
        let mut single_file = None;
        if state.form == SessionForm::SingleFile
            && let Some(file) = state.nodes.children(ROOT)?.iter().next()
        {
            // Nobody made this directory: it changes when its file does.
            let file = state.nodes.get(file)?;
            attributes = Attributes { mode: 0o755, mtime: file.mtime, xattrs: None };
            single_file = Some(show(&file.name));
        }
        let mut info = state.info.clone();
        let folder = if state.form == SessionForm::Workspace { "workspaces" } else { ".snapshot" };
        info.source.get_or_insert_with(|| format!("{folder}/{}", state.name));
        info.left_out = self.caches.values().take(MAX_LEFT_OUT).cloned().collect();
        info.tool.get_or_insert_with(|| format!("gamevault {}", env!("CARGO_PKG_VERSION")));
        Ok(Draft {
            id: None,
            root,
            attributes,
            single_file,
            completeness,
            changed_while_read: Vec::new(),
            ticket: self.ticket,
            stored_bytes: self.stored_bytes,
            info,
            milestone: None,
            replaces,
        })
    }
}
