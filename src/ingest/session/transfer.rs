//! Moving an entry, with all that is below it, from one session to another.
//!
//! What is stored moves by reference, a spool file by a second name: nothing is copied but small files. The new entry is
//! whole, in the journal of its session, before the old one goes; a crash in between leaves both.

use super::nodes::{Body, Bytes};
use super::op::{NewNode, NodeNumber, Op};
use super::{At, Replacing, Session, State};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::ByteSource;
use crate::manifest::Timestamp;
use crate::name::FileName;

impl Session {
    /// Moves the entry `from` to the place `to` in another session; returns the old and the new number of each node.
    ///
    /// # Errors
    /// As [`Session::rename`]; `Busy` while somebody writes to a file of it; `Unsupported` for an exchange.
    pub fn move_to(
        &self,
        from: At<'_>,
        other: &Session,
        to: At<'_>,
        how: Replacing,
    ) -> Result<Vec<(NodeNumber, NodeNumber)>> {
        assert!(self.serial != other.serial, "within one session it is a rename");
        if how == Replacing::Exchange {
            return Err(Error::new(ErrorKind::Unsupported, "entries of two sessions cannot be exchanged"));
        }
        // In one order everywhere, so that two moves never wait for each other.
        let (mut source, mut target);
        if self.serial < other.serial {
            source = self.changing()?;
            target = other.changing()?;
        } else {
            target = other.changing()?;
            source = self.changing()?;
        }
        self.unfold(&mut source, from.directory)?;
        other.unfold(&mut target, to.directory)?;
        let moving = source.nodes.child(from.directory, from.name)?;
        let moving = moving.ok_or_else(|| Error::not_found("there is no entry of this name"))?;
        source.check_at_rest(moving)?;
        other.make_room(&mut target, &source, moving, to, how)?;
        let first = target.nodes.next_number()?;
        let moved = other.take_in(&mut target, self, &mut source, moving, to);
        let moved = moved.inspect_err(|_| other.take_back(&mut target, first))?;
        self.remove_tree(&mut source, moving)?;
        Ok(moved)
    }

    /// Removes what the new entry replaces.
    fn make_room(
        &self,
        target: &mut State,
        source: &State,
        moving: NodeNumber,
        to: At<'_>,
        how: Replacing,
    ) -> Result<()> {
        if target.nodes.child(to.directory, to.name)?.is_none() {
            return target.nodes.check_free(to.directory, to.name);
        }
        if how == Replacing::Never {
            return Err(Error::new(ErrorKind::Exists, "there is an entry of this name already"));
        }
        let is_directory = matches!(source.nodes.get(moving)?.body, Body::Directory(_));
        target.nodes.check_remove(to.directory, to.name, is_directory)?;
        let (parent, name) = (to.directory, FileName::new(to.name)?);
        let orphan = target.change(Op::Remove { parent, name, time: Timestamp::now() })?;
        self.let_go(target, orphan);
        Ok(())
    }

    /// Makes the entry and all below it anew.
    fn take_in(
        &self,
        target: &mut State,
        from: &Session,
        source: &mut State,
        moving: NodeNumber,
        to: At<'_>,
    ) -> Result<Vec<(NodeNumber, NodeNumber)>> {
        let mut waiting = vec![(moving, to.directory, FileName::new(to.name)?)];
        while let Some((old, parent, name)) = waiting.pop() {
            let node = target.nodes.next_number()?;
            let (what, mode) = source.what(old)?;
            target.change(Op::Create { parent, name, node, what, mode, time: Timestamp::now() })?;
            self.take_bytes(target, node, from, source, old)?;
            let found = source.nodes.get(old)?;
            if let Body::Directory(children) = &found.body {
                match children.folded() {
                    Some(&directory) => drop(target.change(Op::Folded { node, directory })?),
                    None => {
                        for child in children.iter() {
                            waiting.push((child, node, FileName::new(&*source.nodes.get(child)?.name)?));
                        }
                    }
                }
            }
            for (name, value) in found.xattrs.iter().flat_map(|set| &set.0) {
                target.change(Op::Xattr { node, name: name.clone(), value: Some(value.clone()) })?;
            }
        }
        // Last and from the bottom up: making an entry changes the time of its directory.
        let mut waiting = vec![(moving, target.nodes.child(to.directory, to.name)?)];
        let mut found = Vec::new();
        while let Some((old, new)) = waiting.pop() {
            let new = new.ok_or_else(|| Error::not_found("the entry went away while it was moved"))?;
            found.push((old, new));
            if let Body::Directory(children) = &source.nodes.get(old)?.body
                && children.folded().is_none()
            {
                for child in children.iter() {
                    waiting.push((child, target.nodes.child(new, &source.nodes.get(child)?.name)?));
                }
            }
        }
        for &(old, node) in found.iter().rev() {
            // What is not whole is no better in another place.
            if let Some(why) = source.finish.torn.get(&old) {
                target.tear(node, false, why.clone());
            }
            if let Some(why) = source.failures.get(&old) {
                target.tear(node, true, why.clone());
            }
            let old = source.nodes.get(old)?;
            target.change(Op::Change { node, mode: None, mtime: Some(old.mtime), mark: Some(old.mark) })?;
        }
        Ok(found)
    }

    /// Gives a new file the bytes of an old one.
    fn take_bytes(
        &self,
        target: &mut State,
        node: NodeNumber,
        from: &Session,
        source: &mut State,
        old: NodeNumber,
    ) -> Result<()> {
        let Body::File(bytes) = &source.nodes.get(old)?.body else { return Ok(()) };
        let bytes = bytes.clone();
        if bytes.has_file() {
            self.disk().link(&from.spool_path(old), &self.spool_path(node))?;
            self.name_made();
        }
        let time = Timestamp::now();
        match &bytes {
            Bytes::Spool { .. } => *target.nodes.bytes_mut(node)? = bytes.clone(),
            Bytes::Stored(content) => drop(target.change(Op::Stored { node, content: **content })?),
            Bytes::Small { len, .. } => {
                let mut small = vec![0; *len as usize];
                from.bytes_in(source, old, 0..u64::MAX)?.read_at(&mut small, 0)?;
                let start = self.append_small(target, &small)?;
                target.change(Op::Small { node, start, len: *len, time })?;
            }
            Bytes::Patched(patched) => {
                let (content, len) = (patched.content, patched.kept_len);
                target.change(Op::Patched { node, content, len, own_end: 0, time })?;
                for own in patched.owned() {
                    target.change(Op::Own { node, start: own.start, end: own.end })?;
                }
                *target.nodes.bytes_mut(node)? = bytes.clone();
            }
        }
        self.activity.spool_changed(0, bytes.spool_len());
        target.queue.push_back(node);
        Ok(())
    }

    /// Removes what an attempt that failed has made, from the node `first` on.
    fn take_back(&self, target: &mut State, first: NodeNumber) {
        let made: Vec<NodeNumber> = target.nodes.iter().map(|(node, _)| node).filter(|&node| node >= first).collect();
        for node in made.into_iter().rev() {
            if let Err(error) = self.remove_node(target, node) {
                tracing::warn!(%error, node, "what a failed move had made was left");
            }
        }
    }

    /// Removes an entry with all below it.
    fn remove_tree(&self, state: &mut State, top: NodeNumber) -> Result<()> {
        let mut found = vec![top];
        let mut index = 0;
        while index < found.len() {
            let below = match &state.nodes.get(found[index])?.body {
                // A folded directory goes as a whole.
                Body::Directory(children) => children.iter().collect(),
                Body::File(_) | Body::Symlink(_) => Vec::new(),
            };
            found.extend(below);
            index += 1;
        }
        found.into_iter().rev().try_for_each(|node| self.remove_node(state, node))
    }

    fn remove_node(&self, state: &mut State, node: NodeNumber) -> Result<()> {
        let found = state.nodes.get(node)?;
        let (parent, name) = (found.parent, FileName::new(&*found.name)?);
        let orphan = state.change(Op::Remove { parent, name, time: Timestamp::now() })?;
        self.let_go(state, orphan);
        Ok(())
    }
}

impl State {
    /// Checks that nobody writes to a file at or below a node.
    fn check_at_rest(&self, top: NodeNumber) -> Result<()> {
        let is_written = |&node: &NodeNumber| self.open.get(&node).is_some_and(|open| open.is_written());
        match self.open.keys().find(|node| is_written(node) && self.nodes.is_or_is_below(**node, top)) {
            Some(&node) => {
                let path = super::status::path_of(self, node);
                let message = format!("the file {path} is still open to be written");
                Err(Error::new(ErrorKind::Busy, message).with_hint("wait for the copy to end"))
            }
            None => Ok(()),
        }
    }

    fn what(&self, node: NodeNumber) -> Result<(NewNode, u16)> {
        let found = self.nodes.get(node)?;
        let what = match &found.body {
            Body::File(_) => NewNode::File,
            Body::Directory(_) => NewNode::Directory,
            Body::Symlink(target) => NewNode::Symlink(target.clone()),
        };
        Ok((what, found.mode))
    }
}
