//! `/feedback`: what came back from builds that were played.
//!
//! A build of which there are playtests has a folder here, `<build>/sessions/<id>/…`, with all that each of them wrote,
//! read-only.

use super::Tree;
use super::content::{Root, root_attr};
use super::number::{Place, Slot};
use super::root::{Folder, plain_directory};
use super::types::{Attr, DirEntry, DirSink, Looking};
use crate::catalogue::Playtest;
use crate::error::{Error, Result};
use crate::id::BuildNumber;

/// The folder of a build's playtests.
const SESSIONS: &[u8] = b"sessions";

/// The folder.
pub(super) struct Feedback;

impl Folder for Feedback {
    fn name(&self) -> &'static str {
        "feedback"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let view = tree.view()?;
        let Some(build) = view.build(name).map(|build| build.number) else { return Ok(None) };
        let has_any = !view.playtests_after(build, 0).is_empty();
        has_any.then(|| attr(tree, build.0 as u32, false)).transpose()
    }

    fn list(&self, tree: &Tree, after: u64, _looking: Looking, sink: DirSink<'_>) -> Result<()> {
        for build in tree.view()?.played_after(after) {
            let attr = attr(tree, build.number.0 as u32, false)?;
            if !sink(DirEntry { name: build.id.as_str().as_bytes(), attr, cookie: build.number.0 }) {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the attributes of the folder of a build, or of that of its playtests.
///
/// # Errors
/// `NotFound` if there is none.
pub(super) fn attr(tree: &Tree, build: u32, sessions: bool) -> Result<Attr> {
    let view = tree.view()?;
    let playtests = view.playtests_after(BuildNumber(build.into()), 0);
    let newest = playtests.iter().map(|(_, playtest)| playtest.ended).max();
    let newest = newest.ok_or_else(|| Error::not_found("there are no playtests of the build"))?;
    Ok(plain_directory(Place::Feedback { build, sessions }.node(), newest))
}

/// Returns what `name` stands for in the folder of a build, or in that of its playtests.
pub(super) fn lookup_below(tree: &Tree, build: u32, sessions: bool, name: &[u8]) -> Result<Option<Attr>> {
    if !sessions {
        return (name == SESSIONS).then(|| attr(tree, build, true)).transpose();
    }
    let view = tree.view()?;
    let found = view.playtest(BuildNumber(build.into()), name);
    Ok(found.map(|(number, playtest)| playtest_attr(tree, number, playtest, Looking::Counted)))
}

/// Gives the entries of the folder of a build, or of that of its playtests, after `after` to `sink`.
pub(super) fn list_below(
    tree: &Tree,
    build: u32,
    sessions: bool,
    after: u64,
    looking: Looking,
    sink: DirSink<'_>,
) -> Result<()> {
    if !sessions {
        if after == 0 {
            sink(DirEntry { name: SESSIONS, attr: attr(tree, build, true)?, cookie: 1 });
        }
        return Ok(());
    }
    for (number, playtest) in tree.view()?.playtests_after(BuildNumber(build.into()), after) {
        let attr = playtest_attr(tree, number, playtest, looking);
        if !sink(DirEntry { name: playtest.id.as_str().as_bytes(), attr, cookie: number }) {
            tree.untold(attr.node, looking);
            break;
        }
    }
    Ok(())
}

fn playtest_attr(tree: &Tree, number: u64, playtest: &Playtest, looking: Looking) -> Attr {
    let root = Root { id: playtest.root.id, attributes: playtest.attributes };
    let parent = Place::Feedback { build: playtest.build.0 as u32, sessions: true }.node();
    root_attr(tree, Slot::of_playtest(number), root, parent, looking)
}
