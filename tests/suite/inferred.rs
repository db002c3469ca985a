//! Sessions that nobody commits, through a real mount with real tools: whole ones become builds, torn ones never do.

use crate::stage::{Fixture, Stage, assert_same, fill, is_installed, noise};
use crate::support::faulty::{Fault, FaultyDisk};
use gamevault::catalogue::{Build, Completeness};
use gamevault::mount::{MountOptions, mount};
use gamevault::progress::Progress;
use gamevault::vault::{Annotation, Vault, VerifyOptions};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A picture that is whole.
const PNG: &str = "tests/data/containers/picture.png";

/// Long enough for the pauses of a copy on a busy machine, short enough to wait for.
const QUIET: &str = "quiet_seconds = 0.5";

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn stage(sessions: &str) -> Option<Stage> {
    let fixture = Fixture::with_sessions(sessions);
    fill(&fixture.path("source"), 1);
    Stage::mount(fixture, &MountOptions::default())
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what} never came to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Stage {
    fn session(&self, name: &str) -> PathBuf {
        self.path(".snapshot").join(name)
    }

    fn status(&self, name: &str) -> Value {
        let text = fs::read(self.session(name).join(".gamevault/status.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn wait_for_state(&self, name: &str, state: &str) -> Value {
        let start = Instant::now();
        loop {
            let status = self.status(name);
            if status["state"] == state {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{name} is not {state}: {status:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until nothing has changed for four times the quiet time and the session was still not published.
    fn wait_and_stay(&self, name: &str, state: &str) -> Value {
        let start = Instant::now();
        wait_until("a long quiet", || {
            start.elapsed() > Duration::from_secs(2) && self.status(name)["quiet_ms"].as_u64().unwrap() > 2000
        });
        let status = self.status(name);
        assert_eq!(status["state"], state, "{status:#}");
        status
    }

    fn builds(&self) -> Vec<Build> {
        self.fixture.vault.builds().unwrap()
    }

    fn ids(&self) -> Vec<String> {
        self.builds().iter().map(|build| build.id.to_string()).collect()
    }

    /// Runs a shell command with `SRC` and `DST` replaced; `None` when its program is not installed.
    fn run(&self, line: &str, name: &str) -> Option<()> {
        let status = self.start(line, name)?.wait().unwrap();
        assert!(status.success(), "{line}: {status}");
        Some(())
    }

    fn start(&self, line: &str, name: &str) -> Option<Child> {
        let line = line.replace("SRC", self.fixture.path("source").to_str().unwrap());
        let line = line.replace("DST", self.session(name).to_str().unwrap());
        let mut words = line.split_whitespace();
        let program = words.next().filter(|program| is_installed(program))?;
        Some(Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Starts a copy that stops in the middle of a file by itself: it reads from a pipe that is not written to its end.
    fn start_from_pipe(&self, line: &str, name: &str) -> (Child, fs::File) {
        let pipe = self.fixture.path("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::create_dir_all(self.session(name)).unwrap();
        let child = self.start(&line.replace("PIPE", pipe.to_str().unwrap()), name).unwrap();
        let mut writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        writer.write_all(&noise(3, 150_000)).unwrap();
        wait_until("the first bytes of the copy", || self.status(name)["bytes"].as_u64().unwrap() > 0);
        fs::remove_file(&pipe).unwrap();
        (child, writer)
    }

    fn assert_sound(&self) {
        let report = self.fixture.vault.verify(&VerifyOptions::default(), &Progress::new()).unwrap();
        assert_eq!(report.problems, [""; 0]);
    }
}

fn end_by(signal: Signal, child: &mut Child) -> ExitStatus {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
    child.wait().unwrap()
}

fn reasons(status: &Value) -> String {
    status["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Tells whether the kernel says how a process ended that is no child.
fn kernel_tells_ends() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap_or(0));
    let tells = (numbers.next(), numbers.next()) >= (Some(6), Some(15));
    if !tells {
        println!("skipped: Linux {release} does not tell how processes end");
    }
    tells
}

#[test]
fn a_whole_copy_becomes_a_build_by_itself() {
    let Some(stage) = stage(QUIET) else { return };
    for (name, line, completeness) in [
        ("cp-r", "cp -r SRC DST", Completeness::InferredWeak),
        ("cp-a", "cp -a SRC DST", Completeness::InferredStrong),
        ("rsync-a", "rsync -a SRC/ DST/", Completeness::InferredStrong),
        // It sets no times, but it gives each file its name when it is whole.
        ("rsync-r", "rsync -rl SRC/ DST/", Completeness::InferredStrong),
    ] {
        if stage.run(line, name).is_none() {
            continue;
        }
        let number = |path: &str| fs::metadata(stage.session(name).join(path)).unwrap().ino();
        let before = number("data/level one.pak");
        stage.wait_for_state(name, "committed");
        let build = stage.fixture.vault.build(name).unwrap();
        assert_eq!(build.completeness, completeness, "{name}");
        assert_eq!(number("data/level one.pak"), before, "the session stays as it was");
        wait_until("the build in the mount", || stage.path("builds").join(name).exists());
        if completeness == Completeness::InferredStrong && name != "rsync-r" {
            assert_same(&stage.fixture.path("source"), &stage.path("builds").join(name));
        }
        assert_same(&stage.session(name), &stage.path("builds").join(name));
    }
    stage.assert_sound();
}

#[test]
fn a_single_file_becomes_a_build_by_itself() {
    let Some(stage) = stage(QUIET) else { return };
    fs::write(stage.session("Game.apk"), noise(5, 100_000)).unwrap();
    wait_until("the build", || stage.ids() == ["Game.apk"]);
    assert_eq!(stage.builds()[0].single_file.as_deref(), Some("Game.apk"));
}

#[test]
fn a_copy_that_is_killed_in_a_file_is_suspect() {
    let Some(stage) = stage(QUIET) else { return };
    for (tool, line) in
        [("cp", "cp PIPE DST/level.pak"), ("cp", "cp -p PIPE DST/level.pak"), ("dd", "dd if=PIPE of=DST/level.pak")]
    {
        for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM] {
            // dd closes its file by itself at SIGINT; only its end tells.
            if tool == "dd" && signal == Signal::SIGINT && !kernel_tells_ends() {
                continue;
            }
            let name = format!("{}-{signal}", line.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
            let (mut child, pipe) = stage.start_from_pipe(line, &name);
            let process = child.id();
            end_by(signal, &mut child);
            drop(pipe);
            let status = stage.wait_for_state(&name, "suspect");
            let why = reasons(&status);
            let expected = format!("{tool} (process {process}) was killed while it wrote level.pak");
            assert!(why.contains(&expected), "{line} {signal}: {why}");
        }
    }
    assert_eq!(stage.ids(), [""; 0]);
}

/// Of a program that is no copy tool the flush tells, on every kernel: it may have its file open in another process.
#[test]
fn any_program_that_is_killed_in_a_file_leaves_it_torn() {
    let Some(mut stage) = stage(QUIET) else { return };
    fs::create_dir(stage.session("x")).unwrap();
    let mut child = stage.start("tee DST/level.pak", "x").unwrap();
    child.stdin.as_mut().unwrap().write_all(&noise(3, 150_000)).unwrap();
    wait_until("the first bytes", || stage.status("x")["bytes"].as_u64().unwrap() > 0);
    let expected = format!("tee (process {}) was killed while it wrote level.pak", child.id());
    end_by(Signal::SIGTERM, &mut child);
    stage.wait_for_state("x", "suspect");
    // It is known after a restart, too, and until the file is written from its start.
    stage.remount();
    fs::write(stage.session("x/other"), "bytes").unwrap();
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).contains(&expected), "{status:#}");
    assert_eq!(stage.ids(), [""; 0]);
    fs::write(stage.session("x/level.pak"), "all of it").unwrap();
    stage.wait_for_state("x", "committed");
}

#[test]
fn a_killed_rsync_or_tar_is_suspect_or_leaves_nothing() {
    let Some(stage) = stage(QUIET) else { return };
    let source = stage.fixture.path("source");
    fs::write(source.join("zz last.pak"), noise(9, 3_000_000)).unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM] {
        let name = format!("rsync-{signal}");
        let Some(mut child) = stage.start("rsync -a --bwlimit=500 SRC/ DST/", &name) else { return };
        wait_until("some of the copy", || {
            stage.session(&name).exists() && stage.status(&name)["bytes"].as_u64().unwrap() > 500_000
        });
        end_by(signal, &mut child);
        let status = stage.wait_for_state(&name, "suspect");
        assert!(status["files"].as_u64().unwrap() < 710, "{status:#}");
    }
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let name = format!("tar-{signal}");
        fs::create_dir(stage.session(&name)).unwrap();
        let archive = Command::new("tar").arg("-C").arg(&source).args(["-cf", "-", "."]).output().unwrap().stdout;
        let mut child = stage.start("tar -xf - -C DST", &name).unwrap();
        child.stdin.as_mut().unwrap().write_all(&archive[..archive.len() / 2]).unwrap();
        wait_until("some of the copy", || stage.status(&name)["files"].as_u64().unwrap() > 3);
        end_by(signal, &mut child);
        stage.wait_for_state(&name, "suspect");
    }
    assert_eq!(stage.ids(), [""; 0]);
    // The same copy again, to its end, makes up for it.
    stage.run("rsync -a SRC/ DST/", "rsync-SIGTERM");
    stage.wait_for_state("rsync-SIGTERM", "committed");
    assert_same(&source, &stage.path("builds/rsync-SIGTERM"));
}

/// Every file that is there is whole; only the end of `cp` tells that some are not there.
#[test]
fn a_copy_that_is_killed_between_files_is_suspect() {
    let Some(stage) = stage(QUIET).filter(|_| kernel_tells_ends()) else { return };
    let pipe = stage.fixture.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(stage.session("x")).unwrap();
    let line = format!("cp -r --copy-contents SRC/data {} DST", pipe.display());
    let mut child = stage.start(&line, "x").unwrap();
    wait_until("the first folder", || stage.status("x")["files"] == 4);
    // Nobody writes to the pipe, so it hangs in opening it; while it runs nothing is published.
    let waiting = stage.wait_and_stay("x", "open");
    assert!(reasons(&waiting).contains("still runs"), "{waiting:#}");
    end_by(Signal::SIGKILL, &mut child);
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).contains("was killed"), "{status:#}");

    fs::remove_file(&pipe).unwrap();
    fs::write(&pipe, "no pipe any more").unwrap();
    stage.run(&line, "x");
    stage.wait_for_state("x", "committed");
    assert_eq!(fs::read(stage.path("builds/x/pipe")).unwrap(), b"no pipe any more");
}

#[test]
fn a_copy_that_ends_with_an_error_is_suspect() {
    let Some(stage) = stage(QUIET).filter(|_| kernel_tells_ends()) else { return };
    fs::create_dir(stage.session("x")).unwrap();
    let status = stage.start("cp -r SRC/data /nowhere/at/all DST", "x").unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(1));
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).contains("ended with status 1"), "{status:#}");
}

#[test]
fn a_stopped_copy_is_waited_for() {
    let Some(stage) = stage(QUIET) else { return };
    let (mut child, mut pipe) = stage.start_from_pipe("cp PIPE DST/level.pak", "x");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGSTOP).unwrap();
    let waiting = stage.wait_and_stay("x", "open");
    assert!(reasons(&waiting).contains("open to be written"), "{waiting:#}");
    assert!(waiting["writers"][0].as_str().unwrap().starts_with("cp (process "), "{waiting:#}");
    pipe.write_all(b"the end").unwrap();
    drop(pipe);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGCONT).unwrap();
    assert!(child.wait().unwrap().success());
    stage.wait_for_state("x", "committed");
    assert!(fs::read(stage.path("builds/x/level.pak")).unwrap().ends_with(b"the end"));
}

#[test]
fn two_copies_into_one_session_make_one_build() {
    let Some(stage) = stage(QUIET) else { return };
    fs::create_dir(stage.session("x")).unwrap();
    let mut slow = match stage.start("rsync -a --bwlimit=400 SRC/data DST/slow", "x") {
        Some(slow) => slow,
        None => return,
    };
    stage.run("cp -a SRC DST/fast", "x");
    assert!(slow.wait().unwrap().success());
    let source = stage.fixture.path("source");
    stage.wait_for_state("x", "committed");
    assert_eq!(stage.ids(), ["x"]);
    assert_same(&source, &stage.path("builds/x/fast"));
    assert_same(&source.join("data"), &stage.path("builds/x/slow/data"));
}

#[test]
fn a_paused_copy_supersedes_what_it_became() {
    let Some(mut stage) = stage(QUIET) else { return };
    let source = stage.fixture.path("source");
    fs::create_dir(stage.session("x")).unwrap();
    stage.run("cp -a SRC/data DST", "x");
    stage.wait_for_state("x", "committed");
    let first = stage.fixture.vault.build("x").unwrap();
    stage.fixture.vault.set_milestone(&"alpha".parse().unwrap(), &first, &Annotation::default(), false).unwrap();
    // Goes on with what it holds: a directory, and a file that it opens again.
    let held = fs::metadata(stage.session("x/data")).unwrap().ino();
    stage.run("cp -a SRC/many DST", "x");
    assert_eq!(fs::metadata(stage.session("x/data")).unwrap().ino(), held);
    wait_until("the second build", || stage.ids() == ["x-1", "x"]);
    let builds = stage.builds();
    assert_eq!(builds[0].superseded_by, Some(builds[1].number));
    assert_eq!(builds[1].supersedes.as_ref().map(|old| old.build), Some(builds[0].number));
    assert_eq!((builds[0].root, builds[0].created), (first.root, first.created), "its content never changes");
    wait_until("the new build in the mount", || stage.path("builds/x/many").exists());
    assert_same(&source.join("many"), &stage.path("builds/x/many"));
    assert_same(&source.join("data"), &stage.path("builds/x-1/data"));
    assert_same(&source.join("data"), &stage.path("milestones/alpha/data"));
    assert!(!stage.path("milestones/alpha/many").exists(), "a milestone keeps its build");
    stage.assert_sound();

    // Nothing new came in: the session is the build that it was.
    let time = fs::metadata(stage.session("x")).unwrap().modified().unwrap();
    fs::File::open(stage.session("x")).unwrap().set_modified(time).unwrap();
    wait_until("a change", || stage.status("x")["state"] == "open");
    stage.wait_for_state("x", "committed");
    assert_eq!(stage.ids(), ["x-1", "x"]);

    stage.mounted.take().unwrap().unmount().unwrap();
    assert!(fs::read_dir(stage.fixture.path("vault/spool")).unwrap().next().is_none(), "the spool is empty");
    // A copy of the vault, of which nobody has the lock.
    let (copy, milestones) = (stage.fixture.path("copy"), stage.fixture.vault.milestones().unwrap());
    let copied = Command::new("cp").arg("-a").arg(stage.fixture.path("vault")).arg(&copy).status().unwrap();
    assert!(copied.success());
    assert_eq!(Vault::repair(&copy, &Progress::new()).unwrap().problems, [""; 0]);
    let repaired = Vault::open(&copy).unwrap();
    assert_eq!((repaired.builds().unwrap(), repaired.milestones().unwrap()), (stage.builds(), milestones));
    let checked = repaired.verify(&VerifyOptions::default(), &Progress::new()).unwrap();
    assert_eq!(checked.problems, [""; 0]);
}

#[test]
fn a_session_of_the_same_name_supersedes_what_nobody_declared() {
    let Some(stage) = stage(QUIET) else { return };
    let publish = |name: &str| {
        stage.run("cp -r SRC/data DST", name).unwrap();
        stage.wait_for_state(name, "committed");
        // The build stays when its session goes.
        fs::remove_dir_all(stage.session(name)).unwrap();
    };
    publish("x");
    publish("x");
    assert_eq!(stage.ids(), ["x-1", "x"]);
    stage.run("cp -r SRC/many DST", "x");
    fs::rename(stage.session("x"), stage.path("builds/y")).unwrap();
    stage.run("cp -r SRC/many DST", "y");
    let status = stage.wait_for_state("y", "suspect");
    assert!(reasons(&status).contains("the build y was not published by itself"), "{status:#}");
    assert_eq!(stage.ids(), ["x-1", "x", "y"]);
    let taken = fs::rename(stage.session("y"), stage.path("builds/y"));
    assert_eq!(taken.unwrap_err().raw_os_error(), Some(libc::EEXIST));
    stage.run("cp -r SRC/many DST", "z");
    let taken = fs::rename(stage.session("z"), stage.path("builds/x"));
    assert_eq!(taken.unwrap_err().raw_os_error(), Some(libc::EEXIST), "by hand nothing of others is superseded");
}

#[test]
fn a_commit_by_hand_declares_what_was_inferred() {
    let Some(stage) = stage(QUIET) else { return };
    stage.run("cp -r SRC/data DST", "x");
    stage.wait_for_state("x", "committed");
    fs::rename(stage.session("x"), stage.path("builds/x")).unwrap();
    let builds = stage.builds();
    let completeness: Vec<Completeness> = builds.iter().map(|build| build.completeness).collect();
    assert_eq!(stage.ids(), ["x-1", "x"]);
    assert_eq!(completeness, [Completeness::InferredWeak, Completeness::Declared]);
    assert_eq!(builds[0].root, builds[1].root);
    wait_until("the end of the session", || !stage.session("x").exists());
    assert!(fs::read_dir(stage.fixture.path("vault/spool")).unwrap().next().is_none());
}

#[test]
fn removing_publishes_nothing() {
    let Some(stage) = stage(QUIET) else { return };
    stage.run("cp -r SRC DST", "x");
    stage.wait_for_state("x", "committed");
    fs::remove_dir_all(stage.session("x").join("data")).unwrap();
    let status = stage.wait_and_stay("x", "open");
    assert!(reasons(&status).contains("nothing has come in"), "{status:#}");
    fs::create_dir(stage.session("empty")).unwrap();
    fs::create_dir(stage.session("empty/folder")).unwrap();
    stage.wait_and_stay("empty", "open");
    assert_eq!(stage.ids(), ["x"]);
    fs::remove_dir_all(stage.session("x")).unwrap();
    assert_eq!(stage.ids(), ["x"]);
    assert!(stage.path("builds/x/data").exists());
}

#[test]
fn a_session_from_a_base_waits_for_its_first_file() {
    let Some(stage) = stage(QUIET) else { return };
    stage.fixture.snapshot(&stage.fixture.path("source"), "base");
    fs::create_dir(stage.session("next@base")).unwrap();
    let name = if stage.session("next").exists() { "next" } else { "next@base" };
    stage.wait_and_stay(name, "open");
    fs::write(stage.fixture.path("source/readme.txt"), "another").unwrap();
    if stage.run("rsync -a --delete SRC/ DST/", name).is_none() {
        return;
    }
    stage.wait_for_state(name, "committed");
    assert_eq!(stage.ids(), ["base", "next"]);
    assert_eq!(stage.builds()[1].completeness, Completeness::InferredStrong);
    wait_until("the build in the mount", || stage.path("builds/next").exists());
    assert_same(&stage.fixture.path("source"), &stage.path("builds/next"));
}

#[test]
fn files_without_the_time_that_others_have_are_named() {
    let Some(stage) = stage(QUIET) else { return };
    stage.run("cp -a SRC DST", "x");
    fs::write(stage.session("x/data/left.pak"), "no time was set").unwrap();
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).ends_with("other files: data/left.pak"), "{status:#}");
    // Written after its time was set: the mark is gone.
    stage.run("cp -a SRC DST", "y");
    fs::OpenOptions::new().append(true).open(stage.session("y/readme.txt")).unwrap().write_all(b"more").unwrap();
    let status = stage.wait_for_state("y", "suspect");
    assert!(reasons(&status).ends_with("other files: readme.txt"), "{status:#}");
    assert_eq!(stage.ids(), [""; 0]);
    // A rename by hand says that it is whole.
    fs::rename(stage.session("x"), stage.path("builds/x")).unwrap();
    assert_eq!(stage.builds()[0].completeness, Completeness::Declared);
}

#[test]
fn names_and_dates_of_unfinished_files_are_suspect() {
    let Some(stage) = stage(QUIET) else { return };
    for (name, file, seconds) in [
        ("kio", "level.pak.part", None),
        ("browser", "game.zip.crdownload", None),
        ("gio", ".goutputstream-AB12CD", None),
        ("rsync", ".level.pak.Xa9Bq2", None),
        ("robocopy", "level.pak", Some(315_532_800)),
    ] {
        fs::create_dir(stage.session(name)).unwrap();
        let made = fs::File::create(stage.session(name).join(file)).unwrap();
        made.write_all_at(b"bytes", 0).unwrap();
        if let Some(seconds) = seconds {
            made.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
        drop(made);
        fs::write(stage.session(name).join("other"), "bytes").unwrap();
        let status = stage.wait_for_state(name, "suspect");
        assert!(reasons(&status).contains(file), "{name}: {status:#}");
    }
    // With its own name it is whole.
    fs::rename(stage.session("kio/level.pak.part"), stage.session("kio/level.pak")).unwrap();
    fs::remove_file(stage.session("kio/other")).unwrap();
    stage.wait_for_state("kio", "committed");
    // A later try has made what this one has not.
    fs::write(stage.session("browser/game.zip"), "bytes").unwrap();
    stage.wait_for_state("browser", "committed");
    assert_eq!(stage.ids(), ["kio", "browser"]);
}

#[test]
fn a_cut_container_is_suspect() {
    let Some(stage) = stage(QUIET) else { return };
    let png = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(PNG)).unwrap();
    fs::create_dir(stage.session("x")).unwrap();
    fs::write(stage.session("x/picture.png"), &png[..png.len() - 20]).unwrap();
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).contains("picture.png: the PNG"), "{status:#}");
    fs::write(stage.session("x/picture.png"), &png).unwrap();
    stage.wait_for_state("x", "committed");
    assert_eq!(fs::read(stage.path("builds/x/picture.png")).unwrap(), png);
}

#[test]
fn a_failed_write_is_remembered_over_a_restart() {
    let fixture = Fixture::with_sessions(QUIET);
    let dir = fixture.path("vault");
    let disk = FaultyDisk::new(&dir, Fault::Full, 150);
    let vault = Arc::new(Vault::open_on(Arc::new(disk.clone())).unwrap());
    let Fixture { dir: kept, .. } = fixture;
    let Some(mut stage) = Stage::mount(Fixture { dir: kept, vault }, &MountOptions::default()) else { return };
    fs::create_dir(stage.session("x")).unwrap();
    let file = fs::File::create(stage.session("x/level.pak")).unwrap();
    let failed = (0..200).find_map(|block| file.write_all_at(&noise(1, 50_000), block * 50_000).err()).unwrap();
    assert_eq!(failed.raw_os_error(), Some(libc::ENOSPC));
    // There is room again: what it knows can be written down, and nothing else is wrong any more.
    disk.heal();
    let failed_again = file.write_all_at(b"the end", 0);
    drop(file);
    assert!(failed_again.is_ok());
    let status = stage.wait_for_state("x", "suspect");
    assert!(reasons(&status).contains("level.pak"), "{status:#}");
    let refused = fs::rename(stage.session("x"), stage.path("builds/x"));
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EIO));
    stage.remount();
    let status = stage.wait_and_stay("x", "interrupted");
    assert_ne!(status["failures"], serde_json::json!([]), "{status:#}");
    fs::write(stage.session("x/level.pak"), "written again from its start").unwrap();
    stage.wait_for_state("x", "committed");
}

#[test]
fn an_interrupted_session_waits_and_knows_what_was_cut() {
    let Some(mut stage) = stage(QUIET) else { return };
    stage.run("cp -r SRC DST", "whole");
    let (mut child, pipe) = stage.start_from_pipe("cp PIPE DST/level.pak", "cut");
    // The mount goes away under the copy, as that of a killed process does.
    let leaving = stage.mounted.take().unwrap();
    leaving.stopper().stop().unwrap();
    end_by(Signal::SIGKILL, &mut child);
    drop(pipe);
    leaving.wait().unwrap();
    stage.mounted = Some(mount(stage.fixture.vault.clone(), &stage.point, &MountOptions::default()).unwrap());
    for name in ["whole", "cut"] {
        stage.wait_and_stay(name, "interrupted");
        fs::write(stage.session(name).join("touched"), "something").unwrap();
    }
    stage.wait_for_state("whole", "committed");
    let status = stage.wait_for_state("cut", "suspect");
    assert!(reasons(&status).contains("cp (process "), "{status:#}");
    assert_eq!(stage.ids(), ["whole"]);
}

/// A session that became a build and was changed again is a session after a restart, with all its files.
#[test]
fn a_reopened_session_survives_a_restart() {
    let Some(mut stage) = stage("quiet_seconds = 1.5") else { return };
    stage.run("cp -r SRC DST", "x");
    stage.wait_for_state("x", "committed");
    fs::write(stage.session("x/more"), "more").unwrap();
    stage.remount();
    assert_eq!(stage.status("x")["state"], "interrupted");
    assert_eq!(fs::read(stage.session("x/more")).unwrap(), b"more");
    assert_eq!(fs::read_dir(stage.session("x/many")).unwrap().count(), 700);
    assert_eq!(fs::read(stage.session("x/data/level one.pak")).unwrap(), noise(1, 300_000));
    fs::write(stage.session("x/even more"), "even more").unwrap();
    wait_until("the second build", || stage.ids() == ["x-1", "x"]);
    stage.remount();
    assert!(!stage.session("x").exists(), "it is a build, and no session any more");
    assert_eq!(fs::read(stage.path("builds/x/even more")).unwrap(), b"even more");
}

#[test]
fn the_vault_says_which_sessions_become_builds() {
    for (mode, weak, strong) in [("strong", "open", "committed"), ("off", "open", "open")] {
        let Some(stage) = stage(&format!("auto_commit = \"{mode}\"\n{QUIET}")) else { return };
        stage.run("cp -r SRC DST", "weak");
        stage.run("cp -a SRC DST", "strong");
        stage.wait_for_state("strong", strong);
        stage.wait_and_stay("weak", weak);
        stage.wait_and_stay("strong", strong);
        assert_eq!(stage.builds().len(), usize::from(strong == "committed"));
    }
}
