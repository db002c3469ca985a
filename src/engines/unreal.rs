//! Unreal's projects (github/gitignore `UnrealEngine.gitignore`, Epic's documentation).
//!
//! All in `Plugins` is source: the binaries of a plugin that was bought may be all there is of it.

use super::Class;

const EXTENSION: &[u8] = b".uproject";

/// What only the tools of a developer make; a packaged game has none of it.
const MADE_BY_WORK: [&[u8]; 3] = [b"Source", b"Intermediate", b"DerivedDataCache"];

/// The names in a root that matter.
#[derive(Default)]
pub(super) struct Names {
    /// The first project file.
    pub(super) project_file: Option<String>,
    has_work: bool,
}

impl Names {
    pub(super) fn add(&mut self, name: &[u8]) {
        let is_project = name.len() > EXTENSION.len() && name.ends_with(EXTENSION);
        if is_project && self.project_file.is_none() {
            self.project_file = String::from_utf8(name.to_vec()).ok();
        }
        self.has_work |= MADE_BY_WORK.contains(&name);
    }

    /// Tells whether the root may be of a game that was packaged in loose files: these keep their project file, and
    /// `Binaries` is then the game itself.
    pub(super) fn may_be_packaged(&self) -> bool {
        !self.has_work
    }
}

pub(super) fn class(path: &[&[u8]], is_directory: bool) -> Class {
    match (path, is_directory) {
        ([b"Binaries" | b"Intermediate" | b"DerivedDataCache"], true) => Class::Cache,
        ([b"Saved" | b".vs" | b".idea"], true) => Class::Never,
        _ => Class::Source,
    }
}

pub(super) fn version(text: &str) -> Option<String> {
    let project: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    // Empty, or a GUID in braces, where the engine was built by hand.
    let version = project.get("EngineAssociation")?.as_str()?;
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::tests::class_of;

    #[test]
    fn work_is_told_from_what_the_editor_makes() {
        for (path, class) in [
            ("Content/", Class::Source),
            ("Content/Maps/Start_BuiltData.uasset", Class::Source),
            ("Build/", Class::Source),
            ("Plugins/Sound/Binaries/", Class::Source),
            ("Source/ThirdParty/Binaries/", Class::Source),
            ("Binaries/", Class::Cache),
            ("Intermediate/", Class::Cache),
            ("DerivedDataCache/", Class::Cache),
            ("Saved/", Class::Never),
            (".vs/", Class::Never),
        ] {
            assert_eq!(class_of(&["Game.uproject", "Source"], path), class, "{path}");
        }
    }

    /// A game that is packaged without a pak has its project file, and its program in `Binaries`.
    #[test]
    fn a_packaged_game_is_all_source() {
        let names = ["Game.uproject", "Binaries", "Content", "Config", "Plugins", "Saved"];
        for path in ["Binaries/", "Saved/", ".git/"] {
            assert_eq!(class_of(&names, path), Class::Source, "{path}");
        }
    }

    #[test]
    fn the_version_is_the_engine_that_the_project_asks_for() {
        let text = "\u{feff}{\"FileVersion\": 3, \"EngineAssociation\": \"5.3\"}";
        assert_eq!(version(text).as_deref(), Some("5.3"));
        assert_eq!([version("{\"EngineAssociation\": \"\"}"), version("{}"), version("")], [None, None, None]);
    }
}
