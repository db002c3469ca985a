//! Sessions that nobody commits: judged when they are quiet, and made builds, or suspect.
//!
//! One thread waits for the next session to be quiet long enough. What a judgement rests on may change while files are
//! stored, so nothing is published unless the session is, under its lock, just as it was judged. Whoever goes on copying
//! never hears of it: the session stays where it is, its files are read from the store, and its next change opens it again.

use super::finish::{Evidence, Verdict};
use super::registry::Registered;
use super::{Session, SessionForm, SessionState, State};
use crate::catalogue::Completeness;
use crate::error::Result;
use crate::ingest::{Draft, Replaces};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How soon a session is looked at again that is quiet while somebody still has a file open, or still runs.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Runs the thread until the finisher is stopped.
pub(super) fn run(registered: &Registered) {
    let finisher = registered.finisher();
    let mut timeout = None;
    while finisher.wait(timeout) {
        // Without a session to wait for, the thread sleeps until there is one: an idle mount costs nothing.
        timeout = registered.all().iter().filter_map(|session| session.try_finish()).min();
    }
}

/// For how long a session is to be left alone.
enum TimeLeft {
    /// So long at least.
    Wait(Duration),
    /// No longer: it is at rest since this epoch.
    Quiet { epoch: u64 },
}

/// What became of a judgement.
enum Outcome {
    /// It was carried out.
    Done,
    /// The session changed meanwhile.
    Changed,
}

impl Session {
    /// Judges the session when it is time to, and does what the judgement says; returns when to look again.
    fn try_finish(&self) -> Option<Duration> {
        let epoch = match self.time_left()? {
            TimeLeft::Wait(time) => return Some(time),
            TimeLeft::Quiet { epoch } => epoch,
        };
        match self.judge(epoch).and_then(|verdict| self.carry_out(verdict, epoch)) {
            Ok(Outcome::Done) => None,
            Ok(Outcome::Changed) => Some(Duration::ZERO),
            Err(error) => {
                // Kept for whoever looks; the next change, or a commit by hand, tries again.
                become_suspect(&mut self.state.lock(), vec![format!("it could not become a build: {error}")]);
                None
            }
        }
    }

    /// Returns how long the session must still be left alone; `None` if it is not to be judged at all.
    fn time_left(&self) -> Option<TimeLeft> {
        let state = self.state.lock();
        // A workspace is never published by itself, and an inbox not at all.
        let is_copied = matches!(state.form, SessionForm::Folder | SessionForm::SingleFile);
        if state.phase != SessionState::Open || state.finish.is_judged || !is_copied {
            return None;
        }
        let pace = &state.finish.pace;
        let left = pace.needed(self.finisher.rules.quiet).saturating_sub(pace.quiet(Instant::now()));
        let is_written = state.open.values().any(|open| open.is_written());
        Some(match left.is_zero() {
            false => TimeLeft::Wait(left),
            true if is_written || state.finish.writers.still_copying().is_some() => TimeLeft::Wait(LOOK_AGAIN),
            true => TimeLeft::Quiet { epoch: state.finish.epoch },
        })
    }

    /// Judges the session, which is at rest since `epoch`; `None` when it changed meanwhile.
    fn judge(&self, epoch: u64) -> Result<Option<Verdict>> {
        if !self.check_containers(epoch)? {
            return Ok(None);
        }
        let taken = self.taken()?;
        let state = self.state.lock();
        if !is_as_judged(&state, epoch) {
            return Ok(None);
        }
        let rules = &self.finisher.rules;
        let evidence = Evidence { taken, ..state.evidence(rules, &state.caches(self.keep_caches))? };
        Ok(Some(evidence.judge(rules.auto_commit)))
    }

    /// Returns a sentence about the build that has the session's name, when that may not lose its id.
    fn taken(&self) -> Result<Option<String>> {
        let build = self.store.catalogue().build_by_id(&self.name())?.filter(|build| !Replaces::Inferred.allows(build));
        Ok(build.map(|build| format!("the build {} was not published by itself, and keeps its name", build.id)))
    }

    fn carry_out(&self, verdict: Option<Verdict>, epoch: u64) -> Result<Outcome> {
        let Some(verdict) = verdict else { return Ok(Outcome::Changed) };
        let mut state = self.state.lock();
        if !is_as_judged(&state, epoch) {
            return Ok(Outcome::Changed);
        }
        match verdict {
            Verdict::Wait(_) if self.is_own_build(&mut state)? => self.stay_as_build(&mut state),
            Verdict::Wait(why) => state.finish.judged(vec![why]),
            Verdict::Suspect(reasons) => become_suspect(&mut state, reasons),
            Verdict::Whole(completeness) => {
                drop(state);
                return self.commit_whole(completeness, epoch);
            }
        }
        Ok(Outcome::Done)
    }

    /// Makes the session a build unless it is changed meanwhile; then it is looked at again.
    fn commit_whole(&self, completeness: Completeness, epoch: u64) -> Result<Outcome> {
        let writing = Arc::new(self.store.begin_writing()?);
        let left = self.state.lock().not_stored(self.keep_caches);
        let stored = self.store_files(left)?;
        // From here on changes wait for the lock, and find a build that they open again.
        let mut state = self.state.lock();
        if !is_as_judged(&state, epoch) {
            return Ok(Outcome::Changed);
        }
        state.take_stored(stored, &writing);
        let draft = self.inferred(&state, completeness)?;
        if !self.is_own(&state, &draft)? {
            let build = self.publish(&mut state, draft)?;
            tracing::info!(build = %build.id, session = %state.name, ?completeness, "a session became a build by itself");
            state.finish.own = Some(build.number);
        }
        self.stay_as_build(&mut state);
        Ok(Outcome::Done)
    }

    /// Describes the build that the session would become by itself.
    fn inferred(&self, state: &State, completeness: Completeness) -> Result<Draft> {
        let draft = self.draft(state, completeness, Replaces::Inferred)?;
        Ok(Draft { id: Some(state.name.clone()), ..draft })
    }

    /// Tells whether a draft says no more than the build that the session has become before.
    fn is_own(&self, state: &State, draft: &Draft) -> Result<bool> {
        let Some(own) = state.finish.own else { return Ok(false) };
        let own = self.store.catalogue().build_by_number(own)?;
        Ok(own.is_some_and(|own| {
            let is_same = (own.root, own.attributes, &own.info) == (draft.root, draft.attributes, &draft.info);
            is_same && Some(&own.id) == draft.id.as_ref()
        }))
    }

    /// Tells whether the session, of which everything is stored, is what it became a build as.
    fn is_own_build(&self, state: &mut State) -> Result<bool> {
        if state.finish.own.is_none() || !state.not_stored(self.keep_caches).is_empty() {
            return Ok(false);
        }
        let draft = self.inferred(state, Completeness::InferredWeak)?;
        self.is_own(state, &draft)
    }

    /// Points every file at what was stored and drops the spool files; the journal stays, for the next change.
    fn stay_as_build(&self, state: &mut State) {
        for (node, stored) in state.stored.all() {
            match self.become_stored(state, node, stored.content) {
                Ok(()) => state.stored.remove(node),
                // The spool still has it, and the background will try again when the session is open again.
                Err(error) => tracing::warn!(%error, node, "a spool file was not dropped"),
            }
        }
        state.stored_bytes = 0;
        state.phase = SessionState::Committed;
        state.finish.judged(Vec::new());
    }

    /// Removes what is left of a session that became a build by itself, at the end of the process.
    pub(super) fn drop_if_committed(&self) {
        let state = self.state.lock();
        if state.phase == SessionState::Committed
            && state.finish.own.is_some()
            && let Err(error) = self.disk().remove_dir_all(&self.folder)
        {
            tracing::warn!(%error, "the journal of a session that became a build was left");
        }
    }
}

fn is_as_judged(state: &State, epoch: u64) -> bool {
    state.phase == SessionState::Open && state.finish.epoch == epoch
}

fn become_suspect(state: &mut State, reasons: Vec<String>) {
    tracing::warn!(session = %state.name, reasons = reasons.join("; "), "a session may not be whole, and was not published");
    state.phase = SessionState::Suspect;
    state.finish.judged(reasons);
}
