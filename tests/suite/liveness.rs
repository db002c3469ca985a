//! A mount stays alive: what hangs, is killed or is ended holds up nobody else.

use crate::mount::{Daemon, can_mount};
use crate::stage::{Fixture, Stage, noise};
use crate::support::hanging::HangingDisk;
use gamevault::disk::LocalDisk;
use gamevault::mount::MountOptions;
use gamevault::store::Store;
use gamevault::vault::Vault;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const FILE_COUNT: u64 = 200;
const FILE_LEN: usize = 20_000;
const BIG_LEN: usize = 12 << 20;
const READERS: u64 = 8;

/// Returns the packs of the vault in `dir`, with their lengths.
fn packs(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let packs = Store::packs_on_disk(&LocalDisk::new(dir)).unwrap();
    packs.into_iter().map(|(_, path, len)| (path, len)).collect()
}

/// Makes the builds `small`, of many files, and `big`, of one; returns the pack of that one's bytes.
fn with_a_pack_to_hang() -> (Fixture, PathBuf) {
    let fixture = Fixture::new();
    let source = fixture.path("small");
    fs::create_dir(&source).unwrap();
    for index in 0..FILE_COUNT {
        fs::write(source.join(format!("f{index}")), noise(index, FILE_LEN)).unwrap();
    }
    fixture.snapshot(&source, "small");
    let vault = fixture.path("vault");
    let before = packs(&vault);
    let source = fixture.path("big");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("big"), noise(1 << 20, BIG_LEN)).unwrap();
    fixture.snapshot(&source, "big");
    let new = packs(&vault).into_iter().filter(|(path, _)| !before.contains_key(path));
    let (pack, len) = new.max_by_key(|&(_, len)| len).unwrap();
    assert!(len > BIG_LEN as u64, "the bytes are in one pack");
    (fixture, pack)
}

/// Eight readers read all small files below `build`, each from another one on.
fn read_small_files(build: &Path) {
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            scope.spawn(move || {
                for index in 0..FILE_COUNT {
                    let index = (index + reader * FILE_COUNT / READERS) % FILE_COUNT;
                    let bytes = fs::read(build.join(format!("f{index}"))).unwrap();
                    assert!(bytes == noise(index, FILE_LEN), "file {index}");
                }
            });
        }
    });
}

fn wait_for_end(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[test]
fn a_hanging_pack_holds_up_nobody_else_and_is_refused_at_the_deadline() {
    let (mut fixture, pack) = with_a_pack_to_hang();
    let disk = HangingDisk::new(&fixture.path("vault"));
    fixture.vault = Arc::new(Vault::open_on(Arc::new(disk.clone())).unwrap());
    let deadline = Duration::from_secs(2);
    let options = MountOptions { deadline, threads: 2, ..MountOptions::default() };
    let Some(stage) = Stage::mount(fixture, &options) else { return };
    let file = fs::File::open(stage.path("builds/big/big")).unwrap();
    disk.hang(Some(&pack));
    std::thread::scope(|scope| {
        let start = Instant::now();
        let hanging: Vec<_> = (0..READERS)
            .map(|reader| {
                let file = &file;
                scope.spawn(move || file.read_at(&mut [0; 4096], reader * (BIG_LEN as u64 / READERS)))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        read_small_files(&stage.path("builds/small"));
        for reader in hanging {
            let error = reader.join().unwrap().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
        }
        assert!(start.elapsed() >= deadline);
    });
    // Threads that hang for good are not missed.
    fs::read_dir(stage.path("builds/big")).unwrap();
    disk.hang(None);
    assert!(fs::read(stage.path("builds/big/big")).unwrap() == noise(1 << 20, BIG_LEN));
}

#[test]
fn a_reader_of_a_hanging_pack_can_be_killed() {
    let (mut fixture, pack) = with_a_pack_to_hang();
    let disk = HangingDisk::new(&fixture.path("vault"));
    fixture.vault = Arc::new(Vault::open_on(Arc::new(disk.clone())).unwrap());
    let options = MountOptions { deadline: Duration::from_secs(600), ..MountOptions::default() };
    let Some(stage) = Stage::mount(fixture, &options) else { return };
    disk.hang(Some(&pack));
    let mut reader = Command::new("cat").arg(stage.path("builds/big/big")).stdout(Stdio::null()).spawn().unwrap();
    assert!(wait_for_end(&mut reader, Duration::from_millis(500)).is_none(), "it hangs");
    reader.kill().unwrap();
    let end = wait_for_end(&mut reader, Duration::from_secs(20));
    disk.hang(None);
    reader.wait().unwrap();
    assert!(end.is_some(), "it is gone long before the deadline");
}

/// Makes reading `pack` hang, in any process, for as long as nobody writes to it.
fn replace_by_fifo(pack: &Path) {
    fs::remove_file(pack).unwrap();
    nix::unistd::mkfifo(pack, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

#[test]
fn a_mount_ends_while_a_thread_of_it_hangs() {
    if !can_mount() {
        return;
    }
    let (fixture, pack) = with_a_pack_to_hang();
    replace_by_fifo(&fixture.path("vault").join(pack));
    let hang = |daemon: &Daemon| {
        let error = fs::read(daemon.point.join("builds/big/big")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        read_small_files(&daemon.point.join("builds/small"));
    };

    let mut daemon = Daemon::start_with(&fixture, &["--deadline=1"]);
    hang(&daemon);
    assert!(daemon.signal(Signal::SIGTERM).success());
    assert_eq!(fs::read_dir(&daemon.point).unwrap().count(), 0);

    // Somebody else unmounts.
    let mut daemon = Daemon::start_with(&fixture, &["--deadline=1"]);
    hang(&daemon);
    gamevault::mount::unmount(&daemon.point).unwrap();
    let end = wait_for_end(&mut daemon.child, Duration::from_secs(20));
    assert!(end.expect("it ends by itself").success());
}

#[test]
fn a_killed_mount_fails_at_once_and_is_healed_though_somebody_is_inside() {
    if !can_mount() {
        return;
    }
    let (fixture, _) = with_a_pack_to_hang();
    let mut daemon = Daemon::start_with(&fixture, &[]);
    let build = daemon.point.join("builds/small");
    let mut inside = Command::new("sleep").arg("600").current_dir(&build).spawn().unwrap();
    let file = fs::File::open(build.join("f1")).unwrap();
    daemon.signal(Signal::SIGKILL);
    let error = file.read_at(&mut [0; 10], 0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    let healed = Daemon::start_with(&fixture, &[]);
    read_small_files(&healed.point.join("builds/small"));
    assert_eq!(fs::read_dir(format!("/proc/{}/cwd/", inside.id())).unwrap_err().raw_os_error(), Some(libc::ENOTCONN));
    inside.kill().unwrap();
    inside.wait().unwrap();
}
