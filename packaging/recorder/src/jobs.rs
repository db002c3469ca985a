//! Saves and files that wait to be copied into the session folder, in bounded memory.
//!
//! They are copied a piece at a time, so that a video of gigabytes keeps no event waiting for its file.

use crate::error::{Code, Error, Result};
use crate::line::Seconds;
use crate::place::{ATTACHED, CRASH, PART, SAVES, SCREENS};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What is copied between two looks at the ring.
const PIECE_LEN: u64 = 256 << 10;

/// How many may wait, whatever their size.
const MAX_JOBS: usize = 256;

/// The longest part of a file's name that the game decides on.
const MAX_WORD_LEN: usize = 64;

/// What a game handed over.
#[derive(Debug)]
pub struct Job {
    pub nanos: u64,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Save { slot: String, content: Vec<u8> },
    Attach { path: PathBuf },
}

/// Jobs that wait.
#[derive(Debug)]
pub struct Jobs {
    waiting: Mutex<Waiting>,
    max_bytes: u64,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Of saves that wait, and of the one that is being written.
    bytes: u64,
    is_closed: bool,
}

impl Jobs {
    pub fn new(max_bytes: u64) -> Jobs {
        Jobs { waiting: Mutex::default(), max_bytes }
    }

    /// Adds a save; it is copied.
    pub fn push_save(&self, nanos: u64, slot: &[u8], content: &[u8]) -> Result<()> {
        let len = content.len() as u64;
        {
            let mut waiting = self.lock();
            waiting.check()?;
            if waiting.bytes + len > self.max_bytes {
                return Err(Error::fixed(Code::Full, "the saves that wait to be written are as large as they may be"));
            }
            waiting.bytes += len;
        }
        // Not under the lock: a copy of many megabytes takes milliseconds, and the thread that writes events takes the lock.
        let added = copy_of(content).and_then(|content| {
            let mut waiting = self.lock();
            waiting.check()?;
            waiting.jobs.push_back(Job { nanos, what: What::Save { slot: word(slot, "save"), content } });
            Ok(())
        });
        added.inspect_err(|_| self.written(len))
    }

    /// Adds a file, which is read later.
    pub fn push_file(&self, nanos: u64, path: PathBuf) -> Result<()> {
        let mut waiting = self.lock();
        waiting.check()?;
        waiting.jobs.push_back(Job { nanos, what: What::Attach { path } });
        Ok(())
    }

    /// Lets nothing be added any more.
    pub fn close(&self) {
        self.lock().is_closed = true;
    }

    fn pop(&self) -> Option<Job> {
        self.lock().jobs.pop_front()
    }

    fn written(&self, save_len: u64) {
        self.lock().bytes -= save_len;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Waiting {
    fn check(&self) -> Result<()> {
        if self.is_closed {
            return Err(Error::fixed(Code::Ended, "the session has ended"));
        }
        if self.jobs.len() >= MAX_JOBS {
            return Err(Error::fixed(Code::Full, "too many saves and files wait to be written"));
        }
        Ok(())
    }
}

/// Copies what waits.
#[derive(Default)]
pub struct Copier {
    current: Option<Copy>,
}

/// What became of a job: an event that tells of it.
pub struct Told {
    pub nanos: u64,
    pub name: &'static str,
    pub fields: Value,
    pub is_lost: bool,
}

/// A job that is being copied.
struct Copy {
    nanos: u64,
    name: &'static str,
    /// What is told of it.
    fields: Value,
    from: Box<dyn Read + Send>,
    to: File,
    part: PathBuf,
    /// Its name in the session folder.
    target: String,
    save_len: u64,
    len: u64,
}

impl Copier {
    /// Copies a piece of what waits; returns whether there was something, and what became of a job that is done.
    pub fn step(&mut self, folder: &Path, jobs: &Jobs) -> (bool, Option<Told>) {
        let mut copy = match self.current.take() {
            Some(copy) => copy,
            None => {
                let Some(job) = jobs.pop() else { return (false, None) };
                match Copy::begin(folder, job, jobs) {
                    Ok(copy) => copy,
                    Err(told) => return (true, Some(told)),
                }
            }
        };
        match io::copy(&mut (&mut copy.from).take(PIECE_LEN), &mut copy.to) {
            Ok(PIECE_LEN) => {
                copy.len += PIECE_LEN;
                self.current = Some(copy);
                (true, None)
            }
            Ok(len) => {
                copy.len += len;
                (true, Some(copy.finish(folder, jobs)))
            }
            Err(error) => (true, Some(copy.fail(jobs, &error))),
        }
    }
}

impl Copy {
    fn begin(folder: &Path, job: Job, jobs: &Jobs) -> std::result::Result<Copy, Told> {
        let time = Seconds(job.nanos);
        let (name, fields, save_len, wanted, from): (_, _, _, _, io::Result<Box<dyn Read + Send>>) = match job.what {
            What::Save { slot, content } => {
                let wanted = (SAVES, format!("{time}_{slot}"), ".sav".to_owned());
                let len = content.len() as u64;
                ("save", json!({ "slot": slot }), len, wanted, Ok(Box::new(Cursor::new(content))))
            }
            What::Attach { path } => {
                let wanted = (folder_for(&path), format!("{time}_{}", stem(&path)), extension(&path));
                let fields = json!({ "from": path.to_string_lossy() });
                ("attach", fields, 0, wanted, File::open(&path).map(|file| Box::new(file) as Box<_>))
            }
        };
        let made = from.and_then(|from| Ok((from, create(folder, &wanted)?)));
        match made {
            Ok((from, (target, part, to))) => {
                Ok(Copy { nanos: job.nanos, name, fields, from, to, part, target, save_len, len: 0 })
            }
            Err(error) => {
                jobs.written(save_len);
                Err(lost(job.nanos, name, fields, &error))
            }
        }
    }

    fn finish(mut self, folder: &Path, jobs: &Jobs) -> Told {
        if let Err(error) = fs::rename(&self.part, folder.join(&self.target)) {
            return self.fail(jobs, &error);
        }
        jobs.written(self.save_len);
        self.fields["file"] = self.target.into();
        self.fields["bytes"] = self.len.into();
        Told { nanos: self.nanos, name: self.name, fields: self.fields, is_lost: false }
    }

    fn fail(self, jobs: &Jobs, error: &io::Error) -> Told {
        jobs.written(self.save_len);
        drop(self.to);
        let _ = fs::remove_file(&self.part);
        lost(self.nanos, self.name, self.fields, error)
    }
}

fn lost(nanos: u64, name: &'static str, mut fields: Value, error: &io::Error) -> Told {
    fields["error"] = error.to_string().into();
    Told { nanos, name, fields, is_lost: true }
}

/// # Errors
/// `Full` if there is no memory: a game must not end for that.
fn copy_of(content: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(content.len())
        .map_err(|_| Error::fixed(Code::Full, "there is no memory for a copy of the save"))?;
    copy.extend_from_slice(content);
    Ok(copy)
}

/// Makes a file that is not there yet; returns its name, and where it is written before it is whole.
fn create(folder: &Path, wanted: &(&str, String, String)) -> io::Result<(String, PathBuf, File)> {
    let (sub, stem, extension) = wanted;
    fs::create_dir_all(folder.join(sub))?;
    // Two of a millisecond.
    let names = std::iter::once(String::new()).chain((2..).map(|number| format!("-{number}")));
    for name in names.map(|suffix| format!("{sub}/{stem}{suffix}{extension}")) {
        if folder.join(&name).exists() {
            continue;
        }
        let part = folder.join(format!("{name}{PART}"));
        match File::options().write(true).create_new(true).open(&part) {
            Ok(file) => return Ok((name, part, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("there are numbers without end")
}

/// Returns where in the session folder a file of this kind goes.
fn folder_for(path: &Path) -> &'static str {
    match extension(path).to_ascii_lowercase().as_str() {
        ".png" | ".jpg" | ".jpeg" | ".webp" | ".bmp" | ".tga" => SCREENS,
        ".dmp" | ".mdmp" => CRASH,
        _ => ATTACHED,
    }
}

fn stem(path: &Path) -> String {
    word(path.file_stem().unwrap_or_default().as_encoded_bytes(), "file")
}

/// Returns the ending of a file's name, with its dot.
fn extension(path: &Path) -> String {
    path.extension().map_or_else(String::new, |extension| format!(".{}", word(extension.as_encoded_bytes(), "bin")))
}

/// Returns the bytes as a part of a file's name that all systems take.
fn word(bytes: &[u8], default: &str) -> String {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let word: String =
        bytes.iter().take(MAX_WORD_LEN).map(|byte| if allowed(byte) { char::from(*byte) } else { '_' }).collect();
    if word.is_empty() { default.to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_slots_are_parts_of_file_names() {
        assert_eq!(word(b"../../etc/passwd", "save"), "______etc_passwd");
        assert_eq!(word("schnell 1".as_bytes(), "save"), "schnell_1");
        assert_eq!(word(b"", "save"), "save");
        assert_eq!(word(&[b'a'; 1000], "save").len(), MAX_WORD_LEN);
    }

    #[test]
    fn saves_that_wait_are_bounded_and_room_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::new(1000);
        jobs.push_save(0, b"a", &[1; 600]).unwrap();
        assert_eq!(jobs.push_save(0, b"b", &[2; 600]).unwrap_err().code, Code::Full);
        let (_, told) = Copier::default().step(dir.path(), &jobs);
        assert_eq!(told.unwrap().fields, json!({ "slot": "a", "file": "saves/0.000_a.sav", "bytes": 600 }));
        jobs.push_save(0, b"a", &[2; 1000]).unwrap();
        let (_, told) = Copier::default().step(dir.path(), &jobs);
        assert_eq!(told.unwrap().fields["file"], "saves/0.000_a-2.sav");
        assert_eq!(fs::read(dir.path().join("saves/0.000_a.sav")).unwrap(), [1; 600]);
        jobs.close();
        assert_eq!(jobs.push_save(0, b"c", b"").unwrap_err().code, Code::Ended);
    }

    #[test]
    fn a_large_file_is_copied_in_pieces_and_a_missing_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("shot of boss.PNG");
        let content: Vec<u8> = (0..600_000).map(|place| (place % 251) as u8).collect();
        fs::write(&from, &content).unwrap();
        let jobs = Jobs::new(0);
        jobs.push_file(1_500_000_000, from).unwrap();
        jobs.push_file(0, dir.path().join("nothing.dmp")).unwrap();
        let mut copier = Copier::default();
        let steps: Vec<_> = (0..5).map(|_| copier.step(dir.path(), &jobs)).collect();
        let told: Vec<_> = steps.iter().map(|(any, told)| (*any, told.as_ref().map(|told| told.is_lost))).collect();
        assert_eq!(told, [(true, None), (true, None), (true, Some(false)), (true, Some(true)), (false, None)]);
        assert_eq!(fs::read(dir.path().join("screens/1.500_shot_of_boss.PNG")).unwrap(), content);
        assert_eq!(fs::read_dir(dir.path().join("screens")).unwrap().count(), 1);
    }
}
