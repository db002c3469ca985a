//! Whether a session that nobody committed is a whole build: from evidence to a verdict, without looking at anything else.
//!
//! That nothing changes any more is not enough: a killed `cp` and a cancelled copy leave a cut file behind in good order.
//! So what the tools do after a file's last byte is looked at, too. Whatever is in doubt is never published by itself.

use crate::catalogue::Completeness;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most names that a reason lists.
const MAX_NAMES: usize = 20;

/// Which sessions become builds by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoCommit {
    /// Those whose tool has finished every file.
    Strong,
    /// Those that nothing speaks against.
    Weak,
    /// None.
    Off,
}

/// How a vault's sessions become builds by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinishRules {
    /// Which ones do.
    pub auto_commit: AutoCommit,
    /// How long nothing must have changed, at least.
    pub quiet: Duration,
}

impl Default for FinishRules {
    fn default() -> FinishRules {
        // No local copy pauses longer than 0.2 s between two requests, even from a busy disk; the rest is for slow sources.
        FinishRules { auto_commit: AutoCommit::Weak, quiet: Duration::from_secs(15) }
    }
}

/// Names of files, all counted and the first ones listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    count: u64,
    first: Vec<String>,
}

impl Names {
    /// Adds a name, which is made only when it will be listed.
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < MAX_NAMES {
            self.first.push(name());
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns a sentence of what is wrong and the names; `None` when there are none.
    fn reason(&self, what: &str) -> Option<String> {
        let names = self.first.join(", ");
        let more = match self.count - self.first.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        (!self.is_empty()).then(|| format!("{what}: {names}{more}"))
    }
}

/// What is known of a session when it is looked at.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    /// A file or a symlink would be in the build.
    pub(super) has_content: bool,
    /// Files that somebody has open to write.
    pub(super) files_written: u64,
    /// A copy that wrote to it and has not ended.
    pub(super) running: Option<String>,
    /// How long nothing changed.
    pub(super) quiet: Duration,
    /// How long nothing must change.
    pub(super) quiet_needed: Duration,
    /// Since the session was opened, opened again or last judged, something came in.
    pub(super) has_grown: bool,
    /// Files whose time was set after their last write.
    pub(super) finished: u64,
    /// Files that were written and closed, and no more.
    pub(super) unfinished: Names,
    /// The same by tools that always set times.
    pub(super) due: Names,
    /// Files that were written and never closed.
    pub(super) never_closed: Names,
    /// Files with a name that they have only while they are written.
    pub(super) in_progress: Names,
    /// Files with a time that Finder or robocopy gives to files that are not whole.
    pub(super) busy: Names,
    /// Sentences about files that are cut, by their writers' ends or by their own format, or whose write failed.
    pub(super) torn: Vec<String>,
    /// A build that is no inferred one has the id already.
    pub(super) taken: Option<String>,
}

/// What a session is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing can be said yet, for this reason.
    Wait(String),
    /// It may not be whole, for these reasons.
    Suspect(Vec<String>),
    /// It is a whole build, as far as anybody can tell.
    Whole(Completeness),
}

impl Evidence {
    /// Returns what the session is.
    pub(super) fn judge(&self, auto_commit: AutoCommit) -> Verdict {
        if auto_commit == AutoCommit::Off {
            return Verdict::Wait("sessions of this vault are committed by hand alone".into());
        }
        if let Some(why) = self.too_early() {
            return Verdict::Wait(why);
        }
        let reasons = self.reasons();
        if !reasons.is_empty() {
            return Verdict::Suspect(reasons);
        }
        if !self.has_grown {
            return Verdict::Wait("nothing has come in since it was last looked at".into());
        }
        match self.completeness() {
            Completeness::InferredWeak if auto_commit == AutoCommit::Strong => {
                Verdict::Wait("no file's time was set by the tool that wrote it, which this vault asks for".into())
            }
            completeness => Verdict::Whole(completeness),
        }
    }

    /// Returns how sure it would be that nothing is missing, if nothing speaks against it.
    pub(super) fn completeness(&self) -> Completeness {
        match self.finished > 0 && self.unfinished.is_empty() {
            true => Completeness::InferredStrong,
            false => Completeness::InferredWeak,
        }
    }

    fn too_early(&self) -> Option<String> {
        // What a killed rsync leaves would not be in a build, and still is no empty session.
        if !self.has_content && self.reasons().is_empty() {
            return Some("nothing is in it yet".into());
        }
        if self.files_written > 0 {
            return Some(format!("{} of its files are open to be written", self.files_written));
        }
        match &self.running {
            Some(running) => Some(format!("{running} still runs")),
            None if self.quiet >= self.quiet_needed => None,
            None => Some(format!("it must be quiet for {:.1} s", self.quiet_needed.as_secs_f32())),
        }
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = self.torn.clone();
        let mixed = if self.finished > 0 { self.unfinished.clone() } else { Names::default() };
        reasons.extend(
            [
                self.never_closed.reason("written and never closed"),
                self.in_progress.reason("named as files in progress are"),
                self.due.reason("written by a tool that sets times, and left without"),
                mixed.reason("left without the time that was set for the other files"),
                self.busy.reason("dated as files are that Finder or robocopy has not finished"),
            ]
            .into_iter()
            .flatten(),
        );
        reasons.extend(self.taken.clone());
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Names {
        let mut names = Names::default();
        list.iter().for_each(|name| names.add(|| (*name).into()));
        names
    }

    /// A quiet session with one file that was closed and no more.
    fn weak() -> Evidence {
        Evidence { has_content: true, has_grown: true, unfinished: names(&["a"]), ..Evidence::default() }
    }

    fn strong() -> Evidence {
        Evidence { has_content: true, has_grown: true, finished: 3, ..Evidence::default() }
    }

    #[test]
    fn marks_agree_or_the_session_is_suspect() {
        let whole = |evidence: &Evidence| evidence.judge(AutoCommit::Weak);
        assert_eq!(whole(&weak()), Verdict::Whole(Completeness::InferredWeak));
        assert_eq!(whole(&strong()), Verdict::Whole(Completeness::InferredStrong));
        // Symlinks alone, or files of a base that nobody wrote.
        let untouched = Evidence { has_content: true, has_grown: true, ..Evidence::default() };
        assert_eq!(whole(&untouched), Verdict::Whole(Completeness::InferredWeak));
        let mixed = Evidence { unfinished: names(&["big.pak"]), ..strong() };
        assert!(matches!(whole(&mixed), Verdict::Suspect(reasons) if reasons[0].ends_with("other files: big.pak")));
    }

    #[test]
    fn the_vault_says_what_is_enough() {
        assert!(matches!(weak().judge(AutoCommit::Strong), Verdict::Wait(_)));
        assert_eq!(strong().judge(AutoCommit::Strong), Verdict::Whole(Completeness::InferredStrong));
        assert!(matches!(strong().judge(AutoCommit::Off), Verdict::Wait(_)));
        let torn = Evidence { torn: vec!["cut".into()], ..strong() };
        assert!(matches!(torn.judge(AutoCommit::Off), Verdict::Wait(_)));
    }

    #[test]
    fn what_goes_on_is_waited_for_even_when_something_is_wrong() {
        let second = Duration::from_secs(1);
        assert!(matches!(Evidence::default().judge(AutoCommit::Weak), Verdict::Wait(_)), "an empty session");
        for early in [
            Evidence { files_written: 1, ..strong() },
            Evidence { running: Some("cp (process 7)".into()), ..strong() },
            Evidence { quiet: second, quiet_needed: second * 2, ..strong() },
        ] {
            let early = Evidence { torn: vec!["cut".into()], ..early };
            assert!(matches!(early.judge(AutoCommit::Weak), Verdict::Wait(_)), "{early:?}");
        }
        let ready = Evidence { quiet: second * 2, quiet_needed: second * 2, ..strong() };
        assert!(matches!(ready.judge(AutoCommit::Weak), Verdict::Whole(_)));
    }

    #[test]
    fn every_doubt_is_a_reason() {
        for (doubt, reason) in [
            (Evidence { torn: vec!["cp was killed".into()], ..strong() }, "cp was killed"),
            (Evidence { never_closed: names(&["x"]), ..strong() }, "written and never closed: x"),
            (Evidence { in_progress: names(&["x.part"]), ..weak() }, "named as files in progress are: x.part"),
            (Evidence { due: names(&["x"]), ..weak() }, "written by a tool that sets times, and left without: x"),
            (
                Evidence { busy: names(&["x"]), ..strong() },
                "dated as files are that Finder or robocopy has not finished: x",
            ),
            (Evidence { taken: Some("taken".into()), ..strong() }, "taken"),
        ] {
            assert_eq!(doubt.judge(AutoCommit::Weak), Verdict::Suspect(vec![reason.into()]));
            assert_eq!(doubt.judge(AutoCommit::Strong), Verdict::Suspect(vec![reason.into()]));
        }
    }

    #[test]
    fn removing_alone_publishes_nothing_and_excuses_nothing() {
        let removed = Evidence { has_grown: false, ..strong() };
        assert!(matches!(removed.judge(AutoCommit::Weak), Verdict::Wait(_)));
        let torn = Evidence { has_grown: false, torn: vec!["cut".into()], ..strong() };
        assert!(matches!(torn.judge(AutoCommit::Weak), Verdict::Suspect(_)));
    }

    #[test]
    fn a_file_in_progress_alone_is_suspect() {
        let left = Evidence { in_progress: names(&[".x.Ab12Cd"]), ..Evidence::default() };
        assert!(matches!(left.judge(AutoCommit::Weak), Verdict::Suspect(_)));
    }

    #[test]
    fn twenty_names_are_listed_and_the_rest_counted() {
        let mut names = Names::default();
        (0..25).for_each(|number| names.add(|| number.to_string()));
        let reason = names.reason("cut").unwrap();
        assert!(reason.starts_with("cut: 0, 1, ") && reason.ends_with(", 19 and 5 more"), "{reason}");
    }
}
