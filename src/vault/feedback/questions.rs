//! What people ask of feedback, from what the index counts: how often builds crash, which crashes are new and gone, how a tag goes
//! from build to build, where players die and quit.

use crate::catalogue::Build;
use crate::catalogue::feedback::{FeedbackKind, Outcome, SignatureCount};
use crate::error::Result;
use crate::feedback::{Among, PlaceRow, Rate, RateOf, SignatureChange, SignatureRow};
use crate::id::BuildNumber;
use crate::vault::Vault;
use std::collections::{BTreeMap, BTreeSet};

/// Sessions and reports of one build.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Base {
    pub sessions: u64,
    pub reports: u64,
}

impl Base {
    fn rate(self, hits: u64) -> (Rate, Among) {
        match self.sessions {
            0 => (Rate::new(hits, self.reports), Among::Reports),
            sessions => (Rate::new(hits, sessions), Among::Sessions),
        }
    }
}

impl Vault {
    /// Returns how often each build crashed, by number; with `by_platform`, each platform over all builds.
    ///
    /// Builds of which nothing is known are left out.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn crash_rates(&self, by_platform: bool) -> Result<Vec<RateOf>> {
        let mut counts: BTreeMap<(Option<BuildNumber>, Option<String>), (Base, u64)> = BTreeMap::new();
        for count in self.feedback()?.kind_counts()? {
            let key = match by_platform {
                true => (None, count.platform),
                false if count.build.is_none() => continue,
                false => (count.build, None),
            };
            let (base, crashes) = counts.entry(key).or_default();
            match count.kind {
                FeedbackKind::Session => base.sessions += count.count,
                FeedbackKind::Event => {}
                _ => base.reports += count.count,
            }
            if count.kind == FeedbackKind::Crash {
                *crashes += count.count;
            }
        }
        let row = |((build, platform), (base, crashes)): (_, (Base, u64))| {
            let (rate, among) = base.rate(crashes);
            RateOf { build, platform, rate, among }
        };
        Ok(counts.into_iter().map(row).filter(|row| row.rate.total > 0).collect())
    }

    /// Returns how often records have a tag, of each build that has any records.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn tag_trend(&self, tag: &str) -> Result<Vec<RateOf>> {
        let tagged: BTreeMap<_, _> = self.feedback()?.tag_counts(tag)?.into_iter().collect();
        let bases = self.bases()?.into_iter().map(|(build, base)| {
            let (rate, among) = base.rate(tagged.get(&Some(build)).copied().unwrap_or(0));
            RateOf { build: Some(build), platform: None, rate, among }
        });
        Ok(bases.filter(|row| row.rate.total > 0).collect())
    }

    /// Returns what became of each crash signature from `old` to `new`: new and regressed ones first, the most frequent first.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn signature_changes(&self, old: &Build, new: &Build) -> Result<Vec<SignatureRow>> {
        let bases = self.bases()?;
        let base = |build: &Build| bases.get(&build.number).copied().unwrap_or_default();
        let mut rows = Vec::new();
        for SignatureCount { signature, old: before, new: after, is_older } in
            self.feedback()?.signature_counts(old.number, new.number)?
        {
            let change = match (before, after) {
                (0, 0) => continue,
                (0, _) if is_older => SignatureChange::Regressed,
                (0, _) => SignatureChange::New,
                (_, 0) => SignatureChange::Gone,
                _ => SignatureChange::Stays,
            };
            let by_chance = (change == SignatureChange::Gone).then(|| {
                let (rate, _) = base(old).rate(before);
                rate.none_by_chance(base(new).rate(0).0.total)
            });
            rows.push(SignatureRow { change, signature, old: before, new: after, by_chance });
        }
        rows.sort_by(|a, b| (a.change, b.new.max(b.old)).cmp(&(b.change, a.new.max(a.old))));
        Ok(rows)
    }

    /// Returns in which levels plays or lives ended so, the most frequent first: in `build` or all, beside `against`.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn where_ended(
        &self,
        outcome: Outcome,
        build: Option<BuildNumber>,
        against: Option<BuildNumber>,
    ) -> Result<Vec<PlaceRow>> {
        let mut levels: BTreeMap<Option<String>, (u64, u64)> = BTreeMap::new();
        for count in self.feedback()?.outcome_counts(outcome)? {
            let (here, there) = levels.entry(count.name).or_default();
            if build.is_none_or(|build| count.build == Some(build)) {
                *here += count.count;
            }
            if against.is_some() && count.build == against {
                *there += count.count;
            }
        }
        let row = |(level, (count, there))| PlaceRow { level, count, against: against.map(|_| there) };
        let mut rows: Vec<PlaceRow> = levels.into_iter().map(row).collect();
        rows.retain(|row| row.count > 0 || row.against.is_some_and(|there| there > 0));
        rows.sort_by(|a, b| (b.count, &a.level).cmp(&(a.count, &b.level)));
        Ok(rows)
    }

    /// Returns the builds of which there is neither a play nor a session.
    ///
    /// # Errors
    /// Those of the databases.
    pub fn unplayed_builds(&self) -> Result<Vec<Build>> {
        let played: BTreeSet<BuildNumber> =
            self.bases()?.into_iter().filter(|(_, base)| base.sessions > 0).map(|(build, _)| build).collect();
        Ok(self.builds()?.into_iter().filter(|build| !played.contains(&build.number)).collect())
    }

    /// Returns what is known of each build's plays and reports.
    pub(super) fn bases(&self) -> Result<BTreeMap<BuildNumber, Base>> {
        let mut bases: BTreeMap<BuildNumber, Base> = BTreeMap::new();
        for count in self.feedback()?.kind_counts()? {
            let Some(build) = count.build else { continue };
            let base = bases.entry(build).or_default();
            match count.kind {
                FeedbackKind::Session => base.sessions += count.count,
                FeedbackKind::Event => {}
                _ => base.reports += count.count,
            }
        }
        Ok(bases)
    }
}
