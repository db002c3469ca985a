//! The system's list of mounts, and which of them are ours.

use std::path::Path;

/// The kinds under which macFUSE and its forerunner mount; FUSE-T's are mounts of the system's NFS client.
const KINDS: [&[u8]; 4] = [b"macfuse", b"osxfuse", b"fusefs", b"nfs"];

/// What FUSE-T calls the source of each of its mounts, whatever the name that it was given.
const FUSE_T: &[u8] = b"fuse-t:/";

/// What the source of all our volumes is called, and the volumes themselves, which FUSE-T names it by.
const OURS: [&[u8]; 2] = [b"gamevault", b"GameVault"];

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The kind of file system.
    pub(super) kind: Vec<u8>,
    /// What is mounted.
    pub(super) source: Vec<u8>,
    /// Where.
    pub(super) point: Vec<u8>,
}

impl Mount {
    fn is_ours(&self) -> bool {
        let name = self.source.strip_prefix(FUSE_T).unwrap_or(&self.source);
        // macFUSE may put the number of its device behind the name.
        KINDS.contains(&&self.kind[..]) && OURS.iter().any(|ours| name.starts_with(ours))
    }
}

/// Tells whether the last mount on `path` is one of ours; `None` when there is none.
pub(super) fn topmost(mounts: &[Mount], path: &Path) -> Option<bool> {
    let path = path.as_os_str().as_encoded_bytes();
    mounts.iter().rfind(|mount| mount.point == path).map(Mount::is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_mounts_are_told_from_others() {
        let mount = |kind: &str, source: &str, point: &str| Mount {
            kind: kind.into(),
            source: source.into(),
            point: point.into(),
        };
        let list = [
            mount("apfs", "/dev/disk3s1s1", "/"),
            mount("macfuse", "gamevault@macfuse0", "/Users/me/GameVault"),
            mount("macfuse", "gamevault", "/Users/me/covered"),
            mount("apfs", "/dev/disk4s1", "/Users/me/covered"),
            mount("nfs", "fuse-t:/GameVault game", "/Users/me/t"),
            mount("nfs", "server:/gamevault", "/Users/me/nfs"),
            mount("macfuse", "sshfs@macfuse1", "/Users/me/ssh"),
        ];
        for (path, expected) in [
            ("/", Some(false)),
            ("/Users/me/GameVault", Some(true)),
            ("/Users/me/covered", Some(false)),
            ("/Users/me/t", Some(true)),
            ("/Users/me/nfs", Some(false)),
            ("/Users/me/ssh", Some(false)),
            ("/Users/me", None),
        ] {
            assert_eq!(topmost(&list, Path::new(path)), expected, "{path}");
        }
    }
}
