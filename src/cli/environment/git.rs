//! What git says of a folder.

use super::tool::run;
use gamevault::catalogue::{Build, Vcs};
use std::path::Path;

/// The most commits since the previous build that are recorded.
const MAX_COMMITS: &str = "--max-count=50";

/// The most commits between two builds that are told.
const MAX_BETWEEN: &str = "--max-count=1000";

/// Asks git about `folder`; `None` when it is in no checkout, or git cannot tell its revision.
pub fn describe(folder: &Path, builds: &[Build], warnings: &mut Vec<String>) -> Option<Vcs> {
    if !super::has_upward(folder, ".git") {
        return None;
    }
    let mut ask = |arguments: &[&str]| run("git", arguments, folder).map_err(|warning| warnings.push(warning)).ok();
    let revision = ask(&["rev-parse", "--verify", "HEAD"])?;
    let describe = ask(&["describe", "--tags", "--always", "--dirty"]);
    // These two fail, rightly, on a detached head and in a repository without remotes.
    let branch = run("git", &["symbolic-ref", "--quiet", "--short", "HEAD"], folder).ok();
    let repo = run("git", &["config", "--get-regexp", r"^remote\..*\.url$"], folder).ok();
    let repo = repo.and_then(|remotes| main_remote(&remotes));
    let since = previous_revision(builds, repo.as_deref()).filter(|previous| *previous != revision);
    let commits = since.and_then(|since| {
        let range = format!("{since}..HEAD");
        // A shallow clone does not know the previous revision; then there is nothing to tell.
        run("git", &["log", "--format=%h %s", MAX_COMMITS, &range, "--"], folder).ok()
    });
    Some(Vcs {
        kind: "git".to_owned(),
        repo,
        revision: Some(revision),
        branch,
        dirty: describe.as_ref().map(|describe| describe.ends_with("-dirty")),
        describe,
        commits: commits.map(|commits| commits.lines().map(str::to_owned).collect()).unwrap_or_default(),
    })
}

/// Returns the commits that revision `new` has and `old` has not, newest first, one line each; `None` when the checkout around
/// `folder` does not know both.
pub fn commits_between(folder: &Path, old: &str, new: &str) -> Option<Vec<String>> {
    // They come from records, and must not pass for options.
    let is_revision = |revision: &str| !revision.is_empty() && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_revision(old) || !is_revision(new) || !super::has_upward(folder, ".git") {
        return None;
    }
    let log = run("git", &["log", "--format=%h %s", MAX_BETWEEN, &format!("{old}..{new}"), "--"], folder).ok()?;
    Some(log.lines().map(str::to_owned).collect())
}

/// Returns `url` without a password or token in it.
///
/// The user of ssh stays: it is part of the address, and no secret. That of http may be a token.
pub fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let Some((user_info, host)) = authority.rsplit_once('@') else { return url.to_owned() };
    let user = user_info.split(':').next().unwrap_or_default();
    match scheme.starts_with("http") || user.is_empty() {
        true => format!("{scheme}://{host}{path}"),
        false => format!("{scheme}://{user}@{host}{path}"),
    }
}

/// Returns the url of `origin`, else that of the first remote, from lines like `remote.origin.url https://…`.
fn main_remote(remotes: &str) -> Option<String> {
    let remotes: Vec<(&str, &str)> = remotes.lines().filter_map(|line| line.split_once(' ')).collect();
    let origin = remotes.iter().find(|(key, _)| *key == "remote.origin.url");
    origin.or(remotes.first()).map(|(_, url)| without_secrets(url))
}

/// Returns the revision of the newest build of the same repository.
fn previous_revision(builds: &[Build], repo: Option<&str>) -> Option<String> {
    let vcs = builds.iter().rev().filter_map(|build| build.info.vcs.as_ref());
    let same = |vcs: &&Vcs| vcs.kind == "git" && vcs.repo.as_deref() == repo;
    vcs.filter(same).find_map(|vcs| vcs.revision.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets_alone() {
        for (url, shown) in [
            ("https://me:pass@example.org/game.git", "https://example.org/game.git"),
            ("https://TOKEN@example.org/a@b", "https://example.org/a@b"),
            ("ssh://git:pass@example.org:22/game", "ssh://git@example.org:22/game"),
            ("git@example.org:me/game.git", "git@example.org:me/game.git"),
            ("https://example.org/game", "https://example.org/game"),
            ("/srv/game.git", "/srv/game.git"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn origin_is_the_main_remote() {
        let remotes = "remote.backup.url /srv/b\nremote.origin.url https://u:p@example.org/g\n";
        assert_eq!(main_remote(remotes).as_deref(), Some("https://example.org/g"));
        assert_eq!(main_remote("remote.backup.url /srv/b").as_deref(), Some("/srv/b"));
        assert_eq!(main_remote(""), None);
    }
}
