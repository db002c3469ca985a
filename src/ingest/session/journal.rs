//! The journal of a session: its ops in the order in which they were made, in one file.
//!
//! A record is written before the op is acknowledged, so a killed process loses none; [`Journal::sync`] makes them survive
//! a crash of the system, too. A torn record at the end is what an op leaves that was never acknowledged: it is cut off.

use super::op::{MARK, MAX_OP_LEN, Op, RECORD_HEADER_LEN, checksum};
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// How many bytes of a journal are read at once.
const READ_LEN: usize = 1 << 20;

/// An open journal; ops go to its end.
pub(super) struct Journal {
    file: Arc<dyn DiskFile>,
    end: u64,
}

impl Journal {
    /// Starts an empty journal.
    pub(super) fn create(disk: &dyn Disk, path: &Path) -> Result<Journal> {
        let file = disk.create(path)?;
        file.write_all_at(MARK, 0)?;
        Ok(Journal { file, end: MARK.len() as u64 })
    }

    /// Opens a journal and gives each of its ops to `replay`.
    ///
    /// # Errors
    /// `Corrupt` if it is no journal; those of `replay`.
    pub(super) fn open(disk: &dyn Disk, path: &Path, replay: &mut dyn FnMut(Op) -> Result<()>) -> Result<Journal> {
        let file = disk.open_writable(path)?;
        let (end, len) = self::replay(&*file, path, replay)?;
        if end < len {
            tracing::info!(path = %path.display(), lost_bytes = len - end, "cut a torn record off a journal");
            file.set_len(end)?;
        }
        Ok(Journal { file, end })
    }

    /// Writes an op.
    ///
    /// # Errors
    /// `NoSpace` or `Io`; then the op must not be made, and the journal is as before.
    pub(super) fn append(&mut self, op: &Op) -> Result<()> {
        let record = op.record();
        assert!(record.len() <= RECORD_HEADER_LEN + MAX_OP_LEN, "ops are bounded by their makers");
        // A part of the record that a failure leaves is written over by the next one.
        self.file.write_all_at(&record, self.end)?;
        self.end += record.len() as u64;
        Ok(())
    }

    /// Returns what makes the ops that were written survive a crash of the system.
    pub(super) fn file(&self) -> Arc<dyn DiskFile> {
        self.file.clone()
    }
}

/// Gives each op to `visit`; returns where the last whole one ends, and where the file does.
fn replay(file: &dyn DiskFile, path: &Path, visit: &mut dyn FnMut(Op) -> Result<()>) -> Result<(u64, u64)> {
    let mut bytes = Vec::new();
    let mut start = 0;
    let (mut read_to, mut end) = (0, 0);
    loop {
        // Keep what is left of the last piece: a record may go over the border.
        bytes.drain(..start);
        start = 0;
        let kept = bytes.len();
        bytes.resize(kept + READ_LEN, 0);
        let len = file.read_at(&mut bytes[kept..], read_to)?;
        bytes.truncate(kept + len);
        read_to += len as u64;
        if end == 0 {
            if !bytes.starts_with(MARK) {
                return Err(Error::corrupt(format!("{} is not a session's journal", path.display())));
            }
            start = MARK.len();
        }
        while let Some(record) = next_record(&bytes[start..]) {
            visit(Op::parse(record)?)?;
            start += RECORD_HEADER_LEN + record.len();
        }
        end = read_to - (bytes.len() - start) as u64;
        if len == 0 {
            return Ok((end, read_to));
        }
    }
}

/// Gives each op of a journal to `visit`, as far as it is whole, and leaves it as it is: another process may write to it.
///
/// # Errors
/// As [`Journal::open`].
pub(super) fn read_ops(disk: &dyn Disk, path: &Path, visit: &mut dyn FnMut(Op) -> Result<()>) -> Result<()> {
    replay(&*disk.open(path)?, path, visit).map(drop)
}

/// Returns the op bytes of the whole record at the start of `bytes`; `None` if it is cut or torn.
fn next_record(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_first_chunk::<RECORD_HEADER_LEN>()?;
    let len = u32::from_le_bytes(header[..4].try_into().expect("4 of 8 bytes")) as usize;
    if len > MAX_OP_LEN {
        return None;
    }
    rest.get(..len).filter(|op| checksum(op) == header[4..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::LocalDisk;

    fn ops(disk: &LocalDisk) -> Vec<Op> {
        let mut ops = Vec::new();
        Journal::open(disk, Path::new("j"), &mut |op| {
            ops.push(op);
            Ok(())
        })
        .unwrap();
        ops
    }

    #[test]
    fn a_torn_tail_is_cut_and_what_follows_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalDisk::new(dir.path());
        let mut journal = Journal::create(&disk, Path::new("j")).unwrap();
        // Longer than one piece that is read.
        let long = Op::Xattr { node: 1, name: b"user.a".to_vec(), value: Some(vec![7; 60_000]) };
        for node in 0..50 {
            journal.append(&Op::Spooled { node }).unwrap();
            journal.append(&long).unwrap();
        }
        let whole = ops(&disk);
        assert_eq!(whole.len(), 100);
        let len = disk.open(Path::new("j")).unwrap().len().unwrap();
        disk.open_writable(Path::new("j")).unwrap().set_len(len - 3).unwrap();
        assert_eq!(ops(&disk), whole[..99]);
        let mut journal = Journal::open(&disk, Path::new("j"), &mut |_| Ok(())).unwrap();
        journal.append(&Op::Spooled { node: 99 }).unwrap();
        assert_eq!(ops(&disk)[99], Op::Spooled { node: 99 });
    }

    #[test]
    fn other_files_are_no_journal() {
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalDisk::new(dir.path());
        disk.replace(Path::new("j"), b"something else").unwrap();
        assert!(Journal::open(&disk, Path::new("j"), &mut |_| Ok(())).is_err());
    }
}
