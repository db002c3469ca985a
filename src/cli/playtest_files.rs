//! From a play that ended to a folder that becomes its playtest: what the program changed in its workspace comes to
//! `files/`, beside all that it wrote to the session folder, and `session.json` says what is known of the play.

use super::playtest_view::{exit_code, exit_word, signal};
use super::text;
use super::workspaces::Workspace;
use gamevault::catalogue::{Build, PlayEnding};
use gamevault::compare::{Change, ChangeKind};
use gamevault::disk::host;
use gamevault::error::{Error, Result};
use gamevault::ingest::session::Changes;
use gamevault::manifest::Timestamp;
use gamevault::name::FileName;
use gamevault::vault::{Play, PlayStart};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What graphics drivers keep to be faster the next time, by patterns in gitignore syntax: it says nothing of the play, is
/// often larger than everything else, and is made again.
pub const CACHES: [&str; 5] = [
    "home/.cache/mesa_shader_cache*",
    "home/.cache/radv_builtin_shaders*",
    "home/.cache/nvidia/GLCache",
    "home/.nv/GLCache",
    "home/.nv/ComputeCache",
];

/// The version of what `session.json` says.
const SCHEMA: u32 = 1;

/// The file in which the play is described.
pub const DESCRIPTION: &str = "session.json";

/// Where it is described when the program wrote something else there.
pub const DESCRIPTION_BESIDE: &str = "session.gamevault.json";

/// Where the changed files of the workspace come to.
pub const FILES: &str = "files";

/// The home of the program, if it had one of its own.
pub const HOME: &str = "home";

/// Returns what differs from the base, as it is before the program starts.
///
/// # Errors
/// Those of reading.
pub fn changed_before(workspace: &Workspace) -> Result<BTreeMap<String, (u64, Timestamp)>> {
    let mut before = BTreeMap::new();
    for change in written(workspace)?.filter(is_written) {
        if let Some((_, metadata)) = find(workspace, &change.path)? {
            before.insert(change.path, mark(&metadata));
        }
    }
    Ok(before)
}

/// Copies what the program wrote in its workspace into the session folder; returns the paths that it removed.
///
/// # Errors
/// Those of reading and writing; then nothing is in `files/` yet.
pub fn gather(play: &Play, workspace: &Workspace) -> Result<Vec<String>> {
    let partial = play.session_dir().with_extension("files");
    if let Err(error) = fs::remove_dir_all(&partial)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(Error::io("remove", &partial, error));
    }
    let mut removed = Vec::new();
    for change in written(workspace)? {
        if change.kind == ChangeKind::Removed {
            removed.push(change.path);
        } else if is_written(&change)
            && let Some((from, metadata)) = find(workspace, &change.path)?
            && play.start().changed_before.get(&change.path) != Some(&mark(&metadata))
        {
            let name = from.strip_prefix(root_of(workspace)).expect("it was found below the workspace");
            copy(&from, &metadata, &partial.join(name))?;
        }
    }
    if partial.exists() {
        let mut to = play.session_dir().join(FILES);
        // The program may have made a folder of this name in its session folder.
        while to.exists() {
            to.as_mut_os_string().push("-of-workspace");
        }
        fs::rename(&partial, &to).map_err(|error| Error::io("make", &to, error))?;
    }
    Ok(removed)
}

/// Writes `session.json`; what the program wrote there stays, and is added to.
///
/// # Errors
/// Those of reading and writing.
pub fn describe(play: &Play, build: &Build, ended: Timestamp, ending: PlayEnding, removed: &[String]) -> Result<()> {
    let PlayStart { command, workspace, workspace_stays, started, host, .. } = play.start();
    let seconds = SystemTime::from(ended).duration_since(SystemTime::from(*started)).unwrap_or_default().as_secs_f64();
    let said = json!({
        "schema": SCHEMA, "id": play.id(), "build": build.id, "build_number": build.number, "build_label": build.info.label,
        "started": text::utc_time(*started), "ended": text::utc_time(ended), "seconds": seconds,
        "exit": exit_word(ending), "exit_code": exit_code(ending), "signal": signal(ending), "command": command,
        "workspace": workspace_stays.then_some(workspace), "removed": removed, "host": host,
        "platform": format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
    });
    let Value::Object(said) = said else { unreachable!("it is an object") };
    let said: Map<String, Value> =
        said.into_iter().filter(|(_, value)| !value.is_null() && *value != json!([])).collect();
    let path = play.session_dir().join(DESCRIPTION);
    let mut own: Map<String, Value> = match fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(object) => object,
            // Not ours to change: what is known of the play goes beside it.
            Err(_) => return write(&play.session_dir().join(DESCRIPTION_BESIDE), said),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(Error::io("read", &path, error)),
    };
    for (key, value) in said {
        own.entry(key).or_insert(value);
    }
    write(&path, own)
}

fn write(path: &Path, object: Map<String, Value>) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(&object).expect("an object has string keys");
    text.push(b'\n');
    fs::write(path, text).map_err(|error| Error::io("write", path, error))
}

/// Returns when something below `folder` was last written; `start` if nothing was later.
pub fn last_write(folder: &Path, start: Timestamp) -> Timestamp {
    let mut last = start;
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            last = last.max(mark(&metadata).1);
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    last
}

/// Returns what differs from the base, also what no build would have: a game may keep its saves where an engine has its
/// caches.
fn written(workspace: &Workspace) -> Result<impl Iterator<Item = Change>> {
    let Changes { changes, left_out, .. } = workspace.changes()?;
    Ok(changes.into_iter().chain(left_out))
}

/// Tells whether there are bytes that were not there before.
fn is_written(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Added | ChangeKind::Modified | ChangeKind::TypeChanged)
}

fn mark(metadata: &fs::Metadata) -> (u64, Timestamp) {
    (metadata.len(), metadata.modified().map(Timestamp::from).unwrap_or_default())
}

fn root_of(workspace: &Workspace) -> &Path {
    workspace.path().expect("a program runs in a mounted workspace")
}

/// Returns the path in the mount of what a change names; nothing if it is gone since.
fn find(workspace: &Workspace, path: &str) -> Result<Option<(PathBuf, fs::Metadata)>> {
    let root = root_of(workspace);
    for path in [root.join(path), unescaped(root, path)?] {
        match fs::symlink_metadata(&path) {
            Ok(metadata) => return Ok(Some((path, metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("look at", &path, error)),
        }
    }
    Ok(None)
}

/// Returns the path below `root` whose bytes that are no UTF-8 were shown as `\xNN`.
fn unescaped(root: &Path, path: &str) -> Result<PathBuf> {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    names.try_fold(root.to_owned(), |folder, name| {
        let mut bytes = Vec::with_capacity(name.len());
        let mut rest = name.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let hex = rest.strip_prefix(b"\\x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
            match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &rest[4..];
                }
                None => {
                    bytes.push(first);
                    rest = after;
                }
            }
        }
        Ok(host::join_name(&folder, &FileName::new(bytes)?))
    })
}

/// Copies a file or link with its time, or makes the folder; and the folders above.
///
/// # Errors
/// Those of copying.
pub fn copy(from: &Path, metadata: &fs::Metadata, to: &Path) -> Result<()> {
    let failed = |error| Error::io("copy", from, error);
    if metadata.is_dir() {
        return fs::create_dir_all(to).map_err(failed);
    }
    if let Some(above) = to.parent() {
        fs::create_dir_all(above).map_err(failed)?;
    }
    if metadata.is_symlink() {
        let target = host::read_link(from).map_err(failed)?;
        return host::make_symlink(&target, to).map_err(failed);
    }
    fs::copy(from, to).map_err(failed)?;
    host::set_mtime(to, mark(metadata).1).map_err(failed)
}
