//! Ends sessions whose game did not: what GameVault uses when it collects them.

use crate::line::Lines;
use crate::place::{self, EVENTS, LOCK, LOG, RING, SESSION};
use crate::ring::{Checkpoint, Exit};
use crate::ring_image::RingImage;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The keys of session.json that [`recover`] reads and writes.
const ENDED: &str = "ended";
const EXIT: &str = "exit";
const STARTED: &str = "started";

/// Where the last whole line is looked for at first: an event of the library is shorter.
const END_LEN: u64 = 64 << 10;

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Events and lines of the log that were in the ring alone.
    pub events_added: u64,
    /// Records that were not whole, and are left out.
    pub torn: u64,
    /// When the session ended, RFC 3339.
    pub ended: String,
    /// How: `clean`, `crash`, `killed`, or what a game wrote by itself.
    pub exit: String,
}

/// Returns whether a process records into this session folder.
///
/// A folder that a game fills without the library has no lock, and is never said to be live: look at the age of its files.
///
/// # Errors
/// Those of the disk.
pub fn is_live(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(LOCK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Ends the session in `dir` if its game did not: puts what is left in the ring into the files, takes a torn last line off,
/// and writes `ended` and `exit` into session.json. The folder keeps its name.
///
/// A session that has ended stays as it is; a recovery that was stopped is done again from its beginning. What another
/// program wrote as session.json and is no JSON object is kept as `session.bad.json`.
///
/// # Errors
/// `WouldBlock` if a process records into it, or recovers it; `NotFound` if there is no such folder; those of the disk.
pub fn recover(dir: &Path) -> io::Result<Recovered> {
    fs::metadata(dir)?;
    // Without the lock: a folder that has ended is not touched.
    if let Ok(Some(session)) = place::read_object(&dir.join(SESSION))
        && let Some(ended) = end_of(&session, dir)?
    {
        return Ok(ended);
    }
    let lock = place::lock(dir, true)?;
    // Somebody may have done it meanwhile.
    let mut session = read_session(dir)?;
    if let Some(ended) = end_of(&session, dir)? {
        remove_if_there(&dir.join(LOCK))?;
        return Ok(ended);
    }
    let outcome = match fs::read(dir.join(RING)) {
        Ok(bytes) => {
            // Its first bytes are written last: while they are zero, the game has put nothing yet.
            let is_lost = bytes.iter().take(8).any(|byte| *byte != 0);
            match RingImage::new(bytes) {
                Some(image) => from_ring(dir, &image)?,
                None => without_ring(dir, u64::from(is_lost))?,
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => without_ring(dir, 0)?,
        Err(error) => return Err(error),
    };
    let exit = session.get(EXIT).and_then(Value::as_str).unwrap_or(outcome.exit.word()).to_owned();
    let ended = match session.get(ENDED).and_then(Value::as_str) {
        Some(ended) => ended.to_owned(),
        None => place::rfc3339(end_time(dir, &session, outcome.last_nanos)?),
    };
    place::describe_end(&mut session, &ended, &exit);
    session.insert("recovered".to_owned(), json!({ "events": outcome.events_added, "torn": outcome.torn }));
    if outcome.dropped > 0 {
        session.insert("dropped".to_owned(), outcome.dropped.into());
    }
    place::write_session(dir, &session)?;
    // Windows brings nothing to the disk of a file that is open to read alone.
    File::options().write(true).open(dir.join(SESSION))?.sync_all()?;
    // After session.json: as long as the ring is there, all this can be done again.
    remove_if_there(&dir.join(RING))?;
    drop(lock);
    remove_if_there(&dir.join(LOCK))?;
    Ok(Recovered { events_added: outcome.events_added, torn: outcome.torn, ended, exit })
}

struct Outcome {
    events_added: u64,
    torn: u64,
    /// From the start of the session.
    dropped: u64,
    exit: Exit,
    /// When the game was last seen, in nanoseconds since the start.
    last_nanos: Option<u64>,
}

/// Returns how a session ended that has nothing left to do.
fn end_of(session: &Map<String, Value>, dir: &Path) -> io::Result<Option<Recovered>> {
    let word = |key| session.get(key).and_then(Value::as_str).map(str::to_owned);
    let (Some(ended), Some(exit)) = (word(ENDED), word(EXIT)) else { return Ok(None) };
    let is_done = !fs::exists(dir.join(RING))?;
    Ok(is_done.then_some(Recovered { events_added: 0, torn: 0, ended, exit }))
}

fn read_session(dir: &Path) -> io::Result<Map<String, Value>> {
    let path = dir.join(SESSION);
    match place::read_object(&path) {
        Ok(Some(session)) => return Ok(session),
        Ok(None) => fs::rename(&path, dir.join("session.bad.json"))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let name = dir.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Map::from_iter([("schema".to_owned(), json!(1)), ("id".to_owned(), name.into())]))
}

fn from_ring(dir: &Path, image: &RingImage) -> io::Result<Outcome> {
    let Checkpoint { events_len, log_len, dropped, .. } = image.checkpoint;
    let mut lines = Lines::default();
    let (mut count, mut last) = (0, image.alive);
    let torn = image.for_each(|header, name, body| {
        lines.add(&header, name, body);
        count += 1;
        last = last.max(header.nanos);
    });
    if image.dropped > dropped {
        lines.own_event(last, "dropped", json!({ "count": image.dropped - dropped }));
    }
    append(&dir.join(EVENTS), events_len, &lines.events)?;
    append(&dir.join(LOG), log_len, &lines.log)?;
    let exit = image.exit.unwrap_or(Exit::Crash);
    Ok(Outcome { events_added: count, torn, dropped: image.dropped, exit, last_nanos: Some(last) })
}

/// Writes `lines` behind the first `len` bytes, which are lines; what is behind them was taken from the ring, and is in
/// `lines` again.
fn append(path: &Path, len: u64, lines: &[u8]) -> io::Result<()> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    // Less than the ring says is there only when the whole system stopped.
    let len = if file.metadata()?.len() < len { whole_lines(&mut file)?.0 } else { len };
    file.set_len(len)?;
    file.seek(SeekFrom::Start(len))?;
    file.write_all(lines)?;
    file.sync_all()
}

/// Ends a session that a game wrote without the library, or whose ring is lost.
fn without_ring(dir: &Path, torn: u64) -> io::Result<Outcome> {
    let mut outcome = Outcome { events_added: 0, torn, dropped: 0, exit: Exit::Crash, last_nanos: None };
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(dir.join(EVENTS))?;
    let (len, rest, last) = whole_lines(&mut file)?;
    if !rest.is_empty() {
        // A game that ends its lines in front of the next one leaves a whole event without an end.
        if serde_json::from_slice::<Map<String, Value>>(&rest).is_ok() {
            file.seek(SeekFrom::End(0))?;
            file.write_all(b"\n")?;
        } else {
            file.set_len(len)?;
            outcome.torn += 1;
        }
        file.sync_all()?;
    }
    outcome.last_nanos = last;
    Ok(outcome)
}

/// Returns the length of a file up to its last whole line, what is behind it, and the time of the last event.
fn whole_lines(file: &mut File) -> io::Result<(u64, Vec<u8>, Option<u64>)> {
    let len = file.metadata()?.len();
    let mut end_len = END_LEN;
    let (start, mut end, whole) = loop {
        let start = len.saturating_sub(end_len);
        let mut end = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut *file).take(len - start).read_to_end(&mut end)?;
        match end.iter().rposition(|byte| *byte == b'\n') {
            Some(place) => break (start, end, place + 1),
            None if start == 0 => break (0, end, 0),
            None => end_len *= 2,
        }
    };
    let rest = end.split_off(whole);
    let events = rest.split(|_| false).chain(end.rsplit(|byte| *byte == b'\n'));
    let seconds = events
        .filter_map(|line| serde_json::from_slice::<Map<String, Value>>(line).ok()?.get("t")?.as_f64())
        .find(|seconds| seconds.is_finite() && *seconds >= 0.0);
    Ok((start + whole as u64, rest, seconds.map(|seconds| (seconds * 1e9) as u64)))
}

/// Returns when a session ended that did not say it: the start and the time that the game was last seen, or when its events
/// were last written.
fn end_time(dir: &Path, session: &Map<String, Value>, last_nanos: Option<u64>) -> io::Result<Timestamp> {
    let started = session.get(STARTED).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    let from_start = started
        .zip(last_nanos)
        .and_then(|(started, nanos)| started.checked_add(SignedDuration::from_nanos(i64::try_from(nanos).ok()?)).ok());
    if let Some(ended) = from_start {
        return Ok(ended);
    }
    let modified = fs::metadata(dir.join(EVENTS)).or_else(|_| fs::metadata(dir))?.modified()?;
    Ok(Timestamp::try_from(modified).unwrap_or_else(|_| Timestamp::now()))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
