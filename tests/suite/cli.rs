//! The command as scripts meet it: arguments, output, exit codes.
//!
//! Every test runs the real program in a home of its own, with an environment that holds nothing of the machine's.

use crate::support::unprotect;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A home with a vault that is not made yet, and a small game.
pub struct Home {
    pub dir: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        for (path, bytes) in
            [("game/run.sh", "#!/bin/sh\n"), ("game/data/level1.pak", "one"), ("game/data/level2.pak", "two")]
        {
            home.write(path, bytes);
        }
        home
    }

    /// Like [`Home::new`], with the vault made.
    pub fn with_vault() -> Home {
        let home = Home::new();
        home.run(["init"]).succeeds();
        home
    }

    /// Like [`Home::with_vault`], with two builds, `1` and `2`, that differ.
    pub fn with_builds() -> Home {
        let home = Home::with_vault();
        home.run(["snapshot", "game"]).succeeds();
        home.write("game/data/level2.pak", "two, better");
        home.write("game/data/level3.pak", "three");
        home.remove("game/data/level1.pak");
        home.run(["snapshot", "game", "--label", "second", "--platform", "linux"]).succeeds();
        home
    }

    pub fn path(&self, path: &str) -> PathBuf {
        // With the separators of the system, as they come back in messages.
        self.dir.path().components().chain(Path::new(path).components()).collect()
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path(path)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn vault(&self) -> PathBuf {
        self.path(".local/share/gamevault/default")
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_gamevault"));
        command.args(arguments);
        command
    }

    /// Returns a program that runs in this home, and sees nothing of the machine's own.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("LOCALAPPDATA", self.path(".local/share"))
            .env("TZ", "UTC");
        // Programs are found by PATH; Windows finds its libraries by SystemRoot, its own name by COMPUTERNAME.
        for name in ["PATH", "SystemRoot", "COMPUTERNAME", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).envs(variables.iter().copied()).output().unwrap())
    }

    /// Returns the largest pack, which holds the files' bytes.
    pub fn pack(&self) -> PathBuf {
        let mut packs: Vec<_> = walk(&self.vault().join("packs"));
        packs.sort_by_key(|pack| std::fs::metadata(pack).unwrap().len());
        packs.pop().expect("the vault has a pack")
    }
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub fn succeeds(self) -> Ended {
        self.ends_with(0)
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Ends with `code` and the two lines of every error.
    #[track_caller]
    pub fn fails(self, code: i32) -> Ended {
        let ended = self.ends_with(code);
        assert!(ended.stdout.is_empty(), "{}", ended.stdout);
        assert!(ended.stderr.starts_with("gamevault: "), "{}", ended.stderr);
        ended
    }

    /// Returns the one object that `--json` prints, its shape checked.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        let object: Value = serde_json::from_str(&self.stdout).unwrap();
        assert_eq!(object["schema"], 1);
        assert!(object["warnings"].is_array());
        match object["ok"].as_bool().unwrap() {
            true => assert!(object.get("data").is_some() && object.get("error").is_none(), "{object}"),
            false => {
                assert!(object["error"]["code"].is_string() && object["error"]["message"].is_string(), "{object}");
                assert!(object["error"].get("hint").is_some(), "{object}");
            }
        }
        object
    }

    #[track_caller]
    pub fn data(&self) -> Value {
        let object = self.json();
        assert_eq!(object["ok"], true, "{object}");
        object["data"].clone()
    }
}

#[test]
fn init_makes_a_vault_once() {
    let home = Home::new();
    let ended = home.run(["init"]).succeeds();
    assert!(ended.stdout.contains(home.vault().to_str().unwrap()));
    home.run(["init"]).fails(4);
    home.run(["init", "game"]).fails(4);
    let named = home.run(["init", "elsewhere", "--json"]).succeeds().data();
    assert_eq!(Path::new(named["vault"].as_str().unwrap()), home.path("elsewhere"));
}

#[test]
fn without_a_vault_all_places_are_named() {
    let home = Home::new();
    let ended = home.run(["builds"]).fails(3);
    for place in ["--vault", "GAMEVAULT_VAULT", home.vault().to_str().unwrap(), "gamevault init"] {
        assert!(ended.stderr.contains(place), "{place}: {}", ended.stderr);
    }
    let error = home.run(["builds", "--json"]).ends_with(3).json()["error"].clone();
    assert_eq!(error["code"], "not_found");
    assert!(error["hint"].as_str().unwrap().contains("gamevault init"));
    assert!(home.run(["builds", "--vault", "game"]).fails(3).stderr.contains("holds no vault"));
}

#[test]
fn the_vault_is_found_by_option_variable_folder_and_default() {
    let home = Home::with_vault();
    let vault_of = |ended: Ended| PathBuf::from(ended.succeeds().data()["vault"].as_str().unwrap());
    assert_eq!(vault_of(home.run(["status", "--json"])), home.vault());

    home.run(["init", "game/.gamevault"]).succeeds();
    let mut inside = home.command(["status", "--json"]);
    let inside = Ended::of(inside.current_dir(home.path("game/data")).output().unwrap());
    assert_eq!(vault_of(inside).canonicalize().unwrap(), home.path("game/.gamevault").canonicalize().unwrap());

    home.run(["init", "named"]).succeeds();
    let named = home.path("named");
    assert_eq!(vault_of(home.run_with(&[("GAMEVAULT_VAULT", named.to_str().unwrap())], &["status", "--json"])), named);
    let both = home.run_with(&[("GAMEVAULT_VAULT", "nowhere")], &["--vault", "named", "status", "--json"]);
    assert_eq!(vault_of(both), named);
}

#[test]
fn a_build_comes_back_as_it_was() {
    let home = Home::with_builds();
    let ended = home.run(["restore", "1", "out"]).succeeds();
    assert!(ended.stdout.contains("3 files"), "{}", ended.stdout);
    assert_eq!(home.read("out/data/level1.pak"), "one");
    assert_eq!(home.read("out/data/level2.pak"), "two");
    home.run(["restore", "latest", "part", "data/level3.pak"]).succeeds();
    assert_eq!(home.read("part/data/level3.pak"), "three");
    assert!(!home.path("part/run.sh").exists());
}

#[test]
fn restore_overwrites_only_when_told_so() {
    let home = Home::with_builds();
    home.write("out/data/level2.pak", "mine");
    home.run(["restore", "1", "out"]).fails(4);
    assert_eq!(home.read("out/data/level2.pak"), "mine");
    let data = home.run(["restore", "1", "out", "--overwrite", "--json"]).succeeds().data();
    assert_eq!((data["build"].as_str(), data["files"].as_u64()), (Some("1"), Some(3)));
    assert_eq!(home.read("out/data/level2.pak"), "two");
    home.run(["restore", "1", "other", "no/such/path"]).fails(3);
}

#[test]
fn snapshot_tells_the_id_and_what_it_did() {
    let home = Home::with_vault();
    // Files that were made just now are read again.
    crate::support::settle();
    let ended = home.run(["snapshot", "game"]).succeeds();
    assert!(ended.stdout.starts_with("build 1: 3 files"), "{}", ended.stdout);
    assert_eq!(home.run(["snapshot", "game", "-q", "--id", "0.7.3"]).succeeds().stdout, "0.7.3\n");
    let data = home.run(["snapshot", "game", "--json"]).succeeds().data();
    assert_eq!(data["build"]["id"], "3");
    assert_eq!((data["files"].as_u64(), data["files_unchanged"].as_u64()), (Some(3), Some(3)));
    let all = home.run(["snapshot", "game", "--json", "--read-all"]).succeeds().data();
    assert_eq!((all["files_unchanged"].as_u64(), all["bytes_read"].as_u64()), (Some(0), Some(16)));
}

#[test]
fn options_of_a_snapshot_are_recorded() {
    let home = Home::with_builds();
    #[rustfmt::skip]
    let options = ["snapshot", "game", "--id", "x", "--label", "Demo", "--platform", "win64", "--base", "second", "-m", "for the fair",
        "--tag", "demo", "--tag", "fair", "--meta", "engine=godot", "--meta", "signingKey=abc123", "--ignore", "*.sh"];
    home.run(options).succeeds();
    let data = home.run(["show", "x", "--json"]).succeeds().data();
    for (key, value) in
        [("label", "Demo"), ("platform", "win64"), ("message", "for the fair"), ("completeness", "verified")]
    {
        assert_eq!(data[key], value, "{data}");
    }
    assert_eq!((data["base"].as_u64(), data["files"].as_u64()), (Some(2), Some(2)));
    assert_eq!(data["tags"], serde_json::json!(["demo", "fair"]));
    assert!(data["host"].is_string() && data["tool"].as_str().unwrap().starts_with("gamevault "));
    assert_eq!(data["source"].as_str(), home.path("game").to_str());

    let text = home.run(["show", "x"]).succeeds().stdout;
    assert!(text.contains("godot") && text.contains("********"), "{text}");
    assert!(!text.contains("abc123") && !data.to_string().contains("abc123"), "a secret is shown: {text}");
}

#[test]
fn an_unchanged_folder_makes_no_build_when_told_so() {
    let home = Home::with_vault();
    home.run(["snapshot", "game", "--fail-if-unchanged"]).succeeds();
    let ended = home.run(["snapshot", "game", "--fail-if-unchanged"]).ends_with(10);
    assert!(ended.stdout.contains("nothing changed since build 1"), "{}", ended.stdout);
    let data = home.run(["snapshot", "game", "--skip-if-unchanged", "--json"]).succeeds().data();
    assert_eq!((data["created"].as_bool(), data["build"]["id"].as_str()), (Some(false), Some("1")));
    home.write("game/data/level1.pak", "changed");
    home.run(["snapshot", "game", "--fail-if-unchanged"]).succeeds();
    assert_eq!(home.run(["builds", "-q"]).succeeds().stdout, "1\n2\n");
}

#[test]
fn an_id_is_taken_once() {
    let home = Home::with_vault();
    home.run(["snapshot", "game", "--id", "Alpha"]).succeeds();
    home.run(["snapshot", "game", "--id", "alpha"]).fails(4);
}

#[test]
fn a_missing_folder_is_not_found() {
    let home = Home::with_vault();
    assert!(home.run(["snapshot", "gone"]).fails(3).stderr.contains("gone"));
}

#[test]
fn builds_lists_the_newest_last() {
    let home = Home::with_vault();
    assert!(home.run(["builds"]).succeeds().stdout.contains("no builds yet"));
    assert_eq!(home.run(["builds", "--json"]).succeeds().data(), serde_json::json!([]));
    let home = Home::with_builds();
    home.run(["milestone", "set", "alpha", "1"]).succeeds();
    let text = home.run(["builds"]).succeeds().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].contains("NUMBER") && lines[1].contains("alpha") && lines[2].contains("second"), "{text}");
    let data = home.run(["builds", "--json"]).succeeds().data();
    assert_eq!(data[0]["milestones"], serde_json::json!(["alpha"]));
    assert_eq!(data[1]["platform"], "linux");
}

#[test]
fn a_build_is_found_by_all_its_names() {
    let home = Home::with_builds();
    home.run(["milestone", "set", "alpha", "1"]).succeeds();
    for (reference, number) in [("1", 1), ("second", 2), ("alpha", 1), ("latest", 2), ("latest~1", 1)] {
        assert_eq!(home.run(["show", reference, "--json"]).succeeds().data()["number"], number, "{reference}");
    }
    for reference in ["9", "latest~2", "nothing"] {
        home.run(["show", reference]).fails(3);
    }
}

#[test]
fn pages_are_written_whole_and_patches_are_of_lines() {
    let home = Home::with_builds();
    for arguments in [&["diff", "1", "2", "--html", "page.html"][..], &["report", "1..2", "--html", "page.html"]] {
        home.run(arguments).succeeds();
        let page = std::fs::read_to_string(home.path("page.html")).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{arguments:?}");
        std::fs::remove_file(home.path("page.html")).unwrap();
    }
    home.run(["report", "2..1"]).fails(2);
    home.run(["report", "1"]).fails(2);
    assert!(home.run(["diff", "1", "2", "--by", "class"]).succeeds().stdout.contains("containers"));
    assert!(home.run(["diff", "1", "2", "--stat"]).succeeds().stdout.contains("GROWTH"));
    let quiet = home.run(["diff", "1", "2", "-q"]).succeeds().stdout;
    assert!(quiet.lines().any(|line| line == "data/level3.pak"), "{quiet}");
    let explained = home.run(["stats", "--explain", "2"]).succeeds().stdout;
    assert!(explained.starts_with("2 has ") && explained.contains("FREED"), "{explained}");
    home.run(["stats", "--explain", "1", "2"]).fails(2);
}

#[test]
fn diff_tells_what_changed() {
    let home = Home::with_builds();
    let ended = home.run(["diff", "1", "2"]).succeeds();
    for (kind, path) in [("added", "data/level3.pak"), ("removed", "data/level1.pak"), ("modified", "data/level2.pak")]
    {
        let line = ended.stdout.lines().find(|line| line.ends_with(path));
        assert!(line.is_some_and(|line| line.starts_with(kind)), "{path}: {}", ended.stdout);
    }
    assert!(ended.stdout.lines().last().unwrap().contains("1 added"), "{}", ended.stdout);
    home.run(["diff", "1", "2", "--exit-code"]).ends_with(9);
    home.run(["diff", "1", "1", "--exit-code"]).succeeds();
    home.run(["diff", "1", "2", "--exit-code", "run.sh"]).succeeds();
    let data = home.run(["diff", "1", "2", "data/level3.pak", "--json"]).succeeds().data();
    assert_eq!(data["changes"].as_array().unwrap().len(), 1, "{data}");
    assert_eq!(
        (data["changes"][0]["kind"].as_str(), data["changes"][0]["new_size"].as_u64()),
        (Some("added"), Some(5))
    );
    home.run(["diff", "1", "7"]).fails(3);
}

#[test]
fn milestones_are_set_moved_and_removed() {
    let home = Home::with_builds();
    assert!(home.run(["milestone", "list"]).succeeds().stdout.contains("no milestones yet"));
    home.run(["milestone", "set", "alpha", "1", "-m", "the first", "--tag", "demo"]).succeeds();
    home.run(["milestone", "set", "alpha", "2"]).fails(4);
    home.run(["milestone", "set", "alpha", "2", "--move"]).succeeds();
    home.run(["milestone", "set", "beta", "1", "-m", "the second", "--tag", "demo"]).succeeds();
    let data = home.run(["milestone", "list", "--json"]).succeeds().data();
    assert_eq!((data[0]["name"].as_str(), data[0]["build"].as_u64()), (Some("alpha"), Some(2)));
    let shown = home.run(["milestone", "show", "beta"]).succeeds().stdout;
    assert!(shown.contains("the second") && shown.contains("completeness"), "{shown}");
    home.run(["milestone", "remove", "beta"]).succeeds();
    home.run(["milestone", "remove", "beta"]).fails(3);
    home.run(["milestone", "show", "beta"]).fails(3);
    home.run(["milestone", "set", "gamma", "9"]).fails(3);
    assert_eq!(home.run(["milestone", "list", "-q"]).succeeds().stdout, "alpha\n");
}

#[test]
fn arguments_that_make_no_sense_are_told_so() {
    let home = Home::with_vault();
    for arguments in
        [&["snapshot"][..], &["snapshot", "game", "--id", "a b"], &["snapshot", "game", "--meta", "x"], &["fly"], &[]]
    {
        let ended = home.run(arguments).ends_with(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
    assert!(home.run(["snapshto"]).fails(2).stderr.contains("hint: a similar subcommand exists: 'snapshot'"));
    let object = home.run(["snapshot", "--json", "game", "--id", "a b"]).ends_with(2).json();
    assert_eq!(object["error"]["code"], "usage");
    assert!(object["error"]["message"].as_str().unwrap().contains("a b"), "{object}");
    home.run_with(&[("GAMEVAULT_BUILD_ID", "a b")], &["snapshot", "game"]).fails(2);
    home.run(["--version"]).succeeds();
    home.run(["snapshot", "--help"]).succeeds();
}

#[test]
fn damage_is_found_and_ends_with_6() {
    let home = Home::with_vault();
    home.write("game/big.pak", noise(300_000));
    home.run(["snapshot", "game"]).succeeds();
    home.run(["verify"]).succeeds();
    let whole = home.run(["verify", "1", "--read-data", "--json"]).succeeds().data();
    assert!(whole["bytes_checked"].as_u64().unwrap() >= 300_000, "{whole}");

    unprotect(&home.vault());
    let pack = home.pack();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&pack, bytes).unwrap();

    let ended = home.run(["verify", "--read-data"]).ends_with(6);
    assert!(ended.stdout.contains("big.pak") && ended.stderr.contains("problem"), "{ended:?}");
    let object = home.run(["verify", "--read-data", "--json"]).ends_with(6).json();
    assert_eq!((object["ok"].as_bool(), object["error"]["code"].as_str()), (Some(false), Some("corrupt")));
    assert!(!object["data"]["problems"].as_array().unwrap().is_empty());
    home.run(["restore", "1", "out"]).fails(6);
    assert!(!home.path("out/big.pak").exists());
}

#[test]
fn repair_brings_builds_and_milestones_back() {
    let home = Home::with_builds();
    home.run(["milestone", "set", "alpha", "1"]).succeeds();
    let before = home.run(["builds", "--json"]).succeeds().stdout;
    for file in std::fs::read_dir(home.vault()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("catalogue") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let data = home.run(["repair", "--json"]).succeeds().data();
    assert_eq!((data["builds"].as_u64(), data["milestones"].as_u64()), (Some(2), Some(1)));
    assert_eq!(home.run(["builds", "--json"]).succeeds().stdout, before);
    home.run(["restore", "1", "out"]).succeeds();
    assert_eq!(home.read("out/data/level1.pak"), "one");
}

#[test]
fn repair_waits_for_nobody() {
    let home = Home::with_builds();
    let _open = gamevault::Vault::open(&home.vault()).unwrap();
    home.run(["repair"]).fails(7);
}

#[test]
fn status_and_stats_tell_how_the_vault_stands() {
    let home = Home::with_builds();
    let text = home.run(["status"]).succeeds().stdout;
    assert!(text.contains(home.vault().to_str().unwrap()) && text.contains("free of"), "{text}");
    let status = home.run(["status", "--json"]).succeeds().data();
    assert_eq!((status["builds"].as_u64(), status["newest"]["id"].as_str()), (Some(2), Some("2")));
    assert_eq!(status["mounts"], serde_json::json!([]));
    assert_eq!(status["optimize"], serde_json::json!({ "running": false, "when_idle": true, "last": null }));
    home.run(["optimize"]).succeeds();
    let last = home.run(["status", "--json"]).succeeds().data()["optimize"]["last"].clone();
    assert_eq!((last["is_complete"].as_bool(), last["squeeze"].as_bool()), (Some(true), Some(false)));
    assert!(last["chunks_looked_at"].as_u64().is_some() && last["bytes_gained"].as_u64().is_some(), "{last}");
    assert!(home.run(["status"]).succeeds().stdout.contains("gained so far, all looked at"));
    assert!(status["space"]["available"].as_u64().unwrap() > 0);
    let stats = home.run(["stats", "--json"]).succeeds().data();
    assert_eq!((stats["builds"].as_u64(), stats["files"].as_u64()), (Some(2), Some(6)));
    assert!(home.run(["stats"]).succeeds().stdout.contains("ratio"));
}

#[test]
fn stats_tell_where_the_bytes_are() {
    let home = Home::with_builds();
    let whole = home.run(["stats", "--json"]).succeeds().data();
    assert_eq!(whole["by"], "technique");
    for field in ["builds", "files", "logical_bytes", "unique_bytes", "stored_bytes", "chunks", "missing_chunks"] {
        assert!(whole[field].is_u64(), "{field} in {whole}");
    }
    for field in ["milestones", "packs", "pack_bytes", "catalogue_bytes", "similar_bytes", "other_bytes"] {
        assert!(whole[field].is_u64(), "{field} in {whole}");
    }
    assert!(whole["ratio"].is_f64() && whole["refused"].is_array(), "{whole}");
    let stored = |data: &serde_json::Value| {
        data["rows"].as_array().unwrap().iter().map(|row| row["stored_bytes"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(stored(&whole), whole["stored_bytes"].as_u64().unwrap());

    let second = home.run(["stats", "second", "--by", "type", "--json"]).succeeds().data();
    assert_eq!((second["builds"].as_u64(), second["by"].as_str()), (Some(1), Some("type")));
    assert!(second["packs"].is_null() && second["refused"].is_null(), "only a vault has packs: {second}");
    let rows = second["rows"].as_array().unwrap();
    let pak = rows.iter().find(|row| row["name"] == "pak").unwrap();
    // "two, better" and "three".
    assert_eq!((pak["files"].as_u64(), pak["logical_bytes"].as_u64()), (Some(2), Some(16)));
    assert_eq!((pak["chunks"].as_u64(), pak["unique_bytes"].as_u64()), (Some(2), Some(16)));

    let text = home.run(["stats", "--by", "folder", "--depth", "2"]).succeeds().stdout;
    assert!(text.contains("FOLDER") && text.contains("data ") && text.contains("(catalogue)"), "{text}");
    let text = home.run(["stats", "1", "2", "--by", "build"]).succeeds().stdout;
    assert!(text.contains("BUILD") && !text.contains("(catalogue)"), "{text}");
    home.run(["stats", "--depth", "2"]).fails(2);
    home.run(["stats", "--by", "colour"]).ends_with(2);
    home.run(["stats", "no-such-build"]).fails(3);
}

#[test]
fn doctor_looks_at_vault_and_mount() {
    let home = Home::with_vault();
    let ended = home.run(["doctor", "--json"]);
    let checks = ended.json()["data"].clone();
    let state =
        |name: &str| checks.as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()["ok"].clone();
    for name in ["vault", "writable", "locks", "readable", "space"] {
        assert_eq!(state(name), true, "{checks}");
    }
    // Whether this machine can mount is not the point here; that the exit code tells so is.
    let healthy = checks.as_array().unwrap().iter().all(|check| check["ok"] == true);
    assert_eq!(ended.code, if healthy { 0 } else { 1 });
    let broken = Home::new().run(["doctor"]).ends_with(1);
    assert!(broken.stdout.contains("WRONG") && broken.stderr.contains("not in order"), "{broken:?}");
}

#[test]
fn sessions_need_a_running_mount() {
    let home = Home::with_vault();
    for command in ["commit", "abort"] {
        let ended = home.run([command, "0.7.3"]).fails(3);
        assert!(ended.stderr.contains("no mount") && ended.stderr.contains("gamevault mount"), "{}", ended.stderr);
    }
    assert!(home.run(["unmount"]).fails(3).stderr.contains("no mount"));
}

/// The commands reach sessions by their paths alone, so a plain folder that is recorded as a mount shows what they do.
#[test]
fn orders_to_sessions_are_files_in_the_mount() {
    let home = Home::with_vault();
    for id in ["0.7.3", "Game.apk"] {
        home.run(["snapshot", "game", "--id", id]).succeeds();
    }
    let status = r#"{"state": "open", "files": 2, "bytes": 1500}"#;
    for session in ["0.7.3@0.7.2", "0.7.4"] {
        home.write(&format!("mount/.snapshot/{session}/.gamevault/status.json"), status);
    }
    home.write("mount/.snapshot/Game.apk", "zip");
    home.write("mount/builds/.keep", "");
    let vault = gamevault::Vault::open(&home.vault()).unwrap();
    let since = gamevault::manifest::Timestamp::now();
    let record = gamevault::vault::MountRecord {
        pid: std::process::id(),
        path: home.path("mount"),
        since,
        passthrough: gamevault::vault::Passthrough::On,
    };
    vault.record_mount(&record).unwrap();

    let text = home.run(["status"]).succeeds().stdout;
    assert!(text.contains("0.7.4 (open, 2 files, 1.5 kB)"), "{text}");
    assert!(text.contains("on: the kernel reads large files"), "{text}");
    let data = home.run(["status", "--json"]).succeeds().data();
    assert_eq!(data["sessions"].as_array().unwrap().len(), 3, "{data}");
    assert_eq!(data["mounts"][0]["passthrough"], "on", "{data}");

    assert!(home.run(["commit", "0.7.9"]).fails(3).stderr.contains("0.7.3@0.7.2"));
    assert_eq!(home.run(["commit", "0.7.3", "-q"]).succeeds().stdout, "0.7.3\n");
    assert!(home.path("mount/.snapshot/0.7.3@0.7.2/.gamevault/commit").exists());
    home.run(["abort", "0.7.4"]).succeeds();
    assert!(home.path("mount/.snapshot/0.7.4/.gamevault/abort").exists());
    home.run(["commit", "Game.apk"]).succeeds();
    assert_eq!(home.read("mount/builds/Game.apk"), "zip");
}

#[test]
fn completions_and_manual_are_printed() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(home.run(["completions", shell]).succeeds().stdout.contains("gamevault"), "{shell}");
    }
    home.run(["completions", "csh"]).ends_with(2);
    assert!(home.run(["man"]).succeeds().stdout.contains(".TH gamevault 1"));
    home.run(["man", "--out", "man"]).succeeds();
    assert!(home.read("man/gamevault.1").contains("GAMEVAULT_VAULT"));
    assert!(home.path("man/gamevault-snapshot.1").exists());
}

#[test]
fn progress_is_json_when_asked_and_nothing_when_quiet() {
    let home = Home::with_vault();
    let ended = home.run(["snapshot", "game", "--progress=json"]).succeeds();
    let last: Value = serde_json::from_str(ended.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((last["done"].as_bool(), last["files_done"].as_u64()), (Some(true), Some(3)), "{last}");
    assert_eq!(last["bytes_done"], last["bytes_total"]);
    assert_eq!(home.run(["snapshot", "game"]).succeeds().stderr, "");
    assert_eq!(home.run(["snapshot", "game", "-q", "--progress=json"]).succeeds().stderr, "");
}

#[test]
fn a_job_is_recorded_and_told_the_id() {
    let home = Home::with_vault();
    let output = home.path("github_output");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_REF_NAME", "main"),
        ("GITHUB_RUN_NUMBER", "12"),
        ("GITHUB_OUTPUT", output.to_str().unwrap()),
        ("GAMEVAULT_BUILD_ID", "ci-12"),
        ("GAMEVAULT_META_ENGINE", "godot"),
    ];
    home.write("github_output", "earlier=1\n");
    home.run_with(&variables, &["snapshot", "game"]).succeeds();
    assert_eq!(home.read("github_output"), "earlier=1\nbuild_id=ci-12\n");
    home.run_with(&variables, &["snapshot", "game", "--id", "mine", "--meta", "engine=own"]).succeeds();
    let data = home.run(["show", "mine", "--json"]).succeeds().data();
    assert_eq!((data["ci"]["system"].as_str(), data["ci"]["build"].as_str()), (Some("github"), Some("12")));
    assert_eq!((data["vcs"]["branch"].as_str(), data["meta"]["engine"].as_str()), (Some("main"), Some("own")));
}

#[test]
fn git_is_recorded_without_its_secrets() {
    let home = Home::with_vault();
    let git = |arguments: &[&str]| {
        let mut command = home.program("git");
        command.args(["-C", "game", "-c", "user.name=me", "-c", "user.email=me@example.org"]).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    if !git(&["init", "-b", "main"]) {
        println!("skipped: there is no git here");
        return;
    }
    let commit = |message: &str| assert!(git(&["add", "."]) && git(&["commit", "-m", message]));
    commit("first");
    assert!(git(&["remote", "add", "origin", "https://me:hunter2@example.org/game.git"]));
    home.run(["snapshot", "game", "--ignore", ".git"]).succeeds();
    home.write("game/run.sh", "#!/bin/sh\nexit\n");
    commit("second");
    home.write("game/run.sh", "#!/bin/sh\nexit 1\n");
    home.run(["snapshot", "game", "--ignore", ".git"]).succeeds();

    let clean = home.run(["show", "1", "--json"]).succeeds().data()["vcs"].clone();
    assert_eq!((clean["kind"].as_str(), clean["branch"].as_str()), (Some("git"), Some("main")));
    assert_eq!((clean["repo"].as_str(), clean["dirty"].as_bool()), (Some("https://example.org/game.git"), Some(false)));
    let dirty = home.run(["show", "2", "--json"]).succeeds().data()["vcs"].clone();
    assert_eq!(dirty["dirty"], true);
    let commits = dirty["commits"].as_array().unwrap();
    assert!(commits.len() == 1 && commits[0].as_str().unwrap().ends_with(" second"), "{dirty}");
    assert!(!home.run(["builds", "--json"]).succeeds().stdout.contains("hunter2"));
}

#[test]
fn output_into_a_closed_pipe_is_no_error() {
    let home = Home::with_builds();
    let mut child = home.command(["builds"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn every_command_answers_with_one_object() {
    let home = Home::with_builds();
    home.run(["milestone", "set", "alpha", "1"]).succeeds();
    for arguments in [
        &["snapshot", "game"][..],
        &["builds"],
        &["show", "1"],
        &["restore", "1", "out"],
        &["diff", "1", "2"],
        &["diff", "1", "2", "--patch"],
        &["diff", "1", "2", "--by", "class"],
        &["stats", "--explain"],
        &["report"],
        &["milestone", "set", "beta", "1"],
        &["milestone", "list"],
        &["milestone", "show", "beta"],
        &["milestone", "remove", "beta"],
        &["status"],
        &["verify"],
        &["stats"],
        &["stats", "latest", "--by", "folder"],
        &["optimize", "--for", "1m"],
        &["repair"],
        &["completions", "bash"],
        &["man"],
        &["man", "--out", "pages"],
    ] {
        let ended = home.run(arguments.iter().chain(&["--json"])).succeeds();
        ended.data();
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
}

/// A file that never stands still cannot be stored as it was, and the user must know.
#[test]
fn a_file_that_changes_while_it_is_read_ends_with_5() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    let home = Home::with_vault();
    home.write("game/log.txt", noise(30_000_000));
    let stop = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = std::fs::File::options().append(true).open(home.path("game/log.txt")).unwrap();
            while !stop.load(Relaxed) {
                std::io::Write::write_all(&mut file, b"a line of a log that never ends\n").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let ended = home.run(["snapshot", "game", "--json"]);
        stop.store(true, Relaxed);
        ended
    });
    let object = ended.ends_with(5).json();
    assert_eq!(object["error"]["code"], "incomplete");
    assert_eq!(object["data"]["changed_while_read"], serde_json::json!(["log.txt"]));
    let shown = home.run(["show", "latest", "--json"]).succeeds().data();
    assert_eq!(shown["completeness"], "incomplete");
}

/// The small disk is mounted in a namespace of its own, so nothing is left of it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_with_8() {
    let home = Home::with_vault();
    home.write("game/big.pak", noise(8_000_000));
    home.write("small/.keep", "");
    let program = env!("CARGO_BIN_EXE_gamevault");
    let script = format!(
        "mount -t tmpfs -o size=4m none small || exit 77; export GAMEVAULT_VAULT=small/vault; \
         {program} init small/vault >&2 || exit; {program} snapshot game"
    );
    let output = home.program("unshare").args(["--mount", "sh", "-c", &script]).output();
    match output.map(Ended::of) {
        Ok(ended) if ended.code == 8 => {
            assert!(ended.stderr.contains("hint: free some space"), "{}", ended.stderr);
        }
        Ok(ended) if ended.code == 77 || ended.stderr.starts_with("unshare") => {
            println!("skipped: a small disk cannot be mounted here: {}", ended.stderr);
        }
        Ok(ended) => panic!("{ended:?}"),
        Err(error) => println!("skipped: unshare cannot be run: {error}"),
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_snapshot_ends_with_130_and_goes_on() {
    use std::io::{BufRead, BufReader};
    let home = Home::with_vault();
    for folder in 0..200 {
        for file in 0..100 {
            home.write(&format!("game/{folder}/{file}.txt"), format!("{folder} {file}"));
        }
    }
    let mut command = home.command(["snapshot", "game", "--progress=json", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    progress.read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let too_fast = line["done"] == true;
    // A process that has ended cannot be interrupted; then there is nothing to see.
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    std::io::copy(&mut progress, &mut std::io::sink()).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    if too_fast {
        println!("skipped: this machine makes a build of 20,000 files in less than half a second");
        return;
    }
    let ended = ended.ends_with(130);
    let error = ended.json()["error"].clone();
    assert_eq!(error["code"], "interrupted");
    assert!(error["hint"].as_str().unwrap().contains("goes on"), "{error}");
    assert_eq!(home.run(["builds", "--json"]).succeeds().data(), serde_json::json!([]));
    let data = home.run(["snapshot", "game", "--json"]).succeeds().data();
    assert_eq!(data["files"], 20_003);
}

/// Tells whether this machine can mount, and says so when it cannot.
pub fn can_mount() -> bool {
    let can = cfg!(target_os = "linux") && std::fs::File::options().read(true).write(true).open("/dev/fuse").is_ok();
    if !can {
        println!("skipped: /dev/fuse cannot be opened here");
    }
    can
}

/// Ends the mounts of a home that a failed test leaves.
pub struct Unmounted<'a>(pub &'a Home);

impl Drop for Unmounted<'_> {
    fn drop(&mut self) {
        for folder in ["GameVault", "second"] {
            let _ = self.0.command(["unmount", folder]).output();
        }
    }
}

#[test]
fn a_mount_goes_to_the_background_and_ends_by_unmount() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    // With pipes: a background process that kept them open would keep the caller waiting, too.
    let ended = home.run(["mount"]).succeeds();
    assert_eq!(ended.stdout.lines().count(), 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("GameVault") && ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(home.read("GameVault/builds/1/data/level1.pak"), "one");
    let status = home.run(["status", "--json"]).succeeds().data();
    assert_eq!(status["mounts"][0]["path"].as_str(), home.path("GameVault").to_str());

    home.run(["mount"]).fails(7);
    let second = home.run(["mount", "second", "--json"]).succeeds().data();
    assert_eq!(second["mount"].as_str(), home.path("second").to_str());
    let several = home.run(["unmount"]).fails(2);
    assert!(several.stderr.contains("GameVault") && several.stderr.contains("second"), "{}", several.stderr);
    home.run(["unmount", "second"]).succeeds();
    home.run(["unmount"]).succeeds();
    home.run(["unmount", "second"]).fails(3);
    assert_eq!(std::fs::read_dir(home.path("GameVault")).unwrap().count(), 0);
    assert_eq!(home.run(["status", "--json"]).succeeds().data()["mounts"], serde_json::json!([]));
    assert!(std::fs::read_to_string(home.vault().join("log/mount.log")).unwrap().contains("mounted"));
}

#[test]
fn sessions_of_a_mount_are_committed_and_aborted_by_command() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    home.run(["mount"]).succeeds();
    home.write("GameVault/.snapshot/0.7.3/data/level1.pak", "copied");
    let status = home.run(["status", "--json"]).succeeds().data();
    assert_eq!(status["sessions"][0]["status"]["files"], 1, "{status}");
    assert_eq!(home.run(["commit", "0.7.3", "-q"]).succeeds().stdout, "0.7.3\n");
    assert_eq!(home.read("GameVault/builds/0.7.3/data/level1.pak"), "copied");

    home.write("GameVault/.snapshot/1/file", "its id is taken");
    let refused = home.run(["commit", "1"]).fails(4);
    assert!(refused.stderr.contains("status.json"), "{}", refused.stderr);
    home.run(["abort", "1"]).succeeds();
    home.run(["abort", "1"]).fails(3);

    let path = home.path("GameVault/.snapshot/open/file");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let writer = std::fs::File::create(path).unwrap();
    home.run(["commit", "open"]).fails(7);
    drop(writer);
    home.write("GameVault/.snapshot/Game.apk", "zip");
    home.run(["commit", "Game.apk"]).succeeds();
    home.run(["abort", "open"]).succeeds();
    assert_eq!(home.run(["builds", "-q"]).succeeds().stdout, "1\n2\n0.7.3\nGame.apk\n");
}

#[test]
fn a_session_that_may_not_be_whole_is_committed_only_when_told_so() {
    if !can_mount() {
        return;
    }
    let home = Home::with_vault();
    let config = home.vault().join("vault.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("quiet_seconds = 15.0", "quiet_seconds = 0.2")).unwrap();
    let _unmounted = Unmounted(&home);
    home.run(["mount"]).succeeds();
    home.write("GameVault/.snapshot/0.7.3/level.pak.part", "half of it");
    let start = std::time::Instant::now();
    while home.run(["status", "--json"]).succeeds().data()["sessions"][0]["status"]["state"] != "suspect" {
        assert!(start.elapsed().as_secs() < 30, "it never became suspect");
    }
    let refused = home.run(["commit", "0.7.3"]).fails(5);
    assert!(refused.stderr.contains("level.pak.part") && refused.stderr.contains("--force"), "{}", refused.stderr);
    assert!(home.run(["status"]).succeeds().stdout.contains("level.pak.part"));
    assert_eq!(home.run(["builds", "-q"]).succeeds().stdout, "");
    home.run(["commit", "0.7.3", "--force"]).succeeds();
    let shown = home.run(["show", "0.7.3", "--json"]).succeeds().data();
    assert_eq!(shown["completeness"], "declared");
}

#[test]
fn what_keeps_a_mount_from_starting_is_told_by_the_command() {
    if !can_mount() {
        return;
    }
    let home = Home::with_vault();
    let _unmounted = Unmounted(&home);
    assert!(home.run(["mount", "game"]).fails(2).stderr.contains("not empty"));
    let error = home.run(["mount", "game", "--json"]).ends_with(2).json()["error"].clone();
    assert_eq!(error["code"], "invalid");
    assert!(home.run(["--vault", "gone", "mount"]).fails(3).stderr.contains("gone"));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_mount_cleanly() {
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    for signal in ["-INT", "-TERM"] {
        let pid = home.run(["mount", "--json"]).succeeds().data()["pid"].to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while home.run(["status", "--json"]).succeeds().data()["mounts"] != serde_json::json!([]) {
            assert!(std::time::Instant::now() < deadline, "the mount did not end by {signal}");
        }
        assert_eq!(std::fs::read_dir(home.path("GameVault")).unwrap().count(), 0, "{signal}");
    }
}

#[test]
fn a_mount_in_the_foreground_says_that_it_is_ready() {
    use std::io::{BufRead, BufReader};
    if !can_mount() {
        return;
    }
    let home = Home::with_builds();
    let _unmounted = Unmounted(&home);
    let mut command = home.command(["mount", "--foreground"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("is mounted at"), "{line}");
    home.run(["unmount"]).succeeds();
    assert!(child.wait().unwrap().success());
}

/// Returns bytes that neither compress nor repeat.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}
