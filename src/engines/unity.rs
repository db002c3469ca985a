//! Unity's projects (github/gitignore `Unity.gitignore`, Unity's manual).

use super::Class;

/// The directory by whose file a project is known.
pub(super) const SETTINGS: &[u8] = b"ProjectSettings";
pub(super) const VERSION_FILE: &str = "ProjectSettings/ProjectVersion.txt";

const CACHES: [&[u8]; 8] =
    [b"Library", b"Obj", b"Build", b"Builds", b".utmp", b"MemoryCaptures", b"Recordings", b"ServerData"];
const NEVER: [&[u8]; 4] = [b"Temp", b"UserSettings", b"Logs", b".vs"];

pub(super) fn class(path: &[&[u8]], is_directory: bool) -> Class {
    let among = |names: &[&[u8]], name: &[u8]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    match (path, is_directory) {
        ([name], true) if among(&CACHES, name) => Class::Cache,
        ([name], true) if among(&NEVER, name) => Class::Never,
        // Made from the assembly definitions, beside Assets only.
        ([name], false) if name.ends_with(b".csproj") || name.ends_with(b".sln") => Class::Cache,
        // Addressables are copied here for the time of a build; their content state, which updates need, is elsewhere.
        ([b"Assets", b"StreamingAssets", b"aa"], true) => Class::Cache,
        ([b"Assets", b"StreamingAssets", b"aa.meta"], false) => Class::Cache,
        _ => Class::Source,
    }
}

pub(super) fn version(text: &str) -> Option<String> {
    let version = text.lines().find_map(|line| line.strip_prefix("m_EditorVersion:"))?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::tests::class_of;

    #[test]
    fn work_is_told_from_what_the_editor_makes() {
        for (path, class) in [
            ("Assets/", Class::Source),
            ("Assets/Plugins/Library/", Class::Source),
            ("Assets/a.png.meta", Class::Source),
            ("Assets/AddressableAssetsData/Android/addressables_content_state.bin", Class::Source),
            ("Assets/StreamingAssets/aa/", Class::Cache),
            ("Assets/StreamingAssets/aardvark.txt", Class::Source),
            ("Packages/", Class::Source),
            ("ProjectSettings/", Class::Source),
            ("Library/", Class::Cache),
            ("library/", Class::Cache),
            ("Library", Class::Source),
            ("Builds/", Class::Cache),
            ("Game.csproj", Class::Cache),
            ("Tools/Tool.csproj", Class::Source),
            ("Temp/", Class::Never),
            ("Logs/", Class::Never),
            ("UserSettings/", Class::Never),
        ] {
            assert_eq!(class_of(&["ProjectSettings"], path), class, "{path}");
        }
    }

    #[test]
    fn the_version_is_the_editors() {
        let text = "m_EditorVersion: 2021.3.16f1\r\nm_EditorVersionWithRevision: 2021.3.16f1 (4016570cf34f)\n";
        assert_eq!(version(text).as_deref(), Some("2021.3.16f1"));
        assert_eq!(version("m_EditorVersion:\n"), None);
    }
}
