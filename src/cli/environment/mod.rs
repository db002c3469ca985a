//! What the surroundings say of a build: continuous integration by its variables, version control by its tool.
//!
//! Nothing here fails a snapshot: what a tool cannot tell becomes a warning. Options of the command win over all of it.

mod ci;
mod git;
mod perforce;
mod plastic;
mod tool;
mod unity;

use gamevault::catalogue::{Build, Ci, Vcs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The environment variables of the process.
pub type Variables = BTreeMap<String, String>;

/// What was found around a source folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    /// The id that the build shall have.
    pub id: Option<String>,
    /// Free keys and values.
    pub meta: BTreeMap<String, String>,
    /// The version control state.
    pub vcs: Option<Vcs>,
    /// The job that runs.
    pub ci: Option<Ci>,
    /// What a tool could not tell, one sentence each.
    pub warnings: Vec<String>,
}

/// Looks around `source`; `builds` are the earlier ones, to tell the commits since then.
pub fn describe(source: &Path, variables: &Variables, builds: &[Build]) -> Surroundings {
    let mut found = ci::from_variables(variables);
    // The source may be one single file.
    let folder = if source.is_dir() { source } else { source.parent().unwrap_or(source) };
    let mut places = vec![folder.to_owned()];
    if found.ci.is_some() {
        // A job builds into folders outside of its checkout, but runs in it.
        places.extend(std::env::current_dir().ok());
    }
    if found.ci.as_ref().is_some_and(|ci| ci.system == "unity") {
        unity::add_revision(&places, &mut found);
    }
    let mut warnings = Vec::new();
    let local = places.iter().find_map(|place| {
        git::describe(place, builds, &mut warnings)
            .or_else(|| plastic::describe(place, &mut warnings))
            .or_else(|| perforce::describe(place, variables, &mut warnings))
    });
    found.warnings.append(&mut warnings);
    found.vcs = merge(found.vcs, local);
    found
}

/// Returns the commits between two builds, newest first, one line each, from the checkout in which one of them was made or from
/// that around the current folder; `None` when there is none that knows both revisions.
pub fn commits_between(old: &Build, new: &Build) -> Option<Vec<String>> {
    let revision = |build: &Build| build.info.vcs.as_ref().filter(|vcs| vcs.kind == "git")?.revision.clone();
    let (was, is) = (revision(old)?, revision(new)?);
    let sources = [new, old].into_iter().filter_map(|build| build.info.source.as_ref()).map(PathBuf::from);
    let places = sources.filter(|place| place.is_absolute() && place.is_dir()).chain(std::env::current_dir().ok());
    places.into_iter().find_map(|place| git::commits_between(&place, &was, &is))
}

/// Returns the name of this machine.
pub fn host_name(variables: &Variables) -> Option<String> {
    #[cfg(unix)]
    if let Ok(name) = nix::unistd::gethostname() {
        return Some(name.to_string_lossy().into_owned());
    }
    variables.get("COMPUTERNAME").or_else(|| variables.get("HOSTNAME")).cloned()
}

/// Completes what a job says by what the tool says of the same revision.
fn merge(job: Option<Vcs>, local: Option<Vcs>) -> Option<Vcs> {
    let (mut job, local) = match (job, local) {
        (Some(job), Some(local)) => (job, local),
        (job, local) => return job.or(local),
    };
    if job.kind == ci::UNKNOWN_KIND {
        job.kind.clone_from(&local.kind);
    }
    if job.kind != local.kind {
        return Some(job);
    }
    let same_revision = job.revision.is_none() || job.revision == local.revision;
    job.repo = job.repo.or(local.repo);
    if same_revision {
        job.revision = local.revision;
        job.branch = job.branch.or(local.branch);
        job.describe = local.describe;
        job.dirty = local.dirty;
        job.commits = local.commits;
    }
    Some(job)
}

/// Tells whether `folder`, or one above it, holds `name`.
fn has_upward(folder: &Path, name: &str) -> bool {
    folder.ancestors().any(|ancestor| ancestor.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(revision: &str, branch: Option<&str>, dirty: Option<bool>) -> Vcs {
        let (revision, branch) = (Some(revision.to_owned()), branch.map(str::to_owned));
        Vcs { kind: "git".into(), repo: None, revision, branch, describe: None, dirty, commits: Vec::new() }
    }

    #[test]
    fn the_tool_completes_what_the_job_says() {
        let merged = merge(Some(git("a1", Some("main"), None)), Some(git("a1", None, Some(true))));
        assert_eq!(merged, Some(git("a1", Some("main"), Some(true))));
    }

    #[test]
    fn the_job_wins_over_another_checkout() {
        let merged = merge(Some(git("a1", Some("main"), None)), Some(git("b2", Some("side"), Some(true))));
        assert_eq!(merged, Some(git("a1", Some("main"), None)));
    }
}
