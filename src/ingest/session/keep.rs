//! Keeping a workspace: it becomes a build and goes on, based on that build.
//!
//! A process that is killed before the build is published has kept nothing; one that is killed after it finds the
//! workspace as it was, with its old base, and the build beside it. The spool files go one by one, each after the journal
//! says that the store has their bytes.

use super::op::{NodeNumber, Op};
use super::{Session, SessionForm, SessionState, State};
use crate::catalogue::{Build, BuildInfo, Completeness};
use crate::error::{Error, Result};
use crate::ingest::{Draft, Replaces, publish};
use crate::name::RefName;
use std::sync::Arc;

impl Session {
    /// Makes a build of the workspace as it is, with the id `id` or else with its number; the workspace goes on, and
    /// starts from that build from now on.
    ///
    /// What was said of the build (label, message, tags) goes with it. While it is kept, changes wait.
    ///
    /// # Errors
    /// As [`Session::commit`]; `Invalid` for a session that is no workspace. The workspace goes on as it was.
    pub fn keep(&self, id: Option<RefName>) -> Result<Build> {
        if self.form() != SessionForm::Workspace {
            return Err(Error::invalid(format!("session {} is no workspace, and cannot be kept", self.name())));
        }
        let (replaces, left) = self.start_commit(id.as_ref())?;
        self.finish_keep(id, replaces, left).map_err(|error| self.reopen(error))
    }

    fn finish_keep(&self, id: Option<RefName>, replaces: Replaces, left: Vec<NodeNumber>) -> Result<Build> {
        let writing = Arc::new(self.store.begin_writing()?);
        let stored = self.store_files(left)?;
        let mut state = self.state.lock();
        state.take_stored(stored, &writing);
        let draft = Draft { id, ..self.draft(&state, Completeness::Declared, replaces)? };
        let (build, _) = publish(&self.store, draft)?;
        // What follows only tells the journal what the store has: when it fails, the build is there all the same.
        if let Err(error) = self.go_on_from(&mut state, &build) {
            tracing::warn!(%error, build = %build.id, "a workspace was kept and holds on to its old base");
        }
        state.phase = SessionState::Open;
        drop(state);
        self.closed.notify_all();
        Ok(build)
    }

    /// Makes `build` the base, and drops the spool files of what is in it.
    fn go_on_from(&self, state: &mut State, build: &Build) -> Result<()> {
        let BuildInfo { platform, meta, .. } = std::mem::take(&mut state.info);
        state.info = BuildInfo { platform, meta, base: Some(build.number), ..BuildInfo::default() };
        let json = Session::info_json(&state.info);
        state.journal.append(&Op::Info { json })?;
        state.stored_bytes = 0;
        state.forget_texts();
        std::mem::take(&mut state.stored)
            .all()
            .into_iter()
            .try_for_each(|(node, stored)| self.become_stored(state, node, stored.content))
    }
}
