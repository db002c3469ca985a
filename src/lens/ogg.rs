//! Ogg streams, by their last page (RFC 3533, 6).
//!
//! ```text
//! OFFSET SIZE MEANING
//!  0     4    OggS
//!  4     1    version, 0
//!  5     1    flags; 4 is the last page of a stream
//!  26    1    count of segments
//!  27         their lengths, a byte each; then the segments
//! ```

use super::input::Input;
use super::{Flaw, Parsed};

const CAPTURE: [u8; 5] = *b"OggS\0";
const HEADER_LEN: usize = 27;
const IS_LAST: u8 = 4;

/// The longest page.
const MAX_PAGE_LEN: usize = HEADER_LEN + 255 + 255 * 255;

pub(super) fn check(input: &Input<'_>) -> Parsed<()> {
    let (tail, tail_start) = input.tail(MAX_PAGE_LEN)?;
    let Some(at) = tail.windows(CAPTURE.len()).rposition(|bytes| bytes == CAPTURE) else { return Err(Flaw::Unknown) };
    let (page, page_at) = (&tail[at..], tail_start + at as u64);
    let lens = page.get(26).and_then(|&count| page.get(HEADER_LEN..HEADER_LEN + usize::from(count)));
    let Some(lens) = lens else {
        return Err(Flaw::Torn(format!("the header of the page at {page_at} goes beyond the end at {}", input.len())));
    };
    let len = HEADER_LEN + lens.len() + lens.iter().map(|&len| usize::from(len)).sum::<usize>();
    input.must_hold(&format!("the page at {page_at}"), page_at, len as u64)?;
    // Streams that were recorded live may have no last page, and tags may follow it.
    match page[5] & IS_LAST != 0 && page.len() == len {
        true => Ok(()),
        false => Err(Flaw::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use crate::lens::tests::*;
    use crate::lens::{Format, Verdict};

    #[test]
    fn cut_streams_are_not_whole() {
        let bytes = sample!("stream.ogg");
        assert_eq!(verdict("a.ogg", bytes), Verdict::Whole(Format::Ogg));
        let cut = |len| verdict("a.ogg", &bytes[..len]);
        assert!((0..bytes.len()).all(|len| !matches!(cut(len), Verdict::Whole(_))));
        assert_eq!(reason("a.ogg", &bytes[..500]), "the page at 387 ends at 515, the file at 500");
        assert!(reason("a.ogg", &bytes[..400]).starts_with("the header of the page at 387"));
        // A stream that ends with a page may have been recorded live.
        assert_eq!(cut(387), Verdict::Unknown);
    }
}
