//! How much of what was read is kept, to be read again without its work.

/// The bounds of all that is kept while a vault is open, in one place; a bound of 0 keeps nothing.
///
/// What readers get is the same whatever is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSizes {
    /// Bytes of decoded chunks in memory; a part of it holds what was read ahead.
    pub chunk_bytes: u64,
    /// Bytes of decoded bases in memory: neighbours in a file are differences to the same ones.
    pub base_bytes: u64,
    /// Bytes of what opened bases say, in memory.
    pub text_bytes: u64,
    /// Decoded directory pages in memory; one has about 128 entries, some 20 KB.
    pub pages: usize,
    /// Decoded content lists in memory; one has about 256 items, some 12 KB.
    pub lists: usize,
    /// Bytes of opened chunks that were made again, on disk; at most a part of what the packs take.
    pub recreated_bytes: u64,
}

impl CacheSizes {
    /// Keeps nothing.
    pub const OFF: CacheSizes =
        CacheSizes { chunk_bytes: 0, base_bytes: 0, text_bytes: 0, pages: 0, lists: 0, recreated_bytes: 0 };

    /// Keeps so little that everything is evicted all the time: for tests.
    #[doc(hidden)]
    pub const TINY: CacheSizes = CacheSizes {
        chunk_bytes: 600 << 10,
        base_bytes: 300 << 10,
        text_bytes: 300 << 10,
        pages: 2,
        lists: 2,
        recreated_bytes: 1 << 20,
    };
}

impl Default for CacheSizes {
    /// Keeps a mount below 256 MB, with what the database and the system hold for it.
    fn default() -> CacheSizes {
        CacheSizes {
            chunk_bytes: 64 << 20,
            base_bytes: 32 << 20,
            text_bytes: 32 << 20,
            pages: 1024,
            lists: 512,
            recreated_bytes: 8 << 30,
        }
    }
}
