//! The bytes of one file as they are at a moment, wherever they are: in the spool, in the store, or nowhere.
//!
//! It is taken under the session's lock and read without it. A change of the file meanwhile may or may not show.

use super::patched::{Part, Place};
use crate::content::Reader;
use crate::disk::DiskFile;
use crate::error::Result;
use crate::ingest::ByteSource;
use crate::manifest::Content;
use std::ops::Range;
use std::sync::Arc;

/// How many bytes are compared at once.
const COMPARE_LEN: usize = 256 << 10;

/// The bytes of a file, or of a range of it.
pub struct FileBytes {
    /// One after the other, without gaps.
    parts: Vec<Part>,
    file: Option<SpoolFile>,
    content: Option<Content>,
    reader: Arc<Reader>,
}

/// A file of the spool, and where in it the bytes of a session's file start.
pub(super) struct SpoolFile {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) start: u64,
}

impl FileBytes {
    /// Takes the bytes of a stored file.
    pub fn stored(content: Content, reader: Arc<Reader>) -> FileBytes {
        let parts = vec![Part { range: 0..content.size, place: Place::Stored }];
        FileBytes { parts, file: None, content: Some(content), reader }
    }

    /// Takes bytes that are in `parts` of a spool file and of stored content.
    pub(super) fn new(
        parts: Vec<Part>,
        file: Option<SpoolFile>,
        content: Option<Content>,
        reader: Arc<Reader>,
    ) -> FileBytes {
        FileBytes { parts, file, content, reader }
    }

    /// Returns where the bytes end.
    pub fn end(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.range.end)
    }

    /// Returns the content when the bytes are just what is stored.
    pub(super) fn content(&self) -> Option<Content> {
        let content = self.content?;
        let whole = Part { range: 0..content.size, place: Place::Stored };
        (self.parts == [whole]).then_some(content)
    }

    /// Tells whether the bytes are those of `content`; what is taken from it is not read.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn equal(&self, content: &Content) -> Result<bool> {
        if self.end() != content.size {
            return Ok(false);
        }
        let is_same = |part: &&Part| part.place == Place::Stored && self.content.as_ref() == Some(content);
        let (mut own, mut theirs) = (vec![0; COMPARE_LEN], vec![0; COMPARE_LEN]);
        for part in self.parts.iter().filter(|part| !is_same(part)) {
            let mut at = part.range.start;
            while at < part.range.end {
                let len = COMPARE_LEN.min(usize::try_from(part.range.end - at).unwrap_or(COMPARE_LEN));
                let read = self.read_at(&mut own[..len], at)?;
                if read < len
                    || self.reader.read_at(content, at, &mut theirs[..len])? < len
                    || own[..len] != theirs[..len]
                {
                    return Ok(false);
                }
                at += len as u64;
            }
        }
        Ok(true)
    }

    fn parts_from(&self, offset: u64) -> &[Part] {
        &self.parts[self.parts.partition_point(|part| part.range.end <= offset)..]
    }

    fn read_part(&self, place: Place, offset: u64, buf: &mut [u8]) -> Result<usize> {
        match (place, &self.file, &self.content) {
            (Place::Spool, Some(spool), _) => read_fully(&*spool.file, spool.start + offset, buf),
            (Place::Stored, _, Some(content)) => self.reader.read_at(content, offset, buf),
            _ => {
                buf.fill(0);
                Ok(buf.len())
            }
        }
    }

    /// Returns the next data in `range`, which is in one place.
    fn next_data_in(&self, place: Place, range: Range<u64>) -> Result<Option<(u64, u64)>> {
        let found = match (place, &self.file, &self.content) {
            (Place::Spool, Some(SpoolFile { file, start: shift }), _) => {
                let found = file.next_data(shift + range.start)?;
                found.map(|(start, end)| (start - shift, end - shift))
            }
            (Place::Stored, _, Some(content)) => self.reader.next_data(content, range.start)?,
            _ => None,
        };
        Ok(found.map(|(start, end)| (start, end.min(range.end))).filter(|&(start, end)| start < end))
    }
}

impl ByteSource for FileBytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        for part in self.parts_from(offset) {
            let at = offset + done as u64;
            let want = (buf.len() - done).min(usize::try_from(part.range.end - at).unwrap_or(usize::MAX));
            let read = self.read_part(part.place, at, &mut buf[done..done + want])?;
            done += read;
            // Somebody cut the file meanwhile.
            if read < want || done == buf.len() {
                break;
            }
        }
        Ok(done)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        let mut found: Option<(u64, u64)> = None;
        for part in self.parts_from(offset) {
            let mut at = part.range.start.max(offset);
            while at < part.range.end {
                let next = self.next_data_in(part.place, at..part.range.end)?;
                // Data goes on over the border of parts: where it is says nothing of where a file should be cut.
                match (&mut found, next) {
                    (Some((_, end)), Some((start, next_end))) if start == *end => *end = next_end,
                    (None, Some(next)) => found = Some(next),
                    (Some(_), _) => return Ok(found),
                    (None, None) => break,
                }
                at = next.map_or(part.range.end, |(_, end)| end);
            }
        }
        Ok(found)
    }
}

/// Reads until `buf` is full or the file ends.
fn read_fully(file: &dyn DiskFile, offset: u64, buf: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}
