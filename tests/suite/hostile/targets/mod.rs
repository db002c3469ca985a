//! Every decoder that reads what others wrote, each as a target: samples that are sound, and a check that takes any bytes.
//!
//! A check panics for what must not be: wrong bytes that are handed out, an error of the wrong kind. Panics of the decoder itself,
//! memory out of proportion and endless loops are found by whoever runs it: `tests/suite/hostile` with few inputs, `scripts/fuzz`
//! with millions. Where a format has checksums, the first byte of an input says whether they are made to fit again.

pub mod allocation;
mod catalogue;
mod chunks;
mod containers;
mod feedback;
pub mod feedback_samples;
pub mod manifests;
mod media;
pub mod memory_disk;
pub mod packs;
mod receiver;
mod sessions;
mod settings;
mod streams;
mod vault_files;
mod words;

use allocation::{Taken, watched};
use gamevault::catalogue::Catalogue;
use gamevault::{ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// A decoder, and what it may take.
pub struct Target {
    pub name: &'static str,
    /// Bytes that may be held at one time for one byte of input, and for none.
    memory: (usize, usize),
    /// Gets ready; what it needs lives as long as the checker.
    pub start: fn() -> Checker,
}

/// What is done with an input.
type Check = Box<dyn FnMut(&[u8]) -> Outcome>;

/// A target that is ready.
pub struct Checker {
    pub samples: Vec<Vec<u8>>,
    check: Check,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was decoded, in part at least where the format allows that.
    Decoded,
    /// It was told to be damaged.
    Refused,
}

/// All targets.
pub const TARGETS: [Target; 26] = [
    packs::PACKS,
    packs::RECOVERY,
    chunks::CHUNKS,
    chunks::OPENED,
    chunks::ENCODERS,
    streams::STREAMS,
    manifests::DIRECTORIES,
    manifests::LISTS,
    manifests::XATTRS,
    manifests::STARTS,
    manifests::TREES,
    catalogue::RECORDS,
    catalogue::KEPT,
    containers::CONTAINERS,
    containers::SHAPES,
    feedback::DOCUMENTS,
    feedback::TABLES,
    feedback::CRASHES,
    settings::SETTINGS,
    settings::PROJECTS,
    media::PICTURES,
    media::SOUNDS,
    sessions::JOURNALS,
    receiver::RECEIVER,
    vault_files::VAULT_FILES,
    words::WORDS,
];

impl Target {
    pub fn named(name: &str) -> Option<&'static Target> {
        static ALL: [Target; TARGETS.len()] = TARGETS;
        ALL.iter().find(|target| target.name == name)
    }

    /// Gives one input to the checker.
    pub fn try_input(&self, checker: &mut Checker, input: &[u8]) -> (Outcome, Taken) {
        let (outcome, taken) = watched(|| (checker.check)(input));
        let most = self.memory.0 * input.len() + self.memory.1;
        assert!(taken.held <= most, "{} bytes were held for {}, where {most} are enough", taken.held, input.len());
        (outcome, taken)
    }

    /// Returns a checker whose decoders have made the working memory that they keep.
    pub fn warmed_up(&self) -> Checker {
        let mut checker = (self.start)();
        let samples = checker.samples.clone();
        let outcomes: Vec<Outcome> = samples.iter().map(|sample| (checker.check)(sample)).collect();
        let decoded = outcomes.iter().filter(|outcome| **outcome == Outcome::Decoded).count();
        assert!(decoded * 2 >= samples.len(), "{}: most samples are none: {outcomes:?}", self.name);
        checker
    }
}

impl Checker {
    fn new(samples: Vec<Vec<u8>>, check: impl FnMut(&[u8]) -> Outcome + 'static) -> Checker {
        Checker { samples, check: Box::new(check) }
    }
}

/// Damage is told as such, and by nothing else.
fn outcome_of<T>(result: &Result<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Decoded,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            Outcome::Refused
        }
    }
}

/// Where the files for tests are, whichever package is built.
pub static DATA: LazyLock<PathBuf> = LazyLock::new(|| {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    packages
        .map(|folder| folder.join("tests/data"))
        .find(|data| data.is_dir())
        .expect("this is a package of the project")
});

/// Returns the sample containers with their names.
pub fn containers() -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(DATA.join("containers")).unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|kind| kind != "py")).collect();
    samples.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    samples.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// Makes a catalogue that knows nothing.
fn empty_catalogue(folder: &Path) -> Arc<Catalogue> {
    let path = folder.join("catalogue");
    std::fs::write(&path, b"").unwrap();
    Arc::new(Catalogue::create(&path).unwrap())
}

/// Puts the number of its kind before each sample.
fn numbered(samples: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    samples.into_iter().enumerate().map(|(number, bytes)| [vec![number as u8], bytes].concat()).collect()
}
