//! macFUSE's library, or FUSE-T's, opened when something is mounted.
//!
//! Only its function that mounts is used, which hands out the kernel's end; what follows is between the kernel and `fuser`.

use super::options::{self, Library};
use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CString, c_char, c_int};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The arguments of a program, as `fuse_opt.h` of libfuse 2 has them.
#[repr(C)]
struct Arguments {
    count: c_int,
    words: *const *const c_char,
    is_allocated: c_int,
}

type Mount = unsafe extern "C" fn(point: *const c_char, arguments: *const Arguments) -> c_int;

/// Returns the library that is installed, macFUSE before FUSE-T.
pub(super) fn installed() -> Option<Library> {
    Library::ALL.into_iter().find(|library| Path::new(library.path()).exists())
}

/// Mounts on `path` with `options`, and returns the kernel's end.
///
/// # Errors
/// `Unsupported` if no library is installed, or what is there is none; `Io` if it cannot mount.
pub(super) fn mount(path: &Path, options: &options::Wanted<'_>) -> Result<OwnedFd> {
    let library = installed().ok_or_else(options::missing)?;
    let refused = |error: libloading::Error| {
        let message = format!("{} cannot be used: {error}", library.path());
        Error::new(ErrorKind::Unsupported, message).with_hint(options::HINT)
    };
    let word = |text: &[u8]| CString::new(text).map_err(|_| Error::invalid("a path with a NUL cannot be mounted on"));
    let point = word(path.as_os_str().as_bytes())?;
    let texts = [word(b"gamevault")?, word(b"-o")?, word(library.options(options).as_bytes())?];
    let words = texts.each_ref().map(|text| text.as_ptr());
    let arguments = Arguments { count: words.len() as c_int, words: words.as_ptr(), is_allocated: 0 };
    // SAFETY: the library is macFUSE's or FUSE-T's own, whose start and end do nothing to this process.
    let opened = unsafe { libloading::Library::new(library.path()) }.map_err(refused)?;
    // SAFETY: both have the function of libfuse 2.6, of this type.
    let descriptor = unsafe {
        let mount = opened.get::<Mount>(b"fuse_mount_compat25\0").map_err(refused)?;
        mount(point.as_ptr(), &raw const arguments)
    };
    let error = std::io::Error::last_os_error();
    // What it has started goes on in there.
    std::mem::forget(opened);
    match descriptor {
        // SAFETY: the descriptor is new, and nobody else's.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(Error::io("mount on", path, error).with_hint(options::ALLOW_HINT)),
    }
}
