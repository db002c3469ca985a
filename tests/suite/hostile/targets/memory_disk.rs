//! A vault's files in memory, for decoders that read files.

use gamevault::disk::{Disk, DiskFile, Space, SystemFile};
use gamevault::{Error, ErrorKind, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A file in memory; handles share its bytes.
#[derive(Clone)]
pub struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    pub fn new(bytes: Vec<u8>) -> MemoryFile {
        MemoryFile(Arc::new(Mutex::new(bytes)))
    }
}

impl DiskFile for MemoryFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        match self.read_at(buf, offset)? == buf.len() {
            true => Ok(()),
            false => Err(Error::corrupt("the file ends too early")),
        }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let bytes = self.0.lock().unwrap();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_all_at(&self, new: &[u8], offset: u64) -> Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let end = offset as usize + new.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        let len = self.len()?;
        Ok((offset < len).then_some((offset, len)))
    }

    fn punch_hole(&self, offset: u64, len: u64) -> Result<()> {
        self.write_all_at(&vec![0; len as usize], offset)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn try_lock(&self, _exclusive: bool) -> Result<bool> {
        Ok(true)
    }
}

/// The folders and files of a vault, by path.
pub struct MemoryDisk {
    /// Where the things are that only a real disk has, such as the catalogue.
    root: PathBuf,
    files: Mutex<BTreeMap<PathBuf, MemoryFile>>,
    folders: Mutex<BTreeSet<PathBuf>>,
}

impl MemoryDisk {
    pub fn new(root: &Path) -> MemoryDisk {
        MemoryDisk { root: root.to_owned(), files: Mutex::default(), folders: Mutex::default() }
    }

    /// Puts a file in its place, and the folders above it.
    pub fn put(&self, path: impl Into<PathBuf>, bytes: Vec<u8>) {
        let path = path.into();
        self.folders.lock().unwrap().extend(path.ancestors().skip(1).map(Path::to_owned));
        self.files.lock().unwrap().insert(path, MemoryFile::new(bytes));
    }

    /// Returns the bytes of a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.files.lock().unwrap().get(path).map(|file| file.0.lock().unwrap().clone())
    }

    fn file(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        match self.files.lock().unwrap().get(path) {
            Some(file) => Ok(Arc::new(file.clone())),
            None => Err(missing(path)),
        }
    }
}

fn missing(path: &Path) -> Error {
    Error::not_found(format!("{} is missing", path.display()))
}

impl Disk for MemoryDisk {
    fn absolute(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        if self.bytes(path).is_some() {
            return Err(Error::new(ErrorKind::Exists, path.display().to_string()));
        }
        self.put(path, Vec::new());
        self.file(path)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.file(path)
    }

    fn open_by_system(&self, path: &Path) -> Result<SystemFile> {
        Err(missing(path))
    }

    fn open_writable(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.file(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.put(path, bytes.to_vec());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let file = self.files.lock().unwrap().remove(from).ok_or_else(|| missing(from))?;
        self.files.lock().unwrap().insert(to.to_owned(), file);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let file = self.files.lock().unwrap().get(from).cloned().ok_or_else(|| missing(from))?;
        self.files.lock().unwrap().insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.files.lock().unwrap().remove(path).map(drop).ok_or_else(|| missing(path))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.files.lock().unwrap().retain(|file, _| !file.starts_with(path));
        self.folders.lock().unwrap().retain(|folder| !folder.starts_with(path));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.folders.lock().unwrap().extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> Result<Vec<(String, Option<u64>)>> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_str().unwrap().to_owned();
        let folders = self.folders.lock().unwrap();
        let below = folders.iter().filter(|folder| folder.parent() == Some(path));
        let mut all: Vec<_> = below.map(|folder| (name(folder), None)).collect();
        for (file, bytes) in self.files.lock().unwrap().iter().filter(|(file, _)| file.parent() == Some(path)) {
            all.push((name(file), Some(bytes.len()?)));
        }
        all.sort();
        Ok(all)
    }

    fn space(&self) -> Result<Space> {
        Ok(Space { total: 1 << 40, available: 1 << 39 })
    }
}
