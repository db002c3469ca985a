//! The catalogue is made anew from packs alone.

use super::{CATALOGUE, Vault, lock};
use crate::catalogue::{Build, Catalogue, Milestone, NewChunk, NewPack, Record};
use crate::disk::{Disk, LocalDisk};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BuildNumber, PackId};
use crate::name::RefName;
use crate::progress::Progress;
use crate::store::{EntryKind, Store, read_entry, read_index};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// The catalogue while it is being built.
const REBUILT: &str = "catalogue.rebuilt";

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
    /// What was damaged, and what was done about it; one sentence each.
    pub problems: Vec<String>,
}

impl Vault {
    /// Rebuilds the catalogue of the vault in `dir` from its packs, and puts it in the place of the old one.
    ///
    /// Packs are read only. The old catalogue is replaced at the very end, at once.
    ///
    /// # Errors
    /// `NotFound` if `dir` holds no vault, `Busy` while anybody uses it, `NoSpace` or `Io` from the disk.
    pub fn repair(dir: &Path, progress: &Progress) -> Result<RepairReport> {
        let dir = std::path::absolute(dir).map_err(|error| Error::io("find", dir, error))?;
        let disk = LocalDisk::new(&dir);
        let _lock = lock(&disk, &dir, true)?;
        remove_database(&disk, REBUILT)?;
        let mut report = RepairReport::default();
        disk.create(Path::new(REBUILT))?;
        let catalogue = Catalogue::create(&disk.absolute(Path::new(REBUILT)))?;
        let records = index_packs(&disk, &catalogue, progress, &mut report)?;
        publish_records(&catalogue, records, &mut report)?;
        catalogue.checkpoint()?;
        drop(catalogue);
        remove_database(&disk, CATALOGUE)?;
        disk.rename(Path::new(REBUILT), Path::new(CATALOGUE))?;
        disk.sync_dir(Path::new(""))?;
        Ok(report)
    }
}

fn remove_database(disk: &dyn Disk, name: &str) -> Result<()> {
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
    let packs = Store::packs_on_disk(disk)?;
    progress.add_total(packs.len() as u64, packs.iter().map(|(.., len)| len).sum());
    let mut records = Vec::new();
    for (id, path, len) in packs {
        progress.check()?;
        match index_pack(disk, id, &path, len, &mut records, &mut report.problems) {
            Ok(pack) => {
                report.packs += 1;
                report.chunks += pack.chunks.len() as u64;
                catalogue.register(&[pack], &[])?;
            }
            Err(error) => report.problems.push(format!("pack {id} is left out: {error}")),
        }
        progress.add_files(1);
        progress.add_bytes(len);
    }
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
            EntryKind::Chunk => chunks.push(NewChunk {
                id: entry.id,
                offset: entry.offset,
                stored_len: entry.stored_len,
                plain_len: entry.plain_len,
                encoding: entry.encoding as u8,
            }),
            EntryKind::Record => match read_entry(&*file, entry).and_then(|plain| parse_record(&plain)) {
                Ok(record) => records.push(record),
                Err(error) => problems.push(format!("pack {id}: a record is lost: {error}")),
            },
        }
    }
    Ok(NewPack { id, bytes: len, chunks })
}

fn parse_record(plain: &[u8]) -> Result<Record> {
    serde_json::from_slice(plain).map_err(|error| Error::corrupt(format!("it cannot be read: {error}")))
}

fn publish_records(catalogue: &Catalogue, records: Vec<Record>, report: &mut RepairReport) -> Result<()> {
    let (builds, milestones, last_serial) = sort_records(records);
    catalogue.publish(|publish| {
        let mut numbers = HashSet::new();
        for build in place_builds(builds, &mut report.problems)? {
            numbers.insert(build.number);
            report.builds += 1;
            publish.add_record(&Record::Build(Box::new(build)))?;
        }
        for milestone in milestones {
            if !numbers.contains(&milestone.build) {
                let message = format!("the milestone {} is lost: its build {} is", milestone.name, milestone.build);
                report.problems.push(message);
                continue;
            }
            report.milestones += 1;
            publish.add_record(&Record::Milestone(milestone))?;
        }
        // Removals count as well: a serial is never given out twice.
        let name = RefName::new("none")?;
        publish.add_record(&Record::MilestoneRemoved { name, serial: last_serial })
    })
}

/// Returns the builds by number and age, the milestones as their last records say, and the highest serial.
fn sort_records(records: Vec<Record>) -> (Vec<Build>, Vec<Milestone>, u64) {
    let mut builds = Vec::new();
    let mut by_name: BTreeMap<String, (u64, Option<Milestone>)> = BTreeMap::new();
    let mut last_serial = 0;
    let mut note = |name: &RefName, serial: u64, milestone: Option<Milestone>| {
        last_serial = last_serial.max(serial);
        let slot = by_name.entry(name.folded()).or_insert((serial, milestone.clone()));
        if slot.0 < serial {
            *slot = (serial, milestone);
        }
    };
    for record in records {
        match record {
            Record::Build(build) => builds.push(*build),
            Record::Milestone(milestone) => note(&milestone.name.clone(), milestone.serial, Some(milestone)),
            Record::MilestoneRemoved { name, serial } => note(&name, serial, None),
        }
    }
    builds.sort_by_key(|build: &Build| (build.number, build.created));
    let mut milestones: Vec<Milestone> = by_name.into_values().filter_map(|(_, milestone)| milestone).collect();
    milestones.sort_by_key(|milestone| milestone.serial);
    (builds, milestones, last_serial)
}

/// Gives builds whose number or id is taken by an older one the next free ones.
///
/// That happens when a process was killed between writing a record and publishing it: the record is whole, its number
/// was given out again. Both builds are kept.
fn place_builds(builds: Vec<Build>, problems: &mut Vec<String>) -> Result<Vec<Build>> {
    let mut last = builds.last().map_or(0, |build| build.number.0);
    let mut numbers = HashSet::new();
    let mut ids = HashSet::new();
    let mut placed = Vec::new();
    for mut build in builds {
        let was = (build.number, build.id.clone());
        if !numbers.insert(build.number) {
            last += 1;
            build.number = BuildNumber(last);
            numbers.insert(build.number);
        }
        while !ids.insert(build.id.folded()) {
            let short: String = was.1.as_str().chars().take(40).collect();
            build.id = RefName::new(format!("{short}-recovered-{}", build.number))?;
            if was.1 == build.id {
                break;
            }
        }
        if (build.number, &build.id) != (was.0, &was.1) {
            problems.push(format!("build {} ({}) was never published; it is kept as {}", was.0, was.1, build.id));
        }
        placed.push(build);
    }
    Ok(placed)
}
