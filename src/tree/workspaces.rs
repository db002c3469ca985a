//! `/workspaces`: writable views of builds and milestones, which stay until somebody removes them.
//!
//! `mkdir fix@alpha` makes one. It is never published by itself: moving it to `/builds` or `/milestones` makes a build of
//! it and ends it, `.gamevault/commit` makes a build and goes on.

use super::Tree;
use super::root::Folder;
use super::snapshot::{NameAndBase, existing, name_and_base, named, remove_session, told};
use super::types::{Attr, DirEntry, DirSink, Kind, Looking};
use crate::error::{Error, Result};
use crate::ingest::session::{ROOT, SessionForm};

/// The folder.
pub(super) struct Workspaces;

impl Folder for Workspaces {
    fn name(&self) -> &'static str {
        "workspaces"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let Some(session) = named(tree, name, true)? else { return Ok(None) };
        Ok(Some(told(tree, &session, session.attr(ROOT)?, Looking::Counted)))
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let sessions = tree.sessions()?;
        sessions.take_over();
        for session in sessions.workspaces() {
            let cookie = u64::from(session.serial());
            if cookie <= after {
                continue;
            }
            let attr = told(tree, &session, session.attr(ROOT)?, looking);
            if !sink(DirEntry { name: session.name().as_str().as_bytes(), attr, cookie }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make_directory(&self, tree: &Tree, name: &[u8], _mode: u16) -> Result<Attr> {
        let NameAndBase { name, base } = name_and_base(tree, name)?;
        let base = base.ok_or_else(|| {
            Error::invalid(format!("workspace {name} needs a build to start from"))
                .with_hint("name it with its base, as in fix@alpha, or use `gamevault workspace create`")
        })?;
        let session = tree.sessions()?.create(name, SessionForm::Workspace, Some(&base))?;
        Ok(told(tree, &session, session.attr(ROOT)?, Looking::Counted))
    }

    fn remove(&self, tree: &Tree, name: &[u8], kind: Kind) -> Result<()> {
        remove_session(tree, &*existing(tree, name, true)?, kind)
    }
}
