//! Rules that a project declares itself: which files hold the settings of all targets, and which those of one.
//!
//! `gamevault.toml` beside them says so; the format is in `docs/platform-settings.md`.

use super::{Merge, Rules};
use crate::error::Result;
use crate::platform::formats::{Format, Parsed};
use crate::platform::layout::{Files, Finder, join_path};
use crate::platform::targets::slug;
use crate::platform::{MAX_DEPTH, Target};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The file that declares rules.
pub(in crate::platform) const RULES_FILE: &str = "gamevault.toml";

/// The most groups of files, of paths in one, and of signs that stand for anything in a name: all of them are tried.
const MAX_CONFIGS: usize = 64;
const MAX_WILD: usize = 2;

/// Stands for the target in the paths of files.
const TARGET: &str = "{target}";

#[derive(Deserialize)]
struct RulesFile {
    platforms: Option<Declared>,
}

/// What a project declares.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    /// Targets that are known though no file is theirs.
    #[serde(default)]
    targets: Vec<String>,
    /// For a target the name that stands for it in paths.
    #[serde(default)]
    names: BTreeMap<String, String>,
    #[serde(default)]
    config: Vec<Config>,
}

/// Files that are laid over each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Stands before the keys; by default the name of the first file, without its ending.
    name: Option<String>,
    /// By default, what the ending says.
    format: Option<String>,
    /// Paths of files for all targets, lowest first; `*` stands for anything but `/`.
    #[serde(default)]
    base: Vec<String>,
    /// Paths of files for one target, which `{target}` stands for.
    #[serde(default)]
    platform: Vec<String>,
}

/// Returns the rules that a file declares; `None` if it is about other things.
///
/// # Errors
/// In words, what is wrong with it.
pub(in crate::platform) fn declared(bytes: &[u8]) -> std::result::Result<Option<Box<dyn Rules>>, String> {
    let file: RulesFile = toml::from_slice(bytes).map_err(|error| error.message().to_owned())?;
    let Some(declared) = file.platforms else { return Ok(None) };
    let is_long = |config: &Config| config.base.len() + config.platform.len() > MAX_CONFIGS;
    if declared.config.len() > MAX_CONFIGS || declared.config.iter().any(is_long) {
        return Err(format!("more than {MAX_CONFIGS} groups of files, or of paths in one"));
    }
    for config in &declared.config {
        for path in config.base.iter().chain(&config.platform) {
            let wild = |part: &str| part.matches('*').count() + part.matches(TARGET).count();
            if path.split('/').any(|part| wild(part) > MAX_WILD) {
                return Err(format!("\"{path}\" has more than {MAX_WILD} of * and {TARGET} in one name"));
            }
            let parts = path.split('/').count();
            if parts > MAX_DEPTH || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("\"{path}\" is no path below the project"));
            }
        }
        if let Some(path) = config.platform.iter().find(|path| !path.contains(TARGET)) {
            return Err(format!("\"{path}\" is a platform's, but has no {TARGET}"));
        }
        if let Some(format) = config.format.as_ref().filter(|format| Format::named(format).is_none()) {
            return Err(format!(
                "\"{format}\" is no format: it is ini, json, yaml, toml, xml, plist, properties or env"
            ));
        }
    }
    Ok(Some(Box::new(declared)))
}

impl Declared {
    /// Returns the target that `name` in a path is.
    fn target(&self, name: &str) -> Option<Target> {
        let declared = self.names.iter().find(|(_, in_paths)| *in_paths == name).map(|(target, _)| target.as_str());
        Target::new(declared.unwrap_or(name)).ok()
    }
}

impl Rules for Declared {
    fn name(&self) -> &'static str {
        "declared"
    }

    fn find(&self, finder: &mut Finder<'_>) -> Result<()> {
        for pattern in self.config.iter().flat_map(|config| config.base.iter().chain(&config.platform)) {
            let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
            for folder in folders_like(finder, folder)? {
                finder.take(&folder, |file| like(name, file, &mut None))?;
            }
        }
        Ok(())
    }

    fn targets(&self, files: &Files<'_>) -> Result<Vec<Target>> {
        let declared = self.targets.iter().chain(self.names.keys());
        let mut targets: Vec<Target> = declared.filter_map(|name| Target::new(name).ok()).collect();
        for pattern in self.config.iter().flat_map(|config| &config.platform) {
            targets.extend(matching(files, pattern).filter_map(|(_, name)| self.target(&name?)));
        }
        Ok(targets)
    }

    fn merge(&self, files: &Files<'_>, target: &Target, merge: &mut Merge) -> Result<()> {
        for config in &self.config {
            let base = config.base.iter().flat_map(|pattern| matching(files, pattern).map(|(path, _)| (path, "base")));
            let platform = config.platform.iter().flat_map(|pattern| {
                let own = matching(files, pattern)
                    .filter(|(_, name)| name.as_deref().and_then(|name| self.target(name)).as_ref() == Some(target));
                own.map(|(path, _)| (path, "platform"))
            });
            for (path, layer) in base.chain(platform) {
                let format = config.format.as_deref().map_or_else(|| Format::of(path), Format::named);
                let Some(format) = format else {
                    merge
                        .warnings
                        .push(format!("{path} has no ending that tells its format: say `format` in {RULES_FILE}"));
                    continue;
                };
                if let Some((file, parsed)) = files.parsed(path, format)?
                    && let Parsed::Flat(flat) = &*parsed
                {
                    merge.add_flat(&config.key(), &file, &layer.into(), flat);
                }
            }
        }
        Ok(())
    }
}

impl Config {
    /// Returns what stands before the keys.
    fn key(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let first = self.base.first().or_else(|| self.platform.first()).map_or("", String::as_str);
        let name = first.rsplit('/').next().unwrap_or(first).replace(TARGET, "").replace('*', "");
        let name = name.trim_matches('.');
        slug(name.rsplit_once('.').map_or(name, |(stem, _)| stem))
    }
}

/// Returns the folders whose paths are like `pattern`.
fn folders_like(finder: &mut Finder<'_>, pattern: &str) -> Result<Vec<String>> {
    let mut folders = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut below = Vec::new();
        for folder in &folders {
            match part.contains(['*', '{']) {
                false => below.push(join_path(folder, part)),
                true => below.extend(
                    finder
                        .folders_in(folder)?
                        .iter()
                        .filter(|name| like(part, name, &mut None))
                        .map(|name| join_path(folder, name)),
                ),
            }
        }
        folders = below;
    }
    Ok(folders)
}

/// Returns the files whose paths are like `pattern`, each with what stands for the target in it.
fn matching<'a>(files: &'a Files<'_>, pattern: &'a str) -> impl Iterator<Item = (&'a str, Option<String>)> {
    let fixed = &pattern[..pattern.find(['*', '{']).unwrap_or(pattern.len())];
    files.below(fixed).filter_map(move |path| {
        let mut target = None;
        let same_depth = path.split('/').count() == pattern.split('/').count();
        let is_like =
            same_depth && path.split('/').zip(pattern.split('/')).all(|(name, part)| like(part, name, &mut target));
        is_like.then_some((path, target))
    })
}

/// Tells whether `name` is like `pattern`; `target` is what stands for the target, the same wherever it does.
fn like(pattern: &str, name: &str, target: &mut Option<String>) -> bool {
    let Some(at) = pattern.find(['*', '{']) else { return pattern == name };
    let Some(rest) = name.strip_prefix(&pattern[..at]) else { return false };
    let wild = &pattern[at..];
    let (is_target, after) = match wild.strip_prefix(TARGET) {
        Some(after) => (true, after),
        None if wild.starts_with('{') => return rest.starts_with('{') && like(&wild[1..], &rest[1..], target),
        None => (false, &wild[1..]),
    };
    if let (true, Some(known)) = (is_target, target.as_ref()) {
        let known = known.clone();
        return rest.strip_prefix(known.as_str()).is_some_and(|rest| like(after, rest, target));
    }
    // The shortest that fits; names are short.
    let ends = rest.char_indices().map(|(end, _)| end).chain([rest.len()]).skip(usize::from(is_target));
    for end in ends {
        let mut found = if is_target { Some(rest[..end].to_owned()) } else { target.clone() };
        if like(after, &rest[end..], &mut found) {
            *target = found;
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(pattern: &str, name: &str) -> Option<Option<String>> {
        let mut target = None;
        like(pattern, name, &mut target).then_some(target)
    }

    #[test]
    fn names_are_like_patterns() {
        assert_eq!(target("game.{target}.json", "game.ps5.json"), Some(Some("ps5".into())));
        assert_eq!(target("{target}-{target}", "a-b"), None);
        assert_eq!(target("{target}-{target}", "a-a"), Some(Some("a".into())));
        assert_eq!(target("*.ini", "a.ini"), Some(None));
        assert_eq!(target("a*b*c", "a1b2d"), None);
        assert_eq!(target("{x}", "{x}"), Some(None));
        assert_eq!(target("{target}.json", ".json"), None, "a target has a name");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        assert!(declared(b"[other]\na = 1\n").unwrap().is_none());
        for text in [
            "[platforms]\nconfig = 1",
            "[[platforms.config]]\nbase = ['../x.json']",
            "[[platforms.config]]\nplatform = ['x.json']",
            "[[platforms.config]]\nformat = 'doc'",
            "[platforms]\nunknown = 1",
            "[[platforms.config]]\nbase = ['a*b*c*.json']",
        ] {
            assert!(declared(text.as_bytes()).is_err(), "{text}");
        }
    }
}
