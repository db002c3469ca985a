//! Chunks that are read together: looked up by one question, read from the packs in the order in which they lie there.
//!
//! Readers and those who read ahead meet at placeholders in the cache, so that no chunk is decoded twice at once. Nobody
//! waits for another's placeholder while he holds one, so they never wait for each other in a circle; and a placeholder is
//! only taken for what is read next, so a pack that is slow holds up nobody who does not need that pack.

use super::Store;
use super::hangs::get_or_fetch;
use super::kept::{ByLength, CountWasted, Plain};
use super::reader::{MAX_RUN_BYTES, MAX_RUN_GAP};
use crate::catalogue::ChunkPlace;
use crate::error::Result;
use crate::id::{ChunkId, ChunkKey};
use quick_cache::DefaultHashBuilder;
use quick_cache::sync::{GuardResult, PlaceholderGuard};
use std::time::Duration;

type Guard<'a> = PlaceholderGuard<'a, ChunkKey, Plain, ByLength, DefaultHashBuilder, CountWasted>;

/// A chunk that is looked for.
struct Wanted {
    /// Where it stands in the question.
    index: usize,
    id: ChunkId,
    place: Option<ChunkPlace>,
}

/// For whom chunks are read.
#[derive(Clone, Copy)]
struct Asking {
    /// Nobody asks for them yet.
    is_ahead: bool,
    /// Who asks goes on, and will not come back.
    is_passing: bool,
}

impl Wanted {
    fn order(&self) -> Option<(i64, u32)> {
        self.place.as_ref().map(|place| (place.pack, place.offset))
    }
}

impl Store {
    /// Returns the plain bytes of chunks, each checked, in the order of `ids`.
    ///
    /// `is_passing` tells that the reader goes on and will not come back: what it reads leaves the cache first.
    ///
    /// # Errors
    /// As [`Store::get`], of the first that fails.
    pub fn get_all(&self, ids: &[ChunkId], is_passing: bool) -> Result<Vec<Plain>> {
        let mut found: Vec<Option<Plain>> = ids.iter().map(|&id| self.cached(id, is_passing)).collect();
        let missing = found.iter().filter(|found| found.is_none()).count();
        self.reads.hits.add((ids.len() - missing) as u64);
        self.reads.misses.add(missing as u64);
        // One alone is looked up by itself, under its placeholder.
        if missing > 1 {
            let missing = ids.iter().copied().enumerate().filter(|(index, _)| found[*index].is_none());
            let how = Asking { is_ahead: false, is_passing };
            self.read_together(missing.collect(), how, &mut |index, read| {
                found[index] = Some(read?);
                Ok(())
            })?;
        }
        let each = ids.iter().zip(found);
        each.map(|(&id, found)| found.map_or_else(|| self.wait_for(id, is_passing), Ok)).collect()
    }

    /// Decodes those of `ids` that are not in the cache, for readers who will ask for them; returns how many it decoded.
    ///
    /// What fails is left to the one who asks for it: he is told.
    pub fn read_ahead(&self, ids: &[ChunkId]) -> u64 {
        let mut decoded = 0;
        let missing = ids.iter().copied().enumerate().filter(|(_, id)| !self.cache.contains_key(&id.key()));
        let how = Asking { is_ahead: true, is_passing: true };
        let read = self.read_together(missing.collect(), how, &mut |_, read| match read {
            Ok(_) => {
                decoded += 1;
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%error, "a chunk cannot be read ahead");
                Ok(())
            }
        });
        if let Err(error) = read {
            tracing::debug!(%error, "chunks cannot be read ahead");
        }
        decoded
    }

    /// Returns a chunk that is decoded already.
    fn cached(&self, id: ChunkId, is_passing: bool) -> Option<Plain> {
        let plain = self.cache.peek(&id.key())?;
        if plain.take_ahead() {
            // It was asked for once, by whoever made it be read ahead; only a second time makes it hot.
            self.reads.ahead_used.add(1);
        } else if !is_passing {
            // This look counts.
            self.cache.get(&id.key());
        }
        Some(plain)
    }

    /// Returns a chunk when it is decoded, by this thread or another.
    pub(super) fn wait_for(&self, id: ChunkId, is_passing: bool) -> Result<Plain> {
        // Looked for first: taking the placeholder of what is there by now would count as a second use of it.
        if let Some(plain) = self.cached(id, is_passing) {
            return Ok(plain);
        }
        let plain = get_or_fetch(&self.cache, id.key(), || Ok(Plain::new(self.get_uncached(id)?, false)))?;
        if plain.take_ahead() {
            self.reads.ahead_used.add(1);
        }
        Ok(plain)
    }

    /// Gives the chunks of `wanted` that nobody else is reading to `visit`, with their indexes, and keeps them.
    fn read_together(
        &self,
        wanted: Vec<(usize, ChunkId)>,
        how: Asking,
        visit: &mut dyn FnMut(usize, Result<Plain>) -> Result<()>,
    ) -> Result<()> {
        let (indexes, ids): (Vec<usize>, Vec<ChunkId>) = wanted.into_iter().unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let places = self.catalogue.chunks(&ids)?;
        let chunks = indexes.into_iter().zip(&ids).zip(places);
        let mut wanted: Vec<Wanted> = chunks.map(|((index, &id), place)| Wanted { index, id, place }).collect();
        wanted.sort_by_key(Wanted::order);
        for run in wanted.chunk_by_mut(|one, next| one.place.as_ref().zip(next.place.as_ref()).is_some_and(is_near)) {
            for part in parts(run) {
                self.read_run(part, how, visit)?;
            }
        }
        Ok(())
    }

    /// Reads chunks that lie near each other by one read.
    fn read_run(
        &self,
        run: &mut [Wanted],
        Asking { is_ahead, is_passing }: Asking,
        visit: &mut dyn FnMut(usize, Result<Plain>) -> Result<()>,
    ) -> Result<()> {
        let mut guards: Vec<(Guard<'_>, usize, ChunkId)> = Vec::with_capacity(run.len());
        let mut places = Vec::with_capacity(run.len());
        for chunk in run {
            if is_ahead && self.cache.contains_key(&chunk.id.key()) {
                continue;
            }
            if !is_ahead && let Some(plain) = self.cached(chunk.id, is_passing) {
                visit(chunk.index, Ok(plain))?;
                continue;
            }
            match self.cache.get_value_or_guard(&chunk.id.key(), Some(Duration::ZERO)) {
                GuardResult::Guard(guard) => {
                    guards.push((guard, chunk.index, chunk.id));
                    places.extend(chunk.place.take());
                }
                GuardResult::Value(plain) if !is_ahead => visit(chunk.index, Ok(plain))?,
                // Another one is at it: whoever wants it waits when he holds no placeholder.
                GuardResult::Value(_) | GuardResult::Timeout => {}
            }
        }
        let mut stored = self.reader.read_run(places).into_iter();
        for (guard, index, id) in guards {
            // What is not sealed yet has no place, and what was stored anew has another one now.
            let read = match stored.next() {
                Some(Ok(stored)) => self.kept(id, stored),
                Some(Err(_)) | None => self.get_uncached(id),
            };
            let plain = read.map(|bytes| Plain::new(bytes, is_ahead));
            if let Ok(plain) = &plain {
                let _ = guard.insert(plain.clone());
                if is_ahead {
                    self.reads.ahead_chunks.add(1);
                }
            }
            visit(index, plain)?;
        }
        Ok(())
    }
}

/// Tells whether the second chunk is read by the same read as the first, which lies before it.
fn is_near((one, next): (&ChunkPlace, &ChunkPlace)) -> bool {
    one.pack == next.pack && u64::from(next.offset) <= one.end() + MAX_RUN_GAP
}

/// Cuts a run so that a read is never longer than [`MAX_RUN_BYTES`].
fn parts(run: &mut [Wanted]) -> impl Iterator<Item = &mut [Wanted]> {
    let mut rest = run;
    std::iter::from_fn(move || {
        let start = rest.first()?.place.as_ref().map_or(0, |place| u64::from(place.offset));
        let fits = |chunk: &Wanted| chunk.place.as_ref().is_some_and(|place| place.end() <= start + MAX_RUN_BYTES);
        let len = rest.iter().take_while(|chunk| fits(chunk)).count().max(1);
        rest.split_off_mut(..len)
    })
}
