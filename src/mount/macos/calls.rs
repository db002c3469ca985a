//! The system's calls that have no safe form.

use super::list::Mount;
use std::ffi::CStr;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::raw::c_void;

/// The longest name or path of a program: `PROC_PIDPATHINFO_MAXSIZE` in `sys/proc_info.h`.
const MAX_PATH_LEN: usize = 4096;

/// Mounts that may come between counting and listing.
const SPARE_MOUNTS: usize = 16;

/// Returns the name of a process, as far as it may be seen.
pub(super) fn process_name(process: u32) -> Option<Vec<u8>> {
    let mut name = [0u8; MAX_PATH_LEN];
    // SAFETY: the system writes no more than the length that it is given.
    let len = unsafe { libc::proc_name(process as i32, name.as_mut_ptr().cast::<c_void>(), name.len() as u32) };
    usize::try_from(len).ok().filter(|&len| len > 0).map(|len| name[..len].to_vec())
}

/// Returns the path of the program that a process runs, as far as it may be seen.
pub(super) fn program_path(process: u32) -> Option<Vec<u8>> {
    let mut path = [0u8; MAX_PATH_LEN];
    // SAFETY: the system writes no more than the length that it is given.
    let len = unsafe { libc::proc_pidpath(process as i32, path.as_mut_ptr().cast::<c_void>(), path.len() as u32) };
    usize::try_from(len).ok().filter(|&len| len > 0).map(|len| path[..len].to_vec())
}

/// Returns all mounts, without asking the file systems.
pub(super) fn mounts() -> Result<Vec<Mount>> {
    // SAFETY: without a buffer the mounts are counted.
    let count = unsafe { libc::getfsstat(std::ptr::null_mut(), 0, libc::MNT_NOWAIT) };
    let count = usize::try_from(count).map_err(|_| Error::last_os_error())?;
    // SAFETY: all of its fields are integers.
    let mut found: Vec<libc::statfs> = vec![unsafe { std::mem::zeroed() }; count + SPARE_MOUNTS];
    let len = i32::try_from(size_of_val(&found[..])).map_err(Error::other)?;
    // SAFETY: the system writes no more than the length that it is given, and returns how many it has written.
    let count = unsafe { libc::getfsstat(found.as_mut_ptr(), len, libc::MNT_NOWAIT) };
    found.truncate(usize::try_from(count).map_err(|_| Error::last_os_error())?);
    Ok(found
        .iter()
        .map(|mount| Mount {
            kind: text(&mount.f_fstypename),
            source: text(&mount.f_mntfromname),
            point: text(&mount.f_mntonname),
        })
        .collect())
}

fn text(field: &[libc::c_char]) -> Vec<u8> {
    // SAFETY: a character has the size of a byte.
    let bytes = unsafe { std::slice::from_raw_parts(field.as_ptr().cast::<u8>(), field.len()) };
    CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes).to_vec()
}

/// Lets `descriptor` lead to where `to` leads.
pub(super) fn lead(descriptor: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: both are open; whoever has `descriptor` reads and writes, and does not care where.
    match unsafe { libc::dup2(to.as_raw_fd(), descriptor.as_raw_fd()) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Puts the calling thread into the background, where it leaves processor and disk to everybody else.
pub(super) fn go_to_background() -> Result<()> {
    // SAFETY: the call takes numbers alone; 0 stands for the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_DARWIN_THREAD, 0, libc::PRIO_DARWIN_BG) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}
