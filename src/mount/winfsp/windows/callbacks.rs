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
    // The upper half of what stands for the caller's rights is the number of its process.
    let process = request.map_or(0, |request| (request.token >> 32) as u32);
    Wanted {
        desired: request.map_or(granted, |request| request.desired),
        granted,
        directory: options & FILE_DIRECTORY_FILE != 0,
        file: options & FILE_NON_DIRECTORY_FILE != 0,
        caller: Caller::new(process, b"", false),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::winfsp::windows::abi::{DIR_INFO_LEN, OperationContext};
    use crate::tree::Tree;
    use crate::vault::Vault;
    use std::ptr::{null, null_mut};
    use std::sync::Arc;

    const ALL: u32 = 0x1f_01ff;
    const ROOM: usize = 4096;

    /// A file system with one vault, of whose library the helpers alone are needed, and are here.
    struct Driven {
        system: FileSystem,
        served: *mut Served,
        _dir: tempfile::TempDir,
    }

    unsafe fn add(start: *const c_void, entry_len: usize, buffer: *mut c_void, room: u32, used: *mut u32) -> u8 {
        // As the library does: entries are aligned to 8, an end of two zero bytes follows the last.
        let (at, bytes) = match start.is_null() {
            true => (unsafe { *used }, &[0u8; 2][..]),
            false => (unsafe { *used }, unsafe { slice::from_raw_parts(start.cast(), entry_len) }),
        };
        let end = at as usize + bytes.len().next_multiple_of(if start.is_null() { 1 } else { 8 });
        if end > room as usize {
            return 0;
        }
        unsafe {
            buffer.cast::<u8>().add(at as usize).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            used.write(end as u32);
        }
        1
    }

    unsafe extern "C" fn add_dir_info(info: *const DirInfo, buffer: *mut c_void, room: u32, used: *mut u32) -> u8 {
        unsafe { add(info.cast(), info.as_ref().map_or(0, |info| info.len.into()), buffer, room, used) }
    }

    unsafe extern "C" fn add_stream_info(
        info: *const StreamInfo,
        buffer: *mut c_void,
        room: u32,
        used: *mut u32,
    ) -> u8 {
        unsafe { add(info.cast(), info.as_ref().map_or(0, |info| info.len.into()), buffer, room, used) }
    }

    unsafe extern "C" fn operation_context() -> *const OperationContext {
        null()
    }

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    fn status(status: Status) -> i32 {
        status.0 as i32
    }

    impl Driven {
        fn new() -> Driven {
            let dir = tempfile::tempdir().unwrap();
            let vault = Arc::new(Vault::init(&dir.path().join("vault")).unwrap());
            let tree = Arc::new(Tree::new(vault, Box::new(|_| {})));
            let calls = Calls { add_dir_info, add_stream_info, operation_context };
            let served = Served { volume: Volume::new(tree), calls, security: Box::new([7; 20]) };
            let served = Box::into_raw(Box::new(served));
            Driven { system: FileSystem { version: 0, context: served.cast() }, served, _dir: dir }
        }

        fn create(&mut self, path: &str, options: u32) -> Result<*mut c_void, i32> {
            let (path, mut context, mut info) = (wide(path), null_mut(), opened());
            let made = unsafe {
                (INTERFACE.create)(
                    &mut self.system,
                    path.as_ptr(),
                    options,
                    ALL,
                    0,
                    null_mut(),
                    0,
                    &mut context,
                    &mut info,
                )
            };
            if made == SUCCESS { Ok(context) } else { Err(made) }
        }

        /// Opens a path, and returns the path that is told back.
        fn open(&mut self, path: &str) -> Result<(*mut c_void, String), i32> {
            let (path, mut context) = (wide(path), null_mut());
            let mut shown = [0u16; 64];
            let mut info = OpenFileInfo { path: shown.as_mut_ptr(), path_len: 128, ..opened() };
            let found = unsafe { (INTERFACE.open)(&mut self.system, path.as_ptr(), 0, ALL, &mut context, &mut info) };
            if found != SUCCESS {
                return Err(found);
            }
            let told = if info.path_len == 128 { 0 } else { usize::from(info.path_len) / 2 };
            Ok((context, String::from_utf16(&shown[..told]).unwrap()))
        }

        fn end(&mut self, context: *mut c_void) {
            unsafe {
                (INTERFACE.cleanup)(&mut self.system, context, null(), 0);
                (INTERFACE.close)(&mut self.system, context);
            }
        }

        fn info(&mut self, context: *mut c_void) -> abi::FileInfo {
            let mut info = abi::FileInfo::default();
            assert_eq!(unsafe { (INTERFACE.file_info)(&mut self.system, context, &mut info) }, SUCCESS);
            info
        }

        fn write(&mut self, context: *mut c_void, offset: u64, bytes: &[u8], at_end: u8, within: u8) -> (u32, u64) {
            let (mut written, mut info) = (0, abi::FileInfo::default());
            let (start, len) = (bytes.as_ptr(), bytes.len() as u32);
            let system = &mut self.system;
            let done = unsafe {
                (INTERFACE.write)(system, context, start, offset, len, at_end, within, &mut written, &mut info)
            };
            assert_eq!(done, SUCCESS);
            (written, info.size)
        }

        fn read(&mut self, context: *mut c_void) -> Vec<u8> {
            let (mut bytes, mut read) = (vec![0; 100], 0);
            let done = unsafe { (INTERFACE.read)(&mut self.system, context, bytes.as_mut_ptr(), 0, 100, &mut read) };
            assert_eq!(done, SUCCESS);
            bytes.truncate(read as usize);
            bytes
        }

        /// Lists a folder in buffers of `room` bytes.
        fn names(&mut self, path: &str, room: usize) -> Vec<String> {
            let (context, _) = self.open(path).unwrap();
            let (mut names, mut marker) = (Vec::new(), None::<Vec<u16>>);
            loop {
                let (mut buffer, mut used) = (vec![0u64; room / 8], 0);
                let from = marker.as_ref().map_or(null(), |marker| marker.as_ptr());
                let start = buffer.as_mut_ptr().cast();
                let listed = unsafe {
                    let (system, room) = (&mut self.system, room as u32);
                    (INTERFACE.read_directory)(system, context, null(), from, start, room, &mut used)
                };
                assert_eq!(listed, SUCCESS);
                let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_le_bytes()).collect();
                let mut at = 0;
                while at + 2 <= used as usize {
                    let len = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
                    if len == 0 {
                        self.end(context);
                        return names;
                    }
                    let name = bytes[at + DIR_INFO_LEN..at + len].as_chunks::<2>().0;
                    let name: Vec<u16> = name.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
                    names.push(String::from_utf16(&name).unwrap());
                    marker = Some(name.into_iter().chain([0]).collect());
                    at += len.next_multiple_of(8);
                }
            }
        }
    }

    impl Drop for Driven {
        fn drop(&mut self) {
            drop(unsafe { Box::from_raw(self.served) });
        }
    }

    fn opened() -> OpenFileInfo {
        OpenFileInfo { info: abi::FileInfo::default(), path: null_mut(), path_len: 0 }
    }

    #[test]
    fn a_build_is_made_and_read_by_callbacks_alone() {
        let mut driven = Driven::new();
        let folder = driven.create("\\.snapshot\\1", FILE_DIRECTORY_FILE).unwrap();
        driven.end(folder);
        let file = driven.create("\\.snapshot\\1\\Data.pak", 0).unwrap();
        assert_eq!(driven.create("\\.snapshot\\1\\DATA.PAK", 0), Err(status(Status::NAME_COLLISION)));
        assert_eq!(driven.write(file, 0, b"0123456789", 0, 0), (10, 10));
        assert_eq!(driven.write(file, u64::MAX, b"ab", 1, 0), (2, 12));
        assert_eq!(driven.write(file, 11, b"BCD", 0, 1), (1, 12));
        assert_eq!(driven.write(file, 0, b"x", 1, 1), (0, 12));
        let mut info = abi::FileInfo::default();
        let system = &mut driven.system;
        unsafe {
            assert_eq!((INTERFACE.flush)(system, null_mut(), null_mut()), SUCCESS, "the whole volume");
            assert_eq!((INTERFACE.flush)(system, file, &mut info), SUCCESS);
            assert_eq!((INTERFACE.set_file_size)(system, file, 4096, 1, &mut info), SUCCESS);
            assert_eq!(info.size, 12);
            assert_eq!((INTERFACE.set_file_size)(system, file, 11, 0, &mut info), SUCCESS);
            let time = 132_444_736_001_234_567;
            assert_eq!((INTERFACE.set_basic_info)(system, file, 1, 1, 2, time, 3, &mut info), SUCCESS);
            assert_eq!((info.size, info.write_time, info.creation_time, info.attributes & 1), (11, time, time, 1));
        }
        driven.end(file);
        let (file, shown) = driven.open("\\.SNAPSHOT\\1\\data.PAK").unwrap();
        assert_eq!(shown, "\\.snapshot\\1\\Data.pak");
        assert_eq!(driven.read(file), b"0123456789a");
        assert_eq!(driven.info(file).allocation, 4096);
        driven.end(file);
        let (from, to) = (wide("\\.snapshot\\1"), wide("\\builds\\1"));
        let (session, _) = driven.open("\\.snapshot\\1").unwrap();
        let renamed = unsafe { (INTERFACE.rename)(&mut driven.system, session, from.as_ptr(), to.as_ptr(), 0) };
        assert_eq!(renamed, SUCCESS);
        driven.end(session);
        for room in [256, ROOM] {
            assert_eq!(driven.names("\\builds", room), [".", "..", "1", "latest"]);
            assert_eq!(driven.names("\\builds\\latest", room), [".", "..", "Data.pak"]);
        }
        assert_eq!(driven.open("\\builds\\1\\data.pak").map(drop), Err(status(Status::MEDIA_WRITE_PROTECTED)));
    }

    #[test]
    fn files_are_emptied_and_deleted_by_callbacks() {
        let mut driven = Driven::new();
        let folder = driven.create("\\.snapshot\\s", FILE_DIRECTORY_FILE).unwrap();
        driven.end(folder);
        let file = driven.create("\\.snapshot\\s\\a", FILE_NON_DIRECTORY_FILE).unwrap();
        driven.write(file, 0, b"0123", 0, 0);
        let (path, mut info) = (wide("\\.snapshot\\s\\a"), abi::FileInfo::default());
        let (mut buffer, mut used) = ([0u64; 8], 0);
        let system = &mut driven.system;
        unsafe {
            let start = buffer.as_mut_ptr().cast();
            assert_eq!((INTERFACE.stream_info)(system, file, start, 64, &mut used), SUCCESS);
            assert_eq!((used, buffer[0] & 0xffff, buffer[1], buffer[2]), (26, 24, 4, 4096));
            assert_eq!((INTERFACE.overwrite)(system, file, 0, 1, 0, &mut info), SUCCESS);
            assert_eq!(info.size, 0);
            assert_eq!((INTERFACE.can_delete)(system, file, path.as_ptr()), SUCCESS);
            (INTERFACE.cleanup)(system, file, path.as_ptr(), abi::CLEANUP_DELETE);
            (INTERFACE.close)(system, file);
        }
        assert_eq!(driven.open("\\.snapshot\\s\\a").map(drop), Err(status(Status::NAME_NOT_FOUND)));
        let stream = driven.create("\\.snapshot\\s:Zone.Identifier", 0).unwrap();
        assert_eq!(driven.write(stream, 0, b"x", 0, 0), (1, 1));
        driven.end(stream);
    }

    #[test]
    fn the_volume_and_its_security_are_told() {
        let mut driven = Driven::new();
        let mut info = VolumeInfo { total: 0, free: 0, label_len: 0, label: [0; 32] };
        let (path, missing) = (wide("\\builds"), wide("\\missing"));
        let (mut attributes, mut room, mut bytes) = (0, 19, [0u8; 32]);
        let start: *mut c_void = bytes.as_mut_ptr().cast();
        let (root, _) = driven.open("\\").unwrap();
        let system: *mut FileSystem = &mut driven.system;
        let by_name = INTERFACE.security_by_name;
        unsafe {
            assert_eq!((INTERFACE.volume_info)(system, &mut info), SUCCESS);
            assert_eq!(by_name(system, path.as_ptr(), null_mut(), null_mut(), null_mut()), SUCCESS);
            assert_eq!(by_name(system, path.as_ptr(), &mut attributes, start, &mut room), abi::BUFFER_OVERFLOW);
            assert_eq!((room, attributes & 0x10), (20, 0x10));
            assert_eq!(by_name(system, path.as_ptr(), null_mut(), start, &mut room), SUCCESS);
            assert_eq!((INTERFACE.security)(system, root, start, &mut room), SUCCESS);
            assert_eq!((INTERFACE.set_security)(system, root, 4, start), SUCCESS);
            let unknown = by_name(system, missing.as_ptr(), null_mut(), null_mut(), null_mut());
            assert_eq!(unknown, status(Status::NAME_NOT_FOUND));
        }
        driven.end(root);
        assert_eq!((bytes[19], bytes[20]), (7, 0));
        assert_eq!((String::from_utf16(&info.label[..9]).unwrap().as_str(), info.label_len), ("GameVault", 18));
        assert!(info.total >= info.free && info.total > 0);
    }

    #[test]
    fn a_panic_is_an_error_of_one_request() {
        assert_eq!(answer(|| panic!("a bug")), status(Status::IO_DEVICE_ERROR));
    }
}
