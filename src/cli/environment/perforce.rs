//! What Perforce says of a folder.

use super::Variables;
use super::tool::run;
use gamevault::catalogue::Vcs;
use std::path::Path;

/// Asks `p4` about `folder`; `None` when nothing hints at Perforce, or the folder is in no client.
pub fn describe(folder: &Path, variables: &Variables, warnings: &mut Vec<String>) -> Option<Vcs> {
    if !is_used(folder, variables) {
        return None;
    }
    let mut ask = |arguments: &[&str]| run("p4", arguments, folder).map_err(|warning| warnings.push(warning)).ok();
    let info = ask(&["-ztag", "info"])?;
    let root = field(&info, "clientRoot")?;
    if !folder.starts_with(root) {
        return None;
    }
    let change = ask(&["-ztag", "changes", "-m1", "./...#have"]);
    Some(Vcs {
        kind: "perforce".to_owned(),
        repo: field(&info, "serverAddress").map(str::to_owned),
        revision: change.as_deref().and_then(|change| field(change, "change")).map(str::to_owned),
        branch: field(&info, "clientStream").map(str::to_owned),
        describe: None,
        // Telling whether files are open would ask the server about every file of the client.
        dirty: None,
        commits: Vec::new(),
    })
}

/// Tells whether the user has set up Perforce for this folder: only then a server is asked, which may be slow.
fn is_used(folder: &Path, variables: &Variables) -> bool {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty());
    set("P4CLIENT").is_some() || set("P4CONFIG").is_some_and(|name| super::has_upward(folder, name))
}

/// Returns a value from lines like `... clientRoot /home/me/game`.
fn field<'a>(tagged: &'a str, name: &str) -> Option<&'a str> {
    let value_of = |line: &'a str| line.strip_prefix("... ")?.strip_prefix(name)?.strip_prefix(' ');
    tagged.lines().find_map(value_of).map(str::trim_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = "... clientName me\n... clientRoot /home/me/the game\n... clientStream //game/main\n";
        assert_eq!(field(info, "clientRoot"), Some("/home/me/the game"));
        assert_eq!(field(info, "client"), None);
    }

    #[test]
    fn nothing_is_asked_without_a_sign_of_perforce() {
        let mut warnings = Vec::new();
        assert_eq!(describe(Path::new("/"), &Variables::new(), &mut warnings), None);
        assert!(warnings.is_empty());
    }
}
