//! Mappings of tables that are kept by name, for the sheets that come again and again.

use crate::error::{Error, ErrorKind, Result};
use crate::feedback::import::Mapping;
use crate::name::RefName;
use crate::vault::Vault;
use std::path::{Path, PathBuf};

/// The folder of mappings in a vault.
const MAPPINGS: &str = "mappings";

impl Vault {
    /// Keeps a mapping under a name, in the place of an earlier one.
    ///
    /// # Errors
    /// `NoSpace` or `Io` from the disk.
    pub fn save_mapping(&self, name: &RefName, mapping: &Mapping) -> Result<()> {
        self.disk.create_dir(Path::new(MAPPINGS))?;
        let json = serde_json::to_vec_pretty(mapping).expect("its keys are strings");
        self.disk.replace(&path(name), &json)
    }

    /// Returns the mapping of this name.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if somebody wrote to its file what is none.
    pub fn mapping(&self, name: &RefName) -> Result<Mapping> {
        let file = self.disk.open(&path(name)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found(format!("no mapping is called {name}"))
                .with_hint("keep one with `gamevault feedback import --save-mapping NAME`"),
            _ => error,
        })?;
        let mut json = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
        file.read_exact_at(&mut json, 0)?;
        serde_json::from_slice(&json).map_err(|error| {
            let path = self.disk.absolute(&path(name));
            Error::invalid(format!("{} is no mapping: {error}", path.display())).with_source(error)
        })
    }
}

fn path(name: &RefName) -> PathBuf {
    Path::new(MAPPINGS).join(format!("{}.json", name.folded()))
}
