//! Every decoder is given bytes that were changed at random: it says `Corrupt` or decodes, and never panics, hangs,
//! takes memory out of proportion, or hands out wrong bytes.

use crate::support::mutate::mutate;
use crate::support::seed::{random, seed};
use crate::support::{Scene, make_game};
use gamevault::catalogue::Record;
use gamevault::codec::{Encoder, Encoding, MAX_PLAIN_LEN, decode};
use gamevault::disk::DiskFile;
use gamevault::id::{ChunkId, PackId};
use gamevault::lens::{self, Verdict};
use gamevault::manifest::{
    Attributes, Content, ContentRoot, Directory, Entry, EntryKind, List, ListBuilder, ListItem, Page, Timestamp,
    Totals, XattrSet, encode_directory,
};
use gamevault::name::FileName;
use gamevault::store::{Class, PackEntry, read_entry, read_index};
use gamevault::vault::Annotation;
use gamevault::{Error, ErrorKind, Result, Vault};
use rand::RngExt;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// Changed inputs for each decoder.
const INPUTS: usize = 20_000;

/// The same for what opens files and databases each time.
const SLOW_INPUTS: usize = 300;

/// Bytes that a decoder may take at once for one byte of input, and for none.
const BYTES_A_BYTE: usize = 64;
const BYTES_AT_ALL: usize = 64 << 10;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator; remembers the largest piece that each thread asked for.
struct Watching;

// SAFETY: every call goes to the system's allocator as it came; the cell needs no memory and no drop.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_len: usize) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(new_len));
        unsafe { System.realloc(pointer, layout, new_len) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// Runs `decode` and checks how much it took at once.
fn bounded<T>(most: usize, decode: impl FnOnce() -> T) -> T {
    LARGEST.set(0);
    let decoded = decode();
    let largest = LARGEST.get();
    assert!(largest <= most, "{largest} bytes were allocated at once where {most} are enough");
    decoded
}

fn in_proportion<T>(input: &[u8], decode: impl FnOnce() -> Result<T>) -> Option<T> {
    match bounded(input.len() * BYTES_A_BYTE + BYTES_AT_ALL, decode) {
        Ok(decoded) => Some(decoded),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            None
        }
    }
}

/// A file in memory.
struct MemoryFile(Vec<u8>);

impl DiskFile for MemoryFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        match self.read_at(buf, offset)? == buf.len() {
            true => Ok(()),
            false => Err(Error::corrupt("the file ends too early")),
        }
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_all_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        unreachable!("decoders do not write")
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        unreachable!("decoders do not write")
    }

    fn len(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn next_data(&self, _offset: u64) -> Result<Option<(u64, u64)>> {
        unreachable!("decoders do not look for holes")
    }

    fn punch_hole(&self, _offset: u64, _len: u64) -> Result<()> {
        unreachable!("decoders do not write")
    }

    fn sync(&self) -> Result<()> {
        unreachable!("decoders do not write")
    }

    fn try_lock(&self, _exclusive: bool) -> Result<bool> {
        unreachable!("decoders do not lock")
    }
}

fn entry(name: &str, kind: EntryKind) -> Entry {
    let xattrs = name.len().is_multiple_of(2).then(|| ChunkId::of(name.as_bytes()));
    let attributes = Attributes { mode: 0o755, mtime: Timestamp { secs: -77, nanos: 123 }, xattrs };
    Entry { name: FileName::new(name.as_bytes()).unwrap(), attributes, kind }
}

/// Entries of every kind, under names that sort as they are made.
fn entries(count: usize) -> Vec<Entry> {
    let kind = |n: usize| match n % 5 {
        0 => EntryKind::File(Content::EMPTY),
        1 => EntryKind::File(Content { size: n as u64, root: ContentRoot::Chunk(ChunkId::of(b"c")) }),
        2 => EntryKind::File(Content {
            size: 1 << 40,
            root: ContentRoot::List { id: ChunkId::of(b"l"), depth: 1 + (n % 8) as u8 },
        }),
        3 => EntryKind::Directory(Directory {
            id: ChunkId::of(b"d"),
            totals: Totals { entries: n as u64, files: 1, bytes: 9 },
        }),
        _ => EntryKind::Symlink(b"../else/where".as_slice().into()),
    };
    (0..count).map(|n| entry(&format!("{n:05}{}", "x".repeat(n % 7)), kind(n))).collect()
}

fn nodes_of(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut nodes = Vec::new();
    encode_directory(entries, &mut |node| {
        nodes.push(node.to_vec());
        Ok(ChunkId::of(node))
    })
    .unwrap();
    nodes
}

fn lists_of(count: u64) -> Vec<Vec<u8>> {
    let mut nodes = Vec::new();
    let mut put = |node: &[u8]| {
        nodes.push(node.to_vec());
        Ok(ChunkId::of(node))
    };
    let mut list = ListBuilder::new();
    for n in 0..count {
        list.push(ListItem { len: 1 + n * 1000, id: (n % 4 > 0).then(|| ChunkId::of(&n.to_le_bytes())) }, &mut put)
            .unwrap();
    }
    list.finish(&mut put).unwrap();
    nodes
}

/// Changes `samples` in turn and hands them to `check`.
fn for_each_mutation(samples: &[Vec<u8>], count: usize, mut check: impl FnMut(Vec<u8>)) {
    let mut random = random(seed());
    for n in 0..count {
        check(mutate(&samples[n % samples.len()], &mut random));
    }
}

#[test]
fn directory_pages() {
    let mut samples = nodes_of(&entries(7));
    samples.extend(nodes_of(&entries(40)));
    samples.extend(nodes_of(&entries(600)).into_iter().filter(|node| node.len() < 2_000));
    for_each_mutation(&samples, INPUTS, |bytes| {
        let Some(page) = in_proportion(&bytes, || Page::decode(&bytes)) else { return };
        if let Page::Leaf(entries) = page {
            // What is accepted can be written again.
            assert_eq!(Page::decode(&nodes_of(&entries)[0]).unwrap(), Page::Leaf(entries));
        }
    });
}

#[test]
fn content_lists() {
    let mut samples = lists_of(5);
    samples.extend(lists_of(30));
    for_each_mutation(&samples, INPUTS, |bytes| {
        let Some(list) = in_proportion(&bytes, || List::decode(&bytes)) else { return };
        for offset in [0, 1, list.len() / 2, list.len().saturating_sub(1), list.len(), u64::MAX] {
            let found = list.find(offset);
            assert_eq!(found.is_some(), offset < list.len());
            assert!(found.is_none_or(|(index, start)| start <= offset && offset - start < list.items()[index].len));
        }
    });
}

#[test]
fn xattr_sets() {
    let set = BTreeMap::from([(b"user.a".to_vec(), b"1".to_vec()), (b"user.bb".to_vec(), vec![7; 200])]);
    for_each_mutation(&[XattrSet(set).encode(), XattrSet::default().encode()], INPUTS, |bytes| {
        in_proportion(&bytes, || XattrSet::decode(&bytes));
    });
}

#[test]
fn encoded_chunks() {
    let plain = b"the same words again and again, ".repeat(40);
    let mut encoder = Encoder::default();
    let (encoding, stored) = encoder.encode(&plain, None);
    assert_eq!(encoding, Encoding::Zstd);
    for_each_mutation(&[stored.to_vec()], INPUTS, |bytes| {
        for claimed in [plain.len(), 0, 100_000, MAX_PLAIN_LEN + 1, usize::MAX] {
            // Memory follows what the pack claims, up to the bound; a frame that says more is cut off.
            let decoded = bounded(claimed.min(MAX_PLAIN_LEN) + BYTES_AT_ALL, || decode(encoding, &bytes, &[], claimed));
            assert!(decoded.map_or_else(|error| error.kind() == ErrorKind::Corrupt, |plain| plain.len() == claimed));
        }
    });
}

/// Returns the sample containers with their names.
fn containers() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/containers");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let samples = files.filter(|path| path.extension().is_some_and(|kind| kind != "py"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

/// No lens hangs or panics; what it reads at once stays small, whatever lengths stand in a file.
#[test]
fn container_files() {
    let mut random = random(seed());
    let containers = containers();
    assert!(containers.len() >= 25, "every format has its samples");
    let mut torn = 0;
    for n in 0..INPUTS {
        let (name, sound) = &containers[n % containers.len()];
        let bytes = mutate(sound, &mut random);
        let len = bytes.len() as u64;
        let verdict = bounded(2 * BYTES_AT_ALL, || lens::check(&bytes[..], len, name.as_bytes()));
        torn += usize::from(matches!(verdict.unwrap(), Verdict::Torn { .. }));
    }
    assert!(torn > INPUTS / 10, "only {torn} of {INPUTS} changed files were seen to be torn");
}

/// Returns a pack with chunks of several kinds, its id, and the chunks.
fn sample_pack() -> (Vec<u8>, PackId, HashMap<ChunkId, Vec<u8>>) {
    let scene = Scene::new();
    let mut chunks = HashMap::new();
    for n in 0..12u8 {
        let plain = [vec![n; 40 * usize::from(n)], vec![n, 1, 2, 3]].concat();
        scene.vault.store().put(&plain, Class::Data).unwrap();
        chunks.insert(ChunkId::of(&plain), plain);
    }
    scene.vault.store().flush().unwrap();
    let packs = gamevault::store::Store::packs_on_disk(&**scene.vault.store().disk()).unwrap();
    let (id, path, _) = &packs[0];
    (fs::read(scene.path("vault").join(path)).unwrap(), *id, chunks)
}

#[test]
fn packs() {
    let (pack, id, chunks) = sample_pack();
    let sound = read_index(&MemoryFile(pack.clone()), id).unwrap();
    assert_eq!((sound.entries.len(), sound.damage.is_none()), (chunks.len(), true));
    for_each_mutation(&[pack], INPUTS, |bytes| {
        let file = MemoryFile(bytes);
        let Ok(index) = bounded(MAX_PLAIN_LEN + BYTES_AT_ALL, || read_index(&file, id)) else { return };
        assert!(index.damage.is_some() || index.entries == sound.entries, "a footer that was changed is believed");
        for entry in &index.entries {
            if let Ok(plain) = bounded(MAX_PLAIN_LEN + BYTES_AT_ALL, || read_entry(&file, entry, &[])) {
                assert_eq!(Some(&plain), chunks.get(&entry.id), "a wrong chunk is accepted");
            }
        }
    });
}

/// The catalogue's word on a chunk is no more to be believed than a pack's: a flipped bit once asked for 4 GB.
#[test]
fn places_of_chunks() {
    let (pack, id, chunks) = sample_pack();
    let file = MemoryFile(pack);
    let entries = read_index(&file, id).unwrap().entries;
    let mut random = random(seed());
    for _ in 0..INPUTS {
        let mut entry: PackEntry = entries[random.random_range(0..entries.len())].clone();
        match random.random_range(0..4) {
            0 => entry.offset ^= 1 << random.random_range(0..32),
            1 => entry.stored_len ^= 1 << random.random_range(0..32),
            2 => entry.plain_len ^= 1 << random.random_range(0..32),
            _ => entry.encoding = if entry.encoding == Encoding::Raw { Encoding::Zstd } else { Encoding::Raw },
        }
        if let Ok(plain) = bounded(MAX_PLAIN_LEN + BYTES_AT_ALL, || read_entry(&file, &entry, &[])) {
            assert_eq!(plain, chunks[&entry.id]);
        }
    }
}

#[test]
fn records() {
    let scene = Scene::new();
    make_game(&scene.path("game"));
    let build = scene.snapshot("game").build;
    let name = gamevault::name::RefName::new("alpha").unwrap();
    let annotation = Annotation { message: Some("words".into()), tags: vec!["a".into()], ..Annotation::default() };
    let milestone = scene.vault.set_milestone(&name, &build, &annotation, false).unwrap();
    let samples = [Record::Build(Box::new(build)), Record::Milestone(Box::new(milestone))];
    let samples = samples.map(|record| serde_json::to_vec(&record).unwrap());
    for_each_mutation(&samples, INPUTS, |bytes| {
        let decoded = bounded(bytes.len() * BYTES_A_BYTE + BYTES_AT_ALL, || serde_json::from_slice::<Record>(&bytes));
        if let Ok(record) = decoded {
            let again = serde_json::to_vec(&record).unwrap();
            assert_eq!(serde_json::from_slice::<Record>(&again).unwrap(), record);
        }
    });
}

#[test]
fn config_files() {
    let Scene { dir, vault } = Scene::new();
    drop(vault);
    let path = dir.path().join("vault/vault.toml");
    let sound = fs::read(&path).unwrap();
    for_each_mutation(&[sound], SLOW_INPUTS, |bytes| {
        fs::write(&path, bytes).unwrap();
        if let Err(error) = Vault::open(&dir.path().join("vault")) {
            assert!(error.kind() == ErrorKind::Invalid && error.hint().is_some(), "{error}");
        }
    });
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
    for_each_mutation(&[sound.to_vec()], SLOW_INPUTS, |bytes| {
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(&bytes).unwrap();
        assert!(scene.vault.mounts().unwrap().len() <= 1);
    });
}

/// Manifests that hash to their ids and lie all the same: numbers near 2^64 once made the reader's sums overflow, and a
/// chain of index pages could be as long as a stack is not.
#[test]
fn manifests_that_lie_are_read_to_an_end() {
    let scene = Scene::new();
    let (store, reader) = (scene.vault.store(), scene.vault.reader());
    let mut samples = nodes_of(&entries(12));
    samples.extend(nodes_of(&entries(300)).into_iter().filter(|node| node[0] == 0xD2));
    for_each_mutation(&samples, SLOW_INPUTS * 10, |bytes| {
        let id = store.put(&bytes, Class::Tree).unwrap().id;
        let mut seen = 0;
        let _ = reader.for_each_entry(id, &mut |_| {
            seen += 1;
            assert!(seen <= 4096, "a page names more than it holds");
            Ok(())
        });
        let _ = reader.lookup(id, b"00003xxx");
        let _ = reader.list(id, u64::MAX);
    });
    for_each_mutation(&lists_of(12), SLOW_INPUTS * 10, |bytes| {
        let id = store.put(&bytes, Class::Tree).unwrap().id;
        for (size, depth) in [(u64::MAX, 1), (1 << 20, 1), (1 << 63, 2)] {
            let content = Content { size, root: ContentRoot::List { id, depth } };
            for offset in [0, 70_000, size - 1] {
                let _ = reader.extent_at(&content, offset);
                let _ = reader.read_at(&content, offset, &mut [0; 64]);
            }
            let _ = reader.for_each_extent(&content, 0, size, &mut |_| Ok(()));
        }
    });
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
