//! How fast is a build read when nothing of it is cached, beside the plain files on the same disk?
//!
//! `cold_read [FOLDER [VAULT]]`: FOLDER is a build, VAULT holds it as its newest one, or is made. Each case starts with the
//! vault just opened and the system's caches empty; vault and plain files take turns. The first round compares every byte.
//! All is read by the library: what a mount adds is another question. `decode` and `hash` are the same chunks decoded and
//! hashed in memory by one thread, each base once.

mod support;

use gamevault::Vault;
use gamevault::codec::dictionary::Dictionary;
use gamevault::codec::{Encoding, ZSTD_LEVEL, decode};
use gamevault::content::{Reader, Reading};
use gamevault::id::{ChunkId, ChunkKey};
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::stored::{Stored, collect};
use support::{best, cpu_seconds, files, game, memory, mix, place, seconds, thread_cpu_seconds};

const ROUNDS: usize = 3;
const ASSETS: usize = 1000;
const READ_LEN: usize = 4 << 10;

/// As much as the mount is asked for at once by a program that reads on.
const SEQUENTIAL_LEN: usize = 128 << 10;

/// As the mount reads for people.
const AHEAD: Reading = Reading::USING;

/// How long random reads go on.
const RANDOM_TIME: Duration = Duration::from_secs(2);

/// Decoding alone is measured on so many stored bytes at most: they are held in memory.
const MAX_DECODED: usize = 256 << 20;

/// Files that are read one after the other.
struct Case<'a> {
    name: &'static str,
    files: Vec<&'a Stored>,
}

fn main() {
    let place = place();
    let source = fs::canonicalize(game(place.path())).expect("the source is there");
    let given = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).nth(1);
    let dir = given.as_ref().map_or_else(|| place.path().join("vault"), PathBuf::from);
    if given.is_none() {
        let vault = Vault::init(&dir).expect("a vault can be made");
        vault.snapshot(&source, &SnapshotOptions::default(), &Progress::new()).expect("the folder can be stored");
    }
    let mut all = Vec::new();
    let vault = Vault::open(&dir).expect("the vault opens");
    let root = vault.build("latest").expect("it holds a build").root.id;
    collect(vault.reader(), root, &source, &mut all);
    let largest = all.iter().max_by_key(|file| file.content.size).expect("the build has files");
    let some = (0..ASSETS as u64).map(|n| &all[(mix(n) % all.len() as u64) as usize]);
    let cases = [
        Case { name: "largest file", files: vec![largest] },
        Case { name: "all files", files: all.iter().collect() },
        Case { name: "1000 files at random", files: some.collect() },
    ];
    println!("whole files, {} KiB a read; best of {ROUNDS}", SEQUENTIAL_LEN >> 10);
    println!(
        "| case | MB | files | vault s | plain s | vault MB/s | ratio | vault CPU s | decode s | hash s | CPU ratio | anonymous MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    cases.iter().for_each(|case| whole(&dir, case));
    println!();
    println!("4 KiB at random places of the largest file; best round by reads a second");
    println!("| readers | vault reads/s | p50 ms | p99 ms | plain reads/s | p50 ms | p99 ms | ratio |");
    println!("|---|---|---|---|---|---|---|---|");
    [1, 4].iter().for_each(|&readers| random(&dir, largest, readers));
}

/// Empties the system's caches: all of them when that is allowed, else of the files that will be read.
fn drop_caches(dir: &Path, case: &[&Stored]) {
    nix::unistd::sync();
    if fs::write("/proc/sys/vm/drop_caches", "3").is_ok() {
        return;
    }
    let (packs, _) = files(dir);
    for path in packs.iter().chain(case.iter().map(|file| &file.path)) {
        let file = File::open(path).expect("the file opens");
        let forget = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        nix::fcntl::posix_fadvise(file.as_fd(), 0, 0, forget).expect("the advice is known");
    }
}

fn whole(dir: &Path, case: &Case<'_>) {
    let bytes: u64 = case.files.iter().map(|file| file.content.size).sum();
    let (mut stored, mut plain, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        drop_caches(dir, &case.files);
        let vault = Vault::open(dir).expect("the vault opens");
        let before = cpu_seconds();
        stored.push(seconds(|| case.files.iter().for_each(|file| read_stored(vault.reader(), file, &mut |_| ()))).0);
        cpu.push(cpu_seconds() - before);
        drop_caches(dir, &case.files);
        plain.push(seconds(|| case.files.iter().for_each(|file| read_plain(file, &mut |_| ()))).0);
        if round == 0 {
            case.files.iter().for_each(|file| compare(vault.reader(), file));
        }
    }
    let anonymous = memory().anonymous;
    let (decode, hash, share) = decode_alone(dir, case);
    let [stored, plain, cpu] = [stored, plain, cpu].map(|values| best(&values));
    print!("| {} | {:.0} | {} | {stored:.2} | {plain:.2} ", case.name, bytes as f64 / 1e6, case.files.len());
    print!("| {:.0} | {:.2} | {cpu:.2} ", bytes as f64 / 1e6 / stored, plain / stored);
    print!("| {:.2} | {:.2} | {:.2} ", decode / share, hash / share, cpu * share / (decode + hash));
    println!("| {anonymous:.0} |");
}

fn read_stored(reader: &Reader, file: &Stored, visit: &mut dyn FnMut(&[u8])) {
    let mut buf = vec![0; SEQUENTIAL_LEN];
    let mut offset = 0;
    while offset < file.content.size {
        let len = reader.read(&file.content, offset, &mut buf, AHEAD).expect("the build can be read");
        visit(&buf[..len]);
        offset += len as u64;
    }
}

fn read_plain(file: &Stored, visit: &mut dyn FnMut(&[u8])) {
    let mut buf = vec![0; SEQUENTIAL_LEN];
    let source = File::open(&file.path).expect("the source opens");
    let mut offset = 0;
    loop {
        match source.read_at(&mut buf, offset).expect("the source can be read") {
            0 => return,
            len => {
                visit(&buf[..len]);
                offset += len as u64;
            }
        }
    }
}

fn compare(reader: &Reader, file: &Stored) {
    let mut hashes = [blake3::Hasher::new(), blake3::Hasher::new()];
    let [stored, plain] = &mut hashes;
    read_stored(reader, file, &mut |bytes| _ = stored.update(bytes));
    read_plain(file, &mut |bytes| _ = plain.update(bytes));
    assert!(stored.finalize() == plain.finalize(), "{} comes back otherwise", file.path.display());
}

/// Returns the CPU seconds of decoding the chunks of a case, of hashing them, and what share of its bytes that was.
fn decode_alone(dir: &Path, case: &Case<'_>) -> (f64, f64, f64) {
    let vault = Vault::open(dir).expect("the vault opens");
    let mut known = HashMap::new();
    let mut ids = Vec::new();
    let (mut bytes, mut stored_bytes) = (0, 0);
    'files: for file in &case.files {
        let mut more = Vec::new();
        let list = |more: &mut Vec<_>| {
            vault.reader().for_each_extent(&file.content, 0, file.content.size, &mut |extent| {
                more.push((extent.id, extent.len));
                Ok(())
            })
        };
        list(&mut more).expect("the file can be listed");
        for (id, len) in more {
            bytes += len;
            if let Some(id) = id {
                stored_bytes += load(&vault, id.key(), &mut known);
                ids.push(id.key());
            }
            if stored_bytes > MAX_DECODED {
                break 'files;
            }
        }
    }
    let total: u64 = case.files.iter().map(|file| file.content.size).sum();
    let mut bases = Bases::default();
    let (mut decode_seconds, mut hash_seconds) = (0.0, 0.0);
    for key in &ids {
        let start = thread_cpu_seconds();
        let plain = bases.decoded(*key, &known);
        let decoded = thread_cpu_seconds();
        std::hint::black_box(ChunkId::of(&plain));
        decode_seconds += decoded - start;
        hash_seconds += thread_cpu_seconds() - decoded;
    }
    (decode_seconds, hash_seconds, bytes as f64 / total as f64)
}

/// A chunk as it is stored.
struct Packed {
    encoding: Encoding,
    bytes: Vec<u8>,
    plain_len: usize,
    bases: Box<[ChunkKey]>,
}

/// Reads a chunk and its bases as they are stored; returns how many bytes that were.
fn load(vault: &Vault, key: ChunkKey, known: &mut HashMap<ChunkKey, Packed>) -> usize {
    if known.contains_key(&key) {
        return 0;
    }
    let catalogue = vault.store().catalogue();
    let place = catalogue.chunk(key).expect("the catalogue answers").expect("the chunk is known");
    let name = catalogue.pack_id(place.pack).expect("the pack is known").to_string();
    let path = vault.dir().join("packs").join(&name[..2]).join(format!("{name}.pack"));
    let mut bytes = vec![0; place.stored_len as usize];
    File::open(path).and_then(|file| file.read_exact_at(&mut bytes, place.offset.into())).expect("the pack is there");
    let encoding = Encoding::from_number(place.encoding).expect("the encoding is known");
    let len = bytes.len();
    let bases = place.bases.clone();
    known.insert(key, Packed { encoding, bytes, plain_len: place.plain_len as usize, bases: place.bases });
    len + bases.iter().map(|&base| load(vault, base, known)).sum::<usize>()
}

/// What has been decoded already.
#[derive(Default)]
struct Bases {
    plain: HashMap<ChunkKey, Vec<u8>>,
    dictionaries: HashMap<ChunkKey, Dictionary>,
}

impl Bases {
    /// Decodes a chunk whose bases are decoded first, each once.
    fn decoded(&mut self, key: ChunkKey, known: &HashMap<ChunkKey, Packed>) -> Vec<u8> {
        let chunk = &known[&key];
        let mut base = Vec::new();
        for &below in &chunk.bases {
            if !self.plain.contains_key(&below) {
                let plain = self.decoded(below, known);
                self.plain.insert(below, plain);
            }
            base.extend_from_slice(&self.plain[&below]);
        }
        match chunk.encoding {
            // Made again from what its bases say, which only the store finds out; few chunks of fresh builds are.
            Encoding::Opened => vec![0; chunk.plain_len],
            Encoding::Dictionary => {
                let make = || Dictionary::new(&base, ZSTD_LEVEL).expect("the base is a dictionary");
                let dictionary = self.dictionaries.entry(chunk.bases[0]).or_insert_with(make);
                dictionary.decode(&chunk.bytes, chunk.plain_len).expect("the chunk decodes")
            }
            encoding => decode(encoding, &chunk.bytes, &base, chunk.plain_len).expect("the chunk decodes"),
        }
    }
}

fn random(dir: &Path, file: &Stored, readers: u64) {
    let mut best: [Option<(f64, f64, f64)>; 2] = [None; 2];
    for round in 0..ROUNDS as u64 {
        for (plain, best) in best.iter_mut().enumerate() {
            drop_caches(dir, &[file]);
            let vault = Vault::open(dir).expect("the vault opens");
            let source = File::open(&file.path).expect("the source opens");
            let forget = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_RANDOM;
            nix::fcntl::posix_fadvise(source.as_fd(), 0, 0, forget).expect("the advice is known");
            let read = |offset: u64, buf: &mut [u8]| match plain {
                0 => vault.reader().read(&file.content, offset, buf, AHEAD).expect("the build can be read"),
                _ => source.read_at(buf, offset).expect("the source can be read"),
            };
            let result = at_random(file.content.size, readers, round * 8, &read);
            if best.is_none_or(|best| best.0 < result.0) {
                *best = Some(result);
            }
        }
    }
    let [stored, plain] = best.map(|best| best.expect("there are rounds"));
    print!("| {readers} | {:.0} | {:.3} | {:.3} ", stored.0, stored.1, stored.2);
    println!("| {:.0} | {:.3} | {:.3} | {:.2} |", plain.0, plain.1, plain.2, stored.0 / plain.0);
}

/// Returns reads a second, and the milliseconds of the median one and of the slowest of a hundred.
fn at_random(len: u64, readers: u64, seed: u64, read: &(dyn Fn(u64, &mut [u8]) -> usize + Sync)) -> (f64, f64, f64) {
    let start = Instant::now();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let run = |reader: u64| {
            move || {
                let mut buf = [0; READ_LEN];
                let mut times = Vec::new();
                for n in 0.. {
                    if start.elapsed() > RANDOM_TIME {
                        break;
                    }
                    let at = mix((seed + reader) << 32 | n) % len / READ_LEN as u64 * READ_LEN as u64;
                    times.push(seconds(|| read(at, &mut buf)).0 * 1e3);
                }
                times
            }
        };
        let threads: Vec<_> = (0..readers).map(|reader| scope.spawn(run(reader))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the reader ends")).collect()
    });
    let reads_per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (reads_per_second, at(0.5), at(0.99))
}
