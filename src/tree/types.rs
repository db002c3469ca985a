//! The words in which the tree and its front ends talk: node ids, attributes, changes, events.
//!
//! Nothing here belongs to one system; a front end translates each type into its own.

use crate::ingest::session::Caller;
use crate::manifest::Timestamp;
use std::time::Duration;

/// The number of a node of the tree, unique within a mount and, below `/builds` and `/milestones`, over remounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The root of the tree.
    pub const ROOT: NodeId = NodeId(1);
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// How long a front end may hold what it was told without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until an [`Event`] says otherwise.
    Forever,
    /// About a second: other processes may change it, and events tell only soon after.
    Short,
    /// Not at all: it is made anew at each look.
    Never,
}

impl Lifetime {
    /// Returns the lifetime as a duration.
    pub fn duration(self) -> Duration {
        match self {
            Lifetime::Forever => Duration::from_secs(1 << 30),
            Lifetime::Short => Duration::from_secs(1),
            Lifetime::Never => Duration::ZERO,
        }
    }
}

/// What is known of a node. The time of its last change of any sort is given as `mtime` too, so that it survives a remount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// The node.
    pub node: NodeId,
    /// What it is.
    pub kind: Kind,
    /// Exact size in bytes.
    pub size: u64,
    /// Permission bits, 0o7777 at most.
    pub mode: u16,
    /// Time of the last change of content.
    pub mtime: Timestamp,
    /// How long this holds.
    pub lifetime: Lifetime,
    /// Whether the node's bytes or names may be changed through the tree.
    pub writable: bool,
}

/// One name of a directory, as a listing gives it.
#[derive(Debug, Clone, Copy)]
pub struct DirEntry<'a> {
    /// The name's bytes.
    pub name: &'a [u8],
    /// What it names.
    pub attr: Attr,
    /// Where a listing goes on after this entry; at least 1, growing within a listing.
    pub cookie: u64,
}

/// Takes the entries of a listing; answers `false` when it has no room for the one it was given.
pub type DirSink<'a> = &'a mut dyn FnMut(DirEntry<'_>) -> bool;

/// A new time for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeChange {
    /// The time at which the change is made.
    Now,
    /// This time.
    At(Timestamp),
}

/// Which attributes of a node to change, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AttrChange {
    /// New permission bits.
    pub mode: Option<u16>,
    /// New time of the last change of content.
    pub mtime: Option<TimeChange>,
    /// New size: the file is cut, or extended by zeros.
    pub size: Option<u64>,
}

/// What a rename does when the new name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameMode {
    /// It replaces a file, or an empty directory.
    Replace,
    /// It fails with `Exists`.
    NoReplace,
    /// The two entries change places; both must exist.
    Exchange,
}

/// When an extended attribute is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XattrMode {
    /// Whether the node has it or not.
    Any,
    /// It must be new; else `Exists`.
    Create,
    /// It must be there; else `NoAttribute`.
    Replace,
}

/// What an open file is used for, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    /// Bytes are read.
    pub read: bool,
    /// Bytes are written.
    pub write: bool,
    /// The file is emptied when it is opened.
    pub truncate: bool,
    /// Who opens it.
    pub caller: Caller,
}

impl Access {
    /// Reading alone.
    pub const READ: Access = Access { read: true, write: false, truncate: false, caller: Caller::UNKNOWN };
    /// Writing alone.
    pub const WRITE: Access = Access { read: false, write: true, truncate: false, caller: Caller::UNKNOWN };
}

/// The end of a turn of writing, as the process that closes a handle makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The process goes on, or comes to its own end.
    Proper,
    /// The process is being killed.
    Killed(Caller),
}

/// An open file's number; 0 where the tree keeps no state for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle(pub u64);

/// How a front end may treat the bytes of an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// They never change: whatever is cached from earlier opens holds.
    Keep,
    /// They change through this tree alone: what is cached while the file is open holds.
    WhileOpen,
    /// They are made at each look, and errors of writing them come at the flush: nothing is cached.
    Never,
}

/// A file that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its handle.
    pub handle: Handle,
    /// How it may be cached.
    pub caching: Caching,
}

/// What to do with a range of a file's space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Make sure that there is room, and extend the file unless `keep_size`.
    Reserve {
        /// Whether the file's size stays.
        keep_size: bool,
    },
    /// Make the range a hole; the size stays.
    Punch,
    /// Make the range read as zeros, and extend the file unless `keep_size`.
    Zero {
        /// Whether the file's size stays.
        keep_size: bool,
    },
}

/// A change that a front end's cache does not know of, because it was not asked for by the path that it caches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What `name` stands for in `directory` changed, appeared or went away.
    Name {
        /// The directory.
        directory: NodeId,
        /// The name.
        name: Vec<u8>,
    },
    /// The attributes, bytes or names of a node changed.
    Node(NodeId),
}

/// Takes events; called from any thread, also within a call on the tree, so it must only pass them on.
pub type EventSink = Box<dyn Fn(Event) + Send + Sync>;

/// Whether the front end will hold the nodes that it is told of, and forget them one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looking {
    /// It will: each node told counts as one lookup, to be given back by `Tree::forget`.
    Counted,
    /// It only shows them.
    Uncounted,
}
