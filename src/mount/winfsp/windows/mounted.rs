//! Mounting on Windows: from a vault and a drive letter or folder to WinFsp's threads, and back.

use super::super::super::collect::Collecting;
use super::super::super::{Activity, Check, MountOptions};
use super::super::volume::Volume;
use super::callbacks::Served;
use super::event::Event;
use super::library;
use super::security;
use super::system::{Place, System};
use crate::error::{Error, ErrorKind, Result};
use crate::tree::{self, Tree};
use crate::vault::{MountRecord, Passthrough, Vault};
use crossbeam_channel::Receiver;
use parking_lot::{Condvar, Mutex};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether other processes have made builds; it costs one question to the catalogue.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

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

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    passthrough: Passthrough,
    /// Set by whoever ends the mount, of this process or another.
    event: Event,
    has_ended: Mutex<bool>,
    changed: Condvar,
}

/// Mounts `vault` on a drive letter (`G:`), or on a folder that is missing or empty.
pub(in crate::mount) fn mount(vault: Arc<Vault>, dir: &Path, options: &MountOptions) -> Result<Mounted> {
    let library = library::load()?;
    let path = shown_path(dir)?;
    let event = Event::create(&path)?;
    let mount_point = prepare(&path)?;
    let (sender, events) = crossbeam_channel::unbounded();
    // The receiver is gone only when the mount is.
    let sink = Box::new(move |event| drop(sender.send(event)));
    let tree = Arc::new(Tree::new(vault.clone(), sink));
    let served = Served {
        volume: Volume::new(tree.clone()),
        calls: library.calls,
        security: security::descriptor(options.allow_other)?,
    };
    let hash = blake3::hash(vault.dir().as_os_str().as_encoded_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    let share = vault.dir().file_name().map(|name| crate::name::safe(&name.to_string_lossy())).unwrap_or_default();
    let prefix = options.network_drive.then(|| format!("\\gamevault\\{share}"));
    let place = Place {
        mount_point: &mount_point,
        prefix: prefix.as_deref(),
        serial_number: u32::from_le_bytes([a, b, c, d]),
        threads: options.threads as u32,
    };
    let system = System::start(library, served, &place).map_err(|status| explain(&path, status))?;
    let passthrough = match options.passthrough {
        true => Passthrough::Refused("only the kernel of Linux reads files by itself".into()),
        false => Passthrough::Off,
    };
    let (has_ended, changed) = (Mutex::default(), Condvar::new());
    let shared = Arc::new(Shared { path: path.clone(), passthrough, event, has_ended, changed });
    let start = |error| Error::io("start a thread for", &path, error);
    let collecting = Collecting::start(tree.clone()).map_err(start)?;
    let running = shared.clone();
    let run = move || {
        watch(&tree, &events, &system, &running.event);
        // With all that holds the tree: its sessions are free for the next mount when this one has ended.
        drop((system, collecting, tree));
        tracing::info!(path = %running.path.display(), "unmounted");
        *running.has_ended.lock() = true;
        running.changed.notify_all();
    };
    std::thread::Builder::new().name("mount".into()).spawn(run).map_err(start)?;
    tracing::info!(path = %path.display(), "mounted");
    Ok(Mounted { shared })
}

/// Unmounts the vault on `dir`, of whichever process of the user.
pub(in crate::mount) fn unmount(dir: &Path) -> Result<()> {
    let path = shown_path(dir)?;
    Event::open(&path)?.set().map_err(|error| Error::io("unmount", &path, error))
}

/// Returns nothing: there is no way yet by which a mount could be asked what it does.
pub(in crate::mount) fn activity(_mount: &MountRecord) -> Result<Option<Activity>> {
    Ok(None)
}

/// Tells whether WinFsp is there.
pub(in crate::mount) fn check() -> Vec<Check> {
    let (ok, sentence, hint) = match library::load().and_then(|_| library::path()) {
        Ok(path) => (true, format!("WinFsp is installed: {}.", path.display()), None),
        Err(error) => (false, format!("{}.", error.message()), error.hint().map(String::from)),
    };
    vec![Check { name: "winfsp", ok, sentence, hint }]
}

impl Mounted {
    /// Returns where the vault is mounted: `G:\`, or the folder.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Returns whether the kernel reads large files by itself, which that of Windows never does.
    pub fn passthrough(&self) -> &Passthrough {
        &self.shared.passthrough
    }

    /// Returns what ends the mount from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { shared: self.shared.clone() }
    }

    /// Unmounts and waits for the end.
    ///
    /// # Errors
    /// As [`Stopper::stop`].
    pub fn unmount(self) -> Result<()> {
        self.stopper().stop()?;
        self.wait()
    }

    /// Waits until the mount has ended, whoever ended it.
    ///
    /// # Errors
    /// None on this system.
    pub fn wait(self) -> Result<()> {
        let mut has_ended = self.shared.has_ended.lock();
        while !*has_ended {
            self.shared.changed.wait(&mut has_ended);
        }
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.stopper().stop() {
            tracing::warn!(%error, "the mount was left");
        }
    }
}

impl Stopper {
    /// Unmounts; what is still open there cannot be used any more.
    ///
    /// # Errors
    /// `Io` if the system refuses; the mount goes on.
    pub fn stop(&self) -> Result<()> {
        self.shared.event.set().map_err(|error| Error::io("unmount", &self.shared.path, error))
    }
}

/// Looks for builds of other processes, and tells Windows of changes, until the mount is to end.
fn watch(tree: &Tree, events: &Receiver<tree::Event>, system: &System, end: &Event) {
    let mut has_failed = false;
    if let Err(error) = system.served().volume.watch_names() {
        tracing::warn!(%error, "Windows will not be told of new builds");
    }
    while !end.wait(POLL_INTERVAL) {
        let polled = tree.poll_changes();
        if let Err(error) = &polled
            && !has_failed
        {
            tracing::warn!(%error, "cannot look for new builds");
        }
        has_failed = polled.is_err();
        for notice in events.try_iter().flat_map(|event| system.served().volume.notices(&event)) {
            system.notify(&notice);
        }
    }
}

/// Returns the path by which a mount is known: that of a drive is its root.
fn shown_path(dir: &Path) -> Result<PathBuf> {
    match drive(dir) {
        Some(letter) => Ok(format!("{}:\\", letter.to_ascii_uppercase()).into()),
        None => std::path::absolute(dir).map_err(|error| Error::io("find", dir, error)),
    }
}

/// Returns the letter of a path that is a drive and nothing else.
fn drive(dir: &Path) -> Option<char> {
    let text = dir.to_str()?;
    let mut letters = text.strip_suffix('\\').unwrap_or(text).chars();
    match (letters.next(), letters.next(), letters.next()) {
        (Some(letter), Some(':'), None) if letter.is_ascii_alphabetic() => Some(letter),
        _ => None,
    }
}

/// Makes the mount point ready, and returns it as WinFsp takes it: a folder must not be there yet.
fn prepare(path: &Path) -> Result<String> {
    if let Some(letter) = drive(path) {
        return Ok(format!("{letter}:"));
    }
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(|error| Error::io("create the directory", above, error))?;
    }
    match std::fs::remove_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
            let error = Error::invalid(format!("{} is not empty", path.display()));
            return Err(error.with_hint("mount on a drive letter, as `gamevault mount G:`, or on an empty folder"));
        }
        Err(error) => return Err(Error::io("mount on", path, error)),
    }
    path.to_str().map(String::from).ok_or_else(|| Error::invalid("the path of the mount is no Unicode"))
}

/// Returns the error for a status of WinFsp.
fn explain(path: &Path, status: i32) -> Error {
    const COLLISION: u32 = 0xc000_0035;
    const NO_SUCH_DEVICE: u32 = 0xc000_000e;
    const ACCESS_DENIED: u32 = 0xc000_0022;
    let path = path.display();
    match status as u32 {
        COLLISION => Error::new(ErrorKind::Busy, format!("{path} is in use")).with_hint("give another drive letter"),
        NO_SUCH_DEVICE => Error::new(ErrorKind::Unsupported, "WinFsp's driver is not running")
            .with_hint("install WinFsp again, from https://winfsp.dev"),
        ACCESS_DENIED => Error::new(ErrorKind::Denied, format!("Windows refuses to mount on {path}"))
            .with_hint("mount on a drive letter, as `gamevault mount G:`"),
        status => Error::new(ErrorKind::Io, format!("WinFsp cannot mount on {path}: status {status:#x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_are_told_from_folders() {
        for (dir, path, letter) in [("g:", "G:\\", Some('g')), ("G:\\", "G:\\", Some('G')), ("C:\\x", "C:\\x", None)] {
            assert_eq!(shown_path(Path::new(dir)).unwrap(), Path::new(path));
            assert_eq!(drive(Path::new(dir)), letter);
        }
    }

    #[test]
    fn a_folder_to_mount_on_is_missing_or_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a").join("b");
        assert_eq!(prepare(&path).unwrap(), path.to_str().unwrap());
        std::fs::create_dir(&path).unwrap();
        prepare(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(prepare(&dir.path().join("a").join("..")).err().map(|error| error.kind()), Some(ErrorKind::Invalid));
    }

    #[test]
    fn a_mount_without_winfsp_says_where_to_get_it() {
        if library::path().is_ok() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::init(&dir.path().join("vault")).unwrap());
        let error = mount(vault, Path::new("Q:"), &MountOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("WinFsp") && error.hint().unwrap().contains("https://winfsp.dev"));
        assert!(matches!(&check()[..], [check] if !check.ok && check.sentence.ends_with("not installed.")));
        assert_eq!(unmount(Path::new("Q:")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn statuses_become_errors_with_a_way_out() {
        for (status, kind) in [
            (0xc000_0035_u32, ErrorKind::Busy),
            (0xc000_000e, ErrorKind::Unsupported),
            (0xc000_0022, ErrorKind::Denied),
            (0xc000_0001, ErrorKind::Io),
        ] {
            assert_eq!(explain(Path::new("G:\\"), status as i32).kind(), kind);
        }
    }
}
