//! The ways in which programs read: on and on, mapped, here and there, many small files, listings.

use super::{mix, seconds};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub const PAGE: usize = 4096;
const SEQUENTIAL_LEN: usize = 128 << 10;
/// What a file manager reads of each file, to tell what it is.
const HEAD_LEN: usize = 1024;

/// What some reads at random cost.
pub struct Latencies {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub per_second: f64,
}

/// Returns the MB/s at which a file is read from end to end.
pub fn sequential(path: &Path) -> f64 {
    let (wall, bytes) = seconds(|| read_whole(path, &mut vec![0; SEQUENTIAL_LEN]));
    bytes as f64 / 1e6 / wall
}

/// Returns the MB/s at which every page of a file is touched in order through a mapping.
pub fn mapped(path: &Path) -> f64 {
    let file = File::open(path).expect("the file opens");
    let len = file.metadata().expect("the file can be looked at").len() as usize;
    let size = NonZeroUsize::new(len).expect("the file has bytes");
    // SAFETY: a new mapping of its own, which nobody writes to and nobody keeps after this function.
    let start = unsafe { mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0) };
    let start = start.expect("the file can be mapped");
    let (wall, sum) = seconds(|| {
        // SAFETY: every offset lies inside the mapping.
        let byte = |offset| unsafe { start.cast::<u8>().add(offset).read_volatile() };
        (0..len).step_by(64).map(|offset| u64::from(byte(offset))).sum::<u64>()
    });
    std::hint::black_box(sum);
    // SAFETY: it was mapped above with this length.
    unsafe { munmap(start, len) }.expect("the mapping can be removed");
    len as f64 / 1e6 / wall
}

/// Reads `count` pages at random places of a file by `readers` threads; no page is read twice.
pub fn random(path: &Path, count: usize, readers: usize) -> Latencies {
    let file = File::open(path).expect("the file opens");
    let pages = file.metadata().expect("the file can be looked at").len() / PAGE as u64;
    let mut order: Vec<u64> = (0..pages).collect();
    order.sort_by_cached_key(|&page| mix(page));
    order.truncate(count);
    let read = |pages: &[u64]| {
        let mut buf = [0; PAGE];
        let one = |&page: &u64| {
            let start = Instant::now();
            file.read_exact_at(&mut buf, page * PAGE as u64).expect("the file can be read");
            start.elapsed().as_secs_f64() * 1e3
        };
        pages.iter().map(one).collect::<Vec<f64>>()
    };
    let share = order.len().div_ceil(readers);
    let (wall, mut costs) = seconds(|| {
        std::thread::scope(|scope| {
            let running: Vec<_> = order.chunks(share).map(|pages| scope.spawn(|| read(pages))).collect();
            running.into_iter().flat_map(|reader| reader.join().expect("readers end well")).collect::<Vec<f64>>()
        })
    });
    let per_second = costs.len() as f64 / wall;
    Latencies { p50_ms: percentile(&mut costs, 0.5), p99_ms: percentile(&mut costs, 0.99), per_second }
}

/// Returns the value below which `share` of the values lie.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// Reads files from end to end; returns the files and the MB of a second.
pub fn whole_files<'a>(paths: impl IntoIterator<Item = &'a PathBuf>, root: &Path) -> (f64, f64) {
    let mut buf = vec![0; SEQUENTIAL_LEN];
    let (wall, (files, bytes)) = seconds(|| {
        let read = |(files, bytes), path: &PathBuf| (files + 1, bytes + read_whole(&root.join(path), &mut buf));
        paths.into_iter().fold((0u64, 0), read)
    });
    (files as f64 / wall, bytes as f64 / 1e6 / wall)
}

/// Returns the milliseconds that opening a file and reading its first byte takes, in the middle of all.
pub fn first_byte<'a>(paths: impl IntoIterator<Item = &'a PathBuf>, root: &Path) -> f64 {
    let first = |path: &PathBuf| {
        let path = root.join(path);
        let start = Instant::now();
        let file = File::open(path).expect("the file opens");
        file.read_at(&mut [0], 0).expect("the file can be read");
        start.elapsed().as_secs_f64() * 1e3
    };
    percentile(&mut paths.into_iter().map(first).collect::<Vec<_>>(), 0.5)
}

fn read_whole(path: &Path, buf: &mut [u8]) -> u64 {
    let file = File::open(path).expect("the file opens");
    let mut offset = 0;
    loop {
        match file.read_at(buf, offset).expect("the file can be read") {
            0 => return offset,
            len => offset += len as u64,
        }
    }
}

/// Does what a file manager does to show a tree: lists each folder, looks at each entry, reads the head of each file.
/// Returns the seconds.
pub fn browse(root: &Path) -> f64 {
    let mut open = vec![root.to_path_buf()];
    let mut head = [0; HEAD_LEN];
    let (wall, ()) = seconds(|| {
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).expect("the folder can be listed") {
                let path = entry.expect("the folder can be listed").path();
                let metadata = fs::symlink_metadata(&path).expect("the entry is there");
                if metadata.is_dir() {
                    open.push(path);
                } else if metadata.is_file() {
                    File::open(&path).and_then(|file| file.read_at(&mut head, 0)).expect("the file can be read");
                }
            }
        }
    });
    wall
}

/// Returns the seconds that a shell command takes with `folder` as its working folder; `codes` are those it may end with.
pub fn command(folder: &Path, line: &str, codes: &[i32]) -> f64 {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    let (wall, status) = seconds(|| shell.status().expect("there is a shell"));
    let code = status.code();
    assert!(code.is_some_and(|code| codes.contains(&code)), "`{line}` in {} ends with {code:?}", folder.display());
    wall
}

/// The paths of all regular files below `root`, relative to it, in the order in which a walk finds them by name.
pub fn relative_files(root: &Path) -> Vec<PathBuf> {
    let (mut paths, _) = super::files(root);
    paths.iter_mut().for_each(|path| *path = path.strip_prefix(root).expect("it was found below").to_path_buf());
    paths.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    paths
}

/// What the system says of a process.
pub struct Usage {
    /// Bytes that it handed to the system: what a FUSE file system answered.
    pub written: u64,
    pub cpu_seconds: f64,
    pub resident_mb: f64,
}

pub fn usage(process: u32) -> Usage {
    let read = |name: &str| fs::read_to_string(format!("/proc/{process}/{name}")).expect("the process runs");
    let number = |text: &str, name: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
        line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("it is a number")
    };
    let stat = read("stat");
    // The name, which stands first, may hold spaces; times are words 14 and 15 in hundredths, see proc(5).
    let words: Vec<&str> = stat.rsplit(')').next().expect("the name is in brackets").split_whitespace().collect();
    let ticks = |index: usize| words[index].parse::<f64>().expect("it is a number");
    Usage {
        written: number(&read("io"), "wchar:"),
        cpu_seconds: (ticks(11) + ticks(12)) / 100.0,
        resident_mb: number(&read("status"), "VmRSS:") as f64 * 1024.0 / 1e6,
    }
}
