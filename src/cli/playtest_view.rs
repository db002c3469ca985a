//! A playtest as it is shown: readable times, the end of its program in a word.

use super::table::Fields;
use super::text;
use gamevault::catalogue::{Build, PlayEnding, Playtest};
use gamevault::manifest::Timestamp;
use serde::Serialize;
use std::time::{Duration, SystemTime};

/// The numbers, on every system that has them, of the signals that a program raises by its own fault: SIGILL, SIGTRAP,
/// SIGABRT, SIGFPE, SIGSEGV, and SIGBUS on Linux and elsewhere.
const FAULTS: [i32; 7] = [4, 5, 6, 7, 8, 10, 11];

/// A playtest as scripts see it.
#[derive(Debug, Serialize)]
pub struct PlaytestView {
    pub id: String,
    /// Number of the build that was played.
    pub build: u64,
    /// Id of that build.
    pub build_id: Option<String>,
    /// In UTC, as RFC 3339 writes it.
    pub started: String,
    /// Likewise.
    pub ended: String,
    pub seconds: f64,
    pub command: Vec<String>,
    /// `clean`, `failed`, `crash`, `killed` or `unseen`.
    pub exit: &'static str,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    /// The workspace it ran in, when that stayed.
    pub workspace: Option<String>,
    pub host: Option<String>,
    pub files: u64,
    /// Size of all its files.
    pub bytes: u64,
    /// Bytes that it added to the vault.
    pub stored_bytes: u64,
}

impl PlaytestView {
    /// Makes the view of `playtest`; `build` is the one that was played, if it is still there.
    pub fn new(playtest: &Playtest, build: Option<&Build>) -> PlaytestView {
        PlaytestView {
            id: playtest.id.to_string(),
            build: playtest.build.0,
            build_id: build.map(|build| build.id.to_string()),
            started: text::utc_time(playtest.started),
            ended: text::utc_time(playtest.ended),
            seconds: length(playtest).as_secs_f64(),
            command: playtest.command.clone(),
            exit: exit_word(playtest.ending),
            exit_code: exit_code(playtest.ending),
            signal: signal(playtest.ending),
            workspace: playtest.workspace.as_ref().map(ToString::to_string),
            host: playtest.host.clone(),
            files: playtest.root.totals.files,
            bytes: playtest.root.totals.bytes,
            stored_bytes: playtest.stored_bytes,
        }
    }

    /// Returns the build's id, or its number when the build is gone.
    pub fn build_name(&self) -> String {
        self.build_id.clone().unwrap_or_else(|| self.build.to_string())
    }

    /// Returns all that is known of the playtest, a field a line.
    pub fn fields(&self, playtest: &Playtest) -> Fields {
        let mut fields = Fields::default();
        fields.add("id", &self.id);
        fields.add("build", self.build_name());
        let ago = text::ago(playtest.started, SystemTime::now());
        fields.add("started", format!("{} ({ago})", text::local_time(playtest.started)));
        fields.add("length", text::duration(length(playtest)));
        fields.add("command", self.command.join(" "));
        let detail = match playtest.ending {
            PlayEnding::Exited(code) => format!(" (exit code {code})"),
            PlayEnding::Signal(signal) => format!(" (signal {signal})"),
            PlayEnding::Unseen => " (nobody saw it)".to_owned(),
            PlayEnding::Crashed => String::new(),
        };
        fields.add("end", format!("{}{detail}", self.exit));
        fields.add_some("workspace", self.workspace.as_ref());
        fields.add_some("host", self.host.as_ref());
        let content = format!("{}, {}", text::count(self.files, "file"), text::size(self.bytes));
        fields.add("content", format!("{content} ({} new)", text::size(self.stored_bytes)));
        fields
    }
}

/// Returns how long it was played.
pub fn length(playtest: &Playtest) -> Duration {
    let time = |time: Timestamp| SystemTime::from(time);
    time(playtest.ended).duration_since(time(playtest.started)).unwrap_or_default()
}

/// Returns how a program ended, in a word.
pub fn exit_word(ending: PlayEnding) -> &'static str {
    match ending {
        PlayEnding::Exited(0) => "clean",
        PlayEnding::Exited(_) => "failed",
        PlayEnding::Signal(signal) if FAULTS.contains(&signal) => "crash",
        PlayEnding::Signal(_) => "killed",
        PlayEnding::Crashed => "crash",
        PlayEnding::Unseen => "unseen",
    }
}

/// Returns the exit code of a program that had one.
pub fn exit_code(ending: PlayEnding) -> Option<i32> {
    if let PlayEnding::Exited(code) = ending { Some(code) } else { None }
}

/// Returns the signal that ended a program.
pub fn signal(ending: PlayEnding) -> Option<i32> {
    if let PlayEnding::Signal(signal) = ending { Some(signal) } else { None }
}
