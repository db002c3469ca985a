//! Requests as the driver sends them, answered by WinFsp's own library: only the driver itself is missing.
//!
//! The library is not part of the project. `scripts/cross-check windows` gets it, and names it by `GAMEVAULT_WINFSP_DLL`.

#[cfg(test)]
mod tests {
    use super::super::super::data::WriteAt;
    use super::super::super::handle::Wanted;
    use super::super::super::status::Status;
    use super::super::super::volume::Volume;
    use super::super::abi::{DIR_INFO_LEN, FileSystem, SUCCESS};
    use super::super::callbacks::{INTERFACE, Served};
    use super::super::library;
    use crate::tree::{Caller, Tree};
    use crate::vault::Vault;
    use std::ffi::{CStr, c_void};
    use std::path::Path;
    use std::sync::Arc;

    const ALL: u32 = 0x1f_01ff;
    const FILE_OPEN: u32 = 1 << 24;
    const CREATE: u32 = 1;
    const CLEANUP: u32 = 3;
    const CLOSE: u32 = 4;
    const READ: u32 = 5;
    const WRITE: u32 = 6;
    const QUERY_INFORMATION: u32 = 7;
    const QUERY_VOLUME: u32 = 12;
    const QUERY_DIRECTORY: u32 = 14;
    const QUERY_SECURITY: u32 = 19;
    const QUERY_STREAMS: u32 = 21;

    /// `FSP_FSCTL_TRANSACT_REQ` or `_RSP`: fields are put and read at their offsets.
    #[derive(Clone)]
    struct Message([u64; 2048]);

    impl Message {
        fn new(kind: u32) -> Message {
            let mut message = Message([0; 2048]);
            message.0[0] = u64::from(kind) << 32 | 2048 << 16;
            message
        }

        fn put(&mut self, at: usize, bytes: &[u8]) {
            let start = self.0.as_mut_ptr().cast::<u8>();
            assert!(at + bytes.len() <= size_of_val(&self.0));
            unsafe { start.add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }

        fn bytes(&self) -> Vec<u8> {
            self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
        }

        fn u32(&self, at: usize) -> u32 {
            (self.0[at / 8] >> (at % 8 * 8)) as u32
        }

        fn u64(&self, at: usize) -> u64 {
            self.0[at / 8]
        }
    }

    type Operation = unsafe extern "C" fn(*mut FileSystem, *const Message, *mut Message) -> i32;

    /// The library, and the file system that it is given, as `FspFileSystemCreate` would lay it out.
    struct Driven {
        system: [u64; 99],
        served: *mut Served,
        library: std::path::PathBuf,
        _dir: tempfile::TempDir,
    }

    impl Driven {
        /// `None` where the library is not to be had.
        fn new() -> Option<Driven> {
            let Some(path) = std::env::var_os("GAMEVAULT_WINFSP_DLL") else {
                eprintln!("skipped: GAMEVAULT_WINFSP_DLL does not name WinFsp's library");
                return None;
            };
            let library = library::load_from(Path::new(&path)).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let vault = Arc::new(Vault::init(&dir.path().join("vault")).unwrap());
            let volume = Volume::new(Arc::new(Tree::new(vault, Box::new(|_| {}))));
            let security = super::super::security::descriptor(false).unwrap();
            let served = Box::into_raw(Box::new(Served { volume, calls: library.calls, security }));
            let mut system = [0; 99];
            system[1] = served as u64;
            system[728 / 8] = (&raw const INTERFACE_HERE) as u64;
            // The context is that of the handle.
            system[784 / 8] = 1;
            Some(Driven { system, served, library: path.into(), _dir: dir })
        }

        fn volume(&self) -> &Volume {
            unsafe { &(*self.served).volume }
        }

        fn make(&self, path: &str, bytes: Option<&[u8]>) {
            let path: Vec<u16> = path.encode_utf16().collect();
            let directory = bytes.is_none();
            let wanted = Wanted { desired: ALL, granted: ALL, directory, file: false, caller: Caller::UNKNOWN };
            let (handle, _) = self.volume().create(&path, wanted, 0).unwrap();
            bytes.map(|bytes| self.volume().write(&handle, WriteAt::Offset(0), bytes).unwrap());
            self.volume().cleanup(&handle, None);
            self.volume().close(&handle);
        }

        fn send(&mut self, name: &CStr, request: &Message) -> (i32, Message) {
            let operation = library::function_of(&self.library, name).unwrap();
            let operation: Operation = unsafe { std::mem::transmute::<*const c_void, Operation>(operation) };
            let mut response = Message::new(request.u32(4));
            let system = self.system.as_mut_ptr().cast();
            let status = unsafe { operation(system, request, &mut response) };
            (status, response)
        }

        /// Opens a path; returns the handle and the path that is told back.
        fn open(&mut self, path: &str) -> Result<(u64, String), i32> {
            let mut request = Message::new(CREATE);
            let path: Vec<u8> = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            request.put(16, &FILE_OPEN.to_le_bytes());
            request.put(48, &ALL.to_le_bytes());
            request.put(52, &ALL.to_le_bytes());
            request.put(82, &(path.len() as u16).to_le_bytes());
            request.put(88, &path);
            let (status, response) = self.send(c"FspFileSystemOpCreate", &request);
            if status != SUCCESS {
                return Err(status);
            }
            let len = (response.u32(120) >> 16) as usize;
            let told = &response.bytes()[128..128 + len];
            let told: Vec<u16> = told.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            Ok((response.u64(32), String::from_utf16(&told).unwrap()))
        }

        /// A request about an open file, whose buffer is `buffer`.
        fn about(&self, kind: u32, handle: u64, buffer: &mut [u8]) -> Message {
            let mut request = Message::new(kind);
            request.put(24, &handle.to_le_bytes());
            request.put(32, &(buffer.as_mut_ptr() as u64).to_le_bytes());
            request
        }

        fn end(&mut self, handle: u64) {
            let cleanup = self.about(CLEANUP, handle, &mut []);
            assert_eq!(self.send(c"FspFileSystemOpCleanup", &cleanup).0, SUCCESS);
            let close = self.about(CLOSE, handle, &mut []);
            assert_eq!(self.send(c"FspFileSystemOpClose", &close).0, SUCCESS);
        }
    }

    static INTERFACE_HERE: super::super::abi::Interface = INTERFACE;

    impl Drop for Driven {
        fn drop(&mut self) {
            drop(unsafe { Box::from_raw(self.served) });
        }
    }

    #[test]
    fn the_library_of_winfsp_passes_requests_on() {
        let Some(mut driven) = Driven::new() else { return };
        driven.make("\\.snapshot\\s", None);
        driven.make("\\.snapshot\\s\\Data.pak", Some(b"0123456789"));
        let (status, response) = driven.send(c"FspFileSystemOpQueryVolumeInformation", &Message::new(QUERY_VOLUME));
        assert_eq!(status, SUCCESS);
        assert!(response.u64(24) > 0 && response.u64(24) >= response.u64(32), "total and free");

        assert_eq!(driven.open("\\.snapshot\\missing"), Err(Status::NAME_NOT_FOUND.0 as i32));
        let (file, told) = driven.open("\\.SNAPSHOT\\S\\DATA.PAK").unwrap();
        assert_eq!(told, "\\.snapshot\\s\\Data.pak");
        let mut buffer = vec![0u8; 64];
        let mut request = driven.about(READ, file, &mut buffer);
        request.put(40, &2u64.to_le_bytes());
        request.put(48, &64u32.to_le_bytes());
        let (status, response) = driven.send(c"FspFileSystemOpRead", &request);
        assert_eq!((status, response.u32(16), &buffer[..8]), (SUCCESS, 8, &b"23456789"[..]));
        request.put(40, &10u64.to_le_bytes());
        assert_eq!(driven.send(c"FspFileSystemOpRead", &request).0, Status::END_OF_FILE.0 as i32);

        let mut bytes = b"abc".to_vec();
        let mut request = driven.about(WRITE, file, &mut bytes);
        request.put(40, &9u64.to_le_bytes());
        request.put(48, &3u32.to_le_bytes());
        let (status, response) = driven.send(c"FspFileSystemOpWrite", &request);
        assert_eq!((status, response.u32(16), response.u64(24 + 16)), (SUCCESS, 3, 12));
        let request = driven.about(QUERY_INFORMATION, file, &mut []);
        let (status, response) = driven.send(c"FspFileSystemOpQueryInformation", &request);
        assert_eq!((status, response.u64(24 + 8), response.u64(24 + 16)), (SUCCESS, 4096, 12));
        let request = driven.about(QUERY_STREAMS, file, &mut []);
        let (status, response) = driven.send(c"FspFileSystemOpQueryStreamInformation", &request);
        assert_eq!((status, response.u32(24) >> 16, response.u64(128 + 8)), (SUCCESS, 26, 12));
        let request = driven.about(QUERY_SECURITY, file, &mut []);
        let (status, response) = driven.send(c"FspFileSystemOpQuerySecurity", &request);
        let security = unsafe { &(*driven.served).security };
        assert_eq!((status, (response.u32(24) >> 16) as usize), (SUCCESS, security.len()));
        assert_eq!(&response.bytes()[128..128 + security.len()], &**security);
        driven.end(file);

        let (folder, _) = driven.open("\\.snapshot\\s").unwrap();
        let mut buffer = vec![0u8; 4096];
        let mut request = driven.about(QUERY_DIRECTORY, folder, &mut buffer);
        request.put(40, &4096u32.to_le_bytes());
        let (status, response) = driven.send(c"FspFileSystemOpQueryDirectory", &request);
        let used = response.u32(16) as usize;
        assert_eq!(status, SUCCESS);
        let mut names = Vec::new();
        let mut at = 0;
        while at + DIR_INFO_LEN <= used {
            let len = usize::from(u16::from_le_bytes([buffer[at], buffer[at + 1]]));
            let name = buffer[at + DIR_INFO_LEN..at + len].as_chunks::<2>().0;
            let name: Vec<u16> = name.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            names.push(String::from_utf16(&name).unwrap());
            at += len.next_multiple_of(8);
        }
        assert_eq!(names, [".", "..", "Data.pak"]);
        driven.end(folder);
    }
}
