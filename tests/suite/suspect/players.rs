//! Players that are made up from a seed: what they report of a build, most of it of no use.

use super::game::{Game, Part};
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use serde_json::{Value, json};

const GRUMBLES: [&str; 10] = [
    "please fix this, it worked before",
    "since the update the game is broken for me",
    "what happened here??",
    "still the same problem, see my other post",
    "unplayable right now",
    "happens every time, very annoying",
    "my friend has it too",
    "great game but this needs work",
    "refunded because of this",
    "anyone else?",
];

/// Things that players talk about at all times.
const CHATTER: [&str; 12] = [
    "love the art, the {thing} looks great",
    "the {thing} is too hard in {level}",
    "music in {level} is fantastic",
    "please add more {thing} skins",
    "got lost in {level}, needs a map",
    "controls feel good on my pad",
    "the text in the {screen} is small",
    "performance is fine on my machine",
    "I wish {level} was longer",
    "the {thing} surprised me, nice touch",
    "crashed once at the start, could not repeat it",
    "volume slider would be nice",
];

/// What is wrong with a part: a crash, or what players write, and whether reports say the level.
pub struct Trouble {
    pub is_crash: bool,
    texts: Vec<String>,
    frames: Vec<String>,
    level: Option<String>,
}

impl Trouble {
    /// Returns what goes wrong when `part` is broken.
    pub fn of(part: &Part, random: &mut SmallRng) -> Trouble {
        let told = |texts: &[&str], name: &str| texts.iter().map(|text| text.replace("{}", name)).collect();
        let mut trouble = Trouble { is_crash: false, texts: Vec::new(), frames: Vec::new(), level: None };
        let lower = |name: &str| name.to_lowercase();
        match part {
            Part::Level(level) => {
                trouble.texts = told(
                    &[
                        "fell through the floor in {}",
                        "I am stuck behind a wall in {}",
                        "cannot finish {}, the exit is gone",
                        "the door does not open",
                        "fell out of the world",
                    ],
                    &lower(level),
                );
                trouble.level = Some(level.clone());
            }
            Part::Texture { thing, level } => {
                trouble.level = Some(level.clone());
                trouble.texts = told(
                    &[
                        "the {} is all black",
                        "pink {} everywhere",
                        "{} has no texture",
                        "textures are blurry on the {}",
                    ],
                    &lower(thing),
                );
            }
            Part::Music(level) => {
                trouble.texts = told(
                    &[
                        "no music in {}",
                        "the music stops after a minute in {}",
                        "terrible noise instead of music",
                        "music way too loud in {}",
                    ],
                    &lower(level),
                );
            }
            Part::Sound(thing) => {
                trouble.texts = told(
                    &[
                        "the {} sound is way too loud",
                        "no sound when I hit the {}",
                        "crackling when the {} is hit",
                        "my ears, that {} noise",
                    ],
                    &lower(thing),
                );
            }
            Part::Screen(screen) => {
                trouble.texts = told(
                    &[
                        "cannot click anything in the {}",
                        "the {} does not close",
                        "buttons of the {} are off screen",
                        "game hangs when I open the {}",
                    ],
                    screen,
                );
            }
            Part::Settings(key) => {
                trouble.texts = told(
                    &[
                        "the {} is way off now",
                        "did you change the {}? it feels wrong",
                        "{} is far too high",
                        "please give us the old {} back",
                    ],
                    key,
                );
            }
            Part::Script(class) => {
                trouble.is_crash = true;
                let function = ["_process", "update_state", "on_hit"].choose(random).expect("one of three");
                trouble.frames =
                    vec![format!("res://Scripts/{class}.gd:{} @ {function}()", random.random_range(5..40))];
            }
            Part::Library(library) => {
                trouble.is_crash = true;
                trouble.frames = vec![
                    "memcpy".into(),
                    format!("lib{library}.so!solve_{:x}+0x3f", random.random_range(0x1000..0xffff)),
                ];
            }
            Part::Version => unreachable!("what changes in every build is no cause"),
        }
        trouble
    }

    /// Returns a report of it; some players say nothing that helps.
    pub fn report(&self, game: &Game, random: &mut SmallRng) -> Value {
        if self.is_crash {
            let mut frames = self.frames.clone();
            frames.extend(common_frames(random));
            return json!({ "kind": "crash", "signature": "fault-7", "stack": frames, "text": grumble(random) });
        }
        let level = match &self.level {
            Some(level) if random.random_bool(0.7) => Some(level.clone()),
            None if random.random_bool(0.5) => game.levels.choose(random).cloned(),
            _ => None,
        };
        let says = random.random_bool(0.6);
        let text = if says { self.texts.choose(random).expect("there are texts").clone() } else { grumble(random) };
        let mut record = json!({ "kind": "bug", "tags": ["fault"], "text": misspelt(&text, random) });
        if let Some(level) = level {
            record["where"] = json!({ "level": level });
        }
        record
    }
}

/// Returns a report of no trouble in particular; a few are given the wrong tag.
pub fn chatter(game: &Game, random: &mut SmallRng) -> Value {
    if random.random_bool(0.1) {
        let class = game.files.values().filter_map(|file| match &file.part {
            Part::Script(class) => Some(class.clone()),
            _ => None,
        });
        let class = class.choose(random).expect("there are scripts");
        let mut frames = vec![format!("res://Scripts/{class}.gd:{} @ _ready()", random.random_range(1..60))];
        frames.extend(common_frames(random));
        return json!({ "kind": "crash", "signature": format!("other-{class}"), "stack": frames });
    }
    let level = game.levels.choose(random).expect("there are levels").to_lowercase();
    let thing =
        ["player", "camera", "enemy", "boss", "door", "dragon", "boat"].choose(random).expect("there are things");
    let screen = ["pause menu", "shop", "world map"].choose(random).expect("there are screens");
    let text = CHATTER.choose(random).expect("there are texts");
    let text = text.replace("{level}", &level).replace("{thing}", thing).replace("{screen}", screen);
    let tag =
        if random.random_bool(0.03) { "fault" } else { ["praise", "wish", "misc"].choose(random).expect("a tag") };
    json!({ "kind": "comment", "tags": [tag], "text": misspelt(&text, random) })
}

fn common_frames(random: &mut SmallRng) -> Vec<String> {
    let frames = ["main_loop", "Engine::iterate", "SceneTree::process", "Node::notify", "std::thread::run"];
    frames.sample(random, 3).map(|frame| (*frame).to_owned()).collect()
}

fn grumble(random: &mut SmallRng) -> String {
    (*GRUMBLES.choose(random).expect("there are some")).to_owned()
}

/// One word of ten has two letters swapped.
fn misspelt(text: &str, random: &mut SmallRng) -> String {
    let mut words: Vec<String> = text.split(' ').map(Into::into).collect();
    for word in &mut words {
        if word.len() > 3 && word.is_ascii() && random.random_bool(0.1) {
            let mut letters: Vec<char> = word.chars().collect();
            let at = random.random_range(1..letters.len() - 1);
            letters.swap(at, at - 1);
            *word = letters.into_iter().collect();
        }
    }
    words.join(" ")
}
