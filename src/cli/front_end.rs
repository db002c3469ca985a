//! The mount as the commands use it; on systems without one, the sentence that says so.

pub use missing::{MountOptions, checks, serve, unmount};

/// One thing that must be so for mounts to work.
#[derive(Debug, serde::Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it is so.
    pub ok: bool,
    /// What was found.
    pub message: String,
    /// The way out, when it is not.
    pub hint: Option<String>,
}

mod missing {
    use super::Check;
    use gamevault::Vault;
    use gamevault::error::{Error, ErrorKind, Result};
    use std::path::Path;
    use std::sync::Arc;

    const HINT: &str = "use `gamevault restore` and `gamevault snapshot`, which need no mount";

    /// How a vault is mounted.
    #[expect(dead_code, reason = "the options are parsed everywhere, and nothing here reads them")]
    #[derive(Debug, Clone, Default)]
    pub struct MountOptions {
        /// See `gamevault mount --xattr`.
        pub xattr: bool,
        /// See `gamevault mount --threads`.
        pub threads: usize,
        /// See `gamevault mount --allow-other`.
        pub allow_other: bool,
    }

    /// Says that there is no mount.
    pub fn serve(_: &Arc<Vault>, _: &Path, _: &MountOptions, _: impl FnOnce() -> Result<()>) -> Result<()> {
        Err(unsupported())
    }

    /// Says that there is no mount.
    pub fn unmount(_dir: &Path) -> Result<()> {
        Err(unsupported())
    }

    /// Says that there is no mount.
    pub fn checks() -> Vec<Check> {
        let message = unsupported().to_string();
        vec![Check { name: "mount".into(), ok: false, message, hint: Some(HINT.into()) }]
    }

    fn unsupported() -> Error {
        Error::new(ErrorKind::Unsupported, "vaults cannot be mounted on this system yet").with_hint(HINT)
    }
}
