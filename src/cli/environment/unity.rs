//! The revision that Unity Build Automation writes into the project, where its variables do not tell it.

use super::Surroundings;
use gamevault::catalogue::Vcs;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Below the project's folder; Unity's own tools look for either name.
const MANIFESTS: [&str; 2] = [
    "Assets/__UnityCloud__/Resources/UnityCloudBuildManifest.json",
    "Assets/__UnityCloud__/Resources/UnityCloudBuildManifest.json.txt",
];

/// Adds the revision of the first manifest found in or above `places`, unless one is known.
pub fn add_revision(places: &[PathBuf], found: &mut Surroundings) {
    if found.vcs.is_some() {
        return;
    }
    let manifest = places.iter().flat_map(|place| place.ancestors()).find_map(read_manifest);
    found.vcs = manifest.as_ref().and_then(revision_of);
}

fn read_manifest(folder: &Path) -> Option<Value> {
    let bytes = MANIFESTS.iter().find_map(|manifest| std::fs::read(folder.join(manifest)).ok())?;
    serde_json::from_slice(&bytes).ok()
}

fn revision_of(manifest: &Value) -> Option<Vcs> {
    let text = |key: &str| manifest[key].as_str().filter(|value| !value.is_empty()).map(str::to_owned);
    let revision = text("scmCommitId")?;
    let kind = super::ci::kind_of(&revision).to_owned();
    let branch = text("scmBranch");
    Some(Vcs { kind, repo: None, revision: Some(revision), branch, describe: None, dirty: None, commits: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_manifest_tells_commit_and_branch() {
        let vcs = revision_of(&json!({ "scmCommitId": "17", "scmBranch": "main", "buildNumber": "4" })).unwrap();
        assert_eq!((vcs.revision.as_deref(), vcs.branch.as_deref()), (Some("17"), Some("main")));
        assert_eq!(revision_of(&json!({})), None);
    }
}
