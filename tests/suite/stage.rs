//! Mounted vaults and folders for tests, and a walk that sees everything that a tree must keep.

use crate::support::{new_vault, open_vault};
use gamevault::disk::host;
use gamevault::manifest::Timestamp;
use gamevault::mount::{MountOptions, Mounted, mount};
use gamevault::progress::Progress;
use gamevault::vault::{SnapshotOptions, Vault};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// A vault in a folder of its own, beside room for other things.
pub struct Fixture {
    /// Removed with everything in it at the end.
    pub dir: tempfile::TempDir,
    /// The vault.
    pub vault: Arc<Vault>,
}

impl Fixture {
    /// Makes an empty vault.
    pub fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let vault = Arc::new(new_vault(&dir.path().join("vault")));
        Fixture { dir, vault }
    }

    /// Makes an empty vault whose config says `sessions` in that table.
    pub fn with_sessions(sessions: &str) -> Fixture {
        Fixture::with_table("sessions", sessions)
    }

    /// Makes an empty vault whose config says `lines` in the table `name`, and nothing in those that follow it.
    pub fn with_table(name: &str, lines: &str) -> Fixture {
        let Fixture { dir, vault } = Fixture::new();
        drop(vault);
        let path = dir.path().join("vault/vault.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let (others, _) = config.split_once(&format!("[{name}]")).expect("a new config has the table");
        std::fs::write(&path, format!("{others}[{name}]\n{lines}\n")).unwrap();
        let vault = Arc::new(open_vault(&dir.path().join("vault")));
        Fixture { dir, vault }
    }

    /// Returns a path beside the vault.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a build with this id from a folder.
    pub fn snapshot(&self, source: &Path, id: &str) {
        let options = SnapshotOptions { id: Some(id.parse().unwrap()), ..SnapshotOptions::default() };
        self.vault.snapshot(source, &options, &Progress::new()).unwrap();
    }
}

/// A mounted vault.
pub struct Stage {
    /// `None` while a test has unmounted it.
    pub mounted: Option<Mounted>,
    /// The mount point.
    pub point: PathBuf,
    /// The vault.
    pub fixture: Fixture,
}

impl Stage {
    /// Mounts the fixture's vault; `None` where that is impossible.
    pub fn mount(fixture: Fixture, options: &MountOptions) -> Option<Stage> {
        if let Some(missing) = gamevault::mount::check().into_iter().find(|check| !check.ok) {
            println!("skipped: {}", missing.sentence);
            return None;
        }
        let point = fixture.path("mnt");
        let mounted = match mount(Arc::clone(&fixture.vault), &point, options) {
            Ok(mounted) => mounted,
            Err(error) => {
                println!("skipped: {error}");
                return None;
            }
        };
        Some(Stage { mounted: Some(mounted), point, fixture })
    }

    /// Returns a path in the mount.
    pub fn path(&self, name: &str) -> PathBuf {
        self.point.join(name)
    }
}

impl Stage {
    /// Unmounts and mounts again, in the same process.
    pub fn remount(&mut self) {
        self.mounted.take().unwrap().unmount().unwrap();
        let mounted = mount(Arc::clone(&self.fixture.vault), &self.point, &MountOptions::default());
        self.mounted = Some(mounted.unwrap());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mounted) = self.mounted.take() {
            mounted.unmount().unwrap();
        }
    }
}

/// Tells whether a program is installed, and says so when it is not.
///
/// Where `GAMEVAULT_NEEDS_TOOLS` is set, a missing one fails the test: a run that is to check everything must not pass by
/// leaving things out.
pub fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status().unwrap().success();
    if !found {
        println!("skipped: {program} is not installed");
        assert!(std::env::var_os("GAMEVAULT_NEEDS_TOOLS").is_none(), "{program} is not installed; run scripts/setup");
    }
    found
}

/// What one entry of a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Mode and time.
    Directory(u32, i64, i64),
    /// Mode, time, bytes.
    File(u32, i64, i64, Vec<u8>),
    /// Target, time.
    Symlink(PathBuf, i64, i64),
}

/// Returns everything below `root` by its path; the root itself is the empty path.
pub fn walk(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let full = root.join(&path);
        let metadata = std::fs::symlink_metadata(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()));
        let (mode, secs, nanos) = (metadata.mode() & 0o7777, metadata.mtime(), metadata.mtime_nsec());
        let kind = metadata.file_type();
        let entry = if kind.is_dir() {
            for entry in std::fs::read_dir(&full).unwrap() {
                open.push(path.join(entry.unwrap().file_name()));
            }
            Seen::Directory(mode, secs, nanos)
        } else if kind.is_symlink() {
            Seen::Symlink(std::fs::read_link(&full).unwrap(), secs, nanos)
        } else {
            let bytes = std::fs::read(&full).unwrap();
            assert_eq!(metadata.len(), bytes.len() as u64, "{}", full.display());
            Seen::File(mode, secs, nanos, bytes)
        };
        seen.insert(path, entry);
    }
    seen
}

/// Asserts that two trees are the same, naming the first paths that differ.
pub fn assert_same(left: &Path, right: &Path) {
    assert_trees(&walk(left), &walk(right), &format!("{} and {}", left.display(), right.display()));
}

/// Asserts that two trees, as [`walk`] saw them, are the same; `both` says which they are.
pub fn assert_trees(a: &BTreeMap<PathBuf, Seen>, b: &BTreeMap<PathBuf, Seen>, both: &str) {
    let all: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let short = |seen: Option<&Seen>| match seen {
        Some(Seen::File(mode, secs, nanos, bytes)) => {
            format!("file {mode:o} {secs}.{nanos:09} {} bytes {}", bytes.len(), blake3::hash(bytes).to_hex())
        }
        other => format!("{other:?}"),
    };
    let differing: Vec<String> = all
        .into_iter()
        .filter(|path| a.get(*path) != b.get(*path))
        .map(|path| format!("{}: {} / {}", path.display(), short(a.get(path)), short(b.get(path))))
        .take(10)
        .collect();
    assert!(differing.is_empty(), "{both} differ:\n{}", differing.join("\n"));
}

/// Fills `dir` with one of everything that a build may hold, and `salt` in some of the files.
pub fn fill(dir: &Path, salt: u64) {
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    file("readme.txt", format!("build {salt}\n").as_bytes());
    file("empty", b"");
    file("data/level one.pak", &noise(salt, 300_000));
    file("data/copy of level one.pak", &noise(salt, 300_000));
    file("data/same in every build.bin", &noise(1, 70_000));
    file("data/deep/er/and/deeper/end.txt", b"end");
    file("\u{dc}nic\u{f6}de/\u{65e5}\u{672c}.txt", b"names");
    file("run.sh", b"#!/bin/sh\necho ran\n");
    std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"not utf8 \xff\xfe")), b"bytes").unwrap();
    for index in 0..700 {
        file(&format!("many/{index:04}.dat"), format!("{index}").as_bytes());
    }
    std::fs::create_dir_all(dir.join("hollow")).unwrap();
    std::fs::set_permissions(dir.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(dir.join("empty"), std::fs::Permissions::from_mode(0o400)).unwrap();
    symlink("data/level one.pak", dir.join("link")).unwrap();
    symlink("../nowhere", dir.join("dangling")).unwrap();
    let sparse = std::fs::File::create(dir.join("sparse.img")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"at the end of a hole", 5_000_000).unwrap();
    // Long ago: some tools take times within one second for the same.
    for (index, path) in walk(dir).keys().enumerate() {
        let mtime = Timestamp { secs: 1_000_000_000 + index as i64, nanos: 123_456_789 };
        host::set_mtime(&dir.join(path), mtime).unwrap();
    }
}

/// Returns `len` bytes that do not compress, the same for the same `salt`.
pub fn noise(salt: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&salt.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Writes `data` through a shared map of the file, which must be long enough.
pub fn map_and_write(file: &std::fs::File, offset: usize, data: &[u8]) -> std::io::Result<()> {
    use nix::sys::mman::{MapFlags, MsFlags, ProtFlags, mmap, msync, munmap};
    let len = std::num::NonZeroUsize::new(offset + data.len()).unwrap();
    // SAFETY: the map is of a file that nobody cuts meanwhile, and is used within its length before it is unmapped.
    unsafe {
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let map = mmap(None, len, protection, MapFlags::MAP_SHARED, file, 0)?;
        std::ptr::copy_nonoverlapping(data.as_ptr(), map.as_ptr().cast::<u8>().add(offset), data.len());
        msync(map, len.get(), MsFlags::MS_SYNC)?;
        munmap(map, len.get())?;
    }
    Ok(())
}

/// The kernel is told that a session has become a build after the rename has returned, so what shows it is tried for a
/// while.
pub fn retry(attempt: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !attempt() {
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "it never came to be");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
