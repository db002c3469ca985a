//! 7z archives, by their start header (`7zFormat.txt` of the LZMA SDK).
//!
//! ```text
//! OFFSET SIZE MEANING
//!  0     6    signature
//!  6     2    version
//!  8     4    CRC-32 of what follows
//!  12    8    offset of the header, from 32 on
//!  20    8    bytes of the header
//!  28    4    CRC-32 of the header
//! ```

use super::input::{Fields, Input};
use super::{Flaw, Parsed};

const START_LEN: usize = 32;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let start: [u8; START_LEN] = input.array("the start header", 0)?;
    let fields = Fields::little(&start);
    let (major, offset, len) = (start[6], fields.u64(12), fields.u64(20));
    // The start header is written last: as long as it is all zeros the archive is being made.
    if major == 0 && input.len() > START_LEN as u64 && start[8..] == [0; 24] {
        return Err(Flaw::Torn(format!("the start header is empty before {} bytes of data", input.len())));
    }
    if major != 0 || (len == 0 && input.len() > START_LEN as u64) {
        return Err(Flaw::Unknown);
    }
    input.must_hold("the header", offset.saturating_add(START_LEN as u64), len)
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_archives_are_torn() {
        let bytes = sample!("sample.7z");
        assert_cuts_are_torn(Format::SevenZip, "a.7z", bytes, 6);
        assert_eq!(verdict("a.7z.001", &bytes[..400]), Verdict::Unknown);
        let mut unfinished = bytes.to_vec();
        unfinished[8..32].fill(0);
        assert!(reason("a.7z", &unfinished).starts_with("the start header is empty"));
    }
}
