//! Files that are containers are cut at their entries: these are found where they lie, and whatever stands in a file, it
//! comes back as it was.

use crate::support::mutate::mutate;
use crate::support::seed::{random, seed};
use crate::support::{Scene, noise, write};
use gamevault::Vault;
use gamevault::content::Extent;
use gamevault::id::ChunkId;
use gamevault::lens::{self, Coding, Part, Parts};
use gamevault::manifest::EntryKind;
use rand::RngExt;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Changed files of each sample whose parts are asked for.
const INPUTS: usize = 10_000;

/// Changed files that are stored.
const STORED_INPUTS: usize = 400;

/// The texts of `tests/data/containers/make.py`.
fn text() -> Vec<u8> {
    b"the same words again and again, ".repeat(8)
}

fn sample(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/containers").join(name)).unwrap()
}

/// Returns the 384 bytes that stand in nearly every sample.
fn sample_noise() -> Vec<u8> {
    sample("quake.pak")[12..][..384].to_vec()
}

fn parts_of(name: &str, bytes: &[u8]) -> Option<Parts> {
    lens::parts(bytes, bytes.len() as u64, name.as_bytes()).unwrap()
}

/// Returns what an entry says, decoded as the lens tells.
fn plain(part: &Part, bytes: &[u8]) -> Vec<u8> {
    let stored = &bytes[part.offset as usize..][..part.len as usize];
    match part.coding {
        Coding::Stored => stored.to_vec(),
        Coding::Deflate { plain_len } => {
            let plain = miniz_oxide::inflate::decompress_to_vec(stored).unwrap();
            assert_eq!(plain.len() as u64, plain_len);
            plain
        }
        Coding::Lz4 { plain_len } => lz4::block::decompress(stored, Some(plain_len as i32)).unwrap(),
        Coding::Opaque => panic!("nothing in the samples is opaque"),
    }
}

/// Returns files for a bundle, some of which can be compressed.
fn bundle_files(scale: usize) -> Vec<Vec<u8>> {
    vec![
        text().repeat(scale),
        [noise(7, 60 * scale), text().repeat(scale / 20)].concat(),
        noise(8, 30 * scale).repeat(9),
    ]
}

/// Returns a bundle whose blocks and list are compressed.
fn bundle(files: &[Vec<u8>], block_len: usize) -> Vec<u8> {
    let mut stored = Vec::new();
    let whole = files.concat();
    let blocks: Vec<&[u8]> = whole.chunks(block_len).collect();
    let mut list = [&[0; 16][..], &(blocks.len() as u32).to_be_bytes()].concat();
    for block in &blocks {
        let bytes = lz4::block::compress(block, None, false).unwrap();
        let is_smaller = bytes.len() < block.len();
        let bytes = if is_smaller { bytes } else { block.to_vec() };
        list.extend((block.len() as u32).to_be_bytes());
        list.extend((bytes.len() as u32).to_be_bytes());
        list.extend(if is_smaller { 3u16 } else { 0 }.to_be_bytes());
        stored.extend(bytes);
    }
    list.extend((files.len() as u32).to_be_bytes());
    let mut at = 0u64;
    for (index, file) in files.iter().enumerate() {
        list.extend(at.to_be_bytes());
        list.extend((file.len() as u64).to_be_bytes());
        list.extend(4u32.to_be_bytes());
        list.extend(format!("CAB-{index}\0").as_bytes());
        at += file.len() as u64;
    }
    let packed = lz4::block::compress(&list, None, false).unwrap();
    let mut head = b"UnityFS\0\0\0\0\x075.x.x\x002021.3.16f1\0".to_vec();
    let head_len = (head.len() + 20).next_multiple_of(16);
    head.extend(((head_len + packed.len() + stored.len()) as u64).to_be_bytes());
    head.extend((packed.len() as u32).to_be_bytes());
    head.extend((list.len() as u32).to_be_bytes());
    head.extend(0x43u32.to_be_bytes());
    head.resize(head_len, 0);
    [head, packed, stored].concat()
}

/// Returns all samples that have parts, by name.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "python.zip",
        "info.apk",
        "large.zip",
        "nested.jar",
        "quake.pak",
        "doom.wad",
        "godot3.pck",
        "godot42.pck",
        "godot45.pck",
        "game.elf",
        "bundle.unity3d",
        "unreal-v3.pak",
        "unreal-v7.pak",
        "unreal-v9.pak",
        "gnu.tar",
        "pax.tar",
        "game.nsp",
        "secure.hfs0",
    ];
    let mut samples: Vec<(&str, Vec<u8>)> = names.into_iter().map(|name| (name, sample(name))).collect();
    samples.push(("level.bundle", bundle(&bundle_files(20), 512)));
    samples
}

/// Names and texts.
type Entries<'a> = Vec<(&'a str, &'a [u8])>;

#[test]
fn entries_are_found_where_they_lie() {
    let (text, noise, inner) = (text(), sample_noise(), sample("python.zip"));
    let long = "a folder with a long name/".repeat(7) + "noise.bin";
    let expected: [(&str, Entries<'_>); 17] = [
        (
            "python.zip",
            vec![("assets/0.txt", &text), ("assets/1.txt", &text), ("assets/2.txt", &text), ("noise.bin", &noise)],
        ),
        ("info.apk", vec![("a.txt", &text), ("noise.bin", &noise)]),
        ("large.zip", vec![("large.bin", &text)]),
        ("nested.jar", vec![("lib/inner.jar", &inner), ("b.txt", b"stored behind the archive inside")]),
        ("quake.pak", vec![("maps/start.bsp", &noise)]),
        ("doom.wad", vec![("THINGS", &noise)]),
        ("godot42.pck", vec![("res://main.tscn", &text), ("res://noise.bin", &noise)]),
        ("godot45.pck", vec![("res://main.tscn", &text), ("res://noise.bin", &noise)]),
        ("game.elf", vec![("res://main.tscn", &text), ("res://noise.bin", &noise)]),
        ("bundle.unity3d", vec![("", &noise)]),
        ("unreal-v3.pak", vec![("a.uasset", &noise)]),
        ("unreal-v7.pak", vec![("a.uasset", &noise)]),
        ("unreal-v9.pak", vec![("a.uasset", &noise)]),
        ("gnu.tar", vec![("a.txt", &text), (&long, &noise)]),
        ("pax.tar", vec![("a.txt", &text), (&long, &noise)]),
        ("game.nsp", vec![("a.nca", &text), ("b.nca", &noise)]),
        ("secure.hfs0", vec![("a.nca", &text), ("b.nca", &noise)]),
    ];
    for (name, entries) in expected {
        let bytes = sample(name);
        let found = parts_of(name, &bytes).unwrap_or_else(|| panic!("{name} has no parts"));
        let found: Vec<(String, Vec<u8>)> = found
            .parts
            .iter()
            .map(|part| (String::from_utf8(part.name.to_vec()).unwrap(), plain(part, &bytes)))
            .collect();
        let entries: Vec<(String, Vec<u8>)> =
            entries.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
        assert!(found == entries, "{name}: {:?}", found.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
    let godot3 = sample("godot3.pck");
    let found = parts_of("godot3.pck", &godot3).unwrap().parts;
    assert!(found.iter().any(|part| part.name.starts_with(b"res://")), "{found:?}");
}

#[test]
fn blocks_and_files_of_bundles_are_found() {
    let files = bundle_files(1000);
    let bytes = bundle(&files, 64 << 10);
    let found = parts_of("level", &bytes).unwrap();
    let whole: Vec<u8> = found.parts.iter().flat_map(|part| plain(part, &bytes)).collect();
    assert!(whole == files.concat());
    assert!(found.parts.iter().any(|part| matches!(part.coding, Coding::Lz4 { .. })));
    for (index, (node, file)) in found.nodes.iter().zip(&files).enumerate() {
        assert_eq!(*node.name, *format!("CAB-{index}").as_bytes());
        assert!(whole[node.plain_offset as usize..][..node.len as usize] == **file);
    }
    assert_eq!(found.nodes.len(), files.len());
}

/// Checks what callers rely on.
fn assert_sound(parts: &Parts, len: u64) {
    let mut end = 0;
    for part in &parts.parts {
        assert!(part.len > 0 && part.offset >= end, "{part:?} starts before {end}");
        end = part.offset.checked_add(part.len).unwrap();
    }
    assert!(end <= len && !parts.parts.is_empty());
}

/// Whatever stands in a directory, parts lie side by side inside the file.
#[test]
fn changed_and_cut_containers_have_sound_parts_or_none() {
    let mut random = random(seed());
    for (name, bytes) in samples() {
        assert!(parts_of(name, &bytes).is_some(), "{name}");
        for len in 0..bytes.len() {
            if let Some(parts) = parts_of(name, &bytes[..len]) {
                assert_sound(&parts, len as u64);
            }
        }
        let mut found = 0;
        for _ in 0..INPUTS {
            let changed = mutate(&bytes, &mut random);
            if let Some(parts) = parts_of(name, &changed) {
                assert_sound(&parts, changed.len() as u64);
                found += 1;
            }
        }
        assert!(found > 0, "no change of {name} left parts");
    }
}

/// Returns a container of each kind with entries short and long, by name.
fn large_containers() -> Vec<(&'static str, Vec<u8>)> {
    let entries: Vec<Vec<u8>> =
        (0..60u64).map(|index| noise(index, if index % 9 == 0 { 40_000 + index as usize } else { 900 })).collect();
    let mut pak = vec![0; 12];
    let mut directory = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let mut name = format!("maps/{index}.bsp").into_bytes();
        name.resize(56, 0);
        directory.extend(name);
        directory.extend((pak.len() as u32).to_le_bytes());
        directory.extend((entry.len() as u32).to_le_bytes());
        pak.extend(entry);
    }
    pak[..4].copy_from_slice(b"PACK");
    let (offset, len) = (pak.len() as u32, directory.len() as u32);
    pak[4..8].copy_from_slice(&offset.to_le_bytes());
    pak[8..12].copy_from_slice(&len.to_le_bytes());
    pak.extend(directory);
    vec![("pak0.pak", pak), ("level.bundle", bundle(&bundle_files(1000), 64 << 10))]
}

#[test]
fn containers_come_back_as_they_were() {
    let mut random = random(seed());
    let scene = Scene::new();
    let game = scene.path("game");
    let samples = [samples(), large_containers()].concat();
    let mut files = Vec::new();
    for n in 0..STORED_INPUTS {
        let (name, sound) = &samples[n % samples.len()];
        let bytes = if n < samples.len() { sound.clone() } else { mutate(sound, &mut random) };
        write(&game.join(format!("{n}/{name}")), &bytes);
        files.push((n, *name, bytes));
    }
    scene.snapshot("game");
    let build = scene.vault.build("latest").unwrap();
    let reader = scene.vault.reader();
    for _ in 0..3 * files.len() {
        let (n, name, bytes) = &files[random.random_range(0..files.len())];
        let folder = reader.lookup(build.root.id, n.to_string().as_bytes()).unwrap().unwrap().1;
        let EntryKind::Directory(folder) = folder.kind else { panic!("{n} is no folder") };
        let entry = reader.lookup(folder.id, name.as_bytes()).unwrap().unwrap().1;
        let EntryKind::File(content) = entry.kind else { panic!("{name} is no file") };
        assert_eq!(content.size, bytes.len() as u64);
        let start = random.random_range(0..=bytes.len());
        let mut buf = vec![0; random.random_range(0..=bytes.len() - start)];
        let got = reader.read_at(&content, start as u64, &mut buf).unwrap();
        assert!(got == buf.len() && buf == bytes[start..start + got], "{n}/{name} at {start}");
    }
    let restored = scene.restored("latest", "restored");
    for (n, name, bytes) in files {
        assert!(restored[format!("/{n}/{name}").as_bytes()].bytes == bytes, "{n}/{name}");
    }
}

/// Returns the chunks of the file `name` at the top of a build, with their lengths.
fn chunks_of(vault: &Vault, name: &str) -> HashSet<ChunkId> {
    let build = vault.build("latest").unwrap();
    let entry = vault.reader().lookup(build.root.id, name.as_bytes()).unwrap().unwrap().1;
    let EntryKind::File(content) = entry.kind else { panic!("{name} is no file") };
    let mut chunks = HashSet::new();
    let mut visit = |extent: Extent| {
        chunks.extend(extent.id);
        Ok(())
    };
    vault.reader().for_each_extent(&content, 0, content.size, &mut visit).unwrap();
    chunks
}

/// A texture in a pack and the same one loose are the same chunks, and ten thousand short entries not as many chunks.
#[test]
fn entries_are_the_chunks_of_the_loose_file() {
    let scene = Scene::new();
    let containers = large_containers();
    let (name, pak) = &containers[0];
    write(&scene.path("game").join(name), pak);
    write(&scene.path("game/loose.bsp"), &noise(18, 40_018));
    scene.snapshot("game");
    let (inside, loose) = (chunks_of(&scene.vault, name), chunks_of(&scene.vault, "loose.bsp"));
    assert!(loose.is_subset(&inside));
    // Seven long entries of three chunks at most, what is between them, and the directory.
    assert!(inside.len() <= 7 * 3 + 8 * 2, "{}", inside.len());
}
