//! Sessions: trees that are being copied in, changed in any order, and become builds.
//!
//! A [`Session`] keeps its names and attributes in memory and every change of them in a journal; the bytes of a file are
//! written through to a spool file before the write is acknowledged. So a killed process loses nothing, and a session is
//! there again, `interrupted`, when the vault is next opened for sessions. While nobody writes, the background stores
//! closed files and drops their spool files; [`Session::commit`] stores the rest and publishes the build.
//!
//! A session may start from a build, its base: the directories of the base are stored ones, and are unfolded into nodes
//! when somebody looks into them. A workspace is a session that is worked in and stays.
//!
//! [`Sessions`] holds the sessions of a vault that this process has locked. The parts: `op`, `journal` and `compact` what is written
//! down, `nodes` the tree in memory, `base` its unfolding, `data` the bytes of files, `patched` and `file_bytes` where they
//! are, `small_log` those of small files, `head` those of large ones, `registry` all sessions, `background` the storing of
//! closed files, `transfer` what goes to another session, `commit` the way to a build, `keep` that of a workspace which
//! goes on, `junk` and `caches` what is left out of it, `changes` what differs from the base, `status` what is said of a
//! session.
//!
//! A session that nobody commits becomes a build when it is whole: `marks` and `writers` remember what tells, `pace` when
//! it is quiet, `containers` looks into files that say how long they are, `evidence` gathers it, `finish` judges, and
//! `auto_commit` does what the judgement says.

mod auto_commit;
mod background;
mod base;
mod caches;
mod changes;
mod commit;
mod compact;
mod containers;
mod data;
mod evidence;
mod file_bytes;
mod finish;
mod head;
mod inbox;
mod journal;
mod junk;
mod keep;
mod marks;
mod nodes;
mod op;
mod origin;
mod pace;
mod patched;
mod registry;
mod roots;
mod slots;
mod small_log;
mod status;
mod stored;
mod transfer;
mod writers;

pub use changes::Changes;
pub use commit::CommitRequest;
pub use data::Space;
pub use file_bytes::FileBytes;
pub use finish::{AutoCommit, FinishRules};
pub use inbox::AtRest;
pub use nodes::ROOT;
pub use op::{NewNode, NodeNumber, SessionForm};
pub use registry::Sessions;
pub use roots::{SessionRoot, for_each_root};
pub use status::{SessionState, Status};
pub use writers::{Caller, Ending};

use crate::catalogue::BuildInfo;
use crate::content::Reader;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ChunkId;
use crate::manifest::{Timestamp, XattrSet};
use crate::name::{FileName, RefName};
use crate::store::Store;
use background::Activity;
use data::OpenFile;
use head::Heads;
use journal::Journal;
use junk::is_finishing;
use marks::{Finish, Finisher};
use nodes::{Body, Bytes, Node, Nodes};
use op::Op;
use parking_lot::{Condvar, Mutex, MutexGuard};
use small_log::SmallLog;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use stored::StoredFiles;

/// The most bytes of an extended attribute that is kept.
pub const MAX_XATTR_LEN: usize = 64 << 10;

/// By what rules the sessions of a vault go.
#[derive(Debug, Clone, Copy)]
pub struct SessionRules {
    /// How sessions become builds by themselves.
    pub finish: FinishRules,
    /// Bytes in the spool from which on files are stored, and leave it, beside the copy that brings them.
    pub spool_limit: u64,
    /// Builds have the caches of engine projects, too.
    pub keep_caches: bool,
}

impl Default for SessionRules {
    fn default() -> SessionRules {
        SessionRules { finish: FinishRules::default(), spool_limit: 4 << 30, keep_caches: false }
    }
}

/// What a node of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Symlink,
}

/// The attributes of a node of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeAttr {
    /// The node.
    pub node: NodeNumber,
    /// What it is.
    pub kind: NodeKind,
    /// Size in bytes; of a symlink, of its target; of a directory, 0.
    pub size: u64,
    /// Permission bits.
    pub mode: u16,
    /// Time of the last change of content.
    pub mtime: Timestamp,
}

/// A name in a directory of a session.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The directory.
    pub directory: NodeNumber,
    /// The name.
    pub name: &'a [u8],
}

/// A tree that is being copied in.
pub struct Session {
    serial: u32,
    folder: PathBuf,
    store: Arc<Store>,
    content: Arc<Reader>,
    /// The root of the build that came before, once it was looked for.
    earlier_root: OnceLock<Option<ChunkId>>,
    activity: Arc<Activity>,
    finisher: Arc<Finisher>,
    keep_caches: bool,
    /// Files that were made in the session's folder, and how many of them survive a crash by their names.
    names_made: AtomicU64,
    names_synced: AtomicU64,
    state: Mutex<State>,
    /// Somebody closed a file that was open to be written, or a commit ended.
    closed: Condvar,
}

struct State {
    name: RefName,
    form: SessionForm,
    phase: SessionState,
    created: Timestamp,
    nodes: Nodes,
    journal: Journal,
    small: SmallLog,
    /// Grows with every cut of a file.
    cuts: u64,
    heads: Heads,
    /// Kept open for its lock, by which other processes see that the session is in use.
    _lock: Arc<dyn crate::disk::DiskFile>,
    info: BuildInfo,
    /// Files that somebody has open.
    open: HashMap<NodeNumber, OpenFile>,
    /// Closed files that the background may store.
    queue: VecDeque<NodeNumber>,
    /// Files that are being stored now; a change takes them out.
    storing: HashSet<NodeNumber>,
    /// Files that are stored but may not be durable yet.
    stored: StoredFiles,
    /// Files whose last write failed, with what is to be said of it.
    failures: BTreeMap<NodeNumber, String>,
    /// Extended attributes that were accepted and dropped, by their prefix.
    dropped_xattrs: BTreeMap<String, u64>,
    stored_bytes: u64,
    finish: Finish,
    status_text: Option<(std::time::Instant, Arc<Vec<u8>>)>,
    changes_text: Option<changes::TextCache>,
}

impl Session {
    /// Returns the number by which this process knows the session; no other session ever has it.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// Returns the session's name.
    pub fn name(&self) -> RefName {
        self.state.lock().name.clone()
    }

    /// Returns the file that the session consists of, when it is a single file and no folder.
    pub fn single_file(&self) -> Option<NodeNumber> {
        let state = self.state.lock();
        match state.form {
            SessionForm::SingleFile => state.nodes.children(ROOT).ok()?.iter().next(),
            SessionForm::Folder | SessionForm::Workspace | SessionForm::Inbox => None,
        }
    }

    /// Returns what the session is for, and what it looks like.
    pub fn form(&self) -> SessionForm {
        self.state.lock().form
    }

    /// Tells whether the session is one file.
    pub fn is_single(&self) -> bool {
        self.form() == SessionForm::SingleFile
    }

    /// Tells whether nothing is in the session.
    pub fn is_empty(&self) -> bool {
        self.state.lock().nodes.directory(ROOT).is_ok_and(nodes::Children::is_empty)
    }

    /// Returns in what state the session is.
    pub fn phase(&self) -> SessionState {
        self.state.lock().phase
    }

    /// Returns the attributes of a node.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub fn attr(&self, node: NodeNumber) -> Result<NodeAttr> {
        Ok(attr_of(node, self.state.lock().nodes.get(node)?))
    }

    /// Returns the attributes of what `at` names; `None` if there is no such name.
    ///
    /// # Errors
    /// `NotDirectory`, or `NotFound` if the directory is gone.
    pub fn lookup(&self, at: At<'_>) -> Result<Option<NodeAttr>> {
        let state = self.looking(at.directory)?;
        let child = state.nodes.child(at.directory, at.name)?;
        child.map(|child| Ok(attr_of(child, state.nodes.get(child)?))).transpose()
    }

    /// Returns the directory above a directory; the root's is the root.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub fn parent(&self, node: NodeNumber) -> Result<NodeNumber> {
        Ok(self.state.lock().nodes.get(node)?.parent)
    }

    /// Gives the entries of a directory with a number after `after` to `sink`, in order, until it answers `false`.
    ///
    /// `sink` must not call the session.
    ///
    /// # Errors
    /// `NotDirectory`, or `NotFound` if the directory is gone.
    pub fn list(
        &self,
        directory: NodeNumber,
        after: NodeNumber,
        sink: &mut dyn FnMut(&[u8], NodeAttr) -> bool,
    ) -> Result<()> {
        let state = self.looking(directory)?;
        for child in state.nodes.children(directory)?.after(after) {
            let node = state.nodes.get(child)?;
            if !sink(&node.name, attr_of(child, node)) {
                break;
            }
        }
        Ok(())
    }

    /// Returns the target of a symlink.
    ///
    /// # Errors
    /// `Invalid` if the node is none.
    pub fn read_link(&self, node: NodeNumber) -> Result<Arc<[u8]>> {
        match &self.state.lock().nodes.get(node)?.body {
            Body::Symlink(target) => Ok((&**target).into()),
            _ => Err(Error::invalid("only a symlink has a target")),
        }
    }

    /// Makes a node.
    ///
    /// # Errors
    /// `Exists`, `NotFound`, `NotDirectory`, `NameTooLong`, `Invalid` for an impossible name, `ReadOnly` once committed.
    pub fn create(&self, at: At<'_>, what: NewNode, mode: u16) -> Result<NodeAttr> {
        let mut state = self.changing()?;
        self.unfold(&mut state, at.directory)?;
        let node = create_in(&mut state, at, what, mode)?;
        Ok(attr_of(node, state.nodes.get(node)?))
    }

    /// Makes a file with the content and the attributes that `from` has now.
    ///
    /// # Errors
    /// As [`Session::create`]; `NotPermitted` for a directory; those of copying the bytes.
    pub fn link(&self, from: NodeNumber, at: At<'_>) -> Result<NodeAttr> {
        let mut state = self.changing()?;
        let name = FileName::new(at.name)?;
        self.unfold(&mut state, at.directory)?;
        state.nodes.check_free(at.directory, at.name)?;
        if state.nodes.is_orphan(from) {
            return Err(Error::not_found("the file has no name any more"));
        }
        if let Body::Directory(_) = state.nodes.get(from)?.body {
            return Err(Error::new(ErrorKind::NotPermitted, "a directory cannot be linked"));
        }
        let node = state.nodes.next_number()?;
        self.copy_spool(&state, from, node)?;
        state.change(Op::Link { from, parent: at.directory, name, node, time: Timestamp::now() })?;
        state.queue.push_back(node);
        Ok(attr_of(node, state.nodes.get(node)?))
    }

    /// Removes a name, of a directory or of anything else; a file that is open goes on without one.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `IsDirectory`, `NotDirectory`.
    pub fn remove(&self, at: At<'_>, as_directory: bool) -> Result<()> {
        let mut state = self.changing_by(Change::Other)?;
        self.unfold(&mut state, at.directory)?;
        state.nodes.check_remove(at.directory, at.name, as_directory)?;
        let op = Op::Remove { parent: at.directory, name: FileName::new(at.name)?, time: Timestamp::now() };
        let orphan = state.change(op)?;
        self.let_go(&mut state, orphan);
        Ok(())
    }

    /// Moves a name, over another one, or in exchange with it.
    ///
    /// # Errors
    /// As rename(2): `NotFound`, `Exists` when nothing may be replaced, `IsDirectory`, `NotDirectory`, `NotEmpty`.
    pub fn rename(&self, from: At<'_>, to: At<'_>, how: Replacing) -> Result<()> {
        let mut state = self.changing()?;
        let exchange = how == Replacing::Exchange;
        let pair = |at: At<'_>| Ok((at.directory, FileName::new(at.name)?));
        let (from_pair, to_pair) = (pair(from)?, pair(to)?);
        [from, to].iter().try_for_each(|at| self.unfold(&mut state, at.directory))?;
        // First: what is in the way is in the way, whatever it is.
        if how == Replacing::Never && state.nodes.child(from.directory, from.name)?.is_some() {
            state.nodes.check_free(to.directory, to.name)?;
        }
        let (moving, _) = state.nodes.check_rename((from.directory, from.name), (to.directory, to.name), exchange)?;
        if state.open.contains_key(&moving) && is_finishing(from.name, to.name) {
            // The kernel tells of a close after the program that closed has gone on.
            state.stop_writing(moving);
        }
        let orphan = state.change(Op::Rename { from: from_pair, to: to_pair, exchange, time: Timestamp::now() })?;
        self.let_go(&mut state, orphan);
        Ok(())
    }

    /// Changes mode and time of a node.
    ///
    /// # Errors
    /// `NotFound` if it is gone; `ReadOnly` once committed.
    pub fn change(&self, node: NodeNumber, mode: Option<u16>, time: Option<SetTime>) -> Result<()> {
        let mut state = self.changing_by(Change::of_attributes(node))?;
        state.nodes.get(node)?;
        let (mtime, mark) = match time {
            Some(SetTime::To(time)) => (Some(time), state.mark_when_timed(node)),
            Some(SetTime::Now) => (Some(Timestamp::now()), None),
            None if mode.is_none() => return Ok(()),
            None => (None, None),
        };
        state.change(Op::Change { node, mode, mtime, mark })?;
        if let Some(open) = state.open.get_mut(&node).filter(|_| mtime.is_some()) {
            open.time_unwritten = false;
        }
        Ok(())
    }

    /// Returns the extended attributes of a node.
    ///
    /// # Errors
    /// `NotFound` if it is gone.
    pub fn xattrs(&self, node: NodeNumber) -> Result<XattrSet> {
        Ok(self.state.lock().nodes.get(node)?.xattrs.as_deref().cloned().unwrap_or_default())
    }

    /// Sets an extended attribute; one that is not the user's is accepted, dropped and counted.
    ///
    /// # Errors
    /// `TooLarge` beyond [`MAX_XATTR_LEN`]; `NotFound` if the node is gone.
    pub fn set_xattr(&self, node: NodeNumber, name: &[u8], value: &[u8]) -> Result<()> {
        let mut state = self.changing_by(Change::of_attributes(node))?;
        state.nodes.get(node)?;
        if !name.starts_with(b"user.") {
            let prefix = crate::name::show(name.split(|&byte| byte == b'.').next().unwrap_or(name));
            *state.dropped_xattrs.entry(prefix).or_default() += 1;
            return Ok(());
        }
        if value.len() > MAX_XATTR_LEN {
            return Err(Error::new(ErrorKind::TooLarge, "an extended attribute is longer than 64 KiB"));
        }
        state.change(Op::Xattr { node, name: name.to_vec(), value: Some(value.to_vec()) }).map(drop)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// `NoAttribute` if there is none; `NotFound` if the node is gone.
    pub fn remove_xattr(&self, node: NodeNumber, name: &[u8]) -> Result<()> {
        let mut state = self.changing()?;
        let has = state.nodes.get(node)?.xattrs.as_ref().is_some_and(|set| set.0.contains_key(name));
        if !has {
            return match name.starts_with(b"user.") {
                true => Err(Error::new(ErrorKind::NoAttribute, "the node has no such attribute")),
                // It was dropped when it was set.
                false => Ok(()),
            };
        }
        state.change(Op::Xattr { node, name: name.to_vec(), value: None }).map(drop)
    }

    /// Returns what the user has said of the build.
    pub fn info(&self) -> BuildInfo {
        self.state.lock().info.clone()
    }

    /// Replaces what the user says of the build.
    ///
    /// # Errors
    /// `ReadOnly` once committed; those of the journal.
    pub fn set_info(&self, mut info: BuildInfo) -> Result<()> {
        let mut state = self.changing_by(Change::Other)?;
        // What the session started from is no matter of opinion.
        info.base = state.info.base.or(info.base);
        let json = Session::info_json(&info);
        if json.len() > op::MAX_OP_LEN / 2 {
            return Err(Error::new(ErrorKind::TooLarge, "the metadata is longer than 512 KiB"));
        }
        state.change(Op::Info { json })?;
        state.info = info;
        Ok(())
    }

    /// Returns what the user says of a build, as a journal has it.
    fn info_json(info: &BuildInfo) -> Vec<u8> {
        serde_json::to_vec(info).expect("strings and numbers become JSON")
    }

    /// Locks the state for a change, which makes the session an open one unless it was committed by somebody.
    fn changing(&self) -> Result<MutexGuard<'_, State>> {
        self.changing_by(Change::Growth)
    }

    fn changing_by(&self, change: Change) -> Result<MutexGuard<'_, State>> {
        self.activity.touched();
        let mut state = self.state.lock();
        // A workspace goes on when it was kept, and those who work in it should not be told that it was busy.
        while state.form == SessionForm::Workspace && state.phase == SessionState::Committing {
            self.closed.wait(&mut state);
        }
        state.forget_texts();
        match (state.phase, state.finish.own) {
            (SessionState::Open, _) => {}
            (SessionState::Interrupted | SessionState::Suspect, _) => state.phase = SessionState::Open,
            (SessionState::Committed, Some(build)) => state.reopen(build)?,
            (SessionState::Committing, _) => {
                return Err(Error::new(ErrorKind::Busy, "the session is being committed"));
            }
            (SessionState::Committed, None) => {
                return Err(Error::new(ErrorKind::ReadOnly, "the session has become a build"));
            }
            (SessionState::Aborted, _) => return Err(Error::not_found("the session is gone")),
        }
        if state.finish.changed(change == Change::Growth) {
            self.finisher.ring();
        }
        Ok(state)
    }

    /// Forgets a node that lost its name, unless somebody has it open.
    fn let_go(&self, state: &mut State, orphan: Option<NodeNumber>) {
        let Some(node) = orphan else { return };
        state.failures.remove(&node);
        state.finish.torn.remove(&node);
        state.unstore(node);
        if state.open.contains_key(&node) {
            return;
        }
        let bytes = state.nodes.bytes(node);
        self.activity.spool_changed(bytes.as_ref().map_or(0, |bytes| bytes.spool_len()), 0);
        if bytes.is_ok_and(Bytes::has_file) {
            // A file that is left over is removed with the session.
            self.disk().remove(&self.spool_path(node)).ok();
        }
        state.nodes.drop_orphan(node);
    }

    fn disk(&self) -> &dyn Disk {
        &**self.store.disk()
    }

    fn spool_path(&self, node: NodeNumber) -> PathBuf {
        self.folder.join(registry::DATA).join(format!("{node:x}"))
    }
}

/// What sort of change somebody makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Something comes in, or becomes another.
    Growth,
    /// Something goes away, or is said of the whole.
    Other,
}

impl Change {
    /// Returns what sort a change of a node's attributes is; the root gets some when it is made.
    fn of_attributes(node: NodeNumber) -> Change {
        if node == ROOT { Change::Other } else { Change::Growth }
    }
}

/// A new time for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetTime {
    /// The time of the call.
    Now,
    /// One that the caller knows, such as that of the file it has copied.
    To(Timestamp),
}

/// What a rename does with an entry that has the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacing {
    /// It is replaced.
    Always,
    /// It is in the way.
    Never,
    /// It takes the old name.
    Exchange,
}

impl State {
    /// Writes an op to the journal and makes it happen; the caller has checked that it can.
    fn change(&mut self, op: Op) -> Result<Option<NodeNumber>> {
        // A node without a name ends with the process, and is nothing to a restart.
        if !op.node().is_some_and(|node| self.nodes.is_orphan(node)) {
            self.journal.append(&op)?;
        }
        self.nodes.apply(op)
    }

    /// Makes the next look at what is said of the session see what is about to change, or just has.
    fn forget_texts(&mut self) {
        self.status_text = None;
        self.changes_text = None;
    }

    /// Takes back that a file was stored, because it changes.
    fn unstore(&mut self, node: NodeNumber) {
        self.forget_texts();
        self.storing.remove(&node);
        self.stored.remove(node);
    }
}

/// Makes a node in a state that may change.
fn create_in(state: &mut State, at: At<'_>, what: NewNode, mode: u16) -> Result<NodeNumber> {
    let name = FileName::new(at.name)?;
    state.nodes.check_free(at.directory, at.name)?;
    let node = state.nodes.next_number()?;
    state.change(Op::Create { parent: at.directory, name, node, what, mode, time: Timestamp::now() })?;
    Ok(node)
}

fn attr_of(number: NodeNumber, node: &Node) -> NodeAttr {
    let (kind, size) = match &node.body {
        Body::File(bytes) => (NodeKind::File, bytes.len()),
        Body::Directory(_) => (NodeKind::Directory, 0),
        Body::Symlink(target) => (NodeKind::Symlink, target.len() as u64),
    };
    NodeAttr { node: number, kind, size, mode: node.mode, mtime: node.mtime }
}

/// Returns the path of a session's folder in the vault.
fn folder_path(name: &str) -> PathBuf {
    Path::new(registry::SPOOL).join(name)
}
