//! A read-only file system in FUSE that serves a copy of a folder from memory: what the kernel's way to a process and back
//! costs by itself, and so the physical limit of every mount that decodes. That it is mounted read-only spares it one request
//! more: on a writable mount the kernel takes the time of the last access for unknown after each read, and the next look at the
//! file asks for all attributes.

use fuser::{
    AccessFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyXattr, Request, Session,
};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// For good: nothing in here changes.
const TTL: Duration = Duration::from_secs(1 << 30);
const GENERATION: Generation = Generation(0);
const ROOT: u64 = 1;

enum What {
    /// Sorted by name.
    Directory(Vec<(OsString, u64)>),
    File(Vec<u8>),
    Symlink(Vec<u8>),
}

struct Node {
    attr: FileAttr,
    parent: u64,
    what: What,
}

/// Serves `source` on `target` until it is unmounted.
pub fn serve(source: &Path, target: &Path) {
    let mut tree = MemoryFs { nodes: Vec::new() };
    tree.load(source, ROOT);
    let mut config = fuser::Config::default();
    config.mount_options.extend([MountOption::FSName("memory".into()), MountOption::RO, MountOption::NoAtime]);
    config.n_threads = Some(2);
    let session = Session::new(tree, target, &config).expect("the memory can be mounted");
    session.run().expect("the kernel is answered");
}

struct MemoryFs {
    /// The node with number n is at n - 1.
    nodes: Vec<Node>,
}

impl MemoryFs {
    fn load(&mut self, path: &Path, parent: u64) -> u64 {
        let metadata = fs::symlink_metadata(path).expect("the source can be looked at");
        let number = self.nodes.len() as u64 + 1;
        self.nodes.push(Node { attr: attr(number, &metadata), parent, what: What::File(Vec::new()) });
        let what = if metadata.is_dir() {
            let entries = fs::read_dir(path).expect("the source can be listed");
            let mut names: Vec<OsString> =
                entries.map(|entry| entry.expect("the source can be listed").file_name()).collect();
            names.sort();
            let load = |name: OsString| {
                let below = self.load(&path.join(&name), number);
                (name, below)
            };
            What::Directory(names.into_iter().map(load).collect())
        } else if metadata.is_symlink() {
            let target = fs::read_link(path).expect("the link can be read");
            What::Symlink(target.as_os_str().as_bytes().to_vec())
        } else {
            What::File(fs::read(path).expect("the source can be read"))
        };
        self.nodes[number as usize - 1].what = what;
        number
    }

    fn node(&self, number: INodeNo) -> &Node {
        // The kernel names only nodes that it was told of.
        &self.nodes[number.0 as usize - 1]
    }

    /// Gives the entries of a directory from `offset` on, `.` and `..` first, to `add`, until it says that it is full.
    fn list(&self, number: INodeNo, offset: u64, mut add: impl FnMut(&FileAttr, u64, &OsStr) -> bool) -> bool {
        let What::Directory(names) = &self.node(number).what else { return false };
        let own = [(OsStr::new("."), number.0), (OsStr::new(".."), self.node(number).parent)];
        let all = own.into_iter().chain(names.iter().map(|(name, below)| (&**name, *below)));
        for (index, (name, below)) in all.enumerate().skip(offset as usize) {
            if add(&self.node(INodeNo(below)).attr, index as u64 + 1, name) {
                break;
            }
        }
        true
    }
}

fn attr(number: u64, metadata: &fs::Metadata) -> FileAttr {
    let mtime = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let kind = FileType::from_std(metadata.file_type()).expect("sources hold files, folders and links");
    FileAttr {
        ino: INodeNo(number),
        size: metadata.len(),
        blocks: metadata.len().div_ceil(512),
        atime: mtime,
        mtime,
        ctime: mtime,
        crtime: mtime,
        kind,
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: 1,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for MemoryFs {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let wanted = [InitFlags::FUSE_DO_READDIRPLUS, InitFlags::FUSE_PARALLEL_DIROPS, InitFlags::FUSE_CACHE_SYMLINKS];
        for flag in wanted {
            config.add_capabilities(flag).expect("the kernel has it");
        }
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let What::Directory(names) = &self.node(parent).what else { return reply.error(Errno::ENOTDIR) };
        match names.binary_search_by(|(one, _)| one.as_os_str().cmp(name)) {
            Ok(index) => reply.entry(&TTL, &self.node(INodeNo(names[index].1)).attr, GENERATION),
            // A node number of 0 stands for nothing, for as long.
            Err(_) => reply.entry(&TTL, &FileAttr { ino: INodeNo(0), ..self.nodes[0].attr }, GENERATION),
        }
    }

    fn getattr(&self, _request: &Request, number: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.node(number).attr);
    }

    fn readlink(&self, _request: &Request, number: INodeNo, reply: ReplyData) {
        match &self.node(number).what {
            What::Symlink(target) => reply.data(target),
            _ => reply.error(Errno::EINVAL),
        }
    }

    // The kernel asks once for each of these, and never again.
    fn open(&self, _request: &Request, _number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _request: &Request, _number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn flush(&self, _: &Request, _number: INodeNo, _handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _number: INodeNo, _name: &OsStr, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _request: &Request, _number: INodeNo, _size: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn access(&self, _request: &Request, _number: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn read(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let What::File(bytes) = &self.node(number).what else { return reply.error(Errno::EISDIR) };
        let start = bytes.len().min(offset as usize);
        let end = bytes.len().min(start + size as usize);
        reply.data(&bytes[start..end]);
    }

    fn readdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.list(number, offset, |attr, next, name| reply.add(attr.ino, next, attr.kind, name)) {
            true => reply.ok(),
            false => reply.error(Errno::ENOTDIR),
        }
    }

    fn readdirplus(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        match self.list(number, offset, |attr, next, name| reply.add(attr.ino, next, name, &TTL, attr, GENERATION)) {
            true => reply.ok(),
            false => reply.error(Errno::ENOTDIR),
        }
    }
}
