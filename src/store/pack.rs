//! The bytes of a pack.
//!
#![doc = include_str!("pack.md")]

use crate::catalogue::PackTime;
use crate::codec::{Encoding, MAX_PLAIN_LEN, decode};
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::id::{ChunkId, ChunkKey, PackId};

pub(super) const HEADER_LEN: usize = 32;
pub(super) const ENTRY_HEADER_LEN: usize = 44;
const ROW_LEN: usize = 48;
const TRAILER_LEN: usize = 64;
const HEADER_MARK: &[u8; 8] = b"GVPACK\r\n";
const TRAILER_MARK: &[u8; 8] = b"GVSEALED";
const VERSION: u16 = 2;

/// What an entry of a pack is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Bytes of files or nodes of manifests.
    Chunk = 1,
    /// A [`crate::catalogue::Record`] as JSON.
    Record = 2,
    /// A chunk that was stored before and is stored anew: this is its place from now on.
    Anew = 3,
}

impl EntryKind {
    /// Tells whether it is a chunk, stored for the first time or anew.
    pub fn is_chunk(self) -> bool {
        matches!(self, EntryKind::Chunk | EntryKind::Anew)
    }
}

/// One row of a pack's footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEntry {
    /// What it is.
    pub kind: EntryKind,
    /// How it is stored.
    pub encoding: Encoding,
    /// Where the stored bytes start in the file.
    pub offset: u32,
    /// How many stored bytes there are.
    pub stored_len: u32,
    /// How many plain bytes they decode to.
    pub plain_len: u32,
    /// BLAKE3 of the plain bytes.
    pub id: ChunkId,
    /// The chunks that it is stored as a difference to, at most 255.
    pub bases: Box<[ChunkKey]>,
}

impl PackEntry {
    /// Returns the length of what stands before the stored bytes.
    pub(super) fn header_len(&self) -> usize {
        ENTRY_HEADER_LEN + self.bases.len() * ChunkKey::LEN
    }

    pub(super) fn span(&self) -> Span {
        Span { offset: self.offset, stored_len: self.stored_len }
    }
}

/// Returns what `entries` entries with `stored_bytes` and `bases` in all take in packs: with their headers and their rows
/// of footers, without what every pack has once.
pub fn entry_len(entries: u64, stored_bytes: u64, bases: u64) -> u64 {
    let key_len = ChunkKey::LEN as u64;
    stored_bytes + entries * (ENTRY_HEADER_LEN + ROW_LEN) as u64 + bases * 2 * key_len
}

/// What a pack's file holds.
#[derive(Debug)]
pub struct PackIndex {
    /// All entries in the order of the file.
    pub entries: Vec<PackEntry>,
    /// When it was sealed, as its header says.
    pub sealed: PackTime,
    /// Why the footer could not be used and the entries were walked; `None` for a sound pack.
    pub damage: Option<Error>,
}

pub(super) fn header(id: PackId, sealed: PackTime) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(HEADER_MARK);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10..16].copy_from_slice(&sealed.0.to_le_bytes()[..6]);
    bytes[16..].copy_from_slice(&id.0);
    bytes
}

fn sealed_at(head: &[u8; HEADER_LEN]) -> PackTime {
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&head[10..16]);
    PackTime(u64::from_le_bytes(bytes))
}

/// Returns when a pack was sealed, as its header says; a header that cannot be read gives the earliest time.
///
/// # Errors
/// `Io` from the system.
pub fn read_time(file: &dyn DiskFile) -> Result<PackTime> {
    let mut head = [0; HEADER_LEN];
    if file.len()? < HEADER_LEN as u64 {
        return Ok(PackTime::default());
    }
    file.read_exact_at(&mut head, 0)?;
    Ok(if head.starts_with(HEADER_MARK) { sealed_at(&head) } else { PackTime::default() })
}

pub(super) fn entry_header(entry: &PackEntry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entry.header_len());
    bytes.extend([entry.kind as u8, entry.encoding as u8, base_count(entry), 0]);
    bytes.extend(entry.stored_len.to_le_bytes());
    bytes.extend(entry.plain_len.to_le_bytes());
    bytes.extend(entry.id.0);
    bytes.extend(entry.bases.iter().flat_map(|key| key.0));
    bytes
}

fn base_count(entry: &PackEntry) -> u8 {
    u8::try_from(entry.bases.len()).expect("a chunk has at most 255 bases")
}

/// Returns footer and trailer for a pack whose entries end at `end`.
pub(super) fn footer(header: &[u8; HEADER_LEN], entries: &[PackEntry], end: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ROW_LEN + TRAILER_LEN);
    for entry in entries {
        bytes.extend([entry.kind as u8, entry.encoding as u8, base_count(entry), 0]);
        bytes.extend(entry.offset.to_le_bytes());
        bytes.extend(entry.stored_len.to_le_bytes());
        bytes.extend(entry.plain_len.to_le_bytes());
        bytes.extend(entry.id.0);
    }
    for entry in entries {
        bytes.extend(entry.bases.iter().flat_map(|key| key.0));
    }
    let base_count: usize = entries.iter().map(|entry| entry.bases.len()).sum();
    bytes.extend(end.to_le_bytes());
    bytes.extend((entries.len() as u32).to_le_bytes());
    bytes.extend((base_count as u32).to_le_bytes());
    bytes.extend([0; 8]);
    let hash = seal_hash(header, &bytes);
    bytes.extend(hash);
    bytes.extend(TRAILER_MARK);
    bytes
}

fn seal_hash(header: &[u8], rest: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header).update(rest);
    *hasher.finalize().as_bytes()
}

/// Reads what the pack `id` holds: from its footer, or entry by entry when that is damaged.
///
/// # Errors
/// `Corrupt` if not even the header can be read; `Io` from the system.
pub fn read_index(file: &dyn DiskFile, id: PackId) -> Result<PackIndex> {
    let len = file.len()?;
    let mut head = [0; HEADER_LEN];
    if len < HEADER_LEN as u64 {
        return Err(Error::corrupt(format!("pack {id} has {len} bytes, less than its header")));
    }
    file.read_exact_at(&mut head, 0)?;
    match read_footer(file, id, len, &head) {
        Ok(entries) => Ok(PackIndex { entries, sealed: sealed_at(&head), damage: None }),
        Err(damage) => {
            Ok(PackIndex { entries: walk_entries(file, len)?, sealed: read_time(file)?, damage: Some(damage) })
        }
    }
}

fn read_footer(file: &dyn DiskFile, id: PackId, len: u64, head: &[u8; HEADER_LEN]) -> Result<Vec<PackEntry>> {
    let corrupt = |why: &str| Error::corrupt(format!("pack {id}: {why}"));
    if *head != header(id, sealed_at(head)) {
        return Err(corrupt("the header is not that of this pack"));
    }
    if len < (HEADER_LEN + TRAILER_LEN) as u64 {
        return Err(corrupt("it ends before its trailer"));
    }
    let mut trailer = [0; TRAILER_LEN];
    file.read_exact_at(&mut trailer, len - TRAILER_LEN as u64)?;
    if &trailer[56..] != TRAILER_MARK {
        return Err(corrupt("it has no seal at its end"));
    }
    let footer_offset = u64::from_le_bytes(trailer[..8].try_into().expect("8 bytes"));
    let count = u32::from_le_bytes(trailer[8..12].try_into().expect("4 bytes"));
    let base_count = u32::from_le_bytes(trailer[12..16].try_into().expect("4 bytes"));
    let rows_len = u64::from(count) * ROW_LEN as u64;
    let footer_len = rows_len + u64::from(base_count) * ChunkKey::LEN as u64;
    if footer_offset.checked_add(footer_len + TRAILER_LEN as u64) != Some(len) {
        return Err(corrupt("the footer does not lie where the trailer says"));
    }
    let mut footer = vec![0; footer_len as usize + 24];
    file.read_exact_at(&mut footer, footer_offset)?;
    if seal_hash(head, &footer)[..] != trailer[24..56] {
        return Err(corrupt("the footer does not match its checksum"));
    }
    let (rows, rest) = footer.split_at(rows_len as usize);
    let mut bases = &rest[..rest.len() - 24];
    rows.chunks_exact(ROW_LEN)
        .map(|row| {
            let len = usize::from(row[2]) * ChunkKey::LEN;
            let own =
                bases.split_off(..len).ok_or_else(|| corrupt("the footer names fewer bases than its rows have"))?;
            parse_row(row, own, footer_offset)
        })
        .collect()
}

fn parse_row(row: &[u8], bases: &[u8], end: u64) -> Result<PackEntry> {
    let number = |at: usize| u32::from_le_bytes(row[at..at + 4].try_into().expect("4 bytes"));
    let entry = PackEntry {
        kind: parse_kind(row[0])?,
        encoding: Encoding::from_number(row[1])?,
        offset: number(4),
        stored_len: number(8),
        plain_len: number(12),
        id: ChunkId::from_slice(&row[16..])?,
        bases: ChunkKey::list(bases),
    };
    check_bounds(&entry, end)?;
    Ok(entry)
}

fn parse_kind(number: u8) -> Result<EntryKind> {
    match number {
        1 => Ok(EntryKind::Chunk),
        2 => Ok(EntryKind::Record),
        3 => Ok(EntryKind::Anew),
        _ => Err(Error::corrupt(format!("a pack holds an entry of the unknown kind {number}"))),
    }
}

fn check_bounds(entry: &PackEntry, end: u64) -> Result<()> {
    let entry_end = u64::from(entry.offset) + u64::from(entry.stored_len);
    if entry_end > end || entry.plain_len as usize > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("a pack's entry at {} reaches out of the pack", entry.offset)));
    }
    Ok(())
}

/// Walks the entries as far as each one's header makes sense and its bytes hash to its id.
///
/// What is stored as a difference is taken at its word: its bases may be in other packs, and whoever reads it finds out.
fn walk_entries(file: &dyn DiskFile, len: u64) -> Result<Vec<PackEntry>> {
    let mut entries = Vec::new();
    let mut at = HEADER_LEN as u64;
    while at + ENTRY_HEADER_LEN as u64 <= len {
        let Ok(entry) = read_entry_header(file, at, len) else { break };
        at = u64::from(entry.offset) + u64::from(entry.stored_len);
        // A damaged entry is left out; its length may still lead to the next one.
        if !entry.bases.is_empty() || read_entry(file, &entry, &[]).is_ok() {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn read_entry_header(file: &dyn DiskFile, at: u64, len: u64) -> Result<PackEntry> {
    let mut head = [0; ENTRY_HEADER_LEN];
    file.read_exact_at(&mut head, at)?;
    let mut bases = vec![0; usize::from(head[2]) * ChunkKey::LEN];
    file.read_exact_at(&mut bases, at + ENTRY_HEADER_LEN as u64)?;
    let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("4 bytes"));
    let offset = u32::try_from(at + (ENTRY_HEADER_LEN + bases.len()) as u64)
        .map_err(|_| Error::corrupt("a pack is too long"))?;
    let entry = PackEntry {
        kind: parse_kind(head[0])?,
        encoding: Encoding::from_number(head[1])?,
        offset,
        stored_len: number(4),
        plain_len: number(8),
        id: ChunkId::from_slice(&head[12..])?,
        bases: ChunkKey::list(&bases),
    };
    check_bounds(&entry, len)?;
    Ok(entry)
}

/// Checks the header that stands before an entry's stored bytes, which only a walk of the entries needs.
///
/// # Errors
/// `Corrupt` if it does not say what the footer says; `Io` from the system.
pub fn check_entry_header(file: &dyn DiskFile, entry: &PackEntry) -> Result<()> {
    let mut head = vec![0; entry.header_len()];
    let at = u64::from(entry.offset).saturating_sub(head.len() as u64);
    file.read_exact_at(&mut head, at)?;
    match head == entry_header(entry) {
        true => Ok(()),
        false => Err(Error::corrupt(format!("the header of chunk {} at byte {} is damaged", entry.id, entry.offset))),
    }
}

/// Returns the plain bytes of an entry, checked against its id; `base` is what its bases hold, one after the other.
///
/// # Errors
/// `Corrupt` with offset and id if the stored bytes do not decode to it; `Io` from the system.
pub fn read_entry(file: &dyn DiskFile, entry: &PackEntry, base: &[u8]) -> Result<Vec<u8>> {
    let at = || format!("chunk {} at byte {}", entry.id, entry.offset);
    let plain = read_stored(file, entry.span())
        .and_then(|stored| decode(entry.encoding, &stored, base, entry.plain_len as usize))
        .map_err(|error| error.context(at()))?;
    if ChunkId::of(&plain) != entry.id {
        return Err(Error::corrupt(format!("{}: the bytes do not hash to it", at())));
    }
    Ok(plain)
}

/// Where the stored bytes of a chunk are in a pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) offset: u32,
    pub(super) stored_len: u32,
}

pub(super) fn read_stored(file: &dyn DiskFile, span: Span) -> Result<Vec<u8>> {
    // No encoding makes a chunk longer; a damaged catalogue may say 4 GB.
    if span.stored_len as usize > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("{} stored bytes are more than any chunk has", span.stored_len)));
    }
    let mut stored = vec![0; span.stored_len as usize];
    file.read_exact_at(&mut stored, span.offset.into())?;
    Ok(stored)
}
