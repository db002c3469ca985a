//! `/.snapshot`: sessions, in which builds are made by copying.
//!
//! A directory made here is a session, and so is a single file. Renaming one into `/builds` or `/milestones` commits it,
//! removing an empty one aborts it. Below a session's root every change goes to the session itself.

use super::number::Place;
use super::root::{BUILDS, FEEDBACK, Folder, MILESTONES, SNAPSHOT, WORKSPACES};
use super::types::{
    Access, Attr, Caching, Closing, DirEntry, DirSink, Event, Handle, Kind, Lifetime, Looking, NodeId, Opened,
    RenameMode,
};
use super::{Tree, content, hidden};
use crate::catalogue::{Build, Completeness};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::session::{
    At, CommitRequest, Ending, FileBytes, NewNode, NodeAttr, NodeKind, NodeNumber, ROOT, Replacing, Session,
    SessionForm, Sessions,
};
use crate::manifest::Timestamp;
use crate::name::{RefName, show};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// The handles of a session's files say no more than what was counted at the open.
const READER: Handle = Handle(1);
const WRITER: Handle = Handle(2);

/// The sessions, opened when somebody first looks, and how often each is held by the front end.
#[derive(Default)]
pub(super) struct SessionTable {
    sessions: Mutex<Option<Arc<Sessions>>>,
    lookups: Mutex<HashMap<u32, u64>>,
    /// The names that were last seen in the folders that show sessions, and since when they are these.
    names: Mutex<HashMap<usize, (Vec<RefName>, Timestamp)>>,
    /// Where nodes are that were moved to another session, by their session and number: a front end goes on to use the
    /// node that it knows.
    moved: Mutex<HashMap<u32, Moved>>,
}

/// Where each node of a session that is elsewhere is now.
type Moved = HashMap<NodeNumber, (u32, NodeNumber)>;

impl SessionTable {
    /// Returns where a node is now.
    pub(super) fn current(&self, mut serial: u32, mut node: NodeNumber) -> Place {
        let moved = self.moved.lock();
        while let Some(&next) = moved.get(&serial).and_then(|nodes| nodes.get(&node)) {
            (serial, node) = next;
        }
        Place::Session { serial, node }
    }
}

/// The folder.
pub(super) struct Snapshot;

impl Folder for Snapshot {
    fn name(&self) -> &'static str {
        ".snapshot"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let Some(session) = named(tree, name, false)? else { return Ok(None) };
        Ok(top(&session)?.map(|attr| told(tree, &session, attr, Looking::Counted)))
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let sessions = tree.sessions()?;
        sessions.take_over();
        for session in sessions.list() {
            let cookie = u64::from(session.serial());
            let Some(attr) = top(&session)?.filter(|_| cookie > after) else { continue };
            let attr = told(tree, &session, attr, looking);
            if !sink(DirEntry { name: session.name().as_str().as_bytes(), attr, cookie }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make_directory(&self, tree: &Tree, name: &[u8], mode: u16) -> Result<Attr> {
        let NameAndBase { name, base } = name_and_base(tree, name)?;
        let session = tree.sessions()?.create(name, SessionForm::Folder, base.as_ref())?;
        if base.is_none() {
            session.change(ROOT, Some(mode), None)?;
        }
        Ok(told(tree, &session, session.attr(ROOT)?, Looking::Counted))
    }

    fn make_file(&self, tree: &Tree, name: &[u8], mode: u16, access: Option<Access>) -> Result<(Attr, Opened)> {
        let sessions = tree.sessions()?;
        let session = sessions.create(session_name(name)?, SessionForm::SingleFile, None)?;
        let made = make_file_in(tree, &session, At { directory: ROOT, name }, mode, access);
        if made.is_err() {
            // A session without its file would be nothing that anybody could see.
            sessions.abort(&session).ok();
        }
        made
    }

    fn make_symlink(&self, _tree: &Tree, _name: &[u8], _target: &[u8]) -> Result<Attr> {
        Err(Error::new(ErrorKind::NotPermitted, "a session is a folder or a file, not a symlink"))
    }

    fn remove(&self, tree: &Tree, name: &[u8], kind: Kind) -> Result<()> {
        remove_session(tree, &*existing(tree, name, false)?, kind)
    }
}

/// Removes a session that is empty or a file.
pub(super) fn remove_session(tree: &Tree, session: &Session, kind: Kind) -> Result<()> {
    match (session.is_single(), kind == Kind::Directory) {
        (false, false) => return Err(Error::new(ErrorKind::IsDirectory, "the session is a folder")),
        (true, true) => return Err(Error::new(ErrorKind::NotDirectory, "the session is a file")),
        (false, true) if !session.is_empty() => {
            return Err(Error::new(ErrorKind::NotEmpty, "the session is not empty"));
        }
        _ => {}
    }
    tree.sessions()?.abort(session)
}

/// A name as it is typed, `0.7.4@0.7.3`: the session's own name, and the build that it starts from.
pub(super) struct NameAndBase {
    pub(super) name: RefName,
    pub(super) base: Option<Build>,
}

/// Takes a typed name apart, and finds the base.
///
/// # Errors
/// `Invalid` for a bad name; `NotFound` if no build or milestone is called like the base.
pub(super) fn name_and_base(tree: &Tree, typed: &[u8]) -> Result<NameAndBase> {
    let typed = show(typed);
    let (name, base) = match typed.split_once('@') {
        Some((name, base)) => (name, Some(tree.vault.build(base)?)),
        None => (typed.as_str(), None),
    };
    Ok(NameAndBase { name: RefName::new(name)?, base })
}

/// Returns the session or workspace with this name, which may be followed by `@` and its base.
pub(super) fn named(tree: &Tree, typed: &[u8], is_workspace: bool) -> Result<Option<Arc<Session>>> {
    let sessions = tree.sessions()?;
    let find = |name: &[u8]| {
        let find = || if is_workspace { sessions.workspace(name) } else { sessions.by_name(name) };
        // A command that ran without the mount may have let it go.
        find().or_else(|| {
            sessions.take_over();
            find()
        })
    };
    let Some(at) = typed.iter().position(|&byte| byte == b'@') else { return Ok(find(typed)) };
    let Some(session) = find(&typed[..at]) else { return Ok(None) };
    let base = tree.vault.build(&show(&typed[at + 1..])).ok().map(|build| build.number);
    Ok((base.is_some() && base == session.info().base).then_some(session))
}

/// Returns the session or workspace with this name.
///
/// # Errors
/// `NotFound` if there is none.
pub(super) fn existing(tree: &Tree, typed: &[u8], is_workspace: bool) -> Result<Arc<Session>> {
    let what = if is_workspace { "workspace" } else { "session" };
    named(tree, typed, is_workspace)?.ok_or_else(|| Error::not_found(format!("there is no such {what}")))
}

/// Returns since when the folder with `index` has the names that it has; `None` when nobody has looked at sessions yet.
pub(super) fn names_changed(tree: &Tree, index: usize) -> Option<Timestamp> {
    let sessions = tree.session_table.sessions.lock().clone()?;
    sessions.take_over();
    let listed = if index == WORKSPACES { sessions.workspaces() } else { sessions.list() };
    let names: Vec<RefName> = listed.iter().map(|session| session.name()).collect();
    let mut known = tree.session_table.names.lock();
    let (seen, since) = known.entry(index).or_insert_with(|| (Vec::new(), tree.started));
    if *seen != names {
        (*seen, *since) = (names, Timestamp::now());
    }
    Some(*since)
}

impl Tree {
    /// Returns the sessions, which are opened by the first call.
    pub(super) fn sessions(&self) -> Result<Arc<Sessions>> {
        let mut opened = self.session_table.sessions.lock();
        if let Some(sessions) = &*opened {
            return Ok(sessions.clone());
        }
        let sessions = Arc::new(self.vault.sessions()?);
        *opened = Some(sessions.clone());
        Ok(sessions)
    }

    /// Returns the sessions, if somebody has looked at one.
    pub(super) fn opened_sessions(&self) -> Option<Arc<Sessions>> {
        self.session_table.sessions.lock().clone()
    }

    /// Returns the session with this serial.
    pub(super) fn session(&self, serial: u32) -> Result<Arc<Session>> {
        self.sessions()?.by_serial(serial).ok_or_else(|| Error::not_found("the session is gone"))
    }

    /// Makes a session a build, and a milestone when one is named.
    pub(super) fn commit(&self, session: &Session, id: RefName, milestone: Option<RefName>) -> Result<()> {
        let name = session.name();
        let request = CommitRequest { id, milestone, completeness: Completeness::Declared };
        let build = session.commit(&request)?;
        self.sessions()?.unname(session);
        tracing::info!(build = %build.id, session = %name, "committed");
        // The front end may still hold the session under its old name, or under the new one as the build.
        let mut moved = vec![(folder_of(session.form()), name), (BUILDS, request.id)];
        moved.extend(request.milestone.map(|milestone| (MILESTONES, milestone)));
        for (index, name) in moved {
            let directory = Place::Folder(index).node();
            (self.events)(Event::Name { directory, name: name.as_str().as_bytes().to_vec() });
            (self.events)(Event::Node(directory));
        }
        self.forget_session(session.serial(), 0);
        self.poll_changes()
    }

    /// Takes note of how a process ended that may have written to sessions.
    pub fn process_ended(&self, process: u32, ending: Ending) {
        // Who never looked at a session has not written to one.
        if let Some(sessions) = self.session_table.sessions.lock().clone() {
            sessions.process_ended(process, ending);
        }
    }

    /// Tells whether a session is being written, stored or committed.
    pub fn is_being_written(&self) -> bool {
        self.session_table.sessions.lock().as_ref().is_some_and(|sessions| sessions.are_busy())
    }

    /// Makes a build of a workspace, which goes on.
    pub(super) fn keep(&self, session: &Session, id: Option<RefName>) -> Result<()> {
        let build = session.keep(id)?;
        tracing::info!(build = %build.id, workspace = %session.name(), "kept");
        self.poll_changes()
    }

    /// Gives a session up.
    pub(super) fn abort(&self, session: &Session) -> Result<()> {
        let name = session.name();
        self.sessions()?.abort(session)?;
        let directory = Place::Folder(folder_of(session.form())).node();
        (self.events)(Event::Name { directory, name: name.as_str().as_bytes().to_vec() });
        (self.events)(Event::Node(directory));
        Ok(())
    }

    /// Copies a range of a file into a file of a session, and returns how many bytes; by reference where it can.
    ///
    /// # Errors
    /// As [`Tree::write`]; those of reading `from`.
    pub fn copy_range(&self, from: NodeId, from_offset: u64, to: NodeId, offset: u64, len: u64) -> Result<u64> {
        let Place::Session { serial, node } = self.place(to) else {
            return Err(Error::new(ErrorKind::Unsupported, "only files of sessions are copied to by reference"));
        };
        let bytes = match self.place(from) {
            Place::File => FileBytes::stored(content::file(self, from)?, self.vault.reader().clone()),
            Place::Session { serial, node } => self.session(serial)?.bytes(node)?,
            _ => return Err(Error::new(ErrorKind::Unsupported, "such a file is copied by reading it")),
        };
        self.session(serial)?.copy_range(&bytes, from_offset, node, offset, len)
    }

    /// Takes back lookups of a session's nodes; a build that nobody reads as a session any more is forgotten as one.
    pub(super) fn forget_session(&self, serial: u32, count: u64) {
        let mut lookups = self.session_table.lookups.lock();
        let left = lookups.get(&serial).map_or(0, |held| held.saturating_sub(count));
        if left > 0 {
            lookups.insert(serial, left);
            return;
        }
        lookups.remove(&serial);
        drop(lookups);
        self.session_table.moved.lock().remove(&serial);
        if let Some(sessions) = self.session_table.sessions.lock().clone() {
            sessions.forget(serial);
        }
    }
}

/// Returns what `name` stands for in a directory of a session.
pub(super) fn lookup(tree: &Tree, serial: u32, directory: NodeNumber, name: &[u8]) -> Result<Option<Attr>> {
    let session = tree.session(serial)?;
    if directory == ROOT && name == hidden::HIDDEN_NAME && session.form() != SessionForm::Inbox {
        return Ok(Some(super::control::directory(&session)?));
    }
    let found = session.lookup(At { directory, name })?;
    Ok(found.map(|attr| told(tree, &session, attr, Looking::Counted)))
}

/// Gives the entries of a directory of a session to `sink`.
pub(super) fn list(
    tree: &Tree,
    serial: u32,
    directory: NodeNumber,
    after: u64,
    looking: Looking,
    sink: DirSink<'_>,
) -> Result<()> {
    let session = tree.session(serial)?;
    let Ok(after) = NodeNumber::try_from(after) else { return Ok(()) };
    let mut untaken = None;
    session.list(directory, after, &mut |name, attr| {
        let cookie = u64::from(attr.node);
        let attr = told(tree, &session, attr, looking);
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

/// Returns the attributes of a node of a session.
pub(super) fn attr(tree: &Tree, serial: u32, node: NodeNumber) -> Result<Attr> {
    let session = tree.session(serial)?;
    Ok(attr_of(&session, session.attr(node)?))
}

/// Returns the directory above a directory of a session.
pub(super) fn parent(tree: &Tree, serial: u32, node: NodeNumber) -> Result<NodeId> {
    let session = tree.session(serial)?;
    let above = match node {
        ROOT => None,
        node => Some(session.parent(node)?),
    };
    if session.form() == SessionForm::Inbox {
        return super::feedback::above(&session, above);
    }
    Ok(match above {
        None => Place::Folder(folder_of(session.form())).node(),
        Some(node) => Place::Session { serial, node }.node(),
    })
}

/// Opens a file of a session.
pub(super) fn open(tree: &Tree, serial: u32, node: NodeNumber, access: Access) -> Result<Opened> {
    let session = tree.session(serial)?;
    session.open(node, access.write)?;
    if access.write {
        session.written_by(node, access.caller);
    }
    if access.truncate
        && let Err(error) = session.set_len(node, 0)
    {
        session.close(node, access.write);
        return Err(error);
    }
    Ok(opened(access))
}

/// Moves an entry with all that is below it to another session.
pub(super) fn move_between(
    tree: &Tree,
    (serial, from): (u32, At<'_>),
    (other, to): (u32, At<'_>),
    how: Replacing,
) -> Result<()> {
    refuse_hidden(to)?;
    let pairs = tree.session(serial)?.move_to(from, &*tree.session(other)?, to, how)?;
    let mut moved = tree.session_table.moved.lock();
    moved.entry(serial).or_default().extend(pairs.into_iter().map(|(old, new)| (old, (other, new))));
    Ok(())
}

/// Opens the file of a session that is called `at` to read, if it is a file.
pub(super) fn hold(tree: &Tree, serial: u32, at: At<'_>) -> Result<Option<(NodeId, Handle)>> {
    let session = tree.session(serial)?;
    let Some(found) = session.lookup(at)?.filter(|found| found.kind == NodeKind::File) else { return Ok(None) };
    session.open(found.node, false)?;
    Ok(Some((Place::Session { serial, node: found.node }.node(), READER)))
}

/// Gives back a handle.
pub(super) fn close(tree: &Tree, serial: u32, node: NodeNumber, handle: Handle) {
    if let Ok(session) = tree.session(serial) {
        session.close(node, handle == WRITER);
    }
}

/// Ends a turn of writing; a process that is killed may not have written all it wanted.
pub(super) fn flush(tree: &Tree, serial: u32, node: NodeNumber, handle: Handle, closing: Closing) -> Result<()> {
    match closing {
        _ if handle != WRITER => Ok(()),
        Closing::Proper => tree.session(serial)?.flush(node),
        Closing::Killed(caller) => tree.session(serial)?.cut_off(node, caller),
    }
}

/// Makes a node in a directory of a session.
pub(super) fn make(tree: &Tree, serial: u32, at: At<'_>, what: NewNode, mode: u16) -> Result<Attr> {
    let session = tree.session(serial)?;
    refuse_hidden(at)?;
    let attr = session.create(at, what, mode)?;
    Ok(told(tree, &session, attr, Looking::Counted))
}

/// Makes a file in a directory of a session, and opens it when `access` is given.
pub(super) fn make_file(
    tree: &Tree,
    serial: u32,
    at: At<'_>,
    mode: u16,
    access: Option<Access>,
) -> Result<(Attr, Opened)> {
    refuse_hidden(at)?;
    make_file_in(tree, &*tree.session(serial)?, at, mode, access)
}

/// Makes a file with the content of another one of the same session.
pub(super) fn link(tree: &Tree, serial: u32, from: NodeNumber, at: At<'_>) -> Result<Attr> {
    let session = tree.session(serial)?;
    refuse_hidden(at)?;
    Ok(told(tree, &session, session.link(from, at)?, Looking::Counted))
}

/// Renames a session or workspace: to another name, into a build, or into a build and a milestone.
pub(super) fn rename_session(
    tree: &Tree,
    is_workspace: bool,
    name: &[u8],
    to: (Place, &[u8]),
    mode: RenameMode,
) -> Result<()> {
    let session = existing(tree, name, is_workspace)?;
    let (to, new_name) = (to.0, to.1);
    match to {
        Place::Folder(BUILDS) => tree.commit(&session, id_of(new_name)?, None),
        Place::Folder(MILESTONES) => {
            let milestone = session_name(new_name)?;
            tree.commit(&session, session.name(), Some(milestone))
        }
        Place::Folder(folder) if folder == folder_of(session.form()) => match named(tree, new_name, is_workspace)? {
            Some(other) if other.serial() == session.serial() => Ok(()),
            Some(other) => replace_session(tree, &session, &other, mode),
            None if mode == RenameMode::Exchange => Err(Error::not_found("there is no such session")),
            None => rename_to(tree, &session, new_name),
        },
        Place::Content { .. } => Err(super::root::read_only("a build")),
        _ => Err(Error::invalid("a session can be moved to /builds or /milestones, one level below")),
    }
}

/// Returns how a rename treats an existing entry, in the words of a session.
pub(super) fn replacing(mode: RenameMode) -> Replacing {
    match mode {
        RenameMode::Replace => Replacing::Always,
        RenameMode::NoReplace => Replacing::Never,
        RenameMode::Exchange => Replacing::Exchange,
    }
}

/// Refuses to take the name of the hidden directory, which is there already.
pub(super) fn refuse_hidden(at: At<'_>) -> Result<()> {
    match at.directory == ROOT && at.name == hidden::HIDDEN_NAME {
        true => Err(Error::new(ErrorKind::Exists, "the session has its .gamevault already")),
        false => Ok(()),
    }
}

fn replace_session(tree: &Tree, session: &Session, other: &Session, mode: RenameMode) -> Result<()> {
    match (mode, session.is_single(), other.is_single()) {
        (RenameMode::NoReplace, ..) => return Err(Error::new(ErrorKind::Exists, "there is a session of this name")),
        (RenameMode::Exchange, ..) => return Err(Error::new(ErrorKind::Unsupported, "sessions cannot be exchanged")),
        (_, true, false) => return Err(Error::new(ErrorKind::IsDirectory, "the other session is a folder")),
        (_, false, true) => return Err(Error::new(ErrorKind::NotDirectory, "the other session is a file")),
        (_, false, false) if !other.is_empty() => {
            return Err(Error::new(ErrorKind::NotEmpty, "the other session is not empty"));
        }
        _ => {}
    }
    let name = other.name();
    tree.sessions()?.abort(other)?;
    rename_to(tree, session, name.as_str().as_bytes())
}

/// Renames a session, and the file of one that is a single file; a base in the new name fills an empty one.
fn rename_to(tree: &Tree, session: &Session, typed: &[u8]) -> Result<()> {
    let NameAndBase { name, base } = name_and_base(tree, typed)?;
    if let Some(base) = &base {
        session.start_from(base)?;
    }
    if session.is_single() {
        let old = session.name();
        let at = |name| At { directory: ROOT, name };
        session.rename(at(old.as_str().as_bytes()), at(name.as_str().as_bytes()), Replacing::Always)?;
    }
    tree.sessions()?.rename(session, name)
}

fn make_file_in(
    tree: &Tree,
    session: &Session,
    at: At<'_>,
    mode: u16,
    access: Option<Access>,
) -> Result<(Attr, Opened)> {
    let attr = session.create(at, NewNode::File, mode)?;
    let handle = match access {
        Some(access) => {
            session.open(attr.node, access.write)?;
            if access.write {
                session.written_by(attr.node, access.caller);
            }
            opened(access)
        }
        None => Opened { handle: Handle(0), caching: Caching::WhileOpen },
    };
    Ok((told(tree, session, attr, Looking::Counted), handle))
}

fn opened(access: Access) -> Opened {
    Opened { handle: if access.write { WRITER } else { READER }, caching: Caching::WhileOpen }
}

/// Returns the attributes of what a session is in its folder; `None` for a file that was not made yet.
fn top(session: &Session) -> Result<Option<NodeAttr>> {
    let node = if session.is_single() { session.single_file() } else { Some(ROOT) };
    node.map(|node| session.attr(node)).transpose()
}

/// Tells the front end of a node of a session.
pub(super) fn told(tree: &Tree, session: &Session, attr: NodeAttr, looking: Looking) -> Attr {
    if looking == Looking::Counted {
        *tree.session_table.lookups.lock().entry(session.serial()).or_default() += 1;
    }
    attr_of(session, attr)
}

fn attr_of(session: &Session, attr: NodeAttr) -> Attr {
    let (kind, size) = match attr.kind {
        NodeKind::File => (Kind::File, attr.size),
        NodeKind::Directory => (Kind::Directory, content::DIRECTORY_SIZE),
        NodeKind::Symlink => (Kind::Symlink, attr.size),
    };
    Attr {
        node: Place::Session { serial: session.serial(), node: attr.node }.node(),
        kind,
        size,
        mode: attr.mode,
        mtime: attr.mtime,
        lifetime: Lifetime::Forever,
        writable: true,
    }
}

/// Returns the folder that shows sessions of this form.
fn folder_of(form: SessionForm) -> usize {
    match form {
        SessionForm::Folder | SessionForm::SingleFile => SNAPSHOT,
        SessionForm::Workspace => WORKSPACES,
        SessionForm::Inbox => FEEDBACK,
    }
}

fn session_name(name: &[u8]) -> Result<RefName> {
    RefName::new(show(name))
}

/// Returns the id that is meant by the name of a session, which may have a base: `mv 0.7.4@0.7.3 builds/`.
fn id_of(typed: &[u8]) -> Result<RefName> {
    session_name(typed.split(|&byte| byte == b'@').next().unwrap_or(typed))
}
