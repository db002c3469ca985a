//! How the plain bytes of a chunk become the bytes in a pack, and back.
//!
//! The same input always gives the same bytes; nothing here does I/O. Data that will not shrink is recognised from a
//! sample and kept raw, everything else is tried with zstd.

pub mod byte_delta;
pub mod dictionary;
pub mod features;
pub mod filter;
mod frame;
pub mod opened;
pub mod prefix;
#[cfg(test)]
mod samples;

use crate::error::{Error, Result};
use filter::{FilterEncoder, Place};
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

/// The most plain bytes one chunk may have; a decoder never allocates more.
pub const MAX_PLAIN_LEN: usize = 16 << 20;

/// The zstd level at ingest: level 9 gives 0.3 to 1 % more on media for three times the time.
pub const ZSTD_LEVEL: i32 = 3;

/// Bytes that are looked at to tell data that will not shrink.
const SAMPLE_LEN: usize = 4096;

/// Bits a byte from which on data counts as random. 4096 random bytes measure 7.955 by chance, PNG and Ogg 7.9 and
/// more, block-compressed textures and code less.
const RANDOM_BITS_PER_BYTE: f32 = 7.88;

/// How a chunk is stored; the numbers stand in packs and in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// The plain bytes.
    Raw = 0,
    /// One zstd frame without dictionary and checksum.
    Zstd = 1,
    /// A zstd frame that refers to the bases as if they stood before the chunk.
    Prefix = 2,
    /// Byte for byte differences to the bases, see [`byte_delta`].
    Differences = 3,
    /// How a piece of a compressed stream is made again, and what it says as a difference to what the bases say; see
    /// [`opened`].
    Opened = 4,
    /// Pixels, blocks of textures, sound or records, foreseen from their neighbours; see [`filter`].
    Filtered = 5,
    /// A zstd frame made with a dictionary, which is the base; see [`dictionary`].
    Dictionary = 6,
}

impl Encoding {
    /// Returns the encoding with number `number`.
    ///
    /// # Errors
    /// `Corrupt` if this version knows none.
    pub fn from_number(number: u8) -> Result<Encoding> {
        match number {
            0 => Ok(Encoding::Raw),
            1 => Ok(Encoding::Zstd),
            2 => Ok(Encoding::Prefix),
            3 => Ok(Encoding::Differences),
            4 => Ok(Encoding::Opened),
            5 => Ok(Encoding::Filtered),
            6 => Ok(Encoding::Dictionary),
            _ => Err(Error::corrupt(format!("the encoding {number} is unknown to this version"))),
        }
    }

    /// Returns the name by which scripts know the encoding, in kebab case.
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// Returns in a few words what the encoding is.
    pub fn about(self) -> &'static str {
        self.names().1
    }

    /// Every encoding says here what it is called.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Encoding::Raw => ("raw", "the bytes as they are: they do not shrink, or are very few"),
            Encoding::Zstd => ("zstd", "compressed by zstd, without the help of others"),
            Encoding::Prefix => ("prefix-delta", "compressed by zstd, after the bytes that stood there before"),
            Encoding::Differences => ("byte-delta", "differences to similar bytes, byte for byte"),
            Encoding::Opened => ("opened", "compressed streams, as differences of what they say"),
            Encoding::Filtered => ("filtered", "pixels, sound or records, foreseen from their neighbours"),
            Encoding::Dictionary => ("dictionary", "small files, with what others of their type have in common"),
        }
    }
}

/// Bytes that zstd makes smaller by less than this part are not looked into for pixels or records.
const FILTER_SHARE: usize = 7;

/// Turns plain bytes into stored ones; keeps its working memory, so one serves a thread for all its chunks.
pub struct Encoder {
    context: CCtx<'static>,
    out: Vec<u8>,
    filter: FilterEncoder,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new(ZSTD_LEVEL)
    }
}

impl Encoder {
    /// Returns an encoder of zstd level `level`, of which 3 is for ingest and up to 19 for idle time.
    pub fn new(level: i32) -> Encoder {
        let mut context = CCtx::create();
        // The length and a checksum of their own stand in the pack already.
        let set =
            |context: &mut CCtx<'static>, parameter| context.set_parameter(parameter).expect("the level is valid");
        set(&mut context, CParameter::CompressionLevel(level));
        set(&mut context, CParameter::ContentSizeFlag(false));
        Encoder { context, out: Vec::new(), filter: FilterEncoder::new(level) }
    }

    /// Returns the smallest of the encodings that are worth trying, and the bytes; `place` says what is known of where the
    /// bytes come from.
    pub fn encode<'a>(&'a mut self, plain: &'a [u8], place: Option<Place>) -> (Encoding, &'a [u8]) {
        if plain.len() < 32 || (place.is_none() && looks_random(plain)) {
            return (Encoding::Raw, plain);
        }
        self.out.clear();
        self.out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
        let len = self.context.compress2(&mut self.out, plain).unwrap_or(plain.len());
        // Under 2 % is not worth decoding it for ever.
        let is_smaller = len < plain.len() - plain.len() / 50;
        let may_have_records = len < plain.len() - plain.len() / FILTER_SHARE;
        if (place.is_some() || may_have_records)
            && let Some(filtered) = self.filter.encode(plain, place, len.min(plain.len()))
        {
            return (Encoding::Filtered, filtered);
        }
        if is_smaller { (Encoding::Zstd, &self.out[..len]) } else { (Encoding::Raw, plain) }
    }
}

/// Returns the plain bytes of `stored`, which must be exactly `plain_len`; `base` is what the chunk's bases hold, or for
/// an opened chunk what they say.
///
/// # Errors
/// `Corrupt` if the bytes do not decode to that many.
pub fn decode(encoding: Encoding, stored: &[u8], base: &[u8], plain_len: usize) -> Result<Vec<u8>> {
    if plain_len > MAX_PLAIN_LEN {
        return Err(Error::corrupt(format!("a chunk claims {plain_len} bytes, more than any has")));
    }
    let mut plain = Vec::new();
    match encoding {
        Encoding::Raw => plain.extend_from_slice(stored),
        Encoding::Zstd => {
            plain.reserve_exact(plain_len);
            thread_local! {
                // Only working memory: nothing of one call reaches the next.
                static CONTEXT: std::cell::RefCell<DCtx<'static>> = std::cell::RefCell::new(DCtx::create());
            }
            CONTEXT
                .with(|context| context.borrow_mut().decompress(&mut plain, stored))
                .map_err(|code| Error::corrupt(format!("zstd: {}", zstd::zstd_safe::get_error_name(code))))?;
        }
        Encoding::Prefix => plain = prefix::decode(base, stored, plain_len)?,
        Encoding::Differences => plain = byte_delta::decode(base, stored, plain_len)?,
        Encoding::Filtered => plain = filter::decode(stored, plain_len)?,
        Encoding::Dictionary => {
            let dictionary = dictionary::Dictionary::new(base, ZSTD_LEVEL);
            let dictionary = dictionary.ok_or_else(|| Error::corrupt("the base is no dictionary"))?;
            plain = dictionary.decode(stored, plain_len)?;
        }
        Encoding::Opened => plain = opened::Form::parse(stored)?.bytes(base, plain_len)?,
    }
    if plain.len() != plain_len {
        return Err(Error::corrupt(format!("{} bytes came out where {plain_len} are expected", plain.len())));
    }
    Ok(plain)
}

/// Tells from the frequencies of some bytes whether compression is hopeless.
fn looks_random(plain: &[u8]) -> bool {
    const PARTS: usize = 16;
    if plain.len() < SAMPLE_LEN {
        return false;
    }
    let mut counts = [0u16; 256];
    let stride = (plain.len() - SAMPLE_LEN / PARTS) / (PARTS - 1);
    for part in 0..PARTS {
        for &byte in &plain[part * stride..][..SAMPLE_LEN / PARTS] {
            counts[usize::from(byte)] += 1;
        }
    }
    let total = SAMPLE_LEN as f32;
    let bits: f32 = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f32::from(count) * (total / f32::from(count)).log2())
        .sum();
    bits / total > RANDOM_BITS_PER_BYTE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn every_kind_of_data_comes_back() {
        let text: Vec<u8> = b"the quick brown fox ".iter().copied().cycle().take(50_000).collect();
        let mut encoder = Encoder::default();
        for (plain, expected) in [
            (vec![], Encoding::Raw),
            (b"short".to_vec(), Encoding::Raw),
            (text, Encoding::Zstd),
            (noise(70_000), Encoding::Raw),
        ] {
            let (encoding, stored) = encoder.encode(&plain, None);
            assert_eq!(encoding, expected);
            assert_eq!(decode(encoding, stored, &[], plain.len()).unwrap(), plain);
        }
    }

    #[test]
    fn every_encoding_has_a_name_of_its_own() {
        let encodings: Vec<Encoding> = (0..16).filter_map(|number| Encoding::from_number(number).ok()).collect();
        let names: std::collections::HashSet<&str> = encodings.iter().map(|encoding| encoding.name()).collect();
        assert_eq!(names.len(), encodings.len());
        for name in names {
            assert!(name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{name} is not in kebab case");
        }
    }

    #[test]
    fn damaged_or_lying_bytes_are_corrupt() {
        let plain = vec![3; 10_000];
        let mut encoder = Encoder::default();
        let (encoding, stored) = encoder.encode(&plain, None);
        for len in 0..stored.len() {
            assert_eq!(decode(encoding, &stored[..len], &[], plain.len()).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert!(decode(encoding, stored, &[], plain.len() - 1).is_err());
        assert!(decode(encoding, stored, &[], plain.len() + 1).is_err());
        assert!(decode(Encoding::Raw, &plain, &[], usize::MAX).is_err());
        assert!(Encoding::from_number(15).is_err());
    }
}
