//! RIFF files (WAV, AVI, WebP), by the length in their header: `RIFF`, 4 bytes of length, then as many bytes.

use super::input::{Fields, Input};
use super::{Flaw, Parsed};

const HEADER_LEN: u64 = 8;

/// Lengths from which on they mean that the writer did not know: it wrote into a pipe, or more than 4 GiB.
const UNKNOWN_LEN: u64 = 0x7fff_0000;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let header: [u8; HEADER_LEN as usize] = input.array("the header", 0)?;
    let len = u64::from(Fields::little(&header).u32(4));
    if !(4..UNKNOWN_LEN).contains(&len) {
        return Err(Flaw::Unknown);
    }
    // Some writers count the byte that evens the last chunk and leave it out.
    if HEADER_LEN + len == input.len() + 1 {
        return Err(Flaw::Unknown);
    }
    input.must_hold("the data", HEADER_LEN, len)
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_sounds_are_torn() {
        let bytes = sample!("sound.wav");
        for len in 4..bytes.len() - 1 {
            assert!(matches!(verdict("a.wav", &bytes[..len]), Verdict::Torn { .. }), "{len}");
        }
        assert_eq!(verdict("a.wav", bytes), Verdict::Whole(Format::Riff));
        // The last byte may be one that evens the chunk.
        assert_eq!(verdict("a.wav", &bytes[..bytes.len() - 1]), Verdict::Unknown);
    }

    #[test]
    fn a_writer_that_did_not_know_the_length_says_nothing() {
        for len in [0, u32::MAX, 0x7fff_f024] {
            let mut bytes = sample!("sound.wav").to_vec();
            bytes[4..8].copy_from_slice(&len.to_le_bytes());
            assert_eq!(verdict("a.wav", &bytes), Verdict::Unknown);
        }
    }
}
