//! Workspaces: writable views of builds, by command and through the mount, with their process alive and killed.

use crate::cli::{Home, Unmounted, can_mount};
use crate::support::crashes::assert_no_problems;
use crate::support::faulty::{Fault, FaultyDisk};
use crate::support::seed::seed;
use crate::support::{noise, write};
use gamevault::ingest::session::{At, NewNode, ROOT, Session, SessionForm, Sessions, SetTime};
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use gamevault::{ErrorKind, Vault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of so many calls one fails.
const STEP: usize = 7;

const FIX: &str = "GameVault/workspaces/fix";

/// The changes that `workspace diff` tells, by path.
fn changes(home: &Home, name: &str) -> BTreeMap<String, String> {
    let data = home.run(["workspace", "diff", name, "--json"]).succeeds().data();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    data["changes"].as_array().unwrap().iter().map(|one| (text(&one["path"]), text(&one["kind"]))).collect()
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(path, kind)| (path.to_owned(), kind.to_owned())).collect()
}

/// The names in the mounted folder.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_workspace_is_made_changed_kept_and_removed() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    home.run(["mount"]).succeeds();
    let made = home.run(["workspace", "create", "fix", "2", "--json"]).succeeds().data();
    assert_eq!((made["base"].as_str(), made["path"].as_str()), (Some("2"), home.path(FIX).to_str()));
    assert_eq!(home.read(&format!("{FIX}/data/level2.pak")), "two, better");
    assert_eq!(changes(&home, "fix"), map([]));
    home.run(["workspace", "diff", "fix", "--exit-code"]).succeeds();

    home.write(&format!("{FIX}/data/level2.pak"), "two, patched");
    home.write(&format!("{FIX}/data/level4.pak"), "four");
    home.write(&format!("{FIX}/new/deep/file"), "new");
    home.remove(&format!("{FIX}/data/level3.pak"));
    let expected = map([
        ("data/level2.pak", "modified"),
        ("data/level3.pak", "removed"),
        ("data/level4.pak", "added"),
        ("new/", "added"),
        ("new/deep/", "added"),
        ("new/deep/file", "added"),
    ]);
    assert_eq!(changes(&home, "fix"), expected);
    let told = home.run(["workspace", "diff", "fix", "--exit-code"]).ends_with(9).stdout;
    assert!(told.contains("2 to fix: ") && told.contains("level4.pak"), "{told}");
    let path = home.path(&format!("{FIX}/.gamevault/changes.md"));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("since build 2") && text.contains("| modified | 11 B | 12 B | data/level2.pak |"), "{text}");
    let json: Value = serde_json::from_str(&home.read(&format!("{FIX}/.gamevault/changes.json"))).unwrap();
    assert_eq!((&json["base"], json["changes"].as_array().unwrap().len()), (&json!("2"), 6));
    let listed = &home.run(["workspace", "list", "--json"]).succeeds().data()[0];
    assert_eq!((&listed["name"], &listed["base"], &listed["kept"]), (&json!("fix"), &json!("2"), &Value::Null));
    assert_eq!((&listed["changes"], &listed["changed_bytes"]), (&json!(6), &json!(12 + 4 + 3)));
    assert!(!names(&home.path(FIX)).contains(&".gamevault".to_owned()));

    // What was said of it goes with the build, and the workspace goes on from there.
    home.run(["workspace", "remove", "fix"]).fails(4);
    let arguments = ["workspace", "keep", "fix", "--id", "0.8", "-m", "first fix", "--tag", "demo", "--json"];
    let kept = home.run(arguments).succeeds().data();
    assert_eq!((&kept["id"], &kept["base"], &kept["message"]), (&json!("0.8"), &json!(2), &json!("first fix")));
    assert_eq!((&kept["completeness"], &kept["source"]), (&json!("declared"), &json!("workspaces/fix")));
    assert_eq!(home.read("GameVault/builds/0.8/new/deep/file"), "new");
    assert_eq!(home.read("GameVault/builds/2/data/level2.pak"), "two, better");
    assert_eq!(changes(&home, "fix"), map([]));
    let status: Value = serde_json::from_str(&home.read(&format!("{FIX}/.gamevault/status.json"))).unwrap();
    assert_eq!((&status["base"], &status["kept"], &status["state"]), (&json!("0.8"), &json!("0.8"), &json!("open")));

    // The hidden order does the same, with the next number as the id.
    home.write(&format!("{FIX}/data/level2.pak"), "two, patched again");
    home.write(&format!("{FIX}/.gamevault/commit"), "");
    let kept = home.run(["show", "latest", "--json"]).succeeds().data();
    assert_eq!((&kept["id"], &kept["base"], &kept["message"]), (&json!("4"), &json!(3), &Value::Null));
    assert_eq!(home.read("GameVault/builds/4/data/level2.pak"), "two, patched again");
    home.write(&format!("{FIX}/data/level2.pak"), "two, patched a third time");
    home.write(&format!("{FIX}/.gamevault/commit@0.9"), "");
    assert_eq!(home.run(["show", "0.9", "--json"]).succeeds().data()["base"], 4);
    assert_eq!(home.run(["workspace", "keep", "fix", "-q"]).succeeds().stdout, "6\n");

    // It persists over a remount; a change made before is seen after it.
    home.write(&format!("{FIX}/later"), "later");
    home.run(["unmount"]).succeeds();
    assert_eq!(changes(&home, "fix"), map([("later", "added")]));
    home.run(["mount"]).succeeds();
    assert_eq!(home.read(&format!("{FIX}/later")), "later");
    home.run(["workspace", "remove", "fix", "--force"]).succeeds();
    assert!(!home.path(FIX).exists());

    // The kernel must not remember from here that there is no such name.
    assert!(!home.path("GameVault/workspaces/gone").exists());
    fs::create_dir(home.path("GameVault/workspaces/gone@latest")).unwrap();
    assert!(home.path("GameVault/workspaces/gone/run.sh").exists());
    assert_eq!(names(&home.path("GameVault/workspaces")), ["gone"]);
    fs::remove_dir_all(home.path("GameVault/workspaces/gone")).unwrap();
    assert!(names(&home.path("GameVault/workspaces")).is_empty());
    assert!(fs::read_dir(home.vault().join("spool")).unwrap().next().is_none(), "the spool is empty");
    assert_eq!(home.read("GameVault/builds/6/new/deep/file"), "new");
    home.run(["verify", "--read-data"]).succeeds();
}

#[test]
fn without_a_mount_commands_work_on_the_spool() {
    let home = Home::with_builds();
    let made = home.run(["workspace", "create", "fix", "1", "--json"]).succeeds().data();
    assert_eq!(made["path"], Value::Null);
    assert!(home.run(["workspace", "list"]).succeeds().stdout.contains("fix"));
    write_in(&home.vault(), "fix", "added", b"by the library");
    assert_eq!(changes(&home, "fix"), map([("added", "added")]));
    home.run(["workspace", "remove", "fix"]).fails(4);
    assert_eq!(home.run(["workspace", "keep", "fix", "-q", "--label", "kept"]).succeeds().stdout, "3\n");
    assert_eq!(home.run(["show", "kept", "--json"]).succeeds().data()["base"], 1);
    home.run(["restore", "3", "back"]).succeeds();
    assert_eq!((home.read("back/added"), home.read("back/data/level1.pak")), ("by the library".into(), "one".into()));
    assert_eq!(home.run(["workspace", "list", "--json"]).succeeds().data()[0]["kept"], "3");
    home.run(["workspace", "remove", "fix"]).succeeds();
    assert_eq!(home.run(["workspace", "list", "--json"]).succeeds().data(), json!([]));
}

fn write_in(vault: &Path, name: &str, path: &str, bytes: &[u8]) {
    let sessions = Vault::open(vault).unwrap().sessions().unwrap();
    let session = sessions.workspace(name.as_bytes()).unwrap();
    let attr = session.create(At { directory: ROOT, name: path.as_bytes() }, NewNode::File, 0o644).unwrap();
    session.write(attr.node, 0, bytes).unwrap();
}

#[test]
fn what_cannot_be_is_told() {
    let home = Home::with_builds();
    let error = home.run(["workspace", "create", "fix", "nothing"]).fails(3);
    assert!(error.stderr.contains("\"nothing\""), "{}", error.stderr);
    home.run(["workspace", "create", "a/b", "1"]).fails(2);
    home.run(["workspace", "create", "fix", "1"]).succeeds();
    assert!(home.run(["workspace", "create", "FIX", "1"]).fails(4).stderr.contains("another name"));
    for verb in ["diff", "keep", "remove"] {
        let error = home.run(["workspace", verb, "other"]).fails(3);
        assert!(error.stderr.contains("the workspaces are fix"), "{}", error.stderr);
    }
    assert!(home.run(["workspace", "keep", "fix", "--id", "2"]).fails(4).stderr.contains("exists already"));
    // While another process has it, it is neither there nor unknown.
    let vault = Vault::open(&home.vault()).unwrap();
    let sessions = vault.sessions().unwrap();
    let error = home.run(["workspace", "keep", "fix"]).fails(7);
    assert!(error.stderr.contains("another process"), "{}", error.stderr);
    assert_eq!(home.run(["workspace", "diff", "fix", "--json"]).ends_with(7).json()["error"]["code"], "busy");
    drop(sessions);
    home.run(["workspace", "diff", "fix"]).succeeds();
}

#[test]
fn through_the_mount_what_cannot_be_is_told_too() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    home.run(["mount"]).succeeds();
    home.run(["workspace", "create", "fix", "1"]).succeeds();
    home.run(["workspace", "create", "Fix", "2"]).fails(4);
    home.run(["workspace", "remove", "other"]).fails(3);
    let open = fs::File::create(home.path(&format!("{FIX}/open"))).unwrap();
    assert!(home.run(["workspace", "keep", "fix"]).fails(7).stderr.contains("status.json"));
    drop(open);
    home.write(&format!("{FIX}/.gamevault/meta.json"), r#"{"label": "mine", "base": 2}"#);
    let kept = home.run(["workspace", "keep", "fix", "--json"]).succeeds().data();
    assert_eq!(
        (&kept["label"], &kept["base"]),
        (&json!("mine"), &json!(1)),
        "where it started is no matter of opinion"
    );
    let errno = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    let control = home.path(&format!("{FIX}/.gamevault"));
    assert_eq!(errno(fs::File::create(control.join("commit@1")).map(drop)), Some(libc::EEXIST));
    assert_eq!(errno(fs::File::create(control.join("commit@a b")).map(drop)), Some(libc::EINVAL));
    assert_eq!(errno(fs::write(control.join("changes.md"), "x")), Some(libc::EACCES));
    assert_eq!(errno(fs::create_dir(home.path("GameVault/workspaces/x@nothing"))), Some(libc::ENOENT));
    assert_eq!(errno(fs::create_dir(home.path("GameVault/workspaces/x"))), Some(libc::EINVAL));
}

/// A command that looked at the spool while the mount started once hid the workspace from the mount for good.
#[test]
fn a_mount_takes_over_what_a_command_lets_go() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    home.run(["workspace", "create", "fix", "1"]).succeeds();
    let vault = Vault::open(&home.vault()).unwrap();
    let sessions = vault.sessions().unwrap();
    home.run(["mount"]).succeeds();
    assert!(names(&home.path("GameVault/workspaces")).is_empty());
    drop(sessions);
    assert_eq!(names(&home.path("GameVault/workspaces")), ["fix"]);
}

/// A vault with a build of which a workspace `w` was made and changed in every way.
struct Changed {
    dir: tempfile::TempDir,
}

impl Changed {
    fn new() -> Changed {
        let dir = tempfile::tempdir().unwrap();
        let game = dir.path().join("game");
        for (name, bytes) in [("a", noise(1, 300_000)), ("sub/b", b"text ".repeat(900)), ("sub/c", noise(2, 3_000))] {
            write(&game.join(name), &bytes);
        }
        write(&game.join("untouched/deep/file"), &noise(3, 5_000));
        let vault = Vault::init(&dir.path().join("vault")).unwrap();
        vault.snapshot(&game, &SnapshotOptions::default(), &Progress::new()).unwrap();
        Changed { dir }
    }

    fn vault(&self) -> PathBuf {
        self.dir.path().join("vault")
    }
}

fn change_all(sessions: &Sessions, vault: &Vault) -> Arc<Session> {
    let base = vault.build("1").unwrap();
    let session = sessions.create("w".parse().unwrap(), SessionForm::Workspace, Some(&base)).unwrap();
    let node = |name: &str| session.lookup(At { directory: ROOT, name: name.as_bytes() }).unwrap().unwrap().node;
    let sub = node("sub");
    session.write(node("a"), 200_000, b"patched").unwrap();
    let at = |name: &'static str| At { directory: sub, name: name.as_bytes() };
    session.remove(at("b"), false).unwrap();
    let small = session.create(at("small"), NewNode::File, 0o644).unwrap().node;
    session.write(small, 0, b"a small file").unwrap();
    let large = session.create(at("large"), NewNode::File, 0o755).unwrap().node;
    session.write(large, 0, &noise(7, 200_000)).unwrap();
    session
}

/// Reads all files of the session.
fn read_all(session: &Session, directory: u32, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    let mut entries = Vec::new();
    let mut sink = |name: &[u8], attr| {
        entries.push((String::from_utf8(name.to_vec()).unwrap(), attr));
        true
    };
    session.list(directory, 0, &mut sink).unwrap();
    for (name, attr) in entries {
        let path = format!("{prefix}{name}");
        if attr.kind == gamevault::ingest::session::NodeKind::Directory {
            read_all(session, attr.node, &format!("{path}/"), into);
            continue;
        }
        let mut bytes = vec![0; attr.size as usize];
        assert_eq!(session.read(attr.node, 0, &mut bytes).unwrap(), bytes.len(), "{path}");
        into.insert(path, bytes);
    }
}

fn files(session: &Session) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    read_all(session, ROOT, "", &mut files);
    files
}

/// The disk fails at some calls of a keep, once or for good: whatever happened, the workspace has every byte, also
/// after a restart, and can be kept then.
#[test]
fn a_keep_that_is_cut_off_at_any_call_loses_nothing() {
    for fault in [Fault::Once(ErrorKind::Io), Fault::Dead] {
        for at in (1 + seed() % STEP as u64..).step_by(STEP) {
            let scene = Changed::new();
            let disk = FaultyDisk::new(&scene.vault(), fault, u64::MAX);
            let vault = Vault::open_on(Arc::new(disk.clone())).unwrap();
            let sessions = vault.sessions().unwrap();
            let session = change_all(&sessions, &vault);
            // Only the calls of the keep itself fail.
            disk.fail_from_now(at);
            let kept = session.keep(None);
            let has_failed = disk.has_failed();
            drop((session, sessions, vault));

            let vault = Vault::open(&scene.vault()).unwrap();
            let sessions = vault.sessions().unwrap();
            let session = sessions.workspace(b"w").unwrap();
            let found = files(&session);
            let names: Vec<&str> = found.keys().map(String::as_str).collect();
            assert_eq!(names, ["a", "sub/c", "sub/large", "sub/small", "untouched/deep/file"], "{fault:?} {at}");
            assert_eq!(
                &found["a"][199_998..200_010],
                [&noise(1, 300_000)[199_998..200_000], b"patched", &noise(1, 300_000)[200_007..200_010]].concat()
            );
            assert_eq!((&found["sub/large"], &found["sub/small"][..]), (&noise(7, 200_000), &b"a small file"[..]));
            let differing = session.changes().unwrap().changes.len();
            if kept.is_ok() && !has_failed {
                assert_eq!((differing, vault.builds().unwrap().len()), (0, 2));
            }
            if differing > 0 {
                let build = session.keep(None).unwrap();
                assert_eq!(build.root.totals.files, 5);
            }
            assert!(session.changes().unwrap().changes.is_empty());
            drop((session, sessions));
            assert_no_problems(&vault);
            if !has_failed {
                assert!(at > 20, "a keep makes more calls than {at}");
                break;
            }
        }
    }
}

/// Only what was looked into or changed costs anything.
#[test]
fn changes_do_not_read_what_nobody_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..40 {
        for m in 0..50 {
            write(&dir.path().join(format!("game/folder{n}/file{m}")), format!("{n} {m}").as_bytes());
        }
    }
    let vault = Vault::init(&dir.path().join("vault")).unwrap();
    vault.snapshot(&dir.path().join("game"), &SnapshotOptions::default(), &Progress::new()).unwrap();
    drop(vault);
    let calls_of = |looks: bool| {
        let disk = FaultyDisk::new(&dir.path().join("vault"), Fault::Dead, u64::MAX);
        let vault = Vault::open_on(Arc::new(disk.clone())).unwrap();
        let sessions = vault.sessions().unwrap();
        let name = format!("w{looks}").parse().unwrap();
        let base = vault.build("1").unwrap();
        let session = sessions.create(name, SessionForm::Workspace, Some(&base)).unwrap();
        if looks {
            assert_eq!(files(&session).len(), 2000);
        } else {
            let folder = session.lookup(At { directory: ROOT, name: b"folder7" }).unwrap().unwrap().node;
            session.remove(At { directory: folder, name: b"file3" }, false).unwrap();
        }
        let before = disk.calls();
        let changes = session.changes().unwrap().changes;
        let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, if looks { &[][..] } else { &["folder7/file3"][..] });
        disk.calls() - before
    };
    assert_eq!(calls_of(false), 0, "both pages that count were read by the change itself");
    calls_of(true);
}

#[test]
fn a_file_written_anew_with_the_same_bytes_is_no_modification() {
    let scene = Changed::new();
    let vault = Vault::open(&scene.vault()).unwrap();
    let sessions = vault.sessions().unwrap();
    let base = vault.build("1").unwrap();
    let session = sessions.create("w".parse().unwrap(), SessionForm::Workspace, Some(&base)).unwrap();
    let a = session.lookup(At { directory: ROOT, name: b"a" }).unwrap().unwrap();
    let kinds = || session.changes().unwrap().changes.into_iter().map(|change| (change.path, change.kind)).collect();
    let of = |kind| vec![("a".to_owned(), kind)];
    use gamevault::compare::ChangeKind::{Attributes, Modified, Touched};
    session.set_len(a.node, 0).unwrap();
    session.write(a.node, 0, &noise(1, 300_000)).unwrap();
    let found: Vec<_> = kinds();
    assert_eq!(found, of(Touched));
    session.change(a.node, Some(0o600), None).unwrap();
    assert_eq!(kinds(), of(Attributes));
    session.change(a.node, Some(a.mode), Some(SetTime::To(a.mtime))).unwrap();
    assert_eq!(kinds(), []);
    session.write(a.node, 299_999, b"x").unwrap();
    assert_eq!(kinds(), of(Modified));
}

/// Whoever works in a workspace is never told that it is busy: changes wait until it was kept.
#[test]
fn writers_wait_while_a_workspace_is_kept() {
    let scene = Changed::new();
    let vault = Vault::open(&scene.vault()).unwrap();
    let sessions = vault.sessions().unwrap();
    let session = change_all(&sessions, &vault);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let (kept, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                let name = format!("file{written}");
                let at = At { directory: ROOT, name: name.as_bytes() };
                let node = session.create(at, NewNode::File, 0o644).unwrap().node;
                session.open(node, true).unwrap();
                session.write(node, 0, &noise(written, 70_000)).unwrap();
                session.write(node, 70_000, b"the end").unwrap();
                session.close(node, true);
                written += 1;
            }
            written
        });
        let mut kept = Vec::new();
        while kept.len() < 8 {
            match session.keep(None) {
                Ok(build) => kept.push(build),
                // The writer had a file open.
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
            }
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        (kept, writer.join().unwrap())
    });
    assert!(written > 0);
    let found = files(&session);
    for number in 0..written {
        let bytes = &found[&format!("file{number}")];
        assert!(bytes[..70_000] == noise(number, 70_000) && &bytes[70_000..] == b"the end", "file{number}");
    }
    // Each build has whole files alone, or just created ones, and all that the one before had.
    let counts: Vec<u64> = kept.iter().map(|build| build.root.totals.files).collect();
    assert!(counts.is_sorted() && counts.iter().all(|&count| count >= 5), "{counts:?}");
    let last = kept.last().unwrap();
    let mut sizes = Vec::new();
    vault
        .reader()
        .for_each_entry(last.root.id, &mut |entry| {
            if let gamevault::manifest::EntryKind::File(content) = &entry.kind {
                sizes.push((entry.name.to_string(), content.size));
            }
            Ok(())
        })
        .unwrap();
    assert!(sizes.iter().all(|(name, size)| !name.starts_with("file") || [0, 70_007].contains(size)), "{sizes:?}");
    assert_no_problems(&vault);
}

/// A look into a folder once took what is called like junk, or like an engine's cache, out of the next build, though the
/// base had it.
#[test]
fn what_the_base_has_stays_and_new_junk_is_no_change() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["level.xml~", ".DS_Store", "data/notes~", "project.godot"] {
        write(&dir.path().join("game").join(name), b"of the base");
    }
    let vault = Vault::init(&dir.path().join("vault")).unwrap();
    vault.snapshot(&dir.path().join("game"), &SnapshotOptions::default(), &Progress::new()).unwrap();
    let sessions = vault.sessions().unwrap();
    let base = vault.build("1").unwrap();
    let session = sessions.create("w".parse().unwrap(), SessionForm::Workspace, Some(&base)).unwrap();
    assert_eq!(files(&session).len(), 4);
    assert!(session.changes().unwrap().changes.is_empty());
    let make = |directory, name: &str, what| {
        session.create(At { directory, name: name.as_bytes() }, what, 0o755).unwrap().node
    };
    make(ROOT, "new~", NewNode::File);
    let import = make(ROOT, ".import", NewNode::Directory);
    make(import, "icon.stex", NewNode::File);
    let told = session.changes().unwrap();
    let paths: Vec<&str> = told.left_out.iter().map(|change| change.path.as_str()).collect();
    assert_eq!((told.changes.len(), paths), (0, vec![".import/", ".import/icon.stex", "new~"]));
    assert!(told.to_markdown().contains("In no build: 3 entries"), "{}", told.to_markdown());
    let build = session.keep(None).unwrap();
    assert_eq!(build.root, base.root, "a build of the same files is the same");
    // A name that somebody takes anew is the tool's that took it.
    session.remove(At { directory: ROOT, name: b"level.xml~" }, false).unwrap();
    make(ROOT, "level.xml~", NewNode::File);
    let told = session.changes().unwrap();
    let kinds: Vec<_> = told.changes.iter().map(|change| (change.path.as_str(), change.kind)).collect();
    assert_eq!(kinds, [("level.xml~", gamevault::compare::ChangeKind::Removed)]);
    assert_eq!(session.keep(None).unwrap().root.totals.files, 3);
    assert!(session.changes().unwrap().changes.is_empty());
}
