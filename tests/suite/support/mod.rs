//! Folders to snapshot, and comparisons of what came back.

#[cfg(target_os = "linux")]
pub mod copy_kills;
pub mod crashes;
pub mod faulty;
pub mod flips;
pub mod folder;
#[cfg(target_os = "linux")]
pub mod hanging;
#[cfg(unix)]
pub mod kills;
pub mod mutate;
pub mod seed;

mod noise;

pub use noise::noise;

use gamevault::Vault;
use gamevault::disk::host::{self, HostKind};
use gamevault::progress::Progress;
use gamevault::store::CacheSizes;
use gamevault::vault::{RestoreOptions, SnapshotOptions, SnapshotReport};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Makes a vault, and opens it as [`open_vault`] does.
pub fn new_vault(dir: &Path) -> Vault {
    drop(Vault::init(dir).unwrap());
    open_vault(dir)
}

/// Opens a vault with the caches that `GAMEVAULT_CACHES` asks for: `off`, `tiny`, or those of everybody. What is read must be
/// the same with each: `scripts/test-caches` runs the suite with all of them.
pub fn open_vault(dir: &Path) -> Vault {
    let sizes = match std::env::var("GAMEVAULT_CACHES").as_deref() {
        Ok("off") => CacheSizes::OFF,
        Ok("tiny") => CacheSizes::TINY,
        Ok(other) => panic!("GAMEVAULT_CACHES is {other}, not off or tiny"),
        Err(_) => CacheSizes::default(),
    };
    Vault::open_with(dir, &sizes).unwrap()
}

/// Lets builds of the vault be recalled for so many days after they were forgotten; it counts when the vault is opened again.
pub fn set_grace(vault: &Path, days: f64) {
    let file = vault.join("vault.toml");
    let text = fs::read_to_string(&file).unwrap();
    let changed = text.replace("grace_days = 14.0", &format!("grace_days = {days:?}"));
    assert_ne!(changed, text, "{text}");
    fs::write(&file, changed).unwrap();
}

/// Takes the recovery data away: what is damaged after that stays so.
pub fn unprotect(vault: &Path) {
    let files = folder::leaves(&vault.join("packs")).into_iter();
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "par"))
        .for_each(|path| fs::remove_file(path).unwrap());
}

/// A vault and a place for folders, both gone at the end of the test.
pub struct Scene {
    pub dir: tempfile::TempDir,
    pub vault: Vault,
}

impl Scene {
    pub fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        let vault = new_vault(&dir.path().join("vault"));
        Scene { dir, vault }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Closes the vault and opens it again.
    pub fn reopen(self) -> Scene {
        let Scene { dir, vault } = self;
        drop(vault);
        let vault = open_vault(&dir.path().join("vault"));
        Scene { dir, vault }
    }

    pub fn snapshot(&self, folder: &str) -> SnapshotReport {
        self.vault.snapshot(&self.path(folder), &SnapshotOptions::default(), &Progress::new()).unwrap()
    }

    /// Restores a build to a new folder and returns what is in it.
    pub fn restored(&self, reference: &str, to: &str) -> Tree {
        let build = self.vault.build(reference).unwrap();
        let dest = self.path(to);
        self.vault.restore(&build, &dest, &RestoreOptions::default(), &Progress::new()).unwrap();
        read_tree(&dest)
    }
}

/// Everything about one entry that a build must keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub kind: &'static str,
    pub mode: u16,
    pub mtime: (i64, u32),
    pub bytes: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// All entries of a folder by path, the folder itself under the empty one.
pub type Tree = BTreeMap<Vec<u8>, Kept>;

pub fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![(root.to_path_buf(), Vec::new())];
    while let Some((path, name)) = open.pop() {
        let stat = host::stat_of(&path).unwrap();
        let (kind, bytes) = match stat.kind {
            HostKind::File => ("file", fs::read(&path).unwrap()),
            HostKind::Symlink => ("symlink", host::read_link(&path).unwrap()),
            HostKind::Directory => ("directory", Vec::new()),
            HostKind::Special => ("special", Vec::new()),
        };
        if stat.kind == HostKind::Directory {
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                let mut below = name.clone();
                below.push(b'/');
                below.extend(entry.file_name().as_encoded_bytes());
                open.push((entry.path(), below));
            }
        }
        let xattrs = match stat.kind {
            HostKind::Symlink => BTreeMap::new(),
            _ => host::read_xattrs(&path).unwrap().0,
        };
        let mode = if stat.kind == HostKind::Symlink { 0o777 } else { stat.mode };
        tree.insert(name, Kept { kind, mode, mtime: (stat.mtime.secs, stat.mtime.nanos), bytes, xattrs });
    }
    tree
}

/// Compares two trees with a message that names the first differences instead of printing all bytes.
pub fn assert_same(left: &Tree, right: &Tree) {
    for (path, kept) in left {
        let shown = String::from_utf8_lossy(path);
        let Some(other) = right.get(path) else { panic!("{shown} is missing on the right") };
        let brief = |kept: &Kept| (kept.kind, kept.mode, kept.mtime, kept.bytes.len(), kept.xattrs.len());
        assert_eq!(brief(kept), brief(other), "{shown}");
        assert!(kept == other, "{shown}: other bytes or xattrs");
    }
    for path in right.keys() {
        assert!(left.contains_key(path), "{} is missing on the left", String::from_utf8_lossy(path));
    }
}

/// Writes a file, and the folders above it where they are missing.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Lets the clock of the file system go on, so that files written before are at rest.
pub fn settle() {
    std::thread::sleep(std::time::Duration::from_millis(40));
}

/// Makes a small game: text, binaries large and small, folders, links, odd names, modes, times, xattrs.
pub fn make_game(root: &Path) {
    write(&root.join("readme.txt"), b"a small game\n".repeat(50).as_slice());
    write(&root.join("data/level1.pak"), &noise(1, 700_000));
    write(&root.join("data/level2.pak"), &noise(2, 90_000));
    write(&root.join("data/textures/grass.raw"), &[7; 300_000]);
    write(&root.join("data/textures/empty"), b"");
    write(
        &root.join("data/textures/colon:name?.txt".replace([':', '?'], if cfg!(windows) { "_" } else { ":" }).as_str()),
        b"x",
    );
    write(&root.join("bin/game"), &noise(3, 40_000));
    fs::create_dir_all(root.join("saves/empty folder")).unwrap();
    for n in 0..300 {
        write(&root.join(format!("data/many/file{n}")), format!("file number {n}").as_bytes());
    }
    #[cfg(unix)]
    make_unix_oddities(root);
    settle();
}

#[cfg(unix)]
fn make_unix_oddities(root: &Path) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &str, mode| fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    // The file systems of macOS refuse names that are not UTF-8.
    let latin_name: &[u8] = if cfg!(target_os = "macos") { "café".as_bytes() } else { b"caf\xe9" };
    write(&root.join(OsStr::from_bytes(latin_name)), b"latin 1");
    write(&root.join("x".repeat(255)), b"a long name");
    symlink("data/level1.pak", root.join("current")).unwrap();
    symlink("/nowhere/at/all", root.join("absolute")).unwrap();
    mode("bin/game", 0o755);
    mode("data/level2.pak", 0o440);
    mode("data/textures", 0o555);
    // A file system without xattrs cannot be asked to keep them.
    let _ = host::set_xattr(&root.join("readme.txt"), b"user.comment", b"the first one");
    let _ = host::set_xattr(&root.join("saves"), b"user.kind", &noise(9, 300));
    let old = gamevault::manifest::Timestamp { secs: -86_400 * 365, nanos: 123_456_789 };
    host::set_mtime(&root.join("readme.txt"), old).unwrap();
    host::set_mtime(&root.join("current"), old).unwrap();
    host::set_mtime(&root.join("saves/empty folder"), old).unwrap();
}
