//! `/builds`: every build under its id, read-only, and `latest`, a symlink to the newest one.
//!
//! A session that is renamed into it becomes a build; see [`super::snapshot`].

use super::Tree;
use super::content::{Root, root_attr};
use super::number::{Place, Slot};
use super::root::{BUILDS, Folder, read_only};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, Looking};
use crate::catalogue::Build;
use crate::error::{Error, ErrorKind, Result};

/// The name of the symlink to the newest build.
pub(super) const LATEST: &[u8] = b"latest";

/// The folder.
pub(super) struct Builds;

impl Folder for Builds {
    fn name(&self) -> &'static str {
        "builds"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let view = tree.view()?;
        if name == LATEST {
            return Ok(view.latest().map(|build| latest_attr(build)));
        }
        Ok(view.build(name).map(|build| build_attr(tree, build, Looking::Counted)))
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let view = tree.view()?;
        // Cookie 1 is `latest`, a build's is its number plus one.
        if after == 0
            && let Some(build) = view.latest()
            && !sink(DirEntry { name: LATEST, attr: latest_attr(build), cookie: 1 })
        {
            return Ok(());
        }
        for build in view.builds_after(after.saturating_sub(1)) {
            let attr = build_attr(tree, build, looking);
            if !sink(DirEntry { name: build.id.as_str().as_bytes(), attr, cookie: build.number.0 + 1 }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn remove(&self, tree: &Tree, name: &[u8], kind: Kind) -> Result<()> {
        match tree.view()?.build(name) {
            Some(build) if kind == Kind::Directory => {
                let message = format!("build {} cannot be removed through the mount", build.id);
                Err(Error::new(ErrorKind::NotPermitted, message).with_hint("use `gamevault forget`"))
            }
            Some(_) => Err(Error::new(ErrorKind::IsDirectory, "a build is a directory")),
            None if name == LATEST => Err(read_only("the link to the newest build")),
            None => Err(Error::not_found("there is no such build")),
        }
    }
}

/// Returns the attributes of a build's root, told to the front end.
pub(super) fn build_attr(tree: &Tree, build: &Build, looking: Looking) -> Attr {
    root_attr(tree, Slot::of_build(build), Root::of_build(build), Place::Folder(BUILDS).node(), looking)
}

/// Returns the link's attributes. Each target has a node of its own, so that a front end may keep the target for good.
fn latest_attr(build: &Build) -> Attr {
    Attr {
        node: Place::Link(Slot::of_build(build)).node(),
        kind: Kind::Symlink,
        size: build.id.as_str().len() as u64,
        mode: 0o777,
        mtime: build.created,
        lifetime: Lifetime::Forever,
        writable: false,
    }
}
