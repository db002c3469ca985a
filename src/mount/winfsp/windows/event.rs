//! The event by which any process of the user ends a mount: it is named after the mount point.

use crate::error::{Error, ErrorKind, Result};
use std::path::Path;
use std::time::Duration;
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_ALREADY_EXISTS, GetLastError, HANDLE, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CreateEventW, EVENT_MODIFY_STATE, OpenEventW, SetEvent, WaitForSingleObject,
};

/// An event; it stays set.
#[derive(Debug)]
pub(super) struct Event {
    handle: HANDLE,
}

// SAFETY: the handle of an event may be used by any thread.
unsafe impl Send for Event {}
// SAFETY: as above; all its functions can be called at once.
unsafe impl Sync for Event {}

impl Event {
    /// Makes the event of a mount on `path`.
    ///
    /// # Errors
    /// `Busy` if there is one, whose mount is running; `Io` from the system.
    pub(super) fn create(path: &Path) -> Result<Event> {
        // SAFETY: the name ends in 0.
        let handle = unsafe { CreateEventW(std::ptr::null(), 1, 0, name(path).as_ptr()) };
        if handle.is_null() {
            return Err(Error::io("make an event for", path, std::io::Error::last_os_error()));
        }
        // SAFETY: no other call came between.
        let exists = unsafe { GetLastError() } == ERROR_ALREADY_EXISTS;
        let event = Event { handle };
        match exists {
            true => Err(Error::new(ErrorKind::Busy, format!("a vault is already mounted on {}", path.display()))
                .with_hint("use that one, or run `gamevault unmount` first")),
            false => Ok(event),
        }
    }

    /// Finds the event of the mount on `path`.
    ///
    /// # Errors
    /// `NotFound` if no vault is mounted there.
    pub(super) fn open(path: &Path) -> Result<Event> {
        // SAFETY: the name ends in 0.
        let handle = unsafe { OpenEventW(EVENT_MODIFY_STATE, 0, name(path).as_ptr()) };
        match handle.is_null() {
            true => Err(Error::not_found(format!("no vault is mounted on {}", path.display()))),
            false => Ok(Event { handle }),
        }
    }

    /// Sets it.
    ///
    /// # Errors
    /// `Io` from the system.
    pub(super) fn set(&self) -> std::io::Result<()> {
        // SAFETY: the handle is open as long as `self`.
        if unsafe { SetEvent(self.handle) } == 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Waits until it is set, at most so long; tells whether it is.
    pub(super) fn wait(&self, time: Duration) -> bool {
        // SAFETY: the handle is open as long as `self`.
        let waited = unsafe { WaitForSingleObject(self.handle, time.as_millis() as u32) };
        waited != WAIT_TIMEOUT
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody uses it any more.
        unsafe { CloseHandle(self.handle) };
    }
}

fn name(path: &Path) -> Vec<u16> {
    // A path would hold separators, and has a case that does not count.
    let folded = path.to_string_lossy().to_lowercase();
    let hash = blake3::hash(folded.trim_end_matches('\\').as_bytes()).to_hex();
    format!("Local\\gamevault-mount-{}", &hash[..16]).encode_utf16().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_ended_by_its_path_in_any_case() {
        let path = Path::new("Q:\\");
        assert_eq!(Event::open(path).unwrap_err().kind(), ErrorKind::NotFound);
        let event = Event::create(path).unwrap();
        assert_eq!(Event::create(Path::new("q:")).unwrap_err().kind(), ErrorKind::Busy);
        assert!(!event.wait(Duration::ZERO));
        Event::open(Path::new("q:\\")).unwrap().set().unwrap();
        assert!(event.wait(Duration::from_secs(5)));
        drop(event);
        assert_eq!(Event::open(path).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
