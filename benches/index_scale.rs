//! How much memory do the indexes of a vault with 500 GB and 5 TB of distinct data take, and how fast are they?
//!
//! The data is not there: the catalogue is told of packs that do not exist, and the table of similar chunks is written as
//! storing them would have left it. What is measured runs in a process of its own, which has filled nothing.

mod support;

use gamevault::Vault;
use gamevault::catalogue::{NewChunk, NewPack, PackTime};
use gamevault::error::Result;
use gamevault::id::{ChunkId, PackId};
use gamevault::ingest::{ByteSource, What, ingest_bytes};
use gamevault::progress::Progress;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use support::{memory, mix, place, run_alone, seconds};

/// Mean length of a chunk in real builds.
const CHUNK_LEN: u64 = 81_000;

/// Chunks of half that length that make a pack of 64 MiB.
const PACK_CHUNKS: u64 = 1_600;

/// Chunks that are registered in one transaction where the order is that of the keys.
const BATCH_CHUNKS: u64 = 400_000;

/// Distinct data in GB of the vault whose chunks come in the order of real ones.
const UNORDERED_GB: u64 = 50;

const INGESTED_LEN: u64 = 2 << 30;
const WARM_LOOKUPS: u64 = 200_000;
const COLD_LOOKUPS: u64 = 1_000;

/// Names the run that measures a vault.
const MEASURE: &str = "--measure";

/// Slots of a bucket in the table of similar chunks, see `src/store/similar.rs`.
const BUCKET_SLOTS: u64 = 8;

/// In which order the chunks are registered.
#[derive(Clone, Copy)]
enum Order {
    /// In that of their keys, in large transactions, which is what makes 62 million of them possible in minutes; the B-tree
    /// takes as many bytes a chunk as in the other order.
    Keys,
    /// As snapshots do: in no order, one transaction a pack.
    Packs,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [MEASURE, dir, chunks, order] => measure(Path::new(dir), number(chunks), order_of(order)),
        [] => compare(&[500, 5_000]),
        ref sizes => compare(&sizes.iter().map(|size| number(size)).collect::<Vec<_>>()),
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("the argument is a number")
}

fn order_of(name: &str) -> Order {
    if name == "keys" { Order::Keys } else { Order::Packs }
}

fn compare(sizes: &[u64]) {
    println!(
        "| distinct GB | chunks | registered in order of | catalogue MB | B a chunk | table of similar chunks MB | filled in s | \
         new data MB/s | peak RSS MB | anonymous MB | file MB | of the candidates unreadable | present ids/s | absent ids/s \
         | 3 super-features/s | peak RSS MB after | uncached: ms an id | uncached: ms 3 super-features |"
    );
    println!("|{}", "---|".repeat(18));
    run(0, "packs");
    run(UNORDERED_GB, "packs");
    sizes.iter().for_each(|&size| run(size, "keys"));
}

/// Fills a vault, and prints a row of what a process of its own measures in it.
fn run(size_gb: u64, order: &str) {
    let place = place();
    let dir = place.path().join("vault");
    let chunks = size_gb * 1_000_000_000 / CHUNK_LEN;
    let vault = Vault::init(&dir).expect("a vault can be made");
    let (fill_seconds, ()) = seconds(|| {
        register(&vault, chunks, order_of(order));
        drop(vault);
        write_similar(&dir.join("similar"), chunks, order_of(order));
    });
    let len = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |metadata| metadata.len());
    let (catalogue, similar) = (len("catalogue.db"), len("similar"));
    let a_chunk = catalogue as f64 / chunks.max(1) as f64;
    eprintln!("{size_gb} GB: filled in {fill_seconds:.0} s");
    let measured = run_alone(&[MEASURE, dir.to_str().expect("the place has a plain name"), &chunks.to_string(), order]);
    println!(
        "| {size_gb} | {chunks} | {order} | {:.1} | {a_chunk:.1} | {:.1} | {fill_seconds:.0} | {measured} |",
        catalogue as f64 / 1e6,
        similar as f64 / 1e6
    );
}

/// Returns the id of chunk `index` of `chunks`.
fn id(index: u64, chunks: u64, order: Order) -> ChunkId {
    let step = u64::MAX / chunks;
    let first = match order {
        Order::Keys => index * step + mix(index) % step,
        Order::Packs => mix(index ^ 1 << 40),
    };
    let mut id = [0; 32];
    for (part, eight) in id.chunks_exact_mut(8).enumerate() {
        let bits = if part == 0 { first } else { mix(index ^ (part as u64) << 48) };
        eight.copy_from_slice(&bits.to_be_bytes());
    }
    ChunkId(id)
}

fn register(vault: &Vault, chunks: u64, order: Order) {
    let catalogue = vault.store().catalogue();
    let batch = match order {
        Order::Keys => BATCH_CHUNKS,
        Order::Packs => PACK_CHUNKS,
    };
    for start in (0..chunks).step_by(batch as usize) {
        let end = (start + batch).min(chunks);
        let packs: Vec<NewPack> = (start..end)
            .step_by(PACK_CHUNKS as usize)
            .map(|first| pack(first, (first + PACK_CHUNKS).min(end), chunks, order))
            .collect();
        catalogue.register(&packs, &[], &[]).expect("packs can be registered");
    }
    catalogue.checkpoint().expect("the log can be emptied");
    let registered = catalogue.totals().expect("the catalogue counts").chunks;
    assert_eq!(registered, chunks, "no two chunks have one key");
}

fn pack(first: u64, end: u64, chunks: u64, order: Order) -> NewPack {
    let chunk = |index: u64| {
        let plain_len = 8_192 + (mix(index) % (2 * CHUNK_LEN - 16_384)) as u32;
        // A quarter is a difference to one base.
        let bases = match index % 4 {
            0 => [id(index / 2, chunks, order).key()].into(),
            _ => Box::default(),
        };
        NewChunk {
            id: id(index, chunks, order),
            offset: ((index - first) * CHUNK_LEN / 2) as u32,
            stored_len: plain_len / 2,
            plain_len,
            encoding: 1,
            bases,
            is_anew: false,
        }
    };
    NewPack {
        id: PackId((u128::from(mix(first)) << 64 | u128::from(first)).to_be_bytes()),
        bytes: 64 << 20,
        sealed: PackTime(first + 1),
        chunks: (first..end).map(chunk).collect(),
    }
}

/// Writes the table as it is after three super-features of every chunk were put in: doubled whenever it was full to 3/4.
fn write_similar(path: &Path, chunks: u64, order: Order) {
    let entries = chunks * 3;
    let mut bits = 8;
    while entries > (BUCKET_SLOTS << bits) / 4 * 3 {
        bits += 1;
    }
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).expect("the table can be made"));
    for bucket in 0..1u64 << bits {
        // So many of the entries come before this bucket and before the next one.
        let used = ((entries * (bucket + 1)) >> bits) - ((entries * bucket) >> bits);
        for slot in 0..BUCKET_SLOTS {
            let bits_of_slot = mix(bucket * BUCKET_SLOTS + slot);
            let slot = match slot < used {
                true => {
                    // Bits 8 to 40 of a super-feature whose first bits are the number of the bucket.
                    let feature = ((bucket << (64 - bits) | bits_of_slot >> bits) >> 24) as u32;
                    let key = id(bits_of_slot % chunks, chunks, order).key();
                    [feature.to_le_bytes(), key.0[..4].try_into().expect("4 of 16 bytes")]
                }
                false => [[0; 4]; 2],
            };
            file.write_all(slot.as_flattened()).expect("the table can be written");
        }
    }
    file.into_inner().expect("the table can be written").sync_all().expect("the table can be written");
}

/// Data that is stored nowhere: a MiB of noise and a MiB of text from 256 words in turn.
struct Generated {
    words: [u64; 256],
}

impl Generated {
    fn new() -> Generated {
        let word = |n| u64::from_le_bytes(format!("{:06x} ,", n * 65_521).into_bytes()[..8].try_into().expect("8"));
        Generated { words: std::array::from_fn(word) }
    }

    fn eight_bytes(&self, at: u64) -> [u8; 8] {
        let bits = mix(at ^ 1 << 60);
        let is_noise = at >> 17 & 1 == 0;
        if is_noise { bits } else { self.words[bits as usize & 255] }.to_le_bytes()
    }
}

impl ByteSource for Generated {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let len = buf.len().min(INGESTED_LEN.saturating_sub(offset) as usize);
        let mut at = 0;
        while at < len {
            let from = ((offset + at as u64) % 8) as usize;
            let bytes = self.eight_bytes((offset + at as u64) / 8);
            let taken = (8 - from).min(len - at);
            buf[at..at + taken].copy_from_slice(&bytes[from..from + taken]);
            at += taken;
        }
        Ok(len)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        Ok((offset < INGESTED_LEN).then_some((offset, INGESTED_LEN)))
    }
}

/// Prints the cells of a row.
fn measure(dir: &Path, chunks: u64, order: Order) {
    let vault = Vault::open(dir).expect("the vault opens");
    let store = vault.store();
    let (ingest_seconds, ingested) = seconds(|| {
        let (source, what) = (Generated::new(), What::default());
        let ingested = ingest_bytes(store, &source, INGESTED_LEN, false, &what, &Progress::new());
        let ingested = ingested.expect("the data can be stored");
        store.flush().expect("the packs can be sealed");
        ingested
    });
    assert!(ingested.stored_bytes > INGESTED_LEN / 2, "the noise is new");
    let after_ingest = memory();
    let refused = store.catalogue().refused().expect("the catalogue counts");
    let unreadable = refused.iter().find(|refused| refused.reason == "delta-base-unreadable");
    let unreadable = unreadable.map_or(0, |refused| refused.count);

    // An empty vault has no chunks to ask for but those that were just stored, whose ids nobody has kept.
    let present = |count| (chunks > 0).then(|| seconds(|| look_up_present(&vault, chunks, order, count)).0);
    let similar = |count, seed: u64| seconds(|| look_up_similar(&vault, count, seed)).0;
    let present_warm = present(WARM_LOOKUPS);
    let absent_warm = seconds(|| look_up_absent(&vault)).0;
    let similar_warm = similar(WARM_LOOKUPS, 1);
    let after_lookups = memory();
    let rate = |seconds: f64| format!("{:.0}", WARM_LOOKUPS as f64 / seconds);
    print!(
        "{:.0} | {:.0} | {:.0} | {:.0} | {unreadable} | {} | {} | {} | {:.0} | ",
        INGESTED_LEN as f64 / 1e6 / ingest_seconds,
        after_ingest.peak,
        after_ingest.anonymous,
        after_ingest.file,
        present_warm.map_or("".into(), rate),
        rate(absent_warm),
        rate(similar_warm),
        after_lookups.peak,
    );
    store.catalogue().checkpoint().expect("the log can be emptied");
    drop(vault);
    forget(&dir.join("catalogue.db"));
    forget(&dir.join("similar"));
    let vault = Vault::open(dir).expect("the vault opens");
    let each_ms = |seconds: f64| format!("{:.3}", seconds * 1e3 / COLD_LOOKUPS as f64);
    let present_cold = (chunks > 0).then(|| seconds(|| look_up_present(&vault, chunks, order, COLD_LOOKUPS)).0);
    let similar_cold = seconds(|| look_up_similar(&vault, COLD_LOOKUPS, 2)).0;
    println!("{} | {}", present_cold.map_or("".into(), each_ms), each_ms(similar_cold));
}

fn look_up_present(vault: &Vault, chunks: u64, order: Order, count: u64) {
    for n in 0..count {
        let key = id(mix(n ^ count << 32) % chunks, chunks, order).key();
        let place = vault.store().catalogue().chunk(key).expect("the catalogue answers");
        assert!(place.is_some(), "chunk {key} was registered");
    }
}

fn look_up_absent(vault: &Vault) {
    for n in 0..WARM_LOOKUPS {
        let key = ChunkId::of(&n.to_le_bytes()).key();
        let place = vault.store().catalogue().chunk(key).expect("the catalogue answers");
        assert!(place.is_none(), "chunk {key} was never registered");
    }
}

fn look_up_similar(vault: &Vault, count: u64, seed: u64) {
    for n in 0..count {
        let features = [0, 1, 2].map(|part| mix(seed << 40 | n << 2 | part));
        std::hint::black_box(vault.store().similar_starts(&features));
    }
}

/// Drops what the system keeps of a file in memory.
fn forget(path: &Path) {
    let file = File::open(path).expect("the file is there");
    file.sync_all().expect("the file can be written");
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).expect("the system takes advice");
}
