//! The vault's config file, `vault.toml`.

use super::{IdleRules, ScrubRules};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::ingest::session::{AutoCommit, FinishRules, SessionRules};
use crate::store::{MAX_PERCENT, RECOVERY_PERCENT};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const FILE: &str = "vault.toml";

/// The format of the vault's folder; a newer one is refused.
const FORMAT: u32 = 1;

/// The programs that go over everything when the config does not name them: thumbnailers, indexers, virus scanners.
const CRAWLERS: [&str; 45] = [
    "tumblerd",
    "gnome-thumbnail*",
    "glycin-*",
    "ffmpegthumbnailer",
    "evince-thumbnailer",
    "papers-thumbnailer",
    "totem-video-thumbnailer",
    "gdk-pixbuf-thumbnailer",
    "gsf-office-thumbnailer",
    "gst-thumbnailers",
    "raw-thumbnailer",
    "cosmic-thumbnailer",
    "kioslave* thumbnail.so*",
    "kioworker thumbnail.so*",
    "tracker-miner-fs*",
    "tracker-extract*",
    "localsearch*",
    "baloo_file",
    "baloo_file_extractor",
    "recollindex",
    "updatedb*",
    "mlocate",
    "plocate",
    "locate",
    "clamd",
    "clamscan",
    "clamdscan",
    "clamonacc",
    "freshclam",
    "rkhunter",
    "chkrootkit",
    "maldet",
    "savscand",
    "sophos*",
    "falcon-sensor*",
    "wdavdaemon*",
    "mdatp*",
    "ds_agent",
    "mds",
    "mds_stores",
    "mdworker*",
    "quicklookd",
    "SearchIndexer.exe",
    "SearchProtocolHost.exe",
    "MsMpEng.exe",
];

/// The longest quiet time that makes sense: a day.
const MAX_QUIET_SECONDS: f64 = 86_400.0;

/// The longest idle time that makes sense: a day.
const MAX_IDLE_MINUTES: f64 = 1440.0;

/// More GiB than any disk has.
const MAX_GIB: f64 = 1e9;

/// The longest time for which a forgotten build is kept: a hundred years.
const MAX_GRACE_DAYS: f64 = 36_500.0;

/// What is written in `vault.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    /// The format of the folder.
    format: u32,
    /// A random name that stays with the vault wherever it is moved.
    id: String,
    /// How sessions become builds by themselves.
    #[serde(default)]
    sessions: SessionConfig,
    /// What becomes of the projects of engines.
    #[serde(default)]
    engines: Engines,
    /// Who goes over everything in a mount.
    #[serde(default, skip_serializing_if = "Crawlers::is_default")]
    crawlers: Crawlers,
    /// When older builds are made smaller without being told.
    #[serde(default)]
    optimize: OptimizeConfig,
    /// How much is kept to be read fast.
    #[serde(default)]
    cache: CacheConfig,
    /// Whether a mount reads ahead of programs.
    #[serde(default)]
    warm_up: WarmUpConfig,
    /// How long forgotten builds can be recalled.
    #[serde(default)]
    forget: ForgetConfig,
    /// From how much damage packs can be healed.
    #[serde(default)]
    recovery: RecoveryConfig,
    /// When a mount goes through all packs.
    #[serde(default)]
    scrub: ScrubConfig,
}

/// The programs that go over everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Crawlers {
    /// Their names; `None` for [`CRAWLERS`].
    names: Option<Vec<String>>,
}

impl Crawlers {
    fn is_default(&self) -> bool {
        self.names.is_none()
    }
}

/// The table `sessions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SessionConfig {
    auto_commit: AutoCommit,
    quiet_seconds: f64,
    /// See [`SessionRules::spool_limit`], in MiB.
    spool_mib: u64,
    /// Where games record plays, which a mount takes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    plays: Option<PathBuf>,
}

impl Default for SessionConfig {
    fn default() -> SessionConfig {
        let SessionRules { finish: FinishRules { auto_commit, quiet }, spool_limit, .. } = SessionRules::default();
        SessionConfig { auto_commit, quiet_seconds: quiet.as_secs_f64(), spool_mib: spool_limit >> 20, plays: None }
    }
}

/// The table `optimize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OptimizeConfig {
    when_idle: bool,
    /// See [`OptimizeOptions::squeeze`](super::OptimizeOptions::squeeze).
    squeeze: bool,
    /// See [`IdleRules::idle_time`].
    idle_minutes: f64,
}

impl Default for OptimizeConfig {
    fn default() -> OptimizeConfig {
        OptimizeConfig { when_idle: true, squeeze: false, idle_minutes: 5.0 }
    }
}

/// The table `cache`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CacheConfig {
    /// The most room for hot copies, in GiB; without it a part of what is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    hot_gib: Option<f64>,
}

/// The table `forget`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ForgetConfig {
    /// Days for which a forgotten build can be recalled.
    grace_days: f64,
}

impl Default for ForgetConfig {
    fn default() -> ForgetConfig {
        ForgetConfig { grace_days: 14.0 }
    }
}

/// The table `recovery`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RecoveryConfig {
    /// Recovery data in per cent of the packs; 0 for none.
    percent: u8,
}

impl Default for RecoveryConfig {
    fn default() -> RecoveryConfig {
        RecoveryConfig { percent: RECOVERY_PERCENT }
    }
}

/// The table `scrub`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScrubConfig {
    enabled: bool,
    /// See [`ScrubRules::every`].
    every_days: f64,
    /// See [`ScrubRules::bytes_per_second`].
    mib_per_second: u32,
}

impl Default for ScrubConfig {
    fn default() -> ScrubConfig {
        ScrubConfig { enabled: true, every_days: 30.0, mib_per_second: 16 }
    }
}

/// The table `warm_up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WarmUpConfig {
    enabled: bool,
}

impl Default for WarmUpConfig {
    fn default() -> WarmUpConfig {
        WarmUpConfig { enabled: true }
    }
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
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn new() -> Result<Config> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)
            .map_err(|error| Error::invalid(format!("the system gives no random numbers: {error}")))?;
        let sessions = SessionConfig::default();
        Ok(Config {
            format: FORMAT,
            id: format!("{:032x}", u128::from_be_bytes(id)),
            sessions,
            engines: Engines::default(),
            crawlers: Crawlers::default(),
            optimize: OptimizeConfig::default(),
            cache: CacheConfig::default(),
            warm_up: WarmUpConfig::default(),
            forget: ForgetConfig::default(),
            recovery: RecoveryConfig::default(),
            scrub: ScrubConfig::default(),
        })
    }

    /// Returns the folder in which games record plays; `None` if there is none.
    pub(super) fn plays_folder(&self) -> Option<&Path> {
        self.sessions.plays.as_deref()
    }

    pub(super) fn session_rules(&self) -> SessionRules {
        let SessionConfig { auto_commit, quiet_seconds, spool_mib, .. } = self.sessions;
        let finish = FinishRules { auto_commit, quiet: Duration::from_secs_f64(quiet_seconds) };
        SessionRules { finish, spool_limit: spool_mib.saturating_mul(1 << 20), keep_caches: self.keeps_caches() }
    }

    /// Returns the names of programs that go over everything; `*` in them stands for anything.
    pub(super) fn crawlers(&self) -> Vec<String> {
        self.crawlers.names.clone().unwrap_or_else(|| CRAWLERS.map(str::to_owned).into())
    }

    /// Returns when a mount makes older builds smaller; `None` if it never does.
    pub(super) fn idle_rules(&self) -> Option<IdleRules> {
        let OptimizeConfig { when_idle, squeeze, idle_minutes } = self.optimize;
        when_idle.then(|| IdleRules { idle_time: Duration::from_secs_f64(idle_minutes * 60.0), squeeze })
    }

    /// Returns the most bytes of hot copies, if that is said.
    pub(super) fn hot_bytes(&self) -> Option<u64> {
        self.cache.hot_gib.map(|gib| (gib * f64::from(1 << 30)) as u64)
    }

    /// Tells whether a mount reads ahead of programs by what they read the last time.
    pub(super) fn warms_up(&self) -> bool {
        self.warm_up.enabled
    }

    /// Returns for how many seconds a forgotten build can be recalled.
    pub(super) fn grace_secs(&self) -> i64 {
        (self.forget.grace_days * 86_400.0) as i64
    }

    /// Returns when and how fast a mount goes through all packs; `None` if it never does.
    pub(super) fn scrub_rules(&self) -> Option<ScrubRules> {
        let ScrubConfig { enabled, every_days, mib_per_second } = self.scrub;
        let every = Duration::try_from_secs_f64(every_days * 86_400.0).unwrap_or(Duration::MAX);
        enabled.then(|| ScrubRules { every, bytes_per_second: u64::from(mib_per_second) << 20 })
    }

    /// Returns how much recovery data packs get, in per cent; 0 for none.
    pub(super) fn recovery_percent(&self) -> u8 {
        self.recovery.percent
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
                         or `\"leave\"` under `[engines]`, and `when_idle`, `squeeze` and `idle_minutes` under \
                         `[optimize]`",
                )
            })?;
        if !(0.0..=MAX_QUIET_SECONDS).contains(&config.sessions.quiet_seconds) {
            let message = format!("{} says quiet_seconds = {}", path.display(), config.sessions.quiet_seconds);
            return Err(Error::invalid(message).with_hint("give a number from 0 to 86400"));
        }
        if !(0.0..=MAX_IDLE_MINUTES).contains(&config.optimize.idle_minutes) {
            let message = format!("{} says idle_minutes = {}", path.display(), config.optimize.idle_minutes);
            return Err(Error::invalid(message).with_hint("give a number from 0 to 1440"));
        }
        if let Some(gib) = config.cache.hot_gib.filter(|gib| !(0.0..=MAX_GIB).contains(gib)) {
            let message = format!("{} says hot_gib = {gib}", path.display());
            return Err(Error::invalid(message).with_hint("give a number of GiB, 0 for none"));
        }
        if !(0.0..=MAX_GRACE_DAYS).contains(&config.forget.grace_days) {
            let message = format!("{} says grace_days = {}", path.display(), config.forget.grace_days);
            return Err(Error::invalid(message).with_hint("give a number of days from 0 to 36500"));
        }
        if config.recovery.percent > MAX_PERCENT {
            let message = format!("{} says percent = {} of recovery data", path.display(), config.recovery.percent);
            return Err(Error::invalid(message).with_hint(format!("give a number from 0, for none, to {MAX_PERCENT}")));
        }
        if config.format != FORMAT {
            let message = format!("{} says format {}; this program knows {FORMAT}", path.display(), config.format);
            return Err(
                Error::invalid(message).with_hint("use the version of gamevault that made the vault, or a newer one")
            );
        }
        Ok(config)
    }
}
