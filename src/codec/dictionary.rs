//! Small chunks of one kind with a dictionary trained from some of them.
//!
//! A chunk of a few hundred bytes has no room to learn what it repeats; a dictionary of what its like have in common
//! tells zstd beforehand. What is stored is the frame without its header. Which chunks share a dictionary, and where it
//! is kept, is the store's part.

use super::frame;
use crate::error::Result;
use std::cell::RefCell;
use zstd::zstd_safe::{self, CCtx, CDict, DCtx, DDict};

/// Samples with fewer bytes than this in all teach nothing.
const MIN_SAMPLE_BYTES: usize = 4096;

/// Shortest dictionary that zstd trains.
const MIN_LEN: usize = 256;

/// A dictionary made ready for both ways; threads share it.
pub struct Dictionary {
    encoder: CDict<'static>,
    decoder: DDict<'static>,
}

/// Returns a dictionary of at most `max_len` bytes of what the samples have in common.
///
/// Takes some 100 ms a MB of samples; zstd advises samples of a hundred times the dictionary. `None` if the samples are
/// too few or have nothing in common.
pub fn train(samples: &[&[u8]], max_len: usize) -> Option<Vec<u8>> {
    let bytes = samples.concat();
    if bytes.len() < MIN_SAMPLE_BYTES || max_len < MIN_LEN {
        return None;
    }
    let lens: Vec<usize> = samples.iter().map(|sample| sample.len()).filter(|&len| len > 0).collect();
    let mut dictionary = Vec::with_capacity(max_len);
    zstd_safe::train_from_buffer(&mut dictionary, &bytes, &lens).ok()?;
    Some(dictionary)
}

impl Dictionary {
    /// Makes trained bytes, or any others that chunks may repeat, ready for zstd level `level`.
    ///
    /// Returns `None` if the bytes start like a trained dictionary and are none.
    pub fn new(bytes: &[u8], level: i32) -> Option<Dictionary> {
        Some(Dictionary { encoder: CDict::try_create(bytes, level)?, decoder: DDict::try_create(bytes)? })
    }

    /// Returns `plain` in less than `limit` bytes, or `None` if it takes more.
    pub fn encode(&self, plain: &[u8], limit: usize) -> Option<Vec<u8>> {
        thread_local! {
            // Only working memory: nothing of one call reaches the next.
            static MEMORY: RefCell<(CCtx<'static>, Vec<u8>)> = RefCell::new((CCtx::create(), Vec::new()));
        }
        MEMORY.with_borrow_mut(|(context, out)| {
            out.clear();
            out.reserve(zstd_safe::compress_bound(plain.len()));
            context.compress_using_cdict(out, plain, &self.encoder).ok()?;
            frame::strip_header(out).filter(|stripped| stripped.len() < limit).map(<[u8]>::to_vec)
        })
    }

    /// Returns the `plain_len` bytes of which `stored` was made with this dictionary.
    ///
    /// # Errors
    /// `Corrupt` if it does not decode to exactly that many bytes.
    pub fn decode(&self, stored: &[u8], plain_len: usize) -> Result<Vec<u8>> {
        thread_local! {
            // Only working memory: nothing of one call reaches the next.
            static MEMORY: RefCell<(DCtx<'static>, Vec<u8>)> = RefCell::new((DCtx::create(), Vec::new()));
        }
        let mut plain = Vec::new();
        MEMORY.with_borrow_mut(|(context, scratch)| {
            frame::decode_stripped(stored, &mut plain, plain_len, scratch, |plain, frame| {
                context.decompress_using_ddict(plain, frame, &self.decoder)
            })
        })?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Random, survives_hostile_bytes};
    use super::*;

    fn entries(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut random = Random::new(seed);
        let mut entry = || {
            let [id, weight, price] = [(); 3].map(|()| random.below(1000));
            format!("<item id=\"{id}\"><name>Sword of {price}</name><weight unit=\"kg\">{weight}</weight></item>\n")
                .into_bytes()
        };
        (0..count).map(|_| entry()).collect()
    }

    fn trained() -> Vec<u8> {
        let samples = entries(1, 2000);
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        train(&samples, 2048).unwrap()
    }

    #[test]
    fn like_chunks_shrink_to_what_is_their_own() {
        let bytes = trained();
        assert!(bytes.len() <= 2048);
        assert_eq!(bytes, trained());
        let dictionary = Dictionary::new(&bytes, 3).unwrap();
        for plain in entries(2, 100) {
            let stored = dictionary.encode(&plain, plain.len() / 3).expect("less than a third is its own");
            assert_eq!(dictionary.decode(&stored, plain.len()).unwrap(), plain);
        }
    }

    #[test]
    fn any_bytes_can_be_a_dictionary_and_any_chunk_comes_back() {
        let mut random = Random::new(3);
        for len in [0, 1, 7, 8, 1000, 100_000] {
            let dictionary = Dictionary::new(&random.bytes(len), 3).unwrap();
            for len in [0, 1, 100, 200_000] {
                let plain = random.bytes(len);
                let stored = dictionary.encode(&plain, usize::MAX).unwrap();
                assert_eq!(dictionary.decode(&stored, len).unwrap(), plain);
            }
        }
    }

    #[test]
    fn a_damaged_dictionary_is_none() {
        let bytes = trained();
        assert!(Dictionary::new(&bytes[..20], 3).is_none());
    }

    #[test]
    fn too_little_to_learn_from_is_none() {
        assert!(train(&[], 1000).is_none());
        assert!(train(&[&b"ab"[..]; 100], 1000).is_none());
        assert!(train(&[&b""[..]; 100], 1000).is_none());
        assert!(train(&[&[7; 10_000]], 10).is_none());
        assert!(train(&[&[7; 10_000]], 1000).is_none());
    }

    #[test]
    fn samples_of_one_byte_or_of_noise_do_no_harm() {
        let mut random = Random::new(5);
        let noise: Vec<Vec<u8>> = (0..100).map(|len| random.bytes(len * 10)).collect();
        for samples in [vec![&[7; 1000][..]; 20], noise.iter().map(Vec::as_slice).collect()] {
            if let Some(bytes) = train(&samples, 1000) {
                let dictionary = Dictionary::new(&bytes, 3).unwrap();
                let stored = dictionary.encode(samples[1], usize::MAX).unwrap();
                assert_eq!(dictionary.decode(&stored, samples[1].len()).unwrap(), samples[1]);
            }
        }
    }

    #[test]
    fn one_dictionary_serves_many_threads() {
        let dictionary = Dictionary::new(&trained(), 3).unwrap();
        let alone = dictionary.encode(&entries(4, 1)[0], usize::MAX);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(dictionary.encode(&entries(4, 1)[0], usize::MAX), alone));
            }
        });
    }

    #[test]
    fn hostile_bytes_are_corrupt_or_something_else() {
        let dictionary = Dictionary::new(&trained(), 3).unwrap();
        survives_hostile_bytes(
            |_, plain| dictionary.encode(plain, usize::MAX),
            |_, stored, plain_len| dictionary.decode(stored, plain_len),
        );
        assert!(dictionary.decode(&[], usize::MAX).is_err());
    }
}
