//! The first words between the kernel and `fuser`, of which some are left out.
//!
//! `fuser` 0.18 always answers that it knows times of creation and of backup, and renaming of the volume. Neither is kept
//! here; and while Finder copies a file it gives it a creation date of 1946, at which `fuser` panics, since it takes seconds
//! before 1970 for ones in a far future. So `fuser` first speaks to a relay, which takes these two out of its answer, and from
//! then on to the kernel itself.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Where an answer to `FUSE_INIT` has its flags: the header of 16 bytes, the version in two numbers, and the read-ahead come
/// before; see `fuse_kernel.h`.
const FLAGS_AT: usize = 28;

/// `FUSE_VOL_RENAME` and `FUSE_XTIMES`.
const LEFT_OUT: u32 = 1 << 30 | 1 << 31;

/// More than the first words are.
const MAX_LEN: usize = 64 << 10;

/// Lets `greet` speak to `kernel` through a descriptor that it keeps; `lead` makes that descriptor, of what it returned, lead
/// to the kernel.
///
/// # Errors
/// Those of `greet` and `lead`, and of the system.
pub(super) fn greet<T>(
    kernel: &OwnedFd,
    greet: impl FnOnce(OwnedFd) -> Result<T>,
    lead: impl FnOnce(&T, BorrowedFd<'_>) -> Result<()>,
) -> Result<T> {
    let (near, far) = UnixStream::pair()?;
    let own = kernel.try_clone()?;
    let relay = std::thread::Builder::new().name("mount-greeting".into()).spawn(move || relay(near, own))?;
    let greeted = greet(far.into())?;
    relay.join().map_err(|_| Error::other("the relay ended in a panic"))??;
    lead(&greeted, kernel.as_fd())?;
    Ok(greeted)
}

/// Passes one question and its answer on.
fn relay(mut near: UnixStream, kernel: OwnedFd) -> Result<()> {
    let mut kernel = std::fs::File::from(kernel);
    let mut message = vec![0; MAX_LEN];
    let len = loop {
        match kernel.read(&mut message) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    near.write_all(&message[..len])?;
    let len = near.read(&mut message)?;
    let answer = &mut message[..len];
    leave_out(answer);
    // In one call, or the kernel takes it for two.
    match kernel.write(answer)? == len {
        true => Ok(()),
        false => Err(ErrorKind::WriteZero.into()),
    }
}

/// Takes out of an answer to `FUSE_INIT` what is not kept here.
fn leave_out(answer: &mut [u8]) {
    if let Some(flags) = answer.get_mut(FLAGS_AT..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *flags = (u32::from_ne_bytes(*flags) & !LEFT_OUT).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn the_answer_loses_two_flags_and_the_rest_goes_to_the_kernel_itself() {
        let (kernel, device) = UnixStream::pair().unwrap();
        let device = OwnedFd::from(device);
        let (sender, receiver) = channel();
        let mut kernel_side = kernel.try_clone().unwrap();
        let playing = std::thread::spawn(move || {
            kernel_side.write_all(b"a question").unwrap();
            let mut answer = [0; 64];
            let len = kernel_side.read(&mut answer).unwrap();
            sender.send(answer[..len].to_vec()).unwrap();
        });
        let mut given = vec![0xff; 40];
        let answer = given.clone();
        let session = greet(
            &device,
            move |descriptor| {
                let mut stream = UnixStream::from(descriptor);
                let mut question = [0; 64];
                let len = stream.read(&mut question)?;
                assert_eq!(&question[..len], b"a question");
                stream.write_all(&answer)?;
                Ok(stream)
            },
            |session, kernel| {
                assert!(kernel.try_clone_to_owned().is_ok() && session.as_fd().try_clone_to_owned().is_ok());
                Ok(())
            },
        );
        assert!(session.is_ok());
        playing.join().unwrap();
        given[FLAGS_AT + 3] = 0x3f;
        assert_eq!(receiver.recv().unwrap(), given);
        leave_out(&mut []);
    }
}
