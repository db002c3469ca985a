//! The bytes of the `ring` file: a header, then records one behind the other, around and around.
//!
//! All numbers are little-endian. A *position* counts bytes from the beginning of the session and never falls; its place in
//! the file is `HEADER_LEN + position % capacity`. A record may go over the end of the file and on behind the header.
//!
//! ```text
//! OFFSET SIZE MEANING                                   header
//!      0    8 MAGIC
//!      8    8 capacity: bytes for records, a power of two
//!     16    8 freed: all before this position is zero again and may be written over
//!     24    8 alive: nanoseconds since the start when the writer was last seen
//!     32    8 dropped: what found no room, from the start
//!     40    8 exit: how the game said that it ended, 0 before
//!     64   48 a checkpoint
//!    128   48 a checkpoint; the one with the larger number counts
//!   4096      records
//!
//! OFFSET SIZE MEANING                                   checkpoint
//!      0    8 number
//!      8    8 tail: all before this position is in the files
//!     16    8 length of events.jsonl at that time
//!     24    8 length of log.txt at that time
//!     32    8 dropped: how many of these events.jsonl tells of
//!     40    8 checksum of the words before, one after the other
//!
//! OFFSET SIZE MEANING                                   record
//!      0    8 its position + 1; written last: before, the record does not count
//!      8    8 nanoseconds since the start
//!     16    4 checksum of bytes 8..16 and 20..24, the name, and the body
//!     20    2 length of the body
//!     22    1 length of the name
//!     23    1 kind; the highest bit: the body was cut
//!     24      name, body, zeros up to a multiple of 8
//! ```
//!
//! Checksums are SeaHash: a CRC of so few bytes is looked up in tables of 16 KiB, which are in no cache of the processor when
//! a game records its first event in a frame.
//!
//! The bytes between the last record and `freed + capacity` are zero, so a word there is never taken for a record's first.

/// The first bytes of the file; the last one is the version.
pub const MAGIC: u64 = u64::from_le_bytes(*b"gv-ring\x01");
pub const HEADER_LEN: usize = 4096;
pub const CAPACITY: u64 = 8;
pub const FREED: u64 = 16;
pub const ALIVE: u64 = 24;
pub const DROPPED: u64 = 32;
pub const EXIT: u64 = 40;
pub const CHECKPOINTS: [u64; 2] = [64, 128];

/// The bytes of a record before its name.
pub const RECORD_HEADER_LEN: usize = 24;

/// The longest name that is kept: an event's, a mark's tag.
pub const MAX_NAME_LEN: usize = 128;

/// The longest body that is kept: an event's fields, a text.
pub const MAX_BODY_LEN: usize = 16 << 10;

const CUT: u8 = 0x80;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Event = 1,
    Mark = 2,
    Log = 3,
}

/// How a session ended, as the game says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Exit {
    Clean = 1,
    Crash = 2,
    Killed = 3,
}

impl Exit {
    /// Returns the word for session.json.
    pub fn word(self) -> &'static str {
        match self {
            Exit::Clean => "clean",
            Exit::Crash => "crash",
            Exit::Killed => "killed",
        }
    }

    pub fn from_number(number: u64) -> Option<Exit> {
        [Exit::Clean, Exit::Crash, Exit::Killed].into_iter().find(|exit| *exit as u64 == number)
    }
}

/// What of the ring is in the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub number: u64,
    pub tail: u64,
    pub events_len: u64,
    pub log_len: u64,
    pub dropped: u64,
}

impl Checkpoint {
    /// Returns the words of the table above.
    pub fn words(&self) -> [u64; 6] {
        let words = [self.number, self.tail, self.events_len, self.log_len, self.dropped];
        let check = words.iter().fold(0, |check, word| hash(&word.to_le_bytes(), check, 0));
        let [number, tail, events_len, log_len, dropped] = words;
        [number, tail, events_len, log_len, dropped, check]
    }

    /// Returns what the words say; `None` when they were written in part.
    pub fn from_words(words: [u64; 6]) -> Option<Checkpoint> {
        let [number, tail, events_len, log_len, dropped, _] = words;
        let checkpoint = Checkpoint { number, tail, events_len, log_len, dropped };
        (checkpoint.words() == words).then_some(checkpoint)
    }
}

/// The second and third word of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    pub nanos: u64,
    pub kind: u8,
    pub name_len: u8,
    pub body_len: u16,
}

impl RecordHeader {
    /// Describes what is to be put: the name and body must not be longer than the largest.
    pub fn new(kind: Kind, is_cut: bool, nanos: u64, name: &[u8], body: &[u8]) -> RecordHeader {
        let kind = if is_cut { kind as u8 | CUT } else { kind as u8 };
        RecordHeader { nanos, kind, name_len: name.len() as u8, body_len: body.len() as u16 }
    }

    /// Returns the header of the words, with the checksum that they name.
    pub fn from_words(nanos: u64, word: u64) -> (RecordHeader, u32) {
        let [c0, c1, c2, c3, b0, b1, name_len, kind] = word.to_le_bytes();
        let header = RecordHeader { nanos, kind, name_len, body_len: u16::from_le_bytes([b0, b1]) };
        (header, u32::from_le_bytes([c0, c1, c2, c3]))
    }

    /// Returns the third word: the checksum and the lengths.
    pub fn word(&self, name: &[u8], body: &[u8]) -> u64 {
        u64::from(self.checksum(name, body)) | u64::from(self.lengths()) << 32
    }

    /// Returns the checksum of the record.
    pub fn checksum(&self, name: &[u8], body: &[u8]) -> u32 {
        let of_name = hash(name, self.nanos, u64::from(self.lengths()));
        hash(body, of_name, 0) as u32
    }

    /// Returns the bytes of the whole record.
    pub fn record_len(&self) -> u64 {
        let content = self.content_len();
        (RECORD_HEADER_LEN + content.next_multiple_of(8)) as u64
    }

    /// Returns the bytes of the name and body.
    pub fn content_len(&self) -> usize {
        usize::from(self.name_len) + usize::from(self.body_len)
    }

    /// Returns what the record is; `None` for a kind that this version does not know.
    pub fn kind(&self) -> Option<Kind> {
        [Kind::Event, Kind::Mark, Kind::Log].into_iter().find(|kind| *kind as u8 == self.kind & !CUT)
    }

    pub fn is_cut(&self) -> bool {
        self.kind & CUT != 0
    }

    fn lengths(&self) -> u32 {
        let [b0, b1] = self.body_len.to_le_bytes();
        u32::from_le_bytes([b0, b1, self.name_len, self.kind])
    }
}

/// Returns the SeaHash of `bytes`, of which the two numbers are a part.
fn hash(bytes: &[u8], one: u64, other: u64) -> u64 {
    // Two of its own seeds, so that no number undoes another.
    seahash::hash_seeded(bytes, one, other, 0x14f994a4c5259381, 0xbb8bbb4de61a2a0d)
}
