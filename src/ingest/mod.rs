//! Bytes in.
use crate::catalogue::{Build, BuildInfo, Completeness, Milestone};
use crate::disk::DiskFile;
use crate::error::Result;
use crate::manifest::{Attributes, Content, Directory};
use crate::name::RefName;
use crate::store::{Store, Ticket};

/// Cuts, hashes and stores the bytes of one file that lies in a vault's spool (holes are kept); `Ticket` tells when it is durable.
pub fn ingest_file(_store: &Store, _file: &dyn DiskFile, _len: u64) -> Result<(Content, Ticket)> { todo!() }

/// A build that is about to be published.
pub struct Draft {
    /// Its id; made from its number when absent.
    pub id: Option<RefName>,
    /// root
    pub root: Directory,
    /// attributes of the root
    pub attributes: Attributes,
    /// See [`Build::single_file`].
    pub single_file: Option<String>,
    /// completeness
    pub completeness: Completeness,
    /// See [`Build::changed_while_read`].
    pub changed_while_read: Vec<String>,
    /// stored bytes
    pub stored_bytes: u64,
    /// info
    pub info: BuildInfo,
    /// Also mark the build as this milestone, in the same transaction.
    pub milestone: Option<RefName>,
}

/// Flushes the store, writes the record to a pack of its own, and publishes build (and milestone) in one transaction.
///
/// # Errors
/// `Exists` if the id (or the milestone's name) is taken.
pub fn publish(_store: &Store, _draft: Draft) -> Result<(Build, Option<Milestone>)> { todo!() }
