//! GameVault keeps every build of a game at little cost and shows them as a filesystem.
//!
//! A [`Vault`] is a directory with deduplicated, compressed chunks in packs and a catalogue. A folder becomes a build by
//! [`Vault::snapshot`]; builds are listed, compared, restored, marked as milestones, checked, and mounted.
//!
//! Modules use only those of lower layers: `vault` uses `ingest`, `content` and `compare`, these use `store`, and that
//! uses `disk`, `codec`, `manifest` and `catalogue`.
#![warn(missing_docs)]

pub mod catalogue;
pub mod codec;
pub mod compare;
pub mod content;
pub mod disk;
pub mod engines;
pub mod error;
pub mod feedback;
pub mod id;
pub mod ingest;
pub mod lens;
pub mod manifest;
pub mod mount;
pub mod name;
pub mod platform;
pub mod progress;
pub mod receive;
pub mod report;
pub mod secret;
pub mod store;
pub mod tree;
pub mod vault;

pub use error::{Error, ErrorKind, Result};
pub use vault::Vault;
