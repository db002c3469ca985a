//! Mounting on Linux: from a vault and a directory to threads that answer the kernel, and back to an empty directory.

use super::MountOptions;
use super::fuse::Fuse;
use super::opens::Opens;
use super::processes::Processes;
use super::stale::{self, Found, SOURCE};
use super::translate::Owner;
use super::watch::Watcher;
use crate::error::{Error, ErrorKind, Result};
use crate::tree::{Event, Tree};
use crate::vault::Vault;
use fuser::{Config, MountOption, Session, SessionACL, SessionUnmounter};
use parking_lot::{Condvar, Mutex};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most threads that answer requests by default. Two answer metadata fastest on two cores; a third and fourth keep
/// the mount alive while others wait for the disk.
const MAX_DEFAULT_THREADS: usize = 4;
/// How long a mount that was stopped while in use may go on for those who use it.
const DETACHED_GRACE: Duration = Duration::from_secs(2);

/// A mounted vault. Dropping it unmounts.
#[derive(Debug)]
pub struct Mounted {
    shared: Arc<Shared>,
}

/// Ends a mount from another thread, for example one that waits for signals.
#[derive(Debug, Clone)]
pub struct Stopper {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    unmounter: Mutex<SessionUnmounter>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How the threads ended, once they have.
    ended: Option<Result<()>>,
    /// When the mount was taken out of sight though somebody still uses it.
    detached: Option<Instant>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("path", &self.path).field("state", &self.state).finish_non_exhaustive()
    }
}

pub(super) fn mount(vault: Arc<Vault>, dir: &Path, options: &MountOptions) -> Result<Mounted> {
    let path = prepare(dir)?;
    let (sender, events) = crossbeam_channel::unbounded::<Event>();
    let sink = move |event| {
        // The receiver is gone only when the mount is.
        sender.send(event).ok();
    };
    let tree = Arc::new(Tree::new(vault, Box::new(sink)));
    let owner = Owner { uid: nix::unistd::getuid().as_raw(), gid: nix::unistd::getgid().as_raw() };
    let processes = Arc::new(Processes::new());
    // Without word of how others end, only a flush at each close tells a copy that was cut off.
    // The files of other users' processes are only told to root.
    let meets_strangers = options.allow_other && !nix::unistd::geteuid().is_root();
    let asks_opens = options.ask_opens || meets_strangers || !processes.ends_are_told();
    let opens = (!asks_opens).then(|| Opens::new(tree.clone(), processes.clone(), &path));
    let fuse =
        Fuse { tree: tree.clone(), owner, xattr: options.xattr, processes: processes.clone(), opens: opens.clone() };
    let mut session = Session::new(fuse, &path, &config(options)).map_err(|error| explain(&path, error))?;

    let shared = Arc::new(Shared {
        path: path.clone(),
        unmounter: Mutex::new(session.unmount_callable()),
        state: Mutex::default(),
        changed: Condvar::new(),
    });
    let start = |error| Error::io("start a thread for", &path, error);
    let watcher = Watcher::start(tree, processes, session.notifier(), events).map_err(start)?;
    let opens_thread = opens.map(|opens| opens.start()).transpose().map_err(start)?;
    let ending = shared.clone();
    let run = move || {
        let result = session.run();
        drop(opens_thread);
        drop(watcher);
        let result = result.map_err(|error| Error::io("answer the kernel for", &ending.path, error));
        tracing::info!(path = %ending.path.display(), "unmounted");
        ending.state.lock().ended = Some(result);
        ending.changed.notify_all();
    };
    std::thread::Builder::new().name("mount".into()).spawn(run).map_err(start)?;
    tracing::info!(path = %path.display(), "mounted");
    Ok(Mounted { shared })
}

impl Mounted {
    /// Returns the directory on which the vault is mounted.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Returns what ends the mount from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: self.shared.clone() }
    }

    /// Unmounts and waits for the end.
    ///
    /// # Errors
    /// As [`Stopper::stop`] and [`Mounted::wait`].
    pub fn unmount(self) -> Result<()> {
        self.stopper().stop()?;
        self.wait()
    }

    /// Waits until the mount has ended, whoever ended it.
    ///
    /// After a [`Stopper::stop`] of a mount that is in use it waits two seconds more, then whoever still uses it gets
    /// ENOTCONN when this process ends.
    ///
    /// # Errors
    /// `Io` if the kernel could not be answered any more.
    pub fn wait(self) -> Result<()> {
        let mut state = self.shared.state.lock();
        loop {
            if let Some(result) = state.ended.take() {
                // The drop of `self` must not unmount what others may have mounted since.
                state.ended = Some(Ok(()));
                return result;
            }
            match state.detached.map(|at| at + DETACHED_GRACE) {
                Some(deadline) if Instant::now() >= deadline => return Ok(()),
                Some(deadline) => drop(self.shared.changed.wait_until(&mut state, deadline)),
                None => self.shared.changed.wait(&mut state),
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = (Stopper { shared: self.shared.clone() }).stop() {
            tracing::warn!(%error, "the mount was left");
        }
    }
}

impl Stopper {
    /// Unmounts. While somebody uses the mount it goes out of sight at once, and ends when the last one lets go.
    ///
    /// # Errors
    /// `Denied` or `Io` if the system refuses; the mount goes on.
    pub fn stop(&self) -> Result<()> {
        let mut unmounter = self.shared.unmounter.lock();
        let state = self.shared.state.lock();
        if state.ended.is_some() || state.detached.is_some() {
            return Ok(());
        }
        drop(state);
        match unmounter.unmount() {
            Ok(()) => Ok(()),
            // The unmounter is spent after a failure, so the mount point is unmounted by its name.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                stale::detach(&self.shared.path)?;
                self.shared.state.lock().detached = Some(Instant::now());
                self.shared.changed.notify_all();
                Ok(())
            }
            Err(error) => Err(Error::io("unmount", &self.shared.path, error)),
        }
    }
}

/// Makes the mount point ready, and returns its absolute path.
fn prepare(dir: &Path) -> Result<PathBuf> {
    if let Some(above) = std::path::absolute(dir).ok().as_deref().and_then(Path::parent) {
        std::fs::create_dir_all(above).map_err(|error| Error::io("create the directory", above, error))?;
    }
    let path = stale::mount_point(dir)?;
    match stale::find(&path) {
        Found::Live => {
            let error = Error::new(ErrorKind::Busy, format!("a vault is already mounted on {}", path.display()));
            return Err(error.with_hint("use that one, or run `gamevault unmount` first"));
        }
        Found::Stale => {
            tracing::info!(path = %path.display(), "replacing the mount of a process that is gone");
            stale::detach(&path)?;
        }
        Found::Nothing | Found::Foreign => {}
    }
    std::fs::create_dir_all(&path).map_err(|error| Error::io("create the directory", &path, error))?;
    // A symlink leads to the directory that the system will mount on.
    let path = path.canonicalize().map_err(|error| Error::io("find", &path, error))?;
    let mut entries = std::fs::read_dir(&path).map_err(|error| Error::io("list", &path, error))?;
    if entries.next().is_some() {
        let error = Error::invalid(format!("{} is not empty", path.display()));
        return Err(error.with_hint("mount on an empty directory: what is in this one would be out of sight"));
    }
    Ok(path)
}

fn config(options: &MountOptions) -> Config {
    let mut config = Config::default();
    let plain = [MountOption::FSName(SOURCE.into()), MountOption::Subtype(SOURCE.into())];
    config.mount_options.extend(plain);
    config.mount_options.extend([MountOption::NoSuid, MountOption::NoDev, MountOption::NoAtime]);
    if options.allow_other {
        // Others are held to the modes; the owner alone is not, since copies make directories that nobody may write to.
        config.mount_options.push(MountOption::DefaultPermissions);
        config.acl = SessionACL::All;
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let default = cores.clamp(2, MAX_DEFAULT_THREADS);
    config.n_threads = Some(if options.threads == 0 { default } else { options.threads });
    config
}

fn explain(path: &Path, error: std::io::Error) -> Error {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "run `modprobe fuse`, and `gamevault doctor` to see what is missing",
        std::io::ErrorKind::PermissionDenied => "check that the directory is yours, and run `gamevault doctor`",
        _ => "run `gamevault doctor` to see what is missing",
    };
    Error::io("mount on", path, error).with_hint(hint)
}
