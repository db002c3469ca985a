//! What is known of builds: the records that packs keep and the catalogue indexes; milestones and playtests have files of
//! their own.

use super::feedback::{Deployment, FeedbackBatch};
use super::{Milestone, Playtest};
use crate::id::BuildNumber;
use crate::manifest::{Attributes, Directory, Timestamp};
use crate::name::RefName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How sure it is that a build is all of what was meant to be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completeness {
    /// GameVault walked the source itself and saw every file at rest.
    Verified,
    /// Somebody said that the copy was complete, by a rename or a commit.
    Declared,
    /// Nobody said so, but every file was finished by the tool that wrote it, and nothing speaks against it.
    InferredStrong,
    /// Nobody said so, no file was finished as tools do that keep times, and nothing speaks against it.
    InferredWeak,
    /// Some files changed while they were read; they are named in [`Build::changed_while_read`].
    Incomplete,
}

/// A published build: a manifest with an id, a number and what is known of where it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Its number, which only grows.
    pub number: BuildNumber,
    /// Its id, unique when folded.
    pub id: RefName,
    /// When it was published.
    pub created: Timestamp,
    /// The root directory of its manifest.
    pub root: Directory,
    /// Mode, time and xattrs of the root directory itself.
    pub attributes: Attributes,
    /// Set when the build is one single file of this name, which stands alone in the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_file: Option<String>,
    /// How sure it is that nothing is missing.
    pub completeness: Completeness,
    /// Files that changed while they were read, with `Incomplete` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_while_read: Vec<String>,
    /// The build whose id it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Superseded>,
    /// The build that took its id. Its own record in a pack does not say so: the other one's does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<BuildNumber>,
    /// Bytes that its new chunks took in the store.
    pub stored_bytes: u64,
    /// What the user or the environment said of it.
    #[serde(flatten)]
    pub info: BuildInfo,
}

/// A build that lost its id to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Its number.
    pub build: BuildNumber,
    /// The id that it has since.
    pub id: RefName,
}

/// What the user or the environment says of a build; all of it optional.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildInfo {
    /// A name for people, such as a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The target platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// A sentence on what the build is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Free keys and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// The build it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BuildNumber>,
    /// The version control state of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcs: Option<Vcs>,
    /// The continuous integration job that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci: Option<Ci>,
    /// The machine that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The folder or session it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version of GameVault that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Entries of engine projects that are not in the build; the first of many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// An entry of an engine's project that was left out of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path in the source; that of a directory, which counts as one entry, ends in `/`.
    pub path: String,
    /// `unity`, `unreal` or `godot`.
    pub engine: String,
    /// `cache` or `never`.
    pub class: String,
}

/// The version control state of a source folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vcs {
    /// `git`, `perforce` or `plastic`.
    pub kind: String,
    /// Where the repository is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Commit, changelist or changeset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Branch or stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The nearest tag and the distance to it, as the tool describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub describe: Option<String>,
    /// Whether the working copy had changes that are not committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// Commits since the previous build, newest first, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<String>,
}

/// A continuous integration job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ci {
    /// `github`, `gitlab`, `jenkins`, `teamcity`, `azure`, `unity` or `unreal`.
    pub system: String,
    /// The system's own number of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Where to look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One record as a pack keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A build was published.
    Build(Box<Build>),
    /// A milestone was set.
    Milestone(Box<Milestone>),
    /// A milestone was removed.
    MilestoneRemoved {
        /// The name that is free again.
        name: RefName,
        /// As in [`Milestone::serial`].
        serial: u64,
        /// When it was removed.
        created: Timestamp,
    },
    /// A play was recorded.
    Playtest(Box<Playtest>),
    /// Feedback was imported.
    FeedbackBatch(Box<FeedbackBatch>),
    /// A build was deployed.
    Deployment(Box<Deployment>),
    /// A build was forgotten.
    BuildForgotten {
        /// Its number.
        build: BuildNumber,
        /// Grows with every forgetting and recalling of any build; the latest record of a build counts.
        serial: u64,
        /// When it was forgotten.
        created: Timestamp,
    },
    /// A forgotten build was brought back.
    BuildRecalled {
        /// Its number.
        build: BuildNumber,
        /// As in `BuildForgotten`.
        serial: u64,
        /// When it was recalled.
        created: Timestamp,
    },
    /// A forgotten build was removed: it cannot be brought back.
    BuildRemoved {
        /// Its number.
        build: BuildNumber,
        /// As in `BuildForgotten`.
        serial: u64,
        /// When it was removed.
        created: Timestamp,
    },
}
