//! A session's tree in memory: nodes by number, children by name, and the one place that changes them.
//!
//! [`Nodes::apply`] makes an [`Op`] happen, now or in a replay; the methods before it check what the op needs, so that
//! one which was checked cannot fail. Numbers are given in order and never again, which makes them fit to go on a listing
//! after entries were removed.

use super::junk::is_finishing;
use super::op::{Mark, NewNode, NodeNumber, Op};
use super::patched::Patched;
use super::slots::Slots;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Content, Directory, Timestamp, XattrSet};
use crate::name::FileName;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The root's number.
pub const ROOT: NodeNumber = 0;

/// The parent of a node that has no name any more but is still open.
const NO_PARENT: NodeNumber = NodeNumber::MAX;

/// One node. A session may have millions, so rare things are boxed.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: NodeNumber,
    pub(super) name: Arc<[u8]>,
    pub(super) mode: u16,
    pub(super) mark: Mark,
    /// It came with the base, under the name that it has.
    pub(super) of_base: bool,
    pub(super) mtime: Timestamp,
    pub(super) xattrs: Option<Box<XattrSet>>,
    pub(super) body: Body,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Body {
    File(Bytes),
    Directory(Box<Children>),
    Symlink(Box<[u8]>),
}

impl Body {
    /// Returns a directory that is a stored one, not unfolded.
    pub(super) fn folded(directory: Directory) -> Body {
        Body::Directory(Box::new(Children { folded: Some(directory), ..Children::default() }))
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bytes {
    /// In the spool; nowhere as long as nothing was written.
    Spool { len: u64, has_file: bool },
    /// In the log of small files.
    Small { start: u64, len: u32 },
    /// In the store, durable.
    Stored(Box<Content>),
    /// Partly in the store, partly in the spool.
    Patched(Box<Patched>),
}

impl Bytes {
    const NONE: Bytes = Bytes::Spool { len: 0, has_file: false };

    pub(super) fn len(&self) -> u64 {
        match self {
            Bytes::Spool { len, .. } => *len,
            Bytes::Small { len, .. } => u64::from(*len),
            Bytes::Stored(content) => content.size,
            Bytes::Patched(patched) => patched.len,
        }
    }

    /// Returns how many bytes are in the spool.
    pub(super) fn spool_len(&self) -> u64 {
        match self {
            Bytes::Spool { len, has_file: true } => *len,
            Bytes::Small { len, .. } => u64::from(*len),
            Bytes::Patched(patched) => patched.own_len(),
            Bytes::Spool { has_file: false, .. } | Bytes::Stored(_) => 0,
        }
    }

    /// Tells whether the store does not have the bytes as they are.
    pub(super) fn is_to_be_stored(&self) -> bool {
        self.len() > 0 && !matches!(self, Bytes::Stored(_) | Bytes::Spool { has_file: false, .. })
    }

    /// Tells whether there is a spool file.
    pub(super) fn has_file(&self) -> bool {
        match self {
            Bytes::Spool { has_file, .. } => *has_file,
            Bytes::Small { .. } | Bytes::Stored(_) => false,
            Bytes::Patched(patched) => patched.has_file,
        }
    }

    /// Takes note of a spool file that a restart found.
    pub(super) fn found_file(&mut self, found_len: u64) {
        match self {
            Bytes::Spool { len, has_file } => (*len, *has_file) = (found_len, true),
            Bytes::Small { .. } | Bytes::Stored(_) => {}
            Bytes::Patched(patched) => {
                patched.has_file = true;
                // A cut is in the journal before it is made, so a shorter file only lost its length.
                patched.len = found_len.max(patched.kept_len);
            }
        }
    }

    /// Takes note of the length of the spool file.
    pub(super) fn set_len(&mut self, new: u64) {
        match self {
            Bytes::Spool { len, .. } => *len = new,
            Bytes::Small { .. } | Bytes::Stored(_) => {}
            Bytes::Patched(patched) => {
                patched.cut(new);
                patched.len = new;
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Children {
    by_name: HashMap<Arc<[u8]>, NodeNumber>,
    in_order: BTreeSet<NodeNumber>,
    /// The stored directory that this one is as long as nobody has looked into it: its entries are no nodes yet.
    folded: Option<Directory>,
}

impl Children {
    /// Returns the stored directory, when nobody has looked into this one.
    pub(super) fn folded(&self) -> Option<&Directory> {
        self.folded.as_ref()
    }

    /// Returns the children after `after`, in the order of a listing.
    pub(super) fn after(&self, after: NodeNumber) -> impl Iterator<Item = NodeNumber> {
        self.in_order.range(after.saturating_add(1)..).copied()
    }

    /// Returns the child called `name`, if it is a node.
    pub(super) fn named(&self, name: &[u8]) -> Option<NodeNumber> {
        self.by_name.get(name).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty() && self.folded.is_none_or(|directory| directory.totals.entries == 0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = NodeNumber> + Clone {
        self.in_order.iter().copied()
    }
}

/// All nodes of a session.
#[derive(Debug)]
pub(super) struct Nodes {
    slots: Slots,
}

impl Nodes {
    /// Makes a tree with an empty root.
    pub(super) fn new(time: Timestamp) -> Nodes {
        let body = Body::Directory(Box::default());
        let root = Node { parent: ROOT, mode: 0o755, mtime: time, body, ..Node::placeholder() };
        let mut slots = Slots::default();
        slots.insert(ROOT, root);
        Nodes { slots }
    }

    /// Returns the number that the next new node gets.
    ///
    /// # Errors
    /// `TooLarge` when there are four thousand million.
    pub(super) fn next_number(&self) -> Result<NodeNumber> {
        match self.slots.end() {
            NO_PARENT => Err(Error::new(ErrorKind::TooLarge, "the session has too many entries")),
            number => Ok(number),
        }
    }

    pub(super) fn get(&self, number: NodeNumber) -> Result<&Node> {
        self.slots.get(number).ok_or_else(stale)
    }

    pub(super) fn get_mut(&mut self, number: NodeNumber) -> Result<&mut Node> {
        self.slots.get_mut(number).ok_or_else(stale)
    }

    /// Returns all nodes that are there, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeNumber, &Node)> {
        self.slots.iter()
    }

    /// Returns the bytes of a file.
    ///
    /// # Errors
    /// `IsDirectory` or `Invalid` for anything else.
    pub(super) fn bytes(&self, number: NodeNumber) -> Result<&Bytes> {
        match &self.get(number)?.body {
            Body::File(bytes) => Ok(bytes),
            Body::Directory(_) => Err(is_directory()),
            Body::Symlink(_) => Err(Error::invalid("a symlink has no bytes")),
        }
    }

    /// Returns the bytes of a file, to change where they are.
    pub(super) fn bytes_mut(&mut self, number: NodeNumber) -> Result<&mut Bytes> {
        match &mut self.get_mut(number)?.body {
            Body::File(bytes) => Ok(bytes),
            Body::Directory(_) => Err(is_directory()),
            Body::Symlink(_) => Err(Error::invalid("a symlink has no bytes")),
        }
    }

    /// Returns the children of a directory, which must be unfolded.
    ///
    /// # Errors
    /// `NotDirectory` for anything else.
    pub(super) fn children(&self, number: NodeNumber) -> Result<&Children> {
        let children = self.directory(number)?;
        assert!(children.folded.is_none(), "a directory is unfolded before anybody looks into it");
        Ok(children)
    }

    /// Returns what is known of a directory, unfolded or not.
    ///
    /// # Errors
    /// `NotDirectory` for anything else.
    pub(super) fn directory(&self, number: NodeNumber) -> Result<&Children> {
        match &self.get(number)?.body {
            Body::Directory(children) => Ok(children),
            _ => Err(not_directory()),
        }
    }

    /// Makes nodes of the entries of a folded directory, numbered from `first` on.
    ///
    /// # Errors
    /// `Corrupt` if the numbers are taken.
    pub(super) fn unfold(&mut self, number: NodeNumber, first: NodeNumber, children: Vec<Node>) -> Result<()> {
        if self.slots.end() > first || children.len() >= (NO_PARENT - first) as usize {
            return Err(numbered_twice());
        }
        let mut unfolded = Children::default();
        for (child, node) in (first..).zip(children) {
            unfolded.by_name.insert(node.name.clone(), child);
            unfolded.in_order.insert(child);
            self.slots.insert(child, Node { parent: number, ..node });
        }
        self.get_mut(number)?.body = Body::Directory(Box::new(unfolded));
        Ok(())
    }

    /// Returns the child called `name`.
    ///
    /// # Errors
    /// `NotDirectory` if `directory` is none.
    pub(super) fn child(&self, directory: NodeNumber, name: &[u8]) -> Result<Option<NodeNumber>> {
        Ok(self.children(directory)?.by_name.get(name).copied())
    }

    /// Checks that `directory` can take the new name `name`.
    ///
    /// # Errors
    /// `Exists`; `NotFound` if the directory was removed while somebody is still in it.
    pub(super) fn check_free(&self, directory: NodeNumber, name: &[u8]) -> Result<()> {
        if self.get(directory)?.parent == NO_PARENT {
            return Err(gone());
        }
        match self.child(directory, name)? {
            Some(_) => Err(Error::new(ErrorKind::Exists, "there is an entry of this name already")),
            None => Ok(()),
        }
    }

    /// Checks that `name` can be removed, as a directory or as anything else, and returns its number.
    ///
    /// # Errors
    /// `NotFound`, `NotDirectory`, `IsDirectory`, `NotEmpty`.
    pub(super) fn check_remove(&self, directory: NodeNumber, name: &[u8], as_directory: bool) -> Result<NodeNumber> {
        let number = self.child(directory, name)?.ok_or_else(no_entry)?;
        match &self.get(number)?.body {
            Body::Directory(_) if !as_directory => Err(is_directory()),
            Body::Directory(children) if !children.is_empty() => Err(not_empty()),
            Body::File(_) | Body::Symlink(_) if as_directory => Err(not_directory()),
            _ => Ok(number),
        }
    }

    /// Checks a rename; returns the node that moves and the one that it replaces, or changes places with.
    ///
    /// # Errors
    /// As rename(2): `NotFound`, `Invalid` for a directory into itself, `IsDirectory`, `NotDirectory`, `NotEmpty`.
    pub(super) fn check_rename(
        &self,
        from: (NodeNumber, &[u8]),
        to: (NodeNumber, &[u8]),
        exchange: bool,
    ) -> Result<(NodeNumber, Option<NodeNumber>)> {
        let moving = self.child(from.0, from.1)?.ok_or_else(no_entry)?;
        if self.get(to.0)?.parent == NO_PARENT {
            return Err(gone());
        }
        let there = self.child(to.0, to.1)?;
        if exchange && there.is_none() {
            return Err(no_entry());
        }
        if self.is_or_is_below(to.0, moving) {
            return Err(Error::invalid("a directory cannot be moved into itself"));
        }
        let Some(other) = there else { return Ok((moving, None)) };
        // In the order of the kernel, so that every way in gives the same error.
        match (self.is_or_is_below(from.0, other), exchange) {
            (true, true) => return Err(Error::invalid("a directory cannot be moved into itself")),
            (true, false) => return Err(not_empty()),
            (false, true) => return Ok((moving, Some(other))),
            (false, false) => {}
        }
        match (&self.get(moving)?.body, &self.get(other)?.body) {
            _ if moving == other => {}
            (Body::Directory(_), Body::Directory(children)) if !children.is_empty() => return Err(not_empty()),
            (Body::Directory(_), Body::Directory(_)) => {}
            (Body::Directory(_), _) => return Err(not_directory()),
            (_, Body::Directory(_)) => return Err(is_directory()),
            _ => {}
        }
        Ok((moving, Some(other)))
    }

    /// Tells whether a node has lost its name.
    pub(super) fn is_orphan(&self, number: NodeNumber) -> bool {
        self.get(number).is_ok_and(|node| node.parent == NO_PARENT)
    }

    /// Lets go of a node without a name.
    pub(super) fn drop_orphan(&mut self, number: NodeNumber) {
        if self.is_orphan(number) {
            self.slots.remove(number);
        }
    }

    /// Makes `op` happen, and returns the node that lost its name by it.
    ///
    /// # Errors
    /// Those of the checks above, when the op was not checked.
    pub(super) fn apply(&mut self, op: Op) -> Result<Option<NodeNumber>> {
        match op {
            Op::Named { .. } | Op::Info { .. } | Op::Committing { .. } | Op::Reopened { .. } | Op::Torn { .. } => {}
            Op::Folded { node, directory } => {
                self.get_mut(node)?.body = Body::folded(directory);
            }
            Op::Unfold { .. } => return Err(Error::corrupt("a directory is unfolded with its entries alone")),
            Op::Create { parent, name, node, what, mode, time } => {
                let (body, mark) = match what {
                    NewNode::File => (Body::File(Bytes::NONE), Mark::Open),
                    NewNode::Directory => (Body::Directory(Box::default()), Mark::Neutral),
                    NewNode::Symlink(target) => (Body::Symlink(target), Mark::Neutral),
                };
                self.add(parent, &name, node, Node { mode, mark, mtime: time, body, ..Node::placeholder() }, time)?;
            }
            Op::Link { from, parent, name, node, time } => {
                let source = self.get(from)?;
                let body = match &source.body {
                    Body::File(bytes) => Body::File(bytes.clone()),
                    Body::Symlink(target) => Body::Symlink(target.clone()),
                    Body::Directory(_) => return Err(is_directory()),
                };
                let (mode, mark, mtime, xattrs) = (source.mode, source.mark, source.mtime, source.xattrs.clone());
                self.add(parent, &name, node, Node { mode, mark, mtime, xattrs, body, ..Node::placeholder() }, time)?;
            }
            Op::Remove { parent, name, time } => {
                let number = self.detach(parent, name.as_bytes(), time)?;
                return Ok(Some(number));
            }
            Op::Rename { from, to, exchange, time } => return self.rename(from, to, exchange, time),
            Op::Change { node, mode, mtime, mark } => {
                let node = self.get_mut(node)?;
                node.mode = mode.unwrap_or(node.mode);
                node.mtime = mtime.unwrap_or(node.mtime);
                node.mark = mark.unwrap_or(node.mark);
            }
            Op::Xattr { node, name, value } => {
                let node = self.get_mut(node)?;
                let mut set = node.xattrs.take().unwrap_or_default();
                match value {
                    Some(value) => set.0.insert(name, value),
                    None => set.0.remove(&name),
                };
                node.xattrs = (!set.0.is_empty()).then_some(set);
            }
            Op::Stored { node, content } => *self.bytes_mut(node)? = Bytes::Stored(Box::new(content)),
            Op::Spooled { node } => *self.bytes_mut(node)? = Bytes::NONE,
            Op::Small { node, start, len, time } => {
                *self.bytes_mut(node)? = Bytes::Small { start, len };
                self.get_mut(node)?.mtime = time;
            }
            Op::Patched { node, content, len, own_end, time } => {
                let mut patched = Patched::new(content, len);
                patched.own(len..own_end);
                *self.bytes_mut(node)? = Bytes::Patched(Box::new(patched));
                self.get_mut(node)?.mtime = time;
            }
            Op::Own { node, start, end } => {
                if let Bytes::Patched(patched) = self.bytes_mut(node)? {
                    patched.own(start..end);
                }
            }
            Op::Cut { node, len, time } => {
                if let Bytes::Patched(patched) = self.bytes_mut(node)? {
                    patched.cut(len);
                }
                self.get_mut(node)?.mtime = time;
            }
        }
        Ok(None)
    }

    fn add(
        &mut self,
        parent: NodeNumber,
        name: &FileName,
        number: NodeNumber,
        node: Node,
        time: Timestamp,
    ) -> Result<()> {
        self.check_free(parent, name.as_bytes())?;
        // A replay may leave out numbers whose op was never written, and give them in another order.
        if number == NO_PARENT || self.slots.get(number).is_some() {
            return Err(numbered_twice());
        }
        self.slots.insert(number, Node { name: name.as_bytes().into(), ..node });
        self.attach(parent, name.as_bytes().into(), number, time)
    }

    fn rename(
        &mut self,
        from: (NodeNumber, FileName),
        to: (NodeNumber, FileName),
        exchange: bool,
        time: Timestamp,
    ) -> Result<Option<NodeNumber>> {
        let (from, from_name) = (from.0, from.1.as_bytes());
        let (to, to_name) = (to.0, to.1.as_bytes());
        let (moving, there) = self.check_rename((from, from_name), (to, to_name), exchange)?;
        if there == Some(moving) {
            return Ok(None);
        }
        if there.is_some() {
            self.detach(to, to_name, time)?;
        }
        self.detach(from, from_name, time)?;
        self.attach(to, to_name.into(), moving, time)?;
        let moved = self.get_mut(moving)?;
        // A tool that writes under another name and then gives the file its own has finished it.
        if matches!(moved.mark, Mark::Closed | Mark::Due) && is_finishing(from_name, to_name) {
            moved.mark = Mark::Finished;
        }
        match there {
            Some(other) if exchange => {
                self.attach(from, from_name.into(), other, time)?;
                Ok(None)
            }
            other => Ok(other),
        }
    }

    fn attach(&mut self, parent: NodeNumber, name: Arc<[u8]>, number: NodeNumber, time: Timestamp) -> Result<()> {
        let directory = self.get_mut(parent)?;
        let Body::Directory(children) = &mut directory.body else { return Err(not_directory()) };
        children.by_name.insert(name.clone(), number);
        children.in_order.insert(number);
        directory.mtime = time;
        let node = self.get_mut(number)?;
        node.parent = parent;
        node.name = name;
        node.of_base = false;
        Ok(())
    }

    fn detach(&mut self, parent: NodeNumber, name: &[u8], time: Timestamp) -> Result<NodeNumber> {
        let directory = self.get_mut(parent)?;
        let Body::Directory(children) = &mut directory.body else { return Err(not_directory()) };
        let number = children.by_name.remove(name).ok_or_else(no_entry)?;
        children.in_order.remove(&number);
        directory.mtime = time;
        self.get_mut(number)?.parent = NO_PARENT;
        Ok(number)
    }

    /// Tells whether a node is another one or lies below it.
    pub(super) fn is_or_is_below(&self, mut number: NodeNumber, above: NodeNumber) -> bool {
        loop {
            if number == above {
                return true;
            }
            match self.get(number) {
                Ok(node) if number != ROOT && node.parent != NO_PARENT => number = node.parent,
                _ => return false,
            }
        }
    }
}

impl Node {
    /// Returns a node without parent or content, to be filled in.
    pub(super) fn placeholder() -> Node {
        let (name, body) = (Arc::from(&b""[..]), Body::File(Bytes::NONE));
        let mark = Mark::Neutral;
        Node { parent: NO_PARENT, name, mode: 0, mark, of_base: false, mtime: Timestamp::default(), xattrs: None, body }
    }
}

fn numbered_twice() -> Error {
    Error::corrupt("a node of the session is numbered twice")
}

fn stale() -> Error {
    Error::new(ErrorKind::Stale, "the node is gone")
}

fn gone() -> Error {
    Error::not_found("the directory is gone")
}

fn no_entry() -> Error {
    Error::not_found("there is no entry of this name")
}

fn is_directory() -> Error {
    Error::new(ErrorKind::IsDirectory, "the entry is a directory")
}

fn not_directory() -> Error {
    Error::new(ErrorKind::NotDirectory, "the entry is not a directory")
}

fn not_empty() -> Error {
    Error::new(ErrorKind::NotEmpty, "the directory is not empty")
}
