//! PNG pictures (PNG specification, third edition): plain text is the pixels, the recipe everything else of the file.
//!
//! The filters of the rows are undone and stand before the pixels: a brush stroke then changes what it covers, where
//! filtered rows change to the right of it and below as well. Interlaced pictures keep their filtered rows.
//!
//! The body of a recipe:
//!
//! | size  | meaning                                                                        |
//! |-------|--------------------------------------------------------------------------------|
//! | 1-5   | number of parts                                                                |
//! | 2-10  | for each: bytes of the file that are kept, then bytes of the stream            |
//! | 1-5 + | length of all kept bytes, the bytes: signature, chunks, heads and CRCs of IDAT |
//! | 1     | 1 if the plain text is filters and pixels, 0 if it is the filtered rows        |
//! | rest  | body of the recipe of the stream                                               |

use super::fields::{Fields, put_bytes, put_number};
use super::inflate::inflate;
use super::{MAX_PLAIN_LEN, Refusal, deflate};
use crate::error::{Error, Result};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Where the fields of IHDR lie, which is always the first chunk.
const IHDR: usize = 16;
const IHDR_END: usize = 29;

/// Bytes of zlib before the deflate stream.
const ZLIB_HEAD_LEN: usize = 2;

/// A file taken apart.
struct Parts {
    /// Kept bytes and bytes of the stream by turns.
    lens: Vec<[usize; 2]>,
    kept: Vec<u8>,
    stream: Vec<u8>,
}

/// Returns what the picture says.
pub(super) fn plain(stored: &[u8]) -> std::result::Result<Vec<u8>, Refusal> {
    let parts = take_apart(stored)?;
    let rows = inflate(parts.stream.get(ZLIB_HEAD_LEN..).ok_or(Refusal::NotThisFormat)?)?.plain;
    Ok(Layout::of(&parts.kept).and_then(|layout| layout.unfilter(&rows)).unwrap_or(rows))
}

/// Returns the plain text and the body of the recipe of the picture.
pub(super) fn recipe(stored: &[u8]) -> std::result::Result<(Vec<u8>, Vec<u8>), Refusal> {
    if stored.len() > MAX_PLAIN_LEN {
        return Err(Refusal::TooLarge);
    }
    let Parts { lens, kept, stream } = take_apart(stored)?;
    let inflated = inflate(stream.get(ZLIB_HEAD_LEN..).ok_or(Refusal::NotThisFormat)?)?;
    let mut segments = deflate::segments(&stream, ZLIB_HEAD_LEN, &inflated, usize::MAX)?;
    let segment = segments.pop().ok_or(Refusal::NotThisFormat)?;
    let pixels = Layout::of(&kept).and_then(|layout| layout.unfilter(&segment.plain));
    let mut body = Vec::with_capacity(kept.len() + segment.body.len() + lens.len() * 4 + 8);
    put_number(&mut body, lens.len() as u64);
    for [kept_len, stream_len] in lens {
        put_number(&mut body, kept_len as u64);
        put_number(&mut body, stream_len as u64);
    }
    put_bytes(&mut body, &kept);
    body.push(u8::from(pixels.is_some()));
    body.extend_from_slice(&segment.body);
    Ok((pixels.unwrap_or(segment.plain), body))
}

/// Re-creates the file from the body of its recipe.
pub(super) fn recreate(body: &[u8], plain: &[u8], stored_len: usize) -> Result<Vec<u8>> {
    let damaged = || Error::corrupt("a recipe of a PNG picture does not fit its chunk");
    let mut fields = Fields::new(body);
    let count = fields.len()?;
    let mut lens = Vec::new();
    // Both numbers of a part take a byte or more, so that a count cannot ask for more than is there.
    for _ in 0..count {
        lens.push([fields.len()?, fields.len()?]);
    }
    let mut kept = fields.bytes()?;
    let has_pixels = fields.byte()? != 0;
    let rows = match has_pixels {
        true => Some(Layout::of(kept).and_then(|layout| layout.filter(plain)).ok_or_else(damaged)?),
        false => None,
    };
    let stream_len = stored_len.checked_sub(kept.len()).ok_or_else(damaged)?;
    let stream = deflate::recreate(fields.rest(), rows.as_deref().unwrap_or(plain), stream_len)?;
    let mut stream = stream.as_slice();
    let mut out = Vec::with_capacity(stored_len);
    for [kept_len, stream_len] in lens {
        for (source, len) in [(&mut kept, kept_len), (&mut stream, stream_len)] {
            let (taken, rest) = source.split_at_checked(len).ok_or_else(damaged)?;
            out.extend_from_slice(taken);
            *source = rest;
        }
    }
    Ok(out)
}

fn take_apart(stored: &[u8]) -> std::result::Result<Parts, Refusal> {
    if !stored.starts_with(SIGNATURE) {
        return Err(Refusal::NotThisFormat);
    }
    let mut parts = Parts { lens: Vec::new(), kept: Vec::new(), stream: Vec::new() };
    let mut kept_from = 0;
    let mut at = SIGNATURE.len();
    // A chunk is the length of its data, four letters, the data and a CRC; what is no chunk behind the last is kept.
    while let Some(head) = stored.get(at..at + 8) {
        let data_len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let data = at + 8;
        let Some(end) = data.checked_add(data_len).filter(|&end| end + 4 <= stored.len()) else { break };
        if head.ends_with(b"IDAT") {
            parts.lens.push([data - kept_from, data_len]);
            parts.kept.extend_from_slice(&stored[kept_from..data]);
            parts.stream.extend_from_slice(&stored[data..end]);
            kept_from = end;
        }
        at = end + 4;
    }
    parts.lens.push([stored.len() - kept_from, 0]);
    parts.kept.extend_from_slice(&stored[kept_from..]);
    Ok(parts)
}

/// How rows lie in the decoded stream: a filter's number before each.
struct Layout {
    rows: usize,
    row_len: usize,
    /// Bytes to the left of a byte that filters look.
    pixel_len: usize,
}

impl Layout {
    /// Reads the layout from the start of a file; `None` if it is interlaced or none.
    fn of(kept: &[u8]) -> Option<Layout> {
        let header = kept.get(IHDR..IHDR_END)?;
        let width = u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
        let rows = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let channels = match header[9] {
            0 | 3 => 1,
            2 => 3,
            4 => 2,
            6 => 4,
            _ => return None,
        };
        let pixel_bits = u64::from(header[8]) * channels;
        if header[12] != 0 || width == 0 || pixel_bits == 0 {
            return None;
        }
        // 32 bits times 64 x 4 at the most.
        let row_len = (width * pixel_bits).div_ceil(8) as usize;
        Some(Layout { rows, row_len, pixel_len: (pixel_bits as usize / 8).max(1) })
    }

    /// Returns the filters, then the pixels; `None` if the rows are not of this layout.
    fn unfilter(&self, rows: &[u8]) -> Option<Vec<u8>> {
        self.must_be(rows.len())?;
        let (mut filters, mut pixels) = (Vec::with_capacity(rows.len()), vec![0; self.rows * self.row_len]);
        let mut above: &[u8] = &[];
        let mut rest = pixels.as_mut_slice();
        for row in rows.chunks_exact(self.row_len + 1) {
            let (&filter, row) = row.split_first()?;
            let (out, below) = rest.split_at_mut(self.row_len);
            for x in 0..self.row_len {
                out[x] = row[x].wrapping_add(self.predict(filter, out, above, x)?);
            }
            filters.push(filter);
            (above, rest) = (out, below);
        }
        filters.extend_from_slice(&pixels);
        Some(filters)
    }

    /// Returns the rows as they lie in the decoded stream, from filters and pixels.
    fn filter(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.must_be(plain.len())?;
        let (filters, pixels) = plain.split_at(self.rows);
        let mut rows = Vec::with_capacity(plain.len());
        let mut above: &[u8] = &[];
        for (&filter, row) in filters.iter().zip(pixels.chunks_exact(self.row_len)) {
            rows.push(filter);
            for x in 0..self.row_len {
                rows.push(row[x].wrapping_sub(self.predict(filter, row, above, x)?));
            }
            above = row;
        }
        Some(rows)
    }

    fn must_be(&self, len: usize) -> Option<()> {
        (self.rows.checked_mul(self.row_len.checked_add(1)?)? == len).then_some(())
    }

    /// Returns what the filter takes off byte `x` of a row; above the first row, `above` is empty and counts as zeros.
    #[inline]
    fn predict(&self, filter: u8, row: &[u8], above: &[u8], x: usize) -> Option<u8> {
        let before = x.checked_sub(self.pixel_len);
        let at = |row: &[u8], x: Option<usize>| x.and_then(|x| row.get(x)).copied().unwrap_or(0);
        Some(match filter {
            0 => 0,
            1 => at(row, before),
            2 => at(above, Some(x)),
            3 => (u16::midpoint(at(row, before).into(), at(above, Some(x)).into())) as u8,
            4 => paeth(at(row, before), at(above, Some(x)), at(above, before)),
            _ => return None,
        })
    }
}

/// The neighbour that is nearest to left + above - corner (PNG specification, 9.4).
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(above), i16::from(corner));
    let (to_left, to_above, to_corner) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if to_left <= to_above && to_left <= to_corner {
        left
    } else if to_above <= to_corner {
        above
    } else {
        corner
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::noise;
    use super::super::{Hint, Opener, open, plain, recreate};
    use super::*;
    use crate::error::ErrorKind;
    use miniz_oxide::deflate::compress_to_vec_zlib;

    /// A picture of 100 x 90 pixels with soft shades, all five filters by turns, and its filters and pixels.
    pub(in super::super) fn picture(channels: usize, color: u8, interlace: u8, idat_len: usize) -> (Vec<u8>, Vec<u8>) {
        let (width, height) = (100, 90);
        let grain = noise(width * height * channels);
        let pixels: Vec<u8> = (0..width * height * channels)
            .map(|i| ((i / channels % width + i / (width * channels) * 2) as u8).wrapping_add(grain[i] % 4))
            .collect();
        let filters: Vec<u8> = (0..height).map(|y| (y % 5) as u8).collect();
        let text = [filters, pixels].concat();
        let mut stored = SIGNATURE.to_vec();
        let mut chunk = |kind: &[u8; 4], data: &[u8]| {
            stored.extend_from_slice(&(data.len() as u32).to_be_bytes());
            stored.extend_from_slice(kind);
            stored.extend_from_slice(data);
            stored.extend_from_slice(b"crc!");
        };
        let sizes = [(width as u32).to_be_bytes(), (height as u32).to_be_bytes()].concat();
        let header = [&sizes[..], &[8, color, 0, 0, interlace]].concat();
        chunk(b"IHDR", &header);
        chunk(b"tEXt", b"Author\0nobody");
        let layout = Layout { rows: height, row_len: width * channels, pixel_len: channels };
        for part in compress_to_vec_zlib(&layout.filter(&text).unwrap(), 6).chunks(idat_len) {
            chunk(b"IDAT", part);
        }
        chunk(b"IEND", &[]);
        (stored, text)
    }

    #[test]
    fn pictures_come_back_and_say_their_pixels() {
        for (channels, color) in [(1, 0), (3, 2), (1, 3), (2, 4), (4, 6)] {
            for idat_len in [100, 8_192, 1 << 20] {
                let (stored, text) = picture(channels, color, 0, idat_len);
                let pieces = open(Opener::Png, &stored, &mut Hint::default()).unwrap();
                assert_eq!(pieces.len(), 1);
                assert!(pieces[0].plain == text, "{channels} channels");
                assert!(plain(Opener::Png, &stored).unwrap() == text);
                assert!(recreate(&pieces[0].recipe, &text, stored.len()).unwrap() == stored);
            }
        }
    }

    #[test]
    fn interlaced_pictures_and_strange_filters_keep_their_rows() {
        let (stored, text) = picture(3, 2, 1, 8_192);
        let pieces = open(Opener::Png, &stored, &mut Hint::default()).unwrap();
        assert!(pieces[0].plain != text && pieces[0].plain.len() == text.len());
        assert!(recreate(&pieces[0].recipe, &pieces[0].plain, stored.len()).unwrap() == stored);
        let layout = Layout { rows: 2, row_len: 3, pixel_len: 3 };
        assert_eq!(layout.unfilter(&[0, 1, 2, 3, 5, 1, 2, 3]), None);
        assert_eq!(layout.unfilter(&[0, 1, 2, 3, 1, 1, 2]), None);
    }

    #[test]
    fn filters_do_as_the_specification_says() {
        // Rows of two pixels of a byte: none, left, above, mean, Paeth.
        let layout = Layout { rows: 5, row_len: 2, pixel_len: 1 };
        let rows = [0, 10, 20, 1, 5, 7, 2, 1, 1, 3, 10, 10, 4, 1, 1];
        let pixels = [10, 20, 5, 12, 6, 13, 13, 23, 14, 24];
        assert_eq!(layout.unfilter(&rows).unwrap(), [&[0, 1, 2, 3, 4][..], &pixels].concat());
    }

    #[test]
    fn other_files_are_refused() {
        let (stored, _) = picture(3, 2, 0, 8_192);
        for len in [0, 7, 8, 40, 500] {
            assert_eq!(open(Opener::Png, &stored[..len], &mut Hint::default()), Err(Refusal::NotThisFormat));
        }
    }

    #[test]
    fn bodies_that_lie_are_corrupt() {
        let kind = |body: &[u8]| super::recreate(body, &[7; 100], 50).unwrap_err().kind();
        for body in [&[][..], &[0xff, 0xff, 0xff, 0xff, 15], &[1, 9, 9, 0, 0], &[0, 3, 1, 2, 3, 1, 0], &[0, 0, 0, 9, 9]]
        {
            assert_eq!(kind(body), ErrorKind::Corrupt, "{body:?}");
        }
    }
}
