//! What there is to know of a session before it is judged, gathered from its state.

use super::finish::{Evidence, FinishRules};
use super::junk::{finished_name, is_junk};
use super::nodes::{Body, Node};
use super::op::{Mark, NodeNumber};
use super::status::{failures, path_of};
use super::{ROOT, State};
use crate::catalogue::LeftOut;
use crate::error::Result;
use crate::manifest::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;

/// What Finder dates an item that it is still copying: 1946-02-14 08:34:56 UTC, `kMagicBusyCreationDate`.
const FINDER_BUSY: i64 = -753_549_904;

/// What robocopy dates a file that is not whole: 1980-01-01 00:00:00 UTC.
const ROBOCOPY_BUSY: i64 = 315_532_800;

impl State {
    /// Gathers what is known of all but the `caches`, which no build has; looks at every node. Whether the id is taken is
    /// left to be found out.
    pub(super) fn evidence(&self, rules: &FinishRules, caches: &BTreeMap<NodeNumber, LeftOut>) -> Result<Evidence> {
        let now = Instant::now();
        let mut evidence = Evidence {
            files_written: self.open.values().filter(|open| open.is_written()).count() as u64,
            quiet: self.finish.pace.quiet(now),
            quiet_needed: self.finish.pace.needed(rules.quiet),
            has_grown: self.finish.has_grown,
            running: self.finish.writers.still_copying().map(|caller| caller.to_string()),
            torn: self.torn_sentences(),
            ..Evidence::default()
        };
        // A stack of its own: a tree may be deeper than a thread's stack.
        let mut open = vec![ROOT];
        while let Some(directory) = open.pop() {
            let children = self.nodes.directory(directory)?;
            if let Some(base) = children.folded() {
                // Nobody has looked into it, let alone written.
                evidence.has_content |= base.totals.entries > 0;
                continue;
            }
            for child in children.iter().filter(|child| !caches.contains_key(child)) {
                let node = self.nodes.get(child)?;
                let is_file = matches!(node.body, Body::File(_));
                if is_file && node.mark != Mark::Neutral && self.is_in_progress(directory, child, &node.name) {
                    evidence.in_progress.add(|| path_of(self, child));
                }
                if is_junk(&node.name, is_file.then_some(node.mode)) {
                    continue;
                }
                if is_busy(node) {
                    evidence.busy.add(|| path_of(self, child));
                }
                match node.body {
                    Body::Directory(_) => open.push(child),
                    Body::Symlink(_) => evidence.has_content = true,
                    Body::File(_) => {
                        evidence.has_content = true;
                        self.add_mark(&mut evidence, child, node.mark);
                    }
                }
            }
        }
        Ok(evidence)
    }

    fn add_mark(&self, evidence: &mut Evidence, node: NodeNumber, mark: Mark) {
        match mark {
            Mark::Neutral => {}
            Mark::Finished => evidence.finished += 1,
            Mark::Closed => evidence.unfinished.add(|| path_of(self, node)),
            Mark::Due => evidence.due.add(|| path_of(self, node)),
            Mark::Open if self.open.get(&node).is_some_and(|open| open.is_written()) => {}
            Mark::Open => evidence.never_closed.add(|| path_of(self, node)),
        }
    }

    /// Tells whether a file has a name in progress, and what it was to become was not made after it.
    fn is_in_progress(&self, directory: NodeNumber, number: NodeNumber, name: &[u8]) -> bool {
        let Some(target) = finished_name(name) else { return false };
        // Numbers grow: a target with a greater one comes from a later try, which this file was left over by.
        !self.nodes.child(directory, target).is_ok_and(|target| target.is_some_and(|target| target > number))
    }

    fn torn_sentences(&self) -> Vec<String> {
        let mut sentences = failures(self);
        for (&number, why) in &self.finish.torn {
            let Ok(node) = self.nodes.get(number) else { continue };
            let is_left_over =
                finished_name(&node.name).is_some() && !self.is_in_progress(node.parent, number, &node.name);
            if !is_left_over && !self.nodes.is_orphan(number) {
                sentences.push(format!("{why} while it wrote {}", path_of(self, number)));
            }
        }
        sentences.extend(self.torn_containers());
        sentences.extend(self.finish.writers.complaint());
        sentences
    }
}

fn is_busy(node: &Node) -> bool {
    let Timestamp { secs, nanos } = node.mtime;
    let is_robocopy = secs == ROBOCOPY_BUSY && nanos == 0 && node.mark != Mark::Neutral;
    secs == FINDER_BUSY || is_robocopy
}
