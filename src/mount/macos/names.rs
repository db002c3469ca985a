//! Names on macOS: neither case nor Unicode form tells two apart, and new ones are written as other systems write them.

use super::super::folded;
use crate::error::Result;
use crate::tree::{Attr, NameAt, NodeId, Tree};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Returns what `name` stands for in `directory`, as [`Tree::lookup`].
pub(in crate::mount) fn lookup(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Attr>> {
    folded::lookup(tree, directory, name)
}

/// Returns what the entry is called that programs call `name`.
pub(in crate::mount) fn existing<'a>(tree: &Tree, directory: NodeId, name: &'a OsStr) -> Cow<'a, [u8]> {
    // What goes wrong here goes wrong once more where the name is used.
    let found = folded::existing(tree, directory, name.as_bytes()).ok().flatten();
    found.map_or(Cow::Borrowed(name.as_bytes()), Cow::Owned)
}

/// Returns what a new entry is called that programs call `name`.
pub(in crate::mount) fn new(name: &OsStr) -> Cow<'_, [u8]> {
    Cow::Owned(folded::composed(name.as_bytes()))
}

/// Returns what the entry `from` is called when programs rename it to `name`, in `directory`.
pub(in crate::mount) fn renamed<'a>(
    tree: &Tree,
    from: NameAt<'_>,
    directory: NodeId,
    name: &'a OsStr,
) -> Cow<'a, [u8]> {
    let found = folded::renamed(tree, (from.directory, from.name), directory, name.as_bytes());
    found.map_or(Cow::Borrowed(name.as_bytes()), Cow::Owned)
}
