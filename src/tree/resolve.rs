//! Paths: the way in for front ends that name files by path and not by node.

use super::types::{Attr, Kind, NodeId};
use super::{Looking, Tree};
use crate::error::{Error, ErrorKind, Result};

impl Tree {
    /// Returns the node that `path` stands for, counted as one lookup; components are separated by `/`.
    ///
    /// Symlinks are not followed. The nodes on the way are not held.
    ///
    /// # Errors
    /// `NotFound` with the first component that is missing; `NotDirectory` when one on the way is none.
    pub fn resolve(&self, path: &[u8]) -> Result<Attr> {
        let mut at = self.attr(NodeId::ROOT)?;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            let above = at;
            if above.kind != Kind::Directory {
                return Err(Error::new(ErrorKind::NotDirectory, "a component of the path is not a directory"));
            }
            let found = self.lookup(above.node, name);
            self.untold(above.node, if above.node == NodeId::ROOT { Looking::Uncounted } else { Looking::Counted });
            let missing = || Error::not_found(format!("there is no {}", crate::name::show(path)));
            at = found?.ok_or_else(missing)?;
        }
        Ok(at)
    }
}
