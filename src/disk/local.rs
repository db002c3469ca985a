//! The vault's files on a local file system.

use super::{Disk, DiskFile, Space, SystemFile, host};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A [`Disk`] below one directory of the local system.
#[derive(Debug, Clone)]
pub struct LocalDisk {
    root: PathBuf,
}

impl LocalDisk {
    /// Uses the directory `root`, which must be absolute.
    pub fn new(root: impl Into<PathBuf>) -> LocalDisk {
        LocalDisk { root: root.into() }
    }

    fn open_with(&self, path: &Path, options: &OpenOptions, action: &str) -> Result<Arc<dyn DiskFile>> {
        let path = self.absolute(path);
        let file = options.open(&path).map_err(|error| Error::io(action, &path, error))?;
        Ok(Arc::new(LocalFile { file, path }))
    }
}

impl Disk for LocalDisk {
    fn absolute(&self, path: &Path) -> PathBuf {
        // Joining nothing would leave a separator at the end.
        if path.as_os_str().is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        host::owner_only(&mut options);
        self.open_with(path, &options, "create")
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.open_with(path, OpenOptions::new().read(true), "open")
    }

    fn open_by_system(&self, path: &Path) -> Result<SystemFile> {
        let path = self.absolute(path);
        host::open_to_read(&path).map_err(|error| Error::io("open", &path, error))
    }

    fn open_writable(&self, path: &Path) -> Result<Arc<dyn DiskFile>> {
        self.open_with(path, OpenOptions::new().read(true).write(true), "open")
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let target = self.absolute(path);
        let folder = target.parent().expect("a vault's files lie below its directory");
        // tempfile makes files that only the owner can read.
        let mut temp = tempfile::NamedTempFile::new_in(folder).map_err(|error| Error::io("write", &target, error))?;
        temp.write_all(bytes).map_err(|error| Error::io("write", &target, error))?;
        temp.as_file().sync_all().map_err(|error| Error::io("sync", &target, error))?;
        // Closed and kept: its own way to persist fails on Windows while somebody has the target open.
        let (_, temp) = temp.keep().map_err(|error| Error::io("write", &target, error.error))?;
        host::replace_file(&temp, &target).map_err(|error| {
            // Nobody knows the file; the error to tell is the first one.
            let _ = host::remove_file(&temp);
            Error::io("replace", &target, error)
        })?;
        host::sync_dir(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let from = self.absolute(from);
        std::fs::rename(&from, self.absolute(to)).map_err(|error| Error::io("rename", &from, error))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let from = self.absolute(from);
        std::fs::hard_link(&from, self.absolute(to)).map_err(|error| Error::io("link", &from, error))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let path = self.absolute(path);
        std::fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
    }

    fn remove_dir_all(&self, path: &Path) -> Result<()> {
        let path = self.absolute(path);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &path, error)),
            _ => Ok(()),
        }
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        let path = self.absolute(path);
        host::create_private_dir(&path).map_err(|error| Error::io("create the directory", &path, error))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        host::sync_dir(&self.absolute(path))
    }

    fn list(&self, path: &Path) -> Result<Vec<(String, Option<u64>)>> {
        let path = self.absolute(path);
        let fail = |error| Error::io("list", &path, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Another process may remove its files while this one lists.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(fail(error)),
            };
            let len = metadata.is_file().then_some(metadata.len());
            names.push((entry.file_name().to_string_lossy().into_owned(), len));
        }
        names.sort();
        Ok(names)
    }

    fn space(&self) -> Result<Space> {
        host::space(&self.root)
    }
}

struct LocalFile {
    file: File,
    path: PathBuf,
}

impl LocalFile {
    fn fail(&self, action: &'static str) -> impl Fn(std::io::Error) -> Error + '_ {
        move |error| Error::io(action, &self.path, error)
    }
}

impl DiskFile for LocalFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < buf.len() {
            match self.read_at(&mut buf[done..], offset + done as u64)? {
                0 => {
                    let end = offset + done as u64;
                    return Err(Error::corrupt(format!("{} ends at byte {end}, too early", self.path.display())));
                }
                len => done += len,
            }
        }
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match host::read_at(&self.file, buf, offset) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => return result.map_err(self.fail("read")),
            }
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        host::write_all_at(&self.file, bytes, offset).map_err(self.fail("write"))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(self.fail("resize"))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(self.fail("look at"))?.len())
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        host::next_data(&self.file, offset).map_err(self.fail("read"))
    }

    fn punch_hole(&self, offset: u64, len: u64) -> Result<()> {
        host::punch_hole(&self.file, offset, len).map_err(self.fail("write"))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(self.fail("sync"))
    }

    fn try_lock(&self, exclusive: bool) -> Result<bool> {
        host::try_lock(&self.file, exclusive).map_err(|error| {
            let hint = "the file system must support locks; a network share often does not";
            Error::io("lock", &self.path, error).with_hint(hint)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn disk() -> (tempfile::TempDir, LocalDisk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalDisk::new(dir.path());
        (dir, disk)
    }

    #[test]
    fn files_keep_what_is_written_at_its_place() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("a")).unwrap();
        file.write_all_at(b"world", 6).unwrap();
        file.write_all_at(b"hello ", 0).unwrap();
        let mut buf = [0; 11];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"hello world");
        assert_eq!(file.read_exact_at(&mut buf, 1).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(matches!(disk.create(Path::new("a")), Err(error) if error.kind() == ErrorKind::Exists));
    }

    #[test]
    fn an_open_file_is_renamed_and_removed() {
        let (_dir, disk) = disk();
        disk.replace(Path::new("a"), b"a").unwrap();
        let file = disk.open_writable(Path::new("a")).unwrap();
        disk.rename(Path::new("a"), Path::new("b")).unwrap();
        disk.remove(Path::new("b")).unwrap();
        let mut buf = [0];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"a");
    }

    #[test]
    #[cfg_attr(windows, ignore = "Windows 10 can do it on NTFS, wine 8 cannot")]
    fn an_open_file_is_replaced() {
        let (_dir, disk) = disk();
        disk.replace(Path::new("a"), b"old").unwrap();
        let file = disk.open(Path::new("a")).unwrap();
        disk.replace(Path::new("a"), b"new").unwrap();
        let mut buf = [0; 3];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"old");
        assert_eq!(disk.list(Path::new("")).unwrap(), [("a".to_owned(), Some(3))]);
    }

    /// Windows keeps others from reading what is locked; nobody here means that by a lock.
    #[test]
    fn a_locked_file_can_be_read_and_written_by_others() {
        let (_dir, disk) = disk();
        disk.replace(Path::new("a"), b"before").unwrap();
        let (one, two) = (disk.open_writable(Path::new("a")).unwrap(), disk.open_writable(Path::new("a")).unwrap());
        assert!(one.try_lock(true).unwrap());
        assert!(!two.try_lock(false).unwrap());
        two.write_all_at(b"after!", 0).unwrap();
        let mut buf = [0; 6];
        disk.open(Path::new("a")).unwrap().read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"after!");
    }

    #[test]
    fn replace_leaves_one_whole_file() {
        let (_dir, disk) = disk();
        disk.replace(Path::new("a"), b"one").unwrap();
        disk.replace(Path::new("a"), b"second").unwrap();
        assert_eq!(disk.list(Path::new("")).unwrap(), vec![("a".to_string(), Some(6))]);
    }

    #[test]
    fn punched_ranges_read_as_zeros() {
        let (_dir, disk) = disk();
        let file = disk.create(Path::new("a")).unwrap();
        file.write_all_at(&[7; 100_000], 0).unwrap();
        file.punch_hole(10, 90_000).unwrap();
        let mut buf = vec![1; 100_000];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert!(buf[..10].iter().all(|&b| b == 7) && buf[90_010..].iter().all(|&b| b == 7));
        assert!(buf[10..90_010].iter().all(|&b| b == 0));
        assert_eq!(file.len().unwrap(), 100_000);
    }

    #[test]
    fn an_exclusive_lock_keeps_others_out() {
        let (_dir, disk) = disk();
        let first = disk.create(Path::new("lock")).unwrap();
        let second = disk.open_writable(Path::new("lock")).unwrap();
        assert!(first.try_lock(true).unwrap());
        assert!(!second.try_lock(false).unwrap());
        drop(first);
        assert!(second.try_lock(false).unwrap());
    }
}
