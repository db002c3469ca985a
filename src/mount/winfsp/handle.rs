//! Opening, making and closing: what Windows holds between its requests.

use super::info::{self, FileInfo};
use super::listing::Row;
use super::node::Node;
use super::path::Path;
use super::status::Status;
use super::volume::{Answer, Found, Volume};
use crate::error::ErrorKind;
use crate::tree::{Access, Caller, Closing, Handle as TreeHandle, Kind, NameAt, NodeId};
use parking_lot::Mutex;
use std::sync::Arc;

const READ_DATA: u32 = 0x1;
const WRITE_DATA: u32 = 0x2;
const APPEND_DATA: u32 = 0x4;
const EXECUTE: u32 = 0x20;
/// A program that asks for whatever it may have.
const MAXIMUM_ALLOWED: u32 = 0x0200_0000;

/// The folders of a new session and its parts: what they are for those who mount the vault on another system.
const DIRECTORY_MODE: u16 = 0o755;

/// What Windows wants to open or make something for.
#[derive(Debug, Clone, Copy)]
pub(in crate::mount) struct Wanted {
    /// What the program asked for.
    pub(super) desired: u32,
    /// What Windows has made of that.
    pub(super) granted: u32,
    /// It must be a folder, or becomes one.
    pub(super) directory: bool,
    /// It must not be a folder.
    pub(super) file: bool,
    /// Who asks.
    pub(super) caller: Caller,
}

/// What was opened.
pub(in crate::mount) struct Handle {
    pub(super) what: What,
    /// The path that it was opened by, as listings show it.
    pub(super) path: Vec<u16>,
}

/// What a handle is of.
pub(super) enum What {
    /// A file or a folder.
    Node(OpenNode),
    /// A stream of a file, of which its size alone is known.
    Stream { of: Arc<Node>, size: Mutex<u64> },
}

/// An open file or folder.
pub(super) struct OpenNode {
    pub(super) node: Arc<Node>,
    /// The folders that its path came through, and this one if it is a folder.
    pub(super) walked: Vec<NodeId>,
    /// The folder above, for a listing; the root has none.
    pub(super) above: Option<Arc<Node>>,
    /// What the tree has given for it; `None` for a folder, for who only looks at attributes, and after the end.
    opened: Mutex<Option<TreeHandle>>,
    /// The folder's entries, since the last listing began.
    pub(super) rows: Mutex<Option<Arc<Vec<Row>>>>,
    /// Whether this handle has given its file a time.
    pub(super) stamps: Mutex<bool>,
    /// Whether what it is of was removed when it was asked whether that can be.
    pub(super) is_removed: Mutex<bool>,
}

impl OpenNode {
    fn new(found: Found, opened: Option<TreeHandle>) -> OpenNode {
        OpenNode {
            node: found.node,
            walked: found.walked,
            above: found.place.map(|place| place.folder),
            opened: Mutex::new(opened),
            rows: Mutex::default(),
            stamps: Mutex::default(),
            is_removed: Mutex::default(),
        }
    }

    /// Tells whether it is a link that is shown as a file.
    pub(super) fn is_link(&self) -> bool {
        self.node.attr.kind == Kind::Symlink
    }
}

impl Handle {
    /// Returns the open file or folder.
    ///
    /// # Errors
    /// `ACCESS_DENIED` for a stream, which has no more than bytes.
    pub(super) fn node(&self) -> Answer<&OpenNode> {
        match &self.what {
            What::Node(open) => Ok(open),
            What::Stream { .. } => Err(Status::ACCESS_DENIED),
        }
    }
}

impl Volume {
    /// Opens what a path leads to.
    pub(super) fn open(&self, path: &[u16], wanted: Wanted) -> Answer<(Handle, FileInfo)> {
        let path = Path::new(path);
        let found = self.find(&path)?;
        if path.is_stream {
            return Err(Status::NAME_NOT_FOUND);
        }
        match found.node.is_directory() {
            false if wanted.directory => return Err(Status::NOT_A_DIRECTORY),
            true if wanted.file => return Err(Status::FILE_IS_A_DIRECTORY),
            _ => {}
        }
        let opened = match found.node.attr.kind {
            Kind::File => self.open_file(found.node.id(), wanted)?,
            Kind::Symlink if writes(wanted) && wanted.desired & MAXIMUM_ALLOWED == 0 => {
                return Err(Status::ACCESS_DENIED);
            }
            Kind::Symlink | Kind::Directory => None,
        };
        let info = found.info();
        let path = found.path.clone();
        Ok((Handle { what: What::Node(OpenNode::new(found, opened)), path }, info))
    }

    /// Makes a file or a folder, and opens it.
    pub(super) fn create(&self, path: &[u16], wanted: Wanted, attributes: u32) -> Answer<(Handle, FileInfo)> {
        let path = Path::new(path);
        if path.is_stream {
            return self.create_stream(&path);
        }
        let (above, shown) = path.split_last().ok_or(Status::NAME_COLLISION)?;
        let above = self.folder(above)?;
        let folder = above.node.clone();
        if self.folders.find(&self.tree, &folder, shown)?.is_some() {
            return Err(Status::NAME_COLLISION);
        }
        let name = super::super::names::read(shown);
        let at = NameAt { directory: folder.id(), name: &name };
        let made = match wanted.directory {
            true => self.tree.make_directory(at, DIRECTORY_MODE).map(|attr| (attr, None)),
            false => {
                let made = self.tree.make_file(at, info::mode_of_new(attributes), Some(access(wanted)));
                made.map(|(attr, opened)| (attr, Some(opened.handle)))
            }
        };
        let (attr, opened) = made.map_err(|error| Status::from(error).of_new_name())?;
        self.folders.add(folder.id(), &name);
        let (info, mut path, mut walked) = (FileInfo::of(&attr), above.path, above.walked);
        super::path::push(&mut path, &super::super::names::show(&name));
        let node = folder.with_child(attr);
        if node.is_directory() {
            walked.push(node.id());
        }
        let place = Some(super::volume::Place { folder, name: name.into() });
        let found = Found { place, entry: node.clone(), node, walked, path: path.clone() };
        Ok((Handle { what: What::Node(OpenNode::new(found, opened)), path }, info))
    }

    /// Empties a file that was opened to be made anew.
    pub(super) fn overwrite(&self, handle: &Handle, attributes: u32, replaces_attributes: bool) -> Answer<FileInfo> {
        self.set_size(handle, 0)?;
        match replaces_attributes {
            // A file that is made anew and not said to be read-only can be written.
            true => self.set_basic(handle, attributes | info::NORMAL, 0),
            false => self.info(handle),
        }
    }

    /// Ends a turn of using a file: nothing will be written that was not written, but for what the system still has.
    pub(super) fn finish(&self, handle: &Handle) {
        let Ok(open) = handle.node() else { return };
        let Some(opened) = open.opened.lock().take() else { return };
        let node = open.node.id();
        if let Err(error) = self.tree.flush(node, opened, Closing::Proper) {
            tracing::warn!(%error, node = node.0, "what was written could not be taken");
        }
        self.tree.close(node, opened);
    }

    /// Gives a handle back.
    pub(super) fn close(&self, handle: &Handle) {
        self.finish(handle);
        if let Ok(open) = handle.node()
            && *open.stamps.lock()
        {
            self.stamps.lock().remove(&open.node.id());
        }
    }

    /// Returns what is known of an open file now.
    pub(super) fn info(&self, handle: &Handle) -> Answer<FileInfo> {
        match &handle.what {
            What::Node(open) => Ok(FileInfo::of(&self.tree.attr(open.node.id())?)),
            What::Stream { of, size } => Ok(FileInfo { size: *size.lock(), ..FileInfo::of(&of.attr) }),
        }
    }

    /// Opens the bytes of a file, when they are wanted.
    fn open_file(&self, node: NodeId, wanted: Wanted) -> Answer<Option<TreeHandle>> {
        let access = access(wanted);
        if !access.read && !access.write {
            return Ok(None);
        }
        let opened = match self.tree.open(node, access) {
            // Whoever takes what it can get has not asked to write.
            Err(error)
                if access.write
                    && wanted.desired & MAXIMUM_ALLOWED != 0
                    && matches!(error.kind(), ErrorKind::ReadOnly | ErrorKind::Denied) =>
            {
                self.tree.open(node, Access { write: false, read: true, ..access })
            }
            opened => opened,
        };
        Ok(Some(opened?.handle))
    }

    /// Takes a stream that a program attaches to a file, such as the mark that says where it was downloaded.
    fn create_stream(&self, path: &Path<'_>) -> Answer<(Handle, FileInfo)> {
        let found = self.find(path)?;
        if !found.node.attr.writable {
            return Err(Status::MEDIA_WRITE_PROTECTED);
        }
        let info = FileInfo { size: 0, ..found.info() };
        Ok((Handle { path: found.path, what: What::Stream { of: found.node, size: Mutex::new(0) } }, info))
    }
}

fn writes(wanted: Wanted) -> bool {
    wanted.granted & (WRITE_DATA | APPEND_DATA) != 0
}

fn access(wanted: Wanted) -> Access {
    let read = wanted.granted & (READ_DATA | EXECUTE) != 0;
    Access { read, write: writes(wanted), truncate: false, caller: wanted.caller }
}
