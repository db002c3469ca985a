//! Where the bytes of a vault, or of some of its builds, are.

use super::usage::{Rows, Walk};
use super::{CATALOGUE, Vault};
use crate::catalogue::{Build, CatalogueTotals, Refused};
use crate::codec::Encoding;
use crate::disk::Disk;
use crate::error::Result;
use crate::id::BuildNumber;
use crate::progress::Progress;
use crate::store::{SIMILAR, entry_len, is_cache};
use std::path::Path;

/// What is asked.
#[derive(Debug, Clone)]
pub struct StatsOptions {
    /// Only what these builds added to those before them; the whole vault when empty.
    pub builds: Vec<BuildNumber>,
    /// What the rows stand for.
    pub by: Grouping,
    /// How many levels of folders have rows of their own, with [`Grouping::Folder`].
    pub depth: usize,
}

impl Default for StatsOptions {
    fn default() -> StatsOptions {
        StatsOptions { builds: Vec::new(), by: Grouping::Technique, depth: 1 }
    }
}

/// What a row stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grouping {
    /// A build: what it added to those before it.
    Build,
    /// A folder with all below it.
    Folder,
    /// The files with one extension.
    Type,
    /// The chunks in one encoding.
    Technique,
}

/// Sums over a vault or some of its builds.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Stats {
    /// Builds.
    pub builds: u64,
    /// Files in all these builds, counted in each.
    pub files: u64,
    /// Bytes of all these files.
    pub logical_bytes: u64,
    /// Plain bytes of the distinct chunks.
    pub unique_bytes: u64,
    /// Bytes on disk: of builds what their chunks take in packs, of a vault all its files but the spool and caches.
    pub stored_bytes: u64,
    /// Logical bytes for one stored byte; 0 without any.
    pub ratio: f64,
    /// Distinct chunks.
    pub chunks: u64,
    /// Chunks that no pack has; `verify` tells whose they are.
    pub missing_chunks: u64,
    /// What the rows stand for.
    pub by: Grouping,
    /// The parts, which add up to the sums above.
    pub rows: Vec<StatsRow>,
    /// What only a whole vault has.
    #[serde(flatten)]
    pub vault: Option<VaultStats>,
}

/// What a vault has besides the chunks of its builds.
#[derive(Debug, Clone, serde::Serialize)]
pub struct VaultStats {
    /// Milestones.
    pub milestones: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the packs, counted in `stored_bytes` as the next three are.
    pub pack_bytes: u64,
    /// Bytes of the catalogue.
    pub catalogue_bytes: u64,
    /// Bytes of the table of similar chunks.
    pub similar_bytes: u64,
    /// Bytes of what else the vault needs.
    pub other_bytes: u64,
    /// What was refused a smaller form since the catalogue was made, and why; most bytes first.
    pub refused: Vec<Refused>,
}

/// One part of the sums.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StatsRow {
    /// The build, folder, extension or technique; in parentheses what is none.
    pub name: String,
    /// What it is, where the name does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<&'static str>,
    /// Files, counted in each build; absent where files are in several rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_bytes: Option<u64>,
    /// Plain bytes of the chunks that were first seen here.
    pub unique_bytes: u64,
    /// Bytes that those take in packs, with their headers.
    pub stored_bytes: u64,
    /// How many they are.
    pub chunks: u64,
    /// Logical (without them, unique) bytes for one stored byte; absent where there are none of either.
    pub ratio: Option<f64>,
}

impl StatsRow {
    pub(super) fn new(name: impl Into<String>, about: Option<&'static str>) -> StatsRow {
        StatsRow {
            name: name.into(),
            about,
            files: None,
            logical_bytes: None,
            unique_bytes: 0,
            stored_bytes: 0,
            chunks: 0,
            ratio: None,
        }
    }

    pub(super) fn add_files(&mut self, files: u64, bytes: u64) {
        *self.files.get_or_insert(0) += files;
        *self.logical_bytes.get_or_insert(0) += bytes;
    }

    pub(super) fn add_chunks(&mut self, chunks: u64, plain_bytes: u64, stored_bytes: u64) {
        self.chunks += chunks;
        self.unique_bytes += plain_bytes;
        self.stored_bytes += stored_bytes;
    }

    fn with_ratio(mut self) -> StatsRow {
        let bytes = self.logical_bytes.unwrap_or(self.unique_bytes);
        self.ratio = (bytes > 0 && self.stored_bytes > 0).then(|| bytes as f64 / self.stored_bytes as f64);
        self
    }
}

impl Vault {
    /// Returns the sums over the vault or some builds, and what they are made of.
    ///
    /// A chunk counts where it was first seen: in the order of the builds, in each a folder's files before its
    /// subfolders, both by name. Folders that were seen are not walked again, and memory grows by at most 21 bytes a
    /// chunk of the vault.
    ///
    /// # Errors
    /// Those of the catalogue and of the disk; `Corrupt` if a manifest is damaged, `Interrupted` when `progress` says so.
    pub fn stats(&self, options: &StatsOptions, progress: &Progress) -> Result<Stats> {
        let totals = self.store().catalogue().totals()?;
        let is_whole = options.builds.is_empty();
        let mut builds = self.builds()?;
        let is_counted = |build: &Build| is_whole || options.builds.contains(&build.number);
        let end = builds.iter().rposition(is_counted).map_or(0, |last| last + 1);
        builds.truncate(end);
        let mut missing_chunks = 0;
        let mut rows = if is_whole && options.by == Grouping::Technique {
            techniques(&totals)?
        } else {
            let mut walk = Walk::new(self, options, totals.chunks, progress);
            builds.iter().try_for_each(|build| walk.build(build, is_counted(build)))?;
            let (rows, missing) = walk.finish()?;
            missing_chunks = missing;
            rows
        };
        builds.retain(is_counted);
        if options.by != Grouping::Build {
            rows.sort_by(|a, b| (b.stored_bytes, &a.name).cmp(&(a.stored_bytes, &b.name)));
        }
        let vault = if is_whole { Some(self.vault_stats(&totals, &mut rows)?) } else { None };
        let logical_bytes = builds.iter().map(|build| build.root.totals.bytes).sum();
        let stored_bytes = rows.iter().map(|row| row.stored_bytes).sum();
        Ok(Stats {
            builds: builds.len() as u64,
            files: builds.iter().map(|build| build.root.totals.files).sum(),
            logical_bytes,
            unique_bytes: rows.iter().map(|row| row.unique_bytes).sum(),
            stored_bytes,
            ratio: if stored_bytes == 0 { 0.0 } else { logical_bytes as f64 / stored_bytes as f64 },
            chunks: rows.iter().map(|row| row.chunks).sum(),
            missing_chunks,
            by: options.by,
            rows: rows.into_iter().map(StatsRow::with_ratio).collect(),
            vault,
        })
    }

    /// Returns what only the vault has, and adds rows for its bytes to those of the builds.
    fn vault_stats(&self, totals: &CatalogueTotals, rows: &mut Vec<StatsRow>) -> Result<VaultStats> {
        let mut chunks = StatsRow::new("all", None);
        techniques(totals)?.iter().for_each(|row| chunks.add_chunks(row.chunks, row.unique_bytes, row.stored_bytes));
        let listed = |of: fn(&StatsRow) -> u64| rows.iter().map(of).sum::<u64>();
        let mut elsewhere = StatsRow::new("(in no build)", Some("playtests, sessions, what stopped snapshots left"));
        // Others may store more meanwhile, so the rows may be ahead of the totals.
        elsewhere.add_chunks(
            chunks.chunks.saturating_sub(listed(|row| row.chunks)),
            chunks.unique_bytes.saturating_sub(listed(|row| row.unique_bytes)),
            chunks.stored_bytes.saturating_sub(listed(|row| row.stored_bytes)),
        );
        let files = VaultFiles::measure(&*self.disk)?;
        let own = |name, about, bytes| StatsRow { stored_bytes: bytes, ..StatsRow::new(name, Some(about)) };
        let more = [
            elsewhere,
            own(
                "(packs)",
                "records of builds, marks of packs, packs that are being written",
                files.packs.saturating_sub(chunks.stored_bytes),
            ),
            own("(catalogue)", "where chunks are, which files were seen", files.catalogue),
            own("(similar)", "the table of similar chunks", files.similar),
            own("(other files)", "config, locks, records of mounts", files.other),
        ];
        rows.extend(more.into_iter().filter(|row| row.stored_bytes > 0));
        let catalogue = self.store().catalogue();
        Ok(VaultStats {
            milestones: catalogue.milestones()?.len() as u64,
            packs: totals.packs,
            pack_bytes: files.packs,
            catalogue_bytes: files.catalogue,
            similar_bytes: files.similar,
            other_bytes: files.other,
            refused: catalogue.refused()?,
        })
    }
}

/// Returns a row for each encoding that is in use.
fn techniques(totals: &CatalogueTotals) -> Result<Vec<StatsRow>> {
    let mut rows = Rows::default();
    for of_one in &totals.encodings {
        let stored = entry_len(of_one.chunks, of_one.stored_bytes, of_one.bases);
        let row = rows.technique(Encoding::from_number(of_one.encoding)?);
        row.add_chunks(of_one.chunks, of_one.plain_bytes, stored);
    }
    Ok(rows.into_vec())
}

/// Lengths of the vault's files in sum.
#[derive(Default)]
struct VaultFiles {
    packs: u64,
    catalogue: u64,
    similar: u64,
    other: u64,
}

impl VaultFiles {
    fn measure(disk: &dyn Disk) -> Result<VaultFiles> {
        let mut files = VaultFiles::default();
        for (name, len) in disk.list(Path::new(""))? {
            let len = match len {
                // Sessions and workspaces are no part of what is stored.
                None if name == "spool" || is_cache(&name) => continue,
                None => bytes_below(disk, Path::new(&name))?,
                // Memory that processes share; it ends with the last of them.
                Some(_) if name.starts_with(CATALOGUE) && name.ends_with("-shm") => continue,
                Some(len) => len,
            };
            let sum = match name.as_str() {
                "packs" => &mut files.packs,
                name if name.starts_with(CATALOGUE) => &mut files.catalogue,
                name if name.starts_with(SIMILAR) => &mut files.similar,
                _ => &mut files.other,
            };
            *sum += len;
        }
        Ok(files)
    }
}

fn bytes_below(disk: &dyn Disk, folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for (name, len) in disk.list(folder)? {
        sum += len.map_or_else(|| bytes_below(disk, &folder.join(name)), Ok)?;
    }
    Ok(sum)
}
