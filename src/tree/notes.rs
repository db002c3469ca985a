//! The notes of a milestone as a file, `.gamevault/notes.md`, for any editor.
//!
//! What is written is kept with the milestone at once. Editors also make files beside the one that they edit, and rename
//! these over it or that to a backup: such drafts live in memory, as long as the mount. A file that was just emptied is
//! about to be written, so the notes stay as they were until it is, or until the file is removed.

use super::number::{HiddenItem, Place, Slot, SlotOwner};
use super::types::{Access, Attr, AttrChange, Lifetime, RenameMode};
use super::{Tree, hidden};
use crate::catalogue::Milestone;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Timestamp;
use crate::vault::{Annotation, MAX_NOTES_LEN};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The name of the file.
pub(super) const NOTES: &[u8] = b"notes.md";

/// Drafts of one milestone that are kept; those without a name go first.
const MAX_DRAFTS: usize = 64;

/// What is being written beside the milestones, by their slots.
pub(super) type Desks = Mutex<HashMap<Slot, Desk>>;

/// What is being written beside one milestone.
#[derive(Default)]
pub(super) struct Desk {
    /// The bytes of the notes as they were last written, and the serial of the milestone that has them.
    written: Option<(Vec<u8>, u64)>,
    /// The file of the notes was renamed away.
    is_away: bool,
    names: BTreeMap<Vec<u8>, u32>,
    drafts: BTreeMap<u32, Draft>,
    last: u32,
}

struct Draft {
    bytes: Vec<u8>,
    changed: Timestamp,
}

impl Desk {
    /// Returns the bytes of the notes, as this mount wrote them or as somebody else did later.
    fn notes(&self, milestone: &Milestone) -> Vec<u8> {
        match &self.written {
            Some((bytes, serial)) if *serial >= milestone.serial => bytes.clone(),
            _ => milestone.notes.clone().unwrap_or_default().into_bytes(),
        }
    }

    fn has_notes(&self, milestone: &Milestone) -> bool {
        let is_written = self.written.as_ref().is_some_and(|(_, serial)| *serial >= milestone.serial);
        !self.is_away && (is_written || milestone.notes.is_some())
    }

    fn draft(&mut self, number: u32) -> Result<&mut Draft> {
        self.drafts.get_mut(&number).ok_or_else(|| Error::not_found("the draft is gone"))
    }

    /// Puts `bytes` down under `name`, in the place of what is there.
    fn put(&mut self, name: &[u8], bytes: Vec<u8>) -> Result<u32> {
        self.make_room()?;
        self.last += 1;
        self.drafts.insert(self.last, Draft { bytes, changed: Timestamp::now() });
        self.names.insert(name.to_vec(), self.last);
        Ok(self.last)
    }

    /// Lets go of the oldest draft that has lost its name, where there are too many.
    fn make_room(&mut self) -> Result<()> {
        if self.drafts.len() < MAX_DRAFTS {
            return Ok(());
        }
        let nameless = self.drafts.keys().copied().find(|number| !self.names.values().any(|named| named == number));
        match nameless {
            Some(number) => drop(self.drafts.remove(&number)),
            None => {
                return Err(Error::new(ErrorKind::NoSpace, format!("there are {MAX_DRAFTS} files beside the notes")));
            }
        }
        Ok(())
    }
}

/// Returns the milestone that a slot shows.
///
/// # Errors
/// `ReadOnly` if it is not one's.
fn milestone(tree: &Tree, slot: Slot) -> Result<Arc<Milestone>> {
    if !matches!(slot.owner(), SlotOwner::Milestone(_)) {
        return Err(super::root::read_only("a build"));
    }
    let view = tree.view()?;
    let found = view.slot(slot).and_then(|(_, milestone)| milestone.cloned());
    found.ok_or_else(|| Error::not_found("the milestone is gone"))
}

/// Returns what `name` stands for in the hidden directory of a milestone.
pub(super) fn lookup(tree: &Tree, slot: Slot, name: &[u8]) -> Result<Option<Attr>> {
    let milestone = milestone(tree, slot)?;
    let item = {
        let mut desks = tree.desks.lock();
        let desk = desks.entry(slot).or_default();
        match name {
            NOTES => desk.has_notes(&milestone).then_some(HiddenItem::Notes),
            name => desk.names.get(name).copied().map(HiddenItem::Draft),
        }
    };
    item.map(|item| attr(tree, slot, item)).transpose()
}

/// Returns the names in the hidden directory of a milestone that stand for notes and drafts.
pub(super) fn names(tree: &Tree, slot: Slot) -> Result<Vec<Vec<u8>>> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    let notes = desk.has_notes(&milestone).then(|| NOTES.to_vec());
    Ok(notes.into_iter().chain(desk.names.keys().cloned()).collect())
}

/// Returns the attributes of the notes or of a draft.
pub(super) fn attr(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Attr> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    let (size, changed) = match item {
        HiddenItem::Draft(number) => {
            let draft = desk.draft(number)?;
            (draft.bytes.len(), draft.changed)
        }
        _ => (desk.notes(&milestone).len(), milestone.recorded()),
    };
    let attr = hidden::file(Place::Hidden(slot, item).node(), size as u64, changed, Lifetime::Never);
    Ok(Attr { writable: true, ..attr })
}

/// Makes an empty file beside the notes, or the notes themselves.
pub(super) fn make_file(tree: &Tree, slot: Slot, name: &[u8]) -> Result<Attr> {
    let milestone = milestone(tree, slot)?;
    let item = {
        let mut desks = tree.desks.lock();
        let desk = desks.entry(slot).or_default();
        match name {
            NOTES if desk.has_notes(&milestone) => return Err(taken(name)),
            NOTES => {
                desk.is_away = false;
                desk.written = Some((Vec::new(), milestone.serial));
                HiddenItem::Notes
            }
            name if desk.names.contains_key(name) => return Err(taken(name)),
            name => HiddenItem::Draft(desk.put(name, Vec::new())?),
        }
    };
    attr(tree, slot, item)
}

/// Empties the file when it is opened for that.
pub(super) fn open(tree: &Tree, slot: Slot, item: HiddenItem, access: Access) -> Result<()> {
    match access.truncate {
        true => set_attr(tree, slot, item, &AttrChange { size: Some(0), ..AttrChange::default() }).map(drop),
        false => attr(tree, slot, item).map(drop),
    }
}

/// Returns the bytes of the notes or of a draft.
pub(super) fn bytes(tree: &Tree, slot: Slot, item: HiddenItem) -> Result<Vec<u8>> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    match item {
        HiddenItem::Draft(number) => Ok(desk.draft(number)?.bytes.clone()),
        _ => Ok(desk.notes(&milestone)),
    }
}

/// Writes to the notes or to a draft.
pub(super) fn write(tree: &Tree, slot: Slot, item: HiddenItem, offset: u64, data: &[u8]) -> Result<()> {
    let end = offset.saturating_add(data.len() as u64);
    check_len(end)?;
    change(tree, slot, item, |bytes| {
        bytes.resize(bytes.len().max(end as usize), 0);
        bytes[offset as usize..end as usize].copy_from_slice(data);
    })
}

/// Changes the attributes: the size counts, the rest is accepted and dropped.
pub(super) fn set_attr(tree: &Tree, slot: Slot, item: HiddenItem, wanted: &AttrChange) -> Result<Attr> {
    if let Some(size) = wanted.size {
        check_len(size)?;
        change(tree, slot, item, |bytes| bytes.resize(size as usize, 0))?;
    }
    attr(tree, slot, item)
}

fn change(tree: &Tree, slot: Slot, item: HiddenItem, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    if let HiddenItem::Draft(number) = item {
        let draft = desk.draft(number)?;
        change(&mut draft.bytes);
        draft.changed = Timestamp::now();
        return Ok(());
    }
    let mut bytes = desk.notes(&milestone);
    change(&mut bytes);
    keep(tree, desk, &milestone, bytes)
}

/// Keeps `bytes` as the notes of a milestone; empty ones only once something is written after them.
fn keep(tree: &Tree, desk: &mut Desk, milestone: &Milestone, bytes: Vec<u8>) -> Result<()> {
    let serial = match std::str::from_utf8(&bytes) {
        Ok("") => milestone.serial,
        Ok(text) => publish(tree, milestone, text)?,
        // The rest of the last character comes with the next write.
        Err(error) if error.error_len().is_none() => milestone.serial,
        Err(_) => return Err(Error::invalid("notes are text in UTF-8")),
    };
    desk.written = Some((bytes, serial));
    desk.is_away = false;
    Ok(())
}

fn publish(tree: &Tree, milestone: &Milestone, text: &str) -> Result<u64> {
    let notes = Annotation { notes: Some(text.to_owned()), ..Annotation::default() };
    Ok(tree.vault.annotate_milestone(&milestone.name, &notes)?.serial)
}

/// Removes the notes, or a draft.
pub(super) fn remove(tree: &Tree, slot: Slot, name: &[u8]) -> Result<()> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    match name {
        NOTES if desk.has_notes(&milestone) => {
            publish(tree, &milestone, "")?;
            desk.written = None;
            Ok(())
        }
        name => desk.names.remove(name).map(drop).ok_or_else(|| missing(name)),
    }
}

/// Renames within the hidden directory of a milestone.
pub(super) fn rename(tree: &Tree, slot: Slot, from: &[u8], to: &[u8], mode: RenameMode) -> Result<()> {
    let milestone = milestone(tree, slot)?;
    let mut desks = tree.desks.lock();
    let desk = desks.entry(slot).or_default();
    let is_there = |desk: &Desk, name: &[u8]| match name {
        NOTES => desk.has_notes(&milestone),
        name => desk.names.contains_key(name),
    };
    if !is_there(desk, from) {
        return Err(missing(from));
    }
    match mode {
        RenameMode::NoReplace if is_there(desk, to) => return Err(taken(to)),
        RenameMode::Exchange => return Err(Error::new(ErrorKind::Unsupported, "notes do not change places")),
        RenameMode::Replace | RenameMode::NoReplace => {}
    }
    match (from, to) {
        (NOTES, NOTES) => {}
        // As a backup: the notes stay with the milestone until others are written.
        (NOTES, to) => {
            let bytes = desk.notes(&milestone);
            desk.put(to, bytes)?;
            desk.is_away = true;
        }
        (from, NOTES) => {
            let number = desk.names[from];
            let bytes = desk.draft(number)?.bytes.clone();
            keep(tree, desk, &milestone, bytes)?;
            desk.names.remove(from);
        }
        (from, to) => {
            let number = desk.names.remove(from).expect("it is there");
            desk.names.insert(to.to_vec(), number);
        }
    }
    Ok(())
}

fn check_len(len: u64) -> Result<()> {
    match len <= MAX_NOTES_LEN as u64 {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::TooLarge, "notes are no longer than 1 MiB")),
    }
}

fn taken(name: &[u8]) -> Error {
    Error::new(ErrorKind::Exists, format!("there is a file {} already", crate::name::show(name)))
}

fn missing(name: &[u8]) -> Error {
    Error::not_found(format!("there is no file {}", crate::name::show(name)))
}
