//! Reversible changes of form that let zstd do better on pixels, texture blocks, sound and records.
//!
//! One call makes the stored bytes of one chunk. They say themselves which filter it was: a number, its parameters, then
//! a zstd frame as long as the chunk, or for sound the codes. A chunk may begin anywhere in a row, a block or a sample,
//! so that filters know the phase. Nothing is kept from one chunk to the next but memory.

mod bits;
mod bytes;
mod guess;
mod pixels;
mod records;
mod rice;
mod samples;

use super::Encoding;
use crate::error::Result;
use crate::lens::shape::Shape;
use bytes::{Reader, damaged};
use pixels::Pixels;
use records::Records;
use samples::{Samples, Scratch};
use zstd::zstd_safe::{CCtx, CParameter, compress_bound};

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
    Records(Records),
    Samples(Samples),
}

const PIXELS: u8 = 1;
const RECORDS: u8 = 2;
const SAMPLES: u8 = 3;

/// Bytes of a chunk on which filters are tried.
const SLICE_LEN: usize = 16 << 10;

/// The zstd level at which they are tried.
const TRIAL_LEVEL: i32 = 1;

/// Filters chunks; keeps its working memory, so one serves a thread for all its chunks.
pub struct FilterEncoder {
    context: CCtx<'static>,
    trial: CCtx<'static>,
    filtered: Vec<u8>,
    frame: Vec<u8>,
    out: Vec<u8>,
    scratch: Scratch,
}

impl FilterEncoder {
    /// Makes an encoder whose frames have zstd level `level`.
    pub fn new(level: i32) -> FilterEncoder {
        FilterEncoder {
            context: context(level),
            trial: context(TRIAL_LEVEL),
            filtered: Vec::new(),
            frame: Vec::new(),
            out: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Returns stored bytes that are 2 % smaller than `zstd_len`, what zstd alone makes of `plain`, if a filter is known
    /// from the place of the chunk or found in its bytes.
    pub fn encode(&mut self, plain: &[u8], place: Option<Place>, zstd_len: usize) -> Option<&[u8]> {
        let filter = match place {
            Some(place) => guess::of_place(place, plain)?,
            None => self.guess(plain, zstd_len)?,
        };
        self.encode_with(filter, plain);
        (self.out.len() < zstd_len - zstd_len / 50).then_some(&self.out)
    }

    /// Returns the filter that the bytes of a chunk alone speak for.
    fn guess(&mut self, plain: &[u8], zstd_len: usize) -> Option<Filter> {
        // What zstd can hardly, or very well compress, a filter makes no better.
        let hopeless = zstd_len > plain.len() - plain.len() / 32 || zstd_len < plain.len() / 20;
        if plain.len() < 4096 || hopeless || guess::looks_like_text(plain) {
            return None;
        }
        if let Some(pixels) = guess::pixels(plain) {
            return Some(Filter::Pixels(pixels));
        }
        let at = (plain.len() - SLICE_LEN.min(plain.len())) / 2;
        let slice = &plain[at..][..SLICE_LEN.min(plain.len())];
        let mut best = (self.trial_len(None, slice) * 31 / 32, None);
        for record_len in guess::record_lens(plain) {
            for delta in [false, true] {
                let len = self.trial_len(Some(Records { start: 0, record_len, delta }), slice);
                if len < best.0 {
                    best = (len, Some(Filter::Records(Records { start: at % record_len, record_len, delta })));
                }
            }
        }
        best.1
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
            }
            Filter::Records(records) => {
                self.out.push(RECORDS);
                records.write(&mut self.out);
                records.apply(plain, &mut self.filtered);
            }
        }
        compress(&mut self.context, &self.filtered, &mut self.frame);
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

/// Returns the plain bytes of a filtered chunk, which must be exactly `plain_len`.
///
/// # Errors
/// `Corrupt` if the parameters make no sense, or the payload does not decode to that many.
pub fn decode(stored: &[u8], plain_len: usize) -> Result<Vec<u8>> {
    let mut reader = Reader::new(stored);
    let number = reader.byte()?;
    let frame = |reader: Reader<'_>| super::decode(Encoding::Zstd, reader.rest(), plain_len);
    match number {
        PIXELS => {
            let pixels = Pixels::read(&mut reader, plain_len)?;
            Ok(pixels.undo(&frame(reader)?))
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
