//! Files that several programs have open at once, each in its own way: writers go past the kernel's cache, readers through
//! it, maps change it, and the background stores what is closed. All must see one file.

use crate::stage::{Fixture, Stage, map_and_write, noise};
use crate::support::seed::{random, seed};
use gamevault::mount::MountOptions;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const STEP_COUNT: usize = 3_000;
const MAX_LEN: u64 = 600_000;
const MAX_WAYS: usize = 4;
/// Longer than the background waits for quiet.
const PAUSE: Duration = Duration::from_millis(700);

/// One open file of somebody.
struct Way {
    file: File,
    reads: bool,
    writes: bool,
    appends: bool,
}

/// A file, what must be in it, and who has it open.
struct Shared {
    path: PathBuf,
    bytes: Vec<u8>,
    ways: Vec<Way>,
}

#[test]
fn a_file_that_is_open_in_many_ways_is_one_file() {
    let mut random = random(seed());
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    let first: Vec<Vec<u8>> = [0, 5_000, 400_000].map(|len| noise(len as u64, len)).into();
    for (index, bytes) in first.iter().enumerate() {
        fs::write(source.join(format!("f{index}")), bytes).unwrap();
    }
    fixture.snapshot(&source, "base");
    let Some(stage) = Stage::mount(fixture, &MountOptions::default()) else { return };
    fs::create_dir(stage.path(".snapshot/x@base")).unwrap();
    let shared =
        |(index, bytes)| Shared { path: stage.path(&format!(".snapshot/x/f{index}")), bytes, ways: Vec::new() };
    let mut files: Vec<Shared> = first.into_iter().enumerate().map(shared).collect();

    for number in 0..STEP_COUNT {
        if random.random_range(0..600) == 0 {
            files.iter_mut().for_each(|file| file.ways.clear());
            std::thread::sleep(PAUSE);
        }
        let index = random.random_range(0..files.len());
        files[index].step(&mut random, number);
    }
    for file in &mut files {
        file.check("at the end");
        file.ways.clear();
    }
    fs::rename(stage.path(".snapshot/x"), stage.path("builds/x")).unwrap();
    for (index, file) in files.iter().enumerate() {
        let built = fs::read(stage.path(&format!("builds/x/f{index}"))).unwrap();
        assert!(built == file.bytes, "f{index} of the build");
    }
}

impl Shared {
    fn step(&mut self, random: &mut SmallRng, number: usize) {
        if self.ways.is_empty() || (self.ways.len() < MAX_WAYS && random.random_range(0..10) == 0) {
            self.ways.push(Way::open(&self.path, random));
        }
        let chosen = random.random_range(0..self.ways.len());
        let way = &self.ways[chosen];
        let len = self.bytes.len() as u64;
        let place = format!("step {number} of {}", self.path.display());
        match random.random_range(0..90) {
            0..35 if way.writes => {
                let bytes = noise(number as u64, [1, 100, 4096, 5000, 70_000][random.random_range(0..5)]);
                let at = if random.random() { random.random_range(0..=len) } else { random.random_range(0..MAX_LEN) };
                let at = if way.appends { len } else { at };
                match way.appends {
                    true => (&way.file).write_all(&bytes).unwrap(),
                    false => way.file.write_all_at(&bytes, at).unwrap(),
                }
                self.put(at as usize, &bytes);
            }
            35..60 if way.reads && len > 0 => {
                let at = random.random_range(0..len) as usize;
                let want = &self.bytes[at..self.bytes.len().min(at + random.random_range(1..100_000))];
                let mut found = vec![0; want.len()];
                way.file.read_exact_at(&mut found, at as u64).unwrap();
                assert!(found == want, "{place}: other bytes somewhere in {} from {at}", want.len());
            }
            60..68 if way.writes => {
                let new = [0, random.random_range(0..MAX_LEN), len / 2][random.random_range(0..3)];
                way.file.set_len(new).unwrap();
                self.bytes.resize(new as usize, 0);
            }
            68..76 if way.reads && way.writes && len > 0 => {
                let at = random.random_range(0..len) as usize;
                let bytes = noise(number as u64, 3_000.min(self.bytes.len() - at));
                map_and_write(&way.file, at, &bytes).unwrap();
                self.put(at, &bytes);
            }
            76..84 => drop(self.ways.swap_remove(chosen)),
            84..90 => self.check(&place),
            _ => {}
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[at..end].copy_from_slice(bytes);
    }

    fn check(&self, place: &str) {
        assert_eq!(fs::metadata(&self.path).unwrap().len(), self.bytes.len() as u64, "{place}");
        assert!(fs::read(&self.path).unwrap() == self.bytes, "{place}: other bytes");
    }
}

impl Way {
    fn open(path: &Path, random: &mut SmallRng) -> Way {
        let (reads, writes, appends) = match random.random_range(0..5) {
            0 => (true, false, false),
            1 => (false, true, false),
            2 => (false, true, true),
            _ => (true, true, false),
        };
        let mut options = OpenOptions::new();
        let file = options.read(reads).write(writes && !appends).append(appends).open(path).unwrap();
        Way { file, reads, writes, appends }
    }
}
