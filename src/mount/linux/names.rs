//! Names on Linux: any bytes, and two that differ are two.

use crate::error::Result;
use crate::tree::{Attr, NameAt, NodeId, Tree};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Returns what `name` stands for in `directory`, as [`Tree::lookup`].
pub(in crate::mount) fn lookup(tree: &Tree, directory: NodeId, name: &[u8]) -> Result<Option<Attr>> {
    tree.lookup(directory, name)
}

/// Returns what the entry is called that programs call `name`.
pub(in crate::mount) fn existing<'a>(_tree: &Tree, _directory: NodeId, name: &'a OsStr) -> Cow<'a, [u8]> {
    Cow::Borrowed(name.as_bytes())
}

/// Returns what a new entry is called that programs call `name`.
pub(in crate::mount) fn new(name: &OsStr) -> Cow<'_, [u8]> {
    Cow::Borrowed(name.as_bytes())
}

/// Returns what the entry `from` is called when programs rename it to `name`, in `directory`.
pub(in crate::mount) fn renamed<'a>(
    _tree: &Tree,
    _from: NameAt<'_>,
    _directory: NodeId,
    name: &'a OsStr,
) -> Cow<'a, [u8]> {
    Cow::Borrowed(name.as_bytes())
}
