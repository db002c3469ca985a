//! Windows: names are WTF-8, modes are made from the read-only attribute, xattrs do not exist.

use super::{HostKind, Stat, StatKey, windows_names};
use crate::disk::Space;
use crate::error::{Error, Result};
use crate::manifest::{Timestamp, XattrSet};
use crate::name::FileName;
use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use windows_sys::Win32::Foundation::ERROR_LOCK_VIOLATION;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_WRITE_ATTRIBUTES,
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

/// The byte that stands for the lock of a file. Windows keeps others from reading and writing what is locked; no file
/// is as long as this.
const LOCK_OFFSET_HIGH: u32 = 0x7fff_ffff;

/// 1970 in the time of Windows: units of 100 ns since 1601.
const UNIX_EPOCH: i64 = 116_444_736_000_000_000;

/// Names that differ in case are one.
pub const FOLDS_NAMES: bool = true;

/// Making symbolic links needs a right that few users have.
pub const SYMLINKS_NEED_A_RIGHT: bool = true;

pub(in crate::disk) fn owner_only(_options: &mut OpenOptions) {
    // A user's folders are private by their inherited ACL.
}

/// Creates a folder, and those above it.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

pub(in crate::disk) fn sync_dir(_path: &Path) -> Result<()> {
    // NTFS journals names by itself, and a directory cannot be flushed.
    Ok(())
}

/// Takes the file's lock until it is closed; `false` when somebody holds it otherwise.
pub(in crate::disk) fn try_lock(file: &File, exclusive: bool) -> io::Result<bool> {
    let flags = LOCKFILE_FAIL_IMMEDIATELY | if exclusive { LOCKFILE_EXCLUSIVE_LOCK } else { 0 };
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.OffsetHigh = LOCK_OFFSET_HIGH;
    // SAFETY: the handle is open as long as `file`, and `place` outlives the call, which returns at once.
    let is_locked = unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &mut place) };
    if is_locked != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) { Ok(false) } else { Err(error) }
}

pub(in crate::disk) fn space(path: &Path) -> Result<Space> {
    let ask = || -> io::Result<Space> {
        Ok(Space { total: fs4::total_space(path)?, available: fs4::available_space(path)? })
    };
    ask().map_err(|error| Error::io("look at", path, error))
}

/// Reads up to `buf.len()` bytes at `offset`.
pub fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

pub(in crate::disk) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            len => {
                bytes = &bytes[len..];
                offset += len as u64;
            }
        }
    }
    Ok(())
}

/// Returns the rest of the file: holes are not looked for on Windows.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    let len = file.metadata()?.len();
    Ok((offset < len).then_some((offset, len)))
}

pub(in crate::disk) fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let zeros = [0; 64 * 1024];
    let end = (offset + len).min(file.metadata()?.len());
    let mut at = offset;
    while at < end {
        let part = (end - at).min(zeros.len() as u64);
        write_all_at(file, &zeros[..part as usize], at)?;
        at += part;
    }
    Ok(())
}

/// Opens a file to read; others may go on writing, renaming and deleting it.
pub fn open_to_read(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Returns nothing: the standard library takes long paths on Windows by itself.
pub(super) fn path_through_handle(_path: &Path) -> Option<(PathBuf, File)> {
    None
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
        kind if kind.is_symlink() => HostKind::Symlink,
        kind if kind.is_dir() => HostKind::Directory,
        kind if kind.is_file() => HostKind::File,
        _ => HostKind::Special,
    };
    let writable = if metadata.permissions().readonly() && kind == HostKind::File { 0 } else { 0o200 };
    let mode = if kind == HostKind::Directory { 0o555 | writable } else { 0o444 | writable };
    let mtime = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).into();
    Stat {
        kind,
        mode,
        mtime,
        key: StatKey {
            size: metadata.file_size(),
            mtime_ns: nanoseconds(metadata.last_write_time()),
            ctime_ns: nanoseconds(metadata.creation_time()),
            // The file index needs an open handle; size and both times must do.
            inode: 0,
        },
        allocated: metadata.file_size(),
    }
}

fn nanoseconds(time: u64) -> i64 {
    (time as i64).wrapping_sub(UNIX_EPOCH).wrapping_mul(100)
}

/// Returns the bytes of a path as the user would write it.
pub fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// Returns the file name that the system gave, as it is kept in manifests.
pub fn file_name_of(name: &OsStr) -> Result<FileName> {
    FileName::new(name.as_encoded_bytes())
}

/// Returns the path of the entry `name` of `folder`; what Windows cannot have in a name is written as `%NN`.
pub fn join_name(folder: &Path, name: &FileName) -> PathBuf {
    folder.join(OsString::from_wide(&windows_names::file_name(name.as_bytes())))
}

/// Returns the target of a symbolic link, with `/` between names.
pub fn read_link(path: &Path) -> io::Result<Vec<u8>> {
    Ok(windows_names::portable_target(std::fs::read_link(path)?.as_os_str().as_encoded_bytes()))
}

/// Creates a symbolic link to `target`; Windows needs to know whether it names a directory, and the right to do it.
pub fn make_symlink(target: &[u8], path: &Path) -> io::Result<()> {
    let target = PathBuf::from(OsString::from_wide(&windows_names::link_target(target)));
    match path.parent().map(|folder| folder.join(&target)).is_some_and(|target| target.is_dir()) {
        true => std::os::windows::fs::symlink_dir(target, path),
        false => std::os::windows::fs::symlink_file(target, path),
    }
}

/// Returns no attributes: Windows has none of the kind.
pub fn read_xattrs(_path: &Path) -> io::Result<XattrSet> {
    Ok(XattrSet::default())
}

/// Does nothing: Windows has no extended attributes of the kind.
pub fn set_xattr(_path: &Path, _name: &[u8], _value: &[u8]) -> io::Result<()> {
    Ok(())
}

/// Removes a file or a symbolic link, also one that is read-only.
pub fn remove_file(path: &Path) -> io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    if metadata.is_symlink() && metadata.file_attributes() & FILE_ATTRIBUTE_DIRECTORY != 0 {
        return std::fs::remove_dir(path);
    }
    make_writable(path, &metadata)?;
    std::fs::remove_file(path)
}

/// Renames a file over whatever file is at `to`, also one that is open or read-only.
pub fn replace_file(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(to) {
        Ok(metadata) if metadata.is_symlink() => remove_file(to)?,
        Ok(metadata) => make_writable(to, &metadata)?,
        // The rename itself says what is wrong.
        Err(_) => {}
    }
    std::fs::rename(from, to)
}

fn make_writable(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let mut permissions = metadata.permissions();
    if metadata.is_symlink() || !permissions.readonly() {
        return Ok(());
    }
    // Of Windows alone: this is the attribute, and opens the file to nobody else.
    #[expect(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions)
}

/// Makes a file read-only when its owner may not write.
pub fn set_mode(path: &Path, mode: u16) -> io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Ok(());
    }
    let mut permissions = metadata.permissions();
    permissions.set_readonly(mode & 0o200 == 0);
    std::fs::set_permissions(path, permissions)
}

/// Sets the modification time of `path` itself, links not followed; the access time becomes the same.
pub fn set_mtime(path: &Path, mtime: Timestamp) -> io::Result<()> {
    let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    let file = OpenOptions::new().access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(flags).open(path)?;
    let time = SystemTime::from(mtime);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time))
}
