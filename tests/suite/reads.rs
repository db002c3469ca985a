//! Reading is exact whatever is kept, and by however many at once.

use crate::support::{Scene, noise, unprotect};
use gamevault::Vault;
use gamevault::content::{Reader, Reading};
use gamevault::error::ErrorKind;
use gamevault::id::ChunkId;
use gamevault::manifest::{Content, EntryKind};
use gamevault::store::{CacheSizes, Class};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const AHEAD: Reading = Reading::USING;

/// As much as the mount is asked for at once.
const READ_LEN: u64 = 128 << 10;

/// A file of a build beside what it must hold.
struct Known {
    content: Content,
    plain: Vec<u8>,
}

/// Stores two versions, the second with differences to the first.
fn versions(scene: &Scene) {
    let words: Vec<u8> = (0..300_000u32).flat_map(|n| format!("{} ", n % 7919).into_bytes()).collect();
    let mut large = noise(1, 3 << 20);
    large.extend_from_slice(&words);
    let mut files = vec![("large.bin".to_owned(), large), ("words.txt".to_owned(), words)];
    for n in 0..40u64 {
        files.push((format!("small/{n}.dat"), noise(n + 10, (n * n * 113) as usize + 1)));
        files.push((format!("small/{n}.txt"), format!("entry {n} of many\n").repeat(n as usize + 1).into_bytes()));
    }
    for version in 0..2u8 {
        for (name, bytes) in &mut files {
            let middle = bytes.len() / 2;
            bytes[middle] ^= version;
            let path = scene.path("game").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &*bytes).unwrap();
        }
        scene.snapshot("game");
    }
}

fn known(reader: &Reader, directory: ChunkId, source: &Path, files: &mut Vec<Known>) {
    let each = reader.for_each_entry(directory, &mut |entry| {
        let path = source.join(std::str::from_utf8(entry.name.as_bytes()).unwrap());
        match &entry.kind {
            EntryKind::File(content) => files.push(Known { content: *content, plain: fs::read(path).unwrap() }),
            EntryKind::Directory(below) => known(reader, below.id, &path, files),
            EntryKind::Symlink(_) => {}
        }
        Ok(())
    });
    each.unwrap();
}

fn open(scene: &Scene, sizes: &CacheSizes) -> (Vault, Vec<Known>) {
    let vault = Vault::open_with(&scene.path("vault"), sizes).unwrap();
    let root = vault.build("latest").unwrap().root.id;
    let mut files = Vec::new();
    known(vault.reader(), root, &scene.path("game"), &mut files);
    (vault, files)
}

fn sizes() -> [CacheSizes; 3] {
    [CacheSizes::default(), CacheSizes::OFF, CacheSizes::TINY]
}

/// Reads a file from one end to the other, and compares.
fn read_through(reader: &Reader, file: &Known, reading: Reading) {
    let mut buf = vec![0; READ_LEN as usize];
    let mut at = 0;
    while at < file.content.size {
        let len = reader.read(&file.content, at, &mut buf, reading).unwrap();
        assert!(len > 0 && buf[..len] == file.plain[at as usize..][..len], "at {at} of {}", file.content.size);
        at += len as u64;
    }
    assert_eq!(reader.read(&file.content, at, &mut buf, reading).unwrap(), 0);
}

#[test]
fn files_come_back_with_every_size_of_caches() {
    let scene = Scene::new();
    versions(&scene);
    for sizes in sizes() {
        let (vault, files) = open(&scene, &sizes);
        for _ in 0..2 {
            files.iter().for_each(|file| read_through(vault.reader(), file, AHEAD));
        }
        let counts = vault.store().read_counts();
        assert!(counts.pack_bytes > 0 && counts.decoded_bytes >= counts.decoded_chunks, "{counts:?}");
        assert_eq!(counts.ahead_chunks > 0, sizes.chunk_bytes > 1 << 20, "{counts:?}");
    }
}

/// Eight readers at once, some reading on, some jumping, some listing, each byte compared with the files themselves.
#[test]
fn eight_readers_at_once_read_what_one_would() {
    let seed = std::env::var("GAMEVAULT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("GAMEVAULT_SEED={seed}");
    let scene = Scene::new();
    versions(&scene);
    for sizes in sizes() {
        let (vault, files) = open(&scene, &sizes);
        let root = vault.build("latest").unwrap().root.id;
        let count = files.len();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (vault, files, scene) = (&vault, &files, &scene);
                scope.spawn(move || {
                    let mut random = StdRng::seed_from_u64(seed ^ thread << 32);
                    let mut buf = vec![0; READ_LEN as usize];
                    for _ in 0..60 {
                        let file = &files[random.random_range(0..files.len())];
                        let ways = [AHEAD, AHEAD, Reading::OF_ONE, Reading::CRAWLING];
                        let reading = ways[random.random_range(0..ways.len())];
                        match random.random_range(0..8) {
                            0 => read_through(vault.reader(), file, reading),
                            1 => {
                                let mut listed = Vec::new();
                                known(vault.reader(), root, &scene.path("game"), &mut listed);
                                assert_eq!(listed.len(), count);
                            }
                            2 => vault.reader().clear_caches(),
                            _ => {
                                let at = random.random_range(0..file.content.size + 10);
                                let len = random.random_range(0..buf.len());
                                let read = vault.reader().read(&file.content, at, &mut buf[..len], reading).unwrap();
                                let plain = file.plain.get(at as usize..).unwrap_or_default();
                                assert!(buf[..read] == plain[..len.min(plain.len())], "{len} bytes at {at}");
                            }
                        }
                    }
                });
            }
        });
    }
}

#[test]
fn what_is_read_on_is_decoded_before_it_is_asked_for_and_once() {
    let scene = Scene::new();
    fs::create_dir(scene.path("game")).unwrap();
    let plain = noise(7, 24 << 20);
    fs::write(scene.path("game/large.bin"), &plain).unwrap();
    scene.snapshot("game");
    let (vault, files) = open(&scene, &CacheSizes::default());
    let before = vault.store().read_counts();
    let mut buf = vec![0; READ_LEN as usize];
    let mut at = 0;
    while at < plain.len() as u64 {
        at += vault.reader().read(&files[0].content, at, &mut buf, AHEAD).unwrap() as u64;
        // As slow as a program that does something with what it reads.
        std::thread::sleep(Duration::from_millis(1));
    }
    let counts = vault.store().read_counts();
    // Nodes of manifests are decoded beside it.
    let decoded = counts.decoded_bytes - before.decoded_bytes;
    assert!(decoded >= plain.len() as u64 && decoded < plain.len() as u64 * 21 / 20, "{counts:?}");
    assert!(counts.ahead_chunks > 100 && counts.ahead_used + 20 > counts.ahead_chunks, "{counts:?}");
    assert_eq!(counts.ahead_wasted, 0, "{counts:?}");
}

#[test]
fn chunks_that_lie_side_by_side_are_read_by_one_read() {
    let scene = Scene::new();
    let store = scene.vault.store();
    let ids: Vec<ChunkId> = (0..8).map(|n| store.put(&noise(n, 20_000), Class::Data).unwrap().id).collect();
    store.flush().unwrap();
    store.clear_caches();
    let before = store.read_counts();
    // One of them twice, and in another order than they lie in.
    let asked: Vec<ChunkId> = ids.iter().rev().chain(&ids[..1]).copied().collect();
    let read = store.get_all(&asked, false).unwrap();
    assert!(read.iter().zip(&asked).all(|(plain, id)| ChunkId::of(plain) == *id));
    let after = store.read_counts();
    assert_eq!((after.pack_reads - before.pack_reads, after.decoded_chunks - before.decoded_chunks), (1, 8));
}

#[test]
fn readers_at_random_and_those_who_may_not_read_nothing_ahead() {
    let scene = Scene::new();
    versions(&scene);
    let (vault, files) = open(&scene, &CacheSizes::default());
    let largest = files.iter().max_by_key(|file| file.content.size).unwrap();
    let mut buf = [0; 4096];
    // Each farther from all others than what counts as reading on.
    for place in [5, 2, 7, 4, 1, 6, 3] {
        vault.reader().read(&largest.content, place * (600 << 10), &mut buf, AHEAD).unwrap();
    }
    files.iter().for_each(|file| read_through(vault.reader(), file, Reading::OF_ONE));
    assert_eq!(vault.store().read_counts().ahead_chunks, 0);
}

#[test]
fn what_is_used_survives_somebody_who_reads_everything() {
    let scene = Scene::new();
    fs::create_dir(scene.path("game")).unwrap();
    fs::write(scene.path("game/a-used.bin"), noise(1, 1 << 20)).unwrap();
    fs::write(scene.path("game/scanned.bin"), noise(2, 40 << 20)).unwrap();
    scene.snapshot("game");
    let sizes = CacheSizes { chunk_bytes: 8 << 20, ..CacheSizes::default() };
    for reading in [AHEAD, Reading::OF_ONE] {
        let (vault, files) = open(&scene, &sizes);
        let mut buf = [0; 4096];
        let mut use_it = || {
            let before = vault.store().read_counts();
            // From place to place, as a program that uses a file does.
            for place in 0..256u64 {
                let at = place * 97 % 256 * 4096;
                vault.reader().read(&files[0].content, at, &mut buf, AHEAD).unwrap();
            }
            vault.store().read_counts().cache_misses - before.cache_misses
        };
        let first = (use_it(), use_it(), use_it());
        assert!(first.0 > 5 && first.2 == 0, "{first:?}");
        read_through(vault.reader(), &files[1], reading);
        let after = use_it();
        assert!(after * 10 <= first.0, "{after} of {} chunks were driven out by {reading:?}", first.0);
    }
}

/// A damaged chunk is told to the one who reads it, however it is come to, and to nobody else.
#[test]
fn damage_ahead_of_a_reader_is_told_when_he_comes_to_it() {
    let scene = Scene::new();
    fs::create_dir(scene.path("game")).unwrap();
    fs::write(scene.path("game/large.bin"), noise(3, 4 << 20)).unwrap();
    scene.snapshot("game");
    let (vault, files) = open(&scene, &CacheSizes::default());
    let damaged = vault.reader().extent_at(&files[0].content, 2 << 20).unwrap().unwrap();
    let place = vault.store().catalogue().chunk(damaged.id.unwrap().key()).unwrap().unwrap();
    let name = vault.store().catalogue().pack_id(place.pack).unwrap().to_string();
    let pack = scene.path("vault/packs").join(&name[..2]).join(format!("{name}.pack"));
    unprotect(&scene.path("vault"));
    let mut bytes = fs::read(&pack).unwrap();
    bytes[place.offset as usize + 100] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let start = Instant::now();
    let mut buf = vec![0; 16 << 10];
    for at in (0..4 << 20).step_by(buf.len()) {
        let read = vault.reader().read(&files[0].content, at, &mut buf, AHEAD);
        let touches = at < damaged.end() && at + buf.len() as u64 > damaged.offset;
        match read {
            Ok(_) => assert!(!touches && buf[..] == files[0].plain[at as usize..][..buf.len()]),
            Err(error) => assert!(touches && error.kind() == ErrorKind::Corrupt, "at {at}: {error}"),
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "nobody waits for what failed");
}
