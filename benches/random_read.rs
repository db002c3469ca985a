//! What does a read of 4 KiB cost when nothing is cached, and how fast is the newest version read from end to end?
//!
//! The caches of the process are emptied before each read; those of the system and of the database are warm. All of a read
//! happens in the thread that asks, so its CPU time is all that the read costs, whatever else the machine does. The limit
//! beside it is the same read of the plain file.

mod support;

use gamevault::Vault;
use gamevault::content::Reader;
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::fs::File;
use std::os::unix::fs::FileExt;
use support::sets::{Set, sets};
use support::stored::{Stored, collect};
use support::{noise, place, thread_cpu_seconds};

const READS: usize = 10_000;
const READ_LEN: usize = 4 << 10;

/// As much as the mount is asked for at once by a program that reads on.
const SEQUENTIAL_LEN: usize = 128 << 10;

fn main() {
    println!("4 KiB at {READS} random places of the newest version; CPU ms a read");
    print!("| set | versions | mean | median | p99 | worst | plain file, mean ");
    println!("| sequential MB/s a core, first pass | second pass |");
    println!("|---|---|---|---|---|---|---|---|---|");
    sets().iter().for_each(measure);
}

fn measure(set: &Set) {
    let place = place();
    let vault = Vault::init(&place.path().join("vault")).expect("a vault can be made");
    let mut newest = None;
    for version in &set.versions {
        let report = vault.snapshot(version, &SnapshotOptions::default(), &Progress::new());
        newest = Some((version, report.expect("the folder can be stored").build));
    }
    let (source, build) = newest.expect("a set has versions");
    let mut files = Vec::new();
    collect(vault.reader(), build.root.id, source, &mut files);
    let (mut reads, plain) = random(vault.reader(), &files);
    reads.sort_by(f64::total_cmp);
    let at = |share: f64| reads[((reads.len() - 1) as f64 * share) as usize];
    let [mean, plain] = [&reads, &plain].map(|values| values.iter().sum::<f64>() / READS as f64);
    vault.reader().clear_caches();
    let [first, second] = [(); 2].map(|()| sequential(vault.reader(), &files));
    print!("| {} | {} | {mean:.3} | {:.3} | {:.3} ", set.name, set.versions.len(), at(0.5), at(0.99));
    println!("| {:.3} | {plain:.4} | {first:.0} | {second:.0} |", at(1.0));
}

/// Returns the CPU milliseconds of each read from the vault, and from the plain file; every byte of the two is compared.
fn random(reader: &Reader, files: &[Stored]) -> (Vec<f64>, Vec<f64>) {
    // Where each file ends when all are laid one after the other: larger files are hit more often.
    let ends: Vec<u64> = files
        .iter()
        .scan(0, |end, file| {
            Some({
                *end += file.content.size;
                *end
            })
        })
        .collect();
    let total = *ends.last().expect("the newest version has bytes");
    let places = noise(READS as u64, READS * 8);
    let (mut stored, mut plain) = ([0; READ_LEN], [0; READ_LEN]);
    let mut costs = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    for place in places.chunks_exact(8) {
        let place = u64::from_le_bytes(place.try_into().expect("8 bytes")) % total;
        let index = ends.partition_point(|end| *end <= place);
        let Stored { content, path } = &files[index];
        // The system reads whole pages.
        let offset = (place - (ends[index] - content.size)) / READ_LEN as u64 * READ_LEN as u64;
        reader.clear_caches();
        let start = thread_cpu_seconds();
        let len = reader.read_at(content, offset, &mut stored).expect("the build can be read");
        costs.0.push((thread_cpu_seconds() - start) * 1e3);
        let file = File::open(path).expect("the source opens");
        let start = thread_cpu_seconds();
        let plain_len = file.read_at(&mut plain, offset).expect("the source can be read");
        costs.1.push((thread_cpu_seconds() - start) * 1e3);
        assert!(stored[..len] == plain[..plain_len], "{} comes back otherwise at {offset}", path.display());
    }
    costs
}

/// Returns the MB/s of one core.
fn sequential(reader: &Reader, files: &[Stored]) -> f64 {
    let mut buf = vec![0; SEQUENTIAL_LEN];
    let mut bytes = 0;
    let start = thread_cpu_seconds();
    for file in files {
        let mut offset = 0;
        while offset < file.content.size {
            offset += reader.read_at(&file.content, offset, &mut buf).expect("the build can be read") as u64;
        }
        bytes += offset;
    }
    bytes as f64 / 1e6 / (thread_cpu_seconds() - start)
}
