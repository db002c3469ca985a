//! A chunk as one zstd frame that may refer to the bytes of a base chunk.
//!
//! The base is the window that lies before the plain bytes, as raw content whatever it starts with. What is stored is
//! the frame without its header. Choosing the base is the store's part.

use super::frame;
use crate::error::Result;
use std::cell::RefCell;
use zstd::zstd_safe::{self, CCtx, DCtx};

/// How trained dictionaries start; zstd reads a base that starts so as one of these.
const DICTIONARY_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];

/// Makes differences of one zstd level; keeps its working memory, so one serves a thread for all its chunks.
pub struct Prefix {
    context: CCtx<'static>,
    level: i32,
    out: Vec<u8>,
}

impl Prefix {
    /// Returns an encoder of zstd level `level`, of which 3 is for ingest and up to 19 for idle time.
    pub fn new(level: i32) -> Prefix {
        Prefix { context: CCtx::create(), level, out: Vec::new() }
    }

    /// Returns `plain` as a difference to `base` of less than `limit` bytes, or `None` if it takes more.
    ///
    /// An empty base gives the smallest form of the plain bytes alone. The two are to lie apart in memory: zstd leaves
    /// out what of the base overlaps the plain bytes.
    pub fn encode(&mut self, base: &[u8], plain: &[u8], limit: usize) -> Option<&[u8]> {
        self.out.clear();
        // Room for the worst case lets zstd skip its checks; the limit is looked at afterwards.
        self.out.reserve(zstd_safe::compress_bound(plain.len()));
        // This call, unlike a prefix, borrows the base for no longer than it runs, and sizes the window to hold both.
        self.context.compress_using_dict(&mut self.out, plain, raw_content(base), self.level).ok()?;
        frame::strip_header(&self.out).filter(|stripped| stripped.len() < limit)
    }
}

/// Returns the `plain_len` bytes of which `delta` is the difference to `base`.
///
/// # Errors
/// `Corrupt` if the difference does not decode to exactly that many bytes.
pub fn decode(base: &[u8], delta: &[u8], plain_len: usize) -> Result<Vec<u8>> {
    thread_local! {
        // Only working memory: nothing of one call reaches the next.
        static MEMORY: RefCell<(DCtx<'static>, Vec<u8>)> = RefCell::new((DCtx::create(), Vec::new()));
    }
    let mut plain = Vec::new();
    MEMORY.with_borrow_mut(|(context, scratch)| {
        frame::decode_stripped(delta, &mut plain, plain_len, scratch, |plain, frame| {
            context.decompress_using_dict(plain, frame, raw_content(base))
        })
    })?;
    Ok(plain)
}

/// Returns the base without what would make zstd take it for a trained dictionary.
fn raw_content(base: &[u8]) -> &[u8] {
    if base.starts_with(&DICTIONARY_MAGIC) { &base[1..] } else { base }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Random, pairs, survives_hostile_bytes};
    use super::*;

    #[test]
    fn every_kind_of_change_comes_back() {
        // The highest level is slow: it gets a few.
        for (level, step) in [(1, 1), (3, 1), (19, 10)] {
            let mut encoder = Prefix::new(level);
            for (name, base, plain) in pairs().into_iter().step_by(step) {
                let delta = encoder.encode(&base, &plain, usize::MAX).unwrap();
                assert_eq!(decode(&base, delta, plain.len()).unwrap(), plain, "{name}");
            }
        }
    }

    #[test]
    fn a_base_like_a_dictionary_is_plain_bytes() {
        let mut base = Random::new(1).bytes(5000);
        base[..4].copy_from_slice(&DICTIONARY_MAGIC);
        let plain = base.clone();
        let mut encoder = Prefix::new(3);
        let delta = encoder.encode(&base, &plain, 100).unwrap();
        assert_eq!(decode(&base, delta, plain.len()).unwrap(), plain);
    }

    #[test]
    fn the_window_reaches_over_all_of_the_base() {
        let base = Random::new(2).bytes(1 << 20);
        for at in [0, 500_000, base.len() - 4000] {
            let plain = base[at..at + 4000].to_vec();
            let mut encoder = Prefix::new(19);
            let delta = encoder.encode(&base, &plain, 100).unwrap();
            assert_eq!(decode(&base, delta, plain.len()).unwrap(), plain);
        }
    }

    #[test]
    fn working_memory_leaves_no_trace() {
        let mut used = Prefix::new(3);
        for (name, base, plain) in pairs().into_iter().step_by(3) {
            let fresh = Prefix::new(3).encode(&base, &plain, usize::MAX).map(<[u8]>::to_vec);
            assert_eq!(used.encode(&base, &plain, usize::MAX).map(<[u8]>::to_vec), fresh, "{name}");
        }
    }

    #[test]
    fn a_limit_is_kept() {
        let plain = Random::new(3).bytes(1000);
        let mut encoder = Prefix::new(3);
        let len = encoder.encode(&[], &plain, usize::MAX).unwrap().len();
        assert!(encoder.encode(&[], &plain, len).is_none());
        assert!(encoder.encode(&[], &plain, len + 1).is_some());
    }

    #[test]
    fn hostile_bytes_are_corrupt_or_something_else() {
        let mut encoder = Prefix::new(3);
        survives_hostile_bytes(|base, plain| encoder.encode(base, plain, usize::MAX).map(<[u8]>::to_vec), decode);
        assert!(decode(&[], &[], usize::MAX).is_err());
    }
}
