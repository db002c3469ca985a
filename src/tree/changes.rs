//! `/changes`: what changed between two builds, as folders.
//!
//! `<a>..<b>` holds `added/`, `removed/`, `moved/` (by the new path) and `modified/`, where a file stands as it was (`.old`) and
//! as it is (`.new`), and summaries: `summary.md` and `summary.html`. The pairs of neighbours are listed; any other pair is reached by its name.

use super::Tree;
use super::made::{Draft, Subject};
use super::root::{CHANGES, Folder};
use super::types::{Attr, DirEntry, DirSink, Looking};
use crate::catalogue::Build;
use crate::compare::detail::Limits;
use crate::compare::{ChangeKind, Difference};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Entry;
use crate::report;
use std::sync::Arc;

/// What separates the builds in a name.
const BETWEEN: &str = "..";

/// The folder.
pub(super) struct Changes;

impl Folder for Changes {
    fn name(&self) -> &'static str {
        "changes"
    }

    fn lookup(&self, tree: &Tree, name: &[u8]) -> Result<Option<Attr>> {
        let Ok(text) = std::str::from_utf8(name) else { return Ok(None) };
        let pair = named_pair(tree, text)?;
        Ok(pair.map(|(old, new)| tree.made.tell(subject(text, &old, &new), Looking::Counted)))
    }

    fn list(&self, tree: &Tree, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
        let view = tree.view()?;
        // A pair's cookie is the number of its newer build; the one before the first that follows is its older one.
        let builds: Vec<_> = view.builds_after(0).collect();
        for pair in builds.windows(2).filter(|pair| pair[1].number.0 > after) {
            let name = format!("{}{BETWEEN}{}", pair[0].id, pair[1].id);
            let attr = tree.made.tell(subject(&name, pair[0], pair[1]), looking);
            if !sink(DirEntry { name: name.as_bytes(), attr, cookie: pair[1].number.0 }) {
                tree.untold(attr.node, looking);
                break;
            }
        }
        Ok(())
    }

    fn make(&self, tree: &Tree, of: &str) -> Result<Draft> {
        let view = tree.view()?;
        let numbered = |number: &str| view.numbered(number.parse().ok()?);
        let pair = of.split_once(BETWEEN).and_then(|(old, new)| Some((numbered(old)?, numbered(new)?)));
        let (old, new) = pair.ok_or_else(|| Error::not_found(format!("builds {of} are not there any more")))?;
        let changes = Arc::new(tree.vault.changes(old, new, &[], &Limits::PAGE)?);
        let mut draft = Draft::default();
        for difference in &changes.diff.changes {
            add(&mut draft, difference);
        }
        let (for_text, for_page) = (changes.clone(), changes);
        draft.add_text(b"summary.md", move || Ok(report::changes::markdown(&for_text).into_bytes()));
        draft.add_text(b"summary.html", move || Ok(report::changes::page(&for_page).into_bytes()));
        Ok(draft)
    }
}

/// Adds the files of one difference; what differs in time alone is told by the summary.
fn add(draft: &mut Draft, difference: &Difference) {
    let path = difference.change.path.trim_end_matches('/');
    let mut add = |folder: &str, ending: &str, entry: &Option<Entry>| {
        if let Some(entry) = entry {
            draft.add_stored(format!("{folder}/{path}{ending}").as_bytes(), entry);
        }
    };
    let (old, new) = (&difference.old, &difference.new);
    match difference.change.kind {
        ChangeKind::Added | ChangeKind::Copied => add("added", "", new),
        ChangeKind::Removed => add("removed", "", old),
        ChangeKind::Renamed | ChangeKind::Moved if difference.contents().is_none() => add("moved", "", new),
        kind @ (ChangeKind::Renamed
        | ChangeKind::Moved
        | ChangeKind::Modified
        | ChangeKind::TypeChanged
        | ChangeKind::Attributes) => {
            let is_move = matches!(kind, ChangeKind::Renamed | ChangeKind::Moved);
            if kind == ChangeKind::Attributes && difference.is_folder() {
                return;
            }
            let folder = if is_move { "moved" } else { "modified" };
            add(folder, ".old", old);
            add(folder, ".new", new);
        }
        ChangeKind::Touched => {}
    }
}

fn subject(name: &str, old: &Build, new: &Build) -> Subject {
    let of = format!("{}{BETWEEN}{}", old.number, new.number);
    Subject { folder: CHANGES, name: name.as_bytes().to_vec(), of, mtime: new.created.max(old.created) }
}

/// Returns the two builds that a name speaks of: any words by which commands know builds.
fn named_pair(tree: &Tree, name: &str) -> Result<Option<(Build, Build)>> {
    let build = |name: &str| match tree.vault.build(name) {
        Ok(build) => Ok(Some(build)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => Ok(None),
        Err(error) => Err(error),
    };
    // An id may hold two dots itself, so every place is tried.
    for (at, _) in name.match_indices(BETWEEN) {
        if let (Some(old), Some(new)) = (build(&name[..at])?, build(&name[at + BETWEEN.len()..])?) {
            return Ok(Some((old, new)));
        }
    }
    Ok(None)
}
