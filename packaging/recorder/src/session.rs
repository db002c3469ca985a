//! A session that a game records: what its threads share with the one that writes.

use crate::error::{Code, Error, Result};
use crate::flusher::Flusher;
use crate::jobs::Jobs;
use crate::line::text;
use crate::place::{self, Folder, RING};
use crate::ring::{Exit, Kind};
use crate::ring_map::{Refusal, Ring};
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// Holds five milliseconds of 200 MB/s; games write a thousandth of that.
const RING_BYTES: u64 = 1 << 20;
const MIN_RING_BYTES: u64 = 64 << 10;
const MAX_RING_BYTES: u64 = 64 << 20;

/// The saves that may wait.
const QUEUE_BYTES: u64 = 64 << 20;

/// The longest text of options that is kept when it is no object.
const MAX_RAW_OPTIONS_LEN: usize = 4 << 10;

/// A session; C code holds a pointer to it.
pub struct Session {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<Result<()>>>>,
}

/// What the game's threads and the one that writes use.
pub struct Shared {
    pub ring: Arc<Ring>,
    pub jobs: Jobs,
    /// Events in events.jsonl, and its bytes.
    pub written: AtomicU64,
    pub bytes: AtomicU64,
    start: Instant,
    /// 0 while the session goes on.
    exit: AtomicU64,
}

/// What a session tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub written: u64,
    pub dropped: u64,
    pub bytes: u64,
}

impl Shared {
    /// Returns the nanoseconds since the start.
    pub fn nanos(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Returns how the game said that it ends, once it did.
    pub fn exit(&self) -> Option<Exit> {
        Exit::from_number(self.exit.load(Ordering::Acquire))
    }
}

impl Session {
    /// Makes a folder in `spool` and the thread that writes into it.
    ///
    /// `options` is the text of a JSON object. What is no object is kept in `opts` of session.json.
    pub fn begin(spool: Option<PathBuf>, build: Option<String>, options: Option<&[u8]>) -> Result<Session> {
        let spool = spool.or_else(place::default_spool).ok_or_else(|| {
            let message = "there is no folder for sessions: the user has no home; name one, or set GAMEVAULT_SPOOL";
            Error::fixed(Code::NotFound, message)
        })?;
        // The game may change its working folder.
        let spool = std::path::absolute(&spool).map_err(|error| Error::io("find", &spool, error))?;
        let mut options = parse_options(options);
        let mut take =
            |key: &str, default: u64| options.remove(key).and_then(|value| value.as_u64()).unwrap_or(default);
        let ring_bytes = take("ring_bytes", RING_BYTES).clamp(MIN_RING_BYTES, MAX_RING_BYTES).next_power_of_two();
        let queue_bytes = take("queue_bytes", QUEUE_BYTES);
        let folder = Folder::create(&spool)?;
        let path = folder.path.clone();
        Session::in_folder(folder, build, options, ring_bytes, queue_bytes).inspect_err(|_| {
            // Nothing was recorded.
            let _ = fs::remove_dir_all(&path);
        })
    }

    fn in_folder(
        folder: Folder,
        build: Option<String>,
        options: Map<String, Value>,
        ring_bytes: u64,
        queue_bytes: u64,
    ) -> Result<Session> {
        let path = folder.path.clone();
        let fails = |error| Error::io("make the session's files in", &path, error);
        let session = place::describe(&folder, build, options);
        let file = File::options().read(true).write(true).create_new(true).open(path.join(RING));
        let (ring, reader) = file.and_then(|mut file| Ring::create(&mut file, ring_bytes)).map_err(fails)?;
        let shared = Arc::new(Shared {
            ring,
            jobs: Jobs::new(queue_bytes),
            written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            start: Instant::now(),
            exit: AtomicU64::new(0),
        });
        let flusher = Flusher::new(shared.clone(), reader, folder, session).map_err(fails)?;
        let thread = thread::Builder::new().name("gamevault-rec".to_owned());
        let writer = thread.spawn(move || flusher.run()).map_err(fails)?;
        Ok(Session { shared, writer: Mutex::new(Some(writer)) })
    }

    /// Puts an event, a mark or a line of the log. Makes no system call, allocates nothing and waits for nobody.
    pub fn put(&self, kind: Kind, name: &[u8], body: &[u8]) -> Result<()> {
        self.shared.ring.put(kind, self.shared.nanos(), name, body).map_err(|refusal| match refusal {
            Refusal::Ended => Error::fixed(Code::Ended, "the session has ended"),
            Refusal::Full => Error::fixed(Code::Full, "the ring is full: the event is dropped, and counted"),
        })
    }

    /// Hands a save over.
    pub fn save(&self, slot: &[u8], content: &[u8]) -> Result<()> {
        let pushed = self.shared.jobs.push_save(self.shared.nanos(), slot, content);
        self.wake_after(pushed)
    }

    /// Hands a file over, which must not change before the session ends.
    pub fn attach(&self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path).map_err(|error| Error::io("find", path, error))?;
        if !path.is_file() {
            return Err(Error::new(Code::NotFound, format!("there is no file {}", path.display())));
        }
        let pushed = self.shared.jobs.push_file(self.shared.nanos(), path);
        self.wake_after(pushed)
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        let Shared { written, bytes, ring, .. } = &*self.shared;
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Counts { written: read(written), dropped: ring.dropped(), bytes: read(bytes) }
    }

    /// Ends the session, and waits until all is written.
    ///
    /// # Errors
    /// `Ended` if it has; `Io` if not all could be written, see [`Flusher::run`].
    pub fn end(&self, exit: Exit) -> Result<()> {
        if !self.shared.ring.close() {
            return Err(Error::fixed(Code::Ended, "the session has ended"));
        }
        self.shared.jobs.close();
        self.shared.exit.store(exit as u64, Ordering::Release);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = writer.expect("only the one that closes the ring takes it");
        writer.thread().unpark();
        let fault = |_| Err(Error::fixed(Code::Internal, "the thread that writes has stopped by a fault of its own"));
        writer.join().unwrap_or_else(fault)
    }

    fn wake_after(&self, pushed: Result<()>) -> Result<()> {
        match pushed {
            Ok(()) => {
                if let Some(writer) = &*self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
                    writer.thread().unpark();
                }
            }
            Err(ref error) if error.code == Code::Full => self.shared.ring.count_dropped(),
            Err(_) => {}
        }
        pushed
    }
}

fn parse_options(options: Option<&[u8]>) -> Map<String, Value> {
    let Some(options) = options.filter(|options| !options.trim_ascii().is_empty()) else { return Map::new() };
    serde_json::from_slice(options).unwrap_or_else(|_| {
        let kept = &options[..options.len().min(MAX_RAW_OPTIONS_LEN)];
        Map::from_iter([("opts".to_owned(), text(kept).into())])
    })
}
