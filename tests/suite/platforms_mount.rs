//! `/platforms`: what is set for each target, as folders of the mount.

use crate::platforms::{copy, data};
use crate::stage::{Fixture, Stage, is_installed};
use gamevault::mount::MountOptions;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

fn with_builds() -> Fixture {
    let fixture = Fixture::new();
    let game = fixture.path("game");
    copy(&data("unreal"), &game);
    fixture.snapshot(&game, "old");
    let engine = game.join("Config/Switch/SwitchEngine.ini");
    let text = fs::read_to_string(&engine).unwrap().replace("t.MaxFPS=30", "t.MaxFPS=40");
    fs::write(&engine, text).unwrap();
    fixture.snapshot(&game, "new");
    fixture
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_target_has_its_settings_and_its_files() {
    let Some(stage) = Stage::mount(with_builds(), &MountOptions::default()) else { return };
    let platforms = stage.point.join("platforms");
    let listed = names(&platforms);
    assert_eq!((listed.len(), listed[0].as_str(), listed.last().unwrap().as_str()), (16, "android", "windows+eos"));
    let switch = platforms.join("switch");
    assert_eq!(names(&switch), ["effective.ini"]);
    let ini = fs::read_to_string(switch.join("effective.ini")).unwrap();
    assert!(ini.contains("\nEngine/[ConsoleVariables]/t.MaxFPS=40\n") && !ini.contains("not for everybody"), "{ini}");
    assert_eq!(fs::metadata(switch.join("effective.ini")).unwrap().len(), ini.len() as u64);
    let json: serde_json::Value = serde_json::from_slice(&fs::read(switch.join("effective.json")).unwrap()).unwrap();
    let setting = &json["Engine/[ConsoleVariables]/t.MaxFPS"];
    assert_eq!(
        (&setting["origin"], &setting["layer"]),
        (&"Config/Switch/SwitchEngine.ini:3".into(), &"platform".into())
    );
    // The files are those of the build, each one node.
    let own = switch.join("files/Config/Switch");
    assert_eq!(names(&own), ["SwitchEngine.ini", "SwitchInput.ini"]);
    let in_build = fs::metadata(stage.point.join("builds/new/Config/Switch/SwitchEngine.ini")).unwrap().ino();
    assert_eq!(fs::metadata(own.join("SwitchEngine.ini")).unwrap().ino(), in_build);
    // Any build, any name of the platform; and what is none.
    for build in ["old", "1", "latest~1"] {
        let ini = fs::read_to_string(platforms.join(format!("NintendoSwitch@{build}/effective.ini"))).unwrap();
        assert!(ini.contains("t.MaxFPS=30\n"), "{build}");
    }
    for name in ["autorun.inf", "switch@none", "@new", "macos", ".Trash-0", "desktop.ini"] {
        assert!(!platforms.join(name).exists(), "{name}");
    }
    let errno = |result: std::io::Result<()>| result.unwrap_err().raw_os_error();
    assert_eq!(errno(fs::write(switch.join("effective.ini"), "x")), Some(nix::libc::EROFS));
    assert_eq!(errno(fs::create_dir(platforms.join("mine"))), Some(nix::libc::EROFS));
}

#[test]
fn diff_shows_exactly_the_settings_that_differ() {
    if !is_installed("diff") {
        return;
    }
    let Some(stage) = Stage::mount(with_builds(), &MountOptions::default()) else { return };
    let diff = |a: &str, b: &str| {
        let output =
            Command::new("diff").args(["-r", a, b]).current_dir(stage.point.join("platforms")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .filter(|line| line.starts_with(['<', '>']) || line.starts_with("Only"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let expected = [
        "< Engine/[/Script/Engine.RendererSettings]/r.Shadow.Virtual.Enable=False",
        "> Engine/[/Script/Engine.RendererSettings]/r.Shadow.Virtual.Enable=True",
        "< Engine/[ConsoleVariables]/t.MaxFPS=40",
        "> Engine/[ConsoleVariables]/r.Nanite=1",
        "> Engine/[ConsoleVariables]/t.MaxFPS=60",
        "< Engine/[Net]/Servers=jp.example.org",
        "> Engine/[Net]/Servers=us.example.org",
        "> Input/[/Script/Engine.InputSettings]/ActionMappings=(ActionName=\"Jump\",bShift=False,Key=SpaceBar)",
        "> Input/[/Script/Engine.InputSettings]/ActionMappings=(ActionName=\"Fire\",bShift=False,Key=LeftMouseButton)",
    ];
    let mut found = diff("switch", "ps5");
    found.sort();
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let fps = ["< Engine/[ConsoleVariables]/t.MaxFPS=30", "> Engine/[ConsoleVariables]/t.MaxFPS=40"];
    assert_eq!(diff("switch@old", "switch@new"), fps);
    assert!(diff("ps5@old", "ps5@new").is_empty());
}
