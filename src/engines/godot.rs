//! Godot's projects (Godot's documentation on version control; `core/config/project_settings.cpp`).

use super::Class;

pub(super) const PROJECT_FILE: &str = "project.godot";

pub(super) fn class(path: &[&[u8]], is_directory: bool) -> Class {
    match (path, is_directory) {
        // `.import` is Godot 3's; a project that was converted may have both.
        ([b".godot" | b".import" | b".mono"], true) => Class::Cache,
        // Keys and passwords of the exports: in a cache that is kept they still are nobody else's.
        ([b".godot", b"export_credentials.cfg"], false) => Class::Never,
        _ => Class::Source,
    }
}

pub(super) fn version(text: &str) -> Option<String> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
    // PackedStringArray("4.2", "Mobile")
    let features = value("config/features").into_iter().flat_map(|features| features.split('"').skip(1).step_by(2));
    let exact = features.map(str::to_owned).find(|feature| feature.starts_with(|first: char| first.is_ascii_digit()));
    exact.or_else(|| match value("config_version")?.trim() {
        "5" => Some("4".to_owned()),
        "4" | "3" => Some("3".to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::tests::class_of;

    #[test]
    fn work_is_told_from_what_the_editor_makes() {
        for (path, class) in [
            ("icon.png.import", Class::Source),
            ("player.gd.uid", Class::Source),
            ("export_presets.cfg", Class::Source),
            ("addons/gut/", Class::Source),
            ("addons/.import/", Class::Source),
            (".gdignore", Class::Source),
            (".import/", Class::Cache),
            (".godot/", Class::Cache),
            (".mono/", Class::Cache),
            (".godot/export_credentials.cfg", Class::Never),
        ] {
            assert_eq!(class_of(&["project.godot"], path), class, "{path}");
        }
    }

    #[test]
    fn the_version_is_as_exact_as_the_project_says() {
        let text = "config_version=5\n\n[application]\nconfig/features=PackedStringArray(\"Mobile\", \"4.2\")\n";
        assert_eq!(version(text).as_deref(), Some("4.2"));
        assert_eq!(version("config_version=5\n").as_deref(), Some("4"));
        assert_eq!(version("; a comment\nconfig_version=4\n").as_deref(), Some("3"));
        assert_eq!(version("[application]\n"), None);
    }
}
