//! Chunks that are read: the catalogue says where, the pack's bytes are decoded and checked.

use super::pack::{self, EntryKind, PackEntry, Span};
use super::writer::pack_path;
use crate::catalogue::{Catalogue, ChunkPlace};
use crate::codec::Encoding;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChunkId, PackId};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Packs held open at once; a system's usual limit is 1,024 files a process.
const MAX_OPEN_PACKS: usize = 256;

pub(super) struct PackReader {
    disk: Arc<dyn Disk>,
    catalogue: Arc<Catalogue>,
    files: Cache<i64, (PackId, Arc<dyn DiskFile>)>,
}

impl PackReader {
    pub(super) fn new(disk: Arc<dyn Disk>, catalogue: Arc<Catalogue>) -> PackReader {
        PackReader { disk, catalogue, files: Cache::new(MAX_OPEN_PACKS) }
    }

    /// Returns the plain bytes of the chunk `id`, which lies at `place`, checked against its id; `base` is what its bases
    /// hold.
    pub(super) fn read(&self, id: ChunkId, place: ChunkPlace, base: &[u8]) -> Result<Vec<u8>> {
        let (pack, file) = self.file(place.pack)?;
        let entry = PackEntry {
            kind: EntryKind::Chunk,
            encoding: Encoding::from_number(place.encoding)?,
            offset: place.offset,
            stored_len: place.stored_len,
            plain_len: place.plain_len,
            id,
            bases: place.bases,
        };
        pack::read_entry(&*file, &entry, base).map_err(|error| damaged(error, pack, entry.offset))
    }

    /// Returns the plain bytes of the chunk that lies at `place`, which nobody has checked.
    pub(super) fn read_unchecked(&self, place: &ChunkPlace, base: &[u8]) -> Result<Vec<u8>> {
        let (pack, file) = self.file(place.pack)?;
        let span = Span { offset: place.offset, stored_len: place.stored_len, plain_len: place.plain_len };
        pack::read_plain(&*file, Encoding::from_number(place.encoding)?, span, base)
            .map_err(|error| damaged(error, pack, place.offset))
    }

    fn file(&self, number: i64) -> Result<(PackId, Arc<dyn DiskFile>)> {
        self.files.get_or_insert_with(&number, || self.open(number))
    }

    fn open(&self, number: i64) -> Result<(PackId, Arc<dyn DiskFile>)> {
        let id = self.catalogue.pack_id(number)?;
        let file = self.disk.open(&pack_path(id)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::corrupt(format!("pack {id} is missing: {}", error.message()))
                .with_hint("put the file back, or run `gamevault verify` to see what it held"),
            _ => error,
        })?;
        Ok((id, file))
    }
}

fn damaged(error: Error, pack: PackId, offset: u32) -> Error {
    let error = error.context(format!("pack {pack}"));
    match error.kind() {
        ErrorKind::Corrupt => {
            tracing::error!(%pack, offset, %error, "a chunk is damaged");
            error.with_hint("run `gamevault verify --read-data` to see all that is damaged")
        }
        _ => error,
    }
}
