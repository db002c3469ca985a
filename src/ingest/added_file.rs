//! A file that the vault itself adds to a folder that was stored.

use super::directory::IngestedTree;
use super::pipeline::{ByteSource, What, ingest_bytes, put_node};
use crate::content::Reader;
use crate::error::Result;
use crate::manifest::{Attributes, Entry, EntryKind, encode_directory};
use crate::name::FileName;
use crate::progress::Progress;
use crate::store::Store;

/// Bytes in memory.
struct Text<'a>(&'a [u8]);

impl ByteSource for Text<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        let len = self.0.len() as u64;
        Ok((offset < len).then_some((offset, len)))
    }
}

/// Adds a file with `bytes` to the top of `tree`, whose chunks can be read already. What has its name there is called `NAME.orig` from
/// now on.
///
/// # Errors
/// Those of the store.
pub fn add_file(store: &Store, reader: &Reader, tree: &mut IngestedTree, name: FileName, bytes: &[u8]) -> Result<()> {
    let mut entries: Vec<Entry> = Vec::new();
    reader.for_each_entry(tree.root.id, &mut |entry| {
        entries.push(entry.clone());
        Ok(())
    })?;
    let original = FileName::new([name.as_bytes(), b".orig"].concat())?;
    if entries.iter().any(|entry| entry.name == name) {
        entries.retain(|entry| entry.name != original);
        entries.iter_mut().filter(|entry| entry.name == name).for_each(|entry| entry.name = original.clone());
        entries.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let place = entries.partition_point(|entry| entry.name < name);
    let what = What { name: name.as_bytes(), earlier: None };
    let stored = ingest_bytes(store, &Text(bytes), bytes.len() as u64, false, &what, &Progress::new())?;
    let attributes = Attributes { mode: 0o755, mtime: tree.attributes.mtime, xattrs: None };
    entries.insert(place, Entry { name, attributes, kind: EntryKind::File(stored.content) });
    tree.ticket = tree.ticket.join(stored.ticket);
    tree.stored_bytes += stored.stored_bytes;
    tree.root =
        encode_directory(&entries, &mut |node| put_node(store, node, &mut tree.ticket, &mut tree.stored_bytes))?;
    Ok(())
}
