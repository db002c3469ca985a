//! One hash over the names and bytes of a tree, in a vault or in a folder of the host.
//!
//! It is the BLAKE3 hash of one line for each entry below the root: `f HASH PATH` of a file, with the hash of its bytes,
//! `l HASH PATH` of a symbolic link, with the hash of its target, `d PATH` of a folder, whose entries follow it. Names are
//! sorted by their bytes within each folder, paths are separated by `/`, hashes are in hex.

use crate::content::{Reader, Reading};
use crate::disk::host;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Content, EntryKind};
use crate::name::show;
use crate::progress::Progress;
use rayon::prelude::*;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Files whose hashes are made at once by all cores, and their bytes.
const BATCH_FILES: usize = 4096;
const BATCH_BYTES: u64 = 256 << 20;

/// Bytes that are read at once.
const READ_LEN: usize = 1 << 20;

/// An entry below the root.
pub(super) enum Item<F> {
    /// A regular file, with its size in bytes.
    File(F, u64),
    /// A link, with its target.
    Symlink(Vec<u8>),
    /// A folder.
    Directory,
}

/// A tree that can be hashed.
pub(super) trait Source: Sync {
    /// By what it knows a file.
    type File: Send + Sync;

    /// Gives all entries with their paths to `visit`, in the order in which they are hashed.
    fn walk(&self, visit: &mut dyn FnMut(Vec<u8>, Item<Self::File>) -> Result<()>) -> Result<()>;

    /// Gives the bytes of a file to `take`, a part at a time.
    fn read(&self, file: &Self::File, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

/// Hashes of files that an earlier reading found, in their order, and a place for those that follow.
pub(super) trait Found {
    /// Returns the hash of the next file, if it was read before.
    fn next(&mut self) -> Option<ChunkId>;

    /// Keeps the hashes of the files that come next.
    fn keep(&mut self, hashes: &[ChunkId]) -> Result<()>;
}

/// Nothing was found before, and nothing is kept.
pub(super) struct Anew;

impl Found for Anew {
    fn next(&mut self) -> Option<ChunkId> {
        None
    }

    fn keep(&mut self, _hashes: &[ChunkId]) -> Result<()> {
        Ok(())
    }
}

/// What hashing a tree gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeHash {
    pub(super) hash: ChunkId,
    pub(super) files: u64,
    pub(super) directories: u64,
    pub(super) symlinks: u64,
    pub(super) bytes: u64,
}

/// Hashes `source`, by all cores.
///
/// # Errors
/// Those of reading it, with the path of the file.
pub(super) fn hash_tree<S: Source>(source: &S, found: &mut dyn Found, progress: &Progress) -> Result<TreeHash> {
    let mut lines = Lines { hasher: blake3::Hasher::new(), files: 0, directories: 0, symlinks: 0, bytes: 0 };
    let mut batch = Vec::new();
    let (mut files, mut bytes) = (0, 0);
    source.walk(&mut |path, item| {
        if let Item::File(_, size) = item {
            files += 1;
            bytes += size;
        }
        batch.push((path, item));
        if files >= BATCH_FILES || bytes >= BATCH_BYTES {
            (files, bytes) = (0, 0);
            return lines.add(source, std::mem::take(&mut batch), found, progress);
        }
        Ok(())
    })?;
    lines.add(source, batch, found, progress)?;
    let Lines { hasher, files, directories, symlinks, bytes } = lines;
    Ok(TreeHash { hash: ChunkId(*hasher.finalize().as_bytes()), files, directories, symlinks, bytes })
}

struct Lines {
    hasher: blake3::Hasher,
    files: u64,
    directories: u64,
    symlinks: u64,
    bytes: u64,
}

impl Lines {
    fn add<S: Source>(
        &mut self,
        source: &S,
        batch: Vec<(Vec<u8>, Item<S::File>)>,
        found: &mut dyn Found,
        progress: &Progress,
    ) -> Result<()> {
        let files: Vec<_> = batch
            .iter()
            .filter_map(|(path, item)| match item {
                Item::File(file, size) => Some((path, file, *size)),
                Item::Symlink(_) | Item::Directory => None,
            })
            .collect();
        let mut hashes: Vec<ChunkId> = std::iter::from_fn(|| found.next()).take(files.len()).collect();
        let (known, unknown) = files.split_at(hashes.len());
        progress.add_files(known.len() as u64);
        progress.add_bytes(known.iter().map(|(.., size)| size).sum());
        let hash = |&(path, file, _): &(&Vec<u8>, &S::File, u64)| {
            let mut hasher = blake3::Hasher::new();
            let read = source.read(file, &mut |part| {
                hasher.update(part);
                progress.add_bytes(part.len() as u64);
                progress.check()
            });
            progress.add_files(1);
            read.map_err(|error| match error.kind() {
                ErrorKind::Interrupted => error,
                _ => error.context(show(path)),
            })?;
            Ok(ChunkId(*hasher.finalize().as_bytes()))
        };
        let new = unknown.par_iter().map(hash).collect::<Result<Vec<_>>>()?;
        if !new.is_empty() {
            found.keep(&new)?;
        }
        hashes.extend(new);
        let mut hashes = hashes.into_iter();
        for (path, item) in batch {
            match item {
                Item::File(_, size) => {
                    self.files += 1;
                    self.bytes += size;
                    self.line(b"f ", hashes.next(), &path);
                }
                Item::Symlink(target) => {
                    self.symlinks += 1;
                    self.line(b"l ", Some(ChunkId::of(&target)), &path);
                }
                Item::Directory => {
                    self.directories += 1;
                    self.line(b"d ", None, &path);
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, kind: &[u8], hash: Option<ChunkId>, path: &[u8]) {
        self.hasher.update(kind);
        if let Some(hash) = hash {
            self.hasher.update(hash.to_string().as_bytes()).update(b" ");
        }
        self.hasher.update(path).update(b"\n");
    }
}

/// The tree of a build.
pub(super) struct Stored<'a> {
    pub(super) reader: &'a Reader,
    pub(super) root: ChunkId,
}

impl Source for Stored<'_> {
    type File = Content;

    fn walk(&self, visit: &mut dyn FnMut(Vec<u8>, Item<Content>) -> Result<()>) -> Result<()> {
        // Folders that are entered, and from which ordinal to go on in each.
        let mut open = vec![(self.root, Vec::new(), 0)];
        while let Some((id, prefix, from)) = open.pop() {
            let Some(listing) = self.reader.list(id, from)? else { continue };
            let mut next = listing.next();
            let mut entered = None;
            for (ordinal, entry) in listing.iter() {
                let path = joined(&prefix, entry.name.as_bytes());
                match &entry.kind {
                    EntryKind::File(content) => visit(path, Item::File(*content, content.size))?,
                    EntryKind::Symlink(target) => visit(path, Item::Symlink(target.to_vec()))?,
                    EntryKind::Directory(below) => {
                        visit(path.clone(), Item::Directory)?;
                        next = ordinal + 1;
                        entered = Some((below.id, path, 0));
                        break;
                    }
                }
            }
            open.push((id, prefix, next));
            open.extend(entered);
        }
        Ok(())
    }

    fn read(&self, file: &Content, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut buffer = vec![0; READ_LEN.min(file.size as usize)];
        let mut offset = 0;
        while offset < file.size {
            let len = self.reader.read(file, offset, &mut buffer, Reading::USING)?;
            take(&buffer[..len])?;
            offset += len as u64;
        }
        Ok(())
    }
}

/// A folder of the host.
pub(super) struct Folder(pub(super) PathBuf);

impl Source for Folder {
    type File = PathBuf;

    fn walk(&self, visit: &mut dyn FnMut(Vec<u8>, Item<PathBuf>) -> Result<()>) -> Result<()> {
        let mut open = vec![list(&self.0, &[])?];
        while let Some(mut entries) = open.pop() {
            let Some((name, path)) = entries.next() else { continue };
            open.push(entries);
            let stat = host::stat_of(&path).map_err(|error| Error::io("look at", &path, error))?;
            match stat.kind {
                host::HostKind::File => visit(name, Item::File(path, stat.key.size))?,
                host::HostKind::Symlink => {
                    let target = host::read_link(&path).map_err(|error| Error::io("read the link", &path, error))?;
                    visit(name, Item::Symlink(target))?;
                }
                host::HostKind::Directory => {
                    let below = list(&path, &name)?;
                    visit(name, Item::Directory)?;
                    open.push(below);
                }
                host::HostKind::Special => {}
            }
        }
        Ok(())
    }

    fn read(&self, file: &PathBuf, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let fail = |error| Error::io("read", file, error);
        let mut open = File::open(file).map_err(fail)?;
        let mut buffer = vec![0; READ_LEN];
        loop {
            match open.read(&mut buffer).map_err(fail)? {
                0 => return Ok(()),
                len => take(&buffer[..len])?,
            }
        }
    }
}

/// Returns the entries of a folder, sorted, with their paths below the root and on the host.
fn list(folder: &PathBuf, prefix: &[u8]) -> Result<std::vec::IntoIter<(Vec<u8>, PathBuf)>> {
    let fail = |error| Error::io("list", folder, error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = host::file_name_of(&entry.file_name())?;
        entries.push((joined(prefix, name.as_bytes()), entry.path()));
    }
    entries.sort();
    Ok(entries.into_iter())
}

fn joined(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    match prefix {
        [] => name.to_vec(),
        prefix => [prefix, b"/", name].concat(),
    }
}
