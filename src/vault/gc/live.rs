//! Which chunks are needed: all that lie below a build, a playtest, an import of feedback or a session, and what these are
//! differences to.

use super::super::chunk_marks::ChunkMarks;
use super::Vault;
use crate::catalogue::Build;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChunkId, ChunkKey};
use crate::ingest::session::{SessionRoot, for_each_root};
use crate::manifest::{ContentRoot, Entry, EntryKind, List, Page};
use crate::progress::Progress;
use crate::store::Store;

/// Something needs it.
const LIVE: u8 = 1;

/// What is needed of the chunks that there were when it was made.
pub(super) struct Live<'a> {
    store: &'a Store,
    progress: &'a Progress,
    marks: ChunkMarks,
    /// What is to be looked into.
    open: Vec<Node>,
}

#[derive(Clone, Copy)]
enum Node {
    /// A page of a directory.
    Page(ChunkId),
    /// A list of a file's content, of so many levels.
    List(ChunkId, u8),
}

impl<'a> Live<'a> {
    pub(super) fn new(vault: &'a Vault, progress: &'a Progress) -> Result<Live<'a>> {
        let marks = ChunkMarks::read(vault, progress)?;
        Ok(Live { store: vault.store(), progress, marks, open: Vec::new() })
    }

    /// Marks what is needed now; what has been marked stays so. Forgotten builds are needed unless they are among `removed`.
    ///
    /// # Errors
    /// `Corrupt` if a tree cannot be read: then nobody knows what is needed.
    pub(super) fn mark(&mut self, vault: &Vault, removed: &[Build]) -> Result<()> {
        // First: what leaves a session for a build meanwhile is found in one of them.
        for_each_root(&**self.store.disk(), &mut |root| self.session_root(root))?;
        let mut builds = vault.builds()?;
        let forgotten = vault.forgotten()?.into_iter().map(|forgotten| forgotten.build);
        builds.extend(forgotten.filter(|build| removed.iter().all(|removed| removed.number != build.number)));
        // What is recalled meanwhile is among these.
        builds.extend(vault.builds()?);
        for build in builds {
            self.attributes(build.attributes.xattrs);
            self.tree(build.root.id).map_err(|error| error.context(format!("build {}", build.id)))?;
        }
        for playtest in vault.playtests()? {
            self.attributes(playtest.attributes.xattrs);
            self.tree(playtest.root.id).map_err(|error| error.context(format!("playtest {}", playtest.id)))?;
        }
        for batch in vault.feedback_batches()? {
            self.attributes(batch.attributes.xattrs);
            self.tree(batch.root.id).map_err(|error| error.context(format!("feedback import {}", batch.order)))?;
        }
        for id in self.store.catalogue().dictionaries()? {
            self.need(id);
        }
        // And what was copied or moved into a session meanwhile.
        for_each_root(&**self.store.disk(), &mut |root| self.session_root(root))?;
        self.bases()
    }

    /// Returns `Interrupted` when that was asked for.
    pub(super) fn check(&self) -> Result<()> {
        self.progress.check()
    }

    /// Returns the chunks that nothing needs.
    pub(super) fn dead(&self) -> Vec<ChunkKey> {
        self.marks.without(LIVE).collect()
    }

    /// Tells whether a chunk is needed; of one that came later that is not known.
    pub(super) fn is_needed(&self, key: ChunkKey) -> bool {
        self.marks.get(key).is_some_and(|marks| marks & LIVE != 0)
    }

    /// Tells whether a chunk is needed, or came later.
    pub(super) fn is_live(&self, key: ChunkKey) -> bool {
        self.marks.get(key).is_none_or(|marks| marks & LIVE != 0)
    }

    /// Journals also tell of what has gone: of that, what is left is marked.
    fn session_root(&mut self, root: SessionRoot) -> Result<()> {
        let node = match root {
            SessionRoot::Content(content) => match content.root {
                ContentRoot::Empty => return Ok(()),
                ContentRoot::Chunk(id) => {
                    self.need(id);
                    return Ok(());
                }
                ContentRoot::List { id, depth } => Node::List(id, depth),
            },
            SessionRoot::Directory(id) => Node::Page(id),
        };
        let (Node::Page(id) | Node::List(id, _)) = node;
        // Whoever has a node has all below it, so one look tells.
        if self.store.catalogue().chunk(id.key())?.is_none() {
            return Ok(());
        }
        self.open.push(node);
        self.walk()
    }

    fn tree(&mut self, root: ChunkId) -> Result<()> {
        self.open.push(Node::Page(root));
        self.walk()
    }

    fn walk(&mut self) -> Result<()> {
        while let Some(node) = self.open.pop() {
            self.progress.check()?;
            let (Node::Page(id) | Node::List(id, _)) = node;
            // What came after the marks were made is not among them, and looked into each time.
            if self.marks.set(id.key(), LIVE) == Some(false) {
                continue;
            }
            let plain = self.store.get_uncached(id)?;
            match node {
                Node::Page(_) => match Page::decode(&plain)? {
                    Page::Index(pages) => self.open.extend(pages.iter().map(|page| Node::Page(page.id))),
                    Page::Leaf(entries) => entries.iter().for_each(|entry| self.entry(entry)),
                },
                Node::List(id, depth) => {
                    let list = List::decode(&plain)?;
                    if list.depth != depth {
                        let message = format!("the content list {id} has {} levels, not {depth}", list.depth);
                        return Err(Error::corrupt(message));
                    }
                    for below in list.items().iter().filter_map(|item| item.id) {
                        match depth {
                            0 | 1 => self.need(below),
                            depth => self.open.push(Node::List(below, depth - 1)),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) {
        self.attributes(entry.attributes.xattrs);
        match &entry.kind {
            EntryKind::Directory(below) => self.open.push(Node::Page(below.id)),
            EntryKind::Symlink(_) => {}
            EntryKind::File(content) => match content.root {
                ContentRoot::Empty => {}
                ContentRoot::Chunk(id) => self.need(id),
                ContentRoot::List { id, depth } => self.open.push(Node::List(id, depth)),
            },
        }
    }

    fn need(&mut self, id: ChunkId) {
        self.marks.set(id.key(), LIVE);
    }

    fn attributes(&mut self, xattrs: Option<ChunkId>) {
        if let Some(id) = xattrs {
            self.need(id);
        }
    }

    /// Marks what the chunks that are needed are differences to, and what these are, and so on.
    fn bases(&mut self) -> Result<()> {
        let mut open: Vec<ChunkKey> = Vec::new();
        let catalogue = self.store.catalogue();
        let Live { marks, progress, .. } = self;
        catalogue.for_each_chunk(&mut |key, place| {
            // What came later is needed by somebody who is at work.
            if !place.bases.is_empty() && marks.get(key).is_none_or(|marks| marks & LIVE != 0) {
                open.extend(place.bases.iter().copied().filter(|&base| marks.set(base, LIVE) == Some(true)));
            }
            progress.check()
        })?;
        while let Some(key) = open.pop() {
            let place = catalogue.chunk(key)?.ok_or_else(|| missing_base(key))?;
            open.extend(place.bases.iter().copied().filter(|&base| marks.set(base, LIVE) == Some(true)));
        }
        Ok(())
    }
}

fn missing_base(key: ChunkKey) -> Error {
    Error::new(ErrorKind::Corrupt, format!("chunk {key} is in no pack that the catalogue knows"))
        .with_hint("run `gamevault verify`: it names the files that need it")
}
