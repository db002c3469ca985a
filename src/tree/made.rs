//! Folders that are made when somebody looks into them: generated texts beside files of builds.
//!
//! A top-level folder that has such folders gives the attributes of one with [`MadeTable::tell`], and makes its content
//! when it is asked for by [`Folder::make`](super::root::Folder::make). What is made from the same subject must be the
//! same each time: front ends keep what they saw of it for good, while the tree itself keeps the few that were used last
//! and makes the others anew.

use super::Tree;
use super::content::DIRECTORY_SIZE;
use super::number::Place;
use super::table::{Node, What as Stored};
use super::types::{Attr, DirEntry, DirSink, Kind, Lifetime, Looking, NodeId};
use super::{copy_range, not_a_directory, nowhere};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Attributes, Content, Entry, EntryKind, Timestamp};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// How many made folders are kept beyond the call that needs them.
const MAX_KEPT: usize = 8;

/// The deepest that a made folder goes, in names; what lies deeper is not shown. Trees of builds may be deeper than a stack.
const MAX_DEPTH: usize = 128;

/// The permission bits of a generated text.
const TEXT_MODE: u16 = 0o644;

/// Makes the bytes of a generated text.
type Maker = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;

/// What a folder will hold.
#[derive(Default)]
pub(super) struct Draft {
    entries: BTreeMap<Vec<u8>, Item>,
    /// The names of entries that are not listed.
    hidden: BTreeSet<Vec<u8>>,
}

enum Item {
    Folder(Draft),
    Text(Maker),
    File(Attributes, Content),
    Link(Arc<[u8]>),
}

impl Draft {
    /// Adds a text at `path`, made when somebody asks for its bytes or its size.
    pub(super) fn add_text(&mut self, path: &[u8], make: impl Fn() -> Result<Vec<u8>> + Send + Sync + 'static) {
        self.add(path, Item::Text(Box::new(make)));
    }

    /// Adds a file or symlink of a build at `path`; of a directory, the directory alone.
    pub(super) fn add_stored(&mut self, path: &[u8], entry: &Entry) {
        let item = match &entry.kind {
            EntryKind::Directory(_) => Item::Folder(Draft::default()),
            EntryKind::File(content) => Item::File(entry.attributes, *content),
            EntryKind::Symlink(target) => Item::Link(target.as_ref().into()),
        };
        self.add(path, item);
    }

    /// Adds a symlink at `path`.
    pub(super) fn add_link(&mut self, path: &[u8], target: &[u8]) {
        self.add(path, Item::Link(target.into()));
    }

    /// Leaves the entry `name` out of the list: it is reached by its name alone.
    pub(super) fn hide(&mut self, name: &[u8]) {
        self.hidden.insert(name.to_vec());
    }

    /// The folders on the way are made; where something is already, the first one stays.
    fn add(&mut self, path: &[u8], item: Item) {
        let mut folder = self;
        let mut names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).peekable();
        if names.clone().count() > MAX_DEPTH {
            return;
        }
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                folder.entries.entry(name.to_vec()).or_insert(item);
                return;
            }
            match folder.entries.entry(name.to_vec()).or_insert_with(|| Item::Folder(Draft::default())) {
                Item::Folder(below) => folder = below,
                Item::Text(_) | Item::File(..) | Item::Link(_) => return,
            }
        }
    }
}

/// A made folder: its nodes, numbered in the order of their paths.
struct Made {
    nodes: Vec<MadeNode>,
}

struct MadeNode {
    name: Box<[u8]>,
    parent: u32,
    is_listed: bool,
    what: What,
}

enum What {
    /// Its entries, in the order of their names.
    Folder(Vec<u32>),
    Text(Maker, OnceLock<Arc<[u8]>>),
    /// A file of a build, which is the same node here as there.
    File(Attributes, Content),
    Link(Arc<[u8]>),
}

impl Made {
    fn of(draft: Draft) -> Made {
        let mut made = Made { nodes: Vec::new() };
        made.take(Box::default(), 0, true, Item::Folder(draft));
        made
    }

    fn take(&mut self, name: Box<[u8]>, parent: u32, is_listed: bool, item: Item) -> u32 {
        let number = self.nodes.len() as u32;
        let (what, Draft { entries, hidden }) = match item {
            Item::Folder(draft) => (What::Folder(Vec::new()), draft),
            Item::Text(make) => (What::Text(make, OnceLock::new()), Draft::default()),
            Item::File(attributes, content) => (What::File(attributes, content), Draft::default()),
            Item::Link(target) => (What::Link(target), Draft::default()),
        };
        self.nodes.push(MadeNode { name, parent, is_listed, what });
        let below = entries
            .into_iter()
            .map(|(name, item)| {
                let is_listed = !hidden.contains(&name);
                self.take(name.into(), number, is_listed, item)
            })
            .collect::<Vec<_>>();
        if let What::Folder(entries) = &mut self.nodes[number as usize].what {
            *entries = below;
        }
        number
    }

    fn node(&self, number: u32) -> Result<&MadeNode> {
        self.nodes.get(number as usize).ok_or_else(|| Error::not_found("there is no such entry in a made folder"))
    }

    fn entries(&self, number: u32) -> Result<&[u32]> {
        match &self.node(number)?.what {
            What::Folder(entries) => Ok(entries),
            What::Text(..) | What::File(..) | What::Link(_) => Err(not_a_directory()),
        }
    }

    fn bytes(&self, number: u32) -> Result<Arc<[u8]>> {
        match &self.node(number)?.what {
            What::Text(make, made) => match made.get() {
                Some(bytes) => Ok(bytes.clone()),
                None => {
                    let bytes = make()?;
                    Ok(made.get_or_init(|| bytes.into()).clone())
                }
            },
            What::Folder(_) => Err(Error::new(ErrorKind::IsDirectory, "a directory has no bytes to read")),
            What::Link(_) => Err(Error::invalid("a symlink has no bytes to read")),
            What::File(..) => Err(Error::not_found("a file of a build has a node of its own")),
        }
    }
}

/// What a made folder shows, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The index of the top-level folder that it stands in.
    pub(super) folder: usize,
    /// Its name there.
    pub(super) name: Vec<u8>,
    /// What [`Folder::make`](super::root::Folder::make) is given; with another one, the name means another folder.
    pub(super) of: String,
    /// The time of all that is made.
    pub(super) mtime: Timestamp,
}

impl Subject {
    /// Returns the number to try first; the same over remounts.
    fn number(&self) -> u32 {
        let mut hash = blake3::Hasher::new();
        hash.update(&(self.folder as u64).to_le_bytes()).update(&self.name).update(b"/").update(self.of.as_bytes());
        u32::from_le_bytes(hash.finalize().as_bytes()[..4].try_into().expect("4 of 32 bytes")) & Place::HIGH_MAX
    }
}

/// A folder that the front end was told of.
struct Known {
    subject: Subject,
    lookups: u64,
    /// Counts up with every use in the table.
    used: u64,
    /// Locked while it is made, so that it is made once.
    made: Arc<Mutex<Option<Arc<Made>>>>,
}

#[derive(Default)]
struct Knowns {
    by_number: HashMap<u32, Known>,
    uses: u64,
}

/// The made folders that the front end holds.
#[derive(Default)]
pub(super) struct MadeTable(Mutex<Knowns>);

impl MadeTable {
    /// Tells the front end of a folder, and returns its attributes. Nothing is made yet.
    pub(super) fn tell(&self, subject: Subject, looking: Looking) -> Attr {
        let mut table = self.0.lock();
        let mut number = subject.number();
        while table.by_number.get(&number).is_some_and(|known| known.subject != subject) {
            number = (number + 1) & Place::HIGH_MAX;
        }
        let attr = folder_attr(number, 0, subject.mtime);
        if looking == Looking::Counted {
            let known = Known { subject, lookups: 0, used: 0, made: Arc::default() };
            table.by_number.entry(number).or_insert(known).lookups += 1;
        }
        attr
    }

    /// Takes back `count` lookups of nodes of the folder `number`.
    pub(super) fn forget(&self, number: u32, count: u64) {
        let mut table = self.0.lock();
        if let Some(known) = table.by_number.get_mut(&number) {
            known.lookups = known.lookups.saturating_sub(count);
            if known.lookups == 0 {
                table.by_number.remove(&number);
            }
        }
    }

    fn count_lookup(&self, number: u32) {
        if let Some(known) = self.0.lock().by_number.get_mut(&number) {
            known.lookups += 1;
        }
    }

    fn subject(&self, number: u32) -> Result<Subject> {
        let table = self.0.lock();
        table.by_number.get(&number).map(|known| known.subject.clone()).ok_or_else(gone)
    }

    fn made(&self, tree: &Tree, number: u32) -> Result<Arc<Made>> {
        let (slot, subject) = {
            let mut table = self.0.lock();
            table.uses += 1;
            let uses = table.uses;
            let known = table.by_number.get_mut(&number).ok_or_else(gone)?;
            known.used = uses;
            (known.made.clone(), known.subject.clone())
        };
        let mut slot = slot.lock();
        if let Some(made) = &*slot {
            return Ok(made.clone());
        }
        let made = Arc::new(Made::of(tree.folder(subject.folder)?.make(tree, &subject.of)?));
        *slot = Some(made.clone());
        drop(slot);
        self.drop_oldest();
        Ok(made)
    }

    /// Lets go of what was not used for longest, beyond [`MAX_KEPT`].
    fn drop_oldest(&self) {
        let table = self.0.lock();
        // One that is being made is in use.
        let is_made = |known: &&Known| known.made.try_lock().is_some_and(|made| made.is_some());
        let mut made: Vec<_> = table.by_number.values().filter(is_made).collect();
        made.sort_by_key(|known| known.used);
        let extra = made.len().saturating_sub(MAX_KEPT);
        for known in &made[..extra] {
            if let Some(mut made) = known.made.try_lock() {
                *made = None;
            }
        }
    }
}

/// Returns the attributes of a node of a made folder.
pub(super) fn attr(tree: &Tree, number: u32, node: u32) -> Result<Attr> {
    let mtime = tree.made.subject(number)?.mtime;
    if node == 0 {
        return Ok(folder_attr(number, 0, mtime));
    }
    let made = tree.made.made(tree, number)?;
    match &made.node(node)?.what {
        What::Folder(_) => Ok(folder_attr(number, node, mtime)),
        What::Text(..) => Ok(text_attr(number, node, made.bytes(node)?.len() as u64, mtime)),
        What::Link(target) => Ok(made_attr(number, node, Kind::Symlink, target.len() as u64, 0o777, mtime)),
        What::File(..) => Err(nowhere(Place::Made { number, node }.node())),
    }
}

/// Returns what `name` stands for in a made folder, or one below it.
pub(super) fn lookup(tree: &Tree, number: u32, node: u32, name: &[u8]) -> Result<Option<Attr>> {
    let made = tree.made.made(tree, number)?;
    let entries = made.entries(node)?;
    let found = entries.binary_search_by(|&entry| made.nodes[entry as usize].name.as_ref().cmp(name));
    found.ok().map(|index| told(tree, &made, number, entries[index], Looking::Counted)).transpose()
}

/// Gives the entries of a made folder, or of one below it, after `after` to `sink`; cookies are positions plus one.
pub(super) fn list(tree: &Tree, number: u32, node: u32, after: u64, looking: Looking, sink: DirSink<'_>) -> Result<()> {
    let made = tree.made.made(tree, number)?;
    for (index, &entry) in made.entries(node)?.iter().enumerate().skip(usize::try_from(after).unwrap_or(usize::MAX)) {
        if !made.node(entry)?.is_listed {
            continue;
        }
        let attr = told(tree, &made, number, entry, looking)?;
        let name = &made.nodes[entry as usize].name;
        if !sink(DirEntry { name, attr, cookie: index as u64 + 1 }) {
            tree.untold(attr.node, looking);
            break;
        }
    }
    Ok(())
}

/// Returns the directory above one of a made folder.
pub(super) fn parent(tree: &Tree, number: u32, node: u32) -> Result<NodeId> {
    if node == 0 {
        return Ok(Place::Folder(tree.made.subject(number)?.folder).node());
    }
    let made = tree.made.made(tree, number)?;
    made.entries(node)?;
    Ok(Place::Made { number, node: made.node(node)?.parent }.node())
}

/// Tells whether a node of a made folder is a directory.
pub(super) fn is_folder(tree: &Tree, number: u32, node: u32) -> Result<bool> {
    Ok(node == 0 || matches!(tree.made.made(tree, number)?.node(node)?.what, What::Folder(_)))
}

/// Returns the target of a symlink.
pub(super) fn read_link(tree: &Tree, number: u32, node: u32) -> Result<Arc<[u8]>> {
    match &tree.made.made(tree, number)?.node(node)?.what {
        What::Link(target) => Ok(target.clone()),
        _ => Err(Error::invalid("only a symlink has a target")),
    }
}

/// Reads a generated text.
pub(super) fn read(tree: &Tree, number: u32, node: u32, offset: u64, buf: &mut [u8]) -> Result<usize> {
    Ok(copy_range(&tree.made.made(tree, number)?.bytes(node)?, offset, buf))
}

fn told(tree: &Tree, made: &Made, number: u32, node: u32, looking: Looking) -> Result<Attr> {
    if let What::File(attributes, content) = &made.node(node)?.what {
        let stored = Node { attributes: *attributes, what: Stored::File(*content) };
        return Ok(tree.told(Place::File, &stored, looking));
    }
    let attr = attr(tree, number, node)?;
    if looking == Looking::Counted {
        tree.made.count_lookup(number);
    }
    Ok(attr)
}

fn folder_attr(number: u32, node: u32, mtime: Timestamp) -> Attr {
    made_attr(number, node, Kind::Directory, DIRECTORY_SIZE, 0o755, mtime)
}

fn text_attr(number: u32, node: u32, size: u64, mtime: Timestamp) -> Attr {
    made_attr(number, node, Kind::File, size, TEXT_MODE, mtime)
}

fn made_attr(number: u32, node: u32, kind: Kind, size: u64, mode: u16, mtime: Timestamp) -> Attr {
    let node = Place::Made { number, node }.node();
    Attr { node, kind, size, mode, mtime, lifetime: Lifetime::Forever, writable: false }
}

fn gone() -> Error {
    Error::not_found("the made folder is not held")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deeper_than_a_stack_is_left_out() {
        let mut draft = Draft::default();
        let deep = b"d/".repeat(1_000_000);
        draft.add_text(&deep, || Ok(Vec::new()));
        draft.add_text(&deep[..2 * MAX_DEPTH], || Ok(Vec::new()));
        assert_eq!(Made::of(draft).nodes.len(), 1 + MAX_DEPTH);
    }

    #[test]
    fn nodes_are_numbered_in_the_order_of_their_paths() {
        let mut draft = Draft::default();
        for path in [&b"b/x"[..], b"a", b"b/c/d", b"b"] {
            draft.add_text(path, || Ok(Vec::new()));
        }
        draft.hide(b"a");
        let made = Made::of(draft);
        let names: Vec<&[u8]> = made.nodes.iter().map(|node| &*node.name).collect();
        assert_eq!(names, [&b""[..], b"a", b"b", b"c", b"d", b"x"]);
        assert_eq!(made.entries(2).unwrap(), [3, 5]);
        assert!(!made.nodes[1].is_listed && made.nodes[2].is_listed);
    }
}
