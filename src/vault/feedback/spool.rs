//! Taking in what games recorded into a spool folder: `<id>/` when it has ended, `<id>.open/` while it is recorded.

use crate::catalogue::{Build, Playtest};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;
use crate::vault::Vault;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What the name of a session's folder ends with while it is recorded.
const OPEN: &str = "open";

/// What it ends with when it is kept and only has to be removed.
const TAKEN: &str = "taken";

/// Lies in a folder that only has to be removed: names alone may be those of plays.
const TAKEN_MARK: &str = ".gamevault-taken";

/// What a play has, one of them at least.
const PARTS: [&str; 2] = ["session.json", "events.jsonl"];

/// The vault's own spool folder.
const RECEIVED: &str = "received";

/// A folder that no library holds is over when nothing in it was written for so long.
const SILENCE: Duration = Duration::from_secs(120);

/// How a spool folder is looked at.
#[derive(Debug, Default)]
pub struct CollectOptions<'a> {
    /// The build that was played, whatever the sessions say.
    pub build: Option<&'a Build>,
    /// A session in which something was written for less than this ago may still be copied, and waits.
    pub quiet: Duration,
    /// Those that stayed the last time: they are tried again when they have changed.
    pub stayed: Stayed,
}

/// The sessions that cannot be kept because there are others of their ids, and what they looked like.
#[derive(Debug, Default)]
pub struct Stayed(HashMap<PathBuf, Look>);

/// What became of the sessions in a spool folder.
#[derive(Debug, Default)]
pub struct Collected {
    /// The playtests that they became.
    pub playtests: Vec<Playtest>,
    /// How many of them a game had left open: it crashed, or was killed.
    pub recovered: u64,
    /// How many are still recorded, or copied.
    pub live: u64,
    /// Those that stay where they are, and why.
    pub left: Vec<(PathBuf, Error)>,
    /// What the next look may pass over.
    pub stayed: Stayed,
}

impl Vault {
    /// Takes in the sessions of the folder `spool` that are over, as playtests of the builds that they name or that was given, and
    /// removes them from there. Sessions whose game broke off are ended first: they are crashes.
    ///
    /// # Errors
    /// `NotFound` if there is no such folder, `Invalid` if it is a play itself; those of the store; `Interrupted`. What one session
    /// fails by is told with it, and it stays.
    pub fn collect_sessions(
        &self,
        spool: &Path,
        options: &CollectOptions<'_>,
        progress: &Progress,
    ) -> Result<Collected> {
        if spool.join(PARTS[0]).exists() {
            let message = format!("{} is a play itself, and no folder of plays", spool.display());
            return Err(Error::invalid(message).with_hint("keep it with `gamevault session add`"));
        }
        let mut names: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(spool).map_err(|error| Error::io("read", spool, error))? {
            let entry = entry.map_err(|error| Error::io("read", spool, error))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.push(entry.path());
            }
        }
        names.sort();
        let mut collected = Collected::default();
        for path in names {
            match self.collect_session(&path, options, progress, &mut collected) {
                Ok(()) => {}
                // What is about all of them, and not about this one.
                Err(error) if matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Interrupted) => return Err(error),
                Err(error) => collected.left.push((path, error)),
            }
        }
        Ok(collected)
    }

    /// Returns the vault's own spool folder, for what comes in over HTTP; it is made.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn receive_spool(&self) -> Result<PathBuf> {
        self.disk.create_dir(Path::new(RECEIVED))?;
        Ok(self.disk.absolute(Path::new(RECEIVED)))
    }

    fn collect_session(
        &self,
        path: &Path,
        options: &CollectOptions<'_>,
        progress: &Progress,
        collected: &mut Collected,
    ) -> Result<()> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let mut path = path.to_owned();
        if extension == Some(TAKEN) && path.join(TAKEN_MARK).exists() {
            return fs::remove_dir_all(&path).map_err(|error| Error::io("remove", &path, error));
        }
        if extension == Some(OPEN) {
            if is_recorded(&path)? {
                collected.live += 1;
                return Ok(());
            }
            match gamevault_rec::recover(&path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    collected.live += 1;
                    return Ok(());
                }
                recovered => drop(recovered.map_err(|error| Error::io("recover", &path, error))?),
            }
            let done = path.with_extension("");
            fs::rename(&path, &done).map_err(|error| Error::io("rename", &path, error))?;
            collected.recovered += 1;
            path = done;
        }
        if !PARTS.iter().any(|part| path.join(part).is_file()) {
            let message = format!("{} is no play: it has neither {} nor {}", path.display(), PARTS[0], PARTS[1]);
            return Err(
                Error::invalid(message).with_hint("keep it with `gamevault session add` if it is one all the same")
            );
        }
        let before = Look::at(&path)?;
        if before.is_younger_than(options.quiet) {
            collected.live += 1;
            return Ok(());
        }
        if options.stayed.0.get(&path) == Some(&before) {
            let message = format!("{} has the id of another play", path.display());
            collected.stayed.0.insert(path, before);
            return Err(Error::new(ErrorKind::Exists, message));
        }
        let added = self.add_session(&path, options.build, progress).inspect_err(|error| {
            if error.kind() == ErrorKind::Exists {
                collected.stayed.0.insert(path.clone(), before);
            }
        });
        collected.playtests.push(added?);
        if Look::at(&path)? != before {
            let message = format!("{} was written to while it was kept", path.display());
            return Err(Error::new(ErrorKind::Busy, message).with_hint("it stays there: compare it with the playtest"));
        }
        // All of it is in the vault; if it cannot be removed at once, nobody takes it for another session.
        let mark = path.join(TAKEN_MARK);
        fs::write(&mark, b"").map_err(|error| Error::io("write", &mark, error))?;
        let mut taken = path.clone().into_os_string();
        taken.push(format!(".{TAKEN}"));
        let taken = PathBuf::from(taken);
        fs::rename(&path, &taken).map_err(|error| Error::io("rename", &path, error))?;
        fs::remove_dir_all(&taken).map_err(|error| Error::io("remove", &taken, error))
    }
}

/// What tells whether anything in a folder was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    files: u64,
    /// Their lengths in sum.
    len: u64,
    /// The last change of a file or a folder.
    newest: SystemTime,
}

impl Look {
    fn at(path: &Path) -> Result<Look> {
        let mut look = Look { files: 0, len: 0, newest: SystemTime::UNIX_EPOCH };
        let mut open = vec![path.to_owned()];
        while let Some(folder) = open.pop() {
            let failed = |error| Error::io("look at", &folder, error);
            let changed = fs::metadata(&folder).and_then(|about| about.modified()).map_err(failed)?;
            look.newest = look.newest.max(changed);
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let about = entry.metadata().map_err(failed)?;
                if about.is_dir() {
                    open.push(entry.path());
                    continue;
                }
                look.files += 1;
                look.len += about.len();
                look.newest = look.newest.max(about.modified().map_err(failed)?);
            }
        }
        Ok(look)
    }

    /// Tells whether something changed for less than `time` ago. Times to come are those of another clock, and tell nothing.
    fn is_younger_than(&self, time: Duration) -> bool {
        self.newest.elapsed().is_ok_and(|age| age < time)
    }
}

/// Tells whether somebody records into a folder: holds its lock, or wrote into it lately when it has none.
fn is_recorded(path: &Path) -> Result<bool> {
    let failed = |error| Error::io("look at", path, error);
    if path.join("lock").exists() {
        return gamevault_rec::is_live(path).map_err(failed);
    }
    let mut last = fs::metadata(path).and_then(|folder| folder.modified()).map_err(failed)?;
    for entry in fs::read_dir(path).map_err(failed)? {
        last = last.max(entry.and_then(|entry| entry.metadata()?.modified()).map_err(failed)?);
    }
    Ok(SystemTime::now().duration_since(last).unwrap_or_default() < SILENCE)
}
