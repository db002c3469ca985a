//! What WinFsp calls: pointers become slices and handles, answers become what it expects, a panic becomes an I/O error.

use super::super::data::WriteAt;
use super::super::handle::{Handle, Wanted};
use super::super::info::FileInfo;
use super::super::status::Status;
use super::super::volume::{Answer, Volume};
use super::abi::{self, DirInfo, FileSystem, Interface, OpenFileInfo, SUCCESS, StreamInfo, VolumeInfo};
use super::library::Calls;
use crate::tree::Caller;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

const FILE_DIRECTORY_FILE: u32 = 0x1;
const FILE_NON_DIRECTORY_FILE: u32 = 0x40;

/// What every volume is called in the Explorer.
const LABEL: &str = "GameVault";

/// What the functions here work on.
pub(super) struct Served {
    pub(super) volume: Volume,
    pub(super) calls: Calls,
    /// Who may do what, the same for all that is shown: what cannot be changed is told by the tree.
    pub(super) security: Box<[u8]>,
}

/// The functions below.
pub(super) const INTERFACE: Interface = Interface {
    volume_info,
    set_volume_label: 0,
    security_by_name,
    create,
    open,
    overwrite,
    cleanup,
    close,
    read,
    write,
    flush,
    file_info,
    set_basic_info,
    set_file_size,
    can_delete,
    rename,
    security,
    set_security,
    read_directory,
    reparse_points: [0; 4],
    stream_info,
    others: [0; 40],
};

/// Runs `act`, and returns how it ended as WinFsp is told.
fn answer(act: impl FnOnce() -> Answer<()>) -> i32 {
    let ended = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        tracing::error!("a request ended in a panic");
        Err(Status::IO_DEVICE_ERROR)
    });
    ended.map_or_else(|status| status.0 as i32, |()| SUCCESS)
}

// SAFETY: for all functions here. WinFsp calls them with its file system, whose context is a `Served` that outlives the
// dispatcher; with paths that end in 0; with buffers of the length that it gives; and with a context of ours that was put out
// by `create` or `open` and is not used after `close`.

unsafe fn served<'a>(system: *mut FileSystem) -> &'a Served {
    unsafe { &*(*system).context.cast::<Served>() }
}

unsafe fn handle<'a>(context: *mut c_void) -> &'a Handle {
    unsafe { &*context.cast::<Handle>() }
}

unsafe fn path<'a>(start: *const u16) -> &'a [u16] {
    let len = (0..).take_while(|&at| unsafe { *start.add(at) } != 0).count();
    unsafe { slice::from_raw_parts(start, len) }
}

fn told(info: &FileInfo) -> abi::FileInfo {
    abi::FileInfo {
        attributes: info.attributes,
        allocation: info.allocation(),
        size: info.size,
        creation_time: info.time,
        access_time: info.time,
        write_time: info.time,
        change_time: info.time,
        index: info.index,
        ..abi::FileInfo::default()
    }
}

unsafe fn tell(info: FileInfo, to: *mut abi::FileInfo) {
    unsafe { to.write(told(&info)) }
}

unsafe extern "C" fn volume_info(system: *mut FileSystem, info: *mut VolumeInfo) -> i32 {
    answer(|| {
        let space = unsafe { served(system) }.volume.space()?;
        let mut label = [0; 32];
        LABEL.encode_utf16().zip(&mut label).for_each(|(unit, place)| *place = unit);
        let label_len = (LABEL.len() * 2) as u16;
        unsafe { info.write(VolumeInfo { total: space.total, free: space.available, label_len, label }) };
        Ok(())
    })
}

/// Copies who may do what to where WinFsp wants it, if there is room.
unsafe fn copy_security(security: &[u8], to: *mut c_void, room: *mut usize) -> i32 {
    if room.is_null() {
        return SUCCESS;
    }
    let has_room = security.len() <= unsafe { room.replace(security.len()) };
    if !has_room {
        return abi::BUFFER_OVERFLOW;
    }
    if !to.is_null() {
        unsafe { to.cast::<u8>().copy_from_nonoverlapping(security.as_ptr(), security.len()) };
    }
    SUCCESS
}

unsafe extern "C" fn security_by_name(
    system: *mut FileSystem,
    name: *const u16,
    attributes: *mut u32,
    to: *mut c_void,
    room: *mut usize,
) -> i32 {
    let served = unsafe { served(system) };
    let found = answer(|| {
        let found = served.volume.attributes(unsafe { path(name) })?;
        if !attributes.is_null() {
            unsafe { attributes.write(found) };
        }
        Ok(())
    });
    if found == SUCCESS { unsafe { copy_security(&served.security, to, room) } } else { found }
}

unsafe extern "C" fn security(system: *mut FileSystem, _: *mut c_void, to: *mut c_void, room: *mut usize) -> i32 {
    unsafe { copy_security(&served(system).security, to, room) }
}

unsafe extern "C" fn set_security(_: *mut FileSystem, _: *mut c_void, _: u32, _: *mut c_void) -> i32 {
    // Taken and dropped, like the owner on other systems: who copies with it would fail.
    SUCCESS
}

/// Returns what the request that this thread is at wants.
unsafe fn wanted(calls: &Calls, options: u32, granted: u32) -> Wanted {
    let context = unsafe { (calls.operation_context)().as_ref() };
    let request = context.and_then(|context| unsafe { context.request.as_ref() });
    Wanted {
        desired: request.map_or(granted, |request| request.desired),
        granted,
        directory: options & FILE_DIRECTORY_FILE != 0,
        file: options & FILE_NON_DIRECTORY_FILE != 0,
        caller: Caller::new(unsafe { (calls.process_id)() }, b"", false),
    }
}

/// Puts a handle out, and tells of what it is.
unsafe fn put_out(
    (handle, info): (Handle, FileInfo),
    asked: &[u16],
    context: *mut *mut c_void,
    opened: *mut OpenFileInfo,
) {
    unsafe {
        tell(info, &raw mut (*opened).info);
        tell_path(&handle.path, asked, &mut *opened);
        context.write(Box::into_raw(Box::new(handle)).cast());
    }
}

/// Tells the path in the case in which it is shown, by which Windows names it to those who wait for changes.
///
/// It must be the same but for case, as the kernel sees it; of letters other than ASCII that is not known here.
unsafe fn tell_path(shown: &[u16], asked: &[u16], opened: &mut OpenFileInfo) {
    let lower = |unit: &u16| u8::try_from(*unit).map_or(*unit, |byte| byte.to_ascii_lowercase().into());
    if !opened.path.is_null()
        && shown.len() * 2 <= usize::from(opened.path_len)
        && shown.iter().map(lower).eq(asked.iter().map(lower))
    {
        unsafe { opened.path.copy_from_nonoverlapping(shown.as_ptr(), shown.len()) };
        opened.path_len = (shown.len() * 2) as u16;
    }
}

unsafe extern "C" fn create(
    system: *mut FileSystem,
    name: *const u16,
    options: u32,
    granted: u32,
    attributes: u32,
    _security: *mut c_void,
    _allocation: u64,
    context: *mut *mut c_void,
    opened: *mut OpenFileInfo,
) -> i32 {
    answer(|| {
        let (served, name) = unsafe { (served(system), path(name)) };
        let wanted = unsafe { wanted(&served.calls, options, granted) };
        let made = served.volume.create(name, wanted, attributes)?;
        unsafe { put_out(made, name, context, opened) };
        Ok(())
    })
}

unsafe extern "C" fn open(
    system: *mut FileSystem,
    name: *const u16,
    options: u32,
    granted: u32,
    context: *mut *mut c_void,
    opened: *mut OpenFileInfo,
) -> i32 {
    answer(|| {
        let (served, name) = unsafe { (served(system), path(name)) };
        let wanted = unsafe { wanted(&served.calls, options, granted) };
        let found = served.volume.open(name, wanted)?;
        unsafe { put_out(found, name, context, opened) };
        Ok(())
    })
}

unsafe extern "C" fn overwrite(
    system: *mut FileSystem,
    context: *mut c_void,
    attributes: u32,
    replaces_attributes: u8,
    _allocation: u64,
    info: *mut abi::FileInfo,
) -> i32 {
    answer(|| unsafe {
        let made = served(system).volume.overwrite(handle(context), attributes, replaces_attributes != 0)?;
        tell(made, info);
        Ok(())
    })
}

unsafe extern "C" fn cleanup(system: *mut FileSystem, context: *mut c_void, name: *const u16, flags: u32) {
    answer(|| unsafe {
        let deleted = (flags & abi::CLEANUP_DELETE != 0 && !name.is_null()).then(|| path(name));
        served(system).volume.cleanup(handle(context), deleted);
        Ok(())
    });
}

unsafe extern "C" fn close(system: *mut FileSystem, context: *mut c_void) {
    answer(|| {
        let handle = unsafe { Box::from_raw(context.cast::<Handle>()) };
        unsafe { served(system) }.volume.close(&handle);
        Ok(())
    });
}

unsafe extern "C" fn read(
    system: *mut FileSystem,
    context: *mut c_void,
    buffer: *mut u8,
    offset: u64,
    len: u32,
    read: *mut u32,
) -> i32 {
    answer(|| unsafe {
        let buffer = if len == 0 { &mut [] } else { slice::from_raw_parts_mut(buffer, len as usize) };
        read.write(served(system).volume.read(handle(context), offset, buffer)? as u32);
        Ok(())
    })
}

unsafe extern "C" fn write(
    system: *mut FileSystem,
    context: *mut c_void,
    buffer: *const u8,
    offset: u64,
    len: u32,
    at_end: u8,
    within: u8,
    written: *mut u32,
    info: *mut abi::FileInfo,
) -> i32 {
    answer(|| unsafe {
        let bytes = if len == 0 { &[] } else { slice::from_raw_parts(buffer, len as usize) };
        let (at, bytes) = match (at_end != 0, within != 0) {
            (false, false) => (WriteAt::Offset(offset), bytes),
            (false, true) => (WriteAt::Within(offset), bytes),
            (true, false) => (WriteAt::End, bytes),
            // Nothing is both at the end and before it.
            (true, true) => (WriteAt::Within(0), &bytes[..0]),
        };
        let (len, known) = served(system).volume.write(handle(context), at, bytes)?;
        written.write(len as u32);
        tell(known, info);
        Ok(())
    })
}

unsafe extern "C" fn flush(system: *mut FileSystem, context: *mut c_void, info: *mut abi::FileInfo) -> i32 {
    answer(|| unsafe {
        // Without a file it is the whole volume, whose files are each synced when they are flushed or committed.
        if !context.is_null() {
            tell(served(system).volume.flush(handle(context))?, info);
        }
        Ok(())
    })
}

unsafe extern "C" fn file_info(system: *mut FileSystem, context: *mut c_void, info: *mut abi::FileInfo) -> i32 {
    answer(|| unsafe {
        tell(served(system).volume.info(handle(context))?, info);
        Ok(())
    })
}

unsafe extern "C" fn set_basic_info(
    system: *mut FileSystem,
    context: *mut c_void,
    attributes: u32,
    _creation_time: u64,
    _access_time: u64,
    write_time: u64,
    _change_time: u64,
    info: *mut abi::FileInfo,
) -> i32 {
    answer(|| unsafe {
        tell(served(system).volume.set_basic(handle(context), attributes, write_time)?, info);
        Ok(())
    })
}

unsafe extern "C" fn set_file_size(
    system: *mut FileSystem,
    context: *mut c_void,
    size: u64,
    is_allocation: u8,
    info: *mut abi::FileInfo,
) -> i32 {
    answer(|| unsafe {
        let (volume, handle) = (&served(system).volume, handle(context));
        let known = if is_allocation != 0 { volume.set_room(handle, size)? } else { volume.set_size(handle, size)? };
        tell(known, info);
        Ok(())
    })
}

unsafe extern "C" fn can_delete(system: *mut FileSystem, context: *mut c_void, name: *const u16) -> i32 {
    answer(|| unsafe { served(system).volume.can_delete(handle(context), path(name)) })
}

unsafe extern "C" fn rename(
    system: *mut FileSystem,
    _context: *mut c_void,
    from: *const u16,
    to: *const u16,
    replaces: u8,
) -> i32 {
    answer(|| unsafe { served(system).volume.rename(path(from), path(to), replaces != 0) })
}

unsafe extern "C" fn read_directory(
    system: *mut FileSystem,
    context: *mut c_void,
    _pattern: *const u16,
    marker: *const u16,
    buffer: *mut c_void,
    len: u32,
    used: *mut u32,
) -> i32 {
    answer(|| unsafe {
        let (served, mut is_full) = (served(system), false);
        let marker = (!marker.is_null()).then(|| path(marker));
        served.volume.list(handle(context), marker, &mut |name, info| {
            let entry = dir_info(name, info);
            is_full = (served.calls.add_dir_info)(&entry, buffer, len, used) == 0;
            !is_full
        })?;
        if !is_full {
            // Nothing follows.
            (served.calls.add_dir_info)(std::ptr::null(), buffer, len, used);
        }
        Ok(())
    })
}

fn dir_info(shown: &[u16], info: &FileInfo) -> DirInfo {
    // Listed names are never longer.
    let shown = &shown[..shown.len().min(255)];
    let mut name = [0; 255];
    name[..shown.len()].copy_from_slice(shown);
    DirInfo { len: (abi::DIR_INFO_LEN + shown.len() * 2) as u16, info: told(info), reserved: [0; 3], name }
}

unsafe extern "C" fn stream_info(
    system: *mut FileSystem,
    context: *mut c_void,
    buffer: *mut c_void,
    len: u32,
    used: *mut u32,
) -> i32 {
    answer(|| unsafe {
        let served = served(system);
        let info = served.volume.info(handle(context))?;
        let stream = StreamInfo { len: size_of::<StreamInfo>() as u16, size: info.size, allocation: info.allocation() };
        // A folder has no bytes of its own.
        if info.is_directory() || (served.calls.add_stream_info)(&stream, buffer, len, used) != 0 {
            (served.calls.add_stream_info)(std::ptr::null(), buffer, len, used);
        }
        Ok(())
    })
}
