//! Writing a journal anew when it says the same things over and over: a workspace may be worked in for years.
//!
//! It is done when a session is opened, before anybody has seen it. The new journal takes the place of the old one whole,
//! or not at all.

use super::Session;
use super::journal::Journal;
use super::nodes::{Body, Bytes, Node, Nodes};
use super::op::{NewNode, NodeNumber, Op};
use super::registry::Replay;
use crate::disk::Disk;
use crate::error::{ErrorKind, Result};
use crate::manifest::Timestamp;
use crate::name::FileName;
use std::path::Path;

/// A journal is written anew when it has so many times the ops that are needed.
const WORTH: u64 = 4;

/// Below this a journal is read in no time, whatever it says.
const MIN_OPS: u64 = 400;

/// Writes the journal at `path` anew when that is worth it, and returns it open.
///
/// # Errors
/// `NoSpace` or `Io` from the disk; the old journal is there as it was.
pub(super) fn compact(disk: &dyn Disk, path: &Path, old: Journal, replay: &Replay<'_>) -> Result<Journal> {
    let mut needed = 0;
    replay.ops(&mut |_| {
        needed += 1;
        Ok(())
    })?;
    if replay.op_count < MIN_OPS || replay.op_count < needed * WORTH {
        return Ok(old);
    }
    let new = path.with_extension("new");
    match disk.remove(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut journal = Journal::create(disk, &new)?;
    replay.ops(&mut |op| journal.append(&op))?;
    journal.file().sync()?;
    // Closed: not every system renames files that are open.
    drop((old, journal));
    disk.rename(&new, path)?;
    disk.sync_dir(path.parent().expect("a journal is in its session's folder"))?;
    tracing::debug!(path = %path.display(), from = replay.op_count, to = needed, "wrote a journal anew");
    Journal::open(disk, path, &mut |_| Ok(()))
}

impl Replay<'_> {
    /// Gives the fewest ops that say what the journal says.
    fn ops(&self, emit: &mut dyn FnMut(Op) -> Result<()>) -> Result<()> {
        let Some((name, form, created)) = &self.named else { return Ok(()) };
        emit(Op::Named { name: name.to_string(), form: *form, created: *created })?;
        emit(Op::Info { json: Session::info_json(&self.info) })?;
        tree(&self.nodes, emit)?;
        if let Some(build) = self.own {
            emit(Op::Reopened { build: build.0 })?;
        }
        for (node, failed, why) in &self.torn {
            // What is said of a file that is gone, nobody needs to know.
            if self.nodes.get(*node).is_ok() {
                emit(Op::Torn { node: *node, failed: *failed, why: Some(why.clone()) })?;
            }
        }
        Ok(())
    }
}

/// Gives the ops that make all nodes, directories before what is in them.
fn tree(nodes: &Nodes, emit: &mut dyn FnMut(Op) -> Result<()>) -> Result<()> {
    let mut open = vec![super::ROOT];
    while let Some(directory) = open.pop() {
        let children = nodes.directory(directory)?;
        if let Some(&folded) = children.folded() {
            emit(Op::Folded { node: directory, directory: folded })?;
        }
        for child in children.iter() {
            let node = nodes.get(child)?;
            create(directory, child, node, emit)?;
            if matches!(node.body, Body::Directory(_)) {
                open.push(child);
            }
        }
    }
    // Last: to make an entry changes the time of its directory, to store a file its own.
    for (number, node) in nodes.iter().filter(|&(number, _)| !nodes.is_orphan(number)) {
        for (name, value) in node.xattrs.iter().flat_map(|set| &set.0) {
            emit(Op::Xattr { node: number, name: name.clone(), value: Some(value.clone()) })?;
        }
        let (mode, mtime, mark) = (Some(node.mode), Some(node.mtime), Some(node.mark));
        emit(Op::Change { node: number, mode, mtime, mark })?;
    }
    Ok(())
}

fn create(parent: NodeNumber, number: NodeNumber, node: &Node, emit: &mut dyn FnMut(Op) -> Result<()>) -> Result<()> {
    let what = match &node.body {
        Body::File(_) => NewNode::File,
        Body::Directory(_) => NewNode::Directory,
        Body::Symlink(target) => NewNode::Symlink(target.clone()),
    };
    let (name, mode, time) = (FileName::new(&*node.name)?, node.mode, node.mtime);
    emit(Op::Create { parent, name, node: number, what, mode, time })?;
    let Body::File(bytes) = &node.body else { return Ok(()) };
    for op in bytes_of(number, bytes, time) {
        emit(op)?;
    }
    Ok(())
}

/// Returns the ops that say where a file's bytes are; a spool file is found by its name.
fn bytes_of(node: NodeNumber, bytes: &Bytes, time: Timestamp) -> Vec<Op> {
    match bytes {
        Bytes::Spool { .. } => Vec::new(),
        Bytes::Small { start, len } => vec![Op::Small { node, start: *start, len: *len, time }],
        Bytes::Stored(content) => vec![Op::Stored { node, content: **content }],
        Bytes::Patched(patched) => {
            let (content, len) = (patched.content, patched.kept_len);
            let owned = patched.owned().map(|own| Op::Own { node, start: own.start, end: own.end });
            std::iter::once(Op::Patched { node, content, len, own_end: 0, time }).chain(owned).collect()
        }
    }
}
