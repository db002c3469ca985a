//! Which files match a pattern, and in which builds they are.
//!
//! All builds are walked at once, one folder after the other: a directory page that many builds share is read once, and
//! taken with the set of builds that have it. So the cost follows what is distinct, however many builds there are.

use super::Vault;
use super::history::{ThingKind, size_of};
use crate::catalogue::Build;
use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::{BuildNumber, ChunkId};
use crate::manifest::{Entry, EntryKind, Page};
use crate::name::{FileName, show};
use globset::{Candidate, GlobBuilder, GlobSet};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Bytes of a pattern at most, as of a path.
const MAX_PATTERN_LEN: usize = 4096;

/// A pattern of paths, as `.gitignore` has them.
///
/// `*` and `?` stand for anything but `/`, `**` for any folders, `[ab]` for one of several characters, `{a,b}` for one of
/// several words. A pattern without `/` matches names in every folder, any other the whole path. With `/` at its end it
/// matches folders alone.
pub struct PathGlob {
    matcher: GlobSet,
    folders_only: bool,
    /// The first names of every path that matches.
    literal: Vec<Vec<u8>>,
    /// How many names such a path has at most.
    max_names: usize,
}

impl PathGlob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `Invalid` with what is wrong in it.
    pub fn new(pattern: &str) -> Result<PathGlob> {
        let folders_only = pattern.ends_with('/');
        let text = pattern.trim_end_matches('/');
        let is_path = text.contains('/');
        let text = text.trim_start_matches('/');
        if text.is_empty() {
            return Err(Error::invalid(format!("the pattern \"{pattern}\" has no name in it"))
                .with_hint("\"*\" matches every name, \"data/**\" all below a folder"));
        }
        if pattern.len() > MAX_PATTERN_LEN {
            return Err(Error::invalid(format!("the pattern has {} bytes, more than a path", pattern.len()))
                .with_hint("give the start of the path, and `**`"));
        }
        let whole = if is_path { text.to_owned() } else { format!("**/{text}") };
        let glob = GlobBuilder::new(&whole).literal_separator(true).backslash_escape(true).build();
        let cannot_be_read =
            |error| Error::invalid(format!("the pattern \"{pattern}\" cannot be read")).with_source(error);
        // A set of one: it says that a pattern has too many states where a matcher of its own would panic.
        let set = glob.and_then(|glob| GlobSet::builder().add(glob).build());
        let matcher = set.map_err(cannot_be_read)?;
        let is_special = |name: &&str| name.contains(['*', '?', '[', '{', '\\']);
        let literal =
            whole.split('/').take_while(|name| !is_special(name)).map(|name| name.as_bytes().to_vec()).collect();
        // A class of characters may match the `/`.
        let is_deep = whole.contains("**") || whole.contains('[');
        let max_names = if is_deep { usize::MAX } else { whole.split('/').count() };
        Ok(PathGlob { matcher, folders_only, literal, max_names })
    }

    fn matches(&self, path: &[u8]) -> bool {
        self.matcher.is_match_candidate(&Candidate::from_bytes(path))
    }

    /// Tells whether something below the folder at `path` may match.
    fn may_match_below(&self, path: &[u8]) -> bool {
        let mut names = 0;
        for (index, name) in path.split(|&byte| byte == b'/').enumerate() {
            if self.literal.get(index).is_some_and(|literal| literal != name) {
                return false;
            }
            names += 1;
        }
        names < self.max_names
    }
}

/// Neighbouring builds, among those that were searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BuildRange {
    /// The first one.
    pub first: BuildNumber,
    /// The last one.
    pub last: BuildNumber,
}

/// A path that matches, and the builds that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundPath {
    /// The path; that of a folder ends with `/`. Bytes that are not UTF-8 stand as `\xNN`.
    pub path: String,
    /// What it is in the newest of the builds.
    pub kind: ThingKind,
    /// The builds, oldest first.
    pub builds: Vec<BuildRange>,
    /// How many they are.
    pub build_count: u64,
    /// How many different contents it has in them.
    pub versions: u64,
    /// Size in the newest of the builds, of a folder that of all files below; absent for links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

impl Vault {
    /// Returns the paths in `builds` that match, in their order; `builds` stand in the order of their numbers.
    ///
    /// Reads each distinct directory page below a path once. A path that is a file in some builds and a folder in others
    /// is told as both.
    ///
    /// # Errors
    /// `Corrupt` if a manifest is damaged.
    pub fn find_paths(&self, builds: &[Build], glob: &PathGlob) -> Result<Vec<FoundPath>> {
        let mut roots: HashMap<ChunkId, Spans> = HashMap::new();
        for (index, build) in builds.iter().enumerate() {
            roots.entry(build.root.id).or_default().push((index, index));
        }
        let mut search = Search { reader: self.reader(), builds, glob, found: Vec::new() };
        let mut open = vec![Folder { prefix: Vec::new(), versions: roots.into_iter().collect() }];
        while let Some(folder) = open.pop() {
            search.look_into(folder, &mut open)?;
        }
        let mut found = search.found;
        found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }
}

/// Runs of builds by their indexes, first and last.
#[derive(Clone, Default)]
struct Spans(Vec<(usize, usize)>);

impl Spans {
    fn push(&mut self, span: (usize, usize)) {
        match self.0.last_mut() {
            // Most come in order: so a set stays as short as it can be.
            Some(last) if last.0 <= span.0 && span.0 <= last.1 + 1 => last.1 = last.1.max(span.1),
            _ => self.0.push(span),
        }
    }

    fn add(&mut self, other: &Spans) {
        other.0.iter().for_each(|&span| self.push(span));
    }

    /// Brings the runs in order, and joins those that touch.
    fn settle(&mut self) {
        let mut spans = std::mem::take(&mut self.0);
        spans.sort_unstable();
        spans.into_iter().for_each(|span| self.push(span));
    }
}

/// All that a path was as a folder.
struct Folder {
    /// The path with `/` at its end; empty for the root.
    prefix: Vec<u8>,
    versions: Vec<(ChunkId, Spans)>,
}

/// All that a name stands for in the versions of a folder.
struct Child {
    matches: bool,
    may_match_below: bool,
    things: HashMap<EntryKind, Spans>,
}

struct Search<'a> {
    reader: &'a Reader,
    builds: &'a [Build],
    glob: &'a PathGlob,
    found: Vec<FoundPath>,
}

impl Search<'_> {
    fn look_into(&mut self, folder: Folder, open: &mut Vec<Folder>) -> Result<()> {
        let mut children = BTreeMap::new();
        let mut leaves: HashMap<ChunkId, Spans> = HashMap::new();
        for (id, spans) in &folder.versions {
            match &*self.reader.page(*id)? {
                Page::Leaf(entries) => self.add_entries(&folder.prefix, entries, spans, &mut children),
                Page::Index(_) => {
                    for leaf in self.reader.leaves(*id)? {
                        leaves.entry(leaf).or_default().add(spans);
                    }
                }
            }
        }
        for (id, spans) in &leaves {
            if let Page::Leaf(entries) = &*self.reader.page(*id)? {
                self.add_entries(&folder.prefix, entries, spans, &mut children);
            }
        }
        for (name, child) in children {
            let path = [&folder.prefix[..], name.as_bytes()].concat();
            self.take(path, child, open);
        }
        Ok(())
    }

    fn add_entries(&self, prefix: &[u8], entries: &[Entry], spans: &Spans, children: &mut BTreeMap<FileName, Child>) {
        for entry in entries {
            if !children.contains_key(&entry.name) {
                let path = [prefix, entry.name.as_bytes()].concat();
                let (matches, may_match_below) = (self.glob.matches(&path), self.glob.may_match_below(&path));
                children.insert(entry.name.clone(), Child { matches, may_match_below, things: HashMap::new() });
            }
            let child = children.get_mut(&entry.name).expect("it was put there if it was missing");
            let is_wanted = match &entry.kind {
                EntryKind::Directory(_) => child.matches || child.may_match_below,
                EntryKind::File(_) | EntryKind::Symlink(_) => child.matches && !self.glob.folders_only,
            };
            if !is_wanted {
                continue;
            }
            match child.things.get_mut(&entry.kind) {
                Some(known) => known.add(spans),
                None => {
                    child.things.insert(entry.kind.clone(), spans.clone());
                }
            }
        }
    }

    /// Keeps what matches, and opens what was a folder.
    fn take(&mut self, path: Vec<u8>, child: Child, open: &mut Vec<Folder>) {
        let (mut folders, mut others) = (Vec::new(), Vec::new());
        for (kind, mut spans) in child.things {
            spans.settle();
            match kind {
                EntryKind::Directory(_) => folders.push((kind, spans)),
                EntryKind::File(_) | EntryKind::Symlink(_) => others.push((kind, spans)),
            }
        }
        if child.matches {
            self.found.extend(self.found_path(show(&path), &others));
            self.found.extend(self.found_path(show(&path) + "/", &folders));
        }
        if child.may_match_below && !folders.is_empty() {
            let versions = folders.into_iter().filter_map(|(kind, spans)| match kind {
                EntryKind::Directory(directory) => Some((directory.id, spans)),
                EntryKind::File(_) | EntryKind::Symlink(_) => None,
            });
            open.push(Folder { prefix: [&path[..], b"/"].concat(), versions: versions.collect() });
        }
    }

    fn found_path(&self, path: String, things: &[(EntryKind, Spans)]) -> Option<FoundPath> {
        let last_build = |spans: &Spans| spans.0.last().map(|span| span.1);
        let (newest, _) = things.iter().max_by_key(|(_, spans)| last_build(spans))?;
        let mut all = Spans::default();
        things.iter().for_each(|(_, spans)| all.add(spans));
        all.settle();
        let number = |index: usize| self.builds[index].number;
        Some(FoundPath {
            path,
            kind: ThingKind::of(newest),
            builds: all
                .0
                .iter()
                .map(|&(first, last)| BuildRange { first: number(first), last: number(last) })
                .collect(),
            build_count: all.0.iter().map(|(first, last)| (last - first + 1) as u64).sum(),
            versions: things.len() as u64,
            size: size_of(newest),
        })
    }
}
