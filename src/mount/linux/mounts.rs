//! What is mounted where on Linux, and unmounting.

use super::super::stale::SOURCE;
use crate::error::{Error, ErrorKind, Result};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use nix::sys::statvfs::statvfs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

const MOUNT_LIST: &str = "/proc/self/mountinfo";

/// Tells whether the last mount on `path` is one of ours; `None` when there is none, or the list cannot be read.
pub(in crate::mount) fn topmost(path: &Path) -> Option<bool> {
    topmost_of(&std::fs::read(MOUNT_LIST).ok()?, path)
}

/// Tells whether the process still lives that answers for our mount on `path`.
pub(in crate::mount) fn answers(path: &Path) -> bool {
    // The one question that the kernel always passes on: the rest it may know from a process that was just killed.
    statvfs(path) != Err(Errno::ENOTCONN)
}

/// Takes the mount on `path` out of the tree of names; it ends when the last user lets go.
///
/// # Errors
/// `Denied` if the mount is another user's, `Io` if the system refuses otherwise.
pub(in crate::mount) fn detach(path: &Path) -> Result<()> {
    // A plain unmount first: when it succeeds, the mount has ended, and is not merely out of sight.
    let result = umount2(path, MntFlags::empty()).or_else(|_| umount2(path, MntFlags::MNT_DETACH));
    match result {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => detach_by_helper(path),
        Err(error) => Err(Error::io("unmount", path, error.into())),
    }
}

/// Returns the first of fuse's helpers that can be run; they may unmount what their user mounted.
pub(super) fn helper() -> Option<&'static str> {
    ["fusermount3", "fusermount"].into_iter().find(|program| {
        let mut run = Command::new(program);
        run.arg("-V").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        run.status().is_ok_and(|status| status.success())
    })
}

fn detach_by_helper(path: &Path) -> Result<()> {
    let missing = || {
        let message = format!("cannot unmount {}: fusermount3 is missing", path.display());
        Error::new(ErrorKind::Denied, message).with_hint("install the package fuse3")
    };
    let helper = helper().ok_or_else(missing)?;
    let output = Command::new(helper).args(["-u", "-z", "--"]).arg(path).stdin(Stdio::null()).output();
    let output = output.map_err(|error| Error::io("run", helper, error))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(ErrorKind::Denied, format!("cannot unmount {}: {}", path.display(), reason.trim())))
}

/// Tells whether the last mount on `path` in the list is one of ours; `None` when there is none.
///
/// A line is `36 35 98:0 /root /mount/point options - type source …`, see proc(5).
fn topmost_of(list: &[u8], path: &Path) -> Option<bool> {
    let mut mounts = list.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut words = line.split(|&byte| byte == b' ');
        let point = unescape(words.nth(4)?);
        let mut after = words.skip_while(|word| *word != b"-").skip(1);
        let (kind, source) = (after.next()?, after.next()?);
        (point == path.as_os_str()).then(|| kind.starts_with(b"fuse") && source == SOURCE.as_bytes())
    });
    mounts.next_back()
}

/// Turns `\040` and the like into the bytes they stand for.
pub(super) fn unescape(word: &[u8]) -> OsString {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        match digits {
            Some(digits) => {
                out.push(digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &tail[3..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    OsStr::from_bytes(&out).to_os_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw
40 22 0:50 / /mnt/my\\040game rw,nosuid shared:1 - fuse.gamevault gamevault rw,user_id=0
41 22 0:51 / /mnt/b rw - fuse gamevault rw
42 22 0:52 / /mnt/b rw - tmpfs none rw
";

    #[test]
    fn our_mounts_are_told_from_others() {
        assert_eq!(topmost_of(LIST, Path::new("/mnt/my game")), Some(true));
        assert_eq!(topmost_of(LIST, Path::new("/mnt/b")), Some(false), "the later mount covers ours");
        assert_eq!(topmost_of(LIST, Path::new("/")), Some(false));
        assert_eq!(topmost_of(LIST, Path::new("/mnt")), None);
    }
}
