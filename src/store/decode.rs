//! From stored bytes to plain ones: the bases first.

use super::kept::Plain;
use super::reader::Slice;
use super::{MAX_DEPTH, PackEntry, Store};
use crate::catalogue::ChunkPlace;
use crate::codec::opened::Form;
use crate::codec::{Encoding, decode};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChunkId, ChunkKey, PackId};
use std::collections::BTreeSet;

/// The most bytes of bases that are believed when a chunk is read; beyond it a vault is damaged, or a trap.
const MAX_BASE_BYTES_READ: usize = 64 << 20;

/// The most chunks of a chain whose packs are healed; beyond it a vault is damaged, or a trap.
const MAX_CHAIN_CHUNKS: usize = 256;

/// A chunk as it is stored.
pub(super) struct Stored {
    pub(super) encoding: Encoding,
    pub(super) bytes: Slice,
    pub(super) plain_len: usize,
    pub(super) bases: Box<[ChunkKey]>,
    /// The pack, unless it is still open, and where in it.
    pub(super) place: Option<(PackId, u32)>,
}

/// How far a chain may still go.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    depth: usize,
    bytes: usize,
}

impl Reach {
    // A chunk may get a base while another process stores a difference to it: then two chains add up.
    pub(super) const WHOLE: Reach = Reach { depth: 2 * MAX_DEPTH, bytes: MAX_BASE_BYTES_READ };
}

impl Stored {
    fn damaged(&self, id: ChunkId, error: Error) -> Error {
        let Some((pack, offset)) = self.place else { return error.context(format!("chunk {id}")) };
        let error = error.context(format!("pack {pack}: chunk {id} at byte {offset}"));
        match error.kind() {
            ErrorKind::Corrupt => {
                tracing::error!(%pack, chunk = %id, offset, %error, "a chunk is damaged");
                error.with_hint("run `gamevault verify --read-data` to see all that is damaged")
            }
            _ => error,
        }
    }
}

impl Store {
    /// Returns the plain bytes of a chunk, checked against its id; heals the packs of it and of its bases if it is damaged.
    pub(super) fn checked(&self, id: ChunkId, stored: Stored) -> Result<Vec<u8>> {
        match self.checked_once(id, stored) {
            Err(error) if error.kind() == ErrorKind::Corrupt && self.heal_chain(id.key())? => {
                // What was decoded of damaged bases is not checked.
                self.bases.clear();
                self.texts.clear();
                match self.stored(id.key())? {
                    Some(stored) => self.checked_once(id, stored),
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    /// Heals the packs of a chunk and of all that it is a difference to; tells whether it is worth reading once more.
    fn heal_chain(&self, key: ChunkKey) -> Result<bool> {
        let mut packs = BTreeSet::new();
        let mut seen = BTreeSet::from([key]);
        let mut open = vec![key];
        while let Some(key) = open.pop() {
            if seen.len() > MAX_CHAIN_CHUNKS {
                break;
            }
            let Some(place) = self.catalogue.chunk(key)? else { continue };
            packs.insert(place.pack);
            open.extend(place.bases.iter().copied().filter(|&base| seen.insert(base)));
        }
        // All of them: several may be damaged.
        Ok(packs.into_iter().filter(|&pack| self.reader.heal(pack)).count() > 0)
    }

    fn checked_once(&self, id: ChunkId, stored: Stored) -> Result<Vec<u8>> {
        let plain = self.decoded(&stored, &mut Reach::WHOLE.clone()).map_err(|error| stored.damaged(id, error))?;
        match ChunkId::of(&plain) == id {
            true => Ok(plain),
            false => Err(stored.damaged(id, Error::corrupt("the bytes do not hash to it"))),
        }
    }

    /// Returns the plain bytes of a chunk, checked; an opened one from where it was kept, or to be kept.
    pub(super) fn kept(&self, id: ChunkId, stored: Stored) -> Result<Vec<u8>> {
        if stored.encoding != Encoding::Opened {
            return self.checked(id, stored);
        }
        if let Some(plain) = self.recreated.get(id) {
            return Ok(plain);
        }
        let plain = self.checked(id, stored)?;
        self.recreated.put(id, &plain);
        Ok(plain)
    }

    /// Returns the plain bytes of an entry of a pack that may not be the one that the catalogue knows, checked.
    ///
    /// # Errors
    /// `Corrupt` with offset and id if the stored bytes do not decode to it; `Io` from the system.
    pub fn read_entry(&self, file: &dyn crate::disk::DiskFile, entry: &PackEntry) -> Result<Vec<u8>> {
        let base = match entry.encoding {
            _ if entry.bases.is_empty() => Ok(Vec::new()),
            Encoding::Opened => super::pack::read_stored(file, entry.span()).and_then(|bytes| {
                let parts = Form::parse(&bytes)?;
                self.base_text(&parts.base, &entry.bases, &mut Reach::WHOLE.clone())
            }),
            _ => self.concat(&entry.bases, &mut Reach::WHOLE.clone()),
        };
        let at = || format!("chunk {} at byte {}", entry.id, entry.offset);
        super::read_entry(file, entry, &base.map_err(|error| error.context(at()))?)
    }

    /// Returns the stored bytes of a chunk; `None` if nobody knows it.
    pub(super) fn stored(&self, key: ChunkKey) -> Result<Option<Stored>> {
        // In this order: a chunk that is sealed between the two looks is found by the second.
        if let Some(pending) = self.writer.pending(key) {
            return self.writer.read_pending(&pending).map(Some);
        }
        self.catalogue.chunk(key)?.map(|place| self.read_at(key, place)).transpose()
    }

    /// Returns the stored bytes of the chunk that was at `place`, from where it is now.
    pub(super) fn read_at(&self, key: ChunkKey, place: ChunkPlace) -> Result<Stored> {
        let pack = place.pack;
        self.reader.read(place).or_else(|error| match self.catalogue.chunk(key)? {
            // Another process has stored it anew since it was looked up, and removed the pack.
            Some(moved) if moved.pack != pack => self.reader.read(moved),
            _ => Err(error),
        })
    }

    fn decoded(&self, stored: &Stored, reach: &mut Reach) -> Result<Vec<u8>> {
        self.reads.decoded_chunks.add(1);
        self.reads.decoded_bytes.add(stored.plain_len as u64);
        if let (Encoding::Dictionary, [key]) = (stored.encoding, &stored.bases[..]) {
            // Made ready once for all the files of a type.
            return self.dictionary(*key, reach)?.decode(&stored.bytes, stored.plain_len);
        }
        let base = match stored.encoding {
            Encoding::Opened => {
                let parts = Form::parse(&stored.bytes)?;
                self.base_text(&parts.base, &stored.bases, reach)?
            }
            _ => self.concat(&stored.bases, reach)?,
        };
        decode(stored.encoding, &stored.bytes, &base, stored.plain_len)
    }

    /// Returns what `bases` hold, one after the other.
    pub(super) fn concat(&self, bases: &[ChunkKey], reach: &mut Reach) -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        for &base in bases {
            plain.extend_from_slice(&self.base(base, reach)?);
        }
        Ok(plain)
    }

    /// Returns what `bases` hold, one after the other, each checked: what is a difference to damaged bytes is lost with
    /// them.
    pub(super) fn sound_concat(&self, bases: &[ChunkKey]) -> Result<Vec<u8>> {
        let mut reach = Reach::WHOLE;
        let mut plain = Vec::new();
        for &key in bases {
            let base = self.base(key, &mut reach)?;
            if ChunkId::of(&base).key() != key {
                return Err(Error::corrupt(format!("its base {key} does not hash to it")));
            }
            plain.extend_from_slice(&base);
        }
        Ok(plain)
    }

    /// Returns what a base holds; nobody has checked it.
    pub(super) fn base(&self, key: ChunkKey, reach: &mut Reach) -> Result<Plain> {
        // Not by a placeholder that others wait for: bases of a damaged catalogue may lead in a circle.
        if let Some(plain) = self.cache.get(&key).or_else(|| self.bases.get(&key)) {
            return Ok(plain);
        }
        let plain = Plain::new(self.below(key, reach, |stored, reach| self.decoded(&stored, reach))?, false);
        self.bases.insert(key, plain.clone());
        Ok(plain)
    }

    /// Returns what an opened base says; nobody has checked it.
    pub(super) fn text(&self, key: ChunkKey, reach: &mut Reach) -> Result<Plain> {
        if let Some(text) = self.texts.get(&key) {
            return Ok(text);
        }
        let text = self.below(key, reach, |stored, reach| {
            if stored.encoding != Encoding::Opened {
                return Err(Error::corrupt("it is not opened"));
            }
            let parts = Form::parse(&stored.bytes)?;
            let base = self.base_text(&parts.base, &stored.bases, reach)?;
            parts.text(&base)
        })?;
        let text = Plain::new(text, false);
        self.texts.insert(key, text.clone());
        Ok(text)
    }

    /// Decodes a base by `act`, one step further down the chain.
    fn below(
        &self,
        key: ChunkKey,
        reach: &mut Reach,
        act: impl FnOnce(Stored, &mut Reach) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let damaged = |error: Error| error.context(format!("its base {key}"));
        let Some(depth) = reach.depth.checked_sub(1) else { return Err(damaged(Error::corrupt("it lies too deep"))) };
        let stored = self.stored(key).map_err(damaged)?;
        let stored = stored.ok_or_else(|| damaged(Error::corrupt("it is in no pack that the catalogue knows")))?;
        let too_many = || damaged(Error::corrupt("it is one of more than can be right"));
        let bytes = reach.bytes.checked_sub(stored.plain_len).ok_or_else(too_many)?;
        let mut further = Reach { depth, bytes };
        let plain = act(stored, &mut further).map_err(damaged);
        reach.bytes = further.bytes;
        plain
    }
}
