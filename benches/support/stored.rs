//! The files of a build, each beside the file that it was made of.

use gamevault::content::Reader;
use gamevault::id::ChunkId;
use gamevault::manifest::{Content, EntryKind};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file of a build that has bytes, and its source.
pub struct Stored {
    /// What the build has of it.
    pub content: Content,
    /// The plain file.
    pub path: PathBuf,
}

/// Adds the files below `directory`, whose source is `source`, to `files`.
pub fn collect(reader: &Reader, directory: ChunkId, source: &Path, files: &mut Vec<Stored>) {
    reader
        .for_each_entry(directory, &mut |entry| {
            let path = source.join(OsStr::from_bytes(entry.name.as_bytes()));
            match &entry.kind {
                EntryKind::File(content) if content.size > 0 => files.push(Stored { content: *content, path }),
                EntryKind::Directory(directory) => collect(reader, directory.id, &path, files),
                EntryKind::File(_) | EntryKind::Symlink(_) => {}
            }
            Ok(())
        })
        .expect("the build can be listed");
}
