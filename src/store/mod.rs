//! Chunk in, id out; id in, chunk out.
use crate::catalogue::Catalogue;
use crate::disk::Disk;
use crate::error::Result;
use crate::id::ChunkId;
use std::sync::Arc;

/// Which packs a chunk goes to, so that listing a build reads few places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Bytes of files.
    Data,
    /// Nodes of manifests.
    Tree,
}

/// When a chunk that was put survives a crash: after the pack that it is in is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(pub Option<u64>);

/// What became of a chunk that was put.
#[derive(Debug, Clone, Copy)]
pub struct Put {
    /// Its id.
    pub id: ChunkId,
    /// When it is durable.
    pub ticket: Ticket,
    /// Bytes that it took in a pack; 0 when it was there already.
    pub stored_len: u64,
}

/// All chunks of a vault.
pub struct Store {}

impl Store {
    /// disk
    pub fn disk(&self) -> &Arc<dyn Disk> { todo!() }
    /// catalogue
    pub fn catalogue(&self) -> &Arc<Catalogue> { todo!() }
    /// Returns the chunk's plain bytes, checked against `id`; also of chunks that are not sealed yet.
    pub fn get(&self, _id: ChunkId) -> Result<Arc<[u8]>> { todo!() }
    /// Stores a chunk unless it is there.
    pub fn put(&self, _plain: &[u8], _class: Class) -> Result<Put> { todo!() }
    /// Tells whether all that the ticket stands for is sealed and registered; an error when it was lost.
    pub fn is_durable(&self, _ticket: Ticket) -> Result<bool> { todo!() }
    /// Seals all open packs: everything put before is durable after.
    pub fn flush(&self) -> Result<()> { todo!() }
}
