//! What no tool wrote in a form of its own: a text, a picture, a video, a save, a log.

use super::fields::{MAX_TEXT_LEN, tidy};
use super::{FileInfo, MAX_ATTACHMENT_LEN, Sink, failure, media_type};
use crate::catalogue::feedback::{Attachment, FeedbackKind, FeedbackRecord};
use crate::error::Result;
use std::io::{BufRead, Read};

/// The source of such records.
const SOURCE: &str = "file";

/// Reads a text: its first line is the title when Markdown says so, or when it is short and stands alone.
pub(super) fn read_text(file: FileInfo<'_>, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut bytes = Vec::new();
    Read::take(&mut *input, MAX_TEXT_LEN as u64).read_to_end(&mut bytes).map_err(failure)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(());
    }
    let mut record = FeedbackRecord::new(FeedbackKind::Comment, SOURCE);
    record.time = file.modified;
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let is_alone = rest.starts_with(['\n', '\r']) && first.chars().count() <= 80;
    match first.strip_prefix('#').map(|title| title.trim_start_matches('#').trim()) {
        Some(title) => (record.title, record.text) = (Some(title.into()), rest.trim().into()),
        None if is_alone => (record.title, record.text) = (Some(first.trim().into()), rest.trim().into()),
        None => record.text = text.into(),
    }
    tidy(&mut record);
    sink.record(record)
}

/// Reads any file as what it is: the attachment of a comment that says its name alone.
pub(super) fn read_file(file: FileInfo<'_>, input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<()> {
    let mut hashed = Hashed { input, hasher: blake3::Hasher::new(), len: 0 };
    let path = sink.attach(file.name, &mut hashed)?;
    let mut record = FeedbackRecord::new(FeedbackKind::Comment, SOURCE);
    // The same file again is the same record, whatever it is called.
    record.source_id = Some(hashed.hasher.finalize().to_hex()[..32].to_owned());
    record.time = file.modified;
    record.title = Some(file.name.to_owned());
    record.fields.insert("bytes".into(), hashed.len.to_string());
    let media_type = media_type(file.name).map(str::to_owned);
    record.attachments.push(Attachment { name: file.name.to_owned(), path, media_type, url: None });
    tidy(&mut record);
    sink.record(record)
}

struct Hashed<'a> {
    input: &'a mut dyn BufRead,
    hasher: blake3::Hasher,
    len: u64,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let len = self.input.read(buf)?;
        self.hasher.update(&buf[..len]);
        self.len += len as u64;
        Ok(len)
    }
}

const _: () = assert!(MAX_ATTACHMENT_LEN > MAX_TEXT_LEN as u64);
