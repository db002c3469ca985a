//! Bytes in: files and trees become chunks and manifests, and builds are published.
//!
//! [`ingest_bytes`] cuts and stores the bytes of one file. [`directory`] walks a folder of the host, [`session`] takes a
//! tree that is copied in. [`publish`] makes a finished tree a build. Everything goes through
//! [`crate::store::Store::put`].

mod added_file;
mod commit;
mod cutter;
pub mod directory;
mod earlier;
mod ignore_rules;
mod opening;
mod pipeline;
mod plan;
mod seen_content;
pub mod session;
mod tree_builder;

pub use added_file::add_file;
pub use commit::{Draft, Replaces, publish};
pub use earlier::{Aligner, Around, EarlierVersion, NewChunk};
pub use ignore_rules::IgnoreRules;
pub use pipeline::{ByteSource, GrowingFile, Ingested, What, ingest_bytes};
pub use plan::Bundle;

use crate::error::Result;
use crate::id::ChunkId;
use crate::manifest::XattrSet;
use crate::store::{Class, Store, Ticket};

/// Stores a set of extended attributes; `None` for an empty one.
///
/// # Errors
/// Those of the store.
pub fn ingest_xattrs(store: &Store, xattrs: &XattrSet) -> Result<(Option<ChunkId>, Ticket)> {
    if xattrs.0.is_empty() {
        return Ok((None, Ticket::default()));
    }
    let put = store.put(&xattrs.encode(), Class::Tree)?;
    Ok((Some(put.id), put.ticket))
}
