//! The virtual file tree that people see when a vault is mounted, free of any system's types.
//!
//! A front end asks by node: [`Tree::lookup`] turns a name into a node, which it may hold until it gives it back with
//! [`Tree::forget`]; everything else names a node. Each top-level folder is a file here, content that several folders
//! show is read by `content`, and what a node's number says is in `number`. Front ends translate [`ErrorKind`] and the
//! types below; the tree knows neither `errno` nor NTSTATUS.
//!
//! All methods may be called from many threads at once.

mod builds;
mod change;
mod changes;
mod content;
mod control;
mod feedback;
mod held;
mod hidden;
mod made;
mod milestones;
mod notes;
mod number;
mod platforms;
mod resolve;
mod root;
mod shown;
mod snapshot;
mod table;
mod types;
mod view;
mod workspaces;

pub use crate::ingest::session::{Caller, Ending};
pub use change::NameAt;
pub use types::{
    Access, Allocation, Attr, AttrChange, Caching, Closing, DirEntry, DirSink, Event, EventSink, Handle, Kind,
    Lifetime, Looking, NodeId, Opened, RenameMode, TimeChange, XattrMode,
};

use crate::content::Reading;
use crate::disk::Space;
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::session::AtRest;
use crate::manifest::{Content, Timestamp};
use crate::store::ReadCounts;
use crate::vault::{Stayed, Vault};
use control::MetaBuffers;
use made::MadeTable;
use notes::Desks;
use number::{HiddenItem, Place};
use parking_lot::Mutex;
use root::Folder;
use snapshot::SessionTable;
use std::collections::HashMap;
use std::sync::Arc;
use table::{Node, NodeTable};
use view::{CurrentView, View, ViewChanges};

/// The most bytes of a name that the tree's front ends announce.
pub const MAX_NAME_LEN: u32 = 255;

/// The tree of one vault.
pub struct Tree {
    vault: Arc<Vault>,
    started: Timestamp,
    nodes: NodeTable,
    view: CurrentView,
    folders: Vec<Box<dyn Folder>>,
    session_table: SessionTable,
    meta_buffers: MetaBuffers,
    made: MadeTable,
    desks: Desks,
    /// The inboxes that could not be imported as they are, by serial.
    uncollected: Mutex<HashMap<u32, AtRest>>,
    /// The recorded plays that could not be kept as they are.
    plays_stayed: Mutex<Stayed>,
    events: EventSink,
}

impl Tree {
    /// Makes the tree of `vault`; reads nothing yet.
    pub fn new(vault: Arc<Vault>, events: EventSink) -> Tree {
        Tree {
            vault,
            started: Timestamp::now(),
            nodes: NodeTable::default(),
            view: CurrentView::default(),
            folders: root::folders(),
            session_table: SessionTable::default(),
            meta_buffers: MetaBuffers::default(),
            made: MadeTable::default(),
            desks: Desks::default(),
            uncollected: Mutex::default(),
            plays_stayed: Mutex::default(),
            events,
        }
    }

    /// Returns what `name` stands for in `directory`, counted as one lookup of the node; `None` when there is no such name.
    ///
    /// # Errors
    /// `NotFound` if the directory is gone, `NotDirectory` if it is none, `Corrupt` or `Io` from the vault.
    pub fn lookup(&self, directory: NodeId, name: &[u8]) -> Result<Option<Attr>> {
        match self.place(directory) {
            Place::Root => root::lookup(self, name),
            Place::Folder(index) => self.folder(index)?.lookup(self, name),
            Place::Content { slot, ordinal: 0 } if name == hidden::HIDDEN_NAME => {
                Ok(Some(hidden::content_attr(self, slot, HiddenItem::Directory)?))
            }
            Place::Content { .. } => content::lookup(self, directory, name),
            Place::Hidden(slot, HiddenItem::Directory) => hidden::content_lookup(self, slot, name),
            Place::Session { serial, node } => snapshot::lookup(self, serial, node, name),
            Place::SessionHidden(serial, HiddenItem::Directory) => control::lookup(self, serial, name),
            Place::Feedback { build, sessions } => feedback::lookup_below(self, build, sessions, name),
            Place::Made { number, node } => made::lookup(self, number, node, name),
            _ => Err(not_a_directory()),
        }
    }

    /// Returns how long it holds that [`Tree::lookup`] found nothing in `directory`.
    pub fn absence_lifetime(&self, directory: NodeId) -> Lifetime {
        match self.place(directory) {
            // `mkdir fix@alpha` makes `fix`, and no front end knows that these two are one.
            Place::Folder(root::SNAPSHOT | root::WORKSPACES) => Lifetime::Never,
            _ => self.names_lifetime(directory),
        }
    }

    /// Returns how long it holds what [`Tree::lookup`] found in `directory`.
    pub fn names_lifetime(&self, directory: NodeId) -> Lifetime {
        match self.place(directory) {
            Place::Folder(_) | Place::Feedback { .. } => Lifetime::Short,
            Place::SessionHidden(..) | Place::Hidden(..) => Lifetime::Never,
            _ => Lifetime::Forever,
        }
    }

    /// Gives back `count` lookups of `node`.
    pub fn forget(&self, node: NodeId, count: u64) {
        match Place::of(node) {
            Place::File | Place::Content { .. } => self.nodes.forget(node, count),
            Place::Session { serial, .. } => self.forget_session(serial, count),
            Place::Made { number, .. } => self.made.forget(number, count),
            _ => {}
        }
    }

    /// Returns how many nodes of builds are held by the front end.
    pub fn held_count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the attributes of a node.
    ///
    /// # Errors
    /// `NotFound` if the node is gone or not held.
    pub fn attr(&self, node: NodeId) -> Result<Attr> {
        match self.place(node) {
            Place::Root => root::attr(self),
            Place::Folder(index) => root::folder_attr(self, self.checked(index)?),
            Place::File | Place::Content { .. } => content::attr(self, node),
            Place::Link(_) => self.link_attr(node),
            Place::Hidden(slot, item) => hidden::content_attr(self, slot, item),
            Place::Session { serial, node } => snapshot::attr(self, serial, node),
            Place::SessionHidden(serial, item) => control::attr(self, serial, item),
            Place::Feedback { build, sessions } => feedback::attr(self, build, sessions),
            Place::Made { number, node } => made::attr(self, number, node),
            _ => Err(nowhere(node)),
        }
    }

    /// Returns the directory above `directory`; the root's is the root.
    ///
    /// # Errors
    /// `NotFound` if the directory is gone, `NotDirectory` if it is none.
    pub fn parent(&self, directory: NodeId) -> Result<NodeId> {
        match self.place(directory) {
            Place::Root | Place::Folder(_) => Ok(NodeId::ROOT),
            Place::Content { .. } => content::parent(self, directory),
            Place::Hidden(slot, _) => Ok(Place::Content { slot, ordinal: 0 }.node()),
            Place::Session { serial, node } => snapshot::parent(self, serial, node),
            Place::SessionHidden(serial, _) => Ok(Place::Session { serial, node: 0 }.node()),
            Place::Feedback { build, sessions: true } => Ok(Place::Feedback { build, sessions: false }.node()),
            Place::Feedback { .. } => Ok(Place::Folder(root::FEEDBACK).node()),
            Place::Made { number, node } => made::parent(self, number, node),
            _ => Err(not_a_directory()),
        }
    }

    /// Gives the entries of `directory` whose cookie is greater than `after` to `sink`, until it has no room.
    ///
    /// Neither `.` nor `..` are among them. An entry that stays in the directory is given exactly once, whatever is added
    /// or removed between two calls.
    ///
    /// # Errors
    /// As [`Tree::lookup`].
    pub fn list(&self, directory: NodeId, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        match self.place(directory) {
            Place::Root => root::list(self, after, sink),
            Place::Folder(index) => self.folder(index)?.list(self, after, looking, sink),
            Place::Content { .. } => content::list(self, directory, after, looking, sink),
            Place::Hidden(slot, HiddenItem::Directory) => hidden::content_list(self, slot, after, sink),
            Place::SessionHidden(_, HiddenItem::Directory) => Ok(()),
            Place::Session { serial, node } => snapshot::list(self, serial, node, after, looking, sink),
            Place::Feedback { build, sessions } => feedback::list_below(self, build, sessions, after, looking, sink),
            Place::Made { number, node } => made::list(self, number, node, after, looking, sink),
            _ => Err(not_a_directory()),
        }
    }

    /// Returns the target of a symlink, its bytes as they were stored.
    ///
    /// # Errors
    /// `Invalid` if the node is no symlink; `NotFound` if it is gone.
    pub fn read_link(&self, node: NodeId) -> Result<Arc<[u8]>> {
        match self.place(node) {
            Place::Content { .. } => content::read_link(self, node),
            Place::Session { serial, node } => self.session(serial)?.read_link(node),
            Place::Link(slot) => {
                let view = self.view()?;
                let (build, milestone) = view.slot(slot).ok_or_else(|| nowhere(node))?;
                Ok(match milestone {
                    None => build.id.as_str().as_bytes().into(),
                    Some(_) => milestones::link_target(build).into(),
                })
            }
            Place::Made { number, node } => made::read_link(self, number, node),
            _ => Err(Error::invalid("only a symlink has a target")),
        }
    }

    /// Opens a file.
    ///
    /// # Errors
    /// `ReadOnly` for writing where nothing can be written; `IsDirectory`; `NotFound` if the node is gone.
    pub fn open(&self, node: NodeId, access: Access) -> Result<Opened> {
        let kept = Opened { handle: Handle(0), caching: Caching::Keep };
        match self.place(node) {
            Place::Hidden(slot, item @ (HiddenItem::Notes | HiddenItem::Draft(_))) => {
                notes::open(self, slot, item, access)?;
                Ok(Opened { caching: Caching::Never, ..kept })
            }
            Place::File | Place::Hidden(..) if access.write || access.truncate => Err(root::read_only("a build")),
            Place::Hidden(_, item) if item != HiddenItem::Directory => Ok(Opened { caching: Caching::Never, ..kept }),
            Place::File => Ok(kept),
            Place::Session { serial, node } => snapshot::open(self, serial, node, access),
            Place::SessionHidden(serial, item) => control::open(self, serial, item, access),
            Place::Made { number, node } if !made::is_folder(self, number, node)? => {
                match access.write || access.truncate {
                    true => Err(self.refuse_node(Place::Made { number, node }.node())),
                    false => Ok(kept),
                }
            }
            Place::Root | Place::Folder(_) | Place::Content { .. } | Place::Feedback { .. } | Place::Made { .. } => {
                Err(Error::new(ErrorKind::IsDirectory, "a directory cannot be opened as a file"))
            }
            _ => Err(nowhere(node)),
        }
    }

    /// Gives back a handle.
    pub fn close(&self, node: NodeId, handle: Handle) {
        match self.place(node) {
            Place::Session { serial, node } => snapshot::close(self, serial, node, handle),
            Place::SessionHidden(serial, item) => control::close(self, serial, item, handle),
            _ => {}
        }
    }

    /// Reads up to `buf.len()` bytes of a file at `offset`; less only at its end.
    ///
    /// # Errors
    /// `Corrupt` if the stored bytes are damaged: never wrong bytes. `IsDirectory`, `NotFound`, `Io`.
    pub fn read(&self, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.read_as(Reading::USING, node, offset, buf)
    }

    /// Reads like [`Tree::read`], for a reader of whom more is known.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn read_as(&self, reading: Reading, node: NodeId, offset: u64, buf: &mut [u8]) -> Result<usize> {
        match self.place(node) {
            Place::File => self.vault.reader().read(&content::file(self, node)?, offset, buf, reading),
            Place::Hidden(slot, item) => Ok(copy_range(&hidden::content_bytes(self, slot, item)?, offset, buf)),
            Place::Session { serial, node } => self.session(serial)?.read(node, offset, buf),
            Place::SessionHidden(serial, item) => control::read(self, serial, item, offset, buf),
            Place::Made { number, node } => made::read(self, number, node, offset, buf),
            Place::Root | Place::Folder(_) | Place::Content { .. } | Place::Feedback { .. } => {
                Err(Error::new(ErrorKind::IsDirectory, "a directory has no bytes to read"))
            }
            _ => Err(nowhere(node)),
        }
    }

    /// Returns where the next data of a file at or after `offset` starts and ends; `None` when only a hole follows.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn next_data(&self, node: NodeId, offset: u64) -> Result<Option<(u64, u64)>> {
        match self.place(node) {
            Place::File => self.vault.reader().next_data(&content::file(self, node)?, offset),
            Place::Session { serial, node } => self.session(serial)?.next_data(node, offset),
            _ => {
                let size = self.attr(node)?.size;
                Ok((offset < size).then_some((offset, size)))
            }
        }
    }

    /// Returns the first data (or the first hole) of a file at or after `offset`; the end of the file counts as a hole.
    ///
    /// `None` when `offset` is at or past the end, or no data follows.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn seek(&self, node: NodeId, offset: u64, wants_data: bool) -> Result<Option<u64>> {
        if offset >= self.attr(node)?.size {
            return Ok(None);
        }
        if wants_data {
            return Ok(self.next_data(node, offset)?.map(|(start, _)| start));
        }
        let mut at = offset;
        while let Some((start, end)) = self.next_data(node, at)? {
            if start > at {
                break;
            }
            at = end;
        }
        Ok(Some(at))
    }

    /// Returns the content of a file whose bytes never change; `None` for any other node.
    pub fn fixed_content(&self, node: NodeId) -> Option<Content> {
        match Place::of(node) {
            Place::File => content::file(self, node).ok(),
            _ => None,
        }
    }

    /// Tells whether neither the bytes nor the names of a node ever change.
    pub fn never_changes(&self, node: NodeId) -> bool {
        matches!(self.place(node), Place::File | Place::Content { .. } | Place::Made { .. })
    }

    /// Tells whether it counts who has a node open to write.
    pub fn counts_writers(&self, node: NodeId) -> bool {
        matches!(self.place(node), Place::Session { .. } | Place::SessionHidden(_, HiddenItem::Meta))
    }

    /// Tells whether a change of names in `directory` may make a build of a session.
    pub fn may_commit(&self, directory: NodeId) -> bool {
        matches!(
            self.place(directory),
            Place::Folder(root::SNAPSHOT | root::WORKSPACES) | Place::SessionHidden(_, HiddenItem::Directory)
        )
    }

    /// Tells whether an entry that is renamed from one directory to the other leaves its session.
    pub fn changes_session(&self, from: NodeId, to: NodeId) -> bool {
        match (self.place(from), self.place(to)) {
            (Place::Session { serial, .. }, Place::Session { serial: other, .. }) => serial != other,
            _ => false,
        }
    }

    /// Returns the value of an extended attribute.
    ///
    /// # Errors
    /// `NoAttribute` if the node does not have it; `NotFound` if the node is gone.
    pub fn xattr(&self, node: NodeId, name: &[u8]) -> Result<Vec<u8>> {
        let value = match self.place(node) {
            Place::File | Place::Content { .. } => content::xattrs(self, node)?.0.get(name).cloned(),
            Place::Session { serial, node } => self.session(serial)?.xattrs(node)?.0.remove(name),
            _ => None,
        };
        value.ok_or_else(|| Error::new(ErrorKind::NoAttribute, "the node has no such attribute"))
    }

    /// Returns the names of a node's extended attributes, sorted.
    ///
    /// # Errors
    /// `NotFound` if the node is gone.
    pub fn xattr_names(&self, node: NodeId) -> Result<Vec<Vec<u8>>> {
        match self.place(node) {
            Place::File | Place::Content { .. } => Ok(content::xattrs(self, node)?.0.keys().cloned().collect()),
            Place::Session { serial, node } => Ok(self.session(serial)?.xattrs(node)?.0.into_keys().collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// Returns what reading has cost since the vault was opened.
    pub fn read_counts(&self) -> ReadCounts {
        self.vault.store().read_counts()
    }

    /// Returns the room on the vault's disk.
    ///
    /// # Errors
    /// `Io` from the system.
    pub fn space(&self) -> Result<Space> {
        self.vault.space()
    }

    /// Looks whether builds or milestones changed, by any process, and sends events for the lists that did and for the
    /// names that do not mean the same any more.
    ///
    /// Costs one question to the catalogue; a front end calls it a few times a second while the catalogue may be changing.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn poll_changes(&self) -> Result<()> {
        // Before anybody has looked, nobody holds an answer that could be out of date.
        match self.view.last() {
            Some(_) => self.view().map(drop),
            None => Ok(()),
        }
    }

    /// Returns where a node stands; for one of a session that was moved to another session, where it stands now.
    fn place(&self, node: NodeId) -> Place {
        match Place::of(node) {
            Place::Session { serial, node } => self.session_table.current(serial, node),
            place => place,
        }
    }

    /// Returns a view that holds all that is published, and announces what was not known before.
    fn view(&self) -> Result<Arc<View>> {
        let (view, changes) = self.view.fresh(&self.vault)?;
        self.announce(changes);
        Ok(view)
    }

    fn announce(&self, changes: ViewChanges) {
        for (index, changed) in [(root::BUILDS, changes.builds), (root::MILESTONES, changes.milestones)] {
            let Some(mut names) = changed else { continue };
            if index == root::BUILDS {
                names.push(String::from_utf8_lossy(builds::LATEST).into_owned());
            }
            let directory = Place::Folder(index).node();
            for name in names {
                (self.events)(Event::Name { directory, name: name.into_bytes() });
            }
            (self.events)(Event::Node(directory));
        }
    }

    /// Tells the front end of a content node: counts it when it will be held, and returns its attributes.
    fn told(&self, place: Place, node: &Node, looking: Looking) -> Attr {
        let number = match looking {
            Looking::Counted => self.nodes.remember(place, node),
            Looking::Uncounted => self.nodes.number(place, node),
        };
        content::attr_of(number, node)
    }

    /// Takes back a telling that did not reach the front end.
    fn untold(&self, node: NodeId, looking: Looking) {
        if looking == Looking::Counted {
            self.forget(node, 1);
        }
    }

    fn folder(&self, index: usize) -> Result<&dyn Folder> {
        Ok(&*self.folders[self.checked(index)?])
    }

    fn checked(&self, index: usize) -> Result<usize> {
        if index < self.folders.len() { Ok(index) } else { Err(nowhere(Place::Folder(index).node())) }
    }

    fn link_attr(&self, node: NodeId) -> Result<Attr> {
        let size = self.read_link(node)?.len() as u64;
        let mtime = self.view()?.newest().unwrap_or(self.started);
        Ok(Attr { node, kind: Kind::Symlink, size, mode: 0o777, mtime, lifetime: Lifetime::Short, writable: false })
    }
}

fn copy_range(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
    let len = buf.len().min(bytes.len() - start);
    buf[..len].copy_from_slice(&bytes[start..start + len]);
    len
}

fn not_a_directory() -> Error {
    Error::new(ErrorKind::NotDirectory, "the node is not a directory")
}

fn nowhere(node: NodeId) -> Error {
    Error::not_found(format!("there is no node {:#x}", node.0))
}
