//! A stored file as the readers of formats want it: bytes with a place to read on from.

use super::Reader;
use crate::error::Result;
use crate::lens::ReadAt;
use crate::manifest::Content;
use std::io::{self, Read, Seek, SeekFrom};

/// A stored file, with a place to read on from.
pub struct FileBytes<'a> {
    reader: &'a Reader,
    content: Content,
    at: u64,
}

impl<'a> FileBytes<'a> {
    /// Reads `content` from its begin.
    pub fn new(reader: &'a Reader, content: Content) -> FileBytes<'a> {
        FileBytes { reader, content, at: 0 }
    }
}

impl ReadAt for FileBytes<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.reader.read_at(&self.content, offset, buf)
    }
}

impl Read for FileBytes<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.read_at(buf, self.at).map_err(io::Error::other)?;
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for FileBytes<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, distance) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(distance) => (self.content.size, distance),
            SeekFrom::Current(distance) => (self.at, distance),
        };
        self.at = base.checked_add_signed(distance).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
