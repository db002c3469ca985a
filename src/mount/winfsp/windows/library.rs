//! The functions of WinFsp's library, which is found when it is first needed: the program runs without.

use super::abi::{DirInfo, FileSystem, Interface, OperationContext, StreamInfo, VolumeParams};
use crate::error::{Error, ErrorKind, Result};
use std::ffi::{CStr, OsString, c_void};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LOAD_WITH_ALTERED_SEARCH_PATH, LoadLibraryExW};
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::w;

/// Where to get WinFsp.
const SITE: &str = "https://winfsp.dev";

#[cfg(target_arch = "x86_64")]
const FILE_NAME: &str = "winfsp-x64.dll";
#[cfg(target_arch = "aarch64")]
const FILE_NAME: &str = "winfsp-a64.dll";

/// The functions of the library.
#[derive(Clone, Copy)]
pub(super) struct Library {
    pub(super) calls: Calls,
    pub(super) mounts: Mounts,
}

/// What is called while a request is answered.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    pub(super) add_dir_info: unsafe extern "C" fn(*const DirInfo, *mut c_void, u32, *mut u32) -> u8,
    pub(super) add_stream_info: unsafe extern "C" fn(*const StreamInfo, *mut c_void, u32, *mut u32) -> u8,
    pub(super) operation_context: unsafe extern "C" fn() -> *const OperationContext,
}

/// What mounts, and ends mounts.
#[derive(Clone, Copy)]
pub(super) struct Mounts {
    pub(super) create:
        unsafe extern "C" fn(*const u16, *const VolumeParams, *const Interface, *mut *mut FileSystem) -> i32,
    pub(super) delete: unsafe extern "C" fn(*mut FileSystem),
    pub(super) set_mount_point: unsafe extern "C" fn(*mut FileSystem, *const u16) -> i32,
    pub(super) start_dispatcher: unsafe extern "C" fn(*mut FileSystem, u32) -> i32,
    pub(super) stop_dispatcher: unsafe extern "C" fn(*mut FileSystem),
    pub(super) notify_begin: unsafe extern "C" fn(*mut FileSystem, u32) -> i32,
    pub(super) notify: unsafe extern "C" fn(*mut FileSystem, *const c_void, usize) -> i32,
    pub(super) notify_end: unsafe extern "C" fn(*mut FileSystem) -> i32,
}

/// Loads the library of the WinFsp that is installed, once and for good.
///
/// # Errors
/// `Unsupported` if WinFsp is not installed, or too old.
pub(super) fn load() -> Result<Library> {
    load_from(&path()?)
}

/// Returns where the library of the WinFsp that is installed should be.
///
/// # Errors
/// `Unsupported` if none is installed.
pub(super) fn path() -> Result<PathBuf> {
    let mut folder = [0u16; 1024];
    let mut len = size_of_val(&folder) as u32;
    // SAFETY: the names are constants, and `len` is that of `folder` in bytes.
    let found = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!("SOFTWARE\\WOW6432Node\\WinFsp"),
            w!("InstallDir"),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            folder.as_mut_ptr().cast(),
            &mut len,
        )
    };
    if found != 0 {
        let error = Error::new(ErrorKind::Unsupported, "mounting needs WinFsp, which is not installed");
        return Err(error.with_hint(format!("install WinFsp from {SITE}")));
    }
    let end = folder.iter().position(|&unit| unit == 0).unwrap_or(folder.len());
    Ok(Path::new(&OsString::from_wide(&folder[..end])).join("bin").join(FILE_NAME))
}

/// Loads the library from a file.
///
/// # Errors
/// `Unsupported` if it cannot be loaded, or lacks a function.
#[expect(clippy::missing_transmute_annotations, reason = "the fields that are filled have the types")]
pub(super) fn load_from(path: &Path) -> Result<Library> {
    let module = module(path)?;
    // SAFETY: each function is given the type that the headers of WinFsp have for its name.
    unsafe {
        use std::mem::transmute;
        Ok(Library {
            calls: Calls {
                add_dir_info: transmute(function(module, c"FspFileSystemAddDirInfo")?),
                add_stream_info: transmute(function(module, c"FspFileSystemAddStreamInfo")?),
                operation_context: transmute(function(module, c"FspFileSystemGetOperationContext")?),
            },
            mounts: Mounts {
                create: transmute(function(module, c"FspFileSystemCreate")?),
                delete: transmute(function(module, c"FspFileSystemDelete")?),
                set_mount_point: transmute(function(module, c"FspFileSystemSetMountPoint")?),
                start_dispatcher: transmute(function(module, c"FspFileSystemStartDispatcher")?),
                stop_dispatcher: transmute(function(module, c"FspFileSystemStopDispatcher")?),
                notify_begin: transmute(function(module, c"FspFileSystemNotifyBegin")?),
                notify: transmute(function(module, c"FspFileSystemNotify")?),
                notify_end: transmute(function(module, c"FspFileSystemNotifyEnd")?),
            },
        })
    }
}

/// Returns a function of the library in a file.
///
/// # Errors
/// As [`load_from`].
#[cfg(test)]
pub(super) fn function_of(path: &Path, name: &CStr) -> Result<*const c_void> {
    function(module(path)?, name)
}

fn module(path: &Path) -> Result<HMODULE> {
    let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: `wide` ends in 0. The library is never unloaded, so its functions stay where they are.
    let module = unsafe { LoadLibraryExW(wide.as_ptr(), std::ptr::null_mut(), LOAD_WITH_ALTERED_SEARCH_PATH) };
    if module.is_null() {
        let message = format!("WinFsp's library {} cannot be loaded", path.display());
        let error = Error::new(ErrorKind::Unsupported, message).with_source(std::io::Error::last_os_error());
        return Err(error.with_hint(format!("install WinFsp again, from {SITE}")));
    }
    Ok(module)
}

fn function(module: HMODULE, name: &CStr) -> Result<*const c_void> {
    // SAFETY: the module stays loaded, and `name` ends in 0.
    let function = unsafe { GetProcAddress(module, name.as_ptr().cast()) };
    function.map(|function| function as *const c_void).ok_or_else(|| {
        let message = format!("this WinFsp is too old: it lacks {}", name.to_string_lossy());
        Error::new(ErrorKind::Unsupported, message).with_hint(format!("install a newer WinFsp from {SITE}"))
    })
}
