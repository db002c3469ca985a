//! Sound becomes its differences to a linear prediction, in Rice codes: FLAC's way (RFC 9639) without its frames.
//!
//! Blocks of 4096 samples have coefficients of their own; predictions reach back into the block before. Two channels may
//! be stored as one and the difference, or as the mean and the difference. Arithmetic wraps around on both sides, so
//! that any bytes at all come back.

use super::bits::{BitReader, BitWriter};
use super::bytes::{Reader, damaged, put_varint};
use super::rice;
use crate::error::Result;

/// Samples of one channel that share coefficients.
const BLOCK_LEN: usize = 4096;

/// The most samples that a prediction looks back.
const MAX_ORDER: usize = 8;

/// Bits of a coefficient, with sign: more do not help 16 bits of sound.
const COEFFICIENT_BITS: u32 = 14;

/// How many fractional bits coefficients may have.
const MAX_SHIFT: u32 = 15;

/// Where the samples of a chunk lie. What is no whole frame stands first, as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Samples {
    pub start: usize,
    /// Samples of each channel.
    pub frames: usize,
    /// 1 to 8.
    pub channels: usize,
    /// Bytes of a sample, 1 to 3.
    pub sample_len: usize,
    pub big_endian: bool,
}

/// Working memory.
#[derive(Default)]
pub(super) struct Scratch {
    /// The samples of each channel; the last ones of the block before stand in front.
    channels: Vec<Vec<i32>>,
    /// What the two channels of stereo sound may be replaced by: mean, difference.
    mean: Vec<i32>,
    side: Vec<i32>,
    fit: Fit,
}

/// Working memory of one signal.
#[derive(Default)]
struct Fit {
    window: Vec<f64>,
    windowed: Vec<f64>,
    residual: Vec<i32>,
}

/// What stands in place of the two channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stereo {
    Both = 0,
    LeftSide = 1,
    RightSide = 2,
    MeanSide = 3,
}

const STEREO: [Stereo; 4] = [Stereo::Both, Stereo::LeftSide, Stereo::RightSide, Stereo::MeanSide];

/// How a sample is guessed from those before it, the nearest first.
#[derive(Debug, Clone, Copy, Default)]
struct Prediction {
    coefficients: [i32; MAX_ORDER],
    shift: u32,
}

impl Samples {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push((self.channels - 1) as u8 | (self.sample_len as u8) << 3 | u8::from(self.big_endian) << 5);
        put_varint(out, self.start);
        put_varint(out, self.frames);
    }

    pub(super) fn read(reader: &mut Reader<'_>, plain_len: usize) -> Result<Samples> {
        let flags = reader.byte()?;
        let samples = Samples {
            channels: usize::from(flags & 7) + 1,
            sample_len: usize::from(flags >> 3 & 3),
            big_endian: flags & 0x20 != 0,
            start: reader.varint()?,
            frames: reader.varint()?,
        };
        let frame_len = samples.channels * samples.sample_len;
        reader.require(samples.sample_len > 0 && samples.start + samples.frames * frame_len <= plain_len)?;
        Ok(samples)
    }

    /// Appends the payload of `plain` to `out`.
    pub(super) fn apply(&self, plain: &[u8], scratch: &mut Scratch, out: &mut Vec<u8>) {
        let end = self.start + self.frames * self.channels * self.sample_len;
        out.extend_from_slice(&plain[..self.start]);
        out.extend_from_slice(&plain[end..]);
        scratch.clear(self.channels);
        let mut bits = BitWriter::new(out);
        for block in plain[self.start..end].chunks(BLOCK_LEN * self.channels * self.sample_len) {
            scratch.load(block, self);
            scratch.put_block(&mut bits);
            scratch.keep_history();
        }
        bits.finish();
    }

    /// Returns the plain bytes of a payload.
    pub(super) fn undo(&self, payload: &[u8], plain_len: usize, scratch: &mut Scratch) -> Result<Vec<u8>> {
        let frame_len = self.channels * self.sample_len;
        let end = self.start + self.frames * frame_len;
        let gaps_len = plain_len - (end - self.start);
        let Some((gaps, coded)) = payload.split_at_checked(gaps_len) else { return Err(damaged()) };
        let mut plain = vec![0; plain_len];
        plain[..self.start].copy_from_slice(&gaps[..self.start]);
        plain[end..].copy_from_slice(&gaps[self.start..]);
        scratch.clear(self.channels);
        let mut bits = BitReader::new(coded);
        for block in plain[self.start..end].chunks_mut(BLOCK_LEN * frame_len) {
            scratch.take_block(block.len() / frame_len, &mut bits);
            scratch.store(block, self);
            scratch.keep_history();
        }
        bits.finish()?;
        Ok(plain)
    }
}

impl Scratch {
    fn clear(&mut self, channels: usize) {
        self.channels.resize_with(channels, Vec::new);
        for channel in &mut self.channels {
            channel.clear();
            channel.resize(MAX_ORDER, 0);
        }
    }

    fn keep_history(&mut self) {
        for channel in &mut self.channels {
            channel.drain(..channel.len() - MAX_ORDER);
        }
    }

    /// Appends the samples of `block` to the channels.
    fn load(&mut self, block: &[u8], layout: &Samples) {
        let sample_len = layout.sample_len;
        let frames = block.chunks_exact(layout.channels * sample_len);
        if let ([left, right], 2, false) = (&mut self.channels[..], sample_len, layout.big_endian) {
            let frames = block.as_chunks::<4>().0;
            left.extend(frames.iter().map(|frame| i32::from(i16::from_le_bytes([frame[0], frame[1]]))));
            right.extend(frames.iter().map(|frame| i32::from(i16::from_le_bytes([frame[2], frame[3]]))));
            return;
        }
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let samples = frames.clone().map(|frame| &frame[index * sample_len..][..sample_len]);
            match (sample_len, layout.big_endian) {
                // One byte has no sign: 128 is silence.
                (1, _) => channel.extend(samples.map(|s| i32::from(s[0]) - 128)),
                (2, false) => channel.extend(samples.map(|s| i32::from(i16::from_le_bytes([s[0], s[1]])))),
                (2, true) => channel.extend(samples.map(|s| i32::from(i16::from_be_bytes([s[0], s[1]])))),
                (_, false) => channel.extend(samples.map(|s| i32::from_le_bytes([0, s[0], s[1], s[2]]) >> 8)),
                (_, true) => channel.extend(samples.map(|s| i32::from_be_bytes([s[0], s[1], s[2], 0]) >> 8)),
            }
        }
    }

    /// Writes the samples of the channels into `block`.
    fn store(&self, block: &mut [u8], layout: &Samples) {
        let sample_len = layout.sample_len;
        if let ([left, right], 2, false) = (&self.channels[..], sample_len, layout.big_endian) {
            let pairs = left[MAX_ORDER..].iter().zip(&right[MAX_ORDER..]);
            for (frame, (left, right)) in block.as_chunks_mut::<4>().0.iter_mut().zip(pairs) {
                *frame = ((*left as u32 & 0xffff) | (*right as u32) << 16).to_le_bytes();
            }
            return;
        }
        for (index, channel) in self.channels.iter().enumerate() {
            let frames = block.chunks_exact_mut(layout.channels * sample_len);
            for (frame, &sample) in frames.zip(&channel[MAX_ORDER..]) {
                let place = &mut frame[index * sample_len..][..sample_len];
                match (sample_len, layout.big_endian) {
                    (1, _) => place[0] = sample.wrapping_add(128) as u8,
                    (_, false) => place.copy_from_slice(&sample.to_le_bytes()[..sample_len]),
                    (_, true) => place.copy_from_slice(&sample.to_be_bytes()[4 - sample_len..]),
                }
            }
        }
    }

    fn put_block(&mut self, bits: &mut BitWriter<'_>) {
        let Scratch { channels, mean, side, fit } = self;
        let [left, right] = &channels[..] else {
            for channel in channels {
                fit.put_signal(channel, bits);
            }
            return;
        };
        mean.clear();
        mean.extend(left.iter().zip(right).map(|(&left, &right)| left.wrapping_add(right) >> 1));
        side.clear();
        side.extend(left.iter().zip(right).map(|(&left, &right)| left.wrapping_sub(right)));
        let signals = |stereo| match stereo {
            Stereo::Both => [left, right],
            Stereo::LeftSide => [left, &*side],
            Stereo::RightSide => [right, &*side],
            Stereo::MeanSide => [&*mean, &*side],
        };
        let cost = |stereo: &Stereo| signals(*stereo).iter().map(|signal| roughness(signal)).sum::<u64>();
        let stereo = STEREO.into_iter().min_by_key(cost).expect("there are four");
        bits.put(stereo as u64, 2);
        for signal in signals(stereo) {
            fit.put_signal(signal, bits);
        }
    }

    fn take_block(&mut self, count: usize, bits: &mut BitReader) {
        let Scratch { channels, mean, side, .. } = self;
        let [left, right] = &mut channels[..] else {
            for channel in channels {
                take_signal(channel, count, bits);
            }
            return;
        };
        let stereo = STEREO[bits.take(2) as usize];
        side.clear();
        side.extend(left.iter().zip(&*right).map(|(&left, &right)| left.wrapping_sub(right)));
        match stereo {
            Stereo::Both => {
                take_signal(left, count, bits);
                take_signal(right, count, bits);
            }
            Stereo::LeftSide => {
                take_signal(left, count, bits);
                take_signal(side, count, bits);
                let pairs = left.iter().zip(&*side).skip(MAX_ORDER);
                right.extend(pairs.map(|(&left, &side)| left.wrapping_sub(side)));
            }
            Stereo::RightSide => {
                take_signal(right, count, bits);
                take_signal(side, count, bits);
                let pairs = right.iter().zip(&*side).skip(MAX_ORDER);
                left.extend(pairs.map(|(&right, &side)| right.wrapping_add(side)));
            }
            Stereo::MeanSide => {
                mean.clear();
                mean.extend(left.iter().zip(&*right).map(|(&left, &right)| left.wrapping_add(right) >> 1));
                take_signal(mean, count, bits);
                take_signal(side, count, bits);
                // The bit that the mean lost is the lowest of the difference.
                let sum = |mean: i32, side: i32| mean.wrapping_shl(1) | (side & 1);
                let pairs = || mean.iter().zip(&*side).skip(MAX_ORDER);
                left.extend(pairs().map(|(&mean, &side)| sum(mean, side).wrapping_add(side) >> 1));
                right.extend(pairs().map(|(&mean, &side)| sum(mean, side).wrapping_sub(side) >> 1));
            }
        }
    }
}

/// Tells signals that predict themselves from others: what a straight line through two samples misses.
fn roughness(signal: &[i32]) -> u64 {
    let middle = signal.iter().zip(&signal[1..]).zip(&signal[2..]);
    middle.map(|((a, b), c)| u64::from((c - 2 * b + a).unsigned_abs())).sum()
}

impl Fit {
    /// Appends the coefficients and differences of a signal, of which the first samples are known.
    fn put_signal(&mut self, signal: &[i32], bits: &mut BitWriter<'_>) {
        let prediction = self.predict(&signal[MAX_ORDER..]);
        bits.put(u64::from(prediction.shift), 4);
        for coefficient in prediction.coefficients {
            bits.put(u64::from(coefficient.cast_unsigned()) & ((1 << COEFFICIENT_BITS) - 1), COEFFICIENT_BITS);
        }
        self.residual.clear();
        self.residual.extend(signal.windows(MAX_ORDER + 1).map(|samples| {
            let before = samples[..MAX_ORDER].iter().rev().zip(&prediction.coefficients);
            let sum: i64 = before.map(|(&sample, &coefficient)| i64::from(sample) * i64::from(coefficient)).sum();
            samples[MAX_ORDER].wrapping_sub((sum >> prediction.shift) as i32)
        }));
        rice::put(&self.residual, bits);
    }

    /// Finds coefficients by the autocorrelation of the samples, after Levinson and Durbin.
    fn predict(&mut self, samples: &[i32]) -> Prediction {
        self.fill_window(samples);
        let correlation = correlate(&self.windowed);
        let mut error = correlation[0];
        let mut exact = [0f64; MAX_ORDER];
        for order in 0..MAX_ORDER {
            // Silence, or a prediction that is perfect already.
            if error <= correlation[0] * 1e-9 {
                break;
            }
            let known: f64 = (0..order).map(|index| exact[index] * correlation[order - index]).sum();
            let reflection = (correlation[order + 1] - known) / error;
            let before = exact;
            for index in 0..order {
                exact[index] = before[index] - reflection * before[order - 1 - index];
            }
            exact[order] = reflection;
            error *= 1.0 - reflection * reflection;
        }
        quantise(&exact)
    }

    /// Fades the samples in and out, a quarter each: edges would look like high tones.
    fn fill_window(&mut self, samples: &[i32]) {
        let len = samples.len();
        if self.window.len() != len {
            let quarter = (len / 4).max(1) as f64;
            self.window.clear();
            self.window.extend((0..len).map(|index| {
                let edge = (index.min(len - 1 - index) as f64 + 0.5) / quarter;
                let edge = edge.min(1.0);
                edge * edge * (3.0 - 2.0 * edge)
            }));
        }
        self.windowed.clear();
        self.windowed.extend(samples.iter().zip(&self.window).map(|(&sample, window)| f64::from(sample) * window));
        self.windowed.resize(len.next_multiple_of(LANES) + MAX_ORDER, 0.0);
    }
}

/// Sums that are kept apart, so that they are added in the same order on every machine, and side by side.
const LANES: usize = 4;

/// Returns the sums of products of samples that are 0, 1, .. `MAX_ORDER` apart; as many zeros stand at the end.
fn correlate(samples: &[f64]) -> [f64; MAX_ORDER + 1] {
    std::array::from_fn(|lag| {
        let mut sums = [0.0; LANES];
        let len = samples.len() - MAX_ORDER;
        let pairs = samples[..len].as_chunks::<LANES>().0.iter().zip(samples[lag..lag + len].as_chunks::<LANES>().0);
        for (here, there) in pairs {
            for lane in 0..LANES {
                sums[lane] += here[lane] * there[lane];
            }
        }
        sums.iter().sum()
    })
}

/// Rounds coefficients to as many fractional bits as the largest has room for.
fn quantise(exact: &[f64; MAX_ORDER]) -> Prediction {
    let most = exact.iter().fold(0f64, |most, coefficient| most.max(coefficient.abs()));
    let limit = f64::from((1i32 << (COEFFICIENT_BITS - 1)) - 1);
    let scale = |shift: u32| f64::from(1u32 << shift);
    let Some(shift) = (0..=MAX_SHIFT).rev().find(|&shift| most * scale(shift) <= limit) else {
        return Prediction::default();
    };
    // What rounding loses of one coefficient is given to the next.
    let mut lost = 0.0;
    let coefficients = exact.map(|coefficient| {
        let wanted = coefficient * scale(shift) + lost;
        let rounded = wanted.round().clamp(-limit, limit);
        lost = wanted - rounded;
        rounded as i32
    });
    Prediction { coefficients, shift }
}

/// Appends `count` samples to a signal.
fn take_signal(signal: &mut Vec<i32>, count: usize, bits: &mut BitReader) {
    signal.truncate(MAX_ORDER);
    let shift = bits.take(4) as u32;
    let coefficients: [i64; MAX_ORDER] = std::array::from_fn(|_| {
        let unused = 64 - COEFFICIENT_BITS;
        let raw = bits.take(COEFFICIENT_BITS) << unused;
        raw.cast_signed() >> unused
    });
    signal.resize(MAX_ORDER + count, 0);
    let (before, samples) = signal.split_at_mut(MAX_ORDER);
    rice::take(samples, bits);

    // Each sample is added to the sums of those that come after it, so that only one product is waited for.
    let mut sums = [0i64; MAX_ORDER];
    let mut step = |sample: i32| {
        for index in 0..MAX_ORDER - 1 {
            sums[index] = sums[index + 1].wrapping_add(i64::from(sample) * coefficients[index]);
        }
        sums[MAX_ORDER - 1] = i64::from(sample) * coefficients[MAX_ORDER - 1];
        sums[0]
    };
    let mut sum = 0;
    for &sample in &*before {
        sum = step(sample);
    }
    for sample in samples {
        *sample = sample.wrapping_add((sum >> shift) as i32);
        sum = step(*sample);
    }
}
