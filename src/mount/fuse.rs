//! The kernel's requests, each turned into a call on the tree.
//!
//! What has what it needs in memory is answered by `Fuse::call`; what may have to fetch is handed to `serve`, with what it
//! needs of the request.

use super::deadline::Slot;
use super::idle::Uses;
use super::ops::Op;
use super::serve::{Answer, Asked, Server};
use super::system::opens::Opens;
use super::system::passthrough::Passthrough;
use super::system::processes::Processes;
use super::system::warm::WarmUp;
use super::system::{names, values};
use super::translate::{self, Owner, node, permissions};
use crate::content::Reading;
use crate::error::Result;
use crate::tree::{
    Access, Attr, AttrChange, Caching, Closing, DirEntry, Handle, Kind, Looking, NameAt, NodeId, Opened, RenameMode,
    Tree,
};
use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation,
    INodeNo, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl,
    ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const BLOCK_LEN: u64 = 4096;
/// `.` and `..` take the first two offsets of a listing; the tree's cookies follow.
const DOT_ENTRIES: u64 = 2;
const GENERATION: Generation = Generation(0);
/// The most bytes of one `copy_file_range`: the reply has 32 bits, and the kernel itself stops a page below 2 GiB.
const MAX_COPY_LEN: u64 = 0x7fff_f000;

/// `S_IFMT` and `S_IFREG`, which are as wide as a mode here on Linux alone.
const KIND_MASK: u32 = 0o170_000;
const REGULAR_FILE: u32 = 0o100_000;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A tree, as `fuser` sees it.
pub(super) struct Fuse {
    /// The tree.
    pub(super) tree: Arc<Tree>,
    /// What runs requests on the tree.
    pub(super) server: Arc<Server>,
    /// Who owns every node.
    pub(super) owner: Owner,
    /// Whether extended attributes are shown.
    pub(super) xattr: bool,
    /// Who writes.
    pub(super) processes: Arc<Processes>,
    /// Who has what open, when the kernel is not to ask at each open.
    pub(super) opens: Option<Arc<Opens>>,
    /// Hears of every request.
    pub(super) uses: Arc<Uses>,
    /// Which files the kernel reads by itself.
    pub(super) passthrough: Arc<Passthrough>,
    /// Reads ahead of programs by what they read the last time, unless it is switched off.
    pub(super) warm_up: Option<Arc<WarmUp>>,
}

impl Fuse {
    /// Runs `call` on the tree and logs how it failed; somebody uses the mount.
    fn call<T>(&self, op: Op, node: NodeId, call: impl FnOnce(&Tree) -> Result<T>) -> Answer<T> {
        self.server().call(op, node, call)
    }

    /// Returns what runs a request of somebody who uses the mount.
    fn server(&self) -> &Arc<Server> {
        self.uses.touched();
        &self.server
    }

    fn reply_entry(&self, directory: NodeId, result: Answer<Attr>, reply: ReplyEntry) {
        reply_entry(&self.tree, self.owner, directory, result, reply);
    }

    fn reply_attr(&self, result: Answer<Attr>, reply: ReplyAttr) {
        reply_attr(self.owner, result, reply);
    }

    /// Returns what the caller opens a file for; who it is only matters when it writes.
    fn access(&self, request: &Request, flags: OpenFlags) -> Access {
        let access = translate::access(flags);
        match access.write {
            true => Access { caller: self.processes.caller(request.pid()), ..access },
            false => access,
        }
    }

    /// Takes note that a request is about to change the bytes of a file.
    fn writes(&self, request: &Request, node: NodeId) -> Result<()> {
        self.opens.as_ref().map_or(Ok(()), |opens| opens.writes(node, request.pid()))
    }

    /// Takes note that a name is about to go, or to stand for something else.
    fn unnames(&self, at: NameAt<'_>) -> Result<()> {
        self.opens.as_ref().map_or(Ok(()), |opens| opens.keep_nameless(at))
    }

    /// Brings it up to date who has what open, before a change of names in `directory` that may make a build.
    fn settles(&self, directory: NodeId) {
        if let Some(opens) = self.opens.as_ref().filter(|_| self.tree.may_commit(directory)) {
            opens.settle();
        }
    }
}

/// Returns how the kernel is to treat an open file; `ends_are_told` says that the end of a watched process will be.
fn open_flags(opened: Opened, access: Access, ends_are_told: bool) -> FopenFlags {
    wanted_flags(opened, access, ends_are_told) & values::OPEN_FLAGS
}

fn wanted_flags(opened: Opened, access: Access, ends_are_told: bool) -> FopenFlags {
    // A flush tells how its writer came to its end. It costs a file of a copy a fifth more, so where the end of the whole
    // copy will be told, it is left out.
    let flush = match access.caller.is_one_copy() && ends_are_told {
        true => FopenFlags::FOPEN_NOFLUSH,
        false => FopenFlags::empty(),
    };
    match opened.caching {
        Caching::Keep => FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH,
        // What is only written need not pass through the page cache: a copy in takes half the time.
        Caching::WhileOpen if !access.read => {
            FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES | flush
        }
        Caching::WhileOpen if access.write => flush,
        Caching::WhileOpen => FopenFlags::FOPEN_NOFLUSH,
        Caching::Never => FopenFlags::FOPEN_DIRECT_IO,
    }
}

fn at(directory: INodeNo, name: &[u8]) -> NameAt<'_> {
    NameAt { directory: node(directory), name }
}

fn parent_of(tree: &Tree, directory: NodeId) -> NodeId {
    tree.parent(directory).unwrap_or(NodeId::ROOT)
}

fn reply_entry(tree: &Tree, owner: Owner, directory: NodeId, result: Answer<Attr>, reply: ReplyEntry) {
    match result {
        Ok(attr) => {
            let names = tree.names_lifetime(directory).duration();
            let attr_ttl = attr.lifetime.duration();
            // A node that is made anew at each look must be looked up anew, too.
            reply.entry_with_ttls(&attr_ttl, &names.min(attr_ttl), &owner.file_attr(&attr), GENERATION);
        }
        Err(error) => reply.error(error),
    }
}

/// Replies that a name is not there, so that the kernel remembers it: of what games look up, 60 % is not there.
fn reply_missing(tree: &Tree, owner: Owner, directory: NodeId, reply: ReplyEntry) {
    if !values::KEEPS_ABSENCE {
        return reply.error(Errno::ENOENT);
    }
    // A node number of 0 stands for nothing; the rest is not looked at.
    let ttl = tree.absence_lifetime(directory).duration();
    reply.entry(&ttl, &owner.bare_attr(NodeId(0)), GENERATION);
}

fn reply_attr(owner: Owner, result: Answer<Attr>, reply: ReplyAttr) {
    match result {
        Ok(attr) => reply.attr(&attr.lifetime.duration(), &owner.file_attr(&attr)),
        Err(error) => reply.error(error),
    }
}

/// Gives back the lookups of nodes of which the kernel was not told.
fn take_back(tree: &Tree, nodes: &[NodeId]) {
    nodes.iter().for_each(|&node| tree.forget(node, 1));
}

fn reply_empty(result: Answer<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn reply_xattr(result: Answer<Vec<u8>>, size: u32, reply: Option<ReplyXattr>) {
    let Some(reply) = reply else { return };
    match result {
        Ok(bytes) if size == 0 => reply.size(bytes.len() as u32),
        Ok(bytes) if bytes.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(bytes) => reply.data(&bytes),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Fuse {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        for flag in values::wanted(self.opens.is_none()) {
            if let Err(missing) = config.add_capabilities(flag) {
                tracing::debug!(?missing, "the kernel lacks a capability");
            }
        }
        self.passthrough.ask(config);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (owner, directory) = (self.owner, node(parent));
        // The kernel looks a name up before it makes it, so this is the one place that refuses long ones. A build
        // from a system with other limits may have some, and they can be reached.
        let is_long = name.len() > crate::tree::MAX_NAME_LEN as usize;
        let name = name.as_bytes().to_vec();
        let answer = move |server: &Server, found: Answer<Option<Attr>>, reply: Option<ReplyEntry>| match (
            found.transpose(),
            reply,
        ) {
            (Some(found), Some(reply)) => reply_entry(server.tree(), owner, directory, found, reply),
            (None, Some(reply)) if is_long => reply.error(Errno::ENAMETOOLONG),
            (None, Some(reply)) => reply_missing(server.tree(), owner, directory, reply),
            (Some(Ok(attr)), None) => take_back(server.tree(), &[attr.node]),
            (_, None) => {}
        };
        let asked = Asked::whole(Op::Lookup, directory);
        self.server().fetch(asked, reply, move |tree, _| names::lookup(tree, directory, &name), answer);
    }

    fn forget(&self, _request: &Request, ino: INodeNo, count: u64) {
        let forgotten = self.server.call(Op::Forget, node(ino), |tree| {
            tree.forget(node(ino), count);
            if let Some(opens) = &self.opens {
                opens.forgotten(node(ino));
            }
            Ok(())
        });
        forgotten.ok();
    }

    fn getattr(&self, _request: &Request, ino: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        let (owner, node) = (self.owner, node(ino));
        let answer = move |_: &Server, attr, reply: Option<ReplyAttr>| {
            if let Some(reply) = reply {
                reply_attr(owner, attr, reply);
            }
        };
        self.server().fetch(Asked::whole(Op::Getattr, node), reply, move |tree, _| tree.attr(node), answer);
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        // Owners are not kept, and refusing them would fail `cp -a`.
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = AttrChange { mode: mode.map(permissions), mtime: mtime.map(translate::time_change), size };
        let changed = self.call(Op::Setattr, node(ino), |tree| {
            if size.is_some() {
                self.writes(request, node(ino))?;
            }
            tree.set_attr(node(ino), &change)
        });
        self.reply_attr(changed, reply);
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        let node = node(ino);
        let answer = |_: &Server, target: Answer<Arc<[u8]>>, reply: Option<ReplyData>| match (target, reply) {
            (Ok(target), Some(reply)) => reply.data(&target),
            (Err(error), Some(reply)) => reply.error(error),
            (_, None) => {}
        };
        self.server().fetch(Asked::whole(Op::Readlink, node), reply, move |tree, _| tree.read_link(node), answer);
    }

    fn mknod(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        if mode & KIND_MASK != REGULAR_FILE {
            return reply.error(Errno::EPERM);
        }
        let name = names::new(name);
        let made =
            self.call(Op::Mknod, node(parent), |tree| tree.make_file(at(parent, &name), permissions(mode), None));
        self.reply_entry(node(parent), made.map(|(attr, _)| attr), reply);
    }

    fn mkdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        let name = names::new(name);
        let made = self.call(Op::Mkdir, node(parent), |tree| tree.make_directory(at(parent, &name), permissions(mode)));
        self.reply_entry(node(parent), made, reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.call(Op::Unlink, node(parent), |tree| {
            let name = names::existing(tree, node(parent), name);
            self.unnames(at(parent, &name))?;
            tree.remove(at(parent, &name), Kind::File)
        });
        reply_empty(removed, reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.call(Op::Rmdir, node(parent), |tree| {
            let name = names::existing(tree, node(parent), name);
            tree.remove(at(parent, &name), Kind::Directory)
        });
        reply_empty(removed, reply);
    }

    fn symlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let (name, target) = (names::new(name), target.as_os_str().as_bytes());
        let made = self.call(Op::Symlink, node(parent), |tree| tree.make_symlink(at(parent, &name), target));
        self.reply_entry(node(parent), made, reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(mode) = values::rename_mode(flags) else { return reply.error(Errno::EINVAL) };
        let renamed = self.call(Op::Rename, node(parent), |tree| {
            let name = names::existing(tree, node(parent), name);
            let from = at(parent, &name);
            let new_name = names::renamed(tree, from, node(new_parent), new_name);
            let to = at(new_parent, &new_name);
            self.settles(from.directory);
            if let Some(opens) = self.opens.as_ref().filter(|_| tree.changes_session(from.directory, to.directory)) {
                opens.settle_writers();
            }
            if mode == RenameMode::Replace {
                self.unnames(to)?;
            }
            tree.rename(from, to, mode)
        });
        reply_empty(renamed, reply);
    }

    fn link(&self, _request: &Request, ino: INodeNo, new_parent: INodeNo, new_name: &OsStr, reply: ReplyEntry) {
        let new_name = names::new(new_name);
        let linked = self.call(Op::Link, node(ino), |tree| tree.link(node(ino), at(new_parent, &new_name)));
        self.reply_entry(node(new_parent), linked, reply);
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if self.opens.is_some() {
            // The kernel stops asking, and sends no release either.
            return reply.error(Errno::ENOSYS);
        }
        let access = self.access(request, flags);
        match self.call(Op::Open, node(ino), |tree| tree.open(node(ino), access)) {
            Ok(opened) => {
                let flags = open_flags(opened, access, self.processes.ends_are_told());
                // Who goes over everything is given what there is, and makes no copies.
                let uses = self.server.crawlers().of(request.pid()).is_none();
                self.passthrough.reply((&self.tree, uses), ino, FileHandle(opened.handle.0), flags, reply)
            }
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let access = self.access(request, OpenFlags(flags));
        let (directory, name, mode) = (node(parent), names::new(name), permissions(mode));
        // The end of reading is told by no release, and need not be known.
        let counted = (access.write || self.opens.is_none()).then_some(access);
        let made = self.call(Op::Create, directory, |tree| {
            self.settles(directory);
            tree.make_file(at(parent, &name), mode, counted)
        });
        match made {
            Ok((attr, opened)) => {
                if let Some(opens) = self.opens.as_ref().filter(|_| access.write) {
                    opens.made(attr.node, opened.handle, access.caller);
                }
                let ttl = attr.lifetime.duration().min(self.tree.names_lifetime(directory).duration());
                let handle = FileHandle(opened.handle.0);
                reply.created(
                    &ttl,
                    &self.owner.file_attr(&attr),
                    GENERATION,
                    handle,
                    open_flags(opened, access, self.processes.ends_are_told()),
                );
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let (node, len) = (node(ino), size as usize);
        let crawler = self.server.crawlers().of(request.pid());
        let reading = if crawler.is_none() { Reading::USING } else { Reading::CRAWLING };
        let warm_up = self.warm_up.clone().filter(|_| crawler.is_none());
        let tid = request.pid();
        let act = move |tree: &Tree, _: &Slot<ReplyData>| {
            // In here, where it holds nobody up when it has to ask the catalogue.
            if let Some(warm_up) = warm_up {
                warm_up.note(tid, node, offset..offset.saturating_add(size.into()));
            }
            READ_BUFFER.with_borrow_mut(|buffer| {
                if buffer.len() < len {
                    buffer.resize(len, 0);
                }
                tree.read_as(reading, node, offset, &mut buffer[..len])
            })
        };
        let answer = move |server: &Server, read: Answer<usize>, reply: Option<ReplyData>| match (read, reply) {
            (Ok(len), Some(reply)) => {
                server.meter().add_bytes(Op::Read, len as u64);
                if let Some(crawler) = crawler {
                    server.crawlers().count(crawler, len as u64);
                }
                // It is the thread that has read that answers.
                READ_BUFFER.with_borrow(|buffer| reply.data(&buffer[..len]));
            }
            (Err(error), Some(reply)) => reply.error(error),
            (_, None) => {}
        };
        self.server().fetch(Asked { op: Op::Read, node, offset, len: size.into() }, reply, act, answer);
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.call(Op::Write, node(ino), |tree| {
            self.writes(request, node(ino))?;
            tree.write(node(ino), offset, data)?;
            // FUSE_HANDLE_KILLPRIV_V2 leaves this to us.
            match write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID) {
                true => tree.drop_privileges(node(ino)),
                false => Ok(()),
            }
        });
        match written {
            Ok(()) => {
                self.server.meter().add_bytes(Op::Write, data.len() as u64);
                reply.written(data.len() as u32);
            }
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, request: &Request, ino: INodeNo, handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        if self.opens.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        // The process waits for the answer even when it is being killed, so it can be looked at.
        let closing = self.processes.killed(request.pid()).map_or(Closing::Proper, Closing::Killed);
        reply_empty(self.call(Op::Flush, node(ino), |tree| tree.flush(node(ino), Handle(handle.0), closing)), reply);
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if self.opens.is_some() {
            // Of a file that was made before the kernel heard that it need not tell of opening; the end is found out.
            return reply.ok();
        }
        let closed = self.call(Op::Release, node(ino), |tree| {
            tree.close(node(ino), Handle(handle.0));
            self.passthrough.release(ino);
            Ok(())
        });
        reply_empty(closed, reply);
    }

    fn fsync(&self, _request: &Request, ino: INodeNo, _handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        reply_empty(self.call(Op::Fsync, node(ino), |tree| tree.sync(node(ino))), reply);
    }

    fn fsyncdir(&self, _request: &Request, ino: INodeNo, _handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        reply_empty(self.call(Op::Fsyncdir, node(ino), |tree| tree.sync(node(ino))), reply);
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        if self.opens.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        if self.tree.never_changes(node(ino)) {
            return reply.opened(FileHandle(0), FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE);
        }
        // Asked for now: an open directory that turns out to be gone cannot be looked up again.
        match self.call(Op::Opendir, node(ino), |tree| tree.attr(node(ino))) {
            Ok(_) => reply.opened(FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _request: &Request, ino: INodeNo, _handle: FileHandle, offset: u64, reply: ReplyDirectory) {
        let directory = node(ino);
        let act = move |tree: &Tree, slot: &Slot<ReplyDirectory>| {
            // A reply that is gone has no room.
            let add = |number: NodeId, cookie: u64, kind: fuser::FileType, name: &[u8]| {
                let (number, name) = (INodeNo(number.0), OsStr::from_bytes(name));
                slot.with(|reply| reply.add(number, cookie, kind, name)).unwrap_or(true)
            };
            for (cookie, name, number) in
                [(1, b"." as &[u8], directory), (DOT_ENTRIES, b"..", parent_of(tree, directory))]
            {
                if offset < cookie && add(number, cookie, fuser::FileType::Directory, name) {
                    return Ok(());
                }
            }
            tree.list(directory, offset.saturating_sub(DOT_ENTRIES), Looking::Uncounted, &mut |entry| {
                let DirEntry { name, attr, cookie } = entry;
                !add(attr.node, cookie + DOT_ENTRIES, translate::file_type(attr.kind), name)
            })
        };
        let answer = |_: &Server, listed: Answer<()>, reply: Option<ReplyDirectory>| match (listed, reply) {
            (Ok(()), Some(reply)) => reply.ok(),
            (Err(error), Some(reply)) => reply.error(error),
            (_, None) => {}
        };
        self.server().fetch(Asked { op: Op::Readdir, node: directory, offset, len: 0 }, reply, act, answer);
    }

    fn readdirplus(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (owner, directory) = (self.owner, node(ino));
        let act = move |tree: &Tree, slot: &Slot<ReplyDirectoryPlus>| {
            let add = |attr: &FileAttr, cookie: u64, ttl: &Duration, name: &[u8]| {
                let name = OsStr::from_bytes(name);
                slot.with(|reply| reply.add(attr.ino, cookie, name, ttl, attr, GENERATION)).unwrap_or(true)
            };
            let mut told = Vec::new();
            for (cookie, name, number) in
                [(1, b"." as &[u8], directory), (DOT_ENTRIES, b"..", parent_of(tree, directory))]
            {
                // The kernel takes neither attributes nor a lookup from these two.
                if offset < cookie && add(&owner.bare_attr(number), cookie, &Duration::ZERO, name) {
                    return Ok(told);
                }
            }
            let names = tree.names_lifetime(directory).duration();
            let listed = tree.list(directory, offset.saturating_sub(DOT_ENTRIES), Looking::Counted, &mut |entry| {
                let DirEntry { name, attr, cookie } = entry;
                let ttl = attr.lifetime.duration().min(names);
                let has_room = !add(&owner.file_attr(&attr), cookie + DOT_ENTRIES, &ttl, name);
                told.extend(has_room.then_some(attr.node));
                has_room
            });
            listed.inspect_err(|_| take_back(tree, &told))?;
            Ok(told)
        };
        let answer = |server: &Server, told: Answer<Vec<NodeId>>, reply: Option<ReplyDirectoryPlus>| match (told, reply)
        {
            (Ok(_), Some(reply)) => reply.ok(),
            (Err(error), Some(reply)) => reply.error(error),
            (Ok(told), None) => take_back(server.tree(), &told),
            (Err(_), None) => {}
        };
        self.server().fetch(Asked { op: Op::Readdirplus, node: directory, offset, len: 0 }, reply, act, answer);
    }

    fn statfs(&self, _request: &Request, ino: INodeNo, reply: ReplyStatfs) {
        match self.server.call(Op::Statfs, node(ino), Tree::space) {
            Ok(space) => {
                let free = space.available / BLOCK_LEN;
                let (blocks, len, nodes) = (space.total / BLOCK_LEN, BLOCK_LEN as u32, values::FREE_NODES);
                reply.statfs(blocks, free, free, nodes, nodes, len, crate::tree::MAX_NAME_LEN, len);
            }
            Err(error) => reply.error(error),
        }
    }

    fn setxattr(
        &self,
        _request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let Some(mode) = translate::xattr_mode(flags) else { return reply.error(Errno::EINVAL) };
        let set = self.call(Op::Setxattr, node(ino), |tree| {
            tree.set_xattr(node(ino), name.as_bytes(), value, mode)?;
            match translate::mode_of_access_list(value).filter(|_| name.as_bytes() == translate::ACCESS_LIST) {
                Some(mode) => tree.set_permissions(node(ino), mode),
                None => Ok(()),
            }
        });
        reply_empty(set, reply);
    }

    fn getxattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        if !self.xattr {
            return reply.error(Errno::ENOSYS);
        }
        let (node, name) = (node(ino), name.as_bytes().to_vec());
        let answer = move |_: &Server, value, reply| reply_xattr(value, size, reply);
        self.server().fetch(Asked::whole(Op::Getxattr, node), reply, move |tree, _| tree.xattr(node, &name), answer);
    }

    fn listxattr(&self, _request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        if !self.xattr {
            return reply.error(Errno::ENOSYS);
        }
        let node = node(ino);
        let ended = |names: Vec<Vec<u8>>| names.iter().flat_map(|name| [&name[..], b"\0"].concat()).collect();
        let answer = move |_: &Server, names: Answer<_>, reply| reply_xattr(names.map(ended), size, reply);
        self.server().fetch(Asked::whole(Op::Listxattr, node), reply, move |tree, _| tree.xattr_names(node), answer);
    }

    fn removexattr(&self, _request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.call(Op::Removexattr, node(ino), |tree| tree.remove_xattr(node(ino), name.as_bytes()));
        reply_empty(removed, reply);
    }

    fn access(&self, _request: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        // The kernel stops asking; one game asked 4,444 times in a run.
        reply.error(Errno::ENOSYS);
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let Some(allocation) = values::allocation(mode) else { return reply.error(Errno::EOPNOTSUPP) };
        let done = self.call(Op::Fallocate, node(ino), |tree| {
            self.writes(request, node(ino))?;
            tree.allocate(node(ino), allocation, offset, length)
        });
        reply_empty(done, reply);
    }

    fn lseek(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let Ok(offset) = u64::try_from(offset) else { return reply.error(Errno::ENXIO) };
        let wants_data = match whence {
            libc::SEEK_DATA => true,
            libc::SEEK_HOLE => false,
            _ => return reply.error(Errno::EINVAL),
        };
        let node = node(ino);
        let answer = |_: &Server, found: Answer<Option<u64>>, reply: Option<ReplyLseek>| match (found, reply) {
            (Ok(Some(found)), Some(reply)) => reply.offset(found as i64),
            (Ok(None), Some(reply)) => reply.error(Errno::ENXIO),
            (Err(error), Some(reply)) => reply.error(error),
            (_, None) => {}
        };
        let asked = Asked { op: Op::Lseek, node, offset, len: 0 };
        self.server().fetch(asked, reply, move |tree, _| tree.seek(node, offset, wants_data), answer);
    }

    fn copy_file_range(
        &self,
        request: &Request,
        ino_in: INodeNo,
        _handle_in: FileHandle,
        offset_in: u64,
        ino_out: INodeNo,
        _handle_out: FileHandle,
        offset_out: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let (from, to, len) = (node(ino_in), node(ino_out), len.min(MAX_COPY_LEN));
        let copied = self.call(Op::CopyFileRange, to, |tree| {
            self.writes(request, to)?;
            tree.copy_range(from, offset_in, to, offset_out, len)
        });
        match copied {
            Ok(copied) => reply.written(copied as u32),
            Err(error) => reply.error(error),
        }
    }

    fn ioctl(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _flags: IoctlFlags,
        _command: u32,
        _data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    fn poll(
        &self,
        _request: &Request,
        _ino: INodeNo,
        _handle: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        // Files are always ready; the kernel knows that by itself once it hears this.
        reply.error(Errno::ENOSYS);
    }
}
