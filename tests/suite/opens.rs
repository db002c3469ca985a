//! Who has files open, in a mount that is not told: commits wait for writers, ends of writers are found out.

use crate::stage::{Fixture, Stage, fill, is_installed};
use gamevault::mount::MountOptions;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);
const LEN: usize = 8192;

fn stage() -> Option<Stage> {
    stage_with("auto_commit = \"off\"")
}

fn stage_with(sessions: &str) -> Option<Stage> {
    let fixture = Fixture::with_sessions(sessions);
    fill(&fixture.path("source"), 1);
    fixture.snapshot(&fixture.path("source"), "b1");
    Stage::mount(fixture, &MountOptions::default())
}

fn session(stage: &Stage) -> PathBuf {
    let session = stage.path(".snapshot/s");
    fs::create_dir(&session).unwrap();
    fs::write(session.join("file"), b"some bytes").unwrap();
    session
}

fn commits(stage: &Stage) -> std::io::Result<()> {
    fs::rename(stage.path(".snapshot/s"), stage.path("builds/s"))
}

fn commits_at_last(stage: &Stage) {
    let start = Instant::now();
    while let Err(error) = commits(stage) {
        assert!(error.kind() == ErrorKind::ResourceBusy && start.elapsed() < PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn assert_busy(stage: &Stage, why: &str) {
    assert_eq!(commits(stage).expect_err(why).kind(), ErrorKind::ResourceBusy, "{why}");
}

/// Starts a shell that says so when it has done the first line, and does the second one when it is told to.
fn shell(folder: &Path, first: &str, second: &str) -> Child {
    let script = format!("cd {}; {first}; echo; read go; {second}", folder.display());
    let mut command = Command::new("sh");
    let mut child =
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a shell");
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

fn go_on(mut child: Child) {
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    child.wait().unwrap();
}

#[test]
fn a_file_that_is_open_to_write_keeps_its_session_though_nothing_is_written() {
    let Some(stage) = stage() else { return };
    let session = session(&stage);
    let shell = shell(&session, "exec 3>>file", "echo more >&3");
    assert_busy(&stage, "a shell has the file open");
    go_on(shell);
    commits_at_last(&stage);
    assert_eq!(fs::read(stage.path("builds/s/file")).unwrap(), b"some bytesmore\n");
}

#[test]
fn a_descriptor_that_was_inherited_counts() {
    let Some(stage) = stage() else { return };
    let session = session(&stage);
    let fifo = stage.fixture.path("fifo");
    let fifo = fifo.display();
    // The process that made the file has ended when the commit is tried.
    let made = format!("mkfifo {fifo}; sh -c '(read go < {fifo}; echo late) > out & until [ -e out ]; do :; done'");
    let shell = shell(&session, &made, &format!("echo > {fifo}"));
    assert_busy(&stage, "a child has the file open");
    go_on(shell);
    commits_at_last(&stage);
    assert_eq!(fs::read(stage.path("builds/s/out")).unwrap(), b"late\n");
}

/// Starts a program that maps a file to be written, sets the byte at `at` and keeps the map alone until it goes on: never
/// the process that serves the mount, which would wait for itself.
fn mapper(file: &Path, at: usize, byte: u8) -> Option<Child> {
    let script = "import os,sys
fd=os.open(sys.argv[1],os.O_RDWR); libc=__import__('ctypes').CDLL(None,use_errno=True)
libc.mmap.restype=__import__('ctypes').c_void_p
at=libc.mmap(None,int(sys.argv[2]),3,1,fd,0); os.close(fd)
(__import__('ctypes').c_ubyte*int(sys.argv[2])).from_address(at)[int(sys.argv[3])]=int(sys.argv[4])
print(flush=True); sys.stdin.readline()";
    if !is_installed("python3") {
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(file).args([LEN.to_string(), at.to_string(), byte.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python is installed");
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    Some(child)
}

#[test]
fn a_file_that_is_mapped_to_be_written_counts_without_a_descriptor() {
    let Some(stage) = stage() else { return };
    let session = session(&stage);
    fs::write(session.join("map"), vec![1; LEN]).unwrap();
    let Some(mapper) = mapper(&session.join("map"), 5000, 7) else { return };
    assert_busy(&stage, "the file is mapped");
    go_on(mapper);
    commits_at_last(&stage);
    let stored = fs::read(stage.path("builds/s/map")).unwrap();
    assert!(stored.iter().enumerate().all(|(at, &byte)| byte == if at == 5000 { 7 } else { 1 }));
}

#[test]
fn who_is_killed_while_a_file_is_open_leaves_it_torn() {
    let Some(stage) = stage_with("quiet_seconds = 0.5") else { return };
    let session = session(&stage);
    let mut shell = shell(&session, "exec 3>half; echo part >&3", "true");
    shell.kill().unwrap();
    shell.wait().unwrap();
    let start = Instant::now();
    let status = || fs::read_to_string(session.join(".gamevault/status.json")).unwrap();
    while !status().contains("was killed") {
        assert!(start.elapsed() < PATIENCE, "{}", status());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_removed_file_is_there_for_who_has_it_open() {
    let Some(stage) = stage() else { return };
    let session = session(&stage);
    let mut file = fs::File::open(session.join("file")).unwrap();
    fs::remove_file(session.join("file")).unwrap();
    let other = session.join("other");
    fs::write(&other, b"replaces").unwrap();
    fs::write(session.join("replaced"), b"is replaced").unwrap();
    let mut replaced = fs::File::open(session.join("replaced")).unwrap();
    fs::rename(&other, session.join("replaced")).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    replaced.read_to_string(&mut text).unwrap();
    assert_eq!(text, "some bytesis replaced");
}

#[test]
fn what_is_mapped_over_a_build_reaches_nobody() {
    let Some(stage) = stage() else { return };
    let file = stage.path("builds/b1/readme.txt");
    let before = fs::read(&file).unwrap();
    let Some(mapper) = mapper(&file, 1, before[1] ^ 0xff) else { return };
    go_on(mapper);
    let start = Instant::now();
    while fs::read(&file).unwrap() != before {
        assert!(start.elapsed() < PATIENCE, "others read what was written over a build");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn lists_that_others_change_are_read_anew() {
    let Some(stage) = stage() else { return };
    let names = |folder: &str| {
        let mut names: Vec<_> =
            fs::read_dir(stage.path(folder)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("builds"), ["b1", "latest"]);
    assert_eq!(names(".snapshot").len(), 0);
    let vault = gamevault::Vault::open(stage.fixture.vault.dir()).unwrap();
    let source = stage.fixture.path("source");
    let options = gamevault::vault::SnapshotOptions { id: Some("b2".parse().unwrap()), ..Default::default() };
    vault.snapshot(&source, &options, &gamevault::progress::Progress::new()).unwrap();
    session(&stage);
    assert_eq!(names(".snapshot"), ["s"]);
    let start = Instant::now();
    while names("builds").len() < 3 {
        assert!(start.elapsed() < PATIENCE, "{:?}", names("builds"));
        std::thread::sleep(Duration::from_millis(20));
    }
    commits_at_last(&stage);
    let start = Instant::now();
    while !names(".snapshot").is_empty() || names("builds").len() < 4 {
        assert!(start.elapsed() < PATIENCE, "{:?}", names(".snapshot"));
        std::thread::sleep(Duration::from_millis(20));
    }
}
