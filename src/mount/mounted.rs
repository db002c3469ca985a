//! Mounting: from a vault and a directory to threads that answer the kernel, and back to an empty directory.

use super::MountOptions;
use super::activity::Activity;
use super::collect::Collecting;
use super::deadline::{DEFAULT_DEADLINE, Deadlines};
use super::fuse::Fuse;
use super::idle::{Idle, Uses};
use super::scrub::Scrubbing;
use super::serve::Server;
use super::stale::{self, Found};
use super::system::mounts;
use super::system::opens::Opens;
use super::system::passthrough::Passthrough;
use super::system::processes::Processes;
use super::system::report::Reporter;
use super::system::session::{self, Unmounter};
use super::system::warm::WarmUp;
use super::translate::Owner;
use super::watch::{Inbox, Watched, Watcher};
use crate::error::{Error, ErrorKind, Result};
use crate::tree::Tree;
use crate::vault::{self, Vault};
use parking_lot::{Condvar, Mutex};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a mount that was stopped while in use may go on for those who use it.
const DETACHED_GRACE: Duration = Duration::from_secs(2);
/// How long a mount that has ended waits for requests that are still being worked on, though nobody waits for them any more.
const STUCK_GRACE: Duration = Duration::from_secs(1);

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
    passthrough: vault::Passthrough,
    unmounter: Mutex<Unmounter>,
    state: Mutex<State>,
    changed: Condvar,
    deadlines: Arc<Deadlines>,
}

#[derive(Debug, Default)]
struct State {
    /// How the threads ended, once they have.
    ended: Option<Result<()>>,
    /// When the mount was taken out of sight though somebody still uses it, or a request hangs.
    detached: Option<Instant>,
}

impl Shared {
    fn end(&self, result: Result<()>) {
        let mut state = self.state.lock();
        if state.ended.is_none() {
            state.ended = Some(result);
            self.changed.notify_all();
        }
    }

    /// Gives those who still use the mount, and requests that may never end, a last moment.
    fn leave(&self) {
        self.state.lock().detached = Some(Instant::now());
        self.changed.notify_all();
    }

    /// Ends a mount that somebody has unmounted while a thread of it hangs in a request.
    fn end_if_gone(&self) {
        if !stale::is_mounted(&self.path) {
            tracing::warn!(path = %self.path.display(), "unmounted while a request hangs");
            self.end(Ok(()));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("path", &self.path).field("state", &self.state).finish_non_exhaustive()
    }
}

pub(super) fn mount(vault: Arc<Vault>, dir: &Path, options: &MountOptions) -> Result<Mounted> {
    let path = prepare(dir)?;
    super::memory::share_heaps();
    let inbox = Inbox::new().map_err(|error| Error::io("make a queue for", &path, error))?;
    let outbox = inbox.outbox();
    let crawlers = vault.crawlers();
    let rules = vault.idle_rules().filter(|_| options.optimizes);
    let tree = Arc::new(Tree::new(vault.clone(), Box::new(move |event| outbox.send(event))));
    let owner = Owner { uid: nix::unistd::getuid().as_raw(), gid: nix::unistd::getgid().as_raw() };
    let processes = Arc::new(Processes::new());
    let threads = session::threads(options);
    let deadline = if options.deadline.is_zero() { DEFAULT_DEADLINE } else { options.deadline };
    let server = Arc::new(Server::new(tree.clone(), threads, deadline, &crawlers));
    let passthrough = Arc::new(Passthrough::new(&vault, options.passthrough));
    // What the processes of other users have open is told to root alone.
    let meets_strangers = options.allow_other && !nix::unistd::geteuid().is_root();
    let asks_opens = options.ask_opens || passthrough.needs_opens() || meets_strangers;
    let opens = if asks_opens { None } else { Opens::unasked(&tree, &processes, &path) };
    let uses = Arc::new(Uses::default());
    let warms_up = options.warms_up && vault.warms_up();
    let warm_up = if warms_up { WarmUp::new(vault.clone(), tree.clone(), &path)? } else { None };
    let fuse = Fuse {
        tree: tree.clone(),
        server: server.clone(),
        owner,
        xattr: options.xattr,
        processes: processes.clone(),
        opens: opens.clone(),
        uses: uses.clone(),
        passthrough: passthrough.clone(),
        warm_up: warm_up.clone(),
    };
    let (session, unmounter) = session::open(fuse, &vault, &path, options)?;
    let passthrough = passthrough.start(session.as_fd(), &vault);

    let shared = Arc::new(Shared {
        path: path.clone(),
        passthrough,
        unmounter: Mutex::new(unmounter),
        state: Mutex::default(),
        changed: Condvar::new(),
        deadlines: server.deadlines().clone(),
    });
    let start = |error| Error::io("start a thread for", &path, error);
    let idle =
        rules.map(|rules| Idle::start(vault.clone(), tree.clone(), uses.clone(), rules)).transpose().map_err(start)?;
    let scrub = vault.scrub_rules();
    let scrub = scrub.map(|rules| Scrubbing::start(vault.clone(), rules)).transpose().map_err(start)?;
    let collecting = Collecting::start(tree.clone()).map_err(start)?;
    let watched = Watched { tree, processes, uses };
    let watcher = Watcher::start(vault, watched, session.notifier(), inbox).map_err(start)?;
    let opens_thread = opens.map(|opens| opens.start()).transpose().map_err(start)?;
    let watching = shared.clone();
    let watch = move || watching.deadlines.watch(|| watching.end_if_gone());
    std::thread::Builder::new().name("mount-deadline".into()).spawn(watch).map_err(start)?;
    let keeper = warm_up.as_ref().map(WarmUp::start).transpose().map_err(start)?;
    let telling = server.clone();
    let tell = move || Activity { warm_up: warm_up.as_ref().map(|one| one.activity()), ..telling.activity() };
    let reporter = Reporter::start(&path, tell);
    // The mount works without.
    let reporter = reporter.inspect_err(|error| tracing::warn!(%error, "the mount cannot tell what it does")).ok();
    let ending = shared.clone();
    let run = move || {
        let result = session.run();
        server.end(STUCK_GRACE);
        drop(idle);
        if let Some(keeper) = keeper {
            keeper.end(STUCK_GRACE);
        }
        // With all that holds the tree: its sessions are free for the next mount when this one has ended.
        drop((reporter, opens_thread, scrub, collecting, watcher, server));
        let result = result.map_err(|error| Error::io("answer the kernel for", &ending.path, error));
        tracing::info!(path = %ending.path.display(), "unmounted");
        ending.end(result);
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

    /// Returns whether the kernel reads large files by itself, as [`MountOptions::passthrough`] asks for.
    pub fn passthrough(&self) -> &vault::Passthrough {
        &self.shared.passthrough
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
            Ok(()) => {
                if self.shared.deadlines.counts() != (0, 0) {
                    self.shared.leave();
                }
                Ok(())
            }
            // The unmounter is spent after a failure, so the mount point is unmounted by its name.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                mounts::detach(&self.shared.path)?;
                self.shared.leave();
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
            mounts::detach(&path)?;
        }
        Found::Nothing | Found::Foreign => {}
    }
    std::fs::create_dir_all(&path).map_err(|error| Error::io("create the directory", &path, error))?;
    // A symlink leads to the directory that the system will mount on.
    let path = path.canonicalize().map_err(|error| Error::io("find", &path, error))?;
    let entries = std::fs::read_dir(&path).map_err(|error| Error::io("list", &path, error))?;
    // What a file manager leaves where somebody has looked is no loss while it is out of sight.
    let is_left_behind = |entry: &std::io::Result<std::fs::DirEntry>| {
        entry.as_ref().is_ok_and(|entry| entry.file_name() == ".DS_Store" || entry.file_name() == ".localized")
    };
    if entries.filter(|entry| !is_left_behind(entry)).count() > 0 {
        let error = Error::invalid(format!("{} is not empty", path.display()));
        return Err(error.with_hint("mount on an empty directory: what is in this one would be out of sight"));
    }
    Ok(path)
}
