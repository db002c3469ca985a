//! Tells other processes what the mount does: whoever connects to its socket gets it as JSON.
//!
//! The socket has a name without a file (see unix(7), "abstract"): nothing is left behind by a killed process, and no path
//! is too long. Both sides look who the other one is, since such names have no owner. One thread waits for connections, and
//! is not woken by anything else.

use super::super::activity::Activity;
use crate::error::{Error, Result};
use crate::vault::MountRecord;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes of an answer that are believed.
const MAX_LEN: u64 = 1 << 20;

/// The running thread; it ends when this is dropped.
pub(in crate::mount) struct Reporter {
    address: SocketAddr,
    has_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reporter {
    /// Answers whoever asks for the mount of this process on `path` with what `tell` returns.
    pub(in crate::mount) fn start(
        path: &Path,
        tell: impl Fn() -> Activity + Send + 'static,
    ) -> std::io::Result<Reporter> {
        let address = address(std::process::id(), path)?;
        let listener = UnixListener::bind_addr(&address)?;
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = has_ended.clone();
        let thread = std::thread::Builder::new().name("mount-report".into()).spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Relaxed) {
                    return;
                }
                let answered = stream.and_then(|stream| answer(&stream, &tell));
                if let Err(error) = answered {
                    tracing::debug!(%error, "nobody was told what the mount does");
                }
            }
        })?;
        Ok(Reporter { address, has_ended, thread: Some(thread) })
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.has_ended.store(true, Relaxed);
        // Wakes the thread.
        let woken = UnixStream::connect_addr(&self.address);
        if let Some(thread) = self.thread.take().filter(|_| woken.is_ok()) {
            thread.join().ok();
        }
    }
}

/// Asks a running mount what it does; `None` when it does not tell.
pub(in crate::mount) fn ask(mount: &MountRecord) -> Result<Option<Activity>> {
    let failed = |error| Error::io("ask what it does, the mount on", &mount.path, error);
    let address = address(mount.pid, &mount.path).map_err(failed)?;
    // One that is just ending, or lives in a container.
    let Ok(mut stream) = UnixStream::connect_addr(&address) else { return Ok(None) };
    let peer = getsockopt(&stream, PeerCredentials).map_err(|errno| failed(errno.into()))?;
    if peer.pid() as u32 != mount.pid {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    Read::by_ref(&mut stream).take(MAX_LEN).read_to_end(&mut bytes).map_err(failed)?;
    // One of another version may say other things, and nothing to a stranger.
    Ok(serde_json::from_slice(&bytes).ok())
}

fn answer(mut stream: &UnixStream, tell: &impl Fn() -> Activity) -> std::io::Result<()> {
    let peer = getsockopt(stream, PeerCredentials)?;
    if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() {
        return Ok(());
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&serde_json::to_vec(&tell())?)
}

fn address(pid: u32, path: &Path) -> std::io::Result<SocketAddr> {
    let path = blake3::hash(path.as_os_str().as_bytes()).to_hex();
    SocketAddr::from_abstract_name(format!("gamevault-mount-{pid}-{}", &path[..16]))
}
