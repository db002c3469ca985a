//! The bytes of open files.

use super::handle::{Handle, What};
use super::info::FileInfo;
use super::status::Status;
use super::volume::{Answer, Volume};
use crate::error::ErrorKind;
use crate::tree::{Allocation, AttrChange, TimeChange};

/// Where bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mount) enum WriteAt {
    /// Here; the file grows as it must.
    Offset(u64),
    /// Here, out of the system's cache: what is past the end is left out.
    Within(u64),
    /// At the end of the file.
    End,
}

impl Volume {
    /// Reads bytes of a file.
    pub(super) fn read(&self, handle: &Handle, offset: u64, buf: &mut [u8]) -> Answer<usize> {
        // What was written to a stream is gone.
        let open = handle.node().map_err(|_| Status::END_OF_FILE)?;
        let len = match open.is_link() {
            true => {
                let target = self.tree.read_link(open.node.id())?;
                let start = target.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
                let len = buf.len().min(target.len() - start);
                buf[..len].copy_from_slice(&target[start..start + len]);
                len
            }
            false => self.tree.read(open.node.id(), offset, buf)?,
        };
        if len == 0 && !buf.is_empty() { Err(Status::END_OF_FILE) } else { Ok(len) }
    }

    /// Writes bytes to a file, and returns how many.
    pub(super) fn write(&self, handle: &Handle, at: WriteAt, mut bytes: &[u8]) -> Answer<(usize, FileInfo)> {
        let open = match &handle.what {
            What::Node(open) => open,
            What::Stream { size, .. } => {
                let mut size = size.lock();
                let start = if let WriteAt::Offset(offset) | WriteAt::Within(offset) = at { offset } else { *size };
                *size = (*size).max(start.saturating_add(bytes.len() as u64));
                drop(size);
                return Ok((bytes.len(), self.info(handle)?));
            }
        };
        let node = open.node.id();
        let size = || Ok::<u64, Status>(self.tree.attr(node)?.size);
        let offset = match at {
            WriteAt::Offset(offset) => offset,
            WriteAt::End => size()?,
            WriteAt::Within(offset) => {
                let room = size()?.saturating_sub(offset);
                bytes = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
                offset
            }
        };
        if !bytes.is_empty() {
            self.tree.write(node, offset, bytes)?;
        }
        let mut stamps = self.stamps.lock();
        match (at, stamps.get(&node)) {
            (WriteAt::Within(_), Some(&stamp)) => {
                let change = AttrChange { mtime: Some(TimeChange::At(stamp)), ..AttrChange::default() };
                self.tree.set_attr(node, &change)?;
            }
            (WriteAt::Within(_), None) => {}
            // A program that goes on to write does not mean the time that it gave before.
            _ => drop(stamps.remove(&node)),
        }
        drop(stamps);
        Ok((bytes.len(), self.info(handle)?))
    }

    /// Makes what was written survive a crash of the system.
    pub(super) fn flush(&self, handle: &Handle) -> Answer<FileInfo> {
        if let Ok(open) = handle.node() {
            self.tree.sync(open.node.id())?;
        }
        self.info(handle)
    }

    /// Cuts a file, or extends it by zeros.
    pub(super) fn set_size(&self, handle: &Handle, size: u64) -> Answer<FileInfo> {
        match &handle.what {
            What::Node(open) => {
                if open.is_link() {
                    return Err(Status::ACCESS_DENIED);
                }
                let change = AttrChange { size: Some(size), ..AttrChange::default() };
                Ok(FileInfo::of(&self.tree.set_attr(open.node.id(), &change)?))
            }
            What::Stream { size: known, .. } => {
                *known.lock() = size;
                self.info(handle)
            }
        }
    }

    /// Makes room for a file; one that is longer than its room is cut.
    pub(super) fn set_room(&self, handle: &Handle, room: u64) -> Answer<FileInfo> {
        let info = self.info(handle)?;
        if room < info.size {
            return self.set_size(handle, room);
        }
        let reserve = Allocation::Reserve { keep_size: true };
        match handle.node().map(|open| self.tree.allocate(open.node.id(), reserve, 0, room)) {
            Ok(Err(error)) if error.kind() == ErrorKind::NoSpace => Err(error.into()),
            // Room that cannot be kept is looked for again by each write.
            _ => Ok(info),
        }
    }
}
