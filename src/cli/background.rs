//! Starts this program again as a process of its own, which goes on when the command has ended.
//!
//! The new process gets a pipe as its standard output, on which its answer (the JSON object of every command) says
//! that it is ready, or what went wrong. Its standard error is the log file.

use super::exit::Exit;
use super::output::{Envelope, Failure};
use gamevault::error::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long the new process may take until it answers: opening a vault after a crash may mean some work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// A log of this size makes room for a new one; the one before it is kept.
const MAX_LOG_LEN: u64 = 4 << 20;

#[cfg(windows)]
const DETACHED_PROCESS: u32 = 0x8;
#[cfg(windows)]
const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;

/// Runs `gamevault ARGUMENTS` on `vault` in the background and returns what it answers when it is ready.
///
/// # Errors
/// The failure that it reports; `failed` with the place of the log when it ends without a word.
pub fn start<T: DeserializeOwned>(vault: &Path, arguments: &[OsString]) -> std::result::Result<T, Failure> {
    let log_path = vault.join("log").join("mount.log");
    let program = std::env::current_exe().map_err(|error| Error::io("find", "this program", error))?;
    let mut command = Command::new(&program);
    // Without the console of this process, with which it would end.
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
    let mut child = command
        .args(["--json".as_ref(), "--vault".as_ref(), vault.as_os_str()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(open_log(&log_path)?)
        .spawn()
        .map_err(|error| Error::io("start", &program, error))?;
    let envelope = read_answer(&mut child).ok_or_else(|| silent(&mut child, &log_path))?;
    if let Some(report) = envelope.error {
        let code = child.wait().ok().and_then(|status| status.code());
        return Err(Failure::reported(Exit::from_code(code.unwrap_or(1)), report));
    }
    serde_json::from_value(envelope.data.unwrap_or_default()).map_err(|_| silent(&mut child, &log_path))
}

/// Leaves the terminal and the folder of the process that started this one.
pub fn detach() -> Result<()> {
    #[cfg(unix)]
    nix::unistd::setsid().map_err(|errno| Error::io("start a session for", "the background process", errno.into()))?;
    // A current folder would keep its file system busy for as long as the mount lasts.
    #[cfg(unix)]
    std::env::set_current_dir("/").map_err(|error| Error::io("go to", "/", error))?;
    Ok(())
}

fn open_log(path: &Path) -> Result<File> {
    let dir = path.parent().expect("a log is in a folder");
    std::fs::create_dir_all(dir).map_err(|error| Error::io("make the folder", dir, error))?;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > MAX_LOG_LEN) {
        let older = PathBuf::from(format!("{}.1", path.display()));
        std::fs::rename(path, &older).map_err(|error| Error::io("rename", path, error))?;
    }
    let log = File::options().append(true).create(true).open(path);
    log.map_err(|error| Error::io("open the log", path, error))
}

/// Returns the first line that the process prints; `None` when it ends or takes too long.
fn read_answer(child: &mut Child) -> Option<Envelope> {
    let stdout = child.stdout.take().expect("standard output is a pipe");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // A receiver that is gone does not wait for the line.
        let _ = sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line));
    });
    let line = receiver.recv_timeout(ANSWER_TIMEOUT).ok()?.ok()?;
    serde_json::from_str(&line).ok()
}

fn silent(child: &mut Child, log_path: &Path) -> Failure {
    // A process that is not ready in time must not become ready when nobody knows of it.
    let _ = child.kill();
    let _ = child.wait();
    Error::new(ErrorKind::Io, "the background process did not get ready")
        .with_hint(format!("see {}, or run the command with --foreground", log_path.display()))
        .into()
}
