//! How much room do the versions of a project take, and what does storing them cost, beside restic, borg and longtail?
//!
//! Every version is read back and compared with its source before its figures count.

mod support;

use gamevault::Vault;
use gamevault::content::Reader;
use gamevault::id::ChunkId;
use gamevault::manifest::{Content, EntryKind};
use gamevault::progress::Progress;
use gamevault::vault::{SnapshotOptions, SnapshotReport};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use support::peers::{Peer, peers};
use support::sets::{Hashes, Set, sets};
use support::{cpu_seconds, files, place, seconds};

/// Bytes that are read back and compared at once.
const COMPARED_LEN: usize = 4 << 20;

/// What storing one version did.
struct Step {
    version: String,
    logical: u64,
    changed: u64,
    vault: u64,
    cpu: f64,
    wall: f64,
}

/// All steps of a set, and the sizes of each peer's repository after each.
struct Outcome {
    name: String,
    is_iterating: bool,
    steps: Vec<Step>,
    peers: Vec<Option<Vec<u64>>>,
}

fn main() {
    let peers = peers();
    let outcomes: Vec<Outcome> = sets().iter().map(|set| measure(set, &peers)).collect();
    print_sets(&outcomes, &peers);
    println!("\n| set | version | logical MB | changed MB | vault MB | grown MB | CPU s | wall s |");
    println!("|---|---|---|---|---|---|---|---|");
    for outcome in &outcomes {
        let mut before = 0;
        for step in &outcome.steps {
            let Step { version, logical, changed, vault, cpu, wall } = step;
            let (logical, changed, grown) = (mb(*logical), mb(*changed), mb(*vault) - mb(before));
            let vault_mb = mb(*vault);
            println!(
                "| {} | {version} | {logical:.2} | {changed:.2} | {vault_mb:.2} | {grown:.2} | {cpu:.2} | {wall:.2} |",
                outcome.name
            );
            before = *vault;
        }
    }
}

fn measure(set: &Set, peers: &[Peer]) -> Outcome {
    let place = place();
    let dir = place.path().join("vault");
    drop(Vault::init(&dir).expect("a vault can be made"));
    let mut hashes = Hashes::default();
    let mut steps = Vec::new();
    let mut reports = Vec::new();
    for version in &set.versions {
        // Also leaves the source in the page cache, so that the clock is about the work and not the disk.
        let (logical, changed) = hashes.step(version);
        let before = cpu_seconds();
        // As the command does: opened for one snapshot, with nothing in the caches.
        let (wall, report) = seconds(|| {
            let vault = Vault::open(&dir).expect("the vault opens");
            vault.snapshot(version, &SnapshotOptions::default(), &Progress::new()).expect("the folder can be stored")
        });
        let cpu = cpu_seconds() - before;
        let name = version.file_name().expect("versions have names").to_string_lossy().into_owned();
        steps.push(Step { version: name, logical, changed, vault: files(&dir).1, cpu, wall });
        reports.push(report);
    }
    let vault = Vault::open(&dir).expect("the vault opens");
    for (version, report) in set.versions.iter().zip(&reports) {
        compare(vault.reader(), version, report);
    }
    eprintln!("{}: {} versions are stored and compared", set.name, steps.len());
    let sizes = |peer: &Peer| {
        let sizes = peer.sizes(place.path(), &set.versions);
        eprintln!("{}: {}", set.name, peer.name);
        sizes
    };
    let peers = peers.iter().map(sizes).collect();
    Outcome { name: set.name.clone(), is_iterating: set.is_iterating(), steps, peers }
}

/// Compares every byte of a build with the folder that it was made of.
fn compare(reader: &Reader, source: &Path, report: &SnapshotReport) {
    let compared = compare_directory(reader, report.build.root.id, source);
    assert_eq!(compared, report.files, "all files of the build are compared");
    if report.left_out_count == 0 {
        assert_eq!(compared, files(source).0.len() as u64, "all files of {} are in the build", source.display());
    }
}

/// Returns how many files were compared.
fn compare_directory(reader: &Reader, directory: ChunkId, source: &Path) -> u64 {
    let mut compared = 0;
    reader
        .for_each_entry(directory, &mut |entry| {
            let path = source.join(OsStr::from_bytes(entry.name.as_bytes()));
            match &entry.kind {
                EntryKind::File(content) => {
                    compare_file(reader, content, &path);
                    compared += 1;
                }
                EntryKind::Directory(directory) => compared += compare_directory(reader, directory.id, &path),
                EntryKind::Symlink(target) => {
                    let link = std::fs::read_link(&path).expect("the source is a link");
                    assert_eq!(link.as_os_str().as_bytes(), &**target, "{}", path.display());
                }
            }
            Ok(())
        })
        .expect("the build can be listed");
    compared
}

fn compare_file(reader: &Reader, content: &Content, path: &Path) {
    let mut file = File::open(path).expect("the source opens");
    let (mut stored, mut plain) = (vec![0; COMPARED_LEN], Vec::new());
    let mut offset = 0;
    loop {
        let len = reader.read_at(content, offset, &mut stored).expect("the build can be read");
        plain.clear();
        file.by_ref().take(COMPARED_LEN as u64).read_to_end(&mut plain).expect("the source can be read");
        assert!(stored[..len] == plain[..], "{} comes back otherwise, at {offset} or after", path.display());
        offset += len as u64;
        if len == 0 {
            return;
        }
    }
}

fn print_sets(outcomes: &[Outcome], peers: &[Peer]) {
    print!("| set | versions | logical MB | first MB | changed MB | vault MB | ratio | grown MB | changed : grown ");
    print!("| first MB/s a core | changed MB/s a core |");
    peers.iter().for_each(|peer| print!(" {0} MB | {0} ratio | {0} changed : grown |", peer.name));
    println!("\n|---|---|---|---|---|---|---|---|---|---|---|{}", "---|".repeat(3 * peers.len()));
    outcomes.iter().for_each(|outcome| print_row(&outcome.name, &[outcome], peers.len()));
    let iterating: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.is_iterating).collect();
    if iterating.len() > 1 {
        print_row(&format!("**the {} iterating sets**", iterating.len()), &iterating, peers.len());
    }
}

/// Prints the sums over `outcomes`.
fn print_row(name: &str, outcomes: &[&Outcome], peer_count: usize) {
    let steps = || outcomes.iter().flat_map(|outcome| &outcome.steps);
    let firsts = || outcomes.iter().map(|outcome| &outcome.steps[0]);
    let later = || outcomes.iter().flat_map(|outcome| &outcome.steps[1..]);
    let logical: u64 = steps().map(|step| step.logical).sum();
    let first: u64 = firsts().map(|step| step.logical).sum();
    let changed: u64 = later().map(|step| step.changed).sum();
    let last = |sizes: &[u64]| *sizes.last().expect("a set has versions");
    let sizes = outcomes.iter().map(|outcome| outcome.steps.iter().map(|step| step.vault).collect::<Vec<u64>>());
    let (vault, grown) =
        sizes.fold((0, 0), |(vault, grown), sizes| (vault + last(&sizes), grown + last(&sizes) - sizes[0]));
    let first_rate = mb(first) / firsts().map(|step| step.cpu).sum::<f64>();
    let later_rate = mb(changed) / later().map(|step| step.cpu).sum::<f64>();
    print!("| {name} | {} | {:.1} | {:.1} | {:.1} ", steps().count(), mb(logical), mb(first), mb(changed));
    print!("| **{:.2}** | **{:.2}** | {:.2} ", mb(vault), ratio(logical, vault), mb(grown));
    print!("| **{:.1}** | {first_rate:.0} | {later_rate:.0} |", ratio(changed, grown));
    for number in 0..peer_count {
        // A sum without one of its parts would not be one.
        match outcomes.iter().map(|outcome| outcome.peers[number].as_deref()).collect::<Option<Vec<&[u64]>>>() {
            Some(sizes) => {
                let total = sizes.iter().map(|sizes| last(sizes)).sum();
                let grown = sizes.iter().map(|sizes| last(sizes) - sizes[0]).sum();
                print!(" {:.1} | {:.2} | {:.1} |", mb(total), ratio(logical, total), ratio(changed, grown));
            }
            None => print!(" failed | | |"),
        }
    }
    println!();
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn ratio(of: u64, to: u64) -> f64 {
    of as f64 / to as f64
}
