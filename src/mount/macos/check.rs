//! What mounting needs on macOS: macFUSE, or FUSE-T.

use super::super::Check;
use super::library;
use super::options::{self, Library};

/// macFUSE's part that mounts, and its kernel extension; FUSE-T has neither.
const MACFUSE: &str = "/Library/Filesystems/macfuse.fs";

pub(in crate::mount) fn check() -> Vec<Check> {
    match library::installed() {
        Some(library) => vec![installed(library)],
        None => {
            let error = options::missing();
            let hint = error.hint().map(String::from);
            vec![Check { name: "fuse-library", ok: false, sentence: format!("{}.", error.message()), hint }]
        }
    }
}

fn installed(library: Library) -> Check {
    let is_whole = library != Library::MacFuse || std::path::Path::new(MACFUSE).exists();
    let sentence = match is_whole {
        true => format!("{} is installed ({}).", library.name(), library.path()),
        false => format!("{} is there, but {MACFUSE} is missing.", library.path()),
    };
    let hint = if is_whole { options::ALLOW_HINT } else { options::HINT };
    // Whether the system lets it run is known only when something is mounted.
    Check { name: "fuse-library", ok: is_whole, sentence, hint: Some(hint.into()) }
}
