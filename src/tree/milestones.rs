//! `/milestones`: every milestone as a read-only directory with the files of the build that it marks.
//!
//! A symlink made here (`ln -s ../builds/42 alpha`) sets a milestone, and so does a directory (`mkdir alpha@42`); the next look
//! finds the directory `alpha`. It can be renamed and, empty or not, removed: the build stays.

use super::Tree;
use super::content::{Root, root_attr};
use super::number::{Place, Slot};
use super::root::{Folder, MILESTONES, read_only};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, Looking, RenameMode};
use super::view::View;
use crate::catalogue::{Build, Milestone};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{RefName, show};
use crate::vault::Annotation;

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
            if !sink(DirEntry { name: milestone.name.as_str().as_bytes(), attr, cookie: milestone.set_serial() }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make_symlink(&self, tree: &Tree, name: &[u8], target: &[u8]) -> Result<Attr> {
        let name = ref_name(name)?;
        let build = linked_build(&*tree.view()?, target)?;
        refuse_taken(&*tree.view()?, &name)?;
        let milestone = tree.vault.set_milestone(&name, &build, &Annotation::default(), false)?;
        tree.view()?;
        Ok(link_attr(&milestone, &build))
    }

    fn remove(&self, tree: &Tree, name: &[u8], kind: Kind) -> Result<()> {
        match tree.view()?.milestone(name) {
            // A link that was just made is removed as one.
            Some(milestone) if kind == Kind::Directory => tree.vault.remove_milestone(&milestone.name),
            Some(_) => Err(Error::new(ErrorKind::IsDirectory, "a milestone is a directory")),
            None => Err(Error::not_found("there is no such milestone")),
        }
    }

    fn make_directory(&self, tree: &Tree, name: &[u8], _mode: u16) -> Result<Attr> {
        let view = tree.view()?;
        if view.milestone(name).is_some() {
            return Err(Error::new(ErrorKind::Exists, "there is a milestone of this name already"));
        }
        let text = show(name);
        let Some((name, reference)) = text.split_once('@') else {
            return Err(read_only("the list of milestones").with_hint("name the build, too: mkdir 'alpha@42'"));
        };
        let (name, build) = (RefName::new(name)?, tree.vault.build(reference)?);
        refuse_taken(&view, &name)?;
        let milestone = tree.vault.set_milestone(&name, &build, &Annotation::default(), false)?;
        let view = tree.view()?;
        milestone_attr(tree, &view, &milestone, Looking::Counted)
            .ok_or_else(|| Error::not_found(format!("build {} was forgotten meanwhile", build.id)))
    }
}

/// Gives a milestone another name.
pub(super) fn rename(tree: &Tree, from: &[u8], to: &[u8], mode: RenameMode) -> Result<()> {
    let view = tree.view()?;
    let milestone = view.milestone(from).ok_or_else(|| Error::not_found("there is no such milestone"))?;
    if mode == RenameMode::Exchange {
        return Err(Error::new(ErrorKind::Unsupported, "milestones do not change places"));
    }
    tree.vault.rename_milestone(&milestone.name, &ref_name(to)?)?;
    tree.view().map(drop)
}

fn refuse_taken(view: &View, name: &RefName) -> Result<()> {
    match view.milestone(name.as_str().as_bytes()) {
        Some(taken) => Err(Error::new(ErrorKind::Exists, format!("there is a milestone {} already", taken.name))
            .with_hint("use `gamevault milestone set --move` to move it")),
        None => Ok(()),
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
