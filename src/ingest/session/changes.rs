//! What a session has that the build it started from has not, and the other way round.
//!
//! Directories that nobody looked into are those of the base, and are skipped without being read; a file that has the
//! size of the one in the base and may have other bytes is compared with it, outside of the lock. A session without a base
//! has all it has added.

use super::base::children_of;
use super::commit::is_left_out;
use super::nodes::{Body, Bytes, Node};
use super::op::NodeNumber;
use super::{ROOT, Session, State};
use crate::catalogue::LeftOut;
use crate::compare::{Change, ChangeKind};
use crate::error::{Error, Result};
use crate::manifest::{Content, Directory};
use crate::name::show;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// For how long a text of the changes is given again: looking at its size and reading it must find the same.
const TEXT_LIFETIME: Duration = Duration::from_millis(500);

/// What differs between a session and its base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The session's name.
    pub name: String,
    /// The id of the build that it started from, or that was kept of it last; absent for one that started empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The changes, in the order of their paths.
    pub changes: Vec<Change>,
    /// What is in the session and in no build of it: junk, and what engines make again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Change>,
}

/// The changes as they were told last.
pub(super) struct TextCache {
    at: Instant,
    json: Arc<Vec<u8>>,
    markdown: Arc<Vec<u8>>,
}

impl Session {
    /// Returns what differs from the base.
    ///
    /// Costs as much as was looked into or changed, whatever the size of the base.
    ///
    /// # Errors
    /// `NotFound` if the base is gone; those of reading.
    pub fn changes(&self) -> Result<Changes> {
        let base = match self.info().base {
            Some(number) => {
                let gone = || Error::not_found(format!("the base of {}, build {number}, is gone", self.name()));
                Some(self.store.catalogue().build_by_number(number)?.ok_or_else(gone)?)
            }
            None => None,
        };
        let old = base.as_ref().map_or(Side::Nothing, |base| Side::Stored(base.root));
        let (name, mut changes, mut left_out, doubts) = {
            let mut state = self.state.lock();
            let caches = state.caches(self.keep_caches);
            let (changes, left_out, doubts) = (Vec::new(), Vec::new(), Vec::new());
            let mut comparison = Comparison { session: self, caches, changes, left_out, doubts };
            comparison.directories(&state, old, Side::Here(ROOT))?;
            let Comparison { changes, left_out, doubts, .. } = comparison;
            let bytes = |doubt: Doubt| Ok((doubt.change, self.bytes_in(&mut state, doubt.node, 0..u64::MAX)?, doubt));
            let doubts = doubts.into_iter().map(bytes).collect::<Result<Vec<_>>>()?;
            (state.name.to_string(), changes, left_out, doubts)
        };
        for (index, bytes, doubt) in doubts {
            if bytes.equal(&doubt.content)? {
                match doubt.otherwise {
                    Some(kind) => changes[index].as_mut().expect("a doubt is about a change").kind = kind,
                    None => changes[index] = None,
                }
            }
        }
        let mut changes: Vec<Change> = changes.into_iter().flatten().collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        left_out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Changes { name, base: base.map(|base| base.id.to_string()), changes, left_out })
    }

    /// Returns the changes as a JSON text, at most half a second old.
    ///
    /// # Errors
    /// As [`Session::changes`].
    pub fn changes_json(&self) -> Result<Arc<Vec<u8>>> {
        self.changes_text(|texts| texts.json.clone())
    }

    /// Returns the changes as a text for people, at most half a second old.
    ///
    /// # Errors
    /// As [`Session::changes`].
    pub fn changes_markdown(&self) -> Result<Arc<Vec<u8>>> {
        self.changes_text(|texts| texts.markdown.clone())
    }

    fn changes_text(&self, take: impl Fn(&TextCache) -> Arc<Vec<u8>>) -> Result<Arc<Vec<u8>>> {
        if let Some(texts) = self.state.lock().changes_text.as_ref().filter(|texts| texts.at.elapsed() < TEXT_LIFETIME)
        {
            return Ok(take(texts));
        }
        let changes = self.changes()?;
        let mut json = serde_json::to_vec_pretty(&changes).expect("strings and numbers become JSON");
        json.push(b'\n');
        let (json, markdown) = (Arc::new(json), Arc::new(changes.to_markdown().into_bytes()));
        let texts = TextCache { at: Instant::now(), json, markdown };
        let text = take(&texts);
        self.state.lock().changes_text = Some(texts);
        Ok(text)
    }
}

impl Changes {
    /// Returns the changes for people: a sentence, and a table.
    pub fn to_markdown(&self) -> String {
        let since = self.base.as_ref().map_or("from nothing".to_owned(), |base| format!("since build {base}"));
        let mut text = format!("# Changes of {} {since}\n\n", self.name);
        if !self.left_out.is_empty() {
            writeln!(text, "In no build: {} entries (junk, and what engines make again).\n", self.left_out.len())
                .expect(TO_STRING);
        }
        if self.changes.is_empty() {
            return text + "Nothing differs.\n";
        }
        writeln!(text, "{}\n", sentence(&self.changes)).expect(TO_STRING);
        text.push_str("| change | before | after | path |\n|---|---:|---:|---|\n");
        for Change { path, kind, old_size, new_size, .. } in &self.changes {
            let size = |size: &Option<u64>| size.map_or_else(String::new, |size| format!("{size} B"));
            let (path, old, new) = (path.replace('|', "\\|"), size(old_size), size(new_size));
            writeln!(text, "| {} | {old} | {new} | {path} |", kind.word()).expect(TO_STRING);
        }
        text
    }
}

const TO_STRING: &str = "writing to a string cannot fail";

fn sentence(changes: &[Change]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    changes.iter().for_each(|change| *counts.entry(change.kind.word()).or_default() += 1);
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    format!("{}.", parts.join(", "))
}

/// A directory on one side of the comparison.
#[derive(Clone, Copy)]
enum Side {
    /// There is none.
    Nothing,
    /// One of the store.
    Stored(Directory),
    /// One of the session.
    Here(NodeNumber),
}

/// An entry on one side of the comparison.
enum Held<'a> {
    Stored(Node),
    Here(&'a Node, NodeNumber),
}

impl Held<'_> {
    fn node(&self) -> &Node {
        match self {
            Held::Stored(node) => node,
            Held::Here(node, _) => node,
        }
    }

    /// Returns the entry as a directory; nothing if it is none.
    fn directory(&self) -> Side {
        match (&self.node().body, self) {
            (Body::Directory(children), Held::Stored(_)) => {
                children.folded().map_or(Side::Nothing, |at| Side::Stored(*at))
            }
            (Body::Directory(_), Held::Here(_, number)) => Side::Here(*number),
            _ => Side::Nothing,
        }
    }

    fn size(&self) -> Option<u64> {
        match &self.node().body {
            Body::File(bytes) => Some(bytes.len()),
            Body::Directory(_) | Body::Symlink(_) => None,
        }
    }
}

/// A change that is one only if the bytes differ.
struct Doubt {
    /// Its place among the changes.
    change: usize,
    node: NodeNumber,
    content: Content,
    /// What it is when they are the same.
    otherwise: Option<ChangeKind>,
}

struct Comparison<'a> {
    session: &'a Session,
    /// What engines make again, by node.
    caches: BTreeMap<NodeNumber, LeftOut>,
    changes: Vec<Option<Change>>,
    left_out: Vec<Change>,
    doubts: Vec<Doubt>,
}

/// Two directories that wait to be compared.
struct Pair {
    prefix: String,
    old: Side,
    new: Side,
    /// The new one is in no build.
    left_out: bool,
}

impl Comparison<'_> {
    /// Compares two directories and all below them. A stack of its own: a tree may be deeper than a thread's stack.
    fn directories(&mut self, state: &State, old: Side, new: Side) -> Result<()> {
        let mut open = vec![Pair { prefix: String::new(), old, new, left_out: false }];
        while let Some(pair) = open.pop() {
            let (old, new) = (as_stored(state, pair.old)?, as_stored(state, pair.new)?);
            if let (Side::Stored(old), Side::Stored(new)) = (old, new)
                && old.id == new.id
            {
                continue;
            }
            let mut left = self.entries(state, new)?;
            for (name, was) in self.entries(state, old)? {
                let is = match left.remove(&name) {
                    Some(is) if self.is_left_out(&is) => {
                        left.insert(name, is);
                        None
                    }
                    is => is,
                };
                self.entry(state, &pair, Some(&was), is.as_ref(), &mut open)?;
            }
            for is in left.into_values() {
                let left_out = pair.left_out || self.is_left_out(&is);
                let pair = Pair { prefix: pair.prefix.clone(), left_out, ..pair };
                self.entry(state, &pair, None, Some(&is), &mut open)?;
            }
        }
        Ok(())
    }

    fn is_left_out(&self, held: &Held<'_>) -> bool {
        match held {
            Held::Stored(_) => false,
            Held::Here(node, number) => is_left_out(node) || self.caches.contains_key(number),
        }
    }

    fn entries<'s>(&self, state: &'s State, side: Side) -> Result<BTreeMap<Arc<[u8]>, Held<'s>>> {
        match side {
            Side::Nothing => Ok(BTreeMap::new()),
            Side::Stored(directory) => {
                let nodes = children_of(&self.session.content, &directory)?.into_iter();
                Ok(nodes.map(|node| (node.name.clone(), Held::Stored(node))).collect())
            }
            Side::Here(number) => {
                let held = |child| state.nodes.get(child).map(|node| (node.name.clone(), Held::Here(node, child)));
                state.nodes.children(number)?.iter().map(held).collect()
            }
        }
    }

    fn entry(
        &mut self,
        state: &State,
        pair: &Pair,
        old: Option<&Held<'_>>,
        new: Option<&Held<'_>>,
        open: &mut Vec<Pair>,
    ) -> Result<()> {
        let Some(name) = old.or(new).map(|held| show(&held.node().name)) else { return Ok(()) };
        let path = format!("{}{name}", pair.prefix);
        let directory = |held: Option<&Held<'_>>| held.map_or(Side::Nothing, Held::directory);
        let (was, is) = (directory(old), directory(new));
        let (was_directory, is_directory) = (!matches!(was, Side::Nothing), !matches!(is, Side::Nothing));
        let verdict = match (old, new) {
            (Some(old), Some(new)) => self.compare(state, old, new)?,
            (None, _) => Verdict::Differs(ChangeKind::Added),
            (_, None) => Verdict::Differs(ChangeKind::Removed),
        };
        let kind = match &verdict {
            Verdict::Same => None,
            Verdict::Differs(kind) => Some(*kind),
            Verdict::Doubtful { .. } => Some(ChangeKind::Modified),
        };
        if let Some(kind) = kind {
            let ends_with = if is_directory || (new.is_none() && was_directory) { "/" } else { "" };
            let (old_size, new_size) = (old.and_then(Held::size), new.and_then(Held::size));
            let change = Change { path: format!("{path}{ends_with}"), kind, from: None, old_size, new_size };
            match pair.left_out {
                true => self.left_out.push(change),
                false => self.changes.push(Some(change)),
            }
        }
        if let Verdict::Doubtful { node, content, otherwise } = verdict {
            self.doubts.push(Doubt { change: self.changes.len() - 1, node, content, otherwise });
        }
        if was_directory || is_directory {
            open.push(Pair { prefix: format!("{path}/"), old: was, new: is, left_out: pair.left_out });
        }
        Ok(())
    }

    fn compare(&self, state: &State, old: &Held<'_>, new: &Held<'_>) -> Result<Verdict> {
        let (was, is) = (old.node(), new.node());
        let otherwise = match () {
            () if was.mode != is.mode || was.xattrs != is.xattrs => Some(ChangeKind::Attributes),
            // The time of a directory changes with whatever happens in it, and says nothing more.
            () if was.mtime != is.mtime && !matches!(is.body, Body::Directory(_)) => Some(ChangeKind::Touched),
            () => None,
        };
        let same = otherwise.map_or(Verdict::Same, Verdict::Differs);
        Ok(match (&was.body, &is.body) {
            (Body::Directory(_), Body::Directory(_)) => same,
            (Body::Symlink(was), Body::Symlink(is)) if was == is => same,
            (Body::Symlink(_), Body::Symlink(_)) => Verdict::Differs(ChangeKind::Modified),
            (Body::File(Bytes::Stored(content)), Body::File(bytes)) => match (bytes, new) {
                (Bytes::Stored(now), _) if now == content => same,
                (Bytes::Stored(_), _) => Verdict::Differs(ChangeKind::Modified),
                (bytes, _) if bytes.len() != content.size => Verdict::Differs(ChangeKind::Modified),
                (_, Held::Here(_, node)) => match state.stored.get(*node) {
                    Some(stored) if stored.content == **content => same,
                    Some(_) => Verdict::Differs(ChangeKind::Modified),
                    None => Verdict::Doubtful { node: *node, content: **content, otherwise },
                },
                (_, Held::Stored(_)) => unreachable!("the files of a stored directory are stored"),
            },
            _ => Verdict::Differs(ChangeKind::TypeChanged),
        })
    }
}

/// What came of comparing two entries of one name.
enum Verdict {
    Same,
    Differs(ChangeKind),
    /// Only their bytes can tell whether the content differs; `otherwise` is what else does.
    Doubtful {
        node: NodeNumber,
        content: Content,
        otherwise: Option<ChangeKind>,
    },
}

/// Returns a directory of the session that nobody looked into as the stored one that it is.
fn as_stored(state: &State, side: Side) -> Result<Side> {
    match side {
        Side::Here(number) => {
            let folded = state.nodes.directory(number)?.folded();
            Ok(folded.map_or(side, |directory| Side::Stored(*directory)))
        }
        side => Ok(side),
    }
}
