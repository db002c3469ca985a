//! Unix.

use super::{HostKind, Stat, StatKey};
use crate::disk::Space;
use crate::error::{Error, Result};
use crate::manifest::{Timestamp, XattrSet};
use crate::name::FileName;
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whether names that differ in case or Unicode form are one, as on the disks that Macs come with.
pub const FOLDS_NAMES: bool = cfg!(target_os = "macos");

/// Everybody may make symbolic links.
pub const SYMLINKS_NEED_A_RIGHT: bool = false;

pub(in crate::disk) fn owner_only(options: &mut OpenOptions) {
    options.mode(0o600);
}

/// Creates a folder that its owner alone may enter, and those above it.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(in crate::disk) fn sync_dir(path: &Path) -> Result<()> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(|error| Error::io("sync the directory", path, error))
}

/// Takes the file's lock until it is closed; `false` when somebody holds it otherwise.
pub(in crate::disk) fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
    match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

pub(in crate::disk) fn space(path: &Path) -> Result<Space> {
    let stat = nix::sys::statvfs::statvfs(path).map_err(|errno| Error::io("look at", path, errno.into()))?;
    // The casts are needed where these fields have 32 bits.
    #[allow(clippy::unnecessary_cast)]
    let (unit, total, available) = (stat.fragment_size() as u64, stat.blocks() as u64, stat.blocks_available() as u64);
    Ok(Space { total: total * unit, available: available * unit })
}

/// Reads up to `buf.len()` bytes at `offset`.
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buf, offset)
}

pub(in crate::disk) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Returns where the next data at or after `offset` starts and ends; `None` when only a hole follows.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use nix::errno::Errno;
        use nix::unistd::{Whence, lseek};
        let start = match lseek(file, offset as i64, Whence::SeekData) {
            Ok(start) => start,
            Err(Errno::ENXIO) => return Ok(None),
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) => return whole_rest(file, offset),
            Err(errno) => return Err(errno.into()),
        };
        let end = lseek(file, start, Whence::SeekHole)?;
        Ok(Some((start as u64, end as u64)))
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    whole_rest(file, offset)
}

fn whole_rest(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    let len = file.metadata()?.len();
    Ok((offset < len).then_some((offset, len)))
}

pub(in crate::disk) fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::fcntl::{FallocateFlags, fallocate};
        let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(file, flags, offset as i64, len as i64) {
            Err(nix::errno::Errno::EOPNOTSUPP) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    let zeros = [0; 64 * 1024];
    let end = (offset + len).min(file.metadata()?.len());
    let mut at = offset;
    while at < end {
        let part = (end - at).min(zeros.len() as u64);
        file.write_all_at(&zeros[..part as usize], at)?;
        at += part;
    }
    Ok(())
}

/// Opens a file to read without following a link that took its place, and without waiting for a fifo's writer.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Returns a short path to the folder `path`, valid while the returned handle is open.
pub(super) fn path_through_handle(path: &Path) -> Option<(PathBuf, File)> {
    use std::os::fd::AsRawFd;
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(path).ok()?;
    Some((PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())), folder))
}

/// Returns what the system says of `path` itself, links not followed.
pub fn stat_of(path: &Path) -> io::Result<Stat> {
    Ok(stat(&std::fs::symlink_metadata(path)?))
}

/// Returns what the system says of an open file.
pub fn stat_of_file(file: &File) -> io::Result<Stat> {
    Ok(stat(&file.metadata()?))
}

fn stat(metadata: &Metadata) -> Stat {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => HostKind::File,
        kind if kind.is_dir() => HostKind::Directory,
        kind if kind.is_symlink() => HostKind::Symlink,
        _ => HostKind::Special,
    };
    let wrapped = |secs: i64, nanos: i64| secs.wrapping_mul(1_000_000_000).wrapping_add(nanos);
    Stat {
        kind,
        mode: (metadata.mode() & 0o7777) as u16,
        mtime: Timestamp { secs: metadata.mtime(), nanos: metadata.mtime_nsec() as u32 },
        key: StatKey {
            size: metadata.size(),
            mtime_ns: wrapped(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: wrapped(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino() ^ metadata.dev().rotate_left(40),
        },
        allocated: metadata.blocks() * 512,
    }
}

/// Returns the bytes of a path as the user would write it.
pub fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

/// Returns the file name that the system gave, as it is kept in manifests.
pub fn file_name_of(name: &OsStr) -> Result<FileName> {
    FileName::new(name.as_bytes())
}

/// Returns the path of the entry `name` of `folder`.
pub fn join_name(folder: &Path, name: &FileName) -> PathBuf {
    folder.join(OsStr::from_bytes(name.as_bytes()))
}

/// Returns the target of a symbolic link, byte for byte.
pub fn read_link(path: &Path) -> io::Result<Vec<u8>> {
    Ok(std::fs::read_link(path)?.as_os_str().as_bytes().to_vec())
}

/// Creates a symbolic link to `target`.
pub fn make_symlink(target: &[u8], path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(OsStr::from_bytes(target), path)
}

/// Returns the extended attributes that builds keep: those named `user.*` (on macOS all).
pub fn read_xattrs(path: &Path) -> io::Result<XattrSet> {
    let mut set = XattrSet::default();
    let names = match xattr::list(path) {
        Ok(names) => names,
        Err(error) if is_unsupported(&error) => return Ok(set),
        Err(error) => return Err(error),
    };
    for name in names {
        if cfg!(target_os = "linux") && !name.as_bytes().starts_with(b"user.") {
            continue;
        }
        if let Some(value) = xattr::get(path, &name)? {
            set.0.insert(name.as_bytes().to_vec(), value);
        }
    }
    Ok(set)
}

fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || error.raw_os_error() == Some(libc::ENOTSUP)
}

/// Sets one extended attribute of `path` itself.
pub fn set_xattr(path: &Path, name: &[u8], value: &[u8]) -> io::Result<()> {
    xattr::set(path, OsStr::from_bytes(name), value)
}

/// Removes a file or a symbolic link, also one that is read-only.
pub fn remove_file(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// Renames a file over whatever file is at `to`, also one that is open or read-only.
pub fn replace_file(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Sets the permission bits of a file or directory.
pub fn set_mode(path: &Path, mode: u16) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode.into()))
}

/// Sets the modification time of `path` itself, links not followed; the access time becomes the same.
pub fn set_mtime(path: &Path, mtime: Timestamp) -> io::Result<()> {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let time = TimeSpec::new(mtime.secs, mtime.nanos.into());
    Ok(utimensat(nix::fcntl::AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
}
