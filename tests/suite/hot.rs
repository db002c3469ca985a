//! Hot copies, and a mount that lets the kernel read them by itself: same bytes, never damaged ones, bounded room.
//!
//! That a file is read from its copy is seen by taking the packs away: then nothing else has its bytes. Tests of the
//! mount are skipped, with a word, where the kernel does not pass on reads.

use crate::stage::{Fixture, Stage, noise};
use crate::support::faulty::{Fault, FaultyDisk};
use gamevault::ErrorKind;
use gamevault::disk::SystemFile;
use gamevault::manifest::{Content, EntryKind};
use gamevault::mount::{MountOptions, mount};
use gamevault::vault::{HotCopies, MIN_HOT_LEN, Passthrough, Vault};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LEN: usize = 3 << 20;

/// How long a copy may take to be made.
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> MountOptions {
    MountOptions { passthrough: true, ..MountOptions::default() }
}

/// Mounts with passthrough; `None` where the kernel refuses.
fn stage(fixture: Fixture) -> Option<Stage> {
    let stage = Stage::mount(fixture, &options())?;
    if let Passthrough::Refused(why) = stage.mounted.as_ref().unwrap().passthrough() {
        println!("skipped: {why}");
        return None;
    }
    Some(stage)
}

/// Makes a vault of one build `b1` with these files.
fn with_files(files: &[(&str, &[u8])]) -> Fixture {
    let fixture = Fixture::new();
    add(&fixture, "b1", files);
    fixture
}

fn add(fixture: &Fixture, id: &str, files: &[(&str, &[u8])]) {
    let source = fixture.path(&format!("source-{id}"));
    fs::create_dir_all(&source).unwrap();
    for (name, bytes) in files {
        fs::write(source.join(name), bytes).unwrap();
    }
    fixture.snapshot(&source, id);
}

fn content(vault: &Vault, build: &str, name: &str) -> Content {
    let build = vault.build(build).unwrap();
    match vault.reader().lookup(build.root.id, name.as_bytes()).unwrap().unwrap().1.kind {
        EntryKind::File(content) => content,
        _ => panic!("{name} is no file"),
    }
}

/// Asks until there is a copy.
fn ready(copies: &HotCopies, content: &Content) -> Option<SystemFile> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(file) = copies.open(content) {
            return Some(file);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

fn bytes_of(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The files of the folder of copies with this end.
fn kept(vault: &Path, end: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(vault.join("cache/hot")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// Opens a file of the mount until a copy of it is in use, and waits for that.
fn warm(stage: &Stage, path: &str) {
    let (vault, before) = (stage.fixture.path("vault"), Instant::now());
    let size = fs::metadata(stage.path(path)).unwrap().len();
    let is_there = || kept(&vault, ".copy").iter().any(|copy| fs::metadata(copy).is_ok_and(|copy| copy.len() == size));
    while !is_there() {
        drop(File::open(stage.path(path)).unwrap());
        assert!(before.elapsed() < PATIENCE, "there is no copy of {path}");
        std::thread::sleep(Duration::from_millis(20));
    }
    // It has its name a moment before it is used.
    std::thread::sleep(Duration::from_millis(100));
}

/// Overwrites the packs, so that nothing but copies has the bytes of files any more.
fn spoil_packs(fixture: &Fixture) {
    fn spoil(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => spoil(&entry.path()),
                // In its place: the vault may have it open.
                false => fs::write(entry.path(), vec![0; entry.metadata().unwrap().len() as usize]).unwrap(),
            }
        }
    }
    spoil(&fixture.path("vault/packs"));
    fixture.vault.reader().clear_caches();
}

/// Changes one byte of a file, but none of its times.
fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
    file.set_modified(modified).unwrap();
}

fn only(paths: &[PathBuf]) -> &PathBuf {
    assert_eq!(paths.len(), 1, "{paths:?}");
    &paths[0]
}

/// A file mapped into memory, as long as this lives.
struct Mapped(std::ptr::NonNull<std::ffi::c_void>, usize);

impl Mapped {
    fn new(file: &File) -> Mapped {
        let len = file.metadata().unwrap().len() as usize;
        let size = NonZeroUsize::new(len).unwrap();
        // SAFETY: the file is mapped to read, at a place that the system chooses, and nobody changes it.
        Mapped(unsafe { mmap(None, size, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, file, 0) }.unwrap(), len)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped until this is dropped.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.1) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: nothing borrowed from the range outlives this.
        unsafe { munmap(self.0, self.1) }.unwrap();
    }
}

#[test]
fn reads_maps_and_runs_come_from_the_copy() {
    let bytes = noise(1, LEN);
    let mut program = fs::read("/bin/sh").unwrap();
    program.extend(noise(2, LEN));
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("level.pak"), &bytes).unwrap();
    fs::write(source.join("game"), &program).unwrap();
    fs::set_permissions(source.join("game"), fs::Permissions::from_mode(0o755)).unwrap();
    fixture.snapshot(&source, "b1");
    let Some(stage) = stage(fixture) else { return };
    warm(&stage, "builds/b1/level.pak");
    warm(&stage, "builds/b1/game");
    spoil_packs(&stage.fixture);
    let file = File::open(stage.path("builds/b1/level.pak")).unwrap();
    assert!(bytes_of(&file) == bytes);
    assert!(Mapped::new(&file).bytes() == bytes);
    let run = Command::new(stage.path("builds/b1/game")).args(["-c", "echo ran"]).output().unwrap();
    assert_eq!(run.stdout, b"ran\n", "{run:?}");
    // It is the file of the build that is seen, not its copy.
    let seen = file.metadata().unwrap();
    assert_eq!(seen.len(), LEN as u64);
    assert_eq!(seen.ino(), fs::metadata(stage.path("builds/b1/level.pak")).unwrap().ino());
    assert!(File::options().write(true).open(stage.path("builds/b1/level.pak")).is_err());
}

#[test]
fn a_hole_stays_a_hole() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    let file = File::create(source.join("sparse")).unwrap();
    file.write_all_at(&noise(1, 300_000), 0).unwrap();
    file.write_all_at(&noise(2, 300_000), 40 << 20).unwrap();
    fixture.snapshot(&source, "b1");
    let copies = fixture.vault.hot_copies().unwrap();
    let copy = ready(&copies, &content(&fixture.vault, "b1", "sparse")).unwrap();
    assert!(bytes_of(&copy) == fs::read(source.join("sparse")).unwrap());
    assert!(copy.metadata().unwrap().blocks() * 512 < 4 << 20, "{:?}", copy.metadata());
}

#[test]
fn small_files_get_no_copy() {
    let fixture = with_files(&[("small", &noise(1, MIN_HOT_LEN as usize - 1)), ("large", &noise(2, LEN))]);
    let copies = fixture.vault.hot_copies().unwrap();
    let small = content(&fixture.vault, "b1", "small");
    assert!(copies.open(&small).is_none());
    ready(&copies, &content(&fixture.vault, "b1", "large")).unwrap();
    assert!(copies.open(&small).is_none());
    only(&kept(&fixture.path("vault"), ".copy"));
}

/// The kernel answers EIO to an open in the other mode than the node's, so any mistake in counting opens shows here.
#[test]
fn openers_agree_while_the_copy_becomes_ready() {
    let bytes = noise(1, LEN);
    let Some(stage) = stage(with_files(&[("level.pak", &bytes)])) else { return };
    let path = stage.path("builds/b1/level.pak");
    let first = File::open(&path).unwrap();
    let map = Mapped::new(&first);
    assert!(map.bytes() == bytes);
    warm(&stage, "builds/b1/level.pak");
    // Through the page cache still, as the first one.
    assert!(bytes_of(&File::open(&path).unwrap()) == bytes);
    drop(first);
    assert!(bytes_of(&File::open(&path).unwrap()) == bytes, "the map alone keeps it open");
    drop(map);
    let end = Instant::now() + Duration::from_secs(2);
    std::thread::scope(|scope| {
        for reader in 0..8u64 {
            let (path, bytes) = (&path, &bytes);
            scope.spawn(move || {
                let mut turn = reader;
                while Instant::now() < end {
                    let file = File::open(path).unwrap();
                    turn += 1;
                    match turn % 3 {
                        0 => assert!(Mapped::new(&file).bytes() == *bytes),
                        1 => assert!(bytes_of(&file) == *bytes),
                        _ => {
                            let mut part = [0; 4096];
                            file.read_exact_at(&mut part, turn * 4096 % (LEN as u64 - 4096)).unwrap();
                        }
                    }
                }
            });
        }
    });
    spoil_packs(&stage.fixture);
    assert!(bytes_of(&File::open(&path).unwrap()) == bytes);
}

#[test]
fn builds_share_a_copy() {
    let bytes = noise(1, LEN);
    let fixture = with_files(&[("level.pak", &bytes)]);
    std::thread::sleep(Duration::from_millis(20));
    add(&fixture, "b2", &[("moved.pak", &bytes)]);
    let Some(stage) = stage(fixture) else { return };
    let [one, other] = ["builds/b1/level.pak", "builds/b2/moved.pak"].map(|path| stage.path(path));
    // Their times differ, so they are two nodes.
    assert_ne!(fs::metadata(&one).unwrap().ino(), fs::metadata(&other).unwrap().ino());
    warm(&stage, "builds/b1/level.pak");
    spoil_packs(&stage.fixture);
    let (one, other) = (File::open(one).unwrap(), File::open(other).unwrap());
    assert!(bytes_of(&one) == bytes && bytes_of(&other) == bytes);
    only(&kept(&stage.fixture.path("vault"), ".copy"));
}

#[test]
fn copies_are_used_again_after_a_remount() {
    let bytes = noise(1, LEN);
    let Some(mut stage) = stage(with_files(&[("level.pak", &bytes)])) else { return };
    warm(&stage, "builds/b1/level.pak");
    let vault = stage.fixture.path("vault");
    let number = |copies: &[PathBuf]| fs::metadata(only(copies)).unwrap().ino();
    let before = number(&kept(&vault, ".copy"));
    stage.mounted.take().unwrap().unmount().unwrap();
    stage.mounted = Some(mount(Arc::clone(&stage.fixture.vault), &stage.point, &options()).unwrap());
    warm(&stage, "builds/b1/level.pak");
    std::thread::sleep(Duration::from_millis(300));
    spoil_packs(&stage.fixture);
    assert!(bytes_of(&File::open(stage.path("builds/b1/level.pak")).unwrap()) == bytes);
    assert_eq!(number(&kept(&vault, ".copy")), before);
}

#[test]
fn a_copy_that_was_damaged_between_two_mounts_is_never_served() {
    let bytes = noise(1, LEN);
    let Some(mut stage) = stage(with_files(&[("level.pak", &bytes)])) else { return };
    warm(&stage, "builds/b1/level.pak");
    let vault = stage.fixture.path("vault");
    let damages: [fn(&Path); 3] = [
        |copy| flip(copy, 2_000_000),
        |copy| File::options().write(true).open(copy).unwrap().set_len(LEN as u64 - 1).unwrap(),
        |copy| fs::write(copy, vec![0; LEN]).unwrap(),
    ];
    for damage in damages {
        stage.mounted.take().unwrap().unmount().unwrap();
        damage(only(&kept(&vault, ".copy")));
        stage.mounted = Some(mount(Arc::clone(&stage.fixture.vault), &stage.point, &options()).unwrap());
        let start = Instant::now();
        let is_right =
            || kept(&vault, ".copy").first().is_some_and(|copy| fs::read(copy).is_ok_and(|now| now == bytes));
        while !is_right() || start.elapsed() < Duration::from_millis(300) {
            assert!(bytes_of(&File::open(stage.path("builds/b1/level.pak")).unwrap()) == bytes);
            assert!(start.elapsed() < PATIENCE, "the copy is not made again");
        }
    }
}

#[test]
fn a_copy_that_changes_while_it_is_used_is_found_at_the_next_open() {
    let bytes = noise(1, LEN);
    let fixture = with_files(&[("level.pak", &bytes)]);
    let content = content(&fixture.vault, "b1", "level.pak");
    let copies = fixture.vault.hot_copies().unwrap();
    drop(ready(&copies, &content).unwrap());
    let path = only(&kept(&fixture.path("vault"), ".copy")).clone();
    for offset in [0, LEN as u64 - 1] {
        flip(&path, offset);
        assert!(copies.open(&content).is_none());
        assert!(bytes_of(&ready(&copies, &content).unwrap()) == bytes);
    }
    fs::remove_file(&path).unwrap();
    assert!(copies.open(&content).is_none());
    assert!(bytes_of(&ready(&copies, &content).unwrap()) == bytes);
}

/// A vault with files of 3 MiB each and room for so many MiB of copies.
fn bounded(mib: u64, names: &[&str]) -> Fixture {
    let fixture = Fixture::with_table("cache", &format!("hot_gib = {}", mib as f64 / 1024.0));
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, noise(name.len() as u64, LEN))).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
    add(&fixture, "b1", &files);
    fixture
}

#[test]
fn a_copy_that_is_evicted_is_read_to_its_end_by_who_has_it_open() {
    let Some(stage) = stage(bounded(5, &["a", "bb"])) else { return };
    warm(&stage, "builds/b1/a");
    let open = File::open(stage.path("builds/b1/a")).unwrap();
    let map = Mapped::new(&open);
    let copy = only(&kept(&stage.fixture.path("vault"), ".copy")).clone();
    let start = Instant::now();
    while copy.exists() {
        // The second time it is opened it may push out the first one.
        drop(File::open(stage.path("builds/b1/bb")).unwrap());
        assert!(start.elapsed() < PATIENCE, "the copy is not evicted");
        std::thread::sleep(Duration::from_millis(20));
    }
    // A further open joins the copy that is open, though it has no name any more.
    let again = File::open(stage.path("builds/b1/a")).unwrap();
    spoil_packs(&stage.fixture);
    assert!(bytes_of(&open) == noise(1, LEN) && bytes_of(&again) == noise(1, LEN));
    assert!(map.bytes() == noise(1, LEN));
}

#[test]
fn the_copy_used_longest_ago_goes_first_and_only_for_what_is_asked_for_again() {
    let names = ["a", "bb", "ccc", "dddd"];
    let fixture = bounded(10, &names);
    let contents = names.map(|name| content(&fixture.vault, "b1", name));
    let [a, b, c, d] = &contents;
    let copies = fixture.vault.hot_copies().unwrap();
    for content in [a, b, c] {
        ready(&copies, content).unwrap();
    }
    drop(copies);
    // In another process or at another time, after it was used the first is not the oldest any more.
    let vault = Vault::open(&fixture.path("vault")).unwrap();
    let copies = vault.hot_copies().unwrap();
    ready(&copies, a).unwrap();
    drop(copies);
    let copies = vault.hot_copies().unwrap();
    assert!(copies.open(d).is_none());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(kept(&fixture.path("vault"), ".copy").len(), 3);
    assert!([a, b, c].iter().all(|content| ready(&copies, content).is_some()), "asked once, it pushes nobody out");
    drop(copies);
    // Those checks were uses; the first is the oldest again, until it is used.
    let copies = vault.hot_copies().unwrap();
    ready(&copies, b).unwrap();
    ready(&copies, a).unwrap();
    assert!(bytes_of(&ready(&copies, d).unwrap()) == noise(4, LEN));
    let left: Vec<bool> = contents.iter().map(|content| copies.open(content).is_some()).collect();
    assert_eq!(left, [true, true, false, true]);
    let bytes: u64 = kept(&fixture.path("vault"), ".copy").iter().map(|copy| fs::metadata(copy).unwrap().len()).sum();
    assert!(bytes <= 10 << 20, "{bytes} bytes are kept");
}

#[test]
fn without_room_there_are_no_copies() {
    let fixture = bounded(0, &["a"]);
    let copies = fixture.vault.hot_copies().unwrap();
    let a = content(&fixture.vault, "b1", "a");
    for _ in 0..5 {
        assert!(copies.open(&a).is_none());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(kept(&fixture.path("vault"), "").len(), 0);
}

#[test]
fn what_a_killed_process_left_is_cleared_and_what_others_make_is_not() {
    let fixture = with_files(&[("level.pak", &noise(1, LEN))]);
    let folder = fixture.path("vault/cache/hot");
    fs::create_dir_all(&folder).unwrap();
    let [dead, alive] = ["x.1-0.new", "y.1-0.new"].map(|name| folder.join(name));
    fs::write(&dead, b"half").unwrap();
    let lock = File::create(&alive).unwrap();
    lock.try_lock().unwrap();
    fs::write(folder.join("x.used"), b"0").unwrap();
    let copies = fixture.vault.hot_copies().unwrap();
    ready(&copies, &content(&fixture.vault, "b1", "level.pak")).unwrap();
    assert!(!dead.exists() && alive.exists());
    drop(copies);
    assert_eq!(kept(&fixture.path("vault"), ".used").len(), 1);
}

#[test]
fn several_processes_keep_copies_of_one_vault_at_once() {
    let files: Vec<(String, Vec<u8>)> = (0..6).map(|n| (format!("f{n}"), noise(n, LEN))).collect();
    let named: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    let fixture = with_files(&named);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let vault = Vault::open(&fixture.path("vault")).unwrap();
                let copies = vault.hot_copies().unwrap();
                for (name, bytes) in &files {
                    let content = content(&vault, "b1", name);
                    assert!(bytes_of(&ready(&copies, &content).unwrap()) == *bytes);
                }
            });
        }
    });
    assert_eq!(kept(&fixture.path("vault"), ".copy").len(), files.len());
    assert_eq!(kept(&fixture.path("vault"), ".new").len(), 0);
}

#[test]
fn a_disk_that_is_full_or_fails_leaves_no_half_of_a_copy() {
    let bytes = noise(1, LEN);
    let fixture = with_files(&[("level.pak", &bytes)]);
    let content = content(&fixture.vault, "b1", "level.pak");
    let Fixture { dir, vault } = fixture;
    drop(vault);
    let root = dir.path().join("vault");
    let run = |fault, at| {
        fs::remove_dir_all(root.join("cache")).ok();
        let disk = FaultyDisk::new(&root, fault, u64::MAX);
        let vault = Vault::open_on(Arc::new(disk.clone())).unwrap();
        disk.fail_from_now(at);
        let copies = vault.hot_copies().unwrap();
        let start = Instant::now();
        let mut copy = copies.open(&content);
        while copy.is_none() && !disk.has_failed() {
            std::thread::sleep(Duration::from_millis(5));
            copy = copies.open(&content);
            assert!(start.elapsed() < PATIENCE);
        }
        drop(copies);
        assert!(copy.is_none_or(|copy| bytes_of(&copy) == bytes));
        // What does not get away because the disk is dead goes the next time.
        disk.heal();
        let copies = vault.hot_copies().unwrap();
        assert!(bytes_of(&ready(&copies, &content).unwrap()) == bytes, "{fault:?} at {at}");
        // What is left over is cleared in the background.
        drop(copies);
        assert_eq!(kept(&root, ".new").len(), 0, "{fault:?} at {at}");
    };
    for at in 1..40 {
        run(Fault::Full, at);
        run(Fault::Once(ErrorKind::Io), at);
        run(Fault::Dead, at);
    }
}

#[test]
fn status_tells_whether_the_kernel_reads_by_itself() {
    if let Some(missing) = gamevault::mount::check().into_iter().find(|check| !check.ok) {
        return println!("skipped: {}", missing.sentence);
    }
    let fixture = with_files(&[("level.pak", &noise(1, LEN))]);
    let point = fixture.path("mnt");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gamevault"));
        let output = command.arg("--vault").arg(fixture.path("vault")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let point = point.to_str().unwrap();
    for (option, expected) in [(None, "off"), (Some("--passthrough"), "on")] {
        run(&[&["mount", point], option.as_slice()].concat());
        let status: serde_json::Value = serde_json::from_str(&run(&["status", "--json"])).unwrap();
        let found = &status["data"]["mounts"][0]["passthrough"];
        // As a user whom the kernel refuses, the reason stands there.
        assert!(*found == expected || option.is_some() && found["refused"].is_string(), "{status}");
        run(&["unmount", point]);
    }
}

/// Overlays count: what lies on two of them cannot be passed on, and the mount goes on by itself.
#[test]
fn where_the_kernel_refuses_the_mount_reads_by_itself() {
    use nix::mount::{MntFlags, MsFlags, mount as mount_system, umount2};
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    };
    let overlay = |lower: &str, n: u32| {
        let (upper, work, over) = (at(&format!("upper{n}")), at(&format!("work{n}")), at(&format!("over{n}")));
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        mount_system(Some("overlay"), over.as_str(), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .map(|()| over)
    };
    let bytes = noise(1, LEN);
    let source = at("source");
    fs::write(Path::new(&source).join("level.pak"), &bytes).unwrap();
    let (one, two) = match overlay(&at("lower"), 1).and_then(|one| overlay(&one, 2).map(|two| (one, two))) {
        Ok(both) => both,
        Err(error) => {
            umount2(dir.path().join("over1").as_path(), MntFlags::MNT_DETACH).ok();
            return println!("skipped: no overlays: {error}");
        }
    };
    let mut found = Vec::new();
    for (over, name) in [(&one, "vault1"), (&two, "vault2")] {
        let vault = Arc::new(Vault::init(&Path::new(over).join(name)).unwrap());
        let id = Some("b1".parse().unwrap());
        let snapshot = gamevault::vault::SnapshotOptions { id, ..Default::default() };
        vault.snapshot(Path::new(&source), &snapshot, &gamevault::progress::Progress::new()).unwrap();
        if let Ok(mounted) = mount(vault, Path::new(&at("mnt")), &options()) {
            for _ in 0..3 {
                let read = fs::read(dir.path().join("mnt/builds/b1/level.pak")).unwrap();
                assert!(read == bytes);
                std::thread::sleep(Duration::from_millis(200));
            }
            found.push(mounted.passthrough().clone());
            mounted.unmount().unwrap();
        }
    }
    for over in [&two, &one] {
        umount2(over.as_str(), MntFlags::MNT_DETACH).unwrap();
    }
    match &found[..] {
        [] => println!("skipped: nothing can be mounted"),
        [Passthrough::Refused(why), _] if !why.contains("others") => println!("skipped: {why}"),
        [first, second] => {
            assert_eq!(*first, Passthrough::On, "one overlay is not too many");
            assert!(matches!(second, Passthrough::Refused(why) if why.contains("others")), "{second:?}");
        }
        _ => panic!("{found:?}"),
    }
}
