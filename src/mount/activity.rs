//! What a running mount does, as it tells other processes.

use crate::store::ReadCounts;
use serde::{Deserialize, Serialize};

/// What a mount has done since it was started, and what it does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// For how long it runs.
    pub seconds: f64,
    /// The requests, by kind; kinds of which there was none are left out.
    pub requests: Vec<OpActivity>,
    /// Requests that are being worked on now.
    pub waiting: usize,
    /// Requests that took too long, were refused, and are still being worked on.
    pub stuck: usize,
    /// What reading from the vault has cost.
    pub reads: ReadCounts,
    /// The programs that go over everything, as far as they have read.
    pub crawlers: Vec<CrawlerActivity>,
    /// What was read ahead of programs by what they read the last time; none where that is switched off.
    pub warm_up: Option<WarmUpActivity>,
}

/// What was recorded of programs that read builds, and read ahead of them.
///
/// The pieces of programs of which a start was known are `ready`, `late` or `strange`; a piece has 32 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WarmUpActivity {
    /// Programs whose start is being recorded now.
    pub recording: u64,
    /// Starts that were recorded and kept.
    pub recorded: u64,
    /// Programs that were read ahead of.
    pub warmed: u64,
    /// Those of them that read other things than the last time, so that it was given up.
    pub diverged: u64,
    /// Chunks that were decoded for them.
    pub chunks: u64,
    /// Pieces that they read and that were decoded before.
    pub ready: u64,
    /// Pieces that were known, and that they read before they were decoded.
    pub late: u64,
    /// Pieces that they read and had not read the last time.
    pub strange: u64,
}

/// What a program has read that goes over everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrawlerActivity {
    /// Its name, or its command line when it is known by that.
    pub name: String,
    /// How many reads there were.
    pub reads: u64,
    /// The bytes that were read.
    pub bytes: u64,
}

/// The requests of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpActivity {
    /// The kind, by the name that FUSE gives it, in lower case.
    pub op: String,
    /// In the last ten seconds.
    pub recent: Rates,
    /// Since the start.
    pub total: Rates,
}

/// How many requests there were, and how they went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// How many.
    pub count: u64,
    /// How many a second.
    pub per_second: f64,
    /// How many of them failed.
    pub errors: u64,
    /// The bytes that they read or wrote.
    pub bytes: u64,
    /// The microseconds that half of them took at most; none when there were none.
    pub p50_us: Option<f64>,
    /// The microseconds that 99 of 100 took at most.
    pub p99_us: Option<f64>,
}
