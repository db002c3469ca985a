//! What is set for each target platform in builds: the targets of a build, their settings, and how one setting changed.

use super::Vault;
use crate::catalogue::Build;
use crate::compare::find;
use crate::content::Reader;
use crate::error::{Error, Result};
use crate::id::{BuildNumber, ChunkId};
use crate::manifest::{Content, ContentRoot, Entry, EntryKind};
use crate::platform::{Cache, Effective, FileId, Item, Layout, MAX_FILE_LEN, Setting, Source, Target};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The most entries of a folder that are looked at: folders of settings have few, and one of a million assets is none.
const MAX_ENTRIES: usize = 20_000;

/// The most builds whose layouts are kept.
const MAX_LAYOUTS: usize = 256;

/// Reads what is set for the targets of builds, and keeps what it read: a file that builds share is read once, and builds
/// whose files are all the same are laid out once.
pub struct Platforms {
    reader: Arc<Reader>,
    cache: Cache,
    /// By the root of the build.
    layouts: Mutex<HashMap<ChunkId, Arc<Layout>>>,
}

/// A build in which a setting has another value than in the build before it that has the target.
#[derive(Debug, Clone)]
pub struct SettingChange {
    /// The build.
    pub build: BuildNumber,
    /// The target.
    pub target: Target,
    /// The whole key of the setting.
    pub key: Arc<str>,
    /// What it was; `None` if it was not set, or this is the first build.
    pub before: Option<Setting>,
    /// What it is; `None` if it is not set any more.
    pub after: Option<Setting>,
}

impl Vault {
    /// Returns what reads the settings of target platforms.
    pub fn platforms(&self) -> Platforms {
        Platforms { reader: self.reader().clone(), cache: Cache::default(), layouts: Mutex::default() }
    }
}

impl Platforms {
    /// Returns the projects that are in a build: the path of each, and its engine or `declared`.
    ///
    /// # Errors
    /// `Corrupt` if a manifest or a file is damaged.
    pub fn projects(&self, build: &Build) -> Result<Vec<(String, &'static str)>> {
        Ok(self.layout(build)?.projects().map(|(root, name)| (root.to_owned(), name)).collect())
    }

    /// Returns the targets of a build: those that its projects name, and the platform that it was made for.
    ///
    /// # Errors
    /// As [`Platforms::projects`].
    pub fn targets(&self, build: &Build) -> Result<Vec<Target>> {
        let found = self.layout(build)?.targets(&self.source(build), &self.cache)?;
        let own = build.info.platform.as_deref().and_then(|name| Target::new(name).ok());
        let targets: BTreeSet<Target> = found.into_iter().chain(own).collect();
        Ok(targets.into_iter().collect())
    }

    /// Returns all that is set for a target in a build; the build need not name the target.
    ///
    /// # Errors
    /// As [`Platforms::projects`].
    pub fn effective(&self, build: &Build, target: &Target) -> Result<Arc<Effective>> {
        self.layout(build)?.effective(&self.source(build), &self.cache, target)
    }

    /// Returns all that is set for each of some targets, in their order.
    ///
    /// # Errors
    /// As [`Platforms::projects`].
    pub fn effective_all(&self, build: &Build, targets: &[Target]) -> Result<Vec<Arc<Effective>>> {
        let layout = self.layout(build)?;
        targets.par_iter().map(|target| layout.effective(&self.source(build), &self.cache, target)).collect()
    }

    /// Returns for each target the newest of `builds` that has it. Looked at is the newest build of each platform that builds
    /// were made for, and the newest that was made for none.
    ///
    /// # Errors
    /// As [`Platforms::projects`].
    pub fn newest<'a>(
        &self,
        builds: impl DoubleEndedIterator<Item = &'a Build>,
    ) -> Result<BTreeMap<Target, &'a Build>> {
        let mut made_for = BTreeSet::new();
        let mut newest = BTreeMap::new();
        for build in builds.rev().filter(|build| made_for.insert(build.info.platform.as_deref())) {
            for target in self.targets(build)? {
                newest.entry(target).or_insert(build);
            }
        }
        Ok(newest)
    }

    /// Tells in which of `builds` the settings that `key` means have changed, for one target or for all.
    ///
    /// `key` is a whole key, or the end of one after a `/`, in any case. A build that does not have a target says nothing of
    /// it.
    ///
    /// # Errors
    /// As [`Platforms::projects`].
    pub fn history(&self, builds: &[Build], key: &str, target: Option<&Target>) -> Result<Vec<SettingChange>> {
        let mut known: BTreeMap<Target, BTreeMap<Arc<str>, Setting>> = BTreeMap::new();
        let mut seen: BTreeMap<Target, Arc<Effective>> = BTreeMap::new();
        let mut changes = Vec::new();
        for build in builds {
            let targets = match target {
                Some(target) if self.layout(build)?.projects().next().is_some() => vec![target.clone()],
                Some(_) => Vec::new(),
                None => self.targets(build)?,
            };
            for target in targets {
                let effective = self.effective(build, &target)?;
                // Of files that are all the same nothing has changed.
                if seen.insert(target.clone(), effective.clone()).is_some_and(|last| Arc::ptr_eq(&last, &effective)) {
                    continue;
                }
                let before = known.entry(target.clone()).or_default();
                let after: BTreeMap<Arc<str>, Setting> =
                    effective.matching(key).map(|setting| (setting.key.clone(), setting.clone())).collect();
                let keys: BTreeSet<Arc<str>> = before.keys().chain(after.keys()).cloned().collect();
                for key in keys {
                    let (was, is) = (before.get(&key), after.get(&key));
                    let is_same = was.zip(is).is_some_and(|(was, is)| was.is_same_value(is));
                    if !is_same {
                        let (build, target) = (build.number, target.clone());
                        changes.push(SettingChange { build, target, key, before: was.cloned(), after: is.cloned() });
                    }
                }
                *before = after;
            }
        }
        Ok(changes)
    }

    /// Returns how many files were read so far, because none with the same bytes was before.
    pub fn files_read(&self) -> u64 {
        self.cache.reads()
    }

    fn layout(&self, build: &Build) -> Result<Arc<Layout>> {
        if let Some(layout) = self.layouts.lock().get(&build.root.id) {
            return Ok(layout.clone());
        }
        let layout = Arc::new(Layout::discover(&self.source(build))?);
        let mut layouts = self.layouts.lock();
        if layouts.len() >= MAX_LAYOUTS {
            layouts.clear();
        }
        layouts.insert(build.root.id, layout.clone());
        Ok(layout)
    }

    fn source<'a>(&'a self, build: &Build) -> BuildSource<'a> {
        BuildSource { reader: &self.reader, root: build.root.id }
    }
}

/// The files of a build, as settings are read from them.
struct BuildSource<'a> {
    reader: &'a Reader,
    root: ChunkId,
}

impl BuildSource<'_> {
    fn find(&self, path: &str) -> Result<Option<Entry>> {
        find(self.reader, self.root, &path.split('/').collect::<Vec<_>>())
    }
}

impl Source for BuildSource<'_> {
    fn list(&self, path: &str) -> Result<Vec<Item>> {
        let directory = match path {
            "" => self.root,
            path => match self.find(path)?.map(|entry| entry.kind) {
                Some(EntryKind::Directory(directory)) => directory.id,
                _ => return Ok(Vec::new()),
            },
        };
        let mut items = Vec::new();
        let mut from = 0;
        while let Some(listing) = self.reader.list(directory, from)?.filter(|_| items.len() < MAX_ENTRIES) {
            for (_, entry) in listing.iter() {
                let Ok(name) = std::str::from_utf8(entry.name.as_bytes()) else { continue };
                let file = match &entry.kind {
                    EntryKind::Directory(_) => None,
                    EntryKind::File(content) => Some(FileId { id: id_of(content), size: content.size }),
                    EntryKind::Symlink(_) => continue,
                };
                items.push(Item { name: name.to_owned(), file });
            }
            from = listing.next();
        }
        Ok(items)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let Some(Entry { kind: EntryKind::File(content), .. }) = self.find(path)? else {
            return Err(Error::not_found(format!("{path} is no file of the build")));
        };
        let mut bytes = vec![0; content.size.min(MAX_FILE_LEN) as usize];
        let len = self.reader.read_at(&content, 0, &mut bytes)?;
        bytes.truncate(len);
        Ok(bytes)
    }
}

/// Returns what is the same for files with the same bytes.
fn id_of(content: &Content) -> ChunkId {
    match content.root {
        ContentRoot::Empty => ChunkId::of(b""),
        ContentRoot::Chunk(id) | ContentRoot::List { id, .. } => id,
    }
}
