//! What changed between two builds, in names, bytes and details.

use super::{Alone, StatsOptions, Vault};
use crate::catalogue::Build;
use crate::compare::detail::{self, Limits};
use crate::compare::{self, Changes, Diff};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::report::history::{Entry, History};
use std::collections::HashSet;

/// Folders that a page on the history tells apart.
const MAX_FOLDERS: usize = 40;

impl Vault {
    /// Compares two builds; with `paths`, only those files and folders.
    ///
    /// Folders that are the same in both are not looked into, and no file is read.
    ///
    /// # Errors
    /// `NotFound` if a path is in neither build; `Corrupt` if a manifest is damaged.
    pub fn diff(&self, old: &Build, new: &Build, paths: &[String]) -> Result<Diff> {
        compare::diff(self.reader(), old, new, paths)
    }

    /// Tells all of what changed between two builds: the files by [`Vault::diff`], what changed inside of as many of them as
    /// `limits` say, plugins, and the commits that the builds' records name.
    ///
    /// The same builds give the same answer.
    ///
    /// # Errors
    /// Those of [`Vault::diff`] and of the store. A file that is damaged has that for its detail.
    pub fn changes(&self, old: &Build, new: &Build, paths: &[String], limits: &Limits) -> Result<Changes> {
        let diff = self.diff(old, new, paths)?;
        Ok(Changes {
            details: detail::details(self.reader(), &diff, limits)?,
            plugins: compare::plugin_changes(self.reader(), &diff)?,
            commits: self.recorded_commits(old, new)?,
            old: old.clone(),
            new: new.clone(),
            diff,
        })
    }

    /// Returns how the vault grew from one build to a later one, both included, for a page that is called `title`.
    ///
    /// # Errors
    /// As [`Vault::explain`]; `Invalid` if the first build is not the older one.
    pub fn history(&self, title: &str, first: &Build, last: &Build, progress: &Progress) -> Result<History> {
        if first.number > last.number {
            return Err(Error::invalid(format!("build {} is newer than {}", first.id, last.id))
                .with_hint("name the older build first"));
        }
        let diff = self.diff(first, last, &[])?;
        let (builds, milestones, playtests) = (self.builds()?, self.milestones()?, self.numbered_playtests()?);
        let alone = self.alone(&builds, progress)?;
        let is_shown = |build: &Build| build.number >= first.number && build.number <= last.number;
        let entry = |(build, alone): (Build, Alone)| Entry {
            milestones: milestones
                .iter()
                .filter(|one| one.build == build.number)
                .map(|one| one.name.to_string())
                .collect(),
            playtests: playtests.iter().filter(|one| one.playtest.build == build.number).count() as u64,
            unique_bytes: alone.unique_bytes,
            freed_bytes: alone.freed_bytes,
            build,
        };
        Ok(History {
            title: title.to_owned(),
            builds: builds.into_iter().zip(alone).filter(|(build, _)| is_shown(build)).map(entry).collect(),
            classes: compare::by_class(&diff.changes),
            folders: compare::by_weight(&diff.changes, MAX_FOLDERS),
            stored_bytes: self.stats(&StatsOptions::default(), progress)?.stored_bytes,
        })
    }

    /// Returns the commits that the records of the builds after `old`, up to `new`, name; newest first.
    pub(super) fn recorded_commits(&self, old: &Build, new: &Build) -> Result<Vec<String>> {
        let mut known = HashSet::new();
        let builds = self.builds()?;
        let between = builds.iter().rev().filter(|build| build.number > old.number && build.number <= new.number);
        let of_the_same = |build: &&Build| match (&build.info.vcs, &new.info.vcs) {
            (Some(vcs), Some(newest)) => vcs.kind == newest.kind && vcs.repo == newest.repo,
            _ => false,
        };
        let commits = between.filter(of_the_same).flat_map(|build| build.info.vcs.iter().flat_map(|vcs| &vcs.commits));
        Ok(commits.filter(|commit| known.insert(commit.as_str())).cloned().collect())
    }
}
