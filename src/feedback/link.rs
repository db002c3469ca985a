//! Which build a record is about: from the clues that it holds to builds, the best clue first.
//!
//! The first clue that leads to any build decides. Where it leads to several, what the others say narrows them down; what
//! still cannot be told apart stays a set: nothing is guessed. A clue that leads nowhere says nothing, for builds may be
//! elsewhere or come later.

use crate::catalogue::Build;
use crate::catalogue::feedback::{Clues, Deployment, FeedbackRecord, Link, LinkMethod, Mark, MarkKind};
use crate::id::BuildNumber;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// The most links that are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// All that is known of builds by which records can be told to be about them.
pub struct Knowledge {
    marks: HashMap<Mark, Vec<BuildNumber>>,
    exact: HashMap<String, BTreeSet<BuildNumber>>,
    normalized: HashMap<String, BTreeSet<BuildNumber>>,
    /// What of a build may stand behind the `+` of a version: its id, its number, that of its job.
    suffixes: HashMap<String, BTreeSet<BuildNumber>>,
    platforms: HashMap<BuildNumber, String>,
    known: BTreeSet<BuildNumber>,
    /// By their time.
    deployments: Vec<Deployment>,
    /// By platform and clues; a lookup needs no copy of either.
    remembered: HashMap<Option<String>, HashMap<Clues, Link>>,
}

impl Knowledge {
    /// Gathers what `builds`, their marks and the deployments tell.
    pub fn new(
        builds: &[Build],
        marks: HashMap<Mark, Vec<BuildNumber>>,
        mut deployments: Vec<Deployment>,
    ) -> Knowledge {
        deployments.sort_by_key(|deployment| (deployment.time, deployment.serial));
        let mut knowledge = Knowledge {
            marks,
            exact: HashMap::new(),
            normalized: HashMap::new(),
            suffixes: HashMap::new(),
            platforms: HashMap::new(),
            known: builds.iter().map(|build| build.number).collect(),
            deployments,
            remembered: HashMap::new(),
        };
        for build in builds {
            knowledge.add(build);
        }
        knowledge
    }

    fn add(&mut self, build: &Build) {
        let info = &build.info;
        let versions = [Some(build.id.as_str()), info.label.as_deref()];
        let versions = versions.into_iter().flatten().chain(info.meta.get("version").map(String::as_str));
        for version in versions {
            self.exact.entry(version.trim().to_lowercase()).or_default().insert(build.number);
            self.normalized.entry(normalize(version).0).or_default().insert(build.number);
        }
        let job = info.ci.as_ref().and_then(|ci| ci.build.clone());
        for suffix in [Some(build.id.folded()), Some(build.number.to_string()), job].into_iter().flatten() {
            self.suffixes.entry(suffix.to_lowercase()).or_default().insert(build.number);
        }
        if let Some(platform) = &info.platform {
            self.platforms.insert(build.number, platform.to_lowercase());
        }
    }

    /// Returns the builds that `record` is about.
    pub fn link(&mut self, record: &FeedbackRecord) -> Link {
        let clues = &record.clues;
        if *clues == Clues::default() && self.deployments.is_empty() {
            return Link::default();
        }
        // What was live depends on the time, which differs in each record.
        if self.deployments.is_empty() {
            if let Some(link) = self.remembered.get(&record.platform).and_then(|known| known.get(clues)) {
                return link.clone();
            }
            let link = self.find(record);
            // Platforms are few in what people mean, and as many as anybody likes in what a file says.
            if self.remembered.values().map(HashMap::len).sum::<usize>() >= MAX_REMEMBERED {
                self.remembered.clear();
            }
            self.remembered.entry(record.platform.clone()).or_default().insert(clues.clone(), link.clone());
            return link;
        }
        self.find(record)
    }

    fn find(&self, record: &FeedbackRecord) -> Link {
        let mut link = Link::default();
        for method in LinkMethod::ALL {
            let builds = self.by(method, record);
            if builds.is_empty() {
                continue;
            }
            if link.method.is_none() {
                link = Link { builds: builds.into_iter().collect(), method: Some(method) };
            } else {
                // A later clue that agrees with none of them is about something else.
                narrow(&mut link.builds, |build| builds.contains(&build));
            }
            if link.builds.len() == 1 {
                return link;
            }
        }
        if let Some(platform) = record.platform.as_deref().map(str::to_lowercase) {
            narrow(&mut link.builds, |build| self.platforms.get(&build) == Some(&platform));
        }
        link
    }

    fn by(&self, method: LinkMethod, record: &FeedbackRecord) -> BTreeSet<BuildNumber> {
        let clues = &record.clues;
        match method {
            LinkMethod::Stamp => self.marked(MarkKind::Stamp, clues.stamp.as_deref()),
            LinkMethod::EngineGuid => self.marked(MarkKind::Guid, clues.guid.as_deref()),
            LinkMethod::Fingerprint => self.marked(MarkKind::Fingerprint, clues.fingerprint.as_deref()),
            LinkMethod::StoreBuild => self.by_store(clues.store_build.as_deref()),
            LinkMethod::Version => {
                let version = clues.version.as_deref().map(|version| version.trim().to_lowercase());
                version.and_then(|version| self.exact.get(&version)).cloned().unwrap_or_default()
            }
            LinkMethod::NormalizedVersion => self.by_version(clues.version.as_deref()),
            LinkMethod::DebugId => self.by_debug_ids(&clues.debug_ids),
            LinkMethod::Deployment => self.live(record),
            LinkMethod::Given => clues.given.into_iter().filter(|build| self.known.contains(build)).collect(),
        }
    }

    fn marked(&self, kind: MarkKind, value: Option<&str>) -> BTreeSet<BuildNumber> {
        let builds = value.and_then(|value| self.marks.get(&(kind, value.trim().to_lowercase())));
        // Marks of builds that were forgotten stay where they are, for they may come back.
        builds.into_iter().flatten().copied().filter(|build| self.known.contains(build)).collect()
    }

    fn by_store(&self, store_build: Option<&str>) -> BTreeSet<BuildNumber> {
        let Some(wanted) = store_build else { return BTreeSet::new() };
        let (store, number) = match wanted.split_once(':') {
            Some((store, number)) => (Some(store), number),
            None => (None, wanted),
        };
        let fits = |deployment: &&Deployment| {
            deployment.store_build.as_deref() == Some(number)
                && store.is_none_or(|store| deployment.store.as_str().eq_ignore_ascii_case(store))
                && self.known.contains(&deployment.build)
        };
        self.deployments.iter().filter(fits).map(|deployment| deployment.build).collect()
    }

    fn by_version(&self, version: Option<&str>) -> BTreeSet<BuildNumber> {
        let Some((version, suffix)) = version.map(normalize) else { return BTreeSet::new() };
        let mut builds: Vec<BuildNumber> = self.normalized.get(&version).into_iter().flatten().copied().collect();
        if let Some(same) = suffix.and_then(|suffix| self.suffixes.get(&suffix)) {
            narrow(&mut builds, |build| same.contains(&build));
        }
        builds.into_iter().collect()
    }

    /// Executables of one engine are the same in many builds, so only what all ids have in common counts.
    fn by_debug_ids(&self, ids: &[String]) -> BTreeSet<BuildNumber> {
        let mut common: Option<BTreeSet<BuildNumber>> = None;
        for id in ids {
            let builds = self.marked(MarkKind::DebugId, Some(id));
            if builds.is_empty() {
                continue;
            }
            common = Some(match common {
                Some(common) if common.is_disjoint(&builds) => common,
                Some(common) => common.intersection(&builds).copied().collect(),
                None => builds,
            });
        }
        common.unwrap_or_default()
    }

    /// Returns what players got at the time of the record: of each place to get it, the last that went there before.
    fn live(&self, record: &FeedbackRecord) -> BTreeSet<BuildNumber> {
        let Some(time) = record.time else { return BTreeSet::new() };
        let until = self.deployments.partition_point(|deployment| deployment.time <= time);
        let mut live: HashMap<(&str, Option<&str>, Option<&str>), BuildNumber> = HashMap::new();
        for deployment in &self.deployments[..until] {
            let place = (deployment.store.as_str(), deployment.app.as_deref(), deployment.channel.as_deref());
            live.insert(place, deployment.build);
        }
        let stores_know = live.keys().any(|(store, ..)| store.eq_ignore_ascii_case(&record.source));
        let wanted = record.clues.channel.as_deref();
        let fits = |(store, _, channel): &(&str, Option<&str>, Option<&str>)| {
            let here = !stores_know || store.eq_ignore_ascii_case(&record.source);
            // Who says nothing of a branch has what everybody gets, as reviews in a store do.
            let same = match (wanted, channel) {
                (Some(wanted), Some(channel)) => wanted.eq_ignore_ascii_case(channel),
                (Some(_), None) => false,
                (None, channel) => !stores_know || is_for_everybody(*channel),
            };
            here && same
        };
        let builds = live.iter().filter(|(place, _)| fits(place)).map(|(_, build)| *build);
        builds.filter(|build| self.known.contains(build)).collect()
    }

    /// Returns the build that was deployed last before `time`, wherever.
    pub fn last_deployed(&self, time: Timestamp) -> Option<BuildNumber> {
        let until = self.deployments.partition_point(|deployment| deployment.time <= time);
        self.deployments[..until].last().map(|deployment| deployment.build)
    }
}

fn is_for_everybody(channel: Option<&str>) -> bool {
    channel
        .is_none_or(|channel| ["public", "default", "production", "release"].contains(&channel.to_lowercase().as_str()))
}

/// Keeps the builds that `fits`, unless none does.
fn narrow(builds: &mut Vec<BuildNumber>, fits: impl Fn(BuildNumber) -> bool) {
    if builds.iter().any(|&build| fits(build)) {
        builds.retain(|&build| fits(build));
    }
}

/// Returns a version without what people and tools add to it, and what stood behind its `+`.
///
/// `v0.7.3`, `Version 0.7.3`, `0.7.3` and `my-game@0.7.3+812` are all `0.7.3`; Sentry writes releases as the last.
fn normalize(version: &str) -> (String, Option<String>) {
    let folded = version.trim().to_lowercase();
    let bare = folded.rsplit_once('@').map_or(folded.as_str(), |(_, version)| version);
    let (bare, suffix) = match bare.split_once('+') {
        Some((bare, suffix)) => (bare, Some(suffix.trim().to_owned())),
        None => (bare, None),
    };
    let mut bare = bare.trim();
    for word in ["version", "release", "build", "ver.", "ver", "v.", "v", "#"] {
        if let Some(rest) = bare.strip_prefix(word) {
            let rest = rest.trim_start_matches([' ', ':', '.', '-', '_']);
            // "vault" is no version "ault".
            if rest.starts_with(|c: char| c.is_ascii_digit()) {
                bare = rest;
                break;
            }
        }
    }
    let bare = bare.trim_end_matches(['.', '?', '!', ',', ' ']);
    (bare.to_owned(), suffix)
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn versions_lose_what_is_added_to_them() {
        for same in ["0.7.3", "v0.7.3", "V0.7.3", "Version 0.7.3", "pkg@0.7.3+812", "ver. 0.7.3", " 0.7.3? "] {
            assert_eq!(normalize(same).0, "0.7.3", "{same}");
        }
        assert_eq!(normalize("pkg@0.7.3+812").1.as_deref(), Some("812"));
        assert_eq!(normalize("vault"), ("vault".into(), None));
        assert_eq!(normalize("build 42").0, "42");
    }
}
