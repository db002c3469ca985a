//! What Godot itself answers for each setting of a project is what the vault tells for the target: run where Godot 3 is
//! installed.

use crate::platforms::{copy, data, scene, target};
use crate::support::write;
use gamevault::platform::Effective;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The features of exported games (Godot 3's documentation, "Feature tags"), with those that presets add; the program that
/// runs here has some of its own, which no setting asks for.
const FEATURES: [(&str, &str); 5] = [
    ("windows", "Windows,pc,s3tc,64,x86_64,release,standalone"),
    ("windows+windows-demo", "Windows,pc,s3tc,32,x86,release,standalone,demo,steam"),
    ("android", "Android,mobile,etc,etc2,64,arm64,release,standalone"),
    ("ios", "iOS,mobile,etc,etc2,pvrtc,64,arm64,release,standalone,web"),
    ("web", "HTML5,JavaScript,web,32,release,standalone,demo"),
];

/// Compares every setting with the text that the vault has for it, and looks that the others are not set.
const SCRIPT: &str = r#"extends SceneTree

func _init():
	var file = File.new()
	file.open("res://expected.json", File.READ)
	var expected = JSON.parse(file.get_as_text()).result
	file.close()
	var wrong = 0
	for key in expected["set"]:
		var told = var2str(str2var(expected["set"][key]))
		var answer = var2str(ProjectSettings.get_setting(key))
		if told != answer:
			print("WRONG ", key, ": engine ", answer, ", vault ", told)
			wrong += 1
	for key in expected["unset"]:
		if ProjectSettings.get_setting(key) != null:
			print("WRONG ", key, ": the engine has it")
			wrong += 1
	print("COMPARED ", len(expected["set"]), " WRONG ", wrong)
	quit()
"#;

pub fn godot() -> Option<&'static str> {
    let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["godot3-server", "godot3-runner"].into_iter().find(runs)
}

fn settings(effective: &Effective) -> Map<String, Value> {
    let own = effective.settings.iter().filter(|setting| !setting.key.starts_with("export/"));
    own.map(|setting| (setting.key.to_string(), Value::from(&*setting.values[0].text))).collect()
}

/// Writes the project so that the engine takes it for one of a platform with `features`.
fn prepare(project: &Path, features: &str) {
    copy(&data("godot3"), project);
    let file = project.join("project.godot");
    let text = fs::read_to_string(&file).unwrap();
    // As the first setting of an exported project.
    fs::write(&file, format!("_custom_features=\"{features}\"\n{text}")).unwrap();
    write(&project.join("compare.gd"), SCRIPT.as_bytes());
}

#[test]
fn every_setting_is_what_godot_answers() {
    let Some(godot) = godot() else {
        eprintln!("skipped: Godot 3 is not installed (packages godot3-server, godot3-runner)");
        return;
    };
    let (scene, build) = scene("godot3");
    let platforms = scene.vault.platforms();
    let all: Vec<_> = FEATURES
        .iter()
        .map(|(name, features)| (name, features, settings(&platforms.effective(&build, &target(name)).unwrap())))
        .collect();
    let keys: BTreeSet<&String> = all.iter().flat_map(|(.., settings)| settings.keys()).collect();
    for (name, features, settings) in &all {
        let project = scene.path(&format!("project {name}"));
        prepare(&project, features);
        // Of the settings that the engine knows itself it has values of its own.
        let own = keys.iter().filter(|key| key.starts_with("game/"));
        let unset: Vec<&&String> = own.filter(|key| !settings.contains_key(**key)).collect();
        let expected = serde_json::json!({"set": settings, "unset": unset});
        write(&project.join("expected.json"), expected.to_string().as_bytes());
        let home = scene.path("home");
        let output = Command::new(godot)
            .args(["--no-window", "--path"])
            .arg(&project)
            .args(["-s", "res://compare.gd"])
            .envs([("HOME", &home), ("XDG_DATA_HOME", &home), ("XDG_CONFIG_HOME", &home), ("XDG_CACHE_HOME", &home)])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let wanted = format!("COMPARED {} WRONG 0", settings.len());
        assert!(
            settings.len() >= 15 && text.contains(&wanted),
            "{name}: {text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
