//! Which vault a command uses when its user names none.

use super::environment::Variables;
use gamevault::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A folder of this name beside a game's sources is its vault.
const LOCAL_VAULT: &str = ".gamevault";

/// Returns the vault that was `named`, else the one found upward from `current`, else the `default` one.
///
/// # Errors
/// `NotFound` with all places that were looked at.
pub fn locate(
    named: Option<PathBuf>,
    current: Option<&Path>,
    default: Option<PathBuf>,
    is_vault: &dyn Fn(&Path) -> bool,
) -> Result<PathBuf> {
    if let Some(named) = named {
        return if is_vault(&named) { Ok(absolute(named)) } else { Err(no_vault_in(&named)) };
    }
    let mut places = Vec::new();
    if let Some(current) = current {
        if let Some(found) = find_upward(current, is_vault) {
            return Ok(found);
        }
        places.push(format!("{} and every folder above it", current.display()));
    }
    if let Some(default) = default {
        if is_vault(&default) {
            return Ok(default);
        }
        places.push(format!("{} (the default vault)", default.display()));
    }
    let message = format!("found no vault: looked at --vault and $GAMEVAULT_VAULT (not given), {}", places.join(", "));
    Err(Error::not_found(message)
        .with_hint("make the default vault with `gamevault init`, or name one with --vault DIR"))
}

/// Returns where the user's default vault is, whether it exists or not; `None` when the user has no home.
pub fn default_vault(variables: &Variables) -> Option<PathBuf> {
    let path = |name: &str| variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data_home = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        // The base directory specification: a relative XDG_DATA_HOME counts as none.
        let named = path("XDG_DATA_HOME").filter(|named| named.is_absolute());
        named.or_else(|| path("HOME").map(|home| home.join(".local/share")))
    };
    data_home.map(|data_home| data_home.join("gamevault").join("default"))
}

/// Returns `path` seen from the root, though nothing may be there.
pub fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn find_upward(current: &Path, is_vault: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let candidates = current.ancestors().flat_map(|folder| [folder.to_owned(), folder.join(LOCAL_VAULT)]);
    candidates.into_iter().find(|candidate| is_vault(candidate))
}

fn no_vault_in(dir: &Path) -> Error {
    let fact = if dir.exists() { "it holds no vault" } else { "there is nothing" };
    let message = format!("cannot use {} (given by --vault or $GAMEVAULT_VAULT): {fact}", dir.display());
    Error::not_found(message).with_hint(format!("make a vault there with `gamevault init {}`", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gamevault::error::ErrorKind;

    fn locate_among(vaults: &[&str], named: Option<&str>) -> Result<PathBuf> {
        let is_vault = |dir: &Path| vaults.iter().any(|vault| Path::new(vault) == dir);
        locate(named.map(PathBuf::from), Some(Path::new("/game/src")), Some("/home/me/default".into()), &is_vault)
    }

    #[test]
    fn the_nearest_vault_upward_comes_before_the_default() {
        let vaults = ["/game/.gamevault", "/", "/home/me/default"];
        assert_eq!(locate_among(&vaults, None).unwrap(), Path::new("/game/.gamevault"));
        assert_eq!(locate_among(&["/home/me/default"], None).unwrap(), Path::new("/home/me/default"));
    }

    #[test]
    fn a_named_vault_is_never_replaced_by_another() {
        let error = locate_among(&["/game", "/home/me/default"], Some("/typo")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("/typo"));
    }

    #[test]
    fn an_error_names_all_places_and_the_way_out() {
        let error = locate_among(&[], None).unwrap_err();
        for place in ["--vault", "GAMEVAULT_VAULT", "/game/src", "/home/me/default"] {
            assert!(error.message().contains(place), "{place}: {error}");
        }
        assert!(error.hint().unwrap().contains("gamevault init"));
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_default_vault_follows_the_base_directories() {
        let variables = |pairs: &[(&str, &str)]| -> Variables {
            pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
        };
        let both = variables(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]);
        assert_eq!(default_vault(&both).unwrap(), Path::new("/d/gamevault/default"));
        let home = variables(&[("HOME", "/h"), ("XDG_DATA_HOME", "relative")]);
        assert_eq!(default_vault(&home).unwrap(), Path::new("/h/.local/share/gamevault/default"));
        assert_eq!(default_vault(&variables(&[])), None);
    }
}
