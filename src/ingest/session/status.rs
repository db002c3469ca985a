//! What is said of a session: its state, what is in it, what was left out or went wrong.

use super::commit::is_left_out;
use super::finish::Verdict;
use super::nodes::{Body, Bytes, Children};
use super::{Session, State};
use crate::catalogue::Completeness;
use crate::catalogue::LeftOut;
use crate::ingest::odd_names::OddNames;
use crate::manifest::Timestamp;
use crate::name::show;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Texts are as long as a multiple of this, a page of the system's cache: spaces after JSON mean nothing.
const TEXT_UNIT: usize = 4096;

/// For how long the text of a status is given again: looking at its size and reading it must find the same.
const TEXT_LIFETIME: Duration = Duration::from_millis(500);

/// The most names that a status lists of one sort.
const MAX_NAMES: usize = 100;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It may be changed.
    Open,
    /// It was open when its process ended; the next change opens it again.
    Interrupted,
    /// It is quiet, but may not be whole; the next change makes it open again.
    Suspect,
    /// It is becoming a build.
    Committing,
    /// It has become a build. When it did so by itself, the next change makes it open again.
    Committed,
    /// It was given up, and is gone.
    Aborted,
}

/// What is known of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Its name, the id of the build to be.
    pub name: String,
    /// Where it stands.
    pub state: SessionState,
    /// When it was started.
    pub created: Timestamp,
    /// The id of the build that it starts from.
    pub base: Option<String>,
    /// The id of the last build that was kept of it, which is its base then.
    pub kept: Option<String>,
    /// Regular files in it.
    pub files: u64,
    /// Directories in it, the root not counted.
    pub directories: u64,
    /// Symlinks in it.
    pub symlinks: u64,
    /// Sum of the files' sizes.
    pub bytes: u64,
    /// Files that are stored in full already.
    pub files_stored: u64,
    /// Files that somebody has open to write.
    pub files_written: u64,
    /// The programs that wrote files and have not been seen to end.
    pub writers: Vec<String>,
    /// Milliseconds since anything was changed.
    pub quiet_ms: u64,
    /// Milliseconds for which it must still be quiet before it is judged; `None` if it will not be, as it is.
    pub left_ms: Option<u64>,
    /// How sure it would be, or is, that nothing is missing when it becomes a build by itself.
    pub completeness: Completeness,
    /// Why it is suspect, or what it waits for.
    pub reasons: Vec<String>,
    /// Entries that the build will leave out.
    pub junk_count: u64,
    /// The names of the first of them.
    pub junk: Vec<String>,
    /// Names that are one on Windows or macOS, and folders with names that Windows cannot have.
    #[serde(default)]
    pub odd_name_count: u64,
    /// What there is to say of the first of them.
    #[serde(default)]
    pub odd_names: Vec<String>,
    /// Entries of game engines' projects that the build will leave out, because the engine makes them again.
    pub left_out_count: u64,
    /// The first of them.
    pub left_out: Vec<LeftOut>,
    /// Extended attributes that were accepted and dropped, by their prefix.
    pub dropped_xattrs: BTreeMap<String, u64>,
    /// Files whose last write failed, and why; the session cannot be committed while there are any.
    pub failures: Vec<String>,
}

impl Session {
    /// Returns what is known of the session; looks at every node.
    pub fn status(&self) -> Status {
        let base = self.info().base.and_then(|number| self.store.catalogue().build_by_number(number).ok().flatten());
        let state = self.state.lock();
        let caches = state.caches(self.keep_caches);
        let evidence = state.evidence(&self.finisher.rules, &caches).unwrap_or_default();
        let waits = state.phase == SessionState::Open && !state.finish.is_judged;
        // What the session started from was there before it.
        let kept = base.as_ref().filter(|base| base.created > state.created);
        let mut status = Status {
            name: state.name.to_string(),
            state: state.phase,
            created: state.created,
            kept: kept.map(|kept| kept.id.to_string()),
            base: base.map(|base| base.id.to_string()),
            files: 0,
            directories: 0,
            symlinks: 0,
            bytes: 0,
            files_stored: 0,
            files_written: state.open.values().filter(|open| open.is_written()).count() as u64,
            writers: state.finish.writers.running().map(|caller| caller.to_string()).collect(),
            quiet_ms: milliseconds(evidence.quiet),
            left_ms: waits.then(|| milliseconds(evidence.quiet_needed.saturating_sub(evidence.quiet))),
            completeness: evidence.completeness(),
            reasons: match (waits, evidence.judge(self.finisher.rules.auto_commit)) {
                (true, Verdict::Wait(why)) => vec![why],
                (true, Verdict::Suspect(reasons)) => reasons,
                _ => state.finish.reasons.clone(),
            },
            junk_count: 0,
            junk: Vec::new(),
            odd_name_count: 0,
            odd_names: Vec::new(),
            left_out_count: caches.len() as u64,
            left_out: caches.into_values().take(MAX_NAMES).collect(),
            dropped_xattrs: state.dropped_xattrs.clone(),
            failures: failures(&state),
        };
        for (number, node) in state.nodes.iter() {
            if number != super::ROOT && state.nodes.is_orphan(number) {
                continue;
            }
            if let Body::Directory(children) = &node.body {
                status.add_odd_names(&state, number, children);
            }
            if number == super::ROOT {
                continue;
            }
            if is_left_out(node) {
                status.junk_count += 1;
                if status.junk.len() < MAX_NAMES {
                    status.junk.push(path_of(&state, number));
                }
            }
            match &node.body {
                Body::Directory(_) => status.directories += 1,
                Body::Symlink(_) => status.symlinks += 1,
                Body::File(bytes) => {
                    status.files += 1;
                    status.bytes += bytes.len();
                    status.files_stored += u64::from(matches!(bytes, Bytes::Stored(_)));
                }
            }
        }
        status
    }

    /// Returns the status as the text of a file, at most half a second old, or for who `goes_on` reading, as it was.
    pub fn status_text(&self, goes_on: bool) -> Arc<Vec<u8>> {
        if let Some((at, text)) = &self.state.lock().status_text
            && (goes_on || at.elapsed() < TEXT_LIFETIME)
        {
            return text.clone();
        }
        let mut text = serde_json::to_vec_pretty(&self.status()).expect("strings and numbers become JSON");
        // Who reads on at the end of one text must not find there the end of a longer one.
        text.resize((text.len() + 1).next_multiple_of(TEXT_UNIT) - 1, b' ');
        text.push(b'\n');
        let text = Arc::new(text);
        self.state.lock().status_text = Some((Instant::now(), text.clone()));
        text
    }
}

impl Status {
    /// Adds what there is to say of the names in one directory.
    fn add_odd_names(&mut self, state: &State, directory: u32, children: &Children) {
        let kept = children.iter().filter_map(|child| state.nodes.get(child).ok()).filter(|node| !is_left_out(node));
        let odd = OddNames::among(kept.map(|node| &*node.name));
        if !odd.is_none() {
            let sentences = odd.sentences(&path_of(state, directory));
            self.odd_name_count += sentences.len() as u64;
            let room = MAX_NAMES - self.odd_names.len();
            self.odd_names.extend(sentences.into_iter().take(room).map(|(_, sentence)| sentence));
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Returns a sentence for each file whose last write failed.
pub(super) fn failures(state: &State) -> Vec<String> {
    let sentence = |(&node, why): (&u32, &String)| format!("{}: {why}", path_of(state, node));
    state.failures.iter().take(MAX_NAMES).map(sentence).collect()
}

/// Returns the path of a node below the root, for people.
pub(super) fn path_of(state: &State, mut node: u32) -> String {
    let mut names = Vec::new();
    while node != super::ROOT {
        let Ok(found) = state.nodes.get(node) else { break };
        names.push(show(&found.name));
        if state.nodes.is_orphan(node) {
            break;
        }
        node = found.parent;
    }
    names.reverse();
    names.join("/")
}
