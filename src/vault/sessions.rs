//! The sessions of a vault, opened by this process: trees that are copied in, and workspaces.

use super::Vault;
use crate::content::Reader;
use crate::error::Result;
use crate::id::ChunkId;
use crate::ingest::session::{ReadContent, Sessions};
use crate::manifest::{Content, Entry, XattrSet};
use std::sync::Arc;

impl Vault {
    /// Opens all sessions that no other process has open, until the returned value is dropped.
    ///
    /// # Errors
    /// `Io` if the spool cannot be listed.
    pub fn sessions(&self) -> Result<Sessions> {
        Sessions::open(self.store().clone(), self.reader().clone(), self.session_rules())
    }
}

impl ReadContent for Reader {
    fn read_at(&self, content: &Content, offset: u64, buf: &mut [u8]) -> Result<usize> {
        Reader::read_at(self, content, offset, buf)
    }

    fn next_data(&self, content: &Content, offset: u64) -> Result<Option<(u64, u64)>> {
        Reader::next_data(self, content, offset)
    }

    fn for_each_entry(&self, directory: ChunkId, visit: &mut dyn FnMut(&Entry) -> Result<()>) -> Result<()> {
        Reader::for_each_entry(self, directory, visit)
    }

    fn xattrs(&self, id: ChunkId) -> Result<Arc<XattrSet>> {
        Reader::xattrs(self, id)
    }
}
