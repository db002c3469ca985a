//! The thread that writes what is in the ring into the session's files.
//!
//! It looks every few milliseconds; games do not wake it, since that is a system call. What it cannot write, because the disk
//! is full, stays in the ring, and is tried again: the ring fills, later events are dropped and counted, and an event tells
//! how many when there is room.

use crate::error::{Error, Result};
use crate::jobs::{Copier, Told};
use crate::line::Lines;
use crate::place::{self, EVENTS, Folder, LOCK, LOG, RING};
use crate::ring::{Checkpoint, Exit};
use crate::ring_map::RingReader;
use crate::session::Shared;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// How long an event stays in the ring alone, at most, while the disk answers: the thread wakes a little later.
const INTERVAL: Duration = Duration::from_millis(5);

/// Lines are written when they are as long as this, so that memory is bounded.
const MAX_BATCH_LEN: usize = 256 << 10;

/// Writes a session.
pub struct Flusher {
    shared: Arc<Shared>,
    folder: Folder,
    session: Map<String, Value>,
    reader: RingReader,
    events: File,
    log: File,
    copier: Copier,
    /// What the files hold.
    checkpoint: Checkpoint,
    /// What was taken from the ring and is not in the files.
    lines: Lines,
    /// The bytes of a record's name and body, kept for the next.
    content: Vec<u8>,
}

impl Flusher {
    /// Makes the session's files; `session` is what is known at the start.
    pub fn new(
        shared: Arc<Shared>,
        reader: RingReader,
        folder: Folder,
        session: Map<String, Value>,
    ) -> io::Result<Flusher> {
        let create = |name: &str| File::options().write(true).create_new(true).open(folder.path.join(name));
        let (events, log) = (create(EVENTS)?, create(LOG)?);
        place::write_session(&folder.path, &session)?;
        Ok(Flusher {
            shared,
            folder,
            session,
            reader,
            events,
            log,
            copier: Copier::default(),
            checkpoint: Checkpoint::default(),
            lines: Lines::default(),
            content: Vec::new(),
        })
    }

    /// Writes until the session ends; returns once all is in the files and the folder has its last name.
    ///
    /// # Errors
    /// Those of the disk, of the last try. The folder stays `.open` then, and what is not in the files is in the ring, for
    /// [`crate::recover`].
    pub fn run(mut self) -> Result<()> {
        loop {
            // Before the look at the ring: what was put before the end is seen in this round.
            let exit = self.shared.exit();
            let written = self.write_what_is_put();
            let (had_job, told) = self.copier.step(&self.folder.path, &self.shared.jobs);
            if let Some(told) = told {
                self.tell(told);
            }
            match exit {
                Some(exit) if !had_job && (written.is_err() || self.is_all_written()) => {
                    return self.finish(exit, written);
                }
                // A job may have pieces left; at the end nobody waits for the clock.
                _ if had_job || exit.is_some() => {}
                _ => thread::park_timeout(INTERVAL),
            }
        }
    }

    fn is_all_written(&self) -> bool {
        self.lines.is_empty() && self.reader.is_drained()
    }

    fn tell(&mut self, told: Told) {
        if told.is_lost {
            self.shared.ring.count_dropped();
        }
        self.lines.own_event(told.nanos, told.name, told.fields);
    }

    /// Takes what is in the ring, and writes it.
    fn write_what_is_put(&mut self) -> io::Result<()> {
        let now = self.shared.nanos();
        self.reader.note_alive(now);
        loop {
            let mut is_empty = false;
            while !is_empty && self.lines.events.len() + self.lines.log.len() < MAX_BATCH_LEN {
                match self.reader.take(&mut self.content) {
                    Some(header) => {
                        let (name, body) = self.content.split_at(usize::from(header.name_len));
                        self.lines.add(&header, name, body);
                    }
                    None => is_empty = true,
                }
            }
            self.write_lines(now)?;
            if is_empty {
                return Ok(());
            }
        }
    }

    fn write_lines(&mut self, now: u64) -> io::Result<()> {
        let dropped = self.shared.ring.dropped();
        let count = dropped - self.checkpoint.dropped;
        if self.lines.is_empty() && count == 0 {
            return Ok(());
        }
        let mut told = Lines::default();
        if count > 0 {
            told.own_event(now, "dropped", json!({ "count": count }));
        }
        // From the same place at each try: what an earlier one wrote in part is written over.
        let Checkpoint { number, events_len, log_len, .. } = self.checkpoint;
        write_at(&mut self.events, events_len, &[&self.lines.events, &told.events])?;
        write_at(&mut self.log, log_len, &[&self.lines.log])?;
        let events_bytes = (self.lines.events.len() + told.events.len()) as u64;
        self.checkpoint = Checkpoint {
            number: number + 1,
            tail: self.reader.taken(),
            events_len: events_len + events_bytes,
            log_len: log_len + self.lines.log.len() as u64,
            dropped,
        };
        self.reader.release(&self.checkpoint);
        self.reader.prepare();
        self.shared.written.fetch_add(self.lines.event_count + told.event_count, Ordering::Relaxed);
        self.shared.bytes.store(self.checkpoint.events_len, Ordering::Relaxed);
        self.lines.clear();
        Ok(())
    }

    fn finish(mut self, exit: Exit, written: io::Result<()>) -> Result<()> {
        let ended = place::rfc3339(Timestamp::now());
        self.reader.note_alive(self.shared.nanos());
        self.reader.note_exit(exit);
        self.reader.unmap();
        let path = &self.folder.path;
        let describe = |session: &mut Map<String, Value>| {
            place::describe_end(session, &ended, exit.word());
            place::write_session(path, session)
        };
        // A try that failed may have left bytes behind the last whole line.
        let Checkpoint { events_len, log_len, dropped, .. } = self.checkpoint;
        if dropped > 0 {
            self.session.insert("dropped".to_owned(), dropped.into());
        }
        written
            .and_then(|()| self.events.set_len(events_len))
            .and_then(|()| self.log.set_len(log_len))
            .and_then(|()| describe(&mut self.session))
            .map_err(|error| Error::io("finish the session", path, error))?;
        drop((self.events, self.log));
        remove(path.join(RING))?;
        // Windows renames no folder in which a file is open.
        drop(self.folder.lock);
        remove(path.join(LOCK))?;
        fs::rename(path, &self.folder.done).map_err(|error| Error::io("rename the session folder", path, error))
    }
}

fn write_at(file: &mut File, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
    if parts.iter().all(|part| part.is_empty()) {
        return Ok(());
    }
    file.seek(SeekFrom::Start(offset))?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

fn remove(path: PathBuf) -> Result<()> {
    fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))
}
