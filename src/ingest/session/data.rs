//! The bytes of a session's files: written through to the spool, read from there or from the store.
//!
//! A spool file exists from the first write on. A file that was stored and is written again is copied back first, whole;
//! emptying it copies nothing. Holes stay holes on all ways.

use super::nodes::Bytes;
use super::op::{Mark, NodeNumber, Op};
use super::{Session, State};
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Content, Timestamp};
use std::sync::Arc;

/// How many bytes are copied at once.
const COPY_LEN: usize = 1 << 20;

/// A file that somebody has open.
#[derive(Default)]
pub(super) struct OpenFile {
    readers: u32,
    writers: u32,
    /// The spool file, opened at its first use.
    spool: Option<Arc<dyn DiskFile>>,
    /// The time of the last write is not in the journal yet.
    pub(super) time_unwritten: bool,
    /// The tool that writes sets times.
    pub(super) sets_times: bool,
}

impl OpenFile {
    /// Tells whether somebody may write to the file.
    pub(super) fn is_written(&self) -> bool {
        self.writers > 0
    }

    /// Closes the spool file, because the bytes are in the store now.
    pub(super) fn forget_spool(&mut self) {
        self.spool = None;
    }
}

/// Where to read a file from.
enum Source {
    Spool(Arc<dyn DiskFile>, u64),
    Stored(Content),
    Empty(u64),
}

/// What to do with a range of a file's space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Make sure that there is room.
    Reserve,
    /// Make the range read as zeros, and free it where the system can.
    Zero,
}

impl Session {
    /// Counts somebody who has a file open, to read or to write.
    ///
    /// # Errors
    /// `NotFound` if the node is gone, `IsDirectory`; `ReadOnly` for writing to a committed session.
    pub fn open(&self, node: NodeNumber, writes: bool) -> Result<()> {
        let mut state = if writes { self.changing()? } else { self.state.lock() };
        state.nodes.bytes(node)?;
        let open = state.open.entry(node).or_default();
        match writes {
            true => open.writers += 1,
            false => open.readers += 1,
        }
        Ok(())
    }

    /// Takes back an [`Session::open`]; the last writer's makes the file ready for the background.
    pub fn close(&self, node: NodeNumber, writes: bool) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(open) = state.open.get_mut(&node) else { return };
        match writes {
            true => open.writers = open.writers.saturating_sub(1),
            false => open.readers = open.readers.saturating_sub(1),
        }
        let (is_unused, is_written) = (open.readers + open.writers == 0, open.writers > 0);
        if writes && !is_written {
            // The end of a file belongs to the copy as much as its bytes.
            state.finish.changed(true);
            state.stop_writing(node);
            state.queue.push_back(node);
            self.closed.notify_all();
        }
        if is_unused {
            // Somebody may have cut it by its name while it was only read.
            state.stop_writing(node);
            state.open.remove(&node);
            if state.nodes.is_orphan(node) {
                self.let_go(state, Some(node));
            }
        }
    }

    /// Reads up to `buf.len()` bytes at `offset`; less only at the end of the file.
    ///
    /// # Errors
    /// Those of the spool and of the store; `IsDirectory`, `NotFound`.
    pub fn read(&self, node: NodeNumber, offset: u64, buf: &mut [u8]) -> Result<usize> {
        match self.source(node)? {
            Source::Stored(content) => self.content.read_at(&content, offset, buf),
            Source::Empty(size) => {
                let len = clamp(size, offset, buf.len());
                buf[..len].fill(0);
                Ok(len)
            }
            Source::Spool(file, size) => {
                let len = clamp(size, offset, buf.len());
                let mut done = 0;
                while done < len {
                    match file.read_at(&mut buf[done..len], offset + done as u64)? {
                        // Somebody cuts the file meanwhile.
                        0 => break,
                        read => done += read,
                    }
                }
                Ok(done)
            }
        }
    }

    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole follows.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn next_data(&self, node: NodeNumber, offset: u64) -> Result<Option<(u64, u64)>> {
        match self.source(node)? {
            Source::Stored(content) => self.content.next_data(&content, offset),
            Source::Spool(file, _) => file.next_data(offset),
            Source::Empty(_) => Ok(None),
        }
    }

    /// Writes all of `bytes` at `offset`; what is acknowledged survives a killed process.
    ///
    /// # Errors
    /// `NoSpace` or `Io`, which the session remembers until the file is emptied or removed; `ReadOnly` once committed.
    pub fn write(&self, node: NodeNumber, offset: u64, bytes: &[u8]) -> Result<()> {
        self.changing_bytes(node, offset == 0, |session, node| {
            let file = session.spool_to_write(&mut *session.changing()?, node)?;
            file.write_all_at(bytes, offset)?;
            session.wrote(node, &*file, offset.saturating_add(bytes.len() as u64))
        })
    }

    /// Cuts or extends a file to `len` bytes.
    ///
    /// # Errors
    /// As [`Session::write`]; `TooLarge` for more than the disk's files can have.
    pub fn set_len(&self, node: NodeNumber, len: u64) -> Result<()> {
        self.changing_bytes(node, len == 0, |session, node| {
            let mut state = session.changing()?;
            if state.nodes.bytes(node)?.len() != len {
                if len == 0 {
                    session.empty(&mut state, node)?;
                } else {
                    let file = session.spool_to_write(&mut state, node)?;
                    file.set_len(len)?;
                    session.note_len(&mut state, node, len)?;
                }
            }
            if len == 0 {
                state.forget_failure(node)?;
            }
            session.note_time(&mut state, node)
        })
    }

    /// Reserves or zeroes a range; extends the file to the range's end unless `keep_size`.
    ///
    /// # Errors
    /// `NoSpace` if there is not enough room; as [`Session::set_len`].
    pub fn allocate(&self, node: NodeNumber, space: Space, offset: u64, len: u64, keep_size: bool) -> Result<()> {
        let end = offset.checked_add(len).ok_or_else(|| Error::new(ErrorKind::TooLarge, "the range is too long"))?;
        let size = self.state.lock().nodes.bytes(node)?.len();
        match space {
            // Nothing is reserved, so that sparse files stay small; but what cannot fit is refused now.
            Space::Reserve if self.disk().space()?.available < len => {
                return Err(Error::new(ErrorKind::NoSpace, "there is not enough room on the vault's disk"));
            }
            Space::Reserve => {}
            Space::Zero if offset < size => self.changing_bytes(node, false, |session, node| {
                let file = session.spool_to_write(&mut *session.changing()?, node)?;
                file.punch_hole(offset, end.min(size) - offset)?;
                session.wrote(node, &*file, 0)
            })?,
            Space::Zero => {}
        }
        if end > size && !keep_size { self.set_len(node, end) } else { Ok(()) }
    }

    /// Makes a file's bytes and everything in the journal survive a crash of the system.
    ///
    /// # Errors
    /// `Io` from the disk.
    pub fn sync(&self, node: NodeNumber) -> Result<()> {
        let (file, journal) = {
            let mut state = self.state.lock();
            self.settle_time(&mut state, node);
            (self.spool_to_read(&mut state, node)?, state.journal.file())
        };
        if let Some(file) = file {
            file.sync()?;
        }
        journal.sync()?;
        // The names on the way to the files must survive, too.
        let data = self.folder.join(super::registry::DATA);
        data.ancestors().take(3).try_for_each(|folder| self.disk().sync_dir(folder))
    }

    /// Copies the spool file of `from` for the new node `to`; nothing when `from` has none.
    pub(super) fn copy_spool(&self, state: &State, from: NodeNumber, to: NodeNumber) -> Result<()> {
        let Ok(Bytes::Spool { len, has_file: true }) = state.nodes.bytes(from).cloned() else { return Ok(()) };
        let source = self.disk().open(&self.spool_path(from))?;
        let copy = self.disk().create(&self.spool_path(to))?;
        copy.set_len(len)?;
        self.activity.spool_changed(0, len);
        copy_ranges(&*copy, &|at| source.next_data(at), &|at, buf| source.read_at(buf, at))
    }

    /// Opens a file's spool file to be stored; `None` if it has none.
    pub(super) fn spool_to_read(&self, state: &mut State, node: NodeNumber) -> Result<Option<Arc<dyn DiskFile>>> {
        if !matches!(state.nodes.get(node)?.body, super::Body::File(Bytes::Spool { has_file: true, .. })) {
            return Ok(None);
        }
        if let Some(open) = state.open.get(&node).and_then(|open| open.spool.clone()) {
            return Ok(Some(open));
        }
        let file = self.disk().open_writable(&self.spool_path(node))?;
        if let Some(open) = state.open.get_mut(&node) {
            open.spool = Some(file.clone());
        }
        Ok(Some(file))
    }

    /// Makes the stored content of a file count, and drops its spool file.
    pub(super) fn become_stored(&self, state: &mut State, node: NodeNumber, content: Content) -> Result<()> {
        let Bytes::Spool { len, has_file } = *state.nodes.bytes(node)? else { return Ok(()) };
        state.change(Op::Stored { node, content })?;
        if let Some(open) = state.open.get_mut(&node) {
            open.spool = None;
        }
        if has_file {
            self.activity.spool_changed(len, 0);
            self.disk().remove(&self.spool_path(node))?;
        }
        Ok(())
    }

    fn source(&self, node: NodeNumber) -> Result<Source> {
        let mut state = self.state.lock();
        match state.nodes.bytes(node)?.clone() {
            Bytes::Stored(content) => Ok(Source::Stored(*content)),
            Bytes::Spool { len, .. } => Ok(match self.spool_to_read(&mut state, node)? {
                Some(file) => Source::Spool(file, len),
                None => Source::Empty(len),
            }),
        }
    }

    /// Returns the spool file of a file that changes, with the file's bytes in it.
    fn spool_to_write(&self, state: &mut State, node: NodeNumber) -> Result<Arc<dyn DiskFile>> {
        state.unstore(node);
        if let Some(file) = self.spool_to_read(state, node)? {
            return Ok(file);
        }
        let path = self.spool_path(node);
        let file = match self.disk().create(&path) {
            // Left over by an attempt that failed.
            Err(error) if error.kind() == ErrorKind::Exists => {
                self.disk().remove(&path)?;
                self.disk().create(&path)?
            }
            result => result?,
        };
        let bytes = state.nodes.bytes(node)?.clone();
        if let Bytes::Stored(content) = &bytes {
            file.set_len(content.size)?;
            let next = |at| self.content.next_data(content, at);
            copy_ranges(&*file, &next, &|at, buf| self.content.read_at(content, at, buf))?;
            // Only now: until it is written, a restart finds the stored bytes.
            state.change(Op::Spooled { node })?;
        }
        *state.nodes.bytes_mut(node)? = Bytes::Spool { len: bytes.len(), has_file: true };
        self.activity.spool_changed(0, bytes.len());
        if let Some(open) = state.open.get_mut(&node) {
            open.spool = Some(file.clone());
        }
        Ok(file)
    }

    fn empty(&self, state: &mut State, node: NodeNumber) -> Result<()> {
        state.unstore(node);
        match state.nodes.bytes(node)?.clone() {
            Bytes::Stored(_) => state.change(Op::Spooled { node }).map(drop),
            Bytes::Spool { .. } => {
                if let Some(file) = self.spool_to_read(state, node)? {
                    file.set_len(0)?;
                    self.note_len(state, node, 0)?;
                }
                Ok(())
            }
        }
    }

    /// Takes note of a write that ended at `end`.
    fn wrote(&self, node: NodeNumber, file: &dyn DiskFile, end: u64) -> Result<()> {
        let mut state = self.state.lock();
        // Again: the background may have looked at the file between the opening and the write.
        state.unstore(node);
        if end > state.nodes.bytes(node)?.len() {
            // The file's own word: somebody may have cut it since the write.
            let len = file.len()?;
            self.note_len(&mut state, node, len)?;
        }
        self.note_time(&mut state, node)
    }

    fn note_len(&self, state: &mut State, node: NodeNumber, new: u64) -> Result<()> {
        if let Bytes::Spool { len, .. } = state.nodes.bytes_mut(node)? {
            self.activity.spool_changed(*len, new);
            *len = new;
        }
        Ok(())
    }

    /// Sets the time of a file that was just changed; the journal hears of it when the file is closed.
    fn note_time(&self, state: &mut State, node: NodeNumber) -> Result<()> {
        let now = Timestamp::now();
        match state.open.get_mut(&node) {
            Some(open) => {
                open.time_unwritten = true;
                state.nodes.get_mut(node)?.mtime = now;
            }
            None => {
                let op = Op::Change { node, mode: None, mtime: Some(now), mark: Some(Mark::Closed) };
                state.change(op).map(drop)?;
            }
        }
        Ok(())
    }

    fn settle_time(&self, state: &mut State, node: NodeNumber) {
        let Some(open) = state.open.get_mut(&node).filter(|open| open.time_unwritten) else { return };
        open.time_unwritten = false;
        let Ok(mtime) = state.nodes.get(node).map(|node| node.mtime) else { return };
        if let Err(error) = state.change(Op::Change { node, mode: None, mtime: Some(mtime), mark: None }) {
            tracing::warn!(%error, "the time of a file was not written down");
        }
    }

    /// Runs a change of a file's bytes, from its start on when `anew`, and remembers how the disk failed.
    fn changing_bytes(
        &self,
        node: NodeNumber,
        anew: bool,
        change: impl FnOnce(&Session, NodeNumber) -> Result<()>,
    ) -> Result<()> {
        let started = self.changing().and_then(|mut state| state.start_writing(node, anew));
        let result = started.and_then(|()| change(self, node));
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Io | ErrorKind::Corrupt)
            && let Err(error) = self.state.lock().tear(node, true, error.to_string())
        {
            tracing::warn!(%error, "a failed write was not written down");
        }
        result
    }
}

/// Copies every range of data into `to`, whose length is set already.
fn copy_ranges(
    to: &dyn DiskFile,
    next_data: &dyn Fn(u64) -> Result<Option<(u64, u64)>>,
    read_at: &dyn Fn(u64, &mut [u8]) -> Result<usize>,
) -> Result<()> {
    let mut buf = vec![0; COPY_LEN];
    let mut at = 0;
    while let Some((start, end)) = next_data(at)? {
        at = start;
        while at < end {
            let want = buf.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let len = read_at(at, &mut buf[..want])?;
            if len == 0 {
                return Ok(());
            }
            to.write_all_at(&buf[..len], at)?;
            at += len as u64;
        }
    }
    Ok(())
}

fn clamp(size: u64, offset: u64, len: usize) -> usize {
    len.min(usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX))
}
