//! Which build a record is about, and how that is known.

use crate::id::BuildNumber;
use serde::{Deserialize, Serialize};

/// How a record was found to be about a build, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkMethod {
    /// By the stamp that was packaged with the build.
    Stamp,
    /// By the engine's id of the build.
    EngineGuid,
    /// By the fingerprint of an executable or a pack.
    Fingerprint,
    /// By the number that a store gave the build.
    StoreBuild,
    /// By id, label or version, as they are.
    Version,
    /// By id, label or version, without what people add to them.
    NormalizedVersion,
    /// By the ids of executables and libraries.
    DebugId,
    /// By what was deployed at that time.
    Deployment,
    /// The user said so, of all that says nothing better.
    Given,
}

impl LinkMethod {
    /// All methods, each at the place of its number in the index.
    pub const ALL: [LinkMethod; 9] = [
        LinkMethod::Stamp,
        LinkMethod::EngineGuid,
        LinkMethod::Fingerprint,
        LinkMethod::StoreBuild,
        LinkMethod::Version,
        LinkMethod::NormalizedVersion,
        LinkMethod::DebugId,
        LinkMethod::Deployment,
        LinkMethod::Given,
    ];

    /// Returns the name in records and JSON.
    pub fn code(self) -> &'static str {
        match self {
            LinkMethod::Stamp => "stamp",
            LinkMethod::EngineGuid => "engine_guid",
            LinkMethod::Fingerprint => "fingerprint",
            LinkMethod::StoreBuild => "store_build",
            LinkMethod::Version => "version",
            LinkMethod::NormalizedVersion => "normalized_version",
            LinkMethod::DebugId => "debug_id",
            LinkMethod::Deployment => "deployment",
            LinkMethod::Given => "given",
        }
    }

    /// Returns how sure a link to one build is, in per cent.
    pub fn confidence(self) -> u8 {
        match self {
            LinkMethod::Stamp => 100,
            LinkMethod::EngineGuid | LinkMethod::Fingerprint => 98,
            LinkMethod::StoreBuild => 95,
            LinkMethod::Version => 90,
            LinkMethod::NormalizedVersion => 80,
            LinkMethod::DebugId => 70,
            LinkMethod::Deployment => 60,
            LinkMethod::Given => 50,
        }
    }
}

/// The builds that a record may be about: none, one, or several that nothing tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Link {
    /// The builds, by number.
    pub builds: Vec<BuildNumber>,
    /// How they were found; nothing without builds.
    pub method: Option<LinkMethod>,
}

impl Link {
    /// Returns the build, if it is one.
    pub fn build(&self) -> Option<BuildNumber> {
        match self.builds[..] {
            [build] => Some(build),
            _ => None,
        }
    }

    /// Returns how sure each of the builds is, in per cent.
    pub fn confidence(&self) -> u8 {
        let method = self.method.map_or(0, LinkMethod::confidence);
        method / self.builds.len().clamp(1, 100) as u8
    }
}
