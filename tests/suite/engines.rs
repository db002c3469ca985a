//! Projects of engines: work is kept, caches stay out and are named, and a plain folder loses nothing.

use crate::support::{Scene, Tree, read_tree, settle, write};
use gamevault::progress::Progress;
use gamevault::vault::{SnapshotOptions, SnapshotReport};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const UNITY_VERSION: &[u8] = b"m_EditorVersion: 2021.3.16f1\n";

fn make(root: &Path, files: &[&str]) {
    for file in files {
        write(&root.join(file), file.as_bytes());
    }
}

fn make_unity(root: &Path) {
    write(&root.join("ProjectSettings/ProjectVersion.txt"), UNITY_VERSION);
    make(
        root,
        &[
            "Assets/Plugins/Sound/Library/sound.dll",
            "Assets/a.png",
            "Assets/a.png.meta",
            "Packages/manifest.json",
            "Library/ArtifactDB",
            "Library/Artifacts/00/00ff",
            "Logs/AssetImportWorker0.log",
            "Temp/UnityLockfile",
            "Game.csproj",
        ],
    );
    settle();
}

/// Returns the paths of the files in a tree.
fn files(tree: &Tree) -> Vec<String> {
    let files = tree.iter().filter(|(_, kept)| kept.kind == "file");
    files.map(|(path, _)| String::from_utf8(path[1..].to_vec()).unwrap()).collect()
}

fn snapshot(scene: &Scene, folder: &str, options: SnapshotOptions) -> SnapshotReport {
    scene.vault.snapshot(&scene.path(folder), &options, &Progress::new()).unwrap()
}

fn kept(scene: &Scene, report: &SnapshotReport) -> Vec<String> {
    let to = format!("restored{}", report.build.number);
    files(&scene.restored(&report.build.number.to_string(), &to))
}

fn left_out(report: &SnapshotReport) -> Vec<(&str, &str, &str)> {
    report.left_out.iter().map(|entry| (&*entry.path, &*entry.engine, &*entry.class)).collect()
}

const UNITY_SOURCES: [&str; 5] = [
    "Assets/Plugins/Sound/Library/sound.dll",
    "Assets/a.png",
    "Assets/a.png.meta",
    "Packages/manifest.json",
    "ProjectSettings/ProjectVersion.txt",
];

#[test]
fn caches_of_a_unity_project_stay_out_and_are_named() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    let report = scene.snapshot("game");
    assert_eq!(kept(&scene, &report), UNITY_SOURCES);
    let expected = [
        ("Game.csproj", "unity", "cache"),
        ("Library/", "unity", "cache"),
        ("Logs/", "unity", "never"),
        ("Temp/", "unity", "never"),
    ];
    assert_eq!((left_out(&report), report.left_out_count), (expected.to_vec(), 4));
    // The record remembers it, also when it comes from a pack.
    let scene = scene.reopen();
    assert_eq!(scene.vault.build("latest").unwrap().info.left_out, report.left_out);
}

#[test]
fn a_cache_costs_no_walk() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    for n in 0..50 {
        make(&scene.path("game"), &[&format!("Library/many/{n}")]);
    }
    settle();
    let progress = Progress::new();
    scene.vault.snapshot(&scene.path("game"), &SnapshotOptions::default(), &progress).unwrap();
    assert_eq!(progress.read().files_total, UNITY_SOURCES.len() as u64);
}

#[test]
fn caches_are_kept_when_asked_for_but_not_what_no_build_needs() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    let keep_caches = SnapshotOptions { keep_caches: true, ..SnapshotOptions::default() };
    let report = snapshot(&scene, "game", keep_caches);
    let files = kept(&scene, &report);
    assert!(files.contains(&"Library/Artifacts/00/00ff".to_owned()) && files.contains(&"Game.csproj".to_owned()));
    assert_eq!(left_out(&report), [("Logs/", "unity", "never"), ("Temp/", "unity", "never")]);
}

#[test]
fn the_vault_says_what_becomes_of_caches() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    let config = scene.path("vault/vault.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("[engines]\ncaches = \"leave\""), "{text}");
    fs::write(&config, text.replace("leave", "keep")).unwrap();
    let scene = scene.reopen();
    let report = scene.snapshot("game");
    assert!(kept(&scene, &report).contains(&"Library/ArtifactDB".to_owned()));
    // A vault from before the setting.
    fs::write(&config, text.split("[engines]").next().unwrap()).unwrap();
    let scene = scene.reopen();
    assert_eq!(scene.snapshot("game").left_out_count, 4);
    fs::write(&config, text.replace("leave", "perhaps")).unwrap();
    let error = gamevault::Vault::open(&scene.path("vault")).err().expect("perhaps is no setting");
    assert!(error.message().contains("perhaps") && error.hint().unwrap().contains("keep"), "{error}");
}

#[test]
fn an_ignore_file_goes_before_the_engine() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    write(&scene.path("game/.gamevaultignore"), b"!Library/\n!Temp/\n/Packages/\n");
    settle();
    let report = scene.snapshot("game");
    let files = kept(&scene, &report);
    assert!(
        files.contains(&"Library/Artifacts/00/00ff".to_owned()) && files.contains(&"Temp/UnityLockfile".to_owned())
    );
    assert!(!files.iter().any(|file| file.starts_with("Packages/")));
    // What a person leaves out needs no notice.
    assert_eq!(left_out(&report), [("Game.csproj", "unity", "cache"), ("Logs/", "unity", "never")]);
}

#[test]
fn projects_are_found_in_any_folder_and_the_innermost_counts() {
    let scene = Scene::new();
    make_unity(&scene.path("all/client"));
    make(
        &scene.path("all"),
        &[
            "Library/books.txt",
            "server/Game.uproject",
            "server/Source/a.cpp",
            "server/Binaries/Linux/server",
            "server/Saved/Logs/a.log",
            "server/tool/project.godot",
            "server/tool/.godot/cache",
            "server/tool/Binaries/tool",
            "server/tool/.git/HEAD",
        ],
    );
    settle();
    let report = scene.snapshot("all");
    let files = kept(&scene, &report);
    for file in ["Library/books.txt", "server/Source/a.cpp", "server/tool/project.godot", "server/tool/Binaries/tool"] {
        assert!(files.contains(&file.to_owned()), "{file} is in none of the rules");
    }
    let expected = [
        ("client/Game.csproj", "unity", "cache"),
        ("client/Library/", "unity", "cache"),
        ("client/Logs/", "unity", "never"),
        ("client/Temp/", "unity", "never"),
        ("server/Binaries/", "unreal", "cache"),
        ("server/Saved/", "unreal", "never"),
        ("server/tool/.git/", "godot", "never"),
        ("server/tool/.godot/", "godot", "cache"),
    ];
    assert_eq!(left_out(&report), expected);
}

/// The names of caches are names of the game itself where it is built.
#[test]
fn a_build_loses_nothing() {
    let scene = Scene::new();
    let all = [
        ".git/HEAD",
        "Binaries/Win64/Game.exe",
        "Build/a",
        "Game_Data/Library/a",
        "Intermediate/a",
        "Library/a",
        "Saved/a",
        "Temp/a",
        "node_modules/a",
    ];
    make(&scene.path("game"), &all);
    // Packaged in loose files, the project's file included.
    make(&scene.path("game"), &["Loose/Game.uproject", "Loose/Binaries/Win64/Game.exe", "Loose/Saved/slot1.sav"]);
    settle();
    let report = scene.snapshot("game");
    let tree = scene.restored("latest", "back");
    assert_eq!(files(&tree), files(&read_tree(&scene.path("game"))));
    assert_eq!((files(&tree).len(), report.left_out_count), (all.len() + 3, 0));
}

#[test]
fn only_the_first_of_many_entries_are_named() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    for n in 0..150 {
        make(&scene.path("game"), &[&format!("Part{n}.csproj")]);
    }
    settle();
    let report = scene.snapshot("game");
    assert_eq!((report.left_out.len(), report.left_out_count), (100, 154));
}

fn gamevault(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gamevault"));
    command.arg("--vault").arg(scene.path("vault")).args(arguments).current_dir(scene.dir.path());
    command.env_remove("GAMEVAULT_BUILD_ID").output().unwrap()
}

fn printed(scene: &Scene, arguments: &[&str]) -> String {
    let output = gamevault(scene, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(scene: &Scene, arguments: &[&str]) -> Value {
    serde_json::from_str::<Value>(&printed(scene, arguments)).unwrap()["data"].take()
}

#[test]
fn the_command_says_what_it_left_out() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    let text = printed(&scene, &["snapshot", "game"]);
    let line = text.lines().nth(1).unwrap();
    assert_eq!(line, "left out of Unity: 4 items (Game.csproj, Library/, Logs/, Temp/); --keep-caches keeps caches");
    let shown = printed(&scene, &["show", "latest"]);
    assert!(shown.contains("Library/ (unity, cache)") && shown.contains("Temp/ (unity, never)"), "{shown}");
    let data = json(&scene, &["snapshot", "game", "--json", "--keep-caches"]);
    assert_eq!(data["left_out_count"], 2);
    assert_eq!(data["left_out"][0], serde_json::json!({"path": "Logs/", "engine": "unity", "class": "never"}));
    assert_eq!(json(&scene, &["show", "latest", "--json"])["left_out"], data["left_out"]);
    // One line for scripts, and none where no engine is.
    assert_eq!(printed(&scene, &["snapshot", "-q", "game"]).lines().count(), 1);
    make(&scene.path("plain"), &["Library/a"]);
    assert_eq!(printed(&scene, &["snapshot", "plain"]).lines().count(), 1);
}

#[test]
fn detect_tells_engine_version_and_classes() {
    let scene = Scene::new();
    make_unity(&scene.path("game"));
    let text = printed(&scene, &["engine", "detect", "game"]);
    assert!(text.starts_with("Unity 2021.3.16f1 project\n"), "{text}");
    let data = json(&scene, &["engine", "detect", "game", "--json"]);
    assert_eq!(data["engine"], "unity");
    assert_eq!(data["version"], "2021.3.16f1");
    let class = |name: &str| {
        let entries = data["entries"].as_array().unwrap();
        entries.iter().find(|entry| entry["name"] == name).unwrap()["class"].as_str().unwrap().to_owned()
    };
    assert_eq!(["Assets/", "Library/", "Temp/"].map(class), ["source", "cache", "never"]);
    write(&scene.path("godot/project.godot"), b"config_version=5\nconfig/features=PackedStringArray(\"4.2\")\n");
    assert!(printed(&scene, &["engine", "detect", "godot"]).starts_with("Godot 4.2 project\n"));
    write(&scene.path("unreal/Game.uproject"), b"{\"EngineAssociation\": \"5.3\"}");
    write(&scene.path("unreal/Binaries/Game.exe"), b"");
    let text = printed(&scene, &["engine", "detect", "unreal"]);
    assert!(text.starts_with("Unreal 5.3 project, perhaps a packaged game: all of it is source\n"), "{text}");
}

#[test]
fn a_folder_without_engine_is_not_found() {
    let scene = Scene::new();
    make(&scene.path("plain"), &["a"]);
    let output = gamevault(&scene, &["engine", "detect", "plain"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("plain is no project") && said.contains("hint: "), "{said}");
}
