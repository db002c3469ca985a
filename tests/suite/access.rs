//! Who may reach what: the options of a mount, the modes of what it writes, links in the way of a restore, damage that a
//! reader meets.

use crate::stage::{Fixture, Stage, noise};
use crate::support::folder::leaves;
use crate::support::unprotect;
use gamevault::mount::MountOptions;
use gamevault::progress::Progress;
use gamevault::vault::RollBackOptions;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// Returns what the kernel says of the mount on `point`: its options, and those of the file system.
fn options_of(point: &Path) -> Vec<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = point.canonicalize().unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(4) == point.to_str()).expect("it is mounted");
    let fields: Vec<&str> = line.split(' ').collect();
    let options = fields[5].split(',').chain(fields.last().unwrap().split(','));
    options.map(str::to_owned).collect()
}

#[test]
fn a_mount_is_its_owners_and_runs_nothing_with_the_rights_of_others() {
    let Some(mut stage) = Stage::mount(Fixture::new(), &MountOptions::default()) else { return };
    let options = options_of(&stage.point);
    for wanted in ["nosuid", "nodev"] {
        assert!(options.iter().any(|option| option == wanted), "{wanted}: {options:?}");
    }
    assert!(!options.iter().any(|option| option == "allow_other"), "{options:?}");
    let me = fs::metadata("/proc/self").unwrap();
    fs::create_dir(stage.path(".snapshot/s")).unwrap();
    let program = stage.path(".snapshot/s/program");
    fs::write(&program, b"#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    for path in [&stage.point, &stage.path("builds"), &program] {
        let about = fs::metadata(path).unwrap();
        assert_eq!((about.uid(), about.gid()), (me.uid(), me.gid()), "{}", path.display());
    }
    stage.mounted.take().unwrap().unmount().unwrap();
    let Some(stage) = Stage::mount(Fixture::new(), &MountOptions { allow_other: true, ..MountOptions::default() })
    else {
        return;
    };
    assert!(options_of(&stage.point).iter().any(|option| option == "allow_other"));
}

#[test]
fn what_a_mount_writes_is_for_its_owner_alone() {
    let Some(mut stage) = Stage::mount(Fixture::new(), &MountOptions::default()) else { return };
    fs::create_dir(stage.path(".snapshot/s")).unwrap();
    fs::write(stage.path(".snapshot/s/file"), noise(1, 300_000)).unwrap();
    fs::rename(stage.path(".snapshot/s"), stage.path("builds/s")).unwrap();
    fs::create_dir(stage.path(".snapshot/open")).unwrap();
    let mut open = fs::File::create(stage.path(".snapshot/open/file")).unwrap();
    open.write_all(&noise(2, 100_000)).unwrap();
    open.sync_all().unwrap();
    fs::write(stage.path("feedback/s/said.jsonl"), "{\"text\":\"hello\"}\n").unwrap();
    drop(open);
    stage.mounted.take().unwrap().unmount().unwrap();
    let files = leaves(&stage.fixture.path("vault"));
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        for path in file.ancestors().take_while(|path| path.starts_with(stage.fixture.path("vault"))) {
            let mode = fs::symlink_metadata(path).unwrap().mode();
            assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", path.display());
        }
    }
}

#[test]
fn damage_that_a_program_meets_is_an_error_and_never_other_bytes() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    let bytes = noise(3, 2 << 20);
    fs::write(source.join("large.bin"), &bytes).unwrap();
    fixture.snapshot(&source, "a");
    unprotect(&fixture.path("vault"));
    let packs = leaves(&fixture.path("vault/packs"));
    let pack = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(pack).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    let mut byte = [0];
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
    let Some(stage) = Stage::mount(fixture, &MountOptions::default()) else { return };
    let file = fs::File::open(stage.path("builds/a/large.bin")).unwrap();
    let mut refused = 0;
    for (number, wanted) in bytes.chunks(4096).enumerate() {
        let mut found = vec![0; wanted.len()];
        match file.read_exact_at(&mut found, number as u64 * 4096) {
            Ok(()) => assert!(found == wanted, "page {number} has other bytes"),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EIO), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && refused < bytes.len() / 4096, "{refused} pages are refused");
}

#[test]
fn rolling_back_goes_through_no_link() {
    let fixture = Fixture::new();
    let (game, elsewhere) = (fixture.path("game"), fixture.path("elsewhere"));
    for (path, bytes) in
        [(game.join("sub/file"), "first"), (game.join("top"), "first"), (elsewhere.join("file"), "mine")]
    {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fixture.snapshot(&game, "first");
    // Both are links out of the folder now, where the build has a folder and a file.
    fs::remove_dir_all(game.join("sub")).unwrap();
    symlink(&elsewhere, game.join("sub")).unwrap();
    fs::remove_file(game.join("top")).unwrap();
    symlink(elsewhere.join("file"), game.join("top")).unwrap();
    let first = fixture.vault.build("first").unwrap();
    fixture.vault.roll_back(&first, &game, &RollBackOptions::default(), &Progress::new()).unwrap();
    assert_eq!(fs::read(elsewhere.join("file")).unwrap(), b"mine");
    for path in ["sub", "sub/file", "top"] {
        assert!(!fs::symlink_metadata(game.join(path)).unwrap().is_symlink(), "{path}");
    }
    assert_eq!(fs::read(game.join("sub/file")).unwrap(), b"first");
    assert_eq!(fs::read(game.join("top")).unwrap(), b"first");
}

#[test]
fn room_is_told_as_the_disk_has_it() {
    let Some(stage) = Stage::mount(Fixture::new(), &MountOptions::default()) else { return };
    fs::create_dir(stage.path(".snapshot/s")).unwrap();
    let file = stage.path(".snapshot/s/file");
    fs::write(&file, noise(1, 100_000)).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().blocks(), 100_000_u64.div_ceil(512));
    let of = |path: &Path| nix::sys::statvfs::statvfs(path).unwrap();
    let (mount, disk) = (of(&stage.point), of(&stage.fixture.path("vault")));
    let bytes = |told: &nix::sys::statvfs::Statvfs| (told.blocks() * told.fragment_size()) >> 20;
    assert_eq!(bytes(&mount), bytes(&disk));
    assert_eq!(mount.name_max(), 255);
}
