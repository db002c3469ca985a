//! How much memory does one file of 100 GB need on its way into a vault: a sparse one, and one whose every byte is read?
//!
//! Both are read back at some places.

mod support;

use gamevault::Vault;
use gamevault::disk::{Disk, LocalDisk};
use gamevault::error::Result;
use gamevault::ingest::{ByteSource, What, ingest_bytes};
use gamevault::manifest::Content;
use gamevault::progress::Progress;
use std::path::Path;
use support::{files, memory, mix, noise, place, run_alone, seconds};

const GB: u64 = 1_000_000_000;
const LEN: u64 = 100 * GB;

/// The data of the sparse file: so many pieces, evenly spread.
const PIECES: u64 = 64;
const PIECE_LEN: usize = 4 << 20;

/// What the other file repeats, so that the vault stays small.
const PATTERN_LEN: usize = 64 << 20;

const COMPARED_PLACES: u64 = 200;
const COMPARED_LEN: usize = 100_000;

const SPARSE: &str = "--sparse";
const REPEATED: &str = "--repeated";

fn main() {
    let argument = std::env::args().skip(1).find(|arg| arg != "--bench");
    match argument.as_deref() {
        Some(SPARSE) => sparse(),
        Some(REPEATED) => repeated(),
        _ => {
            println!(
                "| file | GB | s | MB/s | vault MB | peak RSS MB | anonymous MB | file MB |\n|---|---|---|---|---|---|---|---|"
            );
            println!("{}", run_alone(&[SPARSE]));
            println!("{}", run_alone(&[REPEATED]));
        }
    }
}

fn sparse() {
    let place = place();
    let file = LocalDisk::new(place.path()).create(Path::new("sparse")).expect("it can be made");
    file.set_len(LEN).expect("the file system has sparse files");
    for n in 0..PIECES {
        file.write_all_at(&noise(n, PIECE_LEN), LEN / PIECES * n).expect("it can be written");
    }
    store("sparse, 64 pieces of 4 MiB", place.path(), &*file, true);
}

fn repeated() {
    let source = Repeated { pattern: noise(1, PATTERN_LEN) };
    store("64 MiB of noise, repeated", place().path(), &source, false);
}

struct Repeated {
    pattern: Vec<u8>,
}

impl ByteSource for Repeated {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let from = (offset % PATTERN_LEN as u64) as usize;
        let len = buf.len().min(LEN.saturating_sub(offset) as usize).min(PATTERN_LEN - from);
        buf[..len].copy_from_slice(&self.pattern[from..from + len]);
        Ok(len)
    }

    fn next_data(&self, offset: u64) -> Result<Option<(u64, u64)>> {
        Ok((offset < LEN).then_some((offset, LEN)))
    }
}

/// Stores a source in a new vault, prints the row, and compares some places.
fn store<S: ByteSource + ?Sized>(name: &str, place: &Path, source: &S, is_sparse: bool) {
    let dir = place.join("vault");
    let vault = Vault::init(&dir).expect("a vault can be made");
    let (seconds, ingested) = seconds(|| {
        let ingested = ingest_bytes(vault.store(), source, LEN, is_sparse, &What::default(), &Progress::new());
        vault.store().flush().expect("the packs can be sealed");
        ingested.expect("the file can be stored")
    });
    let memory = memory();
    compare(&vault, source, &ingested.content);
    println!(
        "| {name} | {} | {seconds:.1} | {:.0} | {:.1} | {:.0} | {:.0} | {:.0} |",
        LEN / GB,
        LEN as f64 / 1e6 / seconds,
        files(&dir).1 as f64 / 1e6,
        memory.peak,
        memory.anonymous,
        memory.file
    );
}

fn compare<S: ByteSource + ?Sized>(vault: &Vault, source: &S, content: &Content) {
    assert_eq!(content.size, LEN);
    let (mut stored, mut plain) = (vec![0; COMPARED_LEN], vec![0; COMPARED_LEN]);
    for n in 0..COMPARED_PLACES {
        // Half are where the sparse file has data.
        let offset = if n % 2 == 0 { LEN / PIECES * (n % PIECES) } else { mix(n) % (LEN - COMPARED_LEN as u64) };
        let read = source.read_at(&mut plain, offset).expect("the source can be read");
        let len = vault.reader().read_at(content, offset, &mut stored[..read]).expect("the file can be read");
        assert!(len == read && stored[..len] == plain[..read], "at {offset} the file comes back otherwise");
    }
}
