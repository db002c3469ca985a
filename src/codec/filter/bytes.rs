//! The parameters in front of a filtered chunk: bytes and numbers of 7 bits a byte, lowest first.

use crate::error::{Error, Result};

/// Numbers are lengths and offsets in a chunk, or lengths of rows: this is enough for all, and sums cannot overflow.
const MAX_NUMBER: usize = (1 << 28) - 1;

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    debug_assert!(value <= MAX_NUMBER);
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads from the front of stored bytes.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(stored: &'a [u8]) -> Reader<'a> {
        Reader { rest: stored }
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.rest.split_first().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn varint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(damaged())
    }

    /// Returns all that was not read.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Refuses the parameters read so far unless `sound`.
    pub(super) fn require(&self, sound: bool) -> Result<()> {
        if sound { Ok(()) } else { Err(damaged()) }
    }
}

pub(super) fn damaged() -> Error {
    Error::corrupt("the parameters of a filtered chunk make no sense")
}
