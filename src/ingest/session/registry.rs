//! The sessions of a vault that this process has locked.
//!
//! Each session is a folder of `spool/`: `lock`, which its process holds; `journal`; `small`, the log of small files;
//! and `data/` with the spool files by node number in hexadecimal. The folder's name says nothing, so a session can be renamed.

use super::auto_commit;
use super::background::{self, Activity};
use super::base::children_of;
use super::compact::compact;
use super::head::Heads;
use super::journal::Journal;
use super::marks::{Finish, Finisher};
use super::nodes::{Body, Bytes, Nodes};
use super::op::{NodeNumber, Op};
use super::small_log::SmallLog;
use super::stored::StoredFiles;
use super::{AtRest, Change, Ending, Session, SessionForm, SessionRules, SessionState, State, folder_path};
use crate::catalogue::{Build, BuildInfo};
use crate::content::Reader;
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BuildNumber, ChunkId};
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::store::Store;
use parking_lot::{Condvar, Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// The folder of all sessions in a vault.
pub(super) const SPOOL: &str = "spool";
/// The folder of a session's spool files.
pub(super) const DATA: &str = "data";
const LOCK: &str = "lock";
pub(super) const JOURNAL: &str = "journal";
const SMALL: &str = "small";
/// How often, and with what pauses, the lock of a session is tried.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// All sessions of a vault that belong to this process; dropping it leaves them on the disk, to be opened again.
pub struct Sessions {
    registered: Arc<Registered>,
    threads: Vec<JoinHandle<()>>,
}

/// What the background shares with the rest.
pub(super) struct Registered {
    store: Arc<Store>,
    content: Arc<Reader>,
    activity: Arc<Activity>,
    finisher: Arc<Finisher>,
    keep_caches: bool,
    list: RwLock<List>,
    /// Held while a session gets or changes its name: two must not take the same one.
    naming: Mutex<()>,
    /// The folders of sessions that another process had when they were last tried.
    elsewhere: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct List {
    next_serial: u32,
    /// All sessions that somebody may still name by their serial.
    by_serial: BTreeMap<u32, Arc<Session>>,
    /// The ones that have a name, by its folded form.
    by_name: HashMap<NameKey, u32>,
}

/// Which sessions a name must be the only one among.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Namespace {
    /// Those that are copied in.
    Copies,
    /// Workspaces.
    Workspaces,
    /// Inboxes.
    Inboxes,
}

impl Namespace {
    fn of(form: SessionForm) -> Namespace {
        match form {
            SessionForm::Folder | SessionForm::SingleFile => Namespace::Copies,
            SessionForm::Workspace => Namespace::Workspaces,
            SessionForm::Inbox => Namespace::Inboxes,
        }
    }
}

/// A name, folded, in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct NameKey {
    namespace: Namespace,
    folded: String,
}

impl NameKey {
    fn new(name: &RefName, form: SessionForm) -> NameKey {
        NameKey { namespace: Namespace::of(form), folded: name.folded() }
    }
}

impl Registered {
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(super) fn finisher(&self) -> &Finisher {
        &self.finisher
    }

    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.list.read().by_serial.values().cloned().collect()
    }
}

impl Sessions {
    /// Opens the sessions that earlier processes left, and starts the background; `rules` say which of them become builds
    /// without being told.
    ///
    /// # Errors
    /// `Io` if the spool cannot be listed. A session that cannot be read is left alone, with a warning in the log.
    pub fn open(store: Arc<Store>, content: Arc<Reader>, rules: SessionRules) -> Result<Sessions> {
        store.disk().create_dir(Path::new(SPOOL))?;
        let registered = Arc::new(Registered {
            store,
            content,
            activity: Arc::new(Activity::new(rules.spool_limit)),
            finisher: Arc::new(Finisher::new(rules.finish)),
            keep_caches: rules.keep_caches,
            list: RwLock::default(),
            naming: Mutex::default(),
            elsewhere: Mutex::default(),
        });
        for (folder, len) in registered.store.disk().list(Path::new(SPOOL))? {
            if len.is_none()
                && let Err(error) = registered.load(&folder, LOCK_TRIES)
            {
                tracing::warn!(%error, folder, "a session was left alone");
            }
        }
        let mut sessions = Sessions { registered, threads: Vec::new() };
        sessions.start("session-store", background::run)?;
        sessions.start("session-finish", auto_commit::run)?;
        Ok(sessions)
    }

    fn start(&mut self, name: &str, run: fn(&Registered)) -> Result<()> {
        let shared = self.registered.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(&shared));
        self.threads.push(thread.map_err(|error| Error::io("start a thread for", SPOOL, error))?);
        Ok(())
    }

    /// Starts a session: with all that is in `base`, or empty; of a single file, the file is still to be made.
    ///
    /// Nothing of the base is read, whatever its size.
    ///
    /// # Errors
    /// `Exists` if a session has the name, case folded; `NoSpace` or `Io` from the disk.
    pub fn create(&self, name: RefName, form: SessionForm, base: Option<&Build>) -> Result<Arc<Session>> {
        let _naming = self.registered.naming.lock();
        self.check_free(&NameKey::new(&name, form), None)?;
        let disk = self.registered.store.disk();
        let created = Timestamp::now();
        let unique = blake3::hash(format!("{created:?} {} {name}", std::process::id()).as_bytes()).to_hex();
        let folder = folder_path(&unique[..16]);
        disk.create_dir(&folder.join(DATA))?;
        let lock = disk.create(&folder.join(LOCK))?;
        if !lock.try_lock(true)? {
            return Err(Error::new(ErrorKind::Busy, "another process took the new session"));
        }
        let journal = Journal::create(&**disk, &folder.join(JOURNAL))?;
        let mut state =
            State::new(name.clone(), form, created, Nodes::new(created), journal, lock, &folder.join(SMALL));
        state.change(Op::Named { name: name.to_string(), form, created })?;
        if let Some(base) = base {
            state.start_from(base, &self.registered.content)?;
        }
        Ok(self.registered.add(folder, state))
    }

    /// Opens sessions that another process had when they were last tried and has let go since, and returns how many it
    /// has not.
    ///
    /// A session that cannot be read is left alone, with a warning in the log.
    pub fn take_over(&self) -> usize {
        let _naming = self.registered.naming.lock();
        let left = std::mem::take(&mut *self.registered.elsewhere.lock());
        for folder in left {
            if let Err(error) = self.registered.load(&folder, 1) {
                tracing::warn!(%error, folder, "a session was left alone");
            }
        }
        self.registered.elsewhere.lock().len()
    }

    /// Returns the session that is copied in as `name`, spelled as it was given.
    pub fn by_name(&self, name: &[u8]) -> Option<Arc<Session>> {
        self.registered.named(name, SessionForm::Folder)
    }

    /// Returns the workspace called `name`, spelled as it was given.
    pub fn workspace(&self, name: &[u8]) -> Option<Arc<Session>> {
        self.registered.named(name, SessionForm::Workspace)
    }

    /// Returns the session with this serial, also one that has become a build since.
    pub fn by_serial(&self, serial: u32) -> Option<Arc<Session>> {
        self.registered.list.read().by_serial.get(&serial).cloned()
    }

    /// Returns the sessions that are copied in, by serial.
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.registered.all_named(Namespace::Copies)
    }

    /// Returns the workspaces, by serial.
    pub fn workspaces(&self) -> Vec<Arc<Session>> {
        self.registered.all_named(Namespace::Workspaces)
    }

    /// Returns the inboxes, by serial.
    pub fn inboxes(&self) -> Vec<Arc<Session>> {
        self.registered.all_named(Namespace::Inboxes)
    }

    /// Returns the inbox called `name`.
    pub fn inbox(&self, name: &RefName) -> Option<Arc<Session>> {
        self.registered.named(name.as_str().as_bytes(), SessionForm::Inbox)
    }

    /// Gives a session another name.
    ///
    /// # Errors
    /// `Exists` if another session has the name, case folded.
    pub fn rename(&self, session: &Session, name: RefName) -> Result<()> {
        let _naming = self.registered.naming.lock();
        let (old, new) = (NameKey::new(&session.name(), session.form()), NameKey::new(&name, session.form()));
        self.check_free(&new, Some(session.serial()))?;
        session.set_name(&name)?;
        let mut list = self.registered.list.write();
        list.by_name.remove(&old);
        list.by_name.insert(new, session.serial());
        Ok(())
    }

    /// Gives a session up and removes everything of it.
    ///
    /// # Errors
    /// `Busy` while it is committed; `ReadOnly` once it is.
    pub fn abort(&self, session: &Session) -> Result<()> {
        session.set_aborted(None)?;
        self.remove(session)
    }

    /// Removes an inbox with all that is in it, unless something has changed since it was `at` rest; tells whether it did.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn empty(&self, inbox: &Session, at: AtRest) -> Result<bool> {
        if !inbox.set_aborted(Some(at))? {
            return Ok(false);
        }
        self.remove(inbox)?;
        Ok(true)
    }

    fn remove(&self, session: &Session) -> Result<()> {
        self.unname(session);
        self.registered.list.write().by_serial.remove(&session.serial());
        // What cannot be removed now is found, without a journal's end, by nobody but the next listing of the spool.
        self.registered.store.disk().remove_dir_all(&session.folder)
    }

    /// Takes the name from a session that has become a build; it can still be read by its serial.
    pub fn unname(&self, session: &Session) {
        let mut list = self.registered.list.write();
        let key = NameKey::new(&session.name(), session.form());
        if list.by_name.get(&key) == Some(&session.serial()) {
            list.by_name.remove(&key);
        }
    }

    /// Forgets a session that has become a build, has no name any more, and that nobody reads.
    pub fn forget(&self, serial: u32) {
        let mut list = self.registered.list.write();
        let is_done = list.by_serial.get(&serial).is_some_and(|session| session.phase() == SessionState::Committed);
        if is_done && !list.by_name.values().any(|named| *named == serial) {
            list.by_serial.remove(&serial);
        }
    }

    /// Tells whether a session is being written, stored or committed.
    pub fn are_busy(&self) -> bool {
        self.registered.all().iter().any(|session| session.is_busy())
    }

    /// Takes note of how a process ended that may have written to sessions.
    pub fn process_ended(&self, process: u32, ending: Ending) {
        for session in self.registered.all() {
            session.process_ended(process, ending);
        }
    }

    fn check_free(&self, key: &NameKey, except: Option<u32>) -> Result<()> {
        match self.registered.list.read().by_name.get(key) {
            Some(serial) if Some(*serial) != except => {
                let what = match key.namespace {
                    Namespace::Copies => "session",
                    Namespace::Workspaces => "workspace",
                    Namespace::Inboxes => "inbox",
                };
                let message = format!("there is a {what} {} already", key.folded);
                Err(Error::new(ErrorKind::Exists, message).with_hint("names that differ in case alone are the same"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.registered.activity.stop();
        self.registered.finisher.stop();
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
        for session in self.registered.all() {
            session.drop_if_committed();
        }
    }
}

impl Registered {
    fn named(&self, name: &[u8], form: SessionForm) -> Option<Arc<Session>> {
        let key = NameKey::new(&RefName::new(std::str::from_utf8(name).ok()?).ok()?, form);
        let list = self.list.read();
        let session = list.by_serial.get(list.by_name.get(&key)?)?;
        (session.name().as_str().as_bytes() == name).then(|| session.clone())
    }

    fn all_named(&self, namespace: Namespace) -> Vec<Arc<Session>> {
        let list = self.list.read();
        let of_form = |(key, serial): (&NameKey, &u32)| (key.namespace == namespace).then_some(*serial);
        let named: HashSet<u32> = list.by_name.iter().filter_map(of_form).collect();
        list.by_serial.iter().filter(|(serial, _)| named.contains(serial)).map(|(_, session)| session.clone()).collect()
    }

    fn add(&self, folder: std::path::PathBuf, state: State) -> Arc<Session> {
        let mut list = self.list.write();
        list.next_serial += 1;
        let serial = list.next_serial;
        let name = NameKey::new(&state.name, state.form);
        let session = Arc::new(Session {
            serial,
            folder,
            store: self.store.clone(),
            content: self.content.clone(),
            earlier_root: OnceLock::new(),
            activity: self.activity.clone(),
            finisher: self.finisher.clone(),
            keep_caches: self.keep_caches,
            names_made: AtomicU64::new(1),
            names_synced: AtomicU64::new(0),
            state: Mutex::new(state),
            closed: Condvar::new(),
        });
        list.by_serial.insert(serial, session.clone());
        list.by_name.entry(name).or_insert(serial);
        drop(list);
        self.finisher.ring();
        session
    }

    /// Opens the session in a folder of the spool, unless another process has it.
    fn load(&self, name: &str, lock_tries: u32) -> Result<()> {
        let disk = &**self.store.disk();
        let folder = folder_path(name);
        let lock = match disk.open_writable(&folder.join(LOCK)) {
            // Another process is just making it, or removing it.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            lock => lock?,
        };
        if !take_lock(&*lock, lock_tries)? {
            self.elsewhere.lock().insert(name.into());
            return Ok(());
        }
        let mut replay = Replay::new(&self.content);
        let journal = Journal::open(disk, &folder.join(JOURNAL), &mut |op| replay.take(op))?;
        let is_done = match replay.committing {
            Some(root) => {
                let catalogue = self.store.catalogue();
                let forgotten = catalogue.forgotten()?.into_iter().map(|forgotten| forgotten.build);
                catalogue.builds()?.into_iter().chain(forgotten).any(|build| build.root.id == root)
            }
            None => false,
        };
        let journal = match is_done {
            true => journal,
            false => compact(disk, &folder.join(JOURNAL), journal, &replay)?,
        };
        let Some((name, form, created)) = replay.named.filter(|_| !is_done) else {
            // It became a build, or its making was cut off before it had a name.
            return disk.remove_dir_all(&folder);
        };
        if self.list.read().by_name.contains_key(&NameKey::new(&name, form)) {
            return Err(Error::new(ErrorKind::Exists, format!("there is a session {name} already")));
        }
        let mut state = State::new(name, form, created, replay.nodes, journal, lock, &folder.join(SMALL));
        state.info = replay.info;
        state.phase = SessionState::Interrupted;
        state.finish.own = replay.own;
        state.finish.judged(Vec::new());
        state.remember_torn(replay.torn);
        self.find_spool_files(&folder, &mut state)?;
        state.small.find(disk, &state.nodes)?;
        for (node, found) in state.nodes.iter() {
            if let Body::File(bytes @ Bytes::Small { .. }) = &found.body {
                self.activity.spool_changed(0, bytes.spool_len());
                state.queue.push_back(node);
            }
        }
        self.add(folder, state);
        Ok(())
    }

    /// Connects spool files with their nodes, and removes those that count no more.
    fn find_spool_files(&self, folder: &Path, state: &mut State) -> Result<()> {
        let disk = &**self.store.disk();
        for (name, len) in disk.list(&folder.join(DATA))? {
            let node = NodeNumber::from_str_radix(&name, 16).ok();
            let body = node.and_then(|node| state.nodes.get_mut(node).ok()).map(|node| &mut node.body);
            match (body, len) {
                (Some(Body::File(bytes @ (Bytes::Spool { .. } | Bytes::Patched(_)))), Some(len)) => {
                    bytes.found_file(len);
                    self.activity.spool_changed(0, bytes.spool_len());
                    state.queue.extend(node);
                }
                _ => disk.remove(&folder.join(DATA).join(name))?,
            }
        }
        Ok(())
    }
}

/// Takes the lock of a session, unless another process has it.
///
/// Tries for a moment: a program that another thread just started holds every lock of this process until it has begun to
/// run, and a session must not be left alone for that.
fn take_lock(lock: &dyn DiskFile, tries: u32) -> Result<bool> {
    for left in (0..tries).rev() {
        if lock.try_lock(true)? {
            return Ok(true);
        }
        if left > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
    }
    Ok(false)
}

/// What a journal says, op by op.
pub(super) struct Replay<'a> {
    content: &'a Reader,
    pub(super) nodes: Nodes,
    pub(super) named: Option<(RefName, SessionForm, Timestamp)>,
    pub(super) info: BuildInfo,
    committing: Option<ChunkId>,
    pub(super) own: Option<BuildNumber>,
    pub(super) torn: Vec<(NodeNumber, bool, String)>,
    /// Ops that the journal has.
    pub(super) op_count: u64,
}

impl<'a> Replay<'a> {
    fn new(content: &'a Reader) -> Replay<'a> {
        let nodes = Nodes::new(Timestamp::now());
        let (info, torn) = (BuildInfo::default(), Vec::new());
        Replay { content, nodes, named: None, info, committing: None, own: None, torn, op_count: 0 }
    }

    fn take(&mut self, op: Op) -> Result<()> {
        self.op_count += 1;
        match &op {
            Op::Named { name, form, created } => self.named = Some((RefName::new(name.clone())?, *form, *created)),
            Op::Unfold { node, first } => {
                let folded = *self
                    .nodes
                    .directory(*node)?
                    .folded()
                    .ok_or_else(|| Error::corrupt("the session's journal unfolds a directory twice"))?;
                return self.nodes.unfold(*node, *first, children_of(self.content, &folded)?);
            }
            Op::Info { json } => {
                let wrong = |error| Error::corrupt("the session's metadata cannot be understood").with_source(error);
                self.info = serde_json::from_slice(json).map_err(wrong)?;
            }
            Op::Torn { node, failed, why } => {
                self.torn.retain(|(torn, sort, _)| (torn, sort) != (node, failed));
                self.torn.extend(why.clone().map(|why| (*node, *failed, why)));
            }
            Op::Reopened { build } => self.own = Some(BuildNumber(*build)),
            _ => {}
        }
        match &op {
            Op::Committing { root } => self.committing = Some(*root),
            // They are written down even after the commit.
            Op::Stored { .. } | Op::Unfold { .. } => {}
            // The commit failed, or the session was opened again after it.
            _ => self.committing = None,
        }
        if let Some(orphan) = self.nodes.apply(op)? {
            self.nodes.drop_orphan(orphan);
        }
        Ok(())
    }
}

impl State {
    fn new(
        name: RefName,
        form: SessionForm,
        created: Timestamp,
        nodes: Nodes,
        journal: Journal,
        lock: Arc<dyn DiskFile>,
        small: &Path,
    ) -> State {
        State {
            name,
            form,
            phase: SessionState::Open,
            created,
            nodes,
            journal,
            small: SmallLog::new(small),
            cuts: 0,
            heads: Heads::default(),
            _lock: lock,
            info: BuildInfo::default(),
            open: HashMap::new(),
            queue: VecDeque::new(),
            storing: HashSet::new(),
            stored: StoredFiles::default(),
            failures: BTreeMap::new(),
            dropped_xattrs: BTreeMap::new(),
            stored_bytes: 0,
            finish: Finish::new(),
            status_text: None,
            changes_text: None,
        }
    }
}

impl Session {
    fn is_busy(&self) -> bool {
        let state = self.state.lock();
        // Who works in a workspace may have a file open all day, and a game its log in an inbox.
        let is_copied =
            Namespace::of(state.form) == Namespace::Copies && state.open.values().any(|open| open.is_written());
        match state.phase {
            SessionState::Committing => true,
            SessionState::Open | SessionState::Interrupted | SessionState::Suspect => {
                is_copied || !state.queue.is_empty() || !state.storing.is_empty()
            }
            // What still waits is not stored any more.
            SessionState::Committed | SessionState::Aborted => false,
        }
    }

    fn set_name(&self, name: &RefName) -> Result<()> {
        let mut state = self.changing()?;
        let (form, created) = (state.form, state.created);
        state.change(Op::Named { name: name.to_string(), form, created })?;
        state.name = name.clone();
        Ok(())
    }

    /// Ends the session, if it still is `at` rest when that is given; tells whether it does.
    fn set_aborted(&self, at: Option<AtRest>) -> Result<bool> {
        let mut state = match at {
            Some(at) => {
                let state = self.state.lock();
                if state.finish.epoch != at.0 {
                    return Ok(false);
                }
                state
            }
            None => self.changing_by(Change::Other)?,
        };
        state.phase = SessionState::Aborted;
        for (_, node) in state.nodes.iter() {
            if let Body::File(bytes) = &node.body {
                self.activity.spool_changed(bytes.spool_len(), 0);
            }
        }
        state.queue.clear();
        state.storing.clear();
        state.stored = StoredFiles::default();
        Ok(true)
    }
}
