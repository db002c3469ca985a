//! Members of a container that changed: entries of zips, packs, paks, WADs, tars; files of Unity bundles.
//!
//! The directory of each is read by its lens. A member is the same if it is as long and made of the same chunks; containers are
//! cut at their entries, so this is known without reading them. Where chunks lie otherwise the bytes are compared, as far as
//! [`MAX_COMPARED`] goes, and beyond that a member counts as modified. Of bundles, whose files are inside of compressed blocks,
//! the lengths are compared.

use crate::content::FileBytes;
use crate::content::Reader;
use crate::error::Result;
use crate::lens::{self, Coding, Part, Parts, ReadAt};
use crate::manifest::Content;
use crate::name::show;
use serde::Serialize;
use std::collections::BTreeMap;

/// Members beyond which containers are not compared.
const MAX_MEMBERS: usize = 200_000;

/// Bytes of members that are read to compare them.
const MAX_COMPARED: u64 = 8 << 20;

/// Bytes that are compared at once.
const PIECE_LEN: usize = 64 << 10;

/// Changes that are named; all are counted.
const MAX_SHOWN: usize = 200;

/// Letters of a name beyond which the rest is left out.
const MAX_NAME_LEN: usize = 300;

/// What changed in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MembersChange {
    /// What the container is.
    pub format: String,
    /// Members in the newer one.
    pub members: usize,
    /// Members that came.
    pub added: usize,
    /// Members that went.
    pub removed: usize,
    /// Members with another content.
    pub modified: usize,
    /// The first of them, by name.
    pub changes: Vec<MemberChange>,
}

/// One member that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberChange {
    /// Its path inside the container; the second of one name ends with `#2`.
    pub name: String,
    /// As it was; absent for one that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Member>,
    /// As it is; absent for one that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Member>,
}

/// How long a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Bytes as they are stored in the container.
    pub len: u64,
    /// Bytes of the member itself, where the directory tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_len: Option<u64>,
}

/// A member, and where its bytes are; those of bundles lie nowhere by themselves.
#[derive(Clone, Copy)]
struct Place<'a> {
    member: Member,
    part: Option<&'a Part>,
}

pub(super) fn detail(reader: &Reader, path: &str, old: &Content, new: &Content) -> Result<Option<MembersChange>> {
    let parts = |content: &Content| lens::parts(&FileBytes::new(reader, *content), content.size, path.as_bytes());
    let (Some(was), Some(is)) = (parts(old)?, parts(new)?) else { return Ok(None) };
    if was.format != is.format || was.parts.len().max(is.parts.len()) > MAX_MEMBERS {
        return Ok(None);
    }
    let (mut was, now) = (members(&was), members(&is));
    let mut change = MembersChange { format: is.format.to_string(), members: now.len(), ..MembersChange::default() };
    let mut comparison = Comparison { reader, old, new, left: MAX_COMPARED };
    let mut changes = Vec::new();
    for (name, is) in now {
        let was = was.remove(&name);
        match was {
            None => change.added += 1,
            Some(was) if !comparison.differ(was, is)? => continue,
            Some(_) => change.modified += 1,
        }
        changes.push((name, was.map(|was| was.member), Some(is.member)));
    }
    change.removed = was.len();
    changes.extend(was.into_iter().map(|(name, was)| (name, Some(was.member), None)));
    changes.sort_by(|a, b| a.0.cmp(&b.0));
    changes.truncate(MAX_SHOWN);
    change.changes = changes.into_iter().map(|(name, old, new)| MemberChange { name: shown(name), old, new }).collect();
    Ok((change.added + change.removed + change.modified > 0).then_some(change))
}

/// Returns members by name, each with the count of those of its name before it: lumps of WADs repeat theirs for each map.
fn members(parts: &Parts) -> BTreeMap<(&[u8], u32), Place<'_>> {
    let mut members = BTreeMap::new();
    let mut add = |name, place| {
        let count = members.range((name, 0)..=(name, u32::MAX)).next_back().map_or(0, |((_, count), _)| count + 1);
        members.insert((name, count), place);
    };
    for node in parts.nodes.iter().take(MAX_MEMBERS) {
        add(&*node.name, Place { member: Member { len: node.len, plain_len: None }, part: None });
    }
    for part in parts.parts.iter().filter(|part| !part.name.is_empty()) {
        let plain_len = match part.coding {
            Coding::Deflate { plain_len } => Some(plain_len),
            Coding::Lz4 { plain_len } => Some(plain_len.into()),
            Coding::Stored | Coding::Opaque => None,
        };
        add(&*part.name, Place { member: Member { len: part.len, plain_len }, part: Some(part) });
    }
    members
}

fn shown((name, count): (&[u8], u32)) -> String {
    let mut name: String = show(name).chars().take(MAX_NAME_LEN).collect();
    if count > 0 {
        name += &format!("#{}", count + 1);
    }
    name
}

struct Comparison<'a> {
    reader: &'a Reader,
    old: &'a Content,
    new: &'a Content,
    /// Bytes that may still be read.
    left: u64,
}

impl Comparison<'_> {
    fn differ(&mut self, was: Place<'_>, is: Place<'_>) -> Result<bool> {
        if was.member != is.member {
            return Ok(true);
        }
        let (Some(was), Some(is)) = (was.part, is.part) else { return Ok(false) };
        if self.chunks(self.old, was)? == self.chunks(self.new, is)? {
            return Ok(false);
        }
        if is.len > self.left {
            return Ok(true);
        }
        self.left -= is.len;
        let (old, new) = (FileBytes::new(self.reader, *self.old), FileBytes::new(self.reader, *self.new));
        let (mut a, mut b) = (vec![0; PIECE_LEN], vec![0; PIECE_LEN]);
        let mut at = 0;
        while at < is.len {
            let len = (is.len - at).min(PIECE_LEN as u64) as usize;
            let read = old.read_at(&mut a[..len], was.offset + at)?;
            if read != new.read_at(&mut b[..len], is.offset + at)? || a[..read] != b[..read] {
                return Ok(true);
            }
            at += len as u64;
        }
        Ok(false)
    }

    /// Returns the chunks that a member is made of, by their places in it.
    fn chunks(&self, content: &Content, part: &Part) -> Result<Vec<(i128, Option<crate::id::ChunkId>)>> {
        let mut chunks = Vec::new();
        self.reader.for_each_extent(content, part.offset, part.len, &mut |extent| {
            chunks.push((i128::from(extent.offset) - i128::from(part.offset), extent.id));
            Ok(())
        })?;
        Ok(chunks)
    }
}
