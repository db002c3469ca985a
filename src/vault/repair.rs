//! The catalogue is made anew from packs alone.

use super::feedback::INDEX;
use super::{CATALOGUE, Vault, lock};
use crate::catalogue::{Build, Catalogue, Milestone, NewChunk, NewPack, PackTime, Playtest, Record};
use crate::disk::{Disk, LocalDisk};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BuildNumber, PackId};
use crate::manifest::Timestamp;
use crate::name::RefName;
use crate::progress::Progress;
use crate::store::{CacheSizes, EntryKind, Store, create_pack_folders, read_entry, read_index, read_time};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// The catalogue while it is being built.
const REBUILT: &str = "catalogue.rebuilt";

/// The highest number or serial that is believed: those of SQLite end at 2^63, and some must be left to give out.
const MAX_NUMBER: u64 = 1 << 62;

/// What a repair did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct RepairReport {
    /// Packs read.
    pub packs: u64,
    /// Chunks indexed.
    pub chunks: u64,
    /// Builds found.
    pub builds: u64,
    /// Milestones found.
    pub milestones: u64,
    /// Playtests found.
    pub playtests: u64,
    /// What was damaged, and what was done about it; one sentence each.
    pub problems: Vec<String>,
}

impl Vault {
    /// Rebuilds the catalogue of the vault in `dir` from its packs, and puts it in the place of the old one.
    ///
    /// No pack is changed; one is added when builds that were never published get names of their own. The old catalogue
    /// is replaced at the very end, at once.
    ///
    /// # Errors
    /// `NotFound` if `dir` holds no vault, `Busy` while anybody uses it, `NoSpace` or `Io` from the disk.
    pub fn repair(dir: &Path, progress: &Progress) -> Result<RepairReport> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        Vault::repair_on(Arc::new(LocalDisk::new(&dir)), progress)
    }

    /// Rebuilds the catalogue of the vault on `disk`.
    ///
    /// # Errors
    /// As [`Vault::repair`].
    pub fn repair_on(disk: Arc<dyn Disk>, progress: &Progress) -> Result<RepairReport> {
        let _lock = lock(&*disk, &disk.absolute(Path::new("")), true)?;
        remove_database(&*disk, REBUILT)?;
        let mut report = RepairReport::default();
        disk.create(Path::new(REBUILT))?;
        let catalogue = Arc::new(Catalogue::create(&disk.absolute(Path::new(REBUILT)))?);
        let records = index_packs(&*disk, &catalogue, progress, &mut report)?;
        publish_records(&disk, &catalogue, records, &mut report)?;
        catalogue.checkpoint()?;
        drop(catalogue);
        // Playtests have other numbers now: the index over feedback is made anew when it is needed.
        remove_database(&*disk, INDEX)?;
        remove_database(&*disk, CATALOGUE)?;
        disk.rename(Path::new(REBUILT), Path::new(CATALOGUE))?;
        disk.sync_dir(Path::new(""))?;
        Ok(report)
    }
}

/// Removes a database, and what SQLite has beside it.
pub(super) fn remove_database(disk: &dyn Disk, name: &str) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match disk.remove(Path::new(&format!("{name}{suffix}"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn index_packs(
    disk: &dyn Disk,
    catalogue: &Catalogue,
    progress: &Progress,
    report: &mut RepairReport,
) -> Result<Vec<Record>> {
    let mut packs = Store::packs_on_disk(disk)?;
    // In the order in which they were registered; one that cannot be opened is told of below.
    packs.sort_by_cached_key(|(_, path, _)| disk.open(path).and_then(|file| read_time(&*file)).unwrap_or_default());
    progress.add_total(packs.len() as u64, packs.iter().map(|(.., len)| len).sum());
    let mut records = Vec::new();
    for (id, path, len) in packs {
        progress.check()?;
        match index_pack(disk, id, &path, len, &mut records, &mut report.problems) {
            Ok(pack) => {
                report.packs += 1;
                report.chunks += pack.chunks.len() as u64;
                catalogue.register(&[pack], &[], &[])?;
            }
            Err(error) => report.problems.push(format!("pack {id} is left out: {error}")),
        }
        progress.add_files(1);
        progress.add_bytes(len);
    }
    // Nobody can read these, so nobody must take them for stored.
    catalogue.remove_baseless()?;
    Ok(records)
}

fn index_pack(
    disk: &dyn Disk,
    id: PackId,
    path: &Path,
    len: u64,
    records: &mut Vec<Record>,
    problems: &mut Vec<String>,
) -> Result<NewPack> {
    let file = disk.open(path)?;
    let index = read_index(&*file, id)?;
    if let Some(damage) = index.damage {
        problems.push(format!("{damage}; {} of its entries could be read one by one", index.entries.len()));
    }
    let mut chunks = Vec::new();
    for entry in &index.entries {
        match entry.kind {
            EntryKind::Chunk | EntryKind::Anew => chunks.push(NewChunk {
                id: entry.id,
                offset: entry.offset,
                stored_len: entry.stored_len,
                plain_len: entry.plain_len,
                encoding: entry.encoding as u8,
                bases: entry.bases.clone(),
                is_anew: entry.kind == EntryKind::Anew,
            }),
            EntryKind::Record => match read_entry(&*file, entry, &[]).and_then(|plain| parse_record(&plain)) {
                Ok(record) => records.push(record),
                Err(error) => problems.push(format!("pack {id}: a record is lost: {error}")),
            },
        }
    }
    Ok(NewPack { id, bytes: len, sealed: index.sealed, chunks })
}

fn parse_record(plain: &[u8]) -> Result<Record> {
    let record =
        serde_json::from_slice(plain).map_err(|error| Error::corrupt(format!("it cannot be read: {error}")))?;
    let number = match &record {
        Record::Build(build) => build.number.0,
        Record::Playtest(playtest) => playtest.build.0,
        Record::Milestone(milestone) => milestone.serial,
        Record::FeedbackBatch(batch) => batch.order,
        Record::Deployment(deployment) => deployment.serial,
        Record::MilestoneRemoved { serial, .. }
        | Record::BuildForgotten { serial, .. }
        | Record::BuildRecalled { serial, .. }
        | Record::BuildRemoved { serial, .. } => *serial,
    };
    match number {
        1..=MAX_NUMBER => Ok(record),
        _ => Err(Error::corrupt(format!("it has the number {number}, which no build or milestone gets"))),
    }
}

fn publish_records(
    disk: &Arc<dyn Disk>,
    catalogue: &Arc<Catalogue>,
    records: Vec<Record>,
    report: &mut RepairReport,
) -> Result<()> {
    let (playtests, records) = take_playtests(records);
    let forgetting = forgetting(&records);
    let feedback = feedback(&records);
    let (builds, milestones, last_serial) = sort_records(records);
    let (builds, renamed) = place_builds(builds, &mut report.problems)?;
    catalogue.publish(|publish| {
        if !renamed.is_empty() {
            publish.add_pack(&write_anew(disk, catalogue, &renamed, publish.next_pack_time()?)?)?;
        }
        let (mut numbers, mut marked) = (HashSet::new(), HashSet::new());
        for build in builds {
            numbers.insert(build.number);
            report.builds += 1;
            publish.add_record(&Record::Build(Box::new(build)))?;
        }
        // Removals count as well. First, for there may be a milestone of this name.
        let (name, created) = (RefName::new("none")?, Timestamp::now());
        publish.add_record(&Record::MilestoneRemoved { name, serial: last_serial, created })?;
        for milestone in milestones {
            if !numbers.contains(&milestone.build) {
                let message = format!("the milestone {} is lost: its build {} is", milestone.name, milestone.build);
                report.problems.push(message);
                continue;
            }
            report.milestones += 1;
            marked.insert(milestone.build);
            publish.add_record(&Record::Milestone(Box::new(milestone)))?;
        }
        for playtest in playtests {
            if !numbers.contains(&playtest.build) {
                let message = format!("playtest {} is kept, but its build {} is lost", playtest.id, playtest.build);
                report.problems.push(message);
            }
            report.playtests += 1;
            publish.add_record(&Record::Playtest(Box::new(playtest)))?;
        }
        for record in feedback {
            publish.add_record(&record)?;
        }
        // Last: a build that is forgotten has its place and its id among the others.
        for record in &forgetting {
            match record {
                Record::BuildForgotten { build, .. } if marked.contains(build) => {
                    report.problems.push(format!("build {build} stays, though it was forgotten: a milestone marks it"));
                }
                record => publish.add_record(record)?,
            }
        }
        Ok(())
    })
}

/// Returns what was forgotten, recalled and removed, in that order.
///
/// A serial stands on several records when a process was killed before it published: the newest one was.
fn forgetting(records: &[Record]) -> Vec<Record> {
    let mut by_serial: BTreeMap<u64, (Timestamp, &Record)> = BTreeMap::new();
    for record in records {
        let (Record::BuildForgotten { serial, created, .. }
        | Record::BuildRecalled { serial, created, .. }
        | Record::BuildRemoved { serial, created, .. }) = record
        else {
            continue;
        };
        let known = by_serial.entry(*serial).or_insert((*created, record));
        if known.0 < *created {
            *known = (*created, record);
        }
    }
    by_serial.into_values().map(|(_, record)| record.clone()).collect()
}

/// Returns the imports of feedback, each as its last revision has it, and the deployments.
///
/// Of several with one place the newest was published: the others were written by processes that were killed before.
fn feedback(records: &[Record]) -> Vec<Record> {
    let (mut batches, mut deployments) = (BTreeMap::new(), BTreeMap::new());
    for record in records {
        match record {
            Record::FeedbackBatch(batch) => {
                let known = batches.entry(batch.order).or_insert(((batch.revision, batch.created), record));
                if known.0 < (batch.revision, batch.created) {
                    *known = ((batch.revision, batch.created), record);
                }
            }
            Record::Deployment(deployment) => {
                let known = deployments.entry(deployment.serial).or_insert((deployment.recorded, record));
                if known.0 < deployment.recorded {
                    *known = (deployment.recorded, record);
                }
            }
            _ => {}
        }
    }
    let batches = batches.into_values().map(|(_, record)| record);
    batches.chain(deployments.into_values().map(|(_, record)| record)).cloned().collect()
}

/// Takes the playtests out of the records, each once, in the order in which they ended.
fn take_playtests(records: Vec<Record>) -> (Vec<Playtest>, Vec<Record>) {
    let mut playtests = BTreeMap::new();
    let mut others = Vec::new();
    for record in records {
        match record {
            // A process that was killed before it published wrote a record of a play that was then kept once more.
            Record::Playtest(playtest) => drop(playtests.insert(playtest.id.folded(), *playtest)),
            other => others.push(other),
        }
    }
    let mut playtests: Vec<Playtest> = playtests.into_values().collect();
    playtests.sort_by(|a, b| (a.ended, a.id.as_str()).cmp(&(b.ended, b.id.as_str())));
    (playtests, others)
}

/// Returns the builds, the milestones as their last records say, and the highest serial.
///
/// When several records have one serial, the newest counts: the others were written by processes that were killed before
/// they published, and so the serial was given out again.
fn sort_records(records: Vec<Record>) -> (Vec<Build>, Vec<Milestone>, u64) {
    let mut builds = Vec::new();
    let mut by_serial: BTreeMap<u64, (Timestamp, RefName, Option<Milestone>)> = BTreeMap::new();
    let mut note = |serial: u64, created: Timestamp, name: RefName, milestone: Option<Milestone>| {
        if by_serial.get(&serial).is_none_or(|(other, ..)| *other < created) {
            by_serial.insert(serial, (created, name, milestone));
        }
    };
    for record in records {
        match record {
            Record::Build(build) => builds.push(*build),
            Record::Milestone(milestone) => {
                note(milestone.serial, milestone.recorded(), milestone.name.clone(), Some(*milestone));
            }
            Record::MilestoneRemoved { name, serial, created } => note(serial, created, name, None),
            Record::Playtest(_)
            | Record::FeedbackBatch(_)
            | Record::Deployment(_)
            | Record::BuildForgotten { .. }
            | Record::BuildRecalled { .. }
            | Record::BuildRemoved { .. } => {}
        }
    }
    let last_serial = by_serial.keys().next_back().copied().unwrap_or(0);
    let mut by_name = BTreeMap::new();
    for (_, name, milestone) in by_serial.into_values() {
        by_name.insert(name.folded(), milestone);
    }
    let mut milestones: Vec<Milestone> = by_name.into_values().flatten().collect();
    milestones.sort_by_key(|milestone| milestone.serial);
    (builds, milestones, last_serial)
}

/// Writes builds under their new names to a pack, so that the next repair finds them under the same.
fn write_anew(
    disk: &Arc<dyn Disk>,
    catalogue: &Arc<Catalogue>,
    renamed: &[Build],
    sealed: PackTime,
) -> Result<NewPack> {
    create_pack_folders(&**disk)?;
    let records: Vec<Record> = renamed.iter().map(|build| Record::Build(Box::new(build.clone()))).collect();
    Store::new(disk.clone(), catalogue.clone(), &CacheSizes::OFF).write_records(&records, sealed)
}

/// Gives builds that were never published the next free numbers and ids, where theirs were given out again; returns all
/// builds, and those that have new names.
///
/// That happens when a process was killed between writing a record and publishing it: the record is whole, and the next
/// build got its number. So of several builds with one number the newest is the one that was published: it stays as it
/// is, and the others are kept beside it.
fn place_builds(mut builds: Vec<Build>, problems: &mut Vec<String>) -> Result<(Vec<Build>, Vec<Build>)> {
    builds.sort_by_key(|build| (build.number, std::cmp::Reverse(build.created)));
    let mut last = builds.last().map_or(0, |build| build.number.0);
    let mut placed: Vec<Build> = Vec::new();
    // Which build has an id, by the records so far: a later one may have taken it over.
    let mut ids: HashMap<String, BuildNumber> = HashMap::new();
    let mut strays = Vec::new();
    for build in builds {
        let is_taken = placed.last().is_some_and(|newer| newer.number == build.number);
        let owner = ids.get(&build.id.folded()).copied();
        let superseded = build.supersedes.as_ref().filter(|old| owner.is_none_or(|owner| owner == old.build));
        if is_taken || (owner.is_some() && superseded.is_none()) {
            strays.push(build);
            continue;
        }
        if let Some(old) = superseded {
            ids.insert(old.id.folded(), old.build);
        }
        ids.insert(build.id.folded(), build.number);
        placed.push(build);
    }
    // An earlier repair may have kept it already; then its record is there under the new name, too.
    strays.retain(|stray| !placed.iter().any(|kept| (kept.created, kept.root) == (stray.created, stray.root)));
    let mut renamed = Vec::new();
    for mut build in strays {
        let (number, id) = (build.number, build.id.clone());
        last += 1;
        build.number = BuildNumber(last);
        build.supersedes = None;
        if ids.insert(id.folded(), build.number).is_some() {
            let short: String = id.as_str().chars().take(40).collect();
            build.id = RefName::new(format!("{short}-recovered-{last}"))?;
            ids.insert(build.id.folded(), build.number);
        }
        problems.push(format!("build {number} ({id}) was never published; it is kept as build {last} ({})", build.id));
        renamed.push(build);
    }
    placed.extend_from_slice(&renamed);
    Ok((placed, renamed))
}
