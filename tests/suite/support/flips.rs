//! Bits of a vault's files that flip: each is found, or does no harm, and never becomes wrong bytes.

use super::folder::{edit_randomly, make_random};
use super::{Tree, read_tree, seed, settle};
use gamevault::name::RefName;
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, RestoreOptions, SnapshotOptions, VerifyOptions};
use gamevault::{ErrorKind, Result, Vault};
use rand::RngExt;
use std::fs;
use std::path::{Path, PathBuf};

/// Makes a vault, then flips one bit in one of its files `count` times, and puts it back each time.
pub fn flip_bits(seed: u64, count: usize) {
    let mut random = seed::random(seed);
    let dir = tempfile::tempdir().unwrap();
    let (vault_dir, game) = (dir.path().join("vault"), dir.path().join("game"));
    let mut trees = Vec::new();
    {
        let vault = Vault::init(&vault_dir).unwrap();
        make_random(&game, &mut random, 40, 60_000);
        for _ in 0..3 {
            settle();
            vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).unwrap();
            trees.push(read_tree(&game));
            edit_randomly(&game, &mut random, 10, 60_000);
        }
        let first = vault.build("1").unwrap();
        vault.set_milestone(&RefName::new("alpha").unwrap(), &first, &Annotation::default(), false).unwrap();
        vault.store().catalogue().checkpoint().unwrap();
    }
    let files = files_below(&vault_dir);
    let sound: Vec<(PathBuf, Vec<u8>)> = files
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .filter(|file| !file.1.is_empty())
        .collect();
    let total: usize = sound.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut found = 0;
    for round in 0..count {
        // Small files get their share too: half of the flips choose a file, the others a byte.
        let (file, at) = match round % 2 {
            0 => place_of(&sound, random.random_range(0..total)),
            _ => {
                let file = random.random_range(0..sound.len());
                (file, random.random_range(0..sound[file].1.len()))
            }
        };
        let (path, bytes) = &sound[file];
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << random.random_range(0..8);
        fs::write(path, flipped).unwrap();
        let place = format!("byte {at} of {}", path.strip_prefix(&vault_dir).unwrap().display());
        found += usize::from(is_found(&vault_dir, &trees, &dir.path().join("back"), &place));
        put_back(&vault_dir, &sound);
    }
    println!("{found} of {count} flipped bits were found, the others did no harm");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn place_of(files: &[(PathBuf, Vec<u8>)], mut at: usize) -> (usize, usize) {
    for (index, (_, bytes)) in files.iter().enumerate() {
        if at < bytes.len() {
            return (index, at);
        }
        at -= bytes.len();
    }
    unreachable!("the place lies in one of the files")
}

/// Puts every file back as it was, and removes what came to it: a write-ahead log must not meet another database.
fn put_back(vault_dir: &Path, sound: &[(PathBuf, Vec<u8>)]) {
    for path in files_below(vault_dir) {
        if !sound.iter().any(|(known, _)| *known == path) && path.metadata().unwrap().len() > 0 {
            fs::remove_file(path).unwrap();
        }
    }
    for (path, bytes) in sound {
        fs::write(path, bytes).unwrap();
    }
}

/// Opens, verifies and restores; tells whether anything was found to be wrong.
fn is_found(vault_dir: &Path, trees: &[Tree], back: &Path, place: &str) -> bool {
    let vault = match Vault::open(vault_dir) {
        Ok(vault) => vault,
        Err(error) => {
            let is_named = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid | ErrorKind::Io);
            assert!(is_named, "{place}: {:?} {error}", error.kind());
            return true;
        }
    };
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    let problems = match vault.verify(&options, &Progress::new()) {
        Ok(report) => report.problems,
        Err(error) => vec![error.to_string()],
    };
    for (index, tree) in trees.iter().enumerate() {
        let _ = fs::remove_dir_all(back);
        let restored = restore(&vault, index, back);
        if back.exists() {
            assert_nothing_is_wrong(tree, &read_tree(back), restored.is_ok(), place);
        }
        let is_told = !problems.is_empty() || restored.is_ok();
        assert!(is_told, "{place}: build {} cannot be restored, and verify says all is well", index + 1);
    }
    !problems.is_empty()
}

fn restore(vault: &Vault, index: usize, back: &Path) -> Result<()> {
    let build = vault.build(&(index + 1).to_string())?;
    vault.restore(&build, back, &RestoreOptions::default(), &Progress::new()).map(drop)
}

/// A restore that succeeds gives all as it was; one that fails has written no file with other bytes.
fn assert_nothing_is_wrong(tree: &Tree, back: &Tree, is_whole: bool, place: &str) {
    for (path, kept) in back {
        let shown = String::from_utf8_lossy(path);
        let Some(original) = tree.get(path) else { panic!("{place}: {shown} was never in the build") };
        assert!(kept.bytes == original.bytes, "{place}: {shown} came back with other bytes");
    }
    assert!(!is_whole || back == tree, "{place}: a build came back changed");
}
