//! An old state of a real game, brought back precisely: a game of Godot 3 is played headless, saved, changed, and goes on from the old
//! save on the build that wrote it. Run where Godot 3 is installed.

use crate::cli::Home;
use crate::godot_settings::godot;
use std::fs;
use std::process::Command;

const PROJECT: &str =
    "config_version=4\n\n[application]\nconfig/name=\"Fallers\"\nrun/main_scene=\"res://main.tscn\"\n";

const SCENE: &str = r#"[gd_scene load_steps=2 format=2]

[ext_resource path="res://main.gd" type="Script" id=1]

[node name="Main" type="Node2D"]
script = ExtResource( 1 )
"#;

/// Where Godot keeps what the game calls `user://fallers.sav`, below the home.
const SAVE: &str = ".local/share/godot/app_userdata/Fallers/fallers.sav";

/// Things fall, bounce and are pushed by chance; the save has places, speeds and the state of chance. `GRAVITY` differs between
/// builds, so that a save goes on otherwise on another one.
const GAME: &str = r#"extends Node2D

const GRAVITY = 9.81
const SAVE = "user://fallers.sav"

var chance = 20
var fallers = []
var tick = 0

func _ready():
	var file = File.new()
	if file.file_exists(SAVE):
		file.open(SAVE, File.READ)
		var state = file.get_var()
		file.close()
		tick = state["tick"]
		chance = state["chance"]
		fallers = state["fallers"]
	else:
		for number in range(40):
			fallers.append({"at": Vector2(number * 16, randf_of() * 300), "speed": Vector2(randf_of() - 0.5, 0)})
	for _i in range(int(OS.get_environment("TICKS"))):
		step()
	file.open(SAVE, File.WRITE)
	file.store_var({"tick": tick, "chance": chance, "fallers": fallers})
	file.close()
	print("STATE ", tick, " ", var2str(fallers).md5_text())
	get_tree().quit()

func randf_of():
	chance = (chance * 1103515245 + 12345) & 0x7fffffff
	return chance / float(0x7fffffff)

func step():
	tick += 1
	for faller in fallers:
		faller["speed"].y += GRAVITY / 60.0
		if randf_of() < 0.02:
			faller["speed"] += Vector2(randf_of() - 0.5, -randf_of() * 4.0)
		faller["at"] += faller["speed"]
		if faller["at"].y > 300:
			faller["at"].y = 600 - faller["at"].y
			faller["speed"].y *= -0.8
"#;

fn snapshot(home: &Home, gravity: &str, id: &str) {
    home.write("game/project.godot", PROJECT);
    home.write("game/main.tscn", SCENE);
    home.write("game/main.gd", GAME.replace("9.81", gravity));
    home.run(["snapshot", "game", "--id", id]).succeeds();
}

/// Plays so many ticks, and returns what the game says of its state.
fn play(home: &Home, ticks: &str, arguments: &[&str]) -> String {
    let mut all = vec!["play"];
    all.extend(arguments);
    let played = home.run_with(&[("TICKS", ticks)], &all).succeeds();
    let state = played.stdout.lines().find_map(|line| line.strip_prefix("STATE "));
    state.unwrap_or_else(|| panic!("the game did not say its state: {played:?}")).to_owned()
}

#[test]
fn a_game_goes_on_from_an_old_save_as_if_nothing_had_happened() {
    let Some(godot) = godot() else {
        println!("skipped: Godot 3 is not installed");
        return;
    };
    if gamevault::mount::check().iter().any(|check| !check.ok) {
        println!("skipped: nothing can be mounted");
        return;
    }
    let home = Home::with_vault();
    snapshot(&home, "9.81", "old");
    let engine = ["--", godot, "--path", "."];
    let start = |build: &'static str| [&[build, "--home"][..], &engine].concat();
    // What ought to be: played in one go.
    let whole = play(&home, "1000", &start("old"));
    let half = play(&home, "400", &start("old"));
    assert!(half.starts_with("400 ") && whole.starts_with("1000 "));
    let list = home.run(["session", "list", "--json"]).succeeds().data();
    let id_of = |number: usize| list[number]["id"].as_str().expect("sessions have ids").to_owned();
    let ids: Vec<String> = (0..2).map(id_of).collect();
    // The game has changed since, and its newest build plays otherwise.
    snapshot(&home, "3.71", "new");
    assert_ne!(play(&home, "1000", &start("new")), whole);

    let saved = ids.iter().find(|id| {
        let to = home.path(&format!("back-{id}"));
        home.run(["session", "export", id, to.to_str().unwrap()]).succeeds();
        let save = to.join("home").join(SAVE);
        assert!(save.is_file(), "{id} has no save");
        fs::read(to.join("run.sh")).is_ok() && state_of(&home, id) == 400
    });
    let saved = saved.expect("the play of 400 ticks is kept").clone();
    // From the save, on the very build: the same as without a break.
    assert_eq!(play(&home, "600", &["--from", &saved]), whole);
    // Once more by the script that is kept with it: the save was not touched.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_gamevault")).parent().expect("programs lie in folders");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut script = Command::new(home.path(&format!("back-{saved}/run.sh")));
    script.env("PATH", path).env("GAMEVAULT_VAULT", home.vault()).env("TICKS", "600").env("HOME", home.path(""));
    let output = script.output().expect("the script starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(&format!("STATE {whole}")), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // On the newest build the same save goes on otherwise: the state belongs to its build.
    let other = play(&home, "600", &[&["new", "--from", &saved][..], &engine].concat());
    assert!(other.starts_with("1000 ") && other != whole);
}

/// Returns at which tick a playtest ended, from its save: a variant of Godot, a dictionary whose first key is "tick".
fn state_of(home: &Home, id: &str) -> u64 {
    let save = home.path(&format!("back-{id}")).join("home").join(SAVE);
    let bytes = fs::read(save).expect("it was just exported");
    let at = bytes.windows(4).position(|four| four == b"tick").expect("the save has its tick");
    // Behind the text: the type of an integer (2), then its four bytes.
    u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("4 bytes")).into()
}
