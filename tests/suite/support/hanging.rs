//! A disk that stops answering for one file, as a network drive does.

use gamevault::Result;
use gamevault::disk::{Disk, DiskFile, LocalDisk, Space, SystemFile};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

/// A [`LocalDisk`] on which reads of one file wait for as long as it hangs.
#[derive(Clone)]
pub struct HangingDisk {
    inner: LocalDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    hanging: Mutex<Option<PathBuf>>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self, path: &Path) {
        let hanging = self.hanging.lock().unwrap();
        drop(self.opened.wait_while(hanging, |hanging| hanging.as_deref() == Some(path)).unwrap());
    }
}

impl HangingDisk {
    /// Uses `root`; nothing hangs yet.
    pub fn new(root: &Path) -> HangingDisk {
        HangingDisk { inner: LocalDisk::new(root), gate: Arc::default() }
    }

    /// Lets reads of `path` hang; `None` lets all go on.
    pub fn hang(&self, path: Option<&Path>) {
        *self.gate.hanging.lock().unwrap() = path.map(Path::to_owned);
        self.gate.opened.notify_all();
    }

    fn wrap(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(HangingFile { path: path.into(), file, gate: self.gate.clone() })
    }
}

impl Disk for HangingDisk {
    fn absolute(&self, path: &Path) -> PathBuf {
        self.inner.absolute(path)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.inner.create(path)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        Ok(self.wrap(path, self.inner.open(path)?))
    }

    fn open_by_system(&self, path: &Path) -> Result<SystemFile> {
        self.inner.open_by_system(path)
    }

    fn open_writable(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.inner.open_writable(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.inner.replace(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.link(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.inner.remove(path)
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.inner.remove_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.inner.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.inner.sync_dir(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<(String, Option<u64>)>> {
        self.inner.list(path)
    }

    fn space(&self) -> Result<Space> {
        self.inner.space()
    }
}

struct HangingFile {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl DiskFile for HangingFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.gate.pass(&self.path);
        self.file.read_exact_at(buf, offset)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.gate.pass(&self.path);
        self.file.read_at(buf, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> Result<u64> {
        self.file.len()
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        self.file.next_data(offset)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> Result<()> {
        self.file.punch_hole(offset, len)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn try_lock(&self, exclusive: bool) -> Result<bool> {
        self.file.try_lock(exclusive)
    }
}
