//! Target platforms: one name for each, whatever an engine calls it.

use crate::error::{Error, Result};
use crate::name::RefName;
use std::fmt;

/// The names that engines and their tools have for a platform, each without case, spaces and signs.
const ALIASES: [(&str, &[&str]); 15] = [
    (
        "windows",
        &[
            "win",
            "win32",
            "win64",
            "windows64",
            "windowsnoeditor",
            "windowsclient",
            "standalonewindows",
            "standalonewindows64",
            "windowsstandalonesupport",
            "windowsdesktop",
        ],
    ),
    (
        "linux",
        &[
            "linuxnoeditor",
            "x11",
            "linuxx11",
            "linuxbsd",
            "standalonelinux",
            "standalonelinux64",
            "linuxstandalonesupport",
        ],
    ),
    (
        "macos",
        &["mac", "osx", "macosx", "macnoeditor", "standaloneosx", "standaloneosxuniversal", "macstandalonesupport"],
    ),
    ("android", &["androidplayer"]),
    ("ios", &["iphone", "iphoneplayer", "iossupport"]),
    ("tvos", &["appletv", "appletvsupport"]),
    ("visionos", &["visionosplayer", "visionossupport"]),
    ("switch", &["nintendoswitch", "switchplayer"]),
    ("switch2", &["nintendoswitch2"]),
    ("ps4", &["ps4player", "playstation4"]),
    ("ps5", &["ps5player", "playstation5"]),
    ("xbox", &["xsx", "xboxseries", "xboxseriesx", "gamecorescarlett", "gamecorexboxseries", "scarlett"]),
    ("xboxone", &["xb1", "xboxoneplayer", "gamecorexboxone", "xboxonegdk"]),
    ("uwp", &["wsa", "wsaplayer", "metro", "metrosupport", "windowsstoreapps", "windowsuniversal"]),
    ("web", &["webgl", "webglplayer", "webglsupport", "html5", "javascript"]),
];

/// A kind of platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Computers.
    Pc,
    /// Telephones, tablets and what is made like them.
    Mobile,
    /// Consoles.
    Console,
    /// Browsers.
    Web,
    /// Names of a project's own.
    Other,
}

impl Family {
    /// Returns the name in JSON and tables.
    pub fn code(self) -> &'static str {
        match self {
            Family::Pc => "pc",
            Family::Mobile => "mobile",
            Family::Console => "console",
            Family::Web => "web",
            Family::Other => "other",
        }
    }

    fn of(platform: &str) -> Family {
        match platform {
            "windows" | "linux" | "macos" | "uwp" => Family::Pc,
            "android" | "ios" | "tvos" | "visionos" => Family::Mobile,
            "switch" | "switch2" | "ps4" | "ps5" | "xbox" | "xboxone" => Family::Console,
            "web" => Family::Web,
            _ => Family::Other,
        }
    }
}

/// What a project is built for: a platform, or a variant of one, such as a store's.
///
/// It is written `android` or `android+demo`. Targets are in the order of their families, then of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    family: Family,
    platform: String,
    variant: Option<String>,
}

impl Target {
    /// Returns the target that a user or an engine calls `name`; a name that no engine has stands for itself.
    ///
    /// # Errors
    /// `Invalid` if nothing of `name` can stand in the name of a folder.
    pub fn new(name: &str) -> Result<Target> {
        let (platform, variant) = name.split_once('+').map_or((name, None), |(name, variant)| (name, Some(variant)));
        let (platform, variant) = (canonical(platform), variant.map(slug));
        let is_whole = !platform.is_empty() && variant.as_ref().is_none_or(|variant| !variant.is_empty());
        let target = Target { family: Family::of(&platform), platform, variant };
        match is_whole && RefName::new(target.to_string()).is_ok() {
            true => Ok(target),
            false => Err(Error::invalid(format!("\"{name}\" cannot be the name of a platform"))
                .with_hint("use letters, digits, `-`, `_` and `.`; a `+` stands before a variant")),
        }
    }

    /// Returns the target that an engine's file names, unless it names none.
    pub(super) fn found(platform: &str, variant: Option<&str>) -> Option<Target> {
        let name = variant.map_or_else(|| platform.to_owned(), |variant| format!("{platform}+{}", slug(variant)));
        Target::new(&name).ok()
    }

    /// Returns the family of its platform.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns the platform's name.
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// Returns the name of the variant, if it is one.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.platform)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "+{variant}"))
    }
}

/// Returns the one name of the platform that an engine calls `name`; `None` if no engine does.
pub(super) fn known(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ALIASES
        .iter()
        .find(|(canonical, aliases)| *canonical == plain || aliases.contains(&plain.as_str()))
        .map(|(canonical, _)| *canonical)
}

/// Returns the one name of the platform that somebody calls `name`.
pub(super) fn canonical(name: &str) -> String {
    known(name).map_or_else(|| slug(name), str::to_owned)
}

/// Returns `name` as a part of a folder's name.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.trim().chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' | '.' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_has_one_name() {
        for (name, target) in [
            ("StandaloneWindows64", "windows"),
            ("Windows Desktop", "windows"),
            ("iPhone", "ios"),
            ("Linux/X11", "linux"),
            ("GameCoreScarlett", "xbox"),
            ("Windows Store Apps", "uwp"),
            ("Arcade Cabinet", "arcade-cabinet"),
            ("Android+Amazon Store", "android+amazon-store"),
        ] {
            assert_eq!(Target::new(name).unwrap().to_string(), target);
        }
        for name in ["", "+", "android+", "@", "../.."] {
            assert!(Target::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn targets_are_in_the_order_of_their_families() {
        let mut targets = ["zx", "web", "ps5", "ios", "linux", "android"].map(|name| Target::new(name).unwrap());
        targets.sort();
        assert_eq!(targets.map(|target| target.to_string()), ["linux", "android", "ios", "ps5", "web", "zx"]);
    }
}
