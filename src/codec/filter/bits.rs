//! Streams of bits, the highest of a byte first.

use super::bytes::damaged;
use crate::error::Result;

/// The most bits of one number.
pub(super) const MAX_BITS: u32 = 56;

/// Appends bits to bytes.
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, pending: 0, filled: 0 }
    }

    /// Appends the lowest `count` bits of `value`, which has no others.
    #[inline]
    pub(super) fn put(&mut self, value: u64, count: u32) {
        debug_assert!((1..=MAX_BITS).contains(&count) && value >> count == 0);
        let free = 64 - self.filled;
        if count < free {
            self.pending |= value << (free - count);
            self.filled += count;
        } else {
            let over = count - free;
            self.out.extend_from_slice(&(self.pending | value >> over).to_be_bytes());
            self.pending = if over == 0 { 0 } else { value << (64 - over) };
            self.filled = over;
        }
    }

    /// Writes what is pending, with zeros up to the next byte.
    pub(super) fn finish(self) {
        self.out.extend_from_slice(&self.pending.to_be_bytes()[..self.filled.div_ceil(8) as usize]);
    }
}

/// Reads bits; behind the end there are zeros, which [`BitReader::finish`] tells.
pub(super) struct BitReader {
    padded: Vec<u8>,
    len: usize,
    at: usize,
}

impl BitReader {
    pub(super) fn new(bytes: &[u8]) -> BitReader {
        let mut padded = Vec::with_capacity(bytes.len() + 8);
        padded.extend_from_slice(bytes);
        padded.extend_from_slice(&[0; 8]);
        BitReader { padded, len: bytes.len(), at: 0 }
    }

    /// Returns the next bits in the highest ones of the result, at least [`MAX_BITS`] of them.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        let byte = (self.at / 8).min(self.len);
        let window = *self.padded[byte..].first_chunk().expect("8 bytes stand behind the last");
        u64::from_be_bytes(window) << (self.at % 8)
    }

    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.at += count as usize;
    }

    /// Returns the next `count` bits, 1 to [`MAX_BITS`].
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u64 {
        let value = self.peek() >> (64 - count);
        self.skip(count);
        value
    }

    /// Refuses bits that went on behind the end, or ended before it.
    pub(super) fn finish(self) -> Result<()> {
        if self.at.div_ceil(8) == self.len { Ok(()) } else { Err(damaged()) }
    }
}
