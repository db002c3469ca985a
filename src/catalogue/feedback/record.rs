//! One piece of feedback in the form that all sources are brought to.
//!
//! A record holds what its source said, and clues to the build that it is about; which build that is stands beside it in the
//! index, because later knowledge may tell better.

use crate::error::{Error, Result};
use crate::id::BuildNumber;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// Something that does not work, said by a person.
    Bug,
    /// Anything else that a person said.
    #[default]
    Comment,
    /// A report that a program wrote when it broke.
    Crash,
    /// A review in a store.
    Review,
    /// An answered questionnaire.
    Survey,
    /// Something that happened in the game, told by the game.
    Event,
    /// A play from its start to its end.
    Session,
}

impl FeedbackKind {
    /// All kinds, each at the place of its number in the index.
    pub const ALL: [FeedbackKind; 7] = [
        FeedbackKind::Bug,
        FeedbackKind::Comment,
        FeedbackKind::Crash,
        FeedbackKind::Review,
        FeedbackKind::Survey,
        FeedbackKind::Event,
        FeedbackKind::Session,
    ];

    /// Returns the name in records, commands and folders.
    pub fn code(self) -> &'static str {
        match self {
            FeedbackKind::Bug => "bug",
            FeedbackKind::Comment => "comment",
            FeedbackKind::Crash => "crash",
            FeedbackKind::Review => "review",
            FeedbackKind::Survey => "survey",
            FeedbackKind::Event => "event",
            FeedbackKind::Session => "session",
        }
    }
}

/// How a piece of a play ended, of events and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The player's figure died, or the level was lost.
    Death,
    /// The player stopped playing.
    Quit,
    /// The level, or what the event names, was reached or done.
    Done,
    /// The program broke.
    Crash,
}

impl Outcome {
    /// All outcomes, each at the place of its number in the index.
    pub const ALL: [Outcome; 4] = [Outcome::Death, Outcome::Quit, Outcome::Done, Outcome::Crash];

    /// Returns the name in records and commands.
    pub fn code(self) -> &'static str {
        match self {
            Outcome::Death => "death",
            Outcome::Quit => "quit",
            Outcome::Done => "done",
            Outcome::Crash => "crash",
        }
    }
}

/// What a source says that tells of which build it speaks, the best first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Clues {
    /// The stamp in the `gamevault.json` that was packaged with the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
    /// The engine's own id of the build: `build-guid` of Unity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// The fingerprint of the executable or the pack, as `gamevault fingerprint FILE` prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The build id of a store: `steam:1234567`, `itch:998`, or `1234567` where the store is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_build: Option<String>,
    /// A version, label or id as somebody or something wrote it: `v0.7.3`, `pkg@0.7.3+812`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Ids of executables and libraries: GUID and age of a PDB, build ids of ELF, UUIDs of Mach-O; hex in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub debug_ids: Vec<String>,
    /// Where the player has it from: the branch of a store, `beta`; with the record's time it tells what was live then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The build that the user gave for all that is imported and says nothing better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<BuildNumber>,
}

/// Where in the game it was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GamePlace {
    /// The level, map or scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The position in it, in the game's own units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<[f64; 3]>,
}

/// A file that came with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The name that the source gave it; no more than a name, without any `/`.
    pub name: String,
    /// Its path in the folder `attachments` of what was imported; `None` if the source named a file that was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its media type, if that is known: `image/png`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Where the source says that it is, when that is no file here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One piece of feedback.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedbackRecord {
    /// What it is.
    pub kind: FeedbackKind,
    /// Where it is from: `csv`, `steam`, `sentry`.
    pub source: String,
    /// The id that the source gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Of records without a source's id that are otherwise equal, how many came before this one in the same file.
    #[serde(skip_serializing_if = "is_zero")]
    pub occurrence: u32,
    /// When it was said or happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The source gave a time without its zone: `time` takes it as UTC.
    #[serde(skip_serializing_if = "is_false")]
    pub zone_unknown: bool,
    /// What tells of which build it speaks.
    #[serde(rename = "build", skip_serializing_if = "is_default")]
    pub clues: Clues,
    /// The platform it was played on: `windows`, `linux`, `macos`, `android`, `ios`, a console, or the source's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The system with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Who said or played it: a pseudonym, unless names are kept. Importers give the source's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
    /// The play that it belongs to, by the source's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// From 0, the worst, to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<f64>,
    /// How bad it is, in the source's word: `critical`, `major`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What became of it, in the source's word: `open`, `resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// One line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What was said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The language of the text, as the source names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Words to find it by, in lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where in the game.
    #[serde(rename = "where", skip_serializing_if = "is_default")]
    pub place: GamePlace,
    /// How far the player was, in the game's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// The name of an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// How what it tells of ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it took, in seconds: of a session, the play.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What crashes of one cause have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The stack of a crash: function, file and line of each frame, the innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    /// Everything else that the source said, by its own names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// The files that came with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The source's id of the record that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
}

impl FeedbackRecord {
    /// Makes an empty record.
    pub fn new(kind: FeedbackKind, source: &str) -> FeedbackRecord {
        FeedbackRecord { kind, source: source.into(), ..FeedbackRecord::default() }
    }

    /// Returns its id: that of what the source calls the same, or else of what it says.
    pub fn id(&self) -> RecordId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.source.as_bytes()).update(&[0]);
        match &self.source_id {
            Some(id) => {
                hasher.update(b"id\0").update(id.as_bytes());
            }
            None => {
                // What the importer makes of it may change with time; what was said does not.
                let said =
                    (&self.time, &self.player, &self.title, &self.text, &self.event, &self.fields, self.occurrence);
                let said = serde_json::to_vec(&said).expect("its keys are strings");
                hasher.update(b"said\0").update(&said);
            }
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        RecordId(id)
    }
}

/// The id of a record, the same in every vault that imports it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// Reads an id as it is shown, 32 hex digits.
    ///
    /// # Errors
    /// `Invalid` if it is none.
    pub fn parse(text: &str) -> Result<RecordId> {
        let bytes = HEXLOWER.decode(text.to_ascii_lowercase().as_bytes()).ok();
        let id = bytes.and_then(|bytes| bytes.try_into().ok()).map(RecordId);
        id.ok_or_else(|| Error::invalid(format!("\"{text}\" is no id of a record: these are 32 hex digits")))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

impl Serialize for RecordId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
