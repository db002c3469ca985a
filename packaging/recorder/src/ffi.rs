//! The functions of `include/gamevault_rec.h`, which say what they do.
//!
//! Nothing here unwinds into C. A session that has ended stays a valid pointer, since another thread of the game may just be
//! using it: its memory, a few hundred bytes, is not given back.
#![allow(clippy::missing_safety_doc, reason = "the header tells each function's rules to those who call it")]

use crate::error::{Code, Error, Result};
use crate::ring::{Exit, Kind};
use crate::session::{Counts, Session};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// A session; what is in it is no matter of the game.
#[allow(non_camel_case_types, reason = "the name of the header")]
pub struct gv_session(Session);

/// What a session tells of itself.
#[allow(non_camel_case_types, reason = "the name of the header")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct gv_counts {
    /// Events that are in events.jsonl.
    pub written: u64,
    /// Events, saves and files that were lost.
    pub dropped: u64,
    /// The bytes of events.jsonl.
    pub bytes: u64,
}

thread_local! {
    static LAST_ERROR: RefCell<(Error, CString)> =
        RefCell::new((Error::fixed(Code::Internal, ""), CString::default()));
}

/// Begins a session; NULL when it cannot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_session_begin(
    spool: *const c_char,
    build: *const c_char,
    opts_json: *const c_char,
) -> *mut gv_session {
    let begun = guarded(|| {
        // SAFETY: strings that end in NUL, or NULL, as the header asks for.
        let (spool, build, options) = unsafe { (bytes(spool), bytes(build), bytes(opts_json)) };
        let spool = spool.filter(|spool| !spool.is_empty()).map(path).transpose()?;
        let build = build.filter(|build| !build.is_empty()).map(crate::line::text);
        Session::begin(spool, build, options)
    });
    match begun {
        Ok(session) => Box::into_raw(Box::new(gv_session(session))),
        Err(error) => {
            remember(error);
            std::ptr::null_mut()
        }
    }
}

/// Records an event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_event(session: *mut gv_session, name: *const c_char, json: *const c_char) -> c_int {
    // SAFETY: as the header asks for.
    answer(|| unsafe { live(session)?.put(Kind::Event, needed(name)?, bytes(json).unwrap_or_default()) })
}

/// Records that something is worth a look.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_mark(session: *mut gv_session, tag: *const c_char, text: *const c_char) -> c_int {
    // SAFETY: as the header asks for.
    answer(|| unsafe { live(session)?.put(Kind::Mark, needed(tag)?, bytes(text).unwrap_or_default()) })
}

/// Adds a line to the log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_log(session: *mut gv_session, text: *const c_char) -> c_int {
    // SAFETY: as the header asks for.
    answer(|| unsafe { live(session)?.put(Kind::Log, b"", needed(text)?) })
}

/// Copies a save.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_save(
    session: *mut gv_session,
    slot: *const c_char,
    ptr: *const c_void,
    len: usize,
) -> c_int {
    answer(|| {
        if len > isize::MAX as usize {
            return Err(Error::fixed(Code::Invalid, "no save is as long as half of the memory's addresses"));
        }
        let content = match (ptr.is_null(), len) {
            (_, 0) => &[],
            (true, _) => return Err(null()),
            // SAFETY: so many bytes can be read there, as the header asks for.
            (false, _) => unsafe { std::slice::from_raw_parts(ptr.cast::<u8>(), len) },
        };
        // SAFETY: as the header asks for.
        unsafe { live(session)?.save(bytes(slot).unwrap_or_default(), content) }
    })
}

/// Copies a file, later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_attach(session: *mut gv_session, file: *const c_char) -> c_int {
    // SAFETY: as the header asks for.
    answer(|| unsafe { live(session)?.attach(&path(needed(file)?)?) })
}

/// Tells what was recorded so far, also after the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_counters(session: *mut gv_session, out: *mut gv_counts) -> c_int {
    answer(|| {
        // SAFETY: as the header asks for.
        let Counts { written, dropped, bytes } = unsafe { live(session)? }.counts();
        if out.is_null() {
            return Err(null());
        }
        // SAFETY: room for the counts, as the header asks for.
        unsafe { out.write(gv_counts { written, dropped, bytes }) };
        Ok(())
    })
}

/// Ends a session, and waits until all is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gv_session_end(session: *mut gv_session, status: c_int) -> c_int {
    answer(|| {
        let exit = match status {
            0 => Exit::Clean,
            1 => Exit::Crash,
            2 => Exit::Killed,
            _ => return Err(Error::fixed(Code::Invalid, "a session ends with GV_CLEAN, GV_CRASH or GV_KILLED")),
        };
        // SAFETY: as the header asks for.
        unsafe { live(session)? }.end(exit)
    })
}

/// Returns why the last function of this thread that failed did.
#[unsafe(no_mangle)]
pub extern "C" fn gv_last_error() -> *const c_char {
    LAST_ERROR.with_borrow_mut(|(error, text)| {
        *text = CString::new(error.message.replace('\0', "\u{fffd}")).expect("there is no NUL any more");
        text.as_ptr()
    })
}

fn answer(work: impl FnOnce() -> Result<()>) -> c_int {
    match guarded(work) {
        Ok(()) => 0,
        Err(error) => {
            let code = error.code as c_int;
            remember(error);
            code
        }
    }
}

fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or(Err(Error::fixed(Code::Internal, "the library has a fault; the call had no effect")))
}

fn remember(error: Error) {
    // A thread that is just ending has no such place any more.
    let _ = LAST_ERROR.try_with(|last| last.borrow_mut().0 = error);
}

const fn null() -> Error {
    Error::fixed(Code::Null, "a session or an argument that must be there is NULL")
}

/// # Safety
/// A pointer that `gv_session_begin` gave out, or NULL.
unsafe fn live<'a>(session: *mut gv_session) -> Result<&'a Session> {
    // SAFETY: sessions are never given back.
    unsafe { session.as_ref() }.map(|session| &session.0).ok_or(null())
}

/// # Safety
/// A string that ends in NUL and lives as long as the call, or NULL.
unsafe fn bytes<'a>(string: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// # Safety
/// As `bytes`.
unsafe fn needed<'a>(string: *const c_char) -> Result<&'a [u8]> {
    // SAFETY: as the caller promises.
    unsafe { bytes(string) }.ok_or(null())
}

fn path(bytes: &[u8]) -> Result<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
    }
    #[cfg(not(unix))]
    {
        let text = std::str::from_utf8(bytes);
        text.map(PathBuf::from).map_err(|_| Error::fixed(Code::Invalid, "a path must be UTF-8"))
    }
}
