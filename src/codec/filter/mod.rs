//! Reversible changes of form that let zstd do better on pixels, texture blocks, sound and records.
//!
//! One call makes the stored bytes of one chunk. They say themselves which filter it was: a number, its parameters, then
//! a zstd frame as long as the chunk, or for sound the codes. A chunk may begin anywhere in a row, a block or a sample,
//! so that filters know the phase. Nothing is kept from one chunk to the next but memory.

mod bits;
mod blocks;
mod bytes;
mod guess;
mod pixels;
mod records;
mod rice;
mod samples;

use super::Encoding;
use crate::error::Result;
use crate::lens::shape::Shape;
use blocks::Blocks;
use bytes::{Reader, damaged};
use pixels::Pixels;
use records::Records;
use samples::{Samples, Scratch};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, compress_bound};

/// Where a chunk lies in a file of a known shape.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// What the file's payload is.
    pub shape: Shape,
    /// Where the chunk begins in the file.
    pub offset: u64,
}

/// A filter with its parameters; the numbers stand in front of stored chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Pixels(Pixels),
    Blocks(Blocks),
    Records(Records),
    Samples(Samples),
}

const PIXELS: u8 = 1;
const RECORDS: u8 = 2;
const SAMPLES: u8 = 3;
const BLOCKS: u8 = 4;

/// Bytes of a chunk on which filters are tried.
const SLICE_LEN: usize = 8 << 10;

/// The zstd level at which they are tried.
const TRIAL_LEVEL: i32 = 1;

/// Filters chunks; keeps its working memory, so one serves a thread for all its chunks.
pub struct FilterEncoder {
    context: CCtx<'static>,
    trial: CCtx<'static>,
    noisy: CCtx<'static>,
    filtered: Vec<u8>,
    frame: Vec<u8>,
    out: Vec<u8>,
    scratch: Scratch,
}

impl FilterEncoder {
    /// Makes an encoder whose frames have zstd level `level`.
    pub fn new(level: i32) -> FilterEncoder {
        // What guesses leave of pixels repeats by chance only. Short matches then cost more than they save: 10.8 MB of
        // textures at level 3, 10.4 at level 1, 10.2 with this, which is read fastest, too.
        let mut noisy = context(TRIAL_LEVEL);
        noisy.set_parameter(CParameter::MinMatch(7)).expect("the length is valid");
        FilterEncoder {
            context: context(level),
            trial: context(TRIAL_LEVEL),
            noisy,
            filtered: Vec::new(),
            frame: Vec::new(),
            out: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Returns stored bytes that are 2 % smaller than `zstd_len`, what zstd alone makes of `plain`, if a filter is known
    /// from the place of the chunk or found in its bytes.
    pub fn encode(&mut self, plain: &[u8], place: Option<Place>, zstd_len: usize) -> Option<&[u8]> {
        let encoded = match place.map(|place| guess::of_place(place, plain)) {
            Some(Some(filter)) => {
                self.encode_with(filter, plain);
                true
            }
            Some(None) => false,
            None => self.encode_unknown(plain, zstd_len),
        };
        (encoded && self.out.len() < zstd_len - zstd_len / 50).then_some(&self.out)
    }

    /// Makes the stored bytes with the filter that the bytes of a chunk alone speak for, and tells
    /// whether there is one.
    fn encode_unknown(&mut self, plain: &[u8], zstd_len: usize) -> bool {
        // What zstd can hardly, or very well compress, a filter makes no better.
        let hopeless = zstd_len > plain.len() - plain.len() / 32 || zstd_len < plain.len() / 20;
        if plain.len() < 4096 || hopeless || guess::looks_like_text(plain) {
            return false;
        }
        let pixels = guess::pixels(plain);
        if let Some(pixels) = pixels {
            self.encode_with(Filter::Pixels(pixels), plain);
            // Records may look like rows, but gain less as such.
            if self.out.len() < zstd_len - zstd_len / 5 {
                return true;
            }
        }
        let at = (plain.len() - SLICE_LEN.min(plain.len())) / 2;
        let slice = &plain[at..][..SLICE_LEN.min(plain.len())];
        let unfiltered_len = self.trial_len(None, slice);
        // What pixels would make of the slice, and 3 % that the slice may deceive.
        let pixels_len = pixels.map_or(unfiltered_len, |_| unfiltered_len * self.out.len() / zstd_len);
        let mut best = (pixels_len.min(unfiltered_len) * 31 / 32, None);
        for record_len in guess::record_lens(plain) {
            for delta in [false, true] {
                let len = self.trial_len(Some(Records { start: 0, record_len, delta }), slice);
                if len < best.0 {
                    best = (len, Some(Records { start: at % record_len, record_len, delta }));
                }
            }
        }
        if let Some(records) = best.1 {
            self.encode_with(Filter::Records(records), plain);
        }
        best.1.is_some() || pixels.is_some()
    }

    fn trial_len(&mut self, records: Option<Records>, slice: &[u8]) -> usize {
        self.filtered.clear();
        match records {
            Some(records) => records.apply(slice, &mut self.filtered),
            None => self.filtered.extend_from_slice(slice),
        }
        compress(&mut self.trial, &self.filtered, &mut self.frame);
        self.frame.len()
    }

    /// Makes the stored bytes of `plain`.
    fn encode_with(&mut self, filter: Filter, plain: &[u8]) {
        self.out.clear();
        self.filtered.clear();
        match filter {
            Filter::Samples(samples) => {
                self.out.push(SAMPLES);
                samples.write(&mut self.out);
                samples.apply(plain, &mut self.scratch, &mut self.out);
                return;
            }
            Filter::Pixels(pixels) => {
                self.out.push(PIXELS);
                pixels.write(&mut self.out);
                pixels.apply(plain, &mut self.filtered);
                compress_parts(&mut self.noisy, &self.filtered, &pixels.part_ends(plain.len()), &mut self.frame);
            }
            Filter::Blocks(blocks) => {
                self.out.push(BLOCKS);
                blocks.write(&mut self.out);
                blocks.apply(plain, &mut self.filtered);
                compress_parts(&mut self.context, &self.filtered, &blocks.part_ends(plain.len()), &mut self.frame);
            }
            Filter::Records(records) => {
                self.out.push(RECORDS);
                records.write(&mut self.out);
                records.apply(plain, &mut self.filtered);
                compress(&mut self.context, &self.filtered, &mut self.frame);
            }
        }
        self.out.extend_from_slice(&self.frame);
    }
}

fn context(level: i32) -> CCtx<'static> {
    let mut context = CCtx::create();
    for parameter in [CParameter::CompressionLevel(level), CParameter::ContentSizeFlag(false)] {
        context.set_parameter(parameter).expect("the parameter is valid");
    }
    context
}

/// Makes one frame of `bytes`.
fn compress(context: &mut CCtx<'static>, bytes: &[u8], frame: &mut Vec<u8>) {
    frame.clear();
    frame.reserve(compress_bound(bytes.len()));
    context.compress2(frame, bytes).expect("the frame has room for the worst case");
}

/// Makes one frame of `bytes` whose parts have blocks, and with them codes, of their own.
fn compress_parts(context: &mut CCtx<'static>, bytes: &[u8], part_ends: &[usize], frame: &mut Vec<u8>) {
    frame.clear();
    // A block that does not shrink costs 3 bytes more, and parts may end in the middle of one.
    frame.reserve(compress_bound(bytes.len()) + 16 * part_ends.len());
    // Tables as small as for a frame made at once.
    context.set_pledged_src_size(Some(bytes.len() as u64)).expect("no frame is under way");
    let mut out = OutBuffer::around(frame);
    let mut from = 0;
    for &end in part_ends {
        let operation =
            if end == bytes.len() { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_flush };
        let mut part = InBuffer::around(&bytes[from..end]);
        let left = context.compress_stream2(&mut out, &mut part, operation);
        assert!(left == Ok(0), "the frame has room for the worst case");
        from = end;
        if end == bytes.len() {
            break;
        }
    }
}

/// Returns the plain bytes of a filtered chunk, which must be exactly `plain_len`.
///
/// # Errors
/// `Corrupt` if the parameters make no sense, or the payload does not decode to that many.
pub fn decode(stored: &[u8], plain_len: usize) -> Result<Vec<u8>> {
    let mut reader = Reader::new(stored);
    reader.require(plain_len <= super::MAX_PLAIN_LEN)?;
    let number = reader.byte()?;
    let frame = |reader: Reader<'_>| super::decode(Encoding::Zstd, reader.rest(), &[], plain_len);
    match number {
        PIXELS => {
            let pixels = Pixels::read(&mut reader, plain_len)?;
            Ok(pixels.undo(&frame(reader)?))
        }
        BLOCKS => {
            let blocks = Blocks::read(&mut reader, plain_len)?;
            Ok(blocks.undo(&frame(reader)?))
        }
        RECORDS => {
            let records = Records::read(&mut reader, plain_len)?;
            Ok(records.undo(&frame(reader)?))
        }
        SAMPLES => {
            let samples = Samples::read(&mut reader, plain_len)?;
            thread_local! {
                // Only working memory: nothing of one call reaches the next.
                static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
            }
            SCRATCH.with(|scratch| samples.undo(reader.rest(), plain_len, &mut scratch.borrow_mut()))
        }
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::lens::shape::BlockKind;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    /// Returns a generator whose seed is printed, and taken back from GAMEVAULT_SEED.
    fn random() -> StdRng {
        let given = std::env::var("GAMEVAULT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(rand::random::<u64>);
        println!("GAMEVAULT_SEED={seed}");
        StdRng::seed_from_u64(seed)
    }

    /// Returns rows that are alike, each byte near to its neighbours, as pixels are.
    fn picture(random: &mut StdRng, row_len: usize, pixel_len: usize, rows: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = vec![90; row_len * rows];
        for at in row_len + pixel_len..bytes.len() {
            let near = bytes[at - pixel_len] / 2 + bytes[at - row_len] / 2;
            bytes[at] = near.wrapping_add(random.random_range(0..6)) ^ (at % pixel_len) as u8;
        }
        bytes
    }

    /// Returns a tone in each channel, with a little noise.
    fn sound(random: &mut StdRng, frames: usize, channels: usize, sample_len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in 0..frames {
            for channel in 0..channels {
                let angle = frame as f64 * 0.05 + channel as f64 * 0.1;
                let sample = (angle.sin() * 1e9) as i32 + random.random_range(-1 << 20..1 << 20);
                bytes.extend_from_slice(&sample.to_le_bytes()[4 - sample_len..]);
            }
        }
        bytes
    }

    fn stored(encoder: &mut FilterEncoder, filter: Filter, plain: &[u8]) -> Vec<u8> {
        encoder.encode_with(filter, plain);
        encoder.out.clone()
    }

    #[track_caller]
    fn assert_comes_back(encoder: &mut FilterEncoder, filter: Filter, plain: &[u8]) {
        let stored = stored(encoder, filter, plain);
        assert!(decode(&stored, plain.len()).unwrap() == plain, "{filter:?} of {} bytes", plain.len());
    }

    #[test]
    fn pixels_come_back_at_every_phase_and_length() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        for pixel_len in 1..=4u8 {
            for padding in 0..=3 {
                let used_len = 13 * u32::from(pixel_len);
                let row_len = used_len + padding;
                let file = picture(&mut random, row_len as usize, usize::from(pixel_len), 60);
                let shape =
                    Shape::Pixels { data_offset: 18, data_len: file.len() as u64 - 30, pixel_len, used_len, row_len };
                for offset in 0..row_len as usize + 20 {
                    let len = random.random_range(600..file.len() - offset);
                    let plain = &file[offset..offset + len];
                    let place = Place { shape, offset: offset as u64 };
                    let filter = guess::of_place(place, plain).expect("most of it is pixels");
                    assert_comes_back(&mut encoder, filter, plain);
                }
            }
        }
    }

    #[test]
    fn pixels_of_any_layout_come_back() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        for _ in 0..2000 {
            let plain: Vec<u8> = (0..random.random_range(0..400)).map(|_| random.random()).collect();
            let pixel_len = random.random_range(1..=4);
            let used_len = pixel_len * random.random_range(1..40);
            let start = random.random_range(0..=plain.len());
            let end = random.random_range(start..=plain.len());
            let column = random.random_range(0..used_len / pixel_len) * pixel_len;
            let row_len = used_len + random.random_range(0..9);
            let green = pixel_len >= 3 && random.random();
            let pixels = Pixels { start, end, column, used_len, row_len, pixel_len, green };
            assert_comes_back(&mut encoder, Filter::Pixels(pixels), &plain);
        }
    }

    #[test]
    fn records_come_back_at_every_phase_and_length() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        for record_len in 1..=records::MAX_RECORD_LEN {
            for delta in [false, true] {
                let plain: Vec<u8> = (0..random.random_range(300..20_000)).map(|at| (at / 7) as u8).collect();
                let start = random.random_range(0..record_len);
                assert_comes_back(&mut encoder, Filter::Records(Records { start, record_len, delta }), &plain);
            }
        }
    }

    #[test]
    fn sound_comes_back_at_every_phase_and_length() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        for channels in 1..=8u8 {
            for (sample_len, big_endian) in [(1, false), (2, false), (2, true), (3, false), (3, true), (4, false)] {
                let file = sound(&mut random, 4200, usize::from(channels), usize::from(sample_len));
                let data_len = file.len() as u64 - 50;
                let shape = Shape::Samples { data_offset: 44, data_len, channels, sample_len, big_endian };
                for offset in [0, 43, 44, 45, 46, 47, 51] {
                    let plain = &file[offset..file.len() - random.random_range(0..3000)];
                    let filter =
                        guess::of_place(Place { shape, offset: offset as u64 }, plain).expect("most of it is sound");
                    assert_comes_back(&mut encoder, filter, plain);
                }
            }
        }
    }

    /// Guesses and differences of such samples leave the range of their numbers.
    #[test]
    fn sound_at_its_limits_comes_back() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        for sample_len in 1..=3 {
            for channels in 1..=3 {
                for silence in [0.0, 0.5, 1.0] {
                    let mut plain = vec![0; 9000 * channels * sample_len];
                    for sample in plain.chunks_exact_mut(sample_len) {
                        let top = if random.random_bool(silence) { 0 } else { random.random_range(0x7f..=0x80) };
                        sample.fill(if top == 0x7f { 0xff } else { 0 });
                        sample[sample_len - 1] = top;
                    }
                    let samples = Samples { start: 0, frames: 9000, channels, sample_len, big_endian: false };
                    assert_comes_back(&mut encoder, Filter::Samples(samples), &plain);
                }
            }
        }
    }

    #[test]
    fn filters_are_kept_where_they_help() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        let zstd_len = |plain: &[u8]| zstd::bulk::compress(plain, 3).unwrap().len();

        let plain = picture(&mut random, 1024, 4, 100);
        let kept = encoder.encode(&plain, None, zstd_len(&plain)).expect("rows are found");
        assert_eq!(kept[0], PIXELS);
        assert!(kept.len() < zstd_len(&plain) * 9 / 10);

        let plain = sound(&mut random, 20_000, 2, 2);
        let shape = Shape::Samples { data_offset: 0, data_len: 80_000, channels: 2, sample_len: 2, big_endian: false };
        let place = Some(Place { shape, offset: 0 });
        let kept = encoder.encode(&plain, place, zstd_len(&plain)).expect("a tone can be guessed");
        assert!(kept.len() < zstd_len(&plain) * 8 / 10);

        let plain: Vec<u8> = (0..3000u32)
            .flat_map(|index| [index as f32 * 0.37, random.random(), index as f32])
            .flat_map(f32::to_le_bytes)
            .collect();
        let kept = encoder.encode(&plain, None, zstd_len(&plain)).expect("records are found");
        assert_eq!(kept[0], RECORDS);

        let text: Vec<u8> = (0..9000).flat_map(|line| format!("line {line} of a text\n").into_bytes()).collect();
        assert!(encoder.encode(&text, None, zstd_len(&text)).is_none());
        let noise: Vec<u8> = (0..60_000).map(|_| random.random()).collect();
        assert!(encoder.encode(&noise, None, noise.len()).is_none());
    }

    #[test]
    fn blocks_come_back_at_every_phase_and_length() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        let file: Vec<u8> =
            (0..40_000).map(|at| if at % 16 < 12 { (at / 700) as u8 } else { random.random() }).collect();
        for kind in [BlockKind::Bc1, BlockKind::Bc2, BlockKind::Bc3, BlockKind::Bc4, BlockKind::Bc5] {
            for offset in (0..70).step_by(3).chain(124..150).chain([20_000, 35_001]) {
                let shape = Shape::Blocks { data_offset: 128, kind, columns: 40, rows: 40, levels: 4 };
                let plain = &file[offset..file.len() - random.random_range(0..3000)];
                let filter =
                    guess::of_place(Place { shape, offset: offset as u64 }, plain).expect("most of it is blocks");
                assert_comes_back(&mut encoder, filter, plain);
            }
        }
        for count in 0..4 {
            let blocks = Blocks { start: 1, count, columns: 1, alpha: true };
            assert_comes_back(&mut encoder, Filter::Blocks(blocks), &file[..1 + count * 16]);
        }
    }

    /// Stored bytes may be anything: there is an error or as many bytes as were asked for.
    #[test]
    fn hostile_chunks_are_harmless() {
        let mut encoder = FilterEncoder::new(3);
        let mut random = random();
        let picture = picture(&mut random, 40, 4, 10);
        let sound = sound(&mut random, 150, 2, 2);
        let pixels = Pixels { start: 3, end: 390, column: 8, used_len: 36, row_len: 40, pixel_len: 4, green: true };
        let samples = Samples { start: 2, frames: 140, channels: 2, sample_len: 2, big_endian: false };
        let blocks = Blocks { start: 3, count: 20, columns: 5, alpha: true };
        let chunks = [
            (stored(&mut encoder, Filter::Pixels(pixels), &picture), picture.len()),
            (
                stored(&mut encoder, Filter::Pixels(Pixels { pixel_len: 3, column: 9, ..pixels }), &picture),
                picture.len(),
            ),
            (stored(&mut encoder, Filter::Records(Records { start: 5, record_len: 12, delta: true }), &picture), 400),
            (stored(&mut encoder, Filter::Samples(samples), &sound), sound.len()),
            (stored(&mut encoder, Filter::Blocks(blocks), &picture), picture.len()),
        ];
        let (mut whole, mut refused) = (0, 0);
        for round in 0..100_000 {
            let (mut bytes, mut plain_len) = chunks[round % chunks.len()].clone();
            for _ in 0..random.random_range(1..4) {
                // The parameters are few bytes, and matter most.
                let reach = if random.random() { bytes.len() } else { 12.min(bytes.len()) };
                match random.random_range(0..8) {
                    0 => bytes.truncate(random.random_range(0..=bytes.len())),
                    1 => bytes.push(random.random()),
                    2 => plain_len = random.random_range(0..2 * plain_len + 1),
                    _ if reach > 0 => bytes[random.random_range(0..reach)] = random.random(),
                    _ => {}
                }
            }
            match decode(&bytes, plain_len) {
                Ok(plain) => {
                    assert_eq!(plain.len(), plain_len);
                    whole += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt);
                    refused += 1;
                }
            }
        }
        assert!(whole > 1000 && refused > 1000, "{whole} came out, {refused} were refused");
        assert!(decode(&chunks[0].0, super::super::MAX_PLAIN_LEN + 1).is_err());
    }
}
