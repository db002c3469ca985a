//! The directory `.gamevault` of builds, milestones, playtests and sessions: reached by name, never listed.
//!
//! A listed directory that cannot be removed would break `rsync --delete`, and make any two builds differ.

use super::Tree;
use super::number::{HiddenItem, Place, Slot};
use super::types::{Attr, Kind, Lifetime, NodeId};
use crate::error::{Error, Result};
use crate::manifest::Timestamp;

/// The directory's name.
pub(super) const HIDDEN_NAME: &[u8] = b".gamevault";

/// The files in it, by name.
const FILES: [(&[u8], HiddenItem); 6] = [
    (b"meta.json", HiddenItem::Meta),
    (b"status.json", HiddenItem::Status),
    (b"commit", HiddenItem::Commit),
    (b"abort", HiddenItem::Abort),
    (b"changes.md", HiddenItem::Changes),
    (b"changes.json", HiddenItem::ChangesJson),
];

/// Returns the item called `name`.
pub(super) fn item(name: &[u8]) -> Option<HiddenItem> {
    FILES.iter().find(|(file, _)| *file == name).map(|&(_, item)| item)
}

/// Returns the attributes of a hidden node of a build, milestone or playtest.
///
/// # Errors
/// `NotFound` when the build is gone, or has no such file.
pub(super) fn content_attr(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Attr> {
    let (bytes, mtime) = describe(tree, slot)?;
    let node = Place::Hidden(slot, item).node();
    match item {
        HiddenItem::Directory => Ok(directory(node, mtime)),
        HiddenItem::Meta => Ok(file(node, bytes.len() as u64, mtime, Lifetime::Forever)),
        _ => Err(Error::not_found("a build has no such hidden file")),
    }
}

/// Returns what `name` stands for in the hidden directory of a build, milestone or playtest.
pub(super) fn content_lookup(tree: &Tree, slot: Slot, name: &[u8]) -> Result<Option<Attr>> {
    match item(name) {
        Some(HiddenItem::Meta) => Ok(Some(content_attr(tree, slot, HiddenItem::Meta)?)),
        _ => Ok(None),
    }
}

/// Returns the bytes of a hidden file of a build, milestone or playtest.
pub(super) fn content_bytes(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Vec<u8>> {
    match item {
        HiddenItem::Meta => Ok(describe(tree, slot)?.0),
        _ => Err(Error::not_found("a build has no such hidden file")),
    }
}

/// Returns the attributes of a hidden directory.
pub(super) fn directory(node: NodeId, mtime: Timestamp) -> Attr {
    let size = super::content::DIRECTORY_SIZE;
    Attr { node, kind: Kind::Directory, size, mode: 0o755, mtime, lifetime: Lifetime::Forever, writable: false }
}

/// Returns the attributes of a hidden file.
pub(super) fn file(node: NodeId, size: u64, mtime: Timestamp, lifetime: Lifetime) -> Attr {
    Attr { node, kind: Kind::File, size, mode: 0o644, mtime, lifetime, writable: false }
}

/// Returns `value` as the text of a hidden file.
pub(super) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("records of strings and numbers become JSON");
    text.push(b'\n');
    text
}

fn describe(tree: &Tree, slot: Slot) -> Result<(Vec<u8>, Timestamp)> {
    let view = tree.view()?;
    if let Some(playtest) = view.slot_playtest(slot) {
        return Ok((json(&**playtest), playtest.ended));
    }
    let (build, milestone) = view.slot(slot).ok_or_else(|| Error::not_found("the build is gone"))?;
    Ok(match milestone {
        None => (json(&**build), build.created),
        Some(milestone) => {
            let both = serde_json::json!({ "milestone": **milestone, "build": **build });
            (json(&both), milestone.created)
        }
    })
}
