//! A node that Windows uses, held for as long as it does; and where links lead.
//!
//! Making a link takes a right that few users of Windows have, and programs there do not expect any. So a link whose target is
//! in the mount is shown as what it leads to, and any other as a file that says where: its bytes are the target, as git
//! shows links where there are none. A link to a folder is not followed where that folder is one that the path came through,
//! or a program that goes through all folders would never end; nor where it can be written, or one that deletes a folder
//! with all that is in it would delete the target's files.

use crate::error::Result;
use crate::tree::{Attr, Kind, NodeId, Tree};
use std::sync::Arc;

/// The most links that are followed from one.
const MAX_LINKS: u32 = 40;

/// A node of the tree, with the folders above it; its lookup is given back when it is dropped.
pub(super) struct Node {
    tree: Arc<Tree>,
    /// What was known of it when it was looked up.
    pub(super) attr: Attr,
    /// The folder that it is in; none for the root.
    above: Option<Arc<Node>>,
}

impl Node {
    /// Returns the root.
    pub(super) fn root(tree: &Arc<Tree>) -> Result<Arc<Node>> {
        // Not counted as looked up, and the tree does not mind that it is forgotten.
        Ok(Arc::new(Node { attr: tree.attr(NodeId::ROOT)?, tree: tree.clone(), above: None }))
    }

    /// Returns what `name` stands for in this folder.
    pub(super) fn child(self: &Arc<Node>, name: &[u8]) -> Result<Option<Arc<Node>>> {
        let found = self.tree.lookup(self.attr.node, name)?;
        Ok(found.map(|attr| self.with_child(attr)))
    }

    /// Returns an entry of this folder that was counted as looked up.
    pub(super) fn with_child(self: &Arc<Node>, attr: Attr) -> Arc<Node> {
        Arc::new(Node { tree: self.tree.clone(), attr, above: Some(self.clone()) })
    }

    /// Returns its number.
    pub(super) fn id(&self) -> NodeId {
        self.attr.node
    }

    /// Tells whether it is a folder.
    pub(super) fn is_directory(&self) -> bool {
        self.attr.kind == Kind::Directory
    }

    /// Returns what is shown in place of this node on a way that came through the folders `walked`.
    pub(super) fn shown(self: Arc<Node>, walked: &[NodeId]) -> Result<Arc<Node>> {
        if self.attr.kind != Kind::Symlink {
            return Ok(self);
        }
        let mut links = MAX_LINKS;
        Ok(match self.target(&mut links)? {
            Some(target) if target.is_directory() && (self.can_change() || walked.contains(&target.id())) => self,
            Some(target) => target,
            None => self,
        })
    }

    /// Tells whether the folder that has this entry can be written.
    fn can_change(&self) -> bool {
        self.above.as_ref().is_some_and(|above| above.attr.writable)
    }

    /// Returns what a link leads to, if that is in the mount.
    fn target(&self, links: &mut u32) -> Result<Option<Arc<Node>>> {
        let Some(left) = links.checked_sub(1) else { return Ok(None) };
        *links = left;
        let target = self.tree.read_link(self.id())?;
        let mut at = self.above.clone();
        if target.starts_with(b"/") {
            return Ok(None);
        }
        for name in target.split(|&byte| byte == b'/') {
            let Some(folder) = at else { return Ok(None) };
            at = match name {
                b"" | b"." => Some(folder),
                b".." => folder.above.clone(),
                _ if !folder.is_directory() => None,
                name => match folder.child(name)? {
                    Some(link) if link.attr.kind == Kind::Symlink => link.target(links)?,
                    found => found,
                },
            };
        }
        Ok(at)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tree.forget(self.id(), 1);
    }
}
