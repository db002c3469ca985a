//! Hot copies: large files that are used, whole and decoded on disk, for the system to read by itself.
//!
//! [`HotCopies::open`] returns the copy of a file if it is ready, and otherwise asks for one; nobody waits. Threads make
//! copies, chunk by checked chunk (`bytes`), under names that say whose content it is (`name`), in a folder that is bounded
//! (`folder`). A copy that this process did not make is compared with the ids of its chunks before it is used. Equal files
//! share a copy, in whatever builds they are. Losing copies costs only time.

mod bytes;
mod folder;
mod name;

use super::Vault;
use crate::content::Reader;
use crate::disk::SystemFile;
use crate::disk::host::StatKey;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Content;
use bytes::Walk;
use folder::Folder;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The least size of a file that gets a copy. Naming one to the kernel makes an open 40 µs dearer than on the disk, and reading
/// 1 MiB through the mount costs 50 µs more, so from about here on a copy pays for each open (`benches/hot_read.rs`).
pub const MIN_HOT_LEN: u64 = 1 << 20;

/// Threads that make and check copies: while one is at a file of gigabytes, the others need not wait for it.
const THREADS: usize = 2;

/// The most files of which it is remembered that they were asked for.
const MAX_STANDINGS: usize = 64 << 10;

/// How often the last use of a copy is written down.
const USE_PERIOD: Duration = Duration::from_secs(60);

/// How long no copy is made after one could not be written.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);

/// The hot copies of a vault. Dropping it ends its threads; the copies stay.
pub struct HotCopies {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    reader: Arc<Reader>,
    folder: Folder,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    standings: HashMap<Content, Standing>,
    /// What waits for a thread, the next one first.
    queue: VecDeque<Content>,
    /// Copies whose use is to be written down.
    used: Vec<Content>,
    /// Until when no copy is made.
    pause: Option<Instant>,
    stopped: bool,
}

/// How a file stands that was asked for, or whose copy was found.
#[derive(Clone, Copy)]
enum Standing {
    /// It has no copy, or one that must be checked, and was asked for so many times.
    Waits { asks: u64 },
    /// A thread is at it.
    Made { asks: u64 },
    /// It had no room, or could not be made.
    Left { asks: u64 },
    /// The copy can be used.
    Ready { key: StatKey, noted: Instant },
}

/// What a thread does next.
enum Job {
    NoteUse(Content),
    Prepare(Content, u64),
}

impl Vault {
    /// Starts what makes and checks the vault's hot copies.
    ///
    /// Copies of earlier times are checked in the background, those used last first.
    ///
    /// # Errors
    /// `Io` if the system gives no thread.
    pub fn hot_copies(&self) -> Result<HotCopies> {
        let folder = Folder::new(self.disk.clone(), self.config.hot_bytes());
        let state = Mutex::default();
        let shared = Arc::new(Shared { reader: self.reader.clone(), folder, state, changed: Condvar::new() });
        let mut copies = HotCopies { shared, threads: Vec::new() };
        for index in 0..THREADS {
            let shared = copies.shared.clone();
            let run = move || shared.run(index == 0);
            let thread = std::thread::Builder::new().name("hot-copies".into()).spawn(run);
            copies.threads.push(thread.map_err(|error| Error::io("start a thread for", &self.dir, error))?);
        }
        Ok(copies)
    }
}

impl HotCopies {
    /// Returns the copy of a file if it is ready; otherwise the file is one that will get one.
    ///
    /// Files that are asked for again come before those that were asked for once, and alone may push others out. Costs a few
    /// microseconds: opening the copy and looking at its times.
    pub fn open(&self, content: &Content) -> Option<SystemFile> {
        if content.size < MIN_HOT_LEN {
            return None;
        }
        let Some(expected) = self.shared.ready_or_ask(content) else {
            self.shared.changed.notify_one();
            return None;
        };
        match self.shared.folder.open(content) {
            Ok((file, key)) if key == expected => {
                self.shared.note_use(content);
                Some(file)
            }
            // Evicted by another process, or changed by who knows whom.
            _ => {
                self.shared.doubt(content, expected);
                None
            }
        }
    }
}

impl Drop for HotCopies {
    fn drop(&mut self) {
        self.shared.state.lock().stopped = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // One that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}

impl State {
    /// Takes note that somebody wants a copy.
    fn ask(&mut self, content: &Content) {
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return;
        }
        if self.standings.len() >= MAX_STANDINGS {
            self.standings.retain(|_, standing| !matches!(standing, Standing::Left { .. }));
        }
        let is_full = self.standings.len() >= MAX_STANDINGS;
        match self.standings.get_mut(content) {
            Some(Standing::Made { asks }) => *asks += 1,
            Some(Standing::Ready { .. }) => {}
            Some(Standing::Waits { asks }) => {
                *asks += 1;
                self.queue.retain(|waiting| waiting != content);
                self.queue.push_front(*content);
            }
            Some(standing @ &mut Standing::Left { asks }) => {
                *standing = Standing::Waits { asks: asks + 1 };
                self.queue.push_front(*content);
            }
            None if !is_full => {
                self.standings.insert(*content, Standing::Waits { asks: 1 });
                self.queue.push_back(*content);
            }
            None => {}
        }
    }

    fn next(&mut self) -> Option<Job> {
        if let Some(content) = self.used.pop() {
            return Some(Job::NoteUse(content));
        }
        let content = self.queue.pop_front()?;
        let standing = self.standings.get_mut(&content).expect("what is in the queue waits");
        let Standing::Waits { asks } = *standing else { unreachable!("what is in the queue waits") };
        *standing = Standing::Made { asks };
        Some(Job::Prepare(content, asks))
    }
}

impl Shared {
    fn ready_or_ask(&self, content: &Content) -> Option<StatKey> {
        let mut state = self.state.lock();
        match state.standings.get(content) {
            Some(&Standing::Ready { key, .. }) => Some(key),
            _ => {
                state.ask(content);
                None
            }
        }
    }

    fn note_use(&self, content: &Content) {
        let mut state = self.state.lock();
        if let Some(Standing::Ready { noted, .. }) = state.standings.get_mut(content)
            && noted.elapsed() > USE_PERIOD
        {
            *noted = Instant::now();
            state.used.push(*content);
            self.changed.notify_one();
        }
    }

    /// Lets a copy be checked again that is not what it was.
    fn doubt(&self, content: &Content, expected: StatKey) {
        let mut state = self.state.lock();
        if matches!(state.standings.get(content), Some(Standing::Ready { key, .. }) if *key == expected) {
            tracing::info!(copy = name::name_of(content), "a hot copy is gone, or has changed");
            state.standings.remove(content);
        }
        state.ask(content);
        self.changed.notify_one();
    }

    fn run(&self, is_first: bool) {
        if is_first {
            self.find_copies();
        }
        loop {
            let mut state = self.state.lock();
            let job = loop {
                if state.stopped {
                    return;
                }
                match state.next() {
                    Some(job) => break job,
                    None => self.changed.wait(&mut state),
                }
            };
            drop(state);
            match job {
                Job::NoteUse(content) => self.write_use(&content),
                Job::Prepare(content, asks) => {
                    let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(&content, asks)));
                    let panicked = |_| Err(Error::new(ErrorKind::Io, "making a copy ended in a panic"));
                    self.settle(&content, prepared.unwrap_or_else(panicked));
                }
            }
        }
    }

    /// Lets the copies of earlier times be checked, behind what was asked for meanwhile.
    fn find_copies(&self) {
        match self.folder.start() {
            Ok(copies) => {
                let mut state = self.state.lock();
                for content in copies {
                    if !state.standings.contains_key(&content) && state.standings.len() < MAX_STANDINGS {
                        state.standings.insert(content, Standing::Waits { asks: 0 });
                        state.queue.push_back(content);
                    }
                }
                self.changed.notify_all();
            }
            Err(error) => tracing::warn!(%error, "the hot copies cannot be listed"),
        }
    }

    fn write_use(&self, content: &Content) {
        if let Err(error) = self.folder.note_use(content) {
            tracing::debug!(%error, "the use of a hot copy is not noted");
        }
    }

    /// Makes the copy of a file, or checks the one that is there; `None` if there is none now.
    fn prepare(&self, content: &Content, asks: u64) -> Result<Option<StatKey>> {
        let goes_on = || Ok(!self.state.lock().stopped);
        if let Ok((_, key)) = self.folder.open(content) {
            let copy = self.folder.open_to_check(content)?;
            match bytes::check(&self.reader, content, &*copy, &goes_on) {
                Ok(Walk::Whole) => return Ok(Some(key)),
                Ok(Walk::Stopped) => return Ok(None),
                outcome => {
                    tracing::warn!(copy = name::name_of(content), ?outcome, "a hot copy is damaged and removed");
                    self.folder.remove(content);
                }
            }
        }
        if asks == 0 {
            return Ok(None);
        }
        let Some(copy) = self.folder.begin(content, asks > 1)? else { return Ok(None) };
        let has_room = || Ok(goes_on()? && self.folder.has_room()?);
        match bytes::write(&self.reader, content, &copy, &has_room)? {
            Walk::Whole => copy.finish().map(Some),
            Walk::Differs | Walk::Stopped => Ok(None),
        }
    }

    fn settle(&self, content: &Content, prepared: Result<Option<StatKey>>) {
        let mut state = self.state.lock();
        let asks = match state.standings.get(content) {
            Some(&Standing::Made { asks }) => asks,
            _ => 0,
        };
        // Checking a copy that nobody asked for is no use of it.
        if asks > 0 && matches!(prepared, Ok(Some(_))) {
            state.used.push(*content);
        }
        let standing = match prepared {
            Ok(Some(key)) => Standing::Ready { key, noted: Instant::now() },
            Ok(None) => Standing::Left { asks },
            Err(error) => {
                tracing::warn!(%error, copy = name::name_of(content), "a hot copy is not made");
                // A disk that fails would fail for the next copy, too.
                if matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Denied) {
                    state.pause = Some(Instant::now() + PAUSE_AFTER_FAILURE);
                }
                Standing::Left { asks }
            }
        };
        state.standings.insert(*content, standing);
    }
}
