//! Deflate streams in segments: plain text is what a segment says, the recipe how the encoder decided otherwise than
//! preflate predicts.
//!
//! A stream is cut at boundaries of its blocks, so that reading a little re-creates a segment and never the whole. What
//! a segment refers back to, up to 32 KiB, is put before it as a stored block, and its end is closed by an empty block;
//! that is a whole stream again, which preflate can analyse and re-create without the segments before. Stored blocks
//! lie at whole bytes, so a segment must begin at the bit of the byte where it began: empty blocks of ten bits stand
//! before it, which is why cuts are made at even bits only.
//!
//! The body of a recipe:
//!
//! | size  | meaning                                                                     |
//! |-------|-----------------------------------------------------------------------------|
//! | 1-5 + | length of the bytes before the stream (a header of gzip or zlib), the bytes |
//! | 1-5 + | length of the bytes behind it (a checksum), the bytes                       |
//! | 1-3   | bytes of the plain text that only serve to be referred to                   |
//! | 1     | bits of the first byte that belong to the segment before, halved            |
//! | 1     | these bits                                                                  |
//! | rest  | what preflate needs                                                         |

use super::fields::{Fields, put_bytes, put_number};
use super::inflate::{Boundary, Inflated};
use super::{MAX_PLAIN_LEN, Refusal};
use crate::error::{Error, Result};
use preflate_rs::{PreflateConfig, preflate_whole_deflate_stream, recreate_whole_deflate_stream};
use std::ops::Range;
use std::panic::catch_unwind;

/// Plain bytes at which a segment is ended at the next boundary. At 20 MB/s, half a MiB, which it comes to, takes 27 ms;
/// segments a third longer were seen to take more than 50 ms where other work shared the processor.
pub(super) const SEGMENT_LEN: usize = 384 << 10;

/// How far deflate refers back.
const WINDOW_LEN: usize = 32 << 10;

/// Bytes of the head of a stored block: three bits and padding, its length twice.
const STORED_HEAD_LEN: usize = 5;

/// One to three empty blocks of fixed codes, ten bits each: 0, 1, 0 and an end of block of seven zeros.
const EMPTY_BLOCKS: [u8; 3] = [0x02, 0x08, 0x20];

/// Bits of an empty block of fixed codes that is the last of its stream, at bit 0.
const LAST_EMPTY_BLOCK: u16 = 0b011;

/// Hops through a hash chain beyond which preflate gives up; zlib at level 9 makes as many.
const MAX_CHAIN_LEN: u32 = 4096;

/// A piece of a stream that is re-created without the others.
pub(super) struct Segment {
    /// Where its bytes lie, what stands before and behind the stream included.
    pub(super) stored: Range<usize>,
    /// What it may refer to, then what it says.
    pub(super) plain: Vec<u8>,
    /// The body of its recipe.
    pub(super) body: Vec<u8>,
}

/// Cuts a decoded stream, which starts at `lead_len` of `stored`, into segments of about `segment_len` plain bytes.
///
/// # Errors
/// `NotThisFormat` if it is cut off, `TooLarge` if a segment is, `NotExact` if preflate cannot follow it.
pub(super) fn segments(
    stored: &[u8],
    lead_len: usize,
    inflated: &Inflated,
    segment_len: usize,
) -> std::result::Result<Vec<Segment>, Refusal> {
    let stream_len = inflated.stored_len.ok_or(Refusal::NotThisFormat)?;
    let stream = &stored[lead_len..lead_len + stream_len];
    let end = Boundary { bit: stream_len * 8, plain: inflated.plain.len() };
    let mut segments = Vec::new();
    let mut start = Boundary { bit: 0, plain: 0 };
    for &cut in inflated.boundaries.iter().chain([&end]) {
        let is_last = cut == end;
        if !is_last && (cut.plain - start.plain < segment_len || cut.bit % 2 != 0) {
            continue;
        }
        let lead = if start.bit == 0 { &stored[..lead_len] } else { &[] };
        let tail = if is_last { &stored[lead_len + stream_len..] } else { &[] };
        let window_start = start.plain.saturating_sub(WINDOW_LEN);
        let plain = inflated.plain[window_start..cut.plain].to_vec();
        let window_len = start.plain - window_start;
        let body = analyse(stream, start..cut, is_last, &plain, window_len, [lead, tail])?;
        let from = if start.bit == 0 { 0 } else { lead_len + start.bit / 8 };
        let to = if is_last { stored.len() } else { lead_len + cut.bit / 8 };
        segments.push(Segment { stored: from..to, plain, body });
        start = cut;
    }
    Ok(segments)
}

/// Returns the body of the recipe of one segment.
fn analyse(
    stream: &[u8],
    range: Range<Boundary>,
    is_last: bool,
    plain: &[u8],
    window_len: usize,
    [lead, tail]: [&[u8]; 2],
) -> std::result::Result<Vec<u8>, Refusal> {
    if plain.len() > MAX_PLAIN_LEN {
        return Err(Refusal::TooLarge);
    }
    let (first, end) = (range.start.bit / 8, range.end.bit / 8);
    let foreign_mask = foreign_mask(range.start.bit % 8 / 2);
    let mut whole = prefix(&plain[..window_len], range.start.bit % 8 / 2);
    let at = whole.len();
    whole.extend_from_slice(&stream[first..end]);
    if !is_last {
        let own_bits = range.end.bit % 8;
        let own = u16::from(stream[end]) & ((1 << own_bits) - 1);
        whole.extend_from_slice(&(own | LAST_EMPTY_BLOCK << own_bits).to_le_bytes());
    }
    let foreign = whole[at] & foreign_mask;
    whole[at] &= !foreign_mask;
    let config = PreflateConfig {
        max_chain_length: MAX_CHAIN_LEN,
        plain_text_limit: MAX_PLAIN_LEN + WINDOW_LEN,
        // The piece is proved by the way that readers take.
        verify_compression: false,
    };
    // What is given is a valid stream already; a panic would be an error of preflate's own.
    let analysed = catch_unwind(|| preflate_whole_deflate_stream(&whole, &config));
    let Ok(Ok((result, text))) = analysed else { return Err(Refusal::NotExact) };
    if result.compressed_size != whole.len() || text.text() != plain {
        return Err(Refusal::NotExact);
    }
    let mut body = Vec::with_capacity(result.corrections.len() + lead.len() + tail.len() + 16);
    put_bytes(&mut body, lead);
    put_bytes(&mut body, tail);
    put_number(&mut body, window_len as u64);
    body.push((range.start.bit % 8 / 2) as u8);
    body.push(foreign);
    body.extend_from_slice(&result.corrections);
    Ok(body)
}

/// Re-creates a segment from the body of its recipe.
pub(super) fn recreate(body: &[u8], plain: &[u8], stored_len: usize) -> Result<Vec<u8>> {
    let mut fields = Fields::new(body);
    let (lead, tail, window_len) = (fields.bytes()?, fields.bytes()?, fields.len()?);
    let (empty_blocks, foreign) = (usize::from(fields.byte()?), fields.byte()?);
    let damaged = || Error::corrupt("a recipe of a deflate stream does not fit its chunk");
    let len = stored_len.checked_sub(lead.len() + tail.len()).ok_or_else(damaged)?;
    if window_len > WINDOW_LEN.min(plain.len()) || empty_blocks > EMPTY_BLOCKS.len() {
        return Err(damaged());
    }
    let corrections = fields.rest();
    let whole = catch_unwind(|| recreate_whole_deflate_stream(plain, corrections))
        .map_err(|_| damaged())?
        .map_err(|error| damaged().with_source(error))?;
    let at = prefix(&plain[..window_len], empty_blocks).len();
    let own = whole.get(at..at + len).ok_or_else(damaged)?;
    let mut out = Vec::with_capacity(stored_len);
    out.extend_from_slice(lead);
    out.extend_from_slice(own);
    if let Some(first) = out.get_mut(lead.len()) {
        *first |= foreign & foreign_mask(empty_blocks);
    }
    out.extend_from_slice(tail);
    Ok(out)
}

/// Returns what stands before a segment to make it a stream: its window, and empty blocks up to its first bit.
fn prefix(window: &[u8], empty_blocks: usize) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(STORED_HEAD_LEN + window.len() + empty_blocks);
    if !window.is_empty() {
        let len = window.len() as u16;
        prefix.push(0);
        prefix.extend_from_slice(&len.to_le_bytes());
        prefix.extend_from_slice(&(!len).to_le_bytes());
        prefix.extend_from_slice(window);
    }
    prefix.extend_from_slice(&EMPTY_BLOCKS[..empty_blocks]);
    prefix
}

/// The bits of a segment's first byte that belong to the one before it.
fn foreign_mask(empty_blocks: usize) -> u8 {
    (1u8 << (2 * empty_blocks)) - 1
}

#[cfg(test)]
mod tests {
    use super::super::tests::{noise, text};
    use super::super::{Hint, Opener, Piece, open, plain, recreate};
    use super::*;
    use crate::error::ErrorKind;
    use miniz_oxide::deflate::compress_to_vec;

    /// Text with passages that do not shrink, which deflate keeps in stored blocks.
    fn mixed(len: usize) -> Vec<u8> {
        let mut plain = text(len);
        for (index, passage) in plain.chunks_mut(150_000).enumerate() {
            if index % 3 == 1 {
                let len = passage.len();
                passage.copy_from_slice(&noise(len));
            }
        }
        plain
    }

    fn assert_comes_back(opener: Opener<'_>, stored: &[u8], text: &[u8]) -> Vec<Piece> {
        let pieces = open(opener, stored, &mut Hint::default()).unwrap();
        let mut again = Vec::new();
        for piece in &pieces {
            assert_eq!(piece.stored.start, again.len());
            again.extend_from_slice(&recreate(&piece.recipe, &piece.plain, piece.stored.len()).unwrap());
        }
        assert!(again == stored);
        assert!(plain(opener, stored).unwrap() == text);
        pieces
    }

    #[test]
    fn streams_come_back_segment_by_segment() {
        for plain in [text(2 << 20), mixed(2 << 20)] {
            for level in [0, 1, 9] {
                let stored = compress_to_vec(&plain, level);
                let pieces = assert_comes_back(Opener::Deflate, &stored, &plain);
                assert!(pieces.len() > 2, "level {level}: {} pieces", pieces.len());
                let text_len: usize = pieces.iter().map(|piece| piece.plain.len()).sum();
                assert_eq!(text_len, plain.len() + (pieces.len() - 1) * WINDOW_LEN);
                for pair in pieces.windows(2) {
                    assert!(pair[0].plain.ends_with(&pair[1].plain[..WINDOW_LEN]));
                }
            }
        }
    }

    #[test]
    fn cuts_fall_at_every_even_bit() {
        let plain = mixed(4 << 20);
        let stored = compress_to_vec(&plain, 6);
        let inflated = super::super::inflate::inflate(&stored).unwrap();
        let segments = segments(&stored, 0, &inflated, 20_000).unwrap();
        let mut seen = [false; 4];
        for segment in &segments {
            // Without bytes before and behind, the number of empty blocks stands behind the window's length.
            let mut fields = Fields::new(&segment.body[2..]);
            fields.len().unwrap();
            seen[usize::from(fields.byte().unwrap())] = true;
            let again = super::recreate(&segment.body, &segment.plain, segment.stored.len()).unwrap();
            assert!(again == stored[segment.stored.clone()]);
        }
        assert_eq!(seen, [true; 4], "{} segments", segments.len());
    }

    #[test]
    fn short_streams_come_back() {
        for len in [300, 5_000, 70_000] {
            let plain = text(len);
            for level in [0, 1, 9] {
                assert_eq!(assert_comes_back(Opener::Deflate, &compress_to_vec(&plain, level), &plain).len(), 1);
            }
        }
    }

    #[test]
    fn nothing_is_no_stream() {
        assert_eq!(open(Opener::Deflate, &[], &mut Hint::default()), Err(Refusal::NotThisFormat));
    }

    #[test]
    fn gzip_members_come_back_with_header_and_trailer() {
        let text = text(1_500_000);
        let stream = compress_to_vec(&text, 6);
        for header in [
            &b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..],
            b"\x1f\x8b\x08\x08\x01\x02\x03\x04\0\x03level.dat\0",
            b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x02\0xxname\0comment\0hc",
        ] {
            let stored = [header, &stream, b"checksum"].concat();
            assert!(assert_comes_back(Opener::Gzip, &stored, &text).len() > 1);
            for len in 0..header.len() {
                assert_eq!(open(Opener::Gzip, &stored[..len], &mut Hint::default()), Err(Refusal::NotThisFormat));
            }
            let two = [&stored[..], &stored].concat();
            assert_eq!(open(Opener::Gzip, &two, &mut Hint::default()), Err(Refusal::NotThisFormat));
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_says_what_it_has() {
        let text = text(400_000);
        let stored = compress_to_vec(&text, 6);
        let half = plain(Opener::Deflate, &stored[..stored.len() / 2]).unwrap();
        assert!(half.len() > 100_000 && text.starts_with(&half));
        assert_eq!(
            open(Opener::Deflate, &stored[..stored.len() / 2], &mut Hint::default()),
            Err(Refusal::NotThisFormat)
        );
    }

    #[test]
    fn streams_that_grow_beyond_all_are_too_large() {
        let bomb = compress_to_vec(&vec![0; super::super::inflate::MAX_STREAM_LEN + 1], 1);
        assert_eq!(plain(Opener::Deflate, &bomb), Err(Refusal::TooLarge));
        // One segment cannot be more than a chunk: blocks of zeros have 4 MiB each.
        let zeros = vec![0; 40 << 20];
        let pieces = open(Opener::Deflate, &compress_to_vec(&zeros, 1), &mut Hint::default());
        assert!(pieces.is_ok_and(|pieces| pieces.iter().all(|piece| piece.plain.len() <= MAX_PLAIN_LEN)));
    }

    #[test]
    fn bodies_that_lie_are_corrupt() {
        let kind = |body: &[u8], stored_len| super::recreate(body, &[7; 100], stored_len).unwrap_err().kind();
        for body in
            [&[][..], &[9], &[0, 0, 101, 0, 0, 1], &[0, 0, 0, 4, 0, 1], &[2, 1, 1, 0, 0, 0, 0], &[0, 0, 0, 0, 0]]
        {
            assert_eq!(kind(body, 1), ErrorKind::Corrupt, "{body:?}");
        }
    }
}
