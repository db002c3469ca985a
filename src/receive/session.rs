//! A session that comes in: its folder in the spool.

use crate::error::{Error, Result};
use gamevault_rec::Folder;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folders that files may be put into.
pub(super) const FOLDERS: [&str; 4] = ["saves", "screens", "crash", "attached"];

/// Bytes of one session: more is not taken, so that nobody fills the disk by mistake.
const MAX_LEN: u64 = 8 << 30;

/// Where events go.
const EVENTS: &str = "events.jsonl";

/// The longest event.
const MAX_EVENT_LEN: usize = 64 << 10;

/// A session that goes on.
pub(super) struct OpenSession {
    id: String,
    path: PathBuf,
    description: Map<String, Value>,
    /// Nothing after the end.
    files: Option<Files>,
    started: Instant,
    last_heard: Instant,
    len: u64,
}

/// What is open of a session.
struct Files {
    folder: Folder,
    events: File,
    log: Option<File>,
}

impl OpenSession {
    /// Begins a session in `spool` with what the game says of it.
    pub(super) fn begin(spool: &Path, mut description: Map<String, Value>) -> Result<OpenSession> {
        let folder = Folder::create(spool)
            .map_err(|error| Error::io("make a session in", spool, std::io::Error::other(error.message)))?;
        description.insert("schema".into(), json!(1));
        description.insert("id".into(), folder.id.clone().into());
        description.insert("started".into(), Timestamp::now().to_string().into());
        write_description(&folder.path, &description)?;
        let path = folder.path.join(EVENTS);
        let events = File::create(&path).map_err(|error| Error::io("make", &path, error))?;
        let now = Instant::now();
        Ok(OpenSession {
            id: folder.id.clone(),
            path: folder.path.clone(),
            description,
            files: Some(Files { folder, events, log: None }),
            started: now,
            last_heard: now,
            len: 0,
        })
    }

    /// Returns its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns when something was last heard of it.
    pub(super) fn last_heard(&self) -> Instant {
        self.last_heard
    }

    /// Adds events, one JSON object a line with its name in `ev`; returns how many are kept and how many are none. An event without
    /// `t` happened now.
    pub(super) fn add_events(&mut self, lines: &[u8]) -> Result<(u64, u64)> {
        let now = (self.started.elapsed().as_secs_f64() * 1e3).round() / 1e3;
        let path = self.path.join(EVENTS);
        let Files { events, .. } = self.hear(lines.len() as u64)?;
        let (mut kept, mut rejected) = (Vec::with_capacity(lines.len()), 0);
        let mut accepted = 0;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let event = (line.len() <= MAX_EVENT_LEN).then(|| serde_json::from_slice::<Map<String, Value>>(line).ok());
            match event.flatten().filter(|event| event.get("ev").is_some_and(Value::is_string)) {
                Some(mut event) => {
                    event.entry("t").or_insert_with(|| now.into());
                    serde_json::to_writer(&mut kept, &event).expect("its keys are strings");
                    kept.push(b'\n');
                    accepted += 1;
                }
                None => rejected += 1,
            }
        }
        // One write: a reader or a crash sees whole lines.
        events.write_all(&kept).map_err(|error| Error::io("write", &path, error))?;
        Ok((accepted, rejected))
    }

    /// Adds to the log.
    pub(super) fn add_log(&mut self, text: &[u8]) -> Result<()> {
        let path = self.path.join("log.txt");
        let failed = |error| Error::io("write", &path, error);
        let Files { log, .. } = self.hear(text.len() as u64)?;
        let log = match log {
            Some(log) => log,
            None => log.insert(File::create(&path).map_err(failed)?),
        };
        log.write_all(text).map_err(failed)
    }

    /// Keeps a file of `len` bytes in one of [`FOLDERS`]; one of the same name is replaced.
    pub(super) fn put_file(&mut self, folder: &str, name: &str, mut file: File, len: u64) -> Result<()> {
        self.hear(len)?;
        let above = self.path.join(folder);
        fs::create_dir_all(&above).map_err(|error| Error::io("make", &above, error))?;
        let path = above.join(name);
        let copied = File::create(&path).and_then(|mut kept| std::io::copy(&mut file, &mut kept));
        copied.map(drop).map_err(|error| Error::io("write", &path, error))
    }

    /// Ends it; a second time does nothing.
    pub(super) fn end(&mut self, exit: &str) -> Result<()> {
        let Some(Files { folder, events, log }) = self.files.take() else { return Ok(()) };
        self.description.insert("ended".into(), Timestamp::now().to_string().into());
        self.description.insert("exit".into(), exit.into());
        write_description(&self.path, &self.description)?;
        // Some systems rename no folder in which a file is open.
        drop((events, log));
        let lock = self.path.join("lock");
        fs::remove_file(&lock).map_err(|error| Error::io("remove", &lock, error))?;
        let Folder { path, done, lock, .. } = folder;
        drop(lock);
        fs::rename(&path, &done).map_err(|error| Error::io("rename", &path, error))
    }

    fn hear(&mut self, len: u64) -> Result<&mut Files> {
        let Some(files) = &mut self.files else {
            return Err(Error::invalid(format!("session {} has ended", self.id)));
        };
        if self.len + len > MAX_LEN {
            return Err(Error::invalid(format!("session {} is larger than {} GiB", self.id, MAX_LEN >> 30)));
        }
        self.len += len;
        self.last_heard = Instant::now();
        Ok(files)
    }
}

/// Writes session.json; a reader sees the old one or the new one.
fn write_description(folder: &Path, description: &Map<String, Value>) -> Result<()> {
    let path: PathBuf = folder.join("session.json");
    let partial = folder.join("session.json.part");
    let text = serde_json::to_vec(description).expect("its keys are strings");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, &path));
    written.map_err(|error| Error::io("write", &path, error))
}
