//! `/milestones`: every milestone as a read-only directory with the files of the build that it marks.
//!
//! A symlink made here (`ln -s ../builds/42 alpha`) sets a milestone; the next look finds the directory.

use super::Tree;
use super::content::{Root, root_attr};
use super::number::{Place, Slot};
use super::root::{Folder, MILESTONES, read_only};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, Looking};
use super::view::View;
use crate::catalogue::{Build, Milestone};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{RefName, show};

/// The folder.
pub(super) struct Milestones;

impl Folder for Milestones {
    fn name(&self) -> &'static str {
        "milestones"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let view = tree.view()?;
        let milestone = view.milestone(name);
        Ok(milestone.and_then(|milestone| milestone_attr(tree, &view, milestone, Looking::Counted)))
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let view = tree.view()?;
        for milestone in view.milestones_after(after) {
            let Some(attr) = milestone_attr(tree, &view, milestone, looking) else { continue };
            if !sink(DirEntry { name: milestone.name.as_str().as_bytes(), attr, cookie: milestone.serial }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make_symlink(&self, tree: &Tree, name: &[u8], target: &[u8]) -> Result<Attr> {
        let name = ref_name(name)?;
        let build = linked_build(&*tree.view()?, target)?;
        if tree.view()?.milestone(name.as_str().as_bytes()).is_some() {
            let message = format!("there is a milestone {name} already");
            return Err(Error::new(ErrorKind::Exists, message).with_hint("use `gamevault milestone set` to move it"));
        }
        let milestone = tree.vault.set_milestone(&name, &build, None, Vec::new(), false)?;
        tree.view()?;
        Ok(link_attr(&milestone, &build))
    }

    fn remove(&self, tree: &Tree, name: &[u8], _kind: Kind) -> Result<()> {
        match tree.view()?.milestone(name) {
            Some(milestone) => {
                let message = format!("milestone {} cannot be removed through the mount", milestone.name);
                Err(Error::new(ErrorKind::NotPermitted, message).with_hint("use `gamevault milestone remove`"))
            }
            None => Err(Error::not_found("there is no such milestone")),
        }
    }

    fn make_directory(&self, tree: &Tree, name: &[u8], _mode: u16) -> Result<Attr> {
        match tree.view()?.milestone(name) {
            Some(_) => Err(Error::new(ErrorKind::Exists, "there is a milestone of this name already")),
            None => Err(read_only("the list of milestones")),
        }
    }
}

/// Checks the name of a milestone or build that a front end gave.
pub(super) fn ref_name(name: &[u8]) -> Result<RefName> {
    RefName::new(show(name))
}

/// Returns the link target that stands for the build, as seen from `/milestones`.
pub(super) fn link_target(build: &Build) -> Vec<u8> {
    format!("../builds/{}", build.id).into_bytes()
}

/// Returns the build that a symlink made in `/milestones` points to.
fn linked_build(view: &View, target: &[u8]) -> Result<Build> {
    let text = show(target);
    let mut parts = text.trim_end_matches('/').rsplit('/');
    let (id, folder) = (parts.next().unwrap_or_default(), parts.next());
    if folder != Some("builds") {
        let error = Error::invalid(format!("\"{text}\" does not point to a build"));
        return Err(error.with_hint("link to ../builds/ID"));
    }
    let build = if id.as_bytes() == super::builds::LATEST { view.latest() } else { view.build(id.as_bytes()) };
    build.map(|build| Build::clone(build)).ok_or_else(|| Error::not_found(format!("there is no build {id}")))
}

fn milestone_attr(tree: &Tree, view: &View, milestone: &Milestone, looking: Looking) -> Option<Attr> {
    let build = view.marked(milestone)?;
    Some(root_attr(
        tree,
        Slot::of_milestone(milestone),
        Root::of_build(build),
        Place::Folder(MILESTONES).node(),
        looking,
    ))
}

/// The front end asked for a symlink and must be given one, though the next look finds a directory.
fn link_attr(milestone: &Milestone, build: &Build) -> Attr {
    Attr {
        node: Place::Link(Slot::of_milestone(milestone)).node(),
        kind: Kind::Symlink,
        size: link_target(build).len() as u64,
        mode: 0o777,
        mtime: milestone.created,
        lifetime: Lifetime::Never,
        writable: false,
    }
}
