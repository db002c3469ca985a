//! Files of feedback become records, whatever tool wrote them.
//!
//! A file is untrusted: it may be cut, damaged or made to do harm. An importer gives every record that can be read, a reason
//! for what cannot, and never fails for what a file holds. It reads a file as a stream, so that memory does not grow with it.

mod detect;
mod fields;
mod json;
mod minidump;
mod plain;
mod signature;
mod table;
mod unreal;

pub use detect::detect;
pub use table::{Field, Mapping};

use crate::catalogue::feedback::{FeedbackKind, FeedbackRecord};
use crate::error::{Error, Result};
use jiff::Timestamp;
use memchr::memchr;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// The longest line or single JSON value that is read, in bytes; longer ones are rejected.
pub const MAX_LINE_LEN: usize = 16 << 20;

/// The most bytes of a rejected piece that are kept with the reason.
pub const MAX_REJECTED_LEN: usize = 4096;

/// The most bytes of one file that comes with a record.
pub const MAX_ATTACHMENT_LEN: u64 = 16 << 30;

/// A piece that is no record, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The line, row or index in the file, from 1.
    pub number: u64,
    /// Why.
    pub reason: String,
    /// Its first bytes, as text.
    pub raw: String,
}

impl Rejected {
    /// Makes one of the piece `number`; what is too long of `raw` is left out.
    pub fn new(number: u64, reason: impl Into<String>, raw: &[u8]) -> Rejected {
        let raw = String::from_utf8_lossy(&raw[..raw.len().min(MAX_REJECTED_LEN)]).into_owned();
        Rejected { number, reason: reason.into(), raw }
    }
}

/// Takes what an importer finds.
pub trait Sink {
    /// Takes a record. Its player is the source's own word: the sink makes a pseudonym of it.
    ///
    /// # Errors
    /// Those of where it is kept; the import ends then.
    fn record(&mut self, record: FeedbackRecord) -> Result<()>;

    /// Takes a piece that is no record.
    ///
    /// # Errors
    /// As of `record`.
    fn reject(&mut self, rejected: Rejected) -> Result<()>;

    /// Takes a file that comes with the next record, and returns its path among the attachments; nothing where none are kept.
    /// At most [`MAX_ATTACHMENT_LEN`] bytes are read.
    ///
    /// # Errors
    /// As of `record`.
    fn attach(&mut self, name: &str, bytes: &mut dyn Read) -> Result<Option<String>>;

    /// Takes a sentence for the user.
    fn note(&mut self, sentence: String);
}

/// A form of feedback that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Records as GameVault itself writes them, one JSON object a line.
    Own,
    /// A table: forms, sheets, exports of trackers.
    Csv,
    /// Events of Sentry.
    Sentry,
    /// An envelope of Sentry.
    SentryEnvelope,
    /// Reports of Backtrace.
    Backtrace,
    /// Unity Cloud Diagnostics.
    UnityDiagnostics,
    /// Unity Analytics.
    UnityAnalytics,
    /// The raw export of GameAnalytics.
    GameAnalytics,
    /// PlayStream of PlayFab.
    PlayFab,
    /// Issues of BetaHub.
    BetaHub,
    /// Reviews on Steam.
    Steam,
    /// DiscordChatExporter.
    Discord,
    /// Issues of GitHub.
    GitHub,
    /// The `CrashContext.runtime-xml` of Unreal.
    UnrealCrash,
    /// A dump of a crashed program.
    Minidump,
    /// A text that somebody wrote.
    Text,
    /// Any other file: a picture, a video, a save, a log.
    File,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 17] = [
        Format::Own,
        Format::Csv,
        Format::Sentry,
        Format::SentryEnvelope,
        Format::Backtrace,
        Format::UnityDiagnostics,
        Format::UnityAnalytics,
        Format::GameAnalytics,
        Format::PlayFab,
        Format::BetaHub,
        Format::Steam,
        Format::Discord,
        Format::GitHub,
        Format::UnrealCrash,
        Format::Minidump,
        Format::Text,
        Format::File,
    ];

    /// Returns the name in commands and records.
    pub fn code(self) -> &'static str {
        match self {
            Format::Own => "own",
            Format::Csv => "csv",
            Format::Sentry => "sentry",
            Format::SentryEnvelope => "sentry-envelope",
            Format::Backtrace => "backtrace",
            Format::UnityDiagnostics => "unity-diagnostics",
            Format::UnityAnalytics => "unity-analytics",
            Format::GameAnalytics => "gameanalytics",
            Format::PlayFab => "playfab",
            Format::BetaHub => "betahub",
            Format::Steam => "steam",
            Format::Discord => "discord",
            Format::GitHub => "github",
            Format::UnrealCrash => "unreal-crash",
            Format::Minidump => "minidump",
            Format::Text => "text",
            Format::File => "file",
        }
    }
}

/// A file that is read.
#[derive(Debug, Clone, Copy)]
pub struct FileInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
    /// Its first bytes, as many as were looked at to tell its format.
    pub head: &'a [u8],
}

/// Reads all of `input`, which is of `format`; `mapping` says how the columns of tables are to be taken.
///
/// # Errors
/// Those of reading and of the sink; never for what the input holds. `Invalid` for a mapping that fits no column.
pub fn read(
    format: Format,
    file: FileInfo<'_>,
    mapping: &Mapping,
    input: &mut dyn BufRead,
    sink: &mut dyn Sink,
) -> Result<()> {
    match format {
        Format::Own => json::read_own(input, sink),
        Format::Csv => table::read(file, mapping, input, sink),
        Format::SentryEnvelope => json::read_envelope(input, sink),
        Format::UnrealCrash => unreal::read(file, input, sink),
        Format::Minidump => minidump::read(file, input, sink),
        Format::Text => plain::read_text(file, input, sink),
        Format::File => plain::read_file(file, input, sink),
        Format::Sentry
        | Format::Backtrace
        | Format::UnityDiagnostics
        | Format::UnityAnalytics
        | Format::GameAnalytics
        | Format::PlayFab
        | Format::BetaHub
        | Format::Steam
        | Format::Discord
        | Format::GitHub => json::read(format, detect::has_a_record_a_line(file.head), input, sink),
    }
}

/// Makes a record of an event that a game told of itself: its name, and an object with all that it said.
pub fn event_record(source: &str, name: &str, said: &Value) -> FeedbackRecord {
    let mut record = FeedbackRecord::new(FeedbackKind::Event, source);
    record.outcome = fields::outcome(name);
    record.event = Some(name.to_owned());
    record.text = fields::first_text(said, &["text", "message"]).unwrap_or_default();
    record.tags = fields::text(said, "tag").into_iter().collect();
    fields::set_place(&mut record, said);
    fields::add_fields(&mut record, "", said);
    record
}

/// Brings a record into the bounds that all records have.
pub fn tidy_record(record: &mut FeedbackRecord) {
    fields::tidy(record);
}

/// Returns the media type of a file by its name.
pub fn media_type(name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.')?.1.to_lowercase();
    Some(match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "mov" => "video/quicktime",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "mp3" => "audio/mpeg",
        "txt" | "log" => "text/plain",
        "md" => "text/markdown",
        "json" | "jsonl" => "application/json",
        "dmp" | "mdmp" => "application/x-dmp",
        "zip" => "application/zip",
        _ => return None,
    })
}

/// Returns why reading failed: what the input says itself, when it is one of our own.
pub fn failure(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(error) => Error::io("read", Path::new("the file of feedback"), error),
    }
}

/// Reads the next line without its end into `line`; `Some(false)` if it was too long and is left out, `None` at the end.
///
/// # Errors
/// `Io` from the input.
fn next_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<Option<bool>> {
    line.clear();
    let mut fits = true;
    let mut is_end = true;
    loop {
        let read = input.fill_buf().map_err(failure)?;
        if read.is_empty() {
            return Ok((!is_end).then_some(fits));
        }
        is_end = false;
        let end = memchr(b'\n', read);
        let part = &read[..end.unwrap_or(read.len())];
        fits &= line.len() + part.len() <= MAX_LINE_LEN;
        if fits {
            line.extend_from_slice(part);
        } else {
            // Its begin is enough to know it by.
            line.truncate(MAX_REJECTED_LEN);
        }
        let used = end.map_or(part.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(fits));
        }
    }
}
