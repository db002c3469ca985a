//! Every common copy tool copies a tree of oddities into a session through a real mount, and the build is what the tool
//! carries: names, kinds, bytes and link targets always, modes, times and attributes as far as the tool keeps them.

use crate::stage::{Fixture, Seen, Stage, assert_trees, is_installed, noise, retry, walk};
use gamevault::disk::host;
use gamevault::manifest::Timestamp;
use gamevault::mount::MountOptions;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the build leaves out.
const JUNK: [&str; 4] = [".DS_Store", "data/._icon.png", "Thumbs.db", "data/notes.txt~"];
/// A name that is not UTF-8.
const LATIN: &[u8] = b"caf\xe9.txt";
const TWO_LINES: &[u8] = b"two\nlines.txt";
const COLON: &[u8] = b"colon:name?.txt";
/// A link that 7z takes for an attack.
const UPWARD: &[u8] = b"data/up";
/// Its time lies before 1970.
const OLD: &[u8] = b"old.dat";

/// What a tool keeps beside names, kinds, bytes and link targets.
#[derive(Clone, Copy)]
struct Carries {
    modes: bool,
    times: Times,
    xattrs: bool,
    /// Whether directories without files, and symlinks, arrive at all.
    all_kinds: bool,
}

/// How exactly a tool keeps times.
#[derive(Clone, Copy, PartialEq)]
enum Times {
    No,
    /// Those of files, to the nanosecond.
    OfFiles,
    /// All but those of symlinks, to the second.
    Seconds,
    /// All, to the nanosecond.
    All,
}

/// What plain copies keep.
const BYTES: Carries = Carries { modes: false, times: Times::No, xattrs: false, all_kinds: true };
/// What copies that keep everything keep.
const ALL: Carries = Carries { modes: true, times: Times::All, xattrs: true, all_kinds: true };

/// One tool at its work.
struct Copying {
    /// What must be installed.
    programs: &'static [&'static str],
    /// A shell command that copies `SRC` to `DST`, which is not there yet; `OUT` is the folder above, and
    /// `TMP` one for what stands between.
    line: &'static str,
    carries: Carries,
    /// Paths in the source that the tool, or the format between, cannot hold.
    without: &'static [&'static [u8]],
}

#[test]
fn cp_r() {
    copies(&Copying { programs: &["cp"], line: "cp -r SRC DST", carries: BYTES, without: &[] });
}

#[test]
fn cp_a() {
    copies(&Copying { programs: &["cp"], line: "cp -a SRC DST", carries: ALL, without: &[] });
}

#[test]
fn cp_with_holes() {
    let line = "cp -r --sparse=always SRC DST";
    let stage = copies(&Copying { programs: &["cp"], line, carries: BYTES, without: &[] });
    if let Some(stage) = stage {
        let sparse = fs::File::open(stage.path("builds/x/data/sparse.img")).unwrap();
        let data = nix::unistd::lseek(&sparse, 0, nix::unistd::Whence::SeekData).unwrap();
        assert!(data > 7_000_000, "the hole ends at {data}");
    }
}

/// Only root could remove what is in a locked folder of the source.
#[test]
fn mv() {
    let line = "chmod 755 SRC/locked && cp -a SRC TMP/s && mv TMP/s DST";
    let stage = copies(&Copying { programs: &["mv"], line, carries: ALL, without: &[] });
    if let Some(stage) = stage {
        assert!(!stage.fixture.path("tmp/s").exists(), "mv removes what it moved");
    }
}

#[test]
fn rsync_a() {
    let carries = Carries { xattrs: false, ..ALL };
    copies(&Copying { programs: &["rsync"], line: "rsync -a SRC/ DST/", carries, without: &[] });
}

#[test]
fn rsync_a_with_xattrs() {
    copies(&Copying { programs: &["rsync"], line: "rsync -aX SRC/ DST/", carries: ALL, without: &[] });
}

#[test]
fn rsync_a_with_access_lists_and_xattrs() {
    copies(&Copying { programs: &["rsync"], line: "rsync -aAXH SRC/ DST/", carries: ALL, without: &[] });
}

#[test]
fn rsync_in_place() {
    let line = "rsync -a --inplace SRC/ DST/";
    copies(&Copying { programs: &["rsync"], line, carries: Carries { xattrs: false, ..ALL }, without: &[] });
}

#[test]
fn rsync_sparse_and_in_place_after_a_torn_copy() {
    let line = "cp -r SRC DST && truncate -s 700000 DST/data/large.pak && echo torn >> DST/readme.txt &&
        rsync -a --sparse --inplace --checksum SRC/ DST/";
    copies(&Copying { programs: &["rsync"], line, carries: Carries { xattrs: false, ..ALL }, without: &[] });
}

/// What a game's build script does: the session has the build of yesterday, of which much is different.
#[test]
fn rsync_with_delete_over_a_changed_session() {
    let line = "cp -a SRC DST && rm -r DST/data/deep && rm DST/readme.txt && mkdir DST/readme.txt &&
        echo gone > DST/readme.txt/gone && ln -sfn elsewhere DST/link && rm -r DST/hollow && echo a file > DST/hollow &&
        mkdir -p DST/other/folder && cp -r SRC/data DST/other/ && echo longer >> DST/data/large.pak &&
        chmod 600 DST/run.sh && mv DST/data/first.bin DST/data/renamed.bin && touch DST/data &&
        rsync -a --delete SRC/ DST/";
    copies(&Copying { programs: &["rsync"], line, carries: Carries { xattrs: false, ..ALL }, without: &[] });
}

#[test]
fn tar_x() {
    let line = "mkdir DST && tar -C SRC --format=posix -cf - . | tar -C DST -xpf -";
    copies(&Copying { programs: &["tar"], line, carries: Carries { xattrs: false, ..ALL }, without: &[] });
}

#[test]
fn tar_x_with_access_lists_and_xattrs() {
    let line = "mkdir DST && tar -C SRC --acls --xattrs --sparse --format=posix -cf - . |
        tar -C DST --acls --xattrs --xattrs-include='*' -xpf -";
    copies(&Copying { programs: &["tar"], line, carries: ALL, without: &[] });
}

#[test]
fn unzip() {
    let line = "(cd SRC/.. && zip -qry TMP/s.zip x) && unzip -q TMP/s.zip -d OUT";
    let carries = Carries { xattrs: false, times: Times::Seconds, ..ALL };
    copies(&Copying { programs: &["zip", "unzip"], line, carries, without: &[LATIN, TWO_LINES, OLD] });
}

/// 7z lets the owner write to every folder, on a disk too.
#[test]
fn seven_zip_x() {
    let line = "(cd SRC/.. && 7z a TMP/s.7z x > TMP/log) && 7z x -oOUT TMP/s.7z > TMP/log && chmod 555 DST/locked";
    let carries = Carries { xattrs: false, times: Times::Seconds, ..ALL };
    copies(&Copying { programs: &["7z"], line, carries, without: &[LATIN, TWO_LINES, OLD, UPWARD] });
}

#[test]
fn python_copytree() {
    let line = "python3 -c 'import shutil; shutil.copytree(\"SRC\", \"DST\", symlinks=True)'";
    copies(&Copying { programs: &["python3"], line, carries: ALL, without: &[] });
}

#[test]
fn rclone_copy() {
    let line = "rclone --config /dev/null copy SRC DST";
    let carries = Carries { times: Times::OfFiles, all_kinds: false, ..BYTES };
    copies(&Copying { programs: &["rclone"], line, carries, without: &[LATIN] });
}

/// `gio` copies files one by one and follows no folder into its depth, so the folders are made for it.
#[test]
fn gio_copy() {
    let line = "export GIO_USE_VFS=local; cd SRC && find . -type d -exec mkdir -p DST/{} ';' &&
        find . ! -type d -exec gio copy -p -P SRC/{} DST/{} ';' && chmod 555 DST/locked";
    let carries = Carries { modes: true, xattrs: false, times: Times::OfFiles, all_kinds: true };
    copies(&Copying { programs: &["gio"], line, carries, without: &[] });
}

#[test]
fn direct_writes() {
    let line = "cd SRC && find . -type d -exec mkdir -p DST/{} ';' && find . -type l -exec cp -P {} DST/{} ';' &&
        find . -type f -exec dd if=SRC/{} of=DST/{} bs=64k oflag=direct status=none ';'";
    copies(&Copying { programs: &["dd"], line, carries: BYTES, without: &[] });
}

/// Writes every page of a file through a shared mapping, the last ones first.
#[test]
fn mapped_writes() {
    let line = r#"cp -r SRC DST && python3 -c '
import mmap, os, sys
for folder, _, names in os.walk(b"DST"):
    for name in names:
        to = os.path.join(folder, name)
        source = b"SRC" + to[len(b"DST"):]
        size = 0 if os.path.islink(to) else os.path.getsize(source)
        if size == 0: continue
        with open(to, "w+b") as file, open(source, "rb") as read:
            file.truncate(size)
            bytes = read.read()
            with mmap.mmap(file.fileno(), size) as map:
                for at in reversed(range(0, size, 4096)):
                    map[at:at + 4096] = bytes[at:at + 4096]
'"#;
    copies(&Copying { programs: &["python3"], line, carries: BYTES, without: &[] });
}

/// git works in the session as on a disk: it clones, changes branches, packs, and finds nothing changed.
#[test]
fn git_clone_and_checkout() {
    let carries = Carries { times: Times::No, all_kinds: false, ..BYTES };
    let line =
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=TMP GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b \
        GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b &&
        cp -a SRC TMP/s && cd TMP/s && git init -q -b main && git add -A && git commit -qm one &&
        git checkout -qb other && git rm -qr data locked && git mv run.sh walk.sh && echo more >> readme.txt &&
        git commit -qam two && git clone -q TMP/s DST && cd DST && git checkout -q main && git gc -q &&
        git commit -q --allow-empty -m three && git checkout -q other && git checkout -q main &&
        git fsck --strict && test -z \"$(git status --porcelain)\" && rm -r .git";
    copies(&Copying { programs: &["git"], line, carries, without: &[] });
}

/// Makes one of everything that a source may hold.
fn fill_with_oddities(root: &Path) {
    let file = |name: &[u8], bytes: &[u8]| {
        let path = root.join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    file(b"readme.txt", &b"a small game\n".repeat(1000));
    file(b"empty", b"");
    file(b"data/large.pak", &noise(1, 3_000_123));
    file(b"data/first.bin", &noise(2, 70_000));
    file(b"run.sh", b"#!/bin/sh\necho ran\n");
    file(b"secret", b"for the owner alone");
    file(b"list.txt", b"has an access list");
    file(b"locked/level.dat", &noise(3, 5_000));
    file(LATIN, b"latin 1");
    file(TWO_LINES, b"a newline in the name");
    file(COLON, b"a colon");
    file(OLD, b"older than the epoch");
    file(b"-dash and spaces .txt", b"like an option");
    file(b"trailing dot.", b"a dot");
    file("\u{dc}n\u{ef}c\u{f6}de/\u{65e5}\u{672c} \u{1f3ae}.txt".as_bytes(), b"composed");
    file(b"data/Case.txt", b"upper");
    file(b"data/case.txt", b"lower");
    file(&[&b"data/"[..], &[b'n'; 255]].concat(), b"the longest name");
    file(format!("data/{}end.txt", "deep/".repeat(60)).as_bytes(), b"deep");
    JUNK.iter().for_each(|junk| file(junk.as_bytes(), b"junk"));
    fs::create_dir_all(root.join("hollow/inner")).unwrap();
    fs::hard_link(root.join("data/first.bin"), root.join("data/second.bin")).unwrap();
    symlink("readme.txt", root.join("link")).unwrap();
    symlink("data", root.join("link to data")).unwrap();
    symlink("../readme.txt", root.join(OsStr::from_bytes(UPWARD))).unwrap();
    symlink("not/there", root.join("dangling")).unwrap();
    let sparse = fs::File::create(root.join("data/sparse.img")).unwrap();
    sparse.write_all_at(b"the end of a hole", 8_000_000).unwrap();
    sparse.set_len(9_000_000).unwrap();
    let mode = |name: &str, mode| fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("run.sh", 0o755);
    mode("secret", 0o400);
    mode("locked/level.dat", 0o444);
    if is_installed("setfacl") {
        let status = Command::new("setfacl").args(["-m", "u:1:rw,m:rx"]).arg(root.join("list.txt")).status().unwrap();
        assert!(status.success(), "the disk takes access lists");
    }
    host::set_xattr(&root.join("readme.txt"), b"user.comment", b"the first").unwrap();
    host::set_xattr(&root.join("readme.txt"), b"user.bytes", &noise(4, 900)).unwrap();
    host::set_xattr(&root.join("data"), b"user.kind", b"of a folder").unwrap();
    for (index, path) in walk(root).keys().enumerate() {
        let mtime = Timestamp { secs: 1_000_000_001 + 2 * index as i64, nanos: 123_456_789 };
        host::set_mtime(&root.join(path), mtime).unwrap();
    }
    host::set_mtime(&root.join(OsStr::from_bytes(OLD)), Timestamp { secs: -5, nanos: 123_456_789 }).unwrap();
    // The last, since nobody but root can put anything into it then.
    mode("locked", 0o555);
}

/// Lets the tool copy into a session, commits it by a rename, and compares; `None` when it cannot be done here.
fn copies(copying: &Copying) -> Option<Stage> {
    let fixture = Fixture::new();
    if !copying.programs.iter().all(|program| is_installed(program)) {
        return None;
    }
    let source = fixture.path("x");
    fill_with_oddities(&source);
    for name in copying.without {
        fs::remove_file(source.join(OsStr::from_bytes(name))).unwrap();
    }
    host::set_mtime(&source, Timestamp { secs: 1_000_000_001, nanos: 987_654_321 }).unwrap();
    fs::create_dir(fixture.path("tmp")).unwrap();
    let stage = Stage::mount(fixture, &MountOptions::default())?;

    let session = stage.path(".snapshot/x");
    let line = copying.line.replace("SRC", source.to_str().unwrap()).replace("DST", session.to_str().unwrap());
    let line = line.replace("OUT", stage.path(".snapshot").to_str().unwrap());
    let line = line.replace("TMP", stage.fixture.path("tmp").to_str().unwrap());
    shell(&line);
    let see = |root: &Path| carried(walk(root), copying.carries);
    assert_trees(&see(&source), &see(&session), "the source and the session");
    let status = fs::read(session.join(".gamevault/status.json")).unwrap();
    shell(&format!("mv {} {}", session.display(), stage.path("builds").display()));

    assert!(!session.exists());
    assert!(fs::read_dir(stage.fixture.path("vault/spool")).unwrap().next().is_none(), "the spool is empty");

    let expected = without_junk(see(&source));
    retry(|| !stage.path("builds/x").join(JUNK[0]).exists());
    assert_trees(&expected, &see(&stage.path("builds/x")), "the source and the build");
    // From the catalogue, past everything that the mount and the kernel remember.
    let restored = stage.fixture.path("restored");
    let build = stage.fixture.vault.build("x").unwrap();
    stage.fixture.vault.restore(&build, &restored, &Default::default(), &Default::default()).unwrap();
    assert_trees(&expected, &see(&restored), "the source and what was restored");
    if copying.carries.xattrs {
        for path in expected.keys().filter(|path| !source.join(path).is_symlink()) {
            let of = |root: &Path| host::read_xattrs(&root.join(path)).unwrap().0;
            assert_eq!(of(&source), of(&restored), "{}", path.display());
        }
    }
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["failures"], serde_json::json!([]));
    Some(stage)
}

fn shell(line: &str) -> Output {
    let output = Command::new("sh").args(["-c", &format!("umask 022; {line}")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {line}\n{said}", output.status);
    output
}

fn without_junk(mut tree: BTreeMap<PathBuf, Seen>) -> BTreeMap<PathBuf, Seen> {
    for junk in JUNK {
        assert!(tree.remove(Path::new(junk)).is_some(), "{junk} is in the source");
    }
    tree
}

/// Makes equal what the tool does not keep.
fn carried(tree: BTreeMap<PathBuf, Seen>, carries: Carries) -> BTreeMap<PathBuf, Seen> {
    let holds_files = |path: &Path, tree: &BTreeMap<PathBuf, Seen>| {
        tree.iter().any(|(other, seen)| other.starts_with(path) && matches!(seen, Seen::File(..)))
    };
    let mut kept = BTreeMap::new();
    for (path, seen) in &tree {
        // The time of the session's own directory is the tool's only when it makes it.
        let mode = |mode: u32| if carries.modes { mode } else { 0 };
        let time = |secs: i64, nanos: i64, is_file: bool| match carries.times {
            Times::All => (secs, nanos),
            Times::OfFiles if is_file => (secs, nanos),
            Times::Seconds => (secs, 0),
            Times::No | Times::OfFiles => (0, 0),
        };
        let seen = match seen {
            Seen::Directory(..) if !carries.all_kinds && !holds_files(path, &tree) => continue,
            Seen::Symlink(..) if !carries.all_kinds => continue,
            Seen::Directory(bits, secs, nanos) => {
                let (secs, nanos) = time(*secs, *nanos, false);
                Seen::Directory(mode(*bits), secs, nanos)
            }
            Seen::File(bits, secs, nanos, bytes) => {
                let (secs, nanos) = time(*secs, *nanos, true);
                Seen::File(mode(*bits), secs, nanos, bytes.clone())
            }
            Seen::Symlink(target, ..) if carries.times != Times::All => Seen::Symlink(target.clone(), 0, 0),
            symlink => symlink.clone(),
        };
        kept.insert(path.clone(), seen);
    }
    kept
}
