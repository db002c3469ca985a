//! The header of a gzip member (RFC 1952).
//!
//! ```text
//! SIZE MEANING
//! 2    1F 8B
//! 1    method: 8
//! 1    flags
//! 6    time, extra flags, system
//!      if flag 4: two bytes of length and as many bytes; if 8, if 16: a text that ends in a zero; if 2: two bytes
//! ```

use super::Refusal;

const FIXED_LEN: usize = 10;

/// Bytes behind the stream: CRC-32 and length of its text.
pub(super) const TRAILER_LEN: usize = 8;

const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Returns where the deflate stream starts.
pub(super) fn header_len(stored: &[u8]) -> Result<usize, Refusal> {
    if stored.len() < FIXED_LEN || !stored.starts_with(&[0x1f, 0x8b, 8]) {
        return Err(Refusal::NotThisFormat);
    }
    let flags = stored[3];
    let mut len = FIXED_LEN;
    if flags & EXTRA != 0 {
        let extra = stored.get(len..len + 2).ok_or(Refusal::NotThisFormat)?;
        len += 2 + usize::from(u16::from_le_bytes([extra[0], extra[1]]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = stored.get(len..).ok_or(Refusal::NotThisFormat)?;
            len += 1 + rest.iter().position(|&byte| byte == 0).ok_or(Refusal::NotThisFormat)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        len += 2;
    }
    if len > stored.len() { Err(Refusal::NotThisFormat) } else { Ok(len) }
}
