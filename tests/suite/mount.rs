//! A real mount: what tools see on it is what was stored. Skipped, with a word, where nothing can be mounted.

use crate::stage::{Fixture, Stage, assert_same, fill, is_installed, noise, walk};
use gamevault::disk::host;
use gamevault::mount::{MountOptions, mount};
use gamevault::vault::Annotation;
use nix::sys::signal::Signal;
use std::fs;
use std::io::Write;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn errno(result: std::io::Result<impl Sized>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

fn with_two_builds() -> Fixture {
    let fixture = Fixture::new();
    for salt in [1, 2] {
        let source = fixture.path(&format!("source{salt}"));
        fill(&source, salt);
        fixture.snapshot(&source, &format!("b{salt}"));
    }
    let build = fixture.vault.build("b1").unwrap();
    fixture.vault.set_milestone(&"alpha".parse().unwrap(), &build, &Annotation::default(), false).unwrap();
    fixture
}

#[test]
fn builds_and_milestones_are_what_was_stored() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert_eq!(names(&stage.path("builds")), ["b1", "b2", "latest"]);
    assert_eq!(names(&stage.path("milestones")), ["alpha"]);
    assert_same(&stage.fixture.path("source1"), &stage.path("builds/b1"));
    assert_same(&stage.fixture.path("source2"), &stage.path("builds/b2"));
    assert_same(&stage.fixture.path("source1"), &stage.path("milestones/alpha"));
    assert_eq!(fs::read_link(stage.path("builds/latest")).unwrap(), Path::new("b2"));
    let run = Command::new(stage.path("builds/b1/run.sh")).output().unwrap();
    assert_eq!(run.stdout, b"ran\n");
}

#[test]
fn equal_files_are_one_node_and_numbers_survive_a_remount() {
    let Some(mut stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let number = |path: &str| fs::symlink_metadata(stage.path(path)).unwrap().ino();
    let same = "data/same in every build.bin";
    let mtime = |path: &str| fs::metadata(stage.fixture.path(path)).unwrap().modified().unwrap();
    // Equal files share a node when their times are equal, too.
    let expected = mtime(&format!("source1/{same}")) == mtime(&format!("source2/{same}"));
    assert_eq!(number(&format!("builds/b1/{same}")) == number(&format!("builds/b2/{same}")), expected);
    assert_eq!(number("builds/b1/readme.txt"), number("milestones/alpha/readme.txt"));
    assert_ne!(number("builds/b1/data"), number("builds/b2/data"));
    assert_ne!(number("builds/b1/data"), number("milestones/alpha/data"));
    let paths = ["builds/b1/data", "builds/b2/readme.txt", "builds/b1/link", "milestones/alpha/many/0300.dat"];
    let before: Vec<_> = paths.iter().map(|path| number(path)).collect();
    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(names(&stage.point).is_empty(), "the directory is empty after an unmount");
    stage.mounted = Some(mount(Arc::clone(&stage.fixture.vault), &stage.point, &MountOptions::default()).unwrap());
    let number = |path: &str| fs::symlink_metadata(stage.path(path)).unwrap().ino();
    assert_eq!(paths.iter().map(|path| number(path)).collect::<Vec<_>>(), before);
}

#[test]
fn nothing_in_a_build_can_be_changed() {
    for ask_opens in [false, true] {
        let options = MountOptions { ask_opens, ..MountOptions::default() };
        let Some(stage) = Stage::mount(with_two_builds(), &options) else { return };
        let append = fs::OpenOptions::new().append(true).open(stage.path("builds/b1/readme.txt"));
        let append = if ask_opens { append.map(drop) } else { append.and_then(|mut file| file.write_all(b"x")) };
        assert_eq!(errno(append), libc::EROFS);
        refuse_changes(&stage);
    }
}

fn refuse_changes(stage: &Stage) {
    let before = walk(&stage.path("builds/b1"));
    let build = stage.path("builds/b1");
    let file = build.join("readme.txt");
    assert_eq!(errno(fs::write(&file, b"x")), libc::EROFS);
    assert_eq!(errno(fs::write(build.join("new"), b"x")), libc::EROFS);
    assert_eq!(errno(fs::create_dir(build.join("newdir"))), libc::EROFS);
    assert_eq!(errno(fs::remove_file(&file)), libc::EROFS);
    assert_eq!(errno(fs::remove_dir(build.join("hollow"))), libc::EROFS);
    assert_eq!(errno(fs::rename(&file, build.join("other"))), libc::EROFS);
    assert_eq!(errno(fs::hard_link(&file, build.join("other"))), libc::EROFS);
    assert_eq!(errno(std::os::unix::fs::symlink("x", build.join("other"))), libc::EROFS);
    assert_eq!(errno(fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))), libc::EROFS);
    assert_eq!(errno(fs::remove_dir(&build)), libc::EPERM);
    assert_eq!(errno(fs::remove_dir_all(stage.path("milestones/alpha"))), libc::EROFS);
    assert_eq!(errno(fs::create_dir(stage.path("builds/b9"))), libc::EROFS);
    assert_eq!(errno(fs::create_dir(stage.path(".Trash-1000"))), libc::EACCES);
    assert_eq!(errno(fs::create_dir(stage.path("anything"))), libc::EROFS);
    assert_eq!(walk(&build), before);
}

#[test]
fn hidden_files_are_reached_but_not_listed() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let path = stage.path("builds/b1/.gamevault/meta.json");
    let text = fs::read(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), text.len() as u64);
    let meta: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(meta["id"], "b1");
    let text = fs::read(stage.path("milestones/alpha/.gamevault/meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&meta["milestone"]["name"], &meta["build"]["id"]), (&"alpha".into(), &"b1".into()));
    assert!(!names(&stage.path("builds/b1")).contains(&".gamevault".to_string()));
    assert!(!stage.path("builds/b1/data/.gamevault").exists());
}

/// Returns how often the thread of this process that looks for changes has gone to sleep.
fn sleeps_of_the_watcher() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let is_watcher = |task: &std::path::PathBuf| fs::read(task.join("comm")).is_ok_and(|name| name == b"mount-watch\n");
    let watcher = tasks.into_iter().find(is_watcher).unwrap();
    let status = fs::read_to_string(watcher.join("status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    count.trim().parse().unwrap()
}

#[test]
fn an_idle_mount_sleeps_until_another_process_changes_the_catalogue() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert_eq!(names(&stage.path("builds")).len(), 3);
    // It looks for a while after the catalogue was last written to.
    std::thread::sleep(Duration::from_millis(10_600));
    let before = sleeps_of_the_watcher();
    std::thread::sleep(Duration::from_secs(2));
    let asleep = sleeps_of_the_watcher();
    assert_eq!(asleep, before, "it woke with nothing to do");
    let other = gamevault::vault::Vault::open(&stage.fixture.path("vault")).unwrap();
    let options = gamevault::vault::SnapshotOptions { id: Some("b3".parse().unwrap()), ..Default::default() };
    other.snapshot(&stage.fixture.path("source1"), &options, &gamevault::progress::Progress::new()).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let woken = sleeps_of_the_watcher();
    assert!((asleep + 2..asleep + 12).contains(&woken), "{asleep} sleeps became {woken}");
    assert!(stage.path("builds/b3").exists());
}

#[test]
fn builds_of_other_processes_appear_within_a_second() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert!(!stage.path("builds/b3").exists());
    assert_eq!(names(&stage.path("builds")).len(), 3);
    // A second opening of the vault sees no more of the first than another process would.
    let other = gamevault::vault::Vault::open(&stage.fixture.path("vault")).unwrap();
    let options = gamevault::vault::SnapshotOptions { id: Some("b3".parse().unwrap()), ..Default::default() };
    other.snapshot(&stage.fixture.path("source1"), &options, &gamevault::progress::Progress::new()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1000));
    assert!(stage.path("builds/b3/readme.txt").exists());
    assert_eq!(fs::read_link(stage.path("builds/latest")).unwrap(), Path::new("b3"));
    assert_eq!(names(&stage.path("builds")).len(), 4);
}

#[test]
fn a_mounted_directory_is_busy_and_a_mount_in_use_is_detached() {
    let Some(mut stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let vault = Arc::clone(&stage.fixture.vault);
    let second = mount(Arc::clone(&vault), &stage.point, &MountOptions::default());
    assert_eq!(second.unwrap_err().kind(), gamevault::ErrorKind::Busy);
    let user = fs::File::open(stage.path("builds/b1/readme.txt")).unwrap();
    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(names(&stage.point).is_empty());
    drop(user);
    stage.mounted = Some(mount(vault, &stage.point, &MountOptions::default()).unwrap());
    assert!(stage.path("builds/b1").is_dir());
    // From outside, as another process does it.
    gamevault::mount::unmount(&stage.point).unwrap();
    stage.mounted.take().unwrap().wait().unwrap();
    assert!(names(&stage.point).is_empty());
}

/// A mount served by a process of its own.
pub struct Daemon {
    /// The process.
    pub child: std::process::Child,
    /// The mount point.
    pub point: std::path::PathBuf,
}

impl Daemon {
    fn start(fixture: &Fixture) -> Daemon {
        Daemon::start_with(fixture, &[])
    }

    /// Mounts the fixture's vault with these options.
    pub fn start_with(fixture: &Fixture, options: &[&str]) -> Daemon {
        let point = fixture.path("mnt");
        let mut child = Command::new(env!("CARGO_BIN_EXE_gamevault"))
            .arg("--vault")
            .arg(fixture.path("vault"))
            .args(["mount", "--foreground"])
            .args(options)
            .arg(&point)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Not when the mount answers, which is a moment before signals are heeded.
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("is mounted"), "{said}");
        Daemon { child, point }
    }

    /// Sends a signal and waits for the end.
    pub fn signal(&mut self, signal: Signal) -> std::process::ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, signal).unwrap();
        self.child.wait().unwrap()
    }

    /// How often it has asked the system for bytes: each request of the kernel takes it one or two.
    fn reads(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        gamevault::mount::unmount(&self.point).ok();
    }
}

/// Tells whether vaults can be mounted here.
pub fn can_mount() -> bool {
    let missing = gamevault::mount::check().into_iter().find(|check| !check.ok);
    if let Some(missing) = &missing {
        println!("skipped: {}", missing.sentence);
    }
    missing.is_none()
}

/// File managers and `diff -r` read all names of a folder first and look at the files afterwards. With the kernel's own guess
/// of when to ask for attributes each file but the first few hundred took a request then.
#[test]
fn files_of_a_large_folder_are_looked_at_without_asking_for_each() {
    const COUNT: u64 = 2000;
    if !can_mount() {
        return;
    }
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    (0..COUNT).for_each(|n| fs::write(source.join(format!("picture of a texture {n}.png")), b"").unwrap());
    fixture.snapshot(&source, "b1");
    let daemon = Daemon::start(&fixture);
    let build = daemon.point.join("builds/b1");
    let names = names(&build);
    let before = daemon.reads();
    assert_eq!(
        names.iter().filter(|name| fs::symlink_metadata(build.join(name)).unwrap().is_file()).count() as u64,
        COUNT
    );
    let asked = daemon.reads() - before;
    assert!(asked < COUNT / 10, "{asked} reads for {COUNT} files whose folder was listed");
}

#[test]
fn sigterm_unmounts_also_when_the_mount_is_in_use() {
    if !can_mount() {
        return;
    }
    let fixture = with_two_builds();
    let mut daemon = Daemon::start(&fixture);
    assert!(daemon.signal(Signal::SIGTERM).success());
    assert!(names(&daemon.point).is_empty());
    let mut daemon = Daemon::start(&fixture);
    let user = fs::File::open(daemon.point.join("builds/b1/readme.txt")).unwrap();
    assert!(daemon.signal(Signal::SIGTERM).success());
    assert!(names(&daemon.point).is_empty());
    drop(user);
}

#[test]
fn a_killed_mount_is_healed_and_loses_no_acknowledged_byte() {
    if !can_mount() {
        return;
    }
    let fixture = with_two_builds();
    for round in 0..3u64 {
        let mut daemon = Daemon::start(&fixture);
        let session = daemon.point.join(format!(".snapshot/r{round}"));
        fs::create_dir(&session).unwrap();
        let mut open = Vec::new();
        for index in 0..40u64 {
            let file = fs::File::create(session.join(format!("f{index}"))).unwrap();
            file.write_all_at(&noise(index, 10_000 + index as usize * 1000), 0).unwrap();
            // Some stay open, some are closed and may be in the store already.
            if index % 3 == 0 {
                open.push(file);
            }
        }
        std::thread::sleep(Duration::from_millis(round * 700));
        fs::rename(session.join("f0"), session.join("renamed")).unwrap();
        fs::remove_file(session.join("f1")).unwrap();
        daemon.signal(Signal::SIGKILL);
        let error = fs::read_dir(&daemon.point).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
        drop(open);

        let daemon = Daemon::start(&fixture);
        fs::metadata(daemon.point.join("builds/b1/readme.txt")).unwrap();
        for index in 2..40u64 {
            let bytes = fs::read(session.join(format!("f{index}"))).unwrap();
            assert!(bytes == noise(index, 10_000 + index as usize * 1000), "file {index} of round {round}");
        }
        assert!(!session.join("f0").exists() && !session.join("f1").exists());
        let status = fs::read_to_string(session.join(".gamevault/status.json")).unwrap();
        assert!(status.contains("\"interrupted\""), "{status}");
        fs::rename(&session, daemon.point.join(format!("builds/r{round}"))).unwrap();
        assert_eq!(names(&daemon.point.join(format!("builds/r{round}"))).len(), 39);
    }
}

#[test]
fn xattrs_are_shown_on_request() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fill(&source, 1);
    let file = |root: &Path| root.join("readme.txt");
    if host::set_xattr(&file(&source), b"user.comment", b"the first").is_err() {
        println!("skipped: the disk has no xattrs");
        return;
    }
    fixture.snapshot(&source, "b1");
    let options = MountOptions { xattr: true, ..MountOptions::default() };
    let Some(stage) = Stage::mount(fixture, &options) else { return };
    let shown = host::read_xattrs(&file(&stage.path("builds/b1"))).unwrap();
    assert_eq!(shown.0.get(&b"user.comment"[..]).map(Vec::as_slice), Some(&b"the first"[..]));
    assert!(host::set_xattr(&file(&stage.path("builds/b1")), b"user.a", b"b").is_err());
    fs::create_dir(stage.path(".snapshot/x")).unwrap();
    fs::write(stage.path(".snapshot/x/f"), "bytes").unwrap();
    host::set_xattr(&stage.path(".snapshot/x/f"), b"user.kind", &noise(1, 3000)).unwrap();
    if is_installed("python3") {
        let program = "import errno,os,sys
def code(*args):
    try: os.setxattr(*args)
    except OSError as error: return error.errno
f = sys.argv[1]
assert code(f, 'user.kind', b'x', os.XATTR_CREATE) == errno.EEXIST
assert code(f, 'user.other', b'x', os.XATTR_REPLACE) == errno.ENODATA";
        assert!(
            Command::new("python3").args(["-c", program]).arg(stage.path(".snapshot/x/f")).status().unwrap().success()
        );
    }
    host::set_xattr(&stage.path(".snapshot/x"), b"user.gamevault.platform", b"android").unwrap();
    host::set_xattr(&stage.path(".snapshot/x/f"), b"trusted.dropped", b"x").unwrap();
    fs::rename(stage.path(".snapshot/x"), stage.path("builds/x")).unwrap();
    assert_eq!(stage.fixture.vault.build("x").unwrap().info.platform.as_deref(), Some("android"));
    let kept = || host::read_xattrs(&stage.path("builds/x/f")).unwrap().0;
    assert_eq!(kept().get(&b"user.kind"[..]), Some(&noise(1, 3000)));
    assert_eq!(kept().len(), 1);
}

#[test]
fn mapped_files_read_and_write() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let program = "import mmap,sys
f=open(sys.argv[1],'rb'); m=mmap.mmap(f.fileno(),0,mmap.MAP_SHARED,mmap.PROT_READ); assert m[:5]==b'build'
g=open(sys.argv[2],'w+b'); g.truncate(100000); w=mmap.mmap(g.fileno(),0); w[70000:70005]=b'hello'; w.flush(); w.close(); g.close()
assert open(sys.argv[2],'rb').read()[70000:70005]==b'hello'";
    if !is_installed("python3") {
        return;
    }
    fs::create_dir(stage.path(".snapshot/x")).unwrap();
    let mut run = Command::new("python3");
    run.args(["-c", program]).arg(stage.path("builds/b1/readme.txt")).arg(stage.path(".snapshot/x/f"));
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn holes_are_found_and_stay_holes() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    let source = stage.fixture.path("source1/sparse.img");
    let copied = stage.path(".snapshot/x/sparse.img");
    fs::create_dir(stage.path(".snapshot/x")).unwrap();
    let from = stage.path("builds/b1/sparse.img");
    let status = Command::new("cp").arg("--sparse=always").arg(&from).arg(&copied).status().unwrap();
    assert!(status.success());
    assert_eq!(fs::read(&copied).unwrap(), fs::read(&source).unwrap());
    let seek = |path: &Path, whence| {
        let file = fs::File::open(path).unwrap();
        nix::unistd::lseek(&file, 0, whence).unwrap()
    };
    assert_eq!(seek(&from, nix::unistd::Whence::SeekHole), 0);
    assert!(seek(&from, nix::unistd::Whence::SeekData) > 4_000_000);
    assert!(seek(&copied, nix::unistd::Whence::SeekData) > 4_000_000);
}

/// The name of a new milestone was taken back from the kernel a moment after it had been looked up for the first time,
/// so a program that had entered the folder meanwhile lost its working directory: an engine's export died of it.
#[test]
fn a_folder_that_just_appeared_can_be_entered() {
    let Some(stage) = Stage::mount(with_two_builds(), &MountOptions::default()) else { return };
    assert_eq!(names(&stage.path("milestones")), ["alpha"]);
    let build = stage.fixture.vault.build("b1").unwrap();
    for name in ["entered1", "entered2", "entered3"] {
        stage.fixture.vault.set_milestone(&name.parse().unwrap(), &build, &Annotation::default(), false).unwrap();
        let folder = stage.path(&format!("milestones/{name}"));
        let script = "sleep 0.6 && readlink /proc/self/cwd";
        let output = Command::new("sh").args(["-c", script]).current_dir(&folder).output().unwrap();
        // The kernel adds " (deleted)" to a folder that was taken away.
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim_end(),
            folder.canonicalize().unwrap().to_string_lossy()
        );
    }
}
