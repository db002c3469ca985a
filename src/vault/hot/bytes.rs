//! The bytes of a copy: written from the chunks of its file, or compared with their ids.
//!
//! Both go through the file in steps, at a bounded pace, and can be stopped after each: they run beside people who read.

use super::folder::NewCopy;
use crate::content::{Extent, Reader};
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::Content;
use std::time::{Duration, Instant};

/// Bytes between two looks at the clock.
const STEP_LEN: u64 = 4 << 20;

/// Bytes of a piece that is written at once: as much as the system keeps together.
const PIECE_LEN: u64 = 2 << 20;

/// The most bytes a second that one thread writes or checks. Decoding goes two to three times as fast, so at least half of a
/// core is left to those who read.
const BYTES_PER_SECOND: u64 = 256 << 20;

/// How a walk over a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// At the end of the file.
    Whole,
    /// A copy is not what its file says.
    Differs,
    /// Before the end: it was stopped, or the disk has no room left.
    Stopped,
}

/// Writes the bytes of `content` into a new copy; what is a hole stays one.
pub(super) fn write(
    reader: &Reader,
    content: &Content,
    copy: &NewCopy<'_>,
    goes_on: &dyn Fn() -> Result<bool>,
) -> Result<Walk> {
    copy.file.set_len(content.size)?;
    let mut run = Run { file: &*copy.file, offset: 0, bytes: Vec::new() };
    let walk = in_steps(reader, content, goes_on, &mut |extents| {
        let data: Vec<&Extent> = extents.iter().filter(|extent| extent.id.is_some()).collect();
        let ids: Vec<ChunkId> = data.iter().filter_map(|extent| extent.id).collect();
        let mut places = data.into_iter();
        reader.store().get_each(&ids, &mut |plain| {
            let place = places.next().expect("each extent with an id has one chunk");
            if plain.len() as u64 != place.len {
                return Err(Error::corrupt("a chunk is not as long as its file says"));
            }
            run.push(place.offset, plain)
        })?;
        Ok(true)
    })?;
    run.flush()?;
    Ok(walk)
}

/// Bytes that follow each other, on their way to a file in large, aligned pieces.
///
/// The system keeps a file in memory in the pieces in which it was written: after writes of single chunks, random touches of
/// a map were 15 times slower than those of a file that was read from the disk.
struct Run<'a> {
    file: &'a dyn DiskFile,
    /// Where the bytes belong.
    offset: u64,
    bytes: Vec<u8>,
}

impl Run<'_> {
    fn push(&mut self, offset: u64, plain: &[u8]) -> Result<()> {
        if offset != self.offset + self.bytes.len() as u64 {
            self.flush()?;
            self.offset = offset;
        }
        self.bytes.extend_from_slice(plain);
        let end = self.offset + self.bytes.len() as u64;
        match (end / PIECE_LEN * PIECE_LEN).checked_sub(self.offset) {
            Some(len) if len > 0 => self.write(len as usize),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.write(self.bytes.len())
    }

    fn write(&mut self, len: usize) -> Result<()> {
        self.file.write_all_at(&self.bytes[..len], self.offset)?;
        self.bytes.drain(..len);
        self.offset += len as u64;
        Ok(())
    }
}

/// Compares the bytes of a copy with the ids of the chunks of `content`.
pub(super) fn check(
    reader: &Reader,
    content: &Content,
    copy: &dyn DiskFile,
    goes_on: &dyn Fn() -> Result<bool>,
) -> Result<Walk> {
    if copy.len()? != content.size {
        return Ok(Walk::Differs);
    }
    let mut buf = Vec::new();
    in_steps(reader, content, goes_on, &mut |extents| {
        for extent in extents {
            let is_same = match extent.id {
                Some(id) => {
                    buf.resize(extent.len as usize, 0);
                    copy.read_exact_at(&mut buf, extent.offset)?;
                    ChunkId::of(&buf) == id
                }
                None => is_hole(copy, extent, &mut buf)?,
            };
            if !is_same {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Tells whether a range of a copy reads as zeros.
fn is_hole(copy: &dyn DiskFile, extent: &Extent, buf: &mut Vec<u8>) -> Result<bool> {
    let mut at = extent.offset;
    while let Some((start, end)) = copy.next_data(at)?.filter(|&(start, _)| start < extent.end()) {
        // A system may have filled a part of the hole with zeros.
        let end = end.min(extent.end()).min(start + STEP_LEN);
        buf.resize((end - start) as usize, 0);
        copy.read_exact_at(buf, start)?;
        if buf.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        at = end;
    }
    Ok(true)
}

/// Gives the extents of `content` to `visit`, those of a step together, until it answers `false`.
fn in_steps(
    reader: &Reader,
    content: &Content,
    goes_on: &dyn Fn() -> Result<bool>,
    visit: &mut dyn FnMut(&[Extent]) -> Result<bool>,
) -> Result<Walk> {
    let mut at = 0;
    while at < content.size {
        if !goes_on()? {
            return Ok(Walk::Stopped);
        }
        let start = Instant::now();
        let mut extents = Vec::new();
        reader.for_each_extent(content, at, STEP_LEN, &mut |extent| {
            extents.push(extent);
            Ok(())
        })?;
        if !visit(&extents)? {
            return Ok(Walk::Differs);
        }
        let end = extents.last().expect("there is an extent before the end of a file").end();
        let data: u64 = extents.iter().filter(|extent| extent.id.is_some()).map(|extent| extent.len).sum();
        at = end;
        std::thread::sleep(
            Duration::from_secs_f64(data as f64 / BYTES_PER_SECOND as f64).saturating_sub(start.elapsed()),
        );
    }
    Ok(Walk::Whole)
}
