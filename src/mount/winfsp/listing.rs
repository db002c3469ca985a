//! Folders as Windows lists them: sorted by name, from any name on.

use super::handle::Handle;
use super::info::FileInfo;
use super::node::Node;
use super::status::Status;
use super::volume::{Answer, Volume};
use crate::name::fold::fold_text;
use crate::tree::{Attr, Kind, Looking};
use std::sync::Arc;

/// One entry of a listing.
#[derive(Debug)]
pub(super) struct Row {
    /// By which the rows are sorted, after `.` and `..`.
    key: (u8, String),
    /// How the name is shown.
    pub(super) shown: Vec<u16>,
    pub(super) info: FileInfo,
}

impl Row {
    fn new(shown: &str, info: FileInfo) -> Row {
        Row { key: key(shown), shown: shown.encode_utf16().collect(), info }
    }
}

impl Volume {
    /// Gives the entries of a folder that come after `marker` to `sink`, until it has no room.
    ///
    /// What is listed is the folder as it was when the listing began.
    pub(super) fn list(
        &self,
        handle: &Handle,
        marker: Option<&[u16]>,
        sink: &mut dyn FnMut(&[u16], &FileInfo) -> bool,
    ) -> Answer<()> {
        let open = handle.node()?;
        if !open.node.is_directory() {
            return Err(Status::NOT_A_DIRECTORY);
        }
        let mut known = open.rows.lock();
        let rows = match (&*known, marker) {
            (Some(rows), Some(_)) => rows.clone(),
            _ => known.insert(Arc::new(self.rows(&open.node, open.above.as_deref(), &open.walked)?)).clone(),
        };
        drop(known);
        let start = marker.map_or(0, |marker| {
            let marker = key(&String::from_utf16_lossy(marker));
            rows.partition_point(|row| row.key <= marker)
        });
        for row in &rows[start..] {
            if !sink(&row.shown, &row.info) {
                break;
            }
        }
        Ok(())
    }

    fn rows(&self, folder: &Arc<Node>, above: Option<&Node>, walked: &[crate::tree::NodeId]) -> Answer<Vec<Row>> {
        let mut entries: Vec<(Box<[u8]>, Attr)> = Vec::new();
        self.tree.list(folder.id(), 0, Looking::Uncounted, &mut |entry| {
            entries.push((entry.name.into(), entry.attr));
            true
        })?;
        let mut rows = Vec::with_capacity(entries.len() + 2);
        if let Some(above) = above {
            rows.push(Row::new(".", FileInfo::of(&folder.attr)));
            rows.push(Row::new("..", FileInfo::of(&above.attr)));
        }
        for (name, attr) in &mut entries {
            // It may be gone by now, and is shown as it was.
            if attr.kind == Kind::Symlink
                && let Some(link) = folder.child(name)?
            {
                *attr = link.shown(walked)?.attr;
            }
        }
        self.folders.with(&self.tree, folder, |listed| {
            for (name, attr) in &entries {
                // One that came between the two looks is there at the next.
                rows.extend(listed.shown(name).map(|shown| Row::new(shown, FileInfo::of(attr))));
            }
        })?;
        rows.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(rows)
    }
}

fn key(shown: &str) -> (u8, String) {
    match shown {
        "." => (0, String::new()),
        ".." => (1, String::new()),
        name => (2, fold_text(name)),
    }
}
