//! PNG pictures, by the headers of their chunks (PNG specification, third edition, 5.3).
//!
//! ```text
//! SIZE MEANING, big-endian
//! 8    signature; then chunks up to IEND, each:
//! 4    bytes of its data
//! 4    its type, four letters
//!      data
//! 4    CRC-32
//! ```

use super::input::{Fields, Input, Order};
use super::{Flaw, Parsed};

const SIGNATURE_LEN: u64 = 8;
const HEADER_LEN: u64 = 8;
const CRC_LEN: u64 = 4;

/// Chunks beyond which a picture is not read: 8 KiB each, as libpng writes them, make 8 GiB.
const MAX_CHUNKS: usize = 1 << 20;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let mut at = SIGNATURE_LEN;
    for _ in 0..MAX_CHUNKS {
        let header: [u8; HEADER_LEN as usize] = input.array("a chunk", at)?;
        let kind = &header[4..];
        if header == [0; HEADER_LEN as usize] {
            return Err(Flaw::Torn(format!("at {at} are zeros where a chunk starts")));
        }
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Flaw::Unknown);
        }
        let len = HEADER_LEN + u64::from(Fields::new(&header, Order::Big).u32(0)) + CRC_LEN;
        input.must_hold(&format!("chunk {} at {at}", kind.escape_ascii()), at, len)?;
        if kind == b"IEND" {
            return Ok(());
        }
        at += len;
    }
    Err(Flaw::Unknown)
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_pictures_are_torn() {
        let bytes = sample!("picture.png");
        assert_cuts_are_torn(Format::Png, "a.png", bytes, 8);
        assert_eq!(reason("a.png", &bytes[..100]), "chunk IDAT at 33 ends at 256, the file at 100");
        let mut hole = bytes.to_vec();
        hole[33..].fill(0);
        assert_eq!(reason("a.png", &hole), "at 33 are zeros where a chunk starts");
    }

    #[test]
    fn strange_chunks_are_unknown() {
        let mut bytes = sample!("picture.png").to_vec();
        bytes[37] = b'!';
        assert_eq!(verdict("a.png", &bytes), Verdict::Unknown);
    }
}
