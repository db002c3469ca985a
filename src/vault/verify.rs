//! Whether everything that the vault promises is there.
//!
//! The structure is checked from both ends: every pack has a sound footer, and the catalogue says of its chunks, builds
//! and milestones what the pack says; every build's manifest can be read and every chunk that it names is known. With
//! `read_data`, every stored byte is decoded and hashed. What is wrong is told with the builds and paths that it touches.

use super::Vault;
use super::heal::HealedPacks;
use crate::catalogue::feedback::{Deployment, FeedbackBatch};
use crate::catalogue::{Build, ChunkPlace, Milestone, Playtest, Record, Superseded};
use crate::content::Extent;
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BuildNumber, ChunkId, PackId};
use crate::manifest::{self, Entry};
use crate::progress::Progress;
use crate::store::{EntryKind, PackEntry, Store, check_entry_header, read_entry, read_index};
use parking_lot::Mutex;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Paths that are named for one damaged chunk; more are counted.
const MAX_PATHS: usize = 8;

/// The way out for what only the catalogue has wrong.
const REBUILD: &str = "`gamevault repair` rebuilds it";

/// What is checked.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Only these builds and the chunks that they name; the whole vault when empty.
    pub builds: Vec<BuildNumber>,
    /// Read every byte, too.
    pub read_data: bool,
    /// Make again what is damaged, as far as there is recovery data or a second copy.
    pub repair: bool,
}

/// What was checked, and what is wrong.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct VerifyReport {
    /// Builds looked at.
    pub builds: u64,
    /// Files looked at; a folder that several builds share counts once.
    pub files: u64,
    /// Chunks looked at.
    pub chunks: u64,
    /// Packs looked at.
    pub packs: u64,
    /// Plain bytes that were decoded and hashed.
    pub bytes_checked: u64,
    /// What was made again, one sentence each.
    pub healed: Vec<String>,
    /// One sentence each: what is wrong, where, and which builds and paths it touches. Empty when all is well.
    pub problems: Vec<String>,
}

impl Vault {
    /// Checks the structure of the vault, and with `read_data` every byte.
    ///
    /// # Errors
    /// Only what keeps it from looking; damage that it finds stands in the report.
    pub fn verify(&self, options: &VerifyOptions, progress: &Progress) -> Result<VerifyReport> {
        let builds: Vec<Build> = match options.builds.as_slice() {
            [] => self.builds()?,
            numbers => self.builds()?.into_iter().filter(|build| numbers.contains(&build.number)).collect(),
        };
        // Before the packs: whatever is published meanwhile, what is said now is in one of those that are there then.
        let said = Said {
            milestones: self.milestones()?,
            playtests: self.playtests()?,
            batches: self.feedback_batches()?,
            deployments: self.deployments()?,
        };
        let check = Check {
            vault: self,
            progress,
            report: Mutex::default(),
            elsewhere: Mutex::default(),
            records: Mutex::default(),
            damaged: Mutex::default(),
            missing: Mutex::default(),
        };
        let whole_vault = options.builds.is_empty();
        let packs = if options.repair { self.heal_packs(progress)? } else { HealedPacks::default() };
        check.report.lock().healed.extend(packs.healed);
        if whole_vault {
            check.catalogue()?;
            check.packs(options.read_data)?;
            check.records(&builds, &said)?;
        }
        let mut trees: Vec<Tree> = builds.iter().map(Tree::of_build).collect();
        if whole_vault {
            trees.extend(said.playtests.iter().map(Tree::of_playtest));
            trees.extend(said.batches.iter().map(Tree::of_batch));
            // They can be recalled, so they must be whole.
            trees.extend(self.forgotten()?.iter().map(|forgotten| Tree::of_build(&forgotten.build)));
        }
        check.manifests(&trees, options.read_data && !whole_vault)?;
        if options.repair {
            check.heal_chunks()?;
        }
        // What was forgotten and cleaned up since then needs nothing any more.
        let there = check.roots()?;
        trees.retain(|tree| there.contains(&tree.root));
        check.name_damaged(&trees)?;
        if options.repair && whole_vault && options.read_data && check.report.lock().problems.is_empty() {
            // Of packs that were just read whole: recovery data of damage would keep it for ever.
            packs.unprotected.iter().try_for_each(|&id| self.store().protect(id))?;
        }
        let mut report = check.report.into_inner();
        report.builds = builds.len() as u64;
        Ok(report)
    }
}

/// What the catalogue says beside builds.
struct Said {
    milestones: Vec<Milestone>,
    playtests: Vec<Playtest>,
    batches: Vec<FeedbackBatch>,
    deployments: Vec<Deployment>,
}

/// A tree whose manifest is checked.
struct Tree {
    /// What it is, in a word.
    kind: &'static str,
    id: String,
    root: ChunkId,
}

impl Tree {
    fn of_build(build: &Build) -> Tree {
        Tree { kind: "build", id: build.id.to_string(), root: build.root.id }
    }

    fn of_playtest(playtest: &Playtest) -> Tree {
        Tree { kind: "playtest", id: playtest.id.to_string(), root: playtest.root.id }
    }

    fn of_batch(batch: &FeedbackBatch) -> Tree {
        Tree { kind: "feedback import", id: batch.order.to_string(), root: batch.root.id }
    }
}

struct Check<'a> {
    vault: &'a Vault,
    progress: &'a Progress,
    report: Mutex<VerifyReport>,
    /// Chunks that the catalogue knows in another pack than one that holds them, by the number of that pack.
    elsewhere: Mutex<HashMap<i64, Vec<ChunkId>>>,
    /// What packs say of builds, milestones and playtests.
    records: Mutex<Vec<Record>>,
    /// Chunks that cannot be read, each with the reason.
    damaged: Mutex<HashMap<ChunkId, String>>,
    /// Those of them that no pack has.
    missing: Mutex<HashSet<ChunkId>>,
}

impl Check<'_> {
    fn problem(&self, problem: String) {
        self.report.lock().problems.push(problem);
    }

    fn catalogue(&self) -> Result<()> {
        for problem in self.vault.store().catalogue().integrity_problems()? {
            self.problem(format!("catalogue: {problem}; {REBUILD}"));
        }
        Ok(())
    }

    fn packs(&self, read_data: bool) -> Result<()> {
        let known = self.vault.store().catalogue().packs()?;
        let on_disk: HashMap<PackId, (PathBuf, u64)> =
            Store::packs_on_disk(&*self.vault.disk)?.into_iter().map(|(id, path, len)| (id, (path, len))).collect();
        self.progress.add_total(known.len() as u64, known.iter().map(|(.., len)| len).sum());
        known.par_iter().try_for_each(|(number, id, len)| {
            self.progress.check()?;
            let looked = match on_disk.get(id) {
                None if self.is_retired(*number)? => Ok(()),
                None => {
                    self.problem(format!("pack {id} is missing; put the file back if there is a copy of it"));
                    Ok(())
                }
                Some((path, actual)) => {
                    if actual != len {
                        self.problem(format!("pack {id} has {actual} bytes where {len} were written"));
                    }
                    self.pack(*number, *id, path, *actual, read_data)
                }
            };
            self.progress.add_files(1);
            match looked {
                Err(error) if error.kind() == ErrorKind::NotFound && self.is_retired(*number)? => Ok(()),
                looked => looked,
            }
        })?;
        let numbers: HashMap<i64, PackId> = known.iter().map(|(number, id, _)| (*number, *id)).collect();
        for (number, wanted) in std::mem::take(&mut *self.elsewhere.lock()) {
            // Registered since the packs were listed.
            let Some(id) = numbers.get(&number) else { continue };
            let path = on_disk.get(id).map(|(path, _)| path);
            let index = path.and_then(|path| read_index(&*self.vault.disk.open(path).ok()?, *id).ok());
            let held: HashSet<ChunkId> = index.iter().flat_map(|index| &index.entries).map(|entry| entry.id).collect();
            let missing: Vec<ChunkId> = wanted.into_iter().filter(|id| !held.contains(id)).collect();
            // What was moved or taken out since it was asked for is no damage.
            let places = self.vault.store().catalogue().chunks(&missing)?;
            let wrong = places.iter().flatten().filter(|place| place.pack == number).count();
            if wrong > 0 {
                self.problem(format!("catalogue: {wrong} chunks are in another pack than it says; {REBUILD}"));
            }
        }
        Ok(())
    }

    /// Tells whether a pack was taken out of the catalogue since it was listed: its file may be gone.
    fn is_retired(&self, number: i64) -> Result<bool> {
        match self.vault.store().catalogue().pack_id(number) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            found => found.map(|_| false),
        }
    }

    fn pack(&self, number: i64, id: PackId, path: &Path, len: u64, read_data: bool) -> Result<()> {
        self.report.lock().packs += 1;
        let file = self.vault.disk.open(path)?;
        let index = match read_index(&*file, id) {
            Ok(index) => index,
            Err(error) => {
                self.problem(error.to_string());
                return Ok(());
            }
        };
        if let Some(damage) = &index.damage {
            self.problem(format!("{damage}; `gamevault repair` reads what is whole"));
        }
        let unused = self.places(number, id, &index.entries)?;
        self.collect_records(&*file, &index.entries);
        if !read_data {
            self.progress.add_bytes(len);
            return Ok(());
        }
        // What `gc` took out may lack its bases, and nobody reads it.
        for entry in index.entries.iter().filter(|entry| !unused.contains(&entry.id)) {
            self.progress.check()?;
            // A header is needed only to save what is in a pack without a footer, and no file is touched by its loss.
            if let Err(error) = check_entry_header(&*file, entry) {
                self.problem(format!("pack {id}: {error}"));
            }
            match self.vault.store().read_entry(&*file, entry) {
                Ok(plain) => self.report.lock().bytes_checked += plain.len() as u64,
                Err(error) => {
                    self.damaged.lock().insert(entry.id, format!("pack {id}: {error}"));
                }
            }
            self.progress.add_bytes(entry.stored_len.into());
        }
        Ok(())
    }

    /// Compares what the catalogue says of the chunks of pack `number` with what the pack says; returns those that it does not
    /// know: if anything needs one, its manifest tells.
    fn places(&self, number: i64, pack: PackId, entries: &[PackEntry]) -> Result<HashSet<ChunkId>> {
        let chunks: Vec<&PackEntry> = entries.iter().filter(|entry| entry.kind.is_chunk()).collect();
        let ids: Vec<ChunkId> = chunks.iter().map(|entry| entry.id).collect();
        let wrong = |(entry, place): &(&&PackEntry, Option<ChunkPlace>)| match place {
            // What is stored anew takes the place of all that was stored before.
            Some(place) if place.pack < number && entry.kind == EntryKind::Anew => true,
            // A chunk that is in two packs is known in one of them; that one is asked later.
            Some(place) if place.pack != number => {
                self.elsewhere.lock().entry(place.pack).or_default().push(entry.id);
                false
            }
            Some(place) => {
                (place.offset, place.stored_len, place.plain_len, place.encoding, &place.bases)
                    != (entry.offset, entry.stored_len, entry.plain_len, entry.encoding as u8, &entry.bases)
            }
            None => false,
        };
        let places = self.vault.store().catalogue().chunks(&ids)?;
        let unknown = ids.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(id, _)| *id).collect();
        let wrong = chunks.iter().zip(places).filter(wrong).count();
        if wrong > 0 {
            self.problem(format!("catalogue: {wrong} chunks of pack {pack} are not where it says; {REBUILD}"));
        }
        Ok(unknown)
    }

    /// Remembers the records of a pack; one that cannot be read is told by whoever reads all data, or by its absence.
    fn collect_records(&self, file: &dyn DiskFile, entries: &[PackEntry]) {
        let plain =
            entries.iter().filter(|entry| entry.kind == EntryKind::Record).map(|entry| read_entry(file, entry, &[]));
        let parsed = plain.filter_map(|plain| serde_json::from_slice(&plain.ok()?).ok());
        self.records.lock().extend(parsed);
    }

    /// Compares what the catalogue says of builds, milestones and playtests with the records that packs keep.
    fn records(&self, builds: &[Build], said: &Said) -> Result<()> {
        let (mut known_builds, mut known_milestones) = (HashMap::new(), HashMap::new());
        let (mut known_playtests, mut known_batches, mut known_deployments) = (Vec::new(), Vec::new(), Vec::new());
        for record in std::mem::take(&mut *self.records.lock()) {
            match record {
                Record::Build(build) => known_builds.entry(build.number).or_insert_with(Vec::new).push(*build),
                Record::Milestone(milestone) => {
                    known_milestones.entry(milestone.serial).or_insert_with(Vec::new).push(*milestone);
                }
                Record::MilestoneRemoved { .. }
                | Record::BuildForgotten { .. }
                | Record::BuildRecalled { .. }
                | Record::BuildRemoved { .. } => {}
                Record::Playtest(playtest) => known_playtests.push(*playtest),
                Record::FeedbackBatch(batch) => known_batches.push(*batch),
                Record::Deployment(deployment) => known_deployments.push(*deployment),
            }
        }
        for playtest in &said.playtests {
            if !known_playtests.contains(playtest) {
                self.problem(format!("catalogue: no pack says of playtest {} what it says; {REBUILD}", playtest.id));
            }
        }
        for batch in &said.batches {
            if !known_batches.contains(batch) {
                let order = batch.order;
                self.problem(format!("catalogue: no pack says of feedback import {order} what it says; {REBUILD}"));
            }
        }
        for deployment in &said.deployments {
            if !known_deployments.contains(deployment) {
                let serial = deployment.serial;
                self.problem(format!("catalogue: no pack says of deployment {serial} what it says; {REBUILD}"));
            }
        }
        let said_of = |number: BuildNumber| known_builds.get(&number).map_or(&[][..], Vec::as_slice);
        for build in builds {
            let mut published = build.clone();
            let mut is_superseded = true;
            if let Some(by) = published.superseded_by.take() {
                // That another build took the id is told by that one's record.
                let here = Superseded { build: build.number, id: build.id.clone() };
                is_superseded = said_of(by).iter().any(|by| by.supersedes.as_ref() == Some(&here));
            }
            let is_told = |known: &Build| {
                published.id = if build.superseded_by.is_some() { known.id.clone() } else { build.id.clone() };
                *known == published
            };
            if !is_superseded || !said_of(build.number).iter().any(is_told) {
                self.problem(format!("catalogue: no pack says of build {} what it says; {REBUILD}", build.id));
            }
        }
        for milestone in &said.milestones {
            if !known_milestones.get(&milestone.serial).is_some_and(|known| known.contains(milestone)) {
                self.problem(format!(
                    "catalogue: no pack says of milestone {} what it says; {REBUILD}",
                    milestone.name
                ));
            }
        }
        Ok(())
    }

    /// Walks the manifests; every folder and every content list is read once, however many trees share it.
    fn manifests(&self, trees: &[Tree], read_data: bool) -> Result<()> {
        let mut visited = HashSet::new();
        let mut checked = HashSet::new();
        for tree in trees {
            let mut open = vec![(tree.root, String::new())];
            while let Some((id, path)) = open.pop() {
                self.progress.check()?;
                if !visited.insert(id) {
                    continue;
                }
                let listed = self.vault.reader().for_each_entry(id, &mut |entry| {
                    let path = format!("{path}{}", entry.name);
                    if let manifest::EntryKind::Directory(below) = &entry.kind {
                        open.push((below.id, format!("{path}/")));
                    }
                    self.entry(tree, entry, &path, read_data, &mut checked)
                });
                if let Err(error) = listed
                    && self.roots()?.contains(&tree.root)
                {
                    let path = if path.is_empty() { "its root folder" } else { &path };
                    self.problem(format!("{} {}: {path} cannot be listed: {error}", tree.kind, tree.id));
                }
            }
        }
        self.report.lock().chunks = match self.vault.store().catalogue().totals() {
            Ok(totals) => totals.chunks,
            Err(_) => checked.len() as u64,
        };
        Ok(())
    }

    fn entry(
        &self,
        tree: &Tree,
        entry: &Entry,
        path: &str,
        read_data: bool,
        checked: &mut HashSet<ChunkId>,
    ) -> Result<()> {
        if let Some(xattrs) = entry.attributes.xattrs
            && let Err(error) = self.vault.reader().xattrs(xattrs)
        {
            self.problem(format!("{} {}: the xattrs of {path} cannot be read: {error}", tree.kind, tree.id));
        }
        let manifest::EntryKind::File(content) = &entry.kind else { return Ok(()) };
        self.report.lock().files += 1;
        let mut wanted = Vec::new();
        let listed = self.vault.reader().for_each_extent(content, 0, content.size, &mut |extent: Extent| {
            wanted.extend(extent.id.filter(|id| checked.insert(*id)));
            Ok(())
        });
        if let Err(error) = listed {
            if self.roots()?.contains(&tree.root) {
                self.problem(format!("{} {}: the content of {path} cannot be listed: {error}", tree.kind, tree.id));
            }
            return Ok(());
        }
        for (id, place) in wanted.iter().zip(self.vault.store().catalogue().chunks(&wanted)?) {
            let problem = match place {
                None => {
                    self.missing.lock().insert(*id);
                    Some(Error::corrupt(format!("chunk {id} is in no pack that the catalogue knows")))
                }
                Some(_) if read_data => match self.vault.store().get_from_packs(*id) {
                    Ok(plain) => {
                        self.report.lock().bytes_checked += plain.len() as u64;
                        None
                    }
                    Err(error) => Some(error),
                },
                Some(_) => None,
            };
            if let Some(problem) = problem {
                self.damaged.lock().insert(*id, problem.to_string());
            }
        }
        Ok(())
    }

    /// Takes damaged chunks from second copies; what there is none of is stored again by the next snapshot that has it.
    fn heal_chunks(&self) -> Result<()> {
        let damaged: Vec<ChunkId> = self.damaged.lock().keys().copied().collect();
        if damaged.is_empty() {
            return Ok(());
        }
        let found: HashSet<ChunkId> = self.vault.heal_from_copies(&damaged, self.progress)?.into_iter().collect();
        self.damaged.lock().retain(|id, _| !found.contains(id));
        let healed = found.iter().map(|id| format!("chunk {id} was taken from a second copy"));
        self.report.lock().healed.extend(healed);
        let lost: Vec<ChunkId> = damaged.into_iter().filter(|id| !found.contains(id)).collect();
        for why in self.damaged.lock().values_mut() {
            why.push_str("; a snapshot of a folder that still has it brings it back");
        }
        if lost.is_empty() { Ok(()) } else { self.vault.give_up(&lost) }
    }

    /// Returns the roots of all trees that there are now.
    fn roots(&self) -> Result<HashSet<ChunkId>> {
        let mut roots: HashSet<ChunkId> = self.vault.builds()?.iter().map(|build| build.root.id).collect();
        roots.extend(self.vault.forgotten()?.iter().map(|forgotten| forgotten.build.root.id));
        roots.extend(self.vault.playtests()?.iter().map(|playtest| playtest.root.id));
        roots.extend(self.vault.feedback_batches()?.iter().map(|batch| batch.root.id));
        Ok(roots)
    }

    /// Tells for each damaged chunk which files of which builds and playtests need it.
    fn name_damaged(&self, trees: &[Tree]) -> Result<()> {
        let damaged = std::mem::take(&mut *self.damaged.lock());
        if damaged.is_empty() {
            return Ok(());
        }
        let mut touched: HashMap<ChunkId, (BTreeSet<String>, usize)> = HashMap::new();
        for tree in trees {
            let mut open = vec![(tree.root, String::new())];
            while let Some((id, folder)) = open.pop() {
                self.progress.check()?;
                // What cannot be listed was told already.
                let _ = self.vault.reader().for_each_entry(id, &mut |entry| {
                    let path = format!("{folder}{}", entry.name);
                    match &entry.kind {
                        manifest::EntryKind::Directory(below) => open.push((below.id, format!("{path}/"))),
                        manifest::EntryKind::Symlink(_) => {}
                        manifest::EntryKind::File(content) => {
                            let _ = self.vault.reader().for_each_extent(content, 0, content.size, &mut |extent| {
                                if let Some(id) = extent.id.filter(|id| damaged.contains_key(id)) {
                                    let (paths, more) = touched.entry(id).or_default();
                                    match paths.len() < MAX_PATHS {
                                        true => drop(paths.insert(format!("{}:{path}", tree.id))),
                                        false => *more += 1,
                                    }
                                }
                                Ok(())
                            });
                        }
                    }
                    Ok(())
                });
            }
        }
        for (id, why) in damaged {
            let touches = match touched.remove(&id) {
                None if self.missing.lock().contains(&id) => continue,
                None => "no file of the builds looked at needs it".to_owned(),
                Some((paths, more)) => {
                    let paths: Vec<String> = paths.into_iter().collect();
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    format!("it is part of {}{more}", paths.join(", "))
                }
            };
            self.problem(format!("{why}; {touches}"));
        }
        Ok(())
    }
}
