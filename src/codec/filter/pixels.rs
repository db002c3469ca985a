//! Pixels become their differences to what the neighbours let expect, channel by channel.
//!
//! The guess is the median of the left, the upper and the gradient of both (LOCO-I, as in JPEG-LS and FLIF). Of what is
//! left, green is taken off red and blue where that helps; then each channel stands for itself. Guesses are 20 % smaller
//! than with the gradient alone, whose inverse would need no pixel before the next.

use super::bytes::{Reader, put_varint};
use crate::error::Result;
use wide::u8x16;

/// Rows that are restored side by side, with room for 4 channels each.
const ROWS: usize = 4;

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
        assert!(self.is_sound(plain.len()), "{self:?} is no layout of {} bytes", plain.len());
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

    /// Returns where the channels end, which are better compressed apart, in what [`Pixels::apply`] makes.
    pub(super) fn part_ends(&self, plain_len: usize) -> Vec<usize> {
        let count = self.each_run(|_| {});
        (0..=self.pixel_len).rev().map(|plane| plain_len - plane * count).collect()
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
        // Rows that begin at their first pixel are restored four at a time.
        let mut rows = Vec::new();
        let mut waiting: Option<Run> = None;
        let mut done = 0;
        self.each_run(|run| {
            let group = waiting.map_or(0, |first| rows.len() / (first.count * N));
            let goes_on = waiting.is_some_and(|first| {
                run.above && !run.left && run.count == first.count && run.at == first.at + group * self.row_len
            });
            if !goes_on && let Some(first) = waiting.take() {
                restore_rows::<N>(&mut plain, first, self.row_len, &rows);
            }
            if waiting.is_none() {
                rows.clear();
            }
            let parts: [&[u8]; N] = std::array::from_fn(|channel| &planes[channel][done..done + run.count]);
            join(&parts, self.green, &mut rows);
            done += run.count;
            if group == ROWS - 1 && goes_on || !run.above || run.left {
                restore_rows::<N>(&mut plain, waiting.take().unwrap_or(run), self.row_len, &rows);
            } else {
                waiting = waiting.or(Some(run));
            }
        });
        if let Some(first) = waiting {
            restore_rows::<N>(&mut plain, first, self.row_len, &rows);
        }
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
pub(super) fn median(left: u8, above: u8, corner: u8) -> u8 {
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

/// Appends to `row` the pixels whose channels are `planes`; gives back the green that was taken off.
fn join<const N: usize>(planes: &[&[u8]; N], green: bool, row: &mut Vec<u8>) {
    let from = row.len();
    row.resize(from + planes[0].len() * N, 0);
    let pixels = row[from..].as_chunks_mut::<N>().0;
    // Only slices of one length, known before the loop, let the compiler work on 16 pixels at once.
    let planes: [&[u8]; N] = planes.map(|plane| &plane[..pixels.len()]);
    if green {
        for index in 0..pixels.len() {
            let mut pixel: [u8; N] = std::array::from_fn(|channel| planes[channel][index]);
            pixel[0] = pixel[0].wrapping_add(pixel[1 % N]);
            pixel[2 % N] = pixel[2 % N].wrapping_add(pixel[1 % N]);
            pixels[index] = pixel;
        }
    } else {
        for index in 0..pixels.len() {
            pixels[index] = std::array::from_fn(|channel| planes[channel][index]);
        }
    }
}

/// Restores the pixels of rows that begin with the run `first`, from their differences.
fn restore_rows<const N: usize>(plain: &mut [u8], first: Run, row_len: usize, differences: &[u8]) {
    let row_bytes = first.count * N;
    if differences.len() == ROWS * row_bytes && first.count > ROWS && row_len >= row_bytes {
        return restore_four::<N>(plain, first, row_len, differences);
    }
    for (index, row) in differences.chunks_exact(row_bytes).enumerate() {
        restore::<N>(plain, Run { at: first.at + index * row_len, ..first }, 0..first.count, row_len, row);
    }
}

/// Restores four rows along a slanting line: each is one pixel behind the row above it, whose pixel is then known, so
/// that 16 bytes are worked on at once. A pixel after the other, one waits for the one before: 5 times slower.
fn restore_four<const N: usize>(plain: &mut [u8], first: Run, row_len: usize, differences: &[u8]) {
    let run = |index: usize| Run { at: first.at + index * row_len, ..first };
    let row_bytes = first.count * N;
    let rows: [&[u8]; ROWS] = std::array::from_fn(|index| &differences[index * row_bytes..][..row_bytes]);
    for (index, row) in rows.into_iter().enumerate() {
        restore::<N>(plain, run(index), 0..ROWS - index, row_len, row);
    }
    let (before, here) = plain.split_at_mut(first.at);
    let upper = before[first.at - row_len..][..row_bytes].as_chunks::<N>().0;
    let (row0, rest) = here.split_at_mut(row_len);
    let (row1, rest) = rest.split_at_mut(row_len);
    let (row2, row3) = rest.split_at_mut(row_len);
    let mut out = [row0, row1, row2, row3].map(|row| row[..row_bytes].as_chunks_mut::<N>().0);
    let known = |index: usize| ROWS - 1 - index;
    let mut left: [u32; ROWS] = std::array::from_fn(|index| word(&out[index][known(index)]));
    let mut corner: u8x16 = bytemuck::cast(std::array::from_fn::<u32, ROWS, _>(|index| match index {
        0 => word(&upper[known(0)]),
        _ => word(&out[index - 1][known(index)]),
    }));
    let rows = rows.map(|row| row.as_chunks::<N>().0);
    let steps = first.count - ROWS;
    // Row by row, what step 0 to the last one touch: one length for all, so that it is checked but once.
    let from: [&[[u8; N]]; ROWS] = std::array::from_fn(|index| &rows[index][ROWS - index..][..steps]);
    let [out0, out1, out2, out3] = &mut out;
    let (out0, out1) = (&mut out0[ROWS..][..steps], &mut out1[ROWS - 1..][..steps]);
    let (out2, out3) = (&mut out2[ROWS - 2..][..steps], &mut out3[ROWS - 3..][..steps]);
    let upper = &upper[ROWS..][..steps];
    for step in 0..steps {
        let above: u8x16 = bytemuck::cast([word(&upper[step]), left[0], left[1], left[2]]);
        let beside: u8x16 = bytemuck::cast(left);
        let difference: u8x16 = bytemuck::cast(from.map(|row| word(&row[step])));
        let corner_between = corner.max(beside.min(above)).min(beside.max(above));
        left = bytemuck::cast(difference + (beside + above - corner_between));
        corner = above;
        out0[step] = unword(left[0]);
        out1[step] = unword(left[1]);
        out2[step] = unword(left[2]);
        out3[step] = unword(left[3]);
    }
    for (index, row) in differences.chunks_exact(row_bytes).enumerate() {
        restore::<N>(plain, run(index), first.count - index..first.count, row_len, row);
    }
}

/// Returns the bytes of a pixel as a number; those it has not are 0.
#[inline(always)]
fn word<const N: usize>(pixel: &[u8; N]) -> u32 {
    let mut bytes = [0; 4];
    bytes[..N].copy_from_slice(pixel);
    u32::from_le_bytes(bytes)
}

#[inline(always)]
fn unword<const N: usize>(word: u32) -> [u8; N] {
    *word.to_le_bytes().first_chunk().expect("a pixel has at most 4 bytes")
}

/// Restores the pixels `range` of a run, those before them being there, from the differences of all.
fn restore<const N: usize>(
    plain: &mut [u8],
    run: Run,
    range: std::ops::Range<usize>,
    row_len: usize,
    differences: &[u8],
) {
    let skip = range.start * N;
    let len = range.len() * N;
    let inner = range.start > 0;
    let part = Run {
        at: run.at + skip,
        count: range.len(),
        left: run.left || inner,
        corner: run.corner || inner && run.above,
        ..run
    };
    let (mut left, mut corner) = neighbours::<N>(plain, part, row_len);
    let (before, row) = plain.split_at_mut(part.at);
    let pixels = row[..len].as_chunks_mut::<N>().0.iter_mut().zip(differences[skip..skip + len].as_chunks::<N>().0);
    if run.above {
        let above = part.at - row_len;
        for (index, (here, difference)) in pixels.enumerate() {
            let above = pixel::<N>(before, above + index * N);
            let guess: [u8; N] = std::array::from_fn(|channel| median(left[channel], above[channel], corner[channel]));
            left = std::array::from_fn(|channel| difference[channel].wrapping_add(guess[channel]));
            corner = above;
            *here = left;
        }
    } else {
        for (here, difference) in pixels {
            left = std::array::from_fn(|channel| difference[channel].wrapping_add(left[channel]));
            *here = left;
        }
    }
}
