//! zstd frames without their headers.
//!
//! A header is 7 to 14 bytes of which nothing is news to whoever knows the plain length: magic number, length, id of
//! the dictionary. A difference of two chunks may take fifty bytes and hold several frames, so all of the header is
//! left out and made again before decoding. RFC 8878, 3.1.1, is where its bytes are from.

use super::MAX_PLAIN_LEN;
use crate::error::{Error, Result};
use zstd::zstd_safe;

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Descriptor of a frame whose window is the whole of it, with a length of four bytes, no checksum, no dictionary's id.
const DESCRIPTOR: u8 = 0xa0;

/// Returns what follows the header of `frame`, or `None` if its window does not span all of it.
pub(super) fn strip_header(frame: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = frame.split_first_chunk::<4>()?;
    let (&descriptor, rest) = rest.split_first()?;
    let is_single_segment = descriptor & 0x20 != 0;
    let has_checksum = descriptor & 0x04 != 0;
    if *magic != MAGIC || !is_single_segment || has_checksum {
        return None;
    }
    let dictionary_id_len = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let plain_len_len = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    rest.get(dictionary_id_len + plain_len_len..)
}

/// Appends `plain_len` bytes to `plain` from `stripped`, which `decompress` reads after `scratch` got its header.
///
/// # Errors
/// `Corrupt` if the frame does not decode to exactly that many bytes, none of which are then to be used.
pub(super) fn decode_stripped(
    stripped: &[u8],
    plain: &mut Vec<u8>,
    plain_len: usize,
    scratch: &mut Vec<u8>,
    decompress: impl FnOnce(&mut Vec<u8>, &[u8]) -> zstd_safe::SafeResult,
) -> Result<()> {
    if plain_len > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("a chunk claims {plain_len} bytes, more than any has")));
    }
    plain.clear();
    plain.reserve(plain_len);
    scratch.clear();
    scratch.extend_from_slice(&MAGIC);
    scratch.push(DESCRIPTOR);
    scratch.extend_from_slice(&(plain_len as u32).to_le_bytes());
    scratch.extend_from_slice(stripped);
    decompress(plain, scratch).map_err(|code| Error::corrupt(format!("zstd: {}", zstd_safe::get_error_name(code))))?;
    if plain.len() != plain_len {
        return Err(Error::corrupt(format!("{} bytes came out where {plain_len} are expected", plain.len())));
    }
    Ok(())
}
