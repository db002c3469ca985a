//! The sessions of a vault, opened by this process: trees that are copied in, and workspaces.

use super::Vault;
use crate::error::Result;
use crate::ingest::session::Sessions;

impl Vault {
    /// Opens all sessions that no other process has open, until the returned value is dropped.
    ///
    /// # Errors
    /// `Io` if the spool cannot be listed.
    pub fn sessions(&self) -> Result<Sessions> {
        Sessions::open(self.store().clone(), self.reader().clone(), self.session_rules())
    }
}
