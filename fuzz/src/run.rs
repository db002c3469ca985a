//! One target for some time, in a process of its own: what ends it ends no other.

use crate::corpus::Corpus;
use crate::coverage::Coverage;
use crate::targets::{Checker, Outcome, Target};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long an input may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often what is known so far is written down.
const PAUSE: Duration = Duration::from_secs(2);

/// Different failures after which a target is given up.
const MAX_FAILURES: usize = 20;

/// Letters of what a failure says.
const MAX_REASON: usize = 300;

/// What a run leaves in its folder: the input that it has just now, and what is known so far.
const CURRENT: &str = "current";
pub const FIGURES: &str = "figures.json";

/// How a process ends that was stopped because an input took too long.
pub const TOO_SLOW: i32 = 7;

/// How long a target runs: until both are over.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    pub time: Duration,
    pub inputs: u64,
}

thread_local! {
    /// Where the last panic was, and what it said.
    static PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
}

/// Milliseconds since the start at which the input of now was begun, plus one; 0 between inputs.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// What is known of a run.
#[derive(Default)]
struct Figures {
    inputs: u64,
    decoded: u64,
    largest: usize,
    held: usize,
    slowest: Duration,
    failures: Vec<Value>,
    places: BTreeSet<String>,
}

impl Figures {
    fn write(&self, folder: &Path, corpus: &Corpus, coverage: &Coverage, time: Duration) {
        let (reached, edges) = coverage.reached();
        let figures = json!({
            "inputs": self.inputs, "decoded": self.decoded, "largest": self.largest, "held": self.held,
            "slowest": self.slowest.as_secs_f64(), "seconds": time.as_secs_f64(), "kept": corpus.len(),
            "reached": reached, "edges": edges, "failures": self.failures,
        });
        fs::write(folder.join(FIGURES), figures.to_string()).expect("the folder of the run takes files");
    }

    /// Keeps the input of a failure, unless another one failed in the same place.
    fn fail(&mut self, folder: &Path, input: &[u8], place: &str, why: &str) {
        if self.places.insert(place.to_owned()) {
            let path = folder.join(format!("{}.input", &blake3::hash(input).to_hex()[..16]));
            fs::write(&path, input).expect("the folder of the run takes files");
            self.failures.push(json!({ "why": format!("{place}: {}", why.chars().take(MAX_REASON).collect::<String>()), "input": path }));
        }
    }
}

/// Runs a target; figures and inputs that failed are in `folder` in the end.
pub fn run(target: &Target, folder: &Path, length: Length, seed: u64) {
    std::panic::set_hook(Box::new(|about| {
        let place = about.location().map(ToString::to_string).unwrap_or_default();
        let payload = about.payload();
        let literal = payload.downcast_ref::<&str>().map(ToString::to_string);
        let why = literal.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        PANIC.set(Some((place, why)));
    }));
    let start = Instant::now();
    watch(folder.to_owned(), start);
    let mut current = File::create(folder.join(CURRENT)).expect("the folder of the run takes files");
    let mut checker = target.warmed_up();
    let mut corpus = Corpus::new(checker.samples.clone());
    let (mut coverage, mut figures) = (Coverage::default(), Figures::default());
    let mut random = SmallRng::seed_from_u64(seed);
    coverage.take_news();
    let mut written = Instant::now();
    while (start.elapsed() < length.time || figures.inputs < length.inputs) && figures.failures.len() < MAX_FAILURES {
        let input = corpus.next(&mut random);
        note(&mut current, &input);
        let begun = Instant::now();
        BEGUN.store(begun.duration_since(start).as_millis() as u64 + 1, Relaxed);
        let tried = catch_unwind(AssertUnwindSafe(|| target.try_input(&mut checker, &input)));
        BEGUN.store(0, Relaxed);
        figures.slowest = figures.slowest.max(begun.elapsed());
        figures.inputs += 1;
        let is_sound = tried.as_ref().is_ok_and(|(outcome, _)| *outcome == Outcome::Decoded);
        match tried {
            Ok((_, taken)) => {
                figures.decoded += u64::from(is_sound);
                figures.largest = figures.largest.max(taken.largest);
                figures.held = figures.held.max(taken.held);
            }
            Err(_) => {
                let (place, why) = PANIC.take().unwrap_or_default();
                figures.fail(folder, &input, &place, &why);
                checker = target.warmed_up();
            }
        }
        if coverage.take_news() {
            corpus.keep(input, is_sound);
        }
        if written.elapsed() > PAUSE {
            figures.write(folder, &corpus, &coverage, start.elapsed());
            written = Instant::now();
        }
    }
    figures.write(folder, &corpus, &coverage, start.elapsed());
}

/// Tries one input, as it came from a file; a failure panics.
pub fn replay(target: &Target, input: &[u8]) -> Outcome {
    let mut checker: Checker = target.warmed_up();
    target.try_input(&mut checker, input).0
}

/// Writes the input down before it is tried: what ends the process without a word is known then.
///
/// Its length comes first: a file that is cut and grows for each input takes longer than most decoders.
fn note(current: &mut File, input: &[u8]) {
    let noted = [&(input.len() as u64).to_le_bytes(), input].concat();
    let written = current.rewind().and_then(|()| current.write_all(&noted));
    written.expect("the folder of the run takes files");
}

/// Returns the input that the process had when it ended.
pub fn noted(folder: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(folder.join(CURRENT)).ok()?;
    let (len, rest) = bytes.split_first_chunk()?;
    rest.get(..u64::from_le_bytes(*len) as usize).map(<[u8]>::to_vec)
}

/// Ends the process when an input takes too long.
fn watch(folder: PathBuf, start: Instant) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let begun = BEGUN.load(Relaxed);
            if begun != 0 && start.elapsed() > Duration::from_millis(begun) + PATIENCE {
                eprintln!("{}: an input takes more than {} s", folder.display(), PATIENCE.as_secs());
                std::process::exit(TOO_SLOW);
            }
        }
    });
}
