//! How a volume is unmounted: gently, and by force when somebody still uses it or nobody answers any more.

use std::ffi::OsStr;
use std::path::Path;

/// A program that unmounts, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way<'a> {
    pub(super) program: &'static str,
    pub(super) arguments: Vec<&'a OsStr>,
}

/// Returns what to try one after the other until one of them succeeds, after the system's own call has not.
///
/// macOS has no mount that is out of sight and ends with its last user: a volume that is in use is taken from them. What they
/// wrote is safe by then, as it is when a process is killed.
pub(super) fn ways(point: &Path) -> [Way<'_>; 2] {
    let way = |program, words: &[&'static str]| {
        let words = words.iter().map(|word| OsStr::new(*word));
        Way { program, arguments: words.chain([point.as_os_str()]).collect() }
    };
    // It asks those who watch volumes to let go before, which plain unmounting does not.
    [way("/usr/sbin/diskutil", &["unmount", "force"]), way("/sbin/umount", &["-f"])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_comes_last_and_the_path_is_one_word() {
        let ways = ways(Path::new("/Users/me/my game"));
        assert_eq!(ways[0].program, "/usr/sbin/diskutil");
        assert_eq!(ways[0].arguments, ["unmount", "force", "/Users/me/my game"]);
        assert_eq!(ways[1].arguments, ["-f", "/Users/me/my game"]);
    }
}
