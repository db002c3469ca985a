//! How near do reads that the kernel passes on to a hot copy come to those of the disk below?
//!
//! One large file, warm: from end to end, mapped, and 4 KiB at random places, on the disk, through a mount with passthrough
//! and through one without, in alternation. Then files of several sizes, each opened, read and closed again and again: what
//! a file must have for its copy to be worth the dearer open. Before that, files that have no copy yet are read through both
//! mounts: what does it cost a reader that the copy is made meanwhile?

mod support;

use gamevault::Vault;
use gamevault::mount::{MountOptions, mount};
use gamevault::progress::Progress;
use gamevault::vault::{MIN_HOT_LEN, Passthrough, SnapshotOptions};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{mix, noise, place, seconds};

const LARGE_LEN: u64 = 1 << 30;
const ROUNDS: u64 = 9;
const SEQUENTIAL_LEN: usize = 128 << 10;
const RANDOM_LEN: usize = 4 << 10;
const RANDOM_READS: u64 = 200_000;

/// A program that walks over data touches each line of the processor's cache.
const TOUCH_LEN: usize = 64;

/// Sizes of files that are opened often, in KiB; several of a size, so that none is open twice in a row.
const SIZES: [usize; 6] = [1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10];
const FILES: usize = 8;
const OPENS: usize = 200;

/// Files that are read while their copies are made.
const FRESH: [&str; 5] = ["fresh0", "fresh1", "fresh2", "fresh3", "fresh4"];
const FRESH_LEN: u64 = 128 << 20;

/// How long all copies may take.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let place = place();
    let source = place.path().join("source");
    make(&source);
    let vault = Vault::init(&place.path().join("vault")).expect("a vault can be made");
    let options = SnapshotOptions { id: Some("b".parse().expect("an id")), ..SnapshotOptions::default() };
    vault.snapshot(&source, &options, &Progress::new()).expect("the folder can be stored");
    let vault = Arc::new(vault);
    let mounted = |name: &str, passthrough| {
        let options = MountOptions { passthrough, ..MountOptions::default() };
        mount(vault.clone(), &place.path().join(name), &options).expect("it can be mounted")
    };
    let (plain, passed) = (mounted("plain", false), mounted("passed", true));
    assert_eq!(*passed.passthrough(), Passthrough::On, "this bench needs root and Linux 6.9");
    let roots = [source.clone(), passed.path().join("builds/b"), plain.path().join("builds/b")];
    fresh(&vault, &roots);
    wait_for_copies(&roots[1], &place.path().join("vault/cache/hot"));
    large(&roots.clone().map(|root| root.join("large")));
    sizes(&roots);
    for mounted in [plain, passed] {
        mounted.unmount().expect("nobody uses it");
    }
}

fn name_of(kib: usize, index: usize) -> String {
    format!("{kib}-{index}")
}

fn make(source: &Path) {
    make_half(&source.join("large"), LARGE_LEN, 0);
    for (index, name) in FRESH.iter().enumerate() {
        make_half(&source.join(name), FRESH_LEN, 1 + index as u64);
    }
    for kib in SIZES {
        for index in 0..FILES {
            support::write(&source.join(name_of(kib, index)), &noise((kib * FILES + index) as u64, kib << 10));
        }
    }
}

/// Makes a file of which half can be compressed.
fn make_half(path: &Path, len: u64, seed: u64) {
    support::write(path, b"");
    let file = File::options().write(true).open(path).expect("it was made");
    let step = 8 << 20;
    for n in 0..len / (2 * step) {
        let number = seed << 32 | n;
        file.write_all_at(&noise(number, step as usize), 2 * n * step).expect("it can be written");
        let repeated = noise(number, 1 << 10).repeat(step as usize >> 10);
        file.write_all_at(&repeated, (2 * n + 1) * step).expect("it can be written");
    }
}

fn fresh(vault: &Vault, [_, passed, plain]: &[PathBuf; 3]) {
    let mut values: [Vec<f64>; 2] = Default::default();
    for name in FRESH {
        for (root, values) in [plain, passed].into_iter().zip(&mut values) {
            vault.reader().clear_caches();
            values.push(sequential(&root.join(name), FRESH_LEN));
        }
    }
    let [plain, passed] = values.map(median);
    println!("| first read of {} MiB, MB/s, median of {} |  |", FRESH_LEN >> 20, FRESH.len());
    println!("|---|---|\n| mount without | {plain:.0} |\n| passthrough, while the copy is made | {passed:.0} |\n");
}

fn wait_for_copies(root: &Path, folder: &Path) {
    let files: Vec<PathBuf> =
        std::fs::read_dir(root).expect("a build").map(|entry| entry.expect("a file").path()).collect();
    let wanted =
        files.iter().filter(|file| std::fs::metadata(file).is_ok_and(|file| file.len() >= MIN_HOT_LEN)).count();
    let start = Instant::now();
    let count = || {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "copy")))
            .count()
    };
    while count() < wanted {
        for file in &files {
            drop(File::open(file).expect("it opens"));
        }
        std::thread::sleep(Duration::from_secs(1));
        assert!(start.elapsed() < PATIENCE, "{} of {wanted} copies are made", count());
    }
    println!("{wanted} copies made in {:.1} s\n", start.elapsed().as_secs_f64());
}

fn large(paths: &[PathBuf; 3]) {
    type Measure = fn(&Path) -> f64;
    let whole: Measure = |path| sequential(path, LARGE_LEN);
    let measures: [(&str, Measure); 4] = [
        ("sequential, MB/s", whole),
        ("mapped and touched, MB/s", mapped),
        ("4 KiB at random, reads/s", random),
        ("4 KiB at random places of a map, touches/s", mapped_random),
    ];
    println!(
        "| 1 GiB, warm, median of {ROUNDS} | disk | passthrough | ratio | mount without | ratio |\n|---|---|---|---|---|---|"
    );
    for (name, measure) in measures {
        let mut values: [Vec<f64>; 3] = Default::default();
        // The first round warms.
        for round in 0..=ROUNDS {
            for (path, values) in paths.iter().zip(&mut values) {
                let value = measure(path);
                if round > 0 {
                    values.push(value);
                }
            }
        }
        let [disk, passed, plain] = values.map(median);
        println!("| {name} | {disk:.0} | {passed:.0} | {:.2} | {plain:.0} | {:.2} |", passed / disk, plain / disk);
    }
    println!();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn sequential(path: &Path, len: u64) -> f64 {
    let file = File::open(path).expect("it opens");
    let mut buf = vec![0; SEQUENTIAL_LEN];
    let (seconds, ()) = seconds(|| {
        for offset in (0..len).step_by(SEQUENTIAL_LEN) {
            file.read_exact_at(&mut buf, offset).expect("it can be read");
        }
    });
    len as f64 / 1e6 / seconds
}

fn random(path: &Path) -> f64 {
    let file = File::open(path).expect("it opens");
    let mut buf = [0; RANDOM_LEN];
    let (seconds, ()) = seconds(|| {
        for n in 0..RANDOM_READS {
            file.read_exact_at(&mut buf, page(n)).expect("it can be read");
        }
    });
    RANDOM_READS as f64 / seconds
}

/// The place of the random read `n`.
fn page(n: u64) -> u64 {
    mix(n) % (LARGE_LEN / RANDOM_LEN as u64) * RANDOM_LEN as u64
}

fn mapped(path: &Path) -> f64 {
    let (seconds, ()) = seconds(|| {
        with_map(path, |bytes| {
            std::hint::black_box(bytes.iter().step_by(TOUCH_LEN).map(|&byte| u64::from(byte)).sum::<u64>());
        });
    });
    LARGE_LEN as f64 / 1e6 / seconds
}

fn mapped_random(path: &Path) -> f64 {
    let (seconds, ()) = seconds(|| {
        with_map(path, |bytes| {
            std::hint::black_box((0..RANDOM_READS).map(|n| u64::from(bytes[page(n) as usize])).sum::<u64>());
        });
    });
    RANDOM_READS as f64 / seconds
}

fn with_map(path: &Path, work: impl FnOnce(&[u8])) {
    let file = File::open(path).expect("it opens");
    let len = NonZeroUsize::new(LARGE_LEN as usize).expect("not zero");
    // SAFETY: the file is mapped to read, where the system chooses; nobody changes it.
    let map =
        unsafe { mmap(None, len, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0) }.expect("it can be mapped");
    // SAFETY: so many bytes are mapped until the end of this function.
    work(unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), len.get()) });
    // SAFETY: what `work` borrowed has ended.
    unsafe { munmap(map, len.get()) }.expect("it was mapped");
}

fn sizes(roots: &[PathBuf; 3]) {
    println!("| opened, read, closed: µs a file, warm | disk | passthrough | mount without |\n|---|---|---|---|");
    for kib in SIZES {
        let mut buf = vec![0; kib << 10];
        let mut open_all = |root: &Path| {
            let (seconds, ()) = seconds(|| {
                for n in 0..OPENS {
                    let file = File::open(root.join(name_of(kib, n % FILES))).expect("it opens");
                    file.read_exact_at(&mut buf, 0).expect("it can be read");
                }
            });
            seconds * 1e6 / OPENS as f64
        };
        let mut values: [Vec<f64>; 3] = Default::default();
        for round in 0..=ROUNDS {
            for (root, values) in roots.iter().zip(&mut values) {
                let value = open_all(root);
                if round > 0 {
                    values.push(value);
                }
            }
        }
        let [disk, passed, plain] = values.map(median);
        println!("| {} MiB | {disk:.0} | {passed:.0} | {plain:.0} |", kib as f64 / 1024.0);
    }
}
