//! The hidden files of a session: `meta.json` to read and write, `status.json`, `changes.md` and `changes.json` to read,
//! `commit` and `abort` to act.
//!
//! Making `commit` (or `commit@ID`) or `abort` acts at once, and fails as the act fails. What is written to `meta.json` is
//! taken as soon as it is whole; the write that makes it something that cannot be understood fails.

use super::number::{HiddenItem, Place};
use super::types::{Access, Attr, AttrChange, Caching, Handle, Lifetime, Opened};
use super::{Tree, copy_range, hidden};
use crate::catalogue::BuildInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::ingest::session::{ROOT, Session, SessionForm};
use crate::manifest::Timestamp;
use crate::name::{RefName, show};
use parking_lot::Mutex;
use std::collections::HashMap;

const MAX_META_LEN: u64 = 512 << 10;
const WRITER: Handle = Handle(2);

/// What the name of an order starts with that says the id of the build.
const COMMIT_AS: &[u8] = b"commit@";

/// What is being written to the `meta.json` of sessions, by serial.
pub(super) type MetaBuffers = Mutex<HashMap<u32, MetaBuffer>>;

/// What is being written to one `meta.json`; it goes with the last who has it open to write.
#[derive(Default)]
pub(super) struct MetaBuffer {
    text: Option<Vec<u8>>,
    writers: u32,
}

/// Returns the attributes of the hidden directory of a session.
pub(super) fn directory(session: &Session) -> Result<Attr> {
    let node = Place::SessionHidden(session.serial(), HiddenItem::Directory).node();
    Ok(hidden::directory(node, session.attr(ROOT)?.mtime))
}

/// Returns what `name` stands for in the hidden directory of a session.
pub(super) fn lookup(tree: &Tree, serial: u32, name: &[u8]) -> Result<Option<Attr>> {
    match hidden::item(name) {
        None | Some(HiddenItem::Commit | HiddenItem::Abort) => Ok(None),
        Some(item) => Ok(Some(attr(tree, serial, item)?)),
    }
}

/// Returns the attributes of a hidden node of a session.
pub(super) fn attr(tree: &Tree, serial: u32, item: HiddenItem) -> Result<Attr> {
    if item == HiddenItem::Directory {
        return directory(&*tree.session(serial)?);
    }
    let size = bytes(tree, serial, item)?.len() as u64;
    let node = Place::SessionHidden(serial, item).node();
    Ok(hidden::file(node, size, Timestamp::now(), Lifetime::Never))
}

/// Opens a hidden file of a session.
pub(super) fn open(tree: &Tree, serial: u32, item: HiddenItem, access: Access) -> Result<Opened> {
    match item {
        HiddenItem::Directory => {
            return Err(Error::new(ErrorKind::IsDirectory, "a directory cannot be opened as a file"));
        }
        HiddenItem::Status | HiddenItem::Changes | HiddenItem::ChangesJson if access.write => return Err(denied()),
        HiddenItem::Meta if access.write => {
            let mut buffers = tree.meta_buffers.lock();
            let buffer = buffers.entry(serial).or_default();
            buffer.writers += 1;
            if access.truncate {
                buffer.text = Some(Vec::new());
            }
        }
        _ => {}
    }
    Ok(Opened { handle: if access.write { WRITER } else { Handle(1) }, caching: Caching::Never })
}

/// Makes a hidden file, which acts.
pub(super) fn make_file(tree: &Tree, serial: u32, name: &[u8]) -> Result<(Attr, Opened)> {
    let (order, id) = match name.strip_prefix(COMMIT_AS) {
        Some(id) => (&b"commit"[..], Some(RefName::new(show(id))?)),
        None => (name, None),
    };
    let item = match hidden::item(order) {
        Some(HiddenItem::Commit) => {
            let session = tree.session(serial)?;
            match session.form() {
                SessionForm::Workspace => tree.keep(&session, id)?,
                SessionForm::Folder | SessionForm::SingleFile => {
                    tree.commit(&session, id.unwrap_or_else(|| session.name()), None)?;
                }
                SessionForm::Inbox => return Err(super::feedback::no_build()),
            }
            HiddenItem::Commit
        }
        Some(HiddenItem::Abort) => {
            tree.abort(&*tree.session(serial)?)?;
            HiddenItem::Abort
        }
        Some(_) => return Err(Error::new(ErrorKind::Exists, "the file is there already")),
        None => return Err(Error::new(ErrorKind::NotPermitted, "only commit and abort can be made here")),
    };
    Ok((attr(tree, serial, item)?, Opened { handle: WRITER, caching: Caching::Never }))
}

/// Reads a hidden file.
pub(super) fn read(tree: &Tree, serial: u32, item: HiddenItem, offset: u64, buf: &mut [u8]) -> Result<usize> {
    let text = match item {
        // The rest of the text that was begun: a new one may be longer.
        HiddenItem::Status if offset > 0 => tree.session(serial)?.status_text(true).to_vec(),
        item => bytes(tree, serial, item)?,
    };
    Ok(copy_range(&text, offset, buf))
}

/// Writes to a hidden file.
pub(super) fn write(tree: &Tree, serial: u32, item: HiddenItem, offset: u64, data: &[u8]) -> Result<()> {
    match item {
        // What is written into the order is no part of it.
        HiddenItem::Commit | HiddenItem::Abort => Ok(()),
        HiddenItem::Meta => {
            let end = offset.saturating_add(data.len() as u64);
            check_len(end)?;
            let old = hidden::json(&tree.session(serial)?.info());
            let mut buffers = tree.meta_buffers.lock();
            let text = &mut buffers.entry(serial).or_default().text;
            let buffer = text.get_or_insert(old);
            buffer.resize(buffer.len().max(end as usize), b' ');
            buffer[offset as usize..end as usize].copy_from_slice(data);
            match serde_json::from_slice(buffer) {
                Ok(info) => tree.session(serial)?.set_info(info),
                // The rest comes with the next write.
                Err(error) if error.is_eof() => Ok(()),
                Err(error) => {
                    *text = None;
                    Err(not_understood(error))
                }
            }
        }
        _ => Err(denied()),
    }
}

/// Changes the attributes of a hidden file: its size counts, the rest is accepted and dropped.
pub(super) fn set_attr(tree: &Tree, serial: u32, item: HiddenItem, change: &AttrChange) -> Result<Attr> {
    match (item, change.size) {
        (HiddenItem::Meta, Some(size)) => {
            check_len(size)?;
            let mut text = bytes(tree, serial, item)?;
            text.resize(size as usize, b' ');
            tree.meta_buffers.lock().entry(serial).or_default().text = Some(text);
        }
        (HiddenItem::Commit | HiddenItem::Abort, _) | (_, None) => {}
        (_, Some(_)) => return Err(denied()),
    }
    attr(tree, serial, item)
}

/// Tells whether what was written to `meta.json` is whole.
///
/// # Errors
/// `Invalid` if it is not. Nothing written yet is no error: a shell flushes once before it writes.
pub(super) fn flush(tree: &Tree, serial: u32, item: HiddenItem) -> Result<()> {
    let buffers = tree.meta_buffers.lock();
    let text = buffers.get(&serial).and_then(|buffer| buffer.text.as_ref());
    let text = text.filter(|text| item == HiddenItem::Meta && !text.trim_ascii().is_empty());
    text.map_or(Ok(()), |text| serde_json::from_slice::<BuildInfo>(text).map(drop).map_err(not_understood))
}

/// Gives back a handle; what could not be understood until now is dropped.
pub(super) fn close(tree: &Tree, serial: u32, item: HiddenItem, handle: Handle) {
    if item == HiddenItem::Meta && handle == WRITER {
        let mut buffers = tree.meta_buffers.lock();
        let Some(buffer) = buffers.get_mut(&serial) else { return };
        buffer.writers = buffer.writers.saturating_sub(1);
        if buffer.writers == 0 {
            buffers.remove(&serial);
        }
    }
}

fn not_understood(error: serde_json::Error) -> Error {
    let hint = "write an object with label, platform, message, tags and meta";
    Error::invalid(format!("meta.json cannot be understood: {error}")).with_hint(hint).with_source(error)
}

fn bytes(tree: &Tree, serial: u32, item: HiddenItem) -> Result<Vec<u8>> {
    match item {
        HiddenItem::Meta => match tree.meta_buffers.lock().get(&serial).and_then(|buffer| buffer.text.as_ref()) {
            Some(text) if serde_json::from_slice::<BuildInfo>(text).is_err() => Ok(text.clone()),
            _ => Ok(hidden::json(&tree.session(serial)?.info())),
        },
        HiddenItem::Status => Ok(tree.session(serial)?.status_text(false).to_vec()),
        HiddenItem::Changes => Ok(tree.session(serial)?.changes_markdown()?.to_vec()),
        HiddenItem::ChangesJson => Ok(tree.session(serial)?.changes_json()?.to_vec()),
        // They outlive their session for those who have them open.
        HiddenItem::Commit | HiddenItem::Abort => Ok(Vec::new()),
        HiddenItem::Directory => Err(Error::new(ErrorKind::IsDirectory, "a directory has no bytes to read")),
        HiddenItem::Notes | HiddenItem::Certificate | HiddenItem::Draft(_) => {
            Err(Error::not_found("a session has no such hidden file"))
        }
    }
}

fn check_len(len: u64) -> Result<()> {
    match len <= MAX_META_LEN {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::TooLarge, "meta.json is longer than 512 KiB")),
    }
}

fn denied() -> Error {
    Error::new(ErrorKind::Denied, "the file can only be read")
}

/// The prefix of xattrs of a session's root that stand for fields of `meta.json`.
const META_XATTR: &[u8] = b"user.gamevault.";

/// Sets a field of `meta.json` by an xattr of the session's root; `false` if the xattr is an ordinary one.
///
/// `label`, `platform` and `message` are fields, `tags` are separated by commas, everything else is free metadata.
pub(super) fn set_meta_xattr(session: &Session, name: &[u8], value: Option<&[u8]>) -> Result<bool> {
    let Some(key) = name.strip_prefix(META_XATTR) else { return Ok(false) };
    let key = std::str::from_utf8(key).map_err(|_| Error::invalid("the key is not UTF-8"))?;
    let value = value.map(|value| std::str::from_utf8(value).map(|text| text.trim_end_matches('\0').to_string()));
    let value = value.transpose().map_err(|_| Error::invalid("the value is not UTF-8"))?;
    let mut info = session.info();
    match key {
        "label" => info.label = value,
        "platform" => info.platform = value,
        "message" => info.message = value,
        "tags" => {
            let tags = value.unwrap_or_default();
            info.tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(String::from).collect();
        }
        key => match value {
            Some(value) => drop(info.meta.insert(key.into(), value)),
            None => drop(info.meta.remove(key)),
        },
    }
    session.set_info(info)?;
    Ok(true)
}
