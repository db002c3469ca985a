//! Chunks that are stored as differences to others: small, exact, bounded, and traced when a base is damaged.

use crate::support::seed::{random, seed};
use crate::support::{Scene, noise, unprotect, write};
use gamevault::catalogue::ChunkPlace;
use gamevault::content::Extent;
use gamevault::id::{ChunkId, ChunkKey};
use gamevault::manifest::EntryKind;
use gamevault::progress::Progress;
use gamevault::store::{MAX_BASE_BYTES, MAX_DEPTH};
use gamevault::vault::{RestoreOptions, VerifyOptions};
use gamevault::{ErrorKind, Vault};
use rand::RngExt;
use rand::rngs::SmallRng;
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs;

/// Changes a byte, puts one in or takes one out, in every `step` bytes.
fn edit(bytes: &mut Vec<u8>, step: usize, random: &mut SmallRng) {
    for start in (0..bytes.len()).step_by(step) {
        let at = (start + random.random_range(0..step)).min(bytes.len() - 1);
        match random.random_range(0..3) {
            0 => bytes[at] = bytes[at].wrapping_add(1),
            1 => bytes.insert(at, random.random()),
            _ => drop(bytes.remove(at)),
        }
    }
}

/// Returns the chunks of the file `name` at the top of a build.
fn chunks_of(vault: &Vault, reference: &str, name: &str) -> Vec<ChunkId> {
    let build = vault.build(reference).unwrap();
    let entry = vault.reader().lookup(build.root.id, name.as_bytes()).unwrap().unwrap().1;
    let EntryKind::File(content) = entry.kind else { panic!("{name} is no file") };
    let mut chunks = Vec::new();
    let mut visit = |extent: Extent| {
        chunks.extend(extent.id);
        Ok(())
    };
    vault.reader().for_each_extent(&content, 0, content.size, &mut visit).unwrap();
    chunks
}

fn place(vault: &Vault, key: ChunkKey) -> ChunkPlace {
    vault.store().catalogue().chunk(key).unwrap().unwrap()
}

fn stored_len(vault: &Vault, chunks: &[ChunkId]) -> u64 {
    chunks.iter().map(|id| u64::from(place(vault, id.key()).stored_len)).sum()
}

/// Returns the depth of a chunk, and adds what must be decoded before it.
fn depth(vault: &Vault, key: ChunkKey, bases: &mut HashSet<ChunkKey>) -> usize {
    let below = place(vault, key).bases;
    below
        .iter()
        .map(|&base| {
            bases.insert(base);
            depth(vault, base, bases) + 1
        })
        .max()
        .unwrap_or(0)
}

/// Snapshots `count` versions of one file, each with every chunk changed; returns the versions.
fn versions(scene: &Scene, count: usize) -> Vec<Vec<u8>> {
    let mut random = random(seed());
    let mut bytes = noise(random.random(), 1_500_000);
    let mut versions = Vec::new();
    for _ in 0..count {
        write(&scene.path("game/level.bin"), &bytes);
        scene.snapshot("game");
        versions.push(bytes.clone());
        // No chunk is shorter.
        edit(&mut bytes, 16 << 10, &mut random);
    }
    versions
}

#[test]
fn versions_of_a_file_are_small_and_come_back() {
    let scene = Scene::new();
    let versions = versions(&scene, 12);
    let scene = scene.reopen();
    for (index, version) in versions.iter().enumerate() {
        let build = (index + 1).to_string();
        let tree = scene.restored(&build, &format!("restored-{build}"));
        assert!(tree[&b"/level.bin"[..]].bytes == *version, "build {build}");
        if index > 0 {
            let stored = stored_len(&scene.vault, &chunks_of(&scene.vault, &build, "level.bin"));
            assert!(stored < 60_000, "build {build} takes {stored} bytes for a few hundred changed ones");
        }
    }
}

#[test]
fn chains_stay_within_their_bounds() {
    let scene = Scene::new();
    let count = MAX_DEPTH + 6;
    versions(&scene, count);
    let mut deepest = 0;
    for build in 1..=count {
        for id in chunks_of(&scene.vault, &build.to_string(), "level.bin") {
            let mut bases = HashSet::new();
            let depth = depth(&scene.vault, id.key(), &mut bases);
            let base_bytes: u64 = bases.iter().map(|&base| u64::from(place(&scene.vault, base).plain_len)).sum();
            assert!(depth <= MAX_DEPTH && base_bytes <= MAX_BASE_BYTES, "depth {depth}, {base_bytes} bytes of bases");
            deepest = deepest.max(depth);
        }
    }
    assert!(deepest >= 3, "no chunk is a difference to a difference to a difference");
}

#[test]
fn a_file_that_moved_is_known_by_what_it_resembles() {
    let scene = Scene::new();
    let mut random = random(seed());
    let mut bytes = noise(random.random(), 400_000);
    write(&scene.path("game/old/level.bin"), &bytes);
    scene.snapshot("game");
    edit(&mut bytes, 100_000, &mut random);
    fs::remove_dir_all(scene.path("game")).unwrap();
    write(&scene.path("game/renamed.dat"), &bytes);
    let report = scene.snapshot("game");
    assert!(report.bytes_stored < 40_000, "{} bytes for a renamed file", report.bytes_stored);
    assert_eq!(scene.restored("2", "restored")[&b"/renamed.dat"[..]].bytes, bytes);
}

#[test]
fn a_rebuilt_catalogue_knows_the_bases() {
    let scene = Scene::new();
    versions(&scene, 3);
    let chunks = chunks_of(&scene.vault, "3", "level.bin");
    let bases: Vec<_> = chunks.iter().map(|id| place(&scene.vault, id.key()).bases).collect();
    assert!(bases.iter().any(|bases| !bases.is_empty()));
    let Scene { dir, vault } = scene;
    drop(vault);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(dir.path().join(format!("vault/catalogue.db{suffix}")));
    }
    let report = Vault::repair(&dir.path().join("vault"), &Progress::new()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let scene = Scene { vault: Vault::open(&dir.path().join("vault")).unwrap(), dir };
    let rebuilt: Vec<_> = chunks.iter().map(|id| place(&scene.vault, id.key()).bases).collect();
    assert_eq!(rebuilt, bases);
    let problems = scene
        .vault
        .verify(&VerifyOptions { read_data: true, ..VerifyOptions::default() }, &Progress::new())
        .unwrap()
        .problems;
    assert_eq!(problems, Vec::<String>::new());
}

/// Bases that lead back to their own chunk once would have decoded for ever.
#[test]
fn bases_that_lead_in_a_circle_are_damage() {
    let scene = Scene::new();
    versions(&scene, 3);
    let chunks = chunks_of(&scene.vault, "3", "level.bin");
    let delta = chunks.iter().find(|id| !place(&scene.vault, id.key()).bases.is_empty()).unwrap();
    let base = place(&scene.vault, delta.key()).bases[0];
    let catalogue = Connection::open(scene.path("vault/catalogue.db")).unwrap();
    for circle in [vec![(delta.key(), delta.key())], vec![(delta.key(), base), (base, delta.key())]] {
        for (chunk, base) in circle {
            let changed =
                catalogue.execute("UPDATE chunk SET bases = ?2 WHERE id = ?1", (&chunk.0[..], &base.0[..])).unwrap();
            assert_eq!(changed, 1);
        }
        let vault = Vault::open(&scene.path("vault")).unwrap();
        assert_eq!(vault.store().get(*delta).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_damaged_base_is_told_with_the_files_that_need_it() {
    let scene = Scene::new();
    versions(&scene, 2);
    let delta = chunks_of(&scene.vault, "2", "level.bin")
        .into_iter()
        .find(|id| !place(&scene.vault, id.key()).bases.is_empty())
        .unwrap();
    let base = place(&scene.vault, place(&scene.vault, delta.key()).bases[0]);
    let pack = scene.vault.store().catalogue().pack_id(base.pack).unwrap().to_string();
    let path = scene.path("vault/packs").join(&pack[..2]).join(format!("{pack}.pack"));
    unprotect(&scene.path("vault"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[base.offset as usize + 100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let scene = scene.reopen();
    assert_eq!(scene.vault.store().get(delta).unwrap_err().kind(), ErrorKind::Corrupt);
    let dest = scene.path("restored");
    let build = scene.vault.build("2").unwrap();
    assert!(scene.vault.restore(&build, &dest, &RestoreOptions::default(), &Progress::new()).is_err());
    let options = VerifyOptions { read_data: true, ..VerifyOptions::default() };
    let problems = scene.vault.verify(&options, &Progress::new()).unwrap().problems;
    assert!(problems.iter().any(|problem| problem.contains("1:level.bin")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("2:level.bin")), "{problems:?}");
}
