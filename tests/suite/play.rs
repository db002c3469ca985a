//! Plays: real programs run on builds, and all that they wrote is kept as a playtest.

use crate::cli::{Ended, Home, Unmounted, can_mount};
use gamevault::Vault;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A game that writes into its own folder and into the session folder.
const GAME: &str = r#"#!/bin/sh
echo "$GAMEVAULT_BUILD_ID in $(basename "$(dirname "$PWD")") with $*"
read line && echo "read $line" >&2
echo score > saves/slot1.sav
echo "patched" >> data/level1.pak
rm data/level2.pak
ln -s slot1.sav saves/last
mkdir -p "$GAMEVAULT_SESSION_DIR/saves"
echo autosave > "$GAMEVAULT_SESSION_DIR/saves/0_auto.sav"
echo '{"t":0.5,"ev":"start"}' > "$GAMEVAULT_SESSION_DIR/events.jsonl"
exit 7
"#;

fn home_with_game(script: &str) -> Home {
    let home = Home::with_vault();
    home.write("game/data/level1.pak", "one\n");
    home.write("game/saves/.keep", "");
    home.write("game/game.sh", script);
    fs::set_permissions(home.path("game/game.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    home.run(["snapshot", "game", "--id", "b1", "--label", "first"]).succeeds();
    home
}

fn play(home: &Home, arguments: &[&str], input: &str) -> Ended {
    use std::io::Write;
    let mut command = home.command([&["play"], arguments].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

fn sessions(home: &Home) -> Vec<Value> {
    home.run(["session", "list", "--json"]).succeeds().data().as_array().unwrap().clone()
}

/// All files below a folder with their bytes, by path; but the script that every playtest has.
fn files(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            match (metadata.is_dir(), metadata.is_symlink()) {
                (true, _) => open.push(path),
                (_, true) => files.push((name, format!("-> {}", fs::read_link(&path).unwrap().display()))),
                _ => files.push((name, fs::read_to_string(&path).unwrap())),
            }
        }
    }
    files.retain(|(name, _)| name != "run.sh");
    files.sort();
    files
}

fn names(root: &Path) -> Vec<String> {
    files(root).into_iter().map(|(name, _)| name).collect()
}

/// Nothing is left of a play: no workspace, no folder, no mount.
fn assert_tidy(home: &Home) {
    assert_eq!(home.run(["workspace", "list", "--json"]).succeeds().data(), json!([]));
    assert_eq!(fs::read_dir(home.vault().join("plays")).unwrap().count(), 0);
    let status = home.run(["status", "--json"]).succeeds().data();
    assert_eq!(status["mounts"], json!([]));
    assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0, "a mount point is left");
}

/// Temporary folders of this home alone, so that what is left over is seen.
fn with_own_tmp(home: &Home) {
    fs::create_dir(home.path("tmp")).unwrap();
}

fn play_in_tmp(home: &Home, arguments: &[&str]) -> Ended {
    let tmp = home.path("tmp");
    let mut command = home.command([&["play"], arguments].concat());
    Ended::of(command.env("TMPDIR", tmp).output().unwrap())
}

#[test]
fn what_a_program_writes_is_kept_and_shown() {
    if !can_mount() {
        return;
    }
    let home = home_with_game(GAME);
    let _unmounted = Unmounted(&home);
    let ended = play(&home, &["first", "--", "./game.sh", "a b", "c"], "hello\n").ends_with(7);
    assert_eq!(ended.stdout, "b1 in workspaces with a b c\n");
    let mut lines = ended.stderr.lines();
    assert_eq!(lines.next(), Some("read hello"));
    assert!(lines.next().unwrap().starts_with("kept playtest "), "{}", ended.stderr);
    assert_eq!(home.run(["workspace", "list", "--json"]).succeeds().data(), json!([]));

    let listed = sessions(&home);
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(
        (&listed[0]["build_id"], &listed[0]["exit"], &listed[0]["exit_code"]),
        (&json!("b1"), &json!("failed"), &json!(7))
    );
    assert_eq!(home.run(["session", "list", "b1", "-q"]).succeeds().stdout, format!("{id}\n"));
    assert_eq!(id.len(), 26);
    let expected = [
        "events.jsonl",
        "files/data/level1.pak",
        "files/saves/last",
        "files/saves/slot1.sav",
        "saves/0_auto.sav",
        "session.json",
    ];
    let shown = home.run(["session", "show", &id[..20], "--json"]).succeeds().data();
    let paths: Vec<&str> =
        shown["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    let without_script: Vec<&str> = paths.iter().copied().filter(|path| *path != "run.sh").collect();
    assert!(without_script == expected && paths.len() == expected.len() + 1, "{paths:?}");
    home.run(["session", "export", id, "out"]).succeeds();
    let exported = files(&home.path("out"));
    assert_eq!(exported[1].1, "one\npatched\n");
    assert_eq!(exported[2].1, "-> slot1.sav");
    let said: Value = serde_json::from_str(&home.read("out/session.json")).unwrap();
    assert_eq!(
        (&said["build"], &said["exit_code"], &said["removed"]),
        (&json!("b1"), &json!(7), &json!(["data/level2.pak"]))
    );
    assert_eq!(said["command"], json!(["./game.sh", "a b", "c"]));

    home.run(["mount"]).succeeds();
    let mounted = home.path(&format!("GameVault/feedback/b1/sessions/{id}"));
    assert_eq!(files(&mounted), exported);
    assert_eq!(home.read("GameVault/builds/b1/data/level1.pak"), "one\n");
    let names = |path: &str| -> Vec<String> {
        fs::read_dir(home.path(path)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("GameVault/feedback"), ["_inbox", "b1"]);
    assert!(names("GameVault/feedback/b1").contains(&"sessions".to_owned()));
    let errno = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    for path in ["GameVault/feedback/b1/sessions/SESSION/x", "GameVault/feedback/b1/summary.md", "GameVault/feedback/x"]
    {
        let path = &path.replace("SESSION", id);
        assert_eq!(errno(fs::write(home.path(path), "x")), Some(libc::EROFS), "{path}");
    }
    assert_eq!(errno(fs::write(mounted.join("session.json"), "x")), Some(libc::EROFS));
    assert_eq!(errno(fs::remove_dir(home.path("GameVault/feedback/b1"))), Some(libc::EROFS));
    let meta: Value = serde_json::from_slice(&fs::read(mounted.join(".gamevault/meta.json")).unwrap()).unwrap();
    assert_eq!(meta["id"], id);

    // Another one, in the mount that is running, shows there within the second that lists may be old.
    play(&home, &["b1", "--", "./game.sh"], "again\n").ends_with(7);
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(names("GameVault/feedback/b1/sessions").len(), 2);
    assert!(names("GameVault/workspaces").is_empty());
    home.run(["verify", "--read-data"]).succeeds();
    // A rebuilt catalogue knows them all.
    home.run(["unmount"]).succeeds();
    let before = sessions(&home);
    fs::remove_file(home.vault().join("catalogue.db")).unwrap();
    assert_eq!(home.run(["repair", "--json"]).succeeds().data()["playtests"], 2);
    assert_eq!(sessions(&home), before);
    home.run(["verify", "--read-data"]).succeeds();
    home.run(["session", "export", id, "out2"]).succeeds();
    assert_eq!(files(&home.path("out2")), exported);
}

#[test]
fn a_program_that_writes_nothing_leaves_its_description() {
    if !can_mount() {
        return;
    }
    let home = home_with_game(GAME);
    with_own_tmp(&home);
    let printed = play_in_tmp(&home, &["latest", "--json", "--", "printf", "no newline"]).succeeds();
    assert_eq!(printed.stderr, "no newline");
    let data = printed.data();
    assert_eq!((&data["exit"], &data["files"]), (&json!("clean"), &json!(2)));
    home.run(["session", "export", data["id"].as_str().unwrap(), "out"]).succeeds();
    assert_eq!(names(&home.path("out")), ["session.json"]);
    assert!(play_in_tmp(&home, &["b1", "-q", "--", "true"]).succeeds().stderr.is_empty());
    assert_tidy(&home);
}

#[test]
fn signals_end_the_program_and_the_code_tells() {
    if !can_mount() {
        return;
    }
    let home = home_with_game("#!/bin/sh\necho partial > saves/partial\nkill -SEGV $$\n");
    with_own_tmp(&home);
    play_in_tmp(&home, &["b1", "--", "./game.sh"]).ends_with(128 + 11);
    let crashed = &sessions(&home)[0];
    assert_eq!(
        (&crashed["exit"], &crashed["signal"], &crashed["exit_code"]),
        (&json!("crash"), &json!(11), &Value::Null)
    );

    // A signal to gamevault goes to the program, which ends as it likes.
    let script = "trap 'echo saved > saves/at-end; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut command = home.command(["play", "b1", "--", "sh", "-c", script]);
    let mut child =
        command.env("TMPDIR", home.path("tmp")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_for_line(&mut child);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    home.run(["session", "export", sessions(&home)[1]["id"].as_str().unwrap(), "out"]).succeeds();
    assert_eq!(home.read("out/files/saves/at-end"), "saved\n");
    assert_tidy(&home);
}

fn wait_for_line(child: &mut std::process::Child) {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
}

#[test]
fn a_home_of_its_own_catches_what_is_saved_in_the_profile() {
    if !can_mount() {
        return;
    }
    let script = r#"#!/bin/sh
mkdir -p "$XDG_CONFIG_HOME/game" "$XDG_DATA_HOME/game" "$XDG_CACHE_HOME/mesa_shader_cache/aa" "$XDG_CACHE_HOME/game"
echo volume=3 > "$XDG_CONFIG_HOME/game/config.ini"
echo save > "$XDG_DATA_HOME/game/slot"
echo thumbnail > "$XDG_CACHE_HOME/game/thumbnail"
echo shader > "$XDG_CACHE_HOME/mesa_shader_cache/aa/bb"
echo rc > "$HOME/.gamerc"
echo '{"player": "tester 7", "exit": "as the game says"}' > "$GAMEVAULT_SESSION_DIR/session.json"
"#;
    let home = home_with_game(script);
    play(&home, &["b1", "--home", "--", "./game.sh"], "").succeeds();
    let id = sessions(&home)[0]["id"].as_str().unwrap().to_owned();
    home.run(["session", "export", &id, "out"]).succeeds();
    let expected = [
        "home/.cache/game/thumbnail",
        "home/.config/game/config.ini",
        "home/.gamerc",
        "home/.local/share/game/slot",
        "session.json",
    ];
    assert_eq!(names(&home.path("out")), expected);
    let said: Value = serde_json::from_str(&home.read("out/session.json")).unwrap();
    assert_eq!(
        (&said["player"], &said["exit"], &said["build"]),
        (&json!("tester 7"), &json!("as the game says"), &json!("b1"))
    );
    // What is no JSON is the game's own affair; what no build would have is in the playtest.
    let script = "echo '[application]' > project.godot; mkdir .import; echo 3 > .import/cache; echo hm > $GAMEVAULT_SESSION_DIR/session.json; mkdir $GAMEVAULT_SESSION_DIR/files; \
                  echo 1 > $GAMEVAULT_SESSION_DIR/files/own; echo 2 > changed";
    play(&home, &["b1", "--", "sh", "-c", script], "").succeeds();
    let id = sessions(&home)[1]["id"].as_str().unwrap().to_owned();
    home.run(["session", "export", &id, "out2"]).succeeds();
    let expected = [
        "files-of-workspace/.import/cache",
        "files-of-workspace/changed",
        "files-of-workspace/project.godot",
        "files/own",
        "session.gamevault.json",
        "session.json",
    ];
    assert_eq!(names(&home.path("out2")), expected);
    assert_eq!(home.read("out2/session.json"), "hm\n");
}

#[test]
fn a_workspace_with_a_name_stays_and_only_new_changes_count() {
    if !can_mount() {
        return;
    }
    let home = home_with_game(GAME);
    let run = |script: &str| play(&home, &["b1", "--workspace", "mine", "--", "sh", "-c", script], "").succeeds();
    run("echo 1 > first; echo 1 > both");
    run("echo 2 > second; echo 22 > both");
    let told = home.run(["workspace", "diff", "mine"]).succeeds().stdout;
    assert!(told.contains("first") && told.contains("second"), "{told}");
    for (index, expected) in
        [&["files/both", "files/first", "session.json"], &["files/both", "files/second", "session.json"]]
            .into_iter()
            .enumerate()
    {
        let session = &sessions(&home)[index];
        assert_eq!(session["workspace"], "mine");
        let dir = format!("out{index}");
        home.run(["session", "export", session["id"].as_str().unwrap(), &dir]).succeeds();
        assert_eq!(names(&home.path(&dir)), expected);
    }
    home.run(["snapshot", "game", "--id", "b2"]).succeeds();
    let other = play(&home, &["b2", "--workspace", "mine", "--", "true"], "").ends_with(4);
    assert!(other.stderr.contains("starts from b1"), "{}", other.stderr);
}

#[test]
fn what_keeps_a_program_from_starting_is_told() {
    if !can_mount() {
        return;
    }
    let home = home_with_game(GAME);
    with_own_tmp(&home);
    let run = |arguments: &[&str]| play_in_tmp(&home, arguments);
    run(&["nothing", "--", "true"]).fails(3);
    assert!(run(&["b1", "--", "./absent"]).fails(3).stderr.contains("./absent"));
    assert!(run(&["b1", "--", "game.sh"]).fails(3).stderr.contains("./game.sh"));
    assert!(run(&["b1", "--", "./data/level1.pak"]).fails(1).stderr.contains("executed"));
    run(&["b1"]).ends_with(2);
    run(&["b1", "--workspace", "a/b", "--", "true"]).ends_with(2);
    home.run(["session", "show", "0"]).fails(3);
    home.run(["session", "export", "0", "out"]).fails(3);
    home.run(["session", "list", "nothing"]).fails(3);
    assert_eq!(sessions(&home), Vec::<Value>::new());
    assert!(home.run(["resume"]).succeeds().stdout.contains("nothing to resume"));
    assert_tidy(&home);
}

/// In a mount namespace of its own, the way to FUSE leads nowhere.
#[test]
fn where_nothing_can_be_mounted_nothing_is_played() {
    let home = home_with_game(GAME);
    with_own_tmp(&home);
    let program = env!("CARGO_BIN_EXE_gamevault");
    let script = format!("mount --bind /dev/null /dev/fuse || exit 77; TMPDIR=$PWD/tmp {program} play b1 -- ./game.sh");
    let output = home.program("unshare").args(["--mount", "sh", "-c", &script]).output();
    let ended = match output.map(Ended::of) {
        Ok(ended) if ended.code != 77 && !ended.stderr.starts_with("unshare") => ended,
        _ => {
            println!("skipped: a mount namespace cannot be made here");
            return;
        }
    };
    assert!(ended.code == 1 && ended.stderr.contains("gamevault doctor"), "{ended:?}");
    assert_eq!(sessions(&home), Vec::<Value>::new());
    assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0, "a mount point is left");
    // Workspaces need no mount.
    home.run(["workspace", "create", "fix", "b1"]).succeeds();
}

/// The command is killed while its program runs: what was written until then is in the workspace and in the session
/// folder, and `resume` makes a playtest of it.
#[test]
fn a_killed_play_loses_nothing() {
    if !can_mount() {
        return;
    }
    for is_mounted in [false, true] {
        let home = home_with_game(GAME);
        let _unmounted = Unmounted(&home);
        with_own_tmp(&home);
        if is_mounted {
            home.run(["mount"]).succeeds();
        }
        let script = "echo progress > saves/progress; echo x >> data/level1.pak; \
                      echo log > $GAMEVAULT_SESSION_DIR/log.txt; echo ready; exec sleep 1000";
        let mut command = home.command(["play", "b1", "--", "sh", "-c", script]);
        let command = command.env("TMPDIR", home.path("tmp")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        wait_for_line(&mut child);
        let program = program_of(child.id());
        let busy = home.run(["resume"]).succeeds();
        assert!(busy.stdout.contains("nothing to resume"), "a play that goes on is left alone");
        child.kill().unwrap();
        child.wait().unwrap();
        // The program outlives the command; it is ended as a user would.
        assert!(Command::new("kill").args(["-KILL", &program.to_string()]).status().unwrap().success());

        let warned = home.run(["play", "nothing", "--", "true"]);
        assert_eq!(warned.code, 3);
        let kept = home.command(["resume", "--json"]).env("TMPDIR", home.path("tmp")).output().unwrap();
        let kept = Ended::of(kept).succeeds().data();
        assert_eq!((&kept[0]["exit"], &kept[0]["build_id"]), (&json!("unseen"), &json!("b1")));
        home.run(["session", "export", kept[0]["id"].as_str().unwrap(), "out"]).succeeds();
        assert_eq!(
            names(&home.path("out")),
            ["files/data/level1.pak", "files/saves/progress", "log.txt", "session.json"]
        );
        assert_eq!(home.read("out/files/data/level1.pak"), "one\nx\n");
        if is_mounted {
            home.run(["unmount"]).succeeds();
        }
        assert_tidy(&home);
    }
}

/// Returns the child of a process.
fn program_of(parent: u32) -> u32 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let path = PathBuf::from(format!("/proc/{parent}/task/{parent}/children"));
        if let Some(id) = fs::read_to_string(path).unwrap().split_whitespace().next() {
            return id.parse().unwrap();
        }
        assert!(Instant::now() < deadline, "the program did not start");
    }
}

/// Catalogues of before there were playtests are not sent to a repair: they get the table when they are opened.
#[test]
fn an_older_catalogue_is_brought_up_to_date() {
    let home = Home::with_builds();
    let catalogue = home.vault().join("catalogue.db");
    let script = "PRAGMA journal_mode = DELETE; DROP TABLE playtest; PRAGMA user_version = 1;";
    rewrite(&catalogue, script);
    assert_eq!(sessions(&home), Vec::<Value>::new());
    assert_eq!(Vault::open(&home.vault()).unwrap().builds().unwrap().len(), 2);
    home.run(["verify", "--read-data"]).succeeds();
    rewrite(&catalogue, "PRAGMA user_version = 77;");
    assert!(home.run(["builds"]).fails(6).stderr.contains("repair"));
}

fn rewrite(database: &Path, script: &str) {
    let connection = rusqlite::Connection::open(database).unwrap();
    connection.execute_batch(script).unwrap();
}

/// A game whose state is in its home, in its own folder, and in what it removed there.
const RESUMED: &str = r#"#!/bin/sh
cat "$HOME/progress" data/level1.pak 2>/dev/null
test -e data/tutorial && echo "tutorial"
test -n "$GAMEVAULT_FROM_SESSION" && cat "$GAMEVAULT_FROM_SESSION/saves/0_auto.sav"
echo "level $1" > "$HOME/progress"
echo "door $1 open" >> data/level1.pak
rm -f data/tutorial
mkdir -p "$GAMEVAULT_SESSION_DIR/saves"
echo "save $1" > "$GAMEVAULT_SESSION_DIR/saves/0_auto.sav"
"#;

#[test]
fn a_play_goes_on_where_an_earlier_one_ended() {
    if !can_mount() {
        return;
    }
    let home = home_with_game(RESUMED);
    with_own_tmp(&home);
    home.write("game/data/tutorial", "hello");
    home.run(["snapshot", "game", "--id", "b2"]).succeeds();
    let first = play_in_tmp(&home, &["b2", "--home", "--", "./game.sh", "3"]).succeeds();
    assert_eq!(first.stdout, "one\ntutorial\n");
    let id = sessions(&home)[0]["id"].as_str().unwrap().to_owned();
    home.write("game/data/level1.pak", "another game\n");
    home.run(["snapshot", "game", "--id", "b3"]).succeeds();

    // The same program on the same build, with all that it had left.
    let second = play_in_tmp(&home, &["--from", &id]).succeeds();
    assert_eq!(second.stdout, "level 3\none\ndoor 3 open\nsave 3\n");
    let listed = sessions(&home);
    assert_eq!(listed.iter().map(|one| one["build_id"].as_str().unwrap()).collect::<Vec<_>>(), ["b2", "b2"]);
    // By the script that is kept with it, with other arguments.
    home.run(["session", "export", &id, home.path("back").to_str().unwrap()]).succeeds();
    assert_eq!(files(&home.path("back/home")), [("progress".to_owned(), "level 3\n".to_owned())]);
    let mut script = Command::new(home.path("back/run.sh"));
    let program = Path::new(env!("CARGO_BIN_EXE_gamevault")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    script.args(["./game.sh", "9"]).env("PATH", path).env("GAMEVAULT_VAULT", home.vault());
    let third = Ended::of(script.env("TMPDIR", home.path("tmp")).output().unwrap()).succeeds();
    assert_eq!(third.stdout, second.stdout);
    // On another build, it is that build with these files.
    let other = play_in_tmp(&home, &["b3", "--from", &id, "--", "./game.sh", "4"]).succeeds();
    assert_eq!(other.stdout, "level 3\none\ndoor 3 open\nsave 3\n");
    assert_tidy(&home);

    let unknown = play_in_tmp(&home, &["--from", "nothing"]).fails(3);
    assert!(unknown.stderr.contains("there is no playtest \"nothing\""), "{}", unknown.stderr);
    let none = play_in_tmp(&home, &[]).fails(2);
    assert!(none.stderr.contains("<BUILD>"), "{}", none.stderr);
    home.write("recorded/session.json", r#"{"id":"alone","build":"b3"}"#);
    home.run(["session", "add", home.path("recorded").to_str().unwrap()]).succeeds();
    let nothing = play_in_tmp(&home, &["--from", "alone"]).fails(2);
    assert!(nothing.stderr.contains("gamevault play --from alone -- ./Game"), "{}", nothing.stderr);
}
