//! Pixels become their differences to what the neighbours let expect, channel by channel.
//!
//! The guess is the median of the left, the upper and the gradient of both (LOCO-I, as in JPEG-LS and FLIF). Of what is
//! left, green is taken off red and blue where that helps; then each channel stands for itself. Guesses are 20 % smaller
//! than with the gradient alone, whose inverse would need no pixel before the next.

use super::bytes::{Reader, put_varint};
use crate::error::Result;

/// Where the pixels of a chunk lie. What is no pixel (headers, padding, the cut pixel at the end) stands first, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pixels {
    /// The first byte of the first whole pixel.
    pub start: usize,
    /// The end of the last row, or of what the chunk holds of it.
    pub end: usize,
    /// Bytes of its row before the first pixel.
    pub column: usize,
    /// Bytes of a row that are pixels.
    pub used_len: usize,
    /// Bytes from one row to the next.
    pub row_len: usize,
    /// Bytes of a pixel, 1 to 4.
    pub pixel_len: usize,
    /// Whether the second channel is taken off the first and the third.
    pub green: bool,
}

/// Pixels side by side whose neighbours are there in the same way.
#[derive(Debug, Clone, Copy)]
struct Run {
    at: usize,
    count: usize,
    left: bool,
    above: bool,
    corner: bool,
}

impl Pixels {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.pixel_len as u8 | u8::from(self.green) << 3);
        for value in [self.start, self.end - self.start, self.column, self.used_len, self.row_len - self.used_len] {
            put_varint(out, value);
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, plain_len: usize) -> Result<Pixels> {
        let flags = reader.byte()?;
        let (pixel_len, green) = (usize::from(flags & 7), flags & 8 != 0);
        let (start, len, column) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let (used_len, padding) = (reader.varint()?, reader.varint()?);
        let pixels =
            Pixels { start, end: start + len, column, used_len, row_len: used_len + padding, pixel_len, green };
        reader.require(pixels.is_sound(plain_len))?;
        Ok(pixels)
    }

    fn is_sound(&self, plain_len: usize) -> bool {
        (1..=4).contains(&self.pixel_len)
            && (!self.green || self.pixel_len >= 3)
            && self.end <= plain_len
            && self.used_len > 0
            && self.used_len.is_multiple_of(self.pixel_len)
            && self.column < self.used_len
            && self.column.is_multiple_of(self.pixel_len)
    }

    /// Appends to `out` as many bytes as `plain` has.
    pub(super) fn apply(&self, plain: &[u8], out: &mut Vec<u8>) {
        match self.pixel_len {
            1 => self.apply_to::<1>(plain, out),
            2 => self.apply_to::<2>(plain, out),
            3 => self.apply_to::<3>(plain, out),
            _ => self.apply_to::<4>(plain, out),
        }
    }

    /// Returns the plain bytes; `coded` must be what was checked against at [`Pixels::read`] in length.
    pub(super) fn undo(&self, coded: &[u8]) -> Vec<u8> {
        match self.pixel_len {
            1 => self.undo_from::<1>(coded),
            2 => self.undo_from::<2>(coded),
            3 => self.undo_from::<3>(coded),
            _ => self.undo_from::<4>(coded),
        }
    }

    fn apply_to<const N: usize>(&self, plain: &[u8], out: &mut Vec<u8>) {
        let base = out.len();
        let count = self.each_run(|_| {});
        self.each_gap(plain.len(), |gap| out.extend_from_slice(&plain[gap]));
        let planes_at = out.len();
        out.resize(base + plain.len(), 0);
        let mut rest = &mut out[planes_at..];
        let mut planes: [&mut [u8]; N] = std::array::from_fn(|_| {
            let (plane, behind) = std::mem::take(&mut rest).split_at_mut(count);
            rest = behind;
            plane
        });
        let mut row = Vec::new();
        let mut done = 0;
        self.each_run(|run| {
            row.clear();
            row.resize(run.count * N, 0);
            differ::<N>(plain, run, self.row_len, &mut row);
            if self.green {
                for pixel in row.as_chunks_mut::<N>().0 {
                    pixel[0] = pixel[0].wrapping_sub(pixel[1]);
                    pixel[2 % N] = pixel[2 % N].wrapping_sub(pixel[1]);
                }
            }
            for (channel, plane) in planes.iter_mut().enumerate() {
                let plane = &mut plane[done..done + run.count];
                for (byte, pixel) in plane.iter_mut().zip(row.as_chunks::<N>().0) {
                    *byte = pixel[channel];
                }
            }
            done += run.count;
        });
    }

    fn undo_from<const N: usize>(&self, coded: &[u8]) -> Vec<u8> {
        let mut plain = vec![0; coded.len()];
        let count = self.each_run(|_| {});
        let mut gaps = &coded[..coded.len() - count * N];
        self.each_gap(coded.len(), |gap| {
            let (bytes, behind) = gaps.split_at(gap.len());
            plain[gap].copy_from_slice(bytes);
            gaps = behind;
        });
        let planes_at = coded.len() - count * N;
        let planes: [&[u8]; N] = std::array::from_fn(|channel| &coded[planes_at + channel * count..][..count]);
        let mut done = 0;
        self.each_run(|run| {
            let parts: [&[u8]; N] = std::array::from_fn(|channel| &planes[channel][done..done + run.count]);
            let row = plain[run.at..run.at + run.count * N].as_chunks_mut::<N>().0;
            if self.green {
                for (index, pixel) in row.iter_mut().enumerate() {
                    for channel in 0..N {
                        pixel[channel] = parts[channel][index];
                    }
                    pixel[0] = pixel[0].wrapping_add(pixel[1 % N]);
                    pixel[2 % N] = pixel[2 % N].wrapping_add(pixel[1 % N]);
                }
            } else {
                for (index, pixel) in row.iter_mut().enumerate() {
                    for channel in 0..N {
                        pixel[channel] = parts[channel][index];
                    }
                }
            }
            restore::<N>(&mut plain, run, self.row_len);
            done += run.count;
        });
        plain
    }

    /// Calls `visit` for all runs from the first to the last; returns how many pixels they have.
    fn each_run(&self, mut visit: impl FnMut(Run)) -> usize {
        let (mut at, mut column, mut total) = (self.start, self.column, 0);
        // From here on the pixel above is in the chunk as well.
        let upper = self.start + self.row_len;
        while at + self.pixel_len <= self.end {
            let mut bytes = (self.used_len - column).min(self.end - at);
            if at < upper && at + bytes > upper {
                bytes = upper - at;
            }
            let count = bytes / self.pixel_len;
            let (above, corner) = (at >= upper, at > upper && column > 0);
            visit(Run { at, count, left: column > 0 && at > self.start, above, corner });
            total += count;
            at += count * self.pixel_len;
            column += count * self.pixel_len;
            if column == self.used_len {
                at += self.row_len - self.used_len;
                column = 0;
            }
        }
        total
    }

    /// Calls `visit` for all bytes between the runs.
    fn each_gap(&self, plain_len: usize, mut visit: impl FnMut(std::ops::Range<usize>)) {
        let mut from = 0;
        self.each_run(|run| {
            if from < run.at {
                visit(from..run.at);
            }
            from = run.at + run.count * self.pixel_len;
        });
        if from < plain_len {
            visit(from..plain_len);
        }
    }
}

/// Guesses a byte: left + upper - corner, but never beyond left and upper. Wrapping is right: the sum is in between.
#[inline(always)]
fn median(left: u8, above: u8, corner: u8) -> u8 {
    let corner = corner.max(left.min(above)).min(left.max(above));
    left.wrapping_add(above).wrapping_sub(corner)
}

#[inline(always)]
fn pixel<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the run has as many bytes")
}

/// Returns the neighbours of the first pixel of a run; those that are missing are such that the others are guessed.
fn neighbours<const N: usize>(plain: &[u8], run: Run, row_len: usize) -> ([u8; N], [u8; N]) {
    let above = if run.above { pixel::<N>(plain, run.at - row_len) } else { [0; N] };
    let left = if run.left { pixel::<N>(plain, run.at - N) } else { above };
    let corner = if run.corner { pixel::<N>(plain, run.at - row_len - N) } else { above };
    (left, corner)
}

/// Fills `row` with the differences of a run to its guesses.
fn differ<const N: usize>(plain: &[u8], run: Run, row_len: usize, row: &mut [u8]) {
    let len = run.count * N;
    let (left, corner) = neighbours::<N>(plain, run, row_len);
    let here = &plain[run.at..run.at + len];
    if run.above {
        let above = &plain[run.at - row_len..][..len];
        for channel in 0..N {
            row[channel] = here[channel].wrapping_sub(median(left[channel], above[channel], corner[channel]));
        }
        let pairs = here[N..].iter().zip(here).zip(above[N..].iter().zip(above));
        for (byte, ((here, left), (above, corner))) in row[N..].iter_mut().zip(pairs) {
            *byte = here.wrapping_sub(median(*left, *above, *corner));
        }
    } else {
        for channel in 0..N {
            row[channel] = here[channel].wrapping_sub(left[channel]);
        }
        for (byte, (here, left)) in row[N..].iter_mut().zip(here[N..].iter().zip(here)) {
            *byte = here.wrapping_sub(*left);
        }
    }
}

/// Adds the guesses to the differences of a run, which lie where the pixels are to be.
fn restore<const N: usize>(plain: &mut [u8], run: Run, row_len: usize) {
    let (mut left, mut corner) = neighbours::<N>(plain, run, row_len);
    let (before, row) = plain.split_at_mut(run.at);
    let row = row[..run.count * N].as_chunks_mut::<N>().0;
    if run.above && row_len >= run.count * N {
        let above = before[run.at - row_len..][..run.count * N].as_chunks::<N>().0;
        for (here, above) in row.iter_mut().zip(above) {
            let guess: [u8; N] = std::array::from_fn(|channel| median(left[channel], above[channel], corner[channel]));
            left = std::array::from_fn(|channel| here[channel].wrapping_add(guess[channel]));
            corner = *above;
            *here = left;
        }
    } else {
        for here in row {
            left = std::array::from_fn(|channel| here[channel].wrapping_add(left[channel]));
            *here = left;
        }
    }
}
