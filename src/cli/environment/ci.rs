//! What continuous integration systems tell by environment variables, as one table.

use super::{Surroundings, Variables};
use gamevault::catalogue::{Ci, Vcs};

/// The kind of version control while nothing tells it.
pub const UNKNOWN_KIND: &str = "unknown";

/// Variables of this prefix are free keys and values.
const META_PREFIX: &str = "GAMEVAULT_META_";

/// How one system tells what it does.
///
/// A template is text with `{VARIABLE}`s, and counts only when all of them are set. Of several, the first counts.
struct System {
    name: &'static str,
    /// The system is there when all of these are set.
    detected_by: &'static [&'static str],
    /// Templates, each with the kind of version control that it belongs to.
    revision: &'static [(&'static str, &'static str)],
    build: &'static [&'static str],
    url: &'static [&'static str],
    branch: &'static [&'static str],
    repo: &'static [&'static str],
}

/// A job may run under two systems (Unreal's tool in Jenkins): the first row counts, later ones fill its gaps.
const SYSTEMS: [System; 7] = [
    System {
        name: "github",
        detected_by: &["GITHUB_ACTIONS"],
        revision: &[("{GITHUB_SHA}", "git")],
        build: &["{GITHUB_RUN_NUMBER}"],
        url: &["{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"],
        branch: &["{GITHUB_REF_NAME}"],
        repo: &["{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}"],
    },
    System {
        name: "gitlab",
        detected_by: &["GITLAB_CI"],
        revision: &[("{CI_COMMIT_SHA}", "git")],
        build: &["{CI_PIPELINE_IID}"],
        url: &["{CI_JOB_URL}"],
        branch: &["{CI_COMMIT_REF_NAME}"],
        repo: &["{CI_PROJECT_URL}"],
    },
    System {
        name: "jenkins",
        detected_by: &["JENKINS_URL"],
        revision: &[("{GIT_COMMIT}", "git"), ("{P4_CHANGELIST}", "perforce"), ("{SVN_REVISION}", "svn")],
        build: &["{BUILD_NUMBER}"],
        url: &["{BUILD_URL}"],
        branch: &["{BRANCH_NAME}", "{GIT_BRANCH}"],
        repo: &["{GIT_URL}", "{SVN_URL}"],
    },
    System {
        name: "teamcity",
        detected_by: &["TEAMCITY_VERSION"],
        revision: &[("{BUILD_VCS_NUMBER}", UNKNOWN_KIND)],
        build: &["{BUILD_NUMBER}"],
        url: &["{BUILD_URL}"],
        branch: &[],
        repo: &[],
    },
    System {
        name: "azure",
        detected_by: &["TF_BUILD"],
        revision: &[("{BUILD_SOURCEVERSION}", UNKNOWN_KIND)],
        build: &["{BUILD_BUILDNUMBER}"],
        url: &["{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}"],
        branch: &["{BUILD_SOURCEBRANCHNAME}"],
        repo: &["{BUILD_REPOSITORY_URI}"],
    },
    System {
        name: "unity",
        detected_by: &["UNITY_VERSION", "BUILD_TARGET"],
        revision: &[("{GIT_COMMIT}", "git")],
        build: &["{BUILD_NUMBER}"],
        url: &[],
        branch: &["{GIT_BRANCH}"],
        repo: &[],
    },
    System {
        name: "unreal",
        detected_by: &["uebp_LOCAL_ROOT"],
        revision: &[("{uebp_CL}", "perforce"), ("{uebp_CodeCL}", "perforce")],
        build: &["{UE_HORDE_JOBID}"],
        url: &[],
        branch: &["{uebp_BuildRoot_P4}"],
        repo: &[],
    },
];

/// Returns all that `variables` say of the build and of the job that makes it.
pub fn from_variables(variables: &Variables) -> Surroundings {
    let mut found = Surroundings { id: value(variables, "GAMEVAULT_BUILD_ID"), ..Surroundings::default() };
    for (name, value) in variables {
        if let Some(key) = name.strip_prefix(META_PREFIX).filter(|key| !key.is_empty()) {
            found.meta.insert(key.to_ascii_lowercase(), value.clone());
        }
    }
    for system in &SYSTEMS {
        if system.detected_by.iter().all(|name| value(variables, name).is_some()) {
            add(system, variables, &mut found);
        }
    }
    found
}

fn add(system: &System, variables: &Variables, found: &mut Surroundings) {
    let first = |templates: &[&str]| templates.iter().find_map(|template| fill(template, variables));
    let ci = found.ci.get_or_insert_with(|| Ci { system: system.name.to_owned(), build: None, url: None });
    fill_gap(&mut ci.build, first(system.build));
    fill_gap(&mut ci.url, first(system.url));
    let revision = system.revision.iter().find_map(|(template, kind)| Some((fill(template, variables)?, *kind)));
    let Some((revision, kind)) = revision else { return };
    // A second system talks of the same checkout only when it has none of its own.
    if found.vcs.is_none() {
        let kind = if kind == UNKNOWN_KIND { kind_of(&revision) } else { kind };
        found.vcs = Some(Vcs {
            kind: kind.to_owned(),
            repo: first(system.repo).map(|repo| super::git::without_secrets(&repo)),
            revision: Some(revision),
            branch: first(system.branch),
            describe: None,
            dirty: None,
            commits: Vec::new(),
        });
    }
}

/// Tells git's revisions, 40 or 64 hexadecimal digits, from all others.
pub fn kind_of(revision: &str) -> &'static str {
    let hexadecimal = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && matches!(revision.len(), 40 | 64) { "git" } else { UNKNOWN_KIND }
}

fn fill_gap(gap: &mut Option<String>, value: Option<String>) {
    if gap.is_none() {
        *gap = value;
    }
}

fn value(variables: &Variables, name: &str) -> Option<String> {
    variables.get(name).filter(|value| !value.is_empty()).cloned()
}

/// Puts the values into a template; `None` when one of its variables is not set.
fn fill(template: &str, variables: &Variables) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        text.push_str(&value(variables, name)?);
        rest = after;
    }
    Some(text + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn found(pairs: &[(&str, &str)]) -> Surroundings {
        from_variables(&pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    /// Returns system, build, url, kind, revision, branch.
    fn facts(found: &Surroundings) -> [&str; 6] {
        let (ci, vcs) = (found.ci.as_ref().unwrap(), found.vcs.as_ref().unwrap());
        fn text(value: &Option<String>) -> &str {
            value.as_deref().unwrap_or("-")
        }
        [&ci.system, text(&ci.build), text(&ci.url), &vcs.kind, text(&vcs.revision), text(&vcs.branch)]
    }

    #[test]
    fn github_actions_is_recorded() {
        let found = found(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", SHA),
            ("GITHUB_RUN_NUMBER", "12"),
            ("GITHUB_RUN_ID", "999"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "me/game"),
            ("GITHUB_REF_NAME", "main"),
        ]);
        assert_eq!(facts(&found), ["github", "12", "https://github.com/me/game/actions/runs/999", "git", SHA, "main"]);
        assert_eq!(found.vcs.unwrap().repo.as_deref(), Some("https://github.com/me/game"));
    }

    #[test]
    fn gitlab_is_recorded() {
        let found = found(&[
            ("GITLAB_CI", "true"),
            ("CI_COMMIT_SHA", SHA),
            ("CI_PIPELINE_IID", "7"),
            ("CI_JOB_URL", "https://gitlab/j/1"),
            ("CI_COMMIT_REF_NAME", "dev"),
        ]);
        assert_eq!(facts(&found), ["gitlab", "7", "https://gitlab/j/1", "git", SHA, "dev"]);
    }

    #[test]
    fn jenkins_tells_the_kind_of_its_revision() {
        let job =
            [("JENKINS_URL", "http://j"), ("BUILD_NUMBER", "5"), ("BUILD_URL", "http://j/5"), ("BRANCH_NAME", "b")];
        for (variable, kind) in [("GIT_COMMIT", "git"), ("P4_CHANGELIST", "perforce"), ("SVN_REVISION", "svn")] {
            let found = found(&[&job[..], &[(variable, "42")]].concat());
            assert_eq!(facts(&found), ["jenkins", "5", "http://j/5", kind, "42", "b"]);
        }
    }

    #[test]
    fn teamcity_and_azure_are_recorded() {
        let teamcity = found(&[("TEAMCITY_VERSION", "2026"), ("BUILD_VCS_NUMBER", SHA), ("BUILD_NUMBER", "3")]);
        assert_eq!(facts(&teamcity), ["teamcity", "3", "-", "git", SHA, "-"]);
        let azure = found(&[
            ("TF_BUILD", "True"),
            ("BUILD_SOURCEVERSION", "4711"),
            ("BUILD_BUILDNUMBER", "2026.1"),
            ("BUILD_SOURCEBRANCHNAME", "main"),
        ]);
        assert_eq!(facts(&azure), ["azure", "2026.1", "-", "unknown", "4711", "main"]);
    }

    #[test]
    fn unity_needs_both_of_its_variables() {
        let half = found(&[("UNITY_VERSION", "6000"), ("GIT_COMMIT", SHA)]);
        assert_eq!((half.ci, half.vcs), (None, None));
        let both = found(&[
            ("UNITY_VERSION", "6000"),
            ("BUILD_TARGET", "android"),
            ("GIT_COMMIT", SHA),
            ("BUILD_NUMBER", "8"),
            ("GIT_BRANCH", "origin/main"),
        ]);
        assert_eq!(facts(&both), ["unity", "8", "-", "git", SHA, "origin/main"]);
    }

    #[test]
    fn unreal_is_recorded_alone_and_fills_the_gaps_of_jenkins() {
        let unreal = [("uebp_LOCAL_ROOT", "/ue"), ("uebp_CodeCL", "99"), ("uebp_BuildRoot_P4", "//ue/main")];
        let alone = found(&[&unreal[..], &[("uebp_CL", "100"), ("UE_HORDE_JOBID", "h1")]].concat());
        assert_eq!(facts(&alone), ["unreal", "h1", "-", "perforce", "100", "//ue/main"]);
        let both = found(&[&unreal[..], &[("JENKINS_URL", "http://j"), ("BUILD_NUMBER", "5")]].concat());
        assert_eq!(facts(&both), ["jenkins", "5", "-", "perforce", "99", "//ue/main"]);
    }

    #[test]
    fn own_variables_give_id_and_meta() {
        let found =
            found(&[("GAMEVAULT_BUILD_ID", "0.7.3"), ("GAMEVAULT_META_Engine", "godot"), ("GAMEVAULT_META_", "x")]);
        assert_eq!(found.id.as_deref(), Some("0.7.3"));
        assert_eq!(found.meta, [("engine".to_owned(), "godot".to_owned())].into());
        assert_eq!(found.ci, None);
    }

    #[test]
    fn empty_variables_count_as_unset() {
        assert_eq!(found(&[("GITHUB_ACTIONS", ""), ("GAMEVAULT_BUILD_ID", "")]), Surroundings::default());
    }
}
