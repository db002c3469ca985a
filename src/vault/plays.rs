//! Plays that go on: a folder in the vault for what the program writes, which becomes a playtest at the end.
//!
//! ```text
//! plays/<id>/lock      held by the process that started the program
//! plays/<id>/play.json what is known at the start, see PlayStart
//! plays/<id>/session/  where the program may write
//! ```
//!
//! A play whose process was killed is there until somebody finishes it: nobody holds its lock then.

use super::{Vault, try_lock_for_a_moment};
use crate::catalogue::{PlayEnding, Playtest};
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::id::BuildNumber;
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::progress::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PLAYS: &str = "plays";
const LOCK: &str = "lock";
const START: &str = "play.json";
const SESSION: &str = "session";

/// The digits of a ULID: no letters that are taken for others.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What is known of a play when its program is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayStart {
    /// The build that is played.
    pub build: BuildNumber,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The workspace that it runs in.
    pub workspace: RefName,
    /// Whether the workspace stays after the end.
    pub workspace_stays: bool,
    /// What differed from the base before the start: paths with size and time.
    pub changed_before: BTreeMap<String, (u64, Timestamp)>,
    /// The folder on which the vault was mounted for the play alone.
    pub own_mount: Option<PathBuf>,
    /// The machine.
    pub host: Option<String>,
    /// When the program was started.
    pub started: Timestamp,
}

/// A play that goes on, or whose process was killed.
pub struct Play {
    id: RefName,
    start: PlayStart,
    folder: PathBuf,
    session_dir: PathBuf,
    /// Held as long as this process takes care of the play.
    _lock: Arc<dyn DiskFile>,
}

impl Play {
    /// Returns the id that the playtest gets.
    pub fn id(&self) -> &RefName {
        &self.id
    }

    /// Returns what was known at the start.
    pub fn start(&self) -> &PlayStart {
        &self.start
    }

    /// Returns the folder for what the program writes, absolute.
    pub fn session_dir(&self) -> &Path {
        &self.session_dir
    }
}

impl Vault {
    /// Makes the id of a play: a ULID, the time in milliseconds and 80 random bits.
    ///
    /// # Errors
    /// `Invalid` if the system gives no random numbers.
    pub fn new_play_id(&self) -> Result<RefName> {
        let now = Timestamp::now();
        let millis = now.secs.unsigned_abs() * 1000 + u64::from(now.nanos / 1_000_000);
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes[6..])
            .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        let number = u128::from_be_bytes(bytes);
        let digit = |place: u32| char::from(DIGITS[(number >> (5 * place) & 31) as usize]);
        RefName::new((0..26).rev().map(digit).collect::<String>())
    }

    /// Makes the folder of a play.
    ///
    /// # Errors
    /// `Exists` if there is one of this id; those of the disk.
    pub fn start_play(&self, id: RefName, start: PlayStart) -> Result<Play> {
        let folder = Path::new(PLAYS).join(id.as_str());
        self.disk.create_dir(&folder.join(SESSION))?;
        let lock = self.disk.create(&folder.join(LOCK))?;
        if !lock.try_lock(true)? {
            return Err(Error::new(ErrorKind::Busy, format!("another process took the new play {id}")));
        }
        let play = self.play(id, start, lock);
        self.write_start(&play)?;
        Ok(play)
    }

    /// Returns the plays whose process was killed, the oldest first; they are this process's to take care of now.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn interrupted_plays(&self) -> Result<Vec<Play>> {
        self.disk.create_dir(Path::new(PLAYS))?;
        let mut names: Vec<String> = self.disk.list(Path::new(PLAYS))?.into_iter().map(|(name, _)| name).collect();
        names.sort();
        let mut plays = Vec::new();
        for name in names {
            let folder = Path::new(PLAYS).join(&name);
            // Somebody is just making it, or removing it.
            let Ok(lock) = self.disk.open_writable(&folder.join(LOCK)) else { continue };
            if !try_lock_for_a_moment(&*lock, true)? {
                continue;
            }
            match self.read_start(&folder) {
                Ok(start) => plays.push(self.play(RefName::new(name)?, start, lock)),
                // It ended before its program was started, so nothing was written.
                Err(error) if error.kind() == ErrorKind::NotFound => self.disk.remove_dir_all(&folder)?,
                Err(error) => return Err(error),
            }
        }
        Ok(plays)
    }

    /// Makes a playtest of all that is in the play's session folder but what `ignore` matches, and removes the play.
    ///
    /// # Errors
    /// `Exists` if there is a playtest of this id; those of the store. The play stays then.
    pub fn finish_play(
        &self,
        play: &Play,
        ended: Timestamp,
        ending: PlayEnding,
        ignore: &[String],
        progress: &Progress,
    ) -> Result<Playtest> {
        let _writing = self.store().begin_writing()?;
        let tree = self.store_session(&play.session_dir, ignore, &play.id, play.start.build, progress)?;
        let PlayStart { build, command, workspace, workspace_stays, host, started, .. } = play.start.clone();
        let playtest = Playtest {
            id: play.id.clone(),
            build,
            started,
            ended,
            command,
            ending,
            workspace: workspace_stays.then_some(workspace),
            host,
            player: None,
            platform: None,
            root: tree.root,
            attributes: tree.attributes,
            stored_bytes: tree.stored_bytes,
        };
        self.publish_playtest(&playtest)?;
        self.remove_play(play)?;
        Ok(playtest)
    }

    /// Removes a play and all that is in its session folder.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn remove_play(&self, play: &Play) -> Result<()> {
        self.disk.remove_dir_all(&play.folder)
    }

    fn play(&self, id: RefName, start: PlayStart, lock: Arc<dyn DiskFile>) -> Play {
        let folder = Path::new(PLAYS).join(id.as_str());
        let session_dir = self.disk.absolute(&folder.join(SESSION));
        Play { id, start, folder, session_dir, _lock: lock }
    }

    fn write_start(&self, play: &Play) -> Result<()> {
        let json = serde_json::to_vec(&play.start)
            .map_err(|error| Error::invalid(format!("play {} cannot be written down: {error}", play.id)))?;
        self.disk.replace(&play.folder.join(START), &json)
    }

    fn read_start(&self, folder: &Path) -> Result<PlayStart> {
        let file = self.disk.open(&folder.join(START))?;
        let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_exact_at(&mut bytes, 0)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let path = self.disk.absolute(&folder.join(START));
            Error::corrupt(format!("{} cannot be understood: {error}", path.display())).with_source(error)
        })
    }
}
