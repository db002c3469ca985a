//! The interface of WinFsp's library in memory, as its headers `fsctl.h` and `winfsp.h` (version 2) have it: what is passed to
//! it, and what it calls.
//!
//! Written down here so that the program is built without WinFsp, for any compiler, and starts without it.

use std::ffi::c_void;

/// A call that succeeded.
pub(super) const SUCCESS: i32 = 0;
/// A buffer is too small for what was asked for.
pub(super) const BUFFER_OVERFLOW: i32 = 0x8000_0005_u32 as i32;

/// The file is deleted with this cleanup.
pub(super) const CLEANUP_DELETE: u32 = 1;

/// Bits of [`VolumeParams::flags`].
pub(super) mod flags {
    pub(in super::super) const CASE_PRESERVED_NAMES: u32 = 1 << 1;
    pub(in super::super) const UNICODE_ON_DISK: u32 = 1 << 2;
    pub(in super::super) const PERSISTENT_ACLS: u32 = 1 << 3;
    pub(in super::super) const NAMED_STREAMS: u32 = 1 << 6;
    pub(in super::super) const POST_CLEANUP_WHEN_MODIFIED_ONLY: u32 = 1 << 10;
    pub(in super::super) const FLUSH_AND_PURGE_ON_CLEANUP: u32 = 1 << 14;
    pub(in super::super) const CONTEXT_IS_OF_HANDLE: u32 = 1 << 16;
    pub(in super::super) const ALLOW_OPEN_IN_KERNEL_MODE: u32 = 1 << 24;
}

/// Bits of [`VolumeParams::valid_timeouts`].
pub(super) mod timeouts {
    pub(in super::super) const VOLUME_INFO: u32 = 1 << 0;
    pub(in super::super) const DIR_INFO: u32 = 1 << 1;
}

/// What a volume is like; `FSP_FSCTL_VOLUME_PARAMS`.
#[repr(C)]
pub(super) struct VolumeParams {
    pub(super) version: u16,
    pub(super) sector_size: u16,
    pub(super) sectors_per_allocation_unit: u16,
    pub(super) max_component_length: u16,
    pub(super) creation_time: u64,
    pub(super) serial_number: u32,
    pub(super) transact_timeout: u32,
    pub(super) irp_timeout: u32,
    pub(super) irp_capacity: u32,
    pub(super) file_info_timeout: u32,
    pub(super) flags: u32,
    pub(super) prefix: [u16; 192],
    pub(super) file_system_name: [u16; 16],
    pub(super) valid_timeouts: u32,
    pub(super) volume_info_timeout: u32,
    pub(super) dir_info_timeout: u32,
    pub(super) security_timeout: u32,
    pub(super) stream_info_timeout: u32,
    pub(super) ea_timeout: u32,
    pub(super) control_code: u32,
    pub(super) reserved: [u32; 5],
}

/// What is known of the volume; `FSP_FSCTL_VOLUME_INFO`.
#[repr(C)]
pub(super) struct VolumeInfo {
    pub(super) total: u64,
    pub(super) free: u64,
    /// In bytes.
    pub(super) label_len: u16,
    pub(super) label: [u16; 32],
}

/// What is known of a file; `FSP_FSCTL_FILE_INFO`.
#[repr(C)]
#[derive(Default)]
pub(super) struct FileInfo {
    pub(super) attributes: u32,
    pub(super) reparse_tag: u32,
    pub(super) allocation: u64,
    pub(super) size: u64,
    pub(super) creation_time: u64,
    pub(super) access_time: u64,
    pub(super) write_time: u64,
    pub(super) change_time: u64,
    pub(super) index: u64,
    pub(super) hard_links: u32,
    pub(super) ea_size: u32,
}

/// What is told of a file that is opened, of which a [`FileInfo`] is the start; `FSP_FSCTL_OPEN_FILE_INFO`.
#[repr(C)]
pub(super) struct OpenFileInfo {
    pub(super) info: FileInfo,
    /// Takes the path in the case in which it is shown.
    pub(super) path: *mut u16,
    /// In bytes: the room before, the length after.
    pub(super) path_len: u16,
}

/// An entry of a listing with the longest name; `FSP_FSCTL_DIR_INFO`.
#[repr(C)]
pub(super) struct DirInfo {
    /// In bytes, up to the end of the name.
    pub(super) len: u16,
    pub(super) info: FileInfo,
    pub(super) reserved: [u64; 3],
    pub(super) name: [u16; 255],
}

/// The bytes of a [`DirInfo`] before its name.
pub(super) const DIR_INFO_LEN: usize = std::mem::offset_of!(DirInfo, name);

/// A stream of a file that has no name; `FSP_FSCTL_STREAM_INFO`.
#[repr(C)]
pub(super) struct StreamInfo {
    pub(super) len: u16,
    pub(super) size: u64,
    pub(super) allocation: u64,
}

/// The start of a change that Windows is told of, before the path; `FSP_FSCTL_NOTIFY_INFO`.
#[repr(C)]
pub(super) struct NotifyInfo {
    /// In bytes, up to the end of the path.
    pub(super) len: u16,
    pub(super) filter: u32,
    pub(super) action: u32,
}

/// A mounted file system, as far as it is looked into here; `FSP_FILE_SYSTEM`.
#[repr(C)]
pub(super) struct FileSystem {
    pub(super) version: u16,
    /// Ours.
    pub(super) context: *mut c_void,
}

/// The request that a thread is at; `FSP_FILE_SYSTEM_OPERATION_CONTEXT`.
#[repr(C)]
pub(super) struct OperationContext {
    pub(super) request: *const CreateRequest,
    pub(super) response: *mut c_void,
}

/// The start of a request to open or make a file; `FSP_FSCTL_TRANSACT_REQ`.
#[repr(C)]
pub(super) struct CreateRequest {
    pub(super) version: u16,
    pub(super) len: u16,
    pub(super) kind: u32,
    pub(super) hint: u64,
    pub(super) options: u32,
    pub(super) attributes: u32,
    pub(super) security: [u16; 2],
    pub(super) allocation: u64,
    pub(super) token: u64,
    pub(super) desired: u32,
}

/// What WinFsp calls; `FSP_FILE_SYSTEM_INTERFACE`. What is 0 it answers by itself, or refuses.
#[repr(C)]
pub(super) struct Interface {
    pub(super) volume_info: unsafe extern "C" fn(*mut FileSystem, *mut VolumeInfo) -> i32,
    pub(super) set_volume_label: usize,
    pub(super) security_by_name:
        unsafe extern "C" fn(*mut FileSystem, *const u16, *mut u32, *mut c_void, *mut usize) -> i32,
    pub(super) create: unsafe extern "C" fn(
        *mut FileSystem,
        *const u16,
        u32,
        u32,
        u32,
        *mut c_void,
        u64,
        *mut *mut c_void,
        *mut OpenFileInfo,
    ) -> i32,
    pub(super) open:
        unsafe extern "C" fn(*mut FileSystem, *const u16, u32, u32, *mut *mut c_void, *mut OpenFileInfo) -> i32,
    pub(super) overwrite: unsafe extern "C" fn(*mut FileSystem, *mut c_void, u32, u8, u64, *mut FileInfo) -> i32,
    pub(super) cleanup: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *const u16, u32),
    pub(super) close: unsafe extern "C" fn(*mut FileSystem, *mut c_void),
    pub(super) read: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *mut u8, u64, u32, *mut u32) -> i32,
    pub(super) write:
        unsafe extern "C" fn(*mut FileSystem, *mut c_void, *const u8, u64, u32, u8, u8, *mut u32, *mut FileInfo) -> i32,
    pub(super) flush: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *mut FileInfo) -> i32,
    pub(super) file_info: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *mut FileInfo) -> i32,
    pub(super) set_basic_info:
        unsafe extern "C" fn(*mut FileSystem, *mut c_void, u32, u64, u64, u64, u64, *mut FileInfo) -> i32,
    pub(super) set_file_size: unsafe extern "C" fn(*mut FileSystem, *mut c_void, u64, u8, *mut FileInfo) -> i32,
    pub(super) can_delete: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *const u16) -> i32,
    pub(super) rename: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *const u16, *const u16, u8) -> i32,
    pub(super) security: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *mut c_void, *mut usize) -> i32,
    pub(super) set_security: unsafe extern "C" fn(*mut FileSystem, *mut c_void, u32, *mut c_void) -> i32,
    pub(super) read_directory:
        unsafe extern "C" fn(*mut FileSystem, *mut c_void, *const u16, *const u16, *mut c_void, u32, *mut u32) -> i32,
    /// Reparse points: links are followed before WinFsp hears of them.
    pub(super) reparse_points: [usize; 4],
    pub(super) stream_info: unsafe extern "C" fn(*mut FileSystem, *mut c_void, *mut c_void, u32, *mut u32) -> i32,
    /// `GetDirInfoByName`, `Control`, `SetDelete`, `CreateEx`, `OverwriteEx`, `GetEa`, `SetEa`, one that is obsolete,
    /// `DispatcherStopped`, and room for more.
    pub(super) others: [usize; 40],
}

// What the headers of WinFsp 2 come to for 64-bit Windows.
const _: () = {
    assert!(size_of::<VolumeParams>() == 504 && std::mem::offset_of!(VolumeParams, prefix) == 40);
    assert!(std::mem::offset_of!(VolumeParams, volume_info_timeout) == 460);
    assert!(size_of::<VolumeInfo>() == 88 && size_of::<FileInfo>() == 72 && size_of::<OpenFileInfo>() == 88);
    assert!(DIR_INFO_LEN == 104 && size_of::<StreamInfo>() == 24 && size_of::<NotifyInfo>() == 12);
    assert!(std::mem::offset_of!(FileSystem, context) == 8);
    assert!(std::mem::offset_of!(CreateRequest, desired) == 48);
    assert!(size_of::<Interface>() == 64 * 8);
};
