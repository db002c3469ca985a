//! Which of the paths that are gone and those that are new are the same file.
//!
//! First by content: a new file whose bytes one that is gone had was moved; where several new ones have them, the others are
//! copies, as are new files with the bytes that a changed file had before. Then by chunks: a new file that shares at least half
//! of its bytes with one that is gone was moved and changed. A file of one chunk (8 KiB to 128 KiB) has no parts to be known by, so
//! when it was moved and changed at once it counts as removed and added.
//!
//! Files that did not change are no sources of copies: to look at them all would make each diff as long as the build.

use super::{ChangeKind, Difference, content_of, file_bytes};
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::{Content, ContentRoot};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Chunks of files that are gone beyond which nothing is joined by chunks.
const MAX_CHUNKS: usize = 1 << 20;

/// Joins what is gone and what is new; of what was moved, the entry of the new path stays.
pub(super) fn join(reader: &Reader, changes: &mut Vec<Difference>) -> Result<()> {
    let mut gone = HashSet::new();
    by_content(changes, &mut gone);
    by_chunks(reader, changes, &mut gone)?;
    if !gone.is_empty() {
        let mut index = 0;
        changes.retain(|_| {
            index += 1;
            !gone.contains(&(index - 1))
        });
    }
    Ok(())
}

fn by_content(changes: &mut [Difference], gone: &mut HashSet<usize>) {
    let mut sources: HashMap<Content, Vec<usize>> = HashMap::new();
    for (index, difference) in changes.iter().enumerate() {
        if matches!(difference.change.kind, ChangeKind::Removed | ChangeKind::Modified)
            && let Some(content) = content_of(difference.old.as_ref()).filter(|content| content.size > 0)
        {
            sources.entry(content).or_default().push(index);
        }
    }
    if sources.is_empty() {
        return;
    }
    for index in 0..changes.len() {
        if changes[index].change.kind != ChangeKind::Added {
            continue;
        }
        let Some(candidates) = content_of(changes[index].new.as_ref()).and_then(|content| sources.get(&content)) else {
            continue;
        };
        // Thousands of files may be the same; any of them is as good a source as the next.
        let candidates = &candidates[..candidates.len().min(64)];
        let rank = |&&source: &&usize| {
            let old = &changes[source].change;
            let is_free = old.kind == ChangeKind::Removed && !gone.contains(&source);
            (is_free, nearness(&old.path, &changes[index].change.path), Reverse(source))
        };
        let Some(&source) = candidates.iter().max_by_key(rank) else { continue };
        let is_free = changes[source].change.kind == ChangeKind::Removed && gone.insert(source);
        join_one(changes, source, index, is_free);
    }
}

fn by_chunks(reader: &Reader, changes: &mut [Difference], gone: &mut HashSet<usize>) -> Result<()> {
    let of_kind = |changes: &[Difference], kind: ChangeKind, gone: &HashSet<usize>| -> Vec<(usize, Content)> {
        let lists = changes.iter().enumerate().filter(|(index, one)| one.change.kind == kind && !gone.contains(index));
        lists
            .filter_map(|(index, one)| {
                let entry = if kind == ChangeKind::Added { &one.new } else { &one.old };
                let content = content_of(entry.as_ref())?;
                matches!(content.root, ContentRoot::List { .. }).then_some((index, content))
            })
            .collect()
    };
    let (old, new) = (of_kind(changes, ChangeKind::Removed, gone), of_kind(changes, ChangeKind::Added, gone));
    if old.is_empty() || new.is_empty() {
        return Ok(());
    }
    // Each chunk leads to the first file that had it: files that share most are told apart by the rest.
    let mut owners: HashMap<u64, usize> = HashMap::new();
    for &(index, content) in &old {
        file_bytes::for_each_chunk(reader, &content, &mut |key, _, _| {
            owners.entry(key).or_insert(index);
            Ok(true)
        })?;
        if owners.len() > MAX_CHUNKS {
            return Ok(());
        }
    }
    let mut found = Vec::new();
    for &(index, content) in &new {
        let mut shared: HashMap<usize, u64> = HashMap::new();
        file_bytes::for_each_chunk(reader, &content, &mut |key, len, _| {
            if let Some(&owner) = owners.get(&key) {
                *shared.entry(owner).or_default() += len;
            }
            Ok(true)
        })?;
        for (source, bytes) in shared {
            let larger = content.size.max(changes[source].change.old_size.unwrap_or(0));
            if bytes.saturating_mul(2) >= larger {
                let near = nearness(&changes[source].change.path, &changes[index].change.path);
                found.push(Reverse((bytes, near, Reverse(source), Reverse(index))));
            }
        }
    }
    found.sort_unstable();
    let mut joined = HashSet::new();
    for Reverse((_, _, Reverse(source), Reverse(index))) in found {
        if !gone.contains(&source) && joined.insert(index) {
            gone.insert(source);
            join_one(changes, source, index, true);
        }
    }
    Ok(())
}

fn join_one(changes: &mut [Difference], source: usize, target: usize, is_move: bool) {
    let (old, from, old_size) = {
        let source = &changes[source];
        (source.old.clone(), source.change.path.clone(), source.change.old_size)
    };
    let target = &mut changes[target];
    target.change.kind = match (is_move, folder(&from) == folder(&target.change.path)) {
        (false, _) => ChangeKind::Copied,
        (true, true) => ChangeKind::Renamed,
        (true, false) => ChangeKind::Moved,
    };
    target.change.from = Some(from);
    target.change.old_size = old_size;
    target.old = old;
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns how alike two paths are: first the name counts, then how much of the rest is the same at the start.
fn nearness(a: &str, b: &str) -> (bool, usize) {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    (name(a) == name(b), a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count())
}
