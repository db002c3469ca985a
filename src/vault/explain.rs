//! Why a build is as large as it is, what it alone has, and what forgetting it would free.
//!
//! A chunk belongs to a build alone when no other build and no playtest has it. All manifests are walked for that, each node
//! at most twice: when the first one has it, and when a second one does. The bytes of a chunk that others are stored as
//! differences to would stay when its build is forgotten, so they are told apart.

use super::Vault;
use crate::catalogue::Build;
use crate::compare::{self, Class, Difference, Sum};
use crate::error::{Error, Result};
use crate::id::{ChunkId, ChunkKey};
use crate::manifest::{ContentRoot, EntryKind, Page};
use crate::progress::Progress;
use crate::store::entry_len;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// Files and folders that are named.
const MAX_FILES: usize = 20;
const MAX_FOLDERS: usize = 20;

/// The owner of what several have.
const SHARED: u32 = u32::MAX;

/// Why a build is larger or smaller than the one before it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explanation {
    /// The build.
    pub build: String,
    /// The build before; absent for the first, all of which is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Bytes of the build's files.
    pub bytes: u64,
    /// By how many bytes it is larger than the one before.
    pub growth: i64,
    /// What changed, by class of asset.
    pub classes: Vec<Sum>,
    /// What changed, by folder.
    pub folders: Vec<Sum>,
    /// The files that grew or shrank most, or came or went.
    pub files: Vec<FileGrowth>,
    /// What each build of the vault has alone, in their order.
    pub builds: Vec<Alone>,
}

/// A file that makes a build larger or smaller.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FileGrowth {
    /// Its path.
    pub path: String,
    /// What sort of asset it is.
    pub class: Class,
    /// By how many bytes it is larger.
    pub growth: i64,
    /// Bytes of it that are new.
    pub changed_bytes: u64,
}

/// What one build has and nothing else.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Alone {
    /// The build.
    pub build: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Plain bytes of the chunks that it alone has.
    pub unique_bytes: u64,
    /// What these take in packs.
    pub unique_stored_bytes: u64,
    /// How much of that others need, whose chunks are stored as differences to it.
    pub needed_bytes: u64,
    /// What forgetting this build alone would free.
    pub freed_bytes: u64,
}

impl Vault {
    /// Explains the size of a build, and what each build has alone.
    ///
    /// Walks the manifests of all builds; memory grows by some 20 bytes a chunk of the vault.
    ///
    /// # Errors
    /// Those of the catalogue; `Corrupt` if a manifest is damaged, `Interrupted` when `progress` says so.
    pub fn explain(&self, build: &Build, progress: &Progress) -> Result<Explanation> {
        let builds = self.builds()?;
        let before = builds.iter().rev().find(|other| other.number < build.number);
        let changes: Vec<Difference> = match before {
            Some(before) => self.diff(before, build, &[])?.changes,
            None => Vec::new(),
        };
        let old_bytes = before.map_or(0, |before| before.root.totals.bytes);
        let mut files: Vec<&Difference> = changes.iter().filter(|one| one.growth() != 0).collect();
        files.sort_by_key(|one| Reverse(one.growth().unsigned_abs()));
        files.truncate(MAX_FILES);
        let files = files.into_iter().map(|one| FileGrowth {
            path: one.change.path.clone(),
            class: one.class,
            growth: one.growth(),
            changed_bytes: one.changed_bytes,
        });
        Ok(Explanation {
            build: build.id.to_string(),
            before: before.map(|before| before.id.to_string()),
            bytes: build.root.totals.bytes,
            // Sums of files are below 2^63.
            growth: build.root.totals.bytes as i64 - old_bytes as i64,
            files: files.collect(),
            classes: compare::by_class(&changes).into_iter().map(|(_, sum)| sum).collect(),
            folders: compare::by_weight(&changes, MAX_FOLDERS),
            builds: self.alone(&builds, progress)?,
        })
    }

    /// Returns what each of all builds has alone.
    ///
    /// # Errors
    /// As [`Vault::explain`].
    pub fn alone(&self, builds: &[Build], progress: &Progress) -> Result<Vec<Alone>> {
        let mut owners = Owners { vault: self, progress, by_key: HashMap::new() };
        for (index, build) in builds.iter().enumerate() {
            if let Some(xattrs) = build.attributes.xattrs {
                owners.take(xattrs, index as u32);
            }
            owners.page(build.root.id, index as u32)?;
        }
        for (index, playtest) in self.numbered_playtests()?.into_iter().enumerate() {
            owners.page(playtest.playtest.root.id, (builds.len() + index) as u32)?;
        }
        let mut alone: Vec<Alone> = builds
            .iter()
            .map(|build| Alone {
                build: build.id.to_string(),
                bytes: build.root.totals.bytes,
                unique_bytes: 0,
                unique_stored_bytes: 0,
                needed_bytes: 0,
                freed_bytes: 0,
            })
            .collect();
        owners.count(&mut alone)?;
        Ok(alone)
    }
}

/// Who has which chunk.
struct Owners<'a> {
    vault: &'a Vault,
    progress: &'a Progress,
    /// By the first bytes of the ids: of 10^8 two are taken for one in one of 3,000 walks.
    by_key: HashMap<u64, u32>,
}

impl Owners<'_> {
    /// Notes that `owner` has a chunk; tells whether what is below it is to be noted too.
    fn take(&mut self, id: ChunkId, owner: u32) -> bool {
        let mut is_news = true;
        self.by_key
            .entry(start_of(&id.0))
            .and_modify(|known| {
                is_news = *known != owner && *known != SHARED;
                if is_news {
                    *known = SHARED;
                }
            })
            .or_insert(owner);
        is_news
    }

    fn page(&mut self, root: ChunkId, owner: u32) -> Result<()> {
        // A stack of its own: a tree may be deeper than a thread's stack.
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            self.progress.check()?;
            if !self.take(id, owner) {
                continue;
            }
            match &*self.vault.reader().page(id)? {
                Page::Index(refs) => open.extend(refs.iter().map(|page| page.id)),
                Page::Leaf(entries) => {
                    for entry in entries {
                        if let Some(xattrs) = entry.attributes.xattrs {
                            self.take(xattrs, owner);
                        }
                        match &entry.kind {
                            EntryKind::Directory(below) => open.push(below.id),
                            EntryKind::Symlink(_) => {}
                            EntryKind::File(content) => match content.root {
                                ContentRoot::Empty => {}
                                ContentRoot::Chunk(id) => drop(self.take(id, owner)),
                                ContentRoot::List { id, depth } => self.list(id, depth, owner)?,
                            },
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, id: ChunkId, depth: u8, owner: u32) -> Result<()> {
        self.progress.check()?;
        if !self.take(id, owner) {
            return Ok(());
        }
        let list = self.vault.reader().content_list(id)?;
        if list.depth != depth {
            return Err(Error::corrupt(format!("content list {id} does not fit its file")));
        }
        list.items().iter().filter_map(|item| item.id).try_for_each(|below| match depth {
            1 => {
                self.take(below, owner);
                Ok(())
            }
            _ => self.list(below, depth - 1, owner),
        })
    }

    /// Returns the build that alone has a chunk, by its index among `count` builds.
    fn build_of(&self, key: &ChunkKey, count: usize) -> Option<usize> {
        let owner = *self.by_key.get(&start_of(&key.0))? as usize;
        (owner < count).then_some(owner)
    }

    fn count(&self, alone: &mut [Alone]) -> Result<()> {
        let catalogue = self.vault.store().catalogue();
        // Chunks of one build to which those of others are differences, and what these are differences to in turn.
        let mut needed: HashSet<ChunkKey> = HashSet::new();
        let mut bases: Vec<ChunkKey> = Vec::new();
        catalogue.for_each_chunk(&mut |key, place| {
            self.progress.check()?;
            let owner = self.build_of(&key, alone.len());
            for base in &place.bases {
                let owner_of_base = self.build_of(base, alone.len());
                if owner_of_base.is_some() && owner_of_base != owner && needed.insert(*base) {
                    bases.push(*base);
                }
            }
            if let Some(owner) = owner {
                alone[owner].unique_bytes += u64::from(place.plain_len);
                alone[owner].unique_stored_bytes += entry_len(1, place.stored_len.into(), place.bases.len() as u64);
            }
            Ok(())
        })?;
        while let Some(key) = bases.pop() {
            let Some(place) = catalogue.chunk(key)? else { continue };
            if let Some(owner) = self.build_of(&key, alone.len()) {
                alone[owner].needed_bytes += entry_len(1, place.stored_len.into(), place.bases.len() as u64);
            }
            bases.extend(place.bases.iter().filter(|base| needed.insert(**base)));
        }
        for one in alone {
            one.freed_bytes = one.unique_stored_bytes.saturating_sub(one.needed_bytes);
        }
        Ok(())
    }
}

fn start_of(id: &[u8]) -> u64 {
    u64::from_le_bytes(id[..8].try_into().expect("8 of at least 16 bytes"))
}
