//! What is known of milestones: the records that packs keep and the catalogue indexes.

use crate::id::{BuildNumber, ChunkId};
use crate::manifest::Timestamp;
use crate::name::RefName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named reference to a build, with what people say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// Its name, unique when folded.
    pub name: RefName,
    /// Grows with every change of any milestone; the latest record of a name counts.
    pub serial: u64,
    /// The build it marks.
    pub build: BuildNumber,
    /// Since when it marks that build.
    pub created: Timestamp,
    /// A sentence on what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The serial that it had when it came to mark its build; `None` while it has that still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<u64>,
    /// When something was changed since it marks its build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// What sort of milestone it is: `alpha`, `vertical-slice`, `release` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Free keys and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Notes on it, in Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// It can neither be moved nor renamed nor removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// The builds that it marked before, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierBuild>,
    /// What the last reading of the whole build found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
}

/// A build that a milestone marked before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierBuild {
    /// The build.
    pub build: BuildNumber,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What was found when every byte of a build was read: enough to tell years later, in any folder, whether it is that build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The form of the certificate, 1.
    pub certificate: u32,
    /// The vault.
    pub vault: String,
    /// The milestone.
    pub milestone: RefName,
    /// The number of the build.
    pub build: BuildNumber,
    /// The id of the build.
    pub build_id: RefName,
    /// When the build was published.
    pub published: Timestamp,
    /// The root of the build's Merkle tree: the hash over names, kinds, modes, times and the hashes of all content.
    pub merkle_root: ChunkId,
    /// The BLAKE3 hash of the lines `f HASH PATH`, `l HASH PATH` and `d PATH` for every file (the hash of its bytes), link (of its
    /// target) and folder below the root, sorted by path, each with a line feed.
    pub content_hash: ChunkId,
    /// Regular files.
    pub files: u64,
    /// Folders, without the root.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// When it was read.
    pub verified: Timestamp,
    /// The program that read it, with its version.
    pub tool: String,
    /// The hash of the milestone's annotations: see [`Milestone::annotations_hash`].
    pub annotations_hash: ChunkId,
}

/// What people say of a milestone, in the form that is hashed.
#[derive(Serialize)]
struct Annotations<'a> {
    message: &'a Option<String>,
    kind: &'a Option<String>,
    tags: &'a [String],
    meta: &'a BTreeMap<String, String>,
    notes: &'a Option<String>,
}

impl Milestone {
    /// Makes a milestone that says nothing of the build that it marks.
    pub fn new(name: RefName, serial: u64, build: BuildNumber, created: Timestamp) -> Milestone {
        Milestone {
            name,
            serial,
            build,
            created,
            message: None,
            tags: Vec::new(),
            set: None,
            changed: None,
            kind: None,
            meta: BTreeMap::new(),
            notes: None,
            protected: false,
            earlier: Vec::new(),
            certificate: None,
        }
    }

    /// Returns a number that differs from those of all other milestones, and stays until it marks another build.
    pub fn set_serial(&self) -> u64 {
        self.set.unwrap_or(self.serial)
    }

    /// Returns when the record was written.
    pub fn recorded(&self) -> Timestamp {
        self.changed.unwrap_or(self.created)
    }

    /// Returns the BLAKE3 hash of what people say of it: of the JSON object with `message`, `kind`, `tags`, `meta` and
    /// `notes`, in this order, without spaces.
    pub fn annotations_hash(&self) -> ChunkId {
        let Milestone { message, kind, tags, meta, notes, .. } = self;
        let text = serde_json::to_vec(&Annotations { message, kind, tags, meta, notes });
        ChunkId::of(&text.expect("strings become JSON"))
    }
}
