//! Records of one length (vertices, key frames, table rows) become columns: byte k of all, then byte k + 1 of all.
//!
//! A column may hold the differences from one record to the next instead of its bytes.

use super::bytes::{Reader, put_varint};
use crate::error::Result;

/// The longest record.
pub(super) const MAX_RECORD_LEN: usize = 128;

/// Bytes of plain text whose columns are written in turn, so that all of it stays in the first cache.
const TILE_LEN: usize = 8192;

/// Where the records of a chunk begin. The bytes before, and the cut record at the end, stand first as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Records {
    pub start: usize,
    pub record_len: usize,
    pub delta: bool,
}

impl Records {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push((self.record_len % MAX_RECORD_LEN) as u8 | u8::from(self.delta) << 7);
        put_varint(out, self.start);
    }

    pub(super) fn read(reader: &mut Reader<'_>, plain_len: usize) -> Result<Records> {
        let flags = reader.byte()?;
        // The longest length is written as 0.
        let record_len = if flags & 0x7f == 0 { MAX_RECORD_LEN } else { usize::from(flags & 0x7f) };
        let records = Records { start: reader.varint()?, record_len, delta: flags >> 7 == 1 };
        reader.require(records.start <= plain_len)?;
        Ok(records)
    }

    /// Appends to `out` as many bytes as `plain` has.
    pub(super) fn apply(&self, plain: &[u8], out: &mut Vec<u8>) {
        let (head, rest) = plain.split_at(self.start);
        let records = rest.chunks_exact(self.record_len);
        out.extend_from_slice(head);
        out.extend_from_slice(records.remainder());
        for column in 0..self.record_len {
            let bytes = records.clone().map(|record| record[column]);
            if self.delta {
                out.extend(bytes.scan(0u8, |before, byte| Some(byte.wrapping_sub(std::mem::replace(before, byte)))));
            } else {
                out.extend(bytes);
            }
        }
    }

    /// Returns the plain bytes; `coded` must be as long as [`Records::read`] was told.
    pub(super) fn undo(&self, coded: &[u8]) -> Vec<u8> {
        let mut plain = vec![0; coded.len()];
        let count = (coded.len() - self.start) / self.record_len;
        let (gaps, columns) = coded.split_at(coded.len() - count * self.record_len);
        plain[..self.start].copy_from_slice(&gaps[..self.start]);
        let (records, tail) = plain[self.start..].split_at_mut(count * self.record_len);
        tail.copy_from_slice(&gaps[self.start..]);

        let mut sums = [0u8; MAX_RECORD_LEN];
        let per_tile = TILE_LEN / self.record_len;
        for (index, tile) in records.chunks_mut(per_tile * self.record_len).enumerate() {
            let first = index * per_tile;
            let tile_count = tile.len() / self.record_len;
            for (column, sum) in sums[..self.record_len].iter_mut().enumerate() {
                let bytes = &columns[column * count + first..][..tile_count];
                if self.delta {
                    for (record, byte) in tile.chunks_exact_mut(self.record_len).zip(bytes) {
                        *sum = sum.wrapping_add(*byte);
                        record[column] = *sum;
                    }
                } else {
                    for (record, byte) in tile.chunks_exact_mut(self.record_len).zip(bytes) {
                        record[column] = *byte;
                    }
                }
            }
        }
        plain
    }
}
