//! Answers to what people ask of many records at once: rates, signatures and places, as plain data.

use super::Rate;
use crate::id::BuildNumber;
use serde::Serialize;

/// Among what crashes and tags are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Among {
    /// Plays: playtests, and what services tell of sessions.
    Sessions,
    /// Records of people and crashes, where no play is known.
    Reports,
}

/// How often something shows in a build, or on a platform.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RateOf {
    /// The build; nothing for a platform over all builds.
    pub build: Option<BuildNumber>,
    /// The platform, when it was asked for by platform; nothing where it is not known.
    pub platform: Option<String>,
    /// How often.
    #[serde(flatten)]
    pub rate: Rate,
    /// Among what.
    pub among: Among,
}

/// What became of a signature from one build to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureChange {
    /// It was in no build before.
    New,
    /// It is not in the old build, but was in one before that.
    Regressed,
    /// It is in both.
    Stays,
    /// It is not in the new build.
    Gone,
}

/// One signature in two builds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignatureRow {
    /// What became of it.
    pub change: SignatureChange,
    /// The signature.
    pub signature: String,
    /// How often in the old build.
    pub old: u64,
    /// How often in the new one.
    pub new: u64,
    /// Of what is gone: how probable it is that it does not show in the new build by chance alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_chance: Option<f64>,
}

/// How often something ended in a level, in one build or all, and in another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceRow {
    /// The level; nothing where records say none.
    pub level: Option<String>,
    /// How often.
    pub count: u64,
    /// How often in the build that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<u64>,
}
