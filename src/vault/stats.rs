//! What the vault holds, in sum.

use super::{CATALOGUE, Vault};
use crate::error::Result;
use std::path::Path;

/// Sums over a vault.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Stats {
    /// Builds.
    pub builds: u64,
    /// Milestones.
    pub milestones: u64,
    /// Files in all builds, counted in each.
    pub files: u64,
    /// Bytes of all files in all builds.
    pub logical_bytes: u64,
    /// Plain bytes of the distinct chunks.
    pub unique_bytes: u64,
    /// Bytes of the vault on disk: packs and catalogue.
    pub stored_bytes: u64,
    /// Logical bytes for one stored byte; 0 in an empty vault.
    pub ratio: f64,
    /// Distinct chunks.
    pub chunks: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the catalogue, counted in `stored_bytes`.
    pub catalogue_bytes: u64,
}

impl Vault {
    /// Returns the sums over all builds, chunks and files of the vault.
    ///
    /// # Errors
    /// Those of the catalogue and of the disk.
    pub fn stats(&self) -> Result<Stats> {
        let catalogue = self.store().catalogue();
        let builds = catalogue.builds()?;
        let totals = catalogue.totals()?;
        let files = self.disk.list(Path::new(""))?;
        let is_catalogue = |name: &str| name.starts_with(CATALOGUE);
        let catalogue_bytes = files.iter().filter(|(name, _)| is_catalogue(name)).filter_map(|(_, len)| *len).sum();
        let logical_bytes: u64 = builds.iter().map(|build| build.root.totals.bytes).sum();
        let stored_bytes = totals.pack_bytes + catalogue_bytes;
        Ok(Stats {
            builds: builds.len() as u64,
            milestones: catalogue.milestones()?.len() as u64,
            files: builds.iter().map(|build| build.root.totals.files).sum(),
            logical_bytes,
            unique_bytes: totals.unique_bytes,
            stored_bytes,
            ratio: if totals.chunks == 0 { 0.0 } else { logical_bytes as f64 / stored_bytes as f64 },
            chunks: totals.chunks,
            packs: totals.packs,
            catalogue_bytes,
        })
    }
}
