//! Who may enter a mount: the user who made it, the administrators and the system, and everybody to read if that is wanted.

use crate::error::{Error, Result};
use std::io;
use std::slice;
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    GetSecurityDescriptorLength, GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Returns the security descriptor that all files of a mount have.
///
/// # Errors
/// `Io` from the system.
pub(super) fn descriptor(allow_other: bool) -> Result<Box<[u8]>> {
    let make = || -> io::Result<Box<[u8]>> {
        let user = user()?;
        let others = if allow_other { "(A;;FRFX;;;WD)" } else { "" };
        parse(&format!("O:{user}G:{user}D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;{user}){others}"))
    };
    make().map_err(|error| Error::io("make the security of", "the mount", error))
}

/// Returns the id of the user who runs this process, as text.
fn user() -> io::Result<String> {
    // In units that are aligned as the structure at its start must be.
    let mut buffer = [0u64; 32];
    let mut len = 0;
    // SAFETY: the token is open until it is closed; the buffer has the length that is given, and what is read from it was
    // written by the call that succeeded; the text ends in 0 and is freed after it was copied.
    unsafe {
        let mut token: HANDLE = std::ptr::null_mut();
        checked(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token))?;
        let room = size_of_val(&buffer) as u32;
        let told = checked(GetTokenInformation(token, TokenUser, buffer.as_mut_ptr().cast(), room, &mut len));
        CloseHandle(token);
        told?;
        let sid = (*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid;
        let mut text = std::ptr::null_mut();
        checked(ConvertSidToStringSidW(sid, &mut text))?;
        let len = (0..).take_while(|&at| *text.add(at) != 0).count();
        let user = String::from_utf16_lossy(slice::from_raw_parts(text, len));
        LocalFree(text.cast());
        Ok(user)
    }
}

fn parse(text: &str) -> io::Result<Box<[u8]>> {
    let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let mut descriptor = std::ptr::null_mut();
    // SAFETY: the text ends in 0; the descriptor has the length that it says, and is freed after it was copied.
    unsafe {
        checked(ConvertStringSecurityDescriptorToSecurityDescriptorW(
            text.as_ptr(),
            SDDL_REVISION_1,
            &mut descriptor,
            std::ptr::null_mut(),
        ))?;
        let len = GetSecurityDescriptorLength(descriptor) as usize;
        let bytes = slice::from_raw_parts(descriptor.cast::<u8>(), len).into();
        LocalFree(descriptor);
        Ok(bytes)
    }
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mount_has_an_owner_and_lets_others_in_when_asked_to() {
        let own = super::descriptor(false).unwrap();
        let shared = super::descriptor(true).unwrap();
        assert!(!own.is_empty() && own.len() < shared.len());
    }
}
