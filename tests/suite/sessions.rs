//! Sessions through a mount: bases, copies by reference, patched files, moves between sessions, a spool that stays small.

use crate::stage::{Fixture, Stage, assert_same, fill, noise};
use gamevault::mount::MountOptions;
use gamevault::vault::Vault;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Mounts a vault with the build `a`, whose source is the folder `source`.
fn stage_with_build() -> Option<Stage> {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    fill(&source, 1);
    fs::write(source.join("large.bin"), noise(5, 20 << 20)).unwrap();
    fixture.snapshot(&source, "a");
    Stage::mount(fixture, &MountOptions::default())
}

fn run(program: &str, args: &[&Path]) {
    let status = Command::new(program).args(args).status().unwrap();
    assert!(status.success(), "{program} {args:?} ended with {status}");
}

/// Returns the room that the files of the spool take on the disk.
fn spool_room(vault: &Path) -> u64 {
    let mut room = 0;
    let mut open = vec![vault.join("spool")];
    while let Some(directory) = open.pop() {
        // Files come and go meanwhile.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => room += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    room
}

#[test]
fn a_session_with_a_base_is_the_base_until_it_is_changed() {
    let Some(stage) = stage_with_build() else { return };
    let (source, session) = (stage.fixture.path("source"), stage.path(".snapshot/b"));
    fs::create_dir(stage.path(".snapshot/b@a")).unwrap();
    let listed: Vec<_> =
        fs::read_dir(stage.path(".snapshot")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(listed, ["b"]);
    assert_same(&source, &session);
    assert_same(&source, &stage.path(".snapshot/b@a"));

    for root in [&source, &session] {
        fs::remove_dir_all(root.join("many")).unwrap();
        fs::write(root.join("readme.txt"), b"another").unwrap();
        fs::rename(root.join("data/deep"), root.join("deep")).unwrap();
    }
    // The times of what was changed are not the same in both, by less than a second.
    run(
        "rsync",
        &[Path::new("-a"), Path::new("--delete"), Path::new("--modify-window=-1"), &source.join(""), &session.join("")],
    );
    assert_same(&source, &session);
    fs::rename(&session, stage.path("builds/b")).unwrap();
    assert_same(&source, &stage.path("builds/b"));
    let (old, new) = (stage.fixture.vault.build("a").unwrap(), stage.fixture.vault.build("b").unwrap());
    assert_eq!(new.info.base, Some(old.number));
    assert!(new.stored_bytes < 100_000, "{} bytes were stored for a few changed names", new.stored_bytes);
}

#[test]
fn bases_are_found_refused_and_given_later() {
    let Some(stage) = stage_with_build() else { return };
    let make = |name: &str| fs::create_dir(stage.path(".snapshot").join(name));
    let refused = |name: &str| make(name).unwrap_err().kind();
    assert_eq!(refused("b@nothing"), ErrorKind::NotFound);
    assert_eq!(refused("b?@a"), ErrorKind::InvalidInput);
    make("b@latest").unwrap();
    assert_eq!(refused("B@a"), ErrorKind::AlreadyExists);
    assert!(fs::exists(stage.path(".snapshot/b@1")).unwrap(), "the base may be called by any of its names");
    assert!(!fs::exists(stage.path(".snapshot/b@2")).unwrap());

    make("later").unwrap();
    fs::rename(stage.path(".snapshot/later"), stage.path(".snapshot/c@a")).unwrap();
    assert_same(&stage.fixture.path("source"), &stage.path(".snapshot/c"));
    make("full").unwrap();
    fs::write(stage.path(".snapshot/full/file"), b"x").unwrap();
    let full = fs::rename(stage.path(".snapshot/full"), stage.path(".snapshot/d@a"));
    assert_eq!(full.unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::rename(stage.path(".snapshot/b"), stage.path("builds/b@a")).unwrap();
    assert_same(&stage.fixture.path("source"), &stage.path("builds/b"));
}

#[test]
fn a_copy_inside_the_mount_moves_no_bytes() {
    let Some(stage) = stage_with_build() else { return };
    fs::create_dir(stage.path(".snapshot/c")).unwrap();
    run(
        "cp",
        &[Path::new("-r"), &stage.path("builds/a/data"), &stage.path("builds/a/large.bin"), &stage.path(".snapshot/c")],
    );
    assert!(spool_room(stage.fixture.vault.dir()) < 100_000);
    run("cp", &[Path::new("-a"), &stage.path(".snapshot/c"), &stage.path(".snapshot/d")]);
    assert!(spool_room(stage.fixture.vault.dir()) < 200_000);
    fs::rename(stage.path(".snapshot/d"), stage.path("builds/d")).unwrap();
    assert_eq!(fs::read(stage.path("builds/d/large.bin")).unwrap(), noise(5, 20 << 20));
    assert!(stage.fixture.vault.build("d").unwrap().stored_bytes < 20_000);
}

#[test]
fn a_stored_file_is_patched_in_place_and_over_a_remount() {
    let Some(mut stage) = stage_with_build() else { return };
    fs::create_dir(stage.path("workspaces/w@a")).unwrap();
    let mut expected = noise(5, 20 << 20);
    let file = fs::OpenOptions::new().write(true).open(stage.path("workspaces/w/large.bin")).unwrap();
    for offset in [7usize, 3 << 20, (20 << 20) - 3] {
        file.write_all_at(b"patched", offset as u64).unwrap();
        expected.resize(expected.len().max(offset + 7), 0);
        expected[offset..offset + 7].copy_from_slice(b"patched");
    }
    drop(file);
    assert!(spool_room(stage.fixture.vault.dir()) < 1 << 20, "only the blocks around the writes are in the spool");
    assert!(fs::read(stage.path("workspaces/w/large.bin")).unwrap() == expected);
    stage.remount();
    assert!(fs::read(stage.path("workspaces/w/large.bin")).unwrap() == expected);
    fs::rename(stage.path("workspaces/w"), stage.path("builds/w")).unwrap();
    assert!(fs::read(stage.path("builds/w/large.bin")).unwrap() == expected);
    assert!(stage.fixture.vault.build("w").unwrap().stored_bytes < 2 << 20);
}

#[test]
fn entries_move_from_one_session_to_another() {
    let Some(stage) = stage_with_build() else { return };
    let source = stage.fixture.path("source");
    for name in ["from@a", "to"] {
        fs::create_dir(stage.path(".snapshot").join(name)).unwrap();
    }
    let (from, to) = (stage.path(".snapshot/from"), stage.path(".snapshot/to"));
    fill(&from.join("fresh"), 2);
    fill(&source.join("fresh"), 2);
    fs::write(from.join("large.bin"), noise(6, 3 << 20)).unwrap();
    fs::write(source.join("large.bin"), noise(6, 3 << 20)).unwrap();
    // Seen before they move: the kernel holds the nodes of the session that they leave.
    assert_eq!(fs::read_dir(from.join("many")).unwrap().count(), 700);
    for name in ["many", "data", "fresh", "large.bin", "link"] {
        fs::rename(from.join(name), to.join(name)).unwrap();
        assert!(!from.join(name).exists(), "{name} is still where it was");
    }
    // At once, by names that the kernel may hold for the old nodes.
    fs::write(to.join("many/0001.dat"), b"written after the move").unwrap();
    fs::write(source.join("many/0001.dat"), b"written after the move").unwrap();
    assert_eq!(fs::read(to.join("large.bin")).unwrap(), noise(6, 3 << 20));
    for name in ["many", "data", "fresh"] {
        run("diff", &[Path::new("-r"), Path::new("--no-dereference"), &source.join(name), &to.join(name)]);
    }
    fs::rename(&to, stage.path("builds/to")).unwrap();
    for name in ["many", "data", "fresh"] {
        run(
            "diff",
            &[Path::new("-r"), Path::new("--no-dereference"), &source.join(name), &stage.path("builds/to").join(name)],
        );
    }
    assert!(stage.path(".snapshot/from/readme.txt").exists());
}

#[test]
fn a_file_that_is_written_does_not_move_to_another_session() {
    let Some(stage) = stage_with_build() else { return };
    fs::create_dir(stage.path(".snapshot/from")).unwrap();
    fs::create_dir(stage.path(".snapshot/to")).unwrap();
    let (from, to) = (stage.path(".snapshot/from/dir"), stage.path(".snapshot/to/dir"));
    fs::create_dir(&from).unwrap();
    let file = fs::File::create(from.join("file")).unwrap();
    (&file).write_all(b"some").unwrap();
    assert_eq!(fs::rename(&from, &to).unwrap_err().kind(), ErrorKind::ResourceBusy);
    (&file).write_all(b" bytes").unwrap();
    drop(file);
    // The kernel tells of the close after the program has gone on.
    let start = std::time::Instant::now();
    while let Err(error) = fs::rename(&from, &to) {
        assert!(start.elapsed().as_secs() < 20, "{error}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(fs::read(to.join("file")).unwrap(), b"some bytes");
}

#[test]
fn what_an_engine_makes_again_is_left_out_of_a_copied_project_and_said() {
    let fixture = Fixture::new();
    let project = fixture.path("project");
    for folder in ["game/.import", "game/levels", "tools/.import"] {
        fs::create_dir_all(project.join(folder)).unwrap();
    }
    fs::write(project.join("game/project.godot"), b"config_version=4\n").unwrap();
    fs::write(project.join("game/levels/one.tscn"), b"[gd_scene]\n").unwrap();
    fs::write(project.join("game/.import/icon.png-1.stex"), noise(1, 200_000)).unwrap();
    fs::write(project.join("tools/.import/list.txt"), b"of no engine\n").unwrap();
    let Some(mut stage) = Stage::mount(fixture, &MountOptions::default()) else { return };
    run("cp", &[Path::new("-a"), &project, &stage.path(".snapshot/p")]);
    let status = fs::read_to_string(stage.path(".snapshot/p/.gamevault/status.json")).unwrap();
    assert!(status.contains("game/.import/"), "{status}");
    fs::rename(stage.path(".snapshot/p"), stage.path("builds/p")).unwrap();
    // The kernel shows what it knew of the session for some milliseconds yet.
    stage.remount();
    assert!(!stage.path("builds/p/game/.import").exists());
    assert!(stage.path("builds/p/game/levels/one.tscn").exists());
    assert!(stage.path("builds/p/tools/.import/list.txt").exists(), "what is in no project stays");
    let build = stage.fixture.vault.build("p").unwrap();
    let left_out: Vec<_> = build.info.left_out.iter().map(|left_out| (&*left_out.path, &*left_out.engine)).collect();
    assert_eq!(left_out, [("game/.import/", "godot")]);
}

/// Writes `len` bytes of noise to a file of a session, and returns the most room that the spool took meanwhile.
fn write_large(file: &fs::File, vault: &Path, seed: u64, len: usize) -> u64 {
    let mut most = 0;
    let mut bytes = file;
    for (index, piece) in noise(seed, len).chunks(1 << 20).enumerate() {
        bytes.write_all(piece).unwrap();
        if index % 4 == 3 {
            most = most.max(spool_room(vault));
        }
    }
    most
}

#[test]
fn the_spool_stays_small_while_a_large_file_comes_in() {
    let Some(mut stage) = Stage::mount(fixture_with_spool(16), &MountOptions::default()) else { return };
    let dir = stage.fixture.vault.dir().to_owned();
    fs::create_dir(stage.path(".snapshot/large")).unwrap();

    const LEN: usize = 150 << 20;
    let path = stage.path(".snapshot/large/game.pak");
    let file = fs::File::create(&path).unwrap();
    let most = write_large(&file, &dir, 9, LEN);
    // Half as much again is when writes wait; the rest is what is written while they do.
    assert!(most < 64 << 20, "the spool took {most} bytes of {LEN}");
    // Back into what is stored already.
    file.write_all_at(b"a header that is written last", 0).unwrap();
    file.write_all_at(b"and a note", 50 << 20).unwrap();
    drop(file);
    let mut expected = noise(9, LEN);
    expected[..29].copy_from_slice(b"a header that is written last");
    expected[50 << 20..(50 << 20) + 10].copy_from_slice(b"and a note");
    assert!(fs::read(&path).unwrap() == expected, "the session reads what was written");
    stage.remount();
    assert!(fs::read(&path).unwrap() == expected, "and does so after a remount");

    // One that is not touched again goes on where its head ended.
    let other = fs::File::create(stage.path(".snapshot/large/other.pak")).unwrap();
    write_large(&other, &dir, 10, LEN);
    drop(other);
    fs::rename(stage.path(".snapshot/large"), stage.path("builds/large")).unwrap();
    assert!(fs::read(stage.path("builds/large/game.pak")).unwrap() == expected);
    assert!(fs::read(stage.path("builds/large/other.pak")).unwrap() == noise(10, LEN));
}

/// Makes a vault whose spool holds no more than it must from so many MiB on.
fn fixture_with_spool(mib: u32) -> Fixture {
    let Fixture { dir, vault } = Fixture::new();
    drop(vault);
    let config: PathBuf = dir.path().join("vault/vault.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, with_value(&text, "spool_mib", &mib.to_string())).unwrap();
    let vault = Arc::new(Vault::open(&dir.path().join("vault")).unwrap());
    Fixture { dir, vault }
}

/// Returns a config with another value for `key`.
fn with_value(text: &str, key: &str, value: &str) -> String {
    let is_key = |line: &str| line.split('=').next().is_some_and(|name| name.trim() == key);
    assert!(text.lines().any(is_key), "{key} is in the config: {text}");
    text.lines().map(|line| if is_key(line) { format!("{key} = {value}\n") } else { format!("{line}\n") }).collect()
}

/// A file system of `mib` MiB, taken away at the end; `None` where that needs rights that the test has not.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(point: PathBuf, mib: u32) -> Option<SmallDisk> {
        fs::create_dir(&point).unwrap();
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&point).output().unwrap();
        if !mounted.status.success() {
            println!("skipped: no file system can be mounted: {}", String::from_utf8_lossy(&mounted.stderr));
            return None;
        }
        Some(SmallDisk(point))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_is_told_by_the_write_and_is_free_again_after_an_abort() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(dir.path().join("disk"), 48) else { return };
    let vault = Arc::new(Vault::init(&dir.path().join("disk/vault")).unwrap());
    let fixture = Fixture { dir, vault };
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("small.bin"), noise(1, 2 << 20)).unwrap();
    fixture.snapshot(&source, "before");
    let Some(stage) = Stage::mount(fixture, &MountOptions::default()) else { return };

    let free = || stage.fixture.vault.space().unwrap().available;
    let free_before = free();
    fs::create_dir(stage.path(".snapshot/large")).unwrap();
    let mut file = fs::File::create(stage.path(".snapshot/large/file.bin")).unwrap();
    let full = noise(2, 1 << 20).iter().cycle().copied().take(80 << 20).collect::<Vec<u8>>();
    let error = full.chunks(1 << 20).find_map(|piece| file.write_all(piece).err()).expect("the disk is full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    drop(file);
    let status = fs::read_to_string(stage.path(".snapshot/large/.gamevault/status.json")).unwrap();
    assert!(status.contains("file.bin"), "the status names the file: {status}");
    let refused = fs::rename(stage.path(".snapshot/large"), stage.path("builds/large")).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EIO), "what was not written is not published: {refused}");
    assert_same(&source, &stage.path("builds/before"));

    fs::remove_dir_all(stage.path(".snapshot/large")).unwrap();
    assert!(free() + (1 << 20) > free_before, "{} of {free_before} bytes are free again", free());
    fs::create_dir(stage.path(".snapshot/after")).unwrap();
    fs::write(stage.path(".snapshot/after/file.bin"), noise(3, 4 << 20)).unwrap();
    fs::rename(stage.path(".snapshot/after"), stage.path("builds/after")).unwrap();
    assert_eq!(fs::read(stage.path("builds/after/file.bin")).unwrap(), noise(3, 4 << 20));
}

/// Returns the length of the only journal of the vault.
fn journal_len(vault: &Path) -> u64 {
    let sessions = fs::read_dir(vault.join("spool")).unwrap().map(|entry| entry.unwrap().path().join("journal"));
    let journals: Vec<u64> = sessions.map(|journal| fs::metadata(journal).unwrap().len()).collect();
    assert_eq!(journals.len(), 1);
    journals[0]
}

#[test]
fn a_journal_that_repeats_itself_is_written_anew() {
    let Some(mut stage) = stage_with_build() else { return };
    fs::create_dir(stage.path("workspaces/w@a")).unwrap();
    let work = |name: &str| stage.path("workspaces/w").join(name);
    // A folder that nobody looks into stays one op.
    fs::rename(work("many"), work("data/moved")).unwrap();
    for round in 0..400 {
        fs::write(work("draft.tmp"), format!("draft {round}")).unwrap();
        fs::rename(work("draft.tmp"), work("draft.txt")).unwrap();
    }
    fs::OpenOptions::new().write(true).open(work("large.bin")).unwrap().write_all_at(b"patch", 5 << 20).unwrap();
    let mut large = noise(5, 20 << 20);
    large[5 << 20..(5 << 20) + 5].copy_from_slice(b"patch");
    let long = journal_len(stage.fixture.vault.dir());
    stage.remount();
    assert!(stage.path("workspaces/w").is_dir());
    let short = journal_len(stage.fixture.vault.dir());
    assert!(short < long / 2, "{short} of {long} bytes are left");
    let work = |name: &str| stage.path("workspaces/w").join(name);
    assert!(fs::read(work("large.bin")).unwrap() == large);
    assert_eq!(fs::read(work("draft.txt")).unwrap(), b"draft 399");
    assert!(!work("many").exists());
    assert_same(&stage.fixture.path("source/many"), &work("data/moved"));
    // The new journal goes on as the old one would.
    let before = crate::stage::walk(&stage.path("workspaces/w"));
    stage.remount();
    let after = crate::stage::walk(&stage.path("workspaces/w"));
    crate::stage::assert_trees(&before, &after, "the workspace before and after the remount");
}

/// Appends, overwrites, cuts and holes while the head of the file is on its way to the store, or is there.
#[test]
fn random_writes_into_a_large_file_hold_with_a_small_spool() {
    use rand::{RngExt, SeedableRng};
    let seed = crate::support::seed::seed();
    let mut random = rand::rngs::SmallRng::seed_from_u64(seed);
    let Some(mut stage) = Stage::mount(fixture_with_spool(4), &MountOptions::default()) else { return };
    fs::create_dir(stage.path(".snapshot/s")).unwrap();
    let open = |stage: &Stage| {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(stage.path(".snapshot/s/game.pak")).unwrap()
    };
    let mut file = open(&stage);
    let mut expected: Vec<u8> = Vec::new();
    let pool = noise(seed, 8 << 20);
    let write = |file: &fs::File, expected: &mut Vec<u8>, offset: usize, piece: &[u8]| {
        file.write_all_at(piece, offset as u64).unwrap();
        expected.resize(expected.len().max(offset + piece.len()), 0);
        expected[offset..offset + piece.len()].copy_from_slice(piece);
    };
    for step in 0..250 {
        let start = random.random_range(0..6 << 20);
        match random.random_range(0..100) {
            0..70 => {
                let len = random.random_range(1..400_000);
                let end = expected.len();
                write(&file, &mut expected, end, &pool[start..start + len]);
            }
            70..85 => {
                let offset = random.random_range(0..=expected.len());
                let len = random.random_range(1..100_000);
                write(&file, &mut expected, offset, &pool[start..start + len]);
            }
            85..88 => {
                let len = random.random_range(expected.len() * 3 / 4..=expected.len() + 100_000);
                file.set_len(len as u64).unwrap();
                expected.resize(len, 0);
            }
            88..91 => {
                use nix::fcntl::{FallocateFlags, fallocate};
                let offset = random.random_range(0..=expected.len());
                let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                fallocate(&file, flags, offset as i64, 300_000).unwrap();
                let end = expected.len().min(offset + 300_000);
                expected[offset..end].fill(0);
            }
            91..98 => {
                let from = random.random_range(0..=expected.len());
                let mut found = vec![0; 500_000.min(expected.len() - from)];
                file.read_exact_at(&mut found, from as u64).unwrap();
                assert!(found == expected[from..from + found.len()], "step {step}: other bytes from {from} on");
            }
            _ => {
                drop(file);
                if random.random_range(0..3) == 0 {
                    stage.remount();
                }
                file = open(&stage);
            }
        }
    }
    drop(file);
    assert!(fs::read(stage.path(".snapshot/s/game.pak")).unwrap() == expected, "the session has other bytes");
    fs::rename(stage.path(".snapshot/s"), stage.path("builds/s")).unwrap();
    stage.remount();
    assert!(fs::read(stage.path("builds/s/game.pak")).unwrap() == expected, "the build has other bytes");
}
