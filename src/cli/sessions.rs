//! The sessions of running mounts, reached as anybody reaches them: through the mounted tree.

use gamevault::Vault;
use gamevault::error::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};

/// Where a mount shows its sessions.
const SESSIONS: &str = ".snapshot";

/// Where a mount shows its builds; a session that is moved there is committed.
const BUILDS: &str = "builds";

/// The hidden folder of a session that holds its status and takes orders.
const CONTROL: &str = ".gamevault";

/// What a session's mount says of it.
const STATUS: &str = "status.json";

/// A session that somebody copies into.
#[derive(Debug, Serialize)]
pub struct Session {
    /// Its name, with `@` and its base when it has one.
    pub name: String,
    /// Its folder in the mount.
    pub path: PathBuf,
    /// What the mount says of it.
    pub status: Option<Value>,
}

impl Session {
    /// Returns why the session is suspect; nothing when it is not.
    pub fn doubts(&self) -> Vec<String> {
        match &self.status {
            Some(status) if status["state"] == "suspect" => reasons(status),
            _ => Vec::new(),
        }
    }

    /// Returns what there is to say of names that other systems take for one, or cannot have.
    pub fn odd_names(&self) -> Vec<String> {
        self.status.as_ref().map_or_else(Vec::new, |status| list_of(status, "odd_names"))
    }

    /// Returns what keeps the session from becoming a build by itself, in a sentence.
    pub fn waits_for(&self) -> Option<String> {
        let status = self.status.as_ref().filter(|status| status["state"] == "open")?;
        reasons(status).into_iter().next()
    }
}

fn reasons(status: &Value) -> Vec<String> {
    list_of(status, "reasons")
}

fn list_of(status: &Value, field: &str) -> Vec<String> {
    let list = status[field].as_array().into_iter().flatten();
    list.filter_map(|sentence| sentence.as_str().map(str::to_owned)).collect()
}

/// What can be asked of a session.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Make a build of it; when it may not be whole, only if told so.
    Commit {
        /// It may not be whole, and that is meant.
        force: bool,
    },
    /// Throw it away.
    Abort,
}

impl Order {
    fn file_name(self) -> &'static str {
        match self {
            Order::Commit { .. } => "commit",
            Order::Abort => "abort",
        }
    }
}

/// Returns the sessions of all running mounts of `vault`.
pub fn list(vault: &Vault) -> Result<Vec<Session>> {
    let mut sessions: Vec<Session> = Vec::new();
    for mount in vault.mounts()? {
        // A mount that ends meanwhile has no sessions.
        let Ok(entries) = std::fs::read_dir(mount.path.join(SESSIONS)) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if sessions.iter().all(|known| known.name != name) {
                sessions.push(Session { name, status: status_of(&entry.path()), path: entry.path() });
            }
        }
    }
    Ok(sessions)
}

/// Gives `order` to the session `name`, which may leave out the base.
///
/// # Errors
/// `NotFound` when no mount is running or none has the session; `Incomplete` for a commit of a session that may not be
/// whole; what the mount answers to the order.
pub fn give(vault: &Vault, name: &str, order: Order) -> Result<Session> {
    let verb = order.file_name();
    if vault.mounts()?.is_empty() {
        let message = format!("cannot {verb} session {name}: no mount of {} is running", vault.dir().display());
        return Err(Error::not_found(message).with_hint("start one with `gamevault mount`; open sessions wait for it"));
    }
    let sessions = list(vault)?;
    let names: Vec<String> = sessions.iter().map(|session| session.name.clone()).collect();
    let session = sessions.into_iter().find(|session| session.name == name || id_of(&session.name) == name);
    let session = session.ok_or_else(|| no_session(verb, name, &names))?;
    let reasons = session.doubts();
    if matches!(order, Order::Commit { force: false }) && !reasons.is_empty() {
        let message = format!("session {name} may not be whole: {}", reasons.join("; "));
        let hint = "copy again what is missing, or give --force to publish it as it is";
        return Err(Error::new(ErrorKind::Incomplete, message).with_hint(hint));
    }
    match carry_out(&session, order) {
        Ok(()) => Ok(session),
        // A system call answers with a number alone; the status has the names of the files.
        Err(error) => Err(Error::io(verb, &session.path, error).with_hint(status_hint(&session.path))),
    }
}

fn carry_out(session: &Session, order: Order) -> io::Result<()> {
    if session.path.is_dir() {
        let control = session.path.join(CONTROL).join(order.file_name());
        return std::fs::File::create(control).map(drop);
    }
    // A session that is one single file has no room for a control file; tools move or remove it as a whole.
    match order {
        Order::Commit { .. } => {
            let mount = session.path.parent().and_then(Path::parent).expect("a session is two levels below its mount");
            std::fs::rename(&session.path, mount.join(BUILDS).join(&session.name))
        }
        Order::Abort => std::fs::remove_file(&session.path),
    }
}

/// Returns the id that a session's build will have: its name without the base.
pub fn id_of(name: &str) -> &str {
    name.split_once('@').map_or(name, |(id, _base)| id)
}

fn status_hint(session: &Path) -> String {
    format!("what keeps it back stands in {}", session.join(CONTROL).join(STATUS).display())
}

fn status_of(session: &Path) -> Option<Value> {
    let bytes = std::fs::read(session.join(CONTROL).join(STATUS)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn no_session(verb: &str, name: &str, names: &[String]) -> Error {
    let hint = match names {
        [] => "no session is open; start one by copying a folder into .snapshot of the mount".to_owned(),
        names => format!("the open sessions are {}", names.join(", ")),
    };
    Error::not_found(format!("cannot {verb} session {name}: there is none of that name")).with_hint(hint)
}
