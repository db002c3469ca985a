//! The bytes of a session's files: written through to the spool, read from there or from the store.
//!
//! A spool file exists from the first write on. A stored file that is written again is patched: the blocks around a write
//! go to the spool, the rest stays where it is. Holes stay holes on all ways.

use super::file_bytes::{FileBytes, SpoolFile};
use super::nodes::{Body, Bytes};
use super::op::{Mark, NodeNumber, Op};
use super::patched::{Part, Place};
use super::small_log::MAX_SMALL_LEN;
use super::{Session, State};
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::ByteSource;
use crate::manifest::{Content, Timestamp};
use parking_lot::MutexGuard;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// How many bytes are copied at once.
const COPY_LEN: usize = 1 << 20;

/// The most bytes that one call of [`Session::copy_range`] moves: it can be interrupted in between.
const MAX_COPY_LEN: u64 = 32 << 20;

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
            state.finish.changed(false);
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
        let range = offset..offset.saturating_add(buf.len() as u64);
        // Read after the lock is let go: a pack that does not answer must not stop the rest of the session.
        let bytes = self.bytes_in(&mut self.state.lock(), node, range)?;
        bytes.read_at(buf, offset)
    }

    /// Returns where the next data at or after `offset` starts and ends; `None` when only a hole follows.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn next_data(&self, node: NodeNumber, offset: u64) -> Result<Option<(u64, u64)>> {
        self.bytes(node)?.next_data(offset)
    }

    /// Returns the content of a file whose bytes are all in the store, as those of a base are; `None` for any other node.
    pub fn stored(&self, node: NodeNumber) -> Option<Content> {
        match self.state.lock().nodes.bytes(node).ok()? {
            Bytes::Stored(content) => Some(**content),
            _ => None,
        }
    }

    /// Returns the bytes of a file as they are now.
    ///
    /// # Errors
    /// As [`Session::read`].
    pub fn bytes(&self, node: NodeNumber) -> Result<FileBytes> {
        self.bytes_in(&mut self.state.lock(), node, 0..u64::MAX)
    }

    /// Writes all of `bytes` at `offset`; what is acknowledged survives a killed process.
    ///
    /// # Errors
    /// `NoSpace` or `Io`, which the session remembers until the file is emptied or removed; `ReadOnly` once committed.
    pub fn write(&self, node: NodeNumber, offset: u64, bytes: &[u8]) -> Result<()> {
        self.activity.wait_for_room();
        self.changing_bytes(node, offset == 0, |session, mut state| {
            let range = offset..offset.saturating_add(bytes.len() as u64);
            if session.write_small(&mut state, node, &range, bytes)? {
                return Ok(());
            }
            let file = session.spool_to_write(&mut state, node)?;
            state.heads.changed(node, offset);
            let cuts = state.cuts;
            if let Some(blocks) = session.fill_blocks(&state, node, &*file, &range)? {
                // Under the lock: two writes into one block must not fill it around each other.
                file.write_all_at(bytes, offset)?;
                session.own(&mut state, node, blocks)?;
            } else {
                state.heads.write_begins(node, offset);
                drop(state);
                let written = file.write_all_at(bytes, offset);
                state = session.state.lock();
                state.heads.write_ends(node, offset);
                written?;
            }
            // Somebody may have cut the file since the write: then the file has the last word.
            let end = if state.cuts == cuts { range.end } else { file.len()?.min(range.end) };
            if matches!(state.nodes.bytes(node)?, Bytes::Patched(patched) if !patched.owns(&(offset..end))) {
                // Its head went to the store meanwhile.
                session.own(&mut state, node, offset..end)?;
            }
            session.wrote(&mut state, node, end)
        })
    }

    /// Cuts or extends a file to `len` bytes.
    ///
    /// # Errors
    /// As [`Session::write`]; `TooLarge` for more than the disk's files can have.
    pub fn set_len(&self, node: NodeNumber, len: u64) -> Result<()> {
        self.changing_bytes(node, len == 0, |session, mut state| {
            let old = state.nodes.bytes(node)?.len();
            state.cuts += u64::from(len < old);
            state.heads.changed(node, len.min(old));
            if old != len {
                if len == 0 {
                    session.empty(&mut state, node)?;
                } else {
                    let file = session.spool_to_write(&mut state, node)?;
                    if len < old && matches!(state.nodes.bytes(node)?, Bytes::Patched(_)) {
                        // First: what is cut off must not come back after a crash.
                        session.cut(&mut state, node, len)?;
                    }
                    file.set_len(len)?;
                    session.resized(&mut state, node, len)?;
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
            Space::Zero if offset < size => self.changing_bytes(node, false, |session, mut state| {
                let range = offset..end.min(size);
                let file = session.spool_to_write(&mut state, node)?;
                state.heads.changed(node, range.start);
                file.punch_hole(range.start, range.end - range.start)?;
                if matches!(state.nodes.bytes(node)?, Bytes::Patched(patched) if !patched.owns(&range)) {
                    session.own(&mut state, node, range)?;
                }
                session.wrote(&mut state, node, 0)
            })?,
            Space::Zero => {}
        }
        if end > size && !keep_size { self.set_len(node, end) } else { Ok(()) }
    }

    /// Copies up to `len` bytes of `from` into a file, and returns how many; 0 at the end of `from`.
    ///
    /// Stored bytes that come to the same place in a file that has nothing else are taken by reference: a copy of any
    /// length moves no bytes. Everything else is read and written here, at most 32 MiB a call.
    ///
    /// # Errors
    /// As [`Session::write`]; those of reading `from`.
    pub fn copy_range(
        &self,
        from: &FileBytes,
        from_offset: u64,
        node: NodeNumber,
        offset: u64,
        len: u64,
    ) -> Result<u64> {
        let len = len.min(from.end().saturating_sub(from_offset));
        if len == 0 {
            return Ok(0);
        }
        if from_offset == offset
            && let Some(content) = from.content()
            && self.changing_bytes(node, offset == 0, |session, mut state| {
                session.refer(&mut state, node, content, offset..offset + len)
            })?
        {
            return Ok(len);
        }
        let len = len.min(MAX_COPY_LEN);
        let mut buf = vec![0; COPY_LEN.min(len as usize)];
        let mut done = 0;
        while done < len {
            let want = buf.len().min((len - done) as usize);
            match from.read_at(&mut buf[..want], from_offset + done)? {
                0 => break,
                read => {
                    self.write(node, offset + done, &buf[..read])?;
                    done += read as u64;
                }
            }
        }
        Ok(done)
    }

    /// Makes a file's bytes and everything in the journal survive a crash of the system.
    ///
    /// # Errors
    /// `Io` from the disk.
    pub fn sync(&self, node: NodeNumber) -> Result<()> {
        let (file, journal) = {
            let mut state = self.state.lock();
            self.settle_time(&mut state, node);
            let file = match &state.nodes.get(node)?.body {
                Body::File(Bytes::Small { .. }) => state.small.file(),
                Body::File(_) => self.spool_to_read(&mut state, node)?,
                Body::Directory(_) | Body::Symlink(_) => None,
            };
            (file, state.journal.file())
        };
        if let Some(file) = file {
            file.sync()?;
        }
        journal.sync()?;
        self.sync_names()
    }

    /// Makes the names on the way to the session's files survive a crash, when there are new ones.
    ///
    /// Databases sync after every change; three folders that are the same as before would cost more than the rest.
    fn sync_names(&self) -> Result<()> {
        let made = self.names_made.load(SeqCst);
        if self.names_synced.load(SeqCst) >= made {
            return Ok(());
        }
        let data = self.folder.join(super::registry::DATA);
        data.ancestors().take(3).try_for_each(|folder| self.disk().sync_dir(folder))?;
        self.names_synced.fetch_max(made, SeqCst);
        Ok(())
    }

    /// Takes note of a file that was made in the session's folder.
    pub(super) fn name_made(&self) {
        self.names_made.fetch_add(1, SeqCst);
    }

    /// Copies the spool file of `from` for the new node `to`; nothing when `from` has none.
    pub(super) fn copy_spool(&self, state: &State, from: NodeNumber, to: NodeNumber) -> Result<()> {
        let Some((len, spool_len)) =
            state.nodes.bytes(from).ok().filter(|bytes| bytes.has_file()).map(|bytes| (bytes.len(), bytes.spool_len()))
        else {
            return Ok(());
        };
        let source = self.disk().open(&self.spool_path(from))?;
        let copy = self.disk().create(&self.spool_path(to))?;
        self.name_made();
        copy.set_len(len)?;
        self.activity.spool_changed(0, spool_len);
        let mut at = 0;
        while let Some((start, end)) = source.next_data(at)? {
            copy_range(&*copy, &|buf, at| source.read_at(buf, at), start..end)?;
            at = end;
        }
        Ok(())
    }

    /// Makes the stored content of a file count, and drops its spool file.
    pub(super) fn become_stored(&self, state: &mut State, node: NodeNumber, content: Content) -> Result<()> {
        let bytes = state.nodes.bytes(node)?;
        let (spool_len, has_file) = (bytes.spool_len(), bytes.has_file());
        state.change(Op::Stored { node, content })?;
        if let Some(open) = state.open.get_mut(&node) {
            open.spool = None;
        }
        if has_file {
            self.activity.spool_changed(spool_len, 0);
            self.disk().remove(&self.spool_path(node))?;
        }
        Ok(())
    }

    /// Returns the bytes of a file in `range` as they are now.
    pub(super) fn bytes_in(&self, state: &mut State, node: NodeNumber, range: Range<u64>) -> Result<FileBytes> {
        let file = self.spool_to_read(state, node)?.map(|file| SpoolFile { file, start: 0 });
        let clamped = |len: u64| range.start.min(len)..range.end.min(len);
        let whole = |place, range: Range<u64>| if range.is_empty() { Vec::new() } else { vec![Part { range, place }] };
        let (parts, content) = match state.nodes.bytes(node)? {
            Bytes::Stored(content) => (whole(Place::Stored, clamped(content.size)), Some(**content)),
            Bytes::Spool { len, has_file: true } => (whole(Place::Spool, clamped(*len)), None),
            Bytes::Spool { len, has_file: false } => (whole(Place::Zero, clamped(*len)), None),
            Bytes::Small { len, .. } => (whole(Place::Spool, clamped(u64::from(*len))), None),
            Bytes::Patched(patched) => (patched.parts(range), Some(patched.content)),
        };
        let file = match *state.nodes.bytes(node)? {
            Bytes::Small { start, .. } => state.small.file().map(|file| SpoolFile { file, start }),
            _ => file,
        };
        Ok(FileBytes::new(parts, file, content, self.content.clone()))
    }

    /// Opens a file's spool file; `None` if it has none.
    pub(super) fn spool_to_read(&self, state: &mut State, node: NodeNumber) -> Result<Option<Arc<dyn DiskFile>>> {
        if !state.nodes.bytes(node)?.has_file() {
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

    /// Returns the spool file of a file that changes; what is stored becomes a patched file.
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
        self.name_made();
        match state.nodes.bytes(node)?.clone() {
            Bytes::Stored(content) => {
                file.set_len(content.size)?;
                // Only now: until it is written, a restart finds the stored bytes.
                let (content, len) = (*content, content.size);
                state.change(Op::Patched { node, content, len, own_end: 0, time: Timestamp::now() })?;
            }
            Bytes::Small { len, .. } => {
                let mut bytes = vec![0; len as usize];
                self.bytes_in(state, node, 0..u64::MAX)?.read_at(&mut bytes, 0)?;
                file.write_all_at(&bytes, 0)?;
                state.change(Op::Spooled { node })?;
                state.nodes.bytes_mut(node)?.set_len(u64::from(len));
            }
            bytes if bytes.len() > 0 => file.set_len(bytes.len())?,
            _ => {}
        }
        match state.nodes.bytes_mut(node)? {
            Bytes::Spool { has_file, .. } => *has_file = true,
            Bytes::Patched(patched) => patched.has_file = true,
            Bytes::Small { .. } | Bytes::Stored(_) => unreachable!("it has just become another"),
        }
        if let Some(open) = state.open.get_mut(&node) {
            open.spool = Some(file.clone());
        }
        Ok(file)
    }

    /// Brings the blocks around `range` of a patched file into the spool, `range` itself left out, and returns what must
    /// be owned after the write; `None` if the spool has all of it.
    fn fill_blocks(
        &self,
        state: &State,
        node: NodeNumber,
        file: &dyn DiskFile,
        range: &Range<u64>,
    ) -> Result<Option<Range<u64>>> {
        let Bytes::Patched(patched) = state.nodes.bytes(node)? else { return Ok(None) };
        if patched.owns(range) {
            return Ok(None);
        }
        let blocks = patched.blocks_around(range);
        for around in [blocks.start..range.start, range.end..blocks.end] {
            for part in patched.parts(around).into_iter().filter(|part| part.place == Place::Stored) {
                copy_range(file, &|buf, at| self.content.read_at(&patched.content, at, buf), part.range)?;
            }
        }
        Ok(Some(blocks))
    }

    /// Makes a range of a patched file count as it is in the spool.
    fn own(&self, state: &mut State, node: NodeNumber, range: Range<u64>) -> Result<()> {
        self.counting_spool(state, node, |state| {
            state.change(Op::Own { node, start: range.start, end: range.end }).map(drop)
        })
    }

    fn cut(&self, state: &mut State, node: NodeNumber, len: u64) -> Result<()> {
        self.counting_spool(state, node, |state| state.change(Op::Cut { node, len, time: Timestamp::now() }).map(drop))
    }

    /// Takes note of the length of a spool file.
    fn resized(&self, state: &mut State, node: NodeNumber, len: u64) -> Result<()> {
        self.counting_spool(state, node, |state| {
            state.nodes.bytes_mut(node)?.set_len(len);
            Ok(())
        })
    }

    /// Runs a change of where a file's bytes are, and counts what is in the spool.
    fn counting_spool(
        &self,
        state: &mut State,
        node: NodeNumber,
        change: impl FnOnce(&mut State) -> Result<()>,
    ) -> Result<()> {
        let old = state.nodes.bytes(node)?.spool_len();
        change(state)?;
        self.activity.spool_changed(old, state.nodes.bytes(node)?.spool_len());
        Ok(())
    }

    fn empty(&self, state: &mut State, node: NodeNumber) -> Result<()> {
        state.unstore(node);
        match state.nodes.bytes(node)? {
            Bytes::Stored(_) | Bytes::Small { .. } => {
                self.counting_spool(state, node, |state| state.change(Op::Spooled { node }).map(drop))
            }
            Bytes::Spool { .. } => match self.spool_to_read(state, node)? {
                Some(file) => {
                    file.set_len(0)?;
                    self.resized(state, node, 0)
                }
                None => self.resized(state, node, 0),
            },
            Bytes::Patched(_) => {
                self.cut(state, node, 0)?;
                let file = self.spool_to_read(state, node)?;
                if let Some(file) = &file {
                    file.set_len(0)?;
                }
                state.change(Op::Spooled { node })?;
                if let Bytes::Spool { has_file, .. } = state.nodes.bytes_mut(node)? {
                    *has_file = file.is_some();
                }
                Ok(())
            }
        }
    }

    /// Makes the bytes of `content` up to `end` those of a file that has none, or just those before `offset`.
    fn refer(&self, state: &mut State, node: NodeNumber, content: Content, range: Range<u64>) -> Result<bool> {
        let Range { start: offset, end } = range;
        let goes_on = match state.nodes.bytes(node)? {
            Bytes::Spool { len: 0, .. } => offset == 0,
            Bytes::Patched(patched) => patched.content == content && patched.is_start(offset),
            _ => false,
        };
        if !goes_on {
            return Ok(false);
        }
        state.unstore(node);
        state.heads.changed(node, 0);
        let had_file = state.nodes.bytes(node)?.has_file();
        let time = Timestamp::now();
        match end == content.size {
            true => state.change(Op::Stored { node, content })?,
            false => state.change(Op::Patched { node, content, len: end, own_end: 0, time })?,
        };
        if had_file {
            if let Some(open) = state.open.get_mut(&node) {
                open.forget_spool();
            }
            self.disk().remove(&self.spool_path(node))?;
        }
        self.note_time(state, node)?;
        Ok(true)
    }

    /// Takes note of a write that ended at `end`.
    fn wrote(&self, state: &mut State, node: NodeNumber, end: u64) -> Result<()> {
        // Again: the background may have looked at the file between the opening and the write.
        state.unstore(node);
        if end > state.nodes.bytes(node)?.len() {
            self.resized(state, node, end)?;
        }
        self.note_time(state, node)
    }

    /// Writes the bytes of a small file to the log, and returns where they start.
    pub(super) fn append_small(&self, state: &mut State, bytes: &[u8]) -> Result<u64> {
        if state.small.file().is_none() {
            self.name_made();
        }
        state.small.append(self.disk(), bytes)
    }

    /// Writes the first bytes of an empty file to the log, when they are few; `false` if they belong elsewhere.
    fn write_small(&self, state: &mut State, node: NodeNumber, range: &Range<u64>, bytes: &[u8]) -> Result<bool> {
        let is_new = matches!(state.nodes.bytes(node)?, Bytes::Spool { len: 0, has_file: false });
        if !is_new || range.start > 0 || bytes.is_empty() || bytes.len() > MAX_SMALL_LEN {
            return Ok(false);
        }
        let start = self.append_small(state, bytes)?;
        let (len, time) = (bytes.len() as u32, Timestamp::now());
        self.counting_spool(state, node, |state| state.change(Op::Small { node, start, len, time }).map(drop))?;
        Ok(true)
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
    ///
    /// The change has the state locked, and may let go of it.
    fn changing_bytes<'a, T>(
        &'a self,
        node: NodeNumber,
        anew: bool,
        change: impl FnOnce(&'a Session, MutexGuard<'a, State>) -> Result<T>,
    ) -> Result<T> {
        let result = self.changing().and_then(|mut state| {
            state.start_writing(node, anew)?;
            change(self, state)
        });
        if let Err(error) = &result
            && matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Io | ErrorKind::Corrupt)
        {
            self.state.lock().tear(node, true, error.to_string());
        }
        result
    }
}

/// Copies `range` from what `read_at` reads into `to`, as far as it goes.
fn copy_range(to: &dyn DiskFile, read_at: &dyn Fn(&mut [u8], u64) -> Result<usize>, range: Range<u64>) -> Result<()> {
    let mut buf = vec![0; COPY_LEN.min((range.end - range.start) as usize)];
    let mut at = range.start;
    while at < range.end {
        let want = buf.len().min((range.end - at) as usize);
        match read_at(&mut buf[..want], at)? {
            0 => break,
            len => {
                to.write_all_at(&buf[..len], at)?;
                at += len as u64;
            }
        }
    }
    Ok(())
}
