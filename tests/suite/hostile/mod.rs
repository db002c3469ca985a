//! Every decoder is given bytes that were changed at random: it says that they are damaged or decodes, and never panics, hangs, takes
//! memory out of proportion, or hands out wrong bytes. `scripts/fuzz` does the same for minutes.

pub mod targets;

use crate::support::Scene;
use crate::support::mutate::mutate;
use crate::support::seed::{random, seed};
use gamevault::ErrorKind;
use gamevault::codec::{Encoding, MAX_PLAIN_LEN};
use gamevault::id::ChunkId;
use gamevault::manifest::{Content, ContentRoot, Directory, EntryKind, List, Page, Totals};
use gamevault::store::{Class, PackEntry, read_entry, read_index};
use rand::RngExt;
use std::fs;
use std::time::{Duration, Instant};
use targets::allocation::watched;
use targets::manifests::{entries, entry, nodes_of};
use targets::memory_disk::MemoryFile;
use targets::packs::sample_pack;
use targets::{DATA, TARGETS, Target};

/// Changed inputs for each target, and how long they may take in all: some open databases or make files.
const INPUTS: usize = 20_000;
const TIME: Duration = Duration::from_secs(4);

/// How long one input may take, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(20);

fn a_few_inputs(name: &str) {
    let target = Target::named(name).unwrap();
    let mut checker = target.warmed_up();
    let samples = checker.samples.clone();
    let mut random = random(seed());
    let start = Instant::now();
    for n in (0..INPUTS).take_while(|_| start.elapsed() < TIME) {
        let input = mutate(&samples[n % samples.len()], &mut random);
        let begun = Instant::now();
        target.try_input(&mut checker, &input);
        assert!(begun.elapsed() < PATIENCE, "an input takes {:?}", begun.elapsed());
    }
}

/// A test for each target, so that they run side by side.
macro_rules! targets {
    ($($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() {
                a_few_inputs($name);
            }
        )*

        #[test]
        fn every_target_has_its_test() {
            assert_eq!(TARGETS.map(|target| target.name), [$($name),*]);
        }
    };
}

targets! {
    packs "packs"
    recovery_data "recovery"
    encoded_chunks "chunks"
    opened_chunks "opened"
    encoders "encoders"
    streams_in_files "streams"
    directory_pages "directories"
    content_lists "lists"
    xattr_sets "xattrs"
    starts_of_programs "starts"
    trees_that_lie "trees"
    records "records"
    kept_json "kept-json"
    container_files "containers"
    shapes_of_payloads "shapes"
    feedback_of_trackers "feedback-json"
    feedback_tables "feedback-tables"
    feedback_of_crashes "feedback-crashes"
    files_of_settings "settings"
    projects_of_engines "projects"
    pictures "pictures"
    sounds "sounds"
    journals_of_sessions "journals"
    requests_of_games "receiver"
    files_of_a_vault "vault-files"
    words_of_people "words"
}

/// What once did harm: inputs that `scripts/fuzz` found, in a folder for each target.
#[test]
fn inputs_that_did_harm_once_do_none() {
    for folder in fs::read_dir(DATA.join("hostile")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let target = Target::named(&name).unwrap_or_else(|| panic!("{name} is no target"));
        let mut checker = target.warmed_up();
        for input in fs::read_dir(&folder).unwrap() {
            let path = input.unwrap().path();
            println!("{}", path.display());
            let begun = Instant::now();
            target.try_input(&mut checker, &fs::read(&path).unwrap());
            assert!(begun.elapsed() < PATIENCE, "it takes {:?}", begun.elapsed());
        }
    }
}

/// The catalogue's word on a chunk is no more to be believed than a pack's: a flipped bit once asked for 4 GB.
#[test]
fn places_of_chunks() {
    let sample = sample_pack();
    let file = MemoryFile::new(sample.bytes);
    let entries = read_index(&file, sample.id).unwrap().entries;
    let mut random = random(seed());
    for _ in 0..INPUTS {
        let mut entry: PackEntry = entries[random.random_range(0..entries.len())].clone();
        match random.random_range(0..4) {
            0 => entry.offset ^= 1 << random.random_range(0..32),
            1 => entry.stored_len ^= 1 << random.random_range(0..32),
            2 => entry.plain_len ^= 1 << random.random_range(0..32),
            _ => entry.encoding = if entry.encoding == Encoding::Raw { Encoding::Zstd } else { Encoding::Raw },
        }
        let (read, taken) = watched(|| read_entry(&file, &entry, &[]));
        assert!(taken.largest <= MAX_PLAIN_LEN + (64 << 10), "{} bytes were allocated at once", taken.largest);
        if let Ok(plain) = read {
            assert_eq!(plain, sample.chunks[&entry.id]);
        }
    }
}

// Locks keep readers out on Windows.
#[cfg(unix)]
#[test]
fn records_of_mounts() {
    use std::io::{Seek, Write};
    let scene = Scene::new();
    let path = scene.path("vault/run/mount-1-00000000.json");
    let mut file = fs::File::create(&path).unwrap();
    // As the process of a running mount holds it.
    file.lock().unwrap();
    let sound = br#"{"pid":1,"path":"game/mnt","since":{"secs":1700000000,"nanos":5}}"#;
    let mut random = random(seed());
    for _ in 0..300 {
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(&mutate(sound, &mut random)).unwrap();
        assert!(scene.vault.mounts().unwrap().len() <= 1);
    }
}

/// Numbers near 2^64 once made the reader's sums overflow, and a chain of index pages could be as long as a stack is not.
#[test]
fn manifests_that_lie_are_read_to_an_end() {
    let scene = Scene::new();
    let (store, reader) = (scene.vault.store(), scene.vault.reader());
    assert_huge_sums_are_refused();
    let mut id = store.put(&nodes_of(&entries(1))[0], Class::Tree).unwrap().id;
    for _ in 0..5_000 {
        let index = [&[0xD2, 1, 1, 1, b'0'], &id.0[..], &[1, 1, 1]].concat();
        id = store.put(&index, Class::Tree).unwrap().id;
    }
    assert_eq!(reader.lookup(id, b"00000").unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(reader.for_each_entry(id, &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Corrupt);
}

fn assert_huge_sums_are_refused() {
    let id = ChunkId::of(b"d");
    let directory = |totals| EntryKind::Directory(Directory { id, totals });
    let file = |size| EntryKind::File(Content { size, root: ContentRoot::Chunk(id) });
    let much = Totals { entries: u64::MAX - 1, files: 0, bytes: 0 };
    for kind in [directory(much), file(1 << 63), file(u64::MAX)] {
        let node = nodes_of(&[entry("a", kind)]).remove(0);
        assert_eq!(Page::decode(&node).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let mut list = vec![0xF1, 1, 2];
    for _ in 0..2 {
        list.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }
    assert_eq!(List::decode(&list).unwrap_err().kind(), ErrorKind::Corrupt);
}
