//! Runs of LZ4 blocks, as asset bundles have them: plain text is what they decode to, the recipe which encoder wrote each.
//!
//! LZ4 has one reference encoder, so a block comes back bit for bit by encoding it again at the right level. Levels are
//! tried once: a file is written at one level, and what worked for the last block is tried first for the next.
//!
//! The body of a recipe, block after block to its end:
//!
//! | size | meaning                                                              |
//! |------|----------------------------------------------------------------------|
//! | 1    | encoder: 0 none (stored as it is), 1 fast, 2 to 12 high compression  |
//! | 1-5  | plain length of the block                                            |

use super::fields::{Fields, put_number};
use super::{Hint, MAX_PLAIN_LEN, Refusal};
use crate::error::{Error, Result};
use lz4::block::{CompressionMode, compress_bound, compress_to_buffer, decompress_to_buffer};

/// The most plain bytes of one block; Unity writes 128 KiB, other writers up to 4 MiB.
const MAX_BLOCK_LEN: usize = 4 << 20;

/// Encoders in the order of how often they are met: 9 is what Unity and most tools use, 12 the strongest, 1 the fast one.
const ENCODERS: [u8; 12] = [9, 12, 1, 10, 11, 8, 7, 6, 5, 4, 3, 2];

const STORED: u8 = 0;
const FAST: u8 = 1;
const STRONGEST: u8 = 12;

/// One block of a run, as the container's own list tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Bytes in the container.
    pub stored_len: u32,
    /// Bytes once decoded; equal to `stored_len` where nothing is compressed.
    pub plain_len: u32,
    /// Whether the bytes are LZ4 and not the plain ones.
    pub is_compressed: bool,
}

/// Returns the plain bytes of a run of blocks.
pub(super) fn plain(blocks: &[Block], stored: &[u8]) -> std::result::Result<Vec<u8>, Refusal> {
    let total: usize = blocks.iter().map(|block| block.plain_len as usize).sum();
    if total > MAX_PLAIN_LEN || blocks.iter().any(|block| block.plain_len as usize > MAX_BLOCK_LEN) {
        return Err(Refusal::TooLarge);
    }
    let mut plain = vec![0; total];
    let (mut from, mut to) = (stored, plain.as_mut_slice());
    for block in blocks {
        let (bytes, rest) = from.split_at_checked(block.stored_len as usize).ok_or(Refusal::NotThisFormat)?;
        let (out, free) = to.split_at_mut(block.plain_len as usize);
        (from, to) = (rest, free);
        if !block.is_compressed {
            if bytes.len() != out.len() {
                return Err(Refusal::NotThisFormat);
            }
            out.copy_from_slice(bytes);
        } else if decompress_to_buffer(bytes, Some(block.plain_len as i32), out).ok() != Some(out.len()) {
            return Err(Refusal::NotThisFormat);
        }
    }
    if from.is_empty() { Ok(plain) } else { Err(Refusal::NotThisFormat) }
}

/// Returns the recipe's body for a run that was written by the encoder that `hint` tells, which is to be proved.
pub(super) fn likely_recipe(blocks: &[Block], hint: &Hint) -> Option<Vec<u8>> {
    let encoder = hint.encoder?;
    let mut body = Vec::new();
    for block in blocks {
        body.push(if block.is_compressed { encoder } else { STORED });
        put_number(&mut body, u64::from(block.plain_len));
    }
    Some(body)
}

/// Returns the recipe's body for a run that decodes to `plain`, and keeps in `hint` which encoder wrote it.
pub(super) fn recipe(
    blocks: &[Block],
    stored: &[u8],
    plain: &[u8],
    hint: &mut Hint,
) -> std::result::Result<Vec<u8>, Refusal> {
    let mut body = Vec::with_capacity(blocks.len() * 4);
    let mut buffer = Vec::new();
    let (mut from, mut text) = (stored, plain);
    for block in blocks {
        let (bytes, rest) = from.split_at(block.stored_len as usize);
        let (part, after) = text.split_at(block.plain_len as usize);
        (from, text) = (rest, after);
        let encoder = if block.is_compressed {
            let mut order = hint.encoder.into_iter().chain(ENCODERS.into_iter().filter(|&e| Some(e) != hint.encoder));
            let encoder = order.find(|&encoder| {
                buffer.clear();
                encode(encoder, part, &mut buffer).is_ok() && buffer == bytes
            });
            let encoder = encoder.ok_or(Refusal::NotExact)?;
            hint.encoder = Some(encoder);
            encoder
        } else {
            STORED
        };
        body.push(encoder);
        put_number(&mut body, u64::from(block.plain_len));
    }
    Ok(body)
}

/// Re-creates the run from the body of its recipe.
pub(super) fn recreate(body: &[u8], plain: &[u8], stored_len: usize) -> Result<Vec<u8>> {
    let mut fields = Fields::new(body);
    let mut text = Fields::new(plain);
    let mut out = Vec::with_capacity(stored_len);
    while !fields.is_empty() {
        let encoder = fields.byte()?;
        let part = text.take(fields.len()?)?;
        match encoder {
            STORED => out.extend_from_slice(part),
            FAST..=STRONGEST => encode(encoder, part, &mut out)?,
            _ => return Err(Error::corrupt(format!("the LZ4 encoder {encoder} is unknown to this version"))),
        }
        // Blocks of nothing would add bytes for ever.
        if out.len() > stored_len {
            return Err(Error::corrupt("LZ4 blocks come out longer than they were"));
        }
    }
    Ok(out)
}

/// Appends one block as the numbered encoder writes it.
fn encode(encoder: u8, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mode = match encoder {
        FAST => CompressionMode::DEFAULT,
        level => CompressionMode::HIGHCOMPRESSION(i32::from(level)),
    };
    let failed = |error| Error::corrupt("an LZ4 block cannot be encoded").with_source(error);
    let start = out.len();
    out.resize(start + compress_bound(plain.len()).map_err(failed)?, 0);
    let len = compress_to_buffer(plain, Some(mode), false, &mut out[start..]).map_err(failed)?;
    out.truncate(start + len);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Opener, open, recreate};
    use super::*;
    use crate::codec::opened::tests::text;
    use crate::error::ErrorKind;

    /// Blocks of `plain` as a file written by the encoder `encoder` has them.
    fn blocks(encoder: u8, plain: &[u8]) -> (Vec<Block>, Vec<u8>) {
        let mut stored = Vec::new();
        let blocks = plain.chunks(40_000).map(|part| {
            let start = stored.len();
            match encoder {
                STORED => stored.extend_from_slice(part),
                encoder => encode(encoder, part, &mut stored).unwrap(),
            }
            let stored_len = (stored.len() - start) as u32;
            Block { stored_len, plain_len: part.len() as u32, is_compressed: encoder != STORED }
        });
        (blocks.collect(), stored)
    }

    #[test]
    fn blocks_of_every_encoder_come_back() {
        let text = text(100_000);
        for encoder in 0..=STRONGEST {
            let (blocks, stored) = blocks(encoder, &text);
            let mut hint = Hint::default();
            let opener = Opener::Lz4 { blocks: &blocks };
            let pieces = open(opener, &stored, &mut hint).unwrap();
            assert_eq!(pieces.len(), 1);
            assert_eq!(pieces[0].plain, text);
            assert!(pieces[0].recipe.len() < 40, "encoder {encoder}: {} bytes", pieces[0].recipe.len());
            assert_eq!(recreate(&pieces[0].recipe, &text, stored.len()).unwrap(), stored);
            assert_eq!(super::super::plain(opener, &stored).unwrap(), text);
            assert_eq!(hint.encoder.is_some(), encoder != STORED);
        }
    }

    #[test]
    fn the_encoder_of_one_block_is_tried_first_for_the_next() {
        let text = text(80_000);
        let (blocks, stored) = blocks(4, &text);
        let mut hint = Hint { encoder: Some(4) };
        let body = recipe(&blocks, &stored, &text, &mut hint).unwrap();
        assert_eq!((body[0], hint.encoder), (4, Some(4)));
    }

    #[test]
    fn a_block_of_another_encoder_stays_closed() {
        // A hundred literals, all the same: valid, but nothing writes it like that.
        let stored = [&[0xf0, 85][..], &[b'a'; 100]].concat();
        let blocks = [Block { stored_len: 102, plain_len: 100, is_compressed: true }];
        let opener = Opener::Lz4 { blocks: &blocks };
        assert_eq!(super::super::plain(opener, &stored).unwrap(), [b'a'; 100]);
        assert_eq!(open(opener, &stored, &mut Hint::default()), Err(Refusal::NotExact));
    }

    #[test]
    fn blocks_that_lie_are_refused() {
        let text = text(50_000);
        let (blocks, stored) = blocks(9, &text);
        for (stored_len, plain_len) in [(0, 40_000), (1, 40_000), (u32::MAX, 40_000), (100, 0), (100, 39_999)] {
            let lying = [Block { stored_len, plain_len, is_compressed: true }, blocks[1]];
            assert_eq!(plain(&lying, &stored), Err(Refusal::NotThisFormat));
        }
        let huge = [Block { stored_len: 9, plain_len: u32::MAX, is_compressed: true }];
        assert_eq!(plain(&huge, &stored), Err(Refusal::TooLarge));
        assert_eq!(plain(&blocks[..1], &stored), Err(Refusal::NotThisFormat));
    }

    #[test]
    fn bodies_that_lie_are_corrupt() {
        for body in [&[9, 200, 1][..], &[13, 5], &[9], &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert_eq!(recreate_body_kind(body, &[7; 100], 50), ErrorKind::Corrupt, "{body:?}");
        }
        // Blocks of nothing are cut off where the chunk ends.
        assert_eq!(recreate_body_kind(&[9, 0].repeat(1000), &[], 50), ErrorKind::Corrupt);
    }

    fn recreate_body_kind(body: &[u8], plain: &[u8], stored_len: usize) -> ErrorKind {
        super::recreate(body, plain, stored_len).unwrap_err().kind()
    }
}
