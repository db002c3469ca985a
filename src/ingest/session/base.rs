//! Starting from a build: its directories are the session's, and become nodes when somebody looks into them.
//!
//! So starting costs the same for ten files and for a million, and a directory that nobody looked into is in the new
//! build as it was in the old one.

use super::nodes::{Body, Bytes, Node};
use super::op::{NodeNumber, Op};
use super::{Change, ROOT, Session, SessionForm, State};
use crate::catalogue::Build;
use crate::content::Reader;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Directory, Entry, EntryKind};
use parking_lot::MutexGuard;

impl State {
    /// Makes the new session what `base` is.
    pub(super) fn start_from(&mut self, base: &Build, content: &Reader) -> Result<()> {
        self.change(Op::Folded { node: ROOT, directory: base.root })?;
        let (mode, mtime) = (Some(base.attributes.mode), Some(base.attributes.mtime));
        self.change(Op::Change { node: ROOT, mode, mtime, mark: None })?;
        if let Some(id) = base.attributes.xattrs {
            for (name, value) in &content.xattrs(id)?.0 {
                self.change(Op::Xattr { node: ROOT, name: name.clone(), value: Some(value.clone()) })?;
            }
        }
        self.info.base = Some(base.number);
        let json = Session::info_json(&self.info);
        self.change(Op::Info { json }).map(drop)
    }
}

impl Session {
    /// Fills an empty session with all that is in `base`.
    ///
    /// # Errors
    /// `NotEmpty`; `Invalid` for a session of a single file.
    pub fn start_from(&self, base: &Build) -> Result<()> {
        let mut state = self.changing_by(Change::Other)?;
        if state.form == SessionForm::SingleFile {
            return Err(Error::invalid(format!("session {} is a file, and takes no base", state.name)));
        }
        if !state.nodes.directory(ROOT)?.is_empty() {
            let message = format!("session {} has files already, and takes no base", state.name);
            return Err(Error::new(ErrorKind::NotEmpty, message));
        }
        state.start_from(base, &self.content)
    }

    /// Locks the state to look into a directory.
    pub(super) fn looking(&self, directory: NodeNumber) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        self.unfold(&mut state, directory)?;
        Ok(state)
    }

    /// Makes nodes of the entries of a directory that nobody has looked into.
    pub(super) fn unfold(&self, state: &mut State, node: NodeNumber) -> Result<()> {
        let Some(&directory) = state.nodes.directory(node)?.folded() else { return Ok(()) };
        let children = children_of(&self.content, &directory)?;
        let first = state.nodes.next_number()?;
        if !state.nodes.is_orphan(node) {
            state.journal.append(&Op::Unfold { node, first })?;
        }
        state.nodes.unfold(node, first, children)
    }
}

/// Returns the entries of a stored directory as nodes, in their order.
pub(super) fn children_of(content: &Reader, directory: &Directory) -> Result<Vec<Node>> {
    let mut children = Vec::new();
    content.for_each_entry(directory.id, &mut |entry| {
        children.push(node_of(content, entry)?);
        Ok(())
    })?;
    Ok(children)
}

fn node_of(content: &Reader, entry: &Entry) -> Result<Node> {
    let body = match &entry.kind {
        EntryKind::File(content) => Body::File(Bytes::Stored(Box::new(*content))),
        EntryKind::Directory(directory) => Body::folded(*directory),
        EntryKind::Symlink(target) => Body::Symlink(target.clone()),
    };
    let xattrs = match entry.attributes.xattrs {
        Some(id) => Some(Box::new((*content.xattrs(id)?).clone())),
        None => None,
    };
    let (name, mode, mtime) = (entry.name.as_bytes().into(), entry.attributes.mode, entry.attributes.mtime);
    Ok(Node { name, mode, mtime, xattrs, body, of_base: true, ..Node::placeholder() })
}
