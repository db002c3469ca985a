//! `/feedback`: what came back from builds that were played, and where more of it is dropped.
//!
//! A build's folder shows what is known: a summary, all records, a folder for each report, and the playtests. What is copied in
//! is an ordinary file until nobody writes to it any more; then it is imported, and is shown among the rest. `_inbox` takes what
//! nobody knows the build of.
//!
//! Two folders of a build are the tree's own: the one with its id, and `sessions` in it. Names in them are looked up in what is
//! made of the index (`shown`), among the playtests, and in the build's inbox, which is a session that becomes no build.

mod collect;
mod shown;

use super::Tree;
use super::content::{Root, root_attr};
use super::made::{self, Subject};
use super::number::{Place, Slot};
use super::root::{FEEDBACK, Folder, plain_directory, read_only};
use super::snapshot::told;
use super::types::{Attr, DirEntry, DirSink, Looking, NodeId};
use crate::catalogue::Playtest;
use crate::error::{Error, Result};
use crate::id::BuildNumber;
use crate::ingest::session::{At, NewNode, NodeNumber, ROOT, Session, SessionForm};
use crate::manifest::Timestamp;
use crate::name::RefName;
use std::sync::Arc;

/// The folder of a build's playtests.
const SESSIONS: &[u8] = b"sessions";

/// The folder for what nobody knows the build of.
const INBOX: &str = "_inbox";

/// What `_inbox` has in place of the number of a build.
const NO_BUILD: u32 = 0;

/// Above the cookies of what is made and of playtests are those of what was dropped in.
const FIRST_DROPPED: u64 = 1 << 40;

/// The permission bits of the folder `sessions` in an inbox.
const FOLDER_MODE: u16 = 0o755;

/// The folder.
pub(super) struct Feedback;

impl Folder for Feedback {
    fn name(&self) -> &'static str {
        "feedback"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        if name == INBOX.as_bytes() {
            return Ok(Some(attr(tree, NO_BUILD, false)?));
        }
        let number = tree.view()?.build(name).map(|build| build.number);
        number.map(|number| attr(tree, number.0 as u32, false)).transpose()
    }

    fn list(&self, tree: &Tree, after: u64, _looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let view = tree.view()?;
        // Cookies are numbers plus one; `_inbox` has the first.
        if after == 0 && !sink(DirEntry { name: INBOX.as_bytes(), attr: attr(tree, NO_BUILD, false)?, cookie: 1 }) {
            return Ok(());
        }
        for build in view.builds_after(after.saturating_sub(1)) {
            let attr = attr(tree, build.number.0 as u32, false)?;
            if !sink(DirEntry { name: build.id.as_str().as_bytes(), attr, cookie: build.number.0 + 1 }) {
                break;
            }
        }
        Ok(())
    }

    fn make(&self, tree: &Tree, of: &str) -> Result<made::Draft> {
        shown::make(tree, of)
    }
}

/// Returns the attributes of the folder of a build, or of that of its playtests.
///
/// # Errors
/// `NotFound` if there is no such build.
pub(super) fn attr(tree: &Tree, build: u32, sessions: bool) -> Result<Attr> {
    let mut attr = plain_directory(Place::Feedback { build, sessions }.node(), changed(tree, build)?);
    attr.writable = true;
    Ok(attr)
}

/// Returns when something last came to a build.
fn changed(tree: &Tree, build: u32) -> Result<Timestamp> {
    let view = tree.view()?;
    let dropped = inbox(tree, build)?.and_then(|inbox| inbox.attr(ROOT).ok()).map(|root| root.mtime);
    let made = match build {
        NO_BUILD => Some(view.newest().unwrap_or(tree.started)),
        number => view.numbered(number.into()).map(|build| build.created),
    };
    let made = made.ok_or_else(|| Error::not_found("there is no such build"))?;
    let played = view.playtests_after(BuildNumber(build.into()), 0).into_iter().map(|(_, playtest)| playtest.ended);
    let last = played.max().max(dropped).max(view.last_import());
    Ok(last.map_or(made, |last| last.max(made)))
}

/// Returns what `name` stands for in the folder of a build, or in that of its playtests.
pub(super) fn lookup_below(tree: &Tree, build: u32, sessions: bool, name: &[u8]) -> Result<Option<Attr>> {
    if !sessions {
        if name == SESSIONS {
            return Ok(Some(attr(tree, build, true)?));
        }
        let found = with_shown(tree, build, |number| made::lookup(tree, number, 0, name))?;
        if found.is_some() {
            return Ok(found);
        }
    } else {
        let view = tree.view()?;
        if let Some((number, playtest)) = view.playtest(BuildNumber(build.into()), name) {
            return Ok(Some(playtest_attr(tree, number, playtest, Looking::Counted)));
        }
    }
    let Some((inbox, directory)) = dropped(tree, build, sessions)? else { return Ok(None) };
    let found = inbox.lookup(At { directory, name })?;
    Ok(found.map(|attr| told(tree, &inbox, attr, Looking::Counted)))
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
    let mut has_room = true;
    if after < FIRST_DROPPED {
        has_room = match sessions {
            false => list_shown(tree, build, after, looking, sink)?,
            true => list_playtests(tree, build, after, looking, sink)?,
        };
    }
    match dropped(tree, build, sessions)? {
        Some((inbox, directory)) if has_room => {
            let after = after.saturating_sub(FIRST_DROPPED);
            list_dropped(tree, &inbox, directory, after, looking, sink)
        }
        _ => Ok(()),
    }
}

/// Lists `sessions` and what is made of the index; tells whether there was room for all.
fn list_shown(tree: &Tree, build: u32, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<bool> {
    if after == 0 && !sink(DirEntry { name: SESSIONS, attr: attr(tree, build, true)?, cookie: 1 }) {
        return Ok(false);
    }
    let mut has_room = true;
    with_shown(tree, build, |number| {
        made::list(tree, number, 0, after.saturating_sub(1), looking, &mut |entry| {
            has_room = sink(DirEntry { cookie: entry.cookie + 1, ..entry });
            has_room
        })
    })?;
    Ok(has_room)
}

fn list_playtests(tree: &Tree, build: u32, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<bool> {
    for (number, playtest) in tree.view()?.playtests_after(BuildNumber(build.into()), after) {
        let attr = playtest_attr(tree, number, playtest, looking);
        if !sink(DirEntry { name: playtest.id.as_str().as_bytes(), attr, cookie: number }) {
            tree.untold(attr.node, looking);
            return Ok(false);
        }
    }
    Ok(true)
}

fn list_dropped(
    tree: &Tree,
    inbox: &Session,
    directory: NodeNumber,
    after: u64,
    looking: Looking,
    sink: DirSink<'_>,
) -> Result<()> {
    let Ok(after) = NodeNumber::try_from(after) else { return Ok(()) };
    let mut untaken = None;
    inbox.list(directory, after, &mut |name, attr| {
        let cookie = FIRST_DROPPED + u64::from(attr.node);
        // It is shown with the playtests in it.
        if directory == ROOT && name == SESSIONS {
            return true;
        }
        let attr = told(tree, inbox, attr, looking);
        let taken = sink(DirEntry { name, attr, cookie });
        if !taken {
            untaken = Some(attr.node);
        }
        taken
    })?;
    if let Some(node) = untaken {
        tree.untold(node, looking);
    }
    Ok(())
}

/// Calls `look` with the number of the folder that is made of what the index has of a build.
fn with_shown<T>(tree: &Tree, build: u32, look: impl FnOnce(u32) -> Result<T>) -> Result<T> {
    let of = format!("{build}@{}", tree.vault.feedback_generation()?);
    let name = format!("{build}");
    let subject = Subject { folder: FEEDBACK, name: name.into_bytes(), of, mtime: changed(tree, build)? };
    let folder = tree.made.tell(subject, Looking::Counted).node;
    let Place::Made { number, .. } = Place::of(folder) else { unreachable!("a made folder has such a place") };
    let looked = look(number);
    // What was found in it holds it from here on.
    tree.made.forget(number, 1);
    looked
}

fn playtest_attr(tree: &Tree, number: u64, playtest: &Playtest, looking: Looking) -> Attr {
    let root = Root { id: playtest.root.id, attributes: playtest.attributes };
    let parent = Place::Feedback { build: playtest.build.0 as u32, sessions: true }.node();
    root_attr(tree, Slot::of_playtest(number), root, parent, looking)
}

/// Returns the place in a build's inbox that takes the new entry `name` of the folder of the build, or of that of its playtests.
///
/// # Errors
/// `ReadOnly` for a name that is taken by what is known of the build; `NotFound` if the build is gone; those of the disk.
pub(super) fn place_for(tree: &Tree, build: u32, sessions: bool, name: &[u8]) -> Result<Place> {
    refuse_shown(tree, build, sessions, name)?;
    attr(tree, build, sessions)?;
    let inbox = match inbox(tree, build)? {
        Some(inbox) => inbox,
        None => tree.sessions()?.create(inbox_name(build)?, SessionForm::Inbox, None)?,
    };
    let mut node = ROOT;
    if sessions {
        let at = At { directory: ROOT, name: SESSIONS };
        node = match inbox.lookup(at)? {
            Some(found) => found.node,
            None => inbox.create(at, NewNode::Directory, FOLDER_MODE)?.node,
        };
    }
    Ok(Place::Session { serial: inbox.serial(), node })
}

/// Returns the place in a build's inbox that has the entry `name`.
///
/// # Errors
/// `ReadOnly` for what is known of the build; `NotFound` if nothing was dropped there.
pub(super) fn place_of_entry(tree: &Tree, build: u32, sessions: bool, name: &[u8]) -> Result<Place> {
    refuse_shown(tree, build, sessions, name)?;
    let (inbox, node) = dropped(tree, build, sessions)?.ok_or_else(|| Error::not_found("nothing was dropped there"))?;
    Ok(Place::Session { serial: inbox.serial(), node })
}

fn refuse_shown(tree: &Tree, build: u32, sessions: bool, name: &[u8]) -> Result<()> {
    let is_shown = if sessions {
        tree.view()?.playtest(BuildNumber(build.into()), name).is_some()
    } else if name == SESSIONS {
        true
    } else {
        let found = with_shown(tree, build, |number| made::lookup(tree, number, 0, name))?;
        if let Some(found) = &found {
            tree.forget(found.node, 1);
        }
        found.is_some()
    };
    if is_shown { Err(read_only("what is known of a build")) } else { Ok(()) }
}

/// Returns the folder above a directory of an inbox: `above` in the inbox, nothing for its root.
pub(super) fn above(inbox: &Session, above: Option<NodeNumber>) -> Result<NodeId> {
    let build = build_of(inbox);
    let sessions = inbox.lookup(At { directory: ROOT, name: SESSIONS })?.map(|found| found.node);
    Ok(match above {
        None | Some(ROOT) => Place::Feedback { build, sessions: false },
        Some(node) if Some(node) == sessions => Place::Feedback { build, sessions: true },
        Some(node) => Place::Session { serial: inbox.serial(), node },
    }
    .node())
}

/// Returns the error for making a build of an inbox.
pub(super) fn no_build() -> Error {
    Error::invalid("what is dropped into /feedback becomes no build")
}

/// Returns the inbox of a build and the directory in it, if something was dropped there.
fn dropped(tree: &Tree, build: u32, sessions: bool) -> Result<Option<(Arc<Session>, NodeNumber)>> {
    let Some(inbox) = inbox(tree, build)? else { return Ok(None) };
    if !sessions {
        return Ok(Some((inbox, ROOT)));
    }
    let directory = inbox.lookup(At { directory: ROOT, name: SESSIONS })?;
    Ok(directory.map(|found| (inbox, found.node)))
}

fn inbox(tree: &Tree, build: u32) -> Result<Option<Arc<Session>>> {
    Ok(tree.sessions()?.inbox(&inbox_name(build)?))
}

/// Inboxes are called like the numbers of builds, which stay when ids are taken over.
fn inbox_name(build: u32) -> Result<RefName> {
    RefName::new(if build == NO_BUILD { INBOX.to_owned() } else { build.to_string() })
}

fn build_of(inbox: &Session) -> u32 {
    inbox.name().as_str().parse().unwrap_or(NO_BUILD)
}
