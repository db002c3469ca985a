//! The fields of a recipe: numbers of seven bits a byte, lowest first, and runs of bytes with their length before them.

use crate::error::{Error, Result};

/// Appends `number` in one to ten bytes.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends the length of `bytes` and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes fields off the front of a recipe.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { rest: bytes }
    }

    /// Returns the next byte.
    ///
    /// # Errors
    /// `Corrupt` if there is none.
    pub fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self.rest.split_first().ok_or_else(short)?;
        self.rest = rest;
        Ok(first)
    }

    /// Returns the next number as a length.
    ///
    /// # Errors
    /// `Corrupt` if it ends too soon or is beyond 32 bits, more than anything in a chunk.
    pub fn len(&mut self) -> Result<usize> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let number =
                    u32::try_from(number).map_err(|_| Error::corrupt("a number in a recipe is beyond 32 bits"))?;
                return Ok(number as usize);
            }
        }
        Err(Error::corrupt("a number in a recipe is longer than any"))
    }

    /// Returns the next `len` bytes.
    ///
    /// # Errors
    /// `Corrupt` if there are fewer.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Returns the next run of bytes that has its length before it.
    ///
    /// # Errors
    /// `Corrupt` if it ends too soon.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    /// Tells whether everything was taken.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns everything not taken yet.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

fn short() -> Error {
    Error::corrupt("a recipe ends too soon")
}
