//! What is stored of an opened chunk: where the text of its bases comes from, its recipe, and the difference.
//!
//! ```text
//! stored bytes of an opened chunk; numbers are of 7 bits a byte, lowest first
//! 1      how the bases are read: 0 one by one, 1 deflate, 2 gzip, 3 PNG
//! …      of one by one: number of bases, then for each its number of LZ4 blocks, 0 of a piece of another kind that is
//!        opened itself, and for each block its stored length × 2 + is it compressed, and its plain length
//! …      of deflate: bytes in the bases before the stream
//! …      of what the bases say, so much is left out, and so much is used
//! 1      how the text is stored: any encoding of a chunk but opened
//! …      recipe, length of the text, difference: see `codec::opened::Payload`
//! ```

use super::fields::{Fields, put_number};
use super::{Lz4Block, Payload, check_text, recreate};
use crate::codec::{Encoding, decode};
use crate::error::{Error, Result};
use std::ops::Range;

/// Bases of one chunk, at most.
const MAX_RUNS: usize = 255;

/// Blocks of one run, at most; what a chunk of the longest length has of 4 KiB each.
const MAX_BLOCKS: usize = 1 << 12;

/// How the text of bases is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Each for itself: a run of whole LZ4 blocks, or, without any, a piece that is opened itself.
    Each(Vec<Vec<Lz4Block>>),
    /// Together they are the start of a deflate stream, behind `lead_len` other bytes.
    Deflate {
        /// Bytes before the stream.
        lead_len: usize,
    },
    /// Together they are a gzip member.
    Gzip,
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
            0 => Reading::Each(parse_runs(&mut fields)?),
            1 => Reading::Deflate { lead_len: fields.len()? },
            2 => Reading::Gzip,
            3 => Reading::Png,
            number => return Err(Error::corrupt(format!("an opened chunk has bases of the unknown kind {number}"))),
        };
        let (start, len) = (fields.len()?, fields.len()?);
        let encoding = match Encoding::from_number(fields.byte()?)? {
            Encoding::Opened => {
                return Err(Error::corrupt("the text of an opened chunk is in an encoding that it cannot have"));
            }
            encoding => encoding,
        };
        let window = start..start.saturating_add(len);
        Ok(Form { base: BaseText { reading, window }, encoding, payload: Payload::decode(fields.rest())? })
    }

    /// Returns what the chunk says, given what its bases say.
    ///
    /// # Errors
    /// `Corrupt` if the difference does not decode to the text that was proved.
    pub fn text(&self, base: &[u8]) -> Result<Vec<u8>> {
        let text = decode(self.encoding, self.payload.delta, base, self.payload.plain_len)?;
        check_text(self.payload.recipe, &text)?;
        Ok(text)
    }

    /// Returns the bytes of the chunk, given what its bases say.
    ///
    /// # Errors
    /// `Corrupt` if recipe, difference and bases do not make `plain_len` bytes.
    pub fn bytes(&self, base: &[u8], plain_len: usize) -> Result<Vec<u8>> {
        recreate(self.payload.recipe, &self.text(base)?, plain_len)
    }
}

fn parse_runs(fields: &mut Fields<'_>) -> Result<Vec<Vec<Lz4Block>>> {
    match fields.len()? {
        count @ 0..=MAX_RUNS => (0..count).map(|_| parse_blocks(fields)).collect(),
        count => Err(Error::corrupt(format!("an opened chunk has {count} bases, more than any"))),
    }
}

fn parse_blocks(fields: &mut Fields<'_>) -> Result<Vec<Lz4Block>> {
    let count = fields.len()?;
    if count > MAX_BLOCKS {
        return Err(Error::corrupt(format!("an opened chunk has {count} blocks before it, more than any")));
    }
    let mut blocks = Vec::new();
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
            Reading::Each(runs) => {
                out.push(0);
                put_number(out, runs.len() as u64);
                for blocks in runs {
                    put_number(out, blocks.len() as u64);
                    for block in blocks {
                        put_number(out, u64::from(block.stored_len) << 1 | u64::from(block.is_compressed));
                        put_number(out, block.plain_len.into());
                    }
                }
            }
            Reading::Deflate { lead_len } => {
                out.push(1);
                put_number(out, *lead_len as u64);
            }
            Reading::Gzip => out.push(2),
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
