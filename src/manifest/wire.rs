//! Reading and writing the numbers, ids and byte strings of manifest nodes.
//!
//! A [`Cursor`] never reads past its bytes and never trusts a length: every failure is a `Corrupt` error.

use crate::error::{Error, Result};
use crate::id::ChunkId;
use crate::manifest::Timestamp;

pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    put_number(out, ((time.secs << 1) ^ (time.secs >> 63)) as u64);
    put_number(out, time.nanos.into());
}

/// A place in the bytes of one node.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// Starts at the first of `bytes`; `what` names the node in errors.
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Cursor<'a> {
        Cursor { rest: bytes, what }
    }

    pub(super) fn corrupt(&self, why: &str) -> Error {
        Error::corrupt(format!("a {} {why}", self.what))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        if self.rest.len() < len {
            return Err(self.corrupt("ends too early"));
        }
        let (head, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.corrupt("holds a number beyond 64 bits"))
    }

    /// Reads a count of things of which each takes at least `min_len` bytes; more than `max`, or more than there are
    /// bytes for, is refused before anything is allocated.
    pub(super) fn count(&mut self, max: usize, min_len: usize) -> Result<usize> {
        let count = self.number()?;
        if count > max as u64 || count.saturating_mul(min_len as u64) > self.rest.len() as u64 {
            return Err(self.corrupt("holds an impossible count"));
        }
        Ok(count as usize)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.number()?;
        if len > self.rest.len() as u64 {
            return Err(self.corrupt("ends too early"));
        }
        self.take(len as usize)
    }

    pub(super) fn id(&mut self) -> Result<ChunkId> {
        ChunkId::from_slice(self.take(ChunkId::LEN)?)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp> {
        let secs = self.number()?;
        let secs = (secs >> 1) as i64 ^ -((secs & 1) as i64);
        match self.number()? {
            nanos @ 0..1_000_000_000 => Ok(Timestamp { secs, nanos: nanos as u32 }),
            _ => Err(self.corrupt("holds an impossible time")),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(self.corrupt("has bytes after its end")),
        }
    }
}

/// Returns where to cut a row of items into nodes: the ends of all nodes, in order.
///
/// An item ends its node when its hash falls into one of `average` and the node has at least `average / 4` items, or
/// when the node has `average * 4`. The cuts depend on the items alone, so a change moves only the cuts around it.
pub(super) fn cut_nodes(hashes: impl ExactSizeIterator<Item = u64>, average: usize) -> Vec<usize> {
    let len = hashes.len();
    let mut ends = Vec::with_capacity(len / average + 1);
    let mut start = 0;
    for (index, hash) in hashes.enumerate() {
        if ends_node(index + 1 - start, hash, average) {
            start = index + 1;
            ends.push(start);
        }
    }
    if start < len || len == 0 {
        ends.push(len);
    }
    ends
}

/// Tells whether an item with `hash`, the `count`-th of its node, is the node's last.
pub(super) fn ends_node(count: usize, hash: u64, average: usize) -> bool {
    count >= average * 4 || (count >= average / 4 && hash.is_multiple_of(average as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_survive() {
        for value in [0, 1, 127, 128, 300, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, value);
            assert_eq!(Cursor::new(&out, "test").number().unwrap(), value);
        }
        for secs in [0, -1, i64::MIN, i64::MAX, 1_700_000_000] {
            let mut out = Vec::new();
            put_time(&mut out, Timestamp { secs, nanos: 5 });
            assert_eq!(Cursor::new(&out, "test").time().unwrap(), Timestamp { secs, nanos: 5 });
        }
    }

    #[test]
    fn overlong_numbers_are_corrupt() {
        assert!(Cursor::new(&[0xff; 10], "test").number().is_err());
        assert!(Cursor::new(&[0x80; 3], "test").number().is_err());
    }

    #[test]
    fn cuts_cover_all_items_once() {
        let hashes: Vec<u64> = (0..1000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).collect();
        let ends = cut_nodes(hashes.iter().copied(), 16);
        assert_eq!(*ends.last().unwrap(), 1000);
        assert!(ends.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= 64));
        assert_eq!(cut_nodes([].into_iter(), 16), vec![0]);
    }
}
