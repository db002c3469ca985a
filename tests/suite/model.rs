//! Random operations on a session, against a model in memory: in process, and through a real mount.
//!
//! The seed is printed; `GAMEVAULT_SEED` takes it back. After each operation its outcome and the file it touched are
//! compared, now and then and at the end the whole tree, and at last the build that the session becomes.

use crate::stage::{Fixture, Stage, map_and_write};
use gamevault::ErrorKind;
use gamevault::manifest::Timestamp;
use gamevault::mount::MountOptions;
use gamevault::tree::{
    Access, Allocation, AttrChange, Kind, Looking, NameAt, NodeId, RenameMode, TimeChange, Tree, XattrMode,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where the operations happen, seen from the root of the tree.
const SESSION: &str = ".snapshot/s";

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NotFound,
    Exists,
    NotDirectory,
    IsDirectory,
    NotEmpty,
    Invalid,
    NotPermitted,
}

type Outcome = Result<(), Fault>;

/// Bytes that are shown by their number alone.
#[derive(Clone)]
struct Data(Vec<u8>);

impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl std::ops::Deref for Data {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// One operation; paths are relative to the session, the root is the empty path.
#[derive(Debug, Clone)]
enum Step {
    File(String),
    Directory(String),
    Symlink(String, String),
    Link(String, String),
    Write(String, u64, Data),
    Resize(String, u64),
    Remove(String),
    RemoveDirectory(String),
    Rename(String, String, RenameMode),
    Mode(String, u16),
    Time(String, Timestamp),
    Xattr(String, Data),
    /// Copies a range of one file to a place in another one, which is emptied first when it goes to its start.
    Copy(String, String, Copied),
    /// Makes a range of a file zeros.
    Punch(String, u64, u64),
    /// Writes through a shared map.
    Map(String, u64, Data),
    /// Removes a file that is open, and writes and reads it nevertheless.
    RemoveOpen(String, Data),
}

#[derive(Debug, Clone, Copy)]
struct Copied {
    from: u64,
    to: u64,
    len: u64,
}

/// What an entry is, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Directory,
    File(Vec<u8>),
    Symlink(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    body: Body,
    mode: u16,
    /// `None` when it was changed since its time was set.
    mtime: Option<Timestamp>,
}

/// The reference: all entries by path.
#[derive(Debug, Clone, Default)]
struct Model(BTreeMap<String, Entry>);

/// What is tested.
trait Subject {
    /// Whether a symlink in the middle of a path is followed (it leads nowhere).
    const FOLLOWS: bool;
    fn apply(&mut self, step: &Step) -> Outcome;
    /// Everything below `root` by path, the root left out.
    fn read_all(&mut self, root: &str) -> BTreeMap<String, Entry>;
    fn read(&mut self, path: &str) -> Option<Entry>;
    /// Ends it and starts it again; sessions survive that.
    fn restart(&mut self);
    /// Makes the session a build.
    fn commit(&mut self, id: &str);
    /// Starts the session with all that is in a build.
    fn start_from(&mut self, id: &str);
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.into() } else { format!("{directory}/{name}") }
}

impl Model {
    fn new() -> Model {
        let root = Entry { body: Body::Directory, mode: 0o755, mtime: None };
        Model(BTreeMap::from([(String::new(), root)]))
    }

    fn get(&self, path: &str) -> Result<&Entry, Fault> {
        self.directory(split(path).0)?;
        self.0.get(path).ok_or(Fault::NotFound)
    }

    fn directory(&self, path: &str) -> Outcome {
        if !path.is_empty() {
            self.directory(split(path).0)?;
        }
        match self.0.get(path).map(|entry| &entry.body) {
            Some(Body::Directory) => Ok(()),
            Some(Body::File(_)) => Err(Fault::NotDirectory),
            // Nobody follows a symlink in the middle of a path here: none leads to a directory.
            Some(Body::Symlink(_)) => Err(Fault::NotDirectory),
            None => Err(Fault::NotFound),
        }
    }

    fn is_empty(&self, path: &str) -> bool {
        !self.0.keys().any(|other| !other.is_empty() && other != path && split(other).0 == path)
    }

    fn touch(&mut self, directory: &str) {
        self.0.get_mut(directory).unwrap().mtime = None;
    }

    fn add(&mut self, path: &str, entry: Entry) -> Outcome {
        self.directory(split(path).0)?;
        if self.0.contains_key(path) {
            return Err(Fault::Exists);
        }
        self.touch(split(path).0);
        self.0.insert(path.into(), entry);
        Ok(())
    }

    fn bytes(&mut self, path: &str) -> Result<&mut Vec<u8>, Fault> {
        self.get(path)?;
        let entry = self.0.get_mut(path).unwrap();
        match &mut entry.body {
            Body::File(bytes) => {
                entry.mtime = None;
                Ok(bytes)
            }
            Body::Directory => Err(Fault::IsDirectory),
            Body::Symlink(_) => Err(Fault::Invalid),
        }
    }

    fn take_tree(&mut self, path: &str) -> Vec<(String, Entry)> {
        let below = format!("{path}/");
        let keys: Vec<String> = self.0.keys().filter(|key| *key == path || key.starts_with(&below)).cloned().collect();
        keys.into_iter().map(|key| (key[path.len()..].to_string(), self.0.remove(&key).unwrap())).collect()
    }

    fn put_tree(&mut self, path: &str, tree: Vec<(String, Entry)>) {
        self.0.extend(tree.into_iter().map(|(rest, entry)| (format!("{path}{rest}"), entry)));
    }

    fn rename(&mut self, from: &str, to: &str, mode: RenameMode) -> Outcome {
        // In the order in which the kernel looks.
        self.directory(split(from).0)?;
        self.directory(split(to).0)?;
        let moving = self.get(from)?.clone();
        let there = self.0.get(to).cloned();
        match (mode, &there) {
            (RenameMode::NoReplace, Some(_)) => return Err(Fault::Exists),
            (RenameMode::Exchange, None) => return Err(Fault::NotFound),
            _ => {}
        }
        let inside = |path: &str, of: &str| path != of && path.starts_with(&format!("{of}/"));
        match (inside(to, from), inside(from, to), mode) {
            (true, ..) | (_, true, RenameMode::Exchange) => return Err(Fault::Invalid),
            (_, true, _) => return Err(Fault::NotEmpty),
            _ => {}
        }
        if from == to {
            return Ok(());
        }
        if let (RenameMode::Replace, Some(there)) = (mode, &there) {
            match (&moving.body, &there.body) {
                (Body::Directory, Body::Directory) if !self.is_empty(to) => return Err(Fault::NotEmpty),
                (Body::Directory, Body::Directory) => {}
                (Body::Directory, _) => return Err(Fault::NotDirectory),
                (_, Body::Directory) => return Err(Fault::IsDirectory),
                _ => {}
            }
        }
        self.touch(split(from).0);
        self.touch(split(to).0);
        let moved = self.take_tree(from);
        let replaced = self.take_tree(to);
        self.put_tree(to, moved);
        if mode == RenameMode::Exchange {
            self.put_tree(from, replaced);
        }
        Ok(())
    }

    fn apply(&mut self, step: &Step) -> Outcome {
        let new = |body, mode| Entry { body, mode, mtime: None };
        match step {
            Step::File(path) => self.add(path, new(Body::File(Vec::new()), 0o644)),
            Step::Directory(path) => self.add(path, new(Body::Directory, 0o755)),
            Step::Symlink(path, target) => self.add(path, new(Body::Symlink(target.clone()), 0o777)),
            Step::Link(from, to) => {
                let source = self.get(from)?.clone();
                self.directory(split(to).0)?;
                if self.0.contains_key(to) {
                    return Err(Fault::Exists);
                }
                match source.body {
                    Body::Directory => Err(Fault::NotPermitted),
                    _ => self.add(to, source),
                }
            }
            Step::Write(path, offset, data) => {
                let bytes = self.bytes(path)?;
                let end = *offset as usize + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset as usize..end].copy_from_slice(data);
                Ok(())
            }
            Step::Resize(path, len) => {
                self.bytes(path)?.resize(*len as usize, 0);
                Ok(())
            }
            Step::Remove(path) => {
                if self.get(path)?.body == Body::Directory {
                    return Err(Fault::IsDirectory);
                }
                self.touch(split(path).0);
                self.0.remove(path);
                Ok(())
            }
            Step::RemoveDirectory(path) => {
                match self.get(path)?.body {
                    Body::Directory if !self.is_empty(path) => return Err(Fault::NotEmpty),
                    Body::Directory => {}
                    _ => return Err(Fault::NotDirectory),
                }
                self.touch(split(path).0);
                self.0.remove(path);
                Ok(())
            }
            Step::Rename(from, to, mode) => self.rename(from, to, *mode),
            Step::Mode(path, mode) => {
                self.get(path)?;
                self.0.get_mut(path).unwrap().mode = *mode;
                Ok(())
            }
            Step::Time(path, time) => {
                self.get(path)?;
                self.0.get_mut(path).unwrap().mtime = Some(*time);
                Ok(())
            }
            Step::Xattr(path, _) => self.get(path).map(drop),
            Step::Copy(from, to, copied) => {
                let source = self.bytes_of(from);
                let start = source.len().min(copied.from as usize);
                let source = source[start..source.len().min(start + copied.len as usize)].to_vec();
                let bytes = self.bytes(to)?;
                if copied.to == 0 {
                    bytes.clear();
                }
                if !source.is_empty() {
                    let end = copied.to as usize + source.len();
                    bytes.resize(bytes.len().max(end), 0);
                    bytes[copied.to as usize..end].copy_from_slice(&source);
                }
                Ok(())
            }
            Step::Punch(path, offset, len) => {
                let bytes = self.bytes(path)?;
                let end = bytes.len().min((offset + len) as usize);
                bytes[(*offset as usize).min(end)..end].fill(0);
                Ok(())
            }
            Step::Map(path, offset, data) => {
                let offset = *offset as usize;
                self.bytes(path)?[offset..offset + data.len()].copy_from_slice(data);
                Ok(())
            }
            Step::RemoveOpen(path, _) => self.apply(&Step::Remove(path.clone())),
        }
    }

    fn bytes_of(&self, path: &str) -> &[u8] {
        match &self.0[path].body {
            Body::File(bytes) => bytes,
            other => panic!("{path} is {other:?}"),
        }
    }

    fn files(&self) -> Vec<(&String, u64)> {
        let len = |entry: &Entry| if let Body::File(bytes) = &entry.body { Some(bytes.len() as u64) } else { None };
        self.0.iter().filter_map(|(path, entry)| Some((path, len(entry)?))).collect()
    }

    /// The entries below the root.
    fn entries(&self) -> BTreeMap<String, Entry> {
        self.0.iter().filter(|(path, _)| !path.is_empty()).map(|(path, entry)| (path.clone(), entry.clone())).collect()
    }
}

/// The tree in process.
struct InProcess {
    fixture: Fixture,
    tree: Option<Tree>,
}

impl InProcess {
    fn tree(&self) -> &Tree {
        self.tree.as_ref().unwrap()
    }

    fn resolve(&self, path: &str) -> Result<NodeId, ErrorKind> {
        let found = self.tree().resolve(path.as_bytes()).map_err(|error| error.kind())?;
        Ok(found.node)
    }

    /// As the kernel: what comes before the last slash must be a directory.
    fn resolve_directory(&self, path: &str) -> Result<NodeId, ErrorKind> {
        let found = self.tree().resolve(path.as_bytes()).map_err(|error| error.kind())?;
        if found.kind == Kind::Directory {
            return Ok(found.node);
        }
        self.tree().forget(found.node, 1);
        Err(ErrorKind::NotDirectory)
    }

    fn with_name<T>(
        &self,
        path: &str,
        act: impl FnOnce(&Tree, NameAt<'_>) -> gamevault::Result<T>,
    ) -> Result<T, ErrorKind> {
        let path = join(SESSION, path);
        let (directory, name) = split(&path);
        let directory = self.resolve_directory(directory)?;
        let result = act(self.tree(), NameAt { directory, name: name.as_bytes() }).map_err(|error| error.kind());
        self.tree().forget(directory, 1);
        result
    }

    fn with_node<T>(
        &self,
        path: &str,
        act: impl FnOnce(&Tree, NodeId) -> gamevault::Result<T>,
    ) -> Result<T, ErrorKind> {
        let node = self.resolve(&join(SESSION, path))?;
        let result = act(self.tree(), node).map_err(|error| error.kind());
        self.tree().forget(node, 1);
        result
    }

    fn try_apply(&self, step: &Step) -> Result<(), ErrorKind> {
        let forget = |tree: &Tree, node: NodeId| tree.forget(node, 1);
        match step {
            Step::File(path) => {
                let (attr, opened) = self.with_name(path, |tree, at| tree.make_file(at, 0o644, Some(Access::WRITE)))?;
                self.tree().close(attr.node, opened.handle);
                forget(self.tree(), attr.node);
            }
            Step::Directory(path) => {
                let attr = self.with_name(path, |tree, at| tree.make_directory(at, 0o755))?;
                forget(self.tree(), attr.node);
            }
            Step::Symlink(path, target) => {
                let attr = self.with_name(path, |tree, at| tree.make_symlink(at, target.as_bytes()))?;
                forget(self.tree(), attr.node);
            }
            Step::Link(from, to) => {
                let attr = self
                    .with_node(from, |_, node| Ok(node))
                    .and_then(|node| self.with_name(to, |tree, at| tree.link(node, at)))?;
                forget(self.tree(), attr.node);
            }
            Step::Write(path, offset, data) => self.with_node(path, |tree, node| {
                let opened = tree.open(node, Access::WRITE)?;
                let written = tree.write(node, *offset, data);
                tree.close(node, opened.handle);
                written
            })?,
            Step::Resize(path, len) => {
                let change = AttrChange { size: Some(*len), ..AttrChange::default() };
                self.with_node(path, |tree, node| tree.set_attr(node, &change).map(drop))?;
            }
            Step::Remove(path) => self.with_name(path, |tree, at| tree.remove(at, Kind::File))?,
            Step::RemoveDirectory(path) => self.with_name(path, |tree, at| tree.remove(at, Kind::Directory))?,
            Step::Rename(from, to, mode) => {
                let (from, to) = (join(SESSION, from), join(SESSION, to));
                let from_directory = self.resolve_directory(split(&from).0)?;
                let to_directory = self.resolve_directory(split(&to).0)?;
                let at = |directory, path| NameAt { directory, name: split(path).1.as_bytes() };
                let result = self.tree().rename(at(from_directory, &from), at(to_directory, &to), *mode);
                forget(self.tree(), from_directory);
                forget(self.tree(), to_directory);
                result.map_err(|error| error.kind())?;
            }
            Step::Mode(path, mode) => {
                let change = AttrChange { mode: Some(*mode), ..AttrChange::default() };
                self.with_node(path, |tree, node| tree.set_attr(node, &change).map(drop))?;
            }
            Step::Time(path, time) => {
                let change = AttrChange { mtime: Some(TimeChange::At(*time)), ..AttrChange::default() };
                self.with_node(path, |tree, node| tree.set_attr(node, &change).map(drop))?;
            }
            Step::Xattr(path, value) => self.with_node(path, |tree, node| {
                let set = |mode| tree.set_xattr(node, b"user.test", value, mode);
                let refused = |mode| set(mode).unwrap_err().kind();
                set(XattrMode::Any)?;
                assert_eq!(refused(XattrMode::Create), ErrorKind::Exists);
                set(XattrMode::Replace)?;
                assert_eq!(tree.xattr(node, b"user.test")?, **value);
                assert_eq!(tree.xattr_names(node)?, [b"user.test"]);
                tree.remove_xattr(node, b"user.test")?;
                assert_eq!(refused(XattrMode::Replace), ErrorKind::NoAttribute);
                set(XattrMode::Create)?;
                tree.remove_xattr(node, b"user.test")
            })?,
            Step::Copy(from, to, copied) => {
                let from = self.with_node(from, |_, node| Ok(node))?;
                self.with_node(to, |tree, node| {
                    let access = Access { truncate: copied.to == 0, ..Access::WRITE };
                    let opened = tree.open(node, access)?;
                    let mut done = 0;
                    while done < copied.len {
                        let (from_offset, offset) = (copied.from + done, copied.to + done);
                        match tree.copy_range(from, from_offset, node, offset, copied.len - done)? {
                            0 => break,
                            len => done += len,
                        }
                    }
                    tree.close(node, opened.handle);
                    Ok(())
                })?;
            }
            Step::Punch(path, offset, len) => {
                self.with_node(path, |tree, node| tree.allocate(node, Allocation::Punch, *offset, *len))?;
            }
            Step::Map(path, offset, data) => self.with_node(path, |tree, node| tree.write(node, *offset, data))?,
            Step::RemoveOpen(path, data) => {
                let (node, opened) = self.with_node(path, |tree, node| {
                    Ok((node, tree.open(node, Access { read: true, ..Access::WRITE })?))
                })?;
                self.with_name(path, |tree, at| tree.remove(at, Kind::File))?;
                self.tree().write(node, 7, data).map_err(|error| error.kind())?;
                let mut found = vec![0; data.len()];
                assert_eq!(self.tree().read(node, 7, &mut found).map_err(|error| error.kind())?, data.len());
                assert_eq!(found, **data);
                self.tree().close(node, opened.handle);
            }
        }
        Ok(())
    }

    fn entry(&self, path: &str) -> Entry {
        let attr = self.tree().resolve(path.as_bytes()).unwrap();
        let body = match attr.kind {
            Kind::Directory => Body::Directory,
            Kind::Symlink => {
                Body::Symlink(String::from_utf8(self.tree().read_link(attr.node).unwrap().to_vec()).unwrap())
            }
            Kind::File => {
                let opened = self.tree().open(attr.node, Access::READ).unwrap();
                let mut bytes = vec![0; attr.size as usize + 1];
                let len = self.tree().read(attr.node, 0, &mut bytes).unwrap();
                assert_eq!(len as u64, attr.size, "{path}");
                self.tree().close(attr.node, opened.handle);
                bytes.truncate(len);
                Body::File(bytes)
            }
        };
        self.tree().forget(attr.node, 1);
        Entry { body, mode: attr.mode, mtime: Some(attr.mtime) }
    }
}

impl Subject for InProcess {
    const FOLLOWS: bool = false;

    fn apply(&mut self, step: &Step) -> Outcome {
        self.try_apply(step).map_err(|kind| match kind {
            ErrorKind::NotFound => Fault::NotFound,
            ErrorKind::Exists => Fault::Exists,
            ErrorKind::NotDirectory => Fault::NotDirectory,
            ErrorKind::IsDirectory => Fault::IsDirectory,
            ErrorKind::NotEmpty => Fault::NotEmpty,
            ErrorKind::Invalid => Fault::Invalid,
            ErrorKind::NotPermitted => Fault::NotPermitted,
            other => panic!("{step:?} fails with {other:?}"),
        })
    }

    fn read_all(&mut self, root: &str) -> BTreeMap<String, Entry> {
        let mut all = BTreeMap::new();
        let mut open = vec![String::new()];
        while let Some(directory) = open.pop() {
            let node = self.resolve(&join(root, &directory)).unwrap();
            let mut names = Vec::new();
            // One entry at a time, so that going on from a cookie is tried everywhere.
            let mut after = 0;
            loop {
                let mut given = None;
                let mut take = |entry: gamevault::tree::DirEntry<'_>| {
                    let has_room = given.is_none();
                    if has_room {
                        given = Some((String::from_utf8(entry.name.to_vec()).unwrap(), entry.cookie));
                    }
                    has_room
                };
                self.tree().list(node, after, Looking::Uncounted, &mut take).unwrap();
                let Some((name, cookie)) = given else { break };
                names.push(name);
                after = cookie;
            }
            self.tree().forget(node, 1);
            for name in names {
                let path = join(&directory, &name);
                let entry = self.entry(&join(root, &path));
                if entry.body == Body::Directory {
                    open.push(path.clone());
                }
                assert!(all.insert(path, entry).is_none(), "an entry is listed twice");
            }
        }
        all
    }

    fn read(&mut self, path: &str) -> Option<Entry> {
        let path = join(SESSION, path);
        let node = self.resolve(&path).ok()?;
        self.tree().forget(node, 1);
        Some(self.entry(&path))
    }

    fn restart(&mut self) {
        self.tree = None;
        self.tree = Some(Tree::new(self.fixture.vault.clone(), Box::new(drop)));
    }

    fn commit(&mut self, id: &str) {
        let snapshot = self.resolve(".snapshot").unwrap();
        let builds = self.resolve("builds").unwrap();
        let at = |directory, name| NameAt { directory, name };
        self.tree().rename(at(snapshot, b"s"), at(builds, id.as_bytes()), RenameMode::NoReplace).unwrap();
    }

    fn start_from(&mut self, id: &str) {
        let directory = self.resolve(".snapshot").unwrap();
        let name = format!("s@{id}");
        let attr = self.tree().make_directory(NameAt { directory, name: name.as_bytes() }, 0o755).unwrap();
        self.tree().forget(attr.node, 1);
    }
}

/// The same through the kernel.
struct ThroughMount<'a> {
    stage: &'a mut Stage,
}

impl ThroughMount<'_> {
    fn path(&self, path: &str) -> PathBuf {
        self.stage.path(SESSION).join(path)
    }

    fn try_apply(&self, step: &Step) -> std::io::Result<()> {
        match step {
            Step::File(path) => fs::File::create_new(self.path(path)).map(drop),
            Step::Directory(path) => fs::create_dir(self.path(path)),
            Step::Symlink(path, target) => std::os::unix::fs::symlink(target, self.path(path)),
            Step::Link(from, to) => fs::hard_link(self.path(from), self.path(to)),
            Step::Write(path, offset, data) => {
                // Sometimes past the page cache and sometimes through it.
                let read = offset % 2 == 0;
                self.open(fs::OpenOptions::new().write(true).read(read), path)?.write_all_at(data, *offset)
            }
            Step::Resize(path, len) => self.open(fs::OpenOptions::new().write(true), path)?.set_len(*len),
            Step::Remove(path) => fs::remove_file(self.path(path)),
            Step::RemoveDirectory(path) => fs::remove_dir(self.path(path)),
            Step::Rename(from, to, mode) => {
                use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
                let flags = match mode {
                    RenameMode::Replace => RenameFlags::empty(),
                    RenameMode::NoReplace => RenameFlags::RENAME_NOREPLACE,
                    RenameMode::Exchange => RenameFlags::RENAME_EXCHANGE,
                };
                Ok(renameat2(AT_FDCWD, &self.path(from), AT_FDCWD, &self.path(to), flags)?)
            }
            Step::Mode(path, mode) => {
                let path = self.path(path);
                // There is no way to the mode of a symlink itself.
                match fs::symlink_metadata(&path)?.is_symlink() {
                    true => Ok(()),
                    false => fs::set_permissions(path, fs::Permissions::from_mode(u32::from(*mode))),
                }
            }
            Step::Time(path, time) => {
                fs::symlink_metadata(self.path(path))?;
                gamevault::disk::host::set_mtime(&self.path(path), *time)
            }
            Step::Xattr(path, value) => match fs::symlink_metadata(self.path(path))?.is_symlink() {
                true => Ok(()),
                false => gamevault::disk::host::set_xattr(&self.path(path), b"user.test", value),
            },
            Step::Copy(from, to, copied) => {
                let from = fs::File::open(self.path(from))?;
                let to = self.open(fs::OpenOptions::new().write(true).truncate(copied.to == 0), to)?;
                let (mut from_offset, mut offset) = (copied.from as i64, copied.to as i64);
                let mut left = copied.len as usize;
                while left > 0 {
                    match nix::fcntl::copy_file_range(&from, Some(&mut from_offset), &to, Some(&mut offset), left)? {
                        0 => break,
                        len => left -= len,
                    }
                }
                Ok(())
            }
            Step::Punch(path, offset, len) => {
                use nix::fcntl::{FallocateFlags, fallocate};
                let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let file = self.open(fs::OpenOptions::new().write(true), path)?;
                Ok(fallocate(&file, flags, *offset as i64, *len as i64)?)
            }
            Step::Map(path, offset, data) => {
                let file = self.open(fs::OpenOptions::new().read(true).write(true), path)?;
                map_and_write(&file, *offset as usize, data)
            }
            Step::RemoveOpen(path, data) => {
                let file = self.open(fs::OpenOptions::new().read(true).write(true), path)?;
                fs::remove_file(self.path(path))?;
                file.write_all_at(data, 7)?;
                let mut found = vec![0; data.len()];
                file.read_exact_at(&mut found, 7)?;
                assert_eq!(found, **data);
                Ok(())
            }
        }
    }

    /// Opens without following a symlink, as the model does not.
    fn open(&self, options: &mut fs::OpenOptions, path: &str) -> std::io::Result<fs::File> {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW).open(self.path(path))
    }

    fn entry(path: &Path) -> Option<Entry> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let body = if metadata.is_dir() {
            Body::Directory
        } else if metadata.is_symlink() {
            Body::Symlink(fs::read_link(path).unwrap().to_str().unwrap().into())
        } else {
            let bytes = fs::read(path).unwrap();
            assert_eq!(bytes.len() as u64, metadata.len(), "{}", path.display());
            Body::File(bytes)
        };
        let mtime = Some(Timestamp { secs: metadata.mtime(), nanos: metadata.mtime_nsec() as u32 });
        Some(Entry { body, mode: (metadata.mode() & 0o7777) as u16, mtime })
    }
}

impl Subject for ThroughMount<'_> {
    const FOLLOWS: bool = true;

    fn apply(&mut self, step: &Step) -> Outcome {
        self.try_apply(step).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => Fault::NotFound,
            Some(libc::EEXIST) => Fault::Exists,
            Some(libc::ENOTDIR) => Fault::NotDirectory,
            Some(libc::EISDIR) => Fault::IsDirectory,
            Some(libc::ENOTEMPTY) => Fault::NotEmpty,
            Some(libc::EINVAL | libc::ELOOP) => Fault::Invalid,
            Some(libc::EPERM) => Fault::NotPermitted,
            _ => panic!("{step:?} fails with {error}"),
        })
    }

    fn read_all(&mut self, root: &str) -> BTreeMap<String, Entry> {
        let root = self.stage.path(root);
        let mut all = BTreeMap::new();
        let mut open = vec![String::new()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(root.join(&directory)).unwrap() {
                let path = join(&directory, entry.unwrap().file_name().to_str().unwrap());
                let entry = ThroughMount::entry(&root.join(&path)).unwrap();
                if entry.body == Body::Directory {
                    open.push(path.clone());
                }
                assert!(all.insert(path, entry).is_none(), "an entry is listed twice");
            }
        }
        all
    }

    fn read(&mut self, path: &str) -> Option<Entry> {
        ThroughMount::entry(&self.path(path))
    }

    fn restart(&mut self) {
        self.stage.remount();
    }

    fn commit(&mut self, id: &str) {
        fs::rename(self.stage.path(SESSION), self.stage.path("builds").join(id)).unwrap();
    }

    fn start_from(&mut self, id: &str) {
        fs::create_dir(self.stage.path(&format!("{SESSION}@{id}"))).unwrap();
    }
}

fn random_path(random: &mut SmallRng) -> String {
    let names = ["a", "b", "c", "d"];
    let depth = random.random_range(1..=3);
    (0..depth).map(|_| names[random.random_range(0..names.len())]).collect::<Vec<_>>().join("/")
}

fn random_step(random: &mut SmallRng, model: &Model) -> Step {
    if random.random_range(0..100) < 12
        && let Some(step) = random_file_step(random, &model.files())
    {
        return step;
    }
    let path = random_path(random);
    let other = random_path(random);
    match random.random_range(0..100) {
        0..16 => Step::File(path),
        16..30 => Step::Directory(path),
        30..34 => Step::Symlink(path, format!("to/{other}")),
        34..38 => Step::Link(path, other),
        38..58 => {
            let offset = random.random_range(0..3) * random.random_range(0..200_000);
            let len = random.random_range(1..90_000);
            Step::Write(path, offset, Data(crate::stage::noise(random.random(), len)))
        }
        58..64 => Step::Resize(path, random.random_range(0..3) * random.random_range(0..300_000)),
        64..70 => Step::Remove(path),
        70..74 => Step::RemoveDirectory(path),
        74..88 => {
            let mode = [RenameMode::Replace, RenameMode::Replace, RenameMode::NoReplace, RenameMode::Exchange]
                [random.random_range(0..4)];
            Step::Rename(path, other, mode)
        }
        88..92 => Step::Mode(path, [0o644, 0o755, 0o600, 0o555, 0o400][random.random_range(0..5)]),
        92..97 => {
            let time = Timestamp {
                secs: random.random_range(-100_000..2_000_000_000),
                nanos: random.random_range(0..1_000_000_000),
            };
            Step::Time(path, time)
        }
        _ => Step::Xattr(path, Data(vec![random.random(); random.random_range(0..300)])),
    }
}

/// A step on files that are there; `None` if they do not allow it.
fn random_file_step(random: &mut SmallRng, files: &[(&String, u64)]) -> Option<Step> {
    if files.is_empty() {
        return None;
    }
    let (path, len) = files[random.random_range(0..files.len())];
    let (other, _) = files[random.random_range(0..files.len())];
    let noise = |random: &mut SmallRng, len| Data(crate::stage::noise(random.random(), len));
    let offset = random.random_range(0..=len);
    match random.random_range(0..6) {
        0..3 if path != other => {
            let copied = match random.random() {
                // The way of `cp`, which can go by reference.
                true => Copied { from: 0, to: 0, len: random.random_range(1..=2) * len.max(2) / 2 },
                false => Copied { from: offset, to: random.random_range(0..200_000), len },
            };
            Some(Step::Copy(path.clone(), other.clone(), copied))
        }
        3 => Some(Step::Punch(path.clone(), offset, random.random_range(1..200_000))),
        4 if offset < len => {
            let data_len = random.random_range(1..=(len - offset).min(20_000)) as usize;
            Some(Step::Map(path.clone(), offset, noise(random, data_len)))
        }
        5 => Some(Step::RemoveOpen(path.clone(), noise(random, 1000))),
        _ => None,
    }
}

/// Compares what is comparable: times only where they were set and nothing changed since; modes not of symlinks.
fn assert_entry(path: &str, expected: &Entry, found: &Entry) {
    let brief = |entry: &Entry| match &entry.body {
        Body::File(bytes) => format!("file of {} bytes {}", bytes.len(), blake3::hash(bytes).to_hex()),
        other => format!("{other:?}"),
    };
    assert_eq!(brief(expected), brief(found), "{path}");
    if !matches!(expected.body, Body::Symlink(_)) {
        assert_eq!(expected.mode, found.mode, "mode of {path}");
    }
    if expected.mtime.is_some() {
        assert_eq!(expected.mtime, found.mtime, "time of {path}");
    }
}

fn assert_all(expected: &BTreeMap<String, Entry>, found: &BTreeMap<String, Entry>) {
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>());
    expected.iter().for_each(|(path, entry)| assert_entry(path, entry, &found[path]));
}

fn run<S: Subject>(subject: &mut S, steps: usize) {
    let seed = std::env::var("GAMEVAULT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| rand::rng().random());
    println!("GAMEVAULT_SEED={seed}");
    let mut random = SmallRng::seed_from_u64(seed);
    let mut model = Model::new();
    for index in 0..steps {
        let step = random_step(&mut random, &model);
        let expected = model.apply(&step);
        let found = match subject.apply(&step) {
            Err(Fault::NotFound) if S::FOLLOWS && expected == Err(Fault::NotDirectory) => expected,
            found => found,
        };
        assert_eq!(expected, found, "step {index}: {step:?}");
        if let Step::Write(path, ..)
        | Step::Resize(path, _)
        | Step::Link(_, path)
        | Step::Rename(_, path, _)
        | Step::Copy(_, path, _)
        | Step::Punch(path, ..)
        | Step::Map(path, ..) = &step
            && expected.is_ok()
        {
            let found = subject.read(path).unwrap_or_else(|| panic!("step {index}: {path} is gone after {step:?}"));
            assert_entry(path, &model.0[path], &found);
        }
        if index % 50 == 49 {
            assert_all(&model.entries(), &subject.read_all(SESSION));
        }
        match random.random_range(0..150) {
            0 => subject.restart(),
            // Long enough for the background to store what was closed.
            1 => std::thread::sleep(std::time::Duration::from_millis(600)),
            2 | 3 if !model.is_empty("") => {
                let id = format!("b{index}");
                subject.commit(&id);
                subject.start_from(&id);
            }
            _ => {}
        }
    }
    assert_all(&model.entries(), &subject.read_all(SESSION));
    if model.is_empty("") {
        return;
    }
    subject.commit("s");
    assert_all(&model.entries(), &subject.read_all("builds/s"));
    subject.restart();
    assert_all(&model.entries(), &subject.read_all("builds/s"));
}

#[test]
fn random_operations_in_process() {
    let fixture = Fixture::new();
    let tree = Tree::new(fixture.vault.clone(), Box::new(drop));
    let subject = &mut InProcess { fixture, tree: Some(tree) };
    let snapshot = subject.resolve(".snapshot").unwrap();
    subject.tree().make_directory(NameAt { directory: snapshot, name: b"s" }, 0o755).unwrap();
    run(subject, 1500);
}

#[test]
fn random_operations_through_a_mount() {
    let Some(mut stage) = Stage::mount(Fixture::new(), &MountOptions::default()) else { return };
    fs::create_dir(stage.path(SESSION)).unwrap();
    run(&mut ThroughMount { stage: &mut stage }, 1500);
}
