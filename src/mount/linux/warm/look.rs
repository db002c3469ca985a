//! Who reads: the program of a thread, and where in the mount it reads, as `/proc` tells.
//!
//! A file of a build has no path of its own, as equal files of all builds are one node. But while its reader waits, the kernel
//! knows by which path he opened it, so nothing has to be remembered of any node. What is only mapped is not looked for:
//! `/proc/PID/maps` may wait for the very fault that waits for this answer.

use super::super::holders::node_behind;
use super::super::processes::process_of;
use crate::tree::NodeId;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The most descriptors of a process that are looked at.
const MAX_DESCRIPTORS: usize = 1024;

/// What follows the path of a program whose file is gone, see proc(5).
const GONE: &str = " (deleted)";

/// One who reads.
pub(super) struct Met {
    pub(super) process: u32,
    /// The file of its program.
    pub(super) file: PathBuf,
    /// Where it reads; `None` when that cannot be told.
    pub(super) at: Option<At>,
}

/// What a path in the mount begins with: `builds` and `42`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At {
    pub(super) folder: Vec<u8>,
    pub(super) name: Vec<u8>,
}

impl At {
    /// Returns where a path leads that is below the mount on `mount`.
    fn of(path: &Path, mount: &Path) -> Option<At> {
        let mut parts = path.strip_prefix(mount).ok()?.components();
        let mut part = || match parts.next() {
            Some(Component::Normal(name)) => Some(name.as_bytes().to_vec()),
            _ => None,
        };
        Some(At { folder: part()?, name: part()? })
    }
}

/// Returns the name of a program by the path of its file.
pub(super) fn program_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(GONE).unwrap_or(&name).to_owned()
}

/// Returns the file of the program that a thread runs; `None` if it may not be seen.
pub(super) fn file_of(tid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{tid}/exe")).ok()
}

/// Looks at the thread that waits for bytes of `node`, in the mount on `mount`; `None` if it may not be looked at.
pub(super) fn look(tid: u32, node: NodeId, mount: &Path) -> Option<Met> {
    let (file, process) = (file_of(tid)?, process_of(tid)?);
    let mut at = None;
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    for descriptor in descriptors.take(MAX_DESCRIPTORS) {
        let found = fs::read_link(descriptor.path()).ok().and_then(|path| At::of(&path, mount));
        let Some(found) = found else { continue };
        // It may have others open, of another build.
        let is_this = node_behind(process, &descriptor.file_name()) == Some(node);
        if is_this || at.is_none() {
            at = Some(found);
        }
        if is_this {
            break;
        }
    }
    // A program of a build whose own pages are read.
    let at = at.or_else(|| At::of(&file, mount));
    Some(Met { process, file, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_mount_tells_the_build() {
        let at = |path: &str| At::of(Path::new(path), Path::new("/mnt/a b"));
        let build = At { folder: b"builds".into(), name: b"42".into() };
        assert_eq!(at("/mnt/a b/builds/42/data/x"), Some(build.clone()));
        assert_eq!(at("/mnt/a b/builds/42"), Some(build));
        assert!(at("/mnt/a b/builds").is_none() && at("/mnt/a b").is_none() && at("/mnt/a bc/builds/42").is_none());
        assert_eq!(program_of(Path::new("/opt/game/bin/Game (deleted)")), "Game");
    }

    #[test]
    fn a_process_is_found_by_what_it_has_open() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["a", "b"] {
            fs::create_dir_all(root.join("builds").join(name)).unwrap();
            fs::write(root.join("builds").join(name).join("x"), name).unwrap();
        }
        let files = ["a", "b"].map(|name| fs::File::open(root.join("builds").join(name).join("x")).unwrap());
        let tid = nix::unistd::gettid().as_raw() as u32;
        for (file, name) in files.iter().zip(["a", "b"]) {
            let met = look(tid, NodeId(file.metadata().unwrap().ino()), &root).unwrap();
            assert_eq!((met.process, met.at.unwrap().name), (std::process::id(), name.as_bytes().to_vec()));
            assert_eq!(Some(met.file), std::env::current_exe().ok());
        }
        drop(files);
        assert!(look(tid, NodeId(1), &root).unwrap().at.is_none());
        assert!(look(u32::MAX, NodeId(1), &root).is_none());
    }
}
