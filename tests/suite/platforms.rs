//! What is set for each target platform, from the projects in `tests/data/platforms`.

use crate::support::mutate::mutate;
use crate::support::seed::{random, seed};
use crate::support::{Scene, settle, write};
use gamevault::catalogue::{Build, BuildInfo};
use gamevault::error::{Error, Result};
use gamevault::id::ChunkId;
use gamevault::platform::{Cache, Contrast, Effective, FileId, Item, Layout, Matrix, Source, Target, show};
use gamevault::progress::Progress;
use gamevault::vault::SnapshotOptions;
use rand::RngExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

pub fn data(project: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/platforms").join(project)
}

pub fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => write(&to.join(entry.file_name()), &fs::read(entry.path()).unwrap()),
        }
    }
}

/// A vault with one build of a project.
pub fn scene(project: &str) -> (Scene, Build) {
    let scene = Scene::new();
    copy(&data(project), &scene.path("game"));
    settle();
    let build = scene.snapshot("game").build;
    (scene, build)
}

pub fn target(name: &str) -> Target {
    Target::new(name).unwrap()
}

fn effective(scene: &Scene, build: &Build, name: &str) -> Arc<Effective> {
    scene.vault.platforms().effective(build, &target(name)).unwrap()
}

/// Returns the value, the layer and the place of a setting, each of a list's values with ` | ` between them.
fn told(effective: &Effective, key: &str) -> Option<(String, String, String)> {
    let setting = effective.get(key)?;
    let join = |part: fn(&gamevault::platform::Value) -> String| {
        setting.values.iter().map(part).collect::<Vec<_>>().join(" | ")
    };
    Some((
        join(|value| value.text.to_string()),
        join(|value| value.origin.layer.to_string()),
        join(|value| format!("{}:{}", value.origin.file, value.origin.line)),
    ))
}

fn value(effective: &Effective, key: &str) -> Option<String> {
    told(effective, key).map(|(value, ..)| value)
}

fn targets(scene: &Scene, build: &Build) -> Vec<String> {
    scene.vault.platforms().targets(build).unwrap().iter().map(Target::to_string).collect()
}

#[test]
fn layers_of_unreal_lie_over_each_other() {
    let (scene, build) = scene("unreal");
    assert_eq!(
        targets(&scene, &build),
        [
            "linux",
            "linux+eos",
            "windows",
            "windows+eos",
            "android",
            "android+eos",
            "ios",
            "ios+eos",
            "ps5",
            "ps5+eos",
            "switch",
            "switch+eos",
            "cabinet",
            "cabinet+eos",
            "linuxarm64",
            "linuxarm64+eos",
        ]
    );
    let switch = effective(&scene, &build, "switch");
    let told_of = |effective: &Effective, key: &str| {
        let (value, layer, place) = told(effective, key).unwrap();
        format!("{value} ({layer}) {place}")
    };
    assert_eq!(
        told_of(&switch, "Engine/[ConsoleVariables]/r.VSync"),
        "1 (platform) Config/Switch/SwitchEngine.ini:2",
        "case tells nothing apart"
    );
    assert_eq!(
        told_of(&switch, "Game/[/Script/EngineSettings.GeneralProjectSettings]/ProjectName"),
        "The Game (project) Config/DefaultGame.ini:3"
    );
    let servers = |name: &str| value(&effective(&scene, &build, name), "Engine/[Net]/Servers").unwrap();
    assert_eq!(servers("windows"), "eu.example.org | us.example.org", "+ adds what is not there");
    assert_eq!(servers("switch"), "eu.example.org | jp.example.org");
    assert_eq!(value(&switch, "Engine/[Net]/Channels").unwrap(), "voice | voice", ". adds again");
    assert_eq!(
        value(&switch, "Input/[/Script/Engine.InputSettings]/ActionMappings").unwrap(),
        "(ActionName=\"Jump\",bShift=False,Key=Gamepad_FaceButton_Bottom)"
    );
    let formats = "Engine/[/Script/WindowsTargetPlatform.WindowsTargetSettings]/D3D12TargetedShaderFormats";
    assert_eq!(value(&switch, formats).unwrap(), "PCD3D_SM6");
    // A custom configuration stands between the project's and the platform's.
    let fps = |name: &str| value(&effective(&scene, &build, name), "Engine/[ConsoleVariables]/t.MaxFPS").unwrap();
    assert_eq!(["windows", "windows+eos", "switch+eos", "linux"].map(fps), ["60", "90", "30", "120"]);
    // Platforms lie over others: by the engine's own table, and by their file.
    assert_eq!(["linuxarm64", "cabinet"].map(fps), ["120", "120"]);
    let cabinet = effective(&scene, &build, "cabinet");
    assert_eq!(told(&cabinet, "Engine/[ConsoleVariables]/t.MaxFPS").unwrap().1, "parent platform");
    assert_eq!(value(&cabinet, "Engine/[ConsoleVariables]/r.Caption").unwrap(), "Café", "UTF-16");
    assert!(switch.warnings.is_empty() && !switch.files.iter().any(|file| file.contains("Gather")), "{switch:?}");
}

#[test]
fn settings_of_unity_are_those_of_the_platform() {
    let (scene, build) = scene("unity");
    assert_eq!(
        targets(&scene, &build),
        ["linux", "macos", "windows", "windows+windows", "android", "android+demo-of-android", "ios", "switch"]
    );
    let [windows, linux, android, ios, demo] = ["windows", "linux", "android", "iPhone", "android+demo-of-android"]
        .map(|name| effective(&scene, &build, name));
    let of = |effective: &Effective, key: &str| value(effective, &format!("PlayerSettings/{key}"));
    let three = |key: &str| [&windows, &android, &ios].map(|target| of(target, key).unwrap_or_else(|| "-".into()));
    assert_eq!(three("productName"), ["It's a game"; 3]);
    assert_eq!(three("m_SplashScreenBackgroundColor"), ["{r: 0.13725491, g: 0.12156863, b: 0.1254902, a: 1}"; 3]);
    assert_eq!(three("AndroidMinSdkVersion"), ["-", "26", "-"]);
    assert_eq!(three("iPhoneSdkVersion"), ["-", "-", "988"]);
    assert_eq!(three("applicationIdentifier"), ["org.example.game.pc", "org.example.game", "org.example.game"]);
    assert_eq!(three("scriptingDefineSymbols"), ["STEAM;DEBUG_MENU", "MOBILE;GOOGLE_PLAY", "MOBILE"]);
    assert_eq!(three("m_BuildTargetGraphicsAPIs/m_APIs"), ["0200000012000000", "150000000b000000", "10000000"]);
    assert_eq!(three("m_BuildTargetBatching/m_StaticBatching"), ["1", "0", "-"]);
    assert_eq!(three("m_BuildTargetIcons/m_Icons[0]/m_Width"), ["128", "128", "128"], "of no platform: of all");
    assert_eq!(three("ps4Passcode"), ["-", "-", "-"]);
    assert_eq!(of(&linux, "m_BuildTargetGraphicsAPIs/m_APIs"), None);
    assert_eq!(told(&linux, "PlayerSettings/applicationIdentifier").unwrap().1, "platform group");
    let (_, layer, place) = told(&android, "PlayerSettings/scriptingBackend").unwrap();
    assert_eq!((layer.as_str(), place.as_str()), ("platform", "ProjectSettings/ProjectSettings.asset:90"));
    let quality = |effective: &Effective| {
        ["default", "levels", "level/shadows"].map(|key| value(effective, &format!("QualitySettings/{key}")).unwrap())
    };
    assert_eq!(quality(&windows), ["High", "High", "2"]);
    assert_eq!(quality(&ios), ["Low", "Low | High", "0"]);
    // What is binary is said to be, and hides nothing else.
    assert_eq!(windows.warnings, ["ProjectSettings/TagManager.asset is binary: settings are read from text alone"]);
    // A profile's copy takes the place of the player's settings.
    assert_eq!(of(&demo, "productName").unwrap(), "It's a demo");
    assert_eq!(
        [of(&demo, "AndroidMinSdkVersion").unwrap(), of(&demo, "applicationIdentifier").unwrap()],
        ["28", "org.example.demo"]
    );
    assert_eq!([of(&demo, "iOSTargetOSVersionString"), of(&demo, "gcIncremental")], [None, None]);
    assert_eq!(value(&demo, "BuildProfile/m_ScriptingDefines").unwrap(), "DEMO");
    assert_eq!(value(&demo, "EditorBuildSettings/m_Scenes[0]/m_path").unwrap(), "Assets/Scenes/Demo.unity");
    assert_eq!(value(&demo, "EditorBuildSettings/m_Scenes[1]/path"), None);
    let profile = effective(&scene, &build, "windows+windows");
    assert_eq!(of(&profile, "productName").unwrap(), "It's a game", "an empty copy is none");
    assert_eq!(value(&profile, "BuildProfile/platform/m_Architecture").unwrap(), "0");
}

#[test]
fn features_of_godot_3_override_in_its_order() {
    let (scene, build) = scene("godot3");
    assert_eq!(targets(&scene, &build), ["windows", "windows+windows-demo", "android", "ios", "ps5", "web"]);
    let of = |name: &str, key: &str| value(&effective(&scene, &build, name), key).unwrap_or_else(|| "-".into());
    // The last override that is met counts, and the file beside the program comes last.
    assert_eq!(of("android", "display/window/size/width"), "700");
    assert_eq!(of("android", "display/window/size/height"), "360");
    assert_eq!(of("ios", "display/window/size/height"), "360");
    let players = |name: &str| of(name, "game/limits/players");
    assert_eq!(["windows", "windows+windows-demo", "ios", "web"].map(players), ["8", "3", "6", "3"]);
    assert_eq!(of("windows", "game/colors/sky"), "Color( 0, 0, 0, 1 )");
    assert_eq!(of("web", "game/colors/sky"), "Color( 1, 1, 1, 1 )");
    assert_eq!([of("windows", "game/only/windows"), of("web", "game/only/windows")], ["\"there\"", "-"]);
    assert_eq!(of("web", "application/config/description"), "\"Two\nlines\"");
    let windows = effective(&scene, &build, "windows");
    assert_eq!(told(&windows, "game/colors/sky").unwrap().1, "project feature");
    assert_eq!(told(&windows, "export/name").unwrap().2, "export_presets.cfg:3");
    assert!(!windows.settings.iter().any(|setting| setting.key.contains(".Windows")), "overrides are no settings");
}

#[test]
fn features_of_godot_4_override_in_its_order() {
    let (scene, build) = scene("godot4");
    let of = |name: &str, key: &str| value(&effective(&scene, &build, name), key).unwrap_or_else(|| "-".into());
    // The first override that is met counts.
    assert_eq!(of("android", "display/window/size/viewport_width"), "640");
    assert_eq!(of("windows", "game/limits/players"), "3", "set twice in its place");
    assert_eq!(of("linux", "game/limits/players"), "8");
    assert_eq!(of("web", "display/window/vsync/vsync_mode"), "0");
}

#[test]
fn declared_files_of_all_formats_lie_over_each_other() {
    let (scene, build) = scene("declared");
    assert_eq!(targets(&scene, &build), ["windows", "android", "arcade"]);
    let [windows, android, arcade] = ["windows", "android", "arcade"].map(|name| effective(&scene, &build, name));
    let three =
        |key: &str| [&windows, &android, &arcade].map(|target| value(target, key).unwrap_or_else(|| "-".into()));
    assert_eq!(three("game/players"), ["4", "2", "4"]);
    assert_eq!(three("game/features"), ["chat | scores", "scores", "chat | scores"], "a list takes a list's place");
    assert_eq!(three("game/servers[1]/host"), ["us.example.org", "-", "us.example.org"]);
    assert_eq!(three("graphics/world/distance"), ["900", "300", "900"]);
    assert_eq!(three("graphics/world/scale"), ["1.0", "0.5", "1.0"]);
    assert_eq!(three("input/pad/rumble"), ["true", "true", "false"]);
    assert_eq!(three("input/pad/zones"), ["0.1 | 0.2"; 3]);
    assert_eq!(three("input/long"), ["one line"; 3]);
    assert_eq!(three("store/uses-sdk@minSdk"), ["-", "26", "-"]);
    assert_eq!(three("store/CFBundleName"), ["-", "-", "Game"]);
    assert_eq!(three("store/STORE_URL"), ["-", "https://store.example.org", "-"]);
    let place = told(&android, "graphics/world/distance").unwrap();
    assert_eq!((place.1.as_str(), place.2.as_str()), ("platform", "platforms/android/graphics.yaml:2"));
    let warnings = windows.warnings.join("\n");
    for part in ["config/odd.bin has no ending that tells its format", "config/broken.json is no JSON"] {
        assert!(warnings.contains(part), "{warnings}");
    }
    // The same value comes from another layer.
    let all = [windows.clone(), arcade];
    let matrix = Matrix::new(&all);
    let row = matrix.rows.iter().find(|row| &**row.key == "graphics/world/distance").unwrap();
    assert_eq!(row.contrast, Contrast::Layers);
}

#[test]
fn generated_texts_differ_in_settings_alone() {
    let (scene, build) = scene("unreal");
    let [switch, ps5] = ["switch", "ps5"].map(|name| show::ini(&effective(&scene, &build, name)));
    let only = |of: &str, other: &str| -> Vec<String> {
        of.lines().filter(|line| !other.lines().any(|other| other == *line)).map(str::to_owned).collect()
    };
    let vars = "Engine/[ConsoleVariables]";
    let expected = [
        "Engine/[/Script/Engine.RendererSettings]/r.Shadow.Virtual.Enable=False".to_owned(),
        format!("{vars}/t.MaxFPS=30"),
        "Engine/[Net]/Servers=jp.example.org".to_owned(),
    ];
    assert_eq!(only(&switch, &ps5), expected);
    assert_eq!(only(&ps5, &switch).len(), 6, "{ps5}");
    assert!(only(&ps5, &switch).contains(&format!("{vars}/r.Nanite=1")));
}

#[test]
fn secrets_are_shown_nowhere() {
    for project in ["unreal", "unity", "godot3", "declared"] {
        let (scene, build) = scene(project);
        let platforms = scene.vault.platforms();
        let mut masked = 0;
        let all = platforms.targets(&build).unwrap();
        let all = platforms.effective_all(&build, &all).unwrap();
        let matrix = Matrix::new(&all);
        let mut texts = vec![show::csv(&matrix, matrix.rows.iter())];
        texts.extend(all.iter().flat_map(|effective| [show::ini(effective), show::json(effective)]));
        for text in texts {
            masked += text.matches(gamevault::secret::MASK).count();
            for secret in ["hunter2", "not for everybody", "0123456789\"", "00112233", "t0ps3cret"] {
                assert!(!text.contains(secret), "{project}: {text}");
            }
        }
        // Unity's only secret is of a platform that is no target.
        assert!(masked > 0 || project == "unity", "{project}");
    }
}

/// Makes builds that change a setting, or another file alone.
fn history_scene() -> Scene {
    let scene = Scene::new();
    let game = scene.path("game");
    copy(&data("unreal"), &game);
    let engine = game.join("Config/Switch/SwitchEngine.ini");
    let text = fs::read_to_string(&engine).unwrap();
    let snapshot = || {
        settle();
        scene.snapshot("game")
    };
    snapshot();
    for n in 0..20 {
        write(&game.join("Content/level.umap"), format!("level {n}").as_bytes());
        snapshot();
    }
    write(&engine, text.replace("t.MaxFPS=30", "t.MaxFPS=40").as_bytes());
    snapshot();
    write(&engine, text.replace("t.MaxFPS=30\n", "").as_bytes());
    snapshot();
    scene
}

#[test]
fn a_history_reads_only_files_that_changed() {
    let scene = history_scene();
    let platforms = scene.vault.platforms();
    let builds = scene.vault.builds().unwrap();
    let changes = platforms.history(&builds, "t.maxfps", Some(&target("switch"))).unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let text =
                |setting: &Option<gamevault::platform::Setting>| setting.as_ref().map_or("-".into(), |s| s.shown());
            (change.build.0, text(&change.before), text(&change.after))
        })
        .collect();
    let expected = [(1, "-", "30"), (22, "30", "40"), (23, "40", "60")];
    assert_eq!(told, expected.map(|(build, before, after)| (build, before.to_owned(), after.to_owned())));
    let first = platforms.files_read();
    assert!(first <= 14 + 2, "each distinct file is read once: {first}");
    // All targets, over all builds: nothing is read again but what only targets ask for, the project's file.
    platforms.history(&builds, "t.maxfps", None).unwrap();
    assert_eq!(platforms.files_read(), first + 1);
}

#[test]
fn a_build_without_a_project_has_the_platform_that_it_was_made_for() {
    let scene = Scene::new();
    write(&scene.path("game/game.bin"), b"a game");
    settle();
    let info = BuildInfo { platform: Some("StandaloneWindows64".into()), ..BuildInfo::default() };
    let options = SnapshotOptions { info, ..SnapshotOptions::default() };
    let build = scene.vault.snapshot(&scene.path("game"), &options, &Progress::new()).unwrap().build;
    assert_eq!(targets(&scene, &build), ["windows"]);
    assert!(effective(&scene, &build, "windows").settings.is_empty());
}

#[test]
fn projects_in_folders_are_told_apart() {
    let scene = Scene::new();
    copy(&data("godot4"), &scene.path("game/client"));
    copy(&data("godot3"), &scene.path("game/tools/editor"));
    settle();
    let build = scene.snapshot("game").build;
    let windows = effective(&scene, &build, "windows");
    let name = |root: &str| value(&windows, &format!("{root}/application/config/name"));
    assert_eq!(name("client").unwrap(), "\"Little Game\"");
    assert_eq!(name("tools/editor").unwrap(), "\"Little Game; with \\\"quotes\\\"\"");
    assert_eq!(told(&windows, "client/application/config/name").unwrap().2, "client/project.godot:5");
}

fn gamevault(scene: &Scene, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gamevault"))
        .arg("--vault")
        .arg(scene.vault.dir())
        .args(arguments)
        .env_remove("GAMEVAULT_VAULT")
        .output()
        .unwrap()
}

fn text(scene: &Scene, arguments: &[&str]) -> String {
    let output = gamevault(scene, arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(scene: &Scene, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    let value: Value = serde_json::from_str(&text(scene, &arguments)).unwrap();
    value["data"].clone()
}

#[test]
fn the_command_tells_targets_settings_and_differences() {
    let scene = history_scene();
    let list = json(&scene, &["platform", "list"]);
    let switch = list["targets"].as_array().unwrap().iter().find(|target| target["target"] == "switch").unwrap();
    assert_eq!((switch["family"].as_str(), switch["build"].as_u64()), (Some("console"), Some(23)));
    assert!(text(&scene, &["platform", "list", "-q"]).starts_with("linux\nlinux+eos\n"));

    let key = "Engine/[ConsoleVariables]/t.MaxFPS";
    let show = json(&scene, &["platform", "show", "NintendoSwitch@1", "t.MaxFPS"]);
    assert_eq!(show["effective"][key]["origin"], "Config/Switch/SwitchEngine.ini:3");
    assert_eq!(show["effective"].as_object().unwrap().len(), 1);
    assert_eq!(text(&scene, &["platform", "show", "switch", "t.MaxFPS", "-q"]), format!("{key}=60\n"));

    let diff = json(&scene, &["platform", "diff", "switch@1", "switch@22"]);
    let settings = diff["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 1);
    assert_eq!((&settings[0]["key"], &settings[0]["kind"]), (&Value::from(key), &Value::from("differs")));
    assert_eq!(
        (&settings[0]["values"]["a"]["value"], &settings[0]["values"]["b"]["value"]),
        (&"30".into(), &"40".into())
    );
    let differs = gamevault(&scene, &["platform", "diff", "switch", "ps5", "--exit-code"]);
    assert_eq!(differs.status.code(), Some(9));
    let same = gamevault(&scene, &["platform", "diff", "switch@2", "switch@3", "--exit-code"]);
    assert_eq!(
        (same.status.code(), String::from_utf8_lossy(&same.stdout).into_owned()),
        (Some(0), "switch@2 and switch@3 do not differ\n".into())
    );

    let matrix = json(&scene, &["platform", "matrix", "switch", "ps5", "--build", "1", "--kind", "all"]);
    let kinds = |kind: &str| {
        matrix["settings"].as_array().unwrap().iter().filter(|setting| setting["kind"] == kind).count() as u64
    };
    for kind in ["common", "layers", "only", "differs"] {
        assert_eq!(matrix["counts"][kind].as_u64(), Some(kinds(kind)), "{kind}");
    }
    assert_eq!((kinds("differs"), kinds("only"), kinds("layers")), (4, 1, 1));
    let csv = text(&scene, &["platform", "matrix", "switch", "ps5", "--build", "1", "--csv"]);
    assert!(csv.starts_with("key,kind,switch,ps5\r\n") && csv.contains(&format!("{key},differs,30,60\r\n")), "{csv}");

    let page = scene.path("matrix.html");
    text(&scene, &["platform", "matrix", "switch", "ps5", "--html", page.to_str().unwrap()]);
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(key) && page.contains("Config/Switch/SwitchEngine.ini:"), "{page}");

    let history = json(&scene, &["platform", "history", key, "--target", "switch"]);
    let builds: Vec<_> =
        history["changes"].as_array().unwrap().iter().map(|change| change["build"].as_u64().unwrap()).collect();
    assert_eq!(builds, [1, 22, 23]);

    let unknown = gamevault(&scene, &["platform", "history", "no.such.key"]);
    assert_eq!(unknown.status.code(), Some(3));
    let unnamed = gamevault(&scene, &["platform", "show", "macos"]);
    assert!(String::from_utf8_lossy(&unnamed.stderr).contains("does not name macos"), "{unnamed:?}");
}

/// Files by their paths, as a tree that settings are read from.
struct InMemory(BTreeMap<String, Vec<u8>>);

impl InMemory {
    fn read_from(folder: &Path) -> InMemory {
        let mut files = BTreeMap::new();
        let mut open = vec![(folder.to_path_buf(), String::new())];
        while let Some((folder, path)) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{path}{}", entry.file_name().to_str().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => open.push((entry.path(), format!("{path}/"))),
                    false => drop(files.insert(path, fs::read(entry.path()).unwrap())),
                }
            }
        }
        InMemory(files)
    }
}

impl Source for InMemory {
    fn list(&self, path: &str) -> Result<Vec<Item>> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut folders = BTreeSet::new();
        let mut items = Vec::new();
        for (path, bytes) in self.0.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
            match path[folder.len()..].split_once('/') {
                Some((name, _)) => drop(folders.insert(name.to_owned())),
                None => {
                    let file = Some(FileId { id: ChunkId::of(bytes), size: bytes.len() as u64 });
                    items.push(Item { name: path[folder.len()..].to_owned(), file });
                }
            }
        }
        items.extend(folders.into_iter().map(|name| Item { name, file: None }));
        Ok(items)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| Error::not_found(path.to_owned()))
    }
}

/// Whatever stands in the files, settings are told and nothing fails.
#[test]
fn no_file_makes_settings_fail() {
    let mut random = random(seed());
    for project in ["unreal", "unity", "godot3", "godot4", "declared"] {
        let whole = InMemory::read_from(&data(project));
        let paths: Vec<&String> = whole.0.keys().collect();
        for _ in 0..60 {
            let mut files = whole.0.clone();
            for _ in 0..random.random_range(1..=3) {
                let bytes = files.get_mut(paths[random.random_range(0..paths.len())]).unwrap();
                *bytes = mutate(bytes, &mut random);
            }
            let source = InMemory(files);
            let cache = Cache::default();
            let layout = Layout::discover(&source).unwrap();
            let mut targets = layout.targets(&source, &cache).unwrap();
            targets.push(target("windows"));
            let all: Vec<_> = targets.iter().map(|target| layout.effective(&source, &cache, target).unwrap()).collect();
            for effective in &all {
                assert!(effective.settings.is_sorted_by(|a, b| a.key < b.key), "each key once, in their order");
                serde_json::from_str::<Value>(&show::json(effective)).unwrap();
                let values: usize = effective.settings.iter().map(|setting| setting.values.len()).sum();
                assert_eq!(show::ini(effective).lines().count(), values);
            }
            show::csv(&Matrix::new(&all), Matrix::new(&all).rows.iter());
        }
    }
}

/// A file that is made to be slow, or to need much memory, is not.
#[test]
fn files_with_bad_intent_are_bounded() {
    let config =
        "[[platforms.config]]\nbase = ['a.json', 'a.yaml', 'a.toml', 'a.xml', 'a.plist', 'a.ini', 'a.properties']\n";
    let deep_keys = |open: &str| open.replace('K', &"k".repeat(8000)).repeat(200);
    let files = [
        ("gamevault.toml", config.to_owned()),
        ("a.json", format!("{}{}", deep_keys("{\"K\":"), "{\"a\":1,".repeat(1000))),
        (
            "a.yaml",
            format!("a: &a [{}]\nb: &b [{}]\nc: [{}]\n", "x,".repeat(3000), "*a,".repeat(3000), "*b,".repeat(3000)),
        ),
        ("a.toml", format!("{} = 1\n", "k.".repeat(50_000) + "k")),
        ("a.xml", deep_keys("<K>")),
        ("a.plist", "<dict><key>k</key>".repeat(100_000)),
        ("a.ini", format!("[{}]\n{}", "s".repeat(1 << 20), "k=1\n".repeat(200_000))),
        ("a.properties", "k=\\\n".repeat(500_000)),
        ("ProjectSettings/ProjectVersion.txt", String::new()),
        (
            "ProjectSettings/ProjectSettings.asset",
            format!("PlayerSettings:\n  a: {{\n{}", "    b: {\n".repeat(300_000)),
        ),
        ("ProjectSettings/Deep.asset", (0..2000).map(|n| format!("{}- k:\n", " ".repeat(n))).collect()),
    ];
    let source = InMemory(files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect());
    let layout = Layout::discover(&source).unwrap();
    let effective = layout.effective(&source, &Cache::default(), &target("windows")).unwrap();
    assert!(effective.warnings.len() >= 5, "{:?}", effective.warnings);
    assert!(effective.settings.iter().all(|setting| setting.key.len() < 8192));
}
