//! What was dropped into `/feedback` is taken out when nobody writes any more, and imported.

use super::{NO_BUILD, build_of};
use crate::error::Result;
use crate::id::BuildNumber;
use crate::ingest::session::{ROOT, Session};
use crate::progress::Progress;
use crate::tree::Tree;
use crate::tree::number::Place;
use crate::tree::types::Event;
use crate::vault::CollectOptions;
use std::sync::Arc;
use std::time::Duration;

impl Tree {
    /// Tells whether something was dropped into `/feedback`.
    pub fn has_dropped_feedback(&self) -> bool {
        self.opened_sessions().is_some_and(|sessions| !sessions.inboxes().is_empty())
    }

    /// Imports what was dropped into `/feedback` and has not changed for `quiet`; returns how many inboxes were emptied.
    ///
    /// What fails stays where it is, with the reason in the log, and is tried again when something changes.
    pub fn collect_feedback(&self, quiet: Duration, progress: &Progress) -> usize {
        // Who never looked at a session has dropped nothing.
        let Some(sessions) = self.opened_sessions() else { return 0 };
        let collected = |inbox: &Arc<Session>| match self.collect(inbox, quiet, progress) {
            Ok(is_empty) => is_empty,
            Err(error) => {
                tracing::warn!(inbox = %inbox.name(), %error, "what was dropped in could not be imported");
                false
            }
        };
        sessions.inboxes().iter().filter(|inbox| collected(inbox)).count()
    }

    /// Takes in the plays that games recorded into the folder that the vault's config names, and that have not changed for `quiet`.
    pub fn collect_plays(&self, quiet: Duration, progress: &Progress) {
        let Some(folder) = self.vault.plays_folder().filter(|folder| folder.is_dir()) else { return };
        let mut stayed = self.plays_stayed.lock();
        let options = CollectOptions { quiet, stayed: std::mem::take(&mut *stayed), ..CollectOptions::default() };
        match self.vault.collect_sessions(folder, &options, progress) {
            Ok(collected) => {
                *stayed = collected.stayed;
                for playtest in &collected.playtests {
                    tracing::info!(id = %playtest.id, build = %playtest.build, "a recorded play is kept");
                    let build = playtest.build.0 as u32;
                    let directory = Place::Feedback { build, sessions: true }.node();
                    let name = playtest.id.as_str().as_bytes().to_vec();
                    (self.events)(Event::Name { directory, name });
                    (self.events)(Event::Node(directory));
                }
                for (path, error) in &collected.left {
                    tracing::debug!(path = %path.display(), %error, "a recorded play stays where it is");
                }
            }
            Err(error) => tracing::warn!(folder = %folder.display(), %error, "recorded plays could not be taken in"),
        }
    }

    fn collect(&self, inbox: &Session, quiet: Duration, progress: &Progress) -> Result<bool> {
        let Some(at_rest) = inbox.at_rest(quiet) else { return Ok(false) };
        if self.uncollected.lock().get(&inbox.serial()) == Some(&at_rest) {
            return Ok(false);
        }
        self.uncollected.lock().insert(inbox.serial(), at_rest);
        let build = build_of(inbox);
        let given = (build != NO_BUILD).then_some(BuildNumber(build.into()));
        let report = self.vault.import_inbox(inbox, given, progress)?;
        let mut names = Vec::new();
        inbox.list(ROOT, 0, &mut |name, _| {
            names.push(name.to_vec());
            true
        })?;
        if !self.sessions()?.empty(inbox, at_rest)? {
            // More came in meanwhile: all of it is imported again, and known records are not taken twice.
            return Ok(false);
        }
        self.uncollected.lock().remove(&inbox.serial());
        tracing::info!(build, added = report.added, rejected = report.rejected, "imported what was dropped in");
        let directory = Place::Feedback { build, sessions: false }.node();
        for name in names {
            (self.events)(Event::Name { directory, name });
        }
        (self.events)(Event::Node(directory));
        (self.events)(Event::Node(Place::Feedback { build, sessions: true }.node()));
        Ok(true)
    }
}
