//! The vault's config file, `vault.toml`.

use crate::disk::Disk;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

pub(super) const FILE: &str = "vault.toml";

/// The format of the vault's folder; a newer one is refused.
const FORMAT: u32 = 1;

/// What is written in `vault.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    /// The format of the folder.
    format: u32,
    /// A random name that stays with the vault wherever it is moved.
    id: String,
    #[serde(default)]
    engines: Engines,
}

/// What becomes of the projects of engines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Engines {
    caches: Caches,
}

/// What becomes of their caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Caches {
    /// They are in no build.
    #[default]
    Leave,
    /// They are files like any others.
    Keep,
}

impl Config {
    pub(super) fn new() -> Result<Config> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
        Ok(Config { format: FORMAT, id: format!("{:032x}", u128::from_be_bytes(id)), engines: Engines::default() })
    }

    /// Tells whether the caches of engine projects are kept.
    pub(super) fn keeps_caches(&self) -> bool {
        self.engines.caches == Caches::Keep
    }

    pub(super) fn write(&self, disk: &dyn Disk) -> Result<()> {
        let text = toml::to_string(self).expect("the config has plain values only");
        disk.replace(Path::new(FILE), text.as_bytes())
    }

    pub(super) fn read(disk: &dyn Disk) -> Result<Config> {
        let file = disk.open(Path::new(FILE))?;
        let mut bytes = vec![0; file.len()?.min(1 << 20) as usize];
        file.read_exact_at(&mut bytes, 0)?;
        let path = disk.absolute(Path::new(FILE));
        let config: Config = std::str::from_utf8(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| toml::from_str(text).map_err(|error| error.message().to_owned()))
            .map_err(|why| {
                Error::invalid(format!("{} cannot be read: {why}", path.display())).with_hint(
                    "it must say `format = 1` and an `id` of 32 hexadecimal digits, and may say `caches = \"keep\"` \
                         or `\"leave\"` under `[engines]`",
                )
            })?;
        if config.format != FORMAT {
            let message = format!("{} says format {}; this program knows {FORMAT}", path.display(), config.format);
            return Err(
                Error::invalid(message).with_hint("use the version of gamevault that made the vault, or a newer one")
            );
        }
        Ok(config)
    }
}
