//! The library's face, one verb a file.
use crate::catalogue::{Build, BuildInfo, Milestone};
use crate::content::Reader;
use crate::disk::Space;
use crate::error::Result;
use crate::id::BuildNumber;
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::progress::Progress;
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A vault, opened. Cheap to share behind an `Arc`; all methods take `&self`.
pub struct Vault {}

/// How a snapshot is made.
#[derive(Debug, Clone, Default)]
pub struct SnapshotOptions {
    /// Id of the build; made from its number when absent.
    pub id: Option<RefName>,
    /// Label, platform, message, tags, meta, vcs, ci, … (`base` resolved by the caller)
    pub info: BuildInfo,
    /// Further ignore patterns (gitignore syntax).
    pub ignore: Vec<String>,
    /// Make no build when nothing differs from this/the latest build: then the report says so.
    pub skip_if_unchanged: bool,
    /// Read every file, though size, times and inode be those of the last snapshot.
    pub read_all: bool,
}

/// What a snapshot did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SnapshotReport {
    /// The build; the existing one when nothing changed and `skip_if_unchanged` was set.
    pub build: Build,
    /// Whether a build was made.
    pub created: bool,
    /// Files, of which not read again because their stat key was the same.
    pub files: u64,
    /// unchanged files (not read)
    pub files_unchanged: u64,
    /// bytes read from the source
    pub bytes_read: u64,
    /// bytes stored (new, in packs)
    pub bytes_stored: u64,
    /// Files that changed while they were read (exit code 5).
    pub changed_while_read: Vec<String>,
    /// Sentences for the user: skipped fifos, dangling or leaving symlinks, ….
    pub warnings: Vec<String>,
}

/// How a restore is made.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Only these paths of the build (files or directories, `/`-separated).
    pub paths: Vec<String>,
    /// Replace files that are in the way; files that are not in the build stay.
    pub overwrite: bool,
}

/// What a restore did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RestoreReport {
    /// files written
    pub files: u64,
    /// directories made
    pub directories: u64,
    /// symlinks made
    pub symlinks: u64,
    /// bytes written
    pub bytes: u64,
    /// Sentences for the user.
    pub warnings: Vec<String>,
}

/// One difference between two builds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Path, `/`-separated; bytes that are not UTF-8 escaped.
    pub path: String,
    /// What happened.
    pub kind: ChangeKind,
    /// size before (files)
    pub old_size: Option<u64>,
    /// size after (files)
    pub new_size: Option<u64>,
}

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// only in the second
    Added,
    /// only in the first
    Removed,
    /// other content
    Modified,
    /// same content; mode, xattrs differ
    Attributes,
    /// same content, only the time differs
    Touched,
    /// other kind (file became directory…)
    TypeChanged,
}

/// A comparison of two builds.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Diff {
    /// All changes by path.
    pub changes: Vec<Change>,
}

/// What verify found.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct VerifyReport {
    /// builds looked at
    pub builds: u64,
    /// files looked at
    pub files: u64,
    /// chunks looked at
    pub chunks: u64,
    /// packs looked at
    pub packs: u64,
    /// plain bytes checked (with read_data)
    pub bytes_checked: u64,
    /// One sentence each: what is wrong, where, which builds and paths it touches. Empty when all is well.
    pub problems: Vec<String>,
}

/// Options of verify.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Only these builds; all when empty.
    pub builds: Vec<BuildNumber>,
    /// Read every byte, too.
    pub read_data: bool,
}

/// Sums over the vault.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Stats {
    /// builds
    pub builds: u64,
    /// milestones
    pub milestones: u64,
    /// Files in all builds, counted in each.
    pub files: u64,
    /// Bytes of all files in all builds.
    pub logical_bytes: u64,
    /// Plain bytes of distinct chunks.
    pub unique_bytes: u64,
    /// Bytes of the vault on disk: packs and catalogue.
    pub stored_bytes: u64,
    /// logical / stored
    pub ratio: f64,
    /// chunks
    pub chunks: u64,
    /// packs
    pub packs: u64,
    /// catalogue bytes, part of stored_bytes
    pub catalogue_bytes: u64,
}

/// What a repair did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RepairReport {
    /// packs read
    pub packs: u64,
    /// chunks indexed
    pub chunks: u64,
    /// builds found
    pub builds: u64,
    /// milestones found
    pub milestones: u64,
    /// One sentence each.
    pub problems: Vec<String>,
}

/// What is known of a running mount.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct MountRecord {
    /// process
    pub pid: u32,
    /// mount point
    pub path: PathBuf,
    /// since
    pub since: Timestamp,
}

impl Vault {
    /// Makes a new vault in `dir`, which must be missing or empty.
    pub fn init(_dir: &Path) -> Result<Vault> { todo!() }
    /// Opens the vault in `dir`.
    pub fn open(_dir: &Path) -> Result<Vault> { todo!() }
    /// Tells whether `dir` holds a vault.
    pub fn is_vault(_dir: &Path) -> bool { todo!() }
    /// Its directory (absolute).
    pub fn dir(&self) -> &Path { todo!() }
    /// Snapshot.
    pub fn snapshot(&self, _source: &Path, _options: &SnapshotOptions, _progress: &Progress) -> Result<SnapshotReport> { todo!() }
    /// All builds by number.
    pub fn builds(&self) -> Result<Vec<Build>> { todo!() }
    /// Resolves an id, a number, a label, a milestone, `latest` or `latest~2`.
    pub fn build(&self, _reference: &str) -> Result<Build> { todo!() }
    /// Restore.
    pub fn restore(&self, _build: &Build, _dest: &Path, _options: &RestoreOptions, _progress: &Progress) -> Result<RestoreReport> { todo!() }
    /// Compares; `paths` limit to files or folders when not empty.
    pub fn diff(&self, _a: &Build, _b: &Build, _paths: &[String]) -> Result<Diff> { todo!() }
    /// All milestones, oldest first.
    pub fn milestones(&self) -> Result<Vec<Milestone>> { todo!() }
    /// One milestone.
    pub fn milestone(&self, _name: &RefName) -> Result<Milestone> { todo!() }
    /// Sets (or with `move_existing` moves) a milestone; `Exists` when it marks another build.
    pub fn set_milestone(&self, _name: &RefName, _build: &Build, _message: Option<String>, _tags: Vec<String>, _move_existing: bool) -> Result<Milestone> { todo!() }
    /// Removes a milestone; the build stays.
    pub fn remove_milestone(&self, _name: &RefName) -> Result<()> { todo!() }
    /// Checks.
    pub fn verify(&self, _options: &VerifyOptions, _progress: &Progress) -> Result<VerifyReport> { todo!() }
    /// Sums.
    pub fn stats(&self) -> Result<Stats> { todo!() }
    /// Rebuilds the catalogue of the vault in `dir` from its packs.
    pub fn repair(_dir: &Path, _progress: &Progress) -> Result<RepairReport> { todo!() }
    /// Room on the vault's disk.
    pub fn space(&self) -> Result<Space> { todo!() }
    /// A number that differs whenever builds or milestones changed, by any process.
    pub fn generation(&self) -> Result<u64> { todo!() }
    /// Reads manifests and content.
    pub fn reader(&self) -> &Arc<Reader> { todo!() }
    /// The chunk store, for sessions.
    pub fn store(&self) -> &Arc<Store> { todo!() }
    /// Running mounts (dead processes are left out).
    pub fn mounts(&self) -> Result<Vec<MountRecord>> { todo!() }
    /// Makes a mount known to other processes / forgets it.
    pub fn record_mount(&self, _mount: &MountRecord) -> Result<()> { todo!() }
    /// see record_mount
    pub fn forget_mount(&self, _pid: u32) -> Result<()> { todo!() }
}
