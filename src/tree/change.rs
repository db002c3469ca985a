//! Changes to the tree: which place takes them, and with what error the others refuse.

use super::number::Place;
use super::types::{Access, Allocation, Attr, AttrChange, Handle, Kind, NodeId, Opened, RenameMode};
use super::{Tree, not_a_directory, nowhere, root};
use crate::error::{Error, Result};

/// A name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameAt<'a> {
    /// The directory.
    pub directory: NodeId,
    /// The name.
    pub name: &'a [u8],
}

impl Tree {
    /// Changes attributes of a node, and returns all of them; a change of nothing is refused too where nothing can change.
    ///
    /// # Errors
    /// `ReadOnly` outside sessions; `IsDirectory` for the size of a directory; `NoSpace` or `Io` from the disk.
    pub fn set_attr(&self, node: NodeId, _change: &AttrChange) -> Result<Attr> {
        Err(self.refuse_node(node))
    }

    /// Makes a directory; the node is counted as looked up.
    ///
    /// # Errors
    /// `Exists`, `ReadOnly`, `Invalid` for a bad name of a session.
    pub fn make_directory(&self, at: NameAt<'_>, mode: u16) -> Result<Attr> {
        match Place::of(at.directory) {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_directory(self, at.name, mode),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Makes an empty file, and opens it when `access` is given; the node is counted as looked up.
    ///
    /// # Errors
    /// As [`Tree::make_directory`].
    pub fn make_file(&self, at: NameAt<'_>, mode: u16, access: Option<Access>) -> Result<(Attr, Opened)> {
        match Place::of(at.directory) {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_file(self, at.name, mode, access),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Makes a symlink; the node is counted as looked up.
    ///
    /// # Errors
    /// As [`Tree::make_directory`].
    pub fn make_symlink(&self, at: NameAt<'_>, target: &[u8]) -> Result<Attr> {
        match Place::of(at.directory) {
            Place::Root => Err(root::refuse(at.name)),
            Place::Folder(index) => self.folder(index)?.make_symlink(self, at.name, target),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Makes a file with the content that `node` has now; later changes of one do not show in the other.
    ///
    /// # Errors
    /// As [`Tree::make_directory`]; `NotPermitted` if `node` is a directory.
    pub fn link(&self, _node: NodeId, at: NameAt<'_>) -> Result<Attr> {
        Err(self.refuse_directory(at.directory))
    }

    /// Removes a directory when `kind` says so, else anything that is none.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `IsDirectory`, `NotDirectory`, `ReadOnly`; `NotPermitted` for a build.
    pub fn remove(&self, at: NameAt<'_>, kind: Kind) -> Result<()> {
        match Place::of(at.directory) {
            Place::Folder(index) => self.folder(index)?.remove(self, at.name, kind),
            _ => Err(self.refuse_directory(at.directory)),
        }
    }

    /// Renames an entry.
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `NotEmpty`, `IsDirectory`, `NotDirectory`, `ReadOnly`.
    pub fn rename(&self, from: NameAt<'_>, to: NameAt<'_>, _mode: RenameMode) -> Result<()> {
        let _ = to;
        Err(self.refuse_directory(from.directory))
    }

    /// Writes all of `bytes` into a file at `offset`.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk; `ReadOnly`; `TooLarge`.
    pub fn write(&self, node: NodeId, _offset: u64, _bytes: &[u8]) -> Result<()> {
        Err(self.refuse_node(node))
    }

    /// Changes how a range of a file takes space.
    ///
    /// # Errors
    /// `NoSpace` when there is not enough room; `ReadOnly`, `Unsupported`.
    pub fn allocate(&self, node: NodeId, _allocation: Allocation, _offset: u64, _len: u64) -> Result<()> {
        Err(self.refuse_node(node))
    }

    /// Ends a turn of writing: reports what could not be reported by a write.
    ///
    /// # Errors
    /// `Invalid` when what was written to a hidden file cannot be understood.
    pub fn flush(&self, _node: NodeId, _handle: Handle) -> Result<()> {
        Ok(())
    }

    /// Makes what was written to a file, or the names of a directory, survive a crash of the system.
    ///
    /// # Errors
    /// `Io` from the disk.
    pub fn sync(&self, _node: NodeId) -> Result<()> {
        Ok(())
    }

    /// Sets an extended attribute.
    ///
    /// # Errors
    /// `ReadOnly`; `TooLarge` beyond 64 KiB.
    pub fn set_xattr(&self, node: NodeId, _name: &[u8], _value: &[u8]) -> Result<()> {
        Err(self.refuse_node(node))
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `ReadOnly`; `NoAttribute` if there is none.
    pub fn remove_xattr(&self, node: NodeId, _name: &[u8]) -> Result<()> {
        Err(self.refuse_node(node))
    }

    /// Returns the error for changing a node that cannot change.
    fn refuse_node(&self, node: NodeId) -> Error {
        match Place::of(node) {
            Place::Root | Place::Folder(_) => root::read_only("the tree's own folders"),
            Place::File | Place::Content { .. } | Place::Link(_) | Place::Hidden(..) => root::read_only("a build"),
            _ => nowhere(node),
        }
    }

    /// Returns the error for changing the names in a directory that cannot change.
    fn refuse_directory(&self, directory: NodeId) -> Error {
        match Place::of(directory) {
            Place::File | Place::Link(_) => not_a_directory(),
            _ => self.refuse_node(directory),
        }
    }
}
