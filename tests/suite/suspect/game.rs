//! A game that is made up from a seed: its files, and how one of them changes.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const LEVEL_WORDS: [[&str; 8]; 2] = [
    ["Ice", "Lava", "Forest", "Sunken", "Clock", "Desert", "Crystal", "Haunted"],
    ["Cave", "Tower", "Temple", "Harbor", "Bridge", "Garden", "Mine", "Palace"],
];
const THINGS: [&str; 12] = [
    "Player",
    "Camera",
    "Enemy",
    "Boss",
    "Inventory",
    "Door",
    "Ladder",
    "Grapple",
    "Shield",
    "Merchant",
    "Dragon",
    "Boat",
];
const ROLES: [&str; 5] = ["Controller", "Animator", "Spawner", "State", "Effects"];
const SCREENS: [&str; 6] = ["pause_menu", "shop", "world_map", "save_slots", "credits", "quest_log"];
const LIBRARIES: [&str; 4] = ["physics", "network", "audio_mixer", "pathfinding"];
const SETTINGS: [(&str, [&str; 4]); 3] = [
    ("input", ["camera_sensitivity", "stick_deadzone", "invert_aim", "vibration_strength"]),
    ("graphics", ["shadow_distance", "motion_blur", "fog_density", "water_quality"]),
    ("gameplay", ["jump_height", "enemy_damage", "gold_reward", "stamina_drain"]),
];

/// What a file is in the game, and so how players tell of it when it is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A level, by its name.
    Level(String),
    /// A texture of something in a level.
    Texture { thing: String, level: String },
    /// The music of a level.
    Music(String),
    /// A sound of something.
    Sound(String),
    /// A script, by its class.
    Script(String),
    /// A screen.
    Screen(String),
    /// A library.
    Library(String),
    /// A file of settings: the key that changed last.
    Settings(String),
    /// What changes with every build.
    Version,
}

/// A file of the game.
#[derive(Debug, Clone)]
pub struct GameFile {
    pub part: Part,
    bytes: Vec<u8>,
}

/// The game's folder.
pub struct Game {
    pub files: BTreeMap<String, GameFile>,
    pub levels: Vec<String>,
}

impl Game {
    pub fn new(random: &mut SmallRng) -> Game {
        let mut game = Game { files: BTreeMap::new(), levels: Vec::new() };
        while game.levels.len() < 8 {
            let [first, second] = LEVEL_WORDS.map(|words| *words.choose(random).expect("there are words"));
            let name = format!("{first} {second}");
            if !game.levels.contains(&name) {
                game.levels.push(name);
            }
        }
        for level in game.levels.clone() {
            let (joined, snake) = (level.replace(' ', ""), level.replace(' ', "_").to_lowercase());
            game.add(random, format!("Assets/Levels/{joined}.unity"), Part::Level(level.clone()));
            game.add(random, format!("Assets/Audio/Music/{snake}_theme.ogg"), Part::Music(level.clone()));
            for _ in 0..3 {
                let thing = *THINGS.choose(random).expect("there are things");
                let path = format!("Assets/Textures/{joined}/{}_albedo.png", thing.to_lowercase());
                game.add(random, path, Part::Texture { thing: thing.to_owned(), level: level.clone() });
            }
        }
        for thing in THINGS {
            for role in ROLES.sample(random, 2).collect::<Vec<_>>() {
                game.add(random, format!("Scripts/{thing}{role}.gd"), Part::Script(format!("{thing}{role}")));
            }
            let lower = thing.to_lowercase();
            game.add(random, format!("Assets/Audio/Sfx/{lower}_hit.wav"), Part::Sound(thing.to_owned()));
        }
        for screen in SCREENS {
            game.add(random, format!("UI/{screen}.tscn"), Part::Screen(screen.replace('_', " ")));
        }
        for library in LIBRARIES {
            game.add(random, format!("bin/lib{library}.so"), Part::Library(library.to_owned()));
        }
        for (name, _) in SETTINGS {
            game.add(random, format!("Config/{name}.ini"), Part::Settings(String::new()));
        }
        game.add(random, "bin/Game.x86_64".into(), Part::Version);
        game.add(random, "version.txt".into(), Part::Version);
        game
    }

    fn add(&mut self, random: &mut SmallRng, path: String, part: Part) {
        let bytes = match &part {
            Part::Script(class) => script(class, random),
            Part::Settings(_) => settings(&path, random),
            _ => noise(random),
        };
        self.files.insert(path, GameFile { part, bytes });
    }

    /// Changes a file as work on it would.
    pub fn change(&mut self, path: &str, random: &mut SmallRng) {
        let file = self.files.get_mut(path).expect("the file is there");
        match &mut file.part {
            Part::Script(_) => {
                let mut lines: Vec<String> = String::from_utf8_lossy(&file.bytes).lines().map(Into::into).collect();
                let at = random.random_range(1..lines.len());
                lines[at] = format!("\tspeed = speed * {} + offset", random.random_range(2..9_999));
                file.bytes = (lines.join("\n") + "\n").into_bytes();
            }
            Part::Settings(changed) => {
                let mut lines: Vec<String> = String::from_utf8_lossy(&file.bytes).lines().map(Into::into).collect();
                let at = random.random_range(1..lines.len());
                let key = lines[at].split('=').next().expect("a key").to_owned();
                lines[at] = format!("{key}={}", random.random_range(100..9_999));
                *changed = key.replace('_', " ");
                file.bytes = (lines.join("\n") + "\n").into_bytes();
            }
            _ => {
                let at = random.random_range(0..file.bytes.len() - 64);
                random.fill_bytes(&mut file.bytes[at..at + 64]);
            }
        }
    }

    pub fn write(&self, folder: &Path) {
        for (path, file) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
            fs::write(path, &file.bytes).unwrap();
        }
    }
}

fn noise(random: &mut SmallRng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(200..4_000)];
    random.fill_bytes(&mut bytes);
    bytes
}

fn script(class: &str, random: &mut SmallRng) -> Vec<u8> {
    let mut text = format!("class_name {class}\n");
    for function in ["_ready", "_process", "update_state", "on_hit", "reset"].sample(random, 4) {
        text.push_str(&format!("func {function}():\n"));
        for _ in 0..random.random_range(3..12) {
            text.push_str(&format!("\tvalue_{} = {}\n", random.random_range(0..50), random.random_range(0..1_000)));
        }
    }
    text.into_bytes()
}

fn settings(path: &str, random: &mut SmallRng) -> Vec<u8> {
    let (_, keys) = SETTINGS.iter().find(|(name, _)| path.contains(name)).expect("a known file");
    let lines = keys.iter().map(|key| format!("{key}={}\n", random.random_range(1..100)));
    format!("[game]\n{}", lines.collect::<String>()).into_bytes()
}
