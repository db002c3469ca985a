//! What is stored of an opened chunk: where the text of its bases comes from, its recipe, and the difference.
//!
//! ```text
//! stored bytes of an opened chunk; numbers are of 7 bits a byte, lowest first
//! 1      how the bases are read: 0 they are opened themselves, 1 LZ4 blocks, 2 deflate, 3 PNG
//! …      of LZ4: number of blocks, then for each its stored length × 2 + is it compressed, and its plain length
//! …      of deflate: bytes in the bases before the stream
//! …      of what the bases say, so much is left out, and so much is used
//! 1      how the text is stored: encoding 2 or 3 of a chunk
//! …      recipe, length of the text, difference: see `codec::opened::Payload`
//! ```

use super::fields::{Fields, put_number};
use super::{Lz4Block, Payload, recreate};
use crate::codec::{Encoding, decode};
use crate::error::{Error, Result};
use std::ops::Range;

/// Blocks of one run, at most; what a chunk of the longest length has of 4 KiB each.
const MAX_BLOCKS: usize = 1 << 12;

/// How the text of bases is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// They are opened themselves.
    Opened,
    /// They are runs of whole LZ4 blocks.
    Lz4(Vec<Lz4Block>),
    /// Together they are the start of a deflate stream, behind `lead_len` other bytes.
    Deflate {
        /// Bytes before the stream.
        lead_len: usize,
    },
    /// Together they are a PNG picture.
    Png,
}

/// Which text an opened chunk is a difference to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseText {
    /// How it is had.
    pub reading: Reading,
    /// The part of it that is used.
    pub window: Range<usize>,
}

/// The parts of the stored bytes of an opened chunk.
pub struct Form<'a> {
    /// Which text it is a difference to.
    pub base: BaseText,
    encoding: Encoding,
    payload: Payload<'a>,
}

impl<'a> Form<'a> {
    /// Takes stored bytes apart.
    ///
    /// # Errors
    /// `Corrupt` if they are none of an opened chunk.
    pub fn parse(bytes: &'a [u8]) -> Result<Form<'a>> {
        let mut fields = Fields::new(bytes);
        let reading = match fields.byte()? {
            0 => Reading::Opened,
            1 => Reading::Lz4(parse_blocks(&mut fields)?),
            2 => Reading::Deflate { lead_len: fields.len()? },
            3 => Reading::Png,
            number => return Err(Error::corrupt(format!("an opened chunk has bases of the unknown kind {number}"))),
        };
        let (start, len) = (fields.len()?, fields.len()?);
        let encoding = match Encoding::from_number(fields.byte()?)? {
            encoding @ (Encoding::Prefix | Encoding::Differences) => encoding,
            _ => return Err(Error::corrupt("the text of an opened chunk is in an encoding that it cannot have")),
        };
        let window = start..start.saturating_add(len);
        Ok(Form { base: BaseText { reading, window }, encoding, payload: Payload::decode(fields.rest())? })
    }

    /// Returns what the chunk says, given what its bases say.
    ///
    /// # Errors
    /// `Corrupt` if the difference does not decode.
    pub fn text(&self, base: &[u8]) -> Result<Vec<u8>> {
        decode(self.encoding, self.payload.delta, base, self.payload.plain_len)
    }

    /// Returns the bytes of the chunk, given what its bases say.
    ///
    /// # Errors
    /// `Corrupt` if recipe, difference and bases do not make `plain_len` bytes.
    pub fn bytes(&self, base: &[u8], plain_len: usize) -> Result<Vec<u8>> {
        recreate(self.payload.recipe, &self.text(base)?, plain_len)
    }
}

fn parse_blocks(fields: &mut Fields<'_>) -> Result<Vec<Lz4Block>> {
    let count = fields.len()?;
    if count > MAX_BLOCKS {
        return Err(Error::corrupt(format!("an opened chunk has {count} blocks before it, more than any")));
    }
    let mut blocks = Vec::with_capacity(count);
    for _ in 0..count {
        let (stored, plain_len) = (fields.len()? as u32, fields.len()? as u32);
        blocks.push(Lz4Block { stored_len: stored >> 1, plain_len, is_compressed: stored & 1 == 1 });
    }
    Ok(blocks)
}

impl BaseText {
    /// Appends the bytes that [`Form::parse`] reads first.
    fn put(&self, out: &mut Vec<u8>) {
        match &self.reading {
            Reading::Opened => out.push(0),
            Reading::Lz4(blocks) => {
                out.push(1);
                put_number(out, blocks.len() as u64);
                for block in blocks {
                    put_number(out, u64::from(block.stored_len) << 1 | u64::from(block.is_compressed));
                    put_number(out, block.plain_len.into());
                }
            }
            Reading::Deflate { lead_len } => {
                out.push(2);
                put_number(out, *lead_len as u64);
            }
            Reading::Png => out.push(3),
        }
        put_number(out, self.window.start as u64);
        put_number(out, self.window.len() as u64);
    }
}

/// Returns the stored bytes of an opened chunk, whose text is in `encoding` a difference to `base`.
pub fn stored(base: &BaseText, encoding: Encoding, payload: &Payload<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    base.put(&mut out);
    out.push(encoding as u8);
    out.extend(payload.encode());
    out
}
