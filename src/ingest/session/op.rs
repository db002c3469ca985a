//! The changes of a session's tree as values, and their bytes in the journal.
//!
//! Every change of names and attributes is one [`Op`], whether it is made now or replayed after a restart. The bytes of
//! files are not in the journal: they are in the spool, or in the store.
//!
//! # Journal format, version 2
//!
//! ```text
//! BYTE   MEANING
//! 8      "GVSESS02"
//! then, for each record:
//! 4      length of the op
//! 4      the first four bytes of the BLAKE3 of the op
//! …      the op: one byte that names it, then its fields in their order
//! ```
//!
//! Numbers are little-endian; a string of bytes is its length in 4 bytes, then the bytes; a time is 8 bytes of seconds
//! and 4 of nanoseconds; an option is a byte 0 or 1, then the value.

use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot, Directory, Timestamp, Totals};
use crate::name::FileName;

/// The number of a node in its session; 0 is the root.
pub type NodeNumber = u32;

/// What a new node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewNode {
    /// An empty regular file.
    File,
    /// An empty directory.
    Directory,
    /// A symlink with its target.
    Symlink(Box<[u8]>),
}

/// How far the bytes of a file are, as far as the tools that write it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mark {
    /// Nobody wrote to it: it came with a base, or is no file.
    #[default]
    Neutral,
    /// It is being written, or was never closed after it was.
    Open,
    /// It was closed after its last write.
    Closed,
    /// It was closed by a tool that sets times, which it has not done yet.
    Due,
    /// Its time was set after its last write: the tool that wrote it has finished it.
    Finished,
}

impl Mark {
    /// All of them; the index is the mark's number in a journal.
    const ALL: [Mark; 5] = [Mark::Neutral, Mark::Open, Mark::Closed, Mark::Due, Mark::Finished];
}

/// What a session is for, and what it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionForm {
    /// A folder that is copied in.
    Folder,
    /// One file that is copied in and stands for itself.
    SingleFile,
    /// A workspace: a folder that is worked in, and stays.
    Workspace,
    /// A folder into which feedback is dropped, and from which it is taken when it is at rest.
    Inbox,
}

impl SessionForm {
    /// All of them; the index is the form's number in a journal.
    const ALL: [SessionForm; 4] =
        [SessionForm::Folder, SessionForm::SingleFile, SessionForm::Workspace, SessionForm::Inbox];
}

/// One change of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// The session, started at that time, got this name.
    Named { name: String, form: SessionForm, created: Timestamp },
    /// What the user says of the build, as JSON.
    Info { json: Vec<u8> },
    /// A node came into being.
    Create { parent: NodeNumber, name: FileName, node: NodeNumber, what: NewNode, mode: u16, time: Timestamp },
    /// A file came into being with content and attributes of another one.
    Link { from: NodeNumber, parent: NodeNumber, name: FileName, node: NodeNumber, time: Timestamp },
    /// A name went away.
    Remove { parent: NodeNumber, name: FileName, time: Timestamp },
    /// A name moved, over another one or in exchange with it.
    Rename { from: (NodeNumber, FileName), to: (NodeNumber, FileName), exchange: bool, time: Timestamp },
    /// Attributes changed, or how far the bytes of a file are.
    Change { node: NodeNumber, mode: Option<u16>, mtime: Option<Timestamp>, mark: Option<Mark> },
    /// An extended attribute was set, or removed when there is no value.
    Xattr { node: NodeNumber, name: Vec<u8>, value: Option<Vec<u8>> },
    /// The bytes of a file are durable in the store.
    Stored { node: NodeNumber, content: Content },
    /// The bytes of a file are in the spool again.
    Spooled { node: NodeNumber },
    /// The session is about to become the build with this root.
    Committing { root: ChunkId },
    /// Somebody changed the session after it had become this build by itself.
    Reopened { build: u64 },
    /// A file (or with the root, the whole tree) is known not to be whole, because a write failed or its writer was
    /// killed; without a reason it no longer is.
    Torn { node: NodeNumber, failed: bool, why: Option<String> },
    /// A directory is the stored one, all of it.
    Folded { node: NodeNumber, directory: Directory },
    /// Somebody looked into a folded directory: its entries are nodes now, numbered from `first` on.
    Unfold { node: NodeNumber, first: NodeNumber },
    /// The bytes of a file are in the log of small files.
    Small { node: NodeNumber, start: u64, len: u32, time: Timestamp },
    /// The first `len` bytes of a file are the first of this content; from there to `own_end` they are in the spool.
    Patched { node: NodeNumber, content: Content, len: u64, own_end: u64, time: Timestamp },
    /// A range of a patched file is in the spool.
    Own { node: NodeNumber, start: u64, end: u64 },
    /// No stored byte of a patched file counts from here on.
    Cut { node: NodeNumber, len: u64, time: Timestamp },
}

/// The start of a journal.
pub(super) const MARK: &[u8; 8] = b"GVSESS02";

/// Length and checksum before each op.
pub(super) const RECORD_HEADER_LEN: usize = 8;

/// The most bytes an op may have: an xattr of 64 KiB and some names.
pub(super) const MAX_OP_LEN: usize = 1 << 20;

impl Op {
    /// Returns the op's record.
    pub(super) fn record(&self) -> Vec<u8> {
        let mut out = Writer(vec![0; RECORD_HEADER_LEN]);
        self.put(&mut out);
        let mut record = out.0;
        let (len, check) = (record.len() - RECORD_HEADER_LEN, checksum(&record[RECORD_HEADER_LEN..]));
        record[..4].copy_from_slice(&(len as u32).to_le_bytes());
        record[4..8].copy_from_slice(&check);
        record
    }

    /// Reads the op of a record, header left out.
    ///
    /// # Errors
    /// `Corrupt` if `bytes` is no op.
    pub(super) fn parse(bytes: &[u8]) -> Result<Op> {
        let mut bytes = Parser(bytes);
        let op = bytes.op()?;
        if bytes.0.is_empty() { Ok(op) } else { Err(corrupt()) }
    }

    /// Returns the node whose own state the op changes, whatever its name.
    pub(super) fn node(&self) -> Option<NodeNumber> {
        match self {
            Op::Change { node, .. }
            | Op::Xattr { node, .. }
            | Op::Stored { node, .. }
            | Op::Spooled { node }
            | Op::Small { node, .. }
            | Op::Patched { node, .. }
            | Op::Own { node, .. }
            | Op::Cut { node, .. }
            | Op::Torn { node, .. } => Some(*node),
            Op::Named { .. }
            | Op::Info { .. }
            | Op::Create { .. }
            | Op::Link { .. }
            | Op::Remove { .. }
            | Op::Rename { .. }
            | Op::Committing { .. }
            | Op::Reopened { .. }
            | Op::Folded { .. }
            | Op::Unfold { .. } => None,
        }
    }

    fn put(&self, out: &mut Writer) {
        match self {
            Op::Named { name, form, created } => out.tag(1).bytes(name.as_bytes()).byte(*form as u8).time(*created),
            Op::Info { json } => out.tag(2).bytes(json),
            Op::Create { parent, name, node, what, mode, time } => {
                out.tag(3).number(*parent).bytes(name.as_bytes()).number(*node);
                match what {
                    NewNode::File => out.byte(0),
                    NewNode::Directory => out.byte(1),
                    NewNode::Symlink(target) => out.byte(2).bytes(target),
                };
                out.short(*mode).time(*time)
            }
            Op::Link { from, parent, name, node, time } => {
                out.tag(4).number(*from).number(*parent).bytes(name.as_bytes()).number(*node).time(*time)
            }
            Op::Remove { parent, name, time } => out.tag(5).number(*parent).bytes(name.as_bytes()).time(*time),
            Op::Rename { from, to, exchange, time } => {
                out.tag(6).number(from.0).bytes(from.1.as_bytes()).number(to.0).bytes(to.1.as_bytes());
                out.byte(u8::from(*exchange)).time(*time)
            }
            Op::Change { node, mode, mtime, mark } => {
                out.tag(7).number(*node);
                match mode {
                    Some(mode) => out.byte(1).short(*mode),
                    None => out.byte(0),
                };
                match mtime {
                    Some(time) => out.byte(1).time(*time),
                    None => out.byte(0),
                };
                match mark {
                    Some(mark) => out.byte(1).byte(*mark as u8),
                    None => out.byte(0),
                }
            }
            Op::Xattr { node, name, value } => {
                out.tag(8).number(*node).bytes(name);
                match value {
                    Some(value) => out.byte(1).bytes(value),
                    None => out.byte(0),
                }
            }
            Op::Stored { node, content } => out.tag(9).number(*node).content(content),
            Op::Spooled { node } => out.tag(10).number(*node),
            Op::Committing { root } => out.tag(11).raw(&root.0),
            Op::Reopened { build } => out.tag(20).long(*build),
            Op::Torn { node, failed, why } => {
                out.tag(21).number(*node).byte(u8::from(*failed));
                match why {
                    Some(why) => out.byte(1).bytes(why.as_bytes()),
                    None => out.byte(0),
                }
            }
            Op::Folded { node, directory: Directory { id, totals } } => {
                out.tag(12).number(*node).raw(&id.0).long(totals.entries).long(totals.files).long(totals.bytes)
            }
            Op::Unfold { node, first } => out.tag(13).number(*node).number(*first),
            Op::Small { node, start, len, time } => out.tag(17).number(*node).long(*start).number(*len).time(*time),
            Op::Patched { node, content, len, own_end, time } => {
                out.tag(14).number(*node).content(content).long(*len).long(*own_end).time(*time)
            }
            Op::Own { node, start, end } => out.tag(15).number(*node).long(*start).long(*end),
            Op::Cut { node, len, time } => out.tag(16).number(*node).long(*len).time(*time),
        };
    }
}

/// Returns the checksum of an op's bytes.
pub(super) fn checksum(bytes: &[u8]) -> [u8; 4] {
    blake3::hash(bytes).as_bytes()[..4].try_into().expect("4 of 32 bytes")
}

struct Writer(Vec<u8>);

impl Writer {
    fn tag(&mut self, tag: u8) -> &mut Writer {
        self.byte(tag)
    }

    fn byte(&mut self, byte: u8) -> &mut Writer {
        self.raw(&[byte])
    }

    fn short(&mut self, number: u16) -> &mut Writer {
        self.raw(&number.to_le_bytes())
    }

    fn number(&mut self, number: u32) -> &mut Writer {
        self.raw(&number.to_le_bytes())
    }

    fn long(&mut self, number: u64) -> &mut Writer {
        self.raw(&number.to_le_bytes())
    }

    fn time(&mut self, time: Timestamp) -> &mut Writer {
        self.raw(&time.secs.to_le_bytes()).number(time.nanos)
    }

    fn content(&mut self, content: &Content) -> &mut Writer {
        self.long(content.size);
        match content.root {
            ContentRoot::Empty => self.byte(0),
            ContentRoot::Chunk(id) => self.byte(1).raw(&id.0),
            ContentRoot::List { id, depth } => self.byte(2).byte(depth).raw(&id.0),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.number(bytes.len() as u32).raw(bytes)
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }
}

struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    fn op(&mut self) -> Result<Op> {
        Ok(match self.byte()? {
            1 => Op::Named {
                name: self.text()?,
                form: *SessionForm::ALL.get(usize::from(self.byte()?)).ok_or_else(corrupt)?,
                created: self.time()?,
            },
            2 => Op::Info { json: self.bytes()? },
            3 => Op::Create {
                parent: self.number()?,
                name: self.name()?,
                node: self.number()?,
                what: match self.byte()? {
                    0 => NewNode::File,
                    1 => NewNode::Directory,
                    2 => NewNode::Symlink(self.bytes()?.into()),
                    _ => return Err(corrupt()),
                },
                mode: self.short()?,
                time: self.time()?,
            },
            4 => Op::Link {
                from: self.number()?,
                parent: self.number()?,
                name: self.name()?,
                node: self.number()?,
                time: self.time()?,
            },
            5 => Op::Remove { parent: self.number()?, name: self.name()?, time: self.time()? },
            6 => Op::Rename {
                from: (self.number()?, self.name()?),
                to: (self.number()?, self.name()?),
                exchange: self.flag()?,
                time: self.time()?,
            },
            7 => Op::Change {
                node: self.number()?,
                mode: self.flag()?.then(|| self.short()).transpose()?,
                mtime: self.flag()?.then(|| self.time()).transpose()?,
                mark: self.flag()?.then(|| self.mark()).transpose()?,
            },
            8 => Op::Xattr {
                node: self.number()?,
                name: self.bytes()?,
                value: self.flag()?.then(|| self.bytes()).transpose()?,
            },
            9 => Op::Stored { node: self.number()?, content: self.content()? },
            10 => Op::Spooled { node: self.number()? },
            11 => Op::Committing { root: ChunkId(self.array()?) },
            20 => Op::Reopened { build: self.long()? },
            21 => Op::Torn {
                node: self.number()?,
                failed: self.flag()?,
                why: self.flag()?.then(|| self.text()).transpose()?,
            },
            12 => Op::Folded { node: self.number()?, directory: self.directory()? },
            13 => Op::Unfold { node: self.number()?, first: self.number()? },
            14 => Op::Patched {
                node: self.number()?,
                content: self.content()?,
                len: self.long()?,
                own_end: self.long()?,
                time: self.time()?,
            },
            15 => Op::Own { node: self.number()?, start: self.long()?, end: self.long()? },
            16 => Op::Cut { node: self.number()?, len: self.long()?, time: self.time()? },
            17 => Op::Small { node: self.number()?, start: self.long()?, len: self.number()?, time: self.time()? },
            _ => return Err(corrupt()),
        })
    }

    fn mark(&mut self) -> Result<Mark> {
        Mark::ALL.get(usize::from(self.byte()?)).copied().ok_or_else(corrupt)
    }

    fn content(&mut self) -> Result<Content> {
        let size = self.long()?;
        let root = match self.byte()? {
            0 => ContentRoot::Empty,
            1 => ContentRoot::Chunk(ChunkId(self.array()?)),
            2 => {
                let depth = self.byte()?;
                ContentRoot::List { id: ChunkId(self.array()?), depth }
            }
            _ => return Err(corrupt()),
        };
        Ok(Content { size, root })
    }

    fn directory(&mut self) -> Result<Directory> {
        let id = ChunkId(self.array()?);
        Ok(Directory { id, totals: Totals { entries: self.long()?, files: self.long()?, bytes: self.long()? } })
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN]> {
        let (array, rest) = self.0.split_first_chunk().ok_or_else(corrupt)?;
        self.0 = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn flag(&mut self) -> Result<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(corrupt()),
        }
    }

    fn short(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn number(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn long(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn time(&mut self) -> Result<Timestamp> {
        Ok(Timestamp { secs: i64::from_le_bytes(self.array()?), nanos: self.number()? })
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        let len = self.number()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or_else(corrupt)?;
        self.0 = rest;
        Ok(bytes.to_vec())
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| corrupt())
    }

    fn name(&mut self) -> Result<FileName> {
        FileName::new(self.bytes()?).map_err(|error| corrupt().with_source(error))
    }
}

fn corrupt() -> Error {
    Error::corrupt("a record of the session's journal cannot be understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        FileName::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn ops_survive_their_record_and_cut_ones_are_corrupt() {
        let time = Timestamp { secs: -5, nanos: 7 };
        let symlink = NewNode::Symlink(b"a/b"[..].into());
        let content = Content { size: 9, root: ContentRoot::List { id: ChunkId::of(b"x"), depth: 2 } };
        let totals = Totals { entries: 3, files: 2, bytes: 1 << 40 };
        let directory = Directory { id: ChunkId::of(b"d"), totals };
        let ops = [
            Op::Named { name: "0.7.3".into(), form: SessionForm::Workspace, created: time },
            Op::Info { json: b"{}".to_vec() },
            Op::Create { parent: 0, name: name("a"), node: 1, what: NewNode::File, mode: 0o644, time },
            Op::Create { parent: 0, name: name("l"), node: 2, what: symlink, mode: 0o777, time },
            Op::Link { from: 1, parent: 0, name: name("b"), node: 3, time },
            Op::Remove { parent: 0, name: name("a"), time },
            Op::Rename { from: (0, name("b")), to: (7, name("c")), exchange: true, time },
            Op::Change { node: 3, mode: None, mtime: Some(time), mark: Some(Mark::Finished) },
            Op::Change { node: 3, mode: Some(0o755), mtime: None, mark: None },
            Op::Xattr { node: 3, name: b"user.a".to_vec(), value: Some(vec![0; 300]) },
            Op::Xattr { node: 3, name: b"user.a".to_vec(), value: None },
            Op::Stored { node: 3, content },
            Op::Spooled { node: 3 },
            Op::Committing { root: ChunkId::of(b"r") },
            Op::Reopened { build: 7 },
            Op::Torn { node: 3, failed: true, why: Some("no room".into()) },
            Op::Torn { node: 3, failed: false, why: None },
            Op::Folded { node: 0, directory },
            Op::Unfold { node: 0, first: 1 << 20 },
            Op::Patched { node: 3, content, len: 8, own_end: 1 << 40, time },
            Op::Small { node: 3, start: 1 << 33, len: 4, time },
            Op::Own { node: 3, start: 1, end: u64::MAX },
            Op::Cut { node: 3, len: 4, time },
        ];
        for op in ops {
            let record = op.record();
            let bytes = &record[RECORD_HEADER_LEN..];
            assert_eq!(Op::parse(bytes).unwrap(), op);
            for len in 0..bytes.len() {
                assert!(Op::parse(&bytes[..len]).is_err(), "{op:?} cut at {len}");
            }
        }
    }
}
