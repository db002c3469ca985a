//! Reading ahead of one process by what its program read the last time.
//!
//! The start that is known is found and its paths are resolved in the build that is read now, by the first of the threads
//! that work here; the others follow with decoding what is resolved. They keep to a window ahead of the process, which grows
//! with what turns out to be of use, and stop when the process reads something else.

use super::Counts;
use crate::catalogue::Build;
use crate::error::Result;
use crate::id::{BuildNumber, ChunkKey};
use crate::manifest::{Content, PIECE_LEN, PieceRun, Start};
use crate::vault::Vault;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

/// How many pieces are decoded ahead before any was of use: 2 MiB, which is lost when the kernel has all that follows.
const FIRST_WINDOW: usize = 64;

/// By how many pieces the window grows with each that was of use.
const GROWTH: usize = 4;

/// What a thread decodes at a time, so that it soon sees how far the process is.
const STEP: usize = 16;

/// A process that reads what is no farther than this after what is decoded goes on in the known order; farther on it has left
/// something out, or only looked at it early.
const NEAR: usize = 512;

/// After every so many new pieces it is judged whether the process reads what it read the last time...
const JUDGED: u32 = 64;

/// ...which it does when at least this many were known.
const LEAST_KNOWN: u32 = JUDGED / 4;

/// Files after which the others hear that more are resolved.
const RESOLVED_AT_ONCE: usize = 32;

/// One process that is read ahead of.
pub(super) struct Play {
    state: Mutex<State>,
    /// The process has read, more is resolved, or it is over.
    changed: Condvar,
    /// The most pieces that may wait for the process.
    room: usize,
}

#[derive(Default)]
struct State {
    /// What is to be read; `None` before it was found.
    script: Option<Script>,
    /// All that the process has read.
    read: HashSet<(ChunkKey, u32)>,
    /// What is taken to be decoded next, by its place in the script.
    cursor: usize,
    /// What follows the farthest that the process has read in the known order.
    position: usize,
    hits: usize,
    /// Of the pieces since the last judgement, how many there were and how many were known.
    judged: u32,
    known: u32,
    over: Option<Over>,
}

/// Why a play is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The process has ended, or its start has.
    Ended,
    /// No start is known.
    Unknown,
    /// The process reads other things.
    Diverged,
}

/// A start, being resolved in a build.
struct Script {
    /// The build of which it was recorded.
    of: BuildNumber,
    /// Files and pieces in order.
    items: Vec<(u32, u32)>,
    item_of: HashMap<(u32, u32), u32>,
    /// Which items were decoded.
    is_ready: Vec<bool>,
    file_count: usize,
    /// What the first files are in this build; `None` for one that is not in it.
    contents: Vec<Option<Content>>,
    file_of: HashMap<ChunkKey, u32>,
}

/// What one thread decodes next: items, and the ranges of files that they are.
struct Step {
    items: Vec<usize>,
    ranges: Vec<(Content, Range<u64>)>,
}

impl Play {
    /// Starts with nothing; at most `room` bytes may wait for the process.
    pub(super) fn new(room: u64) -> Play {
        Play { state: Mutex::default(), changed: Condvar::new(), room: (room / PIECE_LEN) as usize }
    }

    /// Takes note of pieces that the process reads for the first time.
    pub(super) fn note(&self, file: ChunkKey, pieces: &[u32], counts: &Counts) {
        let mut state = self.state.lock();
        if state.over.is_some() {
            return;
        }
        for &piece in pieces {
            state.read.insert((file, piece));
            state.judge(file, piece, counts);
        }
        if state.over == Some(Over::Diverged) {
            counts.diverged.fetch_add(1, Relaxed);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends it, and tells what it was good for.
    pub(super) fn end(&self) -> Ended {
        let mut state = self.state.lock();
        let over = *state.over.get_or_insert(Over::Ended);
        self.changed.notify_all();
        let script = state.script.take().filter(|_| over == Over::Ended);
        Ended {
            used: script.as_ref().filter(|_| state.hits > 0).map(|script| script.of),
            known_pieces: script.map_or(0, |script| script.items.len()),
        }
    }

    /// Finds what `program` read of `build` the last time, and decodes it.
    pub(super) fn find(&self, vault: &Vault, program: &str, build: &Build, counts: &Counts) {
        match self.resolve(vault, program, build, counts) {
            Ok(true) => self.decode(vault, counts),
            Ok(false) => self.give_up(),
            Err(error) => {
                tracing::debug!(%error, program, "a program is not read ahead of");
                self.give_up();
            }
        }
    }

    /// Decodes what is found, until it is over.
    pub(super) fn decode(&self, vault: &Vault, counts: &Counts) {
        while let Some(step) = self.next_step() {
            let decoded = vault.reader().decode_ahead(&step.ranges);
            counts.chunks.fetch_add(decoded, Relaxed);
            if let Some(script) = &mut self.state.lock().script {
                step.items.iter().for_each(|&item| script.is_ready[item] = true);
            }
        }
    }

    /// Finds out what is to be read; `false` if there is nothing known.
    fn resolve(&self, vault: &Vault, program: &str, build: &Build, counts: &Counts) -> Result<bool> {
        let Some((of, start)) = vault.start_of(program, build)? else { return Ok(false) };
        counts.warmed.fetch_add(1, Relaxed);
        let Some(()) = self.with_state(|state| state.script = Some(Script::new(of, &start))) else { return Ok(true) };
        for paths in start.files.chunks(RESOLVED_AT_ONCE) {
            let found = paths.iter().map(|path| vault.reader().file_at(build.root.id, path));
            let contents = found.collect::<Result<Vec<_>>>()?;
            let known = self.with_state(|state| state.script.as_mut().map(|script| script.add(contents)));
            if known.is_none() {
                break;
            }
            self.changed.notify_all();
        }
        Ok(true)
    }

    fn give_up(&self) {
        self.with_state(|state| state.over = Some(Over::Unknown));
        self.changed.notify_all();
    }

    /// Changes the state, unless it is over.
    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> Option<T> {
        let mut state = self.state.lock();
        state.over.is_none().then(|| change(&mut state))
    }

    /// Waits for something to decode; `None` when there is nothing more.
    fn next_step(&self) -> Option<Step> {
        let mut state = self.state.lock();
        loop {
            if state.over.is_some() {
                return None;
            }
            match state.next(self.room) {
                Next::Step(step) => return Some(step),
                Next::Nothing => return None,
                Next::Wait => self.changed.wait(&mut state),
            }
        }
    }
}

/// What a play was good for: for nothing, when the process read other things.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The build whose start was of use.
    pub(super) used: Option<BuildNumber>,
    /// How many pieces the start has.
    pub(super) known_pieces: usize,
}

enum Next {
    Step(Step),
    Wait,
    Nothing,
}

impl State {
    /// Counts a piece that is read, and judges whether the process does what it did the last time.
    fn judge(&mut self, file: ChunkKey, piece: u32, counts: &Counts) {
        let Some(script) = &self.script else { return };
        match script.find(file, piece) {
            Some(item) => {
                let count = if script.is_ready[item] { &counts.ready } else { &counts.late };
                count.fetch_add(1, Relaxed);
                self.hits += usize::from(script.is_ready[item]);
                if item < self.cursor + NEAR {
                    self.position = self.position.max(item + 1);
                }
                self.known += 1;
            }
            // It may stand among those that are not resolved yet.
            None if !script.is_resolved() => return,
            None => _ = counts.strange.fetch_add(1, Relaxed),
        }
        self.judged += 1;
        if self.judged == JUDGED {
            if self.known < LEAST_KNOWN {
                self.over = Some(Over::Diverged);
            }
            (self.judged, self.known) = (0, 0);
        }
    }

    /// Takes what is to be decoded next.
    fn next(&mut self, room: usize) -> Next {
        let window = (FIRST_WINDOW + GROWTH * self.hits).min(room);
        let Some(script) = &self.script else { return Next::Wait };
        let mut step = Step { items: Vec::new(), ranges: Vec::new() };
        while let Some(&(file, piece)) = script.items.get(self.cursor) {
            let Some(content) = script.contents.get(file as usize) else { break };
            if step.items.len() == STEP || self.cursor.saturating_sub(self.position) >= window {
                break;
            }
            let start = u64::from(piece) * PIECE_LEN;
            // The file may be gone from this build, or shorter, and the process may have been faster.
            let wanted = content.filter(|content| start < content.size);
            let is_read = |content: Content| content.key().is_none_or(|key| self.read.contains(&(key, piece)));
            if let Some(content) = wanted.filter(|&content| !is_read(content)) {
                step.items.push(self.cursor);
                step.ranges.push((content, start..content.size.min(start + PIECE_LEN)));
            }
            self.cursor += 1;
        }
        match step.items.is_empty() {
            false => Next::Step(step),
            true if self.cursor < script.items.len() => Next::Wait,
            true => Next::Nothing,
        }
    }
}

impl Script {
    fn new(of: BuildNumber, start: &Start) -> Script {
        let pieces = |run: &PieceRun| {
            let file = run.file;
            (run.first..run.first + run.count).map(move |piece| (file, piece))
        };
        let items: Vec<(u32, u32)> = start.runs.iter().flat_map(pieces).collect();
        Script {
            of,
            item_of: items.iter().enumerate().map(|(index, &item)| (item, index as u32)).collect(),
            is_ready: vec![false; items.len()],
            items,
            file_count: start.files.len(),
            contents: Vec::new(),
            file_of: HashMap::new(),
        }
    }

    fn is_resolved(&self) -> bool {
        self.contents.len() == self.file_count
    }

    /// Adds what the next files are in this build.
    fn add(&mut self, contents: Vec<Option<Content>>) {
        for content in contents {
            let index = self.contents.len() as u32;
            if let Some(key) = content.and_then(|content| content.key()) {
                self.file_of.entry(key).or_insert(index);
            }
            self.contents.push(content);
        }
    }

    /// Returns the item that stands for a piece of a file.
    fn find(&self, file: ChunkKey, piece: u32) -> Option<usize> {
        let item = self.item_of.get(&(*self.file_of.get(&file)?, piece))?;
        Some(*item as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ChunkId;
    use crate::manifest::ContentRoot;

    const FILES: u32 = 1000;

    fn content(n: u32) -> Content {
        Content { size: 40_000, root: ContentRoot::Chunk(ChunkId::of(&n.to_le_bytes())) }
    }

    fn key(n: u32) -> ChunkKey {
        content(n).key().unwrap()
    }

    /// A play of many files of two pieces each, of which the second has a file that is gone.
    fn play(room: u64) -> Play {
        let files = (0..FILES).map(|n| n.to_string().into_bytes().into()).collect();
        let runs = (0..FILES).map(|file| PieceRun { file, first: 0, count: 2 }).collect();
        let mut script = Script::new(BuildNumber(7), &Start { files, runs });
        script.add((0..FILES).map(|n| (n != 1).then(|| content(n))).collect());
        let play = Play::new(room);
        play.state.lock().script = Some(script);
        play
    }

    /// Takes all that may be decoded now, as if that were done; returns the items.
    fn decode(play: &Play) -> Vec<usize> {
        let mut items = Vec::new();
        let mut state = play.state.lock();
        while let Next::Step(step) = state.next(play.room) {
            assert!(step.items.len() <= STEP && step.ranges.len() == step.items.len());
            step.items.iter().for_each(|&item| state.script.as_mut().unwrap().is_ready[item] = true);
            items.extend(step.items);
        }
        items
    }

    #[test]
    fn the_window_goes_before_the_reader_and_grows_to_its_bound() {
        let play = play(200 * PIECE_LEN);
        let counts = Counts::default();
        let mut decoded = decode(&play);
        assert_eq!(decoded, [&[0, 1][..], &(4..FIRST_WINDOW).collect::<Vec<_>>()].concat(), "without what is gone");
        let mut farthest = 0;
        for file in (0..FILES).filter(|&file| file != 1) {
            play.note(key(file), &[0, 1], &counts);
            decoded.extend(decode(&play));
            farthest = farthest.max(decoded.last().unwrap() + 1 - 2 * (file as usize + 1));
        }
        assert_eq!(farthest, 200);
        assert_eq!(decoded, (0..2 * FILES as usize).filter(|item| ![2, 3].contains(item)).collect::<Vec<_>>());
        assert_eq!(counts.ready.load(Relaxed), u64::from(2 * FILES - 2));
        assert!(matches!(play.state.lock().next(play.room), Next::Nothing));
        assert_eq!(play.end(), Ended { used: Some(BuildNumber(7)), known_pieces: 2 * FILES as usize });
    }

    #[test]
    fn what_was_read_by_then_is_not_decoded() {
        let play = play(u64::MAX);
        let counts = Counts::default();
        play.note(key(0), &[0], &counts);
        play.note(key(900), &[0], &counts);
        let decoded = decode(&play);
        assert!(!decoded.contains(&0) && decoded.contains(&1) && decoded.len() < 100, "a far read moves nothing");
        assert_eq!((counts.late.load(Relaxed), counts.ready.load(Relaxed)), (2, 0));
    }

    #[test]
    fn a_process_that_reads_other_things_is_left_alone() {
        let play = play(u64::MAX);
        let counts = Counts::default();
        decode(&play);
        for n in 0..JUDGED - LEAST_KNOWN {
            play.note(key(FILES + n), &[0], &counts);
        }
        // A quarter is known: it goes on.
        (0..LEAST_KNOWN).for_each(|n| play.note(key(n * 2), &[0], &counts));
        assert!(play.state.lock().over.is_none());
        (0..JUDGED).for_each(|n| play.note(key(2 * FILES + n), &[0], &counts));
        assert!(play.next_step().is_none());
        assert_eq!(counts.diverged.load(Relaxed), 1);
        assert_eq!(play.end(), Ended { used: None, known_pieces: 0 });
    }
}
