//! A build and a milestone as they are shown: readable times, secrets masked, internals left out.

use super::table::Fields;
use super::text;
use gamevault::catalogue::{Build, Certificate, Ci, Completeness, EarlierBuild, LeftOut, Milestone, Vcs};
use gamevault::secret;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// A build as scripts see it.
#[derive(Debug, Serialize)]
pub struct BuildView {
    pub number: u64,
    pub id: String,
    /// In UTC, as RFC 3339 writes it.
    pub created: String,
    pub files: u64,
    /// Size of all its files.
    pub bytes: u64,
    /// Bytes that it added to the vault.
    pub stored_bytes: u64,
    pub completeness: Completeness,
    pub changed_while_read: Vec<String>,
    /// Number of the build whose id it took.
    pub supersedes: Option<u64>,
    /// Number of the build that took its id.
    pub superseded_by: Option<u64>,
    /// Its name, when the build is one single file.
    pub single_file: Option<String>,
    /// The milestones that mark it.
    pub milestones: Vec<String>,
    pub label: Option<String>,
    pub platform: Option<String>,
    pub message: Option<String>,
    pub tags: Vec<String>,
    pub meta: BTreeMap<String, String>,
    /// Number of the build it was made from.
    pub base: Option<u64>,
    pub vcs: Option<Vcs>,
    pub ci: Option<Ci>,
    pub host: Option<String>,
    pub source: Option<String>,
    pub tool: Option<String>,
    /// What was left out of engine projects; the first of many.
    pub left_out: Vec<LeftOut>,
}

/// A milestone as scripts see it.
#[derive(Debug, Serialize)]
pub struct MilestoneView {
    pub name: String,
    /// Number of the build it marks.
    pub build: u64,
    /// Id of that build.
    pub build_id: Option<String>,
    /// In UTC, as RFC 3339 writes it.
    pub created: String,
    pub message: Option<String>,
    pub tags: Vec<String>,
    pub kind: Option<String>,
    pub meta: BTreeMap<String, String>,
    pub notes: Option<String>,
    pub protected: bool,
    /// The builds that it marked before, by their numbers.
    pub earlier: Vec<EarlierBuild>,
    pub certificate: Option<Certificate>,
    /// Bytes of the build, when that is known.
    pub bytes: Option<u64>,
    /// Playtests of the build, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<u64>,
}

impl BuildView {
    /// Makes the view of `build`, with those of `milestones` that mark it.
    pub fn new(build: &Build, milestones: &[Milestone]) -> BuildView {
        let info = build.info.clone();
        let marking = milestones.iter().filter(|milestone| milestone.build == build.number);
        BuildView {
            number: build.number.0,
            id: build.id.to_string(),
            created: text::utc_time(build.created),
            files: build.root.totals.files,
            bytes: build.root.totals.bytes,
            stored_bytes: build.stored_bytes,
            completeness: build.completeness,
            changed_while_read: build.changed_while_read.clone(),
            supersedes: build.supersedes.as_ref().map(|old| old.build.0),
            superseded_by: build.superseded_by.map(|new| new.0),
            single_file: build.single_file.clone(),
            milestones: marking.map(|milestone| milestone.name.to_string()).collect(),
            label: info.label,
            platform: info.platform,
            message: info.message,
            tags: info.tags,
            meta: secret::mask(&info.meta),
            base: info.base.map(|base| base.0),
            vcs: info.vcs,
            ci: info.ci,
            host: info.host,
            source: info.source,
            tool: info.tool,
            left_out: info.left_out,
        }
    }

    /// Returns all that is known of the build, a field a line.
    pub fn fields(&self, build: &Build) -> Fields {
        let mut fields = Fields::default();
        fields.add("id", &self.id);
        fields.add("number", self.number);
        let ago = text::ago(build.created, SystemTime::now());
        fields.add("created", format!("{} ({ago})", text::local_time(build.created)));
        fields.add("content", format!("{}, {}", text::count(self.files, "file"), text::size(self.bytes)));
        fields.add("new bytes", text::size(self.stored_bytes));
        fields.add("completeness", completeness(self.completeness));
        for path in &self.changed_while_read {
            fields.add("changed while read", path);
        }
        fields.add_some("supersedes", self.supersedes);
        fields.add_some("superseded by", self.superseded_by);
        for left_out in &self.left_out {
            fields.add("left out", format!("{} ({}, {})", left_out.path, left_out.engine, left_out.class));
        }
        fields.add_some("single file", self.single_file.as_ref());
        fields.add_some("milestones", joined(&self.milestones));
        fields.add_some("label", self.label.as_ref());
        fields.add_some("platform", self.platform.as_ref());
        fields.add_some("message", self.message.as_ref());
        fields.add_some("tags", joined(&self.tags));
        fields.add_some("base", self.base);
        for (key, value) in &self.meta {
            fields.add(format!("meta {key}"), value);
        }
        self.add_origin(&mut fields);
        fields
    }

    fn add_origin(&self, fields: &mut Fields) {
        if let Some(vcs) = &self.vcs {
            fields.add("vcs", revision(vcs));
            fields.add_some("repo", vcs.repo.as_ref());
            fields.add_some("describe", vcs.describe.as_ref());
            for commit in &vcs.commits {
                fields.add("commit", commit);
            }
        }
        if let Some(ci) = &self.ci {
            let build = ci.build.as_ref().map(|build| format!(" {build}")).unwrap_or_default();
            fields.add("ci", format!("{}{build}", ci.system));
            fields.add_some("ci url", ci.url.as_ref());
        }
        fields.add_some("host", self.host.as_ref());
        fields.add_some("source", self.source.as_ref());
        fields.add_some("made by", self.tool.as_ref());
    }
}

impl MilestoneView {
    /// Makes the view of `milestone`; `build` is the one it marks.
    pub fn new(milestone: &Milestone, build: Option<&Build>) -> MilestoneView {
        MilestoneView {
            name: milestone.name.to_string(),
            build: milestone.build.0,
            build_id: build.map(|build| build.id.to_string()),
            created: text::utc_time(milestone.created),
            message: milestone.message.clone(),
            tags: milestone.tags.clone(),
            kind: milestone.kind.clone(),
            meta: secret::mask(&milestone.meta),
            notes: milestone.notes.clone(),
            protected: milestone.protected,
            earlier: milestone.earlier.clone(),
            certificate: milestone.certificate.clone(),
            bytes: build.map(|build| build.root.totals.bytes),
            feedback: None,
        }
    }

    /// Returns in a word or two whether it was read back and is protected.
    pub fn state(&self) -> String {
        let words = [(self.certificate.is_some(), "verified"), (self.protected, "protected")];
        words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect::<Vec<_>>().join(", ")
    }

    /// Returns the build's id, or its number when the id is not known.
    pub fn build_name(&self) -> String {
        self.build_id.clone().unwrap_or_else(|| self.build.to_string())
    }
}

/// Returns `words` on one line, `None` when there are none.
pub fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(", "))
}

fn completeness(completeness: Completeness) -> &'static str {
    match completeness {
        Completeness::Verified => "verified (read by gamevault itself)",
        Completeness::Declared => "declared (copied in and committed)",
        Completeness::InferredStrong => "inferred-strong (copied in, and finished file by file)",
        Completeness::InferredWeak => "inferred-weak (copied in, and nothing speaks against it)",
        Completeness::Incomplete => "incomplete (files changed while they were read)",
    }
}

fn revision(vcs: &Vcs) -> String {
    let branch = vcs.branch.as_ref().map(|branch| format!(" on {branch}")).unwrap_or_default();
    let dirty = if vcs.dirty == Some(true) { ", with uncommitted changes" } else { "" };
    format!("{} {}{branch}{dirty}", vcs.kind, vcs.revision.as_deref().unwrap_or("at an unknown revision"))
}
