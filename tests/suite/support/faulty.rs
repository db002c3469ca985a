//! A disk that fails at a chosen call, and may lose what was not synced by then.

use gamevault::disk::{Disk, DiskFile, LocalDisk, Space, SystemFile};
use gamevault::{Error, ErrorKind, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What happens at the chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This call fails with this kind, the others succeed.
    Once(ErrorKind),
    /// From this call on all fail; if it is a write, half of its bytes are written.
    Dead,
    /// As `Dead`, and [`FaultyDisk::lose_unsynced`] takes away what no sync has made durable.
    PowerCut,
    /// From this call on writes fail for want of room, everything else succeeds.
    Full,
}

/// A [`LocalDisk`] that counts its calls and fails at one of them.
#[derive(Clone)]
pub struct FaultyDisk {
    inner: LocalDisk,
    fault: Fault,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: u64,
    /// The call that fails.
    at: u64,
    is_off: bool,
    /// Bytes of each file as its last sync left them; what was never synced has none.
    durable: HashMap<PathBuf, Vec<u8>>,
    /// Files written since their last sync.
    dirty: HashMap<PathBuf, ()>,
    /// Changes of names that no sync of their directory has made durable, oldest first.
    names: Vec<NameChange>,
}

enum NameChange {
    Created(PathBuf),
    CreatedDir(PathBuf),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf, Vec<u8>),
}

impl NameChange {
    /// The directory whose sync makes the change durable.
    fn directory(&self) -> &Path {
        let (NameChange::Created(path)
        | NameChange::CreatedDir(path)
        | NameChange::Renamed(_, path)
        | NameChange::Removed(path, _)) = self;
        path.parent().unwrap_or(Path::new(""))
    }
}

impl FaultyDisk {
    /// Uses `root`; the call number `at`, from 1 on, fails.
    pub fn new(root: &Path, fault: Fault, at: u64) -> FaultyDisk {
        let state = State { at, ..State::default() };
        FaultyDisk { inner: LocalDisk::new(root), fault, state: Arc::new(Mutex::new(state)) }
    }

    /// Chooses another call: the one with this number from now on, from 1 on.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "workspaces and copies for passthrough are Linux's")
    )]
    pub fn fail_from_now(&self, at: u64) {
        let mut state = self.state.lock().unwrap();
        state.at = state.calls + at;
    }

    /// Returns how many calls there were.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "workspaces and copies for passthrough are Linux's")
    )]
    pub fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    /// Tells whether the chosen call has come.
    pub fn has_failed(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.calls >= state.at
    }

    /// Lets every later call succeed.
    pub fn heal(&self) {
        self.state.lock().unwrap().is_off = true;
    }

    /// Takes away what would not survive a power cut, newest change first. Nobody may use the disk any more.
    pub fn lose_unsynced(&self) {
        let mut state = self.state.lock().unwrap();
        for path in std::mem::take(&mut state.dirty).into_keys() {
            let bytes = state.durable.get(&path).cloned().unwrap_or_default();
            if self.inner.absolute(&path).exists() {
                std::fs::write(self.inner.absolute(&path), bytes).unwrap();
            }
        }
        while let Some(change) = state.names.pop() {
            let at = |path: &Path| self.inner.absolute(path);
            match change {
                NameChange::Created(path) => drop(std::fs::remove_file(at(&path))),
                NameChange::CreatedDir(path) => drop(std::fs::remove_dir_all(at(&path))),
                NameChange::Renamed(from, to) => std::fs::rename(at(&to), at(&from)).unwrap(),
                NameChange::Removed(path, bytes) => std::fs::write(at(&path), bytes).unwrap(),
            }
        }
    }

    /// Counts a call; tells how many of `len` bytes are still written when it fails.
    fn count(&self, is_write: bool, len: usize) -> std::result::Result<(), (usize, Error)> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let (is_it, is_after) = (state.calls == state.at, state.calls >= state.at);
        let fail = |kind| Err((if is_it { len / 2 } else { 0 }, Error::new(kind, "the disk fails as it was told to")));
        match self.fault {
            _ if state.is_off => Ok(()),
            Fault::Once(kind) if is_it => fail(kind),
            Fault::Dead | Fault::PowerCut if is_after => fail(ErrorKind::Io),
            Fault::Full if is_after && is_write => fail(ErrorKind::NoSpace),
            _ => Ok(()),
        }
    }

    fn call(&self) -> Result<()> {
        self.count(false, 0).map_err(|(_, error)| error)
    }

    fn note(&self, change: NameChange) {
        self.state.lock().unwrap().names.push(change);
    }

    fn wrap(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { disk: self.clone(), path: Mutex::new(path.into()), file })
    }
}

impl Disk for FaultyDisk {
    fn absolute(&self, path: &Path) -> PathBuf {
        self.inner.absolute(path)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.call()?;
        let file = self.inner.create(path)?;
        self.note(NameChange::Created(path.into()));
        Ok(self.wrap(path, file))
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.call()?;
        Ok(self.wrap(path, self.inner.open(path)?))
    }

    fn open_by_system(&self, path: &Path) -> Result<SystemFile> {
        self.call()?;
        self.inner.open_by_system(path)
    }

    fn open_writable(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.call()?;
        Ok(self.wrap(path, self.inner.open_writable(path)?))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.call()?;
        self.inner.replace(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call()?;
        self.inner.rename(from, to)?;
        let mut state = self.state.lock().unwrap();
        if let Some(bytes) = state.durable.remove(from) {
            state.durable.insert(to.into(), bytes);
        }
        if state.dirty.remove(from).is_some() {
            state.dirty.insert(to.into(), ());
        }
        state.names.push(NameChange::Renamed(from.into(), to.into()));
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.call()?;
        self.inner.link(from, to)?;
        self.note(NameChange::Created(to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call()?;
        let bytes = std::fs::read(self.absolute(path)).unwrap_or_default();
        self.inner.remove(path)?;
        self.note(NameChange::Removed(path.into(), bytes));
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.call()?;
        self.inner.remove_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.call()?;
        let is_new = !self.absolute(path).exists();
        self.inner.create_dir(path)?;
        if is_new {
            self.note(NameChange::CreatedDir(path.into()));
        }
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.call()?;
        self.inner.sync_dir(path)?;
        let mut state = self.state.lock().unwrap();
        let (durable, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.names).into_iter().partition(|change| change.directory() == path);
        // A file that was moved here durably need no longer be created where it came from.
        let arrived =
            |path: &Path| durable.iter().any(|one| matches!(one, NameChange::Renamed(from, _) if from == path));
        state.names =
            waiting.into_iter().filter(|one| !matches!(one, NameChange::Created(path) if arrived(path))).collect();
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<(String, Option<u64>)>> {
        self.call()?;
        self.inner.list(path)
    }

    fn space(&self) -> Result<Space> {
        self.call()?;
        self.inner.space()
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    path: Mutex<PathBuf>,
    file: Arc<dyn DiskFile>,
}

impl FaultyFile {
    /// Returns the file's path, which a rename may have changed.
    fn path(&self) -> PathBuf {
        let mut path = self.path.lock().unwrap();
        let state = self.disk.state.lock().unwrap();
        for change in &state.names {
            if let NameChange::Renamed(from, to) = change
                && *from == *path
            {
                *path = to.clone();
            }
        }
        path.clone()
    }

    fn mark_dirty(&self) {
        let path = self.path();
        self.disk.state.lock().unwrap().dirty.insert(path, ());
    }
}

impl DiskFile for FaultyFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.disk.call()?;
        self.file.read_exact_at(buf, offset)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.disk.call()?;
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let fault = self.disk.count(true, bytes.len());
        self.mark_dirty();
        match fault {
            Ok(()) => self.file.write_all_at(bytes, offset),
            Err((torn_len, error)) => {
                self.file.write_all_at(&bytes[..torn_len], offset)?;
                Err(error)
            }
        }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.disk.call()?;
        self.mark_dirty();
        self.file.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.disk.call()?;
        self.file.len()
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        self.disk.call()?;
        self.file.next_data(offset)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> Result<()> {
        self.disk.call()?;
        self.mark_dirty();
        self.file.punch_hole(offset, len)
    }

    fn sync(&self) -> Result<()> {
        self.disk.call()?;
        self.file.sync()?;
        let path = self.path();
        let bytes = std::fs::read(self.disk.absolute(&path)).unwrap_or_default();
        let mut state = self.disk.state.lock().unwrap();
        state.dirty.remove(&path);
        state.durable.insert(path, bytes);
        Ok(())
    }

    fn try_lock(&self, exclusive: bool) -> Result<bool> {
        self.disk.call()?;
        self.file.try_lock(exclusive)
    }
}
