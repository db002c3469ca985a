//! The directory `.gamevault` of builds, milestones, playtests and sessions: reached by name, never listed.
//!
//! A listed directory that cannot be removed would break `rsync --delete`, and make any two builds differ.

use super::number::{HiddenItem, Place, Slot, SlotOwner};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, NodeId};
use super::{Tree, notes};
use crate::catalogue::{Build, Milestone};
use crate::error::{Error, Result};
use crate::manifest::Timestamp;
use crate::secret;

/// The directory's name.
pub(super) const HIDDEN_NAME: &[u8] = b".gamevault";

/// The files in that of a session, by name.
const FILES: [(&[u8], HiddenItem); 6] = [
    (b"meta.json", HiddenItem::Meta),
    (b"status.json", HiddenItem::Status),
    (b"commit", HiddenItem::Commit),
    (b"abort", HiddenItem::Abort),
    (b"changes.md", HiddenItem::Changes),
    (b"changes.json", HiddenItem::ChangesJson),
];

/// Returns the item called `name` in the directory of a session.
pub(super) fn item(name: &[u8]) -> Option<HiddenItem> {
    FILES.iter().find(|(file, _)| *file == name).map(|&(_, item)| item)
}

/// Returns the attributes of a hidden node of a build, milestone or playtest.
///
/// # Errors
/// `NotFound` when the build is gone, or has no such file.
pub(super) fn content_attr(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Attr> {
    let node = Place::Hidden(slot, item).node();
    match item {
        HiddenItem::Directory => {
            let is_milestone = matches!(slot.owner(), SlotOwner::Milestone(_));
            Ok(Attr { writable: is_milestone, ..directory(node, described(tree, slot)?.changed) })
        }
        HiddenItem::Meta | HiddenItem::Certificate => {
            let bytes = content_bytes(tree, slot, item)?;
            let Described { changed, lifetime, .. } = described(tree, slot)?;
            Ok(file(node, bytes.len() as u64, changed, lifetime))
        }
        HiddenItem::Notes | HiddenItem::Draft(_) => notes::attr(tree, slot, item),
        _ => Err(no_such_file()),
    }
}

/// Returns what `name` stands for in the hidden directory of a build, milestone or playtest.
pub(super) fn content_lookup(tree: &Tree, slot: Slot, name: &[u8]) -> Result<Option<Attr>> {
    let item = match name {
        b"meta.json" => HiddenItem::Meta,
        b"certificate.json" if described(tree, slot)?.certificate.is_some() => HiddenItem::Certificate,
        name if matches!(slot.owner(), SlotOwner::Milestone(_)) => return notes::lookup(tree, slot, name),
        _ => return Ok(None),
    };
    content_attr(tree, slot, item).map(Some)
}

/// Gives the hidden files of a build, milestone or playtest after `after` to `sink`; cookies are positions plus one.
pub(super) fn content_list(tree: &Tree, slot: Slot, after: u64, sink: DirSink<'_>) -> Result<()> {
    let mut names: Vec<Vec<u8>> = vec![b"meta.json".to_vec(), b"certificate.json".to_vec()];
    if matches!(slot.owner(), SlotOwner::Milestone(_)) {
        names.extend(notes::names(tree, slot)?);
    }
    for (index, name) in names.iter().enumerate().skip(usize::try_from(after).unwrap_or(usize::MAX)) {
        let Some(attr) = content_lookup(tree, slot, name)? else { continue };
        if !sink(DirEntry { name, attr, cookie: index as u64 + 1 }) {
            break;
        }
    }
    Ok(())
}

/// Returns the bytes of a hidden file of a build, milestone or playtest.
pub(super) fn content_bytes(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Vec<u8>> {
    match item {
        HiddenItem::Meta => Ok(described(tree, slot)?.meta),
        HiddenItem::Certificate => described(tree, slot)?.certificate.ok_or_else(no_such_file),
        HiddenItem::Notes | HiddenItem::Draft(_) => notes::bytes(tree, slot, item),
        _ => Err(no_such_file()),
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

/// What the hidden files of a build, milestone or playtest say.
struct Described {
    meta: Vec<u8>,
    certificate: Option<Vec<u8>>,
    changed: Timestamp,
    lifetime: Lifetime,
}

fn described(tree: &Tree, slot: Slot) -> Result<Described> {
    let view = tree.view()?;
    let fixed = |meta, changed| Described { meta, certificate: None, changed, lifetime: Lifetime::Forever };
    if let Some(playtest) = view.slot_playtest(slot) {
        return Ok(fixed(json(&**playtest), playtest.ended));
    }
    let (build, milestone) = view.slot(slot).ok_or_else(|| Error::not_found("the build is gone"))?;
    let mut build = Build::clone(build);
    build.info.meta = secret::mask(&build.info.meta);
    let Some(milestone) = milestone else { return Ok(fixed(json(&build), build.created)) };
    let mut shown = Milestone::clone(milestone);
    shown.meta = secret::mask(&shown.meta);
    // They have files of their own.
    (shown.notes, shown.certificate) = (None, None);
    Ok(Described {
        meta: json(&serde_json::json!({ "milestone": shown, "build": build })),
        certificate: milestone.certificate.as_ref().map(json),
        changed: milestone.recorded(),
        lifetime: Lifetime::Never,
    })
}

fn no_such_file() -> Error {
    Error::not_found("there is no such hidden file here")
}
