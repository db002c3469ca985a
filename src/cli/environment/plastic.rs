//! What Plastic SCM (Unity Version Control) says of a folder.

use super::tool::run;
use gamevault::catalogue::Vcs;
use std::path::Path;

/// Unlike blanks, it stands in no name.
const SEPARATOR: char = ';';

/// Asks `cm` about `folder`; `None` when it is in no workspace.
pub fn describe(folder: &Path, warnings: &mut Vec<String>) -> Option<Vcs> {
    if !super::has_upward(folder, ".plastic") {
        return None;
    }
    let mut ask = |arguments: &[&str]| run("cm", arguments, folder).map_err(|warning| warnings.push(warning)).ok();
    let status = ask(&["status", "--machinereadable", "--fieldseparator=;"])?;
    let workspace = ask(&["workspaceinfo"]);
    parse(&status, workspace.as_deref().unwrap_or_default())
}

/// Reads `STATUS;changeset;repository;server` with a line for each change below, and `Branch /main@…`.
fn parse(status: &str, workspace: &str) -> Option<Vcs> {
    let mut lines = status.lines().skip_while(|line| !line.starts_with("STATUS"));
    let mut header = lines.next()?.split(SEPARATOR).skip(1).map(str::trim).filter(|part| !part.is_empty());
    let (changeset, repository, server) = (header.next()?, header.next(), header.next());
    let branch = workspace.lines().find_map(|line| line.strip_prefix("Branch "));
    let branch = branch.map(|branch| branch.split('@').next().unwrap_or(branch).trim());
    Some(Vcs {
        kind: "plastic".to_owned(),
        repo: repository
            .map(|repository| server.map_or(repository.to_owned(), |server| format!("{repository}@{server}"))),
        revision: Some(changeset.to_owned()),
        branch: branch.map(str::to_owned),
        describe: None,
        dirty: Some(lines.any(|line| !line.trim().is_empty())),
        commits: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_workspace_are_read() {
        let vcs = parse(
            "STATUS;41;my game;localhost:8087\nCH;/g/a.txt;False\n",
            "Branch /main/task@my game@localhost:8087\n",
        );
        let vcs = vcs.unwrap();
        assert_eq!(vcs.revision.as_deref(), Some("41"));
        assert_eq!(vcs.repo.as_deref(), Some("my game@localhost:8087"));
        assert_eq!((vcs.branch.as_deref(), vcs.dirty), (Some("/main/task"), Some(true)));
    }

    #[test]
    fn a_clean_workspace_is_not_dirty() {
        assert_eq!(parse("STATUS;41;g;s\n", "").unwrap().dirty, Some(false));
        assert_eq!(parse("no workspace here", ""), None);
    }
}
