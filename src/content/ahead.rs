//! Reading ahead of those who read a file from one end to the other.
//!
//! There are no handles here, so a reader is known by the file and by where he would read next; several may read one file.
//! Who reads on gets a window that doubles from [`FIRST_WINDOW`] to [`MAX_WINDOW`]; who jumps starts anew with none. The
//! chunks of the window are decoded by a [`Pool`] into the store's cache, which they may take a part of and no more.

use super::nodes::Nodes;
use super::pool::Pool;
use crate::id::ChunkId;
use crate::manifest::{Content, ContentRoot};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;

/// How far ahead a file is read when it is read from its start, or read on.
const FIRST_WINDOW: u64 = 256 << 10;

/// The farthest that is read ahead.
const MAX_WINDOW: u64 = 8 << 20;

/// All windows together may take this part of the cache of chunks: less than its colder half, in which they wait.
const CACHE_SHARE: u64 = 4;

/// What one thread reads ahead at a time: some eight chunks.
const STEP: u64 = 256 << 10;

/// A read that starts so many times its own length from where it was expected still goes on: the system asks for pieces out
/// of order.
const SLACK: u64 = 2;

/// Readers that are remembered, in all and of one file. A reader at random takes a place with every read.
const MAX_STREAMS: usize = 64;
const MAX_STREAMS_OF_FILE: usize = 8;

/// A reader of a file, as far as he can be told from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stream {
    file: ChunkId,
    /// Where he would read next.
    next: u64,
    /// Up to where is read ahead, at least `next` once it is.
    ahead: u64,
    /// How far ahead; 0 for one who was seen once.
    window: u64,
}

impl Stream {
    fn goes_on_with(&self, file: ChunkId, range: &Range<u64>) -> bool {
        self.file == file && self.next.abs_diff(range.start) <= SLACK * (range.end - range.start)
    }

    fn is_ahead(&self) -> bool {
        self.ahead > self.next
    }
}

/// The readers of late, the last one last.
#[derive(Default)]
struct Streams(Vec<Stream>);

/// What is known of a read before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// Its reader has read what lies before.
    goes_on: bool,
    /// What of the file is to be read ahead now.
    ahead: Range<u64>,
}

impl Streams {
    /// Takes note of a read of `range` in a file of `size` bytes; all windows together have `room` bytes.
    fn note(&mut self, file: ChunkId, size: u64, range: Range<u64>, room: u64) -> Seen {
        let known = self.0.iter().rposition(|stream| stream.goes_on_with(file, &range));
        let mut stream = match known {
            Some(index) => self.0.remove(index),
            None => Stream { file, next: range.start, ahead: 0, window: 0 },
        };
        self.make_room(file);
        let others = self.0.iter().filter(|stream| stream.is_ahead()).count() as u64;
        let most = (room / (others + 1)).min(MAX_WINDOW);
        stream.next = stream.next.max(range.end);
        let mut ahead = stream.next..stream.next;
        let reads_on = known.is_some() || range.start == 0;
        // Only when half of the window is used up: so it is asked for in large pieces.
        if reads_on && stream.ahead.saturating_sub(stream.next) <= stream.window / 2 {
            stream.window = (stream.window * 2).max(FIRST_WINDOW).min(most);
            ahead = stream.ahead.max(stream.next)..(stream.next + stream.window).min(size);
            stream.ahead = ahead.end.max(stream.ahead);
        }
        self.0.push(stream);
        Seen { goes_on: known.is_some(), ahead }
    }

    /// Tells whether nobody who reads the file will come to what lies before `end`.
    fn have_passed(&self, file: ChunkId, end: u64) -> bool {
        self.0.iter().all(|stream| stream.file != file || stream.next >= end)
    }

    /// Forgets the reader who has not read for the longest time where there are too many: of this file, else of all.
    fn make_room(&mut self, file: ChunkId) {
        let of_file = self.0.iter().filter(|stream| stream.file == file).count();
        let oldest = match of_file >= MAX_STREAMS_OF_FILE {
            true => self.0.iter().position(|stream| stream.file == file),
            false => (self.0.len() >= MAX_STREAMS).then_some(0),
        };
        oldest.map(|index| self.0.remove(index));
    }
}

/// Reads ahead for all readers of a vault.
pub(super) struct Ahead {
    streams: Arc<Mutex<Streams>>,
    /// Bytes that all windows together may have.
    room: u64,
    pool: Pool,
}

impl Ahead {
    /// Reads ahead into a cache of `chunk_bytes`.
    pub(super) fn new(chunk_bytes: u64) -> Ahead {
        Ahead { streams: Arc::default(), room: chunk_bytes / CACHE_SHARE, pool: Pool::default() }
    }

    /// Returns how many bytes all windows together may have.
    pub(super) fn room(&self) -> u64 {
        self.room
    }

    /// Takes note of a read that somebody is about to do, and starts to read ahead where that will be of use; tells
    /// whether he reads on where he was.
    pub(super) fn note(&self, nodes: &Arc<Nodes>, content: &Content, range: Range<u64>) -> bool {
        // What is one chunk is decoded whole by whoever reads of it.
        let ContentRoot::List { id: file, .. } = content.root else { return false };
        if self.room < FIRST_WINDOW {
            return false;
        }
        let Seen { goes_on, mut ahead } = self.streams.lock().note(file, content.size, range, self.room);
        while !ahead.is_empty() {
            let step = ahead.start..ahead.end.min(ahead.start + STEP);
            ahead.start = step.end;
            let (nodes, streams, content) = (nodes.clone(), self.streams.clone(), *content);
            let run = move || {
                // Who was faster than this thread has read it himself, and may have driven it out again.
                if !streams.lock().have_passed(file, step.end) {
                    read_ahead(&nodes, &content, step);
                }
            };
            if !self.pool.start(run) {
                break;
            }
        }
        goes_on
    }
}

/// Decodes the chunks of a file that start in `range`: steps that follow each other have no chunk in common.
fn read_ahead(nodes: &Nodes, content: &Content, range: Range<u64>) {
    let mut ids = Vec::new();
    let listed = nodes.for_each_extent(content, range.start, range.end - range.start, &mut |extent| {
        ids.extend(extent.id.filter(|_| extent.offset >= range.start));
        Ok(())
    });
    if let Err(error) = listed {
        tracing::debug!(%error, "a file cannot be read ahead");
    }
    nodes.store.read_ahead(&ids);
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const ROOM: u64 = 16 << 20;
    const SIZE: u64 = 1 << 30;

    fn file(name: u8) -> ChunkId {
        ChunkId::of(&[name])
    }

    #[test]
    fn window_of_one_who_reads_on_grows_to_its_bound_and_leaves_nothing_out() {
        let mut streams = Streams::default();
        let (mut at, mut ahead, mut widest) = (0, 128 * KIB, 0);
        while at < 256 << 20 {
            let seen = streams.note(file(1), SIZE, at..at + 128 * KIB, ROOM);
            at += 128 * KIB;
            assert_eq!(seen.goes_on, at > 128 * KIB);
            if !seen.ahead.is_empty() {
                assert_eq!(seen.ahead.start, ahead);
                ahead = seen.ahead.end;
            }
            assert!(ahead > at);
            widest = widest.max(ahead - at);
        }
        assert_eq!(widest, MAX_WINDOW);
        assert_eq!(streams.0.len(), 1);
    }

    #[test]
    fn nothing_is_read_ahead_past_the_end_of_a_file() {
        let mut streams = Streams::default();
        let seen = streams.note(file(1), 200 * KIB, 0..128 * KIB, ROOM);
        assert_eq!(seen.ahead, 128 * KIB..200 * KIB);
        let seen = streams.note(file(1), 200 * KIB, 128 * KIB..200 * KIB, ROOM);
        assert!(seen.ahead.is_empty());
    }

    #[test]
    fn readers_at_random_start_nothing_and_do_not_stop_the_others() {
        let mut streams = Streams::default();
        for n in 0..1000 {
            let at = n * 128 * KIB;
            let on = streams.note(file(1), SIZE, at..at + 128 * KIB, ROOM);
            assert_eq!(on.goes_on, n > 0);
            let place = (n + 1) * 7919 * KIB % SIZE + KIB;
            for random in [1, 2] {
                let far = place + (1 << 29);
                let seen = streams.note(file(random), SIZE, far..far + 4 * KIB, ROOM);
                assert!(seen.ahead.is_empty() || seen.goes_on, "{seen:?}");
            }
        }
        assert!(streams.0.len() <= MAX_STREAMS);
    }

    #[test]
    fn several_readers_of_one_file_share_the_room() {
        let mut streams = Streams::default();
        let mut ahead = [0; 4];
        for n in 0..200 {
            for reader in 0..4 {
                let at = (reader << 27) + n * 128 * KIB;
                let seen = streams.note(file(1), SIZE, at..at + 128 * KIB, ROOM);
                assert_eq!(seen.goes_on, n > 0);
                ahead[reader as usize] = seen.ahead.end.max(ahead[reader as usize]) - at;
                ahead[reader as usize] += at;
            }
        }
        let total: u64 = streams.0.iter().map(|stream| stream.ahead - stream.next).sum();
        assert!(total > 4 * FIRST_WINDOW && total <= ROOM, "{total}");
    }

    #[test]
    fn pieces_asked_for_out_of_order_are_one_reader() {
        let mut streams = Streams::default();
        for n in [0, 2, 1, 4, 3, 6, 5] {
            let at = n * 128 * KIB;
            assert_eq!(streams.note(file(1), SIZE, at..at + 128 * KIB, ROOM).goes_on, n > 0);
        }
        assert_eq!(streams.0.len(), 1);
    }
}
