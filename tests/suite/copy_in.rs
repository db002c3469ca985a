//! Sessions through a real mount: how they begin, change, are committed and given up. What each tool copies is in `tools`.

use crate::stage::{Fixture, Stage, assert_same, fill, is_installed, retry, walk};
use gamevault::mount::MountOptions;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

fn stage() -> Option<Stage> {
    let fixture = Fixture::new();
    fill(&fixture.path("source"), 1);
    Stage::mount(fixture, &MountOptions::default())
}

/// Runs a shell command; `false` when its program is not installed.
fn run(program: &str, line: &str) -> bool {
    if !is_installed(program) {
        return false;
    }
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn rsync_again_moves_nothing_and_a_plain_copy_keeps_bytes() {
    let Some(stage) = stage() else { return };
    let (source, session) = (stage.fixture.path("source"), stage.path(".snapshot/x"));
    let (from, to) = (source.display(), session.display());
    if !run("rsync", &format!("rsync -a {from}/ {to}/")) {
        return;
    }
    // Long enough for the background to store some of it.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let output = Command::new("rsync").args(["-ai"]).arg(format!("{from}/")).arg(&session).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    fs::write(source.join("readme.txt"), "changed").unwrap();
    fs::remove_dir_all(source.join("data/deep")).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::new(900_000_000, 5);
    fs::File::open(source.join("data")).unwrap().set_modified(old).unwrap();
    run("rsync", &format!("rsync -a --delete --inplace {from}/ {to}/"));
    assert_same(&source, &session);
}

#[test]
fn hidden_orders_commit_and_abort() {
    let Some(stage) = stage() else { return };
    fs::create_dir(stage.path(".snapshot/a")).unwrap();
    assert!(fs::read_dir(stage.path(".snapshot/a")).unwrap().next().is_none());
    let order = stage.path(".snapshot/a/.gamevault/commit");
    assert_eq!(fs::File::create(&order).unwrap_err().raw_os_error(), Some(libc::EINVAL), "an empty session");
    fs::write(stage.path(".snapshot/a/file"), "bytes").unwrap();
    run(
        "sh",
        &format!(
            "echo '{{\"label\":\"seven\",\"tags\":[\"demo\"]}}' > {}/meta.json",
            order.parent().unwrap().display()
        ),
    );
    let meta = fs::read_to_string(order.with_file_name("meta.json")).unwrap();
    assert!(meta.contains("seven"), "{meta}");
    let wrong = fs::OpenOptions::new().write(true).truncate(true).open(order.with_file_name("meta.json")).unwrap();
    assert_eq!((&wrong).write_all(b"{ not json").unwrap_err().raw_os_error(), Some(libc::EINVAL));
    drop(wrong);
    assert_eq!(fs::read_to_string(order.with_file_name("meta.json")).unwrap(), meta);
    let status = fs::read(order.with_file_name("status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!((&status["state"], &status["files"]), (&"open".into(), &1.into()));

    let writer = fs::File::create(stage.path(".snapshot/a/open")).unwrap();
    assert_eq!(fs::File::create(&order).unwrap_err().raw_os_error(), Some(libc::EBUSY));
    drop(writer);
    fs::File::create(&order).unwrap();
    retry(|| !stage.path(".snapshot/a").exists());
    let build = stage.fixture.vault.build("a").unwrap();
    assert_eq!((build.info.label.as_deref(), &build.info.tags[..]), (Some("seven"), &["demo".to_string()][..]));
    assert_eq!(fs::read(stage.path("builds/a/file")).unwrap(), b"bytes");

    fs::create_dir(stage.path(".snapshot/b")).unwrap();
    fs::write(stage.path(".snapshot/b/file"), "bytes").unwrap();
    fs::File::create(stage.path(".snapshot/b/.gamevault/abort")).unwrap();
    retry(|| !stage.path(".snapshot/b").exists());
}

#[test]
fn a_rename_commits_and_marks() {
    let Some(stage) = stage() else { return };
    let rename = |from: &str, to: &str| fs::rename(stage.path(from), stage.path(to));
    let code = |result: std::io::Result<()>| result.unwrap_err().raw_os_error().unwrap();
    run("cp", &format!("cp -r {} {}", stage.fixture.path("source").display(), stage.path(".snapshot/x").display()));
    assert_eq!(code(rename(".snapshot/x/data", "builds/data")), libc::EINVAL);
    assert_eq!(code(rename(".snapshot/x", "builds/bad name")), libc::EINVAL);
    assert_eq!(code(fs::create_dir(stage.path(".snapshot/X"))), libc::EEXIST);
    rename(".snapshot/x", "milestones/alpha").unwrap();
    assert_eq!(stage.fixture.vault.milestone(&"alpha".parse().unwrap()).unwrap().build.0, 1);
    let bytes = |seen: &str| fs::read(stage.path(seen).join("data/level one.pak")).unwrap();
    assert_eq!(bytes("milestones/alpha"), bytes("builds/x"));
    assert_eq!(walk(&stage.path("builds/x")).len(), walk(&stage.fixture.path("source")).len());

    fs::create_dir(stage.path(".snapshot/x")).unwrap();
    fs::write(stage.path(".snapshot/x/file"), "other").unwrap();
    assert_eq!(code(rename(".snapshot/x", "builds/x")), libc::EEXIST);
    rename(".snapshot/x", ".snapshot/y").unwrap();
    rename(".snapshot/y", "builds/y").unwrap();
    std::os::unix::fs::symlink("../builds/y", stage.path("milestones/beta")).unwrap();
    assert_eq!(fs::read(stage.path("milestones/beta/file")).unwrap(), b"other");
    let wrong = std::os::unix::fs::symlink("../builds/none", stage.path("milestones/gamma"));
    assert_eq!(code(wrong), libc::ENOENT);
    assert_eq!(code(std::os::unix::fs::symlink("/etc", stage.path("milestones/gamma"))), libc::EINVAL);
}

#[test]
fn a_single_file_is_a_session_and_a_build() {
    let Some(stage) = stage() else { return };
    let apk = stage.fixture.path("Game.apk");
    fs::write(&apk, crate::stage::noise(7, 500_000)).unwrap();
    run("cp", &format!("cp -p {} {}", apk.display(), stage.path(".snapshot/").display()));
    assert_eq!(fs::read(stage.path(".snapshot/Game.apk")).unwrap(), fs::read(&apk).unwrap());
    fs::rename(stage.path(".snapshot/Game.apk"), stage.path("builds/Game.apk")).unwrap();
    assert_eq!(stage.fixture.vault.build("Game.apk").unwrap().single_file.as_deref(), Some("Game.apk"));
    retry(|| fs::read(stage.path("builds/Game.apk/Game.apk")).is_ok_and(|bytes| bytes == fs::read(&apk).unwrap()));
}

#[test]
fn removing_a_session_aborts_it() {
    let Some(stage) = stage() else { return };
    let session = stage.path(".snapshot/x");
    run("cp", &format!("cp -r {} {}", stage.fixture.path("source").display(), session.display()));
    fs::write(session.join("Thumbs.db"), "junk").unwrap();
    fs::remove_dir_all(&session).unwrap();
    assert!(!session.exists());
    assert!(fs::read_dir(stage.fixture.path("vault/spool")).unwrap().next().is_none());
}

#[test]
fn sessions_survive_an_unmount_and_junk_is_left_out() {
    let Some(mut stage) = stage() else { return };
    let source = stage.fixture.path("source");
    run("cp", &format!("cp -a {} {}", source.display(), stage.path(".snapshot/x").display()));
    for junk in [".DS_Store", "data/._icon", "Thumbs.db", "old~"] {
        fs::write(stage.path(".snapshot/x").join(junk), "junk").unwrap();
    }
    fs::remove_file(stage.path(".snapshot/x/Thumbs.db")).unwrap();
    let times = Path::new("data");
    let mtime = fs::metadata(source.join(times)).unwrap().modified().unwrap();
    fs::File::open(stage.path(".snapshot/x/data")).unwrap().set_modified(mtime).unwrap();
    let mtime = fs::metadata(&source).unwrap().modified().unwrap();
    fs::File::open(stage.path(".snapshot/x")).unwrap().set_modified(mtime).unwrap();
    stage.remount();
    let status = fs::read_to_string(stage.path(".snapshot/x/.gamevault/status.json")).unwrap();
    assert!(status.contains("\"interrupted\"") && status.contains("\"junk_count\": 3"), "{status}");
    fs::rename(stage.path(".snapshot/x"), stage.path("builds/x")).unwrap();
    retry(|| !stage.path("builds/x/old~").exists());
    assert_same(&source, &stage.path("builds/x"));
}

#[test]
fn a_session_tells_of_names_that_other_systems_take_for_one() {
    let Some(stage) = stage() else { return };
    let session = stage.path(".snapshot/x");
    fs::create_dir_all(session.join("art")).unwrap();
    for name in ["art/Wall.png", "art/wall.png", "con"] {
        fs::write(session.join(name), name).unwrap();
    }
    let status = fs::read(session.join(".gamevault/status.json")).unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["odd_name_count"], 2);
    let told = status["odd_names"].as_array().unwrap();
    assert!(told[0].as_str().unwrap().starts_with("at the top, \"con\" cannot be named so on Windows"), "{told:?}");
    assert!(told[1].as_str().unwrap().starts_with("in art, \"Wall.png\" and \"wall.png\" are one name"), "{told:?}");
}

#[test]
fn who_reads_a_session_reads_on_after_the_commit() {
    let Some(stage) = stage() else { return };
    let session = stage.path(".snapshot/x");
    run("cp", &format!("cp -r {} {}", stage.fixture.path("source").display(), session.display()));
    let file = fs::File::open(session.join("data/level one.pak")).unwrap();
    let mut read = vec![0; 100_000];
    file.read_exact_at(&mut read, 0).unwrap();
    fs::rename(&session, stage.path("builds/x")).unwrap();
    let mut rest = vec![0; 200_000];
    file.read_exact_at(&mut rest, 100_000).unwrap();
    read.extend(rest);
    assert!(read == fs::read(stage.path("builds/x/data/level one.pak")).unwrap());
    // The name is free for the next one at once.
    fs::create_dir(&session).unwrap();
    assert!(fs::read_dir(&session).unwrap().next().is_none());
}

#[test]
fn modes_that_refuse_writing_do_not_stop_a_copy() {
    let Some(stage) = stage() else { return };
    let folder = stage.path(".snapshot/x");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(folder.join("f"), "bytes").unwrap();
    fs::set_permissions(folder.join("f"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(folder.join("f"), "other").unwrap();
    assert_eq!(fs::read(folder.join("f")).unwrap(), b"other");
    let fifo = nix::unistd::mkfifo(&folder.join("fifo"), nix::sys::stat::Mode::S_IRWXU);
    assert_eq!(fifo, Err(nix::errno::Errno::EPERM));
}

/// Names of 256 to 765 bytes were taken, though `statfs` promises no more than 255, and a restore on the same system would
/// have failed on them.
#[test]
fn names_are_no_longer_than_statfs_says() {
    let Some(stage) = stage() else { return };
    let folder = stage.path(".snapshot/x");
    fs::create_dir(&folder).unwrap();
    let (longest, longer) = (folder.join("n".repeat(255)), folder.join("n".repeat(256)));
    fs::write(&longest, "bytes").unwrap();
    let code = |result: std::io::Result<()>| result.unwrap_err().raw_os_error().unwrap();
    assert_eq!(code(fs::write(&longer, "bytes")), libc::ENAMETOOLONG);
    assert_eq!(code(fs::create_dir(&longer)), libc::ENAMETOOLONG);
    assert_eq!(code(std::os::unix::fs::symlink("x", &longer)), libc::ENAMETOOLONG);
    assert_eq!(code(fs::hard_link(&longest, &longer)), libc::ENAMETOOLONG);
    assert_eq!(code(fs::rename(&longest, &longer)), libc::ENAMETOOLONG);
    assert_eq!(code(fs::metadata(&longer).map(drop)), libc::ENAMETOOLONG);
    assert_eq!(fs::read(&longest).unwrap(), b"bytes");
}

/// The mount promises the kernel to take the bits away, and did not.
#[test]
fn a_program_that_others_wrote_to_does_not_run_as_its_owner() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can write as somebody else");
        return;
    }
    let options = MountOptions { allow_other: true, ..MountOptions::default() };
    let Some(stage) = Stage::mount(Fixture::new(), &options) else { return };
    fs::set_permissions(stage.fixture.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let folder = stage.path(".snapshot/x");
    fs::create_dir(&folder).unwrap();
    let mode_after = |writer: u32, mode| {
        let program = folder.join(format!("program{mode:o}{writer}"));
        fs::write(&program, "bytes").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let line = format!("echo more >> {}", program.display());
        assert!(Command::new("sh").args(["-c", &line]).uid(writer).gid(writer).status().unwrap().success());
        fs::metadata(&program).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!(mode_after(65534, 0o6777), 0o777);
    assert_eq!(mode_after(65534, 0o2767), 0o2767, "without the right to run it is no program of the group");
    assert_eq!(mode_after(0, 0o6777), 0o6777);
}
