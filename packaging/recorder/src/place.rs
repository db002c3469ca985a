//! Where sessions are, what their files are called, and `session.json`.

use crate::error::{Code, Error, Result};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub const SESSION: &str = "session.json";
pub const EVENTS: &str = "events.jsonl";
pub const LOG: &str = "log.txt";
pub const RING: &str = "ring";
pub const LOCK: &str = "lock";
pub const SAVES: &str = "saves";
pub const SCREENS: &str = "screens";
pub const CRASH: &str = "crash";
pub const ATTACHED: &str = "attached";

/// What a file is called before it is whole.
pub const PART: &str = ".part";

const OPEN: &str = ".open";
const STAMP: &str = "gamevault.json";

/// The keys that tell the build, of a stamp and of session.json, and those that go with them.
const TELLING: [&str; 2] = ["stamp", "build"];
const STAMPED: [&str; 2] = ["vault", "version"];

/// The largest stamp or session.json that is read: games do not write more by far.
const MAX_JSON_LEN: u64 = 1 << 20;

/// The digits of a ULID: no letters that are taken for others.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The folder of a session that goes on.
#[derive(Debug)]
pub struct Folder {
    /// The id of the session, a ULID.
    pub id: String,
    /// The folder.
    pub path: PathBuf,
    /// What it is called after the end.
    pub done: PathBuf,
    /// Held by the one process that writes here; the system lets go of it when the process ends in whatever way.
    pub lock: File,
}

impl Folder {
    /// Makes the folder of a new session in `spool`, which is made as well.
    ///
    /// # Errors
    /// `Io` if the folders or the lock cannot be made.
    pub fn create(spool: &Path) -> Result<Folder> {
        fs::create_dir_all(spool).map_err(|error| Error::io("make the spool folder", spool, error))?;
        let id = new_id()?;
        let path = spool.join(format!("{id}{OPEN}"));
        fs::create_dir(&path).map_err(|error| Error::io("make the session folder", &path, error))?;
        match lock(&path, true) {
            Ok(lock) => Ok(Folder { done: spool.join(&id), id, path, lock }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(Error::io("lock the session folder", &path, error))
            }
        }
    }
}

/// Opens the lock of a session, and takes it.
///
/// # Errors
/// `WouldBlock` if another process has it; `NotFound` if there is none and `make` is not set.
pub fn lock(folder: &Path, make: bool) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(make).truncate(false).open(folder.join(LOCK))?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}

/// Returns where sessions go when nobody says otherwise; `None` when the user has no home.
pub fn default_spool() -> Option<PathBuf> {
    let path = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(spool) = path("GAMEVAULT_SPOOL") {
        return Some(spool);
    }
    let data_home = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // The base directory specification: a relative XDG_DATA_HOME counts as none.
        let named = path("XDG_DATA_HOME").filter(|named| named.is_absolute());
        named.or_else(|| path("HOME").map(|home| home.join(".local/share")))
    };
    data_home.map(|data_home| data_home.join("GameVault").join("spool"))
}

/// Returns what tells the build in the stamped `gamevault.json` beside the program, or else in the working folder.
fn stamp() -> Map<String, Value> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join(STAMP)));
    let mut stamps =
        beside.into_iter().chain([PathBuf::from(STAMP)]).filter_map(|path| read_object(&path).ok().flatten());
    let stamp = stamps.find(|stamp| TELLING.iter().any(|key| stamp.contains_key(*key))).unwrap_or_default();
    stamp.into_iter().filter(|(key, _)| TELLING.contains(&key.as_str()) || STAMPED.contains(&key.as_str())).collect()
}

/// Describes a session that begins: what `options` say, and what is known without them.
pub fn describe(folder: &Folder, build: Option<String>, options: Map<String, Value>) -> Map<String, Value> {
    let mut session = options;
    if let Some(build) = build {
        session.insert("build".to_owned(), build.into());
    }
    if !TELLING.iter().any(|key| session.contains_key(*key)) {
        session.extend(stamp());
    }
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    session.entry("platform").or_insert_with(|| platform.into());
    session.insert("schema".to_owned(), json!(1));
    session.insert("id".to_owned(), folder.id.clone().into());
    session.insert("started".to_owned(), rfc3339(Timestamp::now()).into());
    session
}

/// Adds how a session ended.
pub fn describe_end(session: &mut Map<String, Value>, ended: &str, exit: &str) {
    session.insert("ended".to_owned(), ended.into());
    session.insert("exit".to_owned(), exit.into());
}

/// Writes session.json; a reader sees the old one or the new one.
pub fn write_session(folder: &Path, session: &Map<String, Value>) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(session).expect("an object of JSON can be written");
    text.push(b'\n');
    let part = folder.join(format!("{SESSION}{PART}"));
    fs::write(&part, text)?;
    fs::rename(part, folder.join(SESSION))
}

/// Returns the object in a file; `None` when the file holds none.
///
/// # Errors
/// `NotFound` if there is no such file; those of the disk.
pub fn read_object(path: &Path) -> io::Result<Option<Map<String, Value>>> {
    if fs::metadata(path)?.len() > MAX_JSON_LEN {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&fs::read(path)?).ok())
}

/// Returns the time as it is written: RFC 3339, always to the millisecond, so that times sort as texts do.
pub fn rfc3339(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Makes a ULID: the time in milliseconds and 80 random bits.
fn new_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes[6..])
        .map_err(|error| Error::new(Code::Io, format!("the system gives no random numbers: {error}")))?;
    let millis = Timestamp::now().as_millisecond().unsigned_abs();
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    let number = u128::from_be_bytes(bytes);
    Ok((0..26).rev().map(|place| char::from(DIGITS[(number >> (5 * place) & 31) as usize])).collect())
}
