//! The library's face: a vault, opened, with one verb a file.

mod builds;
mod certify;
mod changes;
mod chunk_marks;
mod config;
mod explain;
mod feedback;
mod find;
mod forget;
mod gc;
mod heal;
mod history;
mod hot;
mod milestones;
mod mounts;
mod optimize;
mod platforms;
mod plays;
mod playtests;
mod repair;
mod restore;
mod scrub;
mod sessions;
mod snapshot;
mod starts;
mod stats;
mod tree_hash;
mod usage;
mod verify;

pub use certify::CertificateCheck;
pub use explain::{Alone, Explanation, FileGrowth};
pub use feedback::{
    CollectOptions, Collected, DeployOptions, ForgetFeedback, ForgottenFeedback, ImportOptions, ImportReport, Relinked,
    Stamped, Stayed,
};
pub use find::{BuildRange, FoundPath, PathGlob};
pub use forget::{Forgotten, KeepRules, Planned, Reason};
pub use gc::{GcOptions, GcReport};
pub use history::{BelowCounts, PathVersion, ThingKind, VersionChange};
pub use hot::{HotCopies, MIN_HOT_LEN};
pub use milestones::{Annotation, MAX_NOTES_LEN, MILESTONE_KINDS};
pub use mounts::{MountRecord, Passthrough};
pub use optimize::{IdleRules, LastOptimize, OptimizeOptions, OptimizeReport};
pub use platforms::{Platforms, SettingChange};
pub use plays::{Play, PlayStart};
pub use repair::RepairReport;
pub use restore::{RestoreOptions, RestoreReport, RollBackOptions, RollBackReport};
pub use scrub::{Scrub, ScrubRules};
pub use snapshot::{SnapshotOptions, SnapshotReport};
pub use starts::MAX_STARTS;
pub use stats::{Grouping, Stats, StatsOptions, StatsRow, VaultStats};
pub use verify::{VerifyOptions, VerifyReport};

use crate::catalogue::Catalogue;
use crate::catalogue::feedback::FeedbackIndex;
use crate::content::Reader;
use crate::disk::{Disk, DiskFile, LocalDisk, Space, SystemFile};
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::session::SessionRules;
use crate::store::{self, CacheSizes, Store};
use config::Config;
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The catalogue's file in a vault.
const CATALOGUE: &str = "catalogue.db";

/// The file whose lock says that the vault is in use (shared) or in maintenance (exclusive).
const LOCK: &str = "lock";

/// A directory that holds packs, catalogue, spool, lock and config, opened.
///
/// It is cheap to share behind an [`Arc`]; every method takes `&self` and may be called from any thread. Several
/// processes may have the same vault open.
///
/// ```
/// # fn main() -> gamevault::error::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # std::fs::create_dir(dir.path().join("game")).unwrap();
/// # std::fs::write(dir.path().join("game/level1.pak"), b"level one").unwrap();
/// use gamevault::progress::Progress;
/// use gamevault::vault::{SnapshotOptions, Vault};
///
/// let vault = Vault::init(&dir.path().join("vault"))?;
/// let report = vault.snapshot(&dir.path().join("game"), &SnapshotOptions::default(), &Progress::new())?;
/// assert_eq!(vault.build("latest")?.number, report.build.number);
/// # Ok(())
/// # }
/// ```
pub struct Vault {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    store: Arc<Store>,
    reader: Arc<Reader>,
    config: Config,
    /// Opened by the first who needs it.
    feedback: Mutex<Option<Arc<FeedbackIndex>>>,
    /// Held shared for as long as the vault is open.
    _lock: Arc<dyn DiskFile>,
    /// The locked records of this process's mounts.
    mounts: Mutex<Vec<(PathBuf, Arc<dyn DiskFile>)>>,
}

impl Vault {
    /// Makes a new vault in `dir`, which must be missing or empty.
    ///
    /// # Errors
    /// `Exists` if `dir` is a vault, `NotEmpty` if it holds anything else; `Denied`, `NoSpace` or `Io` from the system.
    pub fn init(dir: &Path) -> Result<Vault> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        if Vault::is_vault(&dir) {
            return Err(Error::new(ErrorKind::Exists, format!("{} is a vault already", dir.display())));
        }
        let disk = LocalDisk::new(&dir);
        disk.create_dir(Path::new(""))?;
        if !disk.list(Path::new(""))?.is_empty() {
            return Err(Error::new(ErrorKind::NotEmpty, format!("{} is not empty", dir.display()))
                .with_hint("choose a new folder for the vault"));
        }
        store::create_pack_folders(&disk)?;
        create_folders(&disk)?;
        disk.replace(Path::new(LOCK), b"")?;
        disk.create(Path::new(CATALOGUE))?;
        Catalogue::create(&disk.absolute(Path::new(CATALOGUE)))?;
        // The config makes the folder a vault, so it comes last.
        Config::new()?.write(&disk)?;
        Vault::open(&dir)
    }

    /// Opens the vault in `dir`.
    ///
    /// # Errors
    /// `NotFound` if there is none, `Busy` while another process repairs it, `Corrupt` if the catalogue must be
    /// repaired.
    pub fn open(dir: &Path) -> Result<Vault> {
        Vault::open_with(dir, &CacheSizes::default())
    }

    /// Opens the vault in `dir` like [`Vault::open`], to keep so much of what is read.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_with(dir: &Path, sizes: &CacheSizes) -> Result<Vault> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::new(&dir));
        Vault::assemble(disk, sizes)
    }

    /// Opens the vault on `disk`.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_on(disk: Arc<dyn Disk>) -> Result<Vault> {
        Vault::assemble(disk, &CacheSizes::default())
    }

    fn assemble(disk: Arc<dyn Disk>, sizes: &CacheSizes) -> Result<Vault> {
        let dir = disk.absolute(Path::new(""));
        let (lock, config) = lock(&*disk, &dir, false)?;
        let catalogue = Arc::new(Catalogue::open(&disk.absolute(Path::new(CATALOGUE)))?);
        create_folders(&*disk)?;
        let left_over = Store::clear_left_over(&*disk)?;
        if left_over > 0 {
            tracing::info!(left_over, "removed packs that a killed process left unfinished");
        }
        let store = Arc::new(Store::new(disk.clone(), catalogue, sizes));
        store.set_recovery(config.recovery_percent());
        let reader = Arc::new(Reader::new(store.clone(), sizes));
        Ok(Vault {
            dir,
            disk,
            store,
            reader,
            config,
            feedback: Mutex::default(),
            _lock: lock,
            mounts: Mutex::default(),
        })
    }

    /// Tells whether `dir` holds a vault.
    pub fn is_vault(dir: &Path) -> bool {
        dir.join(config::FILE).is_file() && dir.join("packs").is_dir()
    }

    /// Returns the random name that stays with the vault wherever it is moved.
    pub fn id(&self) -> &str {
        self.config.id()
    }

    /// Returns the vault's directory, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the path of the catalogue; beside it are files whose names start with its own.
    pub fn catalogue_path(&self) -> PathBuf {
        self.disk.absolute(Path::new(CATALOGUE))
    }

    /// Returns the room on the vault's disk.
    ///
    /// # Errors
    /// `Io` from the system.
    pub fn space(&self) -> Result<Space> {
        self.disk.space()
    }

    /// Opens the vault's lock file for the system to read: it stands for all files that lie in the vault's folder.
    ///
    /// # Errors
    /// `Io` from the system.
    pub fn lock_file(&self) -> Result<SystemFile> {
        self.disk.open_by_system(Path::new(LOCK))
    }

    /// Returns what reads manifests and the content of files.
    pub fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// Returns the folder in which games record plays, which a mount takes in; `None` if the vault's config names none.
    pub fn plays_folder(&self) -> Option<&Path> {
        self.config.plays_folder()
    }

    /// Returns which sessions become builds without being told, as the config file said when the vault was opened.
    pub fn session_rules(&self) -> SessionRules {
        self.config.session_rules()
    }

    /// Returns the names of programs that go over everything in a mount; `*` in them stands for anything.
    pub fn crawlers(&self) -> Vec<String> {
        self.config.crawlers()
    }

    /// Returns when a mount is to make older builds smaller; `None` if it never is.
    pub fn idle_rules(&self) -> Option<IdleRules> {
        self.config.idle_rules()
    }

    /// Returns when a mount is to go through all packs; `None` if it never is.
    pub fn scrub_rules(&self) -> Option<ScrubRules> {
        self.config.scrub_rules()
    }

    /// Tells whether a mount reads ahead of programs by what they read the last time.
    pub fn warms_up(&self) -> bool {
        self.config.warms_up()
    }

    /// Takes the lock `file` of work that one process does at a time.
    fn lock_work(&self, file: &str, busy: &str) -> Result<Arc<dyn DiskFile>> {
        let path = Path::new(file);
        let open = || self.disk.open_writable(path);
        let lock = open().or_else(|error| match error.kind() {
            ErrorKind::NotFound => match self.disk.create(path) {
                Err(error) if error.kind() == ErrorKind::Exists => open(),
                result => result,
            },
            _ => Err(error),
        })?;
        match try_lock_for_a_moment(&*lock, true)? {
            true => Ok(lock),
            false => {
                let message = format!("the vault {} {busy}", self.dir().display());
                Err(Error::new(ErrorKind::Busy, message).with_hint("let the other process end, or stop it"))
            }
        }
    }

    /// Returns the chunk store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Returns a number that differs whenever builds or milestones have changed, by whatever process.
    ///
    /// Answers of one `Vault` can be compared with each other alone. It costs a few microseconds.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn generation(&self) -> Result<u64> {
        Ok(self.store.catalogue().data_version()? as u64)
    }

    /// Returns a number that differs whenever another process has changed the catalogue; `None` while this one changes it.
    ///
    /// # Errors
    /// Those of the catalogue.
    pub fn foreign_generation(&self) -> Result<Option<u64>> {
        Ok(self.store.catalogue().foreign_version()?.map(|version| version as u64))
    }
}

/// Makes the folders that are often empty, which tools that copy files alone leave out.
fn create_folders(disk: &dyn Disk) -> Result<()> {
    disk.create_dir(Path::new("spool"))?;
    disk.create_dir(Path::new("run"))
}

/// How long a lock is waited for. A process that is being started holds the locks of the one that starts it for some
/// milliseconds, and a command that just ended may not be gone.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);

fn try_lock_for_a_moment(lock: &dyn DiskFile, exclusive: bool) -> Result<bool> {
    let start = Instant::now();
    while !lock.try_lock(exclusive)? {
        if start.elapsed() > LOCK_PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(true)
}

/// Takes the lock of the vault in `dir`, and reads its config.
fn lock(disk: &dyn Disk, dir: &Path, exclusive: bool) -> Result<(Arc<dyn DiskFile>, Config)> {
    if !Vault::is_vault(dir) {
        return Err(Error::not_found(format!("{} is not a vault", dir.display()))
            .with_hint("make one with `gamevault init DIR`, or name one with --vault"));
    }
    let config = Config::read(disk)?;
    let lock = disk.open_writable(Path::new(LOCK)).or_else(|error| match error.kind() {
        ErrorKind::NotFound => {
            disk.replace(Path::new(LOCK), b"")?;
            disk.open_writable(Path::new(LOCK))
        }
        _ => Err(error),
    })?;
    if !try_lock_for_a_moment(&*lock, exclusive)? {
        let (what, hint) = match exclusive {
            true => ("in use by other processes", "unmount it, wait for snapshots to end, and run the command again"),
            false => ("in maintenance", "wait until the repair is done"),
        };
        return Err(Error::new(ErrorKind::Busy, format!("the vault {} is {what}", dir.display())).with_hint(hint));
    }
    Ok((lock, config))
}
