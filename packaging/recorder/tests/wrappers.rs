//! The wrappers for engines: Godot runs headless; C# and C++ run with stand-ins for the engines' own code.
#![cfg(unix)]

mod support;

use gamevault_rec::{is_live, recover};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::player::{has, library};
use support::{events, named, names, only_session, session};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns whether all programs are installed, and says which is not.
fn can_run(programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| !has(program)).collect();
    if !missing.is_empty() {
        eprintln!("skipped: {missing:?} is missing");
    }
    missing.is_empty()
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {told}");
    told
}

/// Checks what the games of `tests/stubs` record.
fn check_wrapped(spool: &Path, engine: &str) {
    let done = only_session(spool);
    assert_eq!(names(&done), ["events.jsonl", "log.txt", "saves", "session.json"]);
    let told = session(&done);
    assert_eq!((&told["exit"], &told["engine"]), (&json!("clean"), &json!(engine)));
    let events = events(&done);
    let numbers: Vec<_> = named(&events, "step").iter().map(|event| event["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..1000).collect::<Vec<_>>());
    assert_eq!(
        (&named(&events, "mark")[0]["tag"], &named(&events, "mark")[0]["text"]),
        (&json!("größe"), &json!("naïve"))
    );
    let save = named(&events, "save")[0]["file"].as_str().unwrap();
    assert_eq!(fs::read(done.join(save)).unwrap(), [1, 0, 2]);
    let log = fs::read_to_string(done.join("log.txt")).unwrap();
    assert!(log.contains("Exception: fell") && !log.contains("boring"), "{log}");
}

#[test]
fn unity_records_through_the_wrapper() {
    if !can_run(&["mcs", "mono"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("game.exe");
    let mut compile = Command::new("mcs");
    compile.args(["-langversion:7.2", "-warnaserror", "-warn:4"]).arg(format!("-out:{}", program.display()));
    succeeds(compile.arg(here("unity/GameVaultRecorder.cs")).arg(here("tests/stubs/Unity.cs")));
    let spool = place.path().join("spool");
    let mut game = Command::new("mono");
    game.arg(&program).env("GAMEVAULT_SPOOL", &spool).env("LD_LIBRARY_PATH", library().parent().unwrap());
    succeeds(&mut game);
    check_wrapped(&spool, "Unity 2022.3.1f1");
    assert_eq!(session(&only_session(&spool))["version"], "0.7 \"beta\"");
}

#[test]
fn unreal_records_through_the_module() {
    if !can_run(&["g++"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    // The engine's headers by their names.
    for header in ["CoreMinimal.h", "Modules/ModuleManager.h", "Misc/EngineVersion.h"] {
        let path = place.path().join(header);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#include \"Unreal.h\"\n").unwrap();
    }
    let module = here("unreal/GameVaultRecorder/Source/GameVaultRecorder");
    let (library, program) = (library(), place.path().join("game"));
    let mut compile = Command::new("g++");
    compile.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wno-format-security"]);
    for folder in [place.path(), &here("tests/stubs"), &here("include"), &module.join("Public")] {
        compile.arg("-I").arg(folder);
    }
    compile.arg(module.join("Private/GameVaultRecorder.cpp")).arg(here("tests/stubs/unreal_game.cpp")).arg(&library);
    compile.arg(format!("-Wl,-rpath,{}", library.parent().unwrap().display()));
    succeeds(compile.arg("-o").arg(&program));
    let spool = place.path().join("spool");
    succeeds(Command::new(&program).env("GAMEVAULT_SPOOL", &spool));
    check_wrapped(&spool, "Unreal 5.6.1-44394996+++UE5+Release-5.6");
    let plugin = fs::read(here("unreal/GameVaultRecorder/GameVaultRecorder.uplugin")).unwrap();
    let plugin: Value = serde_json::from_slice(&plugin).unwrap();
    assert_eq!(plugin["Modules"][0]["Name"], "GameVaultRecorder");
}

#[test]
fn the_rules_of_the_unreal_module_name_its_library() {
    if !can_run(&["mcs", "mono"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("rules.exe");
    let rules = here("unreal/GameVaultRecorder/Source/GameVaultRecorder/GameVaultRecorder.Build.cs");
    let mut compile = Command::new("mcs");
    compile.arg("-warnaserror").arg(format!("-out:{}", program.display())).arg(rules);
    succeeds(compile.arg(here("tests/stubs/UnrealBuildTool.cs")));
    assert_eq!(succeeds(Command::new("mono").arg(&program)).trim(), "plugin/ThirdParty/Linux/libgamevault_rec.a");
}

/// Makes a project of the test's game and the addon; returns the command that plays it, with a home of its own.
fn godot(place: &Path, frames: &str) -> Command {
    let addon = "addons/gamevault_recorder/gamevault_recorder.gd";
    fs::create_dir_all(place.join("project").join(addon).parent().unwrap()).unwrap();
    fs::copy(here("godot").join(addon), place.join("project").join(addon)).unwrap();
    for name in ["project.godot", "main.tscn", "main.gd"] {
        fs::copy(here("tests/godot").join(name), place.join("project").join(name)).unwrap();
    }
    fs::write(place.join("project/gamevault.json"), json!({ "schema": 1, "build": "0.7.3" }).to_string()).unwrap();
    let mut command = Command::new("godot3-server");
    command.arg("--path").arg(place.join("project")).current_dir(place.join("project")).stdout(Stdio::piped());
    command.env("HOME", place).env("FRAMES", frames).env_remove("GAMEVAULT_SPOOL").env_remove("XDG_DATA_HOME");
    command
}

fn numbers(events: &[Value]) -> Vec<u64> {
    named(events, "step").iter().map(|event| event["n"].as_f64().unwrap() as u64).collect()
}

#[test]
fn a_godot_game_records_a_whole_session() {
    if !can_run(&["godot3-server"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let told = succeeds(&mut godot(place.path(), "120"));
    println!("{}", told.lines().filter(|line| line.starts_with("mean ")).collect::<String>());
    // The engine itself complains about its locale.
    assert!(!told.contains("SCRIPT ERROR"), "{told}");
    let done = only_session(&place.path().join(".local/share/GameVault/spool"));
    assert_eq!(names(&done), ["events.jsonl", "log.txt", "saves", "session.json"]);
    let told = session(&done);
    assert_eq!((&told["exit"], &told["build"], &told["schema"]), (&json!("clean"), &json!("0.7.3"), &json!(1)));
    assert_eq!(told["id"], done.file_name().unwrap().to_str().unwrap());
    assert!(told["started"].as_str().unwrap() < told["ended"].as_str().unwrap());
    let events = events(&done);
    assert_eq!(numbers(&events), (0..120 * 17).collect::<Vec<_>>());
    let odd = named(&events, "odd")[0];
    assert_eq!(odd["fields"], json!({ "t": 1, "deep": { "a": [1, 2.5, null, true] } }));
    assert_eq!(named(&events, "mark")[0]["text"], "naïve \"text\"");
    let saves = named(&events, "save");
    assert_eq!(saves.len(), 6);
    assert_eq!(fs::read(done.join(saves[2]["file"].as_str().unwrap())).unwrap(), [0, 1, 2, 60]);
    assert!(fs::read_to_string(done.join("log.txt")).unwrap().ends_with(" loading L3\n"));
    assert_eq!(recover(&done).unwrap().exit, "clean");
}

#[test]
fn a_killed_godot_game_leaves_a_crash_session() {
    if !can_run(&["godot3-server"]) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let mut game = godot(place.path(), "0").spawn().unwrap();
    let lines = BufReader::new(game.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let last = lines.filter_map(|line| line.strip_prefix("told ")?.parse::<u64>().ok()).find(|told| *told > 1000);
    game.kill().unwrap();
    game.wait().unwrap();
    let open = only_session(&place.path().join(".local/share/GameVault/spool"));
    assert!(!is_live(&open).unwrap());
    let recovered = recover(&open).unwrap();
    assert_eq!((recovered.exit.as_str(), recovered.events_added), ("crash", 0));
    let numbers = numbers(&events(&open));
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    // The addon has no ring: it loses what its thread had not written, a frame of events and what a busy machine adds.
    assert!(numbers.len() as u64 + 10 * 17 > last.unwrap(), "{} of {last:?} are there", numbers.len());
    assert_eq!(session(&open)["exit"], "crash");
    assert!(recovered.ended.as_str() > session(&open)["started"].as_str().unwrap());
}
