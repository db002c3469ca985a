//! Inboxes: what is dropped into one is taken out of it when nobody writes any more.

use super::{ROOT, Session, SessionForm, SessionState};
use std::time::{Duration, Instant};

/// How an inbox was at some time; when it is changed, it is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRest(pub(super) u64);

impl Session {
    /// Returns how the inbox is, if something is in it, nobody writes to it, and nothing has changed for `quiet`, or for longer
    /// where what came in came slowly.
    pub fn at_rest(&self, quiet: Duration) -> Option<AtRest> {
        let state = self.state.lock();
        assert!(state.form == SessionForm::Inbox, "nothing else is emptied");
        let is_open = matches!(state.phase, SessionState::Open | SessionState::Interrupted);
        let pace = &state.finish.pace;
        let is_quiet = quiet.is_zero() || pace.quiet(Instant::now()) >= pace.needed(quiet);
        let is_written =
            state.open.values().any(|open| open.is_written()) || state.finish.writers.still_copying().is_some();
        let is_empty = state.nodes.children(ROOT).map_or(true, |children| children.is_empty());
        (is_open && is_quiet && !is_written && !is_empty).then_some(AtRest(state.finish.epoch))
    }
}
