//! Which library mounts, and how it is told to.

use super::super::stale::SOURCE;
use crate::error::{Error, ErrorKind};
use std::path::Path;

/// What to do when no library is there.
pub(super) const HINT: &str = "install macFUSE from https://macfuse.github.io (or FUSE-T from https://www.fuse-t.org), then \
                               mount again; `gamevault snapshot` and `gamevault restore` need neither";

/// What to do when there is one, and it cannot mount.
pub(super) const ALLOW_HINT: &str = "allow macFUSE in System Settings, Privacy & Security, restart if it asks for that, and \
                                     run `gamevault doctor`; see https://macfuse.github.io";

/// The bytes of one read or write of the kernel: as much as a copy takes at once.
const IO_LEN: u32 = 1 << 20;

/// The most bytes of a volume's name: what Finder can show, and far below what a mount takes.
const MAX_VOLUME_LEN: usize = 120;

/// Returns the error of a system without a library.
pub(super) fn missing() -> Error {
    Error::new(ErrorKind::Unsupported, "macFUSE is not installed: without it nothing can be mounted").with_hint(HINT)
}

/// A library that can mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Library {
    /// A kernel extension, by its own library.
    MacFuse,
    /// A server for the system's NFS client, with a library of the same functions.
    FuseT,
}

/// What is wanted of a mount.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The vault's folder, which the volume is named after.
    pub(super) vault: &'a Path,
    /// Whether other users may enter.
    pub(super) allow_other: bool,
}

impl Library {
    /// All of them, best first.
    pub(super) const ALL: [Library; 2] = [Library::MacFuse, Library::FuseT];

    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Library::MacFuse => "macFUSE",
            Library::FuseT => "FUSE-T",
        }
    }

    /// Returns where its installer puts it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Library::MacFuse => "/usr/local/lib/libfuse.2.dylib",
            Library::FuseT => "/usr/local/lib/libfuse-t.dylib",
        }
    }

    /// Returns what stands behind `-o`.
    pub(super) fn options(self, wanted: &Wanted<'_>) -> String {
        let names = format!("fsname={SOURCE},volname={}", volume_name(wanted.vault));
        let io_len = format!("iosize={IO_LEN}");
        let mut options = vec![&names[..]];
        if self == Library::MacFuse {
            // Finder shows a local volume among the others. `._*` and `.DS_Store` are no part of a game, and without
            // attributes of Finder's it makes none.
            options.extend(["local", "noappledouble", "noapplexattr", "nosuid", "nodev", "noatime", &io_len]);
        }
        if wanted.allow_other {
            // Others are held to the modes; the owner alone is not, since copies make directories that nobody may write to.
            options.extend(["allow_other", "default_permissions"]);
        }
        options.join(",")
    }
}

/// Returns what Finder calls the volume of a vault.
fn volume_name(vault: &Path) -> String {
    let folder = vault.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    // A comma would start the next option, and a backslash hide one.
    let is_kept = |letter: &char| !letter.is_control() && !",\\/:".contains(*letter);
    let mut name: String = folder.chars().filter(is_kept).collect();
    while name.len() > MAX_VOLUME_LEN {
        name.pop();
    }
    match name.trim() {
        "" => "GameVault".into(),
        name => format!("GameVault {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_library_is_told_what_it_knows() {
        let wanted = Wanted { vault: Path::new("/Users/me/Game, the \\vault"), allow_other: false };
        assert_eq!(
            Library::MacFuse.options(&wanted),
            "fsname=gamevault,volname=GameVault Game the vault,local,noappledouble,noapplexattr,nosuid,nodev,noatime,\
             iosize=1048576"
        );
        let others = Wanted { allow_other: true, ..wanted };
        assert_eq!(
            Library::FuseT.options(&others),
            "fsname=gamevault,volname=GameVault Game the vault,allow_other,default_permissions"
        );
    }

    #[test]
    fn volumes_have_names_that_can_be_shown() {
        assert_eq!(volume_name(Path::new("/")), "GameVault");
        assert_eq!(volume_name(Path::new("/v/,,")), "GameVault");
        assert_eq!(volume_name(&Path::new("/v").join("ü".repeat(100))).len(), "GameVault ".len() + MAX_VOLUME_LEN);
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let error = missing();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("macFUSE"));
        assert_eq!(error.hint(), Some(HINT));
        assert!([HINT, ALLOW_HINT].iter().all(|hint| hint.contains("https://macfuse.github.io")));
        assert_eq!(Library::ALL.map(Library::name), ["macFUSE", "FUSE-T"]);
        assert!(Library::ALL.iter().all(|library| library.path().ends_with(".dylib")));
    }
}
