//! Playtests: what is known of each recorded play of a build, and where the catalogue keeps it.

use super::rows::{parse, to_json};
use super::{Catalogue, Publish};
use crate::error::Result;
use crate::id::BuildNumber;
use crate::manifest::{Attributes, Directory, Timestamp};
use crate::name::RefName;
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayEnding {
    /// The program ended with this exit code.
    Exited(i32),
    /// This signal ended the program.
    Signal(i32),
    /// The game said that it broke, and nobody saw how.
    Crashed,
    /// Nobody saw its end: `gamevault` itself was killed while the program ran.
    Unseen,
}

/// One recorded play of one build: a manifest of what was written, and who played what when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playtest {
    /// Its id: a ULID, which sorts by the time of the start.
    pub id: RefName,
    /// The build that was played.
    pub build: BuildNumber,
    /// When the program was started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How it ended.
    pub ending: PlayEnding,
    /// The workspace that it ran in, when that stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<RefName>,
    /// The machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Who played: a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
    /// The platform it was played on, in the game's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The root directory of its manifest.
    pub root: Directory,
    /// Mode, time and xattrs of the root directory itself.
    pub attributes: Attributes,
    /// Bytes that its new chunks took in the store.
    pub stored_bytes: u64,
}

/// A playtest with its number in this catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedPlaytest {
    /// The number; a catalogue that is rebuilt may give another one.
    pub number: u64,
    /// The playtest.
    pub playtest: Playtest,
}

impl Catalogue {
    /// Returns all playtests in the order in which they were kept.
    pub fn playtests(&self) -> Result<Vec<NumberedPlaytest>> {
        let rows: Vec<(i64, String)> = self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT number, record FROM playtest ORDER BY number")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })?;
        let numbered =
            |(number, record): (i64, String)| Ok(NumberedPlaytest { number: number as u64, playtest: parse(&record)? });
        rows.into_iter().map(numbered).collect()
    }
}

impl Publish<'_> {
    pub(super) fn add_playtest(&self, playtest: &Playtest) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO playtest (folded, record) VALUES (?1, ?2)",
            params![playtest.id.folded(), to_json(playtest)],
        )
    }
}
