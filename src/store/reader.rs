//! Chunks that are read: the catalogue says where, the pack's bytes are decoded and checked.

use super::decode::Stored;
use super::pack::{self, Span};
use super::writer::pack_path;
use crate::catalogue::{Catalogue, ChunkPlace};
use crate::codec::Encoding;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::id::PackId;
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

    /// Returns the stored bytes of the chunk that lies at `place`.
    pub(super) fn read(&self, place: ChunkPlace) -> Result<Stored> {
        let (pack, file) = self.file(place.pack)?;
        let span = Span { offset: place.offset, stored_len: place.stored_len };
        let in_pack = |error: Error| error.context(format!("pack {pack}"));
        Ok(Stored {
            encoding: Encoding::from_number(place.encoding).map_err(in_pack)?,
            bytes: pack::read_stored(&*file, span).map_err(in_pack)?,
            plain_len: place.plain_len as usize,
            bases: place.bases,
            place: Some((pack, place.offset)),
        })
    }

    /// Closes a pack whose file is to go: on Windows its name stays for as long as anybody has it open.
    pub(super) fn close(&self, pack: PackId) {
        self.files.retain(|_, (id, _)| *id != pack);
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
