//! Changes to the tree: which place takes them, and with what error the others refuse.

use super::number::{HiddenItem, Place};
use super::types::{
    Access, Allocation, Attr, AttrChange, Caching, Closing, Event, Handle, Kind, NodeId, Opened, RenameMode,
    TimeChange, XattrMode,
};
use super::{Tree, control, feedback, milestones, not_a_directory, notes, nowhere, root, snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::session::{At, NewNode, NodeNumber, ROOT, SetTime, Space};

/// A name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAt<'a> {
    /// The directory.
    pub directory: NodeId,
    /// The name.
    pub name: &'a [u8],
}

/// Links have no permissions of their own.
const SYMLINK_MODE: u16 = 0o777;

impl<'a> NameAt<'a> {
    /// Returns the name in the directory `node` of a session.
    fn within(self, node: NodeNumber) -> At<'a> {
        At { directory: node, name: self.name }
    }
}

impl Tree {
    /// Changes attributes of a node, and returns all of them; a change of nothing is refused too where nothing can change.
    ///
    /// # Errors
    /// `ReadOnly` outside sessions; `IsDirectory` for the size of a directory; `NoSpace` or `Io` from the disk.
    pub fn set_attr(&self, node: NodeId, change: &AttrChange) -> Result<Attr> {
        match self.place(node) {
            Place::Session { serial, node } => {
                let session = self.session(serial)?;
                if let Some(size) = change.size {
                    session.set_len(node, size)?;
                }
                let time = change.mtime.map(|time| match time {
                    TimeChange::Now => SetTime::Now,
                    TimeChange::At(time) => SetTime::To(time),
                });
                session.change(node, change.mode, time)?;
                snapshot::attr(self, serial, node)
            }
            Place::SessionHidden(serial, item) => control::set_attr(self, serial, item, change),
            Place::Hidden(slot, item @ (HiddenItem::Notes | HiddenItem::Draft(_))) => {
                notes::set_attr(self, slot, item, change)
            }
            _ => Err(self.refuse_node(node)),
        }
    }

    /// Sets the nine bits for owner, group and others alone.
    ///
    /// # Errors
    /// As [`Tree::set_attr`].
    pub fn set_permissions(&self, node: NodeId, mode: u16) -> Result<()> {
        let mode = (self.attr(node)?.mode & !0o777) | (mode & 0o777);
        self.set_attr(node, &AttrChange { mode: Some(mode), ..AttrChange::default() }).map(drop)
    }

    /// Takes the bits away by which a program runs as its owner, or with its group: somebody else has written to it.
    ///
    /// # Errors
    /// As [`Tree::set_attr`].
    pub fn drop_privileges(&self, node: NodeId) -> Result<()> {
        let mode = self.attr(node)?.mode;
        // Without the group's right to run, the group's bit has another meaning.
        let set_group = if mode & 0o010 != 0 { 0o2000 } else { 0 };
        match mode & !(0o4000 | set_group) {
            kept if kept == mode => Ok(()),
            kept => self.set_attr(node, &AttrChange { mode: Some(kept), ..AttrChange::default() }).map(drop),
        }
    }

    /// Makes a directory; the node is counted as looked up.
    ///
    /// # Errors
    /// `Exists`, `ReadOnly`, `Invalid` for a bad name of a session.
    pub fn make_directory(&self, at: NameAt<'_>, mode: u16) -> Result<Attr> {
        match self.place_for(at)? {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_directory(self, at.name, mode),
            Place::Session { serial, node } => snapshot::make(self, serial, at.within(node), NewNode::Directory, mode),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Makes an empty file, and opens it when `access` is given; the node is counted as looked up.
    ///
    /// # Errors
    /// As [`Tree::make_directory`].
    pub fn make_file(&self, at: NameAt<'_>, mode: u16, access: Option<Access>) -> Result<(Attr, Opened)> {
        match self.place_for(at)? {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_file(self, at.name, mode, access),
            Place::Session { serial, node } => snapshot::make_file(self, serial, at.within(node), mode, access),
            Place::SessionHidden(serial, HiddenItem::Directory) => control::make_file(self, serial, at.name),
            Place::Hidden(slot, HiddenItem::Directory) => {
                let opened = Opened { handle: Handle(0), caching: Caching::Never };
                Ok((notes::make_file(self, slot, at.name)?, opened))
            }
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Opens the file called `at` to read when it is one of a session, so that its bytes outlive its name.
    ///
    /// # Errors
    /// Those of the session.
    pub fn hold(&self, at: NameAt<'_>) -> Result<Option<(NodeId, Handle)>> {
        match self.place_of_entry(at)? {
            Place::Session { serial, node } => snapshot::hold(self, serial, at.within(node)),
            _ => Ok(None),
        }
    }

    /// Makes a symlink; the node is counted as looked up.
    ///
    /// # Errors
    /// As [`Tree::make_directory`].
    pub fn make_symlink(&self, at: NameAt<'_>, target: &[u8]) -> Result<Attr> {
        match self.place_for(at)? {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_symlink(self, at.name, target),
            Place::Session { serial, node } => {
                snapshot::make(self, serial, at.within(node), NewNode::Symlink(target.into()), SYMLINK_MODE)
            }
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Makes a file with the content that `node` has now; later changes of one do not show in the other.
    ///
    /// # Errors
    /// As [`Tree::make_directory`]; `NotPermitted` if `node` is a directory.
    pub fn link(&self, node: NodeId, at: NameAt<'_>) -> Result<Attr> {
        match (self.place(node), self.place_for(at)?) {
            (Place::Session { serial, node }, Place::Session { serial: to, node: directory }) if serial == to => {
                snapshot::link(self, serial, node, at.within(directory))
            }
            (_, Place::Session { .. } | Place::Folder(root::SNAPSHOT)) => {
                Err(Error::new(ErrorKind::NotPermitted, "only a file of the same session can be linked"))
            }
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Removes a directory when `kind` says so, else anything that is none.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `IsDirectory`, `NotDirectory`, `ReadOnly`; `NotPermitted` for a build.
    pub fn remove(&self, at: NameAt<'_>, kind: Kind) -> Result<()> {
        match self.place_of_entry(at)? {
            Place::Folder(index) => self.folder(index)?.remove(self, at.name, kind),
            Place::Session { serial, node } => self.session(serial)?.remove(at.within(node), kind == Kind::Directory),
            Place::SessionHidden(..) => Err(Error::new(ErrorKind::NotPermitted, "hidden files cannot be removed")),
            Place::Hidden(slot, HiddenItem::Directory) if kind != Kind::Directory => notes::remove(self, slot, at.name),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Renames an entry.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `NotEmpty`, `IsDirectory`, `NotDirectory`, `ReadOnly`.
    pub fn rename(&self, from: NameAt<'_>, to: NameAt<'_>, mode: RenameMode) -> Result<()> {
        let (from_place, to_place) = (self.place_of_entry(from)?, self.place_for(to)?);
        match (from_place, to_place) {
            (Place::Folder(folder @ (root::SNAPSHOT | root::WORKSPACES)), _) => {
                snapshot::rename_session(self, folder == root::WORKSPACES, from.name, (to_place, to.name), mode)
            }
            (Place::Session { serial, node }, Place::Session { serial: other, node: to_node }) if serial == other => {
                snapshot::refuse_hidden(to.within(to_node))?;
                let session = self.session(serial)?;
                session.rename(from.within(node), to.within(to_node), snapshot::replacing(mode))
            }
            (Place::Session { serial, node }, Place::Session { serial: other, node: to_node }) => {
                let (entry, place) = ((serial, from.within(node)), (other, to.within(to_node)));
                snapshot::move_between(self, entry, place, snapshot::replacing(mode))?;
                // The front end holds the old nodes under the new name.
                (self.events)(Event::Name { directory: to.directory, name: to.name.to_vec() });
                Ok(())
            }
            (Place::Session { .. }, Place::Folder(_)) => {
                Err(Error::invalid("only a whole session can be moved here, not a part of one"))
            }
            (Place::Session { .. }, _) => Err(self.refuse_directory(to.directory)),
            (Place::SessionHidden(..), _) => Err(Error::new(ErrorKind::NotPermitted, "hidden files cannot be moved")),
            (Place::Hidden(slot, HiddenItem::Directory), Place::Hidden(other, HiddenItem::Directory))
                if slot == other =>
            {
                notes::rename(self, slot, from.name, to.name, mode)
            }
            (Place::Folder(root::MILESTONES), Place::Folder(root::MILESTONES)) => {
                milestones::rename(self, from.name, to.name, mode)
            }
            _ => Err(self.refuse_directory(from.directory)),
        }
    }

    /// Writes all of `bytes` into a file at `offset`.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk; `ReadOnly`; `TooLarge`.
    pub fn write(&self, node: NodeId, offset: u64, bytes: &[u8]) -> Result<()> {
        match self.place(node) {
            Place::Session { serial, node } => self.session(serial)?.write(node, offset, bytes),
            Place::SessionHidden(serial, item) => control::write(self, serial, item, offset, bytes),
            Place::Hidden(slot, item @ (HiddenItem::Notes | HiddenItem::Draft(_))) => {
                notes::write(self, slot, item, offset, bytes)
            }
            _ => {
                // Who mapped a file of a build to write it has changed what the front end keeps of it, for everybody.
                (self.events)(Event::Node(node));
                Err(self.refuse_node(node))
            }
        }
    }

    /// Changes how a range of a file takes space.
    ///
    /// # Errors
    /// `NoSpace` when there is not enough room; `ReadOnly`, `Unsupported`.
    pub fn allocate(&self, node: NodeId, allocation: Allocation, offset: u64, len: u64) -> Result<()> {
        let Place::Session { serial, node } = self.place(node) else { return Err(self.refuse_node(node)) };
        let (space, keep_size) = match allocation {
            Allocation::Reserve { keep_size } => (Space::Reserve, keep_size),
            Allocation::Punch => (Space::Zero, true),
            Allocation::Zero { keep_size } => (Space::Zero, keep_size),
        };
        self.session(serial)?.allocate(node, space, offset, len, keep_size)
    }

    /// Ends a turn of writing: takes note of how it ended, and reports what could not be reported by a write.
    ///
    /// # Errors
    /// `Invalid` when what was written to a hidden file cannot be understood.
    pub fn flush(&self, node: NodeId, handle: Handle, closing: Closing) -> Result<()> {
        match (self.place(node), closing) {
            (Place::SessionHidden(serial, item), _) => control::flush(self, serial, item),
            (Place::Session { serial, node }, closing) => snapshot::flush(self, serial, node, handle, closing),
            _ => Ok(()),
        }
    }

    /// Makes what was written to a file, or the names of a directory, survive a crash of the system.
    ///
    /// # Errors
    /// `Io` from the disk.
    pub fn sync(&self, node: NodeId) -> Result<()> {
        match self.place(node) {
            Place::Session { serial, node } => self.session(serial)?.sync(node),
            _ => Ok(()),
        }
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// `ReadOnly`; `TooLarge` beyond 64 KiB; `Exists` or `NoAttribute` when `mode` forbids it.
    pub fn set_xattr(&self, node: NodeId, name: &[u8], value: &[u8], mode: XattrMode) -> Result<()> {
        let Place::Session { serial, node } = self.place(node) else { return self.refuse_xattr(node) };
        let session = self.session(serial)?;
        if node == ROOT && control::set_meta_xattr(&session, name, Some(value))? {
            return Ok(());
        }
        let is_there = || Ok(session.xattrs(node)?.0.contains_key(name));
        match mode {
            XattrMode::Create if is_there()? => {
                Err(Error::new(ErrorKind::Exists, "the node has the attribute already"))
            }
            XattrMode::Replace if !is_there()? => {
                Err(Error::new(ErrorKind::NoAttribute, "the node has no such attribute"))
            }
            _ => session.set_xattr(node, name, value),
        }
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ReadOnly`; `NoAttribute` if there is none.
    pub fn remove_xattr(&self, node: NodeId, name: &[u8]) -> Result<()> {
        let Place::Session { serial, node } = self.place(node) else { return self.refuse_xattr(node) };
        let session = self.session(serial)?;
        match node == ROOT && control::set_meta_xattr(&session, name, None)? {
            true => Ok(()),
            false => session.remove_xattr(node, name),
        }
    }

    /// Refuses an xattr, but for hidden files, where a copy may set what it likes and nothing is kept.
    fn refuse_xattr(&self, node: NodeId) -> Result<()> {
        match self.place(node) {
            Place::SessionHidden(..) | Place::Hidden(_, HiddenItem::Notes | HiddenItem::Draft(_)) => Ok(()),
            _ => Err(self.refuse_node(node)),
        }
    }

    /// Returns the place that takes a new entry `at`: its directory, or the inbox behind that.
    fn place_for(&self, at: NameAt<'_>) -> Result<Place> {
        match self.place(at.directory) {
            Place::Feedback { build, sessions } => feedback::place_for(self, build, sessions, at.name),
            place => Ok(place),
        }
    }

    /// Returns the place that has the entry `at`: its directory, or the inbox behind that.
    fn place_of_entry(&self, at: NameAt<'_>) -> Result<Place> {
        match self.place(at.directory) {
            Place::Feedback { build, sessions } => feedback::place_of_entry(self, build, sessions, at.name),
            place => Ok(place),
        }
    }

    /// Returns the error for changing a node that cannot change.
    pub(super) fn refuse_node(&self, node: NodeId) -> Error {
        match self.place(node) {
            Place::Root | Place::Folder(_) => root::read_only("the tree's own folders"),
            Place::File | Place::Content { .. } | Place::Link(_) | Place::Hidden(..) => root::read_only("a build"),
            Place::Feedback { .. } => root::read_only("the folder of what is known of a build"),
            Place::Made { .. } => root::read_only("what is made from builds"),
            _ => nowhere(node),
        }
    }

    /// Returns the error for changing the names in a directory that cannot change.
    fn refuse_directory(&self, directory: NodeId) -> Error {
        match self.place(directory) {
            Place::File | Place::Link(_) => not_a_directory(),
            _ => self.refuse_node(directory),
        }
    }
}
