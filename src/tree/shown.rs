//! What of the vault a front end shows where: the build below a name, the stored content behind a node.

use super::number::Place;
use super::snapshot::named;
use super::types::NodeId;
use super::{Tree, content};
use crate::catalogue::Build;
use crate::error::Result;
use crate::manifest::Content;

impl Tree {
    /// Returns the build whose files stand below `name` in the top-level folder `folder`: of a build or milestone, or the one
    /// that a session or workspace started from. `None` for anything else.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn build_below(&self, folder: &[u8], name: &[u8]) -> Result<Option<Build>> {
        let view = self.view()?;
        let of_session = |is_workspace| {
            let base = named(self, name, is_workspace)?.and_then(|session| session.info().base);
            Ok(base.map(|base| self.vault.build_by_number(base)).transpose()?.flatten())
        };
        match folder {
            b"builds" => Ok(view.build(name).map(|build| Build::clone(build))),
            b"milestones" => {
                let marked = view.milestone(name).and_then(|milestone| view.marked(milestone));
                Ok(marked.map(|build| Build::clone(build)))
            }
            b"workspaces" => of_session(true),
            b".snapshot" => of_session(false),
            _ => Ok(None),
        }
    }

    /// Returns the content of a file whose bytes are all in the store now; `None` for any other node.
    pub fn stored_content(&self, node: NodeId) -> Option<Content> {
        match self.place(node) {
            Place::File => content::file(self, node).ok(),
            Place::Session { serial, node } => self.session(serial).ok()?.stored(node),
            _ => None,
        }
    }
}
