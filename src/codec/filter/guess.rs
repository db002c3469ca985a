//! Which filter a chunk wants: from its place in a file of a known shape, or from its bytes alone.
//!
//! Most chunks of a game are text or compressed already, so that these are told from a few samples first.

use super::blocks::Blocks;
use super::pixels::Pixels;
use super::records::{MAX_RECORD_LEN, Records};
use super::samples::Samples;
use super::{Filter, Place};
use crate::lens::shape::{BlockKind, Shape};

/// Fewer bytes of payload than this are not worth a filter.
const MIN_LEN: usize = 512;

/// Bytes that are looked at to tell text.
const TEXT_SAMPLE: usize = 512;

/// Bytes that are compared at one distance, and at how many places, to find rows of pixels.
const RUN_LEN: usize = 128;
const RUNS: usize = 4;

/// How far apart the bytes of pixels side by side are at most, on average. Those of floating-point numbers are 40 and
/// more, so that the search for rows is spared.
const MAX_STEP: u32 = 32;

/// Bytes that are compared with those one record before.
const RECORD_SAMPLE: usize = 8192;

/// The longest row of pixels that is looked for: 4096 of 4 bytes.
const MAX_ROW_LEN: usize = 16384;

/// Returns the filter for a chunk of `plain_len` bytes at `place`, if there is one for that shape and place.
pub(super) fn of_place(place: Place, plain: &[u8]) -> Option<Filter> {
    match place.shape {
        Shape::Pixels { data_offset, data_len, pixel_len, used_len, row_len } => {
            let (mut start, end, before) = part(place.offset, plain.len(), data_offset, data_len)?;
            let (pixel_len, used_len, row_len) = (usize::from(pixel_len), used_len as usize, row_len as usize);
            let mut column = (before % row_len as u64) as usize;
            let skip = column.next_multiple_of(pixel_len) - column;
            (start, column) = (start + skip, column + skip);
            if column >= used_len {
                (start, column) = (start + row_len.saturating_sub(column), 0);
            }
            let green = green_helps(plain.get(start..end)?, pixel_len);
            Some(Filter::Pixels(Pixels { start, end, column, used_len, row_len, pixel_len, green }))
        }
        Shape::Samples { data_offset, data_len, channels, sample_len, big_endian } => {
            let (mut start, end, before) = part(place.offset, plain.len(), data_offset, data_len)?;
            let (channels, sample_len) = (usize::from(channels), usize::from(sample_len));
            let frame_len = channels * sample_len;
            start += (frame_len - (before % frame_len as u64) as usize) % frame_len;
            let frames = end.checked_sub(start)? / frame_len;
            // 32 bits are floating-point numbers more often than not.
            match sample_len {
                1..=3 => Some(Filter::Samples(Samples { start, frames, channels, sample_len, big_endian })),
                _ => Some(Filter::Records(Records { start, record_len: frame_len, delta: true })),
            }
        }
        Shape::Blocks { data_offset, kind, columns, rows, levels } => {
            let block_len = kind.block_len();
            let (mut start, end, before) = part(place.offset, plain.len(), data_offset, u64::MAX - data_offset)?;
            start += (block_len - (before % block_len as u64) as usize) % block_len;
            let count = end.checked_sub(start)? / block_len;
            let columns = columns_at(before / block_len as u64, columns, rows, levels);
            match kind {
                BlockKind::Bc1 => Some(Filter::Blocks(Blocks { start, count, columns, alpha: false })),
                BlockKind::Bc2 | BlockKind::Bc3 => Some(Filter::Blocks(Blocks { start, count, columns, alpha: true })),
                BlockKind::Bc4 | BlockKind::Bc5 => {
                    Some(Filter::Records(Records { start, record_len: block_len, delta: false }))
                }
                BlockKind::Bits => None,
            }
        }
    }
}

/// Returns what a chunk holds of a payload: begin and end in the chunk, and the bytes of payload before them.
fn part(offset: u64, plain_len: usize, data_offset: u64, data_len: u64) -> Option<(usize, usize, u64)> {
    let start = usize::try_from(data_offset.saturating_sub(offset)).ok()?;
    let end = data_offset.checked_add(data_len)?.checked_sub(offset)?.min(plain_len as u64) as usize;
    (start + MIN_LEN <= end).then(|| (start, end, offset.saturating_sub(data_offset)))
}

/// Returns how many blocks stand side by side in the level that holds block `index`.
fn columns_at(mut index: u64, columns: u32, rows: u32, levels: u32) -> usize {
    for level in 0..levels.min(31) {
        let (columns, rows) = ((columns >> level).max(1), (rows >> level).max(1));
        let count = u64::from(columns) * u64::from(rows);
        if index < count {
            return columns as usize;
        }
        index -= count;
    }
    // Behind the last level there may be another picture of the same size: sides of a cube, layers.
    columns as usize
}

/// Tells whether the channels of pixels go up and down together.
fn green_helps(pixels: &[u8], pixel_len: usize) -> bool {
    if pixel_len < 3 {
        return false;
    }
    let size = |difference: u8| u64::from(difference.cast_signed().unsigned_abs());
    let (mut alone, mut together) = (0, 0);
    let step = (pixels.len() / 1024).next_multiple_of(pixel_len).max(pixel_len);
    for at in (0..pixels.len().saturating_sub(2 * pixel_len)).step_by(step) {
        let change: [u8; 3] =
            std::array::from_fn(|channel| pixels[at + pixel_len + channel].wrapping_sub(pixels[at + channel]));
        alone += size(change[0]) + size(change[2]);
        together += size(change[0].wrapping_sub(change[1])) + size(change[2].wrapping_sub(change[1]));
    }
    together < alone
}

/// Tells text, which no filter helps.
pub(super) fn looks_like_text(plain: &[u8]) -> bool {
    let middle = plain.len() / 2;
    let sample = &plain[middle - middle.min(TEXT_SAMPLE / 2)..][..TEXT_SAMPLE.min(plain.len())];
    let printable =
        sample.iter().filter(|&&byte| (b' '..0x7f).contains(&byte) || byte == b'\n' || byte == b'\t').count();
    printable * 10 > sample.len() * 9
}

/// Returns pixels if the bytes go on in rows.
pub(super) fn pixels(plain: &[u8]) -> Option<Pixels> {
    let pixel_len = [4, 3].into_iter().min_by_key(|&pixel_len| distance(plain, pixel_len))?;
    if distance(plain, pixel_len) > MAX_STEP * (RUNS * RUN_LEN) as u32 {
        return None;
    }
    let row_len = row_len(plain, pixel_len)?;
    // The phase: alpha in RGBA and BGRA is last.
    let start = (0..pixel_len).min_by_key(|&start| spread(plain, start, pixel_len))?;
    let green = green_helps(&plain[start..], pixel_len);
    let (end, column, used_len) = (plain.len(), 0, row_len);
    Some(Pixels { start, end, column, used_len, row_len, pixel_len, green })
}

/// Where the runs stand whose bytes are compared with those `MAX_ROW_LEN` and less before them.
fn runs(plain: &[u8], reach: usize) -> impl Iterator<Item = usize> {
    let room = plain.len().saturating_sub(reach + RUN_LEN);
    (0..RUNS).map(move |index| reach + room * index / (RUNS - 1))
}

/// Returns how far apart bytes are from those `lag` before, on the runs.
fn apart(plain: &[u8], at: usize, lag: usize) -> u32 {
    let (here, there) = (&plain[at..at + RUN_LEN], &plain[at - lag..][..RUN_LEN]);
    here.iter().zip(there).map(|(here, there)| u32::from(here.abs_diff(*there))).sum()
}

fn distance(plain: &[u8], lag: usize) -> u32 {
    runs(plain, 4).map(|at| apart(plain, at, lag)).sum()
}

/// Returns the distance of rows: where bytes are much nearer to each other than at other distances.
fn row_len(plain: &[u8], pixel_len: usize) -> Option<usize> {
    let reach = MAX_ROW_LEN.min(plain.len() / 3);
    if reach < 64 * pixel_len || plain.len() < reach + RUN_LEN {
        return None;
    }
    // From 16 pixels on: nearer ones are alike without being rows.
    let lags = || (16 * pixel_len..reach).step_by(pixel_len);
    let sums: Vec<u32> = lags().map(|lag| runs(plain, reach).map(|at| apart(plain, at, lag)).sum()).collect();
    let mean = sums.iter().map(|&sum| u64::from(sum)).sum::<u64>() / sums.len() as u64;
    let least = *sums.iter().min()?;
    if u64::from(least) * 10 > mean * 7 {
        return None;
    }
    // Two rows apart, pixels are nearly as near.
    let near = least + least / 8;
    lags().zip(&sums).find(|&(_, &sum)| sum <= near).map(|(lag, _)| lag)
}

/// Returns how much green and the two beside it differ, if pixels begin at `start`.
fn spread(plain: &[u8], start: usize, pixel_len: usize) -> u64 {
    let pixels = plain[start..].chunks_exact(pixel_len).step_by(61);
    pixels.map(|pixel| u64::from(pixel[0].abs_diff(pixel[1])) + u64::from(pixel[2].abs_diff(pixel[1]))).sum()
}

/// Returns the record lengths at which most bytes are what they were one record before, the best first.
pub(super) fn record_lens(plain: &[u8]) -> [usize; 2] {
    const LENS: [usize; 25] =
        [2, 3, 4, 6, 8, 12, 16, 18, 20, 24, 28, 30, 32, 36, 40, 44, 48, 52, 56, 60, 64, 72, 80, 96, MAX_RECORD_LEN];
    let middle = plain.len() / 2;
    let sample = &plain[middle - middle.min(RECORD_SAMPLE / 2)..][..RECORD_SAMPLE.min(plain.len())];
    let mut scores = LENS.map(|len| {
        let equal = sample[len..].iter().zip(sample).filter(|(here, there)| here == there).count();
        (std::cmp::Reverse(equal), len)
    });
    scores.sort_unstable();
    [scores[0].1, scores[1].1]
}
