//! A folder that is changed at random, as a game is from build to build.

use super::{noise, write};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns all files and links below `root`, in an order that does not depend on the system.
pub fn leaves(root: &Path) -> Vec<PathBuf> {
    let mut leaves = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => open.push(entry.path()),
                false => leaves.push(entry.path()),
            }
        }
    }
    leaves.sort();
    leaves
}

/// Bytes of some kind of game file: text, noise, or one byte over and over.
pub fn content(random: &mut SmallRng, max_len: usize) -> Vec<u8> {
    let len = match random.random_range(0..10) {
        0 => 0,
        1..=6 => random.random_range(1..=max_len.min(3_000)),
        _ => random.random_range(1..=max_len),
    };
    match random.random_range(0..3) {
        0 => noise(random.random(), len),
        1 => vec![random.random(); len],
        _ => format!("line {} of a level\n", random.random::<u16>()).bytes().cycle().take(len).collect(),
    }
}

/// Fills `root` with `count` files, none longer than `max_len`, in folders up to three deep.
pub fn make_random(root: &Path, random: &mut SmallRng, count: usize, max_len: usize) {
    fs::create_dir_all(root).unwrap();
    for number in 0..count {
        write(&root.join(new_name(random, number)), &content(random, max_len));
    }
}

fn new_name(random: &mut SmallRng, number: usize) -> PathBuf {
    let mut path = PathBuf::new();
    for _ in 0..random.random_range(0..4) {
        path.push(format!("folder{}", random.random_range(0..4)));
    }
    path.join(format!("file{number}-{:x}", random.random::<u32>()))
}

/// Changes `root` a few times: files are added, rewritten, lengthened, given other bytes inside, renamed, removed; modes
/// and times change, links and folders come and go.
pub fn edit_randomly(root: &Path, random: &mut SmallRng, edits: usize, max_len: usize) {
    for number in 0..edits {
        let leaves = leaves(root);
        let target = (!leaves.is_empty()).then(|| leaves[random.random_range(0..leaves.len())].clone());
        match target {
            Some(path) if random.random_range(0..5) > 0 => edit(root, &path, random, max_len),
            _ => write(&root.join(new_name(random, 10_000 + number)), &content(random, max_len)),
        }
    }
}

fn edit(root: &Path, path: &Path, random: &mut SmallRng, max_len: usize) {
    let is_file = fs::symlink_metadata(path).unwrap().is_file();
    match random.random_range(0..9) {
        0 => fs::remove_file(path).unwrap(),
        1 => {
            let to = root.join(new_name(random, 20_000));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::rename(path, to).unwrap();
        }
        2 => {
            // A folder takes the name.
            fs::remove_file(path).unwrap();
            write(&path.join("inner"), &content(random, max_len));
        }
        3 => make_link(root, random),
        4 => fs::create_dir_all(root.join(new_name(random, 30_000))).unwrap(),
        _ if !is_file => fs::remove_file(path).unwrap(),
        5 => set_mode_or_time(path, random),
        kind => {
            let mut bytes = fs::read(path).unwrap();
            let at = random.random_range(0..=bytes.len());
            match kind {
                6 => bytes.extend(content(random, max_len / 4)),
                7 => drop(bytes.splice(at..at, content(random, 2_000))),
                _ => bytes = content(random, max_len),
            }
            fs::write(path, bytes).unwrap();
        }
    }
}

#[cfg(unix)]
fn make_link(root: &Path, random: &mut SmallRng) {
    let link = root.join(new_name(random, 40_000));
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(format!("target{}", random.random::<u8>()), link).unwrap();
}

#[cfg(not(unix))]
fn make_link(_root: &Path, _random: &mut SmallRng) {}

fn set_mode_or_time(path: &Path, random: &mut SmallRng) {
    use gamevault::disk::host;
    if random.random() {
        let mode = [0o644, 0o600, 0o755, 0o700][random.random_range(0..4)];
        host::set_mode(path, mode).unwrap();
    } else {
        let secs = random.random_range(-1_000_000_000..3_000_000_000i64);
        let nanos = random.random_range(0..1_000_000_000u32) / 100 * 100;
        host::set_mtime(path, gamevault::manifest::Timestamp { secs, nanos }).unwrap();
    }
}
