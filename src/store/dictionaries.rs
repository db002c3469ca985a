//! Dictionaries for small files, one for each type, which the vault learns from the first of them.
//!
//! A dictionary is a chunk like any other, and the base of the chunks that were made with it. Which types have one stands
//! in the catalogue; when that is rebuilt new ones are learned, and the old ones stay for what was made with them.

use super::decode::Reach;
use super::{Chunk, Class, MAX_BASE_BYTES, Put, Store};
use crate::codec::dictionary::{Dictionary, train};
use crate::codec::{MAX_PLAIN_LEN, ZSTD_LEVEL};
use crate::error::{Error, Result};
use crate::id::{ChunkId, ChunkKey};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::collections::HashMap;
use std::sync::Arc;

/// Chunks up to this length are made with a dictionary: longer ones learn enough from themselves.
const MAX_LEN: usize = 16 << 10;

/// Chunks from this length on: shorter ones save less than the name of a base takes.
const MIN_LEN: usize = 128;

/// The length of a dictionary, and how many bytes of samples it is learned from.
const DICTIONARY_LEN: usize = 32 << 10;
const SAMPLE_BYTES: usize = 1 << 20;

/// Types that are looked at at once; a vault has few of which there are many small files.
const MAX_TYPES: usize = 64;

/// A dictionary must make chunks smaller by more than one part in so many.
const MIN_GAIN_SHARE: usize = 8;

/// Dictionaries that are ready to decode.
const MAX_READY: usize = 32;

pub(super) struct Dictionaries {
    by_type: Mutex<HashMap<Box<[u8]>, Learning>>,
    ready: Cache<ChunkKey, Arc<Dictionary>>,
}

/// How far a type has come.
enum Learning {
    Samples {
        bytes: Vec<u8>,
        lens: Vec<usize>,
    },
    Known {
        key: ChunkKey,
        dictionary: Arc<Dictionary>,
    },
    /// Its files have too little in common.
    Useless,
}

impl Dictionaries {
    pub(super) fn new() -> Dictionaries {
        Dictionaries { by_type: Mutex::default(), ready: Cache::new(MAX_READY) }
    }
}

impl Store {
    /// Returns `plain` made with the dictionary of its type, in less than `limit` bytes, and the dictionary's key.
    ///
    /// # Errors
    /// Those of storing a dictionary that was just learned.
    pub(super) fn with_dictionary(&self, chunk: &Chunk<'_>, limit: usize) -> Result<Option<(ChunkKey, Vec<u8>)>> {
        let is_fit = (MIN_LEN..=MAX_LEN).contains(&chunk.plain.len());
        if !is_fit || chunk.kind.is_empty() || chunk.class != Class::Data {
            return Ok(None);
        }
        let (samples, lens) = {
            let mut by_type = self.dictionaries.by_type.lock();
            if !by_type.contains_key(chunk.kind) {
                if by_type.len() >= MAX_TYPES {
                    return Ok(None);
                }
                let learning = self.known_dictionary(chunk.kind)?;
                by_type.insert(chunk.kind.into(), learning);
            }
            let learning = by_type.get_mut(chunk.kind).expect("inserted above");
            match learning {
                Learning::Useless => return Ok(None),
                Learning::Known { key, dictionary } => {
                    return Ok(dictionary.encode(chunk.plain, limit).map(|stored| (*key, stored)));
                }
                Learning::Samples { bytes, lens } => {
                    bytes.extend_from_slice(chunk.plain);
                    lens.push(chunk.plain.len());
                    if bytes.len() < SAMPLE_BYTES {
                        return Ok(None);
                    }
                    let samples = (std::mem::take(bytes), std::mem::take(lens));
                    // While one thread learns, others go on without.
                    *learning = Learning::Useless;
                    samples
                }
            }
        };
        if let Some(bytes) = learn(&samples, &lens)
            && let Some(dictionary) = Dictionary::new(&bytes, ZSTD_LEVEL)
        {
            let key = self.put_dictionary(chunk.kind, &bytes)?;
            let dictionary = Arc::new(dictionary);
            self.dictionaries.by_type.lock().insert(chunk.kind.into(), Learning::Known { key, dictionary });
        }
        Ok(None)
    }

    fn put_dictionary(&self, kind: &[u8], bytes: &[u8]) -> Result<ChunkKey> {
        let Put { id, .. } = self.put(bytes, Class::Data)?;
        self.catalogue.set_dictionary(kind, id)?;
        Ok(id.key())
    }

    fn known_dictionary(&self, kind: &[u8]) -> Result<Learning> {
        let known = self.catalogue.dictionary(kind)?;
        let key = known.map(|id: ChunkId| id.key());
        // One that is damaged, or went with its pack, is learned anew.
        let found = key.and_then(|key| Some((key, self.dictionary(key, &mut Reach::WHOLE.clone()).ok()?)));
        Ok(match found {
            Some((key, dictionary)) => Learning::Known { key, dictionary },
            None => Learning::Samples { bytes: Vec::new(), lens: Vec::new() },
        })
    }

    /// Returns the dictionary that is the chunk `key`, checked.
    pub(super) fn dictionary(&self, key: ChunkKey, reach: &mut Reach) -> Result<Arc<Dictionary>> {
        // Not by a placeholder, as with bases: a damaged dictionary may claim to be made with itself.
        if let Some(dictionary) = self.dictionaries.ready.get(&key) {
            return Ok(dictionary);
        }
        let bytes = self.base(key, reach)?;
        if ChunkId::of(&bytes).key() != key {
            return Err(Error::corrupt(format!("the dictionary {key} does not hash to it")));
        }
        let dictionary = Dictionary::new(&bytes, ZSTD_LEVEL).map(Arc::new);
        let dictionary = dictionary.ok_or_else(|| Error::corrupt(format!("the chunk {key} is no dictionary")))?;
        self.dictionaries.ready.insert(key, dictionary.clone());
        Ok(dictionary)
    }
}

const _: () = assert!(DICTIONARY_LEN as u64 <= MAX_BASE_BYTES && MAX_LEN <= MAX_PLAIN_LEN);

/// Returns a dictionary if it makes the samples enough smaller.
fn learn(samples: &[u8], lens: &[usize]) -> Option<Vec<u8>> {
    let mut rest = samples;
    let each: Vec<&[u8]> =
        lens.iter().map(|&len| rest.split_off(..len).expect("the lengths are of the samples")).collect();
    // Tried on others than it was learned from.
    let (taught, asked): (Vec<_>, Vec<_>) = each.iter().enumerate().partition(|(index, _)| index % 8 != 0);
    let taught: Vec<&[u8]> = taught.into_iter().map(|(_, sample)| *sample).collect();
    let bytes = train(&taught, DICTIONARY_LEN)?;
    let dictionary = Dictionary::new(&bytes, ZSTD_LEVEL)?;
    let (mut with, mut without) = (0, 0);
    let mut encoder = crate::codec::Encoder::default();
    for (_, sample) in asked {
        let own = encoder.encode(sample, None).1.len();
        without += own;
        with += dictionary.encode(sample, own).map_or(own, |stored| stored.len());
    }
    (with + without / MIN_GAIN_SHARE < without).then_some(bytes)
}
