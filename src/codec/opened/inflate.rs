//! Decodes deflate streams (RFC 1951) and tells where their blocks end.
//!
//! What a stream says is also the base of a delta for a newer one, so a stream that is cut off gives what it has.

use super::Refusal;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The most plain bytes of one stream; a stream and its text are in memory at once.
pub(super) const MAX_STREAM_LEN: usize = 64 << 20;

/// Text gets this much room at first, then twice what it had.
const FIRST_ROOM: usize = 64 << 10;

/// Where one block ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boundary {
    /// Bits of the stream before it.
    pub(super) bit: usize,
    /// Plain bytes before it.
    pub(super) plain: usize,
}

/// A decoded stream.
pub(super) struct Inflated {
    pub(super) plain: Vec<u8>,
    /// Boundaries between blocks, without those at both ends of the stream.
    pub(super) boundaries: Vec<Boundary>,
    /// Bytes of the stream up to its end; `None` if it was cut off before.
    pub(super) stored_len: Option<usize>,
}

/// Decodes the stream at the start of `stored`.
///
/// # Errors
/// `NotThisFormat` if a block is damaged, `TooLarge` beyond [`MAX_STREAM_LEN`] plain bytes.
pub(super) fn inflate(stored: &[u8]) -> Result<Inflated, Refusal> {
    const FLAGS: u32 =
        TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::new(DecompressorOxide::new());
    let mut plain = vec![0; FIRST_ROOM];
    let mut boundaries = Vec::new();
    let (mut from, mut to) = (0, 0);
    loop {
        let (status, read, written) = decompress(&mut state, &stored[from..], &mut plain, to, FLAGS);
        from += read;
        to += written;
        let stored_len = match status {
            TINFLStatus::BlockBoundary => {
                // The bits of the last byte read that belong to the next block.
                let ahead = state.block_boundary_state().map_or(0, |at| usize::from(at.num_bits));
                boundaries.push(Boundary { bit: from * 8 - ahead, plain: to });
                continue;
            }
            TINFLStatus::HasMoreOutput if plain.len() >= MAX_STREAM_LEN => return Err(Refusal::TooLarge),
            TINFLStatus::HasMoreOutput => {
                plain.resize((plain.len() * 2).min(MAX_STREAM_LEN), 0);
                continue;
            }
            TINFLStatus::Done => Some(from),
            TINFLStatus::NeedsMoreInput => None,
            _ => return Err(Refusal::NotThisFormat),
        };
        plain.truncate(to);
        return Ok(Inflated { plain, boundaries, stored_len });
    }
}
